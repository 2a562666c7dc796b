#!/usr/bin/env bash
# Create .venv with the versions pinned in constraints.txt, or update it. Do nothing if it is up to date.
#
# The script finishes by writing a stamp: a copy of everything that determines the environment. It compares contents, not
# times, because a clone gives every file a new time. Without a stamp for this folder (after an interrupted setup or a move of
# the folder), it starts from scratch.
set -euo pipefail
cd "$(dirname "$0")/.."

if [[ -L .venv ]]; then # it belongs to another folder, and `venv --clear` would empty it there
    echo "setup: .venv is a link: used as it is" >&2
    exit 0
fi

stamp=.venv/set-up-from
cpu_wheels=https://download.pytorch.org/whl/cpu

fingerprint() {
    pwd
    cat pyproject.toml constraints.txt
}

if fingerprint | cmp --silent - "$stamp"; then
    exit 0
fi

# The pins are tested on 3.11, so try that first. PYTHON=... overrides the choice.
find_python() {
    local candidate
    for candidate in ${PYTHON:-python3.11 python3.12 python3.13 python3}; do
        if "$candidate" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "setup: no Python 3.11 or newer with venv: install it (Debian: apt-get install python3 python3-venv), or give its path: make setup PYTHON=/path/to/python" >&2
    return 1
}

# The Linux build of torch on PyPI includes gigabytes of CUDA. Without a GPU, install the CPU build from PyTorch's own index,
# if it answers within 3 seconds. Otherwise use the build from PyPI, which works too.
cpu_wheels_answer() {
    [[ $(uname -s) == Linux ]] && ! command -v nvidia-smi >/dev/null &&
        timeout 4 .venv/bin/python -c "import urllib.request as r; r.urlopen('$cpu_wheels/torch/', timeout=3)" 2>/dev/null
}

pip_install() {
    local quiet=()
    [[ -t 1 ]] || quiet=(-qq)
    .venv/bin/python -m pip install "${quiet[@]}" --disable-pip-version-check --no-input "$@"
}

if [[ $(head -n 1 "$stamp" 2>/dev/null) != "$PWD" ]]; then
    python=$(find_python)
    echo "setup: creating .venv (a few minutes, 2.5 GB with PyTorch)"
    "$python" -m venv --clear .venv
else
    echo "setup: pyproject.toml or constraints.txt changed, updating .venv"
fi
rm -f "$stamp"
if cpu_wheels_answer; then
    pip_install --no-deps --index-url "$cpu_wheels" "$(grep '^torch==' constraints.txt)" ||
        echo "setup: the index has no CPU build of this torch version, using the one that pip finds"
fi
pip_install --constraint constraints.txt --editable '.[dev]'
.venv/bin/python -m compileall -q src # pip does not compile editable packages; without this, the first command is half a second slower
fingerprint >"$stamp.part"
mv "$stamp.part" "$stamp"

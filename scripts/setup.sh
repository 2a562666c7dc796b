#!/usr/bin/env bash
# Makes .venv with what constraints.txt pins, or brings it up to date; answers at once where nothing changed.
#
# The last thing written is a stamp: a copy of all that decides the environment. Content is compared, not times, since a
# clone gives every file a new time. No stamp (an interrupted set-up, a moved folder) means: start from nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

stamp=.venv/set-up-from
cpu_wheels=https://download.pytorch.org/whl/cpu

fingerprint() {
    pwd
    cat pyproject.toml constraints.txt
}

if fingerprint | cmp --silent - "$stamp"; then
    exit 0
fi

# The pins are tested on 3.11, so that one is asked first. PYTHON=... overrules.
find_python() {
    local candidate
    for candidate in ${PYTHON:-python3.11 python3.12 python3.13 python3}; do
        if "$candidate" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "setup: no Python 3.11 or newer with venv: install one (Debian: apt-get install python3 python3-venv), or name it: make setup PYTHON=/path/to/python" >&2
    return 1
}

# torch for Linux comes from PyPI with gigabytes of CUDA. Where no GPU wants that and PyTorch's own index of CPU builds
# answers, torch is taken from there. One try of 3 seconds; without an answer the build that pip finds serves as well.
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
    echo "setup: making .venv (a few minutes, about 2 GB with PyTorch)"
    "$python" -m venv --clear .venv
else
    echo "setup: pyproject.toml or constraints.txt changed, bringing .venv up to date"
fi
rm -f "$stamp"
if cpu_wheels_answer; then
    pip_install --no-deps --index-url "$cpu_wheels" "$(grep '^torch==' constraints.txt)" ||
        echo "setup: no CPU build of torch there, taking the one that pip finds"
fi
pip_install --constraint constraints.txt --editable '.[dev]'
.venv/bin/python -m compileall -q src # pip leaves an editable package uncompiled: the first command would take half a second longer
fingerprint >"$stamp.part"
mv "$stamp.part" "$stamp"

#!/usr/bin/env bash
# Makes .venv-peers, where the libraries live that `make bench` compares with; answers at once where nothing changed.
#
# It stands on .venv: torch, lightning and transformers are the same files, so that all are timed on one build of torch, and
# only what .venv lacks is installed. Nothing of ours imports from it.
set -euo pipefail
cd "$(dirname "$0")/.."

peers=.venv-peers
stamp=$peers/set-up-from

fingerprint() {
    pwd
    cat constraints.txt benchmarks/peers-constraints.txt
    .venv/bin/python -c 'import sys, torch; print(sys.version, torch.__version__)'
}

now=$(fingerprint)
if [[ $now == "$(cat "$stamp" 2>/dev/null)" ]]; then
    exit 0
fi
echo "bench: making $peers (a minute, about 50 MB)"
.venv/bin/python -m venv --clear --without-pip "$peers"
site_packages='import sysconfig; print(sysconfig.get_path("purelib"))'
.venv/bin/python -c "$site_packages" >"$("$peers/bin/python" -c "$site_packages")/our-environment.pth"
.venv/bin/python -m pip --python "$peers/bin/python" install -qq --disable-pip-version-check --no-input \
    --no-deps --requirement benchmarks/peers-constraints.txt
echo "$now" >"$stamp.part"
mv "$stamp.part" "$stamp"

#!/usr/bin/env bash
# Create .venv-peers with the libraries that `make bench` measures for comparison. Do nothing if it is up to date.
#
# .venv-peers extends .venv: both share torch, lightning and transformers, so that all libraries are timed on one build of torch.
# It adds only the packages that .venv lacks. The fittingroom package never imports from it.
set -euo pipefail
cd "$(dirname "$0")/.."

peers=.venv-peers
stamp=$peers/set-up-from

fingerprint() {
    pwd
    cat constraints.txt lab/benchmarks/peers-constraints.txt
    .venv/bin/python -c 'import sys, torch; print(sys.version, torch.__version__)'
}

now=$(fingerprint)
if [[ $now == "$(cat "$stamp" 2>/dev/null)" ]]; then
    exit 0
fi
echo "bench: creating $peers (one minute, about 50 MB)"
.venv/bin/python -m venv --clear --without-pip "$peers"
site_packages='import sysconfig; print(sysconfig.get_path("purelib"))'
.venv/bin/python -c "$site_packages" >"$("$peers/bin/python" -c "$site_packages")/our-environment.pth"
.venv/bin/python -m pip --python "$peers/bin/python" install -qq --disable-pip-version-check --no-input \
    --no-deps --requirement lab/benchmarks/peers-constraints.txt
echo "$now" >"$stamp.part"
mv "$stamp.part" "$stamp"

#!/usr/bin/env bash
# Obtains Fashion-MNIST: `fittingroom data fetch` finds or downloads it; where it cannot, Debian's package is tried.
set -euo pipefail
cd "$(dirname "$0")/.."

.venv/bin/fittingroom data fetch && exit
# A folder that the user named is the only one looked at, so a package would not help.
if [[ -z ${FITTINGROOM_DATA:-} ]] && scripts/apt-install.sh dataset-fashion-mnist; then
    .venv/bin/fittingroom data fetch && exit
fi
echo "data: no Fashion-MNIST, see the ways above" >&2
exit 1

#!/usr/bin/env bash
# Get Fashion-MNIST. `fittingroom data fetch` finds or downloads it; if that fails, try to install Debian's package.
set -euo pipefail
cd "$(dirname "$0")/.."

.venv/bin/fittingroom data fetch && exit
# If the user named a folder, the package would not help: `data fetch` searches only that folder.
if [[ -z ${FITTINGROOM_DATA:-} ]] && scripts/apt-install.sh dataset-fashion-mnist; then
    .venv/bin/fittingroom data fetch && exit
fi
echo "data: Fashion-MNIST not found; the message above says how to get it" >&2
exit 1

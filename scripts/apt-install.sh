#!/usr/bin/env bash
# apt-install.sh PACKAGE: install a Debian or Ubuntu package if that needs no password; otherwise fail silently.
set -euo pipefail

command -v apt-get >/dev/null || exit 1
as_root=()
if [[ $(id -u) != 0 ]]; then
    sudo -n true 2>/dev/null || exit 1
    as_root=(sudo -n)
fi
echo "trying apt-get install $1"
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends "$1" >/dev/null

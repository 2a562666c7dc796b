#!/usr/bin/env bash
# Looks for Chromium, in which tests open the report; tries Debian's package; goes on without it, and says so.
set -euo pipefail
cd "$(dirname "$0")/.."

found() {
    command -v chromium || command -v chromium-browser || command -v google-chrome
}

found >/dev/null || scripts/apt-install.sh chromium || true
found >/dev/null || echo "browser: no Chromium here, so the tests that open the report in one are skipped (Debian: apt-get install chromium)" >&2

#!/usr/bin/env bash
# Find Chromium, which some tests need to open the report, or try to install it. Without it, print a note and succeed.
set -euo pipefail
cd "$(dirname "$0")/.."

found() {
    command -v chromium || command -v chromium-browser || command -v google-chrome
}

found >/dev/null || scripts/apt-install.sh chromium || true
found >/dev/null || echo "browser: Chromium is not installed, so the tests that open the report are skipped (Debian: apt-get install chromium)" >&2

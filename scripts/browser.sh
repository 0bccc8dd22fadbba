#!/usr/bin/env bash
# What drives a browser here: the packages that tests/browser/package-lock.json pins, and a Chromium, whose path is printed:
# $AQA_CHROMIUM, else the one that is installed, else Debian's, which root installs now.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
  echo "browser: needs node (20 or newer) and npm: https://nodejs.org" >&2
  exit 4
fi
if ! cmp -s tests/browser/package-lock.json tests/browser/node_modules/installed-lock.json; then
  npm ci --prefix tests/browser --ignore-scripts --no-audit --no-fund --loglevel=error >&2
  cp tests/browser/package-lock.json tests/browser/node_modules/installed-lock.json
fi
if [ -n "${AQA_CHROMIUM:-}" ]; then
  command -v "$AQA_CHROMIUM" && exit 0
  echo "browser: AQA_CHROMIUM names $AQA_CHROMIUM, which is no program here" >&2
  exit 4
fi
installed() {
  for name in chromium chromium-browser google-chrome google-chrome-stable; do
    if command -v "$name"; then return 0; fi
  done
  return 1
}
installed && exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
  echo "browser: found no Chromium; install it (Debian: sudo apt-get install chromium), or name one with AQA_CHROMIUM" >&2
  exit 4
fi
echo "browser: installing Debian's chromium" >&2
{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium; } >&2
installed

#!/usr/bin/env bash
# Prints the path of a Chromium: $AQA_CHROMIUM, else the one that is installed, else Debian's, which root installs now.
set -euo pipefail
find_one() {
  for name in "${AQA_CHROMIUM:-}" chromium chromium-browser google-chrome google-chrome-stable; do
    if [ -n "$name" ] && command -v "$name"; then return 0; fi
  done
  return 1
}
if [ -n "${AQA_CHROMIUM:-}" ] && ! command -v "$AQA_CHROMIUM" >/dev/null; then
  echo "chromium: AQA_CHROMIUM names $AQA_CHROMIUM, which is no program here" >&2
  exit 4
fi
find_one && exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
  echo "chromium: found none; install it (Debian: sudo apt-get install chromium), or name one with AQA_CHROMIUM" >&2
  exit 4
fi
echo "chromium: installing Debian's" >&2
{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium; } >&2
find_one

#!/usr/bin/env bash
# A picture of a page: `scripts/page-screenshot.sh PAGE OUT.png [WIDTHxHEIGHT] [light|dark]`, by default 1280x2400 and light.
#
# PAGE is the index.html of `aqa-bench report --format html`, or its folder; `PAGE#samples` begins at that section.
set -euo pipefail
if [ $# -lt 2 ]; then sed -n '2,4s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; fi
scripts=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
page=${1%%#*} out=$2 size=${3:-1280x2400} scheme=${4:-light}
section=${1#"$page"}
if [ -d "$page" ]; then page=$page/index.html; fi
if [ ! -f "$page" ]; then echo "page-screenshot: $page is not there; make it with \`aqa-bench report RUN --format html --out FOLDER\`" >&2; exit 4; fi
case $size in *[!0-9x]* | x* | *x | *x*x*) echo "page-screenshot: expected a size like 1280x2400, found $size" >&2; exit 2 ;; esac
case $scheme in
  light) preferred=1 ;;
  dark) preferred=0 ;;
  *) echo "page-screenshot: expected light or dark, found $scheme" >&2; exit 2 ;;
esac
profile=$(mktemp -d)
trap 'rm -rf "$profile"' EXIT
"$("$scripts"/chromium.sh)" --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
  --disable-component-update --disable-sync --hide-scrollbars --user-data-dir="$profile" --window-size="${size/x/,}" \
  --blink-settings=preferredColorScheme="$preferred" --virtual-time-budget=3000 \
  --screenshot="$(realpath "$out")" "file://$(realpath "$page")$section" 2>"$profile/said" || { cat "$profile/said" >&2; exit 1; }
[ -s "$out" ] || { cat "$profile/said" >&2; echo "page-screenshot: no picture was made" >&2; exit 1; }
echo "$out"

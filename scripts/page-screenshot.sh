#!/usr/bin/env bash
# A picture of a page: `scripts/page-screenshot.sh PAGE OUT.png [WIDTH|WIDTHxHEIGHT] [light|dark]`, by default 1280 and light.
#
# PAGE is the index.html of `aqa-bench report --format html`, or its folder. With a height, `PAGE#samples` shows what a window of that size
# shows of that section; without, the whole page is taken.
set -euo pipefail
if [ $# -lt 2 ]; then sed -n '2,5s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; fi
scripts=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
page=${1%%#*} section=${1#"${1%%#*}"}
if [ -d "$page" ]; then page=$page/index.html; fi
if [ ! -f "$page" ]; then
  echo "page-screenshot: $page is not there; make it with \`aqa-bench report RUN --format html --out FOLDER\`" >&2
  exit 4
fi
AQA_CHROMIUM=$("$scripts"/browser.sh) node "$scripts/../tests/browser/screenshot.mjs" "$(realpath "$page")$section" "${@:2}"

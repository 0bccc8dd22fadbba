#!/usr/bin/env bash
# The browser test: runs of 1000 samples, their page by the real program, and a headless Chromium that uses it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
command -v node >/dev/null && command -v npm >/dev/null || {
  echo "test-browser: needs node (20 or newer) and npm: https://nodejs.org, or apt-get install nodejs npm" >&2
  exit 4
}
AQA_CHROMIUM=$(scripts/chromium.sh)
# What package-lock.json pins, by hash, once.
if [ ! -e tests/browser/node_modules/.package-lock.json ] || [ tests/browser/package-lock.json -nt tests/browser/node_modules/.package-lock.json ]; then
  npm ci --prefix tests/browser --ignore-scripts --no-audit --no-fund --loglevel=error
fi
work=$PWD/target/browser
rm -rf "$work" && mkdir -p "$work"
export AQA_CHROMIUM AQA_BROWSER_RUNS="$work/runs" AQA_PAGE="$work/page/index.html"
cargo build --locked --no-default-features --bin aqa-bench
cargo test --locked --no-default-features --test page -- --ignored --exact --quiet runs_for_the_browser
target/debug/aqa-bench report "$work/runs/quickstart" "$work/runs/elsewhere" --format html --out "$work/page"
node --test --test-reporter=spec tests/browser/page.test.mjs

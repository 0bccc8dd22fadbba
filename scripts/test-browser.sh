#!/usr/bin/env bash
# The browser test: runs of 1000 samples, their page by the real program, and a headless Chromium that uses it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
AQA_CHROMIUM=$(scripts/browser.sh)
work=$PWD/target/browser
rm -rf "$work" && mkdir -p "$work"
export AQA_CHROMIUM AQA_BROWSER_RUNS="$work/runs" AQA_PAGE="$work/page/index.html"
cargo test --locked --no-default-features --test page -- --ignored --exact --quiet runs_for_the_browser
target/debug/aqa-bench report "$work/runs/quickstart" "$work/runs/elsewhere" --format html --out "$work/page"
node --test --test-timeout=120000 --test-reporter=spec tests/browser/page.test.mjs

#!/usr/bin/env bash
# Everything CI runs: format, lints and documentation on both feature sets, tests, goldens, the README's commands.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# What the tests measure against the reference stack is noted, and held against docs/methodology.md at the end.
measured=$PWD/target/measured
rm -rf "$measured" && mkdir -p "$measured"
export INSTA_UPDATE=no RUSTDOCFLAGS="-D warnings"
# A commit is judged the same each time: properties draw the same cases. `make properties` draws others, and many more.
export PROPTEST_RNG_SEED=${PROPTEST_RNG_SEED:-2503}
step() { printf '\n== %s\n' "$*"; }

step format
cargo fmt --check
step "lints and documentation, without libtorch"
cargo clippy --locked --no-default-features --all-targets -- -D warnings
cargo doc --locked --no-default-features --no-deps --document-private-items
step "tests, without libtorch"
cargo test --locked --no-default-features
step "lints and documentation, with libtorch"
cargo clippy --locked --release --all-targets -- -D warnings
cargo doc --locked --release --no-deps --document-private-items
step "tests, with libtorch"
AQA_MEASURED="$measured" cargo test --locked --release
step "the parity table"
scripts/parity-table.sh --check "$measured"
step "the README's commands"
scripts/readme-commands.sh

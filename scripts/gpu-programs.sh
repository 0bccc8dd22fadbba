#!/usr/bin/env bash
# The three programs that scripts/gpu-check.sh takes, stripped, in target/gpu: aqa-bench, aqa-bench-engine and the benches' worker, aqa-bench-peers.
#
# They are carried to the CUDA machine: together they must stay below 60 MB.
set -euo pipefail
cd "$(dirname "$0")/.."
most=60000000
worker=$(cargo build --release --locked --bins --bench peers --message-format=json-render-diagnostics |
  python3 -c 'import json, sys; print(*{m["executable"] for m in map(json.loads, sys.stdin) if m.get("executable") and m["target"]["name"] == "peers"})')
to=target/gpu
mkdir -p "$to"
install -s target/release/aqa-bench target/release/aqa-bench-engine "$to/"
install -s "$worker" "$to/aqa-bench-peers"
cd "$to"
stat -c '%s bytes  %n' aqa-bench aqa-bench-engine aqa-bench-peers
all=$(cat aqa-bench aqa-bench-engine aqa-bench-peers | wc -c)
echo "$all bytes together, in $to"
[ "$all" -lt "$most" ] || { echo "error: $to: $all bytes, at most $most can be carried: build without debug information" >&2; exit 3; }

#!/usr/bin/env bash
# Runs the quickstart with other seeds: weights, clips, questions and sampling all change. Prints one line a seed.
#
#   scripts/quickstart-seeds.sh OUT SEED... [-- --set KEY=VALUE ...]
#
# Runs are kept in OUT/SEED. The data sets of a seed are other files than the recipe pins, so their hashes are first made and
# then given as overrides: nothing runs unpinned.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
program=${AQA_BENCH:-$root/target/release/aqa-bench}
recipe=${RECIPE:-$root/recipes/quickstart.yaml}
out=${1:?usage: quickstart-seeds.sh OUT SEED... [-- --set KEY=VALUE ...]}
shift
seeds=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do seeds+=("$1"); shift; done
[ $# -eq 0 ] || shift
extra=("$@")

printf '| seed | SFT | SFT + GRPO | gain | SFT + as much SFT | first option | seconds |\n|---|---|---|---|---|---|---|\n'
for seed in "${seeds[@]}"; do
  run=$out/$seed
  sets=(--set "seed=$seed")
  n=0
  for name in train-sft train-grpo held-out; do
    n=$((n + 1))
    sets+=(--set "data.sets.$name.seed=$((seed * 10 + n))")
  done
  for name in train-sft train-grpo held-out; do
    # The stage refuses what is not pinned and says what it made.
    said=$("$program" reproduce "$recipe" --run-dir "$run" "${sets[@]}" "${extra[@]}" --until "data-$name" 2>&1) || true
    made=$(sed -n 's/.*, made \([0-9a-f]\{64\}\).*/\1/p' <<<"$said")
    [ -z "$made" ] || sets+=(--set "data.sets.$name.sha256=$made")
  done
  started=$SECONDS
  "$program" reproduce "$recipe" --run-dir "$run" "${sets[@]}" "${extra[@]}" >"$run.log" 2>&1 || { tail -n 3 "$run.log" >&2; exit 1; }
  seconds=$((SECONDS - started))
  accuracy() { python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))["accuracy"])' "$run"/"$1"-[0-9a-f]*[0-9a-f]/score.json; }
  sft=$(accuracy held-out-sft) grpo=$(accuracy held-out-grpo) more=$(accuracy held-out-sft-more)
  floor=$(awk -F'|' '/Always the first option/ {gsub(/ /, "", $7); print $7}' "$run/report/leaderboard.md")
  python3 -c 'import sys; s,a,b,c,f,t=sys.argv[1:]; print(f"| {s} | {a} | {b} | {float(b)-float(a):+.2f} | {c} | {f} | {t} |")' \
    "$seed" "$sft" "$grpo" "$more" "$floor" "$seconds"
done

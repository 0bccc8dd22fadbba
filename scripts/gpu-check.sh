#!/usr/bin/env bash
# The whole check on a CUDA machine, from a program that was built elsewhere. Writes report.md and logs below a folder.
#
#   DEVICE=cuda make build && strip target/release/aqa-bench{,-engine}     on a machine with a compiler
#   scripts/gpu-check.sh target/release/aqa-bench OUT                      on the CUDA machine, with LD_LIBRARY_PATH at torch 2.11's lib
#
# aqa-bench-engine must be carried along, into the same folder.
#
# What it does: runs the quickstart on cuda:0 and on the CPU, compares their scores by the golden's margin, repeats the CUDA run and
# says whether verdicts are the same, trains in bfloat16 with both numerics and with adapters, tests the hearing of the parity checkpoints, and
# compares `inspect` of them on both devices in float32 and bfloat16.
set -uo pipefail
program=$(realpath "${1:?usage: gpu-check.sh PROGRAM OUT}")
out=$(realpath -m "${2:?usage: gpu-check.sh PROGRAM OUT}")
[ -x "$program-engine" ] || { echo "error: $program-engine not found: carry both programs" >&2; exit 4; }
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$out"
report=$out/report.md
failed=0

note() { printf '%s\n' "$*" | tee -a "$report"; }
timed() { # name, log, command...
  local name=$1 log=$2 started=$SECONDS
  shift 2
  if "$@" >"$out/$log" 2>&1; then
    note "- $name: done in $((SECONDS - started)) s"
  else
    note "- $name: FAILED with exit code $? (see $log)"
    failed=1
  fi
}

: >"$report"
note "# GPU check, $(date -u +%Y-%m-%d)"
note ""
note '```'
"$program" doctor 2>&1 | sed '/^cache/d; s#from .*#from the machine#' | tee -a "$report"
nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader | tee -a "$report"
note '```'
note ""
recipe=$root/recipes/quickstart.yaml
timed "quickstart on cuda:0" cuda-1.log "$program" reproduce "$recipe" --device cuda:0 --run-dir "$work/cuda-1"
timed "quickstart on cuda:0, again" cuda-2.log "$program" reproduce "$recipe" --device cuda:0 --run-dir "$work/cuda-2"
timed "CUDA run against the golden" check.log "$program" check "$root/golden/quickstart" --run "$work/cuda-1"
same=yes
for samples in "$work"/cuda-1/*/samples.jsonl; do
  cmp -s "$samples" "$work/cuda-2/$(basename "$(dirname "$samples")")/samples.jsonl" || same=no
done
note "- two CUDA runs give identical samples: $same"
# Ways of training that the quickstart does not take, on the smallest recipe.
tiny=$root/tests/inputs/tiny/tiny.yaml
lora='lora={rank: 4, alpha: 8, targets: [all-linear]}'
timed "bfloat16 policy" bf16.log "$program" reproduce "$tiny" --device cuda:0 --run-dir "$work/bf16" --set model.dtype=bfloat16
timed "bfloat16 policy, reference-bf16" reference-bf16.log "$program" reproduce "$tiny" --device cuda:0 --run-dir "$work/reference-bf16" \
  --set model.dtype=bfloat16 --set train.sft.numerics=reference-bf16 --set train.grpo.numerics=reference-bf16
timed "adapters" lora.log "$program" reproduce "$tiny" --device cuda:0 --run-dir "$work/lora" \
  --set "train.sft.$lora" --set "train.grpo.$lora"
for checkpoint in mha gqa tied bf16 v5; do
  timed "hearing of $checkpoint" "hearing-$checkpoint.log" "$program" doctor --model "$root/tests/parity/model/checkpoints/$checkpoint" --device cuda:0
  for dtype in float32 bfloat16; do
    for device in cpu cuda:0; do
      "$program" inspect --model "$root/tests/parity/model/checkpoints/$checkpoint" --audio "$root/tests/parity/model/clips/one.wav" \
        --prompt "What is this?" --device "$device" --dtype "$dtype" --out "$work/$checkpoint-$dtype-$device.safetensors" \
        >>"$out/inspect.log" 2>&1 || { note "- inspect $checkpoint $dtype $device FAILED"; failed=1; }
    done
  done
done
python3 - "$work" >>"$report" <<'PY' || failed=1
import glob, os, sys
from safetensors.torch import load_file
work, bad = sys.argv[1], False
print("\n| checkpoint | dtype | largest logit difference, relative | greedy ids equal |\n|---|---|---|---|")
for cpu in sorted(glob.glob(work + "/*-cpu.safetensors")):
    a, b = load_file(cpu), load_file(cpu.replace("-cpu.", "-cuda:0."))
    name, dtype = os.path.basename(cpu).rsplit("-", 2)[:2]
    d = ((a["logits"] - b["logits"]).abs().max() / a["logits"].abs().max()).item()
    bad |= d > (1e-4 if dtype == "float32" else 2e-2)
    print(f"| {name} | {dtype} | {d:.2e} | {a['greedy_ids'].tolist() == b['greedy_ids'].tolist()} |")
sys.exit(bad)
PY
cp "$work"/cuda-1/report/leaderboard.md "$out/leaderboard.md" 2>/dev/null
cat "$work"/cuda-1/grpo-*/metrics.jsonl >"$out/grpo-metrics.jsonl" 2>/dev/null
note ""
[ "$failed" = 0 ] && note "All checks passed." || note "Something failed."
exit "$failed"

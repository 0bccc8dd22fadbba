#!/usr/bin/env bash
# The whole check on a CUDA machine, from programs that were built elsewhere. Writes report.md and logs below a folder.
#
#   DEVICE=cuda make gpu-programs                                          on a machine with a compiler: three programs in target/gpu
#   scripts/gpu-check.sh target/gpu/aqa-bench OUT target/gpu/aqa-bench-peers [OPTIONS]
#                                                                          on the CUDA machine, with LD_LIBRARY_PATH at torch 2.11's lib
#
# The programs must be carried into one folder. `-` for the first leaves the first part out, no third leaves the second part out: the report says so.
#
# The first part runs the quickstart on cuda:0 and on the CPU, compares their scores by the golden's margin, repeats the CUDA run and
# says whether verdicts are the same, trains in bfloat16 with both numerics and with adapters, tests the hearing of the parity checkpoints, and
# compares `inspect` of them on both devices in float32 and bfloat16.
#
# The second part (benches/peers/gpu.py, which takes OPTIONS; python3 with torch 2.11 and transformers) makes a random checkpoint of Qwen2-Audio-7B's shape, 17 GB in
# TMPDIR or `--inputs FOLDER`, and measures
#   - a decode step of batch 1 and 32, beside reading weights and cache once at this card's measured speed, and beside transformers;
#   - an evaluation of 1000 clips of 10 s with 12 new tokens each, from loaded weights;
#   - a GRPO step of 16 questions of 10 s, G = 8, with 9 and with 25 new tokens, in bfloat16 with exact float32 masters;
#   - the card's memory at the highest of the last two, beside what `plan` predicts for the same rows.
# It ends within nine minutes (`--budget`); what it did not come to is named, and is asked for by `--parts`. The memory settings of the step are the first
# of a list that the card has room for, or `--memory JSON --micro-batch N`.
#
# Without a GPU, to see that the second part runs: scripts/gpu-check.sh - OUT target/gpu/aqa-bench-peers --small --device cpu
set -uo pipefail
usage="usage: gpu-check.sh PROGRAM|- OUT [WORKER [OPTIONS of benches/peers/gpu.py]]"
program=${1:?$usage}
out=$(realpath -m "${2:?$usage}")
worker=${3:-}
shift $(($# < 3 ? $# : 3))
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
needed=()
if [ "$program" != - ]; then
  program=$(realpath -m "$program")
  needed+=("$program" "$program-engine")
fi
if [ -n "$worker" ]; then
  worker=$(realpath -m "$worker")
  needed+=("$worker")
fi
for file in "${needed[@]}"; do
  [ -x "$file" ] || { echo "error: $file not found: carry all programs (make gpu-programs), into one folder" >&2; exit 4; }
done
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

parity() {
  local recipe=$root/recipes/quickstart.yaml
  timed "quickstart on cuda:0" cuda-1.log "$program" reproduce "$recipe" --device cuda:0 --run-dir "$work/cuda-1"
  timed "quickstart on cuda:0, again" cuda-2.log "$program" reproduce "$recipe" --device cuda:0 --run-dir "$work/cuda-2"
  timed "CUDA run against the golden" check.log "$program" check "$root/golden/quickstart" --run "$work/cuda-1"
  local same=yes
  for samples in "$work"/cuda-1/*/samples.jsonl; do
    cmp -s "$samples" "$work/cuda-2/$(basename "$(dirname "$samples")")/samples.jsonl" || same=no
  done
  note "- two CUDA runs give identical samples: $same"
  # Ways of training that the quickstart does not take, on the smallest recipe.
  local tiny=$root/tests/inputs/tiny/tiny.yaml lora='lora={rank: 4, alpha: 8, targets: [all-linear]}'
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
}

: >"$report"
note "# GPU check, $(date -u +%Y-%m-%d)"
note ""
note '```'
[ "$program" = - ] || "$program" doctor 2>&1 | sed '/^cache/d; s#from .*#from the machine#' | tee -a "$report"
nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader 2>&1 | tee -a "$report"
for file in "${needed[@]}"; do note "$(basename "$file"): $(stat -Lc %s "$file") bytes"; done
note '```'
note ""
if [ "$program" = - ]; then
  note "- quickstart, numerics, adapters, hearing and parity: left out, no program given"
else
  parity
fi
note ""
if [ -z "$worker" ]; then
  note "- speed and memory of Qwen2-Audio-7B's shape: left out, no worker given (the third argument)"
else
  # An older report must not stand for this one.
  rm -f "$out/gpu.md" "$out/gpu.json"
  python3 "$root/benches/peers/gpu.py" --worker "$worker" --out "$out" "$@" >"$out/gpu.log" 2>&1
  code=$?
  [ "$code" = 0 ] || { note "- speed and memory: exit code $code (3: a part has no figures; see below and gpu.log)"; failed=1; }
  [ -f "$out/gpu.md" ] && sed 's/^#/##/' "$out/gpu.md" | tee -a "$report"
fi
note ""
[ "$failed" = 0 ] && note "All that was asked for passed." || note "Something failed."
exit "$failed"

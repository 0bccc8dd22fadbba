#!/usr/bin/env bash
# Breaks one line at a time, in a copy, and asks the tests: each of these changes must make one fail. Ends with 3 if one does not.
#
#   scripts/mutations.sh            all of them (about ten minutes on two cores)
#   scripts/mutations.sh NAME…      some of them
#
# The last commit is what is broken; it is built into the same target folder.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
copy=$(mktemp -d)
trap 'cd "$root" && git worktree remove --force "$copy" 2>/dev/null; rm -rf "$copy"' EXIT
git worktree add --quiet --detach "$copy" HEAD
ln -s "$root/.libtorch" "$copy/.libtorch"
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$root/target} AQA_SHARED=${AQA_SHARED:-$(realpath -m ../shared)} INSTA_UPDATE=no

caught=0
# name | file | line as it is | line as it must not be | test binaries that should see it
mutations=(
    'mel-constant|src/audio/mel.rs|peak.max(smallest) - 8.0;|peak.max(smallest) - 8.001;|audio_mel'
    'rope-base|src/model/layers.rs|Tensor::from(theta as f32)|Tensor::from(1.01 * theta as f32)|parity_model'
    'ddof|src/train/advantage.rs|/ (n - 1.0).max(1.0);|/ n;|parity_train'
    'kl-sign|src/train/grpo.rs|inputs.ref_logprobs - p;|p - inputs.ref_logprobs;|parity_train'
    'processor-order|src/sampling/mod.rs|    filters.penalise(logits, seen);|    logits.iter_mut().for_each(\|x\| *x /= 0.5); filters.penalise(logits, seen); logits.iter_mut().for_each(\|x\| *x *= 0.5);|parity_sampling parity_model'
    "choice-quoting|src/prompt/repr.rs|let quote = if text.contains('\\\\'') \&\& !text.contains('\"') { '\"' } else { '\\\\'' };|let quote = '\\\\'';|prompt_parity"
)
for mutation in "${mutations[@]}"; do
    IFS='|' read -r name file was becomes tests < <(sed 's/\\|/\x01/g' <<<"$mutation")
    was=${was//$'\x01'/|} becomes=${becomes//$'\x01'/|}
    if [ $# -gt 0 ] && ! printf '%s\n' "$@" | grep -qx "$name"; then continue; fi
    git -C "$copy" checkout --quiet -- .
    python3 - "$copy/$file" "$was" "$becomes" <<'PY'
import sys
path, was, becomes = sys.argv[1:]
text = open(path).read()
if text.count(was) != 1:
    sys.exit(f"{path}: expected one line with {was!r}, found {text.count(was)}")
open(path, "w").write(text.replace(was, becomes))
PY
    # shellcheck disable=SC2046
    if (cd "$copy" && cargo test --locked --release --no-fail-fast $(printf -- '--test %s ' $tests)) >"$copy.log" 2>&1; then
        echo "$name: NOT CAUGHT by $tests" >&2
        exit 3
    fi
    failed=$(grep -E '^test .* FAILED$' "$copy.log" | sed 's/^test \(.*\) \.\.\. FAILED$/\1/' || true)
    [ -n "$failed" ] || { tail -20 "$copy.log" >&2; echo "$name: no test ran" >&2; exit 1; }
    echo "$name: caught by $(echo "$failed" | paste -sd ' ')"
    caught=$((caught + 1))
done
echo "mutations: $caught caught"

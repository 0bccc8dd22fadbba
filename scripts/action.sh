#!/usr/bin/env bash
# What action.yml does, a step a call: key, install, run. Inputs come as AQA_… variables, outputs go to $GITHUB_OUTPUT.
set -euo pipefail
home=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

output() { printf '%s=%s\n' "$1" "$2" >>"$GITHUB_OUTPUT"; }
# Escaped as the log's reader wants it, on one line.
error() {
  local text=${1//'%'/%25}
  text=${text//$'\r'/%0D}
  printf '::error title=aqa-bench::%s\n' "${text//$'\n'/%0A}"
}

# The program is decided by its sources, and by the machine that it is built on.
key() {
  local sources
  sources=$(cd "$home" && find Cargo.toml Cargo.lock build.rs src recipes/data -type f -print0 |
    LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -c1-16)
  output key "aqa-bench-${ImageOS:-$(uname -s)}-$(uname -m)-$sources"
  output root "$HOME/.cache/aqa-bench-action/$sources"
}

install() {
  local program=$AQA_PROGRAM
  if [ -z "$program" ]; then
    program=$AQA_ROOT/bin/aqa-bench
    if ! [ -x "$program" ]; then
      command -v cargo >/dev/null || {
        error "cargo not found: install a Rust toolchain in a step before, or name a program with the input program"
        exit 4
      }
      (cd "$home" && cargo install --locked --no-default-features --path . --root "$AQA_ROOT")
    fi
  fi
  local found
  found=$(command -v "$program") || { error "no program at $program"; exit 4; }
  "$found" --version
  output program "$(realpath "$found")"
}

# Everything that was asked for is done, whatever comes of the first part; the first exit code other than 0 is kept.
run() {
  local code=0
  cd "$AQA_WORKING_DIRECTORY"
  if [ -z "$AQA_GOLDEN$AQA_PREDICTIONS" ]; then
    error "nothing to do: neither golden nor predictions is given"
    code=2
  fi
  if [ -n "$AQA_GOLDEN" ]; then check || code=$?; fi
  if [ -n "$AQA_PREDICTIONS" ]; then
    local second=0
    score || second=$?
    [ "$code" -ne 0 ] || code=$second
  fi
  output exit-code "$code"
  exit "$code"
}

check() {
  local arguments=(check --format github) folder
  [ -z "$AQA_RUN" ] || arguments+=(--run "$AQA_RUN")
  if [ -n "$AQA_JUNIT" ]; then
    arguments+=(--junit "$AQA_JUNIT")
    output junit "$(realpath -m "$AQA_JUNIT")"
  fi
  arguments+=(--)
  while IFS= read -r folder; do [ -z "$folder" ] || arguments+=("$folder"); done <<<"$AQA_GOLDEN"
  "$AQA_PROGRAM" "${arguments[@]}"
}

# The score for people in the log and the summary, the accuracy as an output.
score() {
  local arguments=(score --rule "$AQA_RULE") text json accuracy
  [ -z "$AQA_DATASET" ] || arguments+=(--dataset "$AQA_DATASET")
  text=$("$AQA_PROGRAM" "${arguments[@]}" -- "$AQA_PREDICTIONS" 2>&1) || {
    local code=$?
    error "$text"
    return "$code"
  }
  json=$("$AQA_PROGRAM" "${arguments[@]}" --format json -- "$AQA_PREDICTIONS") || return $?
  accuracy=$(printf '%s\n' "$json" | sed -n 's/^  "accuracy": \([0-9.]*\),*$/\1/p' | head -n 1)
  printf '%s\n' "$text" | sed 's/^\( *\)::/\1| ::/'
  if [ -z "$accuracy" ]; then
    error "rule $AQA_RULE gives more than one accuracy, and the output accuracy is one: name a single rule in the input rule"
    return 2
  fi
  output accuracy "$accuracy"
  if [ -n "${GITHUB_STEP_SUMMARY:-}" ]; then
    printf '## aqa-bench score: %s %%\n\n```text\n%s\n```\n' "$accuracy" "$text" >>"$GITHUB_STEP_SUMMARY"
  fi
}

case ${1:-} in
  key | install | run) "$1" ;;
  *) echo "usage: action.sh key|install|run" >&2; exit 2 ;;
esac

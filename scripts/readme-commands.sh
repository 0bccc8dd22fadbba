#!/usr/bin/env bash
# Runs every command of README.md's ```console blocks, in order, from the repository's root. `make test` itself is not run again.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
PATH=$PWD/target/release:$PATH
# A bundle is never written over another: what these commands left before goes.
rm -f runs/quickstart-bundle.tar.gz
count=0
while IFS= read -r command; do
  if [ "$command" = "make test" ]; then continue; fi
  printf '$ %s\n' "$command"
  bash -euo pipefail -c "$command" >/tmp/readme-output.$$ 2>&1 || {
    code=$?
    cat /tmp/readme-output.$$
    printf 'README.md: `%s` left with exit code %s\n' "$command" "$code" >&2
    exit 1
  }
  count=$((count + 1))
done < <(awk '/^```console$/ {inside = 1; next} /^```$/ {inside = 0} inside && /^\$ / {print substr($0, 3)}' README.md)
rm -f /tmp/readme-output.$$
[ "$count" -gt 0 ] || { echo "README.md: no command found" >&2; exit 1; }
printf 'README.md: %s commands run\n' "$count"

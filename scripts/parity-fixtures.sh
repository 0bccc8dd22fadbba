#!/usr/bin/env bash
# Makes the parity fixtures anew, into the same places, and ends with 3 if any of them is not what is committed.
#
# Every folder of tests/parity with a make.py is made: with the packages of its own requirements.txt if it has one, else of
# tests/parity/requirements.txt. Each of the two sets gets a virtual environment in $AQA_CACHE (default ~/.cache/aqa-bench), once:
# about 11 GB together and a few minutes of downloads from PyPI (scripts/python-with.sh). $AQA_PYTHON, if set, stands for tests/parity/requirements.txt.
#
# Fixtures about real data need it at $AQA_SHARED (default ../shared); where it is absent they stay as they are, and are named.
set -euo pipefail
cd "$(dirname "$0")/.."

export PYTHONDONTWRITEBYTECODE=1
for make in tests/parity/*/make.py; do
    own="$(dirname "$make")/requirements.txt"
    if [ -e "$own" ]; then
        python=$(scripts/python-with.sh "$own")
    else
        python=${AQA_PYTHON:-$(scripts/python-with.sh tests/parity/requirements.txt)}
    fi
    echo "$make" >&2
    "$python" "$make"
done

# Scripts and pages are no fixtures: editing them is no change of a fixture.
changed=$(git status --short -- tests/parity ':!*.py' ':!*.md' ':!*/requirements*.txt' ':!tests/parity/table.tsv')
if [ -n "$changed" ]; then
    echo "$changed" >&2
    echo "parity-fixtures: the fixtures differ from the committed ones (above)" >&2
    exit 3
fi
echo "parity-fixtures: every fixture is as committed"

#!/usr/bin/env bash
# Makes the parity fixtures anew, into the same places, and ends with 3 if any of them is not what is committed.
#
# Every folder of tests/parity with a make.py is made: with the packages of its own requirements.txt if it has one, else of
# tests/parity/requirements.txt. Each of the two sets gets a virtual environment in $AQA_CACHE (default ~/.cache/aqa-bench), once:
# about 11 GB together and a few minutes of downloads from PyPI. $AQA_PYTHON, if set, stands for tests/parity/requirements.txt.
#
# Fixtures about real data need it at $AQA_SHARED (default ../shared); where it is absent they stay as they are, and are named.
set -euo pipefail
cd "$(dirname "$0")/.."

# The Python of a virtual environment with what a requirements file pins.
python_with() {
    local requirements=$1 venv python version
    venv="${AQA_CACHE:-$HOME/.cache/aqa-bench}/parity-$(sha256sum "$requirements" | cut -c1-12)"
    if [ ! -e "$venv/complete" ]; then
        python=$(command -v python3.11 || command -v python3) || {
            echo "parity-fixtures: no python3 found; install Python 3.11, or set AQA_PYTHON" >&2
            exit 4
        }
        version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        if [ "$version" != 3.11 ]; then
            echo "parity-fixtures: expected Python 3.11 (the pinned packages were chosen for it), found $version at $python;" \
                "install 3.11, or set AQA_PYTHON" >&2
            exit 4
        fi
        echo "parity-fixtures: installing $requirements into $venv" >&2
        rm -rf "$venv"
        "$python" -m venv "$venv"
        "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$requirements" >&2
        touch "$venv/complete"
    fi
    echo "$venv/bin/python"
}

export PYTHONDONTWRITEBYTECODE=1
for make in tests/parity/*/make.py; do
    own="$(dirname "$make")/requirements.txt"
    if [ -e "$own" ]; then
        python=$(python_with "$own")
    else
        python=${AQA_PYTHON:-$(python_with tests/parity/requirements.txt)}
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

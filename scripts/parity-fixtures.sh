#!/usr/bin/env bash
# Makes the parity fixtures anew, into the same places, and ends with 3 if any of them changed.
#
# Python: $AQA_PYTHON if set (it must have what tests/parity/requirements.txt pins), else a virtual environment of our own
# in $AQA_CACHE (default ~/.cache/aqa-bench), made once: about 4 GB and a minute or two of downloads.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ -z "${AQA_PYTHON:-}" ]; then
    requirements=tests/parity/requirements.txt
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
        rm -rf "$venv"
        "$python" -m venv "$venv"
        "$venv/bin/pip" install --quiet -r "$requirements"
        touch "$venv/complete"
    fi
    AQA_PYTHON="$venv/bin/python"
fi

export PYTHONDONTWRITEBYTECODE=1
for make in tests/parity/*/make.py; do
    echo "$make" >&2
    "$AQA_PYTHON" "$make"
done

if [ -n "$(git status --porcelain -- tests/parity)" ]; then
    git --no-pager diff --stat -- tests/parity >&2
    git status --short -- tests/parity >&2
    echo "parity-fixtures: the fixtures differ from the committed ones (above)" >&2
    exit 3
fi
echo "parity-fixtures: every fixture is as committed"

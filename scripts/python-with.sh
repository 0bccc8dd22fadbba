#!/usr/bin/env bash
# Prints the Python of a virtual environment with what a requirements file pins: `scripts/python-with.sh REQUIREMENTS`.
#
# It lies in $AQA_CACHE (default ~/.cache/aqa-bench) under the hash of the file, and is made once: minutes of downloads from PyPI, about 5.5 GB.
set -euo pipefail
cd "$(dirname "$0")/.."
requirements=$1
venv="${AQA_CACHE:-$HOME/.cache/aqa-bench}/parity-$(sha256sum "$requirements" | cut -c1-12)"
if [ ! -e "$venv/complete" ]; then
    python=$(command -v python3.11 || command -v python3) || {
        echo "python-with: no python3 found; install Python 3.11, or set AQA_PYTHON" >&2
        exit 4
    }
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    if [ "$version" != 3.11 ]; then
        echo "python-with: expected Python 3.11 (the pinned packages were chosen for it), found $version at $python;" \
            "install 3.11, or set AQA_PYTHON" >&2
        exit 4
    fi
    echo "python-with: installing $requirements into $venv" >&2
    rm -rf "$venv"
    "$python" -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$requirements" >&2
    touch "$venv/complete"
fi
echo "$venv/bin/python"

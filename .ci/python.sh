#!/usr/bin/env bash
# Prints the newest Python, 3.11 or later, that can make a virtual environment.
# With arguments: only the given minor versions, each on a line of its own.
set -euo pipefail

fits() { "$1" -c 'import ensurepip, sqlite3, ssl, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_version() {
    local candidate
    for candidate in "python$1" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$1".*/bin/python; do
        candidate=$(command -v "$candidate" || true)
        if [[ -n "$candidate" ]] && fits "$candidate"; then
            # A pyenv shim stands for a real program, whose path goes on working elsewhere.
            "$candidate" -c 'import sys; print(sys.executable)'
            return 0
        fi
    done
    return 1
}

if (($#)); then
    for version in "$@"; do find_version "$version" || true; done
    exit 0
fi
for version in 3.13 3.12 3.11; do
    find_version "$version" && exit 0
done
find_version 3 && exit 0
echo "no Python 3.11 or later found: set PYTHON=/path/to/python" >&2
exit 1

#!/usr/bin/env bash
# Makes a virtual environment if it is lacking, and installs into it: PYTHON VENV ARGUMENTS…
#
# uv does it where it can be had, because it is fast; else a pip that knows dependency groups.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

python="$1" venv="$2"
shift 2

patiently() {
    local wait
    for wait in 2 5 15; do
        "$@" </dev/null && return 0
        echo "retrying in ${wait}s: $*" >&2
        sleep "$wait"
    done
    "$@" </dev/null
}

if ! "$venv/bin/python" -c '' 2>/dev/null; then
    "$python" -m venv --clear "$venv"
fi
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 VIRTUAL_ENV="$PWD/$venv" UV_NO_PROGRESS=1
[[ "$venv" == /* ]] && export VIRTUAL_ENV="$venv"
if [[ ! -x "$venv/bin/uv" ]]; then
    "$venv/bin/python" -m pip install -q uv </dev/null 2>/dev/null || true
fi
if [[ -x "$venv/bin/uv" ]]; then
    patiently "$venv/bin/uv" pip install -q "$@"
else
    patiently "$venv/bin/python" -m pip install -q --upgrade "pip>=25.1"
    patiently "$venv/bin/python" -m pip install -q "$@"
fi

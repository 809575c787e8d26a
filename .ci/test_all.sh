#!/usr/bin/env bash
# What `make test` leaves out: slow tests, the other Pythons, the oldest and the newest
# dependencies, the built wheel, and what each extra brings.
#
# Every variation is an environment of its own under .real/envs, made anew each time.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

ENVS="$PWD/.real/envs"
GROUPS_OF_TESTS=(--group test)
MAIN=.venv/bin/python

main() {
    rm -rf "$ENVS"
    mkdir -p "$ENVS"
    title "slow tests"
    tests_in "$MAIN" -m slow
    title "the built wheel"
    build_wheel
    try_wheel
    local python
    for python in $(.ci/python.sh 3.11 3.12 3.13); do other_python "$python"; done
    if [[ ! -x .venv/bin/uv ]]; then
        echo "UV IS MISSING: neither extras nor oldest and newest dependencies are tried" >&2
        [[ "${CI:-}" != true ]]
        return
    fi
    try_extras
    oldest_dependencies
    newest_dependencies
}

title() { printf '\n=== %s ===\n' "$*"; }

# A selection that matches nothing is fine here (pytest's exit 5): the quick tests ran before.
tests_in() {
    local python="$1" status=0
    shift
    PYTHONHASHSEED=0 "$python" -m pytest -q -n 2 --dist loadfile "$@" </dev/null || status=$?
    ((status == 0 || status == 5))
}

# The house tests look at the checkout, not at the interpreter: once is enough for them.
quick_tests_in() {
    tests_in "$1" -m "not slow and not real" --ignore tests/house
}

build_wheel() {
    rm -rf dist
    "$MAIN" -m hatchling build </dev/null
    ls dist
}

try_wheel() {
    .ci/install.sh "$MAIN" "$ENVS/wheel" dist/*.whl
    (cd "$ENVS" && wheel/bin/python -c 'import harborsync; print(harborsync.__version__, harborsync.__file__)')
    if "$MAIN" -c 'import harborsync.__main__' 2>/dev/null; then
        (cd "$ENVS" && wheel/bin/python -m harborsync --version)
    fi
}

# Each extra alone, beside the built wheel: its SDK must be all that its cloud takes, and whoever
# lacks it must be told. The full SDK of Tencent is 170 MB: that names and versions agree will do.
try_extras() {
    local extra python
    for extra in none aws aliyun tencent gcp; do
        title "the extra $extra"
        python="$ENVS/extra-$extra/bin/python"
        .venv/bin/uv venv -q --python "$MAIN" "$ENVS/extra-$extra" </dev/null
        .venv/bin/uv pip install -q --python "$python" "$(with_extra "$extra")" </dev/null
        "$python" -I .ci/try_extra.py "$extra"
    done
    for extra in tencent-full all; do
        title "the extra $extra, resolved"
        .venv/bin/uv pip compile -q --no-header --no-annotate --extra "$extra" \
            --python "$MAIN" pyproject.toml </dev/null >"$ENVS/$extra.txt"
        wc -l <"$ENVS/$extra.txt"
    done
}

with_extra() {
    local wheel
    wheel=$(ls dist/*.whl)
    if [[ "$1" == none ]]; then echo "$wheel"; else echo "${wheel}[$1]"; fi
}

other_python() {
    local name
    name=$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    if [[ "$name" == "$("$MAIN" -c 'import sys; print("%d.%d" % sys.version_info[:2])')" ]]; then
        return 0
    fi
    title "Python $name"
    .ci/install.sh "$1" "$ENVS/$name" -e ".[all]" "${GROUPS_OF_TESTS[@]}"
    .venv/bin/mypy -p harborsync --python-version "$name"
    quick_tests_in "$ENVS/$name/bin/python"
}

# The oldest versions that pyproject.toml allows, on the oldest Python that it allows.
oldest_dependencies() {
    local python
    python=$(.ci/python.sh 3.11)
    title "oldest dependencies"
    .ci/install.sh "${python:-$MAIN}" "$ENVS/oldest" --resolution lowest-direct -e ".[all]"
    # pytest and hypothesis are tools here, not subjects: their newest do.
    "$ENVS/oldest/bin/uv" pip freeze --exclude-editable >"$ENVS/oldest.txt"
    .ci/install.sh "${python:-$MAIN}" "$ENVS/oldest" "${GROUPS_OF_TESTS[@]}" -c "$ENVS/oldest.txt"
    quick_tests_in "$ENVS/oldest/bin/python"
}

newest_dependencies() {
    title "newest dependencies"
    .ci/install.sh "$MAIN" "$ENVS/newest" --upgrade -e ".[all]" "${GROUPS_OF_TESTS[@]}"
    quick_tests_in "$ENVS/newest/bin/python"
}

main

#!/usr/bin/env bash
# Fetches the real programs the tests marked `real` run against, into .real/bin.
#
# Nothing is installed on the system: Debian's packages are downloaded and unpacked beside the
# checkout's files, and Go's programs are built into the same folder. A second call finds a stamp
# for each program and does nothing. What could not be had is named in one line at the end; under
# CI=true that is a failure, elsewhere only a warning, for the tests then skip.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

REAL="$PWD/.real"
BIN="$REAL/bin"
DEBIAN="$REAL/debian"
STAMPS="$REAL/stamps"

# name  package  path in the package  upstream version the tests were written against
DEBIAN_PROGRAMS="
docker-registry  docker-registry  usr/bin/docker-registry   2.8.2
skopeo           skopeo           usr/bin/skopeo            1.9.3
umoci            umoci            usr/bin/umoci             0.4.7
notary           notary           usr/bin/notary            0.7.0
notary-server    notary           usr/bin/notary-server     0.7.0
notary-signer    notary           usr/bin/notary-signer     0.7.0
promtool         prometheus       usr/bin/promtool          2.42.0
redis-server     redis-tools      usr/bin/redis-check-rdb   7.0.15
"
# Libraries that a small machine lacks; the wrappers put them on the loader's path.
DEBIAN_LIBRARIES="libgpgme11 libassuan0 libdevmapper1.02.1 libjemalloc2 liblzf1 libatomic1"

# name  package built  pinned version; the ones most tests need come first
GO_PROGRAMS="
conformance  github.com/opencontainers/distribution-spec/conformance  v0.0.0-20260831232431-97274622c111
registry     github.com/distribution/distribution/v3/cmd/registry     v3.1.2
crane        github.com/google/go-containerregistry/cmd/crane         v0.22.1
oras         oras.land/oras/cmd/oras                                  v1.3.6
regctl       github.com/regclient/regclient/cmd/regctl                v0.11.7
regsync      github.com/regclient/regclient/cmd/regsync               v0.11.7
cosign3      github.com/sigstore/cosign/v3/cmd/cosign                 v3.1.3
cosign2      github.com/sigstore/cosign/v2/cmd/cosign                 v2.6.5
"

main() {
    mkdir -p "$BIN" "$DEBIAN" "$STAMPS"
    fetch_debian
    build_go
    report
}

# The network is asked up to four times, each time more patiently.
patiently() {
    local wait
    for wait in 2 5 15; do
        "$@" </dev/null && return 0
        echo "retrying in ${wait}s: $*" >&2
        sleep "$wait"
    done
    "$@" </dev/null
}

rows() { sed '/^$/d' <<<"$1"; }

fetch_debian() {
    local stamp="$STAMPS/debian"
    if ! command -v apt-get >/dev/null; then
        echo "apt-get is missing: every Debian program is skipped" >&2
        return 0
    fi
    if cmp -s "$stamp" <(debian_wishes); then return 0; fi
    patiently download_debian || { echo "Debian's packages could not be fetched" >&2; return 0; }
    for package in "$DEBIAN"/*.deb; do dpkg-deb -x "$package" "$DEBIAN/root"; done
    rows "$DEBIAN_PROGRAMS" | while read -r name _ path _; do wrap "$name" "$path"; done
    debian_wishes >"$stamp"
}

debian_wishes() { echo "$DEBIAN_PROGRAMS $DEBIAN_LIBRARIES"; }

download_debian() {
    local packages
    packages=$(rows "$DEBIAN_PROGRAMS" | awk '{print $2}' | sort -u)
    # shellcheck disable=SC2086 # a list of words
    apt-cache show $packages $DEBIAN_LIBRARIES >/dev/null 2>&1 || apt-get update -qq
    # shellcheck disable=SC2086 # a list of words
    (cd "$DEBIAN" && apt-get download -qq -o APT::Sandbox::User=root $packages $DEBIAN_LIBRARIES)
}

# Debian's redis-server is a link to redis-check-rdb, which looks at its own name: hence `exec -a`.
wrap() {
    local name="$1" path="$2"
    cat >"$BIN/$name" <<WRAPPER
#!/usr/bin/env bash
root="\$(dirname "\$(readlink -f "\$0")")/../debian/root"
libraries="\$root/usr/lib/$(uname -m)-linux-gnu:\$root/lib/$(uname -m)-linux-gnu"
export LD_LIBRARY_PATH="\$libraries\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}"
exec -a $name "\$root/$path" "\$@"
WRAPPER
    chmod +x "$BIN/$name"
}

build_go() {
    if ! command -v go >/dev/null; then
        echo "go is missing: every Go program is skipped" >&2
        return 0
    fi
    rows "$GO_PROGRAMS" | while read -r name package version; do
        build_one "$name" "$package" "$version" || echo "$name could not be built" >&2
    done
}

build_one() {
    local name="$1" package="$2" version="$3"
    local stamp="$STAMPS/$name-$version" into
    if [[ -e "$stamp" && -x "$BIN/$name" ]]; then return 0; fi
    echo "building $name $version"
    into=$(mktemp -d "$REAL/build.XXXXXX")
    GOBIN="$into" GOFLAGS="-buildvcs=false -p=2" CGO_ENABLED=0 \
        patiently go install -ldflags="-s -w" "$package@$version" || { rm -rf "$into"; return 1; }
    mv -f "$into"/* "$BIN/$name"
    rmdir "$into"
    touch "$stamp"
}

report() {
    local missing=()
    while read -r name package _ version; do
        if [[ -x "$BIN/$name" ]]; then
            printf '%-16s %-10s Debian %s\n' "$name" "$version" "$(deb_version "$package")"
        else
            missing+=("$name")
        fi
    done < <(rows "$DEBIAN_PROGRAMS")
    while read -r name _ version; do
        if [[ -e "$STAMPS/$name-$version" && -x "$BIN/$name" ]]; then
            printf '%-16s %s\n' "$name" "$version"
        else
            missing+=("$name")
        fi
    done < <(rows "$GO_PROGRAMS")
    if ((${#missing[@]})); then
        echo "REAL PROGRAMS MISSING, their tests will skip: ${missing[*]}" >&2
        [[ "${CI:-}" != true ]]
    fi
}

deb_version() {
    dpkg-deb -f "$(find "$DEBIAN" -name "$1_*.deb" | sort | tail -1)" Version
}

main "$@"

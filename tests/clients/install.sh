#!/usr/bin/env bash
# What the programs here need, into target/test-clients: `install.sh python` for those the CI runs, `install.sh all` for all of
# them, with Debian's Java and ODBC drivers by apt-get. Installs only what is missing or has changed.
set -euo pipefail
cd "$(dirname "$0")"
place="${DUCKMESH_CLIENTS:-${CARGO_TARGET_DIR:-$PWD/../../target}/test-clients}"
mkdir -p "$place"

changed() { # changed FILE: whether it is another one than at the last install
    ! cmp -s "$1" "$place/$(basename "$1")"
}

if changed requirements.txt; then
    echo "clients: Python drivers"
    [ -x "$place/venv/bin/python" ] || python3 -m venv "$place/venv"
    "$place/venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
    cp requirements.txt "$place/"
fi
[ "${1:-all}" = all ] || exit 0

if changed node/package-lock.json; then
    echo "clients: Node drivers"
    cp node/package.json node/package-lock.json "$place/"
    (cd "$place" && npm ci --silent --no-audit --no-fund)
fi

packages=()
[ -e /usr/share/java/postgresql.jar ] || packages+=(libpostgresql-jdbc-java)
command -v javac >/dev/null || packages+=(default-jdk-headless)
command -v isql >/dev/null || packages+=(unixodbc)
grep -qs "PostgreSQL Unicode" /etc/odbcinst.ini || packages+=(odbc-postgresql)
if [ ${#packages[@]} -gt 0 ]; then
    command -v apt-get >/dev/null || { echo "clients: please install: ${packages[*]}" >&2; exit 1; }
    as_root=()
    [ "$(id -u)" -eq 0 ] || as_root=(sudo)
    echo "clients: installing ${packages[*]}"
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
fi
if changed java/Client.java; then
    javac -cp /usr/share/java/postgresql.jar -d "$place/java" java/Client.java
    cp java/Client.java "$place/"
fi

echo "clients: Rust drivers"
CARGO_TARGET_DIR="$place/rust" cargo build --quiet --locked --manifest-path rust/Cargo.toml

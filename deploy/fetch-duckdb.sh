#!/usr/bin/env bash
# Puts the official prebuilt DuckDB library (with ICU, JSON and Parquet) into .duckdb/lib.
# Version and SHA-256 are pinned; npm is used as a client of its registry, nothing is installed by it. Where npm is
# missing, the duckdb crate's own download of DuckDB's release is used.
set -euo pipefail
cd "$(dirname "$0")/.."

# 1.5.6 is published for Linux x86-64 alone; elsewhere it is the newest there is, with the same C API.
case "$(uname -s)-$(uname -m)" in
    Linux-x86_64) platform=linux-x64 version=1.5.6-r.1 library=libduckdb.so sha256=1b9f82478539bb9a1d1df44bd103121a12ae52142c07158dc52b97d2ec1d69ff ;;
    Linux-aarch64) platform=linux-arm64 version=1.5.5-r.5 library=libduckdb.so sha256=3b85f3ea438f7dc3691d7b5e6e4222ffe9127fd17885f96ca72e0c99925c348e ;;
    Darwin-arm64) platform=darwin-arm64 version=1.5.5-r.5 library=libduckdb.dylib sha256=08b3cfd7d4d620a5fb67ef49db28551b767107266af3a8e2600e49d99ee59456 ;;
    Darwin-x86_64) platform=darwin-x64 version=1.5.5-r.5 library=libduckdb.dylib sha256=1266f62ac7c02f7971554a2b0b2c4c19923a97258bfdf1b203873e174e7a28c4 ;;
    *) echo "fetch-duckdb: no prebuilt DuckDB library for $(uname -s) $(uname -m)" >&2; exit 1 ;;
esac

target=.duckdb/lib
stamp="$version $platform"
if [ -f "$target/$library" ] && [ "$(cat "$target/version" 2>/dev/null)" = "$stamp" ]; then
    exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

sum() { (command -v sha256sum >/dev/null && sha256sum "$1" || shasum -a 256 "$1") | cut -d' ' -f1; }

# Without npm: the duckdb crate's own download of DuckDB's release, of exactly the version that the crate is of.
# Its SHA-256 is not known here: DUCKDB_LIBRARY_SHA256 pins it, and what was fetched first is written down.
by_crate() {
    local crate found actual
    crate=$(sed -n 's/^duckdb = { version = "=\([0-9.]*\)".*/\1/p' Cargo.toml)
    [ -n "$crate" ] || { echo "fetch-duckdb: Cargo.toml does not say which duckdb crate" >&2; exit 1; }
    echo "fetch-duckdb: npm is not here; the crate libduckdb-sys $crate downloads DuckDB's release"
    mkdir -p "$work/src" .duckdb/download
    printf '[package]\nname = "fetch"\nversion = "0.0.0"\nedition = "2021"\n[dependencies]\nlibduckdb-sys = { version = "=%s", default-features = false }\n' "$crate" > "$work/Cargo.toml"
    : > "$work/src/lib.rs"
    # The same versions of what the download is made with as in the workspace.
    cp Cargo.lock "$work/Cargo.lock"
    # Outside of the workspace's folder, so that its configuration does not name a library that is not there yet.
    (cd "$work" && env -u DUCKDB_LIB_DIR DUCKDB_DOWNLOAD_LIB=1 CARGO_TARGET_DIR="$OLDPWD/.duckdb/download" cargo build --quiet) || {
        echo "fetch-duckdb: that failed; with npm (Debian: apt-get install npm) the library comes from npm's registry." >&2
        exit 1
    }
    found=$(find .duckdb/download/duckdb-download -name "$library" -print -quit)
    [ -n "$found" ] || { echo "fetch-duckdb: the download has no $library" >&2; exit 1; }
    actual=$(sum "$found")
    if [ -n "${DUCKDB_LIBRARY_SHA256:-}" ] && [ "$actual" != "$DUCKDB_LIBRARY_SHA256" ]; then
        echo "fetch-duckdb: the library's SHA-256 is $actual, expected $DUCKDB_LIBRARY_SHA256" >&2
        exit 1
    fi
    mkdir -p "$target"
    cp "$found" "$target/$library.new"
    mv "$target/$library.new" "$target/$library"
    echo "$stamp" > "$target/version"
    echo "DuckDB library of crate $crate is in $target; SHA-256 $actual"
}

if ! command -v npm >/dev/null; then
    by_crate
    exit 0
fi
(cd "$work" && npm pack --silent "@duckdb/node-bindings-$platform@$version" >/dev/null)
archive=$(ls "$work"/*.tgz)
actual=$(sum "$archive")
if [ "$actual" != "$sha256" ]; then
    echo "fetch-duckdb: the archive's SHA-256 is $actual, expected $sha256" >&2
    exit 1
fi
tar -xzf "$archive" -C "$work"
mkdir -p "$target"
cp "$work/package/$library" "$target/$library.new"
mv "$target/$library.new" "$target/$library"
echo "$stamp" > "$target/version"
echo "DuckDB library $version ($platform) is in $target"

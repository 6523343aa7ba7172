#!/usr/bin/env bash
# PostgreSQL's own postgres_fdw and dblink, with the server of the environment as the one they ask.
# FDW_HOST, FDW_PORT: a PostgreSQL 15 with both extensions, where a database of our own is made and dropped.
set -euo pipefail

local_psql() { psql -h "${FDW_HOST:-127.0.0.1}" -p "$FDW_PORT" -U "${FDW_USER:-tester}" -d "$1" -X -q -A -t -v ON_ERROR_STOP=1 "${@:2}"; }
remote_psql() { psql -X -q -A -t -v ON_ERROR_STOP=1 "$@"; }
equal() { [ "$1" = "$2" ] || { echo "found: $1" >&2; echo "wanted: $2" >&2; exit 1; }; }

# The writer is another session: these see all that is acknowledged. PostgreSQL takes the setting for anybody's.
name="fdw_$$"
trap 'local_psql postgres -c "DROP DATABASE IF EXISTS $name WITH (FORCE)" >/dev/null 2>&1 || true' EXIT
remote_psql -c "CREATE TABLE far (id bigint PRIMARY KEY, name varchar(20) NOT NULL, amount numeric(10,2), at timestamptz)"
remote_psql -c "INSERT INTO far SELECT g, 'n' || g, g * 1.5, timestamptz '2024-01-01 00:00:00+00' FROM generate_series(1, 100) AS s(g)"

local_psql postgres -c "CREATE DATABASE $name"
local_psql "$name" <<SQL
CREATE EXTENSION postgres_fdw;
CREATE EXTENSION dblink;
CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '$PGHOST', port '$PGPORT', dbname '$PGDATABASE', updatable 'false',
    options '-c duckmesh.consistency=strong');
CREATE USER MAPPING FOR PUBLIC SERVER far OPTIONS (user '$PGUSER', password_required 'false');
SQL
import=${FDW_IMPORT:-yes}
if [ "$import" = yes ]; then
    local_psql "$name" -c "IMPORT FOREIGN SCHEMA public LIMIT TO (far) FROM SERVER far INTO public"
    equal "$(local_psql "$name" -c "SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attnum)
        FROM pg_attribute WHERE attrelid = 'far'::regclass AND attnum > 0")" \
        "id bigint, name character varying(20), amount numeric(10,2), at timestamp with time zone"
else
    local_psql "$name" -c "CREATE FOREIGN TABLE far (id bigint NOT NULL, name varchar(20) NOT NULL, amount numeric(10,2), at timestamptz) SERVER far"
fi
where="host=$PGHOST port=$PGPORT dbname=$PGDATABASE user=$PGUSER options=''-c duckmesh.consistency=strong''"
equal "$(local_psql "$name" -c "SELECT * FROM dblink('$where', 'SELECT id, name FROM far WHERE id < 3 ORDER BY id') AS t(id bigint, name text)")" $'1|n1\n2|n2'
equal "$(local_psql "$name" -c "SELECT count(*), sum(amount) FROM far WHERE id > 50 AND name LIKE 'n%'")" "50|5662.50"
equal "$(local_psql "$name" -c "SELECT name FROM far WHERE id = 7")" "n7"
echo "did connect introspect parameters"
remote_psql -c "DROP TABLE far"
echo ok

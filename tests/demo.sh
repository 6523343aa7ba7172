#!/usr/bin/env bash
# What DuckMesh does, in a minute, with real data: write -> token -> read your write -> time travel -> the same lake in plain
# DuckDB -> kill -9 and nothing is lost. Every step checks its result; the script fails when one is not as expected.
set -euo pipefail
cd "$(dirname "$0")/.."

binary=${DUCKMESH_BIN:-${CARGO_TARGET_DIR:-target}/debug/duckmesh}
work=$(mktemp -d "${TMPDIR:-/tmp}/duckmesh-demo.XXXXXX")
server=

finish() {
    if [ -n "$server" ] && kill -0 "$server" 2>/dev/null; then
        kill -9 "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    fi
    rm -rf "$work"
}
trap finish EXIT

step() { printf '\n\033[1m== %s\033[0m\n' "$*"; }

fail() {
    echo "demo: $*" >&2
    echo "--- last lines of the server's log ---" >&2
    tail -n 30 "$work/log" >&2 || true
    exit 1
}

expect() { # expect WHAT WANTED GOT
    [ "$2" = "$3" ] || fail "$1: expected '$2', got '$3'"
    echo "   ok: $1 = $3"
}

start() {
    "$binary" serve --data "$work/data" --listen 127.0.0.1:0 --http off 2>"$work/log" &
    server=$!
    for _ in $(seq 600); do
        port=$(sed -n 's/^ready: psql .*port=\([0-9]*\).*/\1/p' "$work/log")
        [ -n "$port" ] && break
        kill -0 "$server" 2>/dev/null || fail "the server ended before it was ready"
        sleep 0.1
    done
    [ -n "$port" ] || fail "the server is not ready after a minute"
    sed -n 's/^ready/   ready/p' "$work/log"
}

sql() { psql -X -q -A -t -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$port" -U demo -d duckmesh "$@"; }
# Every connection here is a new session that wants to see everything acknowledged so far, by whomever.
strong() { sql -c "SET duckmesh.consistency = strong" "$@"; }

step "Starting a server in an empty folder"
start

step "A table, and one month of real flights with psql's \\copy"
gzip -dc tests/data/flights-2013-01.csv.gz > "$work/flights.csv"
sql <<SQL
CREATE TABLE flights (
    year int, month int, day int, dep_time int, sched_dep_time int, dep_delay int, arr_time int, sched_arr_time int,
    arr_delay int, carrier text, flight int, tailnum text, origin text, dest text, air_time int, distance int,
    hour int, minute int, time_hour timestamptz
);
\\copy flights FROM '$work/flights.csv' WITH (FORMAT csv, HEADER, NULL 'NA')
SQL
expect "rows of January 2013" 27004 "$(strong -c 'SELECT count(*) FROM flights')"

step "Write -> token -> read: the token goes from the writer to another connection"
token=$(sql 2>&1 <<'SQL' | tee "$work/write" | sed -n 's/.*token \(duckmesh\/[0-9]*\).*/\1/p' | tail -n 1
INSERT INTO flights (year, month, day, carrier, flight, origin, dest, distance, time_hour)
VALUES (2013, 2, 1, 'DM', 1, 'JFK', 'SFO', 2586, '2013-02-01 12:00:00+00');
SQL
)
cat "$work/write"
[ -n "$token" ] || fail "the write gave no token"
expect "what a second connection sees, with min_token" 27005 \
    "$(sql -c "SET duckmesh.min_token = '$token'" -c 'SELECT count(*) FROM flights')"

step "An analytical query, on DuckDB"
psql -X -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$port" -U demo -d duckmesh <<'SQL'
SELECT carrier, count(*) AS flights, round(avg(dep_delay), 1) AS delay, sum(distance) AS miles
FROM flights WHERE month = 1 GROUP BY carrier ORDER BY flights DESC LIMIT 5;
SQL
expect "flights of the largest carrier" "UA|4637" \
    "$(sql -c 'SELECT carrier, count(*) FROM flights WHERE month = 1 GROUP BY carrier ORDER BY 2 DESC LIMIT 1')"

step "Time travel: the snapshot before the last write"
before=$(sql -c 'SELECT max(snapshot_id) - 1 FROM duckmesh.snapshots')
expect "rows at snapshot $before" 27004 \
    "$(sql -c "SET duckmesh.snapshot = '$before'" -c 'SELECT count(*) FROM flights')"

step "The same lake in plain DuckDB with the official ducklake extension, while the server runs"
cat > "$work/plain.py" <<'PY'
import sys
import duckdb
from duckdb_extensions import import_extension
connection = duckdb.connect()
for extension in ("ducklake", "sqlite_scanner"):
    import_extension(extension, con=connection)
    connection.execute(f"LOAD {extension}")
connection.execute(f"ATTACH 'ducklake:sqlite:{sys.argv[1]}/lakes/duckmesh/catalog.sqlite' AS lake")
print("{}|{}".format(*connection.sql("SELECT count(*), sum(distance) FROM lake.flights").fetchone()))
PY
expect "count and miles, plain DuckDB and DuckMesh" "$(strong -c 'SELECT count(*), sum(distance) FROM flights')" \
    "$(.venv/bin/python "$work/plain.py" "$work/data")"

step "kill -9, and a start on the same folder"
sql -c "INSERT INTO flights (year, carrier) SELECT 2014, 'K9' FROM generate_series(1, 1000)" 2>&1
kill -9 "$server"
wait "$server" 2>/dev/null || true
start
expect "rows after the crash: everything acknowledged" 28005 "$(strong -c 'SELECT count(*) FROM flights')"

step "Stopping"
kill -TERM "$server"
code=0
wait "$server" || code=$?
server=
expect "exit code after SIGTERM" 0 "$code"
printf '\nThe demo worked.\n'

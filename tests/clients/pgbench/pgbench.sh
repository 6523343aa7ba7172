#!/usr/bin/env bash
# pgbench with scripts of its own, in its three query modes, with pipelines, \gset, errors that it counts, and a limit of time.
set -euo pipefail
bin="$(ls -d /usr/lib/postgresql/15/bin 2>/dev/null || dirname "$(command -v pgbench)")"
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
ask() { psql -X -q -A -t -v ON_ERROR_STOP=1 -c "SET duckmesh.consistency = strong" -c "$1"; }
fail() { echo "$1" >&2; cat "$folder/out" >&2; exit 1; }

ask "CREATE TABLE pb (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, client int NOT NULL, x int, label varchar(20), amount numeric(10,2), at timestamptz DEFAULT now())"
cat >"$folder/write.sql" <<'SQL'
\set x random(1, 100)
\set amount random(1, 10000) / 100.0
BEGIN;
INSERT INTO pb (client, x, label, amount) VALUES (:client_id, :x, 'label ' || :x, :amount);
SELECT count(*) AS found FROM pb WHERE client = :client_id \gset
\if :found > 0
SELECT sum(amount), max(x) FROM pb WHERE client = :client_id AND x <= :x;
\endif
END;
SQL
cat >"$folder/pipeline.sql" <<'SQL'
\startpipeline
SELECT 1;
INSERT INTO pb (client, x) VALUES (:client_id, 0);
SELECT :client_id + 1;
\endpipeline
SQL
cat >"$folder/rollback.sql" <<'SQL'
BEGIN;
INSERT INTO pb (client, x) VALUES (-1, 1);
ROLLBACK;
SQL
echo "SELECT count(*) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b;" >"$folder/long.sql"
echo "SELECT nothing FROM pb;" >"$folder/wrong.sql"
run() { "$bin/pgbench" -n "$@" >"$folder/out" 2>&1; }

for mode in simple extended prepared; do
    run -M "$mode" -c 2 -j 2 -t 5 -f "$folder/write.sql" || fail "mode $mode"
    grep -q "number of transactions actually processed: 10/10" "$folder/out" || fail "mode $mode"
done
[ "$(ask "SELECT count(*), count(DISTINCT id), count(DISTINCT client) FROM pb")" = "30|30|2" ] || fail "rows"
for mode in extended prepared; do run -M "$mode" -c 1 -t 5 -f "$folder/pipeline.sql" || fail "pipeline, $mode"; done
run -c 1 -t 3 -f "$folder/rollback.sql" || fail "rollback"
[ "$(ask "SELECT count(*) FILTER (WHERE x = 0), count(*) FILTER (WHERE client = -1) FROM pb")" = "10|0" ] || fail "pipelined rows"
if run -c 1 -t 1 -f "$folder/wrong.sql"; then fail "a wrong statement passed"; fi
grep -q "column \"nothing\" does not exist" "$folder/out" || fail "its error"
if PGOPTIONS="-c statement_timeout=1s" run -c 1 -t 1 -f "$folder/long.sql"; then fail "a statement had no limit"; fi
grep -q "canceling statement due to statement timeout" "$folder/out" || fail "its limit"
# Introspection: what a run without -n looks for first.
grep -q "pgbench_branches" <("$bin/pgbench" -t 1 2>&1) || fail "the tables of pgbench -i are missed"
ask "DROP TABLE pb"
echo "did connect introspect create insert parameters transaction error cancel"
echo ok

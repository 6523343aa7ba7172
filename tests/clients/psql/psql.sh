#!/usr/bin/env bash
# psql 15: every command that lists something, tab completion, \copy, \gset, \gexec, \crosstabview, cursors, and an interrupt.
set -euo pipefail
cd "$(dirname "$0")"
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
# Another session reads what one wrote: strong. PostgreSQL takes the setting for anybody's.
export PGOPTIONS="-c duckmesh.consistency=strong -c client_min_messages=warning" EDITOR=true PAGER=cat
ask() { psql -X -q -A -t -v ON_ERROR_STOP=1 "$@"; }
equal() { [ "$1" = "$2" ] || { echo "found: $1" >&2; echo "wanted: $2" >&2; exit 1; }; }

ask <<'SQL'
CREATE TABLE ps_item (id bigint PRIMARY KEY, name varchar(20) NOT NULL UNIQUE, price numeric(10,2) DEFAULT 0 CHECK (price >= 0), tags text[], at timestamptz);
CREATE TABLE ps_order (id serial PRIMARY KEY, item_id bigint REFERENCES ps_item (id), amount int NOT NULL);
CREATE VIEW ps_view AS SELECT i.name, sum(o.amount) AS sold FROM ps_item i JOIN ps_order o ON o.item_id = i.id GROUP BY i.name;
CREATE SCHEMA ps_other;
CREATE TABLE ps_other.far (id int, "Odd Name" text);
COMMENT ON TABLE ps_item IS 'what can be bought';
COMMENT ON COLUMN ps_item.price IS 'in euros';
INSERT INTO ps_item (id, name, price) VALUES (1, 'one', 2.5), (2, 'it''s', 3);
SQL
echo "did connect create insert"

# Every command that lists something, each without an error.
while IFS= read -r command; do printf '\\echo ---- %s\n%s\n\\r\n' "${command//\\/\\\\}" "$command"; done <commands.txt >"$folder/all.sql"
psql -X -f "$folder/all.sql" >"$folder/out" 2>"$folder/err" || true
if grep -E "ERROR|FATAL" "$folder/err"; then exit 1; fi
for wanted in 'Table "public.ps_item"' '"ps_item_price_check" CHECK (price >= 0::numeric)' 'in euros' 'what can be bought' \
    'TABLE "ps_order" CONSTRAINT "ps_order_item_id_fkey" FOREIGN KEY (item_id) REFERENCES ps_item(id)' \
    "nextval('ps_order_id_seq'::regclass)" 'CREATE OR REPLACE VIEW public.ps_view AS' ' JOIN ps_order o ON o.item_id = i.id' \
    'CREATE OR REPLACE FUNCTION pg_catalog.now()' 'Did not find any relation named'; do
    case "$wanted" in
        Did*) ! grep -qF "$wanted" "$folder/err" || { grep -F "$wanted" "$folder/err" >&2; exit 1; } ;;
        *) grep -qF -- "$wanted" "$folder/out" || { echo "not shown: $wanted" >&2; exit 1; } ;;
    esac
done
python3 complete.py
echo "did introspect"

seq 1 500 | sed 's/.*/&\tcopied &/' >"$folder/rows.tsv"
ask -c "CREATE TABLE ps_bulk (id int, name text)" -c "\\copy ps_bulk FROM '$folder/rows.tsv'" -c "\\copy (SELECT id FROM ps_bulk WHERE id <= 3 ORDER BY id) TO '$folder/out.csv' WITH (FORMAT csv, HEADER)"
equal "$(cat "$folder/out.csv")" $'id\n1\n2\n3'
echo "did bulk"

equal "$(ask -v name="it's" <<'SQL'
SELECT id, price FROM ps_item WHERE name = :'name' \gset found_
\echo :found_id :found_price
PREPARE p (int, text) AS SELECT count(*) FROM ps_bulk WHERE id < $1 AND name LIKE $2;
EXECUTE p (10, 'copied %');
SELECT 'SELECT ' || n FROM generate_series(1, 2) AS s(n) \gexec
\set FETCH_COUNT 100
SELECT count(*) FROM (SELECT id FROM ps_bulk) x;
SELECT id FROM ps_bulk ORDER BY id LIMIT 2;
\unset FETCH_COUNT
SELECT id, name FROM ps_bulk \gdesc
SQL
)" $'2 3.00\n9\n1\n2\n500\n1\n2\nid|integer\nname|text'
echo "did parameters"

equal "$(ask -c "BEGIN" -c "INSERT INTO ps_bulk VALUES (9999, 'gone')" -c "SAVEPOINT s" -c "INSERT INTO ps_bulk VALUES (9998, 'gone')" \
    -c "ROLLBACK TO s" -c "SELECT count(*) FROM ps_bulk WHERE id > 9000" -c "ROLLBACK" -c "SELECT count(*) FROM ps_bulk WHERE id > 9000")" $'1\n0'
echo "did transaction"

equal "$(psql -X -A -t -v VERBOSITY=sqlstate 2>&1 <<'SQL'
SELECT * FROM nowhere;
SELECT 1;
\echo :SQLSTATE :LAST_ERROR_SQLSTATE
SQL
)" $'ERROR:  42P01\n1\n00000 42P01'
echo "did error"

# psql sends a cancel request when it is interrupted, and is told.
timeout -s INT 2 psql -X -A -t -v VERBOSITY=sqlstate -c "SELECT count(*) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b" >"$folder/out" 2>&1 || true
grep -q "57014" "$folder/out" || { cat "$folder/out" >&2; exit 1; }
echo "did cancel"
ask -c "DROP VIEW ps_view" -c "DROP TABLE ps_order, ps_item, ps_bulk" -c "DROP SCHEMA ps_other CASCADE"
echo ok

#!/usr/bin/env bash
# psqlODBC through unixODBC's isql.
set -euo pipefail
where="DRIVER={PostgreSQL Unicode};SERVER=$PGHOST;PORT=$PGPORT;DATABASE=$PGDATABASE;UID=$PGUSER;PWD=x;SSLmode=disable"
# A notice makes isql's status another than 0: what it prints is looked at.
run() { printf '%s\n' "$@" | isql -k "$where" -b -d'|' -v 2>&1 || true; }
# One session: it reads its own writes.
out="$(run "CREATE TABLE iq (id bigint PRIMARY KEY, name varchar(20))" "INSERT INTO iq VALUES (1, 'one'), (2, 'two')" \
    "SELECT id, name FROM iq ORDER BY id" "help iq" "SELECT * FROM nowhere" "DROP TABLE iq")"
for wanted in "1|one" "2|two" "|iq|name|12|varchar|20|" "42P01"; do
    grep -qF "$wanted" <<<"$out" || { echo "\"$wanted\" is not in:" >&2; echo "$out" >&2; exit 1; }
done
echo "did connect create insert introspect error"
echo ok

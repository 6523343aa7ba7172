#!/usr/bin/env bash
# psqlODBC through unixODBC's isql.
set -euo pipefail
where="DRIVER={PostgreSQL Unicode};SERVER=$PGHOST;PORT=$PGPORT;DATABASE=$PGDATABASE;UID=$PGUSER;PWD=x;SSLmode=disable"
# A notice makes isql's status another than 0: what it prints is looked at.
run() { printf '%s\n' "$@" | isql -k "$where" -b -d'|' -v 2>&1 || true; }
run "CREATE TABLE iq (id bigint PRIMARY KEY, name varchar(20))" "INSERT INTO iq VALUES (1, 'a'), (2, 'b')" >/dev/null
[ "$(run "SELECT id, name FROM iq ORDER BY id" | grep -c '|')" = 2 ] || { run "SELECT id, name FROM iq"; exit 1; }
run "help iq" | grep -q "varchar" || { run "help iq"; exit 1; }
run "SELECT * FROM nowhere" | grep -q '42P01\|does not exist' || exit 1
run "DROP TABLE iq" >/dev/null
echo ok

#!/bin/sh
# Makes the data files beside it from a fresh PostgreSQL 15 (C.UTF-8, UTF8): generate.sh HOST-OR-SOCKET-FOLDER PORT
# shapes.tsv: schema, name, oid, kind, columns as name:type (! not null). rows.tsv: rows in COPY's text form below `= relation` lines.
set -eu
cd "$(dirname "$0")"
ask() { psql -h "$1" -p "$2" -U postgres -d template1 -AtX -F "$(printf '\t')" -c "$3"; }
{
    echo '# schema	name	oid	kind	columns (type as in pg_type, ! where not null)'
    ask "$1" "$2" "
        SELECT n.nspname, c.relname, c.oid, c.relkind,
               string_agg(a.attname || ':' || t.typname || CASE WHEN a.attnotnull THEN '!' ELSE '' END, ',' ORDER BY a.attnum)
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 JOIN pg_type t ON t.oid = a.atttypid
        WHERE n.nspname IN ('pg_catalog', 'information_schema') AND c.relkind IN ('r', 'v')
        GROUP BY 1, 2, 3, 4 ORDER BY 1 DESC, 2"
} > shapes.tsv
# Functions as oids: their names alone do not tell them apart.
rows() {
    echo "= $3"
    columns=$(ask "$1" "$2" "SELECT string_agg(attname || CASE WHEN atttypid = 'regproc'::regtype THEN '::oid' ELSE '' END, ', ' ORDER BY attnum)
        FROM pg_attribute WHERE attrelid = '$3'::regclass AND attnum > 0")
    psql -h "$1" -p "$2" -U postgres -d template1 -qX -c "COPY (SELECT $columns FROM $3 $4) TO STDOUT"
}
{
    echo '# rows of relations that are the same in every lake'
    rows "$1" "$2" pg_type "t WHERE typtype <> 'c' AND NOT EXISTS
        (SELECT 1 FROM pg_type e WHERE e.oid = t.typelem AND e.typtype = 'c') ORDER BY oid"
    rows "$1" "$2" pg_collation "WHERE collprovider <> 'i' ORDER BY oid"
    rows "$1" "$2" pg_language "WHERE lanname <> 'plpgsql' ORDER BY oid"
    rows "$1" "$2" pg_authid "WHERE oid <> 10 ORDER BY oid"
    rows "$1" "$2" pg_proc "WHERE pronamespace = 'pg_catalog'::regnamespace ORDER BY oid"
    rows "$1" "$2" pg_description "d WHERE objoid < 16384 AND classoid NOT IN ('pg_namespace'::regclass, 'pg_extension'::regclass)
        AND objoid <> (SELECT oid FROM pg_language WHERE lanname = 'plpgsql')
        AND NOT EXISTS (SELECT 1 FROM pg_collation c WHERE c.oid = d.objoid AND c.collprovider = 'i') ORDER BY 1, 2, 3"
    rows "$1" "$2" pg_conversion "ORDER BY 1"
    for relation in pg_am pg_auth_members pg_tablespace pg_operator pg_opclass pg_opfamily pg_amop pg_amproc pg_cast \
        pg_aggregate pg_range pg_ts_config pg_ts_config_map pg_ts_dict pg_ts_parser pg_ts_template; do
        rows "$1" "$2" "$relation" "ORDER BY 1, 2"
    done
    for relation in sql_features sql_implementation_info sql_parts sql_sizing; do
        rows "$1" "$2" "information_schema.$relation" "ORDER BY 1"
    done
} > rows.tsv
ask "$1" "$2" "SELECT tokid, alias, description FROM ts_token_type('default')" > token_types.tsv

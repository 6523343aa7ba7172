--@ {}
SELECT name AS "Column", pg_catalog.format_type(tp, tpm) AS "Type"
FROM (VALUES ('one', '23'::pg_catalog.oid, -1),('now', '1184'::pg_catalog.oid, -1)) s(name, tp, tpm)
--@ {}
show all
--@ {}
show server_version
--@ {}
show search_path

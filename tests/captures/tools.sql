--@ {}
SELECT version(); SELECT current_setting('server_version_num')::int / 100
--@ {}
SELECT n.nspname, x.oid, x.typname, x.kind, x.typnotnull, x.inner_type FROM (SELECT t.oid, t.typnamespace, t.typname, t.typnotnull, c.relkind, CASE WHEN p.proname = 'array_recv' THEN 'a' ELSE t.typtype END AS kind, CASE WHEN p.proname = 'array_recv' THEN t.typelem WHEN t.typtype = 'r' THEN r.rngsubtype WHEN t.typtype = 'm' THEN (SELECT m.rngtypid FROM pg_range AS m WHERE m.rngmultitypid = t.oid) WHEN t.typtype = 'd' THEN t.typbasetype END AS inner_type FROM pg_type AS t LEFT JOIN pg_class AS c ON (c.oid = t.typrelid) LEFT JOIN pg_proc AS p ON p.oid = t.typreceive LEFT JOIN pg_range AS r ON (r.rngtypid = t.oid)) AS x JOIN pg_namespace AS n ON (n.oid = x.typnamespace) LEFT JOIN pg_type AS e ON e.oid = x.inner_type LEFT JOIN pg_class AS ec ON (ec.oid = e.typrelid) WHERE x.kind IN ('b', 'r', 'm', 'e', 'd') OR (x.kind = 'c' AND x.relkind = 'c') OR (x.kind = 'p' AND x.typname IN ('record', 'void')) OR (x.kind = 'a' AND (e.typtype IN ('b', 'r', 'm', 'e', 'd') OR (e.typtype = 'c' AND ec.relkind = 'c'))) ORDER BY CASE WHEN x.kind IN ('b', 'e', 'p') THEN 0 WHEN x.kind = 'r' THEN 1 WHEN x.kind = 'm' THEN 2 WHEN x.kind = 'c' THEN 3 WHEN x.kind = 'a' THEN 5 ELSE 4 END
--@ {}
SELECT t.oid, a.attname, a.atttypid FROM pg_type AS t JOIN pg_namespace AS n ON (n.oid = t.typnamespace) JOIN pg_class AS c ON (c.oid = t.typrelid) JOIN pg_attribute AS a ON (a.attrelid = t.typrelid) WHERE t.typtype = 'c' AND c.relkind = 'c' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY t.oid, a.attnum
--@ {}
SELECT t.oid, e.enumlabel FROM pg_enum e JOIN pg_type t ON t.oid = e.enumtypid ORDER BY t.oid, e.enumsortorder
--@ {}
SELECT 'tap' AS database, tablename AS name, schemaname AS schema, 'table' AS type FROM pg_tables WHERE schemaname ILIKE 'public' UNION ALL SELECT 'tap', viewname, schemaname, 'view' FROM pg_views WHERE schemaname ILIKE 'public' UNION ALL SELECT 'tap', matviewname, schemaname, 'materialized_view' FROM pg_matviews WHERE schemaname ILIKE 'public' ORDER BY 2
--@ {}
SELECT DISTINCT nspname FROM pg_namespace WHERE nspname NOT LIKE 'pg\_%' ORDER BY 1
--@ {}
SELECT count(*) FROM pg_namespace WHERE nspname = 'analytics'
--@ {}
SELECT column_name, data_type, character_maximum_length, numeric_precision, numeric_scale FROM "tap".INFORMATION_SCHEMA.columns WHERE table_name = 'orders' AND table_schema = 'public' ORDER BY ordinal_position
--@ {}
SELECT 'tap' AS table_database, s.nspname AS table_schema, t.relname AS table_name, CASE WHEN t.relpersistence = 't' THEN 'LOCAL TEMPORARY' WHEN t.relkind IN ('r', 'p') THEN 'BASE TABLE' WHEN t.relkind = 'v' THEN 'VIEW' ELSE 'MATERIALIZED VIEW' END AS table_type, td.description AS table_comment, c.attname AS column_name, c.attnum AS column_index, pg_catalog.format_type(c.atttypid, c.atttypmod) AS column_type, cd.description AS column_comment, pg_get_userbyid(t.relowner) = current_user AS table_owner FROM pg_catalog.pg_namespace s JOIN pg_catalog.pg_class t ON t.relnamespace = s.oid JOIN pg_catalog.pg_attribute c ON c.attrelid = t.oid LEFT OUTER JOIN pg_catalog.pg_description td ON (td.objoid = t.oid AND td.objsubid = 0) LEFT OUTER JOIN pg_catalog.pg_description cd ON (cd.objoid = c.attrelid AND cd.objsubid = c.attnum) WHERE (upper(s.nspname) = upper('public')) AND NOT pg_is_other_temp_schema(s.oid) AND t.relpersistence IN ('p', 'u') AND t.relkind IN ('r', 'v', 'f', 'p', 'm') AND c.attnum > 0 AND NOT c.attisdropped ORDER BY s.nspname, t.relname, c.attnum
--@ {}
WITH relation AS (SELECT r.ev_class AS class, r.oid AS id FROM pg_rewrite r), class AS (SELECT c.oid AS id, c.relname AS name, c.relnamespace AS schema, c.relkind AS kind FROM pg_class c), dependency AS (SELECT DISTINCT d.objid AS id, d.refobjid AS ref FROM pg_depend d), schema AS (SELECT n.oid AS id, n.nspname AS name FROM pg_namespace n WHERE n.nspname != 'information_schema' AND n.nspname NOT LIKE 'pg\_%'), referenced AS (SELECT r.id, c.name, s.name AS schema, c.kind FROM relation r JOIN class c ON r.class = c.id JOIN schema s ON c.schema = s.id) SELECT DISTINCT rs.name AS referenced_schema, rc.name AS referenced_name, f.schema AS dependent_schema, f.name AS dependent_name FROM referenced f JOIN dependency d ON f.id = d.id JOIN class rc ON d.ref = rc.id AND rc.kind IN ('r', 'v') JOIN schema rs ON rc.schema = rs.id WHERE (f.schema, f.name) != (rs.name, rc.name) ORDER BY 1, 2, 3, 4
--@ {}
SELECT i.relname AS name, m.amname AS method, ix.indisunique AS "unique", array_to_string(array_agg(a.attname), ',') AS column_names FROM pg_index ix JOIN pg_class i ON i.oid = ix.indexrelid JOIN pg_am m ON m.oid = i.relam JOIN pg_class t ON t.oid = ix.indrelid JOIN pg_namespace n ON n.oid = t.relnamespace JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = ANY (ix.indkey) WHERE t.relname = 'customers' AND n.nspname = 'public' AND t.relkind IN ('r', 'm') GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
--@ {"extended": true, "params": ["tap"]}
SELECT d.oid, d.* FROM pg_catalog.pg_database d WHERE 1 = 1 AND d.datallowconn AND NOT d.datistemplate AND d.datname = $1 ORDER BY d.datname
--@ {}
SELECT n.oid, n.*, d.description FROM pg_catalog.pg_namespace n LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = n.oid AND d.objsubid = 0 AND d.classoid = 'pg_namespace'::regclass WHERE n.nspname IN ('public', 'analytics') ORDER BY n.nspname
--@ {}
SELECT t.oid, t.*, c.relkind, format_type(nullif(t.typbasetype, 0), t.typtypmod) AS base_type_name, d.description FROM pg_catalog.pg_type t LEFT OUTER JOIN pg_catalog.pg_type et ON et.oid = t.typelem LEFT OUTER JOIN pg_catalog.pg_class c ON c.oid = t.typrelid LEFT OUTER JOIN pg_catalog.pg_description d ON t.oid = d.objoid WHERE t.typname IS NOT NULL AND (c.relkind IS NULL OR c.relkind = 'c') AND (et.typcategory IS NULL OR et.typcategory <> 'C') AND t.typname IN ('int4', 'text', '_text', 'numeric') ORDER BY t.oid
--@ {}
SELECT c.oid, c.relname, c.relkind, c.relhasindex, c.relrowsecurity, d.description, pg_catalog.pg_get_expr(c.relpartbound, c.oid) AS partition_expr, pg_catalog.pg_get_partkeydef(c.oid) AS partition_key FROM pg_catalog.pg_class c LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = c.oid AND d.objsubid = 0 AND d.classoid = 'pg_class'::regclass WHERE c.relnamespace = 'public'::regnamespace AND c.relkind NOT IN ('i', 'I', 'c') ORDER BY c.relname
--@ {"extended": true, "types": ["oid"], "params": [{"oid": "orders"}]}
SELECT c.relname, a.*, pg_catalog.pg_get_expr(ad.adbin, ad.adrelid, true) AS def_value, dsc.description, dep.objid FROM pg_catalog.pg_attribute a INNER JOIN pg_catalog.pg_class c ON (a.attrelid = c.oid) LEFT OUTER JOIN pg_catalog.pg_attrdef ad ON (a.attrelid = ad.adrelid AND a.attnum = ad.adnum) LEFT OUTER JOIN pg_catalog.pg_description dsc ON (c.oid = dsc.objoid AND a.attnum = dsc.objsubid) LEFT OUTER JOIN pg_depend dep ON dep.refobjid = a.attrelid AND dep.deptype = 'i' AND dep.refobjsubid = a.attnum AND dep.classid = dep.refclassid WHERE NOT a.attisdropped AND a.attnum > 0 AND c.oid = $1 ORDER BY a.attnum
--@ {"extended": true, "types": ["oid"], "params": [{"oid": "orders"}]}
SELECT c.oid, c.*, t.relname AS table_name, rt.relnamespace AS ref_namespace, d.description, pg_catalog.pg_get_constraintdef(c.oid) AS definition FROM pg_catalog.pg_constraint c INNER JOIN pg_catalog.pg_class t ON t.oid = c.conrelid LEFT OUTER JOIN pg_catalog.pg_class rt ON rt.oid = c.confrelid LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = c.oid AND d.objsubid = 0 AND d.classoid = 'pg_constraint'::regclass WHERE c.conrelid = $1 ORDER BY c.conname
--@ {}
SELECT c.relname, pg_catalog.pg_total_relation_size(c.oid) >= 0 AS total, pg_catalog.pg_relation_size(c.oid) >= 0 AS own FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' ORDER BY 1
--@ {}
SELECT i.*, i.indkey AS keys, c.relname, c.relnamespace, c.relam, tc.relname AS tabrelname, pg_catalog.pg_get_expr(i.indpred, i.indrelid) AS pred_expr, pg_catalog.pg_get_expr(i.indexprs, i.indrelid, true) AS expr FROM pg_catalog.pg_index i INNER JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid INNER JOIN pg_catalog.pg_class tc ON tc.oid = i.indrelid LEFT OUTER JOIN pg_catalog.pg_description dsc ON i.indexrelid = dsc.objoid WHERE tc.relname IN ('orders', 'customers') ORDER BY c.relname
--@ {}
SELECT a.oid, a.*, pd.description FROM pg_catalog.pg_roles a LEFT JOIN pg_catalog.pg_shdescription pd ON a.oid = pd.objoid WHERE a.rolname = 'tester'
--@ {}
SELECT current_schema(), session_user, current_user, pg_backend_pid() > 0 AS has_pid, current_schemas(false)
--@ {}
SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN NULL ELSE (pg_catalog.txid_current() % (2 ^ 32)::bigint)::varchar::bigint END > 0 AS current_txid
--@ {}
SELECT n.oid::bigint AS id, nspname AS name, d.description, pg_catalog.pg_get_userbyid(n.nspowner) AS owner FROM pg_catalog.pg_namespace n LEFT JOIN pg_catalog.pg_description d ON n.oid = d.objoid WHERE nspname !~ '^(pg_|duckmesh|information)' ORDER BY CASE WHEN nspname = pg_catalog.current_schema() THEN -1::bigint ELSE n.oid::bigint END
--@ {}
SELECT t.relkind AS table_kind, t.relname AS table_name, t.oid > 0 AS table_id, t.xmin::text <> '' AS seen FROM pg_catalog.pg_class t WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v', 'S', 'f', 'p') ORDER BY table_kind, t.relname
--@ {}
SELECT t.relname AS view_name, pg_catalog.pg_get_viewdef(t.oid, true) AS source_text FROM pg_catalog.pg_class t JOIN pg_catalog.pg_namespace n ON t.relnamespace = n.oid WHERE n.nspname = 'public' AND t.relkind IN ('m', 'v') ORDER BY 1
--@ {}
SELECT c.oid > 0 AS con, c.conkind, c.keys FROM (SELECT oid, contype AS conkind, conkey AS keys FROM pg_catalog.pg_constraint WHERE contype IN ('p', 'u', 'f', 'c', 'x') AND connamespace = 'public'::regnamespace) c ORDER BY 2, 3
--@ {}
SELECT n.nspname AS schema, t.typname AS name FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.oid IN (SELECT DISTINCT enumtypid FROM pg_enum) ORDER BY 1, 2
--@ {}
WITH my_tables AS (SELECT schemaname, tablename AS objectname FROM pg_catalog.pg_tables UNION ALL SELECT schemaname, viewname FROM pg_views) SELECT NULL AS role, t.schemaname AS schema, t.objectname AS "table", pg_catalog.has_table_privilege(current_user, '"' || t.schemaname || '"' || '.' || '"' || t.objectname || '"', 'UPDATE') AS "update", pg_catalog.has_any_column_privilege(current_user, '"' || t.schemaname || '"' || '.' || '"' || t.objectname || '"', 'SELECT') AS "select" FROM my_tables t WHERE t.schemaname !~ '^pg_' AND t.schemaname <> 'information_schema' AND pg_catalog.has_schema_privilege(current_user, t.schemaname, 'USAGE') ORDER BY 2, 3
--@ {}
SELECT schemaname, relname, n_live_tup >= 0 AS rows FROM pg_stat_user_tables ORDER BY 1, 2
--@ {}
SELECT quote_ident(c.column_name) AS "column", c.data_type AS "type" FROM information_schema.columns c WHERE CASE WHEN array_length(parse_ident('orders'), 1) = 2 THEN quote_ident(c.table_schema) = (parse_ident('orders'))[1] AND quote_ident(c.table_name) = (parse_ident('orders'))[2] ELSE quote_ident(c.table_name) = 'orders' AND quote_ident(c.table_schema) IN (SELECT CASE WHEN trim(s[i]) = '"$user"' THEN user ELSE trim(s[i]) END FROM generate_series(array_lower(string_to_array(current_setting('search_path'), ','), 1), array_upper(string_to_array(current_setting('search_path'), ','), 1)) AS i, string_to_array(current_setting('search_path'), ',') s) END ORDER BY c.ordinal_position
--@ {}
SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'
--@ {}
SELECT CASE WHEN quote_ident(table_schema) IN ('public') THEN quote_ident(table_name) ELSE quote_ident(table_schema) || '.' || quote_ident(table_name) END AS "table" FROM information_schema.tables WHERE quote_ident(table_schema) NOT IN ('information_schema', 'pg_catalog', 'duckmesh') ORDER BY 1
--@ {}
SELECT tc.table_schema, tc.table_name, kcu.column_name, kcu.ordinal_position FROM information_schema.table_constraints tc JOIN information_schema.key_column_usage kcu USING (constraint_catalog, constraint_schema, constraint_name, table_schema, table_name) WHERE tc.constraint_type = 'PRIMARY KEY' ORDER BY 1, 2, 4
--@ {}
SELECT n.nspname AS table_schema, c.relname AS table_name, a.attname, ix.indisprimary FROM pg_index ix JOIN pg_class c ON c.oid = ix.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (ix.indkey) WHERE ix.indisprimary AND n.nspname NOT IN ('pg_catalog', 'pg_toast') ORDER BY 1, 2, 3
--@ {}
SELECT slot_name, plugin, database, confirmed_flush_lsn FROM pg_replication_slots
--@ {}
SELECT pubname, tablename FROM pg_publication_tables ORDER BY 1, 2
--@ {}
SELECT name, setting FROM pg_settings WHERE name IN ('wal_level', 'max_replication_slots', 'server_encoding', 'standard_conforming_strings') ORDER BY name
--@ {}
SELECT has_table_privilege('orders', 'SELECT'), has_schema_privilege('public', 'CREATE'), has_database_privilege(current_database(), 'CONNECT'), pg_has_role(current_user, 'USAGE')
--@ {}
SELECT p.proname AS name, pg_get_function_identity_arguments(p.oid) AS args, pg_get_function_result(p.oid) AS result, p.prokind FROM pg_proc p JOIN pg_namespace n ON p.pronamespace = n.oid WHERE n.nspname = 'public' ORDER BY 1, 2
--@ {}
SELECT r.conname, r.confupdtype, r.confdeltype, pg_get_constraintdef(r.oid, true) AS condef, nsp.nspname, cls.relname FROM pg_constraint r JOIN pg_class cls ON r.confrelid = cls.oid JOIN pg_namespace nsp ON nsp.oid = cls.relnamespace WHERE r.contype = 'f' ORDER BY r.conname
--@ {}
SELECT count(*) >= 1 AS any, bool_and(state IS NOT NULL) FROM pg_stat_activity WHERE datname = current_database() AND pid = pg_backend_pid()
--@ {}
SELECT blocked.pid FROM pg_locks blocked JOIN pg_locks other ON other.locktype = blocked.locktype AND other.pid <> blocked.pid WHERE NOT blocked.granted
--@ {}
SELECT relname, seq_scan >= 0 AS scans, coalesce(idx_scan, 0) >= 0 AS index_scans, last_vacuum IS NULL AS vacuumed FROM pg_stat_all_tables WHERE schemaname = 'public' ORDER BY relname
--@ {}
SELECT s.schemaname, s.sequencename, s.data_type::text, s.start_value FROM pg_sequences s ORDER BY 1, 2

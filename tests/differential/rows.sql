-- Rows as values, composite types, rows of JSON, the order of jsonb, columns of the catalog's own types.
CREATE TYPE pair AS (a int, b text);
CREATE TYPE pair AS (a int);
CREATE TYPE wrong AS (a int, a text);
CREATE TYPE wrong AS (a missing);
SELECT ('(1,x)'::pair).a, ('(1,x)'::pair).b, (ROW(2, 'y')::pair).b, (ROW('3', 'z')::pair).a + 1;
SELECT ('(,"a, ""b""")'::pair).a, ('(,"a, ""b""")'::pair).b;
SELECT '(1,x)'::pair::text, ROW(1, NULL, 'a b', true)::text;
SELECT '(1)'::pair;
SELECT '(1,2,3)'::pair;
SELECT '(x,2)'::pair;
SELECT '1,2'::pair;
SELECT (ROW(1, 'a')).f1;
SELECT t.typtype, t.typcategory, c.relkind, c.relnatts FROM pg_type t JOIN pg_class c ON c.oid = t.typrelid WHERE t.typname = 'pair';
SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'pair'::regclass ORDER BY attnum;
CREATE TABLE r (a int, b text, j jsonb, n numeric);
INSERT INTO r VALUES (1, 'x', '{"k": 1}', 1.5), (2, 'y', '[1, 2]', 3), (2, 'a', '5', 4), (3, NULL, '"s"', NULL), (4, 'q', 'null', 0), (5, 'e', '{}', 1), (6, 'f', '[]', 2), (7, 'g', 'true', 2), (8, 'h', '{"k": 0}', 2), (9, 'i', '[3]', 2);
SELECT (r).a, (r).b FROM r WHERE a = 1;
-- differs: the parser does not read it
SELECT (r).* FROM r WHERE a = 1;
SELECT a FROM r ORDER BY (a, b);
SELECT a, b FROM r ORDER BY (b, a) DESC;
SELECT ROW(1, 2) = ROW(1, 2), ROW(1, 2) < ROW(1, 3), ROW(1, 'b') > ROW(1, 'a'), ROW(1, 2) <> ROW(1, 3), (1, 2) <= (1, 2);
SELECT x.a FROM r x JOIN r y ON ROW(x.a, x.b) = ROW(y.a, y.b) WHERE x.a < 3 ORDER BY 1, x.b;
SELECT c.reltype <> 0 AS has, t.typtype, t.typname FROM pg_class c JOIN pg_type t ON t.oid = c.reltype WHERE c.relname = 'r';
SELECT 'r'::regtype;
-- Rows of JSON.
SELECT * FROM json_to_record('{"a": 1, "b": [1, 2], "c": "text", "d": {"x": 1}, "e": null}') AS x(a int, b text, c text, d json, e date, f int);
SELECT * FROM json_to_recordset('[{"a": 1, "b": "2024-01-02"}, {"a": "2", "b": null}, {}]') AS x(a int, b date);
SELECT * FROM jsonb_to_recordset('[{"a": 1.50, "b": [1, 2]}, {"a": 2, "c": "z"}]') AS x(a numeric, b int[], c varchar(3));
SELECT x.a + 1 AS n FROM jsonb_to_record('{"a": 41}') AS x(a int);
SELECT * FROM json_to_record('{"a": "x"}') AS x(a int);
SELECT * FROM json_to_record('{"a": 1}');
SELECT * FROM json_populate_record(NULL::pair, '{"a": 7, "b": "seven"}');
SELECT * FROM json_populate_recordset(NULL::pair, '[{"a": 1}, {"b": "two", "z": 1}]');
SELECT * FROM jsonb_populate_recordset(NULL::r, '[{"a": 1, "j": {"deep": [1]}}]') AS t;
SELECT r.a, x.k FROM r, jsonb_to_record(r.j) AS x(k int) WHERE jsonb_typeof(r.j) = 'object' ORDER BY 1;
SELECT sum(a) FROM json_to_recordset('[{"a": 1}, {"a": 2}]') AS x(a int);
-- The order of jsonb.
SELECT a, j FROM r ORDER BY j, a;
SELECT a, j FROM r ORDER BY j DESC, a;
SELECT a FROM r WHERE j < '5' ORDER BY a;
SELECT a FROM r WHERE j >= '[]' AND j < '{}' ORDER BY a;
SELECT '1.0'::jsonb < '1.1', '[1]'::jsonb < '[1, 2]', '{"a": 2}'::jsonb > '{"a": 1}', '"a"'::jsonb < '"b"', 'null'::jsonb < 'false', '1.0'::jsonb = '1.00';
SELECT v, count(*) FROM (VALUES ('1.0'::jsonb), ('1.00'), ('2')) t(v) GROUP BY v ORDER BY v;
SELECT count(*) FROM (SELECT DISTINCT v FROM (VALUES ('1.0'::jsonb), ('1.00'), ('2')) t(v)) q;
SELECT v FROM (VALUES ('[1]'::jsonb), ('"a"'), ('{"b": 1}')) t(v) ORDER BY v LIMIT 2;
SELECT j FROM r WHERE a < 3 UNION ALL SELECT '"z"' ORDER BY 1;
SELECT row_number() OVER (ORDER BY j), a FROM r ORDER BY 1;
-- Quotients by value.
SELECT q, count(*) FROM (SELECT x / y AS q FROM (VALUES (3.0, 2), (3.00, 2.0000), (1.0, 4)) t(x, y)) s GROUP BY q ORDER BY q;
SELECT count(*) FROM (SELECT DISTINCT x / y AS q FROM (VALUES (3.0, 2), (3.00, 2.0000), (1.0, 4)) t(x, y)) s;
SELECT DISTINCT x / y AS q FROM (VALUES (3.0, 2), (3.0, 2), (1.0, 4)) t(x, y) ORDER BY q DESC;
SELECT count(*) FROM (SELECT 3.0 / 2 AS q UNION SELECT 3.000 / 2.00000 UNION SELECT 1.0 / 4) s;
SELECT x / y AS q FROM (VALUES (3.0, 2), (1.0, 4)) t(x, y) UNION SELECT 9.0 / 2 ORDER BY 1;
SELECT '1.0'::jsonb UNION SELECT '1.00' UNION SELECT '{"a": 2}' ORDER BY 1 DESC;
-- Columns of the catalog's own types.
CREATE TABLE own (o oid, n name, c "char", os oid[], d name DEFAULT 'x');
INSERT INTO own VALUES (1, 'abc', 'x', '{1,2}'), (4294967295, 'a name that is much longer than the sixty-three bytes that Postgres keeps of it', 'yz', NULL), (NULL, NULL, NULL, NULL);
INSERT INTO own VALUES (-1);
INSERT INTO own VALUES (4294967296);
-- differs: errors of values carry no position
INSERT INTO own VALUES ('x');
INSERT INTO own (o, n, c) SELECT 7, 'seven'::text, 's';
SELECT o, n, c, os, d FROM own ORDER BY o, n;
SELECT o, n FROM own WHERE o > 5 AND n > 'a' ORDER BY o;
SELECT n || '!', length(n), o::bigint + 1, c = 'x', o::text FROM own WHERE o = 1;
SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'own'::regclass AND attnum > 0 ORDER BY attnum;
SELECT pg_typeof(o), pg_typeof(n), pg_typeof(c), pg_typeof(os) FROM own LIMIT 1;
SELECT pg_typeof(1), pg_typeof('x'), pg_typeof(1.5), pg_typeof(now()), pg_typeof(NULL), pg_typeof(ARRAY[1]), pg_typeof(ROW(1)), pg_typeof(true), pg_typeof(1) = 'integer'::regtype, pg_typeof(1)::text || 'x';
SELECT DISTINCT o FROM own ORDER BY o;
DROP TYPE pair CASCADE;
DROP TYPE r;

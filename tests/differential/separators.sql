-- Texts joined by separators, texts that look like something else, rows among rows, and NULLIF.
CREATE TABLE kinds (id int, parent int, label text);
CREATE TABLE parts (kind int, n int, part text);
INSERT INTO kinds VALUES (1, NULL, 'a'), (2, 1, 'b'), (3, 1, NULL), (4, 2, 'd'), (NULL, 3, 'e');
INSERT INTO parts VALUES (1, 1, 'x'), (1, 2, 'y'), (2, 1, 'z'), (3, 1, NULL), (5, 1, 'w');
-- array_to_string with separators that are constants, and that are none.
SELECT array_to_string(ARRAY['a', NULL, 'b'], ', '), array_to_string(ARRAY[NULL]::text[], ','), array_to_string('{}'::int[], ','), array_to_string(NULL::int[], ','), array_to_string(ARRAY[1, 2], NULL), array_to_string(ARRAY['', ''], '-'), array_to_string(ARRAY['é', 'ü'], 'ß→'), array_to_string(ARRAY[true, NULL, false], '');
SELECT k.id, array_to_string(ARRAY(SELECT p.part FROM parts p WHERE p.kind = k.id ORDER BY p.n), ','), array_to_string(ARRAY(SELECT p.part FROM parts p WHERE p.kind = k.id ORDER BY p.n), k.label) FROM kinds k ORDER BY k.id;
SELECT array_to_string(array_agg(part ORDER BY n, part), '|'), array_to_string(array_agg(part ORDER BY n, part), '|', 'none') FROM parts;
-- Texts that look like files, functions and comments are values.
SELECT 'a.b', 'x.parquet' = ANY (ARRAY['x.parquet', '/etc/passwd']), coalesce(NULL, '--'), 'read_csv(''x'')' || ' $1 \ /* */' FROM kinds WHERE 'query' <> label AND label NOT IN ('duckdb_settings', 'u&"x"') ORDER BY id;
SELECT CASE 'a.b' WHEN 'a.b' THEN 'c.d' ELSE 'e.f' END, 'it''s.' LIKE '%s.', position('.' in 'a.b'), v.x FROM (VALUES ('a.b'), ('read_parquet')) v(x);
-- What is joined by a separator of each row; rows among rows of a query that reads the one around.
CREATE TABLE seps (id int, t text, s text, c char(3));
INSERT INTO seps VALUES (1, 'a', '-', 'x'), (2, NULL, '+', 'y'), (3, 'c', NULL, 'z'), (4, 'd', ', ', NULL), (5, '', '|', 'w');
SELECT string_agg(t, s ORDER BY id), string_agg(t, s ORDER BY id DESC), string_agg(t, s) FILTER (WHERE id > 9), string_agg(t, coalesce(s, '?') ORDER BY id) FROM seps;
SELECT id % 2, string_agg(t, s ORDER BY id), string_agg(c, s ORDER BY id) FROM seps GROUP BY 1 ORDER BY 1;
SELECT id, string_agg(t, s) OVER (ORDER BY id) FROM seps ORDER BY id;
SELECT string_agg(t, s || (SELECT 'x') ORDER BY id), string_agg(t, chr(10) ORDER BY id) FROM seps;
SELECT a.id, (SELECT count(*) FROM seps b WHERE (b.id, b.t) IN (SELECT x.id, x.t FROM seps x WHERE x.id <= a.id)) FROM seps a ORDER BY 1;
SELECT a.id, (SELECT count(*) FROM seps b WHERE (b.id, b.t) NOT IN (SELECT x.id, x.t FROM seps x WHERE x.id <= a.id)) FROM seps a ORDER BY 1;
SELECT a.id FROM seps a WHERE (a.id, a.s) IN (SELECT x.id, x.s FROM seps x WHERE x.t <> a.t || 'q') ORDER BY 1;
SELECT a.id, (a.id, a.s) IN (SELECT x.id, x.s FROM seps x WHERE x.t = a.t) FROM seps a ORDER BY 1;
-- NULLIF gives its first argument as `=` takes it.
SELECT pg_typeof(nullif(1, 2.5)), nullif(7, 2.5) / 2, nullif(7, 2.5::real) / 2, 7 / nullif(2, 0.0), 7 / nullif(2::bigint, 0::float8), nullif(2, 2.0), nullif(2.50::numeric(5,2), 2.5::float8), pg_typeof(nullif(2::smallint, 2::bigint)), pg_typeof(nullif('a'::varchar, 'b')), pg_typeof(nullif('a'::varchar(3), 'a'::text));
SELECT id, 10 / nullif(id, 1.0), pg_typeof(nullif(id, 2.0)), nullif(t, s), nullif(c, 'x'), nullif(id, NULL), nullif(NULL, id) FROM seps ORDER BY id;
SELECT 5, nullif(1, 'a'::varchar);
SELECT nullif('2024-01-01'::date, 1);
SELECT nullif(true, 1);
SELECT id FROM seps WHERE nullif(t, 3) IS NULL;

-- Forms of SQL that are rarely written, and calls that are casts.
SELECT 'one '
  'string' AS a, E'a\n'
  'b' AS b;
SELECT 'one' 'string';
SELECT trim(BOTH FROM '  x ') AS a, trim(LEADING FROM '  x ') AS b, trim(TRAILING FROM '  x ') AS c, trim(FROM ' x ') AS d, trim(' x ') AS e, trim(BOTH 'x' FROM 'xax') AS f;
SELECT name 'abc' AS a, name 'abc' = 'abc' AS b, CAST(name 'n' AS text) AS c;
SELECT current_schema, current_schema() AS b, current_schema = 'public' AS c;
SELECT 12abc;
SELECT 1.5x;
SELECT 1e5 AS a, 1 AS b, 0.5 AS c;
SELECT float8(3) AS a, float4(1.5) AS b, int4(2.6) AS c, int8('12') AS d, text(true) AS f, bool(1) AS g, text(12.50) AS h;
SELECT date(timestamp '2024-05-06 10:00') AS a, date('2024-01-02') AS b, date(now()) = current_date AS c, timestamptz(date '2024-01-02') AS d;
SELECT regclass('pg_class') AS a, regtype('int4') AS b, oid(12) AS c, uuid('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11') AS d, bytea('\x12') AS e;
SELECT int4('x');
SELECT int4(date '2024-01-02');
SELECT float8(1, 2);
SELECT nosuchtype(1);
SELECT regclass('no_such_table');
SELECT d, date(ts), float8(n) FROM (VALUES (1, timestamp '2024-05-06 23:59', 2.5)) v(d, ts, n);
SELECT concat(VARIADIC ARRAY[1, 2, 3]) AS a, concat(VARIADIC ARRAY['x', NULL, 'y']) AS b, concat(VARIADIC '{}'::int[]) AS c, concat(VARIADIC NULL::text[]) AS d;
SELECT concat_ws(',', VARIADIC ARRAY[1, 2, 3]) AS a, concat_ws(',', VARIADIC ARRAY['x', NULL]) AS b, concat_ws(NULL, VARIADIC ARRAY['x']) AS c;
SELECT num_nulls(VARIADIC ARRAY[1, NULL]) AS a, num_nonnulls(VARIADIC '{1,NULL,3}'::int[]) AS b, num_nulls(VARIADIC NULL::int[]) AS c;
SELECT num_nulls(1, 'a', NULL) AS a, num_nonnulls(NULL::text, NULL::int, 3) AS b, num_nulls(NULL::text, NULL::int) AS c;
SELECT concat(VARIADIC 10);
SELECT split_part('a@b', '', 1) AS a, split_part('a@b', '', 2) AS b, split_part('a@b', '', -1) AS c, split_part('a@b', '', -2) AS d, split_part(NULL, '', 1) AS e, split_part('a', NULL, 1) AS f;
SELECT (-32768)::int2 % (-1)::int2 AS a, (-2147483648)::int4 % (-1)::int2 AS b, (-9223372036854775808)::int8 % (-1)::int4 AS c, 7 % -1 AS d, -7 % -3 AS e;
SELECT n, n % m FROM (VALUES (7, -1), (8, 3), (-9, 2)) v(n, m);
SELECT n % m FROM (VALUES (7, 0)) v(n, m);
SELECT normalize(U&'\00E4\24D1c', NFD) = U&'\0061\0308\24D1c' AS a, normalize(U&'\0061\0308bc') = U&'\00E4bc' AS b, normalize('abc', NFKC) AS c, normalize(U&'\24D1', nfkd) AS d;
SELECT U&'\00E4' IS NORMALIZED AS a, U&'\0061\0308' IS NFC NORMALIZED AS b, U&'\0061\0308' IS NFD NORMALIZED AS c, U&'\24D1' IS NOT NFKC NORMALIZED AS d, NULL::text IS NORMALIZED AS e;
SELECT substring('abcdefg' SIMILAR 'a*#"%#"g*' ESCAPE '#') AS a, substring('abcdefg' SIMILAR 'a#"%g' ESCAPE '#') AS b, substring('abcdefg' SIMILAR '#"a%#"x|g' ESCAPE '#') AS c, substring('abcabc' SIMILAR '%#"b%#"c' ESCAPE '#') AS d;
SELECT substring('abcdefg' SIMILAR 'a*#"%#"g*#"x' ESCAPE '#');

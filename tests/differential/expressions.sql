-- Where DuckDB means something else than Postgres.
SELECT 7 / 2 AS a, -7 / 2 AS b, 7 % 2 AS c, -7 % 2 AS d;
-- differs: a quotient of numerics is float8: DuckDB has no numeric without a scale
SELECT 7.0 / 2 AS numeric, 7::float8 / 2 AS float;
SELECT 1 / 0;
SELECT 1.0 / 0;
SELECT 1::float8 / 0;
SELECT 5 % 0;
SELECT 2147483647 + 1;
SELECT 9223372036854775807 + 1;
SELECT 32767::smallint + 1::smallint;
SELECT -(-32768)::smallint AS a;
SELECT 2 ^ 10 AS power, |/ 16 AS root, @ -5 AS absolute;
SELECT abs(-5) AS a, sign(-2.5) AS b, ceil(1.2) AS c, floor(-1.2) AS d, round(2.5) AS e, trunc(2.7) AS f;
SELECT round(2.5::float8) AS a, round(3.5::float8) AS b, round(1.255, 2) AS c;
-- differs: power of numerics is float8: DuckDB has no numeric without a scale
SELECT power(2, 0.5) AS a, sqrt(2::float8) AS b, exp(1::float8) AS c, ln(2::float8) AS d;
-- differs: not yet: gcd and lcm are bigint whatever they are given
SELECT mod(10, 3) AS a, gcd(12, 18) AS b, lcm(4, 6) AS c;
SELECT greatest(1, 3, 2) AS a, least(1, NULL, 2) AS b, greatest(NULL, NULL)::int AS c;
SELECT coalesce(NULL, 2) AS a, nullif(1, 1) AS b, nullif(1, 2) AS c;
SELECT CASE WHEN 1 = 1 THEN 'yes' ELSE 'no' END AS a, CASE 2 WHEN 1 THEN 'one' END AS b;
SELECT NULL = NULL AS a, NULL IS NULL AS b, 1 IS DISTINCT FROM NULL AS c, NULL IS NOT DISTINCT FROM NULL AS d;
SELECT true AND NULL AS a, false AND NULL AS b, true OR NULL AS c, NOT NULL::bool AS d;
SELECT 1 IN (1, 2) AS a, 3 NOT IN (1, 2) AS b, 3 IN (1, NULL) AS c;
SELECT 5 BETWEEN 1 AND 10 AS a, 5 NOT BETWEEN 6 AND 10 AS b;
SELECT 'abc' LIKE 'a%' AS a, 'abc' LIKE '_b_' AS b, 'ABC' ILIKE 'abc' AS c, 'a%c' LIKE 'a\%c' AS d;
SELECT 'abc' ~ '^a.c$' AS a, 'ABC' ~* 'abc' AS b, 'abc' !~ 'x' AS c;
-- differs: not yet: 'a' || NULL has the type of an untyped NULL, which is int4 and not text
SELECT 'a' || 'b' AS a, 'a' || 1 AS b, 1 || 'b' AS c, 'a' || NULL AS d;
SELECT upper('aä') AS a, lower('AÄ') AS b, initcap('hello world') AS c;
SELECT substring('hello' FROM 2 FOR 3) AS a, substr('hello', 2) AS b, left('hello', 2) AS c, right('hello', 2) AS d;
SELECT left('hello', -2) AS a, right('hello', -2) AS b;
SELECT position('l' IN 'hello') AS a, strpos('hello', 'z') AS b;
SELECT trim('  x  ') AS a, ltrim('xxa', 'x') AS b, rtrim('axx', 'x') AS c, btrim('xax', 'x') AS d;
SELECT replace('aXbX', 'X', '-') AS a, translate('abc', 'ab', 'x') AS b, reverse('abc') AS c, repeat('ab', 3) AS d;
SELECT lpad('x', 3, '*') AS a, rpad('x', 3) AS b, lpad('xyz', 2) AS c;
SELECT split_part('a,b,c', ',', 2) AS a, split_part('a,b,c', ',', 9) AS b, split_part('a,b,c', ',', -1) AS c;
SELECT concat('a', NULL, 1) AS a, concat_ws('-', 'a', NULL, 'b') AS b;
SELECT length('abc') AS a, char_length('äb') AS b, octet_length('äb') AS c, ascii('a') AS d, chr(65) AS e;
SELECT md5('x') AS a;
SELECT regexp_replace('abcabc', 'b', 'X') AS first, regexp_replace('abcabc', 'b', 'X', 'g') AS every;
SELECT starts_with('hello', 'he') AS a;
SELECT string_to_array('a,b,c', ',') AS a, array_to_string(ARRAY[1,2,NULL,3], ',') AS b;
SELECT array_length(ARRAY[1,2,3], 1) AS a, cardinality(ARRAY[1,2]) AS b, (ARRAY[10,20])[2] AS c, (ARRAY[10])[5] AS d;
SELECT 2 = ANY(ARRAY[1,2]) AS a, 2 = ALL(ARRAY[2,2]) AS b;
SELECT ARRAY[1,2] || 3 AS a, array_append(ARRAY[1], 2) AS b, array_position(ARRAY['a','b'], 'b') AS c;
SELECT extract(year FROM date '2013-05-06') AS y, extract(month FROM date '2013-05-06') AS m, extract(dow FROM date '2013-05-05') AS d;
SELECT extract(epoch FROM timestamptz '2013-01-01 00:00:00+00') AS epoch;
SELECT date_trunc('month', timestamp '2013-05-06 12:34:56') AS a, date_trunc('hour', timestamptz '2013-05-06 12:34:56+00') AS b;
SELECT date_part('hour', timestamp '2013-05-06 12:34:56') AS h;
SELECT date '2013-01-31' + interval '1 month' AS a, timestamp '2013-01-01' - interval '1 day' AS b;
SELECT timestamp '2013-01-02 12:00' - timestamp '2013-01-01 10:00' AS diff;
SELECT interval '1 day' * 2 AS a, interval '1 day' + interval '2 hours' AS b, -interval '1 month' AS c;
SELECT to_char(date '2013-05-06', 'YYYY-MM-DD') AS a;
SELECT make_date(2013, 5, 6) AS a;
SELECT age(timestamp '2013-05-06', timestamp '2012-03-01') AS a;
-- differs: a part of json loses its white space, as in DuckDB
SELECT '{"a": {"b": 2}, "c": [1, 2]}'::json -> 'a' AS obj, '{"a": 1}'::json ->> 'a' AS txt, '[1, 2]'::json -> 1 AS el;
SELECT ('{"a": {"b": 2}}'::jsonb #>> '{a,b}') AS path;
SELECT 1 = 1.0 AS a, '1' = 1 AS b, 'a' < 'B' AS c_locale;
SELECT 'Z' < 'a' AS c_locale;
-- differs: bit is not among the types of a lake
SELECT 10::bit(4);
-- differs: pg_typeof gives text, there is no regtype
SELECT pg_typeof(1) AS a, pg_typeof('x'::text) AS b;
SELECT 'x' AS "Mixed Case", 1 AS lower;
SELECT 1 AS a, 2 AS a;
SELECT 1, 'x', now() IS NULL, count(*), 1 + 1;
-- differs: current_schema() is text, not name
SELECT version() LIKE 'PostgreSQL 15%' AS v, current_database() IS NOT NULL AS d, current_schema() AS s;
SELECT nowhere;
SELECT nofunction(1);
SELECT 1 + 'x';
-- differs: not yet: position
SELECT 'a' + 'b';
-- differs: not yet: SQLSTATE and position
SELECT substring(1);
SELECT * FROM nowhere;
SELECT 1 FROM nowhere WHERE x = 1;
SELEC 1;
SELECT 1 +;
SELECT (1;
SELECT 'open;
';
SELECT 1;;
-- differs: not yet: position
SELECT $1;
-- Text has no NUL, however it is made.
SELECT chr(0);
SELECT 'a' || chr(0) || 'b';
SELECT chr(n) AS c FROM (VALUES (65), (0)) v(n);
SELECT chr(-1);
SELECT chr(1114112);
SELECT chr(55296);
SELECT E'\000';
SELECT E'a\\\x00b';
SELECT 1, E'\u0000';
SELECT E'\\000' AS a, E'\060' AS b;
SELECT convert_from('\x00'::bytea, 'UTF8');
-- differs: SQLSTATE: the NUL is found in the result (22021), not in the JSON (22P05)
SELECT json '{"a":"\u0000"}' ->> 'a';
-- The ends of the number types.
SELECT to_hex(-1) AS a, to_hex((-1)::bigint) AS b, to_hex(255) AS c, to_hex(0) AS d;
SELECT abs((-2147483648)::int);
SELECT abs((-32768)::smallint);
SELECT abs((-9223372036854775808)::bigint);
SELECT abs(x) AS a FROM (VALUES (-5), (7), (NULL)) v(x);
SELECT abs((-3)::smallint) AS a, abs((-3)::bigint) AS b, abs(-2.5) AS c, abs((-2.5)::float8) AS d;
SELECT 1e400::float8;
SELECT (-1e400)::float8;
SELECT 1e-400::float8;
SELECT 1e39::real;
SELECT 1e308::float8 AS a, 0e400::float8 AS b, 1e-300::float8 AS c;
-- Settings by a computed name.
SELECT current_setting('TEMP' || 'x');
SELECT current_setting('Date' || 'Style') AS a, current_setting('no' || '.thing', true) IS NULL AS b;
SELECT current_setting('x' || 'y', false);
SELECT current_setting(NULL) IS NULL AS a;

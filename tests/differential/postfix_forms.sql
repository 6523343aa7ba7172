-- What stands behind an expression.
CREATE TABLE t (a int, b text);
INSERT INTO t VALUES (1, 'x'), (NULL, 'y'), (2, NULL);
SELECT b FROM t WHERE a ISNULL;
SELECT b FROM t WHERE a NOTNULL AND t.b ISNULL;
SELECT a ISNULL, (b) NOTNULL FROM t ORDER BY 1, 2;
SELECT 1 IN (1, 2) ISNULL;
SELECT NULL ISNULL, 1 NOTNULL;
SELECT a AS isnull FROM t ORDER BY 1;
SELECT b::text COLLATE "C" FROM t ORDER BY b::text COLLATE "C";
SELECT b::varchar(3) COLLATE pg_catalog."C" AS short FROM t ORDER BY 1;
SELECT a::text COLLATE "C" || 'x' FROM t ORDER BY 1;
SELECT current_role = current_user, current_role IS NULL;
SELECT current_role AS who FROM t WHERE false;
-- Strings over lines.
SELECT 'a'
'b';
SELECT b'01'
'10';
SELECT x'1f'
  'ff';
SELECT U&'\0041'
'\0042';
SELECT U&'\0041' '\0042';
SELECT N'national';
SELECT N'a ' = 'a';
SELECT 1 AS U&"d\0061t\+000061";
SELECT U&"\0061" FROM t ORDER BY 1;
-- Functions of many rows where they may not stand.
INSERT INTO t VALUES (generate_series(5, 7), 'many');
SELECT a FROM t WHERE b = 'many' ORDER BY a;
INSERT INTO t VALUES (generate_series(5, 7), 'one'), (8, 'two');
INSERT INTO t (a) VALUES (sum(1));
INSERT INTO t VALUES (9, 'r') RETURNING generate_series(1, 2);
SELECT CASE WHEN a > 1 THEN generate_series(1, 2) ELSE 0 END FROM t;
SELECT coalesce(generate_series(1, 2), 0);
SELECT CASE WHEN true THEN (SELECT max(g) FROM generate_series(1, 3) g) END;
SELECT sum(generate_series(1, 3)) FROM t;
SELECT a FROM t WHERE a = generate_series(1, 2);
SELECT generate_series(1, 2) AS g, count(*) FROM t GROUP BY g ORDER BY g;
-- Words of the older library.
SELECT regexp_replace('baac', 'a*', '-', 'g');
SELECT regexp_matches('baac', 'a*', 'g');
SELECT regexp_count('baac', 'a*'), regexp_instr('baac', 'a*', 1, 3), regexp_substr('baac', 'a*', 1, 2);
SELECT regexp_replace('one two', '\w*', '<\&>', 'g');
SELECT regexp_split_to_array('baac', 'a*'), regexp_split_to_array('abc', '');
SELECT regexp_matches(E'\n1\n2', '.?$', 'ng');
SELECT regexp_like('abc', 'b', 'g');
SELECT regexp_split_to_array('abc', 'b', 'g');
SELECT format('>>%*1$s<<', 8, 'wide'), format('%2$s %*1$s|%s', 4, 'b', 'c');
SELECT format('%*0$s', 'x');
SELECT ' true '::text::boolean, x::boolean FROM (VALUES (' on'), ('OF'), ('ye'), ('0 ')) v(x);
SELECT x::boolean FROM (VALUES ('o')) v(x);
SELECT '\101'::"char", '\377'::"char", 'é'::"char", '\8'::"char", ''::"char";
SELECT ' 5 '::oid, '-1'::oid, '-2147483648'::oid;
SELECT '5 5'::oid;
SELECT '4294967296'::oid;
SELECT '-2147483649'::oid;
SELECT interval 'PT2562.5', interval 'PT010203', interval 'PT0102', interval 'P00020304';
SELECT interval 'P.Y';
SELECT array_position(ARRAY[1, 2, 1, 3], 1, 2), array_position(ARRAY[1, 2], 1, 2), array_position(ARRAY['a', 'b'], 'b', 0);
SELECT date_trunc('week', interval '10 days');
SELECT date_trunc('month', interval '40 days 3 months');
CREATE SEQUENCE passing;
SELECT nextval('passing'), lastval();
DROP SEQUENCE passing;
SELECT lastval();

-- Functions, operators and casts whose answer depends on more than the plain value.
CREATE TABLE t (id int, s text, f float8, r real, d date, iv interval, j jsonb, k json, a int[], g int[], b bit(3), n numeric, tm time);
INSERT INTO t VALUES
 (1, 'é', 2.5, 2.5, '2024-01-01', '-1 mon -3 days', '"s"', '{"a":1,"a":2,"b":null,"c":[1,null,{"d":null}],"e":"x: y, z"}', NULL, NULL, B'101', 5.5, '10:00'),
 (2, 'abc', -0.001, 0.125, '2024-07-01', '3 days', '5', '[1, {"a":null}]', '{1}', NULL, B'000', 12, '23:59:59.5'),
 (3, NULL, 3.5, NULL, NULL, NULL, '[1,2]', 'null', NULL, '{2}', NULL, NULL, NULL),
 (4, '€', 1e20, 12345.678, 'infinity', '-400 days', '{"a":1}', '1.50', '{}', '{}', B'111', -1, '00:00');
SELECT convert_to('é', 'LATIN1'), convert_to('é', 'UTF8'), convert_to('é', 'utf-8'), convert_to('a', 'SQL_ASCII'), convert_to('€', 'LATIN9'), convert_to('€', 'WIN1252'), convert_to('é', 'iso_8859_1'), convert_to(NULL, 'LATIN1');
SELECT convert_to(s, 'LATIN1') FROM t WHERE id < 4 ORDER BY id;
SELECT convert_to(s, 'LATIN1') FROM t ORDER BY id;
SELECT convert_to('€', 'LATIN1');
SELECT convert_to('a', 'nonsense');
SELECT convert_to(s, 'nonsense') FROM t;
SELECT convert_from('\xe9', 'LATIN1'), convert_from('\xc3a9', 'UTF8'), convert_from('\x80', 'WIN1252'), convert_from('\xa4', 'LATIN9'), convert_from('', 'UTF8'), convert_from(NULL, 'UTF8');
SELECT convert_from('\xff', 'UTF8');
SELECT convert_from('\x61e962', 'UTF8');
SELECT convert_from('\x6100', 'UTF8');
SELECT convert_from('\x61', 'nonsense');
SELECT convert_from(convert_to(s, 'UTF8'), 'UTF8') FROM t ORDER BY id;
SELECT to_char(2.5::float8, '9'), to_char(3.5::float8, '9'), to_char(0.125::float8, '0.99'), to_char(2.675::float8, '9.99'), to_char(-0.001::float8, '0.00'), to_char(0.5::float8, '9'), to_char(1.5::real, '9'), to_char(2.5::numeric, '9');
SELECT id, to_char(f, '999D99'), to_char(f, 'FM9990.0'), to_char(r, '99999.9'), to_char(r, 'S9.99'), to_char(f, '9.99EEEE'), to_char(f, '99V9'), to_char(-f, '9PR'), to_char(f, 'FM99999999999999999999999') FROM t ORDER BY id;
SELECT to_char('NaN'::float8, '9.9'), to_char('Infinity'::float8, '999'), to_char('-Infinity'::float8, '999.9'), to_char(123456789012345678::float8, '999999999999999999.99'), to_char(0.1::real, '9.999999999');
SELECT to_char(date '2024-01-01', 'TZ tz OF TZH:TZM'), to_char(date '2024-07-01', 'YYYY TZ OF'), to_char(timestamp '2024-01-01', 'TZ OF');
SELECT id, to_char(d, 'YYYY-MM-DD TZ OF') FROM t ORDER BY id;
SELECT to_char(iv, 'DD MM YYYY HH24 MI SS DDD') FROM t ORDER BY id;
SELECT to_char(interval '-1 mon -3 days', 'DD'), to_char(interval '-3 days', 'DDD FMDD'), to_char(interval '-13 days', 'DD'), to_char(interval '3 days', 'DD DDD');
SELECT id, j -> 0, j ->> 0, j -> -1, j ->> -1, j -> 1, j -> -2, j ->> 'a', k -> 0, k ->> -1 FROM t ORDER BY id;
SELECT '"s"'::jsonb -> 0, '5'::jsonb ->> -1, 'null'::jsonb -> 0, '5'::json -> 0, '"x"'::jsonb #> '{0}';
SELECT id, json_strip_nulls(k), jsonb_strip_nulls(j) FROM t ORDER BY id;
SELECT json_strip_nulls('{"a": 1, "a": null, "a": [ null , 2 ], "s": "a: b, c\u00e9", "n": 1.500e2}'), json_strip_nulls('[]'), json_strip_nulls('"a, b"');
SELECT array_cat(NULL::int[], NULL::int[]), array_cat('{1}', NULL::int[]), array_cat(NULL, '{1}'::int[]), NULL::int[] || NULL::int[], NULL::int[] || '{1}';
SELECT id, array_cat(a, g), a || g FROM t ORDER BY id;
SELECT lpad(NULL::text, -1, 'x'), rpad(NULL::text, 0, 'x'), lpad('a', 0), lpad('a', -1, 'x'), lpad('a', -1, NULL), rpad('a', 3, NULL), lpad('a', NULL), rpad('ab', 1, 'x');
SELECT (NULL::date, NULL::date) OVERLAPS (date '2024-01-01', date '2024-02-01'), (date '2024-01-01', date '2024-02-01') OVERLAPS (NULL::date, NULL::date), (date '2024-01-01', NULL) OVERLAPS (date '2024-01-01', date '2024-02-01'), (date '2024-01-15', NULL) OVERLAPS (date '2024-01-01', date '2024-02-01'), (NULL, date '2024-01-15') OVERLAPS (date '2024-01-01', date '2024-02-01');
SELECT (date '2024-03-01', date '2024-02-01') OVERLAPS (date '2024-02-01', date '2024-01-01'), (date '2024-03-01', date '2024-01-01') OVERLAPS (date '2024-02-01', date '2024-02-01'), (date '2024-01-01', interval '1 mon') OVERLAPS (date '2024-01-31', interval '1 day'), (date '2024-01-01', date '2024-01-01') OVERLAPS (date '2024-01-01', date '2024-01-01'), (date '2024-03-01', NULL) OVERLAPS (date '2024-01-01', date '2024-02-01'), (date '2024-01-01', date '2024-02-01') OVERLAPS (date '2024-03-01', NULL);
SELECT 'abs(int)'::regprocedure, 'abs(real)'::regprocedure, 'round(numeric,int)'::regprocedure, 'round(float8)'::regprocedure, 'now()'::regprocedure, 'pg_catalog.lower(text)'::regprocedure, 'abs( bigint )'::regprocedure::oid;
SELECT 'abs(text)'::regprocedure;
SELECT '[,infinity]'::daterange, '[-infinity,infinity]'::daterange, '(-infinity,infinity)'::daterange, '[2024-01-01,infinity]'::daterange, '(2024-01-01,2024-01-05]'::daterange, daterange('2024-01-01', 'infinity', '[]'), upper_inf('[,infinity]'::daterange), 'infinity'::date <@ '[,infinity]'::daterange;
SELECT s::smallint FROM (VALUES ('0x10')) AS v(s);
SELECT s::int FROM (VALUES ('0b1')) AS v(s);
SELECT s::bigint FROM (VALUES (' 12 '), ('-7')) AS v(s);
SELECT json_build_object('k', ARRAY[[1,2],[3,4]]), json_build_array(ARRAY[[1,2]], 'x'), jsonb_build_object('k', '{{a,b}}'::text[]), jsonb_build_array(ARRAY[[true]]);
SELECT id, (id, id + 1) = ANY (SELECT id, id + 1 FROM t), (id, n) <> ALL (SELECT id, n FROM t WHERE id > 2) FROM t ORDER BY id;
SELECT overlay('abcdef' PLACING 'X' FROM 2), overlay('abcdef' PLACING 'X' FROM 2 FOR 0), overlay('abc' PLACING 'XYZ' FROM 3), overlay(s PLACING 'Q' FROM 1) FROM t ORDER BY id;
SELECT overlay('abc' PLACING 'X' FROM 0);
SELECT overlay('abc' PLACING 'X' FROM -1 FOR 2);
SELECT id, concat(b, '-'), concat_ws(',', b, id), format('%s|%s', b, id), length(b), concat('-', b) FROM t ORDER BY id;
SELECT date_part('hour', d), date_part('minute', d), date_part('milliseconds', d), date_part('year', d), date_part('epoch', d), date_part('dow', d) FROM t ORDER BY id;
SELECT date_part('second', date '2024-01-01'), date_part('microseconds', date '2024-01-01'), date_part('julian', date '2024-01-01');
SELECT sum(tm), avg(tm), min(tm), date_trunc('hour', max(tm)) FROM t;
SELECT id, date_trunc('day', tm), date_trunc('minute', tm), tm = interval '10 hours', interval '1 hour' < tm FROM t ORDER BY id;
SELECT x ~ '[[:<:]]bar', x ~ 'foo[[:>:]]', x !~ '[[:<:]]ar', regexp_replace(x, '[[:<:]]b', 'B') FROM (VALUES ('foo bar'), ('foobar'), ('bar foo')) AS v(x);
SELECT s::oid FROM (VALUES ('-1'), ('7'), ('4294967295'), (NULL)) AS v(s);
SELECT s::oid FROM (VALUES ('4294967296')) AS v(s);
SELECT length(repeat(s, 70)::name), repeat(s, 40)::name FROM (VALUES ('a'), ('é')) AS v(s);
DROP TABLE t;

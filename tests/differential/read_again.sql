-- Windows made of windows.
SELECT st, i, row_number() OVER (w2), sum(i) OVER w3 FROM (VALUES ('a',1),('b',2),('a',3),('b',4)) v(st, i)
  WINDOW w AS (PARTITION BY st), w2 AS (w ORDER BY i), w3 AS (w2 ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) ORDER BY i;
SELECT st, i, row_number() OVER (w2), count(*) OVER w FROM (VALUES ('a',1),('b',2),('a',3)) v(st, i) WINDOW w AS (PARTITION BY st ORDER BY i DESC), w2 AS (w) ORDER BY i;
SELECT i, sum(i) OVER (w RANGE BETWEEN 1 PRECEDING AND CURRENT ROW EXCLUDE CURRENT ROW) FROM generate_series(1, 4) i WINDOW w AS (ORDER BY i);
SELECT i, sum(i) OVER w2 FROM generate_series(1, 4) i WINDOW w AS (), w2 AS (w ORDER BY i DESC GROUPS 1 PRECEDING) ORDER BY i;
SELECT i, sum(i) OVER (w PARTITION BY i) FROM generate_series(1, 4) i WINDOW w AS (ORDER BY i);
SELECT i, sum(i) OVER (w ORDER BY i) FROM generate_series(1, 4) i WINDOW w AS (ORDER BY i);
SELECT i, sum(i) OVER (w) FROM generate_series(1, 4) i WINDOW w AS (ORDER BY i ROWS 1 PRECEDING);
SELECT i, sum(i) OVER (w ROWS 1 PRECEDING) FROM generate_series(1, 4) i WINDOW w AS (ORDER BY i ROWS 1 PRECEDING);
SELECT i, sum(i) OVER w FROM generate_series(1, 4) i WINDOW w AS (w2), w2 AS (ORDER BY i);
SELECT i FROM generate_series(1, 2) i WINDOW w AS (), w AS ();
SELECT i FROM generate_series(1, 2) i WINDOW w AS (ORDER BY nothing);
SELECT i, sum(i) OVER nothing FROM generate_series(1, 2) i;
-- Frames that end before they start.
SELECT i, count(*) OVER (ORDER BY i ROWS BETWEEN 3 FOLLOWING AND 1 FOLLOWING), count(*) OVER (ORDER BY i ROWS BETWEEN 1 PRECEDING AND 3 PRECEDING),
  count(*) OVER (ORDER BY i RANGE BETWEEN 3 FOLLOWING AND 1 FOLLOWING), sum(i) OVER (ORDER BY i GROUPS BETWEEN 3 FOLLOWING AND 1 FOLLOWING) FROM generate_series(1, 6) i;
-- Distances beyond the key's type.
SELECT q, count(*) OVER (ORDER BY q RANGE BETWEEN 2 PRECEDING AND 3 FOLLOWING) FROM (VALUES (32767::smallint), (32766), (-32768), (-32767), (NULL)) v(q) ORDER BY q;
SELECT q, count(*) OVER (ORDER BY q DESC RANGE BETWEEN 2 PRECEDING AND 9223372036854775807 FOLLOWING) FROM (VALUES (9223372036854775807), (9223372036854775806), (-9223372036854775808), (0)) v(q) ORDER BY q;
-- Intervals by what they are worth.
SELECT interval '1 mon -1 day' = interval '29 days', interval '2 days' - interval '36 hours' = interval '12 hours', interval '3 days -1 hour' > interval '71 hours 1 sec',
  interval '1 mon -1 day' IN ('29 days', '2 h'), interval '1 mon -1 day' BETWEEN '28 days' AND '29 days', interval '29 days' = ANY (ARRAY[interval '1 mon -1 day']), nullif(interval '1 mon -1 day', '29 days');
CREATE TABLE spans (id int, s interval);
INSERT INTO spans VALUES (1,'1 mon -1 day'), (2,'29 days'), (3,'30 days'), (4,'1 mon'), (5,'-1 mon +31 days'), (6,'1 day'), (7,NULL), (8,'1 mon -29 days');
SELECT id FROM spans ORDER BY s, id;
SELECT id FROM spans ORDER BY s DESC, id;
SELECT count(DISTINCT s), extract(epoch FROM min(s)), extract(epoch FROM max(s)) FROM spans;
SELECT extract(epoch FROM s), count(*), sum(id) FROM spans GROUP BY s ORDER BY 1;
SELECT count(*) FROM (SELECT DISTINCT s FROM spans) x;
SELECT a.id, b.id FROM spans a JOIN spans b ON a.s = b.s ORDER BY 1, 2;
SELECT a.id, b.id FROM spans a LEFT JOIN spans b ON a.s < b.s AND a.id = 2 ORDER BY 1, 2;
SELECT id, rank() OVER (ORDER BY s), count(*) OVER (PARTITION BY s) FROM spans ORDER BY id;
SELECT count(*) FROM (SELECT s FROM spans UNION SELECT interval '29 days') x;
SELECT id FROM spans WHERE s IN (SELECT interval '29 days') ORDER BY id;
SELECT id FROM spans WHERE s = (SELECT interval '1 day');
SELECT i, count(*) OVER (ORDER BY i RANGE BETWEEN interval '3 days' PRECEDING AND CURRENT ROW) FROM (SELECT (g || ' days')::interval i FROM generate_series(25, 36) g) q;
SELECT i, count(*) OVER (ORDER BY i RANGE BETWEEN interval '12 hours' PRECEDING AND interval '1 day' FOLLOWING) FROM (VALUES (interval '24:00'), ('12:00'), ('1 day'), ('36:00'), ('-3 h')) q(i) ORDER BY i::text;
-- Types of EXCEPT and INTERSECT beside numbers of different scales.
SELECT date '2024-01-01', 1 EXCEPT SELECT timestamp '2024-01-01 10:00', 1.5;
SELECT 1::smallint, 2.50 INTERSECT SELECT 1::bigint, 2.5 ;
SELECT ('a'::varchar(3))::text, 1 EXCEPT ALL SELECT 'b'::text, 2.5;
SELECT 1::real, 1 EXCEPT SELECT 2::double precision, 2.5;
-- Numbers in a recursive UNION.
WITH RECURSIVE t(d, n) AS (SELECT 1, 1::numeric UNION SELECT d + 1, n + 0.50 FROM t WHERE n < 5) SELECT * FROM t ORDER BY 1;
-- Constants beside char(n).
CREATE TABLE money_of (ccy char(3), n int);
INSERT INTO money_of VALUES ('EUR', 1), ('GB', 2), (NULL, 3);
SELECT n, coalesce(ccy, 'none') = 'none', length(coalesce(ccy, 'none')), coalesce(ccy, 'none') = 'GB' FROM money_of ORDER BY n;
SELECT n, rtrim(CASE WHEN n > 1 THEN ccy ELSE 'other' END), coalesce(nullif(ccy, 'GB'), 'unknown')::text, (lag(ccy, 1, 'first one') OVER (ORDER BY n))::text FROM money_of WHERE n <> 2 ORDER BY n;
SELECT coalesce(ccy, '?') || '|' FROM money_of ORDER BY n;
SELECT coalesce(ccy, NULL), coalesce(ccy, 'ABC') FROM money_of ORDER BY n;
-- Arrays.
CREATE TABLE tagged (id int, tags text[], nums int[]);
INSERT INTO tagged VALUES (1, '{vip,a,vip}', '{1,2}'), (2, '{}', '{}'), (3, NULL, NULL), (4, '{a,NULL}', '{NULL}');
SELECT id, array_positions(tags, 'vip') || 1, trim_array(array_positions(tags, 'vip') || 1, 1), pg_typeof(array_positions(nums, 1)) FROM tagged ORDER BY id;
SELECT id, NULL::text = ANY (tags), 'vip' = ANY (tags), NOT (NULL::text = ANY (tags)), NULL::int <> ALL (nums) FROM tagged ORDER BY id;
SELECT id FROM tagged t WHERE (SELECT count(*) FROM money_of m WHERE m.n = t.id AND m.ccy LIKE ANY (ARRAY['E%', t.tags[2] || '%', 'G_'])) > 0 ORDER BY id;
SELECT 'abc' LIKE ALL (ARRAY['a%', '%c']), 'abc' NOT ILIKE ANY (ARRAY['A%', NULL]), 'abc' ~ ANY (ARRAY['^b', 'c$']), 'x' LIKE ANY (ARRAY[NULL, 'y']);
-- FILTER, ORDER BY and NULL keys.
SELECT k, json_object_agg(n, v ORDER BY v) FILTER (WHERE n IS NOT NULL) FROM (VALUES (1,'a',1),(1,NULL,2)) t(k, n, v) GROUP BY k;
SELECT jsonb_object_agg(n, v ORDER BY v) FILTER (WHERE n <> 'a') FROM (VALUES (1,'a',1),(1,NULL,2)) t(k, n, v);
SELECT json_object_agg(n, v ORDER BY v) FROM (VALUES (1,'a',1),(1,NULL,2)) t(k, n, v);
-- The same expression in GROUP BY, the list and ORDER BY.
CREATE TABLE moments (ts timestamptz, od timestamp, t time, tags text[], j jsonb);
INSERT INTO moments VALUES ('2024-01-01 10:00:00.6+00', '2024-01-01 10:00:00.1234', '10:00:00.7', '{a,b}', '{"a": 1}'), ('2024-01-01 10:00:01+00', '2024-01-01 10:00:00.123', '10:00:01', '{a,b}', '{"a": 1}');
SELECT ts::timestamptz(0), count(*) FROM moments GROUP BY ts::timestamptz(0);
SELECT od::timestamp(3), t::time(0), count(*) FROM moments GROUP BY od::timestamp(3), t::time(0) ORDER BY od::timestamp(3), t::time(0);
SELECT to_jsonb(tags), count(*) FROM moments GROUP BY to_jsonb(tags);
SELECT DISTINCT ON (ts::timestamptz(0)) ts::timestamptz(0), od FROM moments ORDER BY ts::timestamptz(0), od;
SELECT 'a' LIKE ANY (ARRAY['a%', tags[1]]), count(*) FROM moments GROUP BY 'a' LIKE ANY (ARRAY['a%', tags[1]]);
-- Constants that are ordered by, and that are different from nothing.
SELECT array_agg(i ORDER BY 'a'::text, i DESC), string_agg(i::text, ',' ORDER BY NULL, i), array_agg(i ORDER BY 1.5, i) FROM generate_series(1, 3) i;
SELECT mode() WITHIN GROUP (ORDER BY 5), mode() WITHIN GROUP (ORDER BY 'x'::text), percentile_disc(0.5) WITHIN GROUP (ORDER BY 1.5) FROM generate_series(1, 3) i;
SELECT DISTINCT j, 1.5, 'x' FROM moments;
SELECT DISTINCT i / 3.0, 1.5, 7 FROM generate_series(1, 2) i ORDER BY 1;
-- WITH TIES by what the list does not show.
SELECT * FROM (SELECT st, count(*) FROM (VALUES ('a'), ('a'), ('b'), ('b'), ('c')) v(st) GROUP BY st ORDER BY count(*) DESC FETCH FIRST 1 ROW WITH TIES) x ORDER BY 1;
SELECT st FROM (VALUES ('a', 1), ('b', 2), ('c', 2)) v(st, n) ORDER BY -n, n % 2 FETCH FIRST 1 ROW WITH TIES;
SELECT v.st FROM (VALUES ('a', 1), ('b', 2), ('c', 2)) v(st, n) ORDER BY v.n DESC FETCH FIRST 1 ROW WITH TIES;
-- Subqueries without rows of their own.
SELECT id, (SELECT t.id IN (SELECT n FROM money_of)), (SELECT CASE WHEN t.id > ALL (SELECT n FROM money_of WHERE n < 2) THEN 1 ELSE 2 END), (SELECT t.tags) FROM tagged t ORDER BY id;
SELECT s, (SELECT s::text), (SELECT timestamp '2024-02-01' + s) FROM (VALUES (interval '1 mon'), ('30 days'), ('720:00:00')) v(s) ORDER BY s::text;
SELECT (SELECT 'a'), (SELECT NULL), (SELECT id) FROM tagged ORDER BY id;
SELECT (SELECT count(id)), (SELECT max(id) + 1) FROM tagged;
SELECT (SELECT id) FROM tagged GROUP BY tags;
SELECT (SELECT id, nums) FROM tagged;
SELECT bool_or(t.tags[1] = ANY (array_remove('{a}'::text[], t.tags[1]))) OVER (ORDER BY id) FROM tagged t ORDER BY id;
SELECT isfinite(i), abs(i2), abs(r), pg_typeof(abs(r)) FROM (VALUES (NULL::interval, -2::smallint, -1.5::real), ('1 day', 3, 2.5)) v(i, i2, r);
SELECT abs(-1.5), abs(-1.5::float8), abs(-3), abs('-4'), abs(NULL::numeric);
SELECT jsonb_agg(DISTINCT j -> 'p' ORDER BY j -> 'p'), jsonb_agg(DISTINCT j -> 'p' ORDER BY j -> 'p' DESC), json_agg(DISTINCT s), jsonb_agg(DISTINCT j) FROM (VALUES ('{"p": 2}'::jsonb, interval '1 day'), ('{"p": 1.0}', '24:00'), ('{"p": 3}', '2 h'), ('{}', NULL)) v(j, s);
-- Constants longer than a char(n) column.
SELECT n, ccy = 'longer', ccy <> 'longer', ccy BETWEEN 'AAAAA' AND 'FFFFF', ccy IN ('GB', 'toolong'), ccy NOT IN ('toolong', 'EUR'), ccy IS DISTINCT FROM 'longer', 'GB   ' = ccy, nullif(ccy, 'longer')::text, nullif(ccy, 'GB ')::text, CASE ccy WHEN 'EURO' THEN 1 WHEN 'EUR' THEN 2 END, ccy = ANY ('{toolong,GB}') FROM money_of ORDER BY n;
INSERT INTO money_of VALUES ('toolong', 4);
SELECT DISTINCT '{"a":1}'::jsonb FROM money_of;
SELECT DISTINCT '{"a":1}'::jsonb, 1;
SELECT n, ccy FROM money_of ORDER BY 'x'::text, n DESC, NULL::int;
SELECT DISTINCT ON (n) n FROM money_of ORDER BY n, 'x'::text;
SELECT 1.5, 1 EXCEPT SELECT 2.25, 3::bigint;
-- Intervals of a query around.
CREATE TABLE lengths (id int, i interval, b int);
INSERT INTO lengths VALUES (1, '1 mon', 1), (2, '30 days', 20), (3, '720:00:00', 40), (4, '1 day', 1), (5, '24:00:00', 0), (6, NULL, 3);
SELECT id, x.v FROM lengths, LATERAL (SELECT i::text AS v) x ORDER BY id;
SELECT id, (SELECT (SELECT extract(day FROM i)::int)), (SELECT max(v) FROM (VALUES (extract(day FROM i)::int), (b)) w(v)), (SELECT k::text FROM (VALUES (l.i)) q(k)) FROM lengths l ORDER BY id;
SELECT id, (SELECT count(*) FROM lengths r WHERE r.b < extract(day FROM l.i)), EXISTS (SELECT 1 FROM lengths r WHERE extract(day FROM r.i) = extract(day FROM l.i)) FROM lengths l ORDER BY id;
SELECT id FROM lengths l WHERE EXISTS (SELECT 1 WHERE extract(day FROM i) = 30) ORDER BY id;
SELECT id, ARRAY(SELECT l.i::text || r.id FROM lengths r WHERE r.id = l.id), (SELECT string_agg(r.id || l.i::text, ',' ORDER BY r.id) FROM lengths r WHERE r.i = l.i) FROM lengths l ORDER BY id;
SELECT x.id, y.t FROM (SELECT id, i AS j FROM lengths) x, LATERAL (SELECT timestamp '2024-02-01' + x.j AS t) y ORDER BY 1;
WITH c AS (SELECT id, i FROM lengths) SELECT id, (SELECT extract(day FROM c.i)) FROM c ORDER BY id;
SELECT z.id, (SELECT extract(day FROM z.k)) FROM lengths AS z(id, k) ORDER BY 1;
SELECT extract(epoch FROM i), (SELECT count(*) FROM lengths r WHERE r.i = l.i) FROM lengths l GROUP BY i ORDER BY 1;
SELECT * FROM lengths l WHERE (SELECT extract(day FROM l.i)) = 30;
SELECT count(*) FROM lengths l LEFT JOIN lengths r ON l.id = r.id AND EXISTS (SELECT 1 FROM lengths x WHERE x.b < extract(day FROM l.i));
CREATE VIEW of_lengths AS SELECT id, i, (SELECT extract(day FROM l.i)) AS d FROM lengths l;
SELECT * FROM of_lengths ORDER BY id;
SELECT id, (SELECT i::text FROM lengths r WHERE r.id = o.id), (SELECT o.i::text) FROM of_lengths o ORDER BY id;
SELECT l FROM lengths l WHERE (SELECT extract(day FROM l.i)) = 1;

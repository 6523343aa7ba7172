-- Tables, rows, and what SELECT can do with them.
CREATE TABLE t (id int NOT NULL, name text, n numeric(10,2), f float8, d date, ts timestamptz, b bool);
INSERT INTO t VALUES (1, 'one', 1.10, 1.5, '2013-01-01', '2013-01-01 00:00:00+00', true), (2, 'two', 2.20, 2.5, '2013-01-02', NULL, false), (3, NULL, NULL, NULL, NULL, NULL, NULL), (4, 'four', -4.40, -1, '2012-12-31', '2012-12-31 23:59:59.5+00', true), (5, 'One', 0, 0, '2013-06-30', '2013-06-30 12:00:00+00', NULL);
CREATE TABLE u (id int, tag text);
INSERT INTO u VALUES (1, 'a'), (1, 'b'), (2, 'c'), (9, 'z');
SELECT * FROM t ORDER BY id;
SELECT name FROM t ORDER BY name;
SELECT name FROM t ORDER BY name DESC;
SELECT n FROM t ORDER BY n NULLS FIRST;
SELECT n FROM t ORDER BY n DESC NULLS LAST, id;
SELECT id, b FROM t ORDER BY b, id;
SELECT count(*), count(name), count(DISTINCT b) FROM t;
SELECT sum(id) AS int_sum, sum(n) AS numeric_sum, sum(f) AS float_sum FROM t;
-- differs: avg is float8: DuckDB has no numeric without a scale
SELECT avg(id) AS int_avg, avg(f) AS float_avg FROM t;
SELECT min(name), max(name), min(d), max(ts) FROM t;
-- differs: avg is float8: DuckDB has no numeric without a scale
SELECT sum(id), avg(n), min(id), count(*) FROM t WHERE id > 100;
SELECT bool_and(b), bool_or(b), every(b) FROM t;
SELECT string_agg(name, ',' ORDER BY id), array_agg(id ORDER BY id DESC) FROM t;
SELECT sum(id) FILTER (WHERE b) AS filtered FROM t;
SELECT stddev(f), variance(f), stddev_pop(f) FROM t WHERE id IN (1, 2);
SELECT b, count(*) FROM t GROUP BY b ORDER BY b;
SELECT b, sum(id) FROM t GROUP BY 1 HAVING sum(id) > 2 ORDER BY 1;
SELECT extract(year FROM d) AS y, count(*) FROM t GROUP BY y ORDER BY y;
SELECT b, d, count(*) FROM t GROUP BY GROUPING SETS ((b), ()) ORDER BY b, 3;
SELECT b, count(*) FROM t GROUP BY ROLLUP (b) ORDER BY b, 2;
SELECT DISTINCT b FROM t ORDER BY b;
SELECT DISTINCT ON (b) b, id FROM t ORDER BY b, id;
SELECT id FROM t ORDER BY id LIMIT 2 OFFSET 1;
SELECT id FROM t ORDER BY id FETCH FIRST 2 ROWS ONLY;
SELECT id FROM t ORDER BY id LIMIT 0;
SELECT t.id, u.tag FROM t JOIN u ON t.id = u.id ORDER BY 1, 2;
SELECT t.id, u.tag FROM t LEFT JOIN u USING (id) ORDER BY 1, 2;
SELECT t.id, u.id FROM t RIGHT JOIN u ON t.id = u.id ORDER BY u.id, u.tag;
SELECT t.id AS a, u.id AS b FROM t FULL JOIN u ON t.id = u.id ORDER BY 1, 2;
SELECT count(*) FROM t CROSS JOIN u;
SELECT id FROM t NATURAL JOIN u ORDER BY id;
SELECT id FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.id = t.id) ORDER BY id;
SELECT id FROM t WHERE id IN (SELECT id FROM u) ORDER BY id;
SELECT id, (SELECT count(*) FROM u WHERE u.id = t.id) AS tags FROM t ORDER BY id;
SELECT x.id FROM (SELECT id FROM t WHERE id < 3) AS x ORDER BY id;
SELECT t.id, l.tag FROM t, LATERAL (SELECT tag FROM u WHERE u.id = t.id ORDER BY tag LIMIT 1) l ORDER BY 1;
WITH x AS (SELECT id FROM t), y AS (SELECT id FROM x WHERE id > 2) SELECT * FROM y ORDER BY id;
WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT sum(n) FROM r;
SELECT id FROM t UNION SELECT id FROM u ORDER BY id;
SELECT id FROM t INTERSECT SELECT id FROM u ORDER BY id;
SELECT id FROM t EXCEPT SELECT id FROM u ORDER BY id;
SELECT id FROM u UNION ALL SELECT id FROM u ORDER BY 1;
SELECT id, row_number() OVER (ORDER BY id DESC) AS rn FROM t ORDER BY id;
SELECT id, rank() OVER (PARTITION BY b ORDER BY id), dense_rank() OVER (ORDER BY b NULLS LAST) FROM t ORDER BY id;
SELECT id, sum(id) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS s FROM t ORDER BY id;
SELECT id, lag(name) OVER (ORDER BY id), lead(id, 2, 0) OVER (ORDER BY id) FROM t ORDER BY id;
SELECT id, first_value(id) OVER w, last_value(id) OVER w, ntile(2) OVER w FROM t WINDOW w AS (ORDER BY id) ORDER BY id;
VALUES (1, 'a'), (2, NULL);
SELECT * FROM (VALUES (1, 'a'), (2, 'b')) AS v(n, s) ORDER BY n DESC;
SELECT * FROM generate_series(1, 3) AS g(n);
SELECT n FROM generate_series(10, 1, -4) AS n;
-- differs: not yet: the step '1 day' is not taken as an interval
SELECT * FROM generate_series('2013-01-01'::timestamp, '2013-01-03'::timestamp, '1 day') AS g(d);
SELECT unnest(ARRAY[1, 2, 3]) AS x;
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY f) FROM t;
SELECT mode() WITHIN GROUP (ORDER BY tag) FROM u WHERE tag = 'a';
SELECT corr(f, id), regr_slope(f, id) FROM t WHERE id IN (1, 2, 4);
-- differs: not yet: TABLE as a statement
TABLE u ORDER BY id, tag;
SELECT u.* FROM u ORDER BY id, tag;
SELECT "id", "tag" FROM "u" ORDER BY 1, 2;
SELECT ID, Tag FROM U ORDER BY 1, 2;
SELECT public.u.id FROM public.u ORDER BY 1;
SELECT name FROM t GROUP BY id;
SELECT id, count(*) FROM t;
-- differs: not yet: position
SELECT count(*) FROM t WHERE count(*) > 1;
SELECT id FROM t JOIN u ON t.id = u.id;
SELECT missing FROM t;
SELECT t.missing FROM t;
SELECT x.id FROM t;
SELECT id FROM t ORDER BY missing;
SELECT id FROM t ORDER BY 5;
-- differs: not yet: position
SELECT id FROM t UNION SELECT id, tag FROM u;
SELECT id FROM t WHERE id;
-- differs: not yet: position
SELECT id FROM t WHERE name = 1;
SELECT id FROM t LIMIT -1;
SELECT (SELECT id FROM t);
-- differs: not yet: position
SELECT (SELECT id, tag FROM u LIMIT 1);
SELECT * FROM nowhere.t;
-- differs: position: more exact than PostgreSQL, which gives none
SELECT * FROM t AS a(x, y, z, q, r, s, v, w);
SELECT sum(name) FROM t;
SELECT row_number() FROM t;
SELECT 1 UNION SELECT 'x';
SELECT CASE WHEN id > 1 THEN id ELSE 'x' END FROM t;

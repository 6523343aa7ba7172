-- What is greatest, least and ordered by its value, where the value is held as something else.
CREATE TYPE shade AS ENUM ('pale', 'deep', 'black');
CREATE TYPE part AS (name text, n int, m shade);
CREATE TABLE v (id int, x part, y part, g int, iv interval, jw interval, r numrange, s numrange, ds date[], ns numeric(10,2)[], es shade[], fs shade[], i int[], j int[]);
INSERT INTO v VALUES
 (1, ROW('b',10,'pale'), ROW('b',9,'pale'), 1, '1 mon', '30 days', '[9,10]', '[10,11]', '{2024-01-01}', '{9.5}', '{black}', '{deep}', '{10}', '{9}'),
 (2, ROW('b',9,'deep'), ROW('b',9,'black'), 2, '30 days', '1 mon', '[1,2]', '[1,2]', '{2023-12-31}', '{10.5}', '{pale,deep}', '{pale,black}', '{1,2}', '{1,2}'),
 (3, ROW('a',100,'deep'), ROW('b',2,'deep'), 3, '2 days', '1 day 24:00', '[5,7)', '[5,6]', '{}', '{}', '{}', '{pale}', '{}', '{}'),
 (4, NULL, ROW('z',1,NULL), 4, NULL, '1 year', NULL, '[1,2]', NULL, NULL, NULL, NULL, NULL, '{1}'),
 (5, ROW('b',9,'deep'), ROW('b',9,'deep'), 5, '720:00:00', '31 days', 'empty', '[3,4]', '{2024-01-01,2024-01-02}', '{9.5,1}', '{deep}', '{black}', '{2}', '{10}');
SELECT greatest('null'::jsonb, '"aa"'), least('null'::jsonb, '"aa"'), greatest('{"a":1}'::jsonb, '[1,2]'), greatest('10'::jsonb, '9'), least('[1]'::jsonb, NULL, '2');
SELECT least(interval '1 mon', interval '30 days'), greatest(interval '1 mon', interval '30 days'), greatest(interval '30 days', interval '1 mon', NULL);
SELECT greatest(ROW('b',10,'pale')::part, ROW('b',9,'pale')::part), least(ROW('b',10,'pale')::part, ROW('b',9,'pale')::part, NULL);
SELECT greatest('{{10}}'::int[][], '{{9}}'::int[][]), least('{{10}}'::int[][], '{{9}}'::int[][]);
SELECT id, greatest(x, y), least(x, y), greatest(iv, jw), least(iv, jw), greatest(r, s), least(r, s) FROM v ORDER BY id;
SELECT id, greatest(ds, '{2024-01-01}'), least(ns, '{9.60}'), greatest(es, fs), least(es, fs), greatest(i, j), least(i, j) FROM v ORDER BY id;
SELECT greatest(1.50, 1.5), least(1.5, 1.50), greatest(2, 1.50::numeric), greatest('(1,2)'::text, 'a');
SELECT greatest('10.0.0.9'::inet, '10.0.0.10'), least('10:00+02'::timetz, '09:00+01'), greatest(B'1', B'01'), greatest('2'::money, '10');
-- Rows beside rows.
SELECT id, (x, g) < (y, g), (x, g) <= (y, g), (x, g) = (y, g), (x, g) <> (y, g), (g, x) > (g, y), ROW(x, 1) < ROW(y, 1), ROW(x, 1) >= ROW(y, 1) FROM v ORDER BY id;
SELECT id, (r, g) < (s, g), (r, g) >= (s, g), (iv, g) = (jw, g), (iv, g) < (jw, g), (i, g) < (j, g), (es, g) < (fs, g) FROM v ORDER BY id;
SELECT id, ARRAY[es::text] = ARRAY[fs::text], ARRAY[es] < ARRAY[fs], ARRAY[x] < ARRAY[y], ARRAY[r] < ARRAY[s] FROM v ORDER BY id;
SELECT id FROM v WHERE iv IS NOT NULL ORDER BY (iv, id);
SELECT id FROM v WHERE x IS NOT NULL ORDER BY (x, id) DESC;
SELECT id, x > ALL (ARRAY[y]), x >= ANY (ARRAY[y, x]), x = ANY (ARRAY[y]), x <> ALL (ARRAY[y]) FROM v ORDER BY id;
SELECT id, x > ANY (SELECT y FROM v), x >= ALL (SELECT x FROM v WHERE x IS NOT NULL), x <= ALL (SELECT y FROM v) FROM v ORDER BY id;
SELECT id, ns >= ALL (SELECT ns FROM v WHERE ns IS NOT NULL), ds >= ALL (SELECT ds FROM v WHERE ds IS NOT NULL), es <= ALL (SELECT fs FROM v WHERE fs IS NOT NULL), i >= ALL (SELECT j FROM v) FROM v ORDER BY id;
SELECT id, iv >= ALL (SELECT iv FROM v WHERE iv IS NOT NULL), iv < ANY (SELECT jw FROM v), iv = ANY (SELECT jw FROM v), iv <> ALL (SELECT jw FROM v WHERE jw IS NOT NULL) FROM v ORDER BY id;
SELECT id, r >= ALL (SELECT r FROM v WHERE r IS NOT NULL), r < ANY (SELECT s FROM v) FROM v ORDER BY id;
SELECT id, iv IN (SELECT jw FROM v), x IN (SELECT y FROM v), x IN (y), i IN (j), ds IN (ds), iv IN (jw) FROM v ORDER BY id;
SELECT id, '{{1}}'::int[][] IN ('{{1}}', '{}'), '{}'::int[] IN ('{}'::int[][]), CASE WHEN id > 0 THEN '{}'::int[][] END IN (ARRAY[[1]], '{}') FROM v WHERE id < 3 ORDER BY id;
SELECT * FROM (VALUES ('{{10}}'::int[][]), ('{{9}}'), ('{{9,1}}'), ('{}')) AS t(a) UNION SELECT '{{100}}'::int[][] ORDER BY 1;
SELECT * FROM (VALUES ('{{10}}'::int[][]), ('{{9}}'), ('{{100}}')) AS t(a) INTERSECT SELECT * FROM (VALUES ('{{10}}'::int[][]), ('{{9}}')) AS t(a) ORDER BY 1;
SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY a), min(a), max(a), mode() WITHIN GROUP (ORDER BY a) FROM (VALUES ('{{10}}'::int[][]), ('{{9}}'), ('{{100}}'), (NULL)) AS t(a);
SELECT min(i), max(i), min(ds), max(ns), percentile_disc(0.5) WITHIN GROUP (ORDER BY i) FROM v;
SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY x), mode() WITHIN GROUP (ORDER BY x), mode() WITHIN GROUP (ORDER BY r), percentile_disc(0.4) WITHIN GROUP (ORDER BY r DESC) FROM v;
SELECT mode() WITHIN GROUP (ORDER BY n), mode() WITHIN GROUP (ORDER BY c), mode() WITHIN GROUP (ORDER BY z) FROM (VALUES ('10.0.0.10'::inet, '10.0.0.0/8'::cidr, '10:00+01'::timetz), ('10.0.0.9', '9.0.0.0/8', '09:00+00'), ('10.0.0.9', '9.0.0.0/8', '08:00-03')) AS t(n, c, z);
SELECT mode() WITHIN GROUP (ORDER BY n DESC), mode() WITHIN GROUP (ORDER BY k DESC) FROM (VALUES ('10.0.0.10'::inet, 1), ('10.0.0.9', 2)) AS t(n, k);
SELECT mode() WITHIN GROUP (ORDER BY j) = '1', mode() WITHIN GROUP (ORDER BY q) = 0.5 FROM (VALUES ('1'::jsonb, 1 / 2.0), ('2', 3 / 4.0), ('1.0', 1 / 2.00), ('2', 3 / 4.0), ('1.00', 0.5), (NULL, NULL), (NULL, NULL), (NULL, NULL), (NULL, NULL)) AS t(j, q);
SELECT id % 2, mode() WITHIN GROUP (ORDER BY r), mode() WITHIN GROUP (ORDER BY r) FILTER (WHERE id > 9) FROM v GROUP BY 1 ORDER BY 1;
SELECT x, count(*) FROM v GROUP BY x ORDER BY x NULLS FIRST;
SELECT DISTINCT i FROM v ORDER BY i;
-- A row that is not there.
SELECT cume_dist(3) WITHIN GROUP (ORDER BY x DESC), rank(3) WITHIN GROUP (ORDER BY x DESC), dense_rank(3) WITHIN GROUP (ORDER BY x DESC), percent_rank(3) WITHIN GROUP (ORDER BY x DESC) FROM (VALUES (1), (5), (NULL), (NULL)) AS t(x);
SELECT cume_dist(3) WITHIN GROUP (ORDER BY x), rank(3) WITHIN GROUP (ORDER BY x NULLS FIRST), dense_rank(3) WITHIN GROUP (ORDER BY x NULLS FIRST), percent_rank(3) WITHIN GROUP (ORDER BY x DESC NULLS LAST) FROM (VALUES (1), (5), (NULL), (NULL)) AS t(x);
SELECT rank(NULL) WITHIN GROUP (ORDER BY x), rank(NULL) WITHIN GROUP (ORDER BY x DESC), dense_rank(NULL) WITHIN GROUP (ORDER BY x), cume_dist(NULL) WITHIN GROUP (ORDER BY x NULLS FIRST), percent_rank(NULL) WITHIN GROUP (ORDER BY x) FROM (VALUES (1), (5), (NULL), (NULL)) AS t(x);
SELECT rank(2, 'paid') WITHIN GROUP (ORDER BY qty, status), dense_rank(2, 'paid') WITHIN GROUP (ORDER BY qty, status), cume_dist(2, 'paid') WITHIN GROUP (ORDER BY qty DESC, status), percent_rank(2, NULL) WITHIN GROUP (ORDER BY qty, status NULLS FIRST) FROM (VALUES (1, 'new'), (2, 'new'), (2, 'paid'), (2, 'paid'), (2, NULL), (3, 'x'), (NULL, 'new')) AS t(qty, status);
SELECT rank(2) WITHIN GROUP (ORDER BY x) FILTER (WHERE x < 5), dense_rank(4) WITHIN GROUP (ORDER BY x) FILTER (WHERE x > 1) FROM (VALUES (1), (5), (3), (3), (NULL)) AS t(x);
SELECT rank('5 days'::interval) WITHIN GROUP (ORDER BY x), rank(1.5) WITHIN GROUP (ORDER BY n), dense_rank('10.0.0.10'::inet) WITHIN GROUP (ORDER BY ip) FROM (VALUES ('1 mon'::interval, 1.0, '10.0.0.9'::inet), ('120:00', 1.5, '10.0.0.1'), ('4 days', 2, '10.0.0.11')) AS t(x, n, ip);
SELECT rank(1, 2) WITHIN GROUP (ORDER BY x) FROM (VALUES (1)) AS t(x);
SELECT rank(1) WITHIN GROUP (ORDER BY x, x) FROM (VALUES (1)) AS t(x);
SELECT rank('x') WITHIN GROUP (ORDER BY x) FROM (VALUES (1)) AS t(x);
SELECT cume_dist(1) WITHIN GROUP (ORDER BY x), rank(1) WITHIN GROUP (ORDER BY x), percent_rank(1) WITHIN GROUP (ORDER BY x) FROM v, (VALUES (1)) AS t(x) WHERE false;
DROP TABLE v;
DROP TYPE part;
DROP TYPE shade;

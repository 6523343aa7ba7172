-- Rows of functions in FROM, and rows of tables under other names.
CREATE TYPE rf_pair AS (a int, b text);
CREATE TABLE rf_held (id int, list rf_pair[]);
INSERT INTO rf_held VALUES (1, ARRAY[ROW(1,'x')::rf_pair, ROW(2,NULL)::rf_pair, NULL]), (2, '{}'), (3, NULL);
SELECT * FROM unnest(ARRAY[ROW(1,'x')::rf_pair, ROW(2,'y')::rf_pair]);
SELECT * FROM unnest(ARRAY[ROW(1,'x')::rf_pair]) AS u(p, q);
SELECT u.b, u.a + 1 FROM unnest(ARRAY[ROW(1,'x')::rf_pair]) u;
SELECT * FROM unnest(ARRAY[ROW(5,'x')::rf_pair, ROW(6,'z')::rf_pair]) WITH ORDINALITY AS u(p, q, n);
SELECT h.id, u.* FROM rf_held h, unnest(h.list) u ORDER BY 1, 2;
SELECT h.id, u.a FROM rf_held h LEFT JOIN LATERAL unnest(h.list) u ON true ORDER BY 1, 2;
SELECT row_to_json(u) FROM unnest(ARRAY[ROW(1,'x')::rf_pair]) u;
SELECT row_to_json(h) FROM rf_held h(k, l) WHERE k = 2;
SELECT h FROM rf_held h(k, l) WHERE k = 2;
SELECT to_json(q) FROM (SELECT 1 AS a) q(b);
SELECT id FROM rf_held WHERE ROW(id, 'a') BETWEEN ROW(1, 'b') AND ROW(2, 'b') ORDER BY id;
SELECT count(*) FROM rf_held h WHERE h.list IS NULL OR h.list BETWEEN ARRAY[ROW(0,'a')::rf_pair] AND ARRAY[ROW(9,'a')::rf_pair];

-- Subqueries in FROM whose lists hold subqueries, joined with others.
CREATE TABLE kinds (id int, parent int, label text);
CREATE TABLE parts (kind int, n int, part text);
INSERT INTO kinds VALUES (1, NULL, 'a'), (2, 1, 'b'), (3, 1, NULL), (4, 2, 'd'), (NULL, 3, 'e');
INSERT INTO parts VALUES (1, 1, 'x'), (1, 2, 'y'), (2, 1, 'z'), (3, 1, NULL), (5, 1, 'w');
WITH RECURSIVE tree (id, label, parts, depth) AS (
  SELECT k.id, k.label, k.parts, 0 FROM (SELECT k.id AS id, k.label AS label, (SELECT array_agg(p.part ORDER BY p.n) FROM parts p WHERE p.kind = k.id) AS parts FROM kinds k) k WHERE k.id = 1
  UNION ALL
  SELECT t.id, t.label, t.parts, r.depth + 1
  FROM (SELECT k.id AS id, k.parent AS parent, k.label AS label, (SELECT array_agg(p.part ORDER BY p.n) FROM parts p WHERE p.kind = k.id) AS parts FROM kinds k) t, tree r
  WHERE t.parent = r.id OR t.parent IS NULL AND r.id = 17
) SELECT * FROM tree ORDER BY depth, id;
SELECT q.id, q.n, o.part FROM (SELECT k.id, k.label, (SELECT count(*) FROM parts p WHERE p.kind = k.id) AS n FROM kinds k) q, parts o WHERE q.id = o.kind;
WITH w AS (SELECT q.id AS k, q.n + o.n, o.part || q.label AS both FROM (SELECT k.id, k.label, (SELECT count(*) FROM parts p WHERE p.kind = k.id) AS n FROM kinds k WHERE k.label IS NOT NULL OR k.id = 3) q, parts o WHERE q.id = o.kind OR o.part = 'w') SELECT * FROM w ORDER BY 1, 2, 3;
-- The same names on both sides, names that are another's, constants, all of it, and columns that are not there.
SELECT q.id, q.n, k.label FROM (SELECT k.id, (SELECT count(*) FROM parts p WHERE p.kind = k.id) AS n FROM kinds k) q, kinds k WHERE q.id = k.parent;
SELECT q.id, q.n, p.part FROM (SELECT k.id, (SELECT count(*) FROM parts p WHERE p.kind = k.id) AS n FROM kinds k) q, parts p WHERE q.id = p.kind;
SELECT id, o.n FROM (SELECT k.id, (SELECT max(p.part) FROM parts p WHERE p.kind = k.id) AS m FROM kinds k) q, parts o WHERE id = o.kind;
SELECT q.c, q.m FROM (SELECT 'x' AS c, k.id, (SELECT max(p.part) FROM parts p WHERE p.kind = k.id) AS m FROM kinds k) q, parts o WHERE q.id = o.kind ORDER BY 1, 2;
SELECT q.* FROM (SELECT k.id, (SELECT max(p.part) FROM parts p WHERE p.kind = k.id) AS m FROM kinds k) q, parts o WHERE q.id = o.kind ORDER BY 1, 2;
WITH w (a, b) AS (SELECT q.m, q.m FROM (SELECT k.id, (SELECT max(p.part) FROM parts p WHERE p.kind = k.id) AS m FROM kinds k) q, parts o WHERE q.id = o.kind) SELECT * FROM w ORDER BY 1, 2;
SELECT q.m FROM (SELECT k.id, (SELECT max(p.part) FROM parts p WHERE p.kind = k.id) AS m FROM kinds k) q, parts o WHERE q.m = o.part;
SELECT q.missing FROM (SELECT k.id, (SELECT max(p.part) FROM parts p WHERE p.kind = k.id) AS m FROM kinds k) q, parts o WHERE q.id = o.kind;
SELECT k.id FROM (SELECT k.id, (SELECT max(p.part) FROM parts p WHERE p.kind = k.id) AS m FROM kinds k) q, parts o WHERE q.id = o.kind;
SELECT o.n, (SELECT max(q.n) FROM (SELECT k.id, (SELECT o.n + count(*) FROM parts p WHERE p.kind = k.id) AS n FROM kinds k) q, parts o2 WHERE q.id = o2.kind AND o2.n = o.n) FROM parts o;
SELECT q.id, l.x FROM (SELECT k.id, (SELECT count(*) FROM parts p WHERE p.kind = k.id) AS n FROM kinds k) q, LATERAL (SELECT q.n + 1 AS x) l WHERE q.id > l.x - 3;

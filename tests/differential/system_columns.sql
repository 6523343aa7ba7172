-- Columns that every table has beside its own. There are no transactions and places of rows here.
CREATE TABLE a (id int, name text);
CREATE TABLE b (id int);
INSERT INTO a VALUES (1, 'one'), (2, 'two');
INSERT INTO b VALUES (2);
SELECT tableoid = 'a'::regclass AS own, id FROM a ORDER BY id;
SELECT a.tableoid::regclass, a.* FROM a ORDER BY a.id;
SELECT x.tableoid::regclass::text, y.tableoid::regclass::text, x.id FROM a x LEFT JOIN b y ON x.id = y.id ORDER BY x.id;
SELECT tableoid::regclass::text, count(*) FROM a GROUP BY tableoid;
SELECT relname FROM pg_class c, a WHERE c.oid = a.tableoid AND a.id = 1;
SELECT * FROM (SELECT tableoid::regclass::text AS tableoid, id FROM a) s ORDER BY id;
SELECT s.* FROM (SELECT tableoid = 'a'::regclass AS tableoid, id FROM a UNION ALL SELECT tableoid = 'b'::regclass, id FROM b) s ORDER BY 2, 1;
SELECT id FROM a WHERE tableoid = 'b'::regclass;
SELECT * FROM a, b WHERE a.tableoid <> b.tableoid ORDER BY 1;
SELECT tableoid FROM a, b;
SELECT tableoid FROM (SELECT 1 AS x) s;
SELECT xmin FROM (SELECT 1 AS xmin) s;
SELECT * FROM (SELECT 1 AS xmin, 2 AS ctid) s;
SELECT (a).id FROM a ORDER BY 1;
SELECT tableoid::regclass, relname FROM pg_class WHERE relname = 'pg_type';
SELECT c.tableoid::regclass, xmin IS NULL AS none FROM pg_class c WHERE relname = 'pg_type';
SELECT tableoid FROM pg_tables;
CREATE TABLE c (tableoid int);
CREATE TABLE c (ctid int);
-- differs: rows have no place
SELECT ctid FROM a;
-- differs: rows have no transaction
SELECT a.xmin FROM a;
-- differs: rows have no transaction
SELECT xmax, cmin, cmax FROM a;
CREATE VIEW v AS SELECT tableoid = 'a'::regclass AS own, id FROM a;
SELECT * FROM v ORDER BY id;

-- Columns of numbers that are shown as names: regclass, regtype and their like.
CREATE TABLE things (id int, c regclass, t regtype, p regproc, n regnamespace, r regrole);
CREATE TYPE mood AS ENUM ('ok');
INSERT INTO things VALUES (1, 'things', 'int', 'now', 'public', NULL);
INSERT INTO things VALUES (2, 'pg_class'::regclass, 'integer'::regtype, 'pg_catalog.version', 'pg_catalog', NULL), (3, NULL, NULL, NULL, NULL, NULL);
INSERT INTO things (id, c, t) SELECT 4, c.oid, t.oid FROM pg_class c, pg_type t WHERE c.relname = 'things' AND t.typname = 'mood';
INSERT INTO things (id, c, t) VALUES (5, 1259, 23), (6, '1259', '0');
INSERT INTO things (id, c) VALUES (9, 'missing');
INSERT INTO things (id, t) VALUES (9, 'missing');
INSERT INTO things (id, p) VALUES (9, 'missing');
INSERT INTO things (id, n) VALUES (9, 'missing');
SELECT * FROM things ORDER BY id;
SELECT id, c::text, t::text || '!', c::oid = 'things'::regclass::oid, n::oid FROM things WHERE id < 3 ORDER BY id;
SELECT id FROM things WHERE c = 'things'::regclass ORDER BY id;
-- differs: PostgreSQL takes the constant for an oid
SELECT id FROM things WHERE c = 'pg_class' ORDER BY id;
SELECT id FROM things WHERE t = 'mood'::regtype;
SELECT c, count(*) FROM things GROUP BY c ORDER BY count(*), c NULLS FIRST;
INSERT INTO things (id, c, t) VALUES (7, 'pg_type', 'text') RETURNING c, t, id;
INSERT INTO things (id, c) VALUES (8, 'pg_proc') RETURNING *;
PREPARE pt AS INSERT INTO things (id, c) VALUES ($1, $2) RETURNING c;
EXECUTE pt (10, 'things');
SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'things'::regclass AND attnum > 0 ORDER BY attnum;
CREATE TABLE things_default (id int, c regclass DEFAULT 'pg_class', t regtype DEFAULT 'int'::regtype);
INSERT INTO things_default (id) VALUES (1);
SELECT * FROM things_default;
ALTER TABLE things RENAME TO stuff;
SELECT c FROM stuff WHERE id = 1;
COPY (SELECT id, c, t FROM stuff WHERE id IN (1, 2) ORDER BY id) TO STDOUT;
COPY stuff (id, c) FROM STDIN;
20	1259
\.
SELECT c FROM stuff WHERE id = 20;

-- Writes, transactions and DDL that once went another way than in PostgreSQL.
-- errors: whole

-- A query string whose transaction command is refused stores nothing.
CREATE TABLE a1(x int);
INSERT INTO a1 VALUES (1); COMMIT AND CHAIN; SELECT 1;
INSERT INTO a1 VALUES (2); END AND CHAIN;
CREATE TABLE a2(x int); COMMIT AND CHAIN;
INSERT INTO a1 VALUES (3); ROLLBACK AND CHAIN; SELECT 1;
INSERT INTO a1 VALUES (4); SAVEPOINT s; SELECT 1;
SELECT * FROM a1;
SELECT * FROM a2;

-- Several statements of a query string are a transaction, also for SET TRANSACTION.
INSERT INTO a1 VALUES (5); SET TRANSACTION READ ONLY; INSERT INTO a1 VALUES (6);
SET TRANSACTION READ ONLY; INSERT INTO a1 VALUES (7);
SET transaction_read_only = on; INSERT INTO a1 VALUES (8);
SELECT * FROM a1;
SET transaction_read_only = on;
INSERT INTO a1 VALUES (9);
SELECT * FROM a1;
BEGIN; SET TRANSACTION READ ONLY; SAVEPOINT s; SET TRANSACTION READ WRITE;
ROLLBACK;
BEGIN; SAVEPOINT s; SET TRANSACTION ISOLATION LEVEL SERIALIZABLE;
ROLLBACK;
BEGIN; SAVEPOINT s; SET TRANSACTION DEFERRABLE;
ROLLBACK;

-- What is written wrong is found before anything runs.
INSERT INTO a1 VALUES (10); COMMIT; PREPARE q AS SELEC 1;
INSERT INTO a1 VALUES (10); COMMIT; SET x TO;
INSERT INTO a1 VALUES (10); COMMIT; CREATE VIEW v AS SELEC;
INSERT INTO a1 VALUES (10); COMMIT; ALTER TABLE a1 FROB;
INSERT INTO a1 VALUES (10); COMMIT; TRUNCATE;
INSERT INTO a1 VALUES (10); COMMIT; FETCH foo bar;
INSERT INTO a1 VALUES (10); COMMIT; EXECUTE;
INSERT INTO a1 VALUES (10); COMMIT; SAVEPOINT;
INSERT INTO a1 VALUES (10); COMMIT; DECLARE c CURSOR FOR INSERT INTO a1 VALUES (1);
INSERT INTO a1 VALUES (10); COMMIT; COPY a1 FRM STDIN;
INSERT INTO a1 VALUES (10); COMMIT; LOCK TABLE a1 IN foo MODE;
SELECT * FROM a1;
BEGIN; DECLARE c CURSOR FOR INSERT INTO a1 VALUES (1);
SET x TO;

-- A statement without parameters takes any.
PREPARE q AS SELECT 1;
EXECUTE q(1);
EXECUTE q(1, 'x', nothing);

-- Values of older rows.
CREATE TABLE j(a int);
INSERT INTO j VALUES (1);
ALTER TABLE j ADD w jsonb[] DEFAULT '{"{\"a\": 1}",NULL}';
ALTER TABLE j ADD w2 json[] DEFAULT '{"{\"a\": 1}",NULL}';
SELECT * FROM j;
INSERT INTO j VALUES (2);
SELECT * FROM j ORDER BY a;

-- NULL said for a column stands against its domain's default.
CREATE DOMAIN five AS int DEFAULT 5;
ALTER TABLE j ADD f five DEFAULT NULL;
INSERT INTO j(a) VALUES (3);
COPY j(a) FROM STDIN;
4
\.
SELECT a, f FROM j ORDER BY a;
CREATE TABLE jl (LIKE j INCLUDING ALL);
INSERT INTO jl(a) VALUES (1);
SELECT a, f FROM jl;
CREATE TABLE dj(a int, f five);
ALTER TABLE dj ALTER f SET DEFAULT NULL;
INSERT INTO dj(a) VALUES (1);
INSERT INTO dj VALUES (2, DEFAULT), (3, 3);
ALTER TABLE dj ALTER f DROP DEFAULT;
INSERT INTO dj(a) VALUES (4);
SELECT * FROM dj ORDER BY a;
SELECT adnum, pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = 'j'::regclass ORDER BY 1;

-- Numbers as oids.
CREATE TABLE o(a oid DEFAULT 1, b oid DEFAULT -1, c oid DEFAULT 4294967295, d oid DEFAULT '7');
INSERT INTO o DEFAULT VALUES;
SELECT * FROM o;
CREATE TABLE o2(a oid DEFAULT 5.5);

-- Tables of queries keep what their columns are.
CREATE TABLE ct(o oid, c "char", x xid, n name); INSERT INTO ct VALUES (1, 'x', '5', 'nm');
CREATE TABLE ct2 AS SELECT *, array_agg(o) OVER () AS l FROM ct;
SELECT * FROM ct2;
SELECT o, c, x, n INTO ct3 FROM ct;
SELECT * FROM ct3;
CREATE TEMP TABLE ct4 AS SELECT o, c, x, n FROM ct;
SELECT * FROM ct4;
CREATE DOMAIN posx AS int CHECK (value > 0) DEFAULT 7;
CREATE TABLE d1(a posx, b int); INSERT INTO d1 VALUES (1, 2);
CREATE TABLE d2 AS SELECT * FROM d1;
INSERT INTO d2 VALUES (-1);
INSERT INTO d2(b) VALUES (3);
SELECT * FROM d2 ORDER BY b;
CREATE TABLE d3 AS SELECT a AS z, b FROM (SELECT * FROM d1) s;
INSERT INTO d3 VALUES (-1);
SELECT a INTO d4 FROM d1;
INSERT INTO d4 VALUES (-1);
CREATE TABLE d5 AS SELECT a + 0 AS a FROM d1;
INSERT INTO d5 VALUES (-1);

-- An amount becomes a number, and its default with it.
CREATE TABLE m(a int, x money DEFAULT 5);
INSERT INTO m(a) VALUES (1);
ALTER TABLE m ALTER x TYPE numeric(10,2);
INSERT INTO m(a) VALUES (2);
SELECT * FROM m ORDER BY a;

-- All columns in the place of others.
CREATE TABLE oc(a int); INSERT INTO oc VALUES (5), (6);
ALTER TABLE oc ADD COLUMN b int DEFAULT 3, DROP COLUMN a;
INSERT INTO oc VALUES (7);
SELECT * FROM oc ORDER BY b;
ALTER TABLE oc ADD COLUMN b text, DROP COLUMN b;
SELECT * FROM oc;
BEGIN; CREATE TABLE oc2(a int); INSERT INTO oc2 VALUES (1); ALTER TABLE oc2 ADD b int, DROP a; INSERT INTO oc2 VALUES (2); COMMIT;
SELECT * FROM oc2 ORDER BY b;
BEGIN; CREATE TABLE oc3(a int); INSERT INTO oc3 VALUES (1), (2); ALTER TABLE oc3 ADD b int; INSERT INTO oc3 VALUES (3, 4); ALTER TABLE oc3 DROP a;
SELECT * FROM oc3 ORDER BY b;
COMMIT;
SELECT * FROM oc3 ORDER BY b;

-- A constraint that is NOT VALID asks nothing of the rows that are there, also where they are written anew.
CREATE TABLE nv(a int, b int); INSERT INTO nv VALUES (1, -1);
ALTER TABLE nv ADD CONSTRAINT c1 CHECK (b > 0) NOT VALID;
ALTER TABLE nv ADD COLUMN g int GENERATED ALWAYS AS (a + 1) STORED;
ALTER TABLE nv ALTER b TYPE numeric(9,2);
SELECT * FROM nv;
INSERT INTO nv VALUES (2, -5);
ALTER TABLE nv VALIDATE CONSTRAINT c1;

-- NO SCROLL means it, also once the rows are held; what failed is not run again.
CREATE TABLE cur(a int); INSERT INTO cur SELECT generate_series(1, 5);
BEGIN;
DECLARE c1 NO SCROLL CURSOR WITH HOLD FOR SELECT a FROM cur ORDER BY a;
DECLARE c2 NO SCROLL CURSOR WITH HOLD FOR SELECT a FROM cur ORDER BY a;
DECLARE c3 CURSOR WITH HOLD FOR SELECT a FROM cur ORDER BY a;
COMMIT;
FETCH 2 FROM c1;
FETCH 0 FROM c1;
FETCH 1 FROM c1;
FETCH 2 FROM c2;
FETCH ABSOLUTE 4 FROM c2;
FETCH BACKWARD 1 FROM c2;
FETCH NEXT FROM c2;
FETCH 2 FROM c3;
FETCH BACKWARD 1 FROM c3;
FETCH 0 FROM c3;
CLOSE ALL;

-- Schemas whose things need each other in several ways.
CREATE SCHEMA x1; CREATE SCHEMA x2; CREATE TYPE x1.m AS ENUM ('a','b'); CREATE TABLE x1.t(m x1.m); CREATE VIEW x1.v AS SELECT m FROM x1.t; CREATE VIEW x2.v AS SELECT m FROM x1.v;
DROP SCHEMA x1 CASCADE;
SELECT * FROM x2.v;
CREATE SCHEMA fz; CREATE DOMAIN fz.pos AS int; CREATE DOMAIN fz.pos2 AS fz.pos; CREATE DOMAIN fz.a0 AS fz.pos2;
DROP SCHEMA fz CASCADE;

-- Types are named without a schema that the path has.
CREATE SCHEMA fz; CREATE TYPE fz.mood AS ENUM ('a'); SET search_path = fz, public;
CREATE TABLE en(m mood);
INSERT INTO en VALUES ('zz');
SELECT 'zz'::mood;
SELECT x::mood FROM (VALUES ('zz'::text)) v(x);
COPY en FROM STDIN;
zz
\.
SET search_path = public;
INSERT INTO fz.en VALUES ('zz');
SELECT 'zz'::fz.mood;

-- Views that say pg_temp.
CREATE TEMP TABLE k1(a int, b text);
CREATE TEMP VIEW kv AS SELECT a FROM pg_temp.k1;
ALTER TABLE k1 RENAME TO k2;
SELECT * FROM kv;
ALTER TABLE k2 RENAME a TO aa;
SELECT * FROM kv;

-- What a cursor reads stays as it is.
CREATE TABLE open_one(a int); INSERT INTO open_one VALUES (1), (2);
BEGIN; DECLARE c CURSOR FOR SELECT * FROM open_one; FETCH 1 FROM c; TRUNCATE open_one;
ROLLBACK;
BEGIN; DECLARE c CURSOR FOR SELECT * FROM open_one; ALTER TABLE open_one ADD b int;
ROLLBACK;
BEGIN; DECLARE c CURSOR FOR SELECT * FROM open_one; DROP TABLE open_one;
ROLLBACK;
BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT * FROM open_one; ALTER TABLE open_one RENAME TO open_two; INSERT INTO open_two VALUES (3); COMMIT;
TRUNCATE open_two;
FETCH ALL FROM c;
CLOSE c;

-- Views follow a column whose name one of theirs has too.
CREATE TABLE named(k int, b int); INSERT INTO named VALUES (NULL, 1), (2, 2), (-1, 3);
CREATE VIEW names AS SELECT coalesce(k::text, '-') AS k, b FROM named WHERE coalesce(k, 0) >= 0;
CREATE VIEW sums AS SELECT sum(k) AS k, b % 2 AS b FROM named GROUP BY b % 2;
ALTER TABLE named RENAME k TO kk;
SELECT * FROM names ORDER BY b;
SELECT * FROM sums ORDER BY b;

-- A zero that is written as a number has no sign, one that is written as a float's text has.
CREATE TABLE zeros(a float8, b text, c real DEFAULT -0.0, d float8 DEFAULT -0, e float8 DEFAULT '-0');
INSERT INTO zeros VALUES (-0.0, -0.0), (-0, -0), (-0e5, -0.00), (-1e-5, -10);
INSERT INTO zeros VALUES ('-0', '-0', '-0', -0, -0.0);
SELECT * FROM zeros;

-- Generated columns.
CREATE TABLE g (a int, b int GENERATED ALWAYS AS (a * 2) STORED, c text, d text GENERATED ALWAYS AS (upper(c) || '!') STORED);
INSERT INTO g (a, c) VALUES (1, 'x'), (2, NULL), (NULL, 'z');
SELECT * FROM g ORDER BY a;
INSERT INTO g VALUES (5, DEFAULT, 'five', DEFAULT) RETURNING a, b, c, d;
INSERT INTO g VALUES (6) RETURNING b;
INSERT INTO g (a, b) VALUES (1, 3);
INSERT INTO g (a, b) VALUES (1, DEFAULT) RETURNING *;
INSERT INTO g VALUES (1, 2, 'x');
INSERT INTO g (a, c) SELECT a + 100, c FROM g WHERE a IS NOT NULL RETURNING a, b, d;
INSERT INTO g (b) SELECT 1;
INSERT INTO g DEFAULT VALUES RETURNING *;
SELECT count(*), sum(b) FROM g;
SELECT attname, attgenerated, atthasdef FROM pg_attribute WHERE attrelid = 'g'::regclass AND attnum > 0 ORDER BY attnum;
SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = 'g'::regclass AND adnum = 2;
SELECT column_name, column_default, is_generated, generation_expression FROM information_schema.columns WHERE table_name = 'g' AND column_name IN ('a', 'b') ORDER BY 1;
-- differs: errors of generation expressions have no position
CREATE TABLE bad (a int, b int GENERATED ALWAYS AS (a + 1) STORED, c int GENERATED ALWAYS AS (b + 1) STORED);
-- differs: errors of generation expressions have no position
CREATE TABLE bad (a int, b int DEFAULT 1 GENERATED ALWAYS AS (a + 1) STORED);
CREATE TABLE bad (a int, b timestamptz GENERATED ALWAYS AS (now()) STORED);
-- differs: errors of generation expressions have another position
CREATE TABLE bad (a int, b int GENERATED ALWAYS AS (nothing + 1) STORED);
CREATE TABLE checked (a int, b int GENERATED ALWAYS AS (a * a) STORED NOT NULL CHECK (b < 100));
INSERT INTO checked VALUES (3), (4);
INSERT INTO checked VALUES (10);
INSERT INTO checked VALUES (NULL);
INSERT INTO checked VALUES (100000);
SELECT * FROM checked ORDER BY a;
ALTER TABLE g ALTER COLUMN b SET DEFAULT 3;
ALTER TABLE g ALTER COLUMN a TYPE bigint;
ALTER TABLE g RENAME COLUMN a TO aa;
INSERT INTO g (aa) VALUES (50) RETURNING b;
ALTER TABLE g DROP COLUMN aa;
ALTER TABLE g DROP COLUMN aa CASCADE;
SELECT column_name FROM information_schema.columns WHERE table_name = 'g' ORDER BY ordinal_position;
CREATE TABLE copied (LIKE checked INCLUDING GENERATED);
INSERT INTO copied (a) VALUES (7) RETURNING b;
CREATE TABLE plain (LIKE checked);
INSERT INTO plain VALUES (7, 1) RETURNING b;
BEGIN;
CREATE TABLE own (a int, b int GENERATED ALWAYS AS (a + 1) STORED);
INSERT INTO own VALUES (1);
SELECT * FROM own;
ALTER TABLE own ADD COLUMN c text GENERATED ALWAYS AS (a::text) STORED;
ROLLBACK;
CREATE TABLE fresh (a int);
ALTER TABLE fresh ADD COLUMN b int GENERATED ALWAYS AS (a + 1) STORED;
INSERT INTO fresh VALUES (41) RETURNING b;
CREATE TEMP TABLE mine (a int, b int GENERATED ALWAYS AS (-a) STORED);
INSERT INTO mine SELECT generate_series(1, 5);
SELECT sum(b) FROM mine;
-- privileges
GRANT SELECT, INSERT ON fresh TO PUBLIC;
GRANT ALL ON SCHEMA public TO tester WITH GRANT OPTION;
REVOKE ALL ON fresh FROM PUBLIC;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO PUBLIC;
GRANT SELECT (a) ON TABLE fresh TO PUBLIC;
GRANT SELECT ON nowhere TO PUBLIC;
GRANT SELECT ON fresh TO nobody_there;
GRANT USAGE ON SCHEMA nowhere TO PUBLIC;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO PUBLIC;
ALTER TABLE fresh OWNER TO CURRENT_USER;
ALTER TABLE fresh OWNER TO nobody_there;
-- Defaults that compute with numbers.
CREATE SEQUENCE orders START 100;
CREATE TABLE numbered (id text DEFAULT 'A' || nextval('orders'), n bigint DEFAULT nextval('orders') * 10, v int);
INSERT INTO numbered (v) VALUES (1), (2) RETURNING v, id ~ '^A[0-9]+$', n % 10;
INSERT INTO numbered (v) SELECT generate_series(3, 5);
SELECT count(DISTINCT id), count(DISTINCT n), count(*) FROM numbered;
INSERT INTO numbered VALUES (DEFAULT, 1, 9) RETURNING length(id), n, v;
ALTER SEQUENCE orders RENAME TO renamed;
INSERT INTO numbered (v) VALUES (6) RETURNING length(id);
DROP SEQUENCE renamed;
-- differs: the position is the expression's
CREATE TABLE wrong (id text DEFAULT 'A' || nextval('nowhere'));
-- LIKE beside other columns.
CREATE TABLE one (a int DEFAULT 5, b text NOT NULL);
CREATE TABLE two (c date);
CREATE TABLE mixed (id int, LIKE one INCLUDING DEFAULTS, at text DEFAULT 'é', LIKE two, CHECK (id > 0));
INSERT INTO mixed (id, b) VALUES (1, 'x') RETURNING *;
INSERT INTO mixed (id, b) VALUES (-1, 'x');
CREATE TABLE first (LIKE one, more int, UNIQUE (more));
INSERT INTO first VALUES (1, 'b', 2) RETURNING *;
CREATE TABLE both_of (LIKE one, LIKE two);
SELECT column_name FROM information_schema.columns WHERE table_name = 'both_of' ORDER BY ordinal_position;
CREATE TABLE twice (a int, LIKE one);
CREATE TABLE missing (LIKE nowhere, a int);

-- Errors of constraints with all their fields, names that are made, defaults as they are shown, and small things.
-- errors: whole
CREATE TABLE strict (id int NOT NULL, n int CHECK (n > 0), t text, c char(4), d date);
INSERT INTO strict VALUES (NULL, 2, 'abc', 'ab', '2024-1-2');
INSERT INTO strict VALUES (1, -2, 'abc', 'ab', '2024-1-2');
INSERT INTO strict SELECT NULL, 2, 'abc', 'ab', '2024-01-02';
COPY strict FROM STDIN;
\N	2	abc	ab	2024-1-2
\.
COPY strict FROM STDIN;
1	-2	abc	ab	2024-1-2
\.
COPY strict FROM STDIN (FORMAT csv);
,2,"a very long text that Postgres cuts behind its sixty-fourth byte, as it says",ab,2024-1-2
\.
CREATE SCHEMA far;
CREATE TABLE far.strict (id int NOT NULL, n int, CONSTRAINT positive CHECK (n > 0));
INSERT INTO far.strict VALUES (NULL, 1);
INSERT INTO far.strict VALUES (1, 0);
COPY far.strict FROM STDIN;
\N	2
\.
COPY far.strict FROM STDIN;
1	0
\.
ALTER TABLE strict ALTER COLUMN n SET NOT NULL;
INSERT INTO strict (id, t) VALUES (1, 'x');
CREATE TABLE named (a int, b int CHECK (b > a), c int CHECK (c > 0), d int CHECK (true), e int CHECK (e > 0 AND e < 10), f int CONSTRAINT own CHECK (f > a));
SELECT conname, pg_get_constraintdef(oid) AS def FROM pg_constraint WHERE conrelid = 'named'::regclass ORDER BY conname;
ALTER TABLE named ADD COLUMN g int CHECK (g > a), ADD COLUMN h int CHECK (h > 0);
SELECT conname FROM pg_constraint WHERE conrelid = 'named'::regclass ORDER BY conname;
CREATE TABLE given (id int, g numeric(5,2) DEFAULT 1.239, h numeric(5,2) DEFAULT -1.239, i numeric(5,2) DEFAULT 1.50, j text DEFAULT current_date::TEXT, k timestamp DEFAULT CURRENT_TIMESTAMP, l int DEFAULT 1 + 2, m text DEFAULT upper('x'), n timestamptz DEFAULT now(), o numeric(5,2) DEFAULT 0, p date DEFAULT current_date, q text DEFAULT 'a' || 'b');
SELECT a.attname, pg_get_expr(d.adbin, d.adrelid) AS full_text, pg_get_expr(d.adbin, d.adrelid, true) AS pretty, pg_get_expr(d.adbin, d.adrelid, false) AS full_too FROM pg_attrdef d JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum WHERE d.adrelid = 'given'::regclass ORDER BY a.attnum;
SELECT column_name, column_default FROM information_schema.columns WHERE table_name = 'given' ORDER BY ordinal_position;
INSERT INTO given (id) VALUES (1);
SELECT g, h, i, j = current_date::text AS j, l, m, o, q FROM given;
CREATE TABLE small (i int, s smallint, b bigint, n numeric(5,2));
INSERT INTO small (i) VALUES (99999999999);
INSERT INTO small (s) VALUES (99999);
INSERT INTO small (i) VALUES (-99999999999);
INSERT INTO small (i) VALUES ('99999999999');
INSERT INTO small (b) VALUES (99999999999999999999);
INSERT INTO small VALUES (2147483647, 32767, 9223372036854775807, 1.005), (-2147483648, -32768, -9223372036854775807, -1);
SELECT * FROM small ORDER BY i;
SELECT make_date(2020, 2, 30);
SELECT make_date(2020, 13, 1);
SELECT make_date(2020, 2, 29) AS d;
SELECT 1 BETWEEN SYMMETRIC 3 AND 0 AS a, 1 NOT BETWEEN SYMMETRIC 3 AND 0 AS b, 5 BETWEEN SYMMETRIC 3 AND 0 AS c, 1 BETWEEN ASYMMETRIC 3 AND 0 AS d, 2 BETWEEN SYMMETRIC 1 + 2 AND 0 AND true AS e, NULL BETWEEN SYMMETRIC 1 AND 2 AS f;
SELECT i FROM small WHERE i BETWEEN SYMMETRIC 3000000000 AND 5 ORDER BY i;
SELECT i, count(*) FROM small;
SELECT x.i, count(*) FROM small x;
SELECT i, count(*) FROM small AS y GROUP BY s;
SELECT x.i, y.s FROM small x, small y GROUP BY x.i;

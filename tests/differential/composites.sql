-- Composite types as columns of tables: written, read, compared, described, changed.
CREATE TYPE addr AS (street text, no int);
CREATE TYPE mood AS ENUM ('sad', 'ok', 'glad');
CREATE TYPE inner_row AS (x int, y text);
CREATE TYPE whole AS (b boolean, i2 smallint, i8 bigint, f4 real, f8 double precision, n numeric(10,2), t text, v varchar(5), c char(4), by bytea, d date, tm time, ts timestamp, tz timestamptz, iv interval, u uuid, j json, jb jsonb, m mood, ip inet, r int4range, ar int[], inr inner_row, inrs inner_row[]);
CREATE TABLE t (id int, a addr, w whole, l addr[]);
INSERT INTO t VALUES (1, ROW('x', 1), NULL, NULL), (2, '(y,2)', '(,,,,,,,,,,,,,,,,,,,,,,,)', '{}'), (3, NULL, NULL, '{"(a,1)",NULL,"(,)","(\"b, c\",2)"}'), (4, '(,)', NULL, ARRAY[ROW('p', 1)::addr, ROW('q', NULL)::addr]);
INSERT INTO t (id, w) VALUES (5, ROW(true, 1, 2, 1.5, -0.25, 3.14159, 'a "q", \ (z)', 'vwxyz', 'ab', '\x00ff', '2024-02-29', '10:11:12.5', '2024-02-29 01:02:03', '2024-02-29 01:02:03+02', '-1 year 2 days -03:00', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"a": [1, 2]}', '{"b": 1, "a": 2}', 'ok', '10.0.0.1/8', '[1,5)', '{1,NULL,3}', ROW(7, 'seven'), ARRAY[ROW(1, 'one')::inner_row]));
INSERT INTO t (id, w) VALUES (6, '(t,1,2,1.5,-0.25,3.14,"a ""q""",vwxyz,ab,"\\x00ff",2024-02-29,10:11:12.5,"2024-02-29 01:02:03","0044-03-15 01:02:03+00 BC","1 day",a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11,"{""a"": [1]}","{""b"": 1, ""a"": 2}",glad,10.0.0.1,"[2,4]","{1,2}","(8,""e i"")","{""(1,a)"",NULL}")');
SELECT * FROM t ORDER BY id;
SELECT id, (a).street, (a).no + 1, (w).n, (w).d, (w).tz, (w).by, (w).m, (w).ar, (w).inr, ((w).inr).y, (w).inrs FROM t ORDER BY id;
SELECT (a).* FROM t ORDER BY id;
SELECT (t.a).street, (l[1]).no, l[2] FROM t ORDER BY id;
SELECT id FROM t WHERE (a).no > 1 ORDER BY id;
SELECT (a).missing FROM t;
SELECT a.street FROM t;
SELECT a IS NULL, a IS NOT NULL, l IS NULL FROM t ORDER BY id;
SELECT id, a = ROW('x', 1)::addr, a <> ROW('y', 2)::addr, a < ROW('y', 1)::addr, a IS DISTINCT FROM ROW('x', 1)::addr FROM t ORDER BY id;
SELECT a FROM t ORDER BY a DESC NULLS LAST, id;
SELECT a, count(*) FROM t GROUP BY a ORDER BY a;
SELECT count(DISTINCT a), count(a), array_agg(a ORDER BY id) FROM t;
SELECT x.id, y.id FROM t x JOIN t y ON x.a = y.a ORDER BY 1, 2;
SELECT a FROM t WHERE a IN (ROW('x', 1)::addr, ROW('y', 2)::addr) ORDER BY a;
SELECT a FROM t UNION SELECT ROW('x', 1)::addr ORDER BY 1;
SELECT to_json(a), to_jsonb(l) FROM t WHERE id < 4 ORDER BY id;
SELECT row_to_json(x) FROM (SELECT id, a FROM t WHERE id < 4) x ORDER BY id;
SELECT coalesce(a, ROW('none', 0)::addr), CASE WHEN id = 1 THEN a END FROM t ORDER BY id;
SELECT a::text, a::text || '!', l::text FROM t ORDER BY id;
SELECT unnest(l) FROM t WHERE id = 3;
SELECT (x).street FROM (SELECT unnest(l) AS x FROM t WHERE id = 3) s;
SELECT pg_typeof(a), pg_typeof(l), pg_typeof((w).inr) FROM t WHERE id = 1;
SELECT '(1,x)'::text::inner_row, t.s::inner_row FROM (VALUES ('(2,y)'), (NULL)) AS t(s);
SELECT ('(1,x)'::text::inner_row).x + 1;
SELECT s::inner_row FROM (VALUES ('(2')) AS t(s);
SELECT s::inner_row FROM (VALUES ('(2,3,4)')) AS t(s);
SELECT s::inner_row FROM (VALUES ('(a,b)')) AS t(s);
SELECT 5::inner_row;
-- What does not fit.
INSERT INTO t (a) VALUES (ROW('x', 1, 2));
INSERT INTO t (a) VALUES (ROW('x'));
-- differs: the position is that of the row
INSERT INTO t (a) VALUES (ROW('x', now()));
INSERT INTO t (a) VALUES (5);
INSERT INTO t (a) VALUES ('(a');
INSERT INTO t (a) VALUES ('(a,b)');
INSERT INTO t (a) VALUES ('(a,1,2)');
INSERT INTO t (a) SELECT ROW('s', 9) FROM t WHERE id = 1;
INSERT INTO t (id, a) SELECT 10, ROW('s', 9)::addr UNION ALL SELECT 11, NULL;
SELECT id, a FROM t WHERE id >= 10 ORDER BY id;
INSERT INTO t (id, w) SELECT 12, ROW(NULL, 1, 2, 1.5, 2.5, 3, 'a', 'b', 'c', NULL, date '2024-01-02', NULL, NULL, timestamptz '2024-01-02 03:04:05+00', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)::whole;
SET TimeZone = 'America/New_York';
SELECT w, w::text, (w).tz FROM t WHERE id = 12;
SET DateStyle = 'SQL, DMY';
SELECT w FROM t WHERE id = 5;
SET IntervalStyle = 'iso_8601';
SET bytea_output = 'escape';
SET extra_float_digits = 0;
SELECT w FROM t WHERE id = 5;
RESET DateStyle;
RESET IntervalStyle;
RESET bytea_output;
RESET extra_float_digits;
SET TimeZone = 'Europe/Berlin';
INSERT INTO t (id, w) VALUES (13, ROW(NULL, 1, 2, 1.5, 2.5, 3, 'a', 'b', 'c', NULL, NULL, NULL, NULL, '2024-07-01 12:00', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL));
RESET TimeZone;
SELECT w FROM t WHERE id = 13;
-- COPY.
COPY (SELECT id, a, l FROM t ORDER BY id) TO STDOUT;
COPY (SELECT id, a, l FROM t ORDER BY id) TO STDOUT (FORMAT csv);
COPY (SELECT w FROM t WHERE id = 5) TO STDOUT;
COPY (SELECT a FROM t WHERE id < 5 ORDER BY id) TO STDOUT (FORMAT binary);
COPY t (id, a, l) FROM STDIN;
20	(c,1)	{"(d,2)"}
21	\N	\N
22	("e, f",)	{}
\.
COPY t (id, a) FROM STDIN (FORMAT csv);
23,"(g,3)"
24,
\.
COPY t (id, a) FROM STDIN;
25	(c
\.
COPY t (id, a) FROM STDIN;
25	(c,x)
\.
SELECT id, a, l FROM t WHERE id >= 20 ORDER BY id;
-- Defaults, checks, NOT NULL, other tables.
CREATE TABLE d (id int, a addr DEFAULT '(d,5)', b addr NOT NULL DEFAULT ROW('e', 6), CHECK ((a).no > 0));
INSERT INTO d (id) VALUES (1);
INSERT INTO d VALUES (2, DEFAULT, '(z,1)');
INSERT INTO d VALUES (3, '(z,-1)', '(z,1)');
INSERT INTO d VALUES (3, '(z,1)', NULL);
SELECT * FROM d ORDER BY id;
ALTER TABLE d ADD COLUMN c addr;
ALTER TABLE d ADD COLUMN e addr DEFAULT ROW('new', 1);
INSERT INTO d (id) VALUES (4);
SELECT * FROM d ORDER BY id;
SELECT column_name, data_type, udt_schema, udt_name, is_nullable FROM information_schema.columns WHERE table_name IN ('t', 'd') ORDER BY 1, 2;
SELECT attname, format_type(atttypid, atttypmod), attlen, attalign, attstorage, attbyval, attndims, attcollation FROM pg_attribute WHERE attrelid = 't'::regclass AND attnum > 0 ORDER BY attnum;
SELECT typname, typtype, typcategory, typlen, typrelid <> 0, typarray <> 0 FROM pg_type WHERE typname IN ('addr', '_addr', 'inner_row', 'whole') ORDER BY 1;
SELECT attribute_name, ordinal_position, data_type, attribute_udt_name FROM information_schema.attributes WHERE udt_name IN ('addr', 'inner_row') ORDER BY udt_name, 2;
CREATE TABLE made AS SELECT id, a, l, (a).no FROM t WHERE id < 5;
SELECT * FROM made ORDER BY id;
SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'made'::regclass AND attnum > 0 ORDER BY attnum;
CREATE VIEW taken_apart AS SELECT id, (a).street FROM t WHERE id < 5;
SELECT * FROM taken_apart ORDER BY id;
DROP VIEW taken_apart;
CREATE VIEW shown AS SELECT id, a FROM t WHERE id < 5;
SELECT * FROM shown ORDER BY id;
SELECT (a).no FROM shown ORDER BY id;
-- Changing the type.
CREATE TYPE pt AS (x int, y int);
ALTER TYPE pt ADD ATTRIBUTE z int, DROP ATTRIBUTE x, ALTER ATTRIBUTE y TYPE text;
SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'pt'::regclass AND NOT attisdropped ORDER BY attnum;
SELECT ('(a,1)'::pt).y, ROW('b', 2)::pt;
ALTER TYPE pt RENAME ATTRIBUTE y TO yy;
SELECT ('(a,1)'::pt).yy;
ALTER TYPE pt ADD ATTRIBUTE z int;
ALTER TYPE pt DROP ATTRIBUTE nothing;
ALTER TYPE pt DROP ATTRIBUTE IF EXISTS nothing;
ALTER TYPE pt ADD ATTRIBUTE self pt;
ALTER TYPE pt ADD ATTRIBUTE selves pt[];
ALTER TYPE pt ADD ATTRIBUTE q missing;
ALTER TYPE pt RENAME ATTRIBUTE nothing TO something;
ALTER TYPE pt RENAME ATTRIBUTE z TO yy;
ALTER TYPE mood ADD ATTRIBUTE x int;
ALTER TYPE nothing ADD ATTRIBUTE x int;
ALTER TYPE addr ALTER ATTRIBUTE no TYPE bigint;
ALTER TYPE inner_row ALTER ATTRIBUTE x TYPE bigint;
-- differs: rows hold the text of their fields as they were when they were written
ALTER TYPE addr ADD ATTRIBUTE zip text;
-- differs: rows hold the labels that they were written with
ALTER TYPE mood RENAME VALUE 'ok' TO 'fine';
ALTER TYPE addr RENAME ATTRIBUTE no TO num;
SELECT (a).num FROM t WHERE id < 3 ORDER BY id;
ALTER TYPE addr RENAME TO address;
SELECT pg_typeof(a), (a).street FROM made WHERE id = 1;
DROP TYPE address;
DROP TYPE inner_row;
DROP TABLE t, d, made CASCADE;
DROP TYPE address, whole, inner_row, mood, pt;

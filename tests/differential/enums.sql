-- Enums: labels in their order, in every place where a value can stand.
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TYPE mood AS ENUM ('x');
CREATE TYPE public.mood AS ENUM ('x');
CREATE TYPE twice AS ENUM ('a', 'b', 'a');
CREATE TYPE empty AS ENUM ();
CREATE TYPE "Quoted Type" AS ENUM ('it''s', 'b"c', 'd\e', 'ü', '');
CREATE TYPE nowhere.mood AS ENUM ('x');
CREATE TYPE t AS ENUM ('a' 'b');
CREATE TYPE mood;
SELECT 'sad'::mood, CAST('ok' AS mood), mood 'happy', NULL::mood;
SELECT 'x'::mood;
SELECT 'sad '::mood;
SELECT ''::"Quoted Type", 'it''s'::"Quoted Type", 'd\e'::"Quoted Type", 'b"c'::"Quoted Type";
SELECT 'x'::empty;
SELECT 'sad'::mood < 'ok', 'ok'::mood > 'happy'::mood, 'ok'::mood = 'ok', 'ok'::mood <> 'sad', 'happy'::mood BETWEEN 'sad' AND 'ok';
SELECT 'sad'::mood IN ('ok', 'sad'), 'sad'::mood = ANY (ARRAY['ok', 'sad']::mood[]), 'sad'::mood = ANY ('{ok,happy}'), 'ok'::mood IS DISTINCT FROM 'ok';
SELECT 'sad'::mood = 'x';
SELECT 'sad'::mood = 'sad'::text;
SELECT 'sad'::mood = 1;
SELECT 'sad'::mood = 'it''s'::"Quoted Type";
-- differs: the position is the value's, not the operator's
SELECT 'sad'::mood::"Quoted Type";
-- differs: the position is the value's, not the operator's
SELECT 1::mood;
-- differs: the position is the value's, not the operator's
SELECT 'sad'::mood::int;
SELECT 'sad'::mood::text || '!', 'sad'::mood || '!', length('sad'::mood::text), upper('happy'::mood::text), concat('ok'::mood, 1);
SELECT length('sad'::mood);
-- differs: the position is the value's, not the operator's
SELECT 'sad'::mood LIKE 's%';
SELECT enum_range(NULL::mood), enum_first(NULL::mood), enum_last('sad'::mood), enum_range('ok'::mood, NULL), enum_range(NULL, 'ok'::mood), enum_range('ok'::mood, 'happy'::mood), enum_range('happy'::mood, 'sad'::mood);
SELECT unnest(enum_range(NULL::mood));
SELECT * FROM unnest(enum_range(NULL::mood)) WITH ORDINALITY AS u(label, n);
SELECT enum_range(NULL::empty), enum_first(1);
SELECT enum_range(NULL::empty);
SELECT enum_first(NULL::empty);
SELECT enum_first('sad');
SELECT greatest('sad'::mood, 'happy', 'ok'), least('happy'::mood, 'ok'), coalesce(NULL, 'ok'::mood), nullif('ok'::mood, 'ok'), CASE WHEN true THEN 'sad'::mood ELSE 'ok' END;
CREATE TABLE p (id int, m mood NOT NULL DEFAULT 'ok', n "Quoted Type", a mood[], d mood DEFAULT 'sad'::mood);
INSERT INTO p (id) VALUES (1);
INSERT INTO p (id) VALUES (1) RETURNING *;
INSERT INTO p (id, n) VALUES (1, 'it''s'), (2, '');
INSERT INTO p VALUES (3, 'sad', 'ü', '{sad,happy,NULL}', 'happy'), (4, 'happy', NULL, ARRAY['ok', 'ok']::mood[], NULL) RETURNING m, a, n;
-- differs: errors of values carry no position
INSERT INTO p VALUES (5, 'x');
-- differs: errors of values carry no position
INSERT INTO p VALUES (5, 'sad', NULL, '{sad,x}');
INSERT INTO p VALUES (5, NULL);
INSERT INTO p VALUES (5, 1);
INSERT INTO p VALUES (5, 'sad'::text);
INSERT INTO p (id, m) SELECT 6, 'happy';
INSERT INTO p (id, m) SELECT 7, x FROM unnest(enum_range(NULL::mood)) x WHERE x > 'sad';
-- differs: the position is the query's
INSERT INTO p (id, m) SELECT 8, 'ok'::text;
INSERT INTO p (id, m) SELECT 8, ('o' || 'k')::mood;
INSERT INTO p (id, m) SELECT 9, (x || 'k')::mood FROM (VALUES ('o'), ('x')) v(x);
SELECT id, m, n, a, d FROM p ORDER BY m, id, d, n;
SELECT id, m FROM p ORDER BY m DESC, id;
SELECT min(m), max(m), count(DISTINCT m), array_agg(m ORDER BY m), string_agg(m::text, ',' ORDER BY m, id) FROM p;
SELECT m, count(*) FROM p GROUP BY m ORDER BY m;
SELECT DISTINCT m FROM p ORDER BY 1 DESC;
SELECT id FROM p WHERE m < 'happy' ORDER BY id;
SELECT id FROM p WHERE m >= 'ok' AND m <> 'happy' ORDER BY id;
SELECT id FROM p WHERE m = 'sad';
SELECT id FROM p WHERE m IN ('sad', 'happy') ORDER BY id;
SELECT id FROM p WHERE m BETWEEN 'ok' AND 'happy' ORDER BY id, m;
SELECT id, a[1], a[1] < 'happy', 'happy' = ANY (a), cardinality(a), array_length(a, 1) FROM p WHERE a IS NOT NULL ORDER BY id;
SELECT id, m, row_number() OVER (ORDER BY m, id, n), lag(m) OVER (ORDER BY m, id, n), rank() OVER (ORDER BY m DESC) FROM p ORDER BY m, id, n;
SELECT m FROM p WHERE id < 4 UNION SELECT 'sad' ORDER BY 1;
SELECT p.id, q.m FROM p JOIN (VALUES ('sad'::mood), ('happy')) q(m) ON p.m = q.m ORDER BY 1, 2;
-- differs: not yet: rows compare by their text
SELECT m, n FROM p ORDER BY (m, id) LIMIT 2;
SELECT min(m) FROM p WHERE m > 'happy';
SELECT DISTINCT ON (m) m, id FROM p ORDER BY m, id DESC;
-- differs: not yet: pg_typeof gives text
SELECT pg_typeof('sad'::mood), pg_typeof(ARRAY['sad']::mood[]);
SELECT json_build_object('m', m) FROM p WHERE id = 3;
SELECT to_json(m), row_to_json(x) FROM (SELECT m, a FROM p WHERE id = 3) x;
-- Labels that come, and change their names.
ALTER TYPE mood ADD VALUE 'elated';
ALTER TYPE mood ADD VALUE 'glum' BEFORE 'ok';
ALTER TYPE mood ADD VALUE 'fine' AFTER 'ok';
ALTER TYPE mood ADD VALUE 'fine';
ALTER TYPE mood ADD VALUE IF NOT EXISTS 'fine';
ALTER TYPE mood ADD VALUE 'y' BEFORE 'z';
ALTER TYPE missing ADD VALUE 'y';
ALTER TYPE p ADD VALUE 'y';
SELECT enum_range(NULL::mood);
INSERT INTO p (id, m) VALUES (10, 'glum'), (11, 'elated'), (12, 'fine');
SELECT id, m FROM p WHERE m > 'sad' ORDER BY m, id, n;
ALTER TYPE mood RENAME VALUE 'sad' TO 'blue';
ALTER TYPE mood RENAME VALUE 'sad' TO 'x';
ALTER TYPE mood RENAME VALUE 'blue' TO 'ok';
SELECT id, m, a, d FROM p WHERE m = 'blue' OR d = 'blue' ORDER BY id, n;
SELECT id FROM p WHERE m = 'sad';
SELECT min(m), 'blue' < min(m) FROM p;
INSERT INTO p (id, m) VALUES (13, 'blue');
INSERT INTO p (id) VALUES (14) RETURNING m, d;
SELECT id, m FROM p WHERE m <= 'blue' ORDER BY id;
SELECT column_default FROM information_schema.columns WHERE table_name = 'p' AND column_name IN ('m', 'd') ORDER BY 1;
BEGIN; ALTER TYPE mood ADD VALUE 'new'; ROLLBACK;
SELECT enum_last(NULL::mood);
BEGIN; CREATE TYPE inner_type AS ENUM ('a', 'b'); CREATE TABLE inner_table (x inner_type); INSERT INTO inner_table VALUES ('b'), ('a'); SELECT x FROM inner_table ORDER BY x; COMMIT;
SELECT x FROM inner_table ORDER BY x DESC;
-- What tools ask.
SELECT t.typname, t.typtype, t.typcategory, t.typlen, t.typbyval, t.typalign, t.typstorage, a.typname AS arr, t.typinput, a.typinput AS arr_in FROM pg_type t JOIN pg_type a ON a.oid = t.typarray WHERE t.typname = 'mood';
SELECT e.enumlabel FROM pg_enum e JOIN pg_type t ON t.oid = e.enumtypid WHERE t.typname = 'mood' ORDER BY e.enumsortorder;
SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attlen, a.attndims, a.attbyval, a.attalign FROM pg_attribute a WHERE a.attrelid = 'p'::regclass AND a.attnum > 0 ORDER BY attnum;
SELECT column_name::text, data_type::text, udt_schema::text, udt_name::text FROM information_schema.columns WHERE table_name = 'p' ORDER BY ordinal_position;
SELECT 'mood'::regtype, 'mood[]'::regtype, 'public.mood'::regtype, '"Quoted Type"'::regtype, to_regtype('mood'), to_regtype('missing');
SELECT 'missing'::regtype;
COMMENT ON TYPE mood IS 'how one feels';
SELECT obj_description('mood'::regtype, 'pg_type');
COMMENT ON TYPE missing IS 'x';
SELECT typname FROM pg_type WHERE oid = 'mood'::regtype;
CREATE VIEW happy_people AS SELECT id, m, 'ok'::mood AS o FROM p WHERE m > 'ok';
SELECT * FROM happy_people ORDER BY m, id;
CREATE TABLE checked (m mood CHECK (m <> 'happy'));
INSERT INTO checked VALUES ('ok');
INSERT INTO checked VALUES ('happy');
CREATE TABLE copied AS SELECT m, a FROM p WHERE id = 3;
SELECT m, a FROM copied;
CREATE SCHEMA other;
CREATE TYPE other.mood AS ENUM ('one', 'two');
SELECT 'one'::other.mood, format_type('other.mood'::regtype, -1);
CREATE TABLE two (m other.mood, n mood);
INSERT INTO two VALUES ('two', 'ok');
SELECT m, n FROM two;
-- differs: errors of values carry no position
INSERT INTO two VALUES ('ok', 'ok');
ALTER TYPE other.mood RENAME TO tone;
SELECT 'one'::other.tone;
ALTER TYPE other.tone SET SCHEMA public;
SELECT 'one'::tone, m FROM two;
ALTER TYPE tone RENAME TO "Quoted Type";
ALTER TABLE p DROP COLUMN n;
DROP TYPE "Quoted Type";
DROP TYPE mood;
DROP TYPE IF EXISTS missing;
DROP TYPE missing;
DROP TYPE IF EXISTS missing, tone;
DROP TYPE tone CASCADE;
SELECT * FROM two;
-- differs: a table without columns cannot be made
DROP TYPE mood CASCADE;
DROP TABLE IF EXISTS checked, copied;
-- differs: it is gone there already
DROP TYPE mood CASCADE;
SELECT id FROM p WHERE id < 3 ORDER BY id;
SELECT 'ok'::mood;
DROP TYPE int4;

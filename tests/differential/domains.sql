-- Domains: checks at every write and cast, defaults, NOT NULL, changes.
CREATE DOMAIN positive AS integer CHECK (VALUE > 0);
CREATE DOMAIN email text CONSTRAINT has_at CHECK (VALUE LIKE '%@%') NOT NULL;
CREATE DOMAIN short AS varchar(5) DEFAULT 'abc' CHECK (length(VALUE) > 1) CONSTRAINT no_x CHECK (VALUE <> 'xx');
CREATE DOMAIN positive AS text;
CREATE DOMAIN small AS positive CHECK (VALUE < 100) DEFAULT 7;
CREATE DOMAIN wrong AS missing;
CREATE DOMAIN wrong AS integer CHECK (nothing > 0);
-- differs: the position is there too
CREATE DOMAIN wrong AS integer DEFAULT 'abc';
CREATE DOMAIN nowhere.wrong AS integer;
CREATE DOMAIN amount AS numeric(8,2) DEFAULT 0 NOT NULL CHECK (VALUE >= 0);
SELECT 5::positive, '7'::positive, NULL::positive, CAST(3 AS small), 5::positive + 1;
SELECT (-5)::positive;
SELECT '0'::positive;
SELECT 'abc'::positive;
SELECT 200::small;
SELECT (-1)::small;
SELECT NULL::email;
SELECT 'nobody'::email;
SELECT 'a@b'::email, 'abcdefgh'::short;
SELECT x::positive FROM (VALUES (1), (0)) v(x);
SELECT (x || '@')::email FROM (VALUES ('a')) v(x);
CREATE TABLE d (id int, p positive, e email DEFAULT 'x@y', s short, m small, a amount);
INSERT INTO d (id) VALUES (1) RETURNING *;
INSERT INTO d (id, p) VALUES (2, 5), (3, NULL);
INSERT INTO d (id, p) VALUES (4, 0);
INSERT INTO d (id, e) VALUES (4, 'nobody');
INSERT INTO d (id, e) VALUES (4, NULL);
INSERT INTO d (id, m) VALUES (4, 100);
INSERT INTO d (id, s) VALUES (4, 'xx');
INSERT INTO d (id, s) VALUES (4, 'abcdef');
INSERT INTO d (id, s) VALUES (4, DEFAULT), (5, NULL);
INSERT INTO d (id, a) VALUES (6, 1.239);
INSERT INTO d (id, a) VALUES (7, -1);
INSERT INTO d (id, p) SELECT 8, x FROM (VALUES (1), (-1)) v(x);
INSERT INTO d (id, p) SELECT 8, 9;
SELECT * FROM d ORDER BY id;
SELECT p + 1, p::text, sum(p) OVER (), upper(s) FROM d WHERE p > 1 ORDER BY id;
SELECT column_name::text, data_type::text, domain_schema::text, domain_name::text, udt_name::text, is_nullable::text, column_default::text FROM information_schema.columns WHERE table_name = 'd' AND column_name <> 'm' AND column_name <> 'e' AND column_name <> 'a' ORDER BY ordinal_position;
SELECT domain_name::text, data_type::text, character_maximum_length::int, domain_default::text, udt_name::text FROM information_schema.domains WHERE domain_schema = 'public' AND domain_name <> 'small' ORDER BY 1;
SELECT constraint_name::text, domain_name::text FROM information_schema.domain_constraints WHERE domain_schema = 'public' ORDER BY 1;
SELECT domain_name::text, table_name::text, column_name::text FROM information_schema.column_domain_usage WHERE domain_schema = 'public' ORDER BY 3;
SELECT t.typname, t.typtype, t.typcategory, b.typname AS base, t.typnotnull, t.typtypmod, t.typdefault, t.typlen FROM pg_type t JOIN pg_type b ON b.oid = t.typbasetype WHERE t.typname IN ('email', 'short', 'amount') ORDER BY 1;
SELECT attname, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute WHERE attrelid = 'd'::regclass AND attnum > 0 ORDER BY attnum;
SELECT c.conname, t.typname FROM pg_constraint c JOIN pg_type t ON t.oid = c.contypid WHERE t.oid >= 16384 ORDER BY 1, 2;
ALTER DOMAIN positive ADD CONSTRAINT below CHECK (VALUE < 9);
ALTER DOMAIN positive ADD CONSTRAINT below CHECK (VALUE < 10);
ALTER DOMAIN positive ADD CONSTRAINT below CHECK (VALUE < 11);
INSERT INTO d (id, p) VALUES (20, 10);
SELECT 10::small;
ALTER DOMAIN positive DROP CONSTRAINT below;
ALTER DOMAIN positive DROP CONSTRAINT below;
ALTER DOMAIN positive DROP CONSTRAINT IF EXISTS below;
INSERT INTO d (id, p) VALUES (20, 10);
ALTER DOMAIN positive SET NOT NULL;
ALTER DOMAIN short SET DEFAULT 'zz';
INSERT INTO d (id) VALUES (21) RETURNING s;
ALTER DOMAIN short DROP DEFAULT;
INSERT INTO d (id) VALUES (22) RETURNING s;
ALTER DOMAIN email DROP NOT NULL;
INSERT INTO d (id, e) VALUES (23, NULL) RETURNING e;
ALTER DOMAIN email RENAME CONSTRAINT has_at TO at_is_there;
SELECT 'x'::email;
ALTER DOMAIN email RENAME TO mail;
SELECT 'a@b'::mail;
SELECT 'a@b'::email;
ALTER DOMAIN missing SET NOT NULL;
CREATE TYPE color AS ENUM ('red', 'green');
ALTER DOMAIN color SET NOT NULL;
CREATE DOMAIN warm AS color CHECK (VALUE = 'red');
CREATE TABLE w (c warm);
INSERT INTO w VALUES ('red');
INSERT INTO w VALUES ('green');
SELECT c, c::color = 'red' FROM w;
DROP DOMAIN color;
DROP DOMAIN missing;
DROP DOMAIN IF EXISTS missing;
DROP DOMAIN positive;
COMMENT ON DOMAIN mail IS 'an address';
SELECT obj_description('mail'::regtype, 'pg_type');
BEGIN; CREATE DOMAIN inner_domain AS int CHECK (VALUE > 0); CREATE TABLE it (x inner_domain); INSERT INTO it VALUES (1); SELECT x FROM it; ROLLBACK;
BEGIN; CREATE DOMAIN inner_domain AS int CHECK (VALUE > 0); CREATE TABLE it (x inner_domain); INSERT INTO it VALUES (-1);
ROLLBACK;
DROP DOMAIN mail CASCADE;
SELECT count(*) FROM information_schema.columns WHERE table_name = 'd';
DROP DOMAIN short, amount CASCADE;
SELECT column_name::text FROM information_schema.columns WHERE table_name = 'd' ORDER BY 1;
DROP TYPE small;
DROP DOMAIN small CASCADE;
SELECT id, p FROM d ORDER BY id;
-- Columns that come later, names that meet, schemas with types.
CREATE TABLE late (id int);
INSERT INTO late VALUES (1);
CREATE DOMAIN must AS text NOT NULL;
CREATE DOMAIN has AS int DEFAULT 7 CHECK (VALUE > 5);
ALTER TABLE late ADD COLUMN m must;
ALTER TABLE late ADD COLUMN h has;
ALTER TABLE late ADD COLUMN i has DEFAULT 3;
ALTER TABLE late ADD COLUMN j has DEFAULT 9;
INSERT INTO late (id) VALUES (2);
SELECT * FROM late ORDER BY id;
ALTER TABLE late ALTER COLUMN id TYPE has;
CREATE TABLE must (x int);
CREATE DOMAIN late AS int;
CREATE SCHEMA inner_space;
CREATE TYPE inner_space.e AS ENUM ('a', 'b');
CREATE TABLE inner_space.t (x inner_space.e);
CREATE TABLE outside (id int, x inner_space.e);
DROP SCHEMA inner_space;
DROP SCHEMA inner_space CASCADE;
SELECT * FROM outside;
SELECT count(*) FROM pg_type WHERE typname IN ('e', '_e');
-- Domains look at what COPY reads, before WHERE does.
CREATE DOMAIN copied AS int NOT NULL CHECK (VALUE > 0);
CREATE TABLE dcopy (id int, v copied);
COPY dcopy FROM STDIN (FORMAT csv) WHERE id > 1;
1,
2,5
\.
COPY dcopy FROM STDIN (FORMAT csv) WHERE id > 1;
1,-1
2,5
\.
COPY dcopy FROM STDIN WHERE id > 1;
1	1
2	5
\.
SELECT * FROM dcopy;
create domain rising as int[] check (value[1] < value[2]);
select array[2,1]::rising;
select array[1,2]::rising, cast(array[3,4] as rising);
drop domain rising;

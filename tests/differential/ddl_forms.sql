-- Forms of CREATE and ALTER that say how Postgres keeps a table.
CREATE TABLE heaped (id int, note text COMPRESSION pglz) USING heap;
CREATE TABLE plain (id int, compression text) WITHOUT OIDS;
CREATE TABLE tuned (id int) WITH (fillfactor = 70, toast.autovacuum_enabled = false);
CREATE TABLE placed (id int) TABLESPACE pg_default;
CREATE TABLE filled USING heap AS SELECT 1 AS one;
SELECT * FROM filled;
CREATE TABLE keyed (id int PRIMARY KEY, code text UNIQUE NULLS NOT DISTINCT);
CREATE TABLE referring (
    a int, b int REFERENCES keyed ON DELETE SET NULL (b),
    CONSTRAINT fk_a FOREIGN KEY (a) REFERENCES keyed (id) ON DELETE SET DEFAULT (a) DEFERRABLE
);
SELECT conname, contype, confdeltype, condeferrable, condeferred FROM pg_constraint WHERE conrelid = 'referring'::regclass ORDER BY 1;
ALTER TABLE referring ALTER CONSTRAINT fk_a DEFERRABLE INITIALLY DEFERRED;
SELECT conname, condeferrable, condeferred FROM pg_constraint WHERE conrelid = 'referring'::regclass ORDER BY 1;
ALTER TABLE referring ALTER CONSTRAINT fk_a NOT DEFERRABLE;
SELECT conname, condeferrable, condeferred FROM pg_constraint WHERE conrelid = 'referring'::regclass ORDER BY 1;
ALTER TABLE referring ALTER CONSTRAINT no_such DEFERRABLE;
ALTER TABLE keyed ALTER CONSTRAINT keyed_pkey DEFERRABLE;
-- Actions of both kinds in one statement.
ALTER TABLE heaped ADD COLUMN extra int, ALTER COLUMN note SET STORAGE external, ALTER COLUMN id SET NOT NULL;
ALTER TABLE heaped ALTER COLUMN extra SET STATISTICS 100, ADD COLUMN more text, ALTER COLUMN more SET COMPRESSION pglz;
ALTER TABLE heaped ALTER COLUMN nothing SET STATISTICS 100, ADD COLUMN never int;
ALTER TABLE heaped SET (fillfactor = 50), ADD CONSTRAINT positive CHECK (id > 0);
SELECT attname, attnotnull FROM pg_attribute WHERE attrelid = 'heaped'::regclass AND attnum > 0 ORDER BY attnum;
INSERT INTO heaped (id) VALUES (0);
ALTER TABLE heaped* RENAME COLUMN extra TO spare;
SELECT id, spare FROM heaped* WHERE id > 1;
SELECT count(*) FROM ONLY heaped AS h;
CREATE INDEX ON ONLY heaped (spare);
CREATE INDEX heaped_more ON heaped (more) WITH (fillfactor = 90);
-- Columns of views and of composite types.
CREATE VIEW seen AS SELECT id, note FROM heaped;
CREATE TABLE like_view (LIKE seen, added int);
SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'like_view'::regclass AND attnum > 0 ORDER BY attnum;
CREATE TYPE pair AS (a int, b text[]);
CREATE TABLE like_type (LIKE pair);
SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'like_type'::regclass AND attnum > 0 ORDER BY attnum;
INSERT INTO like_type VALUES (1, '{x,y}');
SELECT * FROM like_type;
CREATE TABLE like_nothing (LIKE no_such);
CREATE UNLOGGED SEQUENCE quick;
SELECT nextval('quick');
ALTER SEQUENCE quick SET LOGGED;
CREATE DOMAIN small AS int CONSTRAINT below CHECK (VALUE < 10);
COMMENT ON CONSTRAINT below ON DOMAIN small IS 'so small';
COMMENT ON CONSTRAINT above ON DOMAIN small IS 'so small';
COMMENT ON CONSTRAINT below ON DOMAIN tiny IS NULL;
-- A schema with its elements.
CREATE SCHEMA s1 CREATE TABLE s2.t (a int);
CREATE SCHEMA s1 CREATE VIEW elsewhere.v AS SELECT 1;
CREATE SCHEMA s1 CREATE SEQUENCE other.q;
CREATE SCHEMA s1 CREATE TABLE t (a int) CREATE INDEX ON other.t (a);
CREATE SCHEMA s1 CREATE TABLE s1.t (a int) CREATE INDEX ON t (a);
SELECT count(*) FROM s1.t;
-- An index that becomes a key.
CREATE TABLE promoted (a int, b int, c int);
CREATE UNIQUE INDEX by_a ON promoted (a);
CREATE UNIQUE INDEX by_b ON promoted (b);
CREATE INDEX by_c ON promoted (c);
CREATE UNIQUE INDEX by_desc ON promoted (c DESC);
CREATE UNIQUE INDEX by_sum ON promoted ((a + b));
CREATE UNIQUE INDEX by_part ON promoted (c) WHERE c > 0;
ALTER TABLE promoted ADD CONSTRAINT promoted_key PRIMARY KEY USING INDEX by_a;
ALTER TABLE promoted ADD UNIQUE USING INDEX by_b;
ALTER TABLE promoted ADD UNIQUE USING INDEX by_c;
ALTER TABLE promoted ADD UNIQUE USING INDEX by_desc;
ALTER TABLE promoted ADD UNIQUE USING INDEX by_sum;
ALTER TABLE promoted ADD UNIQUE USING INDEX by_part;
ALTER TABLE promoted ADD PRIMARY KEY USING INDEX by_desc;
ALTER TABLE promoted ADD PRIMARY KEY USING INDEX no_such;
SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'promoted'::regclass ORDER BY 1;
SELECT attname, attnotnull FROM pg_attribute WHERE attrelid = 'promoted'::regclass AND attnum > 0 ORDER BY attnum;

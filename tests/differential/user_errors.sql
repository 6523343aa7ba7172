-- What people get wrong, with all that PostgreSQL says of it: message, detail, hint and position.
-- errors: all
CREATE TABLE customers (id int PRIMARY KEY, name text NOT NULL, city varchar(10), born date, credit numeric(8,2));
CREATE TABLE orders (id int, customer_id int, amount numeric(8,2), placed timestamptz, tags text[], data jsonb);
CREATE VIEW big_orders AS SELECT id, amount FROM orders WHERE amount > 100;
CREATE TYPE colour AS ENUM ('red', 'green');
CREATE SEQUENCE counter;
CREATE SCHEMA other;
-- Names that are not there.
SELECT nme FROM customers;
SELECT c.nme FROM customers c;
SELECT x.name FROM customers c;
SELECT customers.name FROM customers c;
SELECT name FROM custmers;
SELECT name FROM public.custmers;
SELECT name FROM nowhere.customers;
SELECT lenght(name) FROM customers;
SELECT length(id) FROM customers;
SELECT upper(1, 2);
-- differs: this form is refused as such
SELECT substring(born) FROM customers;
SELECT public.nothing(1);
SELECT nowhere.nothing(1);
SELECT 1::nothing;
SELECT 'x'::public.nothing;
SELECT CAST(name AS intger) FROM customers;
SELECT name FROM customers ORDER BY nme;
SELECT name FROM customers GROUP BY nme;
SELECT name FROM customers WHERE nme = 'x';
SELECT name AS n FROM customers WHERE n = 'x';
SELECT * FROM customers JOIN orders ON customers.id = orders.customer;
SELECT * FROM customers JOIN orders USING (customer_id);
SELECT * FROM customers NATURAL JOIN nothing;
SELECT "Name" FROM customers;
SELECT name FROM "Customers";
-- differs: the parameter's place is not known where its value is missed
SELECT $1;
SELECT * FROM generate_serie(1, 3);
SELECT count(nme) FROM customers;
SELECT (SELECT nme FROM orders LIMIT 1) FROM customers;
WITH a AS (SELECT 1 AS x) SELECT y FROM a;
WITH a AS (SELECT 1 AS x) SELECT x FROM b;
-- Names that are there twice.
SELECT id FROM customers, orders;
SELECT id FROM customers JOIN orders ON customers.id = customer_id;
SELECT * FROM customers, customers;
SELECT 1 AS a, 2 AS a ORDER BY a;
WITH a AS (SELECT 1), a AS (SELECT 2) SELECT * FROM a;
SELECT * FROM (SELECT 1 AS x, 2 AS x) s WHERE x = 1;
-- Groups and aggregates.
SELECT name, count(*) FROM customers;
SELECT name, count(*) FROM customers GROUP BY city;
SELECT c.name, count(*) FROM customers c GROUP BY c.city;
SELECT city FROM customers GROUP BY city HAVING name = 'x';
SELECT city, count(*) FROM customers GROUP BY city ORDER BY name;
SELECT * FROM customers WHERE count(*) > 1;
SELECT sum(count(*)) FROM customers;
SELECT count(*) FROM customers JOIN orders ON count(*) = 1;
SELECT name FROM customers GROUP BY count(*);
SELECT sum(name) FROM customers;
SELECT avg(city) FROM customers;
SELECT max(tags, 1) FROM orders;
SELECT row_number() FROM customers;
SELECT name FROM customers WHERE row_number() OVER () = 1;
SELECT sum(id) OVER w FROM customers;
-- differs: the engine says it
SELECT count(DISTINCT *) FROM customers;
SELECT DISTINCT ON (city) name FROM customers ORDER BY name;
SELECT city FROM customers GROUP BY 3;
SELECT name FROM customers ORDER BY 5;
SELECT DISTINCT name FROM customers ORDER BY born;
-- Grammar.
SELEC 1;
SELECT 1 FROM;
SELECT FROM WHERE;
SELECT * FROM customers WHERE;
SELECT * FROM customers WERE id = 1;
SELECT name, FROM customers;
SELECT (1 + 2;
SELECT 1 + ;
SELECT * FROM customers GROUP id;
SELECT * FROM customers LIMIT -1;
SELECT 'abc;
SELECT * FROM customers ORDER;
INSERT INTO customers VALUES 1, 'x';
INSERT customers VALUES (1);
CREATE TABLE t (a int,);
CREATE TABLE (a int);
-- differs: the parser complains of the parenthesis
CREATE TABLE t (a);
DROP customers;
SELECT * FROM select;
SELECT a b c FROM customers;
SELECT * FROM customers c d;
UPDATE customers SET WHERE id = 1;
DELETE customers;
-- differs: the parser complains of an earlier word
SELECT CASE WHEN true THEN 1;
SELECT 1 IN ();
-- differs: the end of the statement has no place there
SELECT * FROM customers JOIN orders;
SELECT "abc;
SELECT 1 /* comment;
VALUES (1, 2), (3);
-- Types that do not fit.
SELECT 'abc'::int;
SELECT '2024-13-01'::date;
SELECT date '2024-02-30';
SELECT 'x'::boolean;
SELECT '{1,2'::int[];
SELECT '{"a": }'::json;
SELECT 'blue'::colour;
SELECT 'x'::uuid;
SELECT '1.2.3'::numeric;
SELECT 99999999999::int;
SELECT 1 + 'x';
SELECT 1 + name FROM customers;
SELECT name + 1 FROM customers;
SELECT name - name FROM customers;
SELECT id = name FROM customers;
SELECT id || born FROM customers;
SELECT NOT id FROM customers;
SELECT id AND true FROM customers;
SELECT * FROM customers WHERE id;
SELECT * FROM customers WHERE name;
SELECT CASE WHEN id THEN 1 END FROM customers;
SELECT CASE WHEN true THEN 1 ELSE name END FROM customers;
SELECT coalesce(id, name) FROM customers;
SELECT id FROM customers UNION SELECT name FROM customers;
SELECT id FROM customers UNION SELECT id, name FROM customers;
SELECT id IN ('a') FROM customers;
SELECT id IN (SELECT name FROM customers) FROM customers;
SELECT id IN (SELECT id, name FROM customers) FROM customers;
SELECT (SELECT id, name FROM customers);
SELECT born + born FROM customers;
SELECT born::int FROM customers;
SELECT id::date FROM customers;
SELECT data -> 1 -> true FROM orders;
SELECT ARRAY[1, 'x'];
SELECT ARRAY[1, true];
SELECT tags[name] FROM orders, customers;
SELECT id[1] FROM customers;
SELECT name.x FROM customers;
SELECT (id).x FROM customers;
SELECT id LIKE 'x' FROM customers;
-- differs: fields are checked before there are rows
SELECT extract(foo FROM born) FROM customers;
-- differs: units are checked before there are rows
SELECT date_trunc('foo', placed) FROM orders;
SELECT now() AT TIME ZONE 'Mars/Base';
SELECT interval '1 lightyear';
-- differs: constants have their type by then
SELECT to_char(name, 'YYYY') FROM customers;
SELECT * FROM customers LIMIT 'x';
-- differs: that it names a column is found first
SELECT * FROM customers OFFSET name;
-- Values.
SELECT 1 / 0;
SELECT 5 % 0;
SELECT 1.5 / 0;
SELECT 2147483647 + 1;
SELECT 32767::smallint + 1::smallint;
SELECT sqrt(-1);
SELECT ln(0);
SELECT repeat('x', 2000000000);
SELECT chr(0);
SELECT (SELECT g FROM generate_series(1, 3) g);
SELECT substring('abc', 1, -1);
SELECT 'a' LIKE 'a\';
SELECT 'a' ~ '(';
-- Writing.
INSERT INTO customers (id, nme) VALUES (1, 'x');
INSERT INTO customers (id, id) VALUES (1, 2);
INSERT INTO customers (id, name) VALUES (1);
INSERT INTO customers (id, name) VALUES (1, 'x', 2);
INSERT INTO customers (id, name) SELECT 1;
INSERT INTO customers VALUES (1, 'x', 'y', '2024-01-01', 1, 2);
INSERT INTO customers (id) VALUES (1);
INSERT INTO customers (id, name) VALUES (1, NULL);
INSERT INTO customers (id, name) VALUES ('x', 'y');
INSERT INTO customers (id, name) VALUES (true, 'y');
-- differs: the table's columns are not looked at there
INSERT INTO customers (id, name) VALUES (born, 'y');
INSERT INTO customers (id, name, city) VALUES (1, 'y', 'more than ten characters');
INSERT INTO customers (id, name, credit) VALUES (1, 'y', 12345678.9);
INSERT INTO customers (id, name, born) VALUES (1, 'y', 'yesterdays');
INSERT INTO customers (id, name, born) VALUES (1, 'y', 5);
INSERT INTO customers (id, name) SELECT name, id FROM customers;
INSERT INTO nothing VALUES (1);
-- differs: views are not written
INSERT INTO big_orders VALUES (1, 2);
INSERT INTO customers (id, name) VALUES (1, 'x') RETURNING nme;
-- Definitions.
CREATE TABLE customers (id int);
CREATE TABLE t (id int, id text);
CREATE TABLE t (id intt);
CREATE TABLE t (id int DEFAULT 'x');
CREATE TABLE t (id int DEFAULT nme);
CREATE TABLE t (id int CHECK (nme > 0));
CREATE TABLE t (id int CHECK (id));
-- differs: the tree does not know where the second key stands
CREATE TABLE t (id int PRIMARY KEY, n int PRIMARY KEY);
CREATE TABLE t (id int REFERENCES nothing);
CREATE TABLE t (id int, FOREIGN KEY (x) REFERENCES customers);
-- differs: the position is the column's
CREATE TABLE t (id int, UNIQUE (x));
CREATE TABLE nowhere.t (id int);
-- differs: a lake's scale is not greater than its precision
CREATE TABLE t (n numeric(5, 10));
CREATE TABLE t (n numeric(2000));
CREATE TABLE t (n varchar(0));
CREATE VIEW v AS SELECT nme FROM customers;
CREATE VIEW customers AS SELECT 1;
CREATE VIEW v (a, b) AS SELECT 1;
CREATE SCHEMA other;
CREATE SCHEMA pg_mine;
CREATE TYPE colour AS ENUM ('x');
CREATE SEQUENCE counter;
CREATE INDEX ON customers (nme);
CREATE INDEX ON nothing (id);
ALTER TABLE customers ADD COLUMN name text;
ALTER TABLE customers ADD COLUMN x nothing;
ALTER TABLE customers DROP COLUMN nme;
ALTER TABLE customers RENAME COLUMN nme TO x;
ALTER TABLE customers RENAME COLUMN name TO city;
ALTER TABLE customers ALTER COLUMN nme SET NOT NULL;
ALTER TABLE nothing ADD COLUMN x int;
ALTER TABLE customers RENAME TO orders;
ALTER TABLE customers DROP CONSTRAINT nothing;
ALTER VIEW customers RENAME TO x;
DROP TABLE nothing;
DROP TABLE big_orders;
DROP VIEW customers;
DROP TABLE orders;
DROP SCHEMA nothing;
DROP SEQUENCE nothing;
DROP TYPE nothing;
DROP INDEX nothing;
TRUNCATE nothing;
COMMENT ON TABLE nothing IS 'x';
COMMENT ON COLUMN customers.nme IS 'x';
SELECT nextval('nothing');
SELECT currval('counter');
SELECT 'nothing'::regclass;
SET nothing = 1;
SET work_mem = 'lots';
SET datestyle = 'martian';
SHOW nothing;
COPY nothing FROM STDIN;
COPY customers (nme) FROM STDIN;
COPY customers FROM STDIN (FORMAT xml);
EXECUTE nothing;
DEALLOCATE nothing;
FETCH nothing;
ROLLBACK TO nothing;
SAVEPOINT x;

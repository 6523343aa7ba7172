-- The schema against which statements of real clients are compared: valid on PostgreSQL 15 and on DuckMesh.
CREATE SCHEMA IF NOT EXISTS analytics;
CREATE TABLE customers (
  id integer PRIMARY KEY,
  email varchar(120) NOT NULL UNIQUE,
  full_name text NOT NULL,
  country char(2) DEFAULT 'FR',
  credit numeric(12,2) DEFAULT 0,
  active boolean NOT NULL DEFAULT true,
  tags text[],
  profile json,
  created_at timestamp with time zone DEFAULT now()
);
CREATE TABLE orders (
  id bigint PRIMARY KEY,
  customer_id integer NOT NULL REFERENCES customers (id),
  status text NOT NULL DEFAULT 'new',
  amount numeric(10,2) NOT NULL CHECK (amount >= 0),
  ordered_on date NOT NULL,
  shipped_at timestamp,
  note varchar(200)
);
CREATE TABLE type_zoo (
  c_int2 smallint, c_int4 integer, c_int8 bigint, c_float4 real, c_float8 double precision,
  c_numeric numeric(18,4), c_bool boolean, c_text text, c_varchar varchar(30), c_char char(5), c_bytea bytea,
  c_date date, c_time time, c_timestamp timestamp, c_timestamptz timestamp with time zone, c_interval interval,
  c_uuid uuid, c_json json, c_int4_arr integer[], c_text_arr text[], c_numeric_arr numeric(10,2)[], c_ts_arr timestamp[]
);
CREATE TABLE analytics.events (
  event_id bigint PRIMARY KEY, ts timestamp with time zone NOT NULL, user_id integer, kind text NOT NULL, value double precision, props json
);
CREATE TABLE analytics."Mixed Case" ("Id" integer PRIMARY KEY, "Some Column" text, "select" integer);
CREATE VIEW order_summary AS
  SELECT c.id AS customer_id, c.full_name, count(o.id) AS n_orders, sum(o.amount) AS total
  FROM customers c LEFT JOIN orders o ON o.customer_id = c.id GROUP BY c.id, c.full_name;
CREATE VIEW analytics.daily AS SELECT date_trunc('day', ts) AS day, kind, count(*) AS n, avg(value) AS avg_value FROM analytics.events GROUP BY 1, 2;
COMMENT ON TABLE customers IS 'People who buy things';
COMMENT ON COLUMN customers.email IS 'login e-mail';

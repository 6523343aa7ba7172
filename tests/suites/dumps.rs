//! `pg_dump`: from PostgreSQL into a lake, from a lake into PostgreSQL, and from a lake into another.

use std::process::Command;

use duckmesh_tests::harness::{Postgres, Server, WireClient, paths, psql};

const SCHEMA: &str = "
CREATE SCHEMA shop;
CREATE TYPE shop.state AS ENUM ('new', 'paid', 'sent');
CREATE DOMAIN shop.email AS text CHECK (VALUE LIKE '%@%');
CREATE TABLE shop.customers (
    id serial PRIMARY KEY, name varchar(80) NOT NULL, mail shop.email UNIQUE,
    joined timestamptz DEFAULT now(), tags text[] DEFAULT '{}', meta jsonb);
CREATE TABLE shop.orders (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer int NOT NULL REFERENCES shop.customers ON DELETE CASCADE,
    state shop.state DEFAULT 'new', total numeric(10,2) CHECK (total >= 0), placed date, note text,
    net numeric(10,2) GENERATED ALWAYS AS (total * 0.5) STORED);
CREATE INDEX orders_placed ON shop.orders (placed DESC, state);
CREATE VIEW shop.paid AS
    SELECT o.id, c.name, o.total FROM shop.orders o JOIN shop.customers c ON c.id = o.customer WHERE o.state = 'paid';
CREATE SEQUENCE shop.tickets START 100 INCREMENT 5;
COMMENT ON TABLE shop.orders IS 'what was bought';
COMMENT ON COLUMN shop.orders.note IS 'as the customer wrote it';
ALTER TABLE shop.orders ALTER COLUMN note SET STATISTICS 500;
ALTER TABLE shop.orders ALTER note SET STORAGE EXTERNAL, ALTER COLUMN note SET (n_distinct = 5);
ALTER TABLE shop.orders CLUSTER ON orders_placed;
CREATE TABLE kinds (a smallint, b real, c bytea, d interval, e inet, f time(3), g timetz, h bit(3), i uuid, j \"char\");
CREATE TABLE ser (id serial PRIMARY KEY, n text);
CREATE SEQUENCE numbers START 7;
CREATE TABLE explicit (a int DEFAULT nextval('numbers'), b int);
CREATE TYPE z_enum AS ENUM ('q', 'r');
CREATE TYPE a_pair AS (x z_enum, y int);
CREATE DOMAIN a_kind AS z_enum;
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE DOMAIN a_small AS positive CHECK (VALUE < 10);
CREATE DOMAIN shouted AS text DEFAULT upper('x');
CREATE TABLE made (a a_pair, d a_kind, s a_small, t shouted);
INSERT INTO ser(n) VALUES ('x');
INSERT INTO explicit(b) VALUES (1);
INSERT INTO made(a, d, s) VALUES (ROW('q', 1), 'r', 5);
INSERT INTO shop.customers(name, mail, joined, tags, meta)
    SELECT 'n' || i, 'm' || i || '@example.org', '2024-05-06 07:08:09+02', ARRAY['a', 'b\"c', NULL], jsonb_build_object('i', i)
    FROM generate_series(1, 50) i;
INSERT INTO shop.orders(customer, state, total, placed, note)
    SELECT i % 50 + 1, (ARRAY['new', 'paid', 'sent'])[i % 3 + 1]::shop.state, i * 1.5, date '2024-01-01' + i, E'a\\tb\\\\' || i
    FROM generate_series(1, 200) i;
INSERT INTO kinds VALUES (1, 1.5, '\\xdeadbeef', '1 mon 2 days', '10.0.0.1', '10:00:00.123', '10:00+02', B'101',
    'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'x'), (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
SELECT nextval('shop.tickets');
";

/// What must be the same wherever it was copied to.
const QUESTIONS: [&str; 14] = [
    "SELECT * FROM shop.customers ORDER BY id",
    "SELECT * FROM shop.orders ORDER BY id",
    "SELECT * FROM shop.paid ORDER BY id",
    "SELECT * FROM kinds ORDER BY a NULLS LAST",
    "SELECT conname, contype, pg_get_constraintdef(oid) LIKE '%total%' FROM pg_constraint WHERE conrelid <> 0 AND \
     connamespace = 'shop'::regnamespace ORDER BY conname",
    "SELECT indexname FROM pg_indexes WHERE schemaname = 'shop' ORDER BY indexname",
    "SELECT obj_description('shop.orders'::regclass), col_description('shop.orders'::regclass, attnum) \
     FROM pg_attribute WHERE attrelid = 'shop.orders'::regclass AND attname = 'note'",
    "SELECT column_name, data_type, is_nullable, is_identity, is_generated FROM information_schema.columns \
     WHERE table_schema = 'shop' ORDER BY table_name, column_name",
    "SELECT * FROM made",
    "INSERT INTO made(s) VALUES (6) RETURNING s, t",
    "INSERT INTO ser(n) VALUES ('y') RETURNING id",
    "INSERT INTO explicit(b) VALUES (2) RETURNING a",
    "SELECT typname, typbasetype::regtype, lower(typdefault) FROM pg_type WHERE typtype = 'd' AND typnamespace = 'public'::regnamespace ORDER BY 1",
    "SELECT nextval('shop.tickets'), nextval('shop.customers_id_seq'), nextval('shop.orders_id_seq')",
];

fn dump(port: u16, database: &str, args: &[&str]) -> String {
    let beside = paths::postgres_bin().join("pg_dump");
    let mut command = Command::new(if beside.exists() { beside } else { "pg_dump".into() });
    command.args(["-h", "127.0.0.1", "-p", &port.to_string(), "-U", "tester", "-d", database]).args(args);
    let output = command.output().expect("pg_dump runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

fn database(port: u16, first: &str, name: &str) {
    let mut admin = WireClient::connect(port, first, "tester");
    assert_eq!(admin.query(&format!("CREATE DATABASE {name}"))[0].error, None);
}

fn run(port: u16, database: &str, script: &str) {
    let printed = psql(port, database, script, &["-q", "-v", "ON_ERROR_STOP=1"]);
    assert_eq!(printed.code, 0, "{}\n{}", printed.err, printed.out);
}

fn answers(port: u16, database: &str) -> Vec<String> {
    QUESTIONS.iter().map(|sql| psql(port, database, sql, &["-At"]).out).collect()
}

#[test]
fn pg_dump_copies_into_a_lake_and_out_of_it() {
    let (postgres, server) = (Postgres::start(), Server::start());
    let (theirs, ours) = (postgres.port(), server.port());
    database(theirs, "postgres", "shop");
    run(theirs, "shop", SCHEMA);
    let first = dump(theirs, "shop", &[]);

    database(ours, "duckmesh", "shop");
    run(ours, "shop", &first);
    let second = dump(ours, "shop", &[]);
    assert!(second.contains("COPY shop.orders") && !second.contains("duckmesh."), "{second}");

    database(theirs, "postgres", "back");
    run(theirs, "back", &second);
    database(ours, "duckmesh", "back");
    run(ours, "back", &dump(ours, "shop", &["--inserts"]));
    let one = dump(ours, "shop", &["--data-only", "-t", "shop.orders"]);
    assert!(one.contains("COPY shop.orders") && !one.contains("COPY shop.customers"), "{one}");

    let expected = answers(theirs, "shop");
    assert_eq!(expected[1].lines().count(), 200, "{}", expected[1]);
    for (port, name, copied) in [(ours, "shop", "into a lake"), (theirs, "back", "back"), (ours, "back", "as INSERTs")]
    {
        for (sql, (got, wanted)) in QUESTIONS.iter().zip(answers(port, name).iter().zip(&expected)) {
            assert_eq!(got, wanted, "{copied}: {sql}");
        }
    }
}

//! What a person at the real psql sees.

use duckmesh_tests::harness::{Postgres, Server, psql};

use crate::stand::Stand;

/// A new session depends on nothing that others wrote, so it says that it does.
const STRONG: &str = "SET duckmesh.consistency = strong;\n";

const SCRIPT: &str = "
CREATE TABLE sales (id int NOT NULL, name varchar(20), amount numeric(10,2) DEFAULT 0, at timestamptz);
COMMENT ON TABLE sales IS 'what was sold';
CREATE VIEW big AS SELECT id, amount FROM sales WHERE amount > 10;
CREATE SCHEMA archive;
INSERT INTO sales (id, name, amount) VALUES (1, 'one', 10), (2, 'two', 20.5);
";

#[test]
fn psql_writes_and_gets_a_token() {
    let stand = Stand::sqlite();
    let printed = psql(stand.server.port(), "duckmesh", SCRIPT, &["-v", "ON_ERROR_STOP=1"]);
    assert_eq!(printed.code, 0, "{printed:?}");
    for line in ["CREATE TABLE", "COMMENT", "CREATE VIEW", "CREATE SCHEMA", "INSERT 0 2"] {
        assert!(printed.out.lines().any(|l| l == line), "{line}: {printed:?}");
    }
    assert!(printed.err.contains("NOTICE:  token duckmesh/"), "{printed:?}");
    let read = psql(
        stand.server.port(),
        "duckmesh",
        &format!("{STRONG}SELECT * FROM sales ORDER BY id;\nSELECT * FROM big;"),
        &["-qAt"],
    );
    assert_eq!(read.out, "1|one|10.00|\n2|two|20.50|\n2|20.50\n", "{read:?}");
}

#[test]
fn psql_lists_what_there_is() {
    let stand = Stand::sqlite();
    let port = stand.server.port();
    let made = psql(port, "duckmesh", SCRIPT, &["-v", "ON_ERROR_STOP=1"]);
    assert_eq!(made.code, 0, "{made:?}");
    let list = |command: &str| {
        let printed = psql(port, "duckmesh", command, &["-v", "ON_ERROR_STOP=1"]);
        assert_eq!((printed.code, printed.err.as_str()), (0, ""), "{command}: {printed:?}");
        printed.out
    };
    let has = |command: &str, words: &[&str]| {
        let out = list(command);
        for word in words {
            assert!(out.contains(word), "{command} has no {word}:\n{out}");
        }
    };
    has("\\l", &["duckmesh", "UTF8"]);
    has("\\dn", &["archive", "public"]);
    has("\\dt", &["public", "sales", "table"]);
    has("\\dv", &["public", "big", "view"]);
    has("\\d", &["sales", "table", "big", "view"]);
    has(
        "\\d sales",
        &[
            "Table \"public.sales\"",
            "id     | integer                  |           | not null |",
            "name   | character varying(20)    |           |          |",
            "amount | numeric(10,2)            |           |          | 0",
            "at     | timestamp with time zone |           |          |",
        ],
    );
    has("\\dt+", &["what was sold"]);
    has("\\d big", &["View \"public.big\"", "amount"]);
    let none = psql(port, "duckmesh", "\\d nowhere", &[]);
    assert!(none.err.contains("Did not find any relation named \"nowhere\"."), "{none:?}");
}

#[test]
fn psql_shows_where_an_error_is() {
    let stand = Stand::sqlite();
    let port = stand.server.port();
    let error = |sql: &str| psql(port, "duckmesh", sql, &["-v", "VERBOSITY=verbose"]).err;
    let shown = error("SELECT 1 +\n  nowhere;");
    assert!(shown.contains("42703: column \"nowhere\" does not exist\nLINE 2:   nowhere;\n          ^"), "{shown}");
    let shown = error("SELEC 1;");
    assert!(shown.contains("42601: syntax error at or near \"SELEC\"\nLINE 1: SELEC 1;\n        ^"), "{shown}");
    let shown = error("SELECT * FROM sales;");
    assert!(shown.contains("42P01: relation \"sales\" does not exist\nLINE 1: SELECT * FROM sales;"), "{shown}");
}

#[test]
fn psql_copies_in_and_out() {
    let stand = Stand::sqlite();
    let port = stand.server.port();
    let script = "CREATE TABLE t (a int, b text);\nCOPY t FROM STDIN;\n1\tone\n2\t\\N\n3\ta\\tb\n\\.\n\
                  COPY t FROM STDIN WITH (FORMAT csv);\n4,\"x,y\"\n5,\n\\.\n";
    let printed = psql(port, "duckmesh", script, &["-v", "ON_ERROR_STOP=1"]);
    assert_eq!(printed.code, 0, "{printed:?}");
    assert!(printed.out.contains("COPY 3") && printed.out.contains("COPY 2"), "{printed:?}");
    let out = psql(port, "duckmesh", &format!("{STRONG}COPY (SELECT * FROM t ORDER BY a) TO STDOUT;"), &["-q"]);
    assert_eq!(out.out, "1\tone\n2\t\\N\n3\ta\\tb\n4\tx,y\n5\t\\N\n", "{out:?}");
    let out = psql(
        port,
        "duckmesh",
        &format!("{STRONG}\\copy (SELECT * FROM t ORDER BY a) TO STDOUT WITH (FORMAT csv, HEADER)"),
        &["-q"],
    );
    assert_eq!(out.out, "a,b\n1,one\n2,\n3,a\tb\n4,\"x,y\"\n5,\n", "{out:?}");
}

#[test]
fn psql_copies_parquet_both_ways() {
    let stand = Stand::sqlite();
    let port = stand.server.port();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.parquet");
    let script = format!(
        "CREATE TYPE place AS (street text, no int);\n\
         CREATE TABLE t (a int, b text, c numeric(6,2), d timestamptz, e int[], f place, g jsonb, h bytea);\n\
         INSERT INTO t VALUES (1, 'one', 1.5, '2024-01-01 10:00+01', '{{1,NULL}}', ROW('x', 1), '{{\"k\": 1}}', '\\x00ff'), (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL);\n\
         \\copy t TO '{file}' (FORMAT parquet)\n\
         CREATE TABLE u (LIKE t);\n\
         \\copy u FROM '{file}' WITH (FORMAT parquet)\n\
         \\copy u (b, a) FROM PROGRAM 'cat {file}' (FORMAT 'parquet')\n",
        file = file.display()
    );
    let printed = psql(port, "duckmesh", &script, &["-v", "ON_ERROR_STOP=1"]);
    assert_eq!(printed.code, 0, "{printed:?}");
    assert_eq!(printed.out.matches("COPY 2").count(), 3, "{printed:?}");
    assert!(std::fs::read(&file).unwrap().starts_with(b"PAR1"));
    let count = format!(
        "{STRONG}SELECT count(*) FROM u; SELECT count(*) FROM (SELECT * FROM t EXCEPT SELECT * FROM u) x; SELECT f, (f).no FROM u WHERE a = 1 AND f IS NOT NULL;"
    );
    let read = psql(port, "duckmesh", &count, &["-qAt"]);
    assert_eq!(read.out, "4\n0\n(x,1)|1\n", "{read:?}");
}

const THINGS: &str = "
CREATE SCHEMA sales;
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE DOMAIN posint AS int CHECK (value > 0);
CREATE TYPE pair AS (a int, b text);
CREATE SEQUENCE counted START 5;
CREATE TABLE customers (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name varchar(40) NOT NULL UNIQUE,
    mood mood DEFAULT 'ok', age posint, tags text[]);
CREATE TABLE sales.orders (id serial PRIMARY KEY, customer bigint REFERENCES customers(id),
    total numeric(10,2) CHECK (total >= 0), at timestamptz DEFAULT now());
CREATE INDEX orders_at ON sales.orders (at DESC);
CREATE VIEW big AS SELECT id, total FROM sales.orders WHERE total > 100;
COMMENT ON TABLE customers IS 'who buys';
COMMENT ON COLUMN customers.name IS 'as written';
COMMENT ON DOMAIN posint IS 'not nothing';
";

/// Every command that lists something, and what it lists here is what it lists there; sizes are not compared.
const SAME: &[&str] = &[
    "\\d",
    "\\d+",
    "\\dS",
    "\\d customers",
    "\\d+ customers",
    "\\d sales.orders",
    "\\d+ sales.orders",
    "\\d sales.*",
    "\\d+ big",
    "\\d counted",
    "\\d orders_at",
    "\\d+ orders_at",
    "\\d customers_pkey",
    "\\da",
    "\\da+ sum",
    "\\dA",
    "\\dA+",
    "\\dAc",
    "\\dAc+ btree int4",
    "\\dAo btree integer_ops",
    "\\dAp btree integer_ops",
    "\\db",
    "\\dc",
    "\\dc+",
    "\\dconfig work_mem",
    "\\dC",
    "\\dC+ money",
    "\\dd",
    "\\dD",
    "\\dD+",
    "\\ddp",
    "\\dE",
    "\\des",
    "\\des+",
    "\\det",
    "\\deu",
    "\\dew",
    "\\df",
    "\\df lower",
    "\\df+ lower",
    "\\dfa",
    "\\dfn upper",
    "\\dft",
    "\\dfw",
    "\\dF",
    "\\dF+",
    "\\dFd",
    "\\dFd+",
    "\\dFp",
    "\\dFp+",
    "\\dFt",
    "\\dFt+",
    "\\dg",
    "\\dg+",
    "\\di",
    "\\di+",
    "\\dl",
    "\\dm",
    "\\do",
    "\\do =",
    "\\do+ ||",
    "\\dO",
    "\\dO+",
    "\\dp",
    "\\dP",
    "\\dPt",
    "\\drds",
    "\\dRp",
    "\\dRp+",
    "\\dRs",
    "\\ds",
    "\\ds+",
    "\\dt",
    "\\dt+",
    "\\dt sales.*",
    "\\dtvs",
    "\\dT",
    "\\dT+",
    "\\dT mood",
    "\\dT+ mood",
    "\\du",
    "\\dv",
    "\\dv+",
    "\\dX",
    "\\dy",
    "\\sv big",
    "\\sv+ big",
    "\\sf lower(text)",
    "\\sf+ lower(text)",
    "\\z",
    "\\z customers",
    "\\lo_list",
    "\\d nowhere",
    "\\sv nowhere",
    "\\dt nowhere.*",
    "\\encoding",
    "\\conninfo",
];

/// They list what each server has of its own; they must only work.
const OWN: &[&str] = &[
    // Operator families list their types in the order in which an aggregate finds them.
    "\\dAf",
    "\\dAf btree",
    // Other settings, databases and files.
    "\\dconfig",
    "\\db+",
    "\\l",
    "\\l+",
    // One schema more, and no language of procedures.
    "\\dn",
    "\\dn+",
    "\\dL",
    "\\dL+",
    "\\dx",
    "\\dx+",
];

#[test]
fn psql_lists_everything_as_in_postgres() {
    let (postgres, server) = (Postgres::start(), Server::start());
    for (port, database) in [(postgres.port(), "postgres"), (server.port(), "duckmesh")] {
        let made = psql(port, database, "CREATE DATABASE things", &["-v", "ON_ERROR_STOP=1"]);
        assert_eq!(made.code, 0, "{made:?}");
        let made = psql(port, "things", THINGS, &["-v", "ON_ERROR_STOP=1"]);
        assert_eq!(made.code, 0, "{made:?}");
    }
    let shown = |port: u16, command: &str| {
        let printed = psql(port, "things", command, &[]);
        plain(&printed.out, port) + &plain(&printed.err, port)
    };
    let mut differ = String::new();
    for command in SAME {
        let (theirs, ours) = (shown(postgres.port(), command), shown(server.port(), command));
        if theirs != ours {
            differ.push_str(&format!("{command}\n--- PostgreSQL\n{theirs}\n--- DuckMesh\n{ours}\n"));
        }
    }
    assert!(differ.is_empty(), "{differ}");
    for command in OWN {
        let printed = psql(server.port(), "things", command, &["-v", "ON_ERROR_STOP=1"]);
        assert!(printed.code == 0 && printed.err.is_empty() && !printed.out.is_empty(), "{command}: {printed:?}");
    }
}

/// Without sizes, the port, and the widths that go with them.
fn plain(text: &str, port: u16) -> String {
    let mut out = String::new();
    for line in text.lines().map(|line| line.replace(&port.to_string(), "port").replace('-', "")) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let mut words = words.into_iter().peekable();
        while let Some(word) = words.next() {
            let size =
                word.parse::<u64>().is_ok() && words.peek().is_some_and(|unit| ["bytes", "kB", "MB"].contains(unit));
            if size {
                words.next();
            }
            out.push_str(if size { "size" } else { word });
            out.push(' ');
        }
        out.push('\n');
    }
    out
}

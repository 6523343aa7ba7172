//! What a person at the real psql sees.

use duckmesh_tests::harness::psql;

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

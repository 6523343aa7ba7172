//! What real clients ask of the catalog: the answer has the shape of PostgreSQL's, or a recorded reason.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use duckmesh_tests::{
    captures::{self, Outcome, Row, Side},
    harness::{Postgres, Server, WireClient, paths},
};

#[test]
fn captures_are_answered_as_postgres_does() {
    let (postgres, server) = (Postgres::start(), Server::start());
    let schema = fs::read_to_string(paths::tests("data/clients.sql")).unwrap();
    let sides =
        [(WireClient::connect(postgres.port(), "postgres", "tester"), postgres.port()), (server.wire(), server.port())];
    let [mut theirs, mut ours] = sides.map(|(mut client, port)| {
        assert_eq!(client.query("CREATE DATABASE tap")[0].error, None);
        Side::new(WireClient::connect(port, "tap", "tester"), &schema)
    });
    let mut files: Vec<PathBuf> =
        fs::read_dir(paths::tests("captures")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let (mut grid, mut reasons, mut failed) = (BTreeMap::new(), BTreeMap::new(), String::new());
    let mut log = String::new();
    for file in &files {
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        let row: &mut Row = grid.entry(name.clone()).or_default();
        for statement in captures::read(file) {
            row.statements += 1;
            let outcome = captures::run(&statement, &mut theirs, &mut ours);
            let _ = writeln!(log, "{name}:{} {outcome:?}", statement.line);
            let what = match &outcome {
                Outcome::Same => {
                    row.same += 1;
                    None
                }
                Outcome::Rows(_) => {
                    row.rows += 1;
                    None
                }
                Outcome::Shape(what) => {
                    row.shape += 1;
                    Some(what)
                }
                Outcome::Refused(what) => {
                    row.refused += 1;
                    Some(what)
                }
            };
            match (what, statement.differs) {
                (None, None) => {}
                (Some(_), Some(reason)) => *reasons.entry(reason).or_insert(0) += 1,
                (Some(what), None) => {
                    let _ = writeln!(failed, "{name}:{}\n    {what}", statement.line);
                }
                (None, Some(reason)) => {
                    let _ = writeln!(failed, "{name}:{}: no longer differs, remove \"{reason}\"", statement.line);
                }
            }
        }
    }
    // For whoever mends the next one.
    if let Some(path) = std::env::var_os("DUCKMESH_CAPTURES_LOG") {
        fs::write(path, &log).unwrap();
    }
    let clients = fs::read_to_string(paths::tests("clients/grid.tsv")).unwrap();
    let page = captures::page(&grid, &reasons, &clients);
    assert!(failed.is_empty(), "{page}\n{failed}");
    let path = paths::root().join("docs/compatibility.md");
    if std::env::var_os("DUCKMESH_WRITE_DOCS").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(written, page, "docs/compatibility.md is out of date: run again with DUCKMESH_WRITE_DOCS=1");
}

/// Tables of a large lake, and columns of each.
const TABLES: usize = 1000;
const COLUMNS: usize = 50;
/// What a catalog query may take in a released server.
const WANTED: Duration = Duration::from_millis(50);
/// How much longer a build without optimisations may take, on a machine that does other things.
const ALLOWANCE: u32 = 10;

#[test]
fn captures_of_a_large_catalog_are_answered_quickly() {
    let server = Server::start();
    let mut client = server.wire();
    let columns: Vec<String> = (1..COLUMNS).map(|n| format!("c{n} numeric(10,2)")).collect();
    for start in (0..TABLES).step_by(100) {
        let mut sql = String::from("BEGIN;");
        for n in start..start + 100 {
            let _ = write!(sql, "CREATE TABLE w{n} (id bigint PRIMARY KEY, {});", columns.join(", "));
        }
        assert!(client.query(&(sql + "COMMIT")).iter().all(|answer| answer.error.is_none()));
    }
    for (rows, sql) in [
        (
            TABLES,
            "SELECT c.relname, pg_get_userbyid(c.relowner) FROM pg_class c WHERE c.relkind = 'r' \
            AND c.relname LIKE 'w%' AND pg_table_is_visible(c.oid) ORDER BY 1",
        ),
        (
            COLUMNS,
            "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'w500'::regclass AND attnum > 0",
        ),
        (COLUMNS, "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'w500'"),
        (1, "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'w500'::regclass"),
        (
            1,
            "SELECT t.oid, t.typarray FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE typname = 'int4'",
        ),
    ] {
        let best = (0..5).map(|_| {
            let start = Instant::now();
            assert_eq!(client.query(sql)[0].rows.len(), rows, "{sql}");
            start.elapsed()
        });
        let best = best.min().unwrap();
        println!("{best:?} {sql}");
        assert!(best < WANTED * ALLOWANCE, "{best:?}: {sql}");
    }
}

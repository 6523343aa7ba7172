//! Tables of SQL: every file of `tests/sql`, each in a database of its own.

use std::path::PathBuf;

use duckmesh_tests::{
    harness::{WireClient, paths},
    slt,
};

use crate::stand::Stand;

fn run_all(stand: &Stand) {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(paths::tests("sql")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "slt"));
    files.sort();
    assert!(!files.is_empty());
    let mut failures = String::new();
    for file in &files {
        let database = format!("slt_{}", file.file_stem().unwrap().to_string_lossy().replace('-', "_"));
        let made = stand.server.wire().query(&format!("CREATE DATABASE {database}"));
        assert_eq!(made[0].tag.as_deref(), Some("CREATE DATABASE"), "{made:?}");
        let mut client = WireClient::connect(stand.server.port(), &database, "tester");
        client.query("SET timezone = 'UTC'");
        failures.push_str(&slt::run(file, &mut client));
    }
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn sql_tables_on_sqlite() {
    run_all(&Stand::sqlite());
}

#[test]
fn sql_tables_on_postgres() {
    run_all(&Stand::postgres());
}

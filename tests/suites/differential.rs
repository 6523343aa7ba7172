//! The same statements against PostgreSQL and DuckMesh: what both can do must be the same.

use std::path::PathBuf;

use duckmesh_tests::{
    differential::{self, Summary},
    harness::{Postgres, Server, WireClient, paths},
};

/// The files are shared out: one run of them all takes longer than a test may.
const PARTS: usize = 4;

#[test]
fn differential_to_postgres_1() {
    run_part(0);
}

#[test]
fn differential_to_postgres_2() {
    run_part(1);
}

#[test]
fn differential_to_postgres_3() {
    run_part(2);
}

#[test]
fn differential_to_postgres_4() {
    run_part(3);
}

fn run_part(part: usize) {
    let postgres = Postgres::start();
    let server = Server::start();
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(paths::tests("differential")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "sql"));
    // One file, while it is being written.
    let only = std::env::var("DUCKMESH_DIFFERENTIAL").ok();
    files.retain(|path| only.as_ref().is_none_or(|only| path.file_stem().is_some_and(|stem| stem == only.as_str())));
    files.sort();
    let files: Vec<PathBuf> = files.into_iter().skip(part).step_by(PARTS).collect();
    let mut summary = Summary::default();
    for file in &files {
        let database = format!("d_{}", file.file_stem().unwrap().to_string_lossy().replace('-', "_"));
        let mut theirs = WireClient::connect(postgres.port(), "postgres", "tester");
        let mut ours = server.wire();
        for client in [&mut theirs, &mut ours] {
            assert_eq!(client.query(&format!("CREATE DATABASE {database}"))[0].error, None);
        }
        let mut theirs = WireClient::connect(postgres.port(), &database, "tester");
        let mut ours = WireClient::connect(server.port(), &database, "tester");
        for client in [&mut theirs, &mut ours] {
            client.query("SET timezone = 'UTC'");
        }
        differential::run(file, &mut theirs, &mut ours, &mut summary);
    }
    let Summary { same, accepted, different_count, different } = summary;
    println!("differential: {same} same, {accepted} accepted differences, {different_count} different");
    assert!(same > 100 || only.is_some(), "the files were run");
    assert!(different.is_empty(), "{same} same, {accepted} accepted, {different_count} different:\n{different}");
}

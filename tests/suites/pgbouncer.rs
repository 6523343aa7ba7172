//! Behind PgBouncer in transaction mode: the same programs on PostgreSQL 15 and here.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use duckmesh_tests::harness::{PgBouncer, Postgres, Server, WireClient, paths};

/// A pgbench script: each transaction adds to both sides, and reads what is there.
const SCRIPT: &str = "\\set n random(1, 100)\nBEGIN;\nINSERT INTO balance VALUES (:n);\nINSERT INTO balance VALUES (0 - :n);\n\
                      SELECT sum(amount) FROM balance;\nEND;\n";

fn passes(command: &mut Command, what: &str) -> String {
    let output = command.output().unwrap_or_else(|e| panic!("{what}: {e}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{what}:\n{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

/// A client's transactions run on whatever connection is free: none of them knows what it wrote before. PostgreSQL takes this
/// for a setting of somebody else's.
const STRONG: &str = "SET duckmesh.consistency = strong";
/// What takes everything of a client from a connection.
const RESET: [&str; 2] = ["server_reset_query = DISCARD ALL", "server_reset_query_always = 1"];

fn on_both(connect: &str, settings: &[&str], run: impl Fn(&PgBouncer, bool)) {
    let (postgres, server) = (Postgres::start(), Server::start());
    for (port, first, ours) in [(postgres.port(), "postgres", false), (server.port(), "duckmesh", true)] {
        let mut admin = WireClient::connect(port, first, "tester");
        assert_eq!(admin.query("CREATE DATABASE pooled")[0].error, None);
        run(&PgBouncer::start(port, connect, settings), ours);
    }
}

#[test]
fn pgbouncer_serves_many_clients_with_few_connections() {
    on_both(STRONG, &[], |bouncer, ours| program(bouncer, ours, "many"));
}

#[test]
fn pgbouncer_takes_everything_of_a_client_with_it() {
    on_both("SELECT 1", &RESET, |bouncer, ours| program(bouncer, ours, "reset"));
}

fn program(bouncer: &PgBouncer, ours: bool, part: &str) {
    let python = paths::profile_dir().parent().expect("the target folder").join("test-clients/venv/bin/python");
    let python = std::env::var_os("DUCKMESH_CLIENTS").map_or(python, |p| PathBuf::from(p).join("venv/bin/python"));
    let mut command = Command::new(&python);
    command.arg(paths::tests("clients/python/pgbouncer_client.py")).arg(part);
    command.env("PGHOST", "127.0.0.1").env("PGPORT", bouncer.port().to_string());
    command.env("PGDATABASE", "pooled").env("PGUSER", "tester").env("DUCKMESH", u8::from(ours).to_string());
    let out = passes(&mut command, if ours { "DuckMesh" } else { "PostgreSQL" });
    assert!(out.trim_end().ends_with("ok"), "{out}");
}

#[test]
fn pgbouncer_takes_pgbench_in_every_protocol_it_allows() {
    on_both(STRONG, &[], |bouncer, _| {
        let mut admin = WireClient::connect(bouncer.port(), "pooled", "tester");
        assert_eq!(admin.query("CREATE TABLE balance (amount int)")[0].error, None);
        let folder = tempfile::tempdir().expect("a folder");
        let script: &Path = &folder.path().join("script.sql");
        std::fs::write(script, SCRIPT).expect("the script");
        // Prepared statements are of a server connection: transaction mode has none before PgBouncer 1.21.
        for protocol in ["simple", "extended"] {
            let mut command = Command::new(paths::postgres_bin().join("pgbench"));
            command.args(["-n", "-c", "8", "-j", "2", "-t", "10", "-M", protocol, "-f"]).arg(script);
            command.args(["-h", "127.0.0.1", "-U", "tester", "-p", &bouncer.port().to_string(), "pooled"]);
            let out = passes(&mut command, protocol);
            assert!(out.contains("80/80"), "{out}");
        }
        let sum = &admin.query("SELECT sum(amount), count(*) FROM balance")[0];
        assert_eq!(sum.rows, [[Some("0".to_owned()), Some("320".to_owned())]]);
    });
}

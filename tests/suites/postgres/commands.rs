//! `duckmesh migrate`, `doctor` and `lag`, and a role that only owns its database.

use std::process::{Command, Output};

use duckmesh_tests::harness::{Postgres, Server, ServerOptions, eventually_async, paths};

use super::{LIMIT, options};

fn run(words: &[&str]) -> Output {
    let data = tempfile::tempdir().unwrap();
    let mut command = Command::new(paths::server_binary());
    command.args(words);
    if !words.contains(&"--data") {
        command.arg("--data").arg(data.path());
    }
    command.output().expect("it runs")
}

fn out(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn checks(output: &Output) -> Vec<serde_json::Value> {
    let parsed: serde_json::Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", out(output)));
    parsed.as_array().cloned().unwrap_or_default()
}

fn verdict<'a>(checks: &'a [serde_json::Value], name: &str) -> &'a str {
    let check = checks.iter().find(|c| c["name"] == name).unwrap_or_else(|| panic!("no check {name}: {checks:?}"));
    check["verdict"].as_str().unwrap_or_default()
}

/// PG11: without migrations a server refuses and says what to do; the command does it, once; a newer schema is refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pg11_migrations_are_a_command() {
    let postgres = Postgres::start();
    let url = postgres.url();
    let no_migrate = || ServerOptions { args: vec!["--no-migrate".into()], ..options(postgres.url()) };
    let refused = Server::try_with(no_migrate()).err().expect("nothing is there");
    assert!(refused.contains("run duckmesh migrate"), "{refused}");
    let first = run(&["migrate", "--catalog", &url]);
    assert!(first.status.success() && out(&first).contains("applied duckmesh/log_0002_writer"), "{}", out(&first));
    let again = run(&["migrate", "--catalog", &url]);
    assert!(again.status.success() && out(&again).contains("nothing to do"), "{}", out(&again));
    let server = Server::with(no_migrate());
    server.client().await.ok("CREATE TABLE t (a int); INSERT INTO t VALUES (1)").await;
    drop(server);
    let admin = postgres.client().await;
    admin.ok("INSERT INTO duckmesh.log_version VALUES (99)").await;
    for refused in
        [Server::try_with(options(url.clone())).err().expect("newer"), out(&run(&["migrate", "--catalog", &url]))]
    {
        assert!(refused.contains("version 99") && refused.contains("newer"), "{refused}");
    }
}

/// A managed Postgres: no superuser, no extension, only a database of one's own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_that_owns_its_database_is_enough() {
    let postgres = Postgres::start();
    let admin = postgres.client().await;
    admin.ok("CREATE ROLE plain LOGIN").await;
    admin.ok("CREATE DATABASE mesh OWNER plain ENCODING 'UTF8' TEMPLATE template0").await;
    let url = format!("postgres://plain@127.0.0.1:{}/mesh", postgres.port());
    let server = Server::with(options(url.clone()));
    let client = server.client().await;
    client.ok("CREATE TABLE t (a int); INSERT INTO t VALUES (1)").await;
    assert_eq!(client.value("SELECT count(*) FROM t").await, "1");
    assert!(!server.log().contains("does not say which it is"), "its history is watched: {}", server.log());
    client.ok("CREATE DATABASE other").await;
    client.ok("DROP DATABASE other").await;
    // The doctor, as this role, while the server runs.
    let doctor = run(&["doctor", "--json", "--catalog", &url]);
    let checks = checks(&doctor);
    for name in ["database", "privileges", "clock", "LISTEN", "migrations", "engine", "files", "connections"] {
        assert_eq!(verdict(&checks, name), "ok", "{name}: {}", out(&doctor));
    }
    // These clusters do not sync: that is found, and is a failure.
    assert_eq!(verdict(&checks, "durability"), "failed");
    assert_eq!(doctor.status.code(), Some(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_doctor_says_what_to_do() {
    let postgres = Postgres::with(&["max_connections=12"]);
    let doctor = run(&["doctor", "--json", "--catalog", &postgres.url()]);
    let found = checks(&doctor);
    assert_eq!(verdict(&found, "migrations"), "warning", "{}", out(&doctor));
    assert_eq!(verdict(&found, "connections"), "warning", "{}", out(&doctor));
    assert_eq!(verdict(&found, "durability"), "ok");
    assert_eq!(doctor.status.code(), Some(0), "{}", out(&doctor));
    assert!(found.iter().all(|c| (c["verdict"] == "ok") == c["advice"].is_null()), "{found:?}");
    let admin = postgres.client().await;
    admin.ok("CREATE ROLE nobody LOGIN").await;
    let text = run(&["doctor", "--catalog", &format!("postgres://nobody@127.0.0.1:{}/postgres", postgres.port())]);
    assert!(out(&text).contains("FAILED  privileges") && out(&text).contains("OWNER TO nobody"), "{}", out(&text));
    let away = run(&["doctor", "--catalog", "postgres://nobody@127.0.0.1:1/postgres?connect_timeout=1"]);
    assert_eq!(away.status.code(), Some(1));
    assert!(out(&away).contains("FAILED  database"), "{}", out(&away));
    let embedded = run(&["doctor"]);
    assert_eq!(embedded.status.code(), Some(0), "{}", out(&embedded));
}

/// What waits in the log is seen from outside, while the server runs, on both catalogs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lag_shows_what_is_not_visible_yet() {
    let postgres = Postgres::start();
    for catalog in [Some(postgres.url()), None] {
        let args = vec!["--commit-interval-ms".into(), "600000".into()];
        let server = Server::with(ServerOptions { catalog: catalog.clone(), args, ..ServerOptions::default() });
        let client = server.client().await;
        client.ok("CREATE TABLE t (a int); INSERT INTO t VALUES (1); SELECT * FROM t").await;
        client.ok("INSERT INTO t VALUES (2)").await;
        client.ok("INSERT INTO t VALUES (3)").await;
        let data = server.data().display().to_string();
        let mut words = vec!["lag", "--json", "--data", &data];
        words.extend(catalog.as_deref().map(|url| ["--catalog", url]).into_iter().flatten());
        let line = checks(&run(&words)).remove(0);
        assert_eq!((line["lake"].as_str(), line["lag_offsets"].as_i64()), (Some("duckmesh"), Some(2)), "{line}");
        assert_eq!((line["dead_letters"].as_i64(), line["owner"].is_null()), (Some(0), false), "{line}");
        assert_eq!(line["lag_seconds"].is_null(), catalog.is_none(), "{line}");
        client.ok("SELECT * FROM t").await;
        let done = eventually_async("nothing waits", LIMIT, || async {
            let line = checks(&run(&words)).remove(0);
            (line["lag_offsets"] == 0).then_some(line)
        })
        .await;
        assert_eq!(done["head"], done["watermark"]);
    }
}

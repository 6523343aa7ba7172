//! The command line: what is refused, and how it ends.

use duckmesh_tests::harness::{Server, ServerOptions, wire::CopyEnd};

fn refused(args: &[&str]) -> String {
    let args = args.iter().map(|a| (*a).to_owned()).collect();
    match Server::try_with(ServerOptions { args, ..ServerOptions::default() }) {
        Ok(_) => panic!("should have been refused"),
        Err(log) => log,
    }
}

#[test]
fn config_refuses_what_it_cannot_do() {
    assert!(refused(&["--listen", "0.0.0.0:0"]).contains("cannot be used multiple times"));
    assert!(refused(&["--no-such-option"]).contains("--no-such-option"));
    assert!(refused(&["--catalog", "mysql://x"]).contains("catalog"));
    assert!(refused(&["--log-format", "xml"]).contains("log_format"));
    assert!(refused(&["--engine-memory-mb", "1"]).contains("engine_memory_mb"));
    assert!(refused(&["--config", "/nonexistent.toml"]).contains("/nonexistent.toml"));
}

#[test]
fn config_flags_win_over_the_environment_and_that_over_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("duckmesh.toml");
    std::fs::write(&file, "lissen = '127.0.0.1:1'").unwrap();
    assert!(refused(&["--config", file.to_str().unwrap()]).contains("lissen"));
    std::fs::write(&file, "log_format = 'xml'").unwrap();
    let options = ServerOptions {
        args: vec!["--config".into(), file.to_string_lossy().into_owned()],
        env: vec![("DUCKMESH_LOG_FORMAT".into(), "json".into())],
        ..ServerOptions::default()
    };
    let mut server = Server::with(options);
    assert!(server.stop().success());

    let env = || vec![("DUCKMESH_LOG_FORMAT".into(), "xml".into())];
    let refused = Server::try_with(ServerOptions { env: env(), ..ServerOptions::default() });
    assert!(refused.err().expect("a format that is none").contains("log_format"));
    let args = vec!["--log-format".into(), "json".into()];
    let mut server = Server::with(ServerOptions { args, env: env(), ..ServerOptions::default() });
    assert!(server.stop().success());
}

#[test]
fn gw4_sigterm_ends_with_exit_code_0() {
    let mut server = Server::start();
    let status = server.stop();
    assert!(status.success(), "{status}\n{}", server.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gw4_sigterm_tells_idle_sessions() {
    let mut server = Server::start();
    let client = server.client().await;
    client.ok("SELECT 1").await;
    let status = server.stop();
    assert!(status.success(), "{status}");
    let error = client.rows("SELECT 1").await.unwrap_err();
    assert!(error.is_closed() || error.code().is_some_and(|c| c.code() == "57P01"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g10_config_statement_timeout_has_a_default() {
    assert_eq!(Server::start().client().await.value("SHOW statement_timeout").await, "1min");
    assert!(refused(&["--statement-timeout-seconds", "3000000"]).contains("statement_timeout_seconds"));
    let args = ["--statement-timeout-seconds", "1"].map(str::to_owned).to_vec();
    let server = Server::with(ServerOptions { args, ..ServerOptions::default() });
    let client = server.client().await;
    assert_eq!(client.value("SHOW statement_timeout").await, "1s");
    let endless = "SELECT count(*) FROM generate_series(1, 1000000) a(n), generate_series(1, 1000000) b(n)";
    assert!(client.fails(endless).await.starts_with("57014"));
    client.ok("SET statement_timeout = 0").await;
    assert_eq!(client.value("SHOW statement_timeout").await, "0");
    client.ok("RESET statement_timeout").await;
    assert_eq!(client.value("SHOW statement_timeout").await, "1s");
    // The data of a COPY may take its time.
    client.ok("CREATE TABLE t (a int)").await;
    let mut wire = server.wire();
    let started = std::time::Instant::now();
    let mut rows = (0..).map_while(|n| (started.elapsed().as_millis() < 1500).then(|| format!("{n}\n").into_bytes()));
    let answers = wire.copy_in("COPY t FROM STDIN", &mut rows, CopyEnd::Done).unwrap();
    assert!(answers.iter().all(|answer| answer.error.is_none()), "{answers:?}");
    assert!(answers.iter().any(|answer| answer.tag.as_deref().is_some_and(|tag| tag.starts_with("COPY "))));
}

//! The command line: what is refused, and how it ends.

use duckmesh_tests::harness::{Server, ServerOptions};

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
fn config_environment_wins_over_the_file_and_unknown_keys_are_named() {
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

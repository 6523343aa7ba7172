//! A publication that hangs in a server that lives: its lease is given up, another one publishes, and what hung is a zombie.

use std::{path::Path, time::Duration};

use duckmesh_tests::{
    checker,
    harness::{Postgres, Server, ServerOptions, eventually, eventually_async},
    ledger::{Kind, Ledger, TABLES},
};

/// From the hang to somebody's next publication.
const LIMIT: Duration = Duration::from_secs(40);

fn options(data: &Path, catalog: Option<String>, failpoints: Option<String>, deadline: &str) -> ServerOptions {
    let args = ["--publication-deadline-seconds", deadline, "--lease-ms", "1500"].map(str::to_owned).to_vec();
    let env = vec![("DUCKMESH_HTTP".to_owned(), "127.0.0.1:0".to_owned())];
    ServerOptions { data: Some(data.to_owned()), catalog, failpoints, args, env, ..ServerOptions::default() }
}

async fn reached(server: &Server, failpoint: &str) {
    eventually_async(failpoint, LIMIT, async || server.reached(failpoint).then_some(())).await;
}

/// Writes, and reads that behind a barrier.
async fn serves(server: &Server, ledger: &Ledger, writer: u32) {
    let client = server.client().await;
    client.ok("SET duckmesh.barrier_timeout = '40s'").await;
    let served = async {
        assert!(ledger.write(&client, writer, Kind::Transaction, 3).await);
        assert!(ledger.read(&client, writer).await);
    };
    tokio::time::timeout(LIMIT, served).await.expect("it is published");
}

fn abandoned(server: &Server) -> u32 {
    let (_, metrics) = server.http("/metrics");
    let line = metrics.lines().find(|line| line.starts_with("duckmesh_abandoned_publications_total{"));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or(0)
}

/// Hangs in `failpoint` of the first of two servers, until a file is there.
async fn hangs_among_others(failpoint: &str) {
    let (postgres, folder) = (Postgres::start(), tempfile::tempdir().unwrap());
    let (go_on, url) = (folder.path().join("go-on"), || Some(postgres.url()));
    let ledger = Ledger::default();
    let armed = Some(format!("{failpoint}=2*wait:{}", go_on.display()));
    let first = Server::with(options(&folder.path().join("first"), url(), armed, "2"));
    first.client().await.ok(TABLES).await;
    assert!(ledger.write(&first.client().await, 0, Kind::Insert, 2).await);
    reached(&first, failpoint).await;
    let second = Server::with(options(&folder.path().join("second"), url(), None, "2"));
    serves(&second, &ledger, 1).await;
    // The first one lives, and serves what the other publishes.
    serves(&first, &ledger, 2).await;
    assert_eq!((abandoned(&first), abandoned(&second)), (1, 0));
    first.says("a publication hangs: its lease is given up");
    std::fs::write(&go_on, b"").unwrap();
    for n in 0..10 {
        serves(&first, &ledger, 10 + n).await;
        serves(&second, &ledger, 30 + n).await;
    }
    for server in [&first, &second] {
        checker::check(&ledger, &server.client().await).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g8_co3_a_publication_that_hangs_is_another_servers() {
    hangs_among_others("commit-after-put").await;
}

/// In the middle of its transaction, with the catalog's locks held.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g8_co3_a_publication_that_hangs_in_the_catalog_is_another_servers() {
    hangs_among_others("publish-before-commit").await;
}

/// Alone there is nobody else: it is begun anew.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g10_co3_a_publication_that_hangs_is_begun_anew() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::default();
    let mut server = Server::with(options(folder.path(), None, Some("commit-after-put=2*park".into()), "2"));
    server.client().await.ok(TABLES).await;
    serves(&server, &ledger, 0).await;
    serves(&server, &ledger, 1).await;
    assert_eq!(abandoned(&server), 1);
    assert_eq!(server.http("/ready").0, 200);
    checker::check(&ledger, &server.client().await).await;
    assert!(server.stop().success(), "a thread that hangs does not keep the process");
}

/// What hangs again and again is said to be so, and nothing acknowledged is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g10_co3_a_server_whose_publications_hang_is_not_ready() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::default();
    let mut server = Server::with(options(folder.path(), None, Some("commit-after-put=park".into()), "1"));
    let client = server.client().await;
    let making = tokio::spawn(async move { client.rows(TABLES).await.map(drop) });
    let body = eventually("/ready says so", LIMIT, || {
        let (status, body) = server.http("/ready");
        (status == 503).then_some(body)
    });
    assert_eq!(body, "publications hang, restart this server: duckmesh\n");
    server.says("publications hang and do not end: restart this server");
    server.kill();
    assert!(making.await.unwrap().is_err());
    server.restart_with_failpoints(None);
    let client = server.client().await;
    // What was in the log when it was killed is there: the first statement of the text waited for its publication.
    eventually_async("the table is there", LIMIT, async || client.rows("SELECT * FROM ledger_a").await.ok()).await;
    client.ok("CREATE TABLE IF NOT EXISTS ledger_b (writer int, seq int, part int)").await;
    serves(&server, &ledger, 1).await;
    checker::check(&ledger, &client).await;
}

/// A publication that hangs in its transaction keeps the catalog's file locked, and alone nobody can replace it: it is said, and a
/// server that is started in its place says who is in the way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g10_co3_a_publication_that_hangs_with_the_catalog_locked_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::default();
    let mut server = Server::with(options(folder.path(), None, None, "1"));
    server.client().await.ok(TABLES).await;
    serves(&server, &ledger, 0).await;
    assert!(server.stop().success());
    server.restart_with_failpoints(Some("publish-before-commit=1*park"));
    let client = server.client().await;
    assert!(ledger.write(&client, 1, Kind::Insert, 2).await);
    let body = eventually("/ready says so", LIMIT, || {
        let (status, body) = server.http("/ready");
        (status == 503).then_some(body)
    });
    assert_eq!(body, "publications hang, restart this server: duckmesh\n");
    server.says("a publication hangs with the catalog locked");
    eventually("the metric says so", LIMIT, || {
        server.http("/metrics").1.contains("duckmesh_publications_stuck{lake=\"duckmesh\"} 1").then_some(())
    });
    client.ok("SET duckmesh.consistency = eventual").await;
    assert!(client.rows("SELECT count(*) FROM ledger_a").await.is_ok(), "what is published is read");
    let second = Server::try_with(options(folder.path(), None, None, "1")).err().expect("the folder is held");
    assert!(second.contains(&format!(": process {}", server.pid())), "{second}");
    server.kill();
    server.restart_with_failpoints(None);
    serves(&server, &ledger, 2).await;
    assert_eq!(server.http("/ready").0, 200);
    checker::check(&ledger, &server.client().await).await;
}

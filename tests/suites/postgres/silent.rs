//! A Postgres that accepts connections and packets, and answers nothing: frozen, or behind something that swallows its answers.
//! One budget, `catalog_wait_seconds`, bounds what each statement waits.

use std::time::{Duration, Instant};

use duckmesh_tests::{
    harness::{Client, Postgres, Server, ServerOptions, client::sqlstate, eventually, eventually_async},
    tcp_proxy::TcpProxy,
};
use futures::future::join_all;

use super::{LIMIT, options, url};

const BUDGET: Duration = Duration::from_secs(2);
/// A statement has the budget to be sent, and one more where the answer to its append was lost; the rest is the machine's.
const LONGEST: Duration = Duration::from_millis(2 * 2000 + 1500);
/// A lease that a silence of this length outlasts.
const ARGS: [&str; 4] = ["--catalog-wait-seconds", "2", "--lease-ms", "3000"];

/// Each of them on a session of its own, at once, while nothing is heard.
const STATEMENTS: [&str; 18] = [
    "SELECT count(*) FROM t",
    "SELECT count(*) FROM t WHERE a > 0",
    "INSERT INTO t VALUES (2)",
    "INSERT INTO t VALUES (3)",
    "INSERT INTO t SELECT a + 100 FROM t",
    "BEGIN; INSERT INTO t VALUES (4); COMMIT",
    "CREATE TABLE u (a int)",
    "ALTER TABLE t ADD CHECK (a < 1000)",
    "TRUNCATE t",
    "SET duckmesh.consistency = strong; SELECT count(*) FROM t",
    "SELECT setval('s', 5)",
    "SELECT nextval('s')",
    "SELECT nextval('s')",
    "SELECT pg_advisory_lock(1)",
    "SELECT pg_advisory_lock(2)",
    "CREATE DATABASE other",
    "SELECT * FROM duckmesh.lag",
    "SELECT * FROM pg_stat_user_tables",
];

fn server(catalog: String) -> Server {
    let http = ("DUCKMESH_HTTP".to_owned(), "127.0.0.1:0".to_owned());
    Server::with(ServerOptions { args: ARGS.map(str::to_owned).to_vec(), env: vec![http], ..options(catalog) })
}

/// Sessions that have done everything once, so that nothing is read for the first time.
async fn sessions(server: &Server) -> Vec<Client> {
    let first = server.client().await;
    first.ok("CREATE TABLE t (a int); CREATE SEQUENCE s; INSERT INTO t VALUES (1)").await;
    let mut clients = Vec::new();
    for _ in STATEMENTS {
        let client = server.client().await;
        client.ok("SELECT count(*) FROM t").await;
        clients.push(client);
    }
    clients
}

/// Runs all statements and as many logins: what took longer than it may, or ended with something else than "not now".
async fn all_end(server: &Server, clients: &[Client]) {
    let statements = join_all(STATEMENTS.iter().zip(clients).map(async |(sql, client)| {
        let start = Instant::now();
        let code = client.rows(sql).await.err().map(|error| sqlstate(&error));
        ((*sql).to_owned(), code, start.elapsed())
    }));
    let logins = join_all((0..STATEMENTS.len()).map(async |n| {
        let start = Instant::now();
        let refused = Client::connect(server.port(), "duckmesh").await.err();
        (format!("login {n}"), refused.map(|error| sqlstate(&error)), start.elapsed())
    }));
    let (statements, logins) = tokio::join!(statements, logins);
    let ended: Vec<_> = statements.into_iter().chain(logins).collect();
    let late: Vec<_> = ended.iter().filter(|(_, _, took)| *took > LONGEST).collect();
    assert!(late.is_empty(), "longer than {LONGEST:?}: {late:?}");
    // A few do not need Postgres. Nobody may be told that it is done who does.
    let right = |code: &Option<String>| matches!(code.as_deref(), None | Some("08006" | "08007" | "53400" | "57P03"));
    let wrong: Vec<_> = ended.iter().filter(|(_, code, _)| !right(code)).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    let passed: Vec<_> = ended.iter().filter(|(_, code, _)| code.is_none()).map(|(what, _, _)| what).collect();
    let may_pass = |what: &str| what.contains("nextval");
    assert!(passed.iter().all(|what| may_pass(what)), "without an answer of Postgres: {passed:?}");
    assert_eq!(server.http("/ready").0, 503);
}

/// And afterwards it is as before, soon, and without a restart.
async fn works_again(server: &Server) {
    let start = Instant::now();
    eventually("it is ready again", LIMIT, || (server.http("/ready").0 == 200).then_some(()));
    let client =
        eventually_async("logins again", LIMIT, async || Client::connect(server.port(), "duckmesh").await.ok()).await;
    client.ok("CREATE TABLE IF NOT EXISTS after (a int)").await;
    client.ok("INSERT INTO after VALUES (1)").await;
    client.ok("SET duckmesh.consistency = strong").await;
    assert_ne!(client.value("SELECT count(*) FROM after").await, "0");
    assert!(start.elapsed() < Duration::from_secs(12), "{:?}", start.elapsed());
}

/// PG7, G10: PostgreSQL is frozen with all its processes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g10_pg7_a_frozen_postgres_ends_every_statement_within_the_budget() {
    let postgres = Postgres::start();
    let server = server(postgres.url());
    let clients = sessions(&server).await;
    postgres.freeze(true);
    all_end(&server, &clients).await;
    postgres.freeze(false);
    works_again(&server).await;
}

/// PG7, G10: something between swallows everything, and accepts whoever connects.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g10_pg7_a_black_hole_before_postgres_ends_every_statement_within_the_budget() {
    let postgres = Postgres::start();
    let proxy = TcpProxy::start(postgres.port());
    let server = server(url(proxy.port()));
    let clients = sessions(&server).await;
    proxy.blackhole_all(true);
    all_end(&server, &clients).await;
    // Those who publish and say that they live wait no longer than a statement.
    server.says("no answer in time");
    proxy.blackhole_all(false);
    works_again(&server).await;
    assert!(BUDGET < LONGEST);
}

//! Several servers on one Postgres: they wake each other, and lose nothing when they cannot.

use std::time::{Duration, Instant};

use duckmesh_tests::{
    harness::{Client, Postgres, Server, eventually, eventually_async},
    tcp_proxy::TcpProxy,
};

use super::{LIMIT, options, url};

/// Two servers on one lake, whose files are in the folder of the first; that one publishes.
fn two(postgres: &Postgres) -> (Server, Server) {
    let first = Server::with(options(postgres.url()));
    (first, Server::with(options(postgres.url())))
}

async fn listening(server: &Server) {
    eventually("it hears others", LIMIT, || server.log().contains("listening to other servers").then_some(()));
}

/// Writes on one server and reads it behind a barrier on the other: how long it takes for all of them.
async fn there_and_back(writer: &Client, reader: &Client, from: i64, times: i64) -> Duration {
    let start = Instant::now();
    for n in from..from + times {
        let token = writer.write(&format!("INSERT INTO t VALUES ({n})")).await;
        reader.ok(&format!("SET duckmesh.min_token = '{token}'")).await;
        assert_eq!(reader.value(&format!("SELECT count(*) FROM t WHERE a = {n}")).await, "1");
    }
    start.elapsed()
}

/// Without notifications a server that does not publish would look once in a second, and the one that does every five.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g3_servers_wake_each_other() {
    let postgres = Postgres::start();
    let (first, second) = two(&postgres);
    let (one, other) = (first.client().await, second.client().await);
    one.ok("CREATE TABLE t (a int)").await;
    listening(&first).await;
    listening(&second).await;
    other.ok("SET duckmesh.consistency = strong; SELECT count(*) FROM t").await;
    let there = there_and_back(&one, &other, 0, 10).await;
    let back = there_and_back(&other, &one, 100, 10).await;
    assert!(there < Duration::from_secs(5) && back < Duration::from_secs(5), "{there:?} {back:?}");
}

/// PG12: a listening connection dies, and then cannot be made: barriers pass within a second each, and go on quickly when it
/// is back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g3_pg12_barriers_pass_while_nothing_is_heard() {
    let postgres = Postgres::start();
    let (first, second) = two(&postgres);
    let (one, other, admin) = (first.client().await, second.client().await, postgres.client().await);
    one.ok("CREATE TABLE t (a int)").await;
    listening(&first).await;
    listening(&second).await;
    let listeners = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'LISTEN duckmesh%'";
    assert_eq!(admin.text(listeners).await.len(), 2);
    for round in 0..3 {
        admin.ok(&format!("SELECT pg_terminate_backend(pid) FROM ({listeners}) AS l")).await;
        let took = there_and_back(&one, &other, round * 10, 2).await;
        assert!(took < Duration::from_secs(4), "{took:?}");
    }
    eventually_async("both listen again", LIMIT, || async { (admin.text(listeners).await.len() == 2).then_some(()) })
        .await;
    let took = there_and_back(&other, &one, 100, 5).await;
    assert!(took < Duration::from_secs(4), "{took:?}");
}

/// CO4: the server that publishes is cut off from Postgres without a word; the other takes over, and the first publishes
/// nothing when it is back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g8_co4_a_publisher_that_is_cut_off_is_replaced() {
    let postgres = Postgres::start();
    let proxy = TcpProxy::start(postgres.port());
    let first = Server::with(options(url(proxy.port())));
    let one = first.client().await;
    one.ok("CREATE TABLE t (a int); INSERT INTO t VALUES (1); SELECT * FROM t").await;
    let second = Server::with(options(postgres.url()));
    let (other, admin) = (second.client().await, postgres.client().await);
    let epoch = "SELECT epoch || ' ' || watermark FROM lake_duckmesh.duckmesh_state";
    let before = admin.value(epoch).await;
    proxy.blackhole_all(true);
    other.ok("SET duckmesh.barrier_timeout = '40s'").await;
    other.ok("INSERT INTO t VALUES (2)").await;
    assert_eq!(other.text("SELECT a FROM t ORDER BY a").await, ["1", "2"]);
    let taken = admin.value(epoch).await;
    assert_ne!(before.split(' ').next(), taken.split(' ').next(), "another epoch published: {before}, {taken}");
    proxy.blackhole_all(false);
    // Its old connections may be dead: what it says meanwhile is an error, and then it is as the other.
    let all = eventually_async("the first one is back", LIMIT, || async {
        let back = Client::connect(first.port(), "duckmesh").await.ok()?;
        back.rows("SET duckmesh.consistency = strong").await.ok()?;
        back.rows("SELECT a FROM t ORDER BY a").await.ok()
    })
    .await;
    assert_eq!(all.len(), 2, "{all:?}");
    other.ok("INSERT INTO t VALUES (3)").await;
    assert_eq!(other.text("SELECT a FROM t ORDER BY a").await, ["1", "2", "3"]);
    assert_eq!(admin.value("SELECT count(*) FROM lake_duckmesh.duckmesh_dead_letter").await, "0");
}

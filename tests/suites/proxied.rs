//! Between client and server: replies that get lost, clients that vanish, and clients that read slowly.

use std::time::{Duration, Instant};

use duckmesh_tests::{
    harness::{Client, Server, eventually, eventually_async, process},
    tcp_proxy::{TcpProxy, Way},
};

const LIMIT: Duration = Duration::from_secs(30);
/// More than all buffers on the way hold.
const ENDLESS: &str = "SELECT n, repeat('x', 500) FROM generate_series(1, 10000000) AS s(n)";
/// Gives nothing for longer than any test runs.
const SILENT: &str =
    "SELECT count(*) FROM generate_series(1, 1000000) AS a(n), generate_series(1, 1000000) AS b(m) WHERE n + m < 0";

/// CL1: the reply is lost, the client repeats with its key: one effect, the first one's token, and it is told so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g5_cl1_a_lost_reply_is_asked_for_again() {
    let server = Server::start();
    let proxy = TcpProxy::start(server.port());
    let direct = server.client().await;
    direct.ok("CREATE TABLE t (a int); SET duckmesh.consistency = strong").await;
    for (n, statement) in
        ["INSERT INTO t VALUES (1), (2)", "BEGIN; INSERT INTO t VALUES (3); INSERT INTO t VALUES (4); COMMIT"]
            .into_iter()
            .enumerate()
    {
        let client = Client::connect(proxy.port(), "duckmesh").await.unwrap();
        client.ok(&format!("SET duckmesh.idempotency_key = 'lost-{n}'")).await;
        proxy.drop_reply(b"INSERT INTO");
        let error = client.rows(statement).await.expect_err("the reply is lost");
        assert!(error.as_db_error().is_none(), "{error:?}");
        // What the server did is done when its answer was swallowed.
        eventually("the reply is dropped", LIMIT, || (proxy.dropped_replies() == n as u64 + 1).then_some(()));
        let before = direct.value("SELECT count(*) FROM t").await;
        let client = Client::connect(proxy.port(), "duckmesh").await.unwrap();
        client.ok(&format!("SET duckmesh.idempotency_key = 'lost-{n}'")).await;
        client.take_notices();
        client.ok(statement).await;
        let notices = client.take_notices();
        assert!(notices.iter().any(|notice| notice.starts_with("duplicate: ")), "{notices:?}");
        assert_eq!(direct.value("SELECT count(*) FROM t").await, before, "one effect");
        assert_eq!(before, (2 * (n + 1)).to_string(), "and it was there");
    }
}

/// CL5: without a key nobody can know; what is there is all of it or nothing, and the next statement works.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g7_cl5_a_cut_request_without_a_key_is_whole_or_not_there() {
    let server = Server::start();
    let proxy = TcpProxy::start(server.port());
    let direct = server.client().await;
    direct.ok("CREATE TABLE t (a int); SET duckmesh.consistency = strong").await;
    let rows: Vec<String> = (0..2000).map(|n| format!("({n})")).collect();
    let statement = format!("INSERT INTO t VALUES {}", rows.join(", "));
    let (mut before, mut there) = (0, [0, 0]);
    for round in 0..12_u64 {
        let client = Client::connect(proxy.port(), "duckmesh").await.unwrap();
        // In the middle of the request, at its last byte, or in the middle of the answer.
        match round % 3 {
            0 => proxy.cut_after(Way::ToServer, 500 + round * 700),
            1 => proxy.cut_after(Way::ToServer, statement.len() as u64 + 6),
            _ => proxy.cut_after(Way::ToClient, 1 + round),
        }
        assert!(client.rows(&statement).await.is_err(), "the connection is cut");
        // Until the session that was cut is gone.
        let sessions = "SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid()";
        eventually_async("its session ends", LIMIT, || async { (direct.value(sessions).await == "0").then_some(()) })
            .await;
        let now: u64 = direct.value("SELECT count(*) FROM t").await.parse().unwrap();
        assert!(now == before || now == before + 2000, "round {round}: {before} rows, then {now}");
        there[usize::from(now > before)] += 1;
        before = now;
    }
    assert!(there[0] >= 4 && there[1] >= 4, "both ends were seen: {there:?}");
}

/// GW5: a client whose connection breaks while its query computes: the engine is interrupted, nothing of it is left.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g10_gw5_a_client_that_is_cut_off_leaves_no_query() {
    let server = Server::start();
    let proxy = TcpProxy::start(server.port());
    let direct = server.client().await;
    let client = Client::connect(proxy.port(), "duckmesh").await.unwrap();
    let running = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid()";
    let query = tokio::spawn(async move { client.rows(SILENT).await.map(drop) });
    eventually_async("the query runs", LIMIT, || async { (direct.value(running).await == "1").then_some(()) }).await;
    proxy.cut_all();
    assert!(query.await.unwrap().is_err());
    let limit = Duration::from_secs(10);
    eventually_async("the session is gone", limit, || async { (direct.value(running).await == "0").then_some(()) })
        .await;
    let start = Instant::now();
    assert_eq!(direct.value("SELECT sum(n) FROM generate_series(1, 1000) AS s(n)").await, "500500");
    assert!(start.elapsed() < limit, "the engine is free");
}

/// GW5: the kernel asks a client of whom nothing is heard whether it is there, after half a minute at most.
#[cfg(target_os = "linux")]
#[test]
fn g10_gw5_the_kernel_asks_silent_clients() {
    const HALF_A_MINUTE: i64 = 30 * 100;
    let server = Server::start();
    let mut client = server.wire();
    client.query("SELECT 1");
    let port = format!(":{:04X}", server.port());
    // Of each connection of this machine: number, addresses, state, queues, timer and what is left of it, in hundredths.
    eventually("a timer of keep-alives runs", LIMIT, || {
        let all = std::fs::read_to_string("/proc/net/tcp").unwrap();
        let mut lines = all.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let own = lines.find(|words| words[1].ends_with(&port) && words[3] == "01")?;
        let (timer, left) = own[5].split_once(':')?;
        let left = i64::from_str_radix(left, 16).unwrap();
        (timer == "02" && (1..=HALF_A_MINUTE).contains(&left)).then_some(())
    });
}

/// GW6: a client that reads a little at a time costs bounded memory, and others do not feel it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g10_gw6_a_throttled_reader_costs_no_memory() {
    let server = Server::start();
    let proxy = TcpProxy::start(server.port());
    let direct = server.client().await;
    direct.ok("SELECT 1").await;
    let before = process::resident_kib(server.pid());
    proxy.rate(Way::ToClient, Some(200_000));
    let slow = Client::connect(proxy.port(), "duckmesh").await.unwrap();
    let reader = tokio::spawn(async move {
        let mut rows = std::pin::pin!(slow.pg.simple_query_raw(ENDLESS).await?);
        while futures::TryStreamExt::try_next(&mut rows).await?.is_some() {}
        Ok::<_, tokio_postgres::Error>(())
    });
    // Two seconds of it: all buffers on the way are full.
    eventually("it reads", LIMIT, || (proxy.passed(Way::ToClient) > 400_000).then_some(()));
    let start = Instant::now();
    assert_eq!(direct.value("SELECT sum(n) FROM generate_series(1, 1000) AS s(n)").await, "500500");
    assert!(start.elapsed() < Duration::from_secs(5), "others are served: {:?}", start.elapsed());
    let grown = process::resident_kib(server.pid()).saturating_sub(before);
    assert!(grown < 64 * 1024, "{grown} KiB for a result that nobody takes");
    proxy.cut_all();
    assert!(reader.await.unwrap().is_err());
}

/// GW5: nothing is heard of a client in the middle of its answer: after the write deadline it is given up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make test-faults"]
async fn g10_gw5_faults_a_client_behind_a_blackhole_is_given_up() {
    let server = Server::start();
    let proxy = TcpProxy::start(server.port());
    let direct = server.client().await;
    let client = Client::connect(proxy.port(), "duckmesh").await.unwrap();
    let query = tokio::spawn(async move { client.rows(ENDLESS).await.map(drop) });
    eventually("the answer begins", LIMIT, || (proxy.passed(Way::ToClient) > 100_000).then_some(()));
    proxy.blackhole_all(true);
    let sessions = "SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid()";
    assert_eq!(direct.value(sessions).await, "1");
    let limit = Duration::from_secs(90);
    eventually_async("it is given up", limit, || async { (direct.value(sessions).await == "0").then_some(()) }).await;
    proxy.cut_all();
    assert!(query.await.unwrap().is_err());
}

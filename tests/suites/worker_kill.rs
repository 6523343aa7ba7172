//! RD6: an engine worker that dies costs its queries an error, and nothing else.

use std::time::Duration;

use duckmesh_tests::harness::{Client, ServerOptions, eventually, eventually_async, process};

use crate::stand::Stand;

/// Runs for minutes.
const LONG: &str = "SELECT sum(hash(a.n + b.n)::double precision) FROM generate_series(1, 1000000) a(n), \
                    generate_series(1, 1000000) b(n)";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rd6_a_killed_worker_costs_its_query_an_error() {
    let stand = Stand::sqlite();
    let (client, other) = (stand.client().await, stand.client().await);
    client.ok("CREATE TABLE t (a int)").await;
    client.ok("INSERT INTO t VALUES (1), (2)").await;
    other.ok("SET duckmesh.consistency = strong").await;
    for name in ["one", "two", "three", "four", "five"] {
        killed(&stand, &client, &other, &LONG.replace("sum(", &format!("'{name}' AS {name}, sum("))).await;
        // The same session and another one go on, with reads and with writes.
        assert_eq!(client.value("SELECT count(*) FROM t").await, "2", "{name}");
        other.ok(&format!("CREATE TABLE t_{name} (a int)")).await;
        other.ok(&format!("INSERT INTO t_{name} VALUES (1)")).await;
        assert_eq!(other.value(&format!("SELECT count(*) FROM t_{name}")).await, "1");
    }
    // What ended the engine three times is refused for a while; everything else is not.
    for _ in 0..3 {
        killed(&stand, &client, &other, LONG).await;
    }
    let error = client.fails(LONG).await;
    assert!(error.starts_with("55000"), "{error}");
    assert_eq!(client.value("SELECT count(*) FROM t").await, "2");
}

/// Runs a query and kills the worker under it.
async fn killed(stand: &Stand, client: &Client, other: &Client, long: &str) {
    let running = async { client.rows(long).await };
    let killing = async {
        assert_eq!(other.value("SELECT count(*) FROM t").await, "2");
        let workers = eventually("a worker runs", Duration::from_secs(10), || {
            Some(stand.server.workers()).filter(|workers| !workers.is_empty())
        });
        // The query must be in the worker: it burns processor time there.
        eventually("the worker is busy", Duration::from_secs(30), || {
            workers.iter().any(|pid| busy(*pid)).then_some(())
        });
        for pid in workers {
            assert!(process::signal(pid, process::KILL));
        }
    };
    let (result, ()) = tokio::join!(running, killing);
    let error = result.expect_err("the query was killed");
    assert_eq!(error.code().map(|c| c.code()), Some("57P02"), "{long}: {error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rd7_a_long_query_is_cancelled() {
    let stand = Stand::sqlite();
    let client = stand.client().await;
    client.ok("SET statement_timeout = '500ms'").await;
    let error = client.fails(LONG).await;
    assert!(error.starts_with("57014"), "{error}");
    client.ok("SET statement_timeout = 0").await;
    let cancel = client.pg.cancel_token();
    let running = client.rows(LONG);
    tokio::pin!(running);
    assert!(tokio::time::timeout(Duration::from_millis(500), &mut running).await.is_err());
    cancel.cancel_query(tokio_postgres::NoTls).await.unwrap();
    let error = tokio::time::timeout(Duration::from_secs(10), running).await.expect("cancelled").unwrap_err();
    assert_eq!(error.code().map(|c| c.code()), Some("57014"), "{error}");
    assert_eq!(client.value("SELECT 1").await, "1");
}

/// RD6: killed in the middle of an answer; what the client got is not taken for all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rd6_at_engine_mid_stream() {
    let folder = tempfile::tempdir().unwrap();
    let go_on = folder.path().join("go-on");
    let failpoints = Some(format!("engine-mid-stream=300*wait:{}", go_on.display()));
    let stand = Stand::sqlite_with(ServerOptions { failpoints, ..ServerOptions::default() });
    let (client, other) = (stand.client().await, stand.client().await);
    let reading = client.rows("SELECT n FROM generate_series(1, 5000000) AS g(n)");
    let killing = async {
        eventually_async("rows are sent", Duration::from_secs(60), || async {
            stand.server.reached("engine-mid-stream").then_some(())
        })
        .await;
        assert_eq!(other.value("SELECT 1").await, "1", "others go on");
        stand.server.workers().into_iter().for_each(|pid| assert!(process::signal(pid, process::KILL)));
    };
    let (result, ()) = tokio::join!(reading, killing);
    let error = result.expect_err("cut off");
    assert_eq!(error.code().map(|c| c.code()), Some("57P02"), "{error}");
    std::fs::write(&go_on, b"").unwrap();
    assert_eq!(client.value("SELECT count(n) FROM generate_series(1, 5000000) AS g(n)").await, "5000000");
}

/// RD8: an error of the engine's insides costs its statement an error, and the worker its place: nothing runs on it any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rd8_an_internal_error_retires_the_worker() {
    let failpoints = Some("engine-mid-stream=3*error".to_owned());
    let stand = Stand::sqlite_with(ServerOptions { failpoints, ..ServerOptions::default() });
    let (client, other) = (stand.client().await, stand.client().await);
    assert_eq!(client.value("SELECT 1").await, "1");
    let first = stand.server.workers();
    assert_eq!(first.len(), 1, "{first:?}");
    let error = client.fails("SELECT n FROM generate_series(1, 5000000) AS g(n)").await;
    assert!(error.starts_with("XX000") && !error.contains("failpoint"), "no detail for clients: {error}");
    stand.server.says("engine worker retired");
    for client in [&client, &other] {
        assert_eq!(client.value("SELECT 2").await, "2", "sessions go on");
    }
    eventually("the worker is another one", Duration::from_secs(30), || {
        let now = stand.server.workers();
        (now.len() == 1 && now != first).then_some(())
    });
}

/// RD6: killed while it starts, before its configuration is locked: it never takes a statement.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rd6_at_engine_before_lock() {
    let folder = tempfile::tempdir().unwrap();
    let go_on = folder.path().join("go-on");
    std::fs::write(&go_on, b"").unwrap();
    let failpoints = Some(format!("engine-before-lock=wait:{}", go_on.display()));
    let stand = Stand::sqlite_with(ServerOptions { failpoints, ..ServerOptions::default() });
    let client = stand.client().await;
    let first = stand.server.workers();
    assert_eq!(client.value("SELECT 1").await, "1");
    std::fs::remove_file(&go_on).unwrap();
    first.iter().for_each(|pid| assert!(process::signal(*pid, process::KILL)));
    eventually("the server sees it", Duration::from_secs(30), || {
        (stand.server.log().matches("engine worker ended").count() == 1).then_some(())
    });
    let asking = client.rows("SELECT 2");
    let killing = async {
        let starting = eventually_async("another worker starts", Duration::from_secs(60), || async {
            let workers = stand.server.workers();
            (!workers.is_empty() && workers.iter().all(|pid| !first.contains(pid))).then_some(workers)
        })
        .await;
        // The first one said it too: the second time it is the second worker.
        eventually_async("it is at the failpoint", Duration::from_secs(60), || async {
            (stand.server.log().matches("failpoint-reached engine-before-lock").count() > 1).then_some(())
        })
        .await;
        starting.into_iter().for_each(|pid| assert!(process::signal(pid, process::KILL)));
    };
    let (result, ()) = tokio::join!(asking, killing);
    assert!(result.is_err(), "a worker that did not start answers nothing");
    std::fs::write(&go_on, b"").unwrap();
    assert_eq!(client.value("SELECT 3").await, "3");
}

/// GW6: a client that stops reading a large answer costs neither memory nor processor time, and takes nothing from others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gw6_a_reader_that_stops_costs_no_memory() {
    let stand = Stand::sqlite();
    let other = stand.client().await;
    let mut wire = stand.server.wire();
    wire.query("SET statement_timeout = 0");
    let query = b"SELECT n, n + 1, 'some text to make it wide' FROM generate_series(1, 100000000) AS g(n)\0";
    wire.send(b'Q', query).unwrap();
    // RowDescription and the first row; after that the client takes nothing.
    assert_eq!(wire.receive().unwrap().0, b'T');
    assert_eq!(wire.receive().unwrap().0, b'D');
    let worker = *stand.server.workers().first().expect("a worker");
    eventually("the worker waits for the client", Duration::from_secs(120), || {
        (!busy(worker) && !busy(stand.server.pid())).then_some(())
    });
    assert_eq!(other.value("SELECT 1").await, "1", "others go on");
    for (what, pid) in [("server", stand.server.pid()), ("worker", worker)] {
        let peak = process::peak_memory_kib(pid);
        assert!(peak < 700 * 1024, "the {what} needed {peak} KiB");
    }
    drop(wire);
    eventually("its query ends with its connection", Duration::from_secs(60), || {
        (!stand.server.workers().iter().any(|pid| busy(*pid))).then_some(())
    });
    assert_eq!(other.value("SELECT 1").await, "1");
}

/// Whether a process used more than 0.2 s of processor time since this looked last.
fn busy(pid: u32) -> bool {
    let ticks = || -> Option<u64> {
        let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let words: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        Some(words.get(11)?.parse::<u64>().ok()? + words.get(12)?.parse::<u64>().ok()?)
    };
    let Some(before) = ticks() else { return false };
    let end = std::time::Instant::now() + Duration::from_secs(1);
    while std::time::Instant::now() < end {
        if ticks().is_some_and(|now| now >= before + 20) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

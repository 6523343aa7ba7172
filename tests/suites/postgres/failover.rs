//! The primary is lost and a standby takes its place.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicI64, Ordering},
};

use duckmesh_tests::harness::{Client, Postgres, Server, eventually_async};

use super::{LIMIT, options};

fn both(one: &Postgres, two: &Postgres) -> String {
    format!("postgres://tester@127.0.0.1:{},127.0.0.1:{}/postgres", one.port(), two.port())
}

/// PG3: failover to a synchronous standby, with writers running. Every acknowledged row is there, once; servers find the new
/// primary by themselves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g1_pg3_failover_to_a_synchronous_standby_loses_nothing() {
    let mut primary = Postgres::with(&[]);
    let standby = primary.standby("spare");
    let admin = primary.client().await;
    admin.ok("ALTER SYSTEM SET synchronous_standby_names = 'spare'").await;
    admin.ok("SELECT pg_reload_conf()").await;
    eventually_async("the standby is synchronous", LIMIT, || async {
        (admin.text("SELECT sync_state FROM pg_stat_replication").await == ["sync"]).then_some(())
    })
    .await;
    let server = Server::with(options(both(&primary, &standby)));
    server.client().await.ok("CREATE TABLE t (a int)").await;
    let (stop, acknowledged) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicI64::new(0)));
    let mut writers = Vec::new();
    for writer in 0..4_i64 {
        let (port, stop, acknowledged) = (server.port(), stop.clone(), acknowledged.clone());
        writers.push(tokio::spawn(async move {
            let mut rows = Vec::new();
            let mut n = 0;
            while !stop.load(Ordering::Acquire) {
                let Ok(client) = Client::connect(port, "duckmesh").await else { continue };
                while !stop.load(Ordering::Acquire) {
                    n += 1;
                    let row = writer * 1_000_000 + n;
                    match client.rows(&format!("INSERT INTO t VALUES ({row})")).await {
                        Ok(_) => rows.push(row),
                        Err(_) => break,
                    }
                    acknowledged.fetch_add(1, Ordering::AcqRel);
                }
            }
            rows
        }));
    }
    let more = async |than: i64| {
        eventually_async("writers go on", LIMIT, || async {
            (acknowledged.load(Ordering::Acquire) >= than).then_some(())
        })
        .await;
    };
    more(40).await;
    primary.stop_immediately();
    // It waits for no standby of its own.
    standby.promote();
    standby.client().await.ok("ALTER SYSTEM RESET synchronous_standby_names").await;
    standby.client().await.ok("SELECT pg_reload_conf()").await;
    let at_failover = acknowledged.load(Ordering::Acquire);
    more(at_failover + 40).await;
    stop.store(true, Ordering::Release);
    let mut expected = Vec::new();
    for writer in writers {
        expected.extend(writer.await.unwrap());
    }
    let client = server.client().await;
    client.ok("SET duckmesh.consistency = strong").await;
    let found: Vec<i64> = client.text("SELECT a FROM t").await.iter().map(|n| n.parse().unwrap()).collect();
    let lost: Vec<_> = expected.iter().filter(|row| !found.contains(row)).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    let mut once = found.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), found.len(), "each once");
}

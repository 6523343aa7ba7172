//! What sessions of different gateways share: tokens, idempotency keys, schemas.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use duckmesh_tests::harness::{Client, eventually_async};
use futures::future::join_all;

use super::{Fleet, PATIENCE, make};

/// A token from one gateway is a barrier on another, and DDL on one is seen on the other at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g3_fleet_tokens_and_schemas_hold_on_every_gateway() {
    let fleet = Fleet::new();
    let (one, two) = (fleet.server("a"), fleet.server("b"));
    let (here, there) = (one.client().await, two.client().await);
    make(&here, "t").await;
    for n in 1..=10 {
        here.ok(&format!("INSERT INTO t VALUES ({n})")).await;
        let token = here.value("SHOW duckmesh.last_token").await;
        there.ok(&format!("SET duckmesh.min_token = '{token}'")).await;
        assert_eq!(there.value("SELECT count(*) FROM t").await, n.to_string());
        here.ok(&format!("ALTER TABLE t ADD COLUMN c{n} int DEFAULT {n}")).await;
        assert_eq!(there.value(&format!("SELECT sum(c{n}) FROM t")).await, (n * n).to_string());
        there.ok(&format!("ALTER TABLE t DROP COLUMN c{n}")).await;
    }
}

/// CL3: the same key on two gateways at once has one effect, and both get its token.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cl3_fleet_a_key_used_on_two_gateways_has_one_effect() {
    let fleet = Fleet::new();
    let servers = [fleet.server("a"), fleet.server("b")];
    let setup = servers[0].client().await;
    make(&setup, "t").await;
    let clients = [setup, servers[1].client().await];
    for round in 0..30 {
        let repeat = async |client: &Client| {
            client.ok(&format!("SET duckmesh.idempotency_key = 'key {round}'")).await;
            client.ok(&format!("INSERT INTO t VALUES ({round})")).await;
            client.value("SHOW duckmesh.last_token").await
        };
        let tokens = join_all([repeat(&clients[0]), repeat(&clients[1])]).await;
        assert_eq!(tokens[0], tokens[1], "round {round}");
    }
    for client in &clients {
        client.ok("SET duckmesh.consistency = strong").await;
        assert_eq!(client.value("SELECT count(*) || '/' || count(DISTINCT n) FROM t").await, "30/30");
    }
    clients[1].ok("SET duckmesh.idempotency_key = 'key 0'").await;
    let failed = clients[1].rows("INSERT INTO t VALUES (1000)").await.expect_err("another payload");
    assert_eq!(failed.code().map(|code| code.code()), Some("23505"), "{failed}");
}

/// Servers are replaced one after the other while clients write: what was acknowledged is there, once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gw4_fleet_a_rolling_restart_loses_nothing() {
    let fleet = Fleet::new();
    let mut servers = [fleet.server("a"), fleet.server("b")];
    let setup = servers[0].client().await;
    make(&setup, "t").await;
    let ports = Arc::new(Mutex::new(servers.each_ref().map(|server| server.port())));
    let done = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..4_i64)
        .map(|writer| {
            let (ports, done) = (ports.clone(), done.clone());
            tokio::spawn(async move { write_anywhere(writer, &ports, &done).await })
        })
        .collect();
    for at in [0, 1, 0] {
        assert!(servers[at].stop().success());
        servers[at].restart();
        ports.lock().expect("ports")[at] = servers[at].port();
        // It has a share of the work before the next one goes.
        let client = servers[at].client().await;
        client.ok("SET duckmesh.barrier_timeout = '60s'; SET duckmesh.consistency = strong").await;
        client.value("SELECT count(*) FROM t").await;
    }
    done.store(true, Ordering::Relaxed);
    let mut acknowledged = 0;
    for writer in writers {
        acknowledged += writer.await.expect("a writer");
    }
    assert!(acknowledged > 20, "only {acknowledged} writes");
    let client = servers[1].client().await;
    client.ok("SET duckmesh.barrier_timeout = '60s'; SET duckmesh.consistency = strong").await;
    let rows = client.value("SELECT count(*) || '/' || count(DISTINCT n) FROM t").await;
    assert_eq!(rows, format!("{acknowledged}/{acknowledged}"));
}

/// Writes numbers until told to stop, each until it is acknowledged, with its key, on whichever server answers.
async fn write_anywhere(writer: i64, ports: &Mutex<[u16; 2]>, done: &AtomicBool) -> i64 {
    let mut written = 0;
    let mut client: Option<Client> = None;
    while !done.load(Ordering::Relaxed) {
        let n = writer * 1_000_000 + written;
        let end = Instant::now() + PATIENCE;
        let sql = format!("SET duckmesh.idempotency_key = '{n}'; INSERT INTO t VALUES ({n})");
        loop {
            assert!(Instant::now() < end, "{n} is not acknowledged");
            let ports = *ports.lock().expect("ports");
            if client.is_none() {
                let at = usize::from(n % 2 != 0);
                for port in [ports[at], ports[1 - at]] {
                    if client.is_none() {
                        client = Client::connect(port, "duckmesh").await.ok();
                    }
                }
            }
            match &client {
                Some(open) if open.pg.batch_execute(&sql).await.is_ok() => break,
                _ => client = None,
            }
        }
        written += 1;
    }
    written
}

/// LISTEN on one gateway hears NOTIFY of another: in order, whole, of its own lake alone, when the transaction commits, once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fleet_notifications_reach_listeners_of_every_gateway() {
    let fleet = Fleet::new();
    let (one, two) = (fleet.server("a"), fleet.server("b"));
    let (here, there, said) = (one.client().await, two.client().await, one.client().await);
    said.ok("CREATE DATABASE other").await;
    let elsewhere = two.client_of("other").await;
    for listener in [&here, &there, &elsewhere] {
        listener.ok("LISTEN news").await;
    }
    // A server that hears nobody else believes for a moment that it is alone.
    let begun = std::cell::Cell::new(0);
    eventually_async("the servers hear each other", PATIENCE, async || {
        begun.set(begun.get() + 1);
        said.ok("NOTIFY news, 'begin'").await;
        there.ok("SELECT 1").await;
        (!there.notified().is_empty()).then_some(())
    })
    .await;
    let long = "ä".repeat(3500);
    said.ok(&format!("BEGIN; NOTIFY news, 'unsaid'; ROLLBACK; NOTIFY news, '{long}'")).await;
    said.ok("BEGIN; NOTIFY news, 'first'; NOTIFY silent, 'x'; NOTIFY news, 'second'; NOTIFY news, 'first'; COMMIT")
        .await;
    said.ok("SELECT pg_notify('news', 'end')").await;
    let expected = [&long, "first", "second", "end"].map(|payload| ("news".to_owned(), payload.to_owned()));
    for listener in [&here, &there] {
        let heard = eventually_async("all of it arrives", PATIENCE, async || {
            listener.ok("SELECT 1").await;
            let heard: Vec<_> = listener.notified().into_iter().filter(|(_, payload)| payload != "begin").collect();
            (heard.len() >= expected.len()).then_some(heard)
        });
        assert_eq!(heard.await, expected);
    }
    assert_eq!(here.notified().len(), begun.get() + expected.len());
    elsewhere.ok("SELECT 1").await;
    assert!(elsewhere.notified().is_empty(), "another database: {:?}", elsewhere.notified());
}

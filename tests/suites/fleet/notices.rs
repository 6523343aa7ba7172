//! NOTIFY to sessions of a gateway that did not hear it when it was said.

use std::time::Duration;

use duckmesh_tests::{
    harness::{Client, Server, ServerOptions, eventually_async},
    tcp_proxy::TcpProxy,
};

use super::{Fleet, LEASE, PATIENCE};

const LISTENERS: &str = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN duckmesh%'";

/// A gateway with a proxy between it and PostgreSQL.
fn apart(fleet: &Fleet, data: &str) -> (TcpProxy, Server) {
    let proxy = TcpProxy::start(fleet.postgres.port());
    let catalog = Some(format!("postgres://tester@127.0.0.1:{}/postgres", proxy.port()));
    let args =
        ["--lease-ms", &LEASE.as_millis().to_string(), "--catalog-wait-seconds", "2"].map(str::to_owned).to_vec();
    let data = Some(fleet.folder.path().join(data));
    (proxy, Server::with(ServerOptions { data, catalog, args, ..ServerOptions::default() }))
}

/// Everything that a listener heard, once it has this last.
async fn heard(listener: &Client, last: &str) -> Vec<String> {
    eventually_async(&format!("{last} arrives"), PATIENCE, async || {
        listener.ok("SELECT 1").await;
        let heard: Vec<String> = listener.notified().into_iter().map(|(_, payload)| payload).collect();
        (heard.last().map(String::as_str) == Some(last)).then_some(heard)
    })
    .await
}

/// While a gateway has no connection to PostgreSQL, and while only the one is away on which it listens: what was said meanwhile
/// arrives afterwards, all of it, in order, once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fleet_notifications_said_while_a_gateway_was_deaf_arrive_later() {
    let fleet = Fleet::new();
    let one = fleet.server("a");
    let (proxy, two) = apart(&fleet, "b");
    let (said, there, admin) = (one.client().await, two.client().await, fleet.postgres.client().await);
    there.ok("LISTEN news").await;
    said.ok("NOTIFY news, 'begin'").await;
    heard(&there, "begin").await;
    let mut expected = vec!["begin".to_owned()];
    for (round, is_cut_off) in [true, false, true].into_iter().enumerate() {
        if is_cut_off {
            proxy.refuse(true);
            proxy.cut_all();
        } else {
            let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN duckmesh%'";
            admin.ok(end).await;
        }
        for n in 0..100 {
            let text = format!("{round}: {n}");
            said.ok(&format!("NOTIFY news, '{text}'")).await;
            expected.push(text);
        }
        // It is stored, while nobody there hears it.
        let last = format!("SELECT count(*) FROM duckmesh.told WHERE body LIKE '%{}'", expected.last().expect("some"));
        eventually_async("it is stored", PATIENCE, async || (admin.value(&last).await == "1").then_some(())).await;
        if is_cut_off {
            assert!(!there.notified().iter().any(|(_, payload)| payload.starts_with(&format!("{round}: "))));
        }
        proxy.refuse(false);
        assert_eq!(heard(&there, expected.last().expect("some")).await, expected);
    }
    let missed = there.take_notices();
    assert!(missed.is_empty(), "nothing is missing: {missed:?}");
}

/// What is kept no longer cannot be had: then listeners are told that something is missing, and hear on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fleet_listeners_are_told_that_notifications_were_lost() {
    let fleet = Fleet::new();
    let one = fleet.server("a");
    let (proxy, two) = apart(&fleet, "b");
    let (said, there, admin) = (one.client().await, two.client().await, fleet.postgres.client().await);
    there.ok("LISTEN news").await;
    said.ok("NOTIFY news, 'begin'").await;
    heard(&there, "begin").await;
    proxy.refuse(true);
    proxy.cut_all();
    said.ok("NOTIFY news, 'lost'").await;
    let stored = "SELECT count(*) FROM duckmesh.told WHERE body LIKE '%lost'";
    eventually_async("it is stored", PATIENCE, async || (admin.value(stored).await == "1").then_some(())).await;
    admin.ok("DELETE FROM duckmesh.told").await;
    proxy.refuse(false);
    let told = eventually_async("it is told so", PATIENCE, async || {
        there.ok("SELECT 1").await;
        let notices = there.take_notices();
        (!notices.is_empty()).then_some(notices)
    });
    let told = told.await;
    assert!(told.len() == 1 && told[0].starts_with("notifications may have been lost"), "{told:?}");
    eventually_async("both listen", Duration::from_secs(30), async || {
        (admin.value(LISTENERS).await == "2").then_some(())
    })
    .await;
    said.ok("NOTIFY news, 'after'").await;
    assert_eq!(heard(&there, "after").await, ["begin", "after"]);
}

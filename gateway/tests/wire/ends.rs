//! How statements and connections end: cancel, disconnect, panic, shutdown, timeouts.

use std::{sync::atomic::Ordering, time::Duration};

use duckmesh::wire::WireLimits;

use crate::client::*;

/// GW16
#[tokio::test]
async fn only_the_right_key_cancels() {
    let server = server(WireLimits::default()).await;
    let mut client = Client::connect(&server).await;
    let (id, key) = (client.id, client.key.clone());
    client.send(&query("sleep")).await;
    server.ledger.waiting.notified().await;
    let wrong: Vec<u8> = key.iter().map(|byte| !byte).collect();
    for (id, key) in [(id, &wrong[..]), (id, &[]), (id, &key[..3]), (id + 1, &key), (id, &[&key[..], &[0]].concat())] {
        client.cancel(&server, id, key).await;
    }
    assert_eq!(server.ledger.gone.load(Ordering::SeqCst), 0);
    client.cancel(&server, id, &key).await;
    assert_eq!(client.until_ready().await, "E:ERROR/57014/canceling statement due to user request Z:I");
}

/// GW16: an address that guesses is not listened to for a while, not even when it is right; others are.
#[tokio::test]
async fn gw16_guesses_are_counted_by_address() {
    let server = server(WireLimits::default()).await;
    let mut client = Client::connect(&server).await;
    let (id, key) = (client.id, client.key.clone());
    client.send(&query("sleep")).await;
    server.ledger.waiting.notified().await;
    let began = std::time::Instant::now();
    for guess in 0..200_u32 {
        let wrong: Vec<u8> = key.iter().zip(guess.wrapping_add(1).to_be_bytes()).map(|(k, g)| k ^ g).collect();
        cancel_from("127.0.0.2", &server, id, &wrong).await;
    }
    // The limit gives some back with time: a machine that is too slow for this says nothing.
    if began.elapsed() < std::time::Duration::from_secs(5) {
        cancel_from("127.0.0.2", &server, id, &key).await;
        cancel_from("127.0.0.2", &server, id + 1, &key).await;
        assert_eq!(server.ledger.gone.load(Ordering::SeqCst), 0, "the right key from there is not listened to");
        let answer = tokio::time::timeout(std::time::Duration::from_millis(100), client.until_ready()).await;
        assert!(answer.is_err(), "it still runs: {answer:?}");
    }
    cancel_from("127.0.0.3", &server, id, &key).await;
    assert_eq!(client.until_ready().await, "E:ERROR/57014/canceling statement due to user request Z:I");
}

/// GW17: a request that was taken before a statement starts never hits it.
#[tokio::test]
async fn a_late_cancel_hits_nothing() {
    let server = server(WireLimits::default()).await;
    let mut client = Client::connect(&server).await;
    let (id, key) = (client.id, client.key.clone());
    for _ in 0..300 {
        client.send(&query("insert")).await;
        let (_, answer) = tokio::join!(async { server.registry.request(id, &key) }, client.until_ready(),);
        assert_eq!(answer, "C:INSERT 0 1 Z:I");
        server.registry.request(id, &key);
        assert_eq!(client.ask(&query("select 1")).await, "T:n D:0 C:SELECT 1 Z:I");
    }
}

/// GW5
#[tokio::test]
async fn a_client_that_leaves_is_noticed_while_its_statement_runs() {
    let server = server(WireLimits::default()).await;
    let mut client = Client::connect(&server).await;
    client.send(&query("sleep")).await;
    server.ledger.waiting.notified().await;
    // What comes meanwhile is kept.
    client.send(&query("insert")).await;
    drop(client);
    until(|| server.ledger.sessions.load(Ordering::SeqCst) == 0 && server.registry.is_empty()).await;
    assert_eq!(server.ledger.gone.load(Ordering::SeqCst), 1);
    assert_eq!(server.ledger.durable.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn what_comes_while_a_statement_runs_is_kept() {
    let server = server(WireLimits::default()).await;
    let mut client = Client::connect(&server).await;
    client.send(&query("sleep")).await;
    server.ledger.waiting.notified().await;
    client.send(&query("insert")).await;
    let (id, key) = (client.id, client.key.clone());
    client.cancel(&server, id, &key).await;
    assert!(client.until_ready().await.starts_with("E:ERROR/57014"));
    assert_eq!(client.until_ready().await, "C:INSERT 0 1 Z:I");
}

/// GW15
#[tokio::test]
async fn a_panic_ends_one_connection() {
    let server = server(WireLimits::default()).await;
    let mut other = Client::connect(&server).await;
    let mut client = Client::connect(&server).await;
    let answer = client.ask(&query("insert;panic")).await;
    assert!(answer.starts_with("E:FATAL/XX000/internal error ") && answer.ends_with("EOF"), "{answer}");
    assert_eq!(other.ask(&query("insert")).await, "C:INSERT 0 1 Z:I");
    assert_eq!(server.registry.len(), 1);
}

/// GW4
#[tokio::test]
async fn shutdown() {
    let limits = WireLimits { drain: Duration::from_millis(300), ..WireLimits::default() };
    let server = server(limits).await;
    let mut idle = Client::connect(&server).await;
    let mut busy = Client::connect(&server).await;
    busy.send(&query("sleep")).await;
    server.ledger.waiting.notified().await;
    server.stop.send(true).unwrap();
    let last_words = "E:FATAL/57P01/terminating connection due to administrator command EOF";
    assert_eq!(idle.until_ready().await, last_words);
    assert_eq!(busy.until_ready().await, last_words);
    server.task.await.unwrap();
    assert_eq!(server.ledger.sessions.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn idle_sessions_end() {
    let server = server(WireLimits::default()).await;
    let mut client = Client::raw(&server).await;
    client.ask(&startup(3 << 16, &[("user", "a"), ("idle", "1")])).await;
    let answer = client.until_ready().await;
    assert_eq!(answer, "E:FATAL/57P05/terminating connection due to idle-session timeout EOF");
    let mut client = Client::raw(&server).await;
    client.ask(&startup(3 << 16, &[("user", "a"), ("idle", "1")])).await;
    client.ask(&query("begin")).await;
    let answer = client.until_ready().await;
    assert_eq!(answer, "E:FATAL/25P03/terminating connection due to idle-in-transaction timeout EOF");
}

/// GW6
#[tokio::test]
async fn a_client_that_takes_nothing_is_dropped() {
    let server = server(WireLimits { write_deadline: Duration::from_millis(200), ..WireLimits::default() }).await;
    let mut client = Client::connect(&server).await;
    client.send(&query("copyendless")).await;
    until(|| server.registry.is_empty()).await;
}

async fn until(condition: impl Fn() -> bool) {
    let polled = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), polled).await.expect("the condition in time");
}

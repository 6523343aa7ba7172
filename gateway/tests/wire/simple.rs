//! The simple protocol.

use std::sync::atomic::Ordering;

use duckmesh::wire::WireLimits;

use crate::client::*;

#[tokio::test]
async fn simple_queries() {
    let server = server(WireLimits::default()).await;
    let division = "E:ERROR/22012/division by zero";
    let table: &[(&str, &str)] = &[
        ("", "I Z:I"),
        (" ; ;", "I Z:I"),
        ("insert", "C:INSERT 0 1 Z:I"),
        ("insert;insert", "C:INSERT 0 1 C:INSERT 0 1 Z:I"),
        ("insert;fail;insert", &format!("C:INSERT 0 1 {division} Z:I")),
        ("syntax", "E:ERROR/42601/syntax error Z:I"),
        ("aside", "N:NOTICE/00000/token l/1 C:SET S:duckmesh.last_token=l/1 Z:I"),
        // A commit that fails takes the place of what it was to confirm.
        ("badcommit", "E:ERROR/40001/cannot commit Z:I"),
        ("insert;badcommit;insert", "E:ERROR/40001/cannot commit Z:I"),
        ("begin", "C:BEGIN Z:T"),
        ("insert;insert", "C:INSERT 0 1 C:INSERT 0 1 Z:T"),
        ("fail", &format!("{division} Z:E")),
        ("insert", "E:ERROR/25P02/aborted Z:E"),
        ("commit", "C:ROLLBACK Z:I"),
        ("begin;insert;commit;badcommit", "C:BEGIN C:INSERT 0 1 C:COMMIT E:ERROR/40001/cannot commit Z:I"),
    ];
    let mut client = Client::connect(&server).await;
    for (sql, expected) in table {
        assert_eq!(&client.ask(&query(sql)).await, expected, "{sql}");
    }
    // insert, insert;insert, and the one before COMMIT; nothing of what failed.
    assert_eq!(server.ledger.durable.load(Ordering::SeqCst), 4);
    assert_eq!(client.ask(&message(b'X', b"")).await, "EOF");
}

#[tokio::test]
async fn rows() {
    let server = server(WireLimits::default()).await;
    let mut client = Client::connect(&server).await;
    assert_eq!(client.ask(&query("select 0")).await, "T:n C:SELECT 0 Z:I");
    let expected = "T:n D:0 D:1 D:2 D:3 C:SELECT 4 T:n D:0 C:SELECT 1 Z:I";
    assert_eq!(client.ask(&query("select 4;select 1")).await, expected);
}

#[tokio::test]
async fn function_calls_are_refused() {
    let server = server(WireLimits::default()).await;
    let mut client = Client::connect(&server).await;
    let answer = client.ask(&message(b'F', &[0; 10])).await;
    assert_eq!(answer, "E:ERROR/0A000/function calls by message are not supported Z:I");
    assert_eq!(client.ask(&query("insert")).await, "C:INSERT 0 1 Z:I");
}

/// GW6: rows are made only as fast as they are taken.
#[tokio::test]
async fn a_slow_client_makes_the_source_wait() {
    let server = server(WireLimits::default()).await;
    let mut client = Client::connect(&server).await;
    client.send(&query("select 100000000")).await;
    assert_eq!(client.message().await, "T:n");
    let made = async || server.ledger.batches.load(Ordering::SeqCst);
    // Wait until it makes no more.
    let mut before = usize::MAX;
    while before != made().await {
        before = made().await;
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    assert!(before < 5_000, "{before} batches for a client that reads nothing");
    let (id, key) = (client.id, client.key.clone());
    client.cancel(&server, id, &key).await;
    let end = loop {
        let word = client.message().await;
        if !word.starts_with('D') {
            break word;
        }
    };
    assert_eq!(end, "E:ERROR/57014/canceling statement due to user request");
    assert_eq!(client.message().await, "Z:I");
}

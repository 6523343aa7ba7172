//! COPY in both directions.

use std::sync::atomic::Ordering;

use duckmesh::wire::WireLimits;

use crate::client::*;

fn data(bytes: &[u8]) -> Vec<u8> {
    message(b'd', bytes)
}

#[tokio::test]
async fn copy_in() {
    let server = server(WireLimits::default()).await;
    let (done, sync, flush) = (message(b'c', b""), sync(), message(b'H', b""));
    let lost = "E:FATAL/08P01/terminating connection because protocol synchronization was lost EOF";
    let table: Vec<(Vec<u8>, String)> = vec![
        ([data(b"a\tb\n"), done.clone()].concat(), "C:COPY 1 Z:I".into()),
        ([sync.clone(), flush, data(b"a"), data(b""), sync, done.clone()].concat(), "C:COPY 1 Z:I".into()),
        (message(b'f', b"oops\0"), "E:ERROR/57014/COPY from stdin failed: oops Z:I".into()),
        // What was on its way when the COPY failed is thrown away.
        ([data(b"bad"), done.clone()].concat(), "E:ERROR/22P04/bad data Z:I".into()),
        ([data(&[b"bad", &[b'x'; 300_000][..]].concat()), done.clone()].concat(), "E:ERROR/22P04/bad data Z:I".into()),
        (query("insert"), format!("E:ERROR/08P01/unexpected message type 0x51 during COPY from stdin {lost}")),
    ];
    let mut client = Client::connect(&server).await;
    for (bytes, expected) in table {
        client.send(&query("copyin")).await;
        assert_eq!(client.message().await, "G");
        assert_eq!(client.ask(&bytes).await, expected, "{}", bytes[..bytes.len().min(50)].escape_ascii());
    }
    assert_eq!(server.ledger.copied_bytes.load(Ordering::SeqCst), 5);
}

#[tokio::test]
async fn copy_in_by_the_extended_protocol() {
    let server = server(WireLimits::default()).await;
    let mut client = Client::connect(&server).await;
    // The Sync right behind Execute is ignored; the one after CopyDone counts.
    client.send(&[run("copyin"), sync()].concat()).await;
    assert_eq!(client.until('G').await, "1 2 G");
    assert_eq!(client.ask(&[data(b"a\n"), message(b'c', b""), sync()].concat()).await, "C:COPY 1 Z:I");
    client.send(&run("copyin")).await;
    assert_eq!(client.until('G').await, "1 2 G");
    let rest = [message(b'f', b"no\0"), data(b"x"), run("insert"), sync()].concat();
    assert_eq!(client.ask(&rest).await, "E:ERROR/57014/COPY from stdin failed: no Z:I");
}

/// GW10: one message of 40 MiB goes on in slices.
#[tokio::test]
async fn a_large_message_streams() {
    let server = server(WireLimits::default()).await;
    let mut client = Client::connect(&server).await;
    client.send(&query("copyin")).await;
    assert_eq!(client.message().await, "G");
    client.send(&data(&vec![b'x'; 40 << 20])).await;
    assert_eq!(client.ask(&message(b'c', b"")).await, "C:COPY 1 Z:I");
    assert_eq!(server.ledger.copied_bytes.load(Ordering::SeqCst), 40 << 20);
    assert!(server.ledger.pieces_max.load(Ordering::SeqCst) <= 256 << 10);
    // Above the limit it is refused by its header.
    client.send(&query("copyin")).await;
    assert_eq!(client.message().await, "G");
    let header = [&b"d"[..], &(64_u32 << 20).wrapping_add(5).to_be_bytes()].concat();
    assert_eq!(client.ask(&header).await, "E:FATAL/08P01/invalid message length EOF");
}

#[tokio::test]
async fn copy_out() {
    let server = server(WireLimits::default()).await;
    let mut client = Client::connect(&server).await;
    assert_eq!(client.ask(&query("copyout")).await, "H d:a\n d:a\n c C:COPY 2 Z:I");
    assert_eq!(client.ask(&[run("copyout"), sync()].concat()).await, "1 2 H d:a\n d:a\n c C:COPY 2 Z:I");
}

#[tokio::test]
async fn copies_are_cancelled() {
    let server = server(WireLimits::default()).await;
    let mut client = Client::connect(&server).await;
    let (id, key) = (client.id, client.key.clone());
    client.send(&query("copyin")).await;
    assert_eq!(client.message().await, "G");
    client.cancel(&server, id, &key).await;
    assert_eq!(client.until_ready().await, "E:ERROR/57014/canceling statement due to user request Z:I");
    client.send(&query("copyendless")).await;
    assert_eq!(client.message().await, "H");
    client.cancel(&server, id, &key).await;
    let end = loop {
        let word = client.message().await;
        if word != "d:a\n" {
            break word;
        }
    };
    assert_eq!(end, "E:ERROR/57014/canceling statement due to user request");
}

//! Bytes that no client sends. GW10, GW11: an error or a closed connection, never a panic, never a wait without end.

use std::sync::Arc;

use duckmesh::wire::{Shutdown, Ticket, WireLimits, cancel::CancelRegistry, serve_connection};
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{client::*, fake::Fake};

#[tokio::test]
async fn malformed_frames() {
    let server = server(WireLimits::default()).await;
    let short = "E:ERROR/08P01/insufficient data left in message Z:I";
    let no_nul = "E:ERROR/08P01/invalid string in message Z:I";
    let more = "E:ERROR/08P01/invalid message format Z:I";
    let length = "E:FATAL/08P01/invalid message length EOF";
    let table: Vec<(Vec<u8>, &str)> = vec![
        (b"Q\0\0\0\x03".to_vec(), length),
        (b"Q\xff\xff\xff\xff".to_vec(), length),
        (b"Q\x01\x10\0\0".to_vec(), length),
        (b"E\0\x01\0\0".to_vec(), length),
        (b"?".to_vec(), "E:FATAL/08P01/invalid frontend message type 63 EOF"),
        (b"p\0\0\0\x04".to_vec(), "E:FATAL/08P01/invalid frontend message type 112 EOF"),
        (message(b'Q', b"insert"), no_nul),
        (message(b'Q', b""), no_nul),
        (message(b'Q', b"insert\0x"), more),
        (message(b'S', b"x"), more),
        (message(b'H', b"x"), more),
        (message(b'P', b"a"), no_nul),
        (message(b'P', b"a\0insert"), no_nul),
        (message(b'P', b"a\0insert\0"), short),
        (message(b'P', b"a\0insert\0\xff\xff"), short),
        (message(b'P', b"a\0insert\0\0\x01\0\0"), short),
        (message(b'P', b"a\0insert\0\0\0x"), more),
        (message(b'B', b"\0\0"), short),
        (message(b'B', b"\0\0\xff\xff"), short),
        (message(b'B', b"\0\0\0\0\xff\xff"), short),
        (message(b'B', b"\0\0\0\0\0\x01\x7f\xff\xff\xff"), short),
        (message(b'B', b"\0\0\0\0\0\x01\xff\xff\xff\xfe"), short),
        (message(b'B', b"\0\0\0\0\0\x01\xff\xff\xff\xff\xff\xff"), short),
        (message(b'D', b""), short),
        (message(b'D', b"S"), no_nul),
        (message(b'C', b"Sx\0y"), more),
        (message(b'E', b"\0"), short),
        (message(b'E', b"\0\0\0\0\0\0"), more),
    ];
    for (bytes, expected) in table {
        let mut client = Client::connect(&server).await;
        assert_eq!(client.ask(&[&bytes[..], &sync()].concat()).await, expected, "{}", bytes.escape_ascii());
    }
}

#[tokio::test]
async fn text_that_is_not_utf8() {
    let server = server(WireLimits::default()).await;
    let mut client = Client::connect(&server).await;
    let table: &[(&[u8], &str)] = &[
        (b"select \xff", "0xff"),
        (b"select \xe2\x28\xa1", "0xe2 0x28 0xa1"),
        (b"\xc3", "0xc3"),
        (b"\xf0\x9f\x98", "0xf0 0x9f 0x98"),
        (b"\xed\xa0\x80", "0xed 0xa0 0x80"),
    ];
    for (sql, shown) in table {
        let error = format!("E:ERROR/22021/invalid byte sequence for encoding \"UTF8\": {shown} Z:I");
        assert_eq!(client.ask(&message(b'Q', &[*sql, b"\0"].concat())).await, error);
        let parse = message(b'P', &[b"\0", *sql, b"\0\0\0"].concat());
        assert_eq!(client.ask(&[parse, sync()].concat()).await, error);
    }
}

/// A conversation that touches everything.
fn valid() -> Vec<Vec<u8>> {
    vec![
        query("insert;select 3"),
        query("copyin"),
        message(b'd', b"a\tb\n"),
        message(b'c', b""),
        query("begin"),
        parse("s", "two"),
        describe("Ss"),
        bind("p", "s", &["1", "two"]),
        execute("p", 1),
        close("Pp"),
        sync(),
        query("fail"),
        query("commit"),
        run("select 5"),
        message(b'H', b""),
        sync(),
        query("copyout"),
        message(b'f', b"x\0"),
    ]
}

const ANSWERS: &str = "C:INSERT 0 1 T:n D:0 D:1 D:2 C:SELECT 3 Z:I G C:COPY 1 Z:I C:BEGIN Z:T \
    1 t:2 n 2 C:INSERT 0 1 3 Z:T E:ERROR/22012/division by zero Z:E C:ROLLBACK Z:I \
    1 2 D:0 D:1 D:2 D:3 D:4 C:SELECT 5 Z:I H d:a\n d:a\n c C:COPY 2 Z:I EOF";

/// Otherwise its mutations would prove little. However the network cuts it, the answers are the same.
#[tokio::test]
async fn the_valid_conversation_is_valid() {
    let server = server(WireLimits::default()).await;
    let bytes = [valid().concat(), message(b'X', b"")].concat();
    for size in [bytes.len(), 1, 2, 7] {
        let mut client = Client::connect(&server).await;
        client.socket.set_nodelay(true).unwrap();
        for piece in bytes.chunks(size) {
            client.send(piece).await;
            tokio::task::yield_now().await;
        }
        assert_eq!(client.until('-').await, ANSWERS, "in pieces of {size}");
    }
}

/// Writes the bytes, says no more, and reads until the server has had enough.
fn ends(bytes: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let ended = runtime.block_on(async {
        let (near, far) = tokio::io::duplex(1 << 20);
        let (_stop, shutdown) = Shutdown::new();
        let (fake, registry) = (Arc::new(Fake::default()), Arc::new(CancelRegistry::default()));
        let limits = Arc::new(WireLimits::default());
        let ticket = Ticket::default();
        let server = tokio::spawn(serve_connection(far, None, fake, Arc::clone(&registry), limits, shutdown, ticket));
        let (mut read, mut write) = tokio::io::split(near);
        let client = async {
            let _ = write.write_all(bytes).await;
            let _ = write.shutdown().await;
            let mut answers = Vec::new();
            let _ = read.read_to_end(&mut answers).await;
            answers
        };
        let ended = tokio::time::timeout(std::time::Duration::from_secs(20), async {
            let (answers, server) = tokio::join!(client, server);
            server.expect("no panic gets out");
            answers
        });
        let answers = ended.await.expect("it ends");
        assert!(registry.is_empty());
        answers
    });
    let text = String::from_utf8_lossy(&ended);
    assert!(!text.contains("XX000"), "an internal error: {text}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_before_startup(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        ends(&bytes);
    }

    #[test]
    fn random_frames(frames in proptest::collection::vec(
        (proptest::sample::select(&b"QPBDECSHXdcfFp?"[..]), proptest::collection::vec(any::<u8>(), 0..40)), 0..20,
    )) {
        let mut bytes = startup(3 << 16, &[("user", "a")]);
        for (kind, body) in frames {
            bytes.extend(message(kind, &body));
        }
        ends(&bytes);
    }

    #[test]
    fn mutated_conversations(
        order in proptest::collection::vec(0_usize..18, 1..40),
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<proptest::sample::Index>(),
    ) {
        let messages = valid();
        let mut bytes = startup((3 << 16) + 2, &[("user", "a"), ("options", r"-c a=b\ c")]);
        for at in order {
            bytes.extend(&messages[at % messages.len()]);
        }
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        // `sleep` and `panic` are not in there; a wrong byte cannot make them.
        bytes.truncate(cut.index(bytes.len()) + 1);
        ends(&bytes);
    }
}

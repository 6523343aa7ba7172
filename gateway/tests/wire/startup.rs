//! Everything before the first ReadyForQuery.

use duckmesh::wire::WireLimits;

use crate::client::*;

const V3: u32 = 3 << 16;

async fn first(bytes: &[u8]) -> String {
    let server = server(WireLimits::default()).await;
    Client::raw(&server).await.ask(bytes).await
}

#[tokio::test]
async fn startup_answers() {
    let fine = |more: &str| format!("R S:server_version=15.18 {more}K Z:I");
    let user = ("user", "ann");
    let bad_layout = "E:FATAL/08P01/invalid startup packet layout: expected terminator as last byte EOF".to_owned();
    let table: Vec<(Vec<u8>, String)> = vec![
        (startup(V3, &[user]), fine("")),
        (startup(V3 + 2, &[user]), fine("")),
        (startup(V3 + 1, &[user]), format!("v:3.0: {}", fine(""))),
        (startup(V3 + 9999, &[user, ("_pq_.a", "b")]), format!("v:3.2:_pq_.a\0 {}", fine(""))),
        (startup(V3, &[user, ("_pq_.a", "b")]), format!("v:3.0:_pq_.a\0 {}", fine(""))),
        (startup(V3, &[user, ("options", r"-c a=b -cc=d\ e  --work-mem=\\x")]), fine(r"S:a=b S:c=d e S:work_mem=\x ")),
        (
            startup(V3, &[user, ("options", "-e -S 100 -S5 -fs -- x")]),
            fine("S:DateStyle=euro S:work_mem=100 S:work_mem=5 S:enable_seqscan=off "),
        ),
        (startup(V3, &[user, ("options", "-c a")]), "E:FATAL/42601/-c a requires a value EOF".into()),
        (
            startup(V3, &[user, ("options", "-c")]),
            "E:FATAL/42601/invalid command-line argument for server process: -c EOF".into(),
        ),
        (
            startup(V3, &[user, ("options", "--a=1 -x")]),
            "E:FATAL/42601/invalid command-line argument for server process: -x EOF".into(),
        ),
        (
            startup(V3, &[user, ("replication", "maybe")]),
            r#"E:FATAL/22023/invalid value for parameter "replication": "maybe" EOF"#.into(),
        ),
        (
            startup(V3, &[user, ("replication", "true")]),
            "E:FATAL/0A000/replication connections are not supported EOF".into(),
        ),
        (
            startup(V3, &[("database", "x")]),
            "E:FATAL/28000/no PostgreSQL user name specified in startup packet EOF".into(),
        ),
        (
            startup(V3, &[user, ("database", "nowhere")]),
            r#"E:FATAL/3D000/database "nowhere" does not exist EOF"#.into(),
        ),
        (
            packet(&(2_u32 << 16).to_be_bytes()),
            "E:FATAL/0A000/unsupported frontend protocol 2.0: server supports 3.0 to 3.0 EOF".into(),
        ),
        (
            startup(4 << 16, &[]),
            "E:FATAL/0A000/unsupported frontend protocol 4.0: server supports 3.0 to 3.0 EOF".into(),
        ),
        (packet(&[&V3.to_be_bytes()[..], b"user\x01"].concat()), bad_layout.clone()),
        (packet(&[&V3.to_be_bytes()[..], b"user\0a\0"].concat()), bad_layout.clone()),
        (packet(&[&V3.to_be_bytes()[..], b"user\0a\0\0x"].concat()), bad_layout),
        (
            packet(&[&V3.to_be_bytes()[..], b"user\0\xff\0\0"].concat()),
            r#"E:FATAL/22021/invalid byte sequence for encoding "UTF8": 0xff EOF"#.into(),
        ),
        (10_001_u32.to_be_bytes().to_vec(), "E:FATAL/08P01/invalid length of startup packet EOF".into()),
        (7_u32.to_be_bytes().to_vec(), "E:FATAL/08P01/invalid length of startup packet EOF".into()),
        (u32::MAX.to_be_bytes().to_vec(), "E:FATAL/08P01/invalid length of startup packet EOF".into()),
    ];
    for (bytes, expected) in table {
        assert_eq!(first(&bytes).await, expected, "{}", bytes.escape_ascii());
    }
}

#[tokio::test]
async fn encryption_is_declined_once_each() {
    let server = server(WireLimits::default()).await;
    let ssl = packet(&80_877_103_u32.to_be_bytes());
    let gss = packet(&80_877_104_u32.to_be_bytes());
    let mut client = Client::raw(&server).await;
    for request in [&gss, &ssl] {
        client.send(request).await;
        assert_eq!(client.byte().await, b'N');
    }
    assert!(client.ask(&startup(V3, &[("user", "a")])).await.ends_with("Z:I"));

    let mut client = Client::raw(&server).await;
    client.send(&ssl).await;
    assert_eq!(client.byte().await, b'N');
    assert_eq!(client.ask(&ssl).await, "E:FATAL/08P01/encryption was asked for twice EOF");
}

#[tokio::test]
async fn keys_are_as_long_as_the_protocol_allows() {
    let server = server(WireLimits::default()).await;
    for (version, length) in [(V3, 4), (V3 + 2, 32), (V3 + 7, 32)] {
        let mut client = Client::raw(&server).await;
        client.ask(&startup(version, &[("user", "a")])).await;
        assert_eq!(client.key.len(), length);
        assert_ne!(client.id, 0);
    }
}

/// GW7
#[tokio::test]
async fn a_startup_that_does_not_end_is_closed() {
    let limits = WireLimits { startup_deadline: std::time::Duration::from_millis(100), ..WireLimits::default() };
    let server = server(limits).await;
    for bytes in [&b""[..], b"\0\0", b"\0\0\0\x20\0\x03\0\0user"] {
        let mut client = Client::raw(&server).await;
        client.send(bytes).await;
        assert_eq!(client.message().await, "EOF");
    }
}

/// GW8
#[tokio::test]
async fn connections_are_counted() {
    let limits = WireLimits { connections_max: 2, unauthenticated_max: 1, ..WireLimits::default() };
    let server = server(limits).await;
    let full = "E:FATAL/53300/sorry, too many clients already EOF";
    let mut first = Client::connect(&server).await;
    let waiting = Client::raw(&server).await;
    // The slot for sockets that say nothing is taken.
    let refused = async || Client::raw(&server).await.until_ready().await;
    assert_eq!(refused().await, full);
    drop(waiting);
    let second = loop {
        let mut client = Client::raw(&server).await;
        let answer = client.ask(&startup(V3, &[("user", "a")])).await;
        if answer.ends_with("Z:I") {
            break client;
        }
    };
    let mut third = Client::raw(&server).await;
    assert_eq!(third.ask(&startup(V3, &[("user", "a")])).await, full);
    // A full server still hears who wants to cancel.
    first.send(&query("sleep")).await;
    server.ledger.waiting.notified().await;
    drop(third);
    let (id, key) = (first.id, first.key.clone());
    loop {
        second.cancel(&server, id, &key).await;
        tokio::select! {
            answer = first.until_ready() => {
                assert_eq!(answer, "E:ERROR/57014/canceling statement due to user request Z:I");
                break;
            }
            () = tokio::task::yield_now() => {}
        }
    }
}

/// GW8
#[test]
fn sockets_of_one_address_are_counted() {
    let limits = WireLimits { connections_per_ip_max: 2, ..WireLimits::default() };
    let admission = duckmesh::wire::Admission::new(&limits);
    let enter = |address: &str| admission.enter(address.parse().unwrap());
    let _one = enter("192.0.2.1:1").unwrap();
    let two = enter("192.0.2.1:2").unwrap();
    assert!(enter("192.0.2.1:3").is_err());
    assert!(enter("192.0.2.2:3").is_ok());
    drop(two);
    assert!(enter("192.0.2.1:3").is_ok());
    let local: Vec<_> = (1..10).map(|port| enter(&format!("127.0.0.1:{port}")).unwrap()).collect();
    assert_eq!(local.len(), 9);
}

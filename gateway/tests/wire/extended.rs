//! The extended protocol.

use std::sync::atomic::Ordering;

use duckmesh::wire::WireLimits;

use crate::client::*;

async fn check(table: &[(Vec<Vec<u8>>, &str)]) {
    let server = server(WireLimits::default()).await;
    let mut client = Client::connect(&server).await;
    for (messages, expected) in table {
        let bytes = [messages.concat(), sync()].concat();
        assert_eq!(&client.ask(&bytes).await, expected, "{}", bytes.escape_ascii());
    }
}

/// Bind with these format codes of parameters and result, and these parameters.
fn bind_formats(param_formats: &[u8], params: &[&str], result_formats: &[u8]) -> Vec<u8> {
    let codes = |codes: &[u8]| {
        let mut all = vec![0, codes.len() as u8];
        all.extend(codes.iter().flat_map(|code| [0, *code]));
        all
    };
    let mut body = [&b"\0\0"[..], &codes(param_formats), &[0, params.len() as u8]].concat();
    for param in params {
        body.extend((param.len() as u32).to_be_bytes());
        body.extend(param.as_bytes());
    }
    body.extend(codes(result_formats));
    message(b'B', &body)
}

#[tokio::test]
async fn verbs_and_their_errors() {
    let two = || parse("", "two");
    check(&[
        (vec![], "Z:I"),
        (vec![run("insert")], "1 2 C:INSERT 0 1 Z:I"),
        (vec![run("insert"), run("insert")], "1 2 C:INSERT 0 1 1 2 C:INSERT 0 1 Z:I"),
        (vec![parse("", ""), bind("", "", &[]), describe("P"), describe("S"), execute("", 0)], "1 2 n t:0 n I Z:I"),
        (vec![parse("s", "two"), describe("Ss")], "1 t:2 n Z:I"),
        (vec![bind("", "s", &["1", "2"]), describe("P"), execute("", 0)], "2 n C:INSERT 0 1 Z:I"),
        (vec![parse("s", "insert")], r#"E:ERROR/42P05/prepared statement "s" already exists Z:I"#),
        (vec![close("Ss"), close("Ss"), close("Pnone"), parse("s", "insert")], "3 3 3 1 Z:I"),
        (
            vec![parse("", "insert;insert")],
            "E:ERROR/42601/cannot insert multiple commands into a prepared statement Z:I",
        ),
        (vec![bind("", "", &[])], "E:ERROR/26000/unnamed prepared statement does not exist Z:I"),
        (vec![bind("", "zz", &[])], r#"E:ERROR/26000/prepared statement "zz" does not exist Z:I"#),
        (vec![describe("Szz")], r#"E:ERROR/26000/prepared statement "zz" does not exist Z:I"#),
        (vec![describe("P")], r#"E:ERROR/34000/portal "" does not exist Z:I"#),
        (vec![execute("q", 0)], r#"E:ERROR/34000/portal "q" does not exist Z:I"#),
        (vec![describe("X")], "E:ERROR/08P01/invalid DESCRIBE message subtype 88 Z:I"),
        (vec![close("Y")], "E:ERROR/08P01/invalid CLOSE message subtype 89 Z:I"),
        (
            vec![two(), bind("", "", &["1"])],
            r#"1 E:ERROR/08P01/bind message supplies 1 parameters, but prepared statement "" requires 2 Z:I"#,
        ),
        (
            vec![two(), bind_formats(&[0, 0, 0], &["1"], &[])],
            "1 E:ERROR/08P01/bind message has 3 parameter formats but 1 parameters Z:I",
        ),
        (vec![two(), bind_formats(&[3], &["1", "2"], &[])], "1 E:ERROR/22023/unsupported format code: 3 Z:I"),
        (vec![two(), bind_formats(&[0, 1], &["1", "2"], &[1, 1, 1])], "1 2 Z:I"),
        (
            vec![parse("", "select 1"), bind_formats(&[], &[], &[0, 0])],
            "1 E:ERROR/08P01/bind message has 2 result formats but query has 1 columns Z:I",
        ),
        (vec![run("insert"), execute("", 0)], r#"1 2 C:INSERT 0 1 E:ERROR/55000/portal "" cannot be run Z:I"#),
        // Skipped until Sync, simple queries too.
        (vec![parse("", "syntax"), run("insert"), query("insert")], "E:ERROR/42601/syntax error Z:I"),
        (
            vec![parse("", "insert"), bind("p", "", &[]), bind("p", "", &[])],
            r#"1 2 E:ERROR/42P03/cursor "p" already exists Z:I"#,
        ),
        // A simple query ends the unnamed statement, the end of the transaction the portals.
        (vec![parse("", "insert"), bind("p", "", &[])], "1 2 Z:I"),
        (vec![execute("p", 0)], r#"E:ERROR/34000/portal "p" does not exist Z:I"#),
    ])
    .await;
}

#[tokio::test]
async fn transactions() {
    check(&[
        (vec![run("begin"), run("insert")], "1 2 C:BEGIN 1 2 C:INSERT 0 1 Z:T"),
        (vec![parse("a", "insert"), parse("c", "commit"), bind("p", "a", &[])], "1 1 2 Z:T"),
        (vec![run("fail")], "1 2 E:ERROR/22012/division by zero Z:E"),
        (
            vec![bind("", "a", &[])],
            "E:ERROR/25P02/current transaction is aborted, commands ignored until end of transaction block Z:E",
        ),
        (
            vec![execute("p", 0)],
            "E:ERROR/25P02/current transaction is aborted, commands ignored until end of transaction block Z:E",
        ),
        (vec![bind("", "c", &[]), execute("", 0)], "2 C:ROLLBACK Z:I"),
        // A portal dies with its transaction, even inside a batch.
        (
            vec![run("begin"), bind("p", "a", &[]), bind("", "c", &[]), execute("", 0), execute("p", 0)],
            r#"1 2 C:BEGIN 2 2 C:COMMIT E:ERROR/34000/portal "p" does not exist Z:I"#,
        ),
        // A commit that fails takes the place of what it was to confirm, not of what was committed before.
        (vec![run("insert"), run("badcommit")], "1 2 E:ERROR/40001/cannot commit Z:I"),
        (
            vec![run("begin"), run("commit"), run("badcommit")],
            "1 2 C:BEGIN 1 2 C:COMMIT 1 2 E:ERROR/40001/cannot commit Z:I",
        ),
    ])
    .await;
}

#[tokio::test]
async fn rows_in_portions() {
    check(&[
        (vec![run("begin"), parse("", "select 4"), bind("", "", &[]), describe("P")], "1 2 C:BEGIN 1 2 T:n Z:T"),
        (vec![execute("", 2)], "D:0 D:1 s Z:T"),
        (vec![execute("", 2)], "D:2 D:3 s Z:T"),
        (vec![execute("", 2)], "C:SELECT 0 Z:T"),
        (vec![execute("", 0)], "C:SELECT 0 Z:T"),
        (vec![bind("", "", &[]), execute("", 3), execute("", 0)], "2 D:0 D:1 D:2 s D:3 C:SELECT 1 Z:T"),
    ])
    .await;
}

/// G1: nothing is confirmed before it is durable, unless the client asks for answers before the end.
#[tokio::test]
async fn answers_wait_for_the_commit() {
    let server = server(WireLimits::default()).await;
    let mut client = Client::connect(&server).await;
    client.send(&run("insert")).await;
    assert_eq!((client.message().await, client.message().await), ("1".into(), "2".into()));
    assert_eq!(server.ledger.durable.load(Ordering::SeqCst), 0);
    assert_eq!(client.ask(&sync()).await, "C:INSERT 0 1 Z:I");
    assert_eq!(server.ledger.durable.load(Ordering::SeqCst), 1);

    client.send(&[run("insert"), message(b'H', b"")].concat()).await;
    assert_eq!(client.until('C').await, "1 2 C:INSERT 0 1");
    assert_eq!(client.ask(&sync()).await, "Z:I");

    // A Sync that is already here, also behind a Close, makes the write durable at once.
    assert_eq!(client.ask(&[run("insert"), close("P"), sync()].concat()).await, "1 2 C:INSERT 0 1 3 Z:I");
}

#[tokio::test]
async fn kept_back_answers_are_bounded() {
    let server = server(WireLimits { held_bytes_max: 1000, ..WireLimits::default() }).await;
    let mut client = Client::connect(&server).await;
    let answer = client.ask(&[run("insert").repeat(200), sync()].concat()).await;
    assert!(answer.ends_with("E:ERROR/54000/too much output before the implicit transaction's end Z:I"), "{answer}");
    assert_eq!(server.ledger.durable.load(Ordering::SeqCst), 0);
}

/// GW13
#[tokio::test]
async fn statements_and_portals_are_counted() {
    let limits = WireLimits { statements_max: 3, portals_max: 2, statement_bytes_max: 100, ..WireLimits::default() };
    let server = server(limits).await;
    let mut client = Client::connect(&server).await;
    let all = ["a", "b", "c", "d"].map(|name| parse(name, "insert")).concat();
    let full = "E:ERROR/53400/too many prepared statements in this session";
    assert_eq!(client.ask(&[all, sync()].concat()).await, format!("1 1 1 {full} Z:I"));
    assert_eq!(client.ask(&[close("Sa"), parse("d", "insert"), sync()].concat()).await, "3 1 Z:I");
    let long = "i".repeat(99);
    assert_eq!(client.ask(&[close("Sd"), parse("e", &long), sync()].concat()).await, format!("3 {full} Z:I"));
    let portals = ["a", "b", "c"].map(|name| bind(name, "b", &[])).concat();
    assert_eq!(client.ask(&[portals, sync()].concat()).await, "2 2 E:ERROR/53400/too many portals in this session Z:I");
}

#[tokio::test]
async fn statements_freed_by_sql() {
    let server = server(WireLimits::default()).await;
    let mut client = Client::connect(&server).await;
    for freed in ["deallocate x", "discard all"] {
        assert_eq!(client.ask(&[parse("x", "insert"), sync()].concat()).await, "1 Z:I");
        client.ask(&query(freed)).await;
        let answer = client.ask(&[describe("Sx"), sync()].concat()).await;
        assert_eq!(answer, r#"E:ERROR/26000/prepared statement "x" does not exist Z:I"#);
    }
}

#[tokio::test]
async fn cursors_share_names_with_portals() {
    let server = server(WireLimits::default()).await;
    let mut client = Client::connect(&server).await;
    let refused = "E:ERROR/25P01/DECLARE CURSOR can only be used in transaction blocks Z:I";
    assert_eq!(client.ask(&query("declare x")).await, refused);
    assert_eq!(client.ask(&query("begin;declare x")).await, "C:BEGIN C:DECLARE CURSOR Z:T");
    let two = client.ask(&query("fetch 2")).await;
    assert!(two.ends_with("C:FETCH 2 Z:T"), "{two}");
    assert_eq!(client.ask(&query("move 1;move 1")).await, "C:MOVE 1 C:MOVE 1 Z:T");
    let rest = client.ask(&[parse("", "fetch 2"), bind("", "", &[]), execute("", 0), sync()].concat()).await;
    assert!(rest.ends_with("C:FETCH 2 Z:T"), "{rest}");
    let last = client.ask(&query("fetch 2;fetch 2;close x")).await;
    assert!(last.contains("C:FETCH 1") && last.ends_with("C:FETCH 0 C:CLOSE CURSOR Z:T"), "{last}");
    let gone = r#"E:ERROR/34000/cursor "x" does not exist Z:E"#;
    assert_eq!(client.ask(&query("fetch 2")).await, gone);
    client.ask(&query("rollback")).await;
    client.ask(&query("begin;declare x")).await;
    let taken = r#"E:ERROR/42P03/cursor "x" already exists Z:E"#;
    assert_eq!(client.ask(&[parse("s", "insert"), bind("x", "s", &[]), sync()].concat()).await, format!("1 {taken}"));
    client.ask(&query("rollback;begin;declare x")).await;
    let back = client.ask(&query("fetch -1")).await;
    assert_eq!(back, "E:ERROR/55000/cursor can only scan forward Z:E");
}

#[tokio::test]
async fn statements_are_executed_by_sql() {
    let server = server(WireLimits::default()).await;
    let mut client = Client::connect(&server).await;
    assert_eq!(client.ask(&[parse("x", "select 2"), sync()].concat()).await, "1 Z:I");
    let rows = client.ask(&query("execute x")).await;
    assert!(rows.ends_with("C:SELECT 2 Z:I"), "{rows}");
    let described = client.ask(&[parse("", "execute x"), describe("S"), sync()].concat()).await;
    assert!(described.starts_with("1 t") && described.contains(" T"), "{described}");
}

/// GW12
#[tokio::test]
async fn a_long_pipeline() {
    let server = server(WireLimits::default()).await;
    let mut client = Client::connect(&server).await;
    let one = [run("insert"), sync()].concat();
    let count = 30_000;
    let (mut read, mut write) = client.socket.split();
    let sent = async {
        for _ in 0..count {
            tokio::io::AsyncWriteExt::write_all(&mut write, &one).await.unwrap();
        }
    };
    let got = async {
        let mut bytes = 0;
        let mut buffer = vec![0; 65536];
        let all = count * (5 + 5 + 16 + 6);
        while bytes < all {
            bytes += tokio::io::AsyncReadExt::read(&mut read, &mut buffer).await.unwrap();
        }
        assert_eq!(bytes, all);
    };
    tokio::join!(sent, got);
    assert_eq!(server.ledger.durable.load(Ordering::SeqCst), count);
}

/// GW12: a client that takes no answers is not read any further.
#[tokio::test]
async fn a_pipeline_that_nobody_reads_is_not_read() {
    let server = server(WireLimits::default()).await;
    let mut client = Client::connect(&server).await;
    let piece = [run("select 100"), sync()].concat().repeat(100);
    let mut sent = 0;
    let write = |client: &mut Client| {
        let written = client.socket.try_write(&piece);
        written.map_or(0, |bytes| bytes)
    };
    // Until the socket takes nothing for a while.
    let mut idle = 0;
    while idle < 50 {
        match write(&mut client) {
            0 => {
                idle += 1;
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
            bytes => (idle, sent) = (0, sent + bytes),
        }
        assert!(sent < 64 << 20, "it reads on");
    }
    // Who reads later gets everything up to there.
    for _ in 0..1000 {
        let answer = client.until_ready().await;
        assert!(answer.ends_with("D:99 C:SELECT 100 Z:I"), "{answer}");
    }
}

//! COPY in and out: exact, bounded, all or nothing.

use std::time::Duration;

use duckmesh_tests::harness::{
    Postgres, Server, eventually_async, process,
    wire::{Answer, CopyEnd, WireClient},
};

use crate::stand::{Stand, on_both_catalogs};

on_both_catalogs!(
    g2_gw1_a_broken_copy_leaves_nothing,
    copy_goes_in_and_out_unchanged,
    copy_computes_each_rows_defaults,
    a_copy_that_waits_ends_with_its_time
);

async fn a_copy_that_waits_ends_with_its_time(stand: &mut Stand) {
    let client = stand.client().await;
    client.ok("CREATE TABLE t (a int)").await;
    let mut wire = stand.server.wire();
    wire.query("SET statement_timeout = '100ms'");
    wire.send(b'Q', b"COPY t FROM STDIN\0").unwrap();
    assert_eq!(wire.receive().unwrap().0, b'G');
    wire.send(b'd', b"1\n").unwrap();
    // Nothing more comes.
    let answers = wire.answers_within(Duration::from_secs(60)).unwrap().expect("it ends");
    assert_eq!(answers[0].sqlstate(), Some("57014"), "{answers:?}");
    wire.send(b'c', &[]).unwrap();
    assert_eq!(wire.query("SELECT 1")[0].rows.len(), 1, "the session goes on");
    client.ok("SET duckmesh.consistency = strong").await;
    assert_eq!(client.value("SELECT count(*) FROM t").await, "0");
}

/// Lines `n, text of n` in CopyData messages that end in the middle of lines.
fn lines(rows: u32) -> impl Iterator<Item = Vec<u8>> {
    let text = |n: u32| format!("{n}\ttext number {n}\t{}\n", f64::from(n) / 4.0);
    let mut rest = Vec::new();
    (0..rows.div_ceil(500)).map(move |piece| {
        let first = piece * 500;
        rest.extend((first..rows.min(first + 500)).flat_map(|n| text(n).into_bytes()));
        let cut = if first + 500 >= rows { rest.len() } else { rest.len() - 3 };
        rest.drain(..cut).collect()
    })
}

async fn g2_gw1_a_broken_copy_leaves_nothing(stand: &mut Stand) {
    let client = stand.client().await;
    client.ok("CREATE TABLE t (a int, b text, c float8)").await;
    for rows in [10, 100_000, 400_000] {
        for end in [CopyEnd::Fail, CopyEnd::Cut] {
            let mut wire = stand.server.wire();
            let answers = wire.copy_in("COPY t FROM STDIN", &mut lines(rows), end).unwrap();
            if end == CopyEnd::Fail {
                assert_eq!(answers[0].sqlstate(), Some("57014"), "{answers:?}");
                assert_eq!(wire.query("SELECT 1")[0].rows.len(), 1, "the session goes on");
            }
        }
    }
    // A wrong value at the end of a large one.
    let mut wire = stand.server.wire();
    let mut bad = lines(100_000).chain([b"1\tx\tno number\n".to_vec()]);
    let answers = wire.copy_in("COPY t FROM STDIN", &mut bad, CopyEnd::Done).unwrap();
    let error = answers[0].error.clone().unwrap();
    assert_eq!(error[&'C'], "22P02", "{error:?}");
    assert_eq!(error[&'M'], "invalid input syntax for type double precision: \"no number\"");
    assert_eq!(error[&'W'], "COPY t, line 100001, column c: \"no number\"");
    client.ok("SET duckmesh.consistency = strong").await;
    assert_eq!(client.value("SELECT count(*) FROM t").await, "0");
    // And the table still takes rows.
    let answers = wire.copy_in("COPY t FROM STDIN", &mut lines(1000), CopyEnd::Done).unwrap();
    assert_eq!(answers[0].tag.as_deref(), Some("COPY 1000"), "{answers:?}");
    assert_eq!(client.value("SELECT count(*), sum(a), count(DISTINCT b) FROM t").await, "1000|499500|1000");
}

async fn copy_goes_in_and_out_unchanged(stand: &mut Stand) {
    let client = stand.client().await;
    client
        .ok("CREATE TABLE t (a int, b text, c numeric(12,3), d date, e timestamptz, f bool, g bytea, h text[])")
        .await;
    let rows = [
        "1\tplain\t1.500\t2013-01-01\t2013-01-01 10:00:00+00\tt\t\\\\x00ff\t{a,\"b c\"}",
        "2\t\\N\t\\N\t\\N\t\\N\t\\N\t\\N\t\\N",
        "-2147483648\ttab\\tnew\\nline back\\\\slash\t-999999999.999\t0001-01-01\t1969-12-31 23:59:59.999999+00\tf\t\\\\x\t{}",
        "3\t\t0.000\t9999-12-31\t2024-02-29 00:00:00+00\tt\t\\\\x5c\t{NULL,\"\"}",
    ];
    let mut wire = stand.server.wire();
    wire.query("SET timezone = 'UTC'");
    let text = rows.map(|row| format!("{row}\n")).concat().into_bytes();
    // Cut after every byte: a parser must not care.
    let mut pieces = text.iter().map(|byte| vec![*byte]);
    let answers = wire.copy_in("COPY t FROM STDIN", &mut pieces, CopyEnd::Done).unwrap();
    assert_eq!(answers[0].tag.as_deref(), Some("COPY 4"), "{answers:?}");
    let out = |wire: &mut WireClient, sql: &str| -> String {
        let answers = wire.query(sql);
        assert_eq!(answers[0].error, None);
        answers[0].rows.iter().map(|row| row[0].clone().unwrap()).collect()
    };
    let got = out(&mut wire, "COPY t TO STDOUT");
    let mut got: Vec<&str> = got.lines().collect();
    let mut wanted = rows.to_vec();
    got.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(got, wanted);
    // Through CSV and back.
    let csv = out(&mut wire, "COPY t TO STDOUT WITH (FORMAT csv, HEADER)");
    let mut once = Some(csv.into_bytes()).into_iter();
    wire.query("CREATE TABLE u (a int, b text, c numeric(12,3), d date, e timestamptz, f bool, g bytea, h text[])");
    let answers = wire.copy_in("COPY u FROM STDIN WITH (FORMAT csv, HEADER)", &mut once, CopyEnd::Done).unwrap();
    assert_eq!(answers[0].tag.as_deref(), Some("COPY 4"), "{answers:?}");
    let same = "SELECT count(*) FROM (SELECT * FROM t EXCEPT SELECT * FROM u) x";
    assert_eq!(client.value(&format!("SET duckmesh.consistency = strong; {same}")).await, "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g10_a_large_copy_needs_bounded_memory() {
    const ROWS: u32 = 2_000_000;
    let stand = Stand::sqlite();
    let client = stand.client().await;
    client.ok("CREATE TABLE t (a int, b text, c float8)").await;
    let mut wire = stand.server.wire();
    let answers = wire.copy_in("COPY t FROM STDIN", &mut lines(ROWS), CopyEnd::Done).unwrap();
    assert_eq!(answers[0].tag.as_deref(), Some("COPY 2000000"), "{answers:?}");
    let sum = u64::from(ROWS) * u64::from(ROWS - 1) / 2;
    client.ok("SET duckmesh.consistency = strong").await;
    assert_eq!(
        client.value("SELECT count(*), sum(a), max(b) FROM t").await,
        format!("{ROWS}|{sum}|text number 999999")
    );
    let peak = process::peak_memory_kib(stand.server.pid());
    assert!(peak < 600 * 1024, "the server needed {peak} KiB");
    // Reading it all by a client that takes its time needs no more.
    let answers = wire.query("COPY t TO STDOUT");
    let bytes: usize = answers[0].rows.iter().map(|row| row[0].as_ref().unwrap().len()).sum();
    assert!(bytes > 40_000_000, "{bytes}");
    let peak = process::peak_memory_kib(stand.server.pid());
    assert!(peak < 700 * 1024, "the server needed {peak} KiB");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gw1_a_client_that_vanishes_in_a_copy_leaves_no_session() {
    let stand = Stand::sqlite();
    let client = stand.client().await;
    client.ok("CREATE TABLE t (a int, b text, c float8)").await;
    let mut wire = stand.server.wire();
    wire.copy_in("COPY t FROM STDIN", &mut lines(300_000), CopyEnd::Cut).unwrap();
    drop(wire);
    // What was staged for it is nobody's: the folder of files holds nothing that a snapshot names.
    eventually_async("nothing of the COPY is visible", std::time::Duration::from_secs(20), || async {
        (client.value("SET duckmesh.consistency = strong; SELECT count(*) FROM t").await == "0").then_some(())
    })
    .await;
}

const BINARY_TABLE: &str = "CREATE TABLE b (a int, t text, n numeric(12,3), d date, z timestamptz, f bool, y bytea, \
    l int[], u uuid, j jsonb, i interval, x float8, m time, c char(5), s smallint, g bigint, r real, o json, w timestamp)";
const BINARY_ROWS: &str = "INSERT INTO b VALUES \
    (1, 'plain', 1.5, '2013-01-01', '2013-01-01 10:00:00+00', true, '\\x00ff', '{1,NULL,-3}', \
     '6f1a3c52-7a43-4f0e-9a5b-0c8f4b6d2e11', '{\"a\": [1, 2.50, null]}', '1 mon 2 days 03:04:05.678', 1e300, '23:59:59.999999', \
     'ab', -32768, 9223372036854775807, 1.5, '[ 1 ]', '1999-12-31 23:59:59'), \
    (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL), \
    (3, 'Ünï\tcode', -999999999.999, '0001-01-01', '1969-12-31 23:59:59.999999+00', false, '', '{}', \
     '00000000-0000-0000-0000-000000000000', '\"text\"', '0', 'NaN', '00:00', 'abcde', 0, -1, '-infinity', 'null', 'infinity')";

fn binary_wire(port: u16, database: &str) -> WireClient {
    let mut wire = WireClient::connect(port, database, "tester");
    for sql in ["SET timezone = 'UTC'", BINARY_TABLE] {
        assert_eq!(wire.query(sql)[0].error, None, "{sql}");
    }
    wire
}

/// What PostgreSQL writes is read here, and written here in the same bytes.
#[test]
fn copy_in_binary_is_as_postgres_has_it() {
    let (postgres, server) = (Postgres::start(), Server::start());
    let mut theirs = binary_wire(postgres.port(), "postgres");
    let mut ours = binary_wire(server.port(), "duckmesh");
    assert_eq!(theirs.query(BINARY_ROWS)[0].error, None);
    let out = "COPY (SELECT * FROM b ORDER BY a) TO STDOUT (FORMAT binary)";
    let bytes = theirs.query(out)[0].copied.clone();
    // Cut after every byte: a parser must not care.
    let mut pieces = bytes.iter().map(|byte| vec![*byte]);
    let answers = ours.copy_in("COPY b FROM STDIN BINARY", &mut pieces, CopyEnd::Done).unwrap();
    assert_eq!(answers[0].tag.as_deref(), Some("COPY 3"), "{answers:?}");
    assert_eq!(ours.query(out)[0].copied, bytes);
    assert_eq!(ours.query("COPY b TO STDOUT WITH BINARY")[0].tag.as_deref(), Some("COPY 3"));
    let none = "COPY (SELECT a, t FROM b WHERE a > 99) TO STDOUT (FORMAT binary)";
    assert_eq!(ours.query(none)[0].copied, theirs.query(none)[0].copied, "a header and a trailer");

    let header = &bytes[..19];
    let row = |body: &[u8]| [header, body].concat();
    let flags = |flags: u32| [&bytes[..11], &flags.to_be_bytes(), &[0; 4]].concat();
    for (what, data) in [
        ("nothing", Vec::new()),
        ("half a signature", bytes[..5].to_vec()),
        ("another signature", b"PGCOPX\n\xff\r\n\0\0\0\0\0\0\0\0\0".to_vec()),
        ("no flags", bytes[..11].to_vec()),
        ("no length", bytes[..15].to_vec()),
        ("oids", flags(1 << 16)),
        ("an unknown flag", flags(1 << 20)),
        ("flags that may be ignored", flags(3)),
        ("a negative length", [&bytes[..15], &(-1_i32).to_be_bytes()].concat()),
        ("a short extension", [&bytes[..15], &9_i32.to_be_bytes(), b"short"].concat()),
        ("an extension", [&bytes[..15], &4_i32.to_be_bytes(), b"skip", &bytes[19..]].concat()),
        ("no trailer", bytes[..bytes.len() - 2].to_vec()),
        ("a row too narrow", row(&[0, 2])),
        ("half a row", bytes[..40].to_vec()),
        ("a wrong length", row(&[&[0_u8, 19][..], &(-7_i32).to_be_bytes()].concat())),
        ("a short int", row(&[&[0_u8, 19][..], &3_i32.to_be_bytes(), &[0; 3], &[0xFF; 72]].concat())),
        ("a long int", row(&[&[0_u8, 19][..], &5_i32.to_be_bytes(), &[0; 5], &[0xFF; 72]].concat())),
        ("more after the trailer", [&bytes[..], &[0]].concat()),
        ("no UTF-8", row(&[&[0_u8, 19][..], &[0xFF; 4], &1_i32.to_be_bytes(), &[0xC3], &[0xFF; 68]].concat())),
    ] {
        let copy = |wire: &mut WireClient| -> Answer {
            let mut pieces = [data.clone()].into_iter();
            wire.copy_in("COPY b FROM STDIN (FORMAT binary)", &mut pieces, CopyEnd::Done).unwrap().remove(0)
        };
        let (expected, got) = (copy(&mut theirs), copy(&mut ours));
        let shown = |answer: &Answer| {
            let error = answer.error.as_ref().map(|e| ['C', 'M', 'W'].map(|field| e.get(&field).cloned()));
            (answer.tag.clone(), error)
        };
        assert_eq!(shown(&got), shown(&expected), "{what}");
    }
    for options in ["DELIMITER ','", "NULL 'x'", "HEADER", "HEADER false", "QUOTE '\"'", "FORCE_NULL (a)"] {
        let sql = format!("COPY b FROM STDIN (FORMAT binary, {options})");
        let ask = |wire: &mut WireClient| {
            let mut pieces = [bytes.clone()].into_iter();
            let answer = wire.copy_in(&sql, &mut pieces, CopyEnd::Done).map(|mut answers| answers.remove(0));
            answer.map(|a| (a.tag.clone(), a.error.map(|e| (e[&'C'].clone(), e[&'M'].clone()))))
        };
        assert_eq!(ask(&mut ours), ask(&mut theirs), "{options}");
    }
}

async fn copy_computes_each_rows_defaults(stand: &mut Stand) {
    let client = stand.client().await;
    client.ok("CREATE SEQUENCE s").await;
    client
        .ok("CREATE TABLE t (n int, u uuid DEFAULT gen_random_uuid(), r float8 DEFAULT random(), \
             k text DEFAULT 'K' || nextval('s'), d int GENERATED ALWAYS AS (n * 2) STORED)")
        .await;
    let mut wire = stand.server.wire();
    let mut lines = (0..20_000).map(|n| format!("{n}\n").into_bytes());
    let answers = wire.copy_in("COPY t (n) FROM STDIN", &mut lines, CopyEnd::Done).unwrap();
    assert_eq!(answers[0].tag.as_deref(), Some("COPY 20000"), "{answers:?}");
    client.ok("SET duckmesh.consistency = strong").await;
    let counts = "SELECT count(DISTINCT u), count(DISTINCT r) > 19000, count(DISTINCT k), sum(d) - 2 * sum(n) FROM t";
    assert_eq!(client.value(counts).await, "20000|t|20000|0");
    let mut named = [b"1\t2\n".to_vec()].into_iter();
    let answers = wire.copy_in("COPY t (n, d) FROM STDIN", &mut named, CopyEnd::Done).unwrap();
    assert_eq!(answers[0].sqlstate(), Some("42P10"));
}

//! COPY in and out: exact, bounded, all or nothing.

use duckmesh_tests::harness::{
    eventually_async, process,
    wire::{CopyEnd, WireClient},
};

use crate::stand::{Stand, on_both_catalogs};

on_both_catalogs!(g2_gw1_a_broken_copy_leaves_nothing, copy_goes_in_and_out_unchanged);

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

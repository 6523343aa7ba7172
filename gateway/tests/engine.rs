//! The engine with real worker processes.

use duckmesh::engine::{Engine, EngineOptions, QueryRequest};
use std::time::Instant;

fn engine(folder: &std::path::Path) -> Engine {
    let files = folder.join("files");
    std::fs::create_dir_all(&files).unwrap();
    Engine::new(EngineOptions::new(env!("CARGO_BIN_EXE_duckmesh").into(), vec![files], folder.join("spill")))
}

#[tokio::test]
async fn explore() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path());
    let t = Instant::now();
    println!("{:?} {:?}", engine.status().await, t.elapsed());
    for sql in ["SELECT 1 a", "SELECT true b, 1::hugeint h, 1::uhugeint uh, uuid() u, '[]'::json j, '10:00:00+02'::timetz tz, '101'::bit bbit, now() n, interval '1 month' i, 1.5 d, 'x'::enum('x','y') e, [true] lb, [1::hugeint] lh, {'a': 1, 'B b': uuid()} s, map {'a': true} mm, union_value(k := 1) un, 'a'::blob bl, time '10:00' t, date '2020-01-01' dd, timestamp '2020-01-01' ts, null nn, 1::utinyint ut, timestamp_ns '2020-01-01' tns, [1,2]::int[2] arr, 12345678901234567890123456789::bignum vi, ['x'::enum('x','y')] le"] {
        let mut r = engine.query(QueryRequest::new(sql)).await.unwrap();
        for (c, f) in r.columns.iter().zip(r.schema.fields()) { println!("{} {} -> {:?} {:?}", c.name, c.duckdb_type, f.data_type(), f.metadata()); }
        while let Some(b) = r.next().await.unwrap() { println!("{b:?}"); }
    }
    let t = Instant::now();
    for _ in 0..300 { let mut r = engine.query(QueryRequest::new("SELECT 1 a")).await.unwrap(); while let Some(_) = r.next().await.unwrap() {} }
    println!("per select 1: {:?}", t.elapsed() / 300);
    let t = Instant::now();
    let mut r = engine.query(QueryRequest::new("SELECT range a, range*2 b FROM range(100000000)")).await.unwrap();
    let mut n = 0; let mut k = 0;
    while let Some(b) = r.next().await.unwrap() { n += b.num_rows(); k += 1; }
    println!("100M: {n} rows {k} batches {:?}", t.elapsed());
    let pid = engine.status().await.unwrap().pid;
    println!("{}", std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap().lines().filter(|l| l.starts_with("Vm")).collect::<Vec<_>>().join("\n"));
    for sql in ["SELECT nope", "SELECT 1 +", "SELECT * FROM nope", "SELECT nope(1)", "SELECT 'abc'::int", "SELECT 1/0"] {
        match engine.query(QueryRequest::new(sql)).await { Err(e) => println!("{sql}: {e}"), Ok(mut r) => println!("{sql}: {:?}", r.next().await) }
    }
    engine.shutdown().await;
}

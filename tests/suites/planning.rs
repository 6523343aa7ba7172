//! G10: planning has an end, and costs in proportion to the text.

use std::time::{Duration, Instant};

use duckmesh_tests::harness::{eventually_async, process};

use crate::stand::Stand;

/// Planned for half a minute, on each of the few threads that plan.
fn endless_to_plan() -> String {
    let joins: String = (0..600).map(|n| format!(" NATURAL JOIN wide b{n}")).collect();
    format!("SELECT 1 FROM wide a{joins}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g10_planning_ends_with_its_statement() {
    let stand = Stand::sqlite();
    let client = stand.client().await;
    let columns: Vec<String> = (0..400).map(|n| format!("c{n} int")).collect();
    client.ok(&format!("CREATE TABLE wide ({})", columns.join(", "))).await;
    let mut planning = tokio::task::JoinSet::new();
    // More than there are threads: those in the queue must not be begun either.
    for _ in 0..12 {
        let client = stand.client().await;
        planning.spawn(async move {
            client.ok("SET statement_timeout = '300ms'").await;
            client.fails(&endless_to_plan()).await
        });
    }
    while let Some(error) = planning.join_next().await {
        assert!(error.unwrap().starts_with("57014"));
    }
    let started = Instant::now();
    assert_eq!(client.value("SELECT 1").await, "1");
    assert!(started.elapsed() < Duration::from_secs(5), "the threads still plan: {:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_many_statements_text_costs_in_proportion() {
    let stand = Stand::sqlite();
    let client = stand.client().await;
    client.ok("SET statement_timeout = 0; CREATE TABLE t (a int, b text)").await;
    let time = async |count: usize| {
        let text = "INSERT INTO t VALUES (1, 'x');".repeat(count);
        let started = Instant::now();
        client.ok(&text).await;
        started.elapsed()
    };
    time(3_000).await;
    let pid = stand.server.pid();
    let before = process::resident_kib(pid);
    let (few, many) = (time(3_000).await, time(30_000).await);
    // Ten times the text; a hundred times the work would be seen, a busy machine is not.
    assert!(many < few * 40 + Duration::from_secs(2), "{few:?} for 3,000, {many:?} for 30,000");
    // The memory is given back: a tree is a thousand times its text.
    let union: Vec<String> = (0..25_000).map(|n| format!("SELECT {n} AS a")).collect();
    // Answered or refused as too deep.
    let _ = client.rows(&union.join(" UNION ALL ")).await;
    eventually_async("the memory is given back", Duration::from_secs(20), || async {
        (process::resident_kib(pid) < before + 150 * 1024).then_some(())
    })
    .await;
}

/// Forms that are written otherwise for the parser cost in proportion, and names of types nest as deep as they may.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g10_forms_of_a_long_text_end_no_server() {
    const LONGEST: Duration = Duration::from_secs(20);
    let stand = Stand::sqlite();
    let client = stand.client().await;
    for (what, text) in [
        ("types", format!("PREPARE p(int{}) AS SELECT 1", "[]".repeat(100_000))),
        ("names", format!("SELECT '{}'::regtype", "int[]".repeat(100_000))),
        ("ONLY", format!("SELECT 1 FROM {}t", "ONLY t, ".repeat(60_000))),
        // Each reads the next one, and the last what there is not.
        ("WITH", format!("WITH RECURSIVE {} z AS (SELECT * FROM nothing) SELECT 1 FROM c0", reversed(400))),
        ("TRIM", format!("SELECT 1 FROM t WHERE {}true", "trim(BOTH FROM 'x') = 'x' AND ".repeat(20_000))),
    ] {
        let ended = tokio::time::timeout(LONGEST, client.rows(&text)).await;
        assert!(ended.expect(what).is_err(), "{what} is refused");
        assert_eq!(client.value("SELECT 1").await, "1", "{what}");
    }
}

fn reversed(count: usize) -> String {
    (0..count).map(|n| format!("c{n} AS (SELECT * FROM c{}),", n + 1)).collect::<String>()
}

//! What many lakes cost while nobody uses them, and what writers get while publication is away.

use std::time::{Duration, Instant};

use duckmesh_tests::harness::{client::explain, eventually_async, process};

use super::{Fleet, PATIENCE, make};

/// G10: the log does not grow without end while nobody publishes: writers wait, then get 53400 with a hint; readers go on;
/// with a publisher everything goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g10_fleet_writers_wait_where_publication_is_away() {
    const LAG: usize = 40;
    let fleet = Fleet::new();
    let mut coordinator = fleet.server_with("c", &["--role", "coordinator"]);
    let gateway = fleet.server_with("g", &["--role", "gateway", "--lag-max", &LAG.to_string()]);
    let client = gateway.client().await;
    make(&client, "t").await;
    client.ok("INSERT INTO t VALUES (0)").await;
    assert_eq!(client.value("SELECT count(*) FROM t").await, "1");
    coordinator.kill();
    let mut acknowledged = 1;
    let refused = loop {
        assert!(acknowledged <= 2 * LAG, "nothing stopped the writer");
        match client.rows("INSERT INTO t VALUES (1)").await {
            Ok(_) => acknowledged += 1,
            Err(error) => break error,
        }
    };
    let error = refused.as_db_error().unwrap_or_else(|| panic!("{}", explain(&refused)));
    assert_eq!((error.code().code(), error.hint().is_some()), ("53400", true), "{error:?}");
    assert!(acknowledged >= LAG / 2, "only {acknowledged} writes were taken");
    client.ok("SET duckmesh.consistency = eventual").await;
    assert_eq!(client.value("SELECT count(*) FROM t").await, "1", "readers go on");
    coordinator.restart();
    client.ok("SET duckmesh.consistency = strong; SET duckmesh.barrier_timeout = '60s'").await;
    eventually_async("writers go on", PATIENCE, async || client.rows("INSERT INTO t VALUES (2)").await.ok()).await;
    assert_eq!(client.value("SELECT count(*) FROM t").await, (acknowledged + 1).to_string());
}

/// What a thousand idle lakes cost: statements a second at the database, processor, and memory.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make test-faults"]
async fn g10_faults_a_thousand_idle_lakes_cost_little() {
    const LAKES: usize = 1000;
    const WATCHED: Duration = Duration::from_secs(20);
    let fleet = Fleet::new();
    let maker = fleet.server_with("m", &["--role", "gateway"]);
    let client = maker.client().await;
    let empty = [maker.pid()].map(process::resident_kib);
    for lake in 1..LAKES {
        client.ok(&format!("CREATE DATABASE lake{lake}")).await;
    }
    let servers = [
        fleet.server_with("a", &["--role", "coordinator,maintenance"]),
        fleet.server_with("b", &["--role", "coordinator,maintenance"]),
    ];
    let started = Instant::now();
    for server in &servers {
        fleet.until_published(server, LAKES / 2).await;
    }
    println!("{LAKES} lakes are published {:?} after the coordinators were ready", started.elapsed());
    let catalog = fleet.postgres.client().await;
    let transactions = "SELECT pg_stat_clear_snapshot(); SELECT xact_commit + xact_rollback FROM pg_stat_database
         WHERE datname = 'postgres'";
    let count = async || catalog.value(transactions).await.parse::<f64>().expect("a number");
    // What the takeover left to do is done.
    tokio::time::sleep(WATCHED).await;
    let spent = || servers.each_ref().map(|server| process::ticks(server.pid()));
    let (before, ticks, began) = (count().await, spent(), Instant::now());
    tokio::time::sleep(WATCHED).await;
    let rate = (count().await - before) / began.elapsed().as_secs_f64();
    // Hundredths of a second: of one second they are the share of a core in percent.
    let shares = [0, 1].map(|n| (spent()[n] - ticks[n]) as f64 / began.elapsed().as_secs_f64());
    let memory = servers.each_ref().map(|server| process::resident_kib(server.pid()));
    println!(
        "idle: {rate:.1} transactions/s for 3 servers and {LAKES} lakes; coordinators {shares:.1?} % of a core, {memory:?} KiB, \
         a gateway {empty:?} KiB"
    );
    assert!(shares.iter().all(|share| *share < 8.0), "{shares:?} % of a core");
    assert!(rate < 40.0, "{rate} transactions a second");
    let each = memory.iter().max().expect("two").saturating_sub(empty[0]) / (LAKES as u64 / 2);
    println!("{each} KiB for each lake that a coordinator publishes");
    assert!(each < 256, "{each} KiB for a lake");
}

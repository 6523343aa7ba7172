//! What readers keep: snapshots that they pinned do not expire, and files that they may have listed are not deleted, whichever
//! server does it; what a dead reader kept goes by the database's clock.

use std::{path::Path, time::Duration};

use duckmesh_tests::harness::{
    Client, Server, eventually_async,
    process::{CONT, STOP, signal},
};

use super::{Fleet, PATIENCE, make};

const EXPIRE: &str = "CALL duckmesh.expire_snapshots(older_than => '0 seconds')";

async fn snapshot(client: &Client) -> String {
    client.value("SELECT max(snapshot_id) FROM duckmesh.snapshots").await
}

/// Expires until a snapshot is gone, or fails.
async fn until_expired(client: &Client, snapshot: &str) {
    let left = format!("SELECT count(*) FROM duckmesh.snapshots WHERE snapshot_id = {snapshot}");
    eventually_async("the snapshot expires", PATIENCE, async || {
        client.ok(EXPIRE).await;
        (client.value(&left).await == "0").then_some(())
    })
    .await;
}

async fn expired(client: &Client, snapshot: &str) {
    client.ok(&format!("SET duckmesh.snapshot = {snapshot}")).await;
    let failed = client.fails("SELECT count(*) FROM t").await;
    assert!(failed.starts_with("MD004: "), "{failed}");
    client.ok("RESET duckmesh.snapshot").await;
}

/// RD1: alone, on SQLite and on Postgres: what nobody keeps is MD004, what a transaction keeps is read to its end, and never
/// with fewer rows.
async fn pinned_stays(server: &Server, reader: &Server) {
    let client = server.client().await;
    make(&client, "t").await;
    client.ok("INSERT INTO t VALUES (1), (2)").await;
    assert_eq!(client.value("SELECT count(*) FROM t").await, "2");
    let first = snapshot(&client).await;
    let held = reader.client().await;
    held.ok("BEGIN; SET LOCAL duckmesh.consistency = strong").await;
    assert_eq!(held.value("SELECT sum(n) FROM t").await, "3");
    let travelling = reader.client().await;
    travelling.ok(&format!("BEGIN; SET LOCAL duckmesh.snapshot = {first}")).await;
    assert_eq!(travelling.value("SELECT sum(n) FROM t").await, "3");
    client.ok("TRUNCATE t").await;
    client.ok("INSERT INTO t VALUES (10)").await;
    assert_eq!(client.value("SELECT sum(n) FROM t").await, "10");
    let middle = snapshot(&client).await;
    client.ok("INSERT INTO t VALUES (20)").await;
    assert_eq!(client.value("SELECT sum(n) FROM t").await, "30");
    until_expired(&client, &middle).await;
    assert_eq!(client.value("SELECT sum(n) FROM t").await, "30");
    for pinned in [&held, &travelling] {
        assert_eq!(pinned.value("SELECT sum(n) || '/' || count(*) FROM t").await, "3/2", "pinned rows are all there");
    }
    expired(&client, &middle).await;
    expired(&travelling_end(travelling).await, &middle).await;
    held.ok("COMMIT").await;
    until_expired(&client, &first).await;
    expired(&client, &first).await;
    expired(&held, &first).await;
    assert_eq!(held.value("SELECT sum(n) FROM t").await, "30");
}

async fn travelling_end(client: Client) -> Client {
    client.ok("COMMIT").await;
    client
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rd1_a_pinned_snapshot_is_read_and_an_expired_one_is_an_error() {
    let server = Server::start();
    pinned_stays(&server, &server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rd1_fleet_a_snapshot_pinned_on_another_gateway_is_read() {
    let fleet = Fleet::new();
    let (one, two) = (fleet.server("a"), fleet.server("b"));
    pinned_stays(&one, &two).await;
}

/// RD2: a frozen gateway's pins count for nothing after its lease; thawed, its reader gets an error and not fewer rows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rd2_fleet_pins_of_a_dead_reader_go() {
    let fleet = Fleet::new();
    let (one, two) = (fleet.server("a"), fleet.server("b"));
    let client = one.client().await;
    make(&client, "t").await;
    make(&client, "u").await;
    client.ok("INSERT INTO t VALUES (1); INSERT INTO u VALUES (1)").await;
    let reader = two.client().await;
    reader.ok("BEGIN; SET LOCAL duckmesh.consistency = strong").await;
    assert_eq!(reader.value("SELECT sum(n) FROM t").await, "1");
    let pinned = snapshot(&client).await;
    client.ok("TRUNCATE t; TRUNCATE u").await;
    client.ok("INSERT INTO t VALUES (5)").await;
    assert_eq!(client.value("SELECT sum(n) FROM t").await, "5");
    client.ok("SET duckmesh.barrier_timeout = '60s'").await;
    // As long as it lives it keeps the snapshot.
    let catalog = fleet.postgres.client().await;
    eventually_async("the pin is known", PATIENCE, async || {
        let pins = catalog.text("SELECT snapshots FROM duckmesh.pin").await;
        pins.iter().any(|ids| ids.split(',').any(|id| id == pinned)).then_some(())
    })
    .await;
    assert!(signal(two.pid(), STOP));
    until_expired(&client, &pinned).await;
    assert!(signal(two.pid(), CONT));
    // A table it has not looked at yet.
    let failed = reader.fails("SELECT sum(n) FROM u").await;
    assert!(failed.starts_with("MD004: "), "{failed}");
}

fn files(folder: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.path() {
            path if path.is_dir() => files(&path),
            path => usize::from(path.extension().is_some_and(|end| end == "parquet")),
        })
        .sum()
}

/// RD5: files that were merged stay while a transaction of another server may read them, however short the grace.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rd5_fleet_merged_files_stay_for_readers_of_another_server() {
    let fleet = Fleet::new();
    let one = fleet.server_with("a", &["--merge-grace-seconds", "1"]);
    let client = one.client().await;
    make(&client, "t").await;
    for n in 0..9 {
        client.ok(&format!("INSERT INTO t VALUES ({n})")).await;
        client.value("SELECT count(*) FROM t").await;
    }
    let two = fleet.server_with("b", &["--role", "gateway"]);
    let reader = two.client().await;
    reader.ok("BEGIN; SET LOCAL duckmesh.consistency = strong").await;
    assert_eq!(reader.value("SELECT count(*) FROM t").await, "9");
    let folder = one.data().join("lakes/duckmesh/files");
    for n in 9..12 {
        client.ok(&format!("INSERT INTO t VALUES ({n})")).await;
        client.value("SELECT count(*) FROM t").await;
    }
    let named = "SELECT count(*) FROM duckmesh.files";
    eventually_async("files are merged", PATIENCE, async || {
        (client.value(named).await.parse::<usize>().expect("a number") < 9).then_some(())
    })
    .await;
    // Longer than the grace and the looks at what is to be deleted.
    let end = tokio::time::Instant::now() + Duration::from_secs(4);
    while tokio::time::Instant::now() < end {
        assert!(files(&folder) >= 10, "a file that the reader listed was deleted");
        assert_eq!(reader.value("SELECT count(*) FROM t").await, "9");
    }
    reader.ok("COMMIT").await;
    eventually_async("they are deleted when nobody can read them", PATIENCE, async || {
        (files(&folder) < 9).then_some(())
    })
    .await;
    assert_eq!(reader.value("SELECT count(*) FROM t").await, "12");
}

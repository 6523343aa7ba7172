//! Small inserts without end: a table has few files, and what was read once can be read again.

use std::time::Duration;

use duckmesh_tests::harness::{Client, Server, ServerOptions, eventually_async};
use tokio::task::JoinSet;

const WRITERS: u32 = 4;
const WRITES: u32 = 60;

fn args(args: &[&str]) -> ServerOptions {
    ServerOptions { args: args.iter().map(|&arg| arg.to_owned()).collect(), ..ServerOptions::default() }
}

async fn live_files(client: &Client) -> u32 {
    client.value("SELECT count(*) FROM duckmesh.files WHERE table_name = 't'").await.parse().unwrap()
}

/// Parquet files in the table's folder.
fn stored_files(server: &Server) -> usize {
    std::fs::read_dir(server.data().join("lakes/duckmesh/files/main/t")).map_or(0, Iterator::count)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn merging_keeps_files_few_under_continuous_inserts() {
    let server = Server::with(args(&["--merge-grace-seconds", "1"]));
    let client = server.client().await;
    client.ok("CREATE TABLE t (writer int, n int)").await;
    // G6: a transaction that began before it all, and the first snapshot with rows.
    client.ok("SET duckmesh.write_visibility = visible; INSERT INTO t VALUES (-1, 0)").await;
    let pinned = server.client().await;
    pinned.ok("BEGIN").await;
    assert_eq!(pinned.value("SELECT count(*) FROM t").await, "1");
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let port = server.port();
        writers.spawn(async move {
            let client = Client::connect(port, "duckmesh").await.unwrap();
            for n in 0..WRITES {
                client.ok(&format!("INSERT INTO t VALUES ({writer}, {n})")).await;
                // Read your write, through whatever is being merged.
                let read = client.value(&format!("SELECT count(*) FROM t WHERE writer = {writer}")).await;
                assert_eq!(read, (n + 1).to_string(), "writer {writer}");
            }
        });
    }
    let mut most = 0;
    while !writers.is_empty() {
        while let Some(ended) = writers.try_join_next() {
            ended.unwrap();
        }
        most = most.max(live_files(&client).await);
    }
    assert!(most < WRITERS * WRITES / 2, "{most} live files");
    eventually_async("few files", Duration::from_secs(60), || async { (live_files(&client).await < 10).then_some(()) })
        .await;
    assert_eq!(client.value("SELECT count(*) FROM t").await, (WRITERS * WRITES + 1).to_string());
    assert_eq!(
        pinned.value("SELECT count(*) FROM t").await,
        "1",
        "the pinned snapshot's rows are in a merged file now"
    );
    assert_eq!(pinned.value("SELECT count(*) FROM t WHERE n >= 0").await, "1");
    pinned.ok("COMMIT").await;
    // The open transaction kept what it had listed.
    eventually_async("merged files are deleted", Duration::from_secs(60), || async {
        (stored_files(&server) < 10).then_some(())
    })
    .await;
    assert_eq!(pinned.value("SELECT count(*) FROM t").await, (WRITERS * WRITES + 1).to_string());
}

/// Files of before and after a TRUNCATE, and of before and after a change of columns, are merged on their own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn merging_keeps_to_one_side_of_truncate_and_alter() {
    let server = Server::with(ServerOptions::default());
    let client = server.client().await;
    client.ok("SET duckmesh.write_visibility = visible; CREATE TABLE t (a int, b int DEFAULT 7)").await;
    let mut insert = 0;
    let mut insert_some = async |client: &Client| {
        for _ in 0..12 {
            insert += 1;
            client.ok(&format!("INSERT INTO t (a) VALUES ({insert})")).await;
        }
        eventually_async("few files", Duration::from_secs(60), || async {
            (live_files(client).await < 12).then_some(())
        })
        .await;
        client.value("SELECT max(snapshot_id) FROM duckmesh.snapshots").await
    };
    let first = insert_some(&client).await;
    client.ok("ALTER TABLE t RENAME COLUMN b TO c; ALTER TABLE t ADD COLUMN d int DEFAULT 5").await;
    let second = insert_some(&client).await;
    client.ok("TRUNCATE t").await;
    assert_eq!(client.value("SELECT count(*) FROM t").await, "0");
    let third = insert_some(&client).await;
    for (snapshot, columns, rows) in [
        (first, "count(*), sum(a), sum(b)", "12|78|84"),
        (second, "count(*), sum(a), sum(c), sum(d)", "24|300|168|120"),
        (third, "count(*), sum(a), sum(c), sum(d)", "12|366|84|60"),
    ] {
        client.ok(&format!("SET duckmesh.snapshot = '{snapshot}'")).await;
        assert_eq!(client.value(&format!("SELECT {columns} FROM t")).await, rows, "snapshot {snapshot}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn merging_can_be_switched_off() {
    let mut server = Server::with(args(&["--merge-files", "false"]));
    let client = server.client().await;
    client.ok("SET duckmesh.write_visibility = visible; CREATE TABLE t (writer int, n int)").await;
    for n in 0..15 {
        client.ok(&format!("INSERT INTO t VALUES (0, {n})")).await;
    }
    assert_eq!(live_files(&client).await, 15);
    drop(client);
    assert!(server.stop().success());
    assert_eq!(stored_files(&server), 15);
}

//! Snapshots that end, here and in the official DuckDB with the official `ducklake` extension: what one ended the other honours,
//! and what is left is the same to both.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use duckmesh_tests::harness::{Client, Lake, ServerOptions, eventually, eventually_async};

use crate::stand::{Stand, on_both_catalogs};

on_both_catalogs!(
    with crate::expiry::options();
    interop_rd1_what_expired_here_is_gone_there,
    interop_rd1_what_expired_there_is_gone_here,
    g6_rd1_readers_are_not_expired_while_they_begin,
);

const LIMIT: Duration = Duration::from_secs(60);
const EXPIRE: &str = "CALL duckmesh.expire_snapshots(older_than => '0 seconds')";

/// Files of what ended go soon; so do pins of nobody.
pub fn options() -> ServerOptions {
    let args = ["--merge-grace-seconds", "1", "--lease-ms", "1000"].map(str::to_owned).to_vec();
    ServerOptions { args, ..ServerOptions::default() }
}

/// Ends snapshots until only the newest is left.
async fn until_one_is_left(client: &Client) {
    eventually_async("old snapshots end", LIMIT, async || {
        client.ok(EXPIRE).await;
        (client.value("SELECT count(*) FROM duckmesh.snapshots").await == "1").then_some(())
    })
    .await;
}

/// Parquet files in a folder and those below it.
fn on_disk(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.path() {
            path if path.is_dir() => on_disk(&path),
            path => usize::from(path.extension().is_some_and(|end| end == "parquet")),
        })
        .sum()
}

/// Waits until all files that are there are named by the newest snapshot, as the official software counts them.
fn only_live_files_are_there(stand: &Stand) {
    let (lake, folder) = (stand.lake(), stand.server.data().join("lakes/duckmesh/files"));
    let live = "SELECT sum(file_count + delete_file_count) FROM ducklake_table_info('lake')";
    let mut before = None;
    // Asked only when something changed on disk: a process of its own is dear.
    eventually("files that nobody needs are deleted", LIMIT, || {
        let there = on_disk(&folder);
        if before.replace(there) == Some(there) {
            return None;
        }
        (lake.text(live) == [there.to_string()]).then_some(())
    });
    // Neither is anything left to delete, nor does anything lie there that nobody knows.
    let left = lake.run(&[
        "CALL ducklake_cleanup_old_files('lake', dry_run => true, cleanup_all => true)",
        "CALL ducklake_delete_orphaned_files('lake', dry_run => true, cleanup_all => true)",
    ]);
    assert!(left.iter().all(Vec::is_empty), "{left:?}");
}

/// Both see the same snapshots and the same rows in every table.
async fn same_to_both(client: &Client, lake: &Lake, tables: &[&str]) {
    let names = "SELECT DISTINCT table_name FROM information_schema.tables \
                 WHERE table_schema IN ('public', 'main') ORDER BY 1";
    let mut both = vec![(names.to_owned(), names.to_owned())];
    both.push((
        "SELECT snapshot_id FROM duckmesh.snapshots ORDER BY 1".to_owned(),
        "SELECT snapshot_id FROM ducklake_snapshots('lake') ORDER BY 1".to_owned(),
    ));
    for table in tables {
        let sql = format!("SELECT * FROM {table} ORDER BY 1");
        both.push((sql.clone(), sql));
    }
    let theirs: Vec<&str> = both.iter().map(|(_, theirs)| theirs.as_str()).collect();
    for ((ours, _), theirs) in both.iter().zip(lake.run(&theirs)) {
        assert_eq!(client.text(ours).await, theirs, "{ours}");
    }
}

/// Tables with a past: rows that were truncated, deleted, merged; columns that came and went; a table that is gone.
async fn past(client: &Client, stand: &Stand) -> String {
    client.ok("SET duckmesh.write_visibility = visible").await;
    client.ok("CREATE TABLE t (a int, b text); CREATE TABLE other (a int, e int); CREATE TABLE dropped (a int)").await;
    client.ok("INSERT INTO dropped VALUES (1); INSERT INTO other VALUES (7, 1), (8, 2), (9, 3)").await;
    for n in 0..12 {
        client.ok(&format!("INSERT INTO t VALUES ({n}, 'old')")).await;
    }
    let old = stand.newest_snapshot().await;
    client.ok("ALTER TABLE t DROP COLUMN b; TRUNCATE t; DROP TABLE dropped").await;
    client.ok("ALTER TABLE other ADD COLUMN f int DEFAULT 5; ALTER TABLE other DROP COLUMN e").await;
    stand.lake().run(&["DELETE FROM other WHERE a = 8", "INSERT INTO other SELECT range, 6 FROM range(100, 400)"]);
    client.ok("SET duckmesh.consistency = strong; INSERT INTO other VALUES (10, 7)").await;
    for n in 0..3 {
        client.ok(&format!("INSERT INTO t VALUES ({n})")).await;
    }
    old
}

async fn interop_rd1_what_expired_here_is_gone_there(stand: &mut Stand) {
    let client = stand.client().await;
    let old = past(&client, stand).await;
    until_one_is_left(&client).await;
    only_live_files_are_there(stand);
    let lake = stand.lake();
    same_to_both(&client, &lake, &["t", "other"]).await;
    let gone = lake.try_run(&[&format!("SELECT count(*) FROM t AT (VERSION => {old})")]);
    assert!(gone.is_err(), "an ended snapshot is gone there too: {gone:?}");
    // Both go on from there, and what they write is in their history.
    lake.run(&["INSERT INTO t VALUES (1000)", "UPDATE other SET f = 100 WHERE a = 100"]);
    client.ok("INSERT INTO t VALUES (1001); INSERT INTO other VALUES (11, 8)").await;
    let newest = stand.newest_snapshot().await;
    same_to_both(&client, &lake, &["t", "other"]).await;
    assert_eq!(client.value("SELECT count(*), max(a) FROM t").await, "5|1001");
    let then = format!("SELECT count(*), sum(a), sum(f) FROM other AT (VERSION => {newest})");
    client.ok(&format!("SET duckmesh.snapshot = {newest}")).await;
    assert_eq!(client.text("SELECT count(*), sum(a), sum(f) FROM other").await, lake.text(&then));
    client.ok("RESET duckmesh.snapshot").await;
    // Once more, with what the other has written.
    until_one_is_left(&client).await;
    same_to_both(&client, &lake, &["t", "other"]).await;
    assert!(stand.server.stop().success());
    assert_eq!(lake.text("SELECT count(*), max(a) FROM t"), ["5|1001"], "after it stopped");
}

async fn interop_rd1_what_expired_there_is_gone_here(stand: &mut Stand) {
    let client = stand.client().await;
    let old = past(&client, stand).await;
    // A transaction here that the other software knows nothing of.
    let held = stand.client().await;
    held.ok(&format!("BEGIN; SET LOCAL duckmesh.snapshot = {old}")).await;
    assert_eq!(held.value("SELECT count(*), sum(a), max(b) FROM t").await, "12|66|old");
    let lake = stand.lake();
    let expired = lake.run(&[
        "CALL ducklake_expire_snapshots('lake', older_than => now() + INTERVAL 1 DAY)",
        "SELECT count(*) FROM ducklake_snapshots('lake')",
    ]);
    assert_eq!(expired[1], ["1"]);
    client.ok(&format!("SET duckmesh.snapshot = {old}")).await;
    let failed = client.fails("SELECT count(*) FROM t").await;
    assert!(failed.starts_with("MD004: "), "{failed}");
    client.ok("RESET duckmesh.snapshot").await;
    same_to_both(&client, &lake, &["t", "other"]).await;
    // All rows of then, or an error: never fewer rows.
    for sql in ["SELECT count(*), sum(a), max(b) FROM t", "SELECT count(*), sum(a), min(e) FROM other"] {
        match held.rows(sql).await {
            Ok(rows) => {
                let row = rows[0].iter().flatten().cloned().collect::<Vec<_>>().join("|");
                assert!(["12|66|old", "3|24|1"].contains(&row.as_str()), "{sql}: {row}");
            }
            Err(error) => {
                let state = error.code().map(|code| code.code().to_owned()).unwrap_or_default();
                assert!(["MD004", "58P01", "25P02"].contains(&state.as_str()), "{sql}: {error:?}");
            }
        }
    }
    held.ok("ROLLBACK").await;
    // What the other listed for deletion is deleted here, when nobody reads it.
    client.ok("INSERT INTO t VALUES (500)").await;
    until_one_is_left(&client).await;
    only_live_files_are_there(stand);
    same_to_both(&client, &lake, &["t", "other"]).await;
    assert_eq!(client.value("SELECT count(*), max(a) FROM t").await, "4|500");
}

async fn g6_rd1_readers_are_not_expired_while_they_begin(stand: &mut Stand) {
    const EXPIRIES: u32 = 350;
    stand.client().await.ok("CREATE TABLE t (a int); INSERT INTO t VALUES (0)").await;
    let ended = Arc::new(AtomicBool::new(false));
    let mut tasks = tokio::task::JoinSet::new();
    for reader in 0..6 {
        let (client, ended) = (stand.client().await, ended.clone());
        tasks.spawn(async move {
            client.ok("SET duckmesh.write_visibility = visible").await;
            let read = match reader {
                0 | 1 => "INSERT INTO t VALUES (1)",
                2 | 3 => "BEGIN; SELECT count(*) FROM t; SELECT sum(a) FROM t; COMMIT",
                _ => "SELECT count(*) FROM t",
            };
            while !ended.load(Ordering::Relaxed) {
                client.ok(read).await;
            }
        });
    }
    let client = stand.client().await;
    for _ in 0..EXPIRIES {
        client.ok("CALL duckmesh.expire_snapshots(older_than => '0 seconds')").await;
    }
    ended.store(true, Ordering::Relaxed);
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
}

//! A process that dies at a failpoint, or meets an error there, loses nothing and doubles nothing (CO1, CO2, GW2).

mod support;

use std::{
    collections::BTreeMap,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use duckmesh_ingest::{AppendErrorKind, LakeOptions, Write};
use support::world::{PATIENCE, World, key, options, rows};
use uuid::Uuid;

const ROWS: i64 = 12;
const FAILPOINTS: &[&str] = &[
    "bus-append-before-commit",
    "bus-append-after-commit",
    "commit-after-read",
    "commit-after-encode",
    "commit-after-put",
    "publish-before-commit",
    "publish-after-commit",
    "encode-poison",
    "lease-before-renew",
    "trim-before",
    "trim-after",
];

fn child_options() -> LakeOptions {
    LakeOptions { lease_ttl: Duration::from_millis(60), trim_interval: Duration::ZERO, ..options() }
}

/// Not a test: the process that the others start. Writes keyed rows, and says which were acknowledged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "started by the other tests"]
async fn child() {
    let (Ok(folder), Ok(table)) = (std::env::var("CRASH_FOLDER"), std::env::var("CRASH_TABLE")) else {
        return;
    };
    let table: Uuid = table.parse().unwrap();
    let world = World::open(Path::new(&folder)).await;
    let lake = world.lake(child_options()).await;
    for n in 0..ROWS {
        let write = || async {
            Write {
                parts: vec![rows(table, &[n])],
                made_for: lake.ddl_offset().await.unwrap(),
                key: Some(key(&n.to_string())),
                validated: None,
            }
        };
        let mut answer = lake.append(write().await).await;
        while let Err(e) = &answer {
            // Unknown: the same key finds out. Unavailable: nothing happened.
            assert!(matches!(e.kind(), AppendErrorKind::Unknown | AppendErrorKind::Unavailable), "{e}");
            answer = lake.append(write().await).await;
        }
        println!("acknowledged {n} {}", answer.unwrap().offset);
        tokio::time::timeout(PATIENCE, lake.wait_for(lake.head().await.unwrap())).await.unwrap().unwrap();
    }
    // The lease is renewed at least twice.
    tokio::time::sleep(child_options().lease_ttl).await;
    lake.shutdown(PATIENCE).await;
}

/// Runs the child with a failpoint; gives what it acknowledged, and whether it lived.
fn run_child(folder: &Path, table: Uuid, failpoint: &str) -> (BTreeMap<i64, i64>, bool) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--ignored", "--nocapture"])
        .env("CRASH_FOLDER", folder)
        .env("CRASH_TABLE", table.to_string())
        .env("DUCKMESH_FAILPOINTS", failpoint)
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("failpoint-reached"), "{failpoint} was not reached: {stderr}");
    let stdout = String::from_utf8_lossy(&output.stdout);
    let acknowledged = stdout.lines().filter_map(|line| {
        let (n, offset) = line.split_once("acknowledged ")?.1.split_once(' ')?;
        Some((n.parse().unwrap(), offset.parse().unwrap()))
    });
    (acknowledged.collect(), output.status.success())
}

async fn check(name: &str, action: &str, lives: bool) {
    let folder = tempfile::tempdir().unwrap();
    let table = {
        let world = World::open(folder.path()).await;
        let lake = world.lake(options()).await;
        let table = world.table(&lake, "t").await;
        lake.shutdown(PATIENCE).await;
        world.catalog.close().await;
        table
    };
    let failpoint = format!("{name}={action}");
    let (acknowledged, lived) = run_child(folder.path(), table, &failpoint);
    assert_eq!(lived, lives, "{failpoint}");
    let world = World::open(folder.path()).await;
    let lake = world.lake(options()).await;
    let head = lake.head().await.unwrap();
    tokio::time::timeout(PATIENCE, lake.wait_for(head)).await.unwrap().unwrap();
    let visible = world.rows(table).await;
    for (n, offset) in &acknowledged {
        assert_eq!(visible.iter().filter(|v| *v == n).count(), 1, "{failpoint}: row {n} at {offset}");
    }
    // Everything again with the same keys: the same tokens, and each row once.
    for n in 0..ROWS {
        let write = Write {
            parts: vec![rows(table, &[n])],
            made_for: lake.ddl_offset().await.unwrap(),
            key: Some(key(&n.to_string())),
            validated: None,
        };
        let again = lake.append(write).await.unwrap();
        if let Some(offset) = acknowledged.get(&n) {
            assert!(again.duplicate && again.offset.get() == *offset, "{failpoint}: {again:?}");
        }
    }
    let head = lake.head().await.unwrap();
    tokio::time::timeout(PATIENCE, lake.wait_for(head)).await.unwrap().unwrap();
    assert_eq!(world.rows(table).await, (0..ROWS).collect::<Vec<_>>(), "{failpoint}");
    assert!(world.catalog.dead_letters(world.info.id).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_dies_there_loses_nothing() {
    for name in FAILPOINTS {
        check(name, "2*abort", false).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_meets_an_error_there_goes_on() {
    for name in FAILPOINTS {
        check(name, "2*error", true).await;
    }
}

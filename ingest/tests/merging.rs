//! Small files become few while rows come, nothing is lost by it, and old files go when nobody can read them.

mod support;

use std::{future::Future, time::Duration};

use duckmesh_catalog::{FileId, SnapshotId};
use duckmesh_ingest::LakeOptions;
use support::world::{PATIENCE, World, append, options, rows, wait};

/// Between two looks: the work that is waited for needs the processor too.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Looks again and again, until it is so.
async fn eventually<F: Future<Output = bool>>(what: &str, mut is_so: impl FnMut() -> F) {
    let looking = async {
        while !is_so().await {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, looking).await.is_ok(), "never: {what}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_stay_few_while_rows_come_and_every_snapshot_keeps_its_rows() {
    const ROWS: i64 = 120;
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path()).await;
    let lake = world.lake(options()).await;
    let (table, other) = (world.table(&lake, "t").await, world.table(&lake, "other").await);
    let mut snapshots = Vec::new();
    for n in 0..ROWS {
        let parts = if n % 3 == 0 { vec![rows(table, &[n]), rows(other, &[n])] } else { vec![rows(table, &[n])] };
        let offset = append(&lake, parts).await.offset;
        wait(&lake, offset).await;
        snapshots.push((n, world.catalog.latest(world.info.id).await.unwrap()));
        assert_eq!(snapshots[n as usize].1.watermark, offset, "RD4: a merge lowers no watermark");
    }
    eventually("few files", || async {
        world.live_files(table).await.len() < 10 && world.live_files(other).await.len() < 10
    })
    .await;
    assert_eq!(world.rows(table).await, (0..ROWS).collect::<Vec<_>>());
    assert_eq!(world.rows(other).await, (0..ROWS).step_by(3).collect::<Vec<_>>());
    let changes = world.catalog.snapshots(world.info.id).await.unwrap();
    let merges = changes.iter().filter(|s| s.changes_made.as_ref().is_some_and(|c| c.starts_with("merge_adjacent:")));
    let merges: Vec<SnapshotId> = merges.map(|s| s.info.id).collect();
    assert!(!merges.is_empty());
    // Nothing that was merged is gone within the grace, and every input is on the list.
    let scheduled = world.catalog.scheduled_files(world.info.id, FileId::new(-1), 1000).await.unwrap();
    assert!(scheduled.len() as i64 >= ROWS - 20, "{}", scheduled.len());
    let stored = world.stored().await;
    assert!(scheduled.iter().all(|file| stored.contains(&file.path)));
    // G6: each snapshot has the rows that it had, by file and row snapshot.
    let id = world.def(table).await.unwrap().id;
    for (n, at) in snapshots {
        let files = world.catalog.files(world.info.id, at.id, id).await.unwrap();
        let seen: usize = files.files.iter().map(|file| world.rows_of_file(file, at.id).len()).sum();
        assert_eq!(seen as i64, n + 1, "snapshot {}", at.id);
    }
    lake.shutdown(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn merged_files_are_deleted_after_the_grace_and_after_their_readers() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path()).await;
    let grace = Duration::from_millis(20);
    let lake = world.lake(LakeOptions { merge_files: false, merge_grace: grace, ..options() }).await;
    let table = world.table(&lake, "t").await;
    for n in 0..25 {
        let offset = append(&lake, vec![rows(table, &[n])]).await.offset;
        wait(&lake, offset).await;
    }
    assert_eq!(world.live_files(table).await.len(), 25, "switched off");
    lake.shutdown(PATIENCE).await;
    // A new term merges what it finds.
    let lake = world.lake(LakeOptions { merge_grace: grace, ..options() }).await;
    let reading = lake.read();
    let listed = world.live_files(table).await;
    eventually("one file", || async { world.live_files(table).await.len() == 1 }).await;
    let scheduled =
        || async { world.catalog.scheduled_files(world.info.id, FileId::new(-1), 100).await.unwrap().len() };
    assert_eq!(scheduled().await, 25);
    // The cleanup looks every 200 ms.
    let until = std::time::Instant::now() + Duration::from_millis(700);
    while std::time::Instant::now() < until {
        let stored = world.stored().await;
        assert!(listed.iter().all(|file| stored.contains(&file.path)), "deleted under a reader");
    }
    drop(reading);
    eventually("the old files are gone", || async { scheduled().await == 0 }).await;
    assert_eq!(world.stored().await.len(), 1);
    assert_eq!(world.rows(table).await, (0..25).collect::<Vec<_>>());
    lake.shutdown(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_file_keeps_its_neighbours_from_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path()).await;
    let lake = world.lake(LakeOptions { merge_files: false, ..options() }).await;
    let table = world.table(&lake, "t").await;
    for n in 0..24 {
        let offset = append(&lake, vec![rows(table, &[n])]).await.offset;
        wait(&lake, offset).await;
    }
    lake.shutdown(PATIENCE).await;
    let damaged = world.live_files(table).await.remove(12);
    let path = world.files.local_path(&damaged.path).unwrap();
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, b"PAR1 is not all there is to it").unwrap();
    let lake = world.lake(options()).await;
    eventually("both sides are merged", || async { world.live_files(table).await.len() == 3 }).await;
    assert!(world.live_files(table).await.iter().any(|file| file.id == damaged.id));
    lake.shutdown(PATIENCE).await;
}

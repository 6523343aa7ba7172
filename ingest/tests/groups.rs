//! Group commit: many writers, one commit, and each gets its own answer.

mod support;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use duckmesh_catalog::Offset;
use duckmesh_ingest::{AppendErrorKind, Bus, BusErrorKind, LakeOptions, Write};
use futures::future::join_all;
use support::{
    gate::GatedBus,
    world::{World, append, key, options, rows, wait, write},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_get_dense_distinct_offsets_and_a_bad_neighbour_harms_nobody() {
    const WRITERS: i64 = 64;
    const WRITES: i64 = 20;
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path()).await;
    let lake = world.lake(options()).await;
    let table = world.table(&lake, "t").await;
    let other = world.table(&lake, "other").await;
    let base = lake.head().await.unwrap().get();
    let made_for = lake.ddl_offset().await.unwrap();
    let tasks = (0..WRITERS).map(|writer| {
        let lake = Arc::clone(&lake);
        tokio::spawn(async move {
            let mut got = Vec::new();
            for n in 0..WRITES {
                let table = if writer % 3 == 0 { other } else { table };
                // One writer names a schema that never was.
                let made_for = if writer == 5 { Offset::new(999) } else { made_for };
                let write =
                    Write { parts: vec![rows(table, &[writer * 1000 + n])], made_for, key: None, validated: None };
                match lake.append(write).await {
                    Ok(appended) => got.push((appended.offset.get(), writer * 1000 + n)),
                    Err(e) => {
                        let current = Offset::new(base);
                        assert_eq!(e.kind(), AppendErrorKind::StaleSchema { current });
                    }
                }
            }
            (writer, got)
        })
    });
    let mut offsets = BTreeSet::new();
    let mut values = Vec::new();
    for task in join_all(tasks).await {
        let (writer, got) = task.unwrap();
        assert_eq!(got.len() as i64, if writer == 5 { 0 } else { WRITES });
        assert!(got.is_sorted(), "a writer's later write has the higher offset");
        offsets.extend(got.iter().map(|g| g.0));
        values.extend(got.iter().map(|g| g.1));
    }
    let count = (WRITERS - 1) * WRITES;
    assert_eq!(offsets.into_iter().collect::<Vec<_>>(), (base + 1..=base + count).collect::<Vec<_>>());
    let records = world.bus.read(world.info.id, Offset::new(base), 1 << 30).await.unwrap();
    assert!((records.len() as i64) < count / 4, "writes share records: {}", records.len());
    wait(&lake, lake.head().await.unwrap()).await;
    let mut visible = world.rows(table).await;
    visible.extend(world.rows(other).await);
    visible.sort_unstable();
    values.sort_unstable();
    assert_eq!(visible, values);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_key_has_one_effect_also_in_one_group() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path()).await;
    let lake = world.lake(options()).await;
    let table = world.table(&lake, "t").await;
    let made_for = lake.ddl_offset().await.unwrap();
    let keyed =
        |n: i64, name: &str| Write { parts: vec![rows(table, &[n])], made_for, key: Some(key(name)), validated: None };
    let first = lake.append(keyed(1, "a")).await.unwrap();
    assert!(!first.duplicate);
    let group = [keyed(1, "a"), keyed(2, "b"), keyed(2, "b"), keyed(3, "c"), keyed(1, "a")];
    let got: Vec<_> = join_all(group.map(|w| lake.append(w))).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(got.iter().map(|g| g.duplicate).filter(|d| *d).count(), 3);
    assert_eq!((got[0].offset, got[4].offset), (first.offset, first.offset));
    assert_eq!(got[1].offset, got[2].offset);
    let mut reused = keyed(1, "a");
    reused.key.as_mut().unwrap().payload_sha256 = [8; 32];
    assert_eq!(lake.append(reused).await.unwrap_err().kind(), AppendErrorKind::KeyReused);
    wait(&lake, lake.head().await.unwrap()).await;
    assert_eq!(world.rows(table).await, [1, 2, 3]);
}

#[tokio::test]
async fn what_a_caller_does_wrong_is_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path()).await;
    let small = LakeOptions { write_bytes_max: 4096, ..options() };
    let lake = world.lake(small).await;
    let table = world.table(&lake, "t").await;
    let kind = async |write| lake.append(write).await.unwrap_err().kind();
    let large = write(&lake, vec![rows(table, &[1; 2000])]).await;
    assert_eq!(kind(large).await, AppendErrorKind::TooLarge);
    let empty = write(&lake, Vec::new()).await;
    assert_eq!(kind(empty).await, AppendErrorKind::Invalid);
    for unfit in [String::new(), "a\0b".to_owned(), "k".repeat(600)] {
        let mut keyed = write(&lake, vec![rows(table, &[1])]).await;
        keyed.key = Some(key(&unfit));
        assert_eq!(kind(keyed).await, AppendErrorKind::Invalid);
    }
    lake.shutdown(Duration::from_secs(5)).await;
    let late = write(&lake, vec![rows(table, &[1])]).await;
    assert_eq!(kind(late).await, AppendErrorKind::Closed);
}

#[tokio::test]
async fn shutdown_publishes_what_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path()).await;
    let lake = world.lake(options()).await;
    let table = world.table(&lake, "t").await;
    let offset = append(&lake, vec![rows(table, &[1, 2])]).await.offset;
    assert!(lake.watermark() < offset, "nobody waited, and the interval is an hour");
    lake.shutdown(Duration::from_secs(20)).await;
    assert_eq!(lake.watermark(), offset);
    assert_eq!(world.rows(table).await, [1, 2]);
    // The lease is given back: another owner has it at once.
    let lease = world.catalog.acquire_lease(world.info.id, "other", Duration::from_secs(1)).await;
    assert!(lease.unwrap().is_some());
}

/// Ends when the gate has seen that many groups.
async fn groups_seen(bus: &GatedBus, count: usize) {
    while bus.groups.lock().unwrap().len() < count {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn while_one_append_is_in_flight_the_next_group_gathers_and_the_queue_is_bounded() {
    const QUEUE: usize = 10;
    let folder = tempfile::tempdir().unwrap();
    let mut world = World::open(folder.path()).await;
    let bus = GatedBus::new(Arc::clone(&world.bus));
    world.bus = Arc::clone(&bus) as Arc<dyn Bus>;
    let narrow = LakeOptions { queue_writes_max: QUEUE, queue_wait_max: Duration::from_millis(30), ..options() };
    let lake = world.lake(narrow).await;
    let table = uuid::Uuid::new_v4();
    let spawn = |n: i64| {
        let lake = Arc::clone(&lake);
        tokio::spawn(async move { lake.append(write(&lake, vec![rows(table, &[n])]).await).await })
    };
    let first = spawn(0);
    groups_seen(&bus, 1).await;
    let queued: Vec<_> = (1..=QUEUE as i64).map(spawn).collect();
    let late = spawn(99);
    // No place came free within the limit: told so, and not in the log.
    assert_eq!(late.await.unwrap().unwrap_err().kind(), AppendErrorKind::QueueFull);
    bus.open();
    assert_eq!(first.await.unwrap().unwrap().offset, Offset::new(1));
    let mut offsets = BTreeSet::new();
    for write in queued {
        offsets.insert(write.await.unwrap().unwrap().offset.get());
    }
    assert_eq!(offsets, (2..=QUEUE as i64 + 1).collect());
    assert_eq!(*bus.groups.lock().unwrap(), [1, QUEUE as u32], "one commit for all that waited");
    assert_eq!(lake.head().await.unwrap(), Offset::new(QUEUE as i64 + 1));
}

#[tokio::test]
async fn a_failed_append_is_told_as_what_it_is_and_the_next_one_works() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = World::open(folder.path()).await;
    let bus = GatedBus::new(Arc::clone(&world.bus));
    world.bus = Arc::clone(&bus) as Arc<dyn Bus>;
    let lake = world.lake(options()).await;
    bus.open();
    let table = world.table(&lake, "t").await;
    for (failure, expect) in [
        (BusErrorKind::Full, AppendErrorKind::Full),
        (BusErrorKind::Unknown, AppendErrorKind::Unknown),
        (BusErrorKind::Unavailable, AppendErrorKind::Unavailable),
    ] {
        *bus.failure.lock().unwrap() = Some(failure);
        let one = write(&lake, vec![rows(table, &[1])]).await;
        assert_eq!(lake.append(one).await.unwrap_err().kind(), expect);
        append(&lake, vec![rows(table, &[2])]).await;
    }
    wait(&lake, lake.head().await.unwrap()).await;
    assert_eq!(world.rows(table).await, [2, 2, 2]);
}

//! A lake in Postgres: shared by two processes, and with a server that crashes.

mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use duckmesh_ingest::{AppendErrorKind, LakeOptions, Write};
use support::{
    postgres::Postgres,
    world::{PATIENCE, World, append, key, options, rows, wait},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_share_a_lake() {
    let Some(server) = Postgres::start() else {
        eprintln!("skipped: PostgreSQL is not installed");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let options = |owner: &str| LakeOptions {
        owner: owner.to_owned(),
        commit_interval: Duration::from_millis(20),
        lease_ttl: Duration::from_millis(600),
        ..options()
    };
    let here = World::open_postgres(folder.path(), &server.url()).await;
    let there = World::open_postgres(folder.path(), &server.url()).await;
    let (one, two) = (here.lake(options("one")).await, there.lake(options("two")).await);
    let table = here.table(&one, "t").await;
    // Whoever leads, both learn the schema, write, and see their own and the other's writes.
    let mut tasks = Vec::new();
    for (lake, base) in [(&one, 0), (&two, 1000)] {
        for writer in 0..8 {
            let lake = Arc::clone(lake);
            tasks.push(tokio::spawn(async move {
                for n in 0..10 {
                    let offset = append(&lake, vec![rows(table, &[base + writer * 10 + n])]).await.offset;
                    wait(&lake, offset).await;
                    assert!(lake.watermark() >= offset);
                }
            }));
        }
    }
    for task in tasks {
        task.await.unwrap();
    }
    let expected: Vec<i64> = (0..80).chain(1000..1080).collect();
    assert_eq!(there.rows(table).await, expected);
    // One goes; the other takes over.
    one.shutdown(PATIENCE).await;
    let offset = append(&two, vec![rows(table, &[5000])]).await.offset;
    wait(&two, offset).await;
    assert!(there.rows(table).await.ends_with(&[5000]));
    assert!(here.catalog.dead_letters(here.info.id).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_of_postgres_loses_no_acknowledged_write() {
    const WRITERS: i64 = 8;
    const WRITES: i64 = 40;
    let Some(mut server) = Postgres::start() else {
        eprintln!("skipped: PostgreSQL is not installed");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let world = World::open_postgres(folder.path(), &server.url()).await;
    let lake = world.lake(options()).await;
    let table = world.table(&lake, "t").await;
    let made_for = lake.ddl_offset().await.unwrap();
    let acknowledged = Arc::new(AtomicI64::new(0));
    let mut tasks = Vec::new();
    for writer in 0..WRITERS {
        let (lake, acknowledged) = (Arc::clone(&lake), Arc::clone(&acknowledged));
        tasks.push(tokio::spawn(async move {
            for n in 0..WRITES {
                let value = writer * WRITES + n;
                // The same key until it is acknowledged: an unknown outcome is found out by it (PG2).
                loop {
                    let write = Write {
                        parts: vec![rows(table, &[value])],
                        made_for,
                        key: Some(key(&value.to_string())),
                        validated: None,
                    };
                    match lake.append(write).await {
                        Ok(_) => break,
                        Err(e) => {
                            assert!(matches!(e.kind(), AppendErrorKind::Unknown | AppendErrorKind::Unavailable), "{e}")
                        }
                    }
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                acknowledged.fetch_add(1, Ordering::SeqCst);
            }
        }));
    }
    for crash in 1..=2 {
        while acknowledged.load(Ordering::SeqCst) < crash * WRITERS * WRITES / 4 {
            tokio::task::yield_now().await;
        }
        tokio::task::block_in_place(|| server.crash());
    }
    for task in tasks {
        task.await.unwrap();
    }
    wait(&lake, lake.head().await.unwrap()).await;
    let expected: Vec<i64> = (0..WRITERS * WRITES).collect();
    assert_eq!(world.rows(table).await, expected, "each once");
    assert!(world.catalog.dead_letters(world.info.id).await.unwrap().is_empty());
}

//! Two processes on one lake in Postgres: one publishes, both write and wait.

mod support;

use std::{sync::Arc, time::Duration};

use duckmesh_ingest::LakeOptions;
use support::{
    postgres::Postgres,
    world::{PATIENCE, World, append, options, rows, wait},
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
    let (one, two) = (
        here.lake(options("one")).await,
        there.lake(options("two")).await,
    );
    let table = here.table(&one, "t").await;
    // Whoever leads, both learn the schema, write, and see their own and the other's writes.
    let mut tasks = Vec::new();
    for (lake, base) in [(&one, 0), (&two, 1000)] {
        for writer in 0..8 {
            let lake = Arc::clone(lake);
            tasks.push(tokio::spawn(async move {
                for n in 0..10 {
                    let offset = append(&lake, vec![rows(table, &[base + writer * 10 + n])])
                        .await
                        .offset;
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
    assert!(
        here.catalog
            .dead_letters(here.info.id)
            .await
            .unwrap()
            .is_empty()
    );
}

//! Databases beside each other: what happens to one is not the other's, also when another server does it.

use duckmesh_tests::harness::{Client, Server, ServerOptions, client::sqlstate};

use crate::stand::{Stand, on_both_catalogs};

on_both_catalogs!(g7_databases_are_made_and_dropped_whole);

/// Milliseconds after which CREATE and DROP DATABASE are stopped, one round for each.
const STOPPED_AFTER_MAX: usize = 60;

/// G7: stopped at any moment, CREATE and DROP DATABASE have done nothing where they say that they were stopped, else all of it.
async fn g7_databases_are_made_and_dropped_whole(stand: &mut Stand) {
    let client = stand.client().await;
    let (mut stopped, mut done) = (0, 0);
    for milliseconds in (1..STOPPED_AFTER_MAX).step_by(2) {
        for sql in ["CREATE DATABASE whole", "DROP DATABASE whole"] {
            client.ok(&format!("SET statement_timeout = {milliseconds}")).await;
            let answer = client.rows(sql).await.map_err(|error| sqlstate(&error));
            // It is in time for the old limit, too, or stopped.
            while let Err(error) = client.rows("SET statement_timeout = 0").await {
                assert_eq!(sqlstate(&error), "57014");
            }
            match answer {
                Ok(_) => done += 1,
                Err(code) => {
                    assert_eq!(code, "57014", "{sql} after {milliseconds} ms");
                    stopped += 1;
                    client.ok(sql).await;
                }
            }
        }
    }
    println!("{stopped} stopped, {done} done");
    client.ok("CREATE DATABASE whole").await;
    stand.server.client_of("whole").await.ok("CREATE TABLE t (a int)").await;
}

/// G8, G9: the lake that has the name now takes nothing of the one that had it.
#[tokio::test(flavor = "multi_thread")]
async fn g8_a_lake_dropped_by_another_server_takes_no_writes() {
    let stand = Stand::postgres();
    let url = stand.postgres.as_ref().unwrap().url();
    let other = Server::with(ServerOptions { catalog: Some(url), ..ServerOptions::default() });
    stand.client().await.ok("CREATE DATABASE twice").await;
    let before = Client::connect(stand.server.port(), "twice").await.unwrap();
    before.ok("CREATE TABLE t (a int)").await;
    before.write("INSERT INTO t VALUES (1)").await;

    let there = Client::connect(other.port(), "duckmesh").await.unwrap();
    there.ok("DROP DATABASE twice").await;
    there.ok("CREATE DATABASE twice").await;
    let now = Client::connect(other.port(), "twice").await.unwrap();
    now.ok("CREATE TABLE t (a int)").await;
    now.write("INSERT INTO t VALUES (100)").await;

    assert!(
        before.rows("INSERT INTO t VALUES (2)").await.is_err(),
        "a write into a lake that is gone was acknowledged"
    );
    drop(before);
    let anew = Client::connect(stand.server.port(), "twice").await.unwrap();
    anew.write("INSERT INTO t VALUES (101)").await;
    for client in [&now, &anew] {
        client.ok("SET duckmesh.consistency = strong").await;
        assert_eq!(client.text("SELECT a FROM t ORDER BY a").await, ["100", "101"]);
    }
}

/// G9: the others open, its own clients are told.
#[tokio::test(flavor = "multi_thread")]
async fn g9_a_damaged_lake_keeps_nobody_from_the_others() {
    let mut stand = Stand::sqlite();
    let client = stand.client().await;
    for name in ["damaged", "whole"] {
        client.ok(&format!("CREATE DATABASE {name}")).await;
        let client = Client::connect(stand.server.port(), name).await.unwrap();
        client.ok("CREATE TABLE t (a int)").await;
        client.write("INSERT INTO t VALUES (1)").await;
    }
    stand.server.kill();
    for tail in ["", "-wal", "-shm"] {
        let path = stand.server.data().join(format!("lakes/damaged/log.sqlite{tail}"));
        std::fs::remove_file(&path).ok();
        assert!(!path.exists());
    }
    stand.server.restart();

    let whole = Client::connect(stand.server.port(), "whole").await.unwrap();
    whole.ok("SET duckmesh.consistency = strong").await;
    assert_eq!(whole.value("SELECT count(*) FROM t").await, "1");
    assert!(Client::connect(stand.server.port(), "damaged").await.is_err(), "a lake whose log is damaged was opened");
    stand.server.says("cannot open the lake");
}

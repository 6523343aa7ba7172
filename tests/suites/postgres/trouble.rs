//! A Postgres that is away, full, slow, locked, or has no more connections: an end for every wait, and no restart of ours.

use std::{
    fs,
    time::{Duration, Instant},
};

use duckmesh_tests::{
    harness::{Client, Postgres, Server, ServerOptions, client::sqlstate, eventually, eventually_async},
    tcp_proxy::Way,
};

use super::{DURABLE, LIMIT, options, refused, through};
use crate::faults::Tmpfs;

/// PG1: a crash of Postgres. Pinned snapshots go on, new sessions are refused, nothing acknowledged is lost, all recovers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g1_pg1_a_crash_of_postgres_is_survived() {
    let mut postgres = Postgres::with(&DURABLE);
    let http = ("DUCKMESH_HTTP".to_owned(), "127.0.0.1:0".to_owned());
    let server = Server::with(ServerOptions { env: vec![http], ..options(postgres.url()) });
    let (client, pinned) = (server.client().await, server.client().await);
    client.ok("CREATE TABLE t (a int); INSERT INTO t VALUES (1), (2)").await;
    client.ok("SELECT * FROM t").await;
    pinned.ok("BEGIN; SELECT count(*) FROM t").await;
    assert_eq!(server.http("/ready").0, 200);
    postgres.stop_immediately();
    assert_eq!(pinned.value("SELECT sum(a) FROM t").await, "3", "a pinned snapshot is read without the catalog");
    eventually("it is not ready", LIMIT, || (server.http("/ready").0 == 503).then_some(()));
    let (login, write) =
        tokio::join!(Client::connect(server.port(), "duckmesh"), refused(&client, "INSERT INTO t VALUES (3)"));
    assert_eq!(login.err().map(|e| sqlstate(&e)).as_deref(), Some("08006"), "who cannot be looked up is not let in");
    assert_eq!(write, "08006", "nothing was sent: a definite failure");
    assert_eq!(pinned.value("SELECT max(a) FROM t").await, "2");
    postgres.start_again();
    eventually("it is ready again", LIMIT, || (server.http("/ready").0 == 200).then_some(()));
    client.ok("INSERT INTO t VALUES (4)").await;
    assert_eq!(client.text("SELECT a FROM t ORDER BY a").await, ["1", "2", "4"]);
    pinned.ok("COMMIT").await;
    assert_eq!(server.client().await.value("SELECT count(*) FROM t").await, "3");
}

/// PG1: a restart that is over within seconds costs nobody anything but time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pg1_a_short_restart_is_waited_for() {
    let mut postgres = Postgres::with(&DURABLE);
    let server = Server::with(options(postgres.url()));
    let client = server.client().await;
    client.ok("CREATE TABLE t (a int); INSERT INTO t VALUES (1); SELECT * FROM t").await;
    postgres.stop();
    let insert = tokio::spawn(async move {
        client.ok("INSERT INTO t VALUES (2)").await;
        client.value("SELECT count(*) FROM t").await
    });
    postgres.start_again();
    assert_eq!(insert.await.unwrap(), "2");
}

/// A DROP DATABASE that has begun comes to its end, whoever wants to stop it: half a lake would be of no use.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g7_a_cancelled_drop_database_is_whole() {
    let postgres = Postgres::with(&DURABLE);
    let server = Server::with(options(postgres.url()));
    let client = server.client().await;
    client.ok("CREATE DATABASE other").await;
    server.client_of("other").await.ok("CREATE TABLE t (a int); INSERT INTO t VALUES (1); SELECT * FROM t").await;
    let admin = postgres.client().await;
    admin.ok("BEGIN; LOCK TABLE lake_other.duckmesh_state IN ACCESS SHARE MODE").await;
    let cancel = client.pg.cancel_token();
    let dropped =
        tokio::spawn(async move { client.rows("DROP DATABASE other").await.map(drop).map_err(|e| sqlstate(&e)) });
    let watcher = postgres.client().await;
    let blocked =
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query ILIKE '%drop schema%'";
    eventually_async("it waits for the lock", LIMIT, async || (watcher.value(blocked).await == "1").then_some(()))
        .await;
    cancel.cancel_query(tokio_postgres::NoTls).await.unwrap();
    admin.ok("ROLLBACK").await;
    assert_eq!(dropped.await.unwrap(), Ok(()), "it was too late to stop it");
    let client = server.client().await;
    assert!(client.fails("DROP DATABASE other").await.starts_with("3D000"));
    client.ok("CREATE DATABASE other").await;
    assert_eq!(server.client_of("other").await.value("SELECT 1").await, "1");
}

/// PG6: the database's disk is full. Writers get 53100, readers go on, and space that comes back is used without a restart.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pg6_faults_a_full_disk_of_postgres() {
    let Some(disk) = Tmpfs::of("96m") else { return };
    disk.open_to_all();
    let postgres = Postgres::with_data_on(disk.path(), &DURABLE);
    let server = Server::with(options(postgres.url()));
    let client = server.client().await;
    client.ok("CREATE TABLE t (a int, b text); INSERT INTO t VALUES (0, 'kept'); SELECT * FROM t").await;
    // What still fits, and then what fits beside it, down to pages.
    let (mut bytes, mut files) = (64 << 20, 0);
    while bytes >= 4096 {
        files += 1;
        if fs::write(disk.path().join(format!("ballast{files}")), vec![1_u8; bytes]).is_err() {
            bytes /= 2;
        }
    }
    let mut error = None;
    for n in 1..=2000 {
        if let Err(e) = client.rows(&format!("INSERT INTO t SELECT {n}, repeat(md5('{n}'), 2000)")).await {
            error = Some(e);
            break;
        }
    }
    let error = error.expect("the disk is full at last");
    assert_eq!(sqlstate(&error), "53100", "{error:?}");
    client.ok("SET duckmesh.consistency = eventual").await;
    assert_eq!(client.value("SELECT b FROM t WHERE a = 0").await, "kept", "readers go on");
    for entry in fs::read_dir(disk.path()).unwrap().flatten() {
        if entry.file_name().to_string_lossy().starts_with("ballast") {
            fs::remove_file(entry.path()).unwrap();
        }
    }
    client.ok("SET duckmesh.consistency = session; SET duckmesh.barrier_timeout = '40s'").await;
    client.ok("INSERT INTO t VALUES (-1, 'after')").await;
    assert_eq!(client.value("SELECT b FROM t WHERE a = -1").await, "after");
}

/// PG7: somebody holds the lane. Writers have an end, readers do not notice, and it works again when they let go.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g10_pg7_a_locked_lane_ends_in_a_definite_failure() {
    let postgres = Postgres::start();
    let server = Server::with(options(postgres.url()));
    let (client, reader) = (server.client().await, server.client().await);
    client.ok("CREATE TABLE t (a int); INSERT INTO t VALUES (1); SELECT * FROM t").await;
    let holder = postgres.client().await;
    holder.ok("BEGIN; SELECT * FROM duckmesh.lane FOR UPDATE").await;
    let (write, read) =
        tokio::join!(refused(&client, "INSERT INTO t VALUES (2)"), reader.value("SELECT count(*) FROM t"));
    assert_eq!((write.as_str(), read.as_str()), ("08006", "1"));
    holder.ok("COMMIT").await;
    client.ok("INSERT INTO t VALUES (3)").await;
    assert_eq!(client.text("SELECT a FROM t ORDER BY a").await, ["1", "3"]);
}

/// PG7: every answer takes a while. Everything works, as slowly; waiting for the log is shared by those who wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pg7_a_slow_postgres_is_only_slow() {
    let postgres = Postgres::start();
    let (proxy, server) = through(&postgres);
    let client = server.client().await;
    client.ok("CREATE TABLE t (a int)").await;
    client.ok("SET duckmesh.barrier_timeout = '40s'").await;
    proxy.delay(Way::ToClient, Duration::from_millis(100));
    let start = Instant::now();
    let mut clients = Vec::new();
    for n in 0..20 {
        let client = server.client().await;
        clients.push(tokio::spawn(async move { client.write(&format!("INSERT INTO t VALUES ({n})")).await }));
    }
    for client in clients {
        client.await.unwrap();
    }
    client.ok("SET duckmesh.consistency = strong").await;
    assert_eq!(client.value("SELECT count(*) FROM t").await, "20");
    assert!(start.elapsed() < LIMIT, "{:?}", start.elapsed());
}

/// PG8: fewer connections than servers would like. They wait for one, and nobody gets an error.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g10_pg8_too_few_connections_are_waited_for() {
    let postgres = Postgres::with(&["fsync=off", "max_connections=8", "superuser_reserved_connections=0"]);
    let servers = [Server::with(options(postgres.url())), Server::with(options(postgres.url()))];
    servers[0].client().await.ok("CREATE TABLE t (a int)").await;
    let mut tasks = Vec::new();
    for n in 0..24 {
        let client = servers[n % 2].client().await;
        tasks.push(tokio::spawn(async move {
            client.ok("SET duckmesh.barrier_timeout = '40s'").await;
            for i in 0..3 {
                client.ok(&format!("INSERT INTO t VALUES ({n} * 10 + {i})")).await;
                client.ok("SELECT count(*) FROM t").await;
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let client = servers[0].client().await;
    client.ok("SET duckmesh.consistency = strong").await;
    assert_eq!(client.value("SELECT count(*) FROM t").await, "72");
}

/// PG9: somebody else's transaction stays open for long. Visibility does not wait for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pg9_a_long_foreign_transaction_delays_nobody() {
    let postgres = Postgres::start();
    let server = Server::with(options(postgres.url()));
    let (client, foreign) = (server.client().await, postgres.client().await);
    client.ok("CREATE TABLE t (a int)").await;
    foreign.ok("CREATE TABLE public.mine (a int); BEGIN; INSERT INTO public.mine VALUES (1)").await;
    foreign.ok("SELECT count(*) FROM duckmesh.frame").await;
    for n in 1..=5 {
        client.ok(&format!("INSERT INTO t VALUES ({n})")).await;
        assert_eq!(client.value("SELECT count(*) FROM t").await, n.to_string());
    }
    foreign.ok("COMMIT").await;
}

//! kill -9 while files are put and fetched: nothing is lost, nothing is there twice, nothing half is read.

use std::{fs, time::Duration};

use duckmesh_tests::{
    fake_s3::{FakeS3, Object, Verb},
    harness::{
        Client, Postgres, Server, ServerOptions, eventually, eventually_async,
        process::{CONT, STOP, signal},
    },
};

use super::{Bucket, assert_large, files, large, options_for};

const LIMIT: Duration = Duration::from_secs(60);

/// CO1, S11: killed between the file and its publication; the next one finds the same file under the same name.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn co1_s11_the_file_of_a_killed_coordinator_is_found_again() {
    let mut bucket = Bucket::start();
    let client = bucket.client().await;
    client.ok("CREATE TABLE t (a int); INSERT INTO t VALUES (1); SELECT * FROM t").await;
    assert!(bucket.server.stop().success());
    drop(bucket.s3.take_journal());
    bucket.server.restart_with_failpoints(Some("commit-after-put=park"));
    bucket.client().await.ok("INSERT INTO t VALUES (2), (3)").await;
    eventually("the file is put", std::time::Duration::from_secs(20), || {
        bucket.server.reached("commit-after-put").then_some(())
    });
    bucket.server.kill();
    assert_eq!(bucket.s3.count(Verb::Put, "/main/t/"), 1);
    bucket.server.restart_with_failpoints(None);
    let client = bucket.client().await;
    client.ok("SET duckmesh.consistency = strong; SET duckmesh.barrier_timeout = '60s'").await;
    assert_eq!(client.value("SELECT count(*), sum(a) FROM t").await, "3|6");
    let journal = bucket.s3.take_journal();
    let puts: Vec<&str> = journal
        .iter()
        .filter(|seen| seen.verb == Verb::Put && seen.key.contains("/main/t/"))
        .map(|seen| seen.key.as_str())
        .collect();
    assert_eq!(puts.len(), 2, "{puts:?}");
    assert_eq!(puts[0], puts[1], "the same work has the same name");
    assert_eq!(bucket.keys("t").len(), 2, "and is there once");
}

/// S3a, S11: under the name of a file that was stored and not published yet is something else by now. It is not taken for that
/// file, and not replaced: the rows are stored under another name.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s3a_s11_other_content_under_the_name_is_passed_by() {
    let mut bucket = Bucket::start();
    let client = bucket.client().await;
    client.ok("CREATE TABLE t (a int); INSERT INTO t VALUES (1); SELECT * FROM t").await;
    assert!(bucket.server.stop().success());
    for (round, is_as_long) in [(1, false), (2, true)] {
        let known = bucket.keys("t");
        bucket.server.restart_with_failpoints(Some("commit-after-put=park"));
        bucket.client().await.ok("INSERT INTO t VALUES (10)").await;
        eventually("the file is put", LIMIT, || bucket.server.reached("commit-after-put").then_some(()));
        bucket.server.kill();
        let key = bucket.keys("t").into_iter().find(|key| !known.contains(key)).unwrap();
        let other = bucket.s3.objects(|objects| {
            let object = objects.all.get_mut(&key).unwrap();
            let length = if is_as_long { object.bytes.len() } else { 10 };
            *object = Object::new(vec![b'x'; length].into(), Vec::new());
            object.bytes.clone()
        });
        bucket.forget("t");
        bucket.server.restart_with_failpoints(None);
        let client = bucket.client().await;
        client.ok("SET duckmesh.consistency = strong; SET duckmesh.barrier_timeout = '60s'").await;
        let expect = format!("{}|{}", 1 + round, 1 + 10 * round);
        assert_eq!(client.value("SELECT count(*), sum(a) FROM t").await, expect);
        assert_eq!(client.value("SELECT count(*) FROM duckmesh.dead_letters").await, "0");
        assert_eq!(bucket.s3.objects(|objects| objects.all[&key].bytes.clone()), other, "it was not replaced");
        assert!(bucket.server.stop().success());
    }
}

/// S11: two coordinators write the same name, because one was frozen for longer than its lease between encoding and storing:
/// the same bytes, stored once, published once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s11_co3_two_coordinators_write_one_name() {
    let (postgres, s3, folder) = (Postgres::start(), FakeS3::start(), tempfile::tempdir().unwrap());
    let gate = folder.path().join("go");
    let options = |failpoints: Option<String>| ServerOptions {
        catalog: Some(postgres.url()),
        failpoints,
        ..ServerOptions::default()
    };
    let lease = ["--lease-ms", "2500"];
    let mut frozen = Server::with(options_for(&s3, &lease, options(None)));
    let client = frozen.client().await;
    client.ok("CREATE TABLE t (a int); INSERT INTO t VALUES (1); SELECT * FROM t").await;
    drop(client);
    assert!(frozen.stop().success());
    drop(s3.take_journal());
    frozen.restart_with_failpoints(Some(&format!("commit-after-encode=wait:{}", gate.display())));
    frozen.client().await.ok("INSERT INTO t VALUES (2), (3)").await;
    eventually("it is encoded", LIMIT, || frozen.reached("commit-after-encode").then_some(()));
    let other = Server::with(options_for(&s3, &lease, options(None)));
    assert!(signal(frozen.pid(), STOP));
    let client = other.client().await;
    client.ok("SET duckmesh.consistency = strong; SET duckmesh.barrier_timeout = '60s'").await;
    assert_eq!(client.value("SELECT count(*), sum(a) FROM t").await, "3|6", "the other one stored and published it");
    let puts = || s3.count(Verb::Put, "/main/t/");
    assert_eq!(puts(), 1);
    fs::write(&gate, "").unwrap();
    assert!(signal(frozen.pid(), CONT));
    eventually("the frozen one stores it too", LIMIT, || (puts() == 2).then_some(()));
    let journal = s3.take_journal();
    let keys: Vec<&String> =
        journal.iter().filter(|s| s.verb == Verb::Put && s.key.contains("/main/t/")).map(|s| &s.key).collect();
    assert_eq!(keys[0], keys[1], "under one name");
    client.ok("INSERT INTO t VALUES (4)").await;
    assert_eq!(client.value("SELECT count(*), sum(a) FROM t").await, "4|10");
    assert_eq!(s3.objects(|objects| objects.keys("/main/t/").len()), 3);
    let again =
        eventually_async("it serves again", LIMIT, || async { Client::connect(frozen.port(), "duckmesh").await.ok() });
    let again = again.await;
    again.ok("SET duckmesh.consistency = strong; SET duckmesh.barrier_timeout = '60s'").await;
    assert_eq!(again.value("SELECT count(*), sum(a) FROM t").await, "4|10");
    assert_eq!(again.value("SELECT count(*) FROM duckmesh.dead_letters").await, "0");
}

/// A process that dies while it fills the cache leaves nothing that the next one could read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s3_crash_while_the_cache_is_filled() {
    let mut bucket = Bucket::with_options(&[], ServerOptions::default());
    let client = bucket.client().await;
    large(&client, "t").await;
    assert_large(&client, "t", 1).await;
    for failpoint in ["cache-after-download", "cache-before-rename"] {
        bucket.server.kill();
        bucket.forget("t");
        bucket.server.restart_with_failpoints(Some(&format!("{failpoint}=park")));
        let client = bucket.client().await;
        let query = tokio::spawn(async move { client.rows("SELECT sum(a) FROM t").await.map(drop) });
        eventually("the file is fetched", std::time::Duration::from_secs(30), || {
            bucket.server.reached(failpoint).then_some(())
        });
        bucket.server.kill();
        assert!(query.await.unwrap().is_err());
        assert!(bucket.cached("t").is_empty(), "{failpoint}: it has no place yet");
        bucket.server.restart_with_failpoints(None);
        assert_large(&bucket.client().await, "t", 1).await;
        let left = files(&bucket.server.data().join("lakes/duckmesh/staging"));
        assert!(left.is_empty(), "{failpoint}: {left:?}");
    }
}

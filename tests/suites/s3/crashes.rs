//! kill -9 while files are put and fetched: nothing is lost, nothing is there twice, nothing half is read.

use duckmesh_tests::{
    fake_s3::Verb,
    harness::{ServerOptions, eventually},
};

use super::{Bucket, assert_large, files, large};

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

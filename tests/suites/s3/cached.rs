//! The cache: one fetch for however many, files that somebody changed, the budget, a full disk (S12).

use std::{fs, os::unix::fs::PermissionsExt, process::Command, time::Duration};

use duckmesh_tests::{
    fake_s3::{Fault, Verb, Where},
    harness::{Postgres, Server, ServerOptions, eventually_async, process},
};
use tokio::task::JoinSet;

use super::{Bucket, assert_large, files, large};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s3_a_file_is_fetched_once_however_many_wait() {
    let bucket = Bucket::start();
    let client = bucket.client().await;
    large(&client, "t").await;
    assert_large(&client, "t", 1).await;
    let bytes: usize = bucket.s3.objects(|o| o.keys("/main/t/").iter().map(|key| o.all[key].bytes.len()).sum());
    let ranges = bytes.div_ceil(8 << 20);
    assert!(ranges > 1, "a large file: {bytes}");
    bucket.forget("t");
    drop(bucket.s3.take_journal());
    bucket.s3.on(Where::verb(Verb::Get).times(1), Fault::Delay(Duration::from_millis(500)));
    let mut readers = JoinSet::new();
    for _ in 0..12 {
        let client = bucket.client().await;
        readers.spawn(async move { assert_large(&client, "t", 1).await });
    }
    while let Some(read) = readers.join_next().await {
        read.unwrap();
    }
    assert_eq!(bucket.gets(), ranges, "each range once: {:?}", bucket.s3.take_journal());
    for path in bucket.cached("t") {
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o444);
    }
    // A client that gives up takes nothing from the others.
    bucket.forget("t");
    bucket.s3.on(Where::verb(Verb::Get).times(1), Fault::Delay(Duration::from_millis(700)));
    let impatient = bucket.client().await;
    impatient.ok("SET statement_timeout = '200ms'").await;
    assert!(impatient.fails("SELECT sum(a) FROM t").await.starts_with("57014"));
    assert_large(&client, "t", 1).await;
}

/// S12: a copy that somebody truncated, wrote over or removed is found out before it is read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s12_a_changed_copy_is_fetched_again() {
    let mut bucket = Bucket::start();
    let client = bucket.client().await;
    client.ok("CREATE TABLE t (a int); INSERT INTO t SELECT * FROM generate_series(1, 1000)").await;
    assert_eq!(client.value("SELECT sum(a) FROM t").await, "500500");
    for is_running in [true, false] {
        for what in ["truncated", "changed", "emptied", "removed"] {
            let path = bucket.cached("t").remove(0);
            let mut bytes = fs::read(&path).unwrap();
            if !is_running {
                bucket.server.kill();
            }
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
            match what {
                "truncated" => bytes.truncate(bytes.len() / 2),
                "emptied" => bytes.clear(),
                _ => {
                    let middle = bytes.len() / 2;
                    bytes[middle] ^= 1;
                }
            }
            fs::write(&path, &bytes).unwrap();
            if what == "removed" {
                fs::remove_file(&path).unwrap();
            }
            drop(bucket.s3.take_journal());
            if !is_running {
                bucket.server.restart();
            }
            let client = bucket.client().await;
            assert_eq!(client.value("SELECT count(*), sum(a) FROM t").await, "1000|500500", "{what}, {is_running}");
            assert!(bucket.gets() > 0, "{what}, {is_running}: fetched again");
        }
    }
    drop(bucket.s3.take_journal());
    bucket.server.restart();
    assert_eq!(bucket.client().await.value("SELECT sum(a) FROM t").await, "500500");
    assert_eq!(bucket.gets(), 0, "what is right is taken over");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s3_the_budget_is_kept_and_a_larger_query_still_runs() {
    let bucket = Bucket::with(&["--cache-mb", "1"]);
    let client = bucket.client().await;
    large(&client, "t").await;
    assert_large(&client, "t", 1).await;
    client.ok("CREATE TABLE u (a int); INSERT INTO u VALUES (1)").await;
    assert_eq!(client.value("SELECT count(*) FROM t CROSS JOIN u").await, super::LARGE_ROWS.to_string());
    let used =
        || files(&bucket.cache()).iter().filter_map(|path| fs::metadata(path).ok()).map(|m| m.len()).sum::<u64>();
    eventually_async("the budget is kept when nobody reads", Duration::from_secs(10), || async {
        (used() <= 1 << 20).then_some(())
    })
    .await;
    assert_large(&client, "t", 1).await;
    assert_eq!(client.value("SELECT * FROM u").await, "1");
}

/// A file system of its own in memory; needs root, as CI has it.
struct Tmpfs(tempfile::TempDir);

impl Tmpfs {
    fn of(size: &str) -> Option<Self> {
        if !process::is_root() {
            eprintln!("SKIPPED: a file system of limited size needs root to mount it");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let size = format!("size={size}");
        let status = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder.path()).status();
        status.is_ok_and(|status| status.success()).then_some(Self(folder))
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

/// S12: a query whose files do not fit on the disk fails with 53100, and everything else goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s12_faults_a_full_disk_under_the_cache() {
    let Some(disk) = Tmpfs::of("64m") else { return };
    let options = ServerOptions { data: Some(disk.0.path().join("data")), ..ServerOptions::default() };
    let bucket = Bucket::with_options(&[], options);
    let client = bucket.client().await;
    client.ok("CREATE TABLE u (a int); INSERT INTO u VALUES (1); SELECT * FROM u").await;
    large(&client, "t").await;
    assert_large(&client, "t", 1).await;
    bucket.forget("t");
    bucket.forget("u");
    let ballast = disk.0.path().join("ballast");
    let _ = fs::write(&ballast, vec![1_u8; 64 << 20]);
    let free = disk.0.path().join("data/free");
    let _ = fs::write(&free, vec![1_u8; 1 << 20]);
    let kept = fs::metadata(&ballast).map_or(0, |m| m.len());
    fs::OpenOptions::new().write(true).open(&ballast).unwrap().set_len(kept.saturating_sub(3 << 20)).unwrap();
    let error = client.fails("SELECT sum(a) FROM t").await;
    assert!(error.starts_with("53100"), "{error}");
    assert_eq!(client.value("SELECT * FROM u").await, "1", "what fits is read");
    fs::remove_file(&ballast).unwrap();
    assert_large(&client, "t", 1).await;
}

/// What another server published is fetched here before somebody asks for it, of tables that are read here and of no others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s3_what_was_just_published_is_fetched_before_it_is_read() {
    let postgres = Postgres::start();
    let role = |role: &str| {
        let args = ["--role", role].map(str::to_owned).to_vec();
        ServerOptions { catalog: Some(postgres.url()), args, ..ServerOptions::default() }
    };
    let bucket = Bucket::with_options(&[], role("gateway"));
    let _coordinator = Server::with(super::options_for(&bucket.s3, &[], role("coordinator")));
    let client = bucket.client().await;
    client.ok("SET duckmesh.barrier_timeout = '60s'; CREATE TABLE t (a int); CREATE TABLE unread (a int)").await;
    client.ok("INSERT INTO t VALUES (0)").await;
    assert_eq!(client.value("SELECT count(*) FROM t").await, "1");
    for round in 1..=5 {
        let before = bucket.cached("t").len();
        client.ok(&format!("INSERT INTO t VALUES ({round}); INSERT INTO unread VALUES ({round})")).await;
        // Nobody reads it: it comes by itself.
        eventually_async("the new file is here", Duration::from_secs(30), || async {
            (bucket.cached("t").len() > before).then_some(())
        })
        .await;
        bucket.s3.on(Where::verb(Verb::Get), Fault::Status(503));
        assert_eq!(
            client.value("SELECT count(*), sum(a) FROM t").await,
            format!("{}|{}", round + 1, round * (round + 1) / 2)
        );
        bucket.s3.heal();
    }
    assert!(bucket.cached("unread").is_empty(), "what nobody reads is not fetched");
    assert_eq!(client.value("SELECT count(*) FROM unread").await, "5");
}

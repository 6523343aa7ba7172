//! What works on a folder works in a bucket: writes, reads, DDL, transactions, merges, restarts, two lakes.

use std::{collections::BTreeSet, time::Duration};

use duckmesh_tests::{
    fake_s3::Verb,
    harness::{Postgres, ServerOptions, eventually_async, wire::CopyEnd},
};

use super::{Bucket, assert_large, fill, large};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s3_a_lake_in_a_bucket_writes_and_reads() {
    let mut bucket = Bucket::start();
    let client = bucket.client().await;
    client.ok("CREATE TABLE t (a int, b text); INSERT INTO t VALUES (1, 'x'), (2, NULL)").await;
    assert_eq!(client.text("SELECT * FROM t ORDER BY a").await, ["1|x", "2|NULL"], "its own writes");
    client.ok("ALTER TABLE t ADD COLUMN c int DEFAULT 7; INSERT INTO t VALUES (3, 'y', 8)").await;
    assert_eq!(client.text("SELECT * FROM t ORDER BY a").await, ["1|x|7", "2|NULL|7", "3|y|8"]);
    client.ok("ALTER TABLE t RENAME COLUMN b TO d; CREATE SCHEMA s; CREATE TABLE s.\"a b/ü\" AS SELECT a FROM t").await;
    assert_eq!(client.value("SELECT sum(a) FROM s.\"a b/ü\"").await, "6");
    assert!(!bucket.keys("t").is_empty(), "the files are in the bucket");
    assert_eq!(bucket.gets(), 0, "what this process wrote is here already");

    let catalog = rusqlite::Connection::open(bucket.server.data().join("lakes/duckmesh/catalog.sqlite")).unwrap();
    let sql = "SELECT value FROM ducklake_metadata WHERE key = 'data_path'";
    let data_path: String = catalog.query_row(sql, [], |row| row.get(0)).unwrap();
    assert!(data_path.starts_with("s3://lakes/test/duckmesh-") && data_path.ends_with('/'), "{data_path}");
    let prefix = data_path.strip_prefix("s3://lakes/").unwrap().to_owned();
    assert!(bucket.keys("t").iter().all(|key| key.starts_with(&prefix)), "where DuckLake looks for them");

    // Warm, then cold.
    bucket.server.restart();
    let client = bucket.client().await;
    assert_eq!(client.value("SELECT count(*), sum(a), count(d) FROM t").await, "3|6|2");
    assert_eq!(bucket.gets(), 0, "the cache survives the process");
    bucket.server.kill();
    std::fs::remove_dir_all(bucket.cache()).unwrap();
    bucket.server.restart();
    let client = bucket.client().await;
    assert_eq!(client.value("SELECT count(*), sum(a), count(d) FROM t").await, "3|6|2");
    assert_eq!(client.value("SELECT sum(a) FROM s.\"a b/ü\"").await, "6");
    assert!(bucket.gets() > 0, "fetched anew");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s3_large_writes_are_staged_here_and_uploaded_in_pieces() {
    let bucket = Bucket::with(&["--sweep-grace-seconds", "1"]);
    let client = bucket.client().await;
    large(&client, "t").await;
    assert!(bucket.s3.count(Verb::Part, "/main/t/") >= 2, "more than one piece");
    assert_large(&client, "t", 1).await;
    assert_eq!(bucket.gets(), 0, "its local copy became one of the cache");

    // A transaction reads what it staged, and a rollback leaves nothing.
    client.ok("BEGIN").await;
    client.ok(&fill("t")).await;
    assert_large(&client, "t", 2).await;
    client.ok("ROLLBACK").await;
    assert_large(&client, "t", 1).await;

    // CHECK constraints look at staged rows, too; what fails leaves nothing.
    client.ok("CREATE TABLE checked (a int CHECK (a > 0), b text)").await;
    let sql = fill("checked").replace("SELECT i", "SELECT 1 - i");
    assert!(client.fails(&sql).await.starts_with("23514"));
    client.ok(&fill("checked")).await;
    assert_large(&client, "checked", 1).await;

    let mut pieces =
        (0..60).map(|n| (0..5000).flat_map(|i| format!("{}\tx{}\n", n * 5000 + i, i * 7919).into_bytes()).collect());
    let answers = bucket.server.wire().copy_in("COPY t FROM STDIN", &mut pieces, CopyEnd::Done).unwrap();
    assert!(answers.iter().all(|answer| answer.sqlstate().is_none()), "{answers:?}");
    client.ok("SET duckmesh.consistency = strong").await;
    assert_eq!(client.value("SELECT count(*) FROM t").await, (super::LARGE_ROWS + 300_000).to_string());
    eventually_async("what was given up is swept", Duration::from_secs(30), || async {
        let live: BTreeSet<String> =
            client.text("SELECT path FROM duckmesh.files").await.into_iter().map(|path| name(&path)).collect();
        let stored: BTreeSet<String> =
            bucket.keys("t").iter().chain(&bucket.keys("checked")).map(|key| name(key)).collect();
        (stored == live).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s3_small_files_are_merged_in_the_bucket() {
    let bucket = Bucket::with(&["--merge-grace-seconds", "1"]);
    let client = bucket.client().await;
    client.ok("CREATE TABLE t (a int)").await;
    for n in 1..=40 {
        client.ok(&format!("INSERT INTO t VALUES ({n})")).await;
        assert_eq!(client.value("SELECT count(*), sum(a) FROM t").await, format!("{n}|{}", n * (n + 1) / 2));
    }
    eventually_async("files are merged, and the old ones deleted", Duration::from_secs(30), || async {
        assert_eq!(client.value("SELECT count(*), sum(a) FROM t").await, "40|820");
        (bucket.keys("t").len() < 15).then_some(())
    })
    .await;
    eventually_async("their copies go, too", Duration::from_secs(20), || async {
        client.ok("SELECT count(*) FROM t").await;
        (bucket.cached("t").len() <= bucket.keys("t").len()).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s3_lakes_share_a_bucket_and_nothing_else() {
    let postgres = Postgres::start();
    let options = ServerOptions { catalog: Some(postgres.url()), ..ServerOptions::default() };
    let bucket = Bucket::with_options(&[], options);
    let client = bucket.client().await;
    client.ok("CREATE TABLE t (a int); INSERT INTO t VALUES (1)").await;
    client.ok("CREATE DATABASE other").await;
    let other = bucket.server.client_of("other").await;
    other.ok("CREATE TABLE t (a int); INSERT INTO t VALUES (2), (3)").await;
    assert_eq!(
        (client.value("SELECT sum(a) FROM t").await, other.value("SELECT sum(a) FROM t").await),
        ("1".into(), "5".into())
    );
    let lakes: BTreeSet<String> =
        bucket.keys("t").iter().filter_map(|key| key.split('/').nth(1).map(str::to_owned)).collect();
    assert_eq!(lakes.len(), 2, "{lakes:?}");
    let folder = bucket.server.data().join("lakes/other/cache");
    assert!(!super::files(&folder).is_empty(), "a folder of its own for each lake's engine");

    drop(other);
    eventually_async("its session ended", Duration::from_secs(10), || async {
        client.rows("DROP DATABASE other").await.is_ok().then_some(())
    })
    .await;
    assert_eq!(bucket.keys("t").len(), 1, "its objects went with it");
    client.ok("CREATE DATABASE other").await;
    let other = bucket.server.client_of("other").await;
    assert!(other.fails("SELECT * FROM t").await.starts_with("42P01"), "another lake of its name has nothing of it");
    other.ok("CREATE TABLE t (a int); INSERT INTO t VALUES (4)").await;
    assert_eq!(other.value("SELECT sum(a) FROM t").await, "4");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s3_a_folder_elsewhere_is_a_store_too() {
    let folder = tempfile::tempdir().unwrap();
    let args = vec!["--storage".to_owned(), format!("file://{}", folder.path().display())];
    let mut server = duckmesh_tests::harness::Server::with(ServerOptions { args, ..ServerOptions::default() });
    let client = server.client().await;
    client.ok("CREATE TABLE t (a int); INSERT INTO t VALUES (1), (2)").await;
    assert_eq!(client.value("SELECT sum(a) FROM t").await, "3");
    assert!(super::files(folder.path()).iter().any(|path| path.extension().is_some_and(|e| e == "parquet")));
    server.restart();
    assert_eq!(server.client().await.value("SELECT sum(a) FROM t").await, "3");
}

fn name(path: &str) -> String {
    path.rsplit('/').next().unwrap_or(path).to_owned()
}

/// Two servers, two folders, one catalog, one bucket: what one writes the other reads; what one stages the other leaves,
/// however long the transaction takes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s3_two_servers_share_a_lake_and_leave_each_others_staged_files() {
    let postgres = Postgres::start();
    let options = || ServerOptions { catalog: Some(postgres.url()), ..ServerOptions::default() };
    let grace = ["--sweep-grace-seconds", "2"];
    let leader = Bucket::with_options(&grace, options());
    let other = duckmesh_tests::harness::Server::with(super::options_for(&leader.s3, &grace, options()));
    let (first, second) = (leader.client().await, other.client().await);
    first.ok("SET duckmesh.barrier_timeout = '60s'; CREATE TABLE t (a int, b text)").await;
    let token = first.write("INSERT INTO t VALUES (1, 'x')").await;
    second.ok(&format!("SET duckmesh.barrier_timeout = '60s'; SET duckmesh.min_token = '{token}'")).await;
    assert_eq!(second.text("SELECT * FROM t").await, ["1|x"], "through the store");
    assert!(leader.gets() > 0);

    second.ok("BEGIN").await;
    second.ok(&fill("t")).await;
    let staged = leader.s3.objects(|objects| objects.keys("duckmesh-staged-"));
    assert_eq!(staged.len(), 1, "{staged:?}");
    // As old as the staged file, and nobody's: once it is swept, the sweep has passed over the staged file.
    let garbage = format!("{}/duckmesh-staged-garbage.parquet", staged[0].rsplit_once('/').unwrap().0);
    let object = duckmesh_tests::fake_s3::Object::new("garbage".into(), Vec::new());
    leader.s3.objects(|objects| objects.all.insert(garbage.clone(), object));
    for round in 0..3 {
        eventually_async("garbage of that age is swept", Duration::from_secs(30), || async {
            leader.s3.objects(|objects| (!objects.all.contains_key(&garbage)).then_some(()))
        })
        .await;
        let is_there = leader.s3.objects(|objects| objects.all.contains_key(&staged[0]));
        assert!(is_there, "round {round}: the file of an open transaction was swept");
        let object = duckmesh_tests::fake_s3::Object::new("garbage".into(), Vec::new());
        leader.s3.objects(|objects| objects.all.insert(garbage.clone(), object));
    }
    let token = {
        second.take_notices();
        second.ok("COMMIT").await;
        duckmesh_tests::harness::client::token_of(&second.take_notices()).expect("a token")
    };
    first.ok(&format!("SET duckmesh.min_token = '{token}'")).await;
    assert_eq!(first.value("SELECT count(*) FROM t").await, (super::LARGE_ROWS + 1).to_string());
}

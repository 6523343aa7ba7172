//! Temporary tables: of one session, whole, bounded, and gone with it.

use std::path::{Path, PathBuf};

use duckmesh_tests::harness::{
    Server, ServerOptions,
    client::Client,
    eventually_async, process,
    wire::{CopyEnd, WireClient},
};

const LIMIT: std::time::Duration = std::time::Duration::from_secs(30);

/// Rows that are more than a session keeps in memory.
const MANY: u32 = 400_000;

/// Files of open sessions and transactions.
fn scratch_files(data: &Path) -> Vec<PathBuf> {
    let folder = data.join("lakes/duckmesh/scratch");
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// What is in the log and in the lake's folder.
async fn of_lake(client: &Client, data: &Path) -> (String, usize) {
    let files = walk(&data.join("lakes/duckmesh/files"));
    (client.value("SELECT count(*), max(snapshot_id) FROM duckmesh.snapshots").await, files)
}

fn walk(folder: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries.map(|e| e.unwrap().path()).map(|path| if path.is_dir() { walk(&path) } else { 1 }).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_session_has_its_own_and_the_lake_has_none() {
    let server = Server::start();
    let (one, two) = (server.client().await, server.client().await);
    let before = of_lake(&one, server.data()).await;
    one.take_notices();
    for (client, name) in [(&one, "one"), (&two, "two")] {
        client.ok("CREATE TEMP TABLE t (id serial, name text)").await;
        client.ok(&format!("INSERT INTO t (name) VALUES ('{name}')")).await;
        client.ok(&format!("INSERT INTO t (name) SELECT '{name}' FROM generate_series(1, {MANY})")).await;
    }
    assert_eq!(one.value("SELECT min(name), max(name), count(*), max(id) FROM t").await, "one|one|400001|400001");
    assert_eq!(two.value("SELECT min(name), max(name), count(*), max(id) FROM t").await, "two|two|400001|400001");
    one.ok("CREATE TEMP TABLE only_one (id int)").await;
    assert_eq!(two.fails("SELECT * FROM only_one").await, "42P01: relation \"only_one\" does not exist");
    assert_eq!(two.value("SELECT count(*) FROM pg_class WHERE relname = 'only_one'").await, "0");
    assert_eq!(of_lake(&one, server.data()).await, before, "nothing of it is in the log or the lake");
    let notices = one.take_notices();
    assert!(notices.iter().all(|n| !n.contains("token")), "{notices:?}");

    let with_two = scratch_files(server.data()).len();
    drop(two);
    let fewer = || async { (scratch_files(server.data()).len() < with_two).then_some(()) };
    eventually_async("a session's files go with it", LIMIT, fewer).await;
    assert_eq!(one.value("SELECT count(*) FROM t").await, "400001");
    one.ok("DROP TABLE t").await;
    assert_eq!(one.fails("SELECT * FROM t").await, "42P01: relation \"t\" does not exist");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_outlive_the_engine_and_many_small_writes() {
    let server = Server::start();
    let client = server.client().await;
    client.ok("CREATE TEMP TABLE t (n int)").await;
    for n in 0..50 {
        client.ok(&format!("INSERT INTO t VALUES ({n})")).await;
        assert_eq!(client.value("SELECT count(*), sum(n) FROM t").await, format!("{}|{}", n + 1, n * (n + 1) / 2));
    }
    assert!(scratch_files(server.data()).len() < 20, "small writes do not leave a file each");
    let workers = server.workers();
    assert!(!workers.is_empty());
    for worker in workers {
        assert!(process::signal(worker, process::KILL));
    }
    let answered = || async { client.rows("SELECT count(*) FROM t").await.ok() };
    let rows = eventually_async("the engine is back", LIMIT, answered).await;
    assert_eq!(rows, [[Some("50".to_owned())]]);
    // What runs goes on over what it began with.
    client.ok(&format!("CREATE TEMP TABLE big AS SELECT generate_series(1, {MANY}) AS n")).await;
    client.ok("BEGIN; DECLARE c CURSOR FOR SELECT n FROM big").await;
    assert_eq!(client.text("FETCH 1 FROM c").await.len(), 1);
    client.ok("INSERT INTO big VALUES (0)").await;
    client.ok("SAVEPOINT s").await;
    assert!(client.fails("DROP TABLE big").await.starts_with("55006"));
    client.ok("ROLLBACK TO s").await;
    assert_eq!(client.text("FETCH ALL FROM c").await.len(), MANY as usize - 1);
    client.ok("ROLLBACK").await;
    assert_eq!(client.value("SELECT count(*) FROM big").await, MANY.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_go_in_and_out_and_a_broken_one_leaves_nothing() {
    let server = Server::start();
    let mut wire: WireClient = server.wire();
    wire.query("CREATE TEMP TABLE t (n int, s text)");
    let lines = |rows: u32| (0..rows).map(|n| format!("{n}\ttext number {n}\n").into_bytes());
    let answers = wire.copy_in("COPY t FROM STDIN", &mut lines(MANY), CopyEnd::Done).unwrap();
    assert_eq!(answers[0].tag.as_deref(), Some("COPY 400000"), "{answers:?}");
    let answers = wire.copy_in("COPY t FROM STDIN", &mut lines(MANY), CopyEnd::Fail).unwrap();
    assert_eq!(answers[0].sqlstate(), Some("57014"));
    let mut bad = lines(10).chain([b"x\ty\n".to_vec()]);
    let answers = wire.copy_in("COPY t FROM STDIN", &mut bad, CopyEnd::Done).unwrap();
    assert_eq!(answers[0].sqlstate(), Some("22P02"));
    let answer = &wire.query("SELECT count(*), sum(n), min(s) FROM t")[0];
    assert_eq!(format!("{:?}", answer.rows), r#"[[Some("400000"), Some("79999800000"), Some("text number 0")]]"#);
    let copied = &wire.query("COPY (SELECT * FROM t WHERE n < 2 ORDER BY n) TO STDOUT")[0];
    assert_eq!(copied.tag.as_deref(), Some("COPY 2"));
    let copied = &wire.query("COPY t TO STDOUT")[0];
    assert_eq!(copied.tag.as_deref(), Some("COPY 400000"));
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_a_limit() {
    let args = vec!["--temporary-mb".to_owned(), "1".to_owned()];
    let server = Server::with(ServerOptions { args, ..ServerOptions::default() });
    let client = server.client().await;
    client.ok("CREATE TEMP TABLE t (u text)").await;
    let endless = "INSERT INTO t SELECT gen_random_uuid()::text FROM generate_series(1, 50000000)";
    assert_eq!(client.fails(endless).await, "53400: the temporary tables of this session are too large");
    assert_eq!(client.value("SELECT count(*) FROM t").await, "0");
    let some = "INSERT INTO t SELECT gen_random_uuid()::text FROM generate_series(1, 12000)";
    client.ok(some).await;
    assert_eq!(client.fails(some).await, "53400: the temporary tables of this session are too large");
    assert_eq!(client.value("SELECT count(*) FROM t").await, "12000");
    client.ok("TRUNCATE t").await;
    client.ok(some).await;
    client.ok("CREATE TABLE of_lake AS SELECT * FROM t").await;
    assert_eq!(client.value("SELECT count(*) FROM of_lake").await, "12000");
    client.ok("DISCARD ALL").await;
    assert_eq!(client.fails("SELECT * FROM t").await, "42P01: relation \"t\" does not exist");
    assert!(scratch_files(server.data()).iter().all(|f| std::fs::metadata(f).is_ok_and(|m| m.len() < 500_000)));
}

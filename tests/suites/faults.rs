//! Disks that are full, folders that cannot be written, files that somebody spoiled: a clear error, nothing lost.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use duckmesh_tests::harness::{Server, ServerOptions, eventually_async, process, wire::CopyEnd};

use crate::stand::Stand;

/// A file system of its own in memory; needs root, as CI has it.
pub struct Tmpfs(tempfile::TempDir);

impl Tmpfs {
    pub fn of(size: &str) -> Option<Self> {
        if !process::is_root() {
            eprintln!("SKIPPED: a file system of limited size needs root to mount it");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let size = format!("size={size}");
        let mut mount = Command::new("mount");
        let output = mount.args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder.path()).output().unwrap();
        if !output.status.success() {
            eprintln!("SKIPPED: mount: {}", String::from_utf8_lossy(&output.stderr));
            return None;
        }
        Some(Self(folder))
    }

    /// For programs that run as another user.
    pub fn open_to_all(&self) {
        let mode = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o777);
        fs::set_permissions(self.path(), mode).unwrap();
    }

    fn remount(&self, option: &str) {
        let status =
            Command::new("mount").args(["-o", &format!("remount,{option}")]).arg(self.0.path()).status().unwrap();
        assert!(status.success());
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

fn on(data: PathBuf) -> ServerOptions {
    ServerOptions { data: Some(data), ..ServerOptions::default() }
}

/// PG6, EB3: writers get 53100, readers go on, and space that comes back is used without a restart.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eb3_faults_a_full_disk() {
    let Some(disk) = Tmpfs::of("48m") else { return };
    let server = Server::with(on(disk.path().join("data")));
    let client = server.client().await;
    client.ok("CREATE TABLE t (a int, b text); INSERT INTO t VALUES (0, 'kept'); SELECT * FROM t").await;
    let ballast = disk.path().join("ballast");
    let filled = fs::write(&ballast, vec![1_u8; 46 * 1024 * 1024]);
    let rest = (0..2000).take_while(|n| fs::write(disk.path().join(format!("b{n}")), [1_u8; 16384]).is_ok()).count();
    assert!(filled.is_err() || rest < 2000, "the disk is full");
    let mut acknowledged = 0;
    let mut refused = None;
    for n in 1..=5000 {
        match client.rows(&format!("INSERT INTO t SELECT {n}, repeat(md5('{n}'), 200)")).await {
            Ok(_) => acknowledged = n,
            Err(error) => {
                refused = Some((n, error));
                break;
            }
        }
    }
    let (_, error) = refused.expect("the log fills the disk at last");
    assert_eq!(error.code().map(|c| c.code()), Some("53100"), "{error:?}");
    client.ok("SET duckmesh.consistency = eventual").await;
    assert_eq!(client.value("SELECT b FROM t WHERE a = 0").await, "kept", "readers go on");
    // Space comes back.
    fs::remove_file(&ballast).unwrap();
    (0..rest + 1).for_each(|n| drop(fs::remove_file(disk.path().join(format!("b{n}")))));
    client.ok("SET duckmesh.consistency = strong; SET duckmesh.barrier_timeout = '60s'").await;
    client.ok("INSERT INTO t VALUES (-1, 'after')").await;
    let count = format!("{}", acknowledged + 2);
    assert_eq!(client.value("SELECT count(*) FROM t").await, count, "G1, G7: what was acknowledged, and no more");
}

/// EB2: after a failed fsync nobody knows what the disk has, and trying again proves nothing (the kernel forgets the pages):
/// nothing is acknowledged any more until the log was opened again. Readers go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eb2_faults_a_failed_fsync_ends_the_acknowledging() {
    let folder = tempfile::tempdir().unwrap();
    let library = folder.path().join("failing_sync.so");
    let source = duckmesh_tests::harness::paths::tests("data/failing_sync.c");
    let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(source).status();
    assert!(built.is_ok_and(|status| status.success()), "a C compiler is needed");
    let broken = folder.path().join("broken");
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let env = vec![("LD_PRELOAD".to_owned(), text(&library)), ("FAILING_SYNC".to_owned(), text(&broken))];
    let mut server = Server::with(ServerOptions { env, ..ServerOptions::default() });
    let client = server.client().await;
    client.ok("CREATE TABLE t (a int); INSERT INTO t VALUES (1); SELECT * FROM t").await;
    fs::write(&broken, b"").unwrap();
    let error = client.rows("INSERT INTO t VALUES (2)").await.expect_err("the disk fails");
    assert_eq!(error.code().map(|c| c.code()), Some("08007"), "{error:?}");
    // The disk says that it is well again. It forgot the pages.
    fs::remove_file(&broken).unwrap();
    let error = client.rows("INSERT INTO t VALUES (3)").await.expect_err("the log stays closed");
    assert_eq!(error.code().map(|c| c.code()), Some("08006"), "{error:?}");
    client.ok("SET duckmesh.consistency = eventual").await;
    assert_eq!(client.value("SELECT count(*) FROM t WHERE a = 1").await, "1", "readers go on");
    server.restart();
    let client = server.client().await;
    client.ok("INSERT INTO t VALUES (4); SET duckmesh.consistency = strong").await;
    // The outcome of 2 is unknown, as was said; 3 was refused.
    assert_eq!(client.text("SELECT a FROM t WHERE a <> 2 ORDER BY a").await, ["1", "4"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_a_copy_that_fills_the_disk_leaves_nothing() {
    let Some(disk) = Tmpfs::of("16m") else { return };
    let server = Server::with(on(disk.path().join("data")));
    let client = server.client().await;
    client.ok("CREATE TABLE t (a bigint, b text); INSERT INTO t VALUES (0, 'kept'); SELECT * FROM t").await;
    let mut state = 1_u64;
    let mut noise = move || {
        // Does not compress: xorshift.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut pieces = (0..9000).map(|_| {
        (0..100)
            .flat_map(|_| format!("{}\t{:x}{:x}{:x}\n", noise() >> 1, noise(), noise(), noise()).into_bytes())
            .collect()
    });
    let answers = server.wire().copy_in("COPY t FROM STDIN", &mut pieces, CopyEnd::Done).unwrap();
    assert_eq!(answers[0].sqlstate(), Some("53100"), "{answers:?}");
    client.ok("SET duckmesh.consistency = strong").await;
    assert_eq!(client.text("SELECT * FROM t").await, ["0|kept"]);
    client.ok("INSERT INTO t VALUES (1, 'after')").await;
    assert_eq!(client.value("SELECT count(*) FROM t").await, "2", "what it had staged is freed");
}

#[test]
fn faults_a_read_only_folder_is_refused() {
    let Some(disk) = Tmpfs::of("16m") else {
        let folder = tempfile::tempdir().unwrap();
        let mode = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o555);
        fs::set_permissions(folder.path(), mode).unwrap();
        return refused_as_read_only(folder.path().join("data"));
    };
    disk.remount("ro");
    refused_as_read_only(disk.path().join("data"));
}

fn refused_as_read_only(data: PathBuf) {
    let name = data.display().to_string();
    match Server::try_with(on(data)) {
        Ok(_) => panic!("started on a read-only folder"),
        Err(log) => {
            assert!(log.contains(&name), "names the folder: {log}");
            assert!(log.contains("Read-only") || log.contains("Permission denied"), "{log}");
        }
    }
}

/// The folder becomes read-only under a running server: writes fail honestly, reads go on, nothing is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_a_folder_that_becomes_read_only() {
    let Some(disk) = Tmpfs::of("64m") else { return };
    let mut server = Server::with(on(disk.path().join("data")));
    let client = server.client().await;
    client.ok("CREATE TABLE t (a int); INSERT INTO t VALUES (1); SELECT * FROM t").await;
    server.kill();
    disk.remount("ro");
    match Server::try_with(on(disk.path().join("data"))) {
        Ok(_) => panic!("started on a read-only folder"),
        Err(log) => assert!(log.contains("ead-only") || log.contains("readonly"), "{log}"),
    }
    disk.remount("rw");
    server.restart();
    assert_eq!(server.client().await.value("SELECT count(*) FROM t").await, "1");
}

/// EB4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eb4_faults_a_second_server_on_the_folder_is_refused() {
    let mut first = Server::start();
    let client = first.client().await;
    client.ok("CREATE TABLE t (a int); INSERT INTO t VALUES (1)").await;
    for _ in 0..2 {
        match Server::try_with(on(first.data().to_owned())) {
            Ok(_) => panic!("two servers on one folder"),
            Err(log) => assert!(log.contains("another DuckMesh server"), "{log}"),
        }
    }
    assert_eq!(client.value("SELECT count(*) FROM t").await, "1", "the first one goes on");
    // A killed server's lock is gone with it.
    first.restart();
    assert_eq!(first.client().await.value("SELECT count(*) FROM t").await, "1");
}

/// S12, S13: a file that somebody truncated or deleted is never "fewer rows".
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s12_faults_a_truncated_or_missing_file_is_an_error() {
    let stand = Stand::sqlite();
    let client = stand.client().await;
    client.ok("CREATE TABLE t (a int); CREATE TABLE u (a int)").await;
    client.ok("INSERT INTO t SELECT * FROM generate_series(1, 1000); INSERT INTO u VALUES (7)").await;
    assert_eq!(client.value("SELECT count(*), sum(a) FROM t").await, "1000|500500");
    let files = parquet_files(&stand.server.data().join("lakes/duckmesh/files/main/t"));
    assert_eq!(files.len(), 1, "{files:?}");
    let whole = fs::read(&files[0]).unwrap();
    let states = ["58030", "58P01", "XX001"];
    for spoiled in [Some(&whole[..whole.len() / 2]), Some(&whole[..0]), None] {
        let _ = fs::remove_file(&files[0]);
        if let Some(bytes) = spoiled {
            fs::write(&files[0], bytes).unwrap();
        }
        let what = spoiled.map(<[u8]>::len);
        let error = client.fails("SELECT sum(a) FROM t").await;
        assert!(states.contains(&&error[..5]), "{what:?}: {error}");
        let error = client.fails("SELECT count(*) FROM t").await;
        assert!(states.contains(&&error[..5]), "{what:?}: {error}");
        assert!(!error.contains(".parquet"), "no names of files to clients: {error}");
        assert_eq!(client.value("SELECT a FROM u").await, "7", "other tables go on");
        client.ok("INSERT INTO u VALUES (7)").await;
        client.ok("DROP TABLE u; CREATE TABLE u (a int); INSERT INTO u VALUES (7)").await;
    }
    let _ = fs::remove_file(&files[0]);
    fs::write(&files[0], &whole).unwrap();
    assert_eq!(
        client.value("SELECT count(*), sum(a) FROM t").await,
        "1000|500500",
        "the file is back, nothing is lost"
    );
}

/// CO7, EB5: a frame that somebody spoiled is recorded, and what came after it is published.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn co7_faults_a_corrupt_frame_is_recorded_and_loses_nothing_else() {
    let mut stand = Stand::sqlite();
    let client = stand.client().await;
    client.ok("CREATE TABLE t (a int); INSERT INTO t VALUES (1); SELECT * FROM t").await;
    assert!(stand.server.stop().success());
    stand.server.restart_with_failpoints(Some("commit-after-read=park"));
    let client = stand.client().await;
    let spoiled = client.write("INSERT INTO t VALUES (2)").await;
    let next = client.write("INSERT INTO t VALUES (3)").await;
    stand.server.kill();
    let offset = i64::try_from(duckmesh_tests::harness::client::offset_of(&spoiled)).unwrap();
    {
        let log = rusqlite::Connection::open(stand.server.data().join("lakes/duckmesh/log.sqlite")).unwrap();
        let read = "SELECT body FROM frame WHERE first_offset = ?1";
        let mut body: Vec<u8> = log.query_row(read, [offset], |row| row.get(0)).unwrap();
        let middle = body.len() / 2;
        body[middle] ^= 0x40;
        let write = "UPDATE frame SET body = ?2 WHERE first_offset = ?1";
        assert_eq!(log.execute(write, rusqlite::params![offset, body]).unwrap(), 1);
    }
    stand.server.restart_with_failpoints(None);
    let client = stand.client().await;
    client.ok(&format!("SET duckmesh.min_token = '{next}'; SET duckmesh.barrier_timeout = '60s'")).await;
    assert_eq!(client.text("SELECT a FROM t ORDER BY a").await, ["1", "3"], "the lane goes on behind it");
    let letters = client.text("SELECT count(*) FROM duckmesh.dead_letters").await;
    assert_eq!(letters, ["1"], "and the gap is recorded");
    let mut wire = stand.server.wire();
    wire.query("SELECT * FROM t");
    let warned = wire.notices.iter().any(|n| n[&'C'] == "01000" && n[&'D'].starts_with(&format!("Offset {offset}.")));
    assert!(warned, "nobody knows whose rows it had: every reader is told: {:?}", wire.notices);
    client.ok("INSERT INTO t VALUES (4)").await;
    assert_eq!(client.value("SELECT count(*) FROM t").await, "3");
}

/// CO7: what cannot be encoded goes to the dead letters with its reason.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn co7_faults_a_poison_write_becomes_a_dead_letter() {
    let mut stand = Stand::sqlite();
    let client = stand.client().await;
    client.ok("CREATE TABLE t (a int)").await;
    client.ok("INSERT INTO t VALUES (1); SELECT * FROM t").await;
    assert!(stand.server.stop().success());
    // Each attempt fails, until the coordinator gives up on the write.
    stand.server.restart_with_failpoints(Some("encode-poison=error"));
    let client = stand.client().await;
    client.ok("INSERT INTO t VALUES (2)").await;
    eventually_async("the write is in the dead letters", Duration::from_secs(60), || async {
        (client.value("SELECT count(*) FROM duckmesh.dead_letters").await == "1").then_some(())
    })
    .await;
    let reason = client.value("SELECT attempts > 1 AND reason <> '' FROM duckmesh.dead_letters").await;
    assert_eq!(reason, "t", "tried again, and the reason is there");
    stand.server.restart_with_failpoints(None);
    let client = stand.client().await;
    client.ok("INSERT INTO t VALUES (3)").await;
    assert_eq!(client.text("SELECT a FROM t ORDER BY a").await, ["1", "3"]);
    readers_are_told(&stand).await;
}

/// G4, CO7: who reads a table with a gap is told, once; who wants that is not served; who reads something else, or a snapshot
/// of before, hears nothing; after an operator has dealt with it nobody does. The table is `t`, with one gap.
async fn readers_are_told(stand: &Stand) {
    let client = stand.client().await;
    client.ok("CREATE TABLE other (a int)").await;
    let letter = client.value("SELECT max(log_offset) FROM duckmesh.dead_letters").await;
    let before =
        client.value(&format!("SELECT max(snapshot_id) FROM duckmesh.snapshots WHERE watermark < {letter}")).await;
    let mut wire = stand.server.wire();
    let mut told = |sql: &str| {
        let answers = wire.query(sql);
        let failed: Vec<_> = answers.iter().filter_map(|answer| answer.sqlstate().map(str::to_owned)).collect();
        let codes =
            wire.notices.drain(..).filter(|n| n[&'S'] == "WARNING").map(|n| n[&'C'].clone()).collect::<Vec<_>>();
        (codes, failed)
    };
    let (silent, warned) = ((vec![], vec![]), (vec!["01000".to_owned()], vec![]));
    let refused = (vec![], vec!["MD006".to_owned()]);
    assert_eq!(told("SELECT * FROM other"), silent, "of another table");
    assert_eq!(told(&format!("SET duckmesh.snapshot = {before}; SELECT * FROM t; RESET duckmesh.snapshot")), silent);
    assert_eq!(told("SELECT count(*) FROM t JOIN other USING (a)"), warned);
    assert_eq!(told("SELECT * FROM t"), silent, "once");
    assert_eq!(told("DISCARD ALL"), silent);
    assert_eq!(told("COPY (SELECT * FROM t) TO STDOUT"), warned, "a pooled connection's next user was not told");
    assert_eq!(told("DISCARD ALL"), silent);
    assert_eq!(told("SET duckmesh.dead_letters = ignore; SELECT * FROM t"), silent);
    assert_eq!(told("SET duckmesh.dead_letters = error; SELECT * FROM other"), silent);
    for _ in 0..2 {
        assert_eq!(told("SELECT * FROM t"), refused);
    }
    assert_eq!(told("INSERT INTO other SELECT a FROM t"), refused);
    assert_eq!(told("CALL duckmesh.settle_dead_letters(through => 0)"), silent);
    assert_eq!(told("SELECT * FROM t"), refused);
    assert_eq!(told(&format!("CALL duckmesh.settle_dead_letters({letter})")), silent);
    assert_eq!(told("SELECT * FROM t"), silent, "somebody has dealt with it");
    assert_eq!(client.value("SELECT count(*) FROM duckmesh.dead_letters").await, "1", "it stays as evidence");
    let answers = stand.server.wire().query("CALL duckmesh.settle_dead_letters(100)");
    assert_eq!(answers[0].rows, [[Some("0".to_owned())]], "nothing is left to deal with");
}

fn parquet_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let deeper = folders.iter().flat_map(|folder| parquet_files(folder));
    files.into_iter().filter(|path| path.extension().is_some_and(|e| e == "parquet")).chain(deeper).collect()
}

//! kill -9 at every failpoint and at any moment: after each restart the checker proves that nothing acknowledged is lost,
//! nothing is there twice, nothing is half visible, and tokens never go back (G1 to G6).

use std::{sync::Arc, time::Duration};

use duckmesh_catalog::failpoint;
use duckmesh_tests::{
    checker,
    harness::{Client, Server, ServerOptions, eventually_async, wire::CopyEnd},
    ledger::{Kind, Ledger, TABLES},
};
use tokio::task::JoinSet;

use crate::stand::Stand;

const WRITERS: u32 = 6;
const READERS: u32 = 2;

/// Failpoints on the way of a write, with what must happen for the server to pass them. `error` is what the place is for;
/// the others are reached by any work.
pub const REACHED: &[&str] = &[
    "startup-after-auth",
    "insert-before-append",
    "insert-after-append",
    "insert-before-complete",
    "copy-after-stage",
    "copy-before-append",
    "bus-append-before-commit",
    "bus-append-after-commit",
    "lease-before-renew",
    "commit-after-read",
    "commit-after-encode",
    "commit-after-put",
    "publish-before-commit",
    "publish-after-commit",
    "compact-after-put",
    "compact-before-publish",
    "trim-before",
    "trim-after",
    "encode-poison",
    "ddl-after-validate",
    "retention-after-list",
    "retention-before-delete",
];

/// Those that only a server passes that may be one of several.
pub const REACHED_SHARED: &[&str] = &["pin-after-insert"];

/// Failpoints of parts that a write does not pass, each with the reason.
const NOT_HERE: &[(&str, &str)] = &[
    ("cache-after-download", "passed over a remote store: see s3"),
    ("cache-before-rename", "passed over a remote store: see s3"),
    ("engine-before-lock", "passed in the worker: see worker_kill"),
    ("engine-mid-stream", "passed in the worker: see worker_kill"),
    ("migrate-mid", "passed at the first start: see crash_in_a_migration"),
    ("session-panic", "ends a session, not the server"),
];

#[test]
fn crash_every_failpoint_has_a_row_here() {
    for name in failpoint::ALL {
        let reached = REACHED.contains(name) || REACHED_SHARED.contains(name);
        let elsewhere = NOT_HERE.iter().any(|(n, _)| n == name);
        assert!(reached != elsewhere, "{name} must be in exactly one of the two lists");
    }
}

/// Rounds of the loops; `make test-faults` asks for many.
fn rounds(default: u32) -> u32 {
    std::env::var("DUCKMESH_FAULT_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

/// A large COPY is staged: 4 MiB of rows are buffered at most.
const STAGED_ROWS: u32 = 600_000;

fn kind_of(n: u32) -> (Kind, u32) {
    match n % 8 {
        3 => (Kind::Transaction, 5),
        5 => (Kind::Copy, 2500),
        7 => (Kind::Insert, 300),
        _ => (Kind::Insert, 1 + n % 4),
    }
}

/// What a client asks for again and again, so that the server passes a failpoint that writes and reads do not pass.
fn asked_for(failpoint: &str) -> Option<&'static str> {
    match failpoint {
        "retention-after-list" | "retention-before-delete" => Some(EXPIRE),
        "ddl-after-validate" => Some("ALTER TABLE ledger_b ADD CONSTRAINT whole CHECK (part >= 0)"),
        _ => None,
    }
}

/// All that are old, but for those that readers keep.
const EXPIRE: &str = "CALL duckmesh.expire_snapshots(older_than => '0 seconds')";

/// A client that asks for something until its server is gone.
pub async fn ask(port: u16, failpoint: &str) {
    let Some(sql) = asked_for(failpoint) else { return };
    let Ok(client) = Client::connect(port, "duckmesh").await else { return };
    // What it is refused is its own affair: only the end of the connection ends it.
    while client.rows(sql).await.is_ok() || !client.pg.is_closed() {}
}

/// Writers and readers that go on until the server is gone.
fn work(server: &Server, ledger: &Arc<Ledger>, large_copies: bool) -> JoinSet<()> {
    let port = server.port();
    let mut all = JoinSet::new();
    for writer in 0..WRITERS {
        let ledger = ledger.clone();
        all.spawn(async move {
            let Ok(client) = Client::connect(port, "duckmesh").await else { return };
            for n in writer.. {
                let (mut kind, mut parts) = kind_of(n);
                if large_copies && writer == 0 {
                    (kind, parts) = (Kind::Copy, STAGED_ROWS);
                }
                if !ledger.write(&client, writer, kind, parts).await {
                    return;
                }
            }
        });
    }
    for reader in 0..READERS {
        let ledger = ledger.clone();
        all.spawn(async move {
            let Ok(client) = Client::connect(port, "duckmesh").await else { return };
            while ledger.read(&client, reader).await {}
        });
    }
    all
}

async fn ended(mut all: JoinSet<()>) {
    while let Some(result) = all.join_next().await {
        result.expect("a client panicked");
    }
}

/// G6: what a snapshot held before the crash it holds after it.
async fn pinned(client: &Client, snapshot: &str) -> Vec<String> {
    client.ok(&format!("RESET duckmesh.min_token; SET duckmesh.snapshot = '{snapshot}'")).await;
    let rows = client.text("SELECT writer, seq, count(*), sum(part) FROM ledger_a GROUP BY 1, 2 ORDER BY 1, 2").await;
    client.ok("RESET duckmesh.snapshot").await;
    rows
}

/// One failpoint: reached with writers and readers running, killed exactly there, checked after the restart.
async fn at(stand: &mut Stand, name: &'static str) {
    let ledger = Arc::new(Ledger::default());
    let client = stand.client().await;
    client.ok(TABLES).await;
    assert!(ledger.write(&client, 100, Kind::Transaction, 3).await);
    client.ok("SELECT count(*) FROM ledger_a").await;
    let snapshot = stand.newest_snapshot().await;
    let before = pinned(&client, &snapshot).await;
    drop(client);
    assert!(stand.server.stop().success());
    stand.server.restart_with_failpoints(Some(&format!("{name}=park")));
    let mut all = work(&stand.server, &ledger, name == "copy-after-stage");
    all.spawn(ask(stand.server.port(), name));
    let server = &stand.server;
    eventually_async(&format!("failpoint {name}"), Duration::from_secs(60), || async {
        server.reached(name).then_some(())
    })
    .await;
    stand.server.kill();
    ended(all).await;
    stand.server.restart_with_failpoints(None);
    let client = stand.client().await;
    checker::check(&ledger, &client).await;
    assert_eq!(pinned(&client, &snapshot).await, before, "G6: snapshot {snapshot} after a crash at {name}");
    // And it goes on.
    assert!(ledger.write(&client, 101, Kind::Transaction, 3).await);
    checker::check(&ledger, &client).await;
    if asked_for(name) == Some(EXPIRE) {
        expires(&client, &snapshot).await;
        checker::check(&ledger, &client).await;
    }
}

/// RD1: what a crash kept from expiring expires, and is an error then.
async fn expires(client: &Client, snapshot: &str) {
    client.ok("RESET duckmesh.snapshot; RESET duckmesh.min_token").await;
    let left = format!("SELECT count(*) FROM duckmesh.snapshots WHERE snapshot_id = {snapshot}");
    eventually_async("the snapshot expires", Duration::from_secs(60), || async {
        client.ok(EXPIRE).await;
        (client.value(&left).await == "0").then_some(())
    })
    .await;
    client.ok(&format!("SET duckmesh.snapshot = '{snapshot}'")).await;
    let failed = client.fails("SELECT count(*) FROM ledger_a").await;
    assert!(failed.starts_with("MD004: "), "{failed}");
    client.ok("RESET duckmesh.snapshot").await;
}

/// Kills at any moment, again and again on one folder.
async fn any_moment(stand: &mut Stand, rounds: u32) {
    let ledger = Arc::new(Ledger::default());
    stand.client().await.ok(TABLES).await;
    let mut snapshot: Option<(String, Vec<String>)> = None;
    for round in 0..rounds {
        let before = ledger.acknowledged();
        let all = work(&stand.server, &ledger, round % 3 == 2);
        // Not by time but by progress, so that each round kills in the middle of work on any machine.
        let wanted = before + 10 + (round as usize * 37) % 90;
        eventually_async("writes are acknowledged", Duration::from_secs(120), || async {
            (ledger.acknowledged() >= wanted).then_some(())
        })
        .await;
        stand.server.restart();
        ended(all).await;
        let client = stand.client().await;
        checker::check(&ledger, &client).await;
        if let Some((id, rows)) = &snapshot {
            assert_eq!(&pinned(&client, id).await, rows, "G6: snapshot {id} in round {round}");
        }
        let id = stand.newest_snapshot().await;
        let rows = pinned(&client, &id).await;
        snapshot = Some((id, rows));
    }
    assert!(ledger.acknowledged() >= rounds as usize * 10, "the rounds did work");
    assert!(ledger.readings().len() > rounds as usize, "readers read");
}

macro_rules! crash_at {
    ($($name:ident = $failpoint:literal),* ; shared: $($shared:ident = $shared_failpoint:literal),* $(,)?) => {
        mod sqlite { $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::at(&mut crate::stand::Stand::sqlite(), $failpoint).await; }
        )* }
        mod postgres { $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::at(&mut crate::stand::Stand::postgres(), $failpoint).await; }
        )* $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $shared() { super::at(&mut crate::stand::Stand::postgres(), $shared_failpoint).await; }
        )* }
        #[test]
        fn crash_every_reached_failpoint_is_run() {
            assert_eq!([$($failpoint),*], *REACHED);
            assert_eq!([$($shared_failpoint),*], *REACHED_SHARED);
        }
    };
}

crash_at!(
    at_startup_after_auth = "startup-after-auth",
    at_insert_before_append = "insert-before-append",
    gw2_at_insert_after_append = "insert-after-append",
    at_insert_before_complete = "insert-before-complete",
    gw1_at_copy_after_stage = "copy-after-stage",
    gw1_at_copy_before_append = "copy-before-append",
    gw3_at_bus_append_before_commit = "bus-append-before-commit",
    gw3_at_bus_append_after_commit = "bus-append-after-commit",
    at_lease_before_renew = "lease-before-renew",
    at_commit_after_read = "commit-after-read",
    at_commit_after_encode = "commit-after-encode",
    co1_at_commit_after_put = "commit-after-put",
    co2_at_publish_before_commit = "publish-before-commit",
    co2_at_publish_after_commit = "publish-after-commit",
    rd3_at_compact_after_put = "compact-after-put",
    rd3_at_compact_before_publish = "compact-before-publish",
    at_trim_before = "trim-before",
    at_trim_after = "trim-after",
    at_encode_poison = "encode-poison",
    at_ddl_after_validate = "ddl-after-validate",
    rd1_at_retention_after_list = "retention-after-list",
    rd1_at_retention_before_delete = "retention-before-delete";
    shared: rd2_at_pin_after_insert = "pin-after-insert",
);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn crash_at_any_moment_on_sqlite() {
    any_moment(&mut Stand::sqlite(), rounds(6)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn crash_at_any_moment_on_postgres() {
    any_moment(&mut Stand::postgres(), rounds(4)).await;
}

/// GW2, CL1: the reply is lost, the client repeats with its key and gets the same token, once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gw2_crash_a_repeat_with_the_key_is_one_write() {
    for (failpoint, rows_before) in [("bus-append-before-commit", "0"), ("bus-append-after-commit", "2")] {
        let mut server = Server::with(ServerOptions::default());
        server.client().await.ok("CREATE TABLE t (a int); SELECT * FROM t").await;
        assert!(server.stop().success());
        server.restart_with_failpoints(Some(&format!("{failpoint}=park")));
        let client = server.client().await;
        client.ok("SET duckmesh.idempotency_key = 'k'").await;
        let write = client.rows("INSERT INTO t VALUES (1), (2)");
        tokio::pin!(write);
        tokio::select! {
            result = &mut write => panic!("acknowledged before {failpoint}: {result:?}"),
            () = eventually_async("the failpoint", Duration::from_secs(30), || async {
                server.reached(failpoint).then_some(())
            }) => {}
        }
        server.kill();
        assert!(write.await.is_err(), "G7: no success without an answer");
        server.restart_with_failpoints(None);
        let client = server.client().await;
        client.ok("SET duckmesh.consistency = strong").await;
        assert_eq!(client.value("SELECT count(*) FROM t").await, rows_before, "{failpoint}");
        client.ok("SET duckmesh.idempotency_key = 'k'").await;
        let token = client.write("INSERT INTO t VALUES (1), (2)").await;
        assert_eq!(client.value("SELECT count(*) FROM t").await, "2", "{failpoint}: {token}");
    }
}

/// A crash while the tables are made: the next start makes them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn crash_in_a_migration() {
    migrates_after_a_crash(None).await;
}

/// PG11: the same with the tables in PostgreSQL.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pg11_crash_in_a_migration_of_postgres() {
    let postgres = duckmesh_tests::harness::Postgres::start();
    migrates_after_a_crash(Some(postgres.url())).await;
}

async fn migrates_after_a_crash(catalog: Option<String>) {
    let folder = tempfile::tempdir().unwrap();
    let options = ServerOptions { data: Some(folder.path().join("data")), catalog, ..ServerOptions::default() };
    let armed = ServerOptions { failpoints: Some("migrate-mid=abort".into()), ..options.clone() };
    match Server::try_with(armed) {
        Ok(_) => panic!("the first start passes migrate-mid"),
        Err(log) => assert!(log.contains("failpoint-reached migrate-mid"), "{log}"),
    }
    let server = Server::with(options);
    let client = server.client().await;
    client.ok("CREATE TABLE t (a int); INSERT INTO t VALUES (1)").await;
    assert_eq!(client.value("SELECT count(*) FROM t").await, "1");
}

/// CO3, G8: a server frozen past its lease, another takes over on the same Postgres catalog; the first one thaws.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn co3_crash_a_zombie_coordinator_publishes_nothing() {
    use duckmesh_tests::harness::process::{CONT, STOP, signal};
    let postgres = duckmesh_tests::harness::Postgres::start();
    let folder = tempfile::tempdir().unwrap();
    let server = |name: &str| {
        let data = Some(folder.path().join(name));
        Server::with(ServerOptions { data, catalog: Some(postgres.url()), ..ServerOptions::default() })
    };
    let ledger = Ledger::default();
    let first = server("a");
    let client = first.client().await;
    client.ok(TABLES).await;
    assert!(ledger.write(&client, 0, Kind::Transaction, 4).await);
    let second = server("b");
    let successor = second.client().await;
    assert!(signal(first.pid(), STOP));
    assert!(ledger.write(&successor, 1, Kind::Transaction, 4).await);
    successor.ok("SET duckmesh.barrier_timeout = '60s'").await;
    assert!(ledger.read(&successor, 1).await, "the second server took over");
    assert!(signal(first.pid(), CONT));
    for _ in 0..20 {
        assert!(ledger.write(&client, 0, Kind::Insert, 2).await);
        assert!(ledger.write(&successor, 1, Kind::Insert, 2).await);
    }
    checker::check(&ledger, &successor).await;
    checker::check(&ledger, &client).await;
}

/// GW1: what a COPY had staged when the server was killed is swept after the grace; what counts stays.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gw1_crash_staged_files_are_swept() {
    let args = ["--sweep-grace-seconds", "2"].map(str::to_owned).to_vec();
    let mut server = Server::with(ServerOptions { args, ..ServerOptions::default() });
    let client = server.client().await;
    client.ok("CREATE TABLE t (a int, b text)").await;
    let copy = |server: &Server| {
        let mut wire = server.wire();
        std::thread::spawn(move || {
            let mut rows = (0..STAGED_ROWS / 1000).map(|n| format!("{n}\tsome text\n").repeat(1000).into_bytes());
            wire.copy_in("COPY t FROM STDIN", &mut rows, CopyEnd::Done)
        })
    };
    let staged = |server: &Server| {
        let mut found = Vec::new();
        let mut folders = vec![server.data().join("lakes/duckmesh/files")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
                if entry.file_type().unwrap().is_dir() {
                    folders.push(entry.path());
                } else if entry.file_name().to_string_lossy().contains("staged") {
                    found.push(entry.path());
                }
            }
        }
        found
    };
    copy(&server).join().unwrap().unwrap();
    let kept = staged(&server);
    assert_eq!(kept.len(), 1, "{kept:?}");
    server.restart_with_failpoints(Some("copy-after-stage=park"));
    let copying = copy(&server);
    eventually_async("the copy is staged", Duration::from_secs(60), || async {
        server.reached("copy-after-stage").then_some(())
    })
    .await;
    server.kill();
    assert!(copying.join().unwrap().is_err(), "G7: no success");
    assert_eq!(staged(&server).len(), 2, "the garbage of the killed COPY");
    server.restart_with_failpoints(None);
    let client = server.client().await;
    // An open transaction's staged rows get older than the grace, and stay.
    let mut open = server.wire();
    open.query("BEGIN");
    let mut rows = (0..STAGED_ROWS / 1000).map(|n| format!("{n}\topen\n").repeat(1000).into_bytes());
    open.copy_in("COPY t FROM STDIN", &mut rows, CopyEnd::Done).unwrap();
    let of_open: Vec<_> = staged(&server).into_iter().filter(|path| !kept.contains(path)).collect();
    eventually_async("the sweep", Duration::from_secs(60), || async {
        let left = staged(&server);
        (left.len() == 2 && left.contains(&kept[0])).then_some(())
    })
    .await;
    assert!(of_open.iter().any(|path| path.exists()));
    // Another round of garbage shows that the sweep goes on, longer than the grace after the open rows were written.
    let garbage = kept[0].with_file_name("duckmesh-staged-0.parquet");
    std::fs::write(&garbage, b"x").unwrap();
    eventually_async("the next sweep", Duration::from_secs(60), || async { (!garbage.exists()).then_some(()) }).await;
    open.query("COMMIT");
    client.ok("SET duckmesh.consistency = strong").await;
    assert_eq!(client.value("SELECT count(*) FROM t").await, (2 * STAGED_ROWS).to_string());
    assert_eq!(staged(&server).len(), 2);
}

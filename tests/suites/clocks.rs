//! Clocks that are wrong, or jump: libfaketime moves what a server takes for the time of day. Deadlines and leases do not care.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use duckmesh_tests::{
    checker,
    harness::{Postgres, Server, ServerOptions, eventually},
    ledger::{Kind, Ledger, TABLES},
};

const LIMIT: Duration = Duration::from_secs(60);

fn library() -> Option<PathBuf> {
    let folders =
        ["/usr/lib/x86_64-linux-gnu/faketime", "/usr/lib/aarch64-linux-gnu/faketime", "/usr/local/lib/faketime"];
    let found = folders.iter().map(|folder| Path::new(folder).join("libfaketime.so.1")).find(|path| path.exists());
    if found.is_none() {
        println!("SKIPPED: libfaketime is not here (make setup installs Debian's)");
    }
    found
}

/// The environment of a server whose clock is where the file says.
fn moved(library: &Path, file: &Path, by: &str) -> Vec<(String, String)> {
    set(file, by);
    [
        ("LD_PRELOAD", library.to_str().unwrap()),
        ("FAKETIME_TIMESTAMP_FILE", file.to_str().unwrap()),
        ("FAKETIME_NO_CACHE", "1"),
        ("FAKETIME_DISABLE_SHM", "1"),
        ("DONT_FAKE_MONOTONIC", "1"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

/// Moves the clock; at once, and never half of it.
fn set(file: &Path, by: &str) {
    let new = file.with_extension("new");
    fs::write(&new, format!("{by}\n")).unwrap();
    fs::rename(&new, file).unwrap();
}

/// CO5, G8: one server an hour ahead, the other an hour behind: the lease is the database's, and so is its end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g8_co5_clocks_an_hour_off_make_no_difference() {
    let Some(library) = library() else { return };
    let postgres = Postgres::start();
    let folder = tempfile::tempdir().unwrap();
    let server = |name: &str, by: &str| {
        let data = Some(folder.path().join(name));
        let env = moved(&library, &folder.path().join(format!("{name}.time")), by);
        Server::with(ServerOptions { data, catalog: Some(postgres.url()), env, ..ServerOptions::default() })
    };
    let mut ahead = server("ahead", "+3600");
    let ledger = Ledger::default();
    let one = ahead.client().await;
    one.ok(TABLES).await;
    let behind = server("behind", "-3600");
    let two = behind.client().await;
    let now = "SELECT extract(epoch FROM now())::bigint";
    let (early, late) = (two.value(now).await, one.value(now).await);
    let apart = late.parse::<i64>().unwrap() - early.parse::<i64>().unwrap();
    assert!((7000..7400).contains(&apart), "the clocks are two hours apart: {apart} s");
    for n in 0..10 {
        assert!(ledger.write(&one, 0, Kind::Transaction, 2).await);
        assert!(ledger.write(&two, 1, Kind::Insert, 2).await);
        if n % 3 == 0 {
            assert!(ledger.read(&one, 0).await && ledger.read(&two, 1).await);
        }
    }
    // Whoever published: one that is killed is followed, though by the other's clock its lease has hours left, or is long over.
    ahead.kill();
    let start = Instant::now();
    assert!(ledger.write(&two, 1, Kind::Transaction, 2).await);
    assert!(ledger.read(&two, 1).await);
    assert!(start.elapsed() < Duration::from_secs(25), "taken over after {:?}", start.elapsed());
    ahead.restart();
    let one = ahead.client().await;
    assert!(ledger.write(&one, 2, Kind::Insert, 2).await && ledger.read(&one, 2).await);
    checker::check(&ledger, &two).await;
    checker::check(&ledger, &one).await;
}

/// CO5, G1: a maintainer an hour ahead leaves what a session stages now, and sweeps what is old by the store's own clock.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g1_co5_the_sweep_goes_by_the_stores_clock() {
    let Some(library) = library() else { return };
    let postgres = Postgres::start();
    let folder = tempfile::tempdir().unwrap();
    let go = folder.path().join("go");
    let gateway = Server::with(ServerOptions {
        data: Some(folder.path().join("gateway")),
        catalog: Some(postgres.url()),
        failpoints: Some(format!("insert-before-append=2*wait:{}", go.display())),
        args: ["--role", "gateway,coordinator"].map(str::to_owned).to_vec(),
        ..ServerOptions::default()
    });
    let client = gateway.client().await;
    client.ok("CREATE TABLE t (n bigint); INSERT INTO t VALUES (0); SELECT * FROM t").await;
    let write = tokio::spawn(async move {
        client.ok("INSERT INTO t SELECT generate_series(1, 2000000)").await;
        client.value("SELECT count(*) FROM t").await
    });
    eventually("the append is held", LIMIT, || gateway.reached("insert-before-append").then_some(()));
    let table = folder.path().join("gateway/lakes/duckmesh/files/main/t");
    let garbage = table.join("duckmesh-staged-00000000-0000-7000-8000-000000000000.parquet");
    fs::write(&garbage, "given up").unwrap();
    let old = std::time::SystemTime::now() - Duration::from_secs(2 * 3600);
    fs::File::open(&garbage).unwrap().set_times(fs::FileTimes::new().set_modified(old)).unwrap();
    let staged = || {
        fs::read_dir(&table)
            .unwrap()
            .filter(|f| f.as_ref().unwrap().file_name().to_string_lossy().starts_with("duckmesh-staged-"))
            .count()
    };
    assert_eq!(staged(), 2);
    let _ahead = Server::with(ServerOptions {
        data: Some(folder.path().join("ahead")),
        catalog: Some(postgres.url()),
        env: moved(&library, &folder.path().join("ahead.time"), "+3700"),
        args: ["--role", "maintenance"].map(str::to_owned).to_vec(),
        ..ServerOptions::default()
    });
    eventually("the old file is swept", LIMIT, || (!garbage.exists()).then_some(()));
    assert_eq!(staged(), 1, "what is being written is not");
    fs::write(go, "").unwrap();
    assert_eq!(write.await.unwrap(), "2000001");
}

/// CO5, G6: who expires and publishes is an hour behind: what a transaction reads since a moment ago it keeps.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g6_co5_an_expiry_an_hour_behind_leaves_what_is_read() {
    let Some(library) = library() else { return };
    let postgres = Postgres::start();
    let folder = tempfile::tempdir().unwrap();
    let server = |name: &str, role: &str, by: &str| {
        let env = moved(&library, &folder.path().join(format!("{name}.time")), by);
        let data = Some(folder.path().join(name));
        let args = ["--role", role].map(str::to_owned).to_vec();
        Server::with(ServerOptions { data, catalog: Some(postgres.url()), env, args, ..ServerOptions::default() })
    };
    let behind = server("behind", "gateway,coordinator", "-3600");
    let reading = server("reading", "gateway", "+0");
    let (writer, reader) = (behind.client().await, reading.client().await);
    writer
        .ok("CREATE TABLE t (n int); CREATE TABLE u (n int); INSERT INTO t VALUES (1); INSERT INTO u VALUES (1)")
        .await;
    reader.ok("SET duckmesh.consistency = strong").await;
    for round in 1..=10 {
        reader.ok("BEGIN").await;
        let t = reader.value("SELECT count(*) FROM t").await;
        writer.ok("INSERT INTO t VALUES (1); INSERT INTO u VALUES (1); SELECT count(*) FROM u").await;
        writer.ok("CALL duckmesh.expire_snapshots(older_than => '2100-01-01 00:00:00+00')").await;
        assert_eq!(reader.value("SELECT count(*) FROM u").await, t, "round {round}");
        reader.ok("COMMIT").await;
    }
}

/// GW19, G10: the clock jumps while statements wait: none ends early, none waits for an hour.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g10_gw19_deadlines_do_not_jump_with_the_clock() {
    let Some(library) = library() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("time");
    let env = moved(&library, &file, "+0");
    let mut server = Server::with(ServerOptions { env, ..ServerOptions::default() });
    let client = server.client().await;
    client.ok("CREATE TABLE t (a int); INSERT INTO t VALUES (1); SELECT * FROM t").await;
    assert!(server.stop().success());
    server.restart_with_failpoints(Some("commit-after-read=park"));
    let client = server.client().await;
    let token = client.write("INSERT INTO t VALUES (2)").await;
    eventually("the coordinator is held", LIMIT, || server.reached("commit-after-read").then_some(()));
    client.ok(&format!("SET duckmesh.min_token = '{token}'")).await;
    for (setting, state) in [
        ("duckmesh.barrier_timeout = '1500ms'; SET statement_timeout = '60s'", "MD001"),
        ("duckmesh.barrier_timeout = '60s'; SET statement_timeout = '1500ms'", "57014"),
    ] {
        client.ok(&format!("SET {setting}")).await;
        for jump in ["+3600", "-3600"] {
            let start = Instant::now();
            let wait = client.fails("SELECT count(*) FROM t");
            tokio::pin!(wait);
            tokio::select! {
                error = &mut wait => panic!("before the clock moved: {error}"),
                () = tokio::time::sleep(Duration::from_millis(300)) => set(&file, jump),
            }
            let error = wait.await;
            let time = start.elapsed();
            assert!(error.starts_with(state), "{jump}: {error}");
            assert!(
                time >= Duration::from_millis(1400) && time < Duration::from_secs(10),
                "{jump}: {state} after {time:?}"
            );
            client.ok("RESET statement_timeout").await;
            client.ok(&format!("SET {setting}")).await;
        }
    }
    set(&file, "+0");
    server.restart_with_failpoints(None);
    let client = server.client().await;
    client.ok("SET duckmesh.consistency = strong").await;
    assert_eq!(client.value("SELECT count(*) FROM t").await, "2");
}

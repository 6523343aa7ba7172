//! Stores that are down, slow, wrong or foreign, and what people do to a bucket.

use std::{
    fs,
    os::unix::fs::FileExt,
    time::{Duration, Instant},
};

use duckmesh_tests::{
    fake_s3::{FakeS3, Fault, Object, Verb, Where},
    harness::{Postgres, Server, ServerOptions, eventually_async},
};

use super::{Bucket, LARGE_ROWS, assert_large, files, fill, large, options_for};

/// A file of a table that is not what it was.
const DAMAGED: [&str; 2] = ["58030", "XX001"];

/// S2: the store refuses everything for a while. Writes are acknowledged, what is cached is read, and what was written
/// becomes visible afterwards.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s2_a_store_that_slows_down_delays_publication_alone() {
    let bucket = Bucket::start();
    let client = bucket.client().await;
    client.ok("CREATE TABLE t (a int); INSERT INTO t VALUES (1); SELECT * FROM t").await;
    bucket.s3.on(Where::any(), Fault::Status(503));
    let mut last = String::new();
    for n in 2..=20 {
        last = client.write(&format!("INSERT INTO t VALUES ({n})")).await;
    }
    client.ok("SET duckmesh.consistency = eventual").await;
    assert_eq!(client.value("SELECT count(*) FROM t").await, "1", "readers of what is here go on");
    client.ok(&format!("SET duckmesh.min_token = '{last}'; SET duckmesh.barrier_timeout = '300ms'")).await;
    assert!(client.fails("SELECT count(*) FROM t").await.starts_with("MD001"));
    bucket.s3.heal();
    client.ok("SET duckmesh.barrier_timeout = '60s'").await;
    assert_eq!(client.value("SELECT count(*), sum(a) FROM t").await, "20|210");
}

/// S4: an answer that is late or stalls is given up, and asked for again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s4_a_slow_or_stalled_request_is_made_again() {
    let bucket = Bucket::start();
    let client = bucket.client().await;
    client.ok("SET duckmesh.barrier_timeout = '60s'").await;
    large(&client, "t").await;
    assert_large(&client, "t", 1).await;
    bucket.forget("t");
    bucket.s3.on(Where::verb(Verb::Get).nth(1), Fault::Stall(1000));
    bucket.s3.on(Where::verb(Verb::Put).nth(1), Fault::Delay(Duration::from_secs(30)));
    let began = std::time::Instant::now();
    assert_large(&client, "t", 1).await;
    client.ok("INSERT INTO t VALUES (0, repeat('x', 32))").await;
    assert_eq!(client.value("SELECT count(*) FROM t").await, (LARGE_ROWS + 1).to_string());
    assert!(began.elapsed() < Duration::from_secs(25), "given up before the answer came: {:?}", began.elapsed());
    assert!(!bucket.s3.has_faults_left());
}

/// S4: 1 KB/s is given up by its rate, not by its silence.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "half a minute: make test-faults"]
async fn s4_faults_a_trickle_is_given_up() {
    let bucket = Bucket::start();
    let client = bucket.client().await;
    large(&client, "t").await;
    assert_large(&client, "t", 1).await;
    bucket.forget("t");
    bucket.s3.on(Where::verb(Verb::Get).nth(1), Fault::Slow(500, Duration::from_millis(500)));
    client.ok("SET statement_timeout = '120s'").await;
    assert_large(&client, "t", 1).await;
}

/// S5, S6: what comes is not what was stored: it is asked for again, and never given to the engine.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s5_s6_other_bytes_are_never_read() {
    let bucket = Bucket::start();
    let client = bucket.client().await;
    client.ok("CREATE TABLE t (a int); INSERT INTO t SELECT * FROM generate_series(1, 1000)").await;
    assert_eq!(client.value("SELECT count(*), sum(a) FROM t").await, "1000|500500");
    let faults =
        [Fault::Corrupt, Fault::Truncate(100), Fault::Cut(100), Fault::Cut(0), Fault::ErrorIn200, Fault::Status(403)];
    for fault in &faults {
        bucket.forget("t");
        bucket.s3.on(Where::verb(Verb::Get).nth(1), fault.clone());
        assert_eq!(client.value("SELECT count(*), sum(a) FROM t").await, "1000|500500", "{fault:?}");
        assert!(!bucket.s3.has_faults_left(), "{fault:?}");
        bucket.s3.heal();
    }
    for fault in [Fault::Corrupt, Fault::Truncate(100)] {
        bucket.forget("t");
        bucket.s3.on(Where::verb(Verb::Get), fault.clone());
        let error = client.fails("SELECT sum(a) FROM t").await;
        assert!(DAMAGED.contains(&&error[..5]), "{fault:?}: {error}");
        assert!(bucket.cached("t").is_empty(), "{fault:?}: nothing of it is in the cache");
        bucket.s3.heal();
        assert_eq!(client.value("SELECT sum(a) FROM t").await, "500500", "{fault:?}");
    }
}

/// S7: keys that were rotated are read anew; a wrong key is an error, and no retry storm.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s7_rotated_credentials_are_read_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("credentials");
    let write = |key: &str| {
        let text = format!("[default]\naws_access_key_id = {key}\naws_secret_access_key = secret-of-{key}\n");
        fs::write(&path, text).unwrap();
    };
    write("first");
    let s3 = FakeS3::start();
    let mut options = options_for(&s3, &[], ServerOptions::default());
    options.env.retain(|(name, _)| !matches!(name.as_str(), "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY"));
    options.env.push(("AWS_SHARED_CREDENTIALS_FILE".into(), path.display().to_string()));
    let server = Server::with(options);
    let client = server.client().await;
    client.ok("SET duckmesh.barrier_timeout = '60s'; CREATE TABLE t (a int); INSERT INTO t VALUES (1)").await;
    assert_eq!(client.value("SELECT * FROM t").await, "1");
    s3.refuse_keys(&["first"]);
    client.ok("INSERT INTO t VALUES (2)").await;
    let cached = server.data().join("lakes/duckmesh/cache/main/t");
    files(&cached).iter().for_each(|path| fs::remove_file(path).unwrap());
    client.ok("SET duckmesh.consistency = eventual").await;
    assert!(client.fails("SELECT * FROM t").await.starts_with("58030"), "refused, and said so");
    write("second");
    client.ok("SET duckmesh.consistency = strong").await;
    assert_eq!(client.value("SELECT count(*) FROM t").await, "2", "without a restart");
}

/// S7, S13: a live object that somebody deleted is loud, and costs nobody else anything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s7_s13_a_deleted_object_is_an_error_and_an_alarm() {
    let bucket = Bucket::start();
    let client = bucket.client().await;
    client
        .ok("CREATE TABLE t (a int); CREATE TABLE u (a int); INSERT INTO t VALUES (1); INSERT INTO u VALUES (7)")
        .await;
    assert_eq!(client.value("SELECT * FROM t").await, "1");
    let keys = bucket.keys("t");
    let kept: Vec<(String, Object)> =
        bucket.s3.objects(|objects| keys.iter().map(|key| (key.clone(), objects.all.remove(key).unwrap())).collect());
    bucket.forget("t");
    let (is_well, said) = doctor(&bucket);
    let name = keys[0].rsplit('/').next().unwrap();
    assert!(!is_well && said.contains("files of duckmesh: of 2 files 1 missing (") && said.contains(name), "{said}");
    for sql in ["SELECT * FROM t", "SELECT count(*) FROM t", "SELECT u.a FROM u LEFT JOIN t USING (a)"] {
        let error = client.fails(sql).await;
        assert!(error.starts_with("58P01"), "{sql}: {error}");
        assert!(!error.contains(".parquet"), "no names of files to clients: {error}");
    }
    // The alarm.
    bucket.server.says("integrity");
    assert_eq!(client.value("SELECT * FROM u").await, "7", "other tables go on");
    client.ok("INSERT INTO u VALUES (8)").await;
    assert_eq!(client.value("SELECT count(*) FROM u").await, "2");
    bucket.s3.objects(|objects| objects.all.extend(kept));
    assert_eq!(client.value("SELECT * FROM t").await, "1", "it is back, nothing is lost");
    let (is_well, said) = doctor(&bucket);
    assert!(is_well && said.contains("are there, and as long as they were written"), "{said}");
    bucket.s3.objects(|objects| objects.all.get_mut(&keys[0]).unwrap().bytes = bytes::Bytes::from_static(b"short"));
    let (is_well, said) = doctor(&bucket);
    assert!(!is_well && said.contains("1 of another length ("), "{said}");
}

/// `duckmesh doctor --files`, while the server runs.
fn doctor(bucket: &Bucket) -> (bool, String) {
    let mut command = std::process::Command::new(duckmesh_tests::harness::paths::server_binary());
    command.args(["doctor", "--files", "--storage", "s3://lakes/test", "--data"]).arg(bucket.server.data());
    let output = command.envs(bucket.s3.env()).output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}

/// S8: a store that replaces what exists is refused at start, and so is one that cannot be reached, with what to do.
#[test]
fn s8_a_store_that_cannot_do_it_is_refused() {
    let refused = |s3: &FakeS3, args: &[&str]| {
        let started = Server::try_with(options_for(s3, args, ServerOptions::default()));
        started.map(drop).expect_err("must refuse to start")
    };
    let s3 = FakeS3::start();
    s3.ignore_conditions();
    let log = refused(&s3, &[]);
    assert!(log.contains("If-None-Match") && log.contains("s3://lakes/test/"), "{log}");
    assert_eq!(s3.objects(|objects| objects.all.len()), 0, "the probe left nothing");

    let s3 = FakeS3::start();
    s3.refuse_keys(&["test-key"]);
    let log = refused(&s3, &[]);
    assert!(log.contains("credentials") && log.contains("AWS_ENDPOINT_URL"), "{log}");
    s3.refuse_keys(&[]);
    s3.on(Where::verb(Verb::Delete), Fault::Status(403));
    let log = refused(&s3, &[]);
    assert!(log.contains("delete it") && log.contains("may delete"), "{log}");
    s3.heal();
    s3.on(Where::verb(Verb::List), Fault::Status(403));
    let log = refused(&s3, &[]);
    assert!(log.contains("list it"), "{log}");
    s3.heal();
    s3.on(Where::verb(Verb::Get), Fault::Corrupt);
    let log = refused(&s3, &[]);
    assert!(log.contains("other bytes"), "{log}");
}

/// S2: the store is away for longer than a lease and than anything is tried again. Everything is acknowledged, what is cached is
/// read, nobody takes the lake from who publishes it, and then all of it is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s2_an_outage_longer_than_a_lease_delays_publication_alone() {
    outage(Duration::from_secs(12)).await;
}

async fn outage(time: Duration) {
    let (postgres, s3) = (Postgres::start(), FakeS3::start());
    let with = || ServerOptions { catalog: Some(postgres.url()), ..ServerOptions::default() };
    let lease = ["--lease-ms", "1500"];
    let servers = [Server::with(options_for(&s3, &lease, with())), Server::with(options_for(&s3, &lease, with()))];
    let client = servers[0].client().await;
    client.ok("CREATE TABLE t (a int); INSERT INTO t VALUES (0); SELECT count(*) FROM t").await;
    let admin = postgres.client().await;
    let epoch = "SELECT epoch FROM lake_duckmesh.duckmesh_state";
    let before = admin.value(epoch).await;
    s3.on(Where::any(), Fault::Status(503));
    client.ok("SET duckmesh.consistency = eventual").await;
    let (begun, mut rows) = (Instant::now(), 1);
    while begun.elapsed() < time {
        client.ok(&format!("INSERT INTO t VALUES ({rows})")).await;
        rows += 1;
        assert_eq!(client.value("SELECT count(*) FROM t").await, "1", "what is cached");
    }
    assert_ne!(client.value("SELECT behind FROM duckmesh.lag").await, "0");
    assert_eq!(admin.value(epoch).await, before, "nobody else took over: who publishes lives");
    s3.heal();
    for server in &servers {
        let client = server.client().await;
        client.ok("SET duckmesh.consistency = strong; SET duckmesh.barrier_timeout = '40s'").await;
        assert_eq!(client.value("SELECT count(*) FROM t").await, rows.to_string());
    }
}

/// S2: minutes of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes: make test-faults"]
async fn s2_faults_an_outage_of_minutes_delays_publication_alone() {
    outage(Duration::from_secs(150)).await;
}

/// A file that was staged here and that somebody changes before all of it is uploaded becomes no object: its write fails, and
/// works when it is repeated.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s5_a_staged_file_that_changes_is_not_stored() {
    let bucket = Bucket::start();
    let client = bucket.client().await;
    client.ok("CREATE TABLE t (a int, b text)").await;
    let staging = bucket.server.data().join("lakes/duckmesh/staging");
    for is_cut in [false, true] {
        drop(bucket.s3.take_journal());
        bucket.s3.on(Where::verb(Verb::Begin).nth(1), Fault::Delay(Duration::from_secs(2)));
        let writer = bucket.client().await;
        let write = tokio::spawn(async move { writer.fails(&fill("t")).await });
        eventually_async("the upload begins", Duration::from_secs(60), async || {
            (bucket.s3.count(Verb::Begin, "/main/t/") > 0).then_some(())
        })
        .await;
        let staged = files(&staging).into_iter().max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap();
        let file = fs::OpenOptions::new().write(true).open(&staged).unwrap();
        let length = file.metadata().unwrap().len();
        match is_cut {
            true => file.set_len(length - 1000).unwrap(),
            false => file.write_all_at(b"changed", length / 2).unwrap(),
        }
        let error = write.await.unwrap();
        assert!(error.starts_with("58030"), "{error}");
        bucket.s3.heal();
        assert_eq!(bucket.s3.count(Verb::Complete, "/main/t/"), 0);
        assert!(bucket.keys("t").is_empty() && bucket.cached("t").is_empty());
    }
    client.ok(&fill("t")).await;
    assert_large(&client, "t", 1).await;
}

/// S9, S10: uploads that nobody finished are aborted, files that nobody names are swept, both after the grace; what is
/// young or foreign stays.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s9_s10_what_was_left_open_is_swept() {
    let mut bucket = Bucket::with(&["--sweep-grace-seconds", "3600"]);
    let client = bucket.client().await;
    client.ok("CREATE TABLE t (a int); INSERT INTO t VALUES (1); SELECT * FROM t").await;
    let live = bucket.keys("t").remove(0);
    let folder = live.rsplit_once('/').unwrap().0.to_owned();
    let (ours, foreign) = (format!("{folder}/duckmesh-staged-x.parquet"), format!("{folder}/other.parquet"));
    bucket.s3.objects(|objects| {
        for key in [&ours, &foreign] {
            objects.all.insert(key.clone(), Object::new("old".into(), Vec::new()));
            objects.begin(key, Vec::new());
        }
        objects.age(Duration::from_secs(7200));
        objects.begin(&format!("{folder}/duckmesh-staged-young.parquet"), Vec::new());
    });
    bucket.server.restart();
    eventually_async("the old ones are swept", Duration::from_secs(30), || async {
        bucket.s3.objects(|objects| (!objects.all.contains_key(&ours) && objects.uploads.len() == 2).then_some(()))
    })
    .await;
    let left: Vec<String> = bucket.s3.objects(|objects| objects.uploads.values().map(|u| u.key.clone()).collect());
    assert!(left.contains(&foreign) && left.iter().any(|key| key.ends_with("young.parquet")), "{left:?}");
    assert!(bucket.s3.objects(|objects| objects.all.contains_key(&foreign)), "not ours");
    let client = bucket.client().await;
    bucket.forget("t");
    assert_eq!(client.value("SELECT * FROM t").await, "1", "and nothing that is part of the lake");
}

/// CO12, S10: nothing that clients see depends on a list.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn co12_s10_nothing_needs_a_list() {
    let bucket = Bucket::start();
    let client = bucket.client().await;
    bucket.s3.on(Where::verb(Verb::List), Fault::Status(500));
    client.ok("CREATE TABLE t (a int); INSERT INTO t VALUES (1); ALTER TABLE t ADD COLUMN b int").await;
    client.ok("INSERT INTO t VALUES (2, 3)").await;
    bucket.forget("t");
    assert_eq!(client.text("SELECT * FROM t ORDER BY a").await, ["1|NULL", "2|3"]);
    client.ok("DROP TABLE t; CREATE TABLE t (a int); INSERT INTO t VALUES (5)").await;
    assert_eq!(client.value("SELECT * FROM t").await, "5");
}

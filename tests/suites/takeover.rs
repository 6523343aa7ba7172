//! Two servers over one Postgres: one is killed, or freezes, at a failpoint; the other goes on, and nothing is lost.

use std::{path::Path, sync::Arc, time::Duration};

use duckmesh_tests::{
    checker,
    harness::{Client, Postgres, Server, ServerOptions, eventually_async, process},
    ledger::{Kind, Ledger, TABLES},
};
use tokio::task::JoinSet;

const LIMIT: Duration = Duration::from_secs(60);
/// A frozen server's locks and lease are gone by then.
const TAKEOVER: Duration = Duration::from_secs(30);

/// The first server stops at its failpoint before the second one is there: whoever would share its work, it is the one that is
/// there.
struct Two {
    first: Server,
    postgres: Postgres,
    folder: tempfile::TempDir,
}

impl Two {
    async fn with_first_at(failpoint: &str, ledger: &Ledger) -> Self {
        Self::with_first_armed(ledger, |_| format!("{failpoint}=park")).await
    }

    /// What is armed may name files in the folder.
    async fn with_first_armed(ledger: &Ledger, armed: impl FnOnce(&Path) -> String) -> Self {
        let (postgres, folder) = (Postgres::start(), tempfile::tempdir().unwrap());
        let mut first = Server::with(options(&postgres, &folder, "first"));
        let client = first.client().await;
        client.ok(TABLES).await;
        assert!(ledger.write(&client, 100, Kind::Transaction, 3).await);
        client.ok("SELECT count(*) FROM ledger_a").await;
        drop(client);
        assert!(first.stop().success());
        first.restart_with_failpoints(Some(&armed(folder.path())));
        Self { first, postgres, folder }
    }

    async fn first_reaches(&self, failpoint: &str) {
        let reached = || async { self.first.reached(failpoint).then_some(()) };
        eventually_async(&format!("failpoint {failpoint}"), LIMIT, reached).await;
    }

    fn second(&self) -> Server {
        Server::with(options(&self.postgres, &self.folder, "second"))
    }
}

fn options(postgres: &Postgres, folder: &tempfile::TempDir, name: &str) -> ServerOptions {
    let data = Some(folder.path().join(name));
    ServerOptions { data, catalog: Some(postgres.url()), ..ServerOptions::default() }
}

/// Writers and readers of one server, until it is gone or they are.
fn work(port: u16, ledger: &Arc<Ledger>, names: u32) -> JoinSet<()> {
    let mut all = JoinSet::new();
    for writer in names..names + 3 {
        let ledger = ledger.clone();
        all.spawn(async move {
            let Ok(client) = Client::connect(port, "duckmesh").await else { return };
            for n in 0_u32.. {
                let kind = [Kind::Insert, Kind::Transaction, Kind::Insert, Kind::Copy][n as usize % 4];
                let parts = if writer == names && kind == Kind::Copy { 600_000 } else { 1 + n % 7 };
                if !ledger.write(&client, writer, kind, parts).await {
                    return;
                }
            }
        });
    }
    let ledger = ledger.clone();
    all.spawn(async move {
        let Ok(client) = Client::connect(port, "duckmesh").await else { return };
        while ledger.try_read(&client, names).await != duckmesh_tests::ledger::ReadEnd::Lost {}
    });
    all
}

/// Writes, and reads what it wrote, within the limit.
async fn serves(server: &Server, ledger: &Ledger, writer: u32, limit: Duration) {
    let client = server.client().await;
    let served = async {
        assert!(ledger.write(&client, writer, Kind::Transaction, 2).await);
        assert!(ledger.read(&client, writer).await);
    };
    tokio::time::timeout(limit, served).await.expect("the other server goes on");
}

async fn killed_at(name: &'static str) {
    let ledger = Arc::new(Ledger::default());
    let mut two = Two::with_first_at(name, &ledger).await;
    let mut at_first = work(two.first.port(), &ledger, 0);
    at_first.spawn(crate::crash::ask(two.first.port(), name));
    two.first_reaches(name).await;
    let second = two.second();
    // What it begins now meets what the first one has begun and not ended.
    let mut at_second = work(second.port(), &ledger, 10);
    eventually_async("the second one is at work", LIMIT, || async {
        (ledger.ops().contains_key(&(11, 0))).then_some(())
    })
    .await;
    two.first.kill();
    serves(&second, &ledger, 20, TAKEOVER).await;
    while at_first.join_next().await.is_some() {}
    at_second.abort_all();
    while at_second.join_next().await.is_some() {}
    checker::check(&ledger, &second.client().await).await;
    two.first.restart_with_failpoints(None);
    serves(&two.first, &ledger, 21, TAKEOVER).await;
    checker::check(&ledger, &two.first.client().await).await;
}

/// G8, CO3: the first server freezes exactly there for longer than its lease, another goes on in its place; thawed, it goes on
/// from there, with all it believed.
async fn frozen_at(name: &'static str) {
    let ledger = Arc::new(Ledger::default());
    let two =
        Two::with_first_armed(&ledger, |folder| format!("{name}=1*wait:{}", folder.join("go-on").display())).await;
    let mut at_first = work(two.first.port(), &ledger, 0);
    at_first.spawn(crate::crash::ask(two.first.port(), name));
    two.first_reaches(name).await;
    assert!(process::signal(two.first.pid(), process::STOP));
    let second = two.second();
    serves(&second, &ledger, 20, TAKEOVER).await;
    std::fs::write(two.folder.path().join("go-on"), b"").unwrap();
    assert!(process::signal(two.first.pid(), process::CONT));
    // Both are at work, the one that was away too, and what it had begun ends.
    serves(&two.first, &ledger, 21, TAKEOVER).await;
    serves(&second, &ledger, 22, TAKEOVER).await;
    at_first.abort_all();
    while at_first.join_next().await.is_some() {}
    for server in [&two.first, &second] {
        checker::check(&ledger, &server.client().await).await;
    }
}

/// Every failpoint that one of several servers passes: the frozen server is a zombie when it wakes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make test-faults"]
async fn g8_co3_faults_a_server_frozen_at_any_failpoint_is_replaced() {
    // One alone, to have a failure again.
    let only = std::env::var("DUCKMESH_FAILPOINT").ok();
    let all = crate::crash::REACHED.iter().chain(crate::crash::REACHED_SHARED);
    for name in all.filter(|name| only.as_ref().is_none_or(|only| name.contains(only.as_str()))) {
        let begun = std::time::Instant::now();
        frozen_at(name).await;
        println!("frozen at {name}: {:.1} s", begun.elapsed().as_secs_f64());
    }
}

macro_rules! killed_at {
    ($($(#[$attribute:meta])* $name:ident = $failpoint:literal),* $(,)?) => {
        $(
            $(#[$attribute])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { killed_at($failpoint).await; }
        )*
        const RUN: &[&str] = &[$($failpoint),*];
    };
}

// CI runs one of the append, one of the publication and one of the merge; `make test-faults` the others.
killed_at!(
    g1_gw2_crash_the_other_goes_on_at_bus_append_after_commit = "bus-append-after-commit",
    g8_co2_crash_the_other_goes_on_at_publish_before_commit = "publish-before-commit",
    #[ignore = "long: make test-faults"]
    crash_the_other_goes_on_at_insert_before_append = "insert-before-append",
    #[ignore = "long: make test-faults"]
    crash_the_other_goes_on_at_insert_after_append = "insert-after-append",
    #[ignore = "long: make test-faults"]
    crash_the_other_goes_on_at_insert_before_complete = "insert-before-complete",
    #[ignore = "long: make test-faults"]
    crash_the_other_goes_on_at_copy_after_stage = "copy-after-stage",
    #[ignore = "long: make test-faults"]
    crash_the_other_goes_on_at_copy_before_append = "copy-before-append",
    #[ignore = "long: make test-faults"]
    crash_the_other_goes_on_at_bus_append_before_commit = "bus-append-before-commit",
    #[ignore = "long: make test-faults"]
    crash_the_other_goes_on_at_lease_before_renew = "lease-before-renew",
    #[ignore = "long: make test-faults"]
    crash_the_other_goes_on_at_commit_after_read = "commit-after-read",
    #[ignore = "long: make test-faults"]
    crash_the_other_goes_on_at_commit_after_encode = "commit-after-encode",
    #[ignore = "long: make test-faults"]
    co1_crash_the_other_goes_on_at_commit_after_put = "commit-after-put",
    #[ignore = "long: make test-faults"]
    co2_crash_the_other_goes_on_at_publish_after_commit = "publish-after-commit",
    #[ignore = "long: make test-faults"]
    rd3_crash_the_other_goes_on_at_compact_after_put = "compact-after-put",
    #[ignore = "long: make test-faults"]
    rd3_crash_the_other_goes_on_at_compact_before_publish = "compact-before-publish",
    #[ignore = "long: make test-faults"]
    crash_the_other_goes_on_at_trim_before = "trim-before",
    #[ignore = "long: make test-faults"]
    crash_the_other_goes_on_at_trim_after = "trim-after",
    #[ignore = "long: make test-faults"]
    crash_the_other_goes_on_at_startup_after_auth = "startup-after-auth",
    #[ignore = "long: make test-faults"]
    crash_the_other_goes_on_at_encode_poison = "encode-poison",
    #[ignore = "long: make test-faults"]
    crash_the_other_goes_on_at_ddl_after_validate = "ddl-after-validate",
    #[ignore = "long: make test-faults"]
    rd1_crash_the_other_goes_on_at_retention_after_list = "retention-after-list",
    #[ignore = "long: make test-faults"]
    rd1_crash_the_other_goes_on_at_retention_before_delete = "retention-before-delete",
    #[ignore = "long: make test-faults"]
    rd2_crash_the_other_goes_on_at_pin_after_insert = "pin-after-insert",
);

#[test]
fn crash_every_reached_failpoint_is_run_with_two_servers() {
    let all = crate::crash::REACHED.iter().chain(crate::crash::REACHED_SHARED);
    let missing: Vec<_> = all.filter(|name| !RUN.contains(name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// CO3: a coordinator that freezes in its publication holds locks that no lease ends; PostgreSQL takes them from it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g8_co3_a_coordinator_frozen_in_its_publication_is_replaced() {
    let ledger = Ledger::default();
    let mut two = Two::with_first_at("publish-before-commit", &ledger).await;
    let client = two.first.client().await;
    assert!(ledger.write(&client, 0, Kind::Insert, 2).await);
    two.first_reaches("publish-before-commit").await;
    assert!(process::signal(two.first.pid(), process::STOP));
    let second = two.second();
    serves(&second, &ledger, 1, TAKEOVER).await;
    two.first.kill();
    checker::check(&ledger, &second.client().await).await;
}

/// GW3: a gateway that freezes in its append holds the lane of everybody; nobody else gets an error for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g10_gw3_a_gateway_frozen_in_its_append_stops_nobody() {
    let ledger = Ledger::default();
    let mut two = Two::with_first_at("bus-append-before-commit", &ledger).await;
    let second = two.second();
    let client = two.first.client().await;
    // With a key an append is a transaction of several statements, and the lane is locked from the first one on.
    client.ok("SET duckmesh.idempotency_key = 'frozen'").await;
    let frozen = tokio::spawn(async move { client.rows("INSERT INTO ledger_a VALUES (99, 0, 0)").await.map(drop) });
    two.first_reaches("bus-append-before-commit").await;
    assert!(process::signal(two.first.pid(), process::STOP));
    serves(&second, &ledger, 1, TAKEOVER).await;
    two.first.kill();
    assert!(frozen.await.unwrap().is_err(), "G7: no success without an answer");
    checker::check(&ledger, &second.client().await).await;
}

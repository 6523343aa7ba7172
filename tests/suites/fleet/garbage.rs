//! Servers that come too late: what another one swept meanwhile they can neither write nor merge, and nothing is lost.

use std::path::{Path, PathBuf};

use duckmesh_tests::harness::{
    Client, Server, ServerOptions, eventually, eventually_async,
    process::{CONT, STOP, signal},
};

use super::{Fleet, LEASE, PATIENCE, make};

/// So long nothing is swept; short, so that a test sees it.
const GRACE: [&str; 4] = ["--sweep-grace-seconds", "2", "--merge-grace-seconds", "1"];
/// Rows of one statement that are staged as a file before they are appended.
const MANY: usize = 2_000_000;

fn files(folder: &Path, kind: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.path() {
            path if path.is_dir() => found.extend(files(&path, kind)),
            path if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(kind)) => found.push(path),
            _ => {}
        }
    }
    found
}

impl Fleet {
    fn held_at(&self, name: &str, failpoint: &str, args: &[&str]) -> (Server, PathBuf) {
        let lease = LEASE.as_millis().to_string();
        let go = self.folder.path().join(format!("{name}.go"));
        let args = ["--lease-ms", &lease].iter().chain(args).map(|arg| (*arg).to_owned()).collect();
        let options = ServerOptions {
            data: Some(self.folder.path().join(name)),
            catalog: Some(self.postgres.url()),
            failpoints: Some(format!("{failpoint}wait:{}", go.display())),
            args,
            ..ServerOptions::default()
        };
        (Server::with(options), go)
    }

    /// Waits until no file of that kind is left, whoever stored it.
    async fn until_swept(&self, kind: &str) {
        eventually_async("the file is swept", PATIENCE, async || {
            files(self.folder.path(), kind).is_empty().then_some(())
        })
        .await;
    }
}

/// CO3, RD3: a maintainer that is frozen between its merge and the merge's publication, for longer than the sweep's grace:
/// another sweeps the merged file, and the rows stay where they were.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn co3_rd3_a_merge_that_comes_too_late_shows_nothing() {
    let fleet = Fleet::new();
    let server = fleet.server_with("a", &["--role", "gateway,coordinator"]);
    let client = server.client().await;
    make(&client, "t").await;
    for n in 0..24 {
        client.ok(&format!("INSERT INTO t VALUES ({n})")).await;
        client.value("SELECT count(*) FROM t").await;
    }
    let role = |more: &[&'static str]| [&["--role", "maintenance"], &GRACE[..], more].concat();
    let (zombie, go) = fleet.held_at("zombie", "compact-after-put=", &role(&[]));
    eventually_async("a merge is held", PATIENCE, async || zombie.reached("compact-after-put").then_some(())).await;
    assert!(signal(zombie.pid(), STOP));
    assert_eq!(files(fleet.folder.path(), "duckmesh-merged-").len(), 1);
    let heir = fleet.server_with("heir", &role(&["--merge-files", "false"]));
    fleet.until_swept("duckmesh-merged-").await;
    std::fs::write(go, "").unwrap();
    assert!(signal(zombie.pid(), CONT));
    // It is refused, or ended before it comes so far, by whichever it learns first.
    let knows = |log: &str| log.contains("given up") || log.contains("thought dead");
    eventually_async("it knows", PATIENCE, async || knows(&zombie.log()).then_some(())).await;
    assert_eq!(client.value("SELECT count(*) || '/' || sum(n) FROM t").await, "24/276");
    // It learns that it maintains nothing any more: what comes now is merged by nobody.
    let catalog = fleet.postgres.client().await;
    let maintainers =
        format!("SELECT count(*) FROM duckmesh.lease WHERE duty = 'maintain' AND owner LIKE 'pid-{}-%'", heir.pid());
    assert_eq!(catalog.value(&maintainers).await, "1");
    client.ok("CREATE TABLE t2 (n bigint)").await;
    for n in 0..24 {
        client.ok(&format!("INSERT INTO t2 VALUES ({n})")).await;
        client.value("SELECT count(*) FROM t2").await;
    }
    assert_eq!(client.value("SELECT count(*) FROM duckmesh.files WHERE table_name = 't2'").await, "24");
    assert_eq!(client.value("SELECT count(*) || '/' || sum(n) FROM t").await, "24/276");
}

async fn insert_many(client: &Client) -> Result<(), String> {
    let insert = format!("INSERT INTO t SELECT generate_series(1, {MANY})");
    client.rows(&insert).await.map(drop).map_err(|e| duckmesh_tests::harness::client::explain(&e))
}

/// G1, GW1: a gateway that is frozen between staging and append for longer than the grace is not acknowledged: its rows were
/// swept. It says so, and the repeat is stored.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g1_gw1_rows_that_were_swept_are_not_acknowledged() {
    let fleet = Fleet::new();
    let all = fleet.server_with("all", &GRACE);
    let (gateway, go) =
        fleet.held_at("gateway", "insert-before-append=3*", &[&["--role", "gateway"], &GRACE[..]].concat());
    let client = gateway.client().await;
    make(&client, "t").await;
    client.ok("INSERT INTO t VALUES (0)").await;
    let write = tokio::spawn(async move { (insert_many(&client).await, client) });
    eventually_async("the append is held", PATIENCE, async || gateway.reached("insert-before-append").then_some(()))
        .await;
    assert_eq!(files(fleet.folder.path(), "duckmesh-staged-").len(), 1);
    assert!(signal(gateway.pid(), STOP));
    fleet.until_swept("duckmesh-staged-").await;
    std::fs::write(go, "").unwrap();
    assert!(signal(gateway.pid(), CONT));
    let (written, client) = write.await.unwrap();
    let refused = written.expect_err("rows that are gone");
    assert!(refused.starts_with("40001: "), "{refused}");
    let other = all.client().await;
    other.ok("SET duckmesh.consistency = strong").await;
    assert_eq!(other.value("SELECT count(*) FROM t").await, "1");
    insert_many(&client).await.expect("the repeat");
    assert_eq!(other.value("SELECT count(*) FROM t").await, (MANY + 1).to_string());
}

/// Two servers that say the same address, as loopback addresses of two machines are: neither thinks the other dead.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g5_gw13_the_same_address_is_no_death() {
    let fleet = Fleet::new();
    let address = ["--advertise", "127.0.0.1:1"];
    let first = fleet.server_with("a", &address);
    let holder = first.client().await;
    assert_eq!(holder.value("SELECT pg_try_advisory_lock(7)").await, "t");
    let second = fleet.server_with("b", &address);
    let other = second.client().await;
    assert_eq!(other.value("SELECT pg_try_advisory_lock(7)").await, "f");
    // Longer than it takes to notice a death.
    let beats = "SELECT alive_until_ms FROM duckmesh.node ORDER BY node_id LIMIT 1";
    let catalog = fleet.postgres.client().await;
    let before: i64 = catalog.value(beats).await.parse().unwrap();
    eventually_async("the first lives on", PATIENCE, async || {
        let now: i64 = catalog.value(beats).await.parse().unwrap();
        (now > before + 2 * LEASE.as_millis() as i64).then_some(())
    })
    .await;
    assert_eq!(holder.value("SELECT pg_advisory_unlock(7)").await, "t", "it was held all the time");
    assert!(!first.log().contains("thought dead"), "{}", first.log());
}

/// A server that was forgotten comes back with its address; where its place is another's by now, it ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn co3_a_forgotten_server_comes_back_or_ends() {
    let fleet = Fleet::new();
    let mut server = fleet.server("a");
    let catalog = fleet.postgres.client().await;
    let own = format!("name LIKE 'pid-{}-%'", server.pid());
    let place = format!("SELECT slot || ' ' || address FROM duckmesh.node WHERE {own}");
    let had = catalog.value(&place).await;
    catalog.ok(&format!("DELETE FROM duckmesh.node WHERE {own}")).await;
    eventually_async("it comes back", PATIENCE, async || (catalog.text(&place).await == [had.clone()]).then_some(()))
        .await;
    let client = server.client().await;
    make(&client, "t").await;
    client.ok("INSERT INTO t VALUES (1)").await;
    assert_eq!(client.value("SELECT count(*) FROM t").await, "1");
    drop(client);
    let slot = had.split(' ').next().expect("a slot");
    let taken = format!(
        "DELETE FROM duckmesh.node WHERE {own};
         INSERT INTO duckmesh.node(name, slot, gateway, coordinator, maintenance, alive_until_ms)
         SELECT 'another', {slot}, false, false, false, 4102444800000"
    );
    catalog.ok(&taken).await;
    eventually("it ends", PATIENCE, || server.has_ended().then_some(()));
    server.says("another server took this one's place");
}

//! The primary is lost and a standby takes its place.

use std::{
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
};

use duckmesh_tests::{
    harness::{Client, Postgres, Server, ServerOptions, eventually_async, paths},
    tcp_proxy::TcpProxy,
};

use super::{LIMIT, options, refused};

fn both(one: &Postgres, two: &Postgres) -> String {
    format!("postgres://tester@127.0.0.1:{},127.0.0.1:{}/postgres", one.port(), two.port())
}

/// A primary, and a standby that every commit waits for.
async fn synchronous() -> (Postgres, Postgres) {
    let primary = Postgres::with(&[]);
    let standby = primary.standby("spare");
    let admin = primary.client().await;
    admin.ok("ALTER SYSTEM SET synchronous_standby_names = 'spare'").await;
    admin.ok("SELECT pg_reload_conf()").await;
    eventually_async("the standby is synchronous", LIMIT, || async {
        (admin.text("SELECT sync_state FROM pg_stat_replication").await == ["sync"]).then_some(())
    })
    .await;
    (primary, standby)
}

/// PG3: failover to a synchronous standby, with writers running. Every acknowledged row is there, once; servers find the new
/// primary by themselves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g1_pg3_failover_to_a_synchronous_standby_loses_nothing() {
    let (mut primary, standby) = synchronous().await;
    let server = Server::with(options(both(&primary, &standby)));
    server.client().await.ok("CREATE TABLE t (a int)").await;
    let (stop, acknowledged) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicI64::new(0)));
    let mut writers = Vec::new();
    for writer in 0..4_i64 {
        let (port, stop, acknowledged) = (server.port(), stop.clone(), acknowledged.clone());
        writers.push(tokio::spawn(async move {
            let mut rows = Vec::new();
            let mut n = 0;
            while !stop.load(Ordering::Acquire) {
                let Ok(client) = Client::connect(port, "duckmesh").await else { continue };
                while !stop.load(Ordering::Acquire) {
                    n += 1;
                    let row = writer * 1_000_000 + n;
                    match client.rows(&format!("INSERT INTO t VALUES ({row})")).await {
                        Ok(_) => rows.push(row),
                        Err(_) => break,
                    }
                    acknowledged.fetch_add(1, Ordering::AcqRel);
                }
            }
            rows
        }));
    }
    let more = async |than: i64| {
        eventually_async("writers go on", LIMIT, || async {
            (acknowledged.load(Ordering::Acquire) >= than).then_some(())
        })
        .await;
    };
    more(40).await;
    primary.stop_immediately();
    // It waits for no standby of its own.
    standby.promote();
    standby.client().await.ok("ALTER SYSTEM RESET synchronous_standby_names").await;
    standby.client().await.ok("SELECT pg_reload_conf()").await;
    let at_failover = acknowledged.load(Ordering::Acquire);
    more(at_failover + 40).await;
    stop.store(true, Ordering::Release);
    let mut expected = Vec::new();
    for writer in writers {
        expected.extend(writer.await.unwrap());
    }
    let client = server.client().await;
    client.ok("SET duckmesh.consistency = strong").await;
    let found: Vec<i64> = client.text("SELECT a FROM t").await.iter().map(|n| n.parse().unwrap()).collect();
    let lost: Vec<_> = expected.iter().filter(|row| !found.contains(row)).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    let mut once = found.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), found.len(), "each once");
}

/// PG5: the standby was promoted, and the old primary lives on: whoever is on it gets no acknowledgement, because its commits wait
/// for a standby that is gone. On the new one nothing acknowledged is missing, and who comes over from the old one goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make test-faults"]
async fn g1_pg5_faults_an_old_primary_that_lives_on_acknowledges_nothing() {
    let (primary, standby) = synchronous().await;
    let ways = || (TcpProxy::start(primary.port()), TcpProxy::start(standby.port()));
    let (left, right) = (ways(), ways());
    let hosts = |(old, new): &(TcpProxy, TcpProxy)| {
        options(format!("postgres://tester@127.0.0.1:{},127.0.0.1:{}/postgres", old.port(), new.port()))
    };
    let (on_old, on_new) = (Server::with(hosts(&left)), Server::with(hosts(&right)));
    let (one, other) = (on_old.client().await, on_new.client().await);
    one.ok("CREATE TABLE t (a int); INSERT INTO t VALUES (1)").await;
    other.ok("SET duckmesh.consistency = strong; SET duckmesh.barrier_timeout = '60s'").await;
    other.ok("INSERT INTO t VALUES (2)").await;
    assert_eq!(other.value("SELECT count(*) FROM t").await, "2");
    // One server sees only the old primary, the other only the new one.
    left.1.refuse(true);
    right.0.refuse(true);
    right.0.cut_all();
    standby.promote();
    standby.client().await.ok("ALTER SYSTEM RESET synchronous_standby_names").await;
    standby.client().await.ok("SELECT pg_reload_conf()").await;
    one.ok("SET duckmesh.idempotency_key = 'split'").await;
    let code = refused(&one, "INSERT INTO t VALUES (3)").await;
    assert!(["08006", "08007"].contains(&code.as_str()), "not acknowledged on the old primary: {code}");
    eventually_async("the new primary is found", LIMIT, || async {
        let client = Client::connect(on_new.port(), "duckmesh").await.ok()?;
        client.rows("SET duckmesh.idempotency_key = 'new'; INSERT INTO t VALUES (4)").await.ok()
    })
    .await;
    left.1.refuse(false);
    left.0.refuse(true);
    left.0.cut_all();
    eventually_async("it comes over", LIMIT, || async {
        let client = Client::connect(on_old.port(), "duckmesh").await.ok()?;
        client.rows("SET duckmesh.idempotency_key = 'split'; INSERT INTO t VALUES (3)").await.ok()
    })
    .await;
    for server in [&on_old, &on_new] {
        let client = server.client().await;
        client.ok("SET duckmesh.consistency = strong; SET duckmesh.barrier_timeout = '60s'").await;
        assert_eq!(client.text("SELECT a FROM t ORDER BY a").await, ["1", "2", "3", "4"], "each once");
    }
}

fn new_incarnation(catalog: &str, data: &Path) -> (bool, String) {
    let mut command = Command::new(paths::server_binary());
    let output = command.args(["admin", "new-incarnation", "--catalog", catalog, "--data"]).arg(data).output().unwrap();
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    (output.status.success(), text.concat())
}

/// PG4, TK4: an asynchronous standby is promoted that had not got everything. No server goes on as if nothing had happened,
/// until an operator says so; tokens of what was lost are refused for ever, those of what is left hold.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g3_pg4_tk4_a_failover_that_lost_rows_is_a_new_incarnation() {
    let mut primary = Postgres::with(&[]);
    let standby = primary.standby("spare");
    let mut server = Server::with(options(both(&primary, &standby)));
    let client = server.client().await;
    client.ok("CREATE TABLE t (a int)").await;
    let kept = client.write("INSERT INTO t VALUES (1)").await;
    client.ok("SELECT * FROM t").await;
    let follower = standby.client().await;
    let published = "SELECT watermark FROM lake_duckmesh.duckmesh_state";
    eventually_async("the standby has the first row", LIMIT, || async {
        (follower.value(published).await == "2").then_some(())
    })
    .await;
    let (done, said) = new_incarnation(&both(&primary, &standby), server.data());
    assert!(!done && said.contains("stop all of them"), "not while servers run: {said}");
    // From here on it gets nothing.
    follower.ok("ALTER SYSTEM SET primary_conninfo = ''").await;
    follower.ok("SELECT pg_reload_conf()").await;
    eventually_async("it is cut off", LIMIT, || async {
        (follower.value("SELECT count(*) FROM pg_stat_wal_receiver").await == "0").then_some(())
    })
    .await;
    let lost = client.write("INSERT INTO t VALUES (2)").await;
    primary.stop_immediately();
    standby.promote();
    assert_eq!(
        refused(&client, "INSERT INTO t VALUES (3)").await,
        "55000",
        "the server remembers what it acknowledged"
    );
    assert_eq!(refused(&client, "SELECT * FROM t").await, "55000");
    let (data, catalog) = (server.data().to_owned(), both(&primary, &standby));
    let fresh = Server::try_with(options(catalog.clone())).err().expect("one that remembers nothing refuses too");
    assert!(fresh.contains("duckmesh admin new-incarnation"), "{fresh}");
    let (done, said) = new_incarnation(&catalog, &data);
    assert!(done && said.contains("incarnation 2"), "{said}");
    assert_eq!(
        refused(&client, "SELECT * FROM t").await,
        "55000",
        "who remembers another history is of no use any more"
    );
    server.kill();
    let server = Server::with(ServerOptions { data: Some(data.clone()), ..options(catalog.clone()) });
    let client = server.client().await;
    client.ok(&format!("SET duckmesh.min_token = '{kept}'")).await;
    assert_eq!(client.text("SELECT a FROM t").await, ["1"], "what is left is read, by its old token");
    client.ok(&format!("SET duckmesh.min_token = '{lost}'")).await;
    assert_eq!(refused(&client, "SELECT a FROM t").await, "55000");
    client.ok("RESET duckmesh.min_token").await;
    let mut token = String::new();
    for n in 10..15 {
        token = client.write(&format!("INSERT INTO t VALUES ({n})")).await;
    }
    assert!(token.starts_with("duckmesh/2."), "{token}");
    client.ok(&format!("SET duckmesh.min_token = '{lost}'")).await;
    assert_eq!(refused(&client, "SELECT a FROM t").await, "55000", "also when there is something at its offset again");
    client.ok(&format!("SET duckmesh.min_token = '{token}'")).await;
    assert_eq!(client.value("SELECT count(*) FROM t").await, "6");
    client.ok("SET duckmesh.min_token = 'duckmesh/3.1'").await;
    assert_eq!(refused(&client, "SELECT a FROM t").await, "55000", "nobody gave that one");
}

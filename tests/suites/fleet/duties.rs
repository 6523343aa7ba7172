//! Who publishes: roles, shares, takeovers, zombies, and lakes that do not wait for each other.

use std::time::Instant;

use duckmesh_tests::{
    checker,
    harness::{
        eventually_async,
        process::{CONT, STOP, signal},
    },
    ledger::{Kind, Ledger, TABLES},
};

use super::{Fleet, LEASE, PATIENCE, make};

/// A gateway takes no lease, a coordinator opens no Postgres port; together they are a server. A lake that a gateway makes is
/// found by the coordinator by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fleet_roles_are_apart() {
    let fleet = Fleet::new();
    let gateway = fleet.server_with("gateway", &["--role", "gateway"]);
    let mut coordinator = fleet.server_with("coordinator", &["--role", "coordinator"]);
    assert_eq!(coordinator.port(), 0, "no Postgres port");
    let client = gateway.client().await;
    make(&client, "t").await;
    coordinator.kill();
    client.ok("INSERT INTO t VALUES (1)").await;
    // Longer than a takeover, if somebody were there to take over.
    client.ok(&format!("SET duckmesh.barrier_timeout = {}", 3 * LEASE.as_millis())).await;
    let failed = client.fails("SELECT sum(n) FROM t").await;
    assert!(failed.starts_with("MD001: "), "{failed}");
    coordinator.restart();
    client.ok("SET duckmesh.barrier_timeout = '60s'").await;
    assert_eq!(client.value("SELECT sum(n) FROM t").await, "1");
    client.ok("CREATE DATABASE sales").await;
    let sales = gateway.client_of("sales").await;
    make(&sales, "s").await;
    sales.ok("INSERT INTO s VALUES (2)").await;
    assert_eq!(sales.value("SELECT sum(n) FROM s").await, "2");
    fleet.until_published(&coordinator, 2).await;
    let catalog = fleet.postgres.client().await;
    assert!(fleet.published_by(&catalog, &gateway).await.is_empty(), "a gateway publishes nothing");
}

/// Small files are merged by a server that does nothing else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fleet_maintenance_alone_merges() {
    let fleet = Fleet::new();
    let server = fleet.server_with("a", &["--role", "gateway,coordinator"]);
    let client = server.client().await;
    make(&client, "t").await;
    for n in 0..25 {
        client.ok(&format!("INSERT INTO t VALUES ({n})")).await;
        client.value("SELECT count(*) FROM t").await;
    }
    let files = "SELECT count(*) FROM duckmesh.files WHERE table_name = 't'";
    assert_eq!(client.value(files).await, "25");
    let _maintenance = fleet.server_with("m", &["--role", "maintenance"]);
    eventually_async("files are merged", PATIENCE, async || {
        let count: usize = client.value(files).await.parse().expect("a number");
        (count <= 10).then_some(())
    })
    .await;
    assert_eq!(client.value("SELECT count(*) || '/' || sum(n) FROM t").await, "25/300");
}

/// Lakes are divided; a coordinator that stops hands over at once, one that is killed is replaced in less than two leases.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn co8_fleet_lakes_are_divided_and_change_hands() {
    let fleet = Fleet::new();
    let mut first = fleet.server("a");
    let client = first.client().await;
    for lake in ["one", "two", "three"] {
        client.ok(&format!("CREATE DATABASE {lake}")).await;
    }
    fleet.until_published(&first, 4).await;
    let mut second = fleet.server("b");
    fleet.until_published(&first, 2).await;
    fleet.until_published(&second, 2).await;

    // SIGTERM: all lakes change hands long before the lease would end, and clients of the other see their writes.
    let other = second.client_of("one").await;
    make(&other, "t").await;
    let started = Instant::now();
    assert!(signal(first.pid(), duckmesh_tests::harness::process::TERM));
    fleet.until_published(&second, 4).await;
    let handed_over = started.elapsed();
    assert!(handed_over < LEASE, "handed over after {handed_over:?}");
    assert!(first.stop_begun().success());

    // kill -9: by the database's clock.
    first.restart();
    fleet.until_published(&first, 2).await;
    let started = Instant::now();
    second.kill();
    let client = first.client_of("one").await;
    client.ok("INSERT INTO t VALUES (1)").await;
    client.ok("SET duckmesh.barrier_timeout = '60s'").await;
    assert_eq!(client.value("SELECT sum(n) FROM t").await, "1");
    fleet.until_published(&first, 4).await;
    let taken_over = started.elapsed();
    assert!(taken_over < 2 * LEASE, "taken over after {taken_over:?}");
    println!("handed over in {handed_over:?}, taken over in {taken_over:?}, lease {LEASE:?}");
}

/// CO3: frozen past its lease, replaced, thawed: its writes count, its publications do not.
async fn zombies(rounds: u32) {
    let fleet = Fleet::new();
    let ledger = Ledger::default();
    let servers = [fleet.server("a"), fleet.server("b")];
    let clients = [servers[0].client().await, servers[1].client().await];
    clients[0].ok(TABLES).await;
    for client in &clients {
        client.ok("SET duckmesh.barrier_timeout = '60s'").await;
    }
    let catalog = fleet.postgres.client().await;
    for round in 0..rounds {
        let leads = eventually_async("one publishes", PATIENCE, async || {
            for (at, server) in servers.iter().enumerate() {
                if !fleet.published_by(&catalog, server).await.is_empty() {
                    return Some(at);
                }
            }
            None
        })
        .await;
        let (zombie, heir) = (leads, 1 - leads);
        assert!(ledger.write(&clients[zombie], 0, Kind::Transaction, 3).await);
        assert!(signal(servers[zombie].pid(), STOP));
        assert!(ledger.write(&clients[heir], 1, Kind::Transaction, 3).await, "round {round}");
        assert!(ledger.read(&clients[heir], 1).await, "round {round}: taken over");
        assert!(signal(servers[zombie].pid(), CONT));
        for _ in 0..3 {
            assert!(ledger.write(&clients[zombie], 0, Kind::Insert, 2).await);
            assert!(ledger.write(&clients[heir], 1, Kind::Insert, 2).await);
        }
        assert!(ledger.read(&clients[zombie], 0).await);
    }
    checker::check(&ledger, &clients[0]).await;
    checker::check(&ledger, &clients[1]).await;
    let epoch = catalog.value("SELECT epoch FROM lake_duckmesh.duckmesh_state").await;
    println!("{rounds} rounds, epoch {epoch}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn co3_fleet_zombies_publish_nothing() {
    zombies(4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make test-faults"]
async fn co3_faults_zombies_publish_nothing_in_200_rounds() {
    zombies(200).await;
}

/// CO4: several begin at the same moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn co4_fleet_servers_that_begin_at_once_agree() {
    let fleet = Fleet::new();
    let servers: Vec<_> = std::thread::scope(|scope| {
        let starts: Vec<_> = ["a", "b", "c"].iter().map(|name| scope.spawn(|| fleet.server(name))).collect();
        starts.into_iter().map(|start| start.join().expect("it starts")).collect()
    });
    let client = servers[0].client().await;
    make(&client, "t").await;
    for server in &servers {
        server.client().await.ok("INSERT INTO t VALUES (1)").await;
    }
    client.ok("SET duckmesh.consistency = strong").await;
    assert_eq!(client.value("SELECT count(*) FROM t").await, "3");
    let catalog = fleet.postgres.client().await;
    let owners = "SELECT count(DISTINCT owner) FROM duckmesh.lease WHERE duty = 'publish'";
    assert_eq!(catalog.value(owners).await, "1");
    let slots = "SELECT count(DISTINCT slot) FROM duckmesh.node";
    assert_eq!(catalog.value(slots).await, "3");
}

/// CO8: a lake whose tables somebody locks does not keep others from being published.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn co8_fleet_a_stuck_lake_keeps_nobody_waiting() {
    let fleet = Fleet::new();
    let server = fleet.server_with("a", &["--publications-max", "2"]);
    let client = server.client().await;
    make(&client, "t").await;
    client.ok("CREATE DATABASE stuck").await;
    let stuck = server.client_of("stuck").await;
    make(&stuck, "t").await;
    let mut blocker = fleet.postgres.client().await;
    let hold = blocker.pg.transaction().await.expect("begins");
    hold.batch_execute("SELECT * FROM lake_stuck.duckmesh_state FOR UPDATE").await.expect("locks");
    stuck.ok("INSERT INTO t VALUES (1)").await;
    stuck.ok("SET duckmesh.barrier_timeout = '1s'").await;
    let failed = stuck.rows("SELECT count(*) FROM t").await.expect_err("nothing is published");
    assert_eq!(failed.code().map(|code| code.code()), Some("MD001"), "{failed}");
    let started = Instant::now();
    for n in 1..=20 {
        client.ok("INSERT INTO t VALUES (1)").await;
        assert_eq!(client.value("SELECT count(*) FROM t").await, n.to_string());
    }
    assert!(started.elapsed() < PATIENCE / 4, "others were kept waiting for {:?}", started.elapsed());
    hold.rollback().await.expect("rolls back");
    stuck.ok("SET duckmesh.barrier_timeout = '60s'").await;
    assert_eq!(stuck.value("SELECT count(*) FROM t").await, "1");
}

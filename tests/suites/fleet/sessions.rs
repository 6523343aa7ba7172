//! Sessions of other gateways: seen, stopped and ended from here.

use std::time::{Duration, Instant};

use duckmesh_tests::harness::{
    client::sqlstate,
    eventually_async,
    process::{CONT, STOP, signal},
};

use super::{Fleet, PATIENCE, make};

const LONG: &str = "SELECT count(*) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b";

/// `pg_stat_activity` and `pg_locks` show sessions of every gateway, of the own database alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fleet_sessions_of_every_gateway_are_shown_and_stopped() {
    let fleet = Fleet::new();
    let (one, two) = (fleet.server("a"), fleet.server("b"));
    let here = one.client().await;
    make(&here, "t").await;
    here.ok("CREATE DATABASE other").await;
    let (there, idle, elsewhere) = (two.client().await, two.client().await, two.client_of("other").await);
    for client in [&there, &idle, &elsewhere] {
        client.ok("SET application_name = 'far'").await;
    }
    idle.ok("BEGIN; SELECT pg_advisory_lock(4294967298); SELECT pg_advisory_xact_lock_shared(5, -6)").await;
    elsewhere.ok("SELECT pg_advisory_lock(99)").await;
    let pid = there.value("SELECT pg_backend_pid()").await;
    let cancelled = tokio::spawn(async move { (there.rows(LONG).await.map(drop), there) });
    let running = format!("SELECT state, query FROM pg_stat_activity WHERE pid = {pid}");
    let seen = eventually_async("its query is seen", PATIENCE, async || {
        let seen = here.text(&running).await;
        seen.first().is_some_and(|row| row.starts_with("active|")).then_some(seen)
    });
    assert_eq!(seen.await, [format!("active|{LONG}")]);
    let far = "SELECT state, count(*), count(client_addr), max(datname), bool_and(backend_start <= now()) \
               FROM pg_stat_activity WHERE application_name = 'far' GROUP BY 1 ORDER BY 1";
    assert_eq!(here.text(far).await, ["active|1|1|duckmesh|t", "idle in transaction|1|1|duckmesh|t"]);
    let own = "SELECT count(*) FROM pg_stat_activity WHERE pid = pg_backend_pid()";
    assert_eq!(here.value(own).await, "1", "and its own once");
    let locks = "SELECT classid, objid, objsubid, mode, granted, pid FROM pg_locks ORDER BY 3";
    let holder = idle.value("SELECT pg_backend_pid()").await;
    assert_eq!(
        here.text(locks).await,
        [format!("1|2|1|ExclusiveLock|t|{holder}"), format!("5|4294967290|2|ShareLock|t|{holder}"),]
    );
    assert_eq!(here.value(&format!("SELECT pg_cancel_backend({pid})")).await, "t");
    let (ended, there) = cancelled.await.expect("it ends");
    assert_eq!(ended.err().map(|error| sqlstate(&error)).as_deref(), Some("57014"));
    assert_eq!(there.value("SELECT 1").await, "1", "the session goes on");
    let over_rows = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'far'";
    assert_eq!(here.text(over_rows).await, ["t", "t"]);
    eventually_async("they are ended", PATIENCE, async || {
        (here.value("SELECT count(*) FROM pg_locks").await == "0").then_some(())
    })
    .await;
    assert!(there.rows("SELECT 1").await.is_err() && idle.rows("SELECT 1").await.is_err());
    assert_eq!(elsewhere.value("SELECT 1").await, "1", "another database's are not seen, and not ended");
    let theirs = elsewhere.value("SELECT pg_backend_pid()").await;
    assert_eq!(here.value(&format!("SELECT pg_terminate_backend({theirs})")).await, "f");
}

/// G10: a gateway that says nothing is left out, soon.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g10_fleet_a_frozen_gateway_keeps_nobody_from_seeing_the_others() {
    let fleet = Fleet::new();
    let (one, two) = (fleet.server("a"), fleet.server_with("b", &["--role", "gateway"]));
    let (here, there) = (one.client().await, two.client().await);
    let count = "SELECT count(*) FROM pg_stat_activity";
    assert_eq!(here.value(count).await, "2");
    let pid = there.value("SELECT pg_backend_pid()").await;
    assert!(signal(two.pid(), STOP));
    let begun = Instant::now();
    assert_eq!(here.value(count).await, "1");
    assert_eq!(here.value(&format!("SELECT pg_terminate_backend({pid})")).await, "f");
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert!(signal(two.pid(), CONT));
    eventually_async("it is seen again", PATIENCE, async || (here.value(count).await == "2").then_some(())).await;
    drop(there);
}

//! Advisory locks over several gateways, and cancel requests that come to the wrong one.

use std::time::{Duration, Instant};

use duckmesh_tests::harness::{
    Client, WireClient,
    client::sqlstate,
    eventually, eventually_async,
    process::{CONT, STOP, signal},
};

use super::{Fleet, LEASE, PATIENCE};
use crate::cancel::cancel;

const TRY: &str = "SELECT pg_try_advisory_lock(1)";

async fn locks(fleet: &Fleet) -> String {
    fleet.postgres.client().await.value("SELECT count(*) FROM duckmesh.advisory_lock").await
}

/// A key that one gateway's session has is not had on another: for sessions, transactions, shared and exclusive.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fleet_advisory_locks_hold_over_gateways() {
    let fleet = Fleet::new();
    let (one, two) = (fleet.server("a"), fleet.server("b"));
    let (here, there) = (one.client().await, two.client().await);
    here.ok("SELECT pg_advisory_lock(1), pg_advisory_lock(1)").await;
    assert_eq!(there.value(TRY).await, "f");
    assert_eq!(there.value("SELECT pg_try_advisory_lock(0, 1)").await, "t", "another key");
    here.ok("SELECT pg_advisory_unlock(1)").await;
    assert_eq!(there.value(TRY).await, "f", "it was taken twice");
    here.ok("SELECT pg_advisory_unlock(1)").await;
    assert_eq!(there.value(TRY).await, "t", "free at once");
    there.ok("SELECT pg_advisory_unlock_all()").await;
    here.ok("SELECT pg_advisory_lock_shared(1)").await;
    assert_eq!(there.value("SELECT pg_try_advisory_lock_shared(1)").await, "t");
    assert_eq!(there.value(TRY).await, "f");
    there.ok("SELECT pg_advisory_unlock_shared(1)").await;
    here.ok("SELECT pg_advisory_unlock_shared(1)").await;

    for end in ["COMMIT", "ROLLBACK", "ROLLBACK TO s"] {
        here.ok("BEGIN; SAVEPOINT s; SELECT pg_advisory_xact_lock(1)").await;
        assert_eq!(there.value(TRY).await, "f");
        here.ok(end).await;
        assert_eq!(there.value(TRY).await, "t", "free at once after {end}");
        there.ok("SELECT pg_advisory_unlock(1)").await;
        here.ok("ROLLBACK").await;
    }

    // Who waits gets it when it is free, and who stops waiting leaves nothing behind.
    here.ok("SELECT pg_advisory_lock(1)").await;
    there.ok("SET statement_timeout = '1500ms'").await;
    let failed = there.rows("SELECT pg_advisory_lock(1)").await.expect_err("it is held");
    assert_eq!(sqlstate(&failed), "57014");
    there.ok("SET statement_timeout = 0").await;
    let waiter = tokio::spawn(async move {
        there.ok("SELECT pg_advisory_lock(1)").await;
        there
    });
    eventually_async("it is known that it waits", PATIENCE, async || {
        let waiting = "SELECT count(*) FROM duckmesh.advisory_lock WHERE NOT granted";
        (fleet.postgres.client().await.value(waiting).await == "1").then_some(())
    })
    .await;
    let freed = Instant::now();
    drop(here);
    let there = waiter.await.expect("it got the lock");
    assert!(freed.elapsed() < Duration::from_secs(5), "it waited for {:?}", freed.elapsed());
    assert_eq!(locks(&fleet).await, "1");
    drop(there);
    eventually_async("nothing is left", PATIENCE, async || (locks(&fleet).await == "0").then_some(())).await;
}

/// Two sessions on two gateways that wait for each other: one is told, the other gets its lock.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fleet_a_deadlock_over_gateways_is_found() {
    let fleet = Fleet::where_nobody_dies();
    let (one, two) = (fleet.server("a"), fleet.server("b"));
    let (here, there) = (one.client().await, two.client().await);
    here.ok("SELECT pg_advisory_lock(1)").await;
    there.ok("SELECT pg_advisory_lock(2)").await;
    let wait = async |client: Client, key: i32| {
        let answer = client.rows(&format!("SELECT pg_advisory_lock({key})")).await;
        // Its end frees what the other waits for.
        answer.map(drop).map_err(|error| sqlstate(&error))
    };
    let answers = tokio::time::timeout(PATIENCE, async { tokio::join!(wait(here, 2), wait(there, 1)) }).await;
    let (first, second) = answers.expect("it ends");
    let mut answers = [first, second];
    answers.sort();
    assert_eq!(answers, [Ok(()), Err("40P01".to_owned())]);
}

/// A dead gateway's locks go, by the database's clock; one that was only frozen ends the sessions that believe in theirs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fleet_locks_of_a_dead_gateway_go() {
    let fleet = Fleet::new();
    let (mut one, two) = (fleet.server("a"), fleet.server("b"));
    let there = two.client().await;
    let here = one.client().await;
    here.ok("SELECT pg_advisory_lock(1)").await;
    assert_eq!(there.value(TRY).await, "f");
    assert!(signal(one.pid(), STOP));
    let started = Instant::now();
    there.ok("SELECT pg_advisory_lock(1)").await;
    assert!(started.elapsed() < 2 * LEASE + Duration::from_secs(2), "after {:?}", started.elapsed());
    assert!(signal(one.pid(), CONT));
    eventually_async("the frozen session is ended", PATIENCE, async || here.rows("SELECT 1").await.err()).await;

    let again = one.client().await;
    again.ok("SELECT pg_advisory_lock(2)").await;
    one.kill();
    there.ok("SELECT pg_advisory_lock(2)").await;
}

/// GW18: a request that comes to another gateway ends the statement; a wrong key does nothing; the next statement is not hit.
#[test]
fn gw18_fleet_a_cancel_finds_its_gateway() {
    let fleet = Fleet::new();
    let (one, two) = (fleet.server("a"), fleet.server("b"));
    let mut client: WireClient = one.wire();
    let (id, key) = client.key.clone();
    let wrong: Vec<u8> = key.iter().map(|byte| byte ^ 1).collect();
    for round in 0..10 {
        client.send(b'Q', b"SELECT pg_sleep(100)\0").expect("sent");
        cancel(two.port(), id, &wrong);
        assert!(client.answers_within(Duration::from_millis(100)).expect("it lives").is_none(), "a wrong key");
        let answers = eventually("the statement ends", Duration::from_secs(20), || {
            cancel(two.port(), id, &key);
            client.answers_within(Duration::from_millis(200)).expect("it lives")
        });
        assert_eq!(answers[0].sqlstate(), Some("57014"), "round {round}");
        assert_eq!(client.query("SELECT 1")[0].sqlstate(), None, "round {round}: the next statement was hit");
    }
    // Nobody's: nothing happens, and the gateway goes on.
    for id in [0, -1, 7, (2000 << 20) | 7, i32::MAX] {
        cancel(two.port(), id, &key);
    }
    assert_eq!(two.wire().query("SELECT 1")[0].sqlstate(), None);
}

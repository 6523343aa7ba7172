//! Answers that got lost: what was written is found out before anybody is told.

use std::sync::atomic::{AtomicU32, Ordering};

use duckmesh_tests::harness::{Client, Postgres, client::token_of, eventually_async};

use super::{LIMIT, refused, through};

/// PG2, CL1: the append was committed and its answer never came; the client gets success and the token.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g7_pg2_a_lost_answer_to_an_append_is_looked_up() {
    let postgres = Postgres::start();
    let (proxy, server) = through(&postgres);
    let client = server.client().await;
    client.ok("CREATE TABLE t (a int, b text)").await;
    for n in 0..5 {
        let text = format!("the row that was not answered, {n}");
        proxy.drop_reply(text.as_bytes());
        client.take_notices();
        client.ok(&format!("INSERT INTO t VALUES ({n}, '{text}')")).await;
        assert_eq!(proxy.dropped_replies(), n + 1, "the answer was lost indeed");
        let token = token_of(&client.take_notices()).expect("a token");
        let other = server.client().await;
        other.ok(&format!("SET duckmesh.min_token = '{token}'")).await;
        assert_eq!(other.value(&format!("SELECT count(*) FROM t WHERE a = {n}")).await, "1", "it is there, once");
    }
    assert_eq!(client.value("SELECT count(*) FROM t").await, "5");
}

/// PG2, G7: the connection was lost before the commit; the client gets a definite failure, and the repeat is the only write.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g7_pg2_an_append_that_was_not_committed_is_a_definite_failure() {
    let postgres = Postgres::start();
    let (proxy, server) = through(&postgres);
    let client = server.client().await;
    client.ok("CREATE TABLE t (a int, b text)").await;
    client.ok("SET duckmesh.idempotency_key = 'once'").await;
    // With a key an append is a transaction of several statements: the lost answer is not that of its COMMIT.
    let text = "the row that was not committed";
    proxy.drop_reply(text.as_bytes());
    let insert = format!("INSERT INTO t VALUES (1, '{text}')");
    assert_eq!(refused(&client, &insert).await, "08006");
    assert_eq!(proxy.dropped_replies(), 1);
    let other = server.client().await;
    other.ok("SET duckmesh.consistency = strong").await;
    assert_eq!(other.value("SELECT count(*) FROM t").await, "0", "nothing happened, as was said");
    client.ok(&insert).await;
    assert_eq!(other.value("SELECT count(*) FROM t").await, "1");
}

/// PG2, G7: an append that waits in the server when its connection is given up never happens behind the client's back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g7_pg2_an_append_that_was_given_up_is_fenced() {
    let postgres = Postgres::start();
    let (proxy, server) = through(&postgres);
    let client = server.client().await;
    client.ok("CREATE TABLE t (a int, b text); INSERT INTO t VALUES (0, 'before'); SELECT * FROM t").await;
    let (holder, admin) = (postgres.client().await, postgres.client().await);
    holder.ok("BEGIN; SELECT * FROM duckmesh.lane FOR UPDATE").await;
    let writer = server.client().await;
    let insert = tokio::spawn(async move { refused(&writer, "INSERT INTO t VALUES (1, 'late')").await });
    waits_for_its_lane(&admin, "1").await;
    // The server's end of it goes on waiting, and knows nothing of the cut.
    proxy.cut_all();
    assert_eq!(insert.await.unwrap(), "08006");
    holder.ok("COMMIT").await;
    waits_for_its_lane(&admin, "0").await;
    let other = reconnected(&server).await;
    other.ok("SET duckmesh.consistency = strong").await;
    assert_eq!(other.value("SELECT count(*) FROM t WHERE a = 1").await, "0", "nothing happened, as was said");
    other.ok("INSERT INTO t VALUES (2, 'after')").await;
    assert_eq!(other.value("SELECT count(*) FROM t").await, "2");
}

/// PG2, CL5: the database stays away after the answer was lost; only then nobody knows, and that is what is said.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g7_cl5_a_lost_answer_of_a_database_that_stays_away_is_unknown() {
    let postgres = Postgres::start();
    let (proxy, server) = through(&postgres);
    let client = server.client().await;
    client.ok("CREATE TABLE t (a int, b text); INSERT INTO t VALUES (0, 'before'); SELECT * FROM t").await;
    let (holder, admin) = (postgres.client().await, postgres.client().await);
    holder.ok("BEGIN; SELECT * FROM duckmesh.lane FOR UPDATE").await;
    let insert = tokio::spawn(async move { (refused(&client, "INSERT INTO t VALUES (1, 'unknown')").await, client) });
    waits_for_its_lane(&admin, "1").await;
    // It is committed, and neither that answer nor any other comes.
    proxy.blackhole_all(true);
    let before = admin.value("SELECT head FROM duckmesh.lane").await;
    holder.ok("COMMIT").await;
    eventually_async("it is in the log", LIMIT, || async {
        (admin.value("SELECT head FROM duckmesh.lane").await != before).then_some(())
    })
    .await;
    proxy.refuse(true);
    proxy.cut_all();
    let (state, client) = insert.await.unwrap();
    assert_eq!(state, "08007");
    // Only now: what was held back might come through before its connection is cut.
    proxy.blackhole_all(false);
    proxy.refuse(false);
    client.ok("SET duckmesh.consistency = strong").await;
    let after = eventually_async("the database is back", LIMIT, || async { client.rows("SELECT a FROM t").await.ok() });
    let after = after.await;
    assert_eq!(after.len(), 2, "it was stored, this time: {after:?}");
}

/// PG2, CO2: answers of publications are lost; the watermark tells what became of them, and nothing is published twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g4_pg2_lost_answers_to_publications_are_decided_by_the_watermark() {
    let postgres = Postgres::start();
    let (proxy, server) = through(&postgres);
    let client = server.client().await;
    client.ok("CREATE TABLE t (a int)").await;
    for n in 0..10 {
        // The next COMMIT: of a publication, or of a lease, which must not harm either.
        proxy.drop_reply(b"COMMIT");
        client.ok(&format!("INSERT INTO t VALUES ({n})")).await;
        assert_eq!(client.value("SELECT count(*) || '/' || count(DISTINCT a) FROM t").await, format!("{0}/{0}", n + 1));
    }
    assert!(proxy.dropped_replies() >= 5, "{}", proxy.dropped_replies());
    let twice = "SELECT count(*) FROM lake_duckmesh.duckmesh_dead_letter";
    assert_eq!(postgres.client().await.value(twice).await, "0");
}

/// G1: a pooler whose server connection dies, or a server that panics, answers COMMIT with FATAL. Whether a merge happened is not
/// known then: its file stays.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g1_pg2_a_merge_whose_commit_is_answered_by_fatal_loses_no_file() {
    const FATAL: &[u8] = b"SFATAL\0VFATAL\0C08P01\0Mserver conn crashed?\0\0";
    let postgres = Postgres::start();
    let (proxy, server) = through(&postgres);
    let client = server.client().await;
    client.ok("CREATE TABLE t (a int); SET duckmesh.write_visibility = visible").await;
    let length = u32::try_from(FATAL.len() + 4).unwrap().to_be_bytes();
    proxy.replace_reply(b"merge_adjacent:", b"COMMIT\0", &[b"E", length.as_slice(), FATAL].concat());
    let rows = AtomicU32::new(0);
    eventually_async("the answer to a merge was lost", LIMIT, || async {
        client.ok(&format!("INSERT INTO t VALUES ({})", rows.fetch_add(1, Ordering::Relaxed))).await;
        (proxy.dropped_replies() == 1).then_some(())
    })
    .await;
    let rows = rows.into_inner();
    let files = "SELECT count(*) FROM lake_duckmesh.ducklake_data_file WHERE path LIKE '%merged%'";
    assert_ne!(postgres.client().await.value(files).await, "0", "the merge happened");
    let reader = server.client().await;
    reader.ok("SET duckmesh.consistency = strong").await;
    assert_eq!(reader.value("SELECT count(*), count(DISTINCT a) FROM t").await, format!("{rows}|{rows}"));
}

/// Until so many appends wait in Postgres for a lane that somebody holds.
async fn waits_for_its_lane(admin: &Client, count: &str) {
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%duckmesh.lane%'";
    eventually_async("appends wait for their lane", LIMIT, || async {
        (admin.value(waits).await == count).then_some(())
    })
    .await;
}

async fn reconnected(server: &duckmesh_tests::harness::Server) -> Client {
    eventually_async("a new session", LIMIT, || async { Client::connect(server.port(), "duckmesh").await.ok() }).await
}

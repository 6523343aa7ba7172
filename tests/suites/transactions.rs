//! BEGIN, COMMIT, ROLLBACK: one snapshot to read, one frame to write (G2).

use std::time::Duration;

use duckmesh_tests::harness::eventually_async;

use crate::stand::{Stand, on_both_catalogs};

on_both_catalogs!(
    g2_a_transaction_is_visible_whole,
    a_rollback_leaves_nothing,
    ddl_in_a_transaction,
    reads_of_a_transaction_are_of_one_snapshot,
    g7_commit_ends_what_was_written_before_it,
    g5_a_key_counts_every_write_of_its_transaction,
    own_rows_stay_readable_when_their_column_goes,
    a_dropped_column_comes_back_with_rollback,
    a_lock_of_a_transaction_is_held_until_its_write_is_durable,
    rollback_to_undoes_settings_and_listen,
    a_transaction_that_writes_and_reads_in_turn_reads_few_files,
    sessions_of_another_lake_are_neither_seen_nor_stopped,
    ddl_of_others_does_not_end_a_transaction_with_ddl,
);

async fn ddl_of_others_does_not_end_a_transaction_with_ddl(stand: &mut Stand) {
    let (client, other) = (stand.client().await, stand.client().await);
    client.ok("CREATE TABLE t (a int)").await;
    client.ok("BEGIN; ALTER TABLE t ADD b int; INSERT INTO t VALUES (1, 2); ALTER TABLE t DROP b").await;
    other.ok("CREATE TABLE elsewhere (x int)").await;
    client.ok("INSERT INTO t VALUES (3); COMMIT").await;
    assert_eq!(client.text("SELECT * FROM t ORDER BY a").await, ["1", "3"]);
    client.ok("BEGIN; CREATE TABLE u (a int); INSERT INTO u VALUES (1); ALTER TABLE u ADD b int DEFAULT 4").await;
    other.ok("CREATE SEQUENCE s").await;
    client.ok("COMMIT").await;
    assert_eq!(client.text("SELECT * FROM u").await, ["1|4"]);
    // What others did to a table of its own rows still ends it.
    client.ok("BEGIN; ALTER TABLE t ADD b int; INSERT INTO t VALUES (4, 5)").await;
    other.ok("ALTER TABLE t ADD c int").await;
    assert!(client.fails("COMMIT").await.starts_with("40001"));
    assert_eq!(client.value("SELECT count(*) FROM t").await, "2");
}

async fn g2_a_transaction_is_visible_whole(stand: &mut Stand) {
    let (client, other) = (stand.client().await, stand.client().await);
    client.ok("CREATE TABLE a (n int); CREATE TABLE b (n int)").await;
    client.ok("BEGIN; INSERT INTO a VALUES (1), (2); INSERT INTO b VALUES (3)").await;
    assert_eq!(client.value("SELECT count(*), (SELECT count(*) FROM b) FROM a").await, "2|1", "its own rows");
    other.ok("SET duckmesh.consistency = strong").await;
    assert_eq!(other.value("SELECT count(*), (SELECT count(*) FROM b) FROM a").await, "0|0", "nobody else's yet");
    let token = client.write("COMMIT").await;
    other.ok(&format!("SET duckmesh.min_token = '{token}'")).await;
    assert_eq!(other.value("SELECT count(*), (SELECT count(*) FROM b) FROM a").await, "2|1");
    // CO9: one snapshot has both.
    let snapshot = stand.newest_snapshot().await;
    let before = snapshot.parse::<u64>().unwrap() - 1;
    other.ok(&format!("RESET duckmesh.min_token; SET duckmesh.snapshot = '{before}'")).await;
    assert_eq!(other.value("SELECT count(*), (SELECT count(*) FROM b) FROM a").await, "0|0");
}

async fn a_rollback_leaves_nothing(stand: &mut Stand) {
    let client = stand.client().await;
    client.ok("CREATE TABLE t (a int CHECK (a > 0))").await;
    let before = client.write("INSERT INTO t VALUES (1)").await;
    client.ok("BEGIN; INSERT INTO t VALUES (2); ROLLBACK").await;
    client.ok("BEGIN; INSERT INTO t VALUES (3)").await;
    assert!(client.fails("INSERT INTO t VALUES (-1)").await.starts_with("23514"));
    assert!(client.fails("SELECT 1").await.starts_with("25P02"));
    client.ok("COMMIT").await;
    client.ok("BEGIN; INSERT INTO t VALUES (4); SAVEPOINT s; INSERT INTO t VALUES (5); ROLLBACK TO s; COMMIT").await;
    assert_eq!(client.text("SELECT a FROM t ORDER BY a").await, ["1", "4"]);
    // A query string of several statements is one transaction.
    assert!(client.fails("INSERT INTO t VALUES (6); INSERT INTO t VALUES (-1)").await.starts_with("23514"));
    assert_eq!(client.text("SELECT a FROM t ORDER BY a").await, ["1", "4"]);
    assert_ne!(client.value("SHOW duckmesh.last_token").await, before);
}

async fn ddl_in_a_transaction(stand: &mut Stand) {
    let (client, other) = (stand.client().await, stand.client().await);
    client.ok("BEGIN; CREATE TABLE t (a int, b text); INSERT INTO t VALUES (1, 'x')").await;
    assert_eq!(client.value("SELECT * FROM t").await, "1|x");
    assert!(other.fails("SELECT * FROM t").await.starts_with("42P01"));
    client.ok("ROLLBACK").await;
    assert!(client.fails("SELECT * FROM t").await.starts_with("42P01"));
    client
        .ok("BEGIN; CREATE TABLE t (a int); INSERT INTO t VALUES (1); ALTER TABLE t ADD COLUMN b int DEFAULT 7")
        .await;
    client.ok("INSERT INTO t VALUES (2, 8); COMMIT").await;
    assert_eq!(other.text("SELECT * FROM t ORDER BY a").await, ["1|7", "2|8"]);
}

async fn reads_of_a_transaction_are_of_one_snapshot(stand: &mut Stand) {
    let (client, other) = (stand.client().await, stand.client().await);
    client.ok("CREATE TABLE t (a int); INSERT INTO t VALUES (1)").await;
    client.ok("BEGIN").await;
    assert_eq!(client.value("SELECT count(*) FROM t").await, "1");
    other.ok("SET duckmesh.write_visibility = visible; INSERT INTO t VALUES (2)").await;
    assert_eq!(client.value("SELECT count(*) FROM t").await, "1", "G6");
    client.ok("COMMIT").await;
    client.ok("SET duckmesh.consistency = strong").await;
    assert_eq!(client.value("SELECT count(*) FROM t").await, "2");
}

async fn a_lock_of_a_transaction_is_held_until_its_write_is_durable(stand: &mut Stand) {
    let go_on = stand.server.data().join("go-on");
    stand.client().await.ok("CREATE TABLE t (a int)").await;
    let wait = format!("insert-before-append=1*wait:{}", go_on.display());
    stand.server.restart_with_failpoints(Some(&wait));
    let (client, other) = (stand.client().await, stand.client().await);
    client.ok("BEGIN; SELECT pg_advisory_xact_lock(7); INSERT INTO t VALUES (1)").await;
    let during = async {
        eventually_async("the commit is on its way", Duration::from_secs(30), || async {
            stand.server.reached("insert-before-append").then_some(())
        })
        .await;
        let free = other.value("SELECT pg_try_advisory_lock(7)").await;
        std::fs::write(&go_on, b"").unwrap();
        free
    };
    let ((), free) = tokio::join!(client.ok("COMMIT"), during);
    assert_eq!(free, "f", "what it guards is not stored yet");
    assert_eq!(other.value("SELECT pg_try_advisory_lock(7)").await, "t");
    other.ok("SET duckmesh.consistency = strong").await;
    assert_eq!(other.value("SELECT count(*) FROM t").await, "1");
}

async fn rollback_to_undoes_settings_and_listen(stand: &mut Stand) {
    let client = stand.client().await;
    client.ok("SET timezone = 'UTC'; BEGIN; SAVEPOINT a; SET timezone = 'Asia/Tokyo'; ROLLBACK TO a").await;
    assert_eq!(client.value("SHOW timezone").await, "UTC");
    client.ok("LISTEN kept; SAVEPOINT b; LISTEN undone; ROLLBACK TO b").await;
    client.ok("UNLISTEN *; ROLLBACK TO b; COMMIT").await;
    assert_eq!(client.text("SELECT pg_listening_channels()").await, ["kept"]);
}

async fn a_transaction_that_writes_and_reads_in_turn_reads_few_files(stand: &mut Stand) {
    let client = stand.client().await;
    client.ok("CREATE TABLE t (a int); BEGIN").await;
    for n in 1..=100 {
        client.ok(&format!("INSERT INTO t VALUES ({n})")).await;
        if n == 50 {
            client.ok("SAVEPOINT half").await;
        }
        assert_eq!(client.value("SELECT sum(a) FROM t").await, (n * (n + 1) / 2).to_string());
    }
    let plan = client.text("EXPLAIN SELECT * FROM t").await.join("\n");
    let files = plan.split("own files ").nth(1).and_then(|rest| rest.split(|c: char| !c.is_ascii_digit()).next());
    let files: u32 = files.and_then(|n| n.parse().ok()).unwrap_or_else(|| panic!("no own files in {plan}"));
    assert!((1..=7).contains(&files), "{files} files: {plan}");
    client.ok("ROLLBACK TO half; INSERT INTO t VALUES (1000)").await;
    assert_eq!(client.value("SELECT sum(a) FROM t").await, "2275");
    client.ok("COMMIT; SET duckmesh.consistency = strong").await;
    assert_eq!(client.value("SELECT sum(a) FROM t").await, "2275");
}

async fn sessions_of_another_lake_are_neither_seen_nor_stopped(stand: &mut Stand) {
    let client = stand.client().await;
    client.ok("CREATE DATABASE neighbour").await;
    let (other, same) = (stand.server.client_of("neighbour").await, stand.client().await);
    let theirs = other.value("SELECT pg_backend_pid()").await;
    let own = same.value("SELECT pg_backend_pid()").await;
    let seen = client.text("SELECT DISTINCT datname FROM pg_stat_activity").await;
    assert_eq!(seen, [client.value("SELECT current_database()").await]);
    assert_eq!(client.value(&format!("SELECT pg_terminate_backend({theirs})")).await, "f");
    let over_rows = format!("SELECT pg_terminate_backend(pid) FROM (VALUES ({theirs})) v (pid)");
    assert_eq!(client.value(&over_rows).await, "f");
    assert_eq!(other.value("SELECT 1").await, "1");
    assert_eq!(client.value(&format!("SELECT pg_terminate_backend({own})")).await, "t");
}

#[test]
fn the_state_byte_and_tags_are_right() {
    let stand = Stand::sqlite();
    let mut wire = stand.server.wire();
    let mut step = |sql: &str, tag: Option<&str>, sqlstate: Option<&str>, state: char| {
        let answers = wire.query(sql);
        let last = answers.last().unwrap();
        assert_eq!(last.tag.as_deref(), tag, "{sql}: {last:?}");
        assert_eq!(last.sqlstate(), sqlstate, "{sql}: {last:?}");
        assert_eq!(wire.state, state, "{sql}");
    };
    step("CREATE TABLE t (a int)", Some("CREATE TABLE"), None, 'I');
    step("BEGIN", Some("BEGIN"), None, 'T');
    step("INSERT INTO t VALUES (1), (2)", Some("INSERT 0 2"), None, 'T');
    step("SELECT * FROM nowhere", None, Some("42P01"), 'E');
    step("INSERT INTO t VALUES (1)", None, Some("25P02"), 'E');
    step("COMMIT", Some("ROLLBACK"), None, 'I');
    step("SELECT * FROM t", Some("SELECT 0"), None, 'I');
    step("COMMIT", Some("COMMIT"), None, 'I');
    step("BEGIN READ ONLY", Some("BEGIN"), None, 'T');
    step("INSERT INTO t VALUES (1)", None, Some("25006"), 'E');
    step("ROLLBACK", Some("ROLLBACK"), None, 'I');
    step("", None, None, 'I');
}

/// COMMIT without BEGIN ends the query string's own transaction, as in Postgres: its answer must not be a lie.
async fn g7_commit_ends_what_was_written_before_it(stand: &mut Stand) {
    let client = stand.client().await;
    client.ok("CREATE TABLE t (a int)").await;
    client.ok("INSERT INTO t VALUES (1); COMMIT; BEGIN; INSERT INTO t VALUES (2); ROLLBACK").await;
    assert_eq!(client.text("SELECT a FROM t").await, ["1"]);
    assert!(client.fails("INSERT INTO t VALUES (3); COMMIT; SELECT 1 / 0").await.starts_with("22012"));
    assert_eq!(client.text("SELECT a FROM t ORDER BY a").await, ["1", "3"]);
}

/// The first write of a query string makes its transaction; it must count for the key as the others do.
async fn g5_a_key_counts_every_write_of_its_transaction(stand: &mut Stand) {
    let client = stand.client().await;
    client.ok("CREATE TABLE a (n int); CREATE TABLE b (n int)").await;
    client.ok("SET duckmesh.idempotency_key = 'k'").await;
    client.ok("INSERT INTO a VALUES (1); INSERT INTO b VALUES (1)").await;
    client.ok("SET duckmesh.idempotency_key = 'k'").await;
    client.ok("INSERT INTO a VALUES (1); INSERT INTO b VALUES (1)").await;
    client.ok("SET duckmesh.idempotency_key = 'k'").await;
    assert!(client.fails("INSERT INTO a VALUES (2); INSERT INTO b VALUES (1)").await.starts_with("23505"));
    client.ok("RESET duckmesh.idempotency_key").await;
    assert_eq!(client.value("SELECT sum(n), (SELECT sum(n) FROM b) FROM a").await, "1|1");
}

async fn own_rows_stay_readable_when_their_column_goes(stand: &mut Stand) {
    let client = stand.client().await;
    client.ok("CREATE TABLE t (a int, b int)").await;
    client.ok("BEGIN; INSERT INTO t VALUES (1, 2); ALTER TABLE t DROP COLUMN b").await;
    assert_eq!(client.text("SELECT * FROM t").await, ["1"]);
    client.ok("COMMIT").await;
    assert_eq!(client.text("SELECT * FROM t").await, ["1"]);
}

/// The file is published with the change of columns: only its footer says that it lacks one.
async fn a_dropped_column_comes_back_with_rollback(stand: &mut Stand) {
    let client = stand.client().await;
    client.ok("BEGIN; CREATE TABLE t (a int); INSERT INTO t VALUES (1); ALTER TABLE t ADD COLUMN b int; COMMIT").await;
    client.ok("BEGIN; ALTER TABLE t DROP COLUMN b").await;
    assert_eq!(client.text("SELECT * FROM t").await, ["1"]);
    client.ok("ROLLBACK").await;
    assert_eq!(client.text("SELECT * FROM t").await, ["1|NULL"]);
}

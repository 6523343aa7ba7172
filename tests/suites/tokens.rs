//! Tokens, the barrier, consistency levels, time travel and idempotency keys (design sections 6 and 8).

use std::time::Duration;

use duckmesh_tests::harness::{Client, ServerOptions, client::offset_of, eventually_async};

use crate::stand::{Stand, on_both_catalogs};

on_both_catalogs!(
    g3_a_token_is_read_elsewhere,
    g3_tokens_are_dense_and_grow,
    md002_md003_tokens_that_nobody_gave,
    min_token_takes_a_list,
    time_travel_by_snapshot_and_by_time,
    md005_a_snapshot_before_the_token,
    g5_a_repeated_key_has_one_effect,
    g5_cl1_a_repeated_key_of_ddl_gives_its_token,
    g5_cl1_a_repeated_key_of_a_transaction_with_ddl_gives_its_token,
);

async fn g3_a_token_is_read_elsewhere(stand: &mut Stand) {
    let (writer, reader) = (stand.client().await, stand.client().await);
    writer.ok("CREATE TABLE t (a int)").await;
    for n in 1..=20 {
        let token = writer.write(&format!("INSERT INTO t VALUES ({n})")).await;
        assert_eq!(writer.value("SHOW duckmesh.last_token").await, token);
        reader.ok(&format!("SET duckmesh.min_token = '{token}'")).await;
        assert_eq!(reader.value("SELECT count(*) FROM t").await, n.to_string(), "after token {token}");
        assert_eq!(writer.value("SELECT max(a) FROM t").await, n.to_string(), "the writer reads its own write");
    }
}

async fn g3_tokens_are_dense_and_grow(stand: &mut Stand) {
    let client = stand.client().await;
    client.ok("CREATE TABLE t (a int)").await;
    let first = offset_of(&client.write("INSERT INTO t VALUES (0)").await);
    for n in 1..10 {
        let token = client.write(&format!("INSERT INTO t VALUES ({n})")).await;
        assert!(token.starts_with("duckmesh/"), "{token}");
        assert_eq!(offset_of(&token), first + n);
    }
}

async fn md002_md003_tokens_that_nobody_gave(stand: &mut Stand) {
    let client = stand.client().await;
    client.ok("CREATE TABLE t (a int)").await;
    client.ok("CREATE DATABASE other").await;
    client.ok("SET duckmesh.min_token = 'duckmesh/1000000'").await;
    let error = client.fails("SELECT count(*) FROM t").await;
    assert!(error.starts_with("MD002"), "{error}");
    client.ok("SET duckmesh.min_token = '1000000'").await;
    assert!(client.fails("SELECT count(*) FROM t").await.starts_with("MD002"), "a bare offset is of this lake");
    client.ok("SET duckmesh.min_token = 'other/1'").await;
    let error = client.fails("SELECT count(*) FROM t").await;
    assert!(error.starts_with("MD003"), "{error}");
    let error = client.fails("SET duckmesh.min_token = 'duckmesh/x'; SELECT count(*) FROM t").await;
    assert!(error.starts_with("22023"), "{error}");
    client.ok("RESET duckmesh.min_token; SELECT count(*) FROM t").await;
}

async fn min_token_takes_a_list(stand: &mut Stand) {
    let (one, two, reader) = (stand.client().await, stand.client().await, stand.client().await);
    one.ok("CREATE TABLE t (a int)").await;
    one.ok("CREATE DATABASE other").await;
    let first = one.write("INSERT INTO t VALUES (1)").await;
    let second = two.write("INSERT INTO t VALUES (2)").await;
    reader.ok(&format!("SET duckmesh.min_token = '{second}, {first}'")).await;
    assert_eq!(reader.value("SELECT sum(a) FROM t").await, "3");
    reader.ok(&format!("SET duckmesh.min_token = '{first},other/1'")).await;
    assert!(reader.fails("SELECT sum(a) FROM t").await.starts_with("MD003"), "each of the list is checked");
}

async fn time_travel_by_snapshot_and_by_time(stand: &mut Stand) {
    let client = stand.client().await;
    client.ok("CREATE TABLE t (a int)").await;
    client.ok("INSERT INTO t VALUES (1), (2)").await;
    assert_eq!(client.value("SELECT count(*) FROM t").await, "2");
    let old = stand.newest_snapshot().await;
    let time = client.value(&format!("SELECT snapshot_time FROM duckmesh.snapshots WHERE snapshot_id = {old}")).await;
    client.ok("INSERT INTO t VALUES (3)").await;
    client.ok("ALTER TABLE t ADD COLUMN b text DEFAULT 'x'").await;
    assert_eq!(client.text("SELECT * FROM t ORDER BY a").await, ["1|x", "2|x", "3|x"]);
    client.ok(&format!("SET duckmesh.snapshot = '{old}'")).await;
    assert_eq!(client.text("SELECT * FROM t ORDER BY a").await, ["1", "2"], "G6: rows and columns of then");
    client.ok(&format!("RESET duckmesh.snapshot; SET duckmesh.as_of = '{time}'")).await;
    assert_eq!(client.text("SELECT * FROM t ORDER BY a").await, ["1", "2"]);
    client.ok("RESET duckmesh.as_of; SET duckmesh.snapshot = '1000000'").await;
    let error = client.fails("SELECT * FROM t").await;
    assert!(error.starts_with("MD004"), "{error}");
}

async fn md005_a_snapshot_before_the_token(stand: &mut Stand) {
    let client = stand.client().await;
    client.ok("CREATE TABLE t (a int); INSERT INTO t VALUES (1); SELECT * FROM t").await;
    let old = stand.newest_snapshot().await;
    let token = client.write("INSERT INTO t VALUES (2)").await;
    client.ok(&format!("SET duckmesh.snapshot = '{old}'; SET duckmesh.min_token = '{token}'")).await;
    let error = client.fails("SELECT * FROM t").await;
    assert!(error.starts_with("MD005"), "{error}");
    client.ok("RESET ALL").await;
    // TK5: a token set after the transaction's pin.
    let other = stand.client().await;
    client.ok("BEGIN; SELECT * FROM t").await;
    let later = other.write("INSERT INTO t VALUES (3)").await;
    client.ok(&format!("SET duckmesh.min_token = '{later}'")).await;
    let error = client.fails("SELECT * FROM t").await;
    assert!(error.starts_with("MD005"), "{error}");
    client.ok("ROLLBACK").await;
}

async fn g5_a_repeated_key_has_one_effect(stand: &mut Stand) {
    let client = stand.client().await;
    client.ok("CREATE TABLE t (a int)").await;
    let write = "INSERT INTO t VALUES (1), (2)";
    client.ok("SET duckmesh.idempotency_key = 'k1'").await;
    let token = client.write(write).await;
    // CL1: the same again, from another session and after a crash.
    for crash in [false, true] {
        if crash {
            stand.server.restart();
        }
        let again = stand.client().await;
        again.ok("SET duckmesh.idempotency_key = 'k1'").await;
        again.take_notices();
        again.ok(write).await;
        let notices = again.take_notices();
        assert!(notices.iter().any(|n| n.contains("duplicate") && n.contains(&token)), "{notices:?} {token}");
        assert_eq!(again.value("SELECT count(*) FROM t").await, "2");
        // CL2: another payload.
        again.ok("SET duckmesh.idempotency_key = 'k1'").await;
        let error = again.fails("INSERT INTO t VALUES (3)").await;
        assert!(error.starts_with("23505"), "{error}");
        assert_eq!(again.value("SELECT count(*) FROM t").await, "2");
    }
    // The key names one write, not all that follow.
    let client = stand.client().await;
    client.ok("SET duckmesh.idempotency_key = 'k2'").await;
    client.ok(write).await;
    client.ok("INSERT INTO t VALUES (9)").await;
    assert_eq!(client.value("SELECT count(*) FROM t").await, "5");
}

/// What a repeat is told: the first token, with the word duplicate.
async fn repeats(client: &Client, sql: &str, token: &str) {
    client.ok("SET duckmesh.idempotency_key = 'k'").await;
    client.take_notices();
    client.ok(sql).await;
    let notices = client.take_notices();
    assert!(notices.iter().any(|n| n.contains("duplicate") && n.contains(token)), "{sql}: {notices:?} {token}");
    assert_eq!(client.value("SHOW duckmesh.last_token").await, token);
    assert_eq!(client.value("SHOW duckmesh.idempotency_key").await, "");
}

async fn g5_cl1_a_repeated_key_of_ddl_gives_its_token(stand: &mut Stand) {
    let client = stand.client().await;
    client.ok("CREATE TABLE source (a int); INSERT INTO source VALUES (1), (2); CREATE TABLE old (a int)").await;
    let statements = [
        "CREATE TABLE t (a int)",
        "CREATE TABLE IF NOT EXISTS u (a int)",
        "CREATE TABLE v AS SELECT a FROM source",
        "CREATE VIEW w AS SELECT a FROM t",
        "CREATE SCHEMA s",
        "ALTER TABLE t ADD COLUMN b int",
        "ALTER TABLE t RENAME COLUMN a TO c",
        "ALTER TABLE u RENAME TO x",
        "DROP TABLE old",
    ];
    for (n, statement) in statements.into_iter().enumerate() {
        client.ok(&format!("SET duckmesh.idempotency_key = 'k{n}'")).await;
        let token = client.write(statement).await;
        client.ok("INSERT INTO source VALUES (3)").await;
        for again in [&client, &stand.client().await] {
            again.ok(&format!("SET duckmesh.idempotency_key = 'k{n}'")).await;
            again.take_notices();
            again.ok(statement).await;
            let notices = again.take_notices();
            let told = notices.iter().any(|notice| notice.contains("duplicate") && notice.contains(&token));
            assert!(told, "{statement}: {notices:?} {token}");
            assert_eq!(again.value("SHOW duckmesh.last_token").await, token);
        }
        // CL2: another statement under the same key.
        client.ok(&format!("SET duckmesh.idempotency_key = 'k{n}'")).await;
        let error = client.fails("CREATE TABLE another (a int)").await;
        assert!(error.starts_with("23505"), "{statement}: {error}");
        client.ok("RESET duckmesh.idempotency_key").await;
    }
    assert!(client.fails("CREATE TABLE t (a int)").await.starts_with("42P07"), "without a key it is an error");
    client.ok("SET duckmesh.idempotency_key = 'fresh'").await;
    assert!(client.fails("CREATE TABLE t (a int)").await.starts_with("42P07"), "and with a key that was not used");
    client.ok("RESET duckmesh.idempotency_key").await;
    assert_eq!(client.value("SELECT count(*) FROM v").await, "4", "what the first one stored");
    // An INSERT whose table is gone by now.
    client.ok("CREATE TABLE gone (a int)").await;
    client.ok("SET duckmesh.idempotency_key = 'i'").await;
    let token = client.write("INSERT INTO gone VALUES (1)").await;
    client.ok("DROP TABLE gone").await;
    client.ok("SET duckmesh.idempotency_key = 'i'").await;
    client.take_notices();
    client.ok("INSERT INTO gone VALUES (1)").await;
    assert!(client.take_notices().iter().any(|n| n.contains("duplicate") && n.contains(&token)));
}

async fn g5_cl1_a_repeated_key_of_a_transaction_with_ddl_gives_its_token(stand: &mut Stand) {
    let client = stand.client().await;
    client.ok("CREATE TABLE log (a int)").await;
    let transaction = |value| {
        format!(
            "BEGIN; CREATE TABLE t (a int); INSERT INTO t VALUES ({value}); ALTER TABLE t ADD COLUMN b int; \
             INSERT INTO log SELECT a FROM t; ALTER TABLE t RENAME TO u; COMMIT"
        )
    };
    client.ok("SET duckmesh.idempotency_key = 'k'").await;
    let token = client.write(&transaction(1)).await;
    repeats(&client, &transaction(1), &token).await;
    stand.server.restart();
    let client = stand.client().await;
    // Statement by statement, the key set inside: it counts from the first statement that looks at the lake.
    client.ok("BEGIN; SET LOCAL duckmesh.idempotency_key = 'k'").await;
    client.take_notices();
    for statement in transaction(1).split("; ").skip(1) {
        client.ok(statement).await;
    }
    let notices = client.take_notices();
    assert!(notices.iter().any(|n| n.contains("duplicate") && n.contains(&token)), "{notices:?}");
    client.ok("SET duckmesh.idempotency_key = 'k'").await;
    let error = client.fails(&transaction(2)).await;
    assert!(error.starts_with("23505"), "{error}");
    client.ok("ROLLBACK; RESET duckmesh.idempotency_key; SET duckmesh.consistency = strong").await;
    assert_eq!(client.text("SELECT a, b FROM u").await, ["1|NULL"]);
    assert_eq!(client.text("SELECT a FROM log").await, ["1"]);
}

/// Nothing is published by itself in the time of a test.
fn lazy() -> ServerOptions {
    ServerOptions { args: vec!["--commit-interval-ms".into(), "3600000".into()], ..ServerOptions::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn consistency_levels_differ() {
    let stand = Stand::sqlite_with(lazy());
    let (writer, reader) = (stand.client().await, stand.client().await);
    writer.ok("CREATE TABLE t (a int)").await;
    writer.ok("INSERT INTO t VALUES (1)").await;
    reader.ok("SET duckmesh.consistency = eventual").await;
    assert_eq!(reader.value("SELECT count(*) FROM t").await, "0", "eventual waits for nothing");
    reader.ok("SET duckmesh.consistency = session").await;
    assert_eq!(reader.value("SELECT count(*) FROM t").await, "0", "session waits for its own writes only");
    reader.ok("SET duckmesh.consistency = strong").await;
    assert_eq!(reader.value("SELECT count(*) FROM t").await, "1", "strong waits for everything acknowledged");
    writer.ok("INSERT INTO t VALUES (2)").await;
    assert_eq!(writer.value("SELECT count(*) FROM t").await, "2", "the default reads its own writes");
    writer.ok("SET duckmesh.write_visibility = visible; INSERT INTO t VALUES (3)").await;
    reader.ok("SET duckmesh.consistency = eventual").await;
    assert_eq!(reader.value("SELECT count(*) FROM t").await, "3", "the write itself waited");
    let error = reader.fails("SET duckmesh.consistency = sometimes").await;
    assert!(error.starts_with("22023"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g10_md001_a_barrier_has_an_end() {
    let mut stand = Stand::sqlite_with(lazy());
    let client = stand.client().await;
    client.ok("CREATE TABLE t (a int); SELECT * FROM t").await;
    assert!(stand.server.stop().success());
    stand.server.restart_with_failpoints(Some("commit-after-read=park"));
    let client = stand.client().await;
    let token = client.write("INSERT INTO t VALUES (1)").await;
    client.ok("SET duckmesh.barrier_timeout = '300ms'").await;
    let error = client.rows("SELECT count(*) FROM t").await.unwrap_err();
    let error = error.as_db_error().unwrap();
    assert_eq!(error.code().code(), "MD001", "{error}");
    assert!(error.message().contains(&token), "{error}");
    let detail = error.detail().unwrap_or_default();
    assert!(detail.contains("head") && detail.contains("watermark"), "{detail}");
    assert!(stand.server.reached("commit-after-read"));
    // TK3: a waiting barrier is cancelled.
    client.ok("SET duckmesh.barrier_timeout = '1h'").await;
    let cancel = client.pg.cancel_token();
    let waiting = client.rows("SELECT count(*) FROM t");
    tokio::pin!(waiting);
    let started = tokio::time::timeout(Duration::from_millis(200), &mut waiting).await;
    assert!(started.is_err(), "the barrier waits");
    cancel.cancel_query(tokio_postgres::NoTls).await.unwrap();
    let error = waiting.await.unwrap_err();
    assert_eq!(error.code().map(|c| c.code()), Some("57014"), "{error}");
    // Without a barrier reads go on.
    client.ok("SET duckmesh.consistency = eventual").await;
    assert_eq!(client.value("SELECT count(*) FROM t").await, "0");
    // G1: nothing of it is lost.
    stand.server.restart_with_failpoints(None);
    let client = stand.client().await;
    eventually_async("the write is published after the restart", Duration::from_secs(20), || async {
        (client.value("SELECT count(*) FROM t").await == "1").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_notice_can_be_silenced_and_the_token_is_still_there() {
    let stand = Stand::sqlite();
    let client = stand.client().await;
    client.ok("CREATE TABLE t (a int); SET client_min_messages = warning").await;
    client.take_notices();
    client.ok("INSERT INTO t VALUES (1)").await;
    assert_eq!(client.take_notices(), Vec::<String>::new());
    let token = client.value("SHOW duckmesh.last_token").await;
    assert!(token.starts_with("duckmesh/"), "{token}");
    let mut wire = stand.server.wire();
    wire.query("INSERT INTO t VALUES (2)");
    let reported = wire.parameters.get("duckmesh.last_token").cloned().unwrap_or_default();
    assert_eq!(offset_of(&reported), offset_of(&token) + 1, "ParameterStatus has it, too");
    let error = client.fails("SET duckmesh.last_token = 'x'").await;
    assert!(error.starts_with("22023"), "{error}");
}

//! Constraints that are added to tables with rows: rows that other sessions write in that very moment count too.

use std::{path::PathBuf, time::Duration};

use duckmesh_tests::harness::{Client, ServerOptions, eventually_async};

use crate::stand::{Stand, on_both_catalogs};

on_both_catalogs!(
    a_row_that_arrives_while_rows_are_validated_counts,
    a_row_that_arrives_before_commit_counts,
    g1_a_row_that_arrives_while_a_table_is_written_anew_stays,
    rows_of_other_tables_do_not_disturb,
);

const LIMIT: Duration = Duration::from_secs(30);

/// A server that stops after the first validation until a file is there.
fn waiting(stand: &mut Stand) -> PathBuf {
    let file = stand.server.data().join("go-on");
    let _ = std::fs::remove_file(&file);
    stand.server.restart_with_failpoints(Some(&format!("ddl-after-validate=1*wait:{}", file.display())));
    file
}

/// Runs `statement`, and `meanwhile` on another session after its rows were validated.
async fn between(stand: &mut Stand, before: &str, statement: &str, meanwhile: &str) -> Result<(), String> {
    let go_on = waiting(stand);
    let (client, other) = (stand.client().await, stand.client().await);
    if !before.is_empty() {
        client.ok(before).await;
    }
    let altering = run(&client, statement);
    let writing = async {
        eventually_async("the rows are validated", LIMIT, || async {
            stand.server.reached("ddl-after-validate").then_some(())
        })
        .await;
        other.ok(meanwhile).await;
        std::fs::write(&go_on, b"").unwrap();
    };
    tokio::join!(altering, writing).0
}

async fn run(client: &Client, statement: &str) -> Result<(), String> {
    match client.rows(statement).await {
        Ok(_) => Ok(()),
        Err(error) => Err(error.code().map(|code| code.code().to_owned()).unwrap_or_default()),
    }
}

async fn a_row_that_arrives_while_rows_are_validated_counts(stand: &mut Stand) {
    stand.client().await.ok("CREATE TABLE t (a int, b int); INSERT INTO t VALUES (1, 1)").await;
    let set = "ALTER TABLE t ALTER COLUMN a SET NOT NULL";
    assert_eq!(between(stand, "", set, "INSERT INTO t VALUES (NULL, 1)").await, Err("23502".into()));
    let check = "ALTER TABLE t ADD CONSTRAINT positive CHECK (b > 0)";
    assert_eq!(between(stand, "", check, "INSERT INTO t VALUES (2, -1)").await, Err("23514".into()));
    // Rows that fit do not harm, however they come.
    let check = "ALTER TABLE t ADD CONSTRAINT small CHECK (b < 100)";
    assert_eq!(between(stand, "", check, "BEGIN; INSERT INTO t VALUES (3, 99); COMMIT").await, Ok(()));
    let client = stand.client().await;
    assert!(client.fails("INSERT INTO t VALUES (4, 100)").await.starts_with("23514"));
    client.ok("SET duckmesh.consistency = strong").await;
    assert_eq!(client.value("SELECT count(*) FROM t").await, "4");
}

async fn a_row_that_arrives_before_commit_counts(stand: &mut Stand) {
    stand.client().await.ok("CREATE TABLE t (a int); INSERT INTO t VALUES (1)").await;
    let commit = "ALTER TABLE t ALTER COLUMN a SET NOT NULL; INSERT INTO t VALUES (2); COMMIT";
    assert_eq!(between(stand, "BEGIN", commit, "INSERT INTO t VALUES (NULL)").await, Err("23502".into()));
    let client = stand.client().await;
    client.ok("SET duckmesh.consistency = strong").await;
    assert_eq!(client.text("SELECT a FROM t ORDER BY a").await, ["1", "NULL"], "all or nothing");
    client.ok("CREATE TABLE u (a int); INSERT INTO u VALUES (1)").await;
    let commit = "ALTER TABLE u ADD COLUMN b int; ALTER TABLE u RENAME COLUMN a TO c; \
                  ALTER TABLE u ADD CONSTRAINT odd CHECK (c % 2 = 1); INSERT INTO u VALUES (5, 5); COMMIT";
    assert_eq!(between(stand, "BEGIN", commit, "INSERT INTO u VALUES (3)").await, Ok(()));
    let client = stand.client().await;
    client.ok("SET duckmesh.consistency = strong").await;
    assert_eq!(client.text("SELECT c, b FROM u ORDER BY c").await, ["1|NULL", "3|NULL", "5|5"]);
    // A constraint that was rolled back is not looked at again.
    let commit = "SAVEPOINT s; ALTER TABLE u ADD CONSTRAINT few CHECK (c < 10); ROLLBACK TO s; \
                  ALTER TABLE u ADD COLUMN d int; COMMIT";
    assert_eq!(between(stand, "BEGIN", commit, "INSERT INTO u VALUES (11, 1)").await, Ok(()));
}

async fn g1_a_row_that_arrives_while_a_table_is_written_anew_stays(stand: &mut Stand) {
    stand.client().await.ok("CREATE SCHEMA s; CREATE TABLE t (a text); INSERT INTO t VALUES ('1')").await;
    let retype = "ALTER TABLE t ALTER a TYPE int USING a::int, ADD COLUMN id serial";
    assert_eq!(between(stand, "", retype, "INSERT INTO t VALUES ('2')").await, Ok(()));
    assert_eq!(between(stand, "", "ALTER TABLE t SET SCHEMA s", "INSERT INTO t VALUES (3)").await, Ok(()));
    let client = stand.client().await;
    client.ok("SET duckmesh.consistency = strong").await;
    assert_eq!(client.text("SELECT a, count(id) FROM s.t GROUP BY a ORDER BY a").await, ["1|1", "2|1", "3|1"]);
    // A transaction's rows were read from its own snapshot: it cannot look again.
    let commit = "ALTER TABLE s.t ALTER a TYPE text; COMMIT";
    assert_eq!(between(stand, "BEGIN", commit, "INSERT INTO s.t VALUES (4)").await, Err("40001".into()));
    let client = stand.client().await;
    client.ok("SET duckmesh.consistency = strong").await;
    assert_eq!(client.value("SELECT sum(a) FROM s.t").await, "10", "nothing of it, and no row is lost");
}

/// Writers of other tables, and of this one, that never stop: the statement has an end all the same.
async fn rows_of_other_tables_do_not_disturb(stand: &mut Stand) {
    stand.client().await.ok("CREATE TABLE t (a int); CREATE TABLE other (a int); INSERT INTO t VALUES (1)").await;
    let writers = ["t", "other", "t", "other"].map(|table| async move { format!("INSERT INTO {table} VALUES (1)") });
    let mut clients = Vec::new();
    for insert in writers {
        clients.push((stand.client().await, insert.await));
    }
    let client = stand.client().await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let writing = clients.into_iter().map(|(writer, insert)| {
        let stopped = stopped.clone();
        tokio::spawn(async move {
            let mut rows = 0;
            while !*stopped.borrow() {
                writer.ok(&insert).await;
                rows += 1;
            }
            rows
        })
    });
    let writing: Vec<_> = writing.collect();
    for n in 0..5 {
        client.ok(&format!("ALTER TABLE t ADD CONSTRAINT c{n} CHECK (a > -{n} - 1)")).await;
    }
    stop.send_replace(true);
    for writer in writing {
        assert!(writer.await.unwrap() > 0, "writers went on");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ddl_that_needs_no_rows_waits_for_none() {
    let stand = Stand::sqlite_with(ServerOptions::default());
    let client = stand.client().await;
    client.ok("CREATE TABLE t (a int); ALTER TABLE t ALTER COLUMN a SET NOT NULL").await;
    assert!(client.fails("INSERT INTO t VALUES (NULL)").await.starts_with("23502"));
}

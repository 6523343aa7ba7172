//! What was prepared means the same after the schema changed, or says that it cannot.

use bytes::Bytes;
use duckmesh_tests::harness::{Client, Server};
use futures::{SinkExt, pin_mut};
use tokio_postgres::types::Type;

async fn copied(
    client: &Client,
    statement: &tokio_postgres::Statement,
    line: &str,
) -> Result<u64, tokio_postgres::Error> {
    let sink = client.pg.copy_in(statement).await?;
    pin_mut!(sink);
    sink.send(Bytes::from(line.to_owned())).await?;
    sink.finish().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn types_of_parameters_stay_as_the_client_was_told() {
    let server = Server::start();
    let (client, other) = (server.client().await, server.client().await);
    other.ok("SET duckmesh.consistency = strong").await;
    client.ok("SET duckmesh.consistency = strong; CREATE TABLE t (a bigint); CREATE TABLE u (a int)").await;
    let large = client.pg.prepare("INSERT INTO t VALUES ($1)").await.unwrap();
    let small = client.pg.prepare("INSERT INTO u VALUES ($1)").await.unwrap();
    let found = client.pg.prepare("SELECT count(*) FROM u WHERE a = $1").await.unwrap();
    assert_eq!(
        (large.params(), small.params(), found.params()),
        (&[Type::INT8][..], &[Type::INT4][..], &[Type::INT4][..])
    );
    other.ok("ALTER TABLE t ALTER a TYPE double precision; ALTER TABLE u ALTER a TYPE bigint").await;
    client.pg.execute(&large, &[&1000_i64]).await.unwrap();
    client.pg.execute(&small, &[&7_i32]).await.unwrap();
    client.pg.execute(&small, &[&-8_i32]).await.unwrap();
    assert_eq!(client.value("SELECT a FROM t").await, "1000");
    assert_eq!(client.value("SELECT sum(a), count(*) FROM u").await, "-1|2");
    assert_eq!(client.pg.query_one(&found, &[&7_i32]).await.unwrap().get::<_, i64>(0), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn columns_of_other_names_are_not_taken_for_those_that_were_told() {
    let server = Server::start();
    let (client, other) = (server.client().await, server.client().await);
    client.ok("SET duckmesh.consistency = strong").await;
    client.ok("CREATE TABLE t (a int, b text); INSERT INTO t VALUES (1, 'old')").await;
    for change in [
        "ALTER TABLE t DROP COLUMN b; ALTER TABLE t ADD COLUMN z text DEFAULT 'new'",
        "ALTER TABLE t RENAME COLUMN z TO y",
        "ALTER TABLE t ADD COLUMN c int",
        "ALTER TABLE t ALTER a TYPE bigint",
    ] {
        let all = client.pg.prepare("SELECT * FROM t").await.unwrap();
        assert_eq!(client.pg.query(&all, &[]).await.unwrap().len(), 1);
        other.ok(change).await;
        let error = client.pg.query(&all, &[]).await.unwrap_err();
        let error = error.as_db_error().unwrap();
        assert_eq!(
            (error.code().code(), error.message()),
            ("0A000", "cached plan must not change result type"),
            "{change}"
        );
        // Drivers go by this and prepare it again.
        assert_eq!(error.routine(), Some("RevalidateCachedQuery"));
    }
    // Columns that it does not read are no matter.
    let one = client.pg.prepare("SELECT a FROM t").await.unwrap();
    client.pg.query(&one, &[]).await.unwrap();
    other.ok("ALTER TABLE t ADD COLUMN d int; ALTER TABLE t RENAME COLUMN c TO e").await;
    assert_eq!(client.pg.query(&one, &[]).await.unwrap()[0].get::<_, i64>(0), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plans_of_what_was_rolled_back_are_not_those_of_the_next_transaction() {
    let server = Server::start();
    let client = server.client().await;
    client.ok("SET duckmesh.consistency = strong; CREATE TABLE t (a int); INSERT INTO t VALUES (1)").await;
    let failed = "ALTER TABLE t ADD COLUMN x int; PREPARE i (int) AS INSERT INTO t VALUES (2, $1); PREPARE s AS SELECT * FROM t; SELECT nope";
    assert!(client.fails(failed).await.starts_with("42703"));
    let error = client.fails("ALTER TABLE t ADD COLUMN y text DEFAULT 'hello' CHECK (y <> '7'); EXECUTE i (7)").await;
    assert!(error.starts_with("23514") || error.starts_with("42804"), "{error}");
    let error = client.fails("ALTER TABLE t ADD COLUMN y boolean; EXECUTE i (7)").await;
    assert!(error.starts_with("42804"), "{error}");
    assert_eq!(client.text("SELECT * FROM t").await, ["1"]);
    assert_eq!(client.text("ALTER TABLE t ADD COLUMN w int DEFAULT 5; SELECT w FROM t").await, ["5"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_prepared_copy_goes_where_its_table_is_now() {
    let server = Server::start();
    let client = server.client().await;
    client.ok("SET duckmesh.consistency = strong; CREATE SCHEMA other; CREATE TABLE a (x int); CREATE TABLE other.a (x int)").await;
    let copy = client.pg.prepare("COPY a FROM STDIN").await.unwrap();
    assert_eq!(copied(&client, &copy, "1\n").await.unwrap(), 1);
    client.ok("ALTER TABLE a ADD COLUMN y int").await;
    assert_eq!(copied(&client, &copy, "2\t3\n").await.unwrap(), 1);
    client.ok("SET search_path = other").await;
    assert_eq!(copied(&client, &copy, "4\n").await.unwrap(), 1);
    client.ok("BEGIN; ALTER TABLE a ADD COLUMN z int").await;
    assert_eq!(copied(&client, &copy, "5\t6\n").await.unwrap(), 1);
    client.ok("COMMIT").await;
    assert_eq!(client.text("SELECT x, y FROM public.a ORDER BY x").await, ["1|NULL", "2|3"]);
    assert_eq!(client.text("SELECT x, z FROM other.a ORDER BY x").await, ["4|NULL", "5|6"]);
    client.ok("DROP TABLE a").await;
    let error = copied(&client, &copy, "7\n").await.unwrap_err();
    assert_eq!(error.code().unwrap().code(), "42P01");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_savepoint_takes_back_is_no_matter_of_the_transaction() {
    let server = Server::start();
    let (client, other) = (server.client().await, server.client().await);
    client.ok("SET duckmesh.consistency = strong; CREATE TABLE t (a int); CREATE TABLE u (a int); INSERT INTO u VALUES (1)").await;
    // A table that was written anew, and is not.
    client.ok("BEGIN; INSERT INTO t VALUES (1); SAVEPOINT s; ALTER TABLE u ADD COLUMN k serial; ROLLBACK TO s").await;
    other.ok("INSERT INTO u VALUES (2)").await;
    client.ok("COMMIT").await;
    assert_eq!(client.value("SELECT count(*) FROM u").await, "2");
    // What may be written.
    client.ok("BEGIN; SAVEPOINT s; SET TRANSACTION READ ONLY; ROLLBACK TO s; INSERT INTO t VALUES (2); COMMIT").await;
    assert_eq!(client.value("SELECT count(*) FROM t").await, "2");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transactions_that_read_only_write_nothing() {
    let server = Server::start();
    let client = server.client().await;
    client.ok("CREATE TABLE t (a int)").await;
    for (first, second, expect) in [
        ("BEGIN; SET transaction_read_only = on", "INSERT INTO t VALUES (1)", "25006"),
        ("BEGIN READ ONLY", "CREATE TABLE u (a int)", "25006"),
        ("BEGIN READ ONLY; SELECT a FROM t", "SET TRANSACTION READ WRITE", "25001"),
        ("BEGIN READ ONLY; SELECT a FROM t", "SET transaction_read_only = off", "25001"),
        ("SET default_transaction_read_only = on; BEGIN", "INSERT INTO t VALUES (1)", "25006"),
    ] {
        client.ok(first).await;
        assert_eq!(client.value("SHOW transaction_read_only").await, "on", "{first}");
        assert!(client.fails(second).await.starts_with(expect), "{first}; {second}");
        client.ok("ROLLBACK; RESET default_transaction_read_only").await;
        assert_eq!(client.value("SHOW transaction_read_only").await, "off");
    }
    client.ok("BEGIN READ ONLY; SET TRANSACTION READ WRITE; INSERT INTO t VALUES (1); COMMIT").await;
    client.ok("BEGIN; SET transaction_read_only = on; COMMIT; INSERT INTO t VALUES (2)").await;
    assert_eq!(client.value("SET duckmesh.consistency = strong; SELECT count(*) FROM t").await, "2");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_prepared_insert_learns_of_types_that_changed() {
    let server = Server::start();
    let (client, other) = (server.client().await, server.client().await);
    client.ok("SET duckmesh.consistency = strong; CREATE TYPE mood AS ENUM ('a', 'b'); CREATE TABLE t (m mood, v varchar(2), n int NOT NULL)").await;
    client.ok("PREPARE i AS INSERT INTO t VALUES ($1, $2, $3); EXECUTE i ('a', 'x', 1)").await;
    other.ok("ALTER TYPE mood RENAME VALUE 'a' TO 'c'; ALTER TYPE mood ADD VALUE 'd'").await;
    client.ok("EXECUTE i ('c', 'x', 2); EXECUTE i ('d', 'x', 3)").await;
    assert!(client.fails("EXECUTE i ('a', 'x', 4)").await.starts_with("22P02"));
    other.ok("ALTER TABLE t ALTER v TYPE varchar(5)").await;
    client.ok("EXECUTE i ('b', 'long', 5)").await;
    other.ok("ALTER TABLE t ALTER n DROP NOT NULL").await;
    client.ok("EXECUTE i ('b', 'x', NULL)").await;
    assert_eq!(
        client.text("SELECT m, v, n FROM t ORDER BY n").await,
        ["c|x|1", "c|x|2", "d|x|3", "b|long|5", "b|x|NULL"]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_local_is_of_the_statements_sent_together() {
    let server = Server::start();
    let client = server.client().await;
    client
        .ok("SET duckmesh.consistency = strong; CREATE SCHEMA b; CREATE TABLE q (x int); CREATE TABLE b.q (x int)")
        .await;
    client.ok("SET LOCAL search_path = b; INSERT INTO q VALUES (1)").await;
    client.ok("INSERT INTO q VALUES (2)").await;
    assert_eq!(client.text("SELECT x FROM b.q").await, ["1"]);
    assert_eq!(client.text("SELECT x FROM public.q").await, ["2"]);
    assert_eq!(client.value("SELECT set_config('a.b', '77', true); SELECT current_setting('a.b')").await, "77");
    assert_eq!(client.value("SELECT current_setting('a.b')").await, "");
    assert!(client.fails("SET LOCAL TimeZone = 'Asia/Tokyo'; SELECT 1 / 0").await.starts_with("22012"));
    assert_ne!(client.value("SHOW TimeZone").await, "Asia/Tokyo");
    // What was said before a COMMIT stays said.
    client.ok("LISTEN x").await;
    assert!(client.fails("NOTIFY x, '1'; COMMIT; SELECT 1 / 0").await.starts_with("22012"));
    client.ok("SELECT 1").await;
    assert_eq!(client.notified(), [("x".to_owned(), "1".to_owned())]);
    client.ok("WITH x AS (SELECT 1 AS a) SELECT * INTO TEMP tt FROM x").await;
    client.ok("EXPLAIN CREATE TEMP TABLE te AS SELECT 1 AS a").await;
    assert_eq!(client.value("SELECT a FROM tt").await, "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_are_made_of_queries_beside_each_other() {
    let server = Server::start();
    let client = server.client().await;
    client
        .ok("SET duckmesh.consistency = strong; CREATE TABLE src AS SELECT n FROM generate_series(1, 100) AS g(n)")
        .await;
    let mut tasks = tokio::task::JoinSet::new();
    for session in 0..4 {
        let client = server.client().await;
        tasks.spawn(async move {
            client.ok("SET duckmesh.consistency = strong").await;
            for table in 0..4 {
                client.ok(&format!("CREATE TABLE t{session}_{table} AS SELECT n * {table} AS n FROM src")).await;
                assert_eq!(
                    client.value(&format!("SELECT sum(n) FROM t{session}_{table}")).await,
                    (5050 * table).to_string()
                );
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
}

//! TE1, TE2: one database's names, rows and tokens do not show in another one, in its errors, or in the log.

use duckmesh_tests::harness::Server;

/// Words that stand nowhere else.
const CANARIES: [&str; 4] = ["canary_table", "canary_column", "canary_value", "canary_type"];

fn clean(what: &str, text: &str) {
    for canary in CANARIES {
        assert!(!text.contains(canary), "{what} shows {canary}:\n{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn te1_te2_another_database_shows_nothing() {
    let server = Server::start();
    let first = server.client().await;
    first.ok("CREATE DATABASE other").await;
    let other = server.client_of("other").await;
    other.ok("CREATE TYPE canary_type AS ENUM ('canary_value')").await;
    other.ok("CREATE TABLE canary_table (canary_column text, e canary_type)").await;
    let token = other.write("INSERT INTO canary_table VALUES ('canary_value', 'canary_value')").await;
    other.ok("SELECT * FROM canary_table").await;
    other.ok("CREATE SCHEMA s; CREATE VIEW s.canary_table AS SELECT canary_column FROM canary_table; CREATE SEQUENCE canary_table_seq").await;

    // What is there and what is nowhere get the same answer.
    for name in ["canary_table", "s.canary_table", "other.public.canary_table"] {
        let there = first.fails(&format!("SELECT * FROM {name}")).await;
        let nowhere = first.fails(&format!("SELECT * FROM {}", name.replace("canary", "nothing"))).await;
        assert_eq!(there.replace("canary", "nothing"), nowhere);
    }
    assert!(first.fails("INSERT INTO canary_table VALUES (1)").await.starts_with("42P01"));
    assert!(first.fails("COPY canary_table TO STDOUT").await.starts_with("42P01"));
    assert!(first.fails("SELECT nextval('canary_table_seq')").await.starts_with("42P01"));
    // Its token, and its files by their path.
    let error = first.fails(&format!("SET duckmesh.min_token = '{token}'; SELECT 1")).await;
    assert!(error.starts_with("MD003"), "{error}");
    clean("the error of a token", &error);
    let path = other.value("SELECT path FROM duckmesh.files LIMIT 1").await;
    let whole = server.data().join("lakes/other/files").join(&path);
    for attempt in
        [format!("SELECT * FROM read_parquet('{}')", whole.display()), format!("SELECT * FROM '{}'", whole.display())]
    {
        let error = first.fails(&attempt).await;
        assert!(["42501", "42883", "42P01", "42601", "0A000"].contains(&&error[..5]), "{error}");
    }

    // Every system relation.
    first.ok("RESET duckmesh.min_token").await;
    let relations = "SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                     WHERE n.nspname IN ('pg_catalog', 'information_schema', 'duckmesh') AND c.relkind IN ('r', 'v') ORDER BY 1";
    let mut read = 0;
    for relation in first.text(relations).await {
        if let Ok(rows) = first.rows(&format!("SELECT * FROM {relation}")).await {
            clean(&relation, &format!("{rows:?}"));
            read += 1;
        }
    }
    assert!(read > 100, "only {read} relations were read");
    // Their own database shows them.
    assert!(other.text("SELECT relname FROM pg_class").await.contains(&"canary_table".to_owned()));

    // Rows and their values never get into the log.
    assert!(
        other.fails("INSERT INTO canary_table VALUES ('x', 'canary_value_that_is_none')").await.starts_with("22P02")
    );
    let log = server.log();
    assert!(!log.contains("canary_value"), "{log}");
}

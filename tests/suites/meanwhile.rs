//! What other sessions do between a write's beginning and its append.

use duckmesh_tests::harness::wire::CopyEnd;

use crate::stand::{Stand, on_both_catalogs};

on_both_catalogs!(g1_a_copy_of_a_table_that_moves_is_refused, rows_of_before_a_domain_grew_stricter_are_refused,);

/// So many that they are staged as files.
fn lines() -> impl Iterator<Item = Vec<u8>> {
    let line = |n: u32| format!("{n}\t{}\n", "some text that is long ".repeat(3));
    (0..200).map(move |piece| (piece * 1000..(piece + 1) * 1000).map(line).collect::<String>().into_bytes())
}

async fn g1_a_copy_of_a_table_that_moves_is_refused(stand: &mut Stand) {
    let client = stand.client().await;
    client.ok("SET duckmesh.consistency = strong; CREATE SCHEMA s2; CREATE TABLE t (a int, b text)").await;
    let (mut copying, mut moving) = (stand.server.wire(), stand.server.wire());
    let moves = std::iter::once_with(|| {
        assert_eq!(moving.query("ALTER TABLE t SET SCHEMA s2")[0].error, None);
        Vec::new()
    });
    let answers = copying.copy_in("COPY t FROM STDIN", &mut lines().chain(moves), CopyEnd::Done).unwrap();
    assert_eq!(answers[0].sqlstate(), Some("40001"), "{answers:?}");
    assert_eq!(client.value("SELECT count(*) FROM s2.t").await, "0");
    // The same in a transaction, whose rows are appended when it ends.
    assert_eq!(copying.query("BEGIN")[0].error, None);
    let answers = copying.copy_in("COPY s2.t FROM STDIN", &mut lines(), CopyEnd::Done).unwrap();
    assert_eq!(answers[0].tag.as_deref(), Some("COPY 200000"), "{answers:?}");
    assert_eq!(moving.query("ALTER TABLE s2.t SET SCHEMA public")[0].error, None);
    assert_eq!(copying.query("COMMIT")[0].sqlstate(), Some("40001"));
    assert_eq!(client.value("SELECT count(*) FROM t").await, "0");
    // Another name of the table or of its schema moves no file.
    assert_eq!(copying.query("BEGIN")[0].error, None);
    copying.copy_in("COPY t FROM STDIN", &mut lines(), CopyEnd::Done).unwrap();
    assert_eq!(moving.query("ALTER TABLE t RENAME TO t2")[0].error, None);
    assert_eq!(copying.query("COMMIT")[0].error, None);
    assert_eq!(client.value("SELECT count(*), sum(a) FROM t2").await, "200000|19999900000");
}

async fn rows_of_before_a_domain_grew_stricter_are_refused(stand: &mut Stand) {
    let (client, other) = (stand.client().await, stand.client().await);
    client.ok("CREATE DOMAIN below AS int; CREATE DOMAIN d AS below; CREATE TABLE t (v d)").await;
    for (row, stricter) in [
        ("-5", "ALTER DOMAIN d ADD CONSTRAINT positive CHECK (VALUE > 0)"),
        ("500", "ALTER DOMAIN below ADD CONSTRAINT small CHECK (VALUE < 100)"),
        ("NULL", "ALTER DOMAIN d SET NOT NULL"),
    ] {
        client.ok(&format!("BEGIN; INSERT INTO t VALUES ({row})")).await;
        other.ok(stricter).await;
        let error = client.fails("COMMIT").await;
        assert!(error.starts_with("40001"), "{stricter}: {error}");
    }
    client.ok("BEGIN; INSERT INTO t VALUES (5)").await;
    other.ok("COMMENT ON DOMAIN d IS 'no matter'").await;
    client.ok("COMMIT; SET duckmesh.consistency = strong").await;
    assert_eq!(client.text("SELECT v FROM t").await, ["5"]);
}

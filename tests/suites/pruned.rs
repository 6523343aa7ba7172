//! Files that are left out of a read have no row of it, however the constant is written.

use duckmesh_tests::harness::{Client, Server, ServerOptions};
use tokio_postgres::types::{Format, IsNull, ToSql, Type, private::BytesMut};

/// A parameter in text, of whatever type the statement takes it for.
#[derive(Debug)]
struct Text<'a>(&'a str);

impl ToSql for Text<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        out.extend_from_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    tokio_postgres::types::to_sql_checked!();
}

/// A table of which each row has a file of its own.
async fn spread(client: &Client, table: &str, columns: &str, rows: &[&str]) {
    client.ok(&format!("CREATE TABLE {table} ({columns})")).await;
    for row in rows {
        client.ok(&format!("INSERT INTO {table} VALUES ({row})")).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn constants_are_compared_as_they_are() {
    let args = ["--merge-files", "false"].map(str::to_owned).to_vec();
    let server = Server::with(ServerOptions { args, ..ServerOptions::default() });
    let client = server.client().await;
    client.ok("SET duckmesh.write_visibility = visible").await;
    spread(&client, "nu", "x numeric, k int", &["0.000000001, 0", "5, 1", "7, 2"]).await;
    for (condition, constant, expect) in [
        ("x > $1", "0.0000000005", "0,1,2"),
        ("x < $1", "0.0000000014", "0"),
        ("x >= $1", "5.0000000001", "2"),
        ("x = $1", "5.0", "1"),
    ] {
        let typed = format!("SELECT string_agg(k::text, ',' ORDER BY k) FROM nu WHERE {condition}");
        client.ok(&format!("PREPARE p (numeric) AS {typed}")).await;
        assert_eq!(client.value(&format!("EXECUTE p ({constant})")).await, expect, "{condition} of {constant}");
        client.ok("DEALLOCATE p").await;
        let row = client.pg.query_one(&typed, &[&Text(constant)]).await.unwrap();
        assert_eq!(row.get::<_, &str>(0), expect, "{condition} of a parameter {constant}");
    }
    spread(&client, "vc", "v varchar(3)", &["'abc'", "'zzz'", "'aaa'"]).await;
    let names = |condition: &str| format!("SELECT string_agg(v, ',' ORDER BY v) FROM vc WHERE {condition}");
    assert_eq!(client.value(&names("v < 'abc  '")).await, "aaa,abc");
    assert_eq!(client.value(&names("'abc   ' > v")).await, "aaa,abc");
    assert_eq!(client.value(&names("v > 'abcd'")).await, "zzz");
    spread(&client, "ts", "t timestamp(0)", &["'2024-01-01 12:34:57'", "'2024-01-01 12:34:50'", "'2025-01-01'"]).await;
    for constant in ["'2024-01-01 12:34:56.789'::timestamp(0)", "timestamp(0) '2024-01-01 12:34:56.789'"] {
        let count = format!("SELECT count(*) FROM ts WHERE t = {constant}");
        assert_eq!(client.value(&count).await, "1", "{constant}");
        assert_eq!(client.value(&count.replace("t =", "t <=")).await, "2", "{constant}");
    }
}

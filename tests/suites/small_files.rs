//! Small files, whose rows the worker gives to DuckDB by itself, are what DuckDB reads in them.

use duckmesh_tests::harness::{Client, Server};

/// Each of them is given by the worker.
const COLUMNS: &str = "id int, b bool, i2 int2, i4 int4, i8 int8, f4 float4, f8 float8, n4 numeric(4,2), n9 numeric(9,3), \
     n18 numeric(18,6), n38 numeric(38,9), m money, t text, v varchar(40), c char(5), y bytea, d date, h time, \
     ts timestamp, tz timestamptz, ts3 timestamp(3), u uuid, j json, jb jsonb, ip inet";

/// Nulls, the least, the greatest, what is short and what is long.
const ROWS: [&str; 4] = [
    "(1, true, -32768, -2147483648, -9223372036854775808, '-inf', 'nan', -99.99, -999999.999, -999999999999.999999, \
     -99999999999999999999999999999.999999999, -92233720368547758.08, '', 'ä', 'ab', '\\x', '4713-11-24 BC', '00:00', \
     '4713-11-24 00:00:00 BC', '4713-11-24 00:00:00+00 BC', '1969-12-31 23:59:59.999', \
     '00000000-0000-0000-0000-000000000000', '{\"b\": 1,  \"a\": [null]}', '{\"b\": 1, \"a\": [null]}', '10.0.0.1/8')",
    "(2, false, 32767, 2147483647, 9223372036854775807, 3.4028235e38, 1.7976931348623157e308, 99.99, 999999.999, \
     999999999999.999999, 99999999999999999999999999999.999999999, 92233720368547758.07, repeat('long text ', 50), \
     'twelve bytes', 'abcde', '\\x00ff00', '5874897-12-31', '23:59:59.999999', '294246-12-31 23:59:59.999999', \
     '294246-12-31 23:59:59.999999+00', '2024-02-29 12:34:56.789', 'ffffffff-ffff-ffff-ffff-ffffffffffff', '7', '7', '::1')",
    "(3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, \
     NULL, NULL, NULL, NULL, NULL, NULL)",
    "(4, true, 0, 0, 0, '-0', 5e-324, 0.01, 0.001, 0.000001, 0.000000001, 0.01, 'thirteen byte', 'x', '', '\\x01', \
     '2000-01-01', '12:00', '2000-01-01', '2000-01-01 00:00+01', '2000-01-01', '80000000-0000-0000-0000-000000000001', \
     'null', 'null', '1.2.3.4')",
];

async fn answer(client: &Client, sql: &str) -> String {
    format!("{:?}", client.rows(sql).await.unwrap()).to_ascii_uppercase()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn small_files_have_the_rows_that_duckdb_reads_in_them() {
    let server = Server::start();
    let client = server.client().await;
    client.ok("SET TimeZone = 'Europe/Berlin'; SET duckmesh.write_visibility = visible").await;
    // An array's values are read by DuckDB: all of the table then is.
    client.ok(&format!("CREATE TABLE small ({COLUMNS}); CREATE TABLE whole ({COLUMNS}, unlike int[])")).await;
    for row in ROWS {
        client.ok(&format!("INSERT INTO small VALUES {row}")).await;
        client.ok(&format!("INSERT INTO whole VALUES {row}")).await;
    }
    // Several rows in one file, with NULL beside what is not.
    client.ok(&format!("INSERT INTO small VALUES {}", ROWS.join(", ").replace("(1,", "(5,"))).await;
    client.ok(&format!("INSERT INTO whole VALUES {}", ROWS.join(", ").replace("(1,", "(5,"))).await;
    assert!(answer(&client, "EXPLAIN SELECT t FROM small").await.contains("SMALL_FILES"), "the worker gives them");
    assert!(answer(&client, "EXPLAIN SELECT t FROM whole").await.contains("READ_PARQUET"), "DuckDB reads them");
    for name in COLUMNS.split(", ").filter_map(|column| column.split(' ').next()) {
        let same = async |of: &str| {
            let of = of.replace("{}", name);
            let (small, whole) = (of.replace("{t}", "small"), of.replace("{t}", "whole"));
            assert_eq!(answer(&client, &small).await, answer(&client, &whole).await, "{of}");
        };
        same("SELECT {}, pg_typeof({}) FROM {t} ORDER BY id, {}::text").await;
        // As an operand, in DuckDB's own form.
        same("SELECT count({}), max({}::text), count(*) FILTER (WHERE {} IS NULL) FROM {t}").await;
        if name != "j" {
            same("SELECT count(DISTINCT {}), count(*) FILTER (WHERE {} = {}) FROM {t}").await;
        }
    }
    // No column is asked for.
    assert_eq!(client.value("SELECT count(*) FROM small").await, (ROWS.len() * 2).to_string());
    assert_eq!(client.value("SELECT count(*) FROM small a, small b WHERE a.id = b.id").await, "14");
    // A column that came later: older files do not have it.
    client.ok("ALTER TABLE small ADD COLUMN later int DEFAULT 9; INSERT INTO small (id, later) VALUES (6, 10)").await;
    assert_eq!(client.value("SELECT count(*), sum(later) FROM small").await, "9|82");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statements_cannot_name_the_rows_of_others() {
    let server = Server::start();
    let client = server.client().await;
    client.ok("SET duckmesh.write_visibility = visible; CREATE TABLE t (a int); INSERT INTO t VALUES (1)").await;
    for number in 0..4 {
        let error = client.fails(&format!("SELECT * FROM duckmesh_small_files({number})")).await;
        assert!(error.starts_with("42883"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn small_files_of_thousands_of_rows_are_read_in_pieces() {
    let server = Server::start();
    let client = server.client().await;
    client.ok("SET duckmesh.write_visibility = visible").await;
    client.ok("CREATE TABLE small (a int, t text); CREATE TABLE whole (a int, t text, unlike int[])").await;
    for rows in ["1, 5000", "4000, 23999", "7, 7"] {
        for table in ["small", "whole"] {
            let row = "n, CASE WHEN n % 3 > 0 THEN repeat(n::text, 1 + n % 4) END";
            client.ok(&format!("INSERT INTO {table} SELECT {row} FROM generate_series({rows}) AS g(n)")).await;
        }
    }
    let reads = async |table: &str| answer(&client, &format!("EXPLAIN SELECT t FROM {table}")).await;
    assert!(reads("small").await.contains("SMALL_FILES"), "the worker gives them");
    for of in [
        "SELECT count(*), count(t), sum(a), sum(length(t)), min(t), max(t), count(DISTINCT a) FROM {t}",
        "SELECT a, t FROM {t} WHERE a % 1000 BETWEEN 998 AND 999 OR a = 7 ORDER BY a, t",
        "SELECT count(*) FROM {t} x JOIN {t} y USING (a)",
    ] {
        let (small, whole) = (of.replace("{t}", "small"), of.replace("{t}", "whole"));
        assert_eq!(answer(&client, &small).await, answer(&client, &whole).await, "{of}");
    }
    assert_eq!(client.value("SELECT count(*), sum(a) FROM small").await, "25001|292492507");
    // One more file, and together they are not small.
    client.ok("INSERT INTO small SELECT n, 'x' FROM generate_series(1, 10000) AS g(n)").await;
    assert!(reads("small").await.contains("READ_PARQUET"), "DuckDB reads them");
    assert_eq!(client.value("SELECT count(*) FROM small").await, "35001");
}

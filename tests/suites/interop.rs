//! The lake in the official DuckDB with the official `ducklake` extension, while the server runs and after it stopped.

use std::time::Duration;

use duckmesh_tests::harness::{Client, Lake, client::join, eventually_async, wire::CopyEnd};

use crate::stand::{Stand, on_both_catalogs};

on_both_catalogs!(
    interop_same_tables_same_rows,
    interop_same_time_travel,
    interop_ducklake_functions_work,
    interop_rows_of_duckdb_are_seen,
    interop_truncated_and_widened,
    interop_tables_written_anew_and_moved,
    interop_enums_are_text_there,
    interop_both_write_at_once,
    interop_merged_files_have_the_same_history,
);

const TABLE: &str = "CREATE TABLE types (
    a smallint, b int NOT NULL, c bigint, d real, e double precision, f numeric(12,3), g text, h varchar(10), i bool,
    j date, k time, l timestamp, m timestamptz, n uuid, o bytea, p int[], q jsonb, r interval,
    s inet, t int4range, u timetz, w money, x inet[]
)";

const ROWS: &str = "INSERT INTO types VALUES
    (1, 2, 3, 1.5, 2.25, 12.345, 'text', 'short', true, '2013-01-01', '12:34:56.789', '2013-01-01 12:00:00',
     '2013-01-01 12:00:00+00', '00000000-0000-0000-0000-000000000001', '\\x00ff', '{1,2,NULL}', '{\"a\": 1}', '1 day',
     '10.0.0.1/8', '[1,5]', '10:00+01', '$1,234.50', '{::1,NULL}'),
    (-32768, -2147483648, -9223372036854775808, '-infinity', 'nan', -999999999.999, '', 'ä', false, '0001-01-01', '00:00:00',
     '0001-01-01 00:00:00', '9999-12-31 23:59:59+00', 'ffffffff-ffff-ffff-ffff-ffffffffffff', '\\x', '{}', '[]', '-1 mon',
     '::1', 'empty', '00:00:00-12', '-92233720368547758.08', '{}'),
    (NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
     NULL, NULL, NULL, NULL, NULL)";

/// Columns whose text is the same in Postgres and DuckDB.
const COMPARED: &str = "SELECT a, b, c, e, f, g, h, j, k, l, m, n, length(g), s, t, u FROM types ORDER BY b";

async fn compare(client: &Client, lake: &Lake, sql: &str) {
    let ours = client.text(sql).await;
    let theirs = lake.text(sql);
    let lower = |rows: Vec<String>| rows.into_iter().map(|row| row.to_lowercase()).collect::<Vec<_>>();
    assert_eq!(lower(ours), lower(theirs), "{sql}");
}

async fn interop_same_tables_same_rows(stand: &mut Stand) {
    let client = stand.client().await;
    client.ok("SET timezone = 'UTC'").await;
    client.ok(TABLE).await;
    client.ok(ROWS).await;
    client
        .ok("CREATE SCHEMA s; CREATE TABLE s.evolved (a int, gone text); INSERT INTO s.evolved VALUES (1, 'x')")
        .await;
    client.ok("ALTER TABLE s.evolved ADD COLUMN b text DEFAULT 'later'; ALTER TABLE s.evolved DROP COLUMN gone").await;
    client.ok("ALTER TABLE s.evolved RENAME COLUMN a TO z; INSERT INTO s.evolved VALUES (2, 'now')").await;
    let mut wire = stand.server.wire();
    wire.query("CREATE TABLE large (a int, b text)");
    let mut pieces =
        (0..100).map(|n| (0..3000).map(|m| format!("{}\trow {m}\n", n * 3000 + m)).collect::<String>().into());
    let answers = wire.copy_in("COPY large FROM STDIN", &mut pieces, CopyEnd::Done).unwrap();
    assert_eq!(answers[0].tag.as_deref(), Some("COPY 300000"), "{answers:?}");
    client.ok("SET duckmesh.consistency = strong; SELECT * FROM large LIMIT 1").await;
    let lake = stand.lake();
    let queries = [
        COMPARED,
        "SELECT z, b FROM s.evolved ORDER BY z",
        "SELECT count(*), sum(a), min(b), max(b), count(DISTINCT b) FROM large",
        "SELECT count(*) FROM large WHERE a BETWEEN 1000 AND 1999",
        "SELECT table_schema, table_name, column_name FROM information_schema.columns \
         WHERE table_name IN ('evolved', 'large') ORDER BY 1, 2, ordinal_position",
    ];
    for sql in &queries[..4] {
        compare(&client, &lake, sql).await;
    }
    assert_eq!(
        lake.text("SELECT d, i, hex(o), p, q, r FROM types ORDER BY b")[2],
        "1.5|true|00FF|[1, 2, NULL]|{\"a\": 1}|1 day",
    );
    assert_eq!(lake.text(queries[4]).len(), 4, "public is main there");
    assert!(stand.server.stop().success());
    let rows = lake.text(queries[2]);
    assert_eq!(rows, ["300000|44999850000|row 0|row 999|3000"], "after it stopped");
}

async fn interop_same_time_travel(stand: &mut Stand) {
    let client = stand.client().await;
    client.ok("SET duckmesh.write_visibility = visible; CREATE TABLE t (a int)").await;
    let mut versions = Vec::new();
    for n in 1..=4 {
        client.ok(&format!("INSERT INTO t VALUES ({n})")).await;
        versions.push(stand.newest_snapshot().await);
    }
    client.ok("ALTER TABLE t ADD COLUMN b int").await;
    let lake = stand.lake();
    for version in versions {
        client.ok(&format!("SET duckmesh.snapshot = '{version}'")).await;
        let ours = client.text("SELECT * FROM t ORDER BY a").await;
        let theirs = lake.text(&format!("SELECT * FROM t AT (VERSION => {version}) ORDER BY a"));
        assert_eq!(ours, theirs, "snapshot {version}");
    }
    client.ok("RESET duckmesh.snapshot").await;
    let ours = client.text("SELECT snapshot_id FROM duckmesh.snapshots ORDER BY 1").await;
    assert_eq!(ours, lake.text("SELECT snapshot_id FROM ducklake_snapshots('lake') ORDER BY 1"));
}

async fn interop_enums_are_text_there(stand: &mut Stand) {
    let client = stand.client().await;
    client.ok("SET duckmesh.write_visibility = visible; CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy')").await;
    client.ok("CREATE DOMAIN small AS int CHECK (VALUE < 10)").await;
    client.ok("CREATE TABLE people (id int, mood mood DEFAULT 'ok', moods mood[], small small)").await;
    client.ok("INSERT INTO people VALUES (1, 'happy', '{sad,NULL}', 5), (2, 'sad', NULL, NULL)").await;
    let before = stand.newest_snapshot().await;
    client.ok("ALTER TYPE mood RENAME VALUE 'sad' TO 'blue'; ALTER TYPE mood ADD VALUE 'fine' BEFORE 'happy'").await;
    client.ok("INSERT INTO people VALUES (3, 'blue', '{fine}', 7); INSERT INTO people (id) VALUES (4)").await;
    let lake = stand.lake();
    // Files keep the text that a label had; the lake knows nothing of its order.
    assert_eq!(
        lake.text("SELECT id, mood, moods, small, typeof(mood) FROM people ORDER BY id"),
        [
            "1|happy|[sad, NULL]|5|VARCHAR",
            "2|sad|NULL|NULL|VARCHAR",
            "3|blue|[fine]|7|VARCHAR",
            "4|ok|NULL|NULL|VARCHAR"
        ]
    );
    let shown = "SELECT id, mood, moods FROM people ORDER BY mood DESC, id";
    assert_eq!(client.text(shown).await, ["1|happy|{blue,NULL}", "4|ok|NULL", "2|blue|NULL", "3|blue|{fine}"]);
    assert_eq!(client.text("SELECT id FROM people WHERE mood = 'blue' ORDER BY id").await, ["2", "3"]);
    // What another program writes is read, too.
    let _ = lake.text("INSERT INTO people VALUES (5, 'fine', ['ok'], 3)");
    client.ok("SET duckmesh.consistency = strong").await;
    assert_eq!(client.text("SELECT id, mood < 'happy', moods FROM people WHERE id = 5").await, ["5|t|{ok}"]);
    client.ok(&format!("SET duckmesh.snapshot = '{before}'")).await;
    assert_eq!(client.text("SELECT id, mood FROM people ORDER BY mood").await, ["2|sad", "1|happy"]);
    assert_eq!(client.text("SELECT enum_range(NULL::mood)").await, ["{sad,ok,happy}"]);
}

async fn interop_ducklake_functions_work(stand: &mut Stand) {
    let client = stand.client().await;
    client.ok("SET duckmesh.write_visibility = visible; CREATE TABLE t (a int)").await;
    let first: u64 = stand.newest_snapshot().await.parse().unwrap();
    for n in 1..=5 {
        client.ok(&format!("INSERT INTO t VALUES ({n}), ({n} * 10)")).await;
    }
    let lake = stand.lake();
    let changes = format!(
        "SELECT change_type, a FROM ducklake_table_changes('lake', 'main', 't', {}, {}) ORDER BY a",
        first + 1,
        first + 2
    );
    assert_eq!(lake.text(&changes), ["insert|1", "insert|2", "insert|10", "insert|20"]);
    let merged = lake.run(&["CALL ducklake_merge_adjacent_files('lake')", "SELECT count(*), sum(a) FROM t"]);
    assert_eq!(merged[1], ["10|165"]);
    client.ok("SET duckmesh.consistency = strong").await;
    assert_eq!(client.value("SELECT count(*), sum(a) FROM t").await, "10|165", "the merged file is read");
    client.ok("INSERT INTO t VALUES (1000)").await;
    let expired = lake.run(&[
        "CALL ducklake_expire_snapshots('lake', older_than => now() - INTERVAL 0 SECOND)",
        "CALL ducklake_cleanup_old_files('lake', cleanup_all => true)",
        "SELECT count(*), sum(a) FROM t",
    ]);
    assert_eq!(expired[2], ["11|1165"]);
    assert_eq!(client.value("SELECT count(*), sum(a) FROM t").await, "11|1165", "expired snapshots are not needed");
    client.ok(&format!("SET duckmesh.snapshot = '{}'", first + 1)).await;
    let error = client.fails("SELECT * FROM t").await;
    assert!(error.starts_with("MD004"), "{error}");
    client.ok("RESET duckmesh.snapshot; INSERT INTO t VALUES (2000)").await;
    assert_eq!(client.value("SELECT count(*), sum(a) FROM t").await, "12|3165");
}

async fn interop_rows_of_duckdb_are_seen(stand: &mut Stand) {
    let client = stand.client().await;
    client
        .ok("SET duckmesh.consistency = strong; CREATE TABLE t (a int, b text); INSERT INTO t VALUES (1, 'ours')")
        .await;
    assert_eq!(client.value("SELECT count(*) FROM t").await, "1");
    let lake = stand.lake();
    // Inlined, as files, a delete, an update, and a table of its own.
    lake.run(&["INSERT INTO t VALUES (2, 'inlined')"]);
    assert_eq!(client.text("SELECT * FROM t ORDER BY a").await, ["1|ours", "2|inlined"]);
    // A name that a transaction gives to another column does not take its values along.
    client.ok("BEGIN; ALTER TABLE t RENAME b TO was; ALTER TABLE t ADD COLUMN b text DEFAULT 'new'").await;
    client.ok("ALTER TABLE t RENAME a TO c").await;
    assert_eq!(client.text("SELECT c, was, b FROM t ORDER BY c").await, ["1|ours|new", "2|inlined|new"]);
    client.ok("ALTER TABLE t DROP COLUMN was").await;
    assert_eq!(client.text("SELECT * FROM t ORDER BY c").await, ["1|new", "2|new"]);
    client.ok("ROLLBACK").await;
    assert_eq!(client.text("SELECT * FROM t ORDER BY a").await, ["1|ours", "2|inlined"]);
    lake.run(&["INSERT INTO t SELECT range, 'file' FROM range(100, 1100)"]);
    assert_eq!(client.value("SELECT count(*), sum(a) FROM t").await, "1002|599503");
    lake.run(&["DELETE FROM t WHERE a BETWEEN 100 AND 199"]);
    assert_eq!(client.value("SELECT count(*) FROM t").await, "902");
    lake.run(&["UPDATE t SET b = 'changed' WHERE a < 3"]);
    assert_eq!(client.text("SELECT * FROM t WHERE a < 3 ORDER BY a").await, ["1|changed", "2|changed"]);
    lake.run(&["CREATE TABLE theirs AS SELECT range AS n, range::VARCHAR AS s FROM range(5)"]);
    assert_eq!(client.value("SELECT count(*), max(s) FROM theirs").await, "5|4");
    client.ok("INSERT INTO theirs VALUES (5, 'five'); INSERT INTO t VALUES (3, 'ours again')").await;
    compare(&client, &lake_after(&client, stand, "theirs", 6).await, "SELECT * FROM theirs ORDER BY n").await;
    lake.run(&["ALTER TABLE t ADD COLUMN c INTEGER DEFAULT 5"]);
    assert_eq!(
        client.text("SELECT * FROM t WHERE a < 4 ORDER BY a").await,
        ["1|changed|5", "2|changed|5", "3|ours again|5"]
    );
    client.ok("INSERT INTO t VALUES (4, 'four', 6)").await;
    compare(&client, &lake_after(&client, stand, "t", 904).await, "SELECT * FROM t ORDER BY a").await;
}

/// The lake, once our own rows are published there.
async fn lake_after(client: &Client, stand: &Stand, table: &str, rows: u32) -> Lake {
    let (lake, sql) = (stand.lake(), format!("SELECT count(*) FROM {table}"));
    assert_eq!(client.value(&sql).await, rows.to_string());
    eventually_async("plain DuckDB sees our rows", Duration::from_secs(30), || async {
        (lake.text(&sql) == [rows.to_string()]).then_some(())
    })
    .await;
    lake
}

async fn interop_truncated_and_widened(stand: &mut Stand) {
    let client = stand.client().await;
    client.ok("CREATE TABLE t (id serial, n int); INSERT INTO t (n) VALUES (1), (2); SELECT * FROM t").await;
    let lake = stand.lake();
    // Few rows: the extension keeps them in the catalog.
    lake.run(&["INSERT INTO t VALUES (100, 3)"]);
    client.ok("ALTER TABLE t ALTER COLUMN n TYPE bigint; INSERT INTO t (n) VALUES (5000000000)").await;
    let lake = lake_after(&client, stand, "t", 4).await;
    compare(&client, &lake, "SELECT id, n FROM t ORDER BY id").await;
    client.ok("TRUNCATE t").await;
    assert_eq!(client.value("SELECT count(*) FROM t").await, "0");
    assert_eq!(lake.text("SELECT count(*) FROM t"), ["0"]);
    lake.run(&["INSERT INTO t VALUES (200, 6000000000)"]);
    assert_eq!(client.text("SELECT id, n FROM t").await, ["200|6000000000"]);
}

async fn interop_tables_written_anew_and_moved(stand: &mut Stand) {
    let client = stand.client().await;
    client
        .ok("CREATE SCHEMA one; CREATE TABLE one.t (a text, b int); INSERT INTO one.t VALUES ('1', 10), ('x', 20)")
        .await;
    client.ok("SELECT * FROM one.t").await;
    let before = client.value("SHOW duckmesh.last_token").await;
    client.ok("INSERT INTO one.t VALUES ('3', 30)").await;
    // In the same message it would see its own row before that is published.
    client.ok("SELECT * FROM one.t").await;
    let lake = stand.lake();
    let snapshot = lake.text("SELECT max(snapshot_id) FROM ducklake_snapshots('lake')")[0].clone();
    client
        .ok("ALTER TABLE one.t ALTER a TYPE int[] USING ARRAY[length(a)], ALTER b TYPE text, ADD COLUMN id serial")
        .await;
    let sql = "SELECT a[1] AS a, b, id FROM one.t ORDER BY id";
    compare(&client, &lake, sql).await;
    assert_eq!(lake.text(sql), ["1|10|1", "1|20|2", "1|30|3"]);
    client.ok("CREATE SCHEMA two; ALTER TABLE one.t SET SCHEMA two; ALTER SCHEMA two RENAME TO three").await;
    client.ok("INSERT INTO three.t VALUES ('{7}', 'last')").await;
    let sql = "SELECT a[1] AS a, b, id FROM three.t ORDER BY id";
    compare(&client, &lake, sql).await;
    assert_eq!(lake.text("SELECT count(*) FROM three.t WHERE a = [1]"), ["3"]);
    let then = format!("SELECT a, b FROM one.t AT (VERSION => {snapshot}) ORDER BY b");
    assert_eq!(lake.text(&then), ["1|10", "x|20", "3|30"], "as it was, with its files where they were");
    client.ok(&format!("SET duckmesh.snapshot = '{snapshot}'")).await;
    assert_eq!(client.text("SELECT a, b FROM one.t ORDER BY b").await, ["1|10", "x|20", "3|30"], "{before}");
}

async fn interop_both_write_at_once(stand: &mut Stand) {
    const EACH: u32 = 12;
    let client = stand.client().await;
    client.ok("CREATE TABLE t (who text, n int); SELECT * FROM t").await;
    let lake = stand.lake();
    let foreign = tokio::task::spawn_blocking(move || {
        let mut written = 0;
        for n in 0..EACH {
            let sql = if n % 2 == 0 {
                format!("INSERT INTO t VALUES ('duckdb', {n})")
            } else {
                format!("INSERT INTO t SELECT 'duckdb', {n} FROM range(1000)")
            };
            // DuckDB gives up after some conflicts with another writer: then it is to be repeated, as its manual says.
            let done = (0..20).any(|_| lake.try_run(&[&sql]).is_ok());
            assert!(done, "DuckDB never got through: {:?}", lake.try_run(&[&sql]));
            written += if n % 2 == 0 { 1 } else { 1000 };
        }
        written
    });
    let mut ours = 0;
    while !foreign.is_finished() {
        client.ok(&format!("INSERT INTO t VALUES ('duckmesh', {ours})")).await;
        ours += 1;
    }
    let theirs: u32 = foreign.await.unwrap();
    client.ok("SET duckmesh.consistency = strong; SET duckmesh.barrier_timeout = '60s'").await;
    let wanted = vec![format!("duckdb|{theirs}"), format!("duckmesh|{ours}")];
    let sql = "SELECT who, count(*) FROM t GROUP BY who ORDER BY who";
    let got: Vec<String> = client.rows(sql).await.unwrap().iter().map(|row| join(row)).collect();
    assert_eq!(got, wanted, "G1: on our side");
    assert_eq!(stand.lake().text(sql), wanted, "on theirs");
    assert_eq!(client.value("SELECT count(*) FROM duckmesh.dead_letters").await, "0");
}

/// G6, RD3: files that were merged here have the same rows there, at every snapshot, with the same row ids and changes.
async fn interop_merged_files_have_the_same_history(stand: &mut Stand) {
    const ROWS: usize = 25;
    let client = stand.client().await;
    client.ok("SET duckmesh.write_visibility = visible; SET timezone = 'UTC'").await;
    client.ok("CREATE TABLE t (a int, b text, c interval, d numeric(10,2), e text[])").await;
    let mut versions = vec![stand.newest_snapshot().await];
    for n in 1..=ROWS {
        let row = format!("({n}, 'row {n}', '{n} days', {n}.25, '{{x{n},NULL}}')");
        client.ok(&format!("INSERT INTO t VALUES {row}")).await;
        versions.push(stand.newest_snapshot().await);
    }
    few_files(&client, "t", 10).await;
    let lake = stand.lake();
    let columns = "a, b, c, d, array_length(e, 1)";
    let theirs: Vec<String> = versions
        .iter()
        .map(|version| format!("SELECT a, b, c, d, len(e) FROM t AT (VERSION => {version}) ORDER BY a"))
        .chain(["SELECT count(*) FROM t WHERE rowid <> a - 1".to_owned()])
        .collect();
    let theirs = lake.run(&theirs.iter().map(String::as_str).collect::<Vec<_>>());
    for (rows, (version, theirs)) in versions.iter().zip(&theirs).enumerate() {
        client.ok(&format!("SET duckmesh.snapshot = '{version}'")).await;
        let ours = client.text(&format!("SELECT {columns} FROM t ORDER BY a")).await;
        assert_eq!((ours.len(), &ours), (rows, theirs), "snapshot {version}");
    }
    assert_eq!(theirs.last().unwrap(), &["0"], "row ids are what they were");
    client.ok("RESET duckmesh.snapshot").await;
    // Changes between two snapshots in the middle of a merged file.
    let numbers = |from: usize, to: usize| (from..=to).map(|n| n.to_string()).collect::<Vec<_>>();
    let since = |n: usize| versions[n].parse::<u64>().unwrap() + 1;
    for function in ["ducklake_table_insertions", "ducklake_table_changes"] {
        for (from, to) in [(0, ROWS), (3, 9), (8, ROWS), (0, 1)] {
            let (first, last) = (since(from), &versions[to]);
            let sql = format!("SELECT a FROM {function}('lake', 'main', 't', {first}, {last}) ORDER BY a");
            assert_eq!(lake.text(&sql), numbers(from + 1, to), "{sql}");
        }
    }
    // Rows of a merged file are deleted there, it is merged there, and here again.
    lake.run(&["DELETE FROM t WHERE a = 3"]);
    assert_eq!(client.value("SELECT count(*), sum(a) FROM t").await, "24|322");
    for n in 26..=45 {
        client.ok(&format!("INSERT INTO t (a) VALUES ({n})")).await;
    }
    few_files(&client, "t", 12).await;
    let merged = lake.run(&[
        "CALL ducklake_merge_adjacent_files('lake')",
        "CALL ducklake_cleanup_old_files('lake', cleanup_all => true)",
        "SELECT count(*), sum(a) FROM t",
    ]);
    assert_eq!(merged[2], ["44|1032"]);
    assert_eq!(client.value("SELECT count(*), sum(a) FROM t").await, "44|1032");
    client.ok(&format!("SET duckmesh.snapshot = '{}'", versions[7])).await;
    assert_eq!(client.value("SELECT count(*), sum(a) FROM t").await, "7|28");
}

/// Waits until a table has fewer files than that.
async fn few_files(client: &Client, table: &str, files: u32) {
    let sql = format!("SELECT count(*) < {files} FROM duckmesh.files WHERE table_name = '{table}'");
    eventually_async("small files are merged", Duration::from_secs(60), || async {
        (client.value(&sql).await == "t").then_some(())
    })
    .await;
}

//! The extended protocol through a real driver: prepared statements, binary parameters and results, portals with a row limit.

use std::time::{Duration, UNIX_EPOCH};

use duckmesh_tests::harness::wire::{CopyEnd, Value};
use futures::{TryStreamExt, future};
use tokio_postgres::types::Type;

use crate::stand::{Stand, on_both_catalogs};

on_both_catalogs!(
    binary_values_go_in_and_out_unchanged,
    g2_pipelined_inserts_are_each_acknowledged,
    lists_of_many_parameters,
    g1_a_plan_of_a_rolled_back_transaction_is_not_used,
    bytes_and_names_go_in_and_out_in_binary,
    what_can_be_no_part_of_a_transaction_comes_first,
);

async fn bytes_and_names_go_in_and_out_in_binary(stand: &mut Stand) {
    let client = stand.client().await;
    client.ok("CREATE TABLE t (c \"char\", r regclass)").await;
    let mut wire = stand.server.wire();
    for (byte, shown) in [(0, ""), (0xc3, "\\303"), (b'x', "x")] {
        let sql = "INSERT INTO t (c) VALUES ($1) RETURNING c";
        let answer = wire.try_extended(sql, &[], &[Value::Binary(vec![byte])]).unwrap();
        assert_eq!(answer.rows, [[Some(shown.to_owned())]], "{answer:?}");
        let copied = wire.query(&format!("COPY (SELECT c FROM t WHERE c = '{shown}') TO STDOUT (FORMAT binary)"));
        // Behind the header of 19 bytes a row of one column, and the end.
        assert_eq!(copied[0].copied[19..], [0, 1, 0, 0, 0, 1, byte, 0xff, 0xff], "{copied:?}");
        let mut pieces = [copied[0].copied.clone()].into_iter();
        let taken = wire.copy_in("COPY t (c) FROM STDIN (FORMAT binary)", &mut pieces, CopyEnd::Done).unwrap();
        assert_eq!(taken[0].tag.as_deref(), Some("COPY 1"), "{taken:?}");
        assert_eq!(wire.query(&format!("SELECT FROM t WHERE c = '{shown}'"))[0].rows.len(), 2);
    }
    for value in [Value::Binary(1259_u32.to_be_bytes().to_vec()), Value::Text("1259".to_owned())] {
        let answer = wire.try_extended("INSERT INTO t (r) VALUES ($1) RETURNING r", &[], &[value]).unwrap();
        assert_eq!(answer.rows, [[Some("pg_class".to_owned())]], "{answer:?}");
    }
}

async fn what_can_be_no_part_of_a_transaction_comes_first(stand: &mut Stand) {
    stand.client().await.ok("CREATE TABLE t (a int)").await;
    let mut wire = stand.server.wire();
    let mut piped = |statements: [&str; 2]| {
        for sql in statements {
            wire.send(b'P', format!("\0{sql}\0\0\0").as_bytes()).unwrap();
            wire.send(b'B', &[0; 8]).unwrap();
            wire.send(b'E', &[0; 5]).unwrap();
        }
        wire.send(b'S', &[]).unwrap();
        let answers = wire.answers_within(Duration::from_secs(60)).unwrap().expect("answers");
        answers.iter().map(|a| a.tag.clone().or(a.sqlstate().map(str::to_owned)).unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(piped(["VACUUM", "INSERT INTO t VALUES (1)"]), ["VACUUM", "INSERT 0 1"]);
    assert_eq!(piped(["INSERT INTO t VALUES (1)", "VACUUM"]), ["INSERT 0 1", "25001"]);
    assert_eq!(piped(["LOCK TABLE t", "SELECT 1"]), ["25P01"]);
    assert_eq!(piped(["DECLARE c CURSOR FOR SELECT 1", "SELECT 1"]), ["25P01"]);
    assert_eq!(piped(["INSERT INTO t VALUES (2)", "COMMIT AND CHAIN"]), ["INSERT 0 1", "25P01"]);
    assert_eq!(wire.query("SELECT * FROM t")[0].rows, [[Some("1".to_owned())]]);
}

async fn binary_values_go_in_and_out_unchanged(stand: &mut Stand) {
    let client = stand.client().await;
    client
        .ok("CREATE TABLE t (a smallint, b int, c bigint, d real, e double precision, f text, g bool, h bytea, i timestamptz, j int[])")
        .await;
    let insert = client
        .pg
        .prepare("INSERT INTO t VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING b, f")
        .await
        .unwrap();
    let wanted = [
        Type::INT2,
        Type::INT4,
        Type::INT8,
        Type::FLOAT4,
        Type::FLOAT8,
        Type::TEXT,
        Type::BOOL,
        Type::BYTEA,
        Type::TIMESTAMPTZ,
        Type::INT4_ARRAY,
    ];
    assert_eq!(insert.params(), wanted);
    let at = UNIX_EPOCH + Duration::from_micros(1_357_034_400_123_456);
    let bytes: &[u8] = &[0, 255, 92];
    let list = vec![Some(1), None, Some(i32::MIN)];
    let row = client
        .pg
        .query_one(
            &insert,
            &[&i16::MIN, &i32::MAX, &i64::MIN, &f32::MAX, &f64::MIN_POSITIVE, &"ä\n'", &true, &bytes, &at, &list],
        )
        .await
        .unwrap();
    assert_eq!((row.get::<_, i32>(0), row.get::<_, &str>(1)), (i32::MAX, "ä\n'"));
    client
        .pg
        .execute(
            &insert,
            &[
                &None::<i16>,
                &0_i32,
                &None::<i64>,
                &f32::NAN,
                &f64::NEG_INFINITY,
                &None::<&str>,
                &None::<bool>,
                &None::<&[u8]>,
                &None::<std::time::SystemTime>,
                &None::<Vec<i32>>,
            ],
        )
        .await
        .unwrap();
    let rows = client.pg.query("SELECT * FROM t WHERE b >= $1 ORDER BY b DESC", &[&0_i32]).await.unwrap();
    assert_eq!(rows.len(), 2);
    let first = &rows[0];
    assert_eq!(first.get::<_, i16>(0), i16::MIN);
    assert_eq!(first.get::<_, i64>(2), i64::MIN);
    assert_eq!(first.get::<_, f32>(3).to_bits(), f32::MAX.to_bits());
    assert_eq!(first.get::<_, f64>(4).to_bits(), f64::MIN_POSITIVE.to_bits());
    assert!(first.get::<_, bool>(6));
    assert_eq!(first.get::<_, &[u8]>(7), bytes);
    assert_eq!(first.get::<_, std::time::SystemTime>(8), at);
    assert_eq!(first.get::<_, Vec<Option<i32>>>(9), list);
    let second = &rows[1];
    assert!(second.get::<_, f32>(3).is_nan());
    assert!(second.get::<_, f64>(4).is_infinite());
    for column in [0, 2, 5, 6, 7, 8, 9] {
        assert_eq!(second.columns()[column].name(), ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"][column]);
    }
    assert_eq!(second.get::<_, Option<Vec<i32>>>(9), None);
    // A wrong value fails alone; the statement goes on.
    let narrow = client.pg.prepare("INSERT INTO t (a) VALUES ($1::int8)").await.unwrap();
    let error = client.pg.execute(&narrow, &[&70_000_i64]).await.unwrap_err();
    assert_eq!(error.code().map(|c| c.code()), Some("22003"), "{error}");
    assert_eq!(client.pg.execute(&narrow, &[&7_i64]).await.unwrap(), 1);
}

async fn lists_of_many_parameters(stand: &mut Stand) {
    let client = stand.client().await;
    let numbers: Vec<i32> = (0..2000).collect();
    let values: Vec<&(dyn tokio_postgres::types::ToSql + Sync)> = numbers.iter().map(|n| n as _).collect();
    let marks = |each: &dyn Fn(usize) -> String| (1..=numbers.len()).map(each).collect::<Vec<_>>().join(", ");
    let plain = marks(&|n| format!("${n}"));
    for (sql, expect) in [
        (format!("SELECT count(*) FROM generate_series(1, 3000) g WHERE g IN ({plain})"), 1999),
        (format!("SELECT count(*) FROM generate_series(1, 3000) g WHERE g NOT IN ({plain})"), 1001),
        (format!("SELECT count(*) FROM generate_series(1, 3000) g WHERE g = ANY (ARRAY[{plain}]::int[])"), 1999),
        (format!("SELECT sum(v) FROM (VALUES {}) AS x(v)", marks(&|n| format!("(${n}::int)"))), 1_999_000),
    ] {
        let row = client.pg.query_one(&sql, &values).await.unwrap_or_else(|error| panic!("{error:?}: {:.60}", sql));
        assert_eq!(row.get::<_, i64>(0), expect, "{:.60}", sql);
    }
    // NULL has a type without a value that shows it.
    let nulls: Vec<Option<i32>> = vec![None; 300];
    let values: Vec<&(dyn tokio_postgres::types::ToSql + Sync)> = nulls.iter().map(|n| n as _).collect();
    let coalesced = (1..=300).map(|n| format!("${n}::int")).collect::<Vec<_>>().join(", ");
    let row = client.pg.query_one(&format!("SELECT coalesce({coalesced}, 7)"), &values).await.unwrap();
    assert_eq!(row.get::<_, i32>(0), 7);
}

async fn g2_pipelined_inserts_are_each_acknowledged(stand: &mut Stand) {
    let client = stand.client().await;
    client.ok("CREATE TABLE t (n int)").await;
    let insert = client.pg.prepare("INSERT INTO t VALUES ($1)").await.unwrap();
    let numbers: Vec<i32> = (0..200).collect();
    let all = numbers.iter().map(|n| {
        let insert = &insert;
        let pg = &client.pg;
        async move { pg.execute(insert, &[n]).await }
    });
    let results = future::join_all(all).await;
    assert!(results.iter().all(|r| matches!(r, Ok(1))), "{results:?}");
    assert_eq!(client.value("SELECT count(*), count(DISTINCT n) FROM t").await, "200|200");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_portal_gives_its_rows_in_pieces() {
    let stand = Stand::sqlite();
    let mut client = stand.client().await;
    client.ok("CREATE TABLE t (n int)").await;
    client.ok("INSERT INTO t SELECT * FROM generate_series(1, 10000)").await;
    let transaction = client.pg.transaction().await.unwrap();
    let portal = transaction.bind("SELECT n FROM t ORDER BY n", &[]).await.unwrap();
    let mut next = 1;
    loop {
        let rows = transaction.query_portal(&portal, 999).await.unwrap();
        for row in &rows {
            assert_eq!(row.get::<_, i32>(0), next);
            next += 1;
        }
        if rows.len() < 999 {
            break;
        }
    }
    assert_eq!(next, 10_001);
    transaction.commit().await.unwrap();
    let rows: Vec<_> =
        client.pg.query_raw("SELECT n FROM t", Vec::<i32>::new()).await.unwrap().try_collect().await.unwrap();
    assert_eq!(rows.len(), 10_000);
}

/// A driver's statement cache outlives the transaction whose DDL it was planned with.
async fn g1_a_plan_of_a_rolled_back_transaction_is_not_used(stand: &mut Stand) {
    let client = stand.client().await;
    client.ok("CREATE TABLE kept (id int)").await;
    client.ok("BEGIN; CREATE TABLE gone (id int); ALTER TABLE kept ADD COLUMN w int").await;
    let into_gone = client.pg.prepare("INSERT INTO gone VALUES ($1)").await.unwrap();
    let into_kept = client.pg.prepare("INSERT INTO kept (id, w) VALUES ($1, $2)").await.unwrap();
    client.ok("ROLLBACK").await;
    let error = client.pg.execute(&into_gone, &[&1i32]).await.unwrap_err();
    assert_eq!(error.code().map(|code| code.code()), Some("42P01"));
    let error = client.pg.execute(&into_kept, &[&1i32, &42i32]).await.unwrap_err();
    assert_eq!(error.code().map(|code| code.code()), Some("42703"));
    assert_eq!(client.value("SELECT count(*) FROM kept").await, "0");
}

/// A driver that sends a small number as smallint (psycopg), or an expression, must not have each row published for it.
#[tokio::test(flavor = "multi_thread")]
async fn values_of_other_types_are_stored_without_a_barrier() {
    let args = ["--commit-interval-ms", "600000"].map(str::to_owned).to_vec();
    let stand = Stand::sqlite_with(duckmesh_tests::harness::ServerOptions { args, ..Default::default() });
    let client = stand.client().await;
    client.ok("CREATE TABLE t (a int, b bigint, n numeric, d double precision, at timestamptz)").await;
    let sql = "INSERT INTO t VALUES ($1, $2, $3, $4, now())";
    let computed = client.pg.prepare_typed(sql, &[Type::INT2, Type::INT4, Type::INT8, Type::INT2]).await.unwrap();
    let sql = "INSERT INTO t (a, b, n, d) VALUES ($1, $2, $3, $4)";
    let plain = client.pg.prepare_typed(sql, &[Type::INT2, Type::INT4, Type::INT8, Type::INT2]).await.unwrap();
    let before = stand.newest_snapshot().await;
    for n in 1..=5_i16 {
        for insert in [&plain, &computed] {
            client.pg.execute(insert, &[&-n, &i32::MAX, &i64::MIN, &n]).await.unwrap();
        }
    }
    assert_eq!(stand.newest_snapshot().await, before, "a write was published before the next could be stored");
    let rows = "SELECT count(*), sum(a), min(b), max(n)::bigint, sum(d), count(at) FROM t";
    assert_eq!(client.text(rows).await, [format!("10|-30|{}|{}|30|5", i32::MAX, i64::MIN)]);
}

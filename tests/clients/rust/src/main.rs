//! tokio-postgres and sqlx against a server given by the environment. Prints `ok`; anything else is a failure.

use std::{env, error::Error, time::Duration};

use futures::{SinkExt, StreamExt, TryStreamExt, pin_mut};
use sqlx::{Column as _, Connection as _, Row as _, Statement as _, TypeInfo as _, postgres::PgConnectOptions};
use tokio_postgres::{NoTls, types::Type};

type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

/// Runs for long on every server, and reads no table.
const LONG: &str = "SELECT count(*) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b";

struct Place {
    host: String,
    port: u16,
    database: String,
    user: String,
}

#[tokio::main]
async fn main() -> Result {
    let get = |name: &str, otherwise: &str| env::var(name).unwrap_or_else(|_| otherwise.to_owned());
    let place = Place {
        host: get("PGHOST", "127.0.0.1"),
        port: get("PGPORT", "5432").parse()?,
        database: get("PGDATABASE", "duckmesh"),
        user: get("PGUSER", "tester"),
    };
    tokio_postgres_client(&place).await?;
    sqlx_client(&place).await?;
    println!("did connect introspect create insert bulk parameters transaction error cancel");
    println!("ok");
    Ok(())
}

async fn tokio_postgres_client(place: &Place) -> Result {
    let mut config = tokio_postgres::Config::new();
    config.host(&place.host).port(place.port).dbname(&place.database).user(&place.user);
    let (mut client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    client.batch_execute("CREATE TABLE tp (id bigint PRIMARY KEY, name varchar(20), list text[])").await?;
    let class = client.query_one("SELECT oid, relname, relkind, relacl FROM pg_class WHERE relname = $1", &[&"tp"]).await?;
    assert_eq!((class.get::<_, &str>(1), class.get::<_, i8>(2)), ("tp", b'r' as i8));
    let statement = client.prepare("SELECT id, name FROM tp WHERE oid_of(name) = 1").await;
    assert_eq!(statement.unwrap_err().code().map(|code| code.code()), Some("42883"));
    let insert = client.prepare("INSERT INTO tp VALUES ($1, $2, $3) RETURNING id").await?;
    assert_eq!(insert.params(), [Type::INT8, Type::VARCHAR, Type::TEXT_ARRAY]);
    let row = client.query_one(&insert, &[&1_i64, &"é", &vec!["a", "b"]]).await?;
    assert_eq!(row.get::<_, i64>(0), 1);
    let sink = client.copy_in("COPY tp (id, name) FROM STDIN").await?;
    pin_mut!(sink);
    sink.send(std::io::Cursor::new("10\tx\n11\ty\n".as_bytes().to_vec())).await?;
    assert_eq!(sink.finish().await?, 2);
    let block = client.transaction().await?;
    block.execute("INSERT INTO tp (id) VALUES ($1)", &[&9999_i64]).await?;
    let portal = block.bind("SELECT id FROM tp WHERE id < $1 ORDER BY id", &[&100_i64]).await?;
    assert_eq!(block.query_portal(&portal, 2).await?.len(), 2);
    assert_eq!(block.query_portal(&portal, 2).await?.len(), 1);
    block.rollback().await?;
    let out = client.copy_out("COPY (SELECT id FROM tp ORDER BY id) TO STDOUT").await?;
    let text: Vec<u8> = out.map_ok(|bytes| bytes.to_vec()).try_concat().await?;
    assert_eq!(String::from_utf8(text)?, "1\n10\n11\n");
    let token = client.cancel_token();
    let (slow, ()) = tokio::join!(client.query(LONG, &[]), async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        token.cancel_query(NoTls).await.expect("a cancel request");
    });
    assert_eq!(slow.unwrap_err().code().map(|code| code.code()), Some("57014"));
    client.batch_execute("DROP TABLE tp").await?;
    Ok(())
}

/// What the macros (`query!`) ask at compile time: types, and whether a column can be NULL. That is in pg_attribute by the table's oid
/// and the column's number of the row description, and in `EXPLAIN (VERBOSE, FORMAT JSON) EXECUTE`.
async fn sqlx_macros(connection: &mut sqlx::PgConnection) -> Result {
    let sql = "SELECT id, name, amount, at, id + 1 AS next FROM sx WHERE id = $1 AND name = $2";
    let described = sqlx::Executor::describe(&mut *connection, sql).await?;
    let columns: Vec<String> =
        described.columns().iter().map(|c| format!("{} {}", c.name(), c.type_info().name())).collect();
    assert_eq!(columns, ["id INT8", "name TEXT", "amount NUMERIC", "at TIMESTAMPTZ", "next INT8"]);
    let nullable: Vec<Option<bool>> = (0..4).map(|n| described.nullable(n)).collect();
    assert_eq!(nullable, [Some(false), Some(false), Some(true), Some(true)]);
    let parameters: Vec<String> = match described.parameters() {
        Some(sqlx::Either::Left(types)) => types.iter().map(|ty| ty.name().to_owned()).collect(),
        other => panic!("no parameter types: {other:?}"),
    };
    assert_eq!(parameters, ["INT8", "TEXT"]);
    let insert = sqlx::Executor::describe(&mut *connection, "INSERT INTO sx (id, name) VALUES ($1, $2) RETURNING id").await?;
    assert_eq!((insert.columns().len(), insert.nullable(0)), (1, Some(false)));
    Ok(())
}

/// A future that is dropped leaves its statement running: another session stops it by its number.
async fn sqlx_cancel(connection: &mut sqlx::PgConnection, options: &PgConnectOptions) -> Result {
    let process: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut *connection).await?;
    let mut other = sqlx::PgConnection::connect_with(options).await?;
    let (slow, done) = tokio::join!(sqlx::query(LONG).fetch_all(&mut *connection), async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        sqlx::query_scalar::<_, bool>("SELECT pg_cancel_backend($1)").bind(process).fetch_one(&mut other).await
    });
    assert!(done?);
    let error = slow.err().and_then(|e| e.as_database_error().and_then(|e| e.code().map(|c| c.into_owned())));
    assert_eq!(error.as_deref(), Some("57014"));
    assert_eq!(sqlx::query_scalar::<_, i32>("SELECT 1").fetch_one(&mut *connection).await?, 1);
    other.close().await?;
    Ok(())
}

async fn sqlx_client(place: &Place) -> Result {
    let options = PgConnectOptions::new().host(&place.host).port(place.port).database(&place.database).username(&place.user);
    let mut connection = sqlx::PgConnection::connect_with(&options).await?;
    sqlx::query("CREATE TABLE sx (id bigint PRIMARY KEY, name text NOT NULL, amount numeric(10,2), at timestamptz)")
        .execute(&mut connection)
        .await?;
    let prepared = sqlx::Executor::prepare(&mut connection, "SELECT id, name, amount FROM sx WHERE id = $1 LIMIT $2").await?;
    let types: Vec<&str> = prepared.columns().iter().map(|column| column.type_info().name()).collect();
    assert_eq!(types, ["INT8", "TEXT", "NUMERIC"]);
    sqlx_macros(&mut connection).await?;
    for n in 1..=20_i64 {
        let at = sqlx::types::chrono::DateTime::from_timestamp(n * 1000, 0);
        sqlx::query("INSERT INTO sx VALUES ($1, $2, $3, $4)")
            .bind(n)
            .bind(format!("n{n}"))
            .bind(rust_decimal::Decimal::new(250, 2))
            .bind(at)
            .execute(&mut connection)
            .await?;
    }
    let mut rows = sqlx::query("SELECT id, amount FROM sx WHERE id = ANY($1) ORDER BY id").bind(vec![3_i64, 5]).fetch(&mut connection);
    let mut ids = Vec::new();
    while let Some(row) = rows.next().await {
        ids.push(row?.get::<i64, _>(0));
    }
    drop(rows);
    assert_eq!(ids, [3, 5]);
    let mut copy = connection.copy_in_raw("COPY sx (id, name) FROM STDIN").await?;
    copy.send("100\ta\n101\tb\n".as_bytes()).await?;
    assert_eq!(copy.finish().await?, 2);
    let mut block = connection.begin().await?;
    sqlx::query("INSERT INTO sx (id, name) VALUES (9999, 'gone')").execute(&mut *block).await?;
    block.rollback().await?;
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM sx WHERE id > $1").bind(50_i64).fetch_one(&mut connection).await?;
    assert_eq!(left, 2);
    let error = sqlx::query("SELECT * FROM nowhere").execute(&mut connection).await.unwrap_err();
    assert_eq!(error.as_database_error().and_then(|e| e.code()).as_deref(), Some("42P01"));
    sqlx_cancel(&mut connection, &options).await?;
    sqlx::query("DROP TABLE sx").execute(&mut connection).await?;
    connection.close().await?;
    Ok(())
}

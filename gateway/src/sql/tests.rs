//! What the gate refuses, and what rewritten SQL means: compared with what PostgreSQL 15 answered.

use std::{collections::BTreeMap, sync::Arc};

use chrono::DateTime;
use duckmesh_catalog::{
    ColumnDef, ColumnId, ColumnType, LakeName, LakeSchema, Offset, SchemaId, SnapshotId, TableDef, TableId,
    schema::SchemaDef,
};
use uuid::Uuid;

use super::{
    dispatch, macros, parse,
    plan::{Cell, FilterOp, InsertSource, Plan, PlanContext, SessionValue, SqlPart},
    thread,
};
use crate::{value::ValueContext, wire::error::PgResult};

/// A lake with `public.t (id int, name text, price numeric(10,2), at timestamptz, d date, tags text[], v varchar(3), f float8)`.
fn context() -> PlanContext {
    let types = [
        ("id", ColumnType::Int4),
        ("name", ColumnType::Text),
        ("price", ColumnType::Numeric(10, 2)),
        ("at", ColumnType::Timestamptz),
        ("d", ColumnType::Date),
        ("tags", ColumnType::Array(Box::new(ColumnType::Text))),
        ("v", ColumnType::Varchar(Some(3))),
        ("f", ColumnType::Float8),
    ];
    let columns = types
        .into_iter()
        .enumerate()
        .map(|(n, (name, ty))| ColumnDef {
            id: ColumnId::new(i64::try_from(n).expect("small") + 1),
            element_id: None,
            name: name.into(),
            ty,
            nullable: true,
            default: None,
            initial_default: None,
            comment: None,
            domain: None,
        })
        .collect();
    let table = TableDef {
        id: TableId::new(7),
        uuid: Uuid::from_u128(7),
        schema_id: SchemaId::new(0),
        name: "t".into(),
        path: "t/".into(),
        columns,
        next_column_id: ColumnId::new(20),
        constraints: Vec::new(),
        indexes: Vec::new(),
        comment: None,
    };
    let schema = SchemaDef {
        id: SchemaId::new(0),
        uuid: Uuid::from_u128(1),
        name: "main".into(),
        path: "main/".into(),
        comment: None,
    };
    PlanContext {
        lake: LakeName::parse("lake").expect("a name"),
        schema: Arc::new(LakeSchema {
            snapshot: SnapshotId::new(1),
            schema_version: 1,
            next_catalog_id: 8,
            ddl_offset: Offset::ZERO,
            schemas: BTreeMap::from([("main".to_owned(), Arc::new(schema))]),
            tables: BTreeMap::from([(table.id, Arc::new(table))]),
            views: BTreeMap::new(),
            sequences: Default::default(),
            types: Default::default(),
        }),
        search_path: vec!["public".into()],
        param_types: Vec::new(),
        grids: Vec::new(),
        exact: false,
        values: Arc::new(ValueContext::new(DateTime::from_timestamp(1_700_000_000, 0).expect("a time"))),
        user: "duck".into(),
        start: crate::sql::position::Start::default(),
    }
}

fn plan(sql: &str) -> PgResult<Plan> {
    let text: Arc<str> = Arc::from(sql);
    thread::run_blocking(move || {
        let statements = parse::parse_here(&text)?;
        dispatch::plan_here(&statements[0], &context())
    })
}

fn rendered(parts: &[SqlPart]) -> String {
    parts
        .iter()
        .map(|part| match part {
            SqlPart::Text(text) => text.clone(),
            SqlPart::Param(n) | SqlPart::Tested(n) | SqlPart::Listed(n) => format!("${}", n + 1),
            SqlPart::Session(SessionValue::CurrentDate) => "DATE '2023-11-14'".into(),
            SqlPart::Session(_) => "TIMESTAMPTZ '2023-11-14 22:13:20+00'".into(),
        })
        .collect()
}

fn query(sql: &str) -> super::plan::QueryPlan {
    match plan(sql) {
        Ok(Plan::Query(query)) => query,
        other => panic!("{sql}: {other:?}"),
    }
}

#[track_caller]
fn refused(sql: &str, code: &str) {
    match plan(sql) {
        Err(error) => assert_eq!(error.code().0, code, "{sql}: {error}"),
        Ok(plan) => panic!("{sql} was planned: {plan:?}"),
    }
}

#[test]
fn what_tries_to_leave_is_refused() {
    for sql in [
        "select * from read_csv('/etc/passwd')",
        "select read_text('/etc/passwd')",
        "select * from read_blob('x')",
        "select * from glob('/**')",
        "select * from sniff_csv('/etc/passwd')",
        "select * from parquet_metadata('x')",
        "select * from read_parquet('http://169.254.169.254/x')",
        "select * from \"/etc/passwd\"",
        "select * from \"file:///etc/passwd\"",
        "select * from \"s3://bucket/x.parquet\"",
        "select * from enable_logging('QueryLog')",
        "select enable_profiling()",
        "select * from checkpoint()",
        "select * from force_checkpoint()",
        "select * from truncate_duckdb_logs()",
        "select * from query('select 1')",
        "select * from query_table('t')",
        "select json_execute_serialized_sql('x')",
        "select * from duckdb_settings()",
        "select * from duckdb_secrets()",
        "select which_secret('a', 's3')",
        "select getenv('HOME')",
        "select current_setting('s3_secret_access_key')",
        "select * from postgres_scan('x', 'y', 'z')",
        "with x as (select * from enable_logging()) select 1 from x",
        "select (select max(a) from read_csv('x') as r(a))",
        "insert into t (name) select content from read_text('/etc/passwd')",
        "select pg_read_file('/etc/passwd')",
    ] {
        refused(sql, "42501");
    }
    for sql in [
        "update t set id = 1",
        "delete from t",
        "insert into t (id) values (1) on conflict do nothing",
        "do 'x'",
        "grant x to duck",
        "install httpfs",
        "load httpfs",
        "attach 'x' as y",
        "pragma database_list",
        "with x as (insert into t (id) values (1) returning id) select * from x",
    ] {
        refused(sql, "0A000");
    }
    for (sql, code) in [
        ("call x()", "42883"),
        ("select * from missing", "42P01"),
        ("select st_point(1, 2)", "42883"),
        ("select h3_cell(1)", "42883"),
        ("select missing from t", "42703"),
        ("select x.id from t", "42P01"),
        ("select \"ID\" from t", "42703"),
        ("select id from t a, t b", "42702"),
        ("select 1 from t, t", "42712"),
        ("select 'a'::int", "22P02"),
        ("select * from t where id = 'x'", "22P02"),
        ("select 1 + 'a'::text", "42883"),
        ("select id || id from t", "42883"),
        ("select * from t where name", "42804"),
        ("select lower(1)", "42883"),
        ("select 1 union select 1, 2", "42601"),
        ("select case when true then 1 else 'a'::text end", "42804"),
        ("select * from t limit -1", "2201W"),
        ("select row_number()", "42809"),
        ("insert into t (nope) values (1)", "42703"),
        ("insert into t (id, id) values (1, 2)", "42701"),
        ("insert into t (id) values (1, 2)", "42601"),
        ("insert into t (id, name) values (1)", "42601"),
        ("insert into t (id) values (true)", "42804"),
        ("select * from t where id = $1 and name = $1", "42883"),
        ("insert into t (id, name) values ($1, $1)", "42P08"),
        ("select $2::int", "42P18"),
        ("select true::int8", "42846"),
    ] {
        refused(sql, code);
    }
}

#[test]
fn chains_and_nests_end_in_an_error_or_an_answer_never_in_a_crash() {
    refused(&format!("select 1{}", " + 1".repeat(100_000)), "54001");
    refused(&format!("select {}1{}", "(".repeat(5000), ")".repeat(5000)), "54001");
    assert!(plan(&format!("select * from t where id = 1{}", " or id = 2".repeat(9_000))).is_ok());
    refused(&format!("select * from t where id = 1{}", " and id = 2".repeat(50_000)), "54001");
    refused(&format!("select 1::int{}", "[]".repeat(520_000)), "54000");
    refused(&format!("select 1{}", "::int".repeat(200_000)), "54001");
    refused(&format!("select {}true{}", "case when ".repeat(5000), " then true end".repeat(5000)), "54001");
    refused(&format!("select {}true", "not ".repeat(200)), "54001");
    assert!(plan(&format!("select 1{}", "::int".repeat(100))).is_ok());
    refused(&format!("select {}", ["1::int"; 10_000].join(", ")), "54011");
    assert!(plan(&format!("select * from t where id in (1{})", ", 2".repeat(100_000))).is_ok());
}

#[test]
fn names_parameters_and_filters() {
    let plan = query(
        "select T.ID as \"X\", name, count(*), 1, 'a'::varchar(2) from public.t where id = $1 and d >= '2024-01-01' group by 1, 2",
    );
    let names: Vec<_> = plan.columns.iter().filter_map(|c| c.name.clone()).collect();
    assert_eq!(names, ["X", "name", "count", "?column?", "varchar"]);
    assert_eq!(plan.params.len(), 1);
    assert_eq!(plan.params[0].ty, ColumnType::Int4);
    assert_eq!(plan.tables.len(), 1);
    let ops: Vec<FilterOp> = plan.tables[0].filters.iter().map(|f| f.op).collect();
    assert!(ops.contains(&FilterOp::Eq) && ops.contains(&FilterOp::GtEq), "{ops:?}");
    assert!(rendered(&plan.sql).contains("FROM \"t_7\" AS \"t\""), "{}", rendered(&plan.sql));
    // A condition on one use of a table says nothing about the other.
    let plan = query("select 1 from t a join t b on a.id = b.id where a.id = 5");
    assert_eq!(plan.tables.len(), 2);
    assert!(plan.tables[1].filters.is_empty());
    // A literal is quoted again, a comment never passes.
    let plan = query("select E'it''s \\n' /* x */ -- y\n, $$a'b$$");
    assert!(rendered(&plan.sql).contains("'it''s \n'"), "{}", rendered(&plan.sql));
}

#[test]
fn insert_of_constants_needs_no_engine() {
    let Ok(Plan::Insert(insert)) = plan(
        "insert into t (id, name, price, f) values ($1, 'x', -1.5, 2), (DEFAULT, NULL, 3, $2) returning id, name as n",
    ) else {
        panic!("no insert");
    };
    let InsertSource::Values(rows) = insert.source else {
        panic!("not cells");
    };
    assert_eq!(rows[0], [Cell::Param(0), Cell::Text("x".into()), Cell::Text("-1.5".into()), Cell::Text("2".into())]);
    assert_eq!(rows[1][0], Cell::Default);
    assert_eq!(insert.params[0].ty, ColumnType::Int4);
    assert_eq!(insert.params[1].ty, ColumnType::Float8);
    for sql in [
        "insert into t (id) values (1 + 1)",
        "insert into t (id, name) select id, name from t",
        "insert into t default values",
        "insert into t (id) values (1) returning id + 1 as x, lower(name)",
        "insert into t (v) values (upper('x'))",
    ] {
        assert!(matches!(plan(sql), Ok(Plan::Insert(_))), "{sql}: {:?}", plan(sql));
    }
}

/// An engine with the worker's own functions.
fn with_functions() -> duckdb::Connection {
    use duckdb::ffi;
    // SAFETY: out pointers to locals; the connection is closed here, the database belongs to what is returned.
    unsafe {
        let (mut database, mut connection) = (std::ptr::null_mut(), std::ptr::null_mut());
        assert_eq!(ffi::duckdb_open(std::ptr::null(), &raw mut database), ffi::DuckDBSuccess);
        assert_eq!(ffi::duckdb_connect(database, &raw mut connection), ffi::DuckDBSuccess);
        crate::engine::worker::udf::register_on(connection).expect("registers");
        ffi::duckdb_disconnect(&raw mut connection);
        duckdb::Connection::open_from_raw(database).expect("opens")
    }
}

fn engine() -> duckdb::Connection {
    let connection = with_functions();
    connection
        .execute_batch(
            "SET default_null_order='nulls_last_on_asc_first_on_desc'; SET integer_division=true; SET TimeZone='UTC'",
        )
        .expect("settings");
    for sql in macros::MACROS {
        connection.execute_batch(sql).unwrap_or_else(|e| panic!("{sql}: {e}"));
    }
    connection
}

/// Each line of the table: an expression, a tab, what PostgreSQL 15 answers as text (`\N` for NULL, `!` and a SQLSTATE for
/// an error). Lines that begin with `?` are known differences: they are run, and must not crash.
#[test]
fn expressions_mean_what_postgres_says() {
    let connection = engine();
    let mut wrong = Vec::new();
    let mut count = 0;
    for line in include_str!("tests/expressions.tsv").lines().filter(|l| !l.is_empty()) {
        let (known, line) = match line.strip_prefix('?') {
            Some(rest) => (true, rest),
            None => (false, line),
        };
        let (expression, expect) = line.split_once('\t').expect("a tab");
        count += 1;
        let got = match plan(&format!("SELECT ({expression})::text")) {
            Err(error) => format!("!{}", error.code().0),
            Ok(Plan::Query(query)) => {
                let sql = rendered(&query.sql);
                match connection.query_row(&sql, [], |row| row.get::<_, Option<String>>(0)) {
                    Ok(Some(text)) => text,
                    Ok(None) => "\\N".to_owned(),
                    Err(error) => format!("!engine {error} in {sql}"),
                }
            }
            Ok(other) => format!("{other:?}"),
        };
        let same = got == expect || (expect.starts_with('!') && got.starts_with('!'));
        if !same && !known {
            wrong.push(format!("{expression}\n   postgres {expect}\n   here     {got}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {count} differ:\n{}", wrong.len(), wrong.join("\n"));
}

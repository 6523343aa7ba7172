//! Result columns, found out without executing.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, TimeUnit};
use duckmesh_catalog::{ColumnDef, ColumnType, TableDef};

use super::{expire, render, select, settle, tables};
use crate::{
    engine::{EngineColumn, QueryRequest, ResultStream},
    pgcatalog,
    session::{ClientSession, PreparedStatement},
    sql::plan::{InsertPlan, Origin, OutputColumn, Plan, QueryPlan, Returning, RowCall, RowCallKind, SettingPlan},
    value::Encoder,
    wire::{
        PgResult,
        backend::{ResultColumn, Session as _},
    },
};

/// The result columns of a planned statement; none for one without rows.
///
/// # Errors
/// What the engine says of the query.
pub async fn columns(
    session: &mut ClientSession,
    prepared: &PreparedStatement,
) -> PgResult<Option<Arc<[ResultColumn]>>> {
    Ok(match prepared.plan() {
        Plan::Query(plan) => Some(query_columns(session, plan).await?),
        Plan::Insert(plan) => match &plan.returning {
            None => None,
            Some(Returning::Columns(columns)) => Some(returned_columns(plan, columns)),
            Some(Returning::Query(query)) => Some(returning_columns(session, plan, query).await?),
        },
        Plan::Explain(plan) => Some([plan_column(plan.json)].into()),
        Plan::ExpireSnapshots(_) => Some(expire::COLUMNS.iter().map(|name| text_column(name)).collect()),
        Plan::SettleDeadLetters(_) => Some([text_column(settle::COLUMN)].into()),
        Plan::Setting(SettingPlan::Show(name)) => {
            let (shown, _) = session.settings.show(name)?;
            Some([text_column(&shown)].into())
        }
        Plan::Setting(SettingPlan::ShowAll) => {
            Some([text_column("name"), text_column("setting"), text_column("description")].into())
        }
        _ => None,
    })
}

/// Columns of a query, from the engine.
///
/// # Errors
/// What the engine says of the query.
pub async fn query_columns(session: &mut ClientSession, plan: &QueryPlan) -> PgResult<Arc<[ResultColumn]>> {
    let pin = session.schema_for_planning(true).await?;
    let prelude = tables::prelude(session, &pin, plan, None).await?;
    let sql = render::sql(session, &prelude.filled(plan.sql.as_slice().into()), &plan.params, None)?;
    let request = QueryRequest { relations: prelude.relations, ..select::request(session, sql) };
    described(session, request, plan).await
}

async fn returning_columns(
    session: &mut ClientSession,
    plan: &InsertPlan,
    query: &QueryPlan,
) -> PgResult<Arc<[ResultColumn]>> {
    let pin = session.schema_for_planning(true).await?;
    let mut prelude = tables::prelude(session, &pin, query, None).await?;
    let sql = render::sql(session, &prelude.filled(query.sql.as_slice().into()), &plan.params, None)?;
    prelude.relations.push(tables::relation_over(RETURNING_VIEW, &plan.table, &[]));
    let request = QueryRequest { relations: prelude.relations, ..select::request(session, sql) };
    described(session, request, query).await
}

/// The view that RETURNING's expressions read.
pub const RETURNING_VIEW: &str = "returning_rows";

async fn described(session: &ClientSession, request: QueryRequest, plan: &QueryPlan) -> PgResult<Arc<[ResultColumn]>> {
    let columns = session.lake.engine.describe(request).await?;
    if plan.no_columns {
        return Ok([].into());
    }
    columns
        .iter()
        .enumerate()
        .map(|(index, column)| {
            let arrow = arrow_of(&column.duckdb_type);
            planned_column(session, plan, index, column, &arrow)
        })
        .collect()
}

/// Columns of a query that runs.
///
/// # Errors
/// When a type cannot be shown.
pub fn result_columns(
    session: &ClientSession,
    stream: &ResultStream,
    plan: &QueryPlan,
) -> PgResult<Arc<[ResultColumn]>> {
    if plan.no_columns {
        return Ok([].into());
    }
    let columns = stream.columns.iter().zip(stream.schema.fields()).enumerate();
    columns.map(|(index, (column, field))| planned_column(session, plan, index, column, field.data_type())).collect()
}

fn planned_column(
    session: &ClientSession,
    plan: &QueryPlan,
    index: usize,
    column: &EngineColumn,
    arrow: &DataType,
) -> PgResult<ResultColumn> {
    let known = plan.columns.get(index);
    let signals = |call: &RowCall| call.column == index && matches!(call.kind, RowCallKind::Signal { .. });
    if plan.row_calls.iter().any(signals) {
        // The engine gives the session's number, the gateway makes of it whether it is there.
        let column = EngineColumn { duckdb_type: "BOOLEAN".to_owned(), ..column.clone() };
        return result_column(session, &column, &DataType::Boolean, known);
    }
    result_column(session, column, arrow, known)
}

/// The Arrow type in which the engine sends a DuckDB type, for columns that are only described.
fn arrow_of(name: &str) -> DataType {
    if let Some(element) = name.strip_suffix(']').and_then(|name| name.rsplit_once('[')).map(|(element, _)| element) {
        return DataType::List(Field::new("element", arrow_of(element), true).into());
    }
    match name {
        "TINYINT" => DataType::Int8,
        "UTINYINT" => DataType::UInt8,
        "USMALLINT" => DataType::UInt16,
        "UINTEGER" => DataType::UInt32,
        "UBIGINT" => DataType::UInt64,
        "HUGEINT" | "UHUGEINT" | "BIGNUM" => DataType::Decimal128(38, 0),
        "TIMETZ" | "TIME WITH TIME ZONE" => DataType::Time64(TimeUnit::Microsecond),
        "TIMESTAMP_S" | "TIMESTAMP_MS" | "TIMESTAMP_NS" => DataType::Timestamp(TimeUnit::Microsecond, None),
        "FLOAT" => DataType::Float32,
        "DOUBLE" => DataType::Float64,
        _ if name.starts_with("STRUCT(") || name.starts_with("MAP(") || name.starts_with("UNION(") => {
            DataType::Struct(arrow::datatypes::Fields::empty())
        }
        _ if name.starts_with("DECIMAL(") => ColumnType::from_ducklake(&name.to_ascii_lowercase()).arrow(),
        _ => stored_type(name).map_or(DataType::Utf8, |ty| ty.arrow()),
    }
}

/// The column type of that DuckDB name, where there is one.
fn stored_type(name: &str) -> Option<ColumnType> {
    const STORED: [ColumnType; 13] = [
        ColumnType::Bool,
        ColumnType::Int2,
        ColumnType::Int4,
        ColumnType::Int8,
        ColumnType::Text,
        ColumnType::Bytea,
        ColumnType::Date,
        ColumnType::Time,
        ColumnType::Timestamp,
        ColumnType::Timestamptz,
        ColumnType::Interval,
        ColumnType::Uuid,
        ColumnType::Json,
    ];
    let name = if name == "TIMESTAMP WITH TIME ZONE" { "TIMESTAMPTZ" } else { name };
    STORED.into_iter().find(|ty| ty.duckdb() == name)
}

fn result_column(
    session: &ClientSession,
    column: &EngineColumn,
    arrow: &DataType,
    known: Option<&OutputColumn>,
) -> PgResult<ResultColumn> {
    let origin = match known.and_then(|k| k.origin.as_ref()) {
        Some(Origin::Table(table, id)) => table.column_by_id(*id).map(|c| (place(table, c), Some(c.ty.clone()))),
        Some(Origin::Relation(oid, number)) => Some(((*oid, *number), None)),
        None => None,
    };
    let (place, declared) = origin.unwrap_or_default();
    let declared = declared.or_else(|| known.and_then(|k| k.ty.clone()));
    let ctx = session.value_context();
    let encoder = Encoder::new(arrow, &column.duckdb_type, declared.as_ref(), &ctx)?;
    let ty = encoder.pg_type();
    let (table_oid, attnum) = place;
    Ok(ResultColumn {
        name: known.and_then(|k| k.name.clone()).unwrap_or_else(|| column.name.clone()),
        table_oid,
        attnum,
        type_oid: ty.oid,
        typlen: ty.typlen,
        typmod: ty.typmod,
        duckdb_type: column.duckdb_type.clone(),
        declared,
    })
}

/// Columns of RETURNING that are columns of the table.
#[must_use]
pub fn returned_columns(plan: &InsertPlan, columns: &[(String, duckmesh_catalog::ColumnId)]) -> Arc<[ResultColumn]> {
    let found = columns.iter().filter_map(|(name, id)| Some((name, plan.table.column_by_id(*id)?)));
    found.map(|(name, column)| table_column(&plan.table, column, name)).collect()
}

fn table_column(table: &TableDef, column: &ColumnDef, name: &str) -> ResultColumn {
    let (table_oid, attnum) = place(table, column);
    ResultColumn {
        name: name.to_owned(),
        table_oid,
        attnum,
        type_oid: column.ty.oid(),
        typlen: column.ty.typlen(),
        typmod: column.ty.typmod(),
        duckdb_type: column.ty.duckdb(),
        declared: Some(column.ty.clone()),
    }
}

/// Oid of the table and attribute number of the column.
fn place(table: &TableDef, column: &ColumnDef) -> (u32, i16) {
    (pgcatalog::table_oid(table.id), pgcatalog::attnum(table, column.id))
}

/// The column of EXPLAIN.
#[must_use]
pub fn plan_column(json: bool) -> ResultColumn {
    let column = text_column("QUERY PLAN");
    if json { ResultColumn { type_oid: ColumnType::Json.oid(), ..column } } else { column }
}

/// A text column that comes from no table.
#[must_use]
pub fn text_column(name: &str) -> ResultColumn {
    ResultColumn {
        name: name.to_owned(),
        table_oid: 0,
        attnum: 0,
        type_oid: ColumnType::Text.oid(),
        typlen: -1,
        typmod: -1,
        duckdb_type: ColumnType::Text.duckdb(),
        declared: Some(ColumnType::Text),
    }
}

//! The tables in which other writers inline rows, after a change of columns: the official extension takes the newest one
//! of a table and gives it the columns of now, so that a change must make the next.

use super::diff::Diff;
use crate::{
    ColumnType, LakeSchema, TableDef, TableId,
    catalog::Result,
    params,
    store::{Dialect, Statement, Transaction, quote},
};

/// Adds the statements that follow a difference up; tables that nobody inlined into need none.
pub(super) async fn follow(
    tx: &mut Transaction,
    dialect: Dialect,
    old: &LakeSchema,
    new: &LakeSchema,
    diff: &Diff,
    schema_version: i64,
) -> Result<Vec<Statement>> {
    let mut statements = Vec::new();
    for id in &diff.versioned {
        let id = TableId::new(*id);
        let (Some(_), Some(table)) = (old.tables.get(&id), new.tables.get(&id)) else {
            continue;
        };
        let known = tx
            .query_opt("SELECT 1 FROM @ducklake_inlined_data_tables WHERE table_id = $1 LIMIT 1", params![id])
            .await?;
        if known.is_some() {
            statements.extend(next_table(dialect, table, schema_version));
        }
    }
    Ok(statements)
}

fn next_table(dialect: Dialect, table: &TableDef, schema_version: i64) -> [Statement; 2] {
    let name = format!("ducklake_inlined_data_{}_{schema_version}", table.id);
    let mut columns = String::from("row_id BIGINT, begin_snapshot BIGINT, end_snapshot BIGINT");
    for column in &table.columns {
        columns.push_str(&format!(", {} {}", quote(&column.name), store_type(dialect, &column.ty)));
    }
    [
        Statement::new(format!("CREATE TABLE @{}({columns})", quote(&name)), vec![]),
        Statement::new(
            "INSERT INTO @ducklake_inlined_data_tables(table_id, table_name, schema_version) VALUES ($1, $2, $3)",
            params![table.id, name, schema_version],
        ),
    ]
}

/// The type that the official extension 1.5 gives an inlined column.
fn store_type(dialect: Dialect, ty: &ColumnType) -> String {
    let ty = &ty.base();
    let other = match ty {
        ColumnType::Other(name) => name.as_str(),
        _ => "",
    };
    match dialect {
        Dialect::Sqlite => match ty {
            ColumnType::Bool | ColumnType::Int2 | ColumnType::Int4 | ColumnType::Int8 => "BIGINT",
            ColumnType::Bytea => "BLOB",
            _ if matches!(other, "int8" | "uint8" | "uint16" | "uint32") => "BIGINT",
            _ => "VARCHAR",
        },
        Dialect::Postgres => match ty {
            ColumnType::Bool => "BOOLEAN",
            ColumnType::Int2 => "SMALLINT",
            ColumnType::Int4 => "INTEGER",
            ColumnType::Int8 => "BIGINT",
            ColumnType::Float4 => "REAL",
            ColumnType::Float8 => "DOUBLE PRECISION",
            ColumnType::Numeric(p, s) => return format!("NUMERIC({p},{s})"),
            ColumnType::Money => "NUMERIC(19,2)",
            ColumnType::Text
            | ColumnType::AsText(_)
            | ColumnType::Varchar(_)
            | ColumnType::Char(_)
            | ColumnType::Enum(_)
            | ColumnType::Record(_)
            | ColumnType::Grid(_)
            | ColumnType::Json
            | ColumnType::Jsonb
            | ColumnType::Bytea => "BYTEA",
            ColumnType::Time => "TIME",
            ColumnType::Interval => "INTERVAL",
            ColumnType::Uuid => "UUID",
            ColumnType::Date
            | ColumnType::Timestamp
            | ColumnType::Timestamptz
            | ColumnType::Array(_)
            // Never a base.
            | ColumnType::Modified(..)
            | ColumnType::System(_) => "VARCHAR",
            ColumnType::Other(_) => match other {
                "int8" => "SMALLINT",
                "uint8" | "uint16" => "INTEGER",
                "uint32" => "BIGINT",
                "timetz" => "TIMETZ",
                _ => "VARCHAR",
            },
        },
    }
    .to_owned()
}

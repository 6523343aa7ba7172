//! Values of columns that a write does not name.

use std::sync::Arc;

use arrow::array::ArrayRef;
use duckmesh_catalog::{ColumnDef, ColumnType, DefaultValue, LakeSchema, SequenceDef, TableDef};
use uuid::Uuid;

use super::{calls, conform, render, select};
use crate::{
    session::{ClientSession, Pin},
    sql::{
        self,
        plan::{DefaultProgram, SessionValue},
    },
    value::{ColumnBuilder, ValueContext},
    wire::{PgError, PgResult, backend::Session as _},
};

/// A column's default for `rows` rows.
///
/// # Errors
/// What evaluating the default gives.
pub async fn column(
    session: &ClientSession,
    schema: &LakeSchema,
    table: &TableDef,
    column: &ColumnDef,
    rows: usize,
) -> PgResult<ArrayRef> {
    if let Some(sequence) = sequence_of(schema, table, column) {
        return numbers(&calls::next(session, &sequence, rows).await?, &column.ty, &session.value_context());
    }
    let mut builder = ColumnBuilder::new(&column.ty, rows)?;
    match program(session, schema, column).await? {
        DefaultProgram::Null => (0..rows).for_each(|_| builder.append_null()),
        DefaultProgram::Constant(text) => {
            for _ in 0..rows {
                builder.append_lake_text(&text)?;
            }
        }
        DefaultProgram::RandomUuid => {
            let ctx = session.value_context();
            for _ in 0..rows {
                builder.append_text(Uuid::new_v4().to_string().as_bytes(), &ctx)?;
            }
        }
        DefaultProgram::Session(value) => match moment(session, &value, &column.ty) {
            Some(text) => {
                let ctx = session.value_context();
                for _ in 0..rows {
                    builder.append_text(text.as_bytes(), &ctx)?;
                }
            }
            None => {
                let expression = render::session_value(session, &value)?;
                return computed(session, &expression, &column.ty, rows).await;
            }
        },
        DefaultProgram::Expression(parts) => {
            let expression = render::sql(session, &parts, &[], None)?;
            return computed(session, &expression, &column.ty, rows).await;
        }
    }
    Ok(builder.finish())
}

/// The sequence that makes a column's numbers.
#[must_use]
pub fn sequence_of(schema: &LakeSchema, table: &TableDef, column: &ColumnDef) -> Option<Arc<SequenceDef>> {
    match &column.default {
        Some(DefaultValue::Expression(text)) => sql::sequence::of_default(text, schema),
        Some(DefaultValue::Literal(_)) => None,
        None => schema.identity(table.uuid, column.id).cloned(),
    }
}

/// Numbers of a sequence as a column's values.
///
/// # Errors
/// 22003 where the column's type is smaller than the sequence's.
pub fn numbers(numbers: &[i64], ty: &ColumnType, ctx: &ValueContext) -> PgResult<ArrayRef> {
    if *ty == ColumnType::Int8 {
        return Ok(Arc::new(arrow::array::Int64Array::from(numbers.to_vec())));
    }
    let mut builder = ColumnBuilder::new(ty, numbers.len())?;
    for number in numbers {
        builder.append_text(number.to_string().as_bytes(), ctx).map_err(|error| match ty {
            ColumnType::Int2 | ColumnType::Int4 => PgError::new(error.code(), format!("{ty} out of range")),
            _ => error,
        })?;
    }
    Ok(builder.finish())
}

async fn program(session: &ClientSession, schema: &LakeSchema, column: &ColumnDef) -> PgResult<DefaultProgram> {
    let of_domain = match (&column.default, column.domain) {
        (None, Some(domain)) => sql::domain::default(schema, domain),
        _ => None,
    };
    match column.default.as_ref().or(of_domain.as_ref()) {
        None => Ok(DefaultProgram::Null),
        Some(DefaultValue::Literal(text)) => Ok(DefaultProgram::Constant(text.clone())),
        Some(DefaultValue::Expression(text)) => {
            let (text, ty) = (text.clone(), column.ty.clone());
            let context = session.plan_context(&Pin::types_of(schema), &[]);
            sql::thread::run(move || sql::default::compile(&text, &ty, &context)).await
        }
    }
}

/// Text of a moment that the column's type reads without the engine: the common `DEFAULT now()`.
fn moment(session: &ClientSession, value: &SessionValue, ty: &ColumnType) -> Option<String> {
    let time = match value {
        SessionValue::TransactionTime => session.transaction_time(),
        SessionValue::StatementTime => session.statement_time,
        SessionValue::ClockTime => chrono::Utc::now(),
        _ => return None,
    };
    match ty {
        ColumnType::Timestamptz => Some(format!("{}+00", time.format("%Y-%m-%d %H:%M:%S%.6f"))),
        ColumnType::Timestamp => {
            let local = session.local(time);
            Some(local.format("%Y-%m-%d %H:%M:%S%.6f").to_string())
        }
        ColumnType::Date => Some(session.local(time).format("%Y-%m-%d").to_string()),
        _ => None,
    }
}

/// One value a row from the engine, so that `random()` differs in each.
async fn computed(session: &ClientSession, expression: &str, ty: &ColumnType, rows: usize) -> PgResult<ArrayRef> {
    let sql = format!("SELECT {} AS v FROM range({rows})", ty.cast(expression));
    let request = select::request(session, sql);
    let mut stream = session.lake.engine.query(request).await?;
    let mut pieces = Vec::new();
    while let Some(batch) = stream.next().await? {
        let array = batch.columns().first().ok_or_else(|| PgError::internal("a default without a value"))?;
        pieces.push(conform::array(array, ty, &session.value_context())?);
    }
    let pieces: Vec<&dyn arrow::array::Array> = pieces.iter().map(AsRef::as_ref).collect();
    arrow::compute::concat(&pieces).map_err(PgError::internal)
}

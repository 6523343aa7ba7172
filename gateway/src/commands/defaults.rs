//! Values of columns that a write does not name.

use std::sync::Arc;

use arrow::array::ArrayRef;
use duckmesh_catalog::{ColumnDef, ColumnType, DefaultValue, LakeSchema, SequenceDef, TableDef};
use uuid::Uuid;

use super::{
    aside::Aside,
    calls::{self, Numbers},
    conform, render,
};
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
    if matches!(&column.default, Some(DefaultValue::Expression(text)) if text.contains("nextval(")) {
        let per_row = PerRow::of(session, schema, column).await?;
        return per_row.ok_or_else(|| PgError::internal("a default without its number"))?.rows(rows).await;
    }
    match program(session, schema, column).await? {
        DefaultProgram::Null => (0..rows).for_each(|_| builder.append_null()),
        DefaultProgram::Constant(text) => {
            for _ in 0..rows {
                builder.append_lake_text(&text)?;
            }
        }
        DefaultProgram::RandomUuid | DefaultProgram::Expression(_) => {
            let per_row = PerRow::of(session, schema, column).await?;
            let per_row = per_row.ok_or_else(|| PgError::internal("a default that is another one now"))?;
            return per_row.rows(rows).await;
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
                return PerRow::computed(session, expression, &column.ty, Vec::new()).rows(rows).await;
            }
        },
    }
    Ok(builder.finish())
}

/// Where the values of a column come from that a stream of rows does not give.
pub enum Source {
    /// One value for all rows, as an array of one.
    Constant(ArrayRef),
    /// A number for each row.
    Sequence(Arc<SequenceDef>),
    /// Another value for each row.
    PerRow(Box<PerRow>),
}

/// A column's default, for as many rows as will come.
///
/// # Errors
/// What evaluating the default gives.
pub async fn source(
    session: &ClientSession,
    schema: &LakeSchema,
    table: &TableDef,
    of: &ColumnDef,
) -> PgResult<Source> {
    if let Some(sequence) = sequence_of(schema, table, of) {
        return Ok(Source::Sequence(sequence));
    }
    Ok(match PerRow::of(session, schema, of).await? {
        Some(per_row) => Source::PerRow(Box::new(per_row)),
        None => Source::Constant(column(session, schema, table, of, 1).await?),
    })
}

impl Source {
    /// Values for some rows more.
    ///
    /// # Errors
    /// What evaluating the default gives.
    pub async fn next(
        &self,
        rows: usize,
        ty: &ColumnType,
        numbers: &Numbers,
        ctx: &ValueContext,
    ) -> PgResult<ArrayRef> {
        match self {
            Self::Constant(one) => {
                let indexes = arrow::array::UInt32Array::from(vec![0u32; rows]);
                arrow::compute::take(one, &indexes, None).map_err(PgError::internal)
            }
            Self::Sequence(sequence) => self::numbers(&numbers.next(sequence, rows).await?, ty, ctx),
            Self::PerRow(per_row) => per_row.rows(rows).await,
        }
    }
}

/// The sequence that makes a column's numbers.
#[must_use]
pub fn sequence_of(schema: &LakeSchema, table: &TableDef, column: &ColumnDef) -> Option<Arc<SequenceDef>> {
    match &column.default {
        Some(DefaultValue::Expression(text)) => sql::sequence::of_default(text, schema),
        Some(DefaultValue::Literal(_) | DefaultValue::Generated(_)) => None,
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
        None | Some(DefaultValue::Generated(_)) => Ok(DefaultProgram::Null),
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
    match ty.bare() {
        ColumnType::Timestamptz => Some(format!("{}+00", time.format("%Y-%m-%d %H:%M:%S%.6f"))),
        ColumnType::Timestamp => {
            let local = session.local(time);
            Some(local.format("%Y-%m-%d %H:%M:%S%.6f").to_string())
        }
        ColumnType::Date => Some(session.local(time).format("%Y-%m-%d").to_string()),
        _ => None,
    }
}

/// A default that may differ in each row, ready to be computed while rows stream.
pub struct PerRow {
    aside: Aside,
    /// None: a random uuid.
    expression: Option<String>,
    ty: ColumnType,
    values: Arc<ValueContext>,
    sequences: Vec<Arc<SequenceDef>>,
    numbers: Numbers,
}

impl PerRow {
    /// None for a default that is the same in each row, or a number of a sequence.
    ///
    /// # Errors
    /// Of an expression that means nothing any more.
    pub async fn of(session: &ClientSession, schema: &LakeSchema, column: &ColumnDef) -> PgResult<Option<Self>> {
        if let Some(DefaultValue::Expression(text)) = &column.default
            && text.contains("nextval(")
        {
            let (text, ty) = (text.clone(), column.ty.clone());
            let context = session.plan_context(&Pin::types_of(schema), &[]);
            let (parts, names) = sql::thread::run(move || {
                let (text, names) = sql::sequence::without_numbers(&text)?;
                Ok((sql::check::compile_with_numbers(&text, names.len(), &ty, &context)?, names))
            })
            .await?;
            let expression = render::sql(session, &parts, &[], None)?;
            let path = session.lookup_path();
            let found = names.iter().map(|name| sql::sequence::resolve(name, schema, &path));
            return Ok(Some(Self::computed(session, expression, &column.ty, found.collect::<PgResult<_>>()?)));
        }
        Ok(match program(session, schema, column).await? {
            DefaultProgram::RandomUuid => {
                Some(Self { expression: None, ..Self::computed(session, String::new(), &column.ty, Vec::new()) })
            }
            DefaultProgram::Expression(parts) => {
                let expression = render::sql(session, &parts, &[], None)?;
                Some(Self::computed(session, expression, &column.ty, Vec::new()))
            }
            _ => None,
        })
    }

    fn computed(
        session: &ClientSession,
        expression: String,
        ty: &ColumnType,
        sequences: Vec<Arc<SequenceDef>>,
    ) -> Self {
        Self {
            aside: Aside::of(session),
            expression: Some(expression),
            ty: ty.clone(),
            values: session.value_context(),
            sequences,
            numbers: Numbers::of(session),
        }
    }

    /// Values for so many rows.
    ///
    /// # Errors
    /// What evaluating the default gives.
    pub async fn rows(&self, rows: usize) -> PgResult<ArrayRef> {
        let Some(expression) = &self.expression else {
            let mut builder = ColumnBuilder::new(&self.ty, rows)?;
            for _ in 0..rows {
                builder.append_text(Uuid::new_v4().to_string().as_bytes(), &self.values)?;
            }
            return Ok(builder.finish());
        };
        // One value a row from the engine, so that `random()` differs in each.
        let mut from = format!("range({rows}) AS r(i)");
        if !self.sequences.is_empty() {
            let mut columns = Vec::with_capacity(self.sequences.len());
            for (index, sequence) in self.sequences.iter().enumerate() {
                let numbers: Vec<String> =
                    self.numbers.next(sequence, rows).await?.iter().map(ToString::to_string).collect();
                let name = sql::sequence::number_column(index);
                columns.push(format!("list_extract(CAST([{}] AS BIGINT[]), i + 1) AS \"{name}\"", numbers.join(", ")));
            }
            from = format!("(SELECT {} FROM {from}) AS \"numbers\"", columns.join(", "));
        }
        let sql = format!("SELECT {} AS v FROM {from}", self.ty.cast(expression));
        let mut stream = self.aside.query(sql, Vec::new()).await?;
        let mut pieces = Vec::new();
        while let Some(batch) = self.aside.stoppable(stream.next()).await? {
            let array = batch.columns().first().ok_or_else(|| PgError::internal("a default without a value"))?;
            pieces.push(conform::array(array, &self.ty, &self.values)?);
        }
        let pieces: Vec<&dyn arrow::array::Array> = pieces.iter().map(AsRef::as_ref).collect();
        arrow::compute::concat(&pieces).map_err(PgError::internal)
    }
}

//! Rows of a system relation, as SQL text for few and as an Arrow batch for many.

use std::{borrow::Cow, fmt::Write as _, sync::Arc};

use arrow::{
    array::{
        ArrayRef, BooleanBuilder, Float32Builder, Float64Builder, Int16Builder, Int32Builder, Int64Builder,
        ListBuilder, RecordBatch, RecordBatchOptions, StringBuilder, TimestampMicrosecondBuilder, new_null_array,
    },
    datatypes::{Field, Schema},
};
use chrono::{DateTime, Utc};
use duckmesh_catalog::ColumnType;

use super::shapes::{Shape, ShapeColumn};
use crate::{
    engine::InlineRows,
    wire::{PgError, PgResult},
};

/// Rows that stand in a statement: their text is compared for each row that looks something up.
const INLINE_ROWS_MAX: usize = 24;
/// Bytes of them.
const INLINE_BYTES_MAX: usize = 1024;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell<'a> {
    /// NULL.
    Null,
    /// boolean
    Bool(bool),
    /// Any integer, oid.
    Int(i64),
    /// real
    Float(f64),
    /// text, name, "char", and in few rows whatever the engine reads from text.
    Text(Cow<'a, str>),
    /// int2vector and arrays of integers.
    Ints(Vec<i64>),
    /// text[]
    Texts(Vec<String>),
    /// timestamptz
    Time(DateTime<Utc>),
}

/// Rows with the columns that are set; all others get what their type and constraint suggest.
#[derive(Clone, Debug, Default)]
pub struct Content<'a> {
    /// Names of the columns that `rows` hold, in that order.
    pub columns: &'static [&'static str],
    /// The rows.
    pub rows: Vec<Vec<Cell<'a>>>,
}

impl From<bool> for Cell<'_> {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<u32> for Cell<'_> {
    fn from(value: u32) -> Self {
        Self::Int(i64::from(value))
    }
}

impl From<i16> for Cell<'_> {
    fn from(value: i16) -> Self {
        Self::Int(i64::from(value))
    }
}

impl From<i32> for Cell<'_> {
    fn from(value: i32) -> Self {
        Self::Int(i64::from(value))
    }
}

impl From<i64> for Cell<'_> {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl<'a> From<&'a str> for Cell<'a> {
    fn from(value: &'a str) -> Self {
        Self::Text(Cow::Borrowed(value))
    }
}

impl From<String> for Cell<'_> {
    fn from(value: String) -> Self {
        Self::Text(Cow::Owned(value))
    }
}

impl From<char> for Cell<'_> {
    fn from(value: char) -> Self {
        Self::Text(Cow::Owned(value.to_string()))
    }
}

impl From<DateTime<Utc>> for Cell<'_> {
    fn from(value: DateTime<Utc>) -> Self {
        Self::Time(value)
    }
}

impl<'a, T: Into<Cell<'a>>> From<Option<T>> for Cell<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A row of cells from values of several types.
macro_rules! row {
    ($($value:expr),* $(,)?) => { vec![$($crate::pgcatalog::content::Cell::from($value)),*] };
}
pub(super) use row;

/// What a column holds that no row sets.
fn unset(column: &ShapeColumn) -> Cell<'static> {
    if !column.not_null {
        return Cell::Null;
    }
    match &column.engine {
        ColumnType::Bool => Cell::Bool(false),
        ColumnType::Int2 | ColumnType::Int4 | ColumnType::Int8 => Cell::Int(0),
        ColumnType::Float4 | ColumnType::Float8 => Cell::Float(0.0),
        ColumnType::Text => Cell::Text(Cow::Borrowed("")),
        ColumnType::Array(element) if **element != ColumnType::Text => Cell::Ints(Vec::new()),
        _ => Cell::Null,
    }
}

/// A query that gives the rows, without its `SELECT`'s order.
#[must_use]
pub fn values_sql(shape: &Shape, content: &Content<'_>) -> String {
    let mut sql = String::from("SELECT ");
    for (index, column) in shape.columns.iter().enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        let at = content.columns.iter().position(|name| *name == column.name);
        let value = match at {
            Some(at) if !content.rows.is_empty() => format!("c{at}"),
            _ => literal(&unset(column)),
        };
        let _ = write!(sql, "{comma}CAST({value} AS {}) AS \"{}\"", column.engine.duckdb(), column.name);
    }
    if content.rows.is_empty() {
        sql.push_str(" WHERE false");
        return sql;
    }
    sql.push_str(" FROM (VALUES ");
    for (index, row) in content.rows.iter().enumerate() {
        let cells: Vec<String> = row.iter().map(literal).collect();
        let _ = write!(sql, "{}({})", if index == 0 { "" } else { ", " }, cells.join(", "));
    }
    let names: Vec<String> = (0..content.columns.len()).map(|at| format!("c{at}")).collect();
    let _ = write!(sql, ") AS v({})", names.join(", "));
    sql
}

/// Few rows, as functions of the engine find them in the statement itself. None where they are not few.
#[must_use]
pub fn inline(content: &Content<'_>) -> Option<String> {
    let cell = |cell: &Cell<'_>| match cell {
        Cell::Null => Some(None),
        Cell::Bool(value) => Some(Some(value.to_string().into())),
        Cell::Int(value) => Some(Some(value.to_string().into())),
        Cell::Text(text) => Some(Some(text.as_ref().into())),
        _ => None,
    };
    if content.rows.len() > INLINE_ROWS_MAX {
        return None;
    }
    let columns = content.columns.iter().map(|name| (*name).to_owned()).collect();
    let rows = content.rows.iter().map(|row| row.iter().map(cell).collect::<Option<Vec<_>>>());
    let text = serde_json::to_string(&InlineRows { columns, rows: rows.collect::<Option<_>>()? }).ok()?;
    (text.len() <= INLINE_BYTES_MAX && !text.contains('\0')).then_some(text)
}

fn literal(cell: &Cell<'_>) -> String {
    match cell {
        Cell::Null => "NULL".to_owned(),
        Cell::Bool(value) => value.to_string(),
        Cell::Int(value) => value.to_string(),
        Cell::Float(value) => format!("{value:?}"),
        // A NUL cannot stand in SQL text, and in no name or text of Postgres.
        Cell::Text(text) => format!("'{}'", text.replace('\0', "").replace('\'', "''")),
        Cell::Ints(values) => format!("[{}]", values.iter().map(i64::to_string).collect::<Vec<_>>().join(", ")),
        Cell::Texts(values) => {
            let values: Vec<String> = values.iter().map(|v| format!("'{}'", v.replace('\'', "''"))).collect();
            format!("[{}]", values.join(", "))
        }
        Cell::Time(at) => format!("TIMESTAMPTZ '{}'", at.format("%Y-%m-%d %H:%M:%S%.6f+00")),
    }
}

/// The rows as a batch.
///
/// # Errors
/// When a value does not fit its column: a bug.
pub fn batch(shape: &Shape, content: &Content<'_>) -> PgResult<RecordBatch> {
    let rows = content.rows.len();
    let arrays = shape.columns.iter().map(|column| {
        let at = content.columns.iter().position(|name| *name == column.name);
        let constant = unset(column);
        let cells = content.rows.iter().map(|row| at.map_or(Some(&constant), |at| row.get(at)).unwrap_or(&Cell::Null));
        array(&column.engine, cells, rows)
            .ok_or_else(|| PgError::internal(format!("a value of {}.{} does not fit", shape.name, column.name)))
    });
    batch_of(shape, arrays.collect::<PgResult<_>>()?)
}

/// Arrays that are a relation's columns in order, as a batch.
///
/// # Errors
/// When they are not: a bug.
pub fn batch_of(shape: &Shape, arrays: Vec<ArrayRef>) -> PgResult<RecordBatch> {
    let columns = shape.columns.iter().zip(&arrays);
    let fields: Vec<Field> = columns.map(|(c, array)| Field::new(c.name, array.data_type().clone(), true)).collect();
    let rows = arrays.first().map_or(0, |array| array.len());
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options).map_err(PgError::internal)
}

macro_rules! built {
    ($builder:expr, $cells:expr, $($pattern:pat => $value:expr),+) => {{
        let mut builder = $builder;
        for cell in $cells {
            match cell {
                Cell::Null => builder.append_null(),
                $($pattern => builder.append_value($value),)+
                _ => return None,
            }
        }
        Some(Arc::new(builder.finish()) as ArrayRef)
    }};
}

macro_rules! lists {
    ($element:expr, $field:expr, $cells:expr, $pattern:pat => $values:expr) => {{
        let mut builder = ListBuilder::new($element).with_field(Field::new("element", $field, true));
        for cell in $cells {
            match cell {
                Cell::Null => builder.append_null(),
                $pattern => {
                    for value in $values {
                        builder.values().append_value(value?);
                    }
                    builder.append(true);
                }
                _ => return None,
            }
        }
        Some(Arc::new(builder.finish()) as ArrayRef)
    }};
}

fn array<'c, 'a: 'c>(ty: &ColumnType, cells: impl Iterator<Item = &'c Cell<'a>>, rows: usize) -> Option<ArrayRef> {
    use ColumnType as T;
    match ty {
        T::Bool => built!(BooleanBuilder::new(), cells, Cell::Bool(value) => *value),
        T::Int2 => built!(Int16Builder::new(), cells, Cell::Int(value) => i16::try_from(*value).ok()?),
        T::Int4 => built!(Int32Builder::new(), cells, Cell::Int(value) => i32::try_from(*value).ok()?),
        T::Int8 => built!(Int64Builder::new(), cells, Cell::Int(value) => *value),
        #[allow(clippy::cast_possible_truncation)]
        T::Float4 => built!(Float32Builder::new(), cells, Cell::Float(value) => *value as f32),
        T::Float8 => built!(Float64Builder::new(), cells, Cell::Float(value) => *value),
        T::Text => built!(StringBuilder::new(), cells, Cell::Text(value) => value.as_ref()),
        T::Timestamptz => {
            let builder = TimestampMicrosecondBuilder::new().with_timezone("UTC");
            built!(builder, cells, Cell::Time(at) => at.timestamp_micros())
        }
        T::Array(element) => match **element {
            T::Int2 => lists!(Int16Builder::new(), element.arrow(), cells,
                Cell::Ints(values) => values.iter().map(|v| i16::try_from(*v).ok())),
            T::Int8 => lists!(Int64Builder::new(), element.arrow(), cells,
                Cell::Ints(values) => values.iter().map(|v| Some(*v))),
            T::Text => lists!(StringBuilder::new(), element.arrow(), cells,
                Cell::Texts(values) => values.iter().map(Some)),
            _ => nulls(ty, cells, rows),
        },
        _ => nulls(ty, cells, rows),
    }
}

fn nulls<'c, 'a: 'c>(ty: &ColumnType, mut cells: impl Iterator<Item = &'c Cell<'a>>, rows: usize) -> Option<ArrayRef> {
    cells.all(|cell| *cell == Cell::Null).then(|| new_null_array(&ty.arrow(), rows))
}

#[cfg(test)]
mod tests {
    use super::{super::shapes, *};

    fn sample() -> Content<'static> {
        Content { columns: &["oid", "nspname"], rows: vec![row![7_u32, "it's"], row![8_u32, "b"]] }
    }

    #[test]
    fn few_rows_are_text() {
        let shape = shapes::find("pg_catalog", "pg_namespace").expect("shape");
        assert_eq!(
            values_sql(shape, &sample()),
            "SELECT CAST(c0 AS BIGINT) AS \"oid\", CAST(c1 AS VARCHAR) AS \"nspname\", CAST(0 AS BIGINT) AS \"nspowner\", \
             CAST(NULL AS VARCHAR[]) AS \"nspacl\" FROM (VALUES (7, 'it''s'), (8, 'b')) AS v(c0, c1)"
        );
        let none = values_sql(shape, &Content { columns: &["oid"], rows: Vec::new() });
        assert!(none.ends_with("WHERE false"), "{none}");
    }

    #[test]
    fn every_shape_makes_a_batch() {
        for shape in shapes::all() {
            let content = Content { columns: &[], rows: vec![Vec::new(), Vec::new()] };
            let made = batch(shape, &content).unwrap_or_else(|e| panic!("{}: {e:?}", shape.name));
            assert_eq!((made.num_rows(), made.num_columns()), (2, shape.columns.len()));
        }
    }

    #[test]
    fn a_value_that_does_not_fit_is_an_error() {
        let shape = shapes::find("pg_catalog", "pg_namespace").expect("shape");
        let wrong = Content { columns: &["oid"], rows: vec![row!["text"]] };
        assert!(batch(shape, &wrong).is_err());
    }
}

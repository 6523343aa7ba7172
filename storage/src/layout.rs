//! The Parquet schema of a table's columns: field ids, and the types that DuckDB and DuckLake read.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, RecordBatch, RecordBatchOptions},
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use duckmesh_catalog::{ColumnDef, ColumnId, ColumnType, TableDef};
use parquet::{
    basic::{LogicalType, Repetition, TimeUnit, Type as Physical},
    schema::types::{SchemaDescriptor, Type, TypePtr},
};

use crate::{
    error::{Error, ErrorKind, Result},
    interval,
};

/// Precisions up to these are stored as 32 and 64 bit numbers.
const DECIMAL_IN_INT32: u8 = 9;
const DECIMAL_IN_INT64: u8 = 18;

/// The column in which a merged file keeps the snapshot that each row came in, as the official extension names it.
pub const ROW_SNAPSHOT_NAME: &str = "_ducklake_internal_snapshot_id";
/// Its field id.
pub const ROW_SNAPSHOT_FIELD: ColumnId = ColumnId::new(2_147_483_539);

/// How batches of some of a table's columns lie in a Parquet file.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) arrow: SchemaRef,
    pub(crate) parquet: SchemaDescriptor,
    /// Leaf columns, in the file's order.
    pub(crate) leaves: Vec<Leaf>,
    columns: Vec<ColumnType>,
}

/// A column of the file that holds values.
#[derive(Debug)]
pub(crate) struct Leaf {
    pub(crate) id: ColumnId,
    pub(crate) ty: ColumnType,
}

/// Whether columns that only other writers make may be in the file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Others {
    /// The file becomes part of the lake.
    Refused,
    /// The file is scratch: their values are text, the reader casts.
    AsText,
}

impl Layout {
    pub(crate) fn new(table: &TableDef, columns: &[ColumnId], others: Others) -> Result<Self> {
        let mut leaves = Vec::with_capacity(columns.len());
        let mut fields = Vec::with_capacity(columns.len());
        let mut types = Vec::with_capacity(columns.len());
        let mut stored = Vec::with_capacity(columns.len());
        for id in columns {
            let column = table.column_by_id(*id).ok_or_else(|| {
                Error::new(ErrorKind::Invalid, format!("table \"{}\" has no column with id {id}", table.name))
            })?;
            if others == Others::Refused && !column.ty.is_writable() {
                let message = format!("column \"{}\" has type {}, which cannot be written", column.name, column.ty);
                return Err(Error::new(ErrorKind::Invalid, message));
            }
            let (field, leaf) = column_type(column)?;
            fields.push(field);
            leaves.push(leaf);
            stored.push(Field::new(&column.name, stored_type(&column.ty.arrow()), true));
            types.push(column.ty.clone());
        }
        let parquet = SchemaDescriptor::new(built(root(fields))?);
        Ok(Self { arrow: Arc::new(Schema::new(stored)), parquet, leaves, columns: types })
    }

    /// With a column behind the others for the snapshot of each row.
    pub(crate) fn with_row_snapshot(self) -> Result<Self> {
        let Self { arrow, parquet, mut leaves, mut columns } = self;
        let ty = ColumnType::Int8;
        let mut stored: Vec<_> = arrow.fields().iter().cloned().collect();
        stored.push(Arc::new(Field::new(ROW_SNAPSHOT_NAME, ty.arrow(), true)));
        let mut fields = parquet.root_schema().get_fields().to_vec();
        fields.push(scalar(ROW_SNAPSHOT_NAME, &ty, ROW_SNAPSHOT_FIELD)?);
        leaves.push(Leaf { id: ROW_SNAPSHOT_FIELD, ty: ty.clone() });
        columns.push(ty);
        let parquet = SchemaDescriptor::new(built(root(fields))?);
        Ok(Self { arrow: Arc::new(Schema::new(stored)), parquet, leaves, columns })
    }

    /// All columns as text, whatever their types: the reader casts.
    pub(crate) fn text(table: &TableDef, columns: &[ColumnId]) -> Result<Self> {
        let mut text = table.clone();
        for column in &mut text.columns {
            column.ty = ColumnType::Text;
        }
        Self::new(&text, columns, Others::Refused)
    }

    /// A caller's batch in the types of the file. Refuses one that was not made for these columns.
    pub(crate) fn stored(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        if batch.num_columns() != self.columns.len() {
            return Err(Error::new(ErrorKind::Invalid, "a batch has another number of columns than its table"));
        }
        let columns = batch.columns().iter().zip(&self.columns).map(|(array, ty)| {
            if !array.data_type().equals_datatype(&ty.arrow()) {
                let message = format!("a batch has {} where the column has type {ty}", array.data_type());
                return Err(Error::new(ErrorKind::Invalid, message));
            }
            interval::stored(array)
        });
        let columns: Vec<ArrayRef> = columns.collect::<Result<_>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(self.arrow.clone(), columns, &options)
            .map_err(|e| Error::caused(ErrorKind::Invalid, format!("a batch does not fit its table: {e}"), e))
    }
}

fn root(fields: Vec<TypePtr>) -> parquet::errors::Result<Type> {
    Type::group_type_builder("duckdb_schema").with_fields(fields).build()
}

/// An Arrow type as it is handed to the Parquet writer, which cannot write this kind of interval itself.
pub(crate) fn stored_type(ty: &DataType) -> DataType {
    match ty {
        DataType::Interval(_) => DataType::FixedSizeBinary(interval::WIDTH),
        DataType::List(field) => DataType::List(Field::new(field.name(), stored_type(field.data_type()), true).into()),
        other => other.clone(),
    }
}

/// A column's Parquet type, and its leaf.
fn column_type(column: &ColumnDef) -> Result<(TypePtr, Leaf)> {
    let ColumnType::Array(element) = &column.ty else {
        let leaf = Leaf { id: column.id, ty: column.ty.clone() };
        return Ok((scalar(&column.name, &column.ty, column.id)?, leaf));
    };
    let element_id = column
        .element_id
        .ok_or_else(|| Error::new(ErrorKind::Corrupt, format!("array column \"{}\" has no element id", column.name)))?;
    let item = scalar("element", element, element_id)?;
    let group = |name: &str, child: TypePtr, repetition, logical, id| {
        Type::group_type_builder(name)
            .with_repetition(repetition)
            .with_logical_type(logical)
            .with_id(id)
            .with_fields(vec![child])
            .build()
            .map(Arc::new)
            .map_err(|e| Error::parquet("build a column's schema", e))
    };
    let repeated = group("list", item, Repetition::REPEATED, None, None)?;
    let id = Some(field_id(column.id)?);
    let list = group(&column.name, repeated, Repetition::OPTIONAL, Some(LogicalType::List), id)?;
    let leaf = Leaf { id: element_id, ty: (**element).clone() };
    Ok((list, leaf))
}

/// A scalar's Parquet type. Always OPTIONAL, as DuckLake's own writer does: NOT NULL may be dropped later.
fn scalar(name: &str, ty: &ColumnType, id: ColumnId) -> Result<TypePtr> {
    let int = |bit_width| Some(LogicalType::Integer { bit_width, is_signed: true });
    let timestamp =
        |is_adjusted_to_u_t_c| Some(LogicalType::Timestamp { is_adjusted_to_u_t_c, unit: TimeUnit::MICROS });
    let (physical, logical) = match ty {
        ColumnType::Bool => (Physical::BOOLEAN, None),
        ColumnType::Int2 => (Physical::INT32, int(16)),
        ColumnType::Int4 => (Physical::INT32, int(32)),
        ColumnType::Int8 => (Physical::INT64, int(64)),
        ColumnType::Float4 => (Physical::FLOAT, None),
        ColumnType::Float8 => (Physical::DOUBLE, None),
        ColumnType::Numeric(precision, scale) => return decimal(name, *precision, *scale, id),
        ColumnType::Money => return scalar(name, &ColumnType::MONEY_HELD, id),
        ColumnType::System(ty) => return scalar(name, &ty.base(), id),
        ColumnType::Modified(ty, _) => return scalar(name, ty, id),
        ColumnType::Text
        | ColumnType::Varchar(_)
        | ColumnType::Char(_)
        | ColumnType::Enum(_)
        | ColumnType::Grid(_)
        | ColumnType::AsText(_)
        | ColumnType::Record(_)
        | ColumnType::Other(_) => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        ColumnType::Json | ColumnType::Jsonb => (Physical::BYTE_ARRAY, Some(LogicalType::Json)),
        ColumnType::Bytea => (Physical::BYTE_ARRAY, None),
        ColumnType::Date => (Physical::INT32, Some(LogicalType::Date)),
        ColumnType::Time => {
            let time = LogicalType::Time { is_adjusted_to_u_t_c: false, unit: TimeUnit::MICROS };
            (Physical::INT64, Some(time))
        }
        ColumnType::Timestamp => (Physical::INT64, timestamp(false)),
        ColumnType::Timestamptz => (Physical::INT64, timestamp(true)),
        ColumnType::Interval => return interval::parquet_type(name, field_id(id)?),
        ColumnType::Uuid => (Physical::FIXED_LEN_BYTE_ARRAY, Some(LogicalType::Uuid)),
        ColumnType::Array(_) => {
            let message = format!("arrays of arrays cannot be stored (column \"{name}\")");
            return Err(Error::new(ErrorKind::Invalid, message));
        }
    };
    let builder = Type::primitive_type_builder(name, physical)
        .with_repetition(Repetition::OPTIONAL)
        .with_logical_type(logical)
        .with_length(if physical == Physical::FIXED_LEN_BYTE_ARRAY { 16 } else { -1 })
        .with_id(Some(field_id(id)?));
    built(builder.build())
}

fn decimal(name: &str, precision: u8, scale: i8, id: ColumnId) -> Result<TypePtr> {
    let (physical, length) = match precision {
        p if p <= DECIMAL_IN_INT32 => (Physical::INT32, -1),
        p if p <= DECIMAL_IN_INT64 => (Physical::INT64, -1),
        _ => (Physical::FIXED_LEN_BYTE_ARRAY, decimal_bytes(precision)),
    };
    let (precision, scale) = (i32::from(precision), i32::from(scale));
    let builder = Type::primitive_type_builder(name, physical)
        .with_repetition(Repetition::OPTIONAL)
        .with_logical_type(Some(LogicalType::Decimal { scale, precision }))
        .with_precision(precision)
        .with_scale(scale)
        .with_length(length)
        .with_id(Some(field_id(id)?));
    built(builder.build())
}

/// The fewest bytes that hold every number of so many digits and its sign; the Parquet writer counts on it.
fn decimal_bytes(precision: u8) -> i32 {
    let largest = 10_u128.saturating_pow(u32::from(precision)) - 1;
    let bits = i32::try_from(u128::BITS - largest.leading_zeros()).unwrap_or(127);
    bits / 8 + 1
}

/// A column id as Parquet holds it: 32 bits.
fn field_id(id: ColumnId) -> Result<i32> {
    i32::try_from(id.get())
        .map_err(|_| Error::new(ErrorKind::Corrupt, format!("column id {id} does not fit a Parquet field id")))
}

pub(crate) fn built(built: parquet::errors::Result<Type>) -> Result<TypePtr> {
    built.map(Arc::new).map_err(|e| Error::parquet("build a column's schema", e))
}

//! Builds one Arrow column from values as clients send them.

mod binary;
mod lake;
mod text;

pub(crate) use text::byte_char;
pub(in crate::value) use text::byte_of;

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, FixedSizeBinaryBuilder,
    Float32Builder, Float64Builder, Int16Builder, Int32Builder, Int64Builder, IntervalMonthDayNanoBuilder, ListArray,
    StringBuilder, Time64MicrosecondBuilder, TimestampMicrosecondBuilder,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{Field, IntervalMonthDayNano};
use duckmesh_catalog::{
    EnumRef,
    types::{ColumnType, RecordType, SystemType, TextType, oid},
};

use super::context::ValueContext;
use super::interval::{self, Interval};
use super::modifier;
use crate::wire::error::{PgError, PgResult, SqlState};

/// Bytes of text that one column of one batch can hold: Arrow's offsets have 31 bits.
const COLUMN_BYTES_MAX: usize = i32::MAX as usize;

/// An Arrow column that grows by values in Postgres' text or binary form.
///
/// After an error the column is good for nothing but being dropped.
pub struct ColumnBuilder {
    values: Values,
    ty: ColumnType,
    explicit_cast: bool,
    /// Whether values are read as COPY does, which knows the modifier before it looks at them.
    is_input: bool,
    /// What the type's modifier asks of its values.
    modifier: Option<i32>,
    /// Reused for values that are decoded before they are stored.
    scratch: Vec<u8>,
}

enum Values {
    Bool(BooleanBuilder),
    Int2(Int16Builder),
    Int4(Int32Builder),
    Int8(Int64Builder),
    /// Of four bytes without sign.
    Oid(Int64Builder),
    Float4(Float32Builder),
    Float8(Float64Builder),
    Numeric(Decimal128Builder, u8, i8),
    /// Hundredths.
    Money(Decimal128Builder),
    Text(StringBuilder, TextKind),
    Enum(StringBuilder, EnumRef),
    Record(StringBuilder, Box<RecordType>),
    Grid(StringBuilder, Box<ColumnType>),
    Bytea(BinaryBuilder),
    Date(Date32Builder),
    Time(Time64MicrosecondBuilder),
    Timestamp(TimestampMicrosecondBuilder),
    Timestamptz(TimestampMicrosecondBuilder),
    Interval(IntervalMonthDayNanoBuilder),
    Uuid(FixedSizeBinaryBuilder),
    Array(Box<ListValues>),
}

/// What text has to be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum TextKind {
    Any,
    Varchar(u32),
    Char(u32),
    Json,
    Jsonb,
    /// `name`: cut to 63 bytes.
    Name,
    /// `"char"`: its first byte.
    Byte,
    /// Another type's value.
    Held(TextType),
}

struct ListValues {
    element: ColumnBuilder,
    offsets: Vec<i32>,
    valid: Vec<bool>,
}

impl ColumnBuilder {
    /// An empty column; `ColumnType::Other` is refused (0A000).
    pub fn new(ty: &ColumnType, capacity: usize) -> PgResult<Self> {
        let text = |kind| Values::Text(StringBuilder::with_capacity(capacity, capacity * 16), kind);
        let timestamp = || TimestampMicrosecondBuilder::with_capacity(capacity);
        let values = match ty {
            ColumnType::Bool => Values::Bool(BooleanBuilder::with_capacity(capacity)),
            ColumnType::Int2 => Values::Int2(Int16Builder::with_capacity(capacity)),
            ColumnType::Int4 => Values::Int4(Int32Builder::with_capacity(capacity)),
            ColumnType::Int8 => Values::Int8(Int64Builder::with_capacity(capacity)),
            ColumnType::Float4 => Values::Float4(Float32Builder::with_capacity(capacity)),
            ColumnType::Float8 => Values::Float8(Float64Builder::with_capacity(capacity)),
            ColumnType::Numeric(p, s) => {
                let builder = Decimal128Builder::with_capacity(capacity).with_data_type(ty.arrow());
                Values::Numeric(builder, *p, *s)
            }
            ColumnType::Text | ColumnType::Varchar(None) => text(TextKind::Any),
            ColumnType::Varchar(Some(n)) => text(TextKind::Varchar(*n)),
            ColumnType::Char(n) => text(TextKind::Char(*n)),
            ColumnType::Money => Values::Money(Decimal128Builder::with_capacity(capacity).with_data_type(ty.arrow())),
            ColumnType::AsText(held) => text(TextKind::Held(*held)),
            ColumnType::Json => text(TextKind::Json),
            ColumnType::Jsonb => text(TextKind::Jsonb),
            ColumnType::Enum(of) => Values::Enum(StringBuilder::with_capacity(capacity, capacity * 8), of.clone()),
            ColumnType::Record(row) => {
                Values::Record(StringBuilder::with_capacity(capacity, capacity * 16), row.clone())
            }
            ColumnType::Bytea => Values::Bytea(BinaryBuilder::with_capacity(capacity, capacity * 16)),
            ColumnType::Date => Values::Date(Date32Builder::with_capacity(capacity)),
            ColumnType::Time => Values::Time(Time64MicrosecondBuilder::with_capacity(capacity)),
            ColumnType::Timestamp => Values::Timestamp(timestamp()),
            ColumnType::Timestamptz => Values::Timestamptz(timestamp().with_timezone("UTC")),
            ColumnType::Interval => Values::Interval(IntervalMonthDayNanoBuilder::with_capacity(capacity)),
            ColumnType::Uuid => Values::Uuid(FixedSizeBinaryBuilder::with_capacity(capacity, 16)),
            ColumnType::Array(element) => Values::Array(Box::new(ListValues {
                element: ColumnBuilder::new(element, capacity)?,
                offsets: vec![0],
                valid: Vec::with_capacity(capacity),
            })),
            ColumnType::Grid(element) => {
                Values::Grid(StringBuilder::with_capacity(capacity, capacity * 16), element.clone())
            }
            ColumnType::System(ty) => return Self::system(*ty, capacity),
            ColumnType::Modified(base, modifier) => {
                let column = Self::new(base, capacity)?;
                return Ok(Self { ty: ty.clone(), modifier: Some(*modifier), ..column });
            }
            ColumnType::Other(name) => {
                return Err(PgError::unsupported(format!("values of type {name} cannot be written")));
            }
        };
        Ok(Self { values, ty: ty.clone(), explicit_cast: false, is_input: false, modifier: None, scratch: Vec::new() })
    }

    /// A column of one of the catalog's own types.
    fn system(ty: SystemType, capacity: usize) -> PgResult<Self> {
        let mut column = Self::new(&ty.base(), capacity)?;
        if matches!(ty, SystemType::Number(_) | SystemType::Element(oid::OIDVECTOR)) && ty.oid() != oid::XID8 {
            column.values = Values::Oid(Int64Builder::with_capacity(capacity));
        }
        if let Values::Text(_, kind) = &mut column.values {
            *kind = match ty.oid() {
                oid::NAME => TextKind::Name,
                oid::CHAR => TextKind::Byte,
                _ => *kind,
            };
        }
        column.ty = ColumnType::System(ty);
        Ok(column)
    }

    /// Values too long for varchar(n) and char(n) are cut, as in `CAST(x AS varchar(3))`, not refused.
    #[must_use]
    pub fn explicit_cast(mut self) -> Self {
        if let Values::Array(list) = &mut self.values {
            list.element.explicit_cast = true;
        }
        self.explicit_cast = true;
        self
    }

    /// Values are read as COPY reads them.
    #[must_use]
    pub fn as_input(mut self) -> Self {
        if let Values::Array(list) = &mut self.values {
            list.element.is_input = true;
        }
        self.is_input = true;
        self
    }

    /// Appends NULL.
    pub fn append_null(&mut self) {
        match &mut self.values {
            Values::Bool(b) => b.append_null(),
            Values::Int2(b) => b.append_null(),
            Values::Int4(b) => b.append_null(),
            Values::Int8(b) | Values::Oid(b) => b.append_null(),
            Values::Float4(b) => b.append_null(),
            Values::Float8(b) => b.append_null(),
            Values::Numeric(b, ..) | Values::Money(b) => b.append_null(),
            Values::Text(b, _) | Values::Enum(b, _) | Values::Record(b, _) | Values::Grid(b, _) => b.append_null(),
            Values::Bytea(b) => b.append_null(),
            Values::Date(b) => b.append_null(),
            Values::Time(b) => b.append_null(),
            Values::Timestamp(b) | Values::Timestamptz(b) => b.append_null(),
            Values::Interval(b) => b.append_null(),
            Values::Uuid(b) => b.append_null(),
            Values::Array(list) => list.close(false),
        }
    }

    /// Appends a value in Postgres' text form.
    #[inline]
    pub fn append_text(&mut self, text: &[u8], ctx: &ValueContext) -> PgResult<()> {
        text::append(self, text, ctx)
    }

    /// Appends a parameter's text: its type has no modifier, which is the column's alone.
    pub fn append_parameter(&mut self, text: &[u8], ctx: &ValueContext) -> PgResult<()> {
        match &mut self.values {
            Values::Interval(b) => {
                let value = interval::parse(text, None, ctx)?;
                let value = self.modifier.map_or(value, |modifier| modifier::interval(value, modifier));
                b.append_value(interval_value(value)?);
                Ok(())
            }
            _ => self.append_text(text, ctx),
        }
    }

    /// Appends a value in Postgres' binary form, as `…recv` reads it.
    pub fn append_binary(&mut self, bytes: &[u8], ctx: &ValueContext) -> PgResult<()> {
        binary::append(self, bytes, ctx)
    }

    /// Appends a value in the lake's text form (`DefaultValue::Literal`).
    pub fn append_lake_text(&mut self, text: &str) -> PgResult<()> {
        lake::append(self, text)
    }

    /// How many values it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        use arrow::array::ArrayBuilder as _;
        match &self.values {
            Values::Bool(b) => b.len(),
            Values::Int2(b) => b.len(),
            Values::Int4(b) => b.len(),
            Values::Int8(b) | Values::Oid(b) => b.len(),
            Values::Float4(b) => b.len(),
            Values::Float8(b) => b.len(),
            Values::Numeric(b, ..) | Values::Money(b) => b.len(),
            Values::Text(b, _) | Values::Enum(b, _) | Values::Record(b, _) | Values::Grid(b, _) => b.len(),
            Values::Bytea(b) => b.len(),
            Values::Date(b) => b.len(),
            Values::Time(b) => b.len(),
            Values::Timestamp(b) | Values::Timestamptz(b) => b.len(),
            Values::Interval(b) => b.len(),
            Values::Uuid(b) => b.len(),
            Values::Array(list) => list.valid.len(),
        }
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// About how many bytes it holds.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        match &self.values {
            Values::Text(b, _) | Values::Enum(b, _) | Values::Record(b, _) | Values::Grid(b, _) => {
                b.values_slice().len() + b.offsets_slice().len() * 4
            }
            Values::Bytea(b) => b.values_slice().len() + b.offsets_slice().len() * 4,
            Values::Array(list) => list.element.size_bytes() + list.offsets.len() * 5,
            Values::Bool(_) => self.len() / 4,
            Values::Int2(_) => self.len() * 2,
            Values::Int4(_) | Values::Float4(_) | Values::Date(_) => self.len() * 4,
            Values::Numeric(..) | Values::Money(_) | Values::Interval(_) | Values::Uuid(_) => self.len() * 16,
            _ => self.len() * 8,
        }
    }

    /// The column, typed `ColumnType::arrow()`; the builder is empty afterwards.
    pub fn finish(&mut self) -> ArrayRef {
        match &mut self.values {
            Values::Bool(b) => Arc::new(b.finish()),
            Values::Int2(b) => Arc::new(b.finish()),
            Values::Int4(b) => Arc::new(b.finish()),
            Values::Int8(b) | Values::Oid(b) => Arc::new(b.finish()),
            Values::Float4(b) => Arc::new(b.finish()),
            Values::Float8(b) => Arc::new(b.finish()),
            Values::Numeric(b, ..) | Values::Money(b) => Arc::new(b.finish()),
            Values::Text(b, _) | Values::Enum(b, _) | Values::Record(b, _) | Values::Grid(b, _) => Arc::new(b.finish()),
            Values::Bytea(b) => Arc::new(b.finish()),
            Values::Date(b) => Arc::new(b.finish()),
            Values::Time(b) => Arc::new(b.finish()),
            Values::Timestamp(b) | Values::Timestamptz(b) => Arc::new(b.finish()),
            Values::Interval(b) => Arc::new(b.finish()),
            Values::Uuid(b) => Arc::new(b.finish()),
            Values::Array(list) => list.finish(),
        }
    }

    /// Room for `more` bytes of text.
    fn check_room(used: usize, more: usize) -> PgResult<()> {
        if used.saturating_add(more) <= COLUMN_BYTES_MAX {
            return Ok(());
        }
        let message = "the values of one column are too long for one batch";
        Err(PgError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message))
    }
}

fn interval_value(interval: Interval) -> PgResult<IntervalMonthDayNano> {
    let held = interval.check_lake()?;
    Ok(IntervalMonthDayNano::new(held.months, held.days, held.micros.saturating_mul(1000)))
}

impl ListValues {
    /// Ends the list whose elements were appended; `valid` false makes it NULL.
    fn close(&mut self, valid: bool) {
        let end = i32::try_from(self.element.len()).unwrap_or(i32::MAX);
        self.offsets.push(end);
        self.valid.push(valid);
    }

    fn finish(&mut self) -> ArrayRef {
        let field = Field::new("element", self.element.ty.arrow(), true);
        let offsets = OffsetBuffer::new(std::mem::replace(&mut self.offsets, vec![0]).into());
        let valid = std::mem::take(&mut self.valid);
        let nulls = valid.contains(&false).then(|| NullBuffer::from(valid));
        let list: ListArray = ListArray::new(field.into(), offsets, self.element.finish(), nulls);
        debug_assert_eq!(list.data_type(), &ColumnType::Array(Box::new(self.element.ty.clone())).arrow());
        Arc::new(list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(ty: &ColumnType, input: Result<&str, &[u8]>) -> String {
        let ctx = ValueContext::new(chrono::DateTime::UNIX_EPOCH);
        let mut column = ColumnBuilder::new(ty, 1).unwrap();
        let result = match input {
            Ok(text) => column.append_text(text.as_bytes(), &ctx),
            Err(bytes) => column.append_binary(bytes, &ctx),
        };
        result.map_or_else(|e| e.to_string(), |()| "taken".to_owned())
    }

    #[test]
    fn what_a_column_cannot_hold() {
        let list = ColumnType::Array(Box::new(ColumnType::Int4));
        for (ty, text, expected) in [
            (ColumnType::Varchar(Some(3)), "abcd", "22001: value too long for type character varying(3)"),
            (ColumnType::Varchar(Some(3)), "abc  ", "taken"),
            (ColumnType::Char(3), "abcd", "22001: value too long for type character(3)"),
            (ColumnType::Char(3), "abc  ", "taken"),
            (ColumnType::Numeric(5, 2), "NaN", "22003: a lake cannot hold NaN as numeric"),
            (ColumnType::Interval, "1 us", "0A000: a lake cannot hold an interval with parts of a millisecond"),
            (ColumnType::Interval, "-1 s", "0A000: a lake cannot hold an interval with a negative time of day"),
            (
                ColumnType::Interval,
                "1300 hours",
                "0A000: a lake cannot hold an interval with more than 49 days in hours",
            ),
            (ColumnType::Interval, "-1 day 1 ms", "taken"),
            (list.clone(), "{{1}}", "0A000: multidimensional arrays are not supported"),
            (list, "[0:0]={1}", "0A000: arrays that do not begin at index 1 are not supported"),
            (ColumnType::Timestamp, "294270-01-01", "22008: timestamp out of range: \"294270-01-01\""),
        ] {
            assert_eq!(error(&ty, Ok(text)), expected, "{text}");
        }
        assert!(ColumnBuilder::new(&ColumnType::Other("MAP(INTEGER, INTEGER)".to_owned()), 1).is_err());
    }

    #[test]
    fn broken_binary_values() {
        let cases: [(ColumnType, &[u8], &str); 10] = [
            (ColumnType::Int4, &[0, 0, 1], "08P01: insufficient data left in message"),
            (ColumnType::Int4, &[0, 0, 0, 1, 2], "22P03: incorrect binary data format"),
            (ColumnType::Uuid, &[1; 15], "08P01: insufficient data left in message"),
            (ColumnType::Text, &[0xff], "22021: invalid byte sequence for encoding \"UTF8\": 0xff"),
            (ColumnType::Jsonb, &[2, b'1'], "XX000: unsupported jsonb version number 2"),
            (ColumnType::Time, &[0xff; 8], "22008: time out of range"),
            (
                ColumnType::Numeric(5, 2),
                &[0, 1, 0, 0, 0x12, 0x34, 0, 0, 0, 1],
                "22P03: invalid sign in external \"numeric\" value",
            ),
            (
                ColumnType::Numeric(5, 2),
                &[0, 1, 0, 0, 0, 0, 0, 0, 0x27, 0x10],
                "22P03: invalid digit in external \"numeric\" value",
            ),
            (
                ColumnType::Array(Box::new(ColumnType::Int4)),
                &[0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 25, 0, 0, 0, 0, 0, 0, 0, 1],
                "42804: binary data has array element type 25 (text) instead of expected 23 (integer)",
            ),
            (
                ColumnType::Array(Box::new(ColumnType::Int4)),
                &[0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 23, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 1],
                "08P01: insufficient data left in message",
            ),
        ];
        for (ty, bytes, expected) in cases {
            assert_eq!(error(&ty, Err(bytes)), expected, "{ty} {bytes:?}");
        }
    }
}

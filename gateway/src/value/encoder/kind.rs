//! Which Postgres type a result column has.

use arrow::datatypes::{DataType, TimeUnit};
use duckmesh_catalog::types::{ColumnType, SystemType, TextType, oid};

use super::PgType;
use crate::wire::error::PgResult;

/// What a column's values are to Postgres, and what is needed to write them.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::value) enum Kind {
    Bool,
    Int2,
    Int4,
    Int8,
    Float4,
    Float8,
    /// The scale that the cells have.
    Numeric(i8),
    /// A number of any length, as its text.
    Number,
    Text,
    /// `"char"`: one byte, in binary form as it is.
    Byte,
    /// Padded to so many characters.
    Char(u32),
    Bytea,
    Date,
    Time(TimeUnit),
    Timetz(TimeUnit),
    Timestamp(TimeUnit),
    Timestamptz(TimeUnit),
    Interval,
    Uuid,
    Jsonb,
    /// Hundredths.
    Money,
    /// A value that is held as text.
    Held(TextType),
    /// A row that is held as text, of such fields.
    Record(Vec<ColumnType>),
    /// A number of four bytes: `oid` and its like.
    Oid,
    /// `16385:orders`: shown as the name, in binary form the number.
    Named,
    /// The element and its oid.
    Array(Box<Kind>, u32),
    /// An array that is held as text, of such elements.
    Grid(Box<ColumnType>),
    /// The same between blanks, counted from 0.
    Vector(Box<Kind>, u32),
    /// Structs, maps, lists of lists: as JSON text.
    Nested,
}

impl Kind {
    /// Of a value within a list, struct or map.
    pub fn of_element(arrow: &DataType, duckdb: &str) -> Kind {
        natural(arrow, duckdb).0
    }
}

pub(super) fn of_column(arrow: &DataType, duckdb: &str, declared: Option<&ColumnType>) -> PgResult<(Kind, PgType)> {
    let (kind, oid) = natural(arrow, duckdb);
    let natural = PgType { oid, typmod: -1, typlen: typlen(oid) };
    let Some(declared) = declared else {
        return Ok((kind, natural));
    };
    let told = PgType { oid: declared.oid(), typmod: declared.typmod(), typlen: declared.typlen() };
    Ok(match as_declared(&kind, declared) {
        Some(Kind::Numeric(scale)) if !matches!(declared, ColumnType::Numeric(_, s) if *s == scale) => {
            (Kind::Numeric(scale), PgType { typmod: -1, ..told })
        }
        Some(Kind::Number) => (Kind::Number, PgType { typmod: -1, ..told }),
        Some(kind) => (kind, told),
        None => (kind, natural),
    })
}

/// The kind that shows values of `kind` as `declared`; none where they cannot be.
fn as_declared(kind: &Kind, declared: &ColumnType) -> Option<Kind> {
    let integer = matches!(kind, Kind::Int2 | Kind::Int4 | Kind::Int8 | Kind::Numeric(0));
    let text = matches!(kind, Kind::Text | Kind::Jsonb);
    Some(match declared {
        ColumnType::Int2 if integer => Kind::Int2,
        ColumnType::Int4 if integer => Kind::Int4,
        ColumnType::Int8 if integer => Kind::Int8,
        ColumnType::Numeric(..) => match kind {
            Kind::Numeric(scale) => Kind::Numeric(*scale),
            Kind::Text => Kind::Number,
            _ if integer => Kind::Numeric(0),
            _ => return None,
        },
        ColumnType::Money if *kind == Kind::Numeric(2) => Kind::Money,
        ColumnType::AsText(ty) if text => Kind::Held(*ty),
        ColumnType::Grid(element) if text => Kind::Grid(element.clone()),
        ColumnType::Float4 | ColumnType::Float8 if matches!(kind, Kind::Float4 | Kind::Float8) => {
            if *declared == ColumnType::Float4 { Kind::Float4 } else { Kind::Float8 }
        }
        ColumnType::Text | ColumnType::Varchar(_) | ColumnType::Json | ColumnType::Enum(_) if text => Kind::Text,
        ColumnType::Char(n) if text => Kind::Char(*n),
        ColumnType::Jsonb if text => Kind::Jsonb,
        ColumnType::Uuid if text || *kind == Kind::Uuid || *kind == Kind::Bytea => Kind::Uuid,
        ColumnType::Array(element) => match (kind, &**element) {
            (Kind::Array(inner, _), ColumnType::System(SystemType::Element(_))) => {
                Kind::Vector(Box::new(as_declared(inner, element)?), element.oid())
            }
            (Kind::Array(inner, _), _) => Kind::Array(Box::new(as_declared(inner, element)?), element.oid()),
            _ => return None,
        },
        ColumnType::System(ty) => return as_system(kind, *ty, integer, text),
        ColumnType::Modified(ty, _) => return as_declared(kind, ty),
        ColumnType::Record(row) if text => Kind::Record(row.fields.iter().map(|(_, ty)| ty.clone()).collect()),
        ColumnType::Bool if *kind == Kind::Bool => Kind::Bool,
        ColumnType::Bytea if *kind == Kind::Bytea => Kind::Bytea,
        ColumnType::Date if *kind == Kind::Date => Kind::Date,
        ColumnType::Time if matches!(kind, Kind::Time(_)) => kind.clone(),
        ColumnType::Timestamp if matches!(kind, Kind::Timestamp(_)) => kind.clone(),
        ColumnType::Timestamptz if matches!(kind, Kind::Timestamptz(_)) => kind.clone(),
        ColumnType::Interval if *kind == Kind::Interval => Kind::Interval,
        _ => return None,
    })
}

/// The kind of a type of Postgres' own catalog.
fn as_system(kind: &Kind, ty: SystemType, integer: bool, text: bool) -> Option<Kind> {
    Some(match ty {
        SystemType::Number(oid::XID8) if integer => Kind::Int8,
        SystemType::Number(_) if integer => Kind::Oid,
        SystemType::Number(_) if ty.is_named() && *kind == Kind::Text => Kind::Named,
        SystemType::Text(oid::CHAR) if text => Kind::Byte,
        SystemType::Text(_) if text => Kind::Text,
        SystemType::Element(oid::INT2VECTOR) if integer => Kind::Int2,
        SystemType::Element(_) if integer => Kind::Oid,
        _ => return None,
    })
}

/// Kind and oid by what the engine says.
fn natural(arrow: &DataType, duckdb: &str) -> (Kind, u32) {
    match arrow {
        DataType::Boolean => (Kind::Bool, oid::BOOL),
        DataType::Int8 | DataType::Int16 | DataType::UInt8 => (Kind::Int2, oid::INT2),
        DataType::Int32 | DataType::UInt16 => (Kind::Int4, oid::INT4),
        DataType::Int64 | DataType::UInt32 => (Kind::Int8, oid::INT8),
        DataType::UInt64 => (Kind::Numeric(0), oid::NUMERIC),
        DataType::Float16 | DataType::Float32 => (Kind::Float4, oid::FLOAT4),
        DataType::Float64 => (Kind::Float8, oid::FLOAT8),
        DataType::Decimal32(_, s)
        | DataType::Decimal64(_, s)
        | DataType::Decimal128(_, s)
        | DataType::Decimal256(_, s) => (Kind::Numeric(*s), oid::NUMERIC),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => match duckdb {
            "UUID" => (Kind::Uuid, oid::UUID),
            "JSON" => (Kind::Text, oid::JSON),
            _ => (Kind::Text, oid::TEXT),
        },
        DataType::FixedSizeBinary(16) if duckdb.is_empty() || duckdb == "UUID" => (Kind::Uuid, oid::UUID),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            (Kind::Bytea, oid::BYTEA)
        }
        DataType::Date32 | DataType::Date64 => (Kind::Date, oid::DATE),
        DataType::Time32(unit) | DataType::Time64(unit) => {
            if matches!(duckdb, "TIMETZ" | "TIME WITH TIME ZONE") {
                (Kind::Timetz(*unit), oid::TIMETZ)
            } else {
                (Kind::Time(*unit), oid::TIME)
            }
        }
        DataType::Timestamp(unit, None) => (Kind::Timestamp(*unit), oid::TIMESTAMP),
        DataType::Timestamp(unit, Some(_)) => (Kind::Timestamptz(*unit), oid::TIMESTAMPTZ),
        DataType::Interval(_) | DataType::Duration(_) => (Kind::Interval, oid::INTERVAL),
        DataType::List(field) | DataType::LargeList(field) | DataType::FixedSizeList(field, _) => {
            let (element, element_oid) = natural(field.data_type(), element_name(duckdb));
            match oid::array_of(element_oid) {
                Some(array) if !matches!(element, Kind::Array(..) | Kind::Nested) => {
                    (Kind::Array(Box::new(element), element_oid), array)
                }
                _ => (Kind::Nested, oid::TEXT),
            }
        }
        DataType::Dictionary(_, values) => natural(values, duckdb),
        DataType::Null => (Kind::Text, oid::TEXT),
        _ => (Kind::Nested, oid::TEXT),
    }
}

/// `INTEGER[]` and `INTEGER[3]` are lists of `INTEGER`.
fn element_name(duckdb: &str) -> &str {
    duckdb.strip_suffix(']').and_then(|name| name.rsplit_once('[')).map_or("", |(element, _)| element)
}

fn typlen(oid: u32) -> i16 {
    match oid {
        oid::BOOL => 1,
        oid::INT2 => 2,
        oid::INT4 | oid::FLOAT4 | oid::DATE => 4,
        oid::INT8 | oid::FLOAT8 | oid::TIME | oid::TIMESTAMP | oid::TIMESTAMPTZ => 8,
        oid::TIMETZ => 12,
        oid::INTERVAL | oid::UUID => 16,
        _ => -1,
    }
}

//! The one list of types: Postgres oid and name, Arrow representation, DuckLake name, DuckDB name.

pub mod modifier;
mod names;
pub mod oid;
mod record;
mod system;

use arrow::datatypes::{DataType, Field, IntervalUnit, TimeUnit};
use serde::{Deserialize, Serialize};

pub use record::RecordType;
pub use system::SystemType;

pub use crate::text_types::{RangeType, TextType};
use crate::user_types::EnumRef;

/// The type of a column.
///
/// Its Arrow representation ([`ColumnType::arrow`]) is what frames, staged files and row parts hold.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ColumnType {
    /// `boolean`
    Bool,
    /// `smallint`
    Int2,
    /// `integer`
    Int4,
    /// `bigint`
    Int8,
    /// `real`
    Float4,
    /// `double precision`
    Float8,
    /// `numeric(precision, scale)`; precision 1 to 38, scale 0 to precision.
    Numeric(u8, i8),
    /// `text`
    Text,
    /// `character varying(n)`; none is without limit.
    Varchar(Option<u32>),
    /// `character(n)`. Stored without trailing blanks; padded where a column is shown as itself.
    Char(u32),
    /// `bytea`
    Bytea,
    /// `date`
    Date,
    /// `time without time zone`
    Time,
    /// `timestamp without time zone`
    Timestamp,
    /// `timestamp with time zone`
    Timestamptz,
    /// `interval`; a lake holds whole milliseconds.
    Interval,
    /// `uuid`
    Uuid,
    /// `json`
    Json,
    /// `jsonb`: stored as text in Postgres' normal form.
    Jsonb,
    /// One-dimensional array of a scalar type.
    Array(Box<ColumnType>),
    /// An enum that a user made: its label, held as text.
    Enum(EnumRef),
    /// `money`: hundredths.
    Money,
    /// A type whose values are held as text in Postgres' form: `inet`, `int4range` and their like.
    AsText(TextType),
    /// An array of any dimensions and bounds, held as text in Postgres' form: what expressions compute, and columns that are declared
    /// with several pairs of brackets.
    Grid(Box<ColumnType>),
    /// A type with a modifier of its own, as Postgres numbers it: `timestamp(3)`, `interval day to second`, `bit(8)`. Its
    /// values are held as the type's.
    Modified(Box<ColumnType>, i32),
    /// A row, held as text. Only those of composite types that users made can be columns.
    Record(Box<RecordType>),
    /// A type that only Postgres' own catalog has: no table of a lake has such a column.
    System(SystemType),
    /// A type that only other writers of the lake make (struct, map, unsigned …): readable, not writable.
    /// Holds its DuckLake name for a scalar, else the DuckDB type text.
    Other(String),
}

/// The precision and scale that `numeric` without them is stored with.
pub const DEFAULT_NUMERIC: (u8, i8) = (38, 9);
/// Digits of the longest decimals. A `numeric` of more is an expression's: its scale is known, and nothing else.
const DECIMAL_DIGITS: u8 = 38;

impl ColumnType {
    /// What holds `money`: its 64 bits of hundredths have 19 digits.
    pub const MONEY_HELD: Self = Self::Numeric(19, 2);

    /// Whether files that hold this type can be read as the other, with their statistics: what ALTER COLUMN TYPE may do.
    #[must_use]
    pub fn reads_as(&self, other: &Self) -> bool {
        use ColumnType as T;
        match (self, other) {
            (T::Int2, T::Int2 | T::Int4 | T::Int8) | (T::Int4, T::Int4 | T::Int8) | (T::Int8, T::Int8) => true,
            (T::Numeric(p, s), T::Numeric(wider, same)) => wider >= p && same == s,
            (T::Text | T::Varchar(_), T::Text | T::Varchar(_)) => true,
            // Rows keep the text that a label had when they were written.
            (T::Enum(of), T::Text | T::Varchar(None)) => of.former().next().is_none(),
            (T::Modified(ty, from), T::Modified(other, to)) => ty == other && ty.widens(*from, Some(*to)),
            (T::Modified(ty, from), other) => **ty == *other && ty.widens(*from, None),
            (one, other) => one == other,
        }
    }

    /// Postgres' type oid.
    #[must_use]
    pub fn oid(&self) -> u32 {
        match self {
            Self::Bool => oid::BOOL,
            Self::Int2 => oid::INT2,
            Self::Int4 => oid::INT4,
            Self::Int8 => oid::INT8,
            Self::Float4 => oid::FLOAT4,
            Self::Float8 => oid::FLOAT8,
            Self::Numeric(..) => oid::NUMERIC,
            Self::Text | Self::Other(_) => oid::TEXT,
            Self::Varchar(_) => oid::VARCHAR,
            Self::Char(_) => oid::BPCHAR,
            Self::Bytea => oid::BYTEA,
            Self::Date => oid::DATE,
            Self::Time => oid::TIME,
            Self::Timestamp => oid::TIMESTAMP,
            Self::Timestamptz => oid::TIMESTAMPTZ,
            Self::Interval => oid::INTERVAL,
            Self::Uuid => oid::UUID,
            Self::Json => oid::JSON,
            Self::Jsonb => oid::JSONB,
            Self::Money => oid::MONEY,
            Self::Grid(element) => oid::array_of(element.oid()).unwrap_or(oid::TEXT),
            Self::AsText(ty) => ty.oid(),
            Self::Modified(ty, _) => ty.oid(),
            Self::Record(row) => row.oid,
            Self::Enum(of) => of.oid(),
            Self::Array(element) => match &**element {
                Self::System(SystemType::Element(vector)) => *vector,
                Self::Enum(of) => of.array_oid(),
                Self::Record(row) => row.array_oid,
                _ => oid::array_of(element.oid()).unwrap_or(oid::TEXT),
            },
            Self::System(ty) => ty.oid(),
        }
    }

    /// Postgres' type modifier: n + 4 for varchar(n) and char(n), `((p << 16) | s) + 4` for numeric, else its own or -1.
    #[must_use]
    pub fn typmod(&self) -> i32 {
        match self {
            Self::Numeric(p @ 1..=DECIMAL_DIGITS, s) => ((i32::from(*p) << 16) | i32::from(*s)) + 4,
            Self::Varchar(Some(n)) | Self::Char(n) => i32::try_from(*n).unwrap_or(i32::MAX - 4) + 4,
            Self::Array(element) | Self::Grid(element) => element.typmod(),
            Self::Modified(_, modifier) => *modifier,
            _ => -1,
        }
    }

    /// Postgres' `typlen`: bytes of the value, -1 for variable.
    #[must_use]
    pub fn typlen(&self) -> i16 {
        match self {
            Self::Bool => 1,
            Self::Int2 => 2,
            Self::Int4 | Self::Float4 | Self::Date | Self::Enum(_) => 4,
            Self::Int8 | Self::Float8 | Self::Time | Self::Timestamp | Self::Timestamptz => 8,
            Self::Interval | Self::Uuid => 16,
            Self::System(ty) => ty.typlen(),
            Self::Money => 8,
            Self::AsText(ty) => ty.typlen(),
            Self::Modified(ty, _) => ty.typlen(),
            _ => -1,
        }
    }

    /// How values are held in Arrow.
    ///
    /// `Interval` is months, days and nanoseconds; `Uuid` is its 16 bytes; json, jsonb and text are UTF-8;
    /// `Timestamptz` has time zone `UTC`; a list's element field is named `element` and may be NULL.
    #[must_use]
    pub fn arrow(&self) -> DataType {
        match self {
            Self::Bool => DataType::Boolean,
            Self::Int2 => DataType::Int16,
            Self::Int4 => DataType::Int32,
            Self::Int8 => DataType::Int64,
            Self::Float4 => DataType::Float32,
            Self::Float8 => DataType::Float64,
            Self::Numeric(p, s) => DataType::Decimal128(*p.min(&DECIMAL_DIGITS), *s),
            Self::Money => Self::MONEY_HELD.arrow(),
            Self::Text | Self::Varchar(_) | Self::Char(_) | Self::Json | Self::Jsonb => DataType::Utf8,
            Self::AsText(_) | Self::Grid(_) | Self::Enum(_) | Self::Record(_) | Self::Other(_) => DataType::Utf8,
            Self::Bytea => DataType::Binary,
            Self::Date => DataType::Date32,
            Self::Time => DataType::Time64(TimeUnit::Microsecond),
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::Timestamptz => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Self::Interval => DataType::Interval(IntervalUnit::MonthDayNano),
            Self::Uuid => DataType::FixedSizeBinary(16),
            Self::Array(element) => DataType::List(Field::new("element", element.arrow(), true).into()),
            Self::System(ty) => ty.base().arrow(),
            Self::Modified(ty, _) => ty.arrow(),
        }
    }

    /// The type that holds its values: for all but modified types and the catalog's own itself.
    #[must_use]
    pub fn base(&self) -> Self {
        match self {
            Self::System(ty) => ty.base(),
            Self::Modified(ty, _) => ty.base(),
            Self::Array(element) => Self::Array(Box::new(element.base())),
            other => other.clone(),
        }
    }

    /// The catalog's own type of that oid.
    #[must_use]
    pub fn system(number: u32) -> Option<Self> {
        Some(match number {
            oid::OID | oid::XID | oid::CID | oid::XID8 => Self::System(SystemType::Number(number)),
            _ if oid::is_named(number) => Self::System(SystemType::Number(number)),
            oid::INET => Self::AsText(TextType::Inet),
            oid::NAME | oid::CHAR | oid::ACLITEM | oid::JSONPATH | oid::PG_NODE_TREE | oid::ANYARRAY | oid::PG_LSN => {
                Self::System(SystemType::Text(number))
            }
            oid::INT2VECTOR | oid::OIDVECTOR => Self::Array(Box::new(Self::System(SystemType::Element(number)))),
            _ => Self::Array(Box::new(Self::system(oid::element_of(number)?)?)),
        })
    }

    /// Whether INSERT and COPY may write it.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        match self {
            Self::Other(_) => false,
            Self::Grid(element) => element.is_writable(),
            Self::Record(row) => row.uuid.is_some(),
            // Those whose values say all of themselves.
            Self::System(ty) if ty.is_named() => ty.is_kept(),
            Self::System(ty) => matches!(ty.oid(), oid::OID | oid::NAME | oid::CHAR | oid::XID | oid::CID),
            Self::Array(element) => element.is_writable(),
            Self::Modified(ty, _) => ty.is_writable(),
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ducklake_names_round_trip() {
        for ty in [
            ColumnType::Bool,
            ColumnType::Int2,
            ColumnType::Int4,
            ColumnType::Int8,
            ColumnType::Float4,
            ColumnType::Float8,
            ColumnType::Numeric(10, 2),
            ColumnType::Text,
            ColumnType::Bytea,
            ColumnType::Date,
            ColumnType::Time,
            ColumnType::Timestamp,
            ColumnType::Timestamptz,
            ColumnType::Interval,
            ColumnType::Uuid,
            ColumnType::Json,
            ColumnType::Other("int128".into()),
        ] {
            assert_eq!(ColumnType::from_ducklake(&ty.ducklake()), ty);
        }
    }

    #[test]
    fn the_catalogs_own_types_are_held_in_others() {
        for (oid, array, name, held) in [
            (oid::OID, 1028, "oid", ColumnType::Int8),
            (oid::NAME, 1003, "name", ColumnType::Text),
            (oid::REGCLASS, 2210, "regclass", ColumnType::Int8),
            (oid::ACLITEM, 1034, "aclitem", ColumnType::Text),
        ] {
            let ty = ColumnType::system(oid).unwrap();
            assert_eq!((ty.oid(), ty.to_string(), ty.base()), (oid, name.to_owned(), held.clone()));
            let list = ColumnType::system(array).unwrap();
            assert_eq!((list.oid(), list.base()), (array, ColumnType::Array(Box::new(held))));
        }
        let vector = ColumnType::system(oid::INT2VECTOR).unwrap();
        assert_eq!((vector.oid(), vector.to_string().as_str()), (22, "int2vector"));
        assert_eq!(vector.base(), ColumnType::Array(Box::new(ColumnType::Int2)));
        assert_eq!(ColumnType::system(oid::INT4), None);
    }

    #[test]
    fn typmods_are_postgres_own() {
        assert_eq!(ColumnType::Numeric(10, 2).typmod(), 655_366);
        assert_eq!(ColumnType::Varchar(Some(20)).typmod(), 24);
        assert_eq!(ColumnType::Array(Box::new(ColumnType::Char(5))).typmod(), 9);
        assert_eq!(ColumnType::Text.typmod(), -1);
    }
}

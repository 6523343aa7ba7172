//! The one list of types: Postgres oid and name, Arrow representation, DuckLake name, DuckDB name.

use std::fmt;

use arrow::datatypes::{DataType, Field, IntervalUnit, TimeUnit};
use serde::{Deserialize, Serialize};

pub use crate::text_types::{RangeType, TextType};

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
    /// `money`: hundredths.
    Money,
    /// A type whose values are held as text in Postgres' form: `inet`, `int4range` and their like.
    AsText(TextType),
    /// An array of any dimensions and bounds, held as text: in expressions only, no column of a lake is like that.
    Grid(Box<ColumnType>),
    /// A type that only Postgres' own catalog has: no table of a lake has such a column.
    System(SystemType),
    /// A type that only other writers of the lake make (struct, map, unsigned …): readable, not writable.
    /// Holds its DuckLake name for a scalar, else the DuckDB type text.
    Other(String),
}

/// A type of Postgres' own catalog, by how its values are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SystemType {
    /// `oid`, `regclass`, `xid` and other numbers of four bytes, by their oid: held as `bigint`.
    Number(u32),
    /// `name`, `"char"`, `aclitem`, `pg_node_tree` and others that are text, by their oid: held as `text`.
    Text(u32),
    /// What stands in an `int2vector` or `oidvector`, by the vector's oid.
    Element(u32),
}

impl SystemType {
    /// Postgres' oid.
    #[must_use]
    pub fn oid(self) -> u32 {
        match self {
            Self::Number(oid) | Self::Text(oid) => oid,
            Self::Element(oid::INT2VECTOR) => oid::INT2,
            Self::Element(_) => oid::OID,
        }
    }

    /// The type that holds its values.
    #[must_use]
    pub fn base(self) -> ColumnType {
        match self {
            Self::Number(_) => ColumnType::Int8,
            Self::Text(_) => ColumnType::Text,
            Self::Element(oid::INT2VECTOR) => ColumnType::Int2,
            Self::Element(_) => ColumnType::Int8,
        }
    }

    /// Whether its text form is the name of what its number stands for: `regclass` and its like.
    #[must_use]
    pub fn is_named(self) -> bool {
        matches!(self, Self::Number(number) if oid::is_named(number))
    }

    fn typlen(self) -> i16 {
        match self {
            Self::Number(oid::XID8) => 8,
            Self::Number(_) => 4,
            Self::Text(oid::NAME) => 64,
            Self::Text(oid::CHAR) => 1,
            Self::Text(oid::ACLITEM) => 12,
            Self::Text(oid::VOID) => 4,
            Self::Text(_) => -1,
            Self::Element(_) => self.base().typlen(),
        }
    }

    fn name(self) -> &'static str {
        match self.oid() {
            oid::OID => "oid",
            oid::NAME => "name",
            oid::CHAR => "\"char\"",
            oid::XID => "xid",
            oid::XID8 => "xid8",
            oid::CID => "cid",
            oid::INT2 => "smallint",
            oid::REGPROC => "regproc",
            oid::REGPROCEDURE => "regprocedure",
            oid::REGCLASS => "regclass",
            oid::REGTYPE => "regtype",
            oid::REGNAMESPACE => "regnamespace",
            oid::REGROLE => "regrole",
            oid::ACLITEM => "aclitem",
            oid::VOID => "void",
            oid::PG_NODE_TREE => "pg_node_tree",
            oid::ANYARRAY => "anyarray",
            oid::PG_LSN => "pg_lsn",
            _ => "unknown",
        }
    }
}

/// Postgres object ids of types.
pub mod oid {
    #![allow(missing_docs)]
    pub const BOOL: u32 = 16;
    pub const BYTEA: u32 = 17;
    pub const CHAR: u32 = 18;
    pub const NAME: u32 = 19;
    pub const INT8: u32 = 20;
    pub const INT2: u32 = 21;
    pub const INT4: u32 = 23;
    pub const REGPROC: u32 = 24;
    pub const VOID: u32 = 2278;
    pub const TEXT: u32 = 25;
    pub const OID: u32 = 26;
    pub const JSON: u32 = 114;
    pub const FLOAT4: u32 = 700;
    pub const FLOAT8: u32 = 701;
    pub const UNKNOWN: u32 = 705;
    pub const BPCHAR: u32 = 1042;
    pub const VARCHAR: u32 = 1043;
    pub const DATE: u32 = 1082;
    pub const TIME: u32 = 1083;
    pub const TIMESTAMP: u32 = 1114;
    pub const TIMESTAMPTZ: u32 = 1184;
    pub const INTERVAL: u32 = 1186;
    pub const TIMETZ: u32 = 1266;
    pub const NUMERIC: u32 = 1700;
    pub const MONEY: u32 = 790;
    pub const REGCLASS: u32 = 2205;
    pub const REGTYPE: u32 = 2206;
    pub const REGPROCEDURE: u32 = 2202;
    pub const REGNAMESPACE: u32 = 4089;
    pub const REGROLE: u32 = 4096;
    pub const XID: u32 = 28;
    pub const CID: u32 = 29;
    pub const XID8: u32 = 5069;
    pub const INT2VECTOR: u32 = 22;
    pub const OIDVECTOR: u32 = 30;
    pub const ACLITEM: u32 = 1033;
    pub const PG_NODE_TREE: u32 = 194;
    pub const ANYARRAY: u32 = 2277;
    pub const INET: u32 = 869;
    pub const PG_LSN: u32 = 3220;
    pub const RECORD: u32 = 2249;
    pub const UUID: u32 = 2950;
    pub const JSONB: u32 = 3802;

    /// The oid of the array over a scalar type's oid, where Postgres has one.
    #[must_use]
    pub fn array_of(element: u32) -> Option<u32> {
        if let Some(ty) = super::TextType::of_oid(element) {
            return Some(ty.array_oid());
        }
        Some(match element {
            BOOL => 1000,
            BYTEA => 1001,
            CHAR => 1002,
            NAME => 1003,
            INT8 => 1016,
            INT2 => 1005,
            INT4 => 1007,
            TEXT => 1009,
            OID => 1028,
            JSON => 199,
            FLOAT4 => 1021,
            FLOAT8 => 1022,
            BPCHAR => 1014,
            VARCHAR => 1015,
            DATE => 1182,
            TIME => 1183,
            TIMESTAMP => 1115,
            TIMESTAMPTZ => 1185,
            INTERVAL => 1187,
            NUMERIC => 1231,
            MONEY => 791,
            UUID => 2951,
            JSONB => 3807,
            REGPROC => 1008,
            REGPROCEDURE => 2207,
            REGCLASS => 2210,
            REGTYPE => 2211,
            REGNAMESPACE => 4090,
            REGROLE => 4097,
            XID => 1011,
            CID => 1012,
            XID8 => 271,
            ACLITEM => 1034,
            PG_LSN => 3221,
            _ => return None,
        })
    }

    /// Whether the text form of its values is the name of what their number stands for.
    #[must_use]
    pub const fn is_named(oid: u32) -> bool {
        matches!(oid, REGPROC | REGPROCEDURE | REGCLASS | REGTYPE | REGNAMESPACE | REGROLE)
    }

    /// The element's oid of an array type's oid.
    #[must_use]
    pub fn element_of(array: u32) -> Option<u32> {
        if let Some(ty) = super::TextType::of_array_oid(array) {
            return Some(ty.oid());
        }
        [
            BOOL,
            BYTEA,
            CHAR,
            NAME,
            INT8,
            INT2,
            INT4,
            TEXT,
            OID,
            JSON,
            FLOAT4,
            FLOAT8,
            BPCHAR,
            VARCHAR,
            DATE,
            TIME,
            TIMESTAMP,
            TIMESTAMPTZ,
            INTERVAL,
            NUMERIC,
            MONEY,
            UUID,
            JSONB,
            REGPROC,
            REGPROCEDURE,
            REGCLASS,
            REGTYPE,
            REGNAMESPACE,
            REGROLE,
            XID,
            CID,
            XID8,
            ACLITEM,
            PG_LSN,
        ]
        .into_iter()
        .find(|e| array_of(*e) == Some(array))
    }
}

/// The precision and scale that `numeric` without them is stored with.
pub const DEFAULT_NUMERIC: (u8, i8) = (38, 9);

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
            Self::Array(element) => match **element {
                Self::System(SystemType::Element(vector)) => vector,
                _ => oid::array_of(element.oid()).unwrap_or(oid::TEXT),
            },
            Self::System(ty) => ty.oid(),
        }
    }

    /// Postgres' type modifier: n + 4 for varchar(n) and char(n), `((p << 16) | s) + 4` for numeric, else -1.
    #[must_use]
    pub fn typmod(&self) -> i32 {
        match self {
            Self::Numeric(p, s) => ((i32::from(*p) << 16) | i32::from(*s)) + 4,
            Self::Varchar(Some(n)) | Self::Char(n) => i32::try_from(*n).unwrap_or(i32::MAX - 4) + 4,
            Self::Array(element) => element.typmod(),
            _ => -1,
        }
    }

    /// Postgres' `typlen`: bytes of the value, -1 for variable.
    #[must_use]
    pub fn typlen(&self) -> i16 {
        match self {
            Self::Bool => 1,
            Self::Int2 => 2,
            Self::Int4 | Self::Float4 | Self::Date => 4,
            Self::Int8 | Self::Float8 | Self::Time | Self::Timestamp | Self::Timestamptz => 8,
            Self::Interval | Self::Uuid => 16,
            Self::System(ty) => ty.typlen(),
            Self::Money => 8,
            Self::AsText(ty) => ty.typlen(),
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
            Self::Numeric(p, s) => DataType::Decimal128(*p, *s),
            Self::Money => Self::MONEY_HELD.arrow(),
            Self::Text | Self::Varchar(_) | Self::Char(_) | Self::Json | Self::Jsonb | Self::Other(_) => DataType::Utf8,
            Self::AsText(_) | Self::Grid(_) => DataType::Utf8,
            Self::Bytea => DataType::Binary,
            Self::Date => DataType::Date32,
            Self::Time => DataType::Time64(TimeUnit::Microsecond),
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::Timestamptz => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Self::Interval => DataType::Interval(IntervalUnit::MonthDayNano),
            Self::Uuid => DataType::FixedSizeBinary(16),
            Self::Array(element) => DataType::List(Field::new("element", element.arrow(), true).into()),
            Self::System(ty) => ty.base().arrow(),
        }
    }

    /// The type that holds its values: for all but the catalog's own types itself.
    #[must_use]
    pub fn base(&self) -> Self {
        match self {
            Self::System(ty) => ty.base(),
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
            oid::NAME | oid::CHAR | oid::ACLITEM | oid::PG_NODE_TREE | oid::ANYARRAY | oid::PG_LSN => {
                Self::System(SystemType::Text(number))
            }
            oid::INT2VECTOR | oid::OIDVECTOR => Self::Array(Box::new(Self::System(SystemType::Element(number)))),
            _ => Self::Array(Box::new(Self::system(oid::element_of(number)?)?)),
        })
    }

    /// DuckLake's name of the type; a list is `list`, its element has a row of its own.
    #[must_use]
    pub fn ducklake(&self) -> String {
        match self {
            Self::Bool => "boolean".into(),
            Self::Int2 => "int16".into(),
            Self::Int4 => "int32".into(),
            Self::Int8 => "int64".into(),
            Self::Float4 => "float32".into(),
            Self::Float8 => "float64".into(),
            Self::Numeric(p, s) => format!("decimal({p},{s})"),
            Self::Money => Self::MONEY_HELD.ducklake(),
            Self::Text | Self::Varchar(_) | Self::Char(_) | Self::AsText(_) | Self::Grid(_) => "varchar".into(),
            Self::Bytea => "blob".into(),
            Self::Date => "date".into(),
            Self::Time => "time".into(),
            Self::Timestamp => "timestamp".into(),
            Self::Timestamptz => "timestamptz".into(),
            Self::Interval => "interval".into(),
            Self::Uuid => "uuid".into(),
            Self::Json | Self::Jsonb => "json".into(),
            Self::Array(_) => "list".into(),
            Self::System(ty) => ty.base().ducklake(),
            Self::Other(name) => name.clone(),
        }
    }

    /// DuckDB's name of the type, as in `CAST(x AS …)`.
    #[must_use]
    pub fn duckdb(&self) -> String {
        match self {
            Self::Bool => "BOOLEAN".into(),
            Self::Int2 => "SMALLINT".into(),
            Self::Int4 => "INTEGER".into(),
            Self::Int8 => "BIGINT".into(),
            Self::Float4 => "FLOAT".into(),
            Self::Float8 => "DOUBLE".into(),
            Self::Numeric(p, s) => format!("DECIMAL({p},{s})"),
            Self::Money => Self::MONEY_HELD.duckdb(),
            Self::Text | Self::Varchar(_) | Self::Char(_) | Self::AsText(_) | Self::Grid(_) => "VARCHAR".into(),
            Self::Bytea => "BLOB".into(),
            Self::Date => "DATE".into(),
            Self::Time => "TIME".into(),
            Self::Timestamp => "TIMESTAMP".into(),
            Self::Timestamptz => "TIMESTAMPTZ".into(),
            Self::Interval => "INTERVAL".into(),
            Self::Uuid => "UUID".into(),
            Self::Json | Self::Jsonb => "JSON".into(),
            Self::Array(element) => format!("{}[]", element.duckdb()),
            Self::System(ty) => ty.base().duckdb(),
            Self::Other(name) => other_in_duckdb(name),
        }
    }

    /// The type of a DuckLake scalar, without what only Postgres knows (varchar lengths, jsonb).
    #[must_use]
    pub fn from_ducklake(name: &str) -> Self {
        match name {
            "boolean" => Self::Bool,
            "int16" => Self::Int2,
            "int32" => Self::Int4,
            "int64" => Self::Int8,
            "float32" => Self::Float4,
            "float64" => Self::Float8,
            "varchar" => Self::Text,
            "blob" => Self::Bytea,
            "date" => Self::Date,
            "time" => Self::Time,
            "timestamp" | "timestamp_us" => Self::Timestamp,
            "timestamptz" => Self::Timestamptz,
            "interval" => Self::Interval,
            "uuid" => Self::Uuid,
            "json" => Self::Json,
            _ => decimal(name).unwrap_or_else(|| Self::Other(name.to_owned())),
        }
    }

    /// Whether INSERT and COPY may write it.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        match self {
            Self::Other(_) | Self::System(_) | Self::Grid(_) => false,
            Self::Array(element) => element.is_writable(),
            _ => true,
        }
    }
}

/// `decimal(p,s)` as DuckLake writes it.
fn decimal(name: &str) -> Option<ColumnType> {
    let (p, s) = name.strip_prefix("decimal(")?.strip_suffix(')')?.split_once(',')?;
    let (p, s) = (p.trim().parse().ok()?, s.trim().parse().ok()?);
    ((1..=38).contains(&p) && (0..=38).contains(&s)).then_some(ColumnType::Numeric(p, s))
}

/// DuckDB's name of a DuckLake scalar that Postgres lacks; other text is DuckDB's own already.
fn other_in_duckdb(name: &str) -> String {
    match name {
        "int8" => "TINYINT",
        "uint8" => "UTINYINT",
        "uint16" => "USMALLINT",
        "uint32" => "UINTEGER",
        "uint64" => "UBIGINT",
        "int128" => "HUGEINT",
        "uint128" => "UHUGEINT",
        "timetz" => "TIMETZ",
        "timestamp_s" => "TIMESTAMP_S",
        "timestamp_ms" => "TIMESTAMP_MS",
        "timestamp_ns" => "TIMESTAMP_NS",
        other => return other.to_owned(),
    }
    .to_owned()
}

/// The name Postgres' `format_type` gives: `character varying(20)`, `numeric(10,2)`, `integer[]`.
impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool => f.write_str("boolean"),
            Self::Int2 => f.write_str("smallint"),
            Self::Int4 => f.write_str("integer"),
            Self::Int8 => f.write_str("bigint"),
            Self::Float4 => f.write_str("real"),
            Self::Float8 => f.write_str("double precision"),
            Self::Numeric(p, s) => write!(f, "numeric({p},{s})"),
            Self::Text => f.write_str("text"),
            Self::Varchar(None) => f.write_str("character varying"),
            Self::Varchar(Some(n)) => write!(f, "character varying({n})"),
            Self::Char(n) => write!(f, "character({n})"),
            Self::Bytea => f.write_str("bytea"),
            Self::Date => f.write_str("date"),
            Self::Time => f.write_str("time without time zone"),
            Self::Timestamp => f.write_str("timestamp without time zone"),
            Self::Timestamptz => f.write_str("timestamp with time zone"),
            Self::Interval => f.write_str("interval"),
            Self::Uuid => f.write_str("uuid"),
            Self::Json => f.write_str("json"),
            Self::Jsonb => f.write_str("jsonb"),
            Self::Money => f.write_str("money"),
            Self::AsText(ty) => f.write_str(ty.name()),
            Self::Grid(element) => write!(f, "{element}[]"),
            Self::Array(element) => match **element {
                Self::System(SystemType::Element(oid::INT2VECTOR)) => f.write_str("int2vector"),
                Self::System(SystemType::Element(_)) => f.write_str("oidvector"),
                _ => write!(f, "{element}[]"),
            },
            Self::System(ty) => f.write_str(ty.name()),
            Self::Other(name) => f.write_str(name),
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

//! What types are called: by DuckLake, by DuckDB, by Postgres.

use std::fmt;

use super::{ColumnType, DECIMAL_DIGITS, SystemType, modifier, oid};

impl ColumnType {
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
            Self::AsText(_) | Self::Grid(_) | Self::Record(_) => "varchar".into(),
            Self::Text | Self::Varchar(_) | Self::Char(_) | Self::Enum(_) => "varchar".into(),
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
            Self::Modified(ty, _) => ty.ducklake(),
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
            Self::Numeric(p, s) => format!("DECIMAL({},{s})", p.min(&DECIMAL_DIGITS)),
            Self::Money => Self::MONEY_HELD.duckdb(),
            Self::AsText(_) | Self::Grid(_) | Self::Record(_) => "VARCHAR".into(),
            Self::Text | Self::Varchar(_) | Self::Char(_) => "VARCHAR".into(),
            Self::Bytea => "BLOB".into(),
            Self::Date => "DATE".into(),
            Self::Time => "TIME".into(),
            Self::Timestamp => "TIMESTAMP".into(),
            Self::Timestamptz => "TIMESTAMPTZ".into(),
            Self::Interval => "INTERVAL".into(),
            Self::Uuid => "UUID".into(),
            Self::Json | Self::Jsonb => "JSON".into(),
            Self::Enum(of) => of.duckdb(),
            Self::Array(element) => format!("{}[]", element.duckdb()),
            Self::System(ty) => ty.base().duckdb(),
            Self::Modified(ty, _) => ty.duckdb(),
            Self::Other(name) => other_in_duckdb(name),
        }
    }

    /// A DuckDB expression cast to the type. Lists of enums are cast element by element: the gate of the engine's workers
    /// cannot read `ENUM(…)[]`.
    #[must_use]
    pub fn cast(&self, sql: &str) -> String {
        match self {
            Self::Array(element) if matches!(**element, Self::Enum(_)) => {
                let each = element.cast("cast_element");
                format!("list_transform(CAST({sql} AS VARCHAR[]), lambda cast_element: {each})")
            }
            other => format!("CAST({sql} AS {})", other.duckdb()),
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
            Self::Enum(of) => of.fmt(f),
            Self::Array(element) => match **element {
                Self::System(SystemType::Element(oid::INT2VECTOR)) => f.write_str("int2vector"),
                Self::System(SystemType::Element(_)) => f.write_str("oidvector"),
                _ => write!(f, "{element}[]"),
            },
            Self::System(ty) => f.write_str(ty.name()),
            Self::Modified(ty, own) => modifier::write(f, ty, *own),
            Self::Record(row) if row.schema.is_empty() => f.write_str(&row.name),
            Self::Record(row) => crate::user_types::write_name(f, &row.schema, &row.name),
            Self::Other(name) => f.write_str(name),
        }
    }
}

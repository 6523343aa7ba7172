//! Postgres' types: what `pg_type` says of them.

use std::{collections::HashMap, sync::OnceLock};

use super::rows;

/// A row of `pg_type`.
#[derive(Debug)]
pub struct Type {
    /// Its oid.
    pub oid: u32,
    /// Its internal name: `int4`.
    pub name: &'static str,
    /// Bytes of a value, -1 for variable.
    pub len: i16,
    /// Whether values are passed by value.
    pub by_value: bool,
    /// `c`, `s`, `i`, `d`.
    pub align: &'static str,
    /// `p`, `x`, `m`, `e`.
    pub storage: &'static str,
    /// Collation of columns of this type, or 0.
    pub collation: u32,
    /// For arrays: the element's oid.
    pub element: u32,
}

/// The type of that internal name.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static Type> {
    let types = types();
    types.by_name.get(name).and_then(|index| types.all.get(*index))
}

/// The type of that oid.
#[must_use]
pub fn by_oid(oid: u32) -> Option<&'static Type> {
    let types = types();
    types.by_oid.get(&oid).and_then(|index| types.all.get(*index))
}

/// The name in SQL, without modifier: `integer` for `int4`. Of an array its internal name.
#[must_use]
pub fn sql_name(oid: u32) -> &'static str {
    match by_oid(oid).map_or("???", |ty| ty.name) {
        "bool" => "boolean",
        "int2" => "smallint",
        "int4" => "integer",
        "int8" => "bigint",
        "float4" => "real",
        "float8" => "double precision",
        "varchar" => "character varying",
        "bpchar" => "character",
        "char" => "\"char\"",
        "bit" => "bit",
        "varbit" => "bit varying",
        "time" => "time without time zone",
        "timetz" => "time with time zone",
        "timestamp" => "timestamp without time zone",
        "timestamptz" => "timestamp with time zone",
        "any" => "\"any\"",
        "cardinal_number" => "information_schema.cardinal_number",
        "character_data" => "information_schema.character_data",
        "sql_identifier" => "information_schema.sql_identifier",
        "time_stamp" => "information_schema.time_stamp",
        "yes_or_no" => "information_schema.yes_or_no",
        other => other,
    }
}

/// All of them.
#[must_use]
pub fn all() -> &'static [Type] {
    &types().all
}

struct Types {
    all: Vec<Type>,
    by_name: HashMap<&'static str, usize>,
    by_oid: HashMap<u32, usize>,
}

/// Columns of `pg_type` by position.
mod at {
    pub const OID: usize = 0;
    pub const NAME: usize = 1;
    pub const LEN: usize = 4;
    pub const BY_VALUE: usize = 5;
    pub const ELEMENT: usize = 13;
    pub const ALIGN: usize = 22;
    pub const STORAGE: usize = 23;
    pub const COLLATION: usize = 28;
}

fn types() -> &'static Types {
    static TYPES: OnceLock<Types> = OnceLock::new();
    TYPES.get_or_init(|| {
        let lines = rows::of("pg_type").unwrap_or_default();
        let all: Vec<_> = lines.lines().filter_map(read).collect();
        let by_name = all.iter().enumerate().map(|(index, t)| (t.name, index)).collect();
        let by_oid = all.iter().enumerate().map(|(index, t)| (t.oid, index)).collect();
        Types { all, by_name, by_oid }
    })
}

fn read(line: &'static str) -> Option<Type> {
    let cells: Vec<&str> = line.split('\t').collect();
    let cell = |index: usize| cells.get(index).copied();
    Some(Type {
        oid: cell(at::OID)?.parse().ok()?,
        name: cell(at::NAME)?,
        len: cell(at::LEN)?.parse().ok()?,
        by_value: cell(at::BY_VALUE)? == "t",
        align: cell(at::ALIGN)?,
        storage: cell(at::STORAGE)?,
        collation: cell(at::COLLATION)?.parse().ok()?,
        element: cell(at::ELEMENT)?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_postgres_says() {
        let text = by_name("text").expect("text");
        assert_eq!((text.oid, text.len, text.align, text.storage, text.collation), (25, -1, "i", "x", 100));
        let ints = by_oid(1007).expect("_int4");
        assert_eq!((ints.name, ints.element), ("_int4", 23));
        assert_eq!(by_name("numeric").map(|t| t.storage), Some("m"));
    }

    #[test]
    fn names_as_format_type_gives_them() {
        for (oid, expect) in [
            (16, "boolean"),
            (18, "\"char\""),
            (20, "bigint"),
            (23, "integer"),
            (25, "text"),
            (701, "double precision"),
            (1042, "character"),
            (1043, "character varying"),
            (1083, "time without time zone"),
            (1184, "timestamp with time zone"),
            (1562, "bit varying"),
            (1700, "numeric"),
            (2205, "regclass"),
            (2276, "\"any\""),
            (4_000_000, "???"),
        ] {
            assert_eq!(sql_name(oid), expect);
        }
    }

    #[test]
    fn every_column_type_is_there() {
        use duckmesh_catalog::ColumnType as T;
        let scalars = [
            T::Bool,
            T::Int2,
            T::Int4,
            T::Int8,
            T::Float4,
            T::Float8,
            T::Numeric(9, 2),
            T::Text,
            T::Varchar(None),
            T::Char(3),
            T::Bytea,
            T::Date,
            T::Time,
            T::Timestamp,
            T::Timestamptz,
            T::Interval,
            T::Uuid,
            T::Json,
            T::Jsonb,
            T::Money,
        ];
        let held = duckmesh_catalog::types::TextType::all().map(T::AsText);
        for ty in scalars.into_iter().chain(held) {
            assert_eq!(by_oid(ty.oid()).map(|t| t.len), Some(ty.typlen()), "{ty}");
            let array = T::Array(Box::new(ty.clone()));
            assert_eq!(by_oid(array.oid()).map(|t| t.element), Some(ty.oid()), "{array}");
        }
    }
}

//! The columns of every system relation, with PostgreSQL 15's types and oids: data, not code.

use std::{collections::HashMap, sync::OnceLock};

use duckmesh_catalog::{ColumnType, types::oid};

use super::types;

const POSTGRES: &str = include_str!("data/shapes.tsv");
const DUCKMESH: &str = include_str!("data/duckmesh.tsv");
/// What our functions look up; no statement can name these.
const INTERNAL: &str = include_str!("data/internal.tsv");

/// A system relation.
#[derive(Debug)]
pub struct Shape {
    /// `pg_catalog`, `information_schema` or `duckmesh`.
    pub schema: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Its oid.
    pub oid: u32,
    /// `r` table, `v` view.
    pub kind: char,
    /// Its columns in order.
    pub columns: Vec<ShapeColumn>,
}

/// A column of a system relation.
#[derive(Debug)]
pub struct ShapeColumn {
    /// Its name.
    pub name: &'static str,
    /// Oid of its Postgres type.
    pub type_oid: u32,
    /// Whether it is never NULL.
    pub not_null: bool,
    /// How the engine holds it: oids are BIGINT, names and "char" VARCHAR, int2vector a list.
    pub engine: ColumnType,
    /// Its type as statements see it: that of `engine`, or one of the catalog's own that is held so.
    pub ty: ColumnType,
}

/// All of them: first `pg_catalog`, then `information_schema`, then `duckmesh`.
#[must_use]
pub fn all() -> &'static [Shape] {
    &shapes().0
}

/// The relation of that name.
#[must_use]
pub fn find(schema: &str, name: &str) -> Option<&'static Shape> {
    let (all, by_name) = shapes();
    by_name.get(&(schema, name)).and_then(|index| all.get(*index))
}

/// The relation of that name which only our functions read.
#[must_use]
pub fn internal(name: &str) -> Option<&'static Shape> {
    static INTERNALS: OnceLock<Vec<Shape>> = OnceLock::new();
    INTERNALS.get_or_init(|| INTERNAL.lines().filter_map(shape).collect()).iter().find(|s| s.name == name)
}

type Shapes = (Vec<Shape>, HashMap<(&'static str, &'static str), usize>);

fn shapes() -> &'static Shapes {
    static SHAPES: OnceLock<Shapes> = OnceLock::new();
    SHAPES.get_or_init(|| {
        let lines = POSTGRES.lines().chain(DUCKMESH.lines()).filter(|line| !line.starts_with('#'));
        let all: Vec<_> = lines.filter_map(shape).collect();
        let by_name = all.iter().enumerate().map(|(index, s)| ((s.schema, s.name), index)).collect();
        (all, by_name)
    })
}

fn shape(line: &'static str) -> Option<Shape> {
    let mut cells = line.split('\t');
    let (schema, name, oid, kind) = (cells.next()?, cells.next()?, cells.next()?, cells.next()?);
    Some(Shape {
        schema,
        name,
        oid: oid.parse().ok()?,
        kind: kind.chars().next()?,
        columns: cells.next()?.split(',').map(column).collect::<Option<_>>()?,
    })
}

fn column(text: &'static str) -> Option<ShapeColumn> {
    let (name, ty) = text.split_once(':')?;
    let not_null = ty.ends_with('!');
    let ty = ty.trim_end_matches('!');
    // Arrays of row types have no row of their own in our pg_type.
    let type_oid = types::by_name(ty).map_or(oid::TEXT, |t| t.oid);
    let engine = engine_type(ty);
    let seen = seen_type(ty, &engine);
    Some(ShapeColumn { name, type_oid, not_null, engine, ty: seen })
}

/// A domain of `information_schema` is seen as what it is over, as on Postgres' wire.
fn seen_type(name: &str, engine: &ColumnType) -> ColumnType {
    match name {
        "sql_identifier" => ColumnType::system(oid::NAME),
        "character_data" => Some(ColumnType::Varchar(None)),
        "yes_or_no" => Some(ColumnType::Varchar(Some(3))),
        _ => types::by_name(name).and_then(|t| ColumnType::system(t.oid)),
    }
    .filter(|ty| ty.duckdb() == engine.duckdb())
    .unwrap_or_else(|| engine.clone())
}

/// How the engine holds a Postgres type. Oids are signed 64 bit there: they join, and compare with any number, as they are.
fn engine_type(name: &str) -> ColumnType {
    use ColumnType as T;
    if let Some(element) = name.strip_prefix('_') {
        return T::Array(Box::new(engine_type(element)));
    }
    match name {
        "bool" => T::Bool,
        "int2" => T::Int2,
        "int4" | "cardinal_number" => T::Int4,
        "int8" | "oid" | "xid" | "xid8" | "cid" => T::Int8,
        "regproc" | "regtype" | "regclass" | "regnamespace" | "regrole" => T::Int8,
        "float4" => T::Float4,
        "float8" => T::Float8,
        "numeric" => T::Numeric(38, 0),
        "timestamptz" | "time_stamp" => T::Timestamptz,
        "interval" => T::Interval,
        "bytea" => T::Bytea,
        "int2vector" => T::Array(Box::new(T::Int2)),
        "oidvector" => T::Array(Box::new(T::Int8)),
        _ => T::Text,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_line_is_a_relation() {
        let lines = POSTGRES.lines().chain(DUCKMESH.lines()).filter(|l| !l.starts_with('#')).count();
        assert_eq!(all().len(), lines);
        assert!(lines > 200);
    }

    #[test]
    fn oids_are_below_those_of_the_lake_and_unique() {
        let oids: HashSet<u32> = all().iter().map(|s| s.oid).collect();
        assert_eq!(oids.len(), all().len());
        assert!(oids.iter().all(|oid| *oid < super::super::oids::FIRST_OWN));
    }

    #[test]
    fn known_columns() {
        let class = find("pg_catalog", "pg_class").expect("pg_class");
        assert_eq!((class.oid, class.kind, class.columns.len()), (1259, 'r', 33));
        let kind = class.columns.iter().find(|c| c.name == "relkind").expect("relkind");
        assert_eq!((kind.type_oid, kind.not_null, &kind.engine), (18, true, &ColumnType::Text));
        assert!(find("pg_catalog", "nothing").is_none());
    }
}

//! `pg_class`, `pg_attribute`, `pg_attrdef`.

use std::collections::{HashMap, HashSet};

use duckmesh_catalog::{ColumnType, ConstraintKind, DefaultValue, TableId, types::oid};

use crate::pgcatalog::{
    book::{Column, Con, Relation, Source},
    content::{Cell, Content, row},
    definitions, oids, types,
};
use crate::sql::deparse::Definitions;

/// Rows per table that nobody counted.
const NOT_ANALYZED: f64 = -1.0;

/// Tables with foreign keys, their own or others'. Triggers are how Postgres keeps those.
pub fn with_triggers(relations: &[Relation<'_>], constraints: &[Con<'_>]) -> HashSet<u32> {
    let tables = relations.iter().filter(|r| r.kind == 'r');
    let tables: HashMap<(&str, &str), u32> = tables.map(|r| ((r.schema, r.name), r.oid)).collect();
    let mut found = HashSet::new();
    for con in constraints {
        if let ConstraintKind::ForeignKey { target, .. } = &con.constraint.kind {
            let space = crate::pgcatalog::book::sql_schema(&target.0);
            found.extend(tables.get(&(space, target.1.as_str())));
            found.insert(con.table_oid);
        }
    }
    found
}

pub fn classes<'a>(relations: &[Relation<'a>], constraints: &[Con<'a>]) -> Content<'a> {
    let triggered = with_triggers(relations, constraints);
    let rows = relations.iter().map(|relation| {
        let (checks, keys) = match relation.source {
            Source::Table(table) => {
                let count = |of: fn(&ConstraintKind) -> bool| table.constraints.iter().filter(|c| of(&c.kind)).count();
                (
                    count(|k| matches!(k, ConstraintKind::Check { .. })),
                    count(|k| matches!(k, ConstraintKind::PrimaryKey { .. } | ConstraintKind::Unique { .. })),
                )
            }
            _ => (0, 0),
        };
        let indexed = matches!(relation.source, Source::Table(table) if !table.indexes.is_empty());
        let system = matches!(relation.source, Source::System);
        let access = match relation.kind {
            'r' => oids::HEAP,
            'i' => match relation.source {
                Source::Index(index) => oids::access_method(&index.method),
                _ => oids::BTREE,
            },
            _ => 0,
        };
        let replica = if relation.kind == 'r' && !system { 'd' } else { 'n' };
        // psql shows foreign keys only where there are some.
        let triggers = triggered.contains(&relation.oid);
        let mut row = row![
            relation.oid,
            relation.name,
            relation.namespace,
            match relation.source {
                Source::Table(_) | Source::View(_) => oids::row_type(relation.oid),
                Source::Composite(ty) => ty,
                Source::System | Source::Key | Source::Index(_) | Source::Sequence(_) => 0,
            },
            oids::OWNER,
            access,
            if matches!(relation.kind, 'v' | 'c') { 0 } else { relation.oid },
        ];
        row.extend([
            i32::from(relation.kind == 'i').into(),
            Cell::Float(if matches!(relation.kind, 'v' | 'i' | 'c') { 0.0 } else { NOT_ANALYZED }),
            (keys > 0 || indexed).into(),
            if relation.is_temporary() { "t" } else { "p" }.into(),
            relation.kind.into(),
            relation.columns.iter().map(|c| c.num).max().unwrap_or(0).into(),
            i16::try_from(checks).unwrap_or(i16::MAX).into(),
            (relation.kind == 'v').into(),
            triggers.into(),
            true.into(),
            replica.into(),
        ]);
        row
    });
    Content {
        columns: &[
            "oid",
            "relname",
            "relnamespace",
            "reltype",
            "relowner",
            "relam",
            "relfilenode",
            "relpages",
            "reltuples",
            "relhasindex",
            "relpersistence",
            "relkind",
            "relnatts",
            "relchecks",
            "relhasrules",
            "relhastriggers",
            "relispopulated",
            "relreplident",
        ],
        rows: rows.collect(),
    }
}

pub fn attributes<'a>(relations: &[Relation<'a>]) -> Content<'a> {
    let rows = relations
        .iter()
        .flat_map(|relation| relation.columns.iter().map(|c| attribute(relation, c)).chain(dropped(relation)));
    Content {
        columns: &[
            "attrelid",
            "attname",
            "atttypid",
            "attstattarget",
            "attlen",
            "attnum",
            "attndims",
            "attcacheoff",
            "atttypmod",
            "attbyval",
            "attalign",
            "attstorage",
            "attnotnull",
            "atthasdef",
            "attislocal",
            "attcollation",
            "attidentity",
            "attgenerated",
            "attisdropped",
        ],
        rows: rows.collect(),
    }
}

fn attribute<'a>(relation: &Relation<'a>, column: &Column<'a>) -> Vec<Cell<'a>> {
    let held = column.ty.map_or(column.type_oid, |ty| match ty {
        // As the types of lists and of text are held.
        ColumnType::Array(element) if matches!(**element, ColumnType::Record(_)) => oid::RECORD_ARRAY,
        ColumnType::Record(_) => oid::RECORD,
        ColumnType::Array(_) => oid::array_of(oid::INT4).unwrap_or_default(),
        ColumnType::Enum(_) => oid::INT4,
        other => other.oid(),
    });
    let ty = types::by_oid(if types::by_oid(column.type_oid).is_some() { column.type_oid } else { held });
    let view = relation.kind == 'v';
    row![
        relation.oid,
        column.name,
        column.type_oid,
        -1,
        ty.map_or(-1, |t| t.len),
        column.num,
        dimensions(column, ty.is_some_and(|t| t.name.starts_with('_'))),
        -1,
        column.typmod,
        ty.is_some_and(|t| t.by_value),
        ty.map_or("i", |t| t.align),
        ty.map_or("x", |t| t.storage),
        column.not_null && !view,
        column.default.is_some(),
        true,
        collation(relation, ty.map_or(0, |t| t.collation)),
        column.identity.and_then(super::sequence::identity).unwrap_or_default(),
        if matches!(column.default, Some(DefaultValue::Generated(_))) { "s" } else { "" },
        false,
    ]
}

/// As declared: one, or several.
fn dimensions(column: &Column<'_>, array: bool) -> i32 {
    let several = matches!(column.ty, Some(ColumnType::Grid(_)));
    if several { 2 } else { i32::from(array) }
}

/// The numbers of a table that no column has any more. Programs count on a row for each number.
fn dropped<'a>(relation: &Relation<'a>) -> Vec<Vec<Cell<'a>>> {
    let taken: HashSet<i16> = relation.columns.iter().map(|c| c.num).collect();
    let last = taken.iter().copied().max().unwrap_or(0);
    let gone = (1..last).filter(|num| !taken.contains(num));
    gone.map(|num| {
        let name = format!("........pg.dropped.{num}........");
        row![relation.oid, name, 0u32, 0, -1, num, 0, -1, -1, false, "i", "p", false, false, true, 0u32, "", "", true]
    })
    .collect()
}

/// Columns of Postgres' own tables have collation "C" where others have the default.
fn collation(relation: &Relation<'_>, own: u32) -> u32 {
    const DEFAULT: u32 = 100;
    const C: u32 = 950;
    let system = matches!(relation.source, Source::System) && relation.kind == 'r';
    if system && own == DEFAULT && relation.namespace == oids::PG_CATALOG { C } else { own }
}

pub fn defaults<'a>(relations: &[Relation<'a>], shown: &Definitions, seen: &definitions::Seen<'a>) -> Content<'a> {
    let rows = relations.iter().flat_map(|relation| {
        relation.columns.iter().filter_map(move |column| {
            let Source::Table(table) = relation.source else { return None };
            let def = table.columns.iter().find(|c| c.name == column.name)?;
            let text = definitions::column_default(shown, relation, column, seen)?;
            Some(row![default_oid(table.id, def.id), relation.oid, column.num, text])
        })
    });
    Content { columns: &["oid", "adrelid", "adnum", "adbin"], rows: rows.collect() }
}

fn default_oid(table: TableId, column: duckmesh_catalog::ColumnId) -> u32 {
    oids::default(table, column)
}

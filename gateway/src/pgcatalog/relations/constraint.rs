//! `pg_constraint`, `pg_index`, `pg_indexes`.

use std::{collections::HashMap, sync::OnceLock};

use duckmesh_catalog::{ColumnDef, ColumnId, ConstraintKind, TableDef, types::oid};

use crate::pgcatalog::{
    book::{Book, attnum, key_columns},
    content::{Cell, Content, row},
    definitions, oids, rows,
};

fn numbers(columns: &[ColumnId]) -> Cell<'static> {
    Cell::Ints(columns.iter().map(|id| i64::from(attnum(*id))).collect())
}

pub fn constraints<'a>(book: &Book<'a>) -> Content<'a> {
    let rows = book.constraints.iter().map(|con| {
        let (kind, key);
        let (mut target_key, mut expression) = (Cell::Null, Cell::Null);
        let (mut target_oid, mut target_index) = (0, con.index.unwrap_or(0));
        match &con.constraint.kind {
            ConstraintKind::Check { expression: text } => {
                (kind, key) = ('c', numbers(&named(con.table, text)));
                expression = text.as_str().into();
            }
            ConstraintKind::PrimaryKey { columns } => (kind, key) = ('p', numbers(columns)),
            ConstraintKind::Unique { columns } => (kind, key) = ('u', numbers(columns)),
            ConstraintKind::ForeignKey { columns, target, target_columns } => {
                (kind, key) = ('f', numbers(columns));
                if let Some(table) = book.target(target) {
                    let columns: Vec<ColumnId> =
                        book.target_columns(table, target_columns).iter().map(|c: &&ColumnDef| c.id).collect();
                    target_oid = oids::table(table.id);
                    target_index = book.key(table.id, &columns).and_then(|key| key.index).unwrap_or(0);
                    target_key = numbers(&columns);
                }
            }
        }
        let foreign = kind == 'f';
        let action = if foreign { "a" } else { " " };
        row![
            con.oid,
            con.constraint.name.as_str(),
            con.namespace,
            kind,
            true,
            con.table_oid,
            target_index,
            target_oid,
            action,
            action,
            if foreign { "s" } else { " " },
            true,
            kind != 'c',
            key,
            target_key,
            expression,
            0_u32,
        ]
    });
    let domains = super::domain::checks(book).into_iter().map(super::domain::row_of);
    Content {
        columns: &[
            "oid",
            "conname",
            "connamespace",
            "contype",
            "convalidated",
            "conrelid",
            "conindid",
            "confrelid",
            "confupdtype",
            "confdeltype",
            "confmatchtype",
            "conislocal",
            "connoinherit",
            "conkey",
            "confkey",
            "conbin",
            "contypid",
        ],
        rows: rows.chain(domains).collect(),
    }
}

/// Columns whose name is a word of the expression.
fn named(table: &TableDef, expression: &str) -> Vec<ColumnId> {
    let words = || expression.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'));
    let named = |c: &&ColumnDef| words().any(|w| w == c.name) || expression.contains(&format!("\"{}\"", c.name));
    table.columns.iter().filter(named).map(|c| c.id).collect()
}

/// The class by which a btree orders a type.
fn operator_class(ty: u32) -> u32 {
    static CLASSES: OnceLock<HashMap<u32, u32>> = OnceLock::new();
    let classes = CLASSES.get_or_init(|| {
        let lines = rows::of("pg_opclass").unwrap_or_default().lines();
        let class = |line: &str| {
            let cells: Vec<&str> = line.split('\t').collect();
            let (method, default) = (cells.get(1)?.parse::<u32>().ok()?, *cells.get(7)? == "t");
            let pair = (cells.get(6)?.parse().ok()?, cells.first()?.parse().ok()?);
            (method == oids::BTREE && default).then_some(pair)
        };
        lines.filter_map(class).collect()
    });
    let key = match ty {
        oid::VARCHAR => oid::TEXT,
        ty if oid::element_of(ty).is_some() => oid::ANYARRAY,
        ty => ty,
    };
    classes.get(&key).copied().unwrap_or_default()
}

pub fn indexes<'a>(book: &Book<'a>) -> Content<'a> {
    let rows = book.constraints.iter().filter_map(|con| {
        let (oid, columns) = (con.index?, key_columns(con.constraint)?);
        let count = i16::try_from(columns.len()).unwrap_or(i16::MAX);
        let collations = columns.iter().map(|id| {
            let ty = con.table.column_by_id(*id).map(|c| c.ty.oid());
            ty.and_then(super::super::types::by_oid).map_or(0, |t| i64::from(t.collation))
        });
        let classes = columns.iter().map(|id| {
            let ty = con.table.column_by_id(*id).map(|c| c.ty.oid());
            ty.map_or(0, |ty| operator_class(ty).into())
        });
        Some(row![
            oid,
            con.table_oid,
            count,
            count,
            true,
            matches!(con.constraint.kind, ConstraintKind::PrimaryKey { .. }),
            true,
            true,
            true,
            true,
            numbers(columns),
            Cell::Ints(collations.collect()),
            Cell::Ints(classes.collect()),
            Cell::Ints(vec![0; columns.len()]),
        ])
    });
    Content {
        columns: &[
            "indexrelid",
            "indrelid",
            "indnatts",
            "indnkeyatts",
            "indisunique",
            "indisprimary",
            "indimmediate",
            "indisvalid",
            "indisready",
            "indislive",
            "indkey",
            "indcollation",
            "indclass",
            "indoption",
        ],
        rows: rows.collect(),
    }
}

pub fn index_list<'a>(book: &Book<'a>) -> Content<'a> {
    let rows = book.constraints.iter().filter_map(|con| {
        Some(row![con.schema, con.table.name.as_str(), con.constraint.name.as_str(), definitions::index(con, true)?])
    });
    Content { columns: &["schemaname", "tablename", "indexname", "indexdef"], rows: rows.collect() }
}

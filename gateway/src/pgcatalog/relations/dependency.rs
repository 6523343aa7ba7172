//! What constraints, indexes, defaults and columns hang on, as rows of `pg_depend`.

use duckmesh_catalog::{ColumnId, ConstraintKind, IndexedBy, TableDef};

use super::constraint::named;
use crate::pgcatalog::{
    book::{Book, Source, attnum},
    content::{Cell, row},
    oids,
};

/// Oids of the catalogs themselves.
const CONSTRAINT: u32 = 2606;
const CLASS: u32 = 1259;
const TYPE: u32 = 1247;
const DEFAULTS: u32 = 2604;

/// All of them.
#[must_use]
pub fn all<'a>(book: &Book<'a>) -> Vec<Vec<Cell<'a>>> {
    let mut rows = of_constraints(book);
    for ix in &book.indexes {
        let columns: Vec<ColumnId> = ix
            .index
            .keys
            .iter()
            .filter_map(|key| match &key.of {
                IndexedBy::Column(id) => Some(*id),
                IndexedBy::Expression(..) => None,
            })
            .chain(ix.index.include.iter().copied())
            .collect();
        let on = numbers(ix.table, &columns);
        rows.extend(on.into_iter().map(|on| row![CLASS, ix.oid, 0, CLASS, ix.table_oid, on, "a"]));
    }
    for table in book.schema.tables.values() {
        let oid = oids::table(table.id);
        for column in table.columns.iter().filter(|column| column.default.is_some()) {
            let on = i32::from(attnum(table, column.id));
            rows.push(row![DEFAULTS, oids::default(table.id, column.id), 0, CLASS, oid, on, "a"]);
        }
    }
    // Columns of types that users made.
    for relation in book.relations.iter().filter(|r| matches!(r.source, Source::Table(_))) {
        let own = relation.columns.iter().filter(|column| column.type_oid >= oids::FIRST_OWN);
        rows.extend(own.map(|column| row![CLASS, relation.oid, column.num, TYPE, column.type_oid, 0, "n"]));
    }
    rows
}

fn of_constraints<'a>(book: &Book<'a>) -> Vec<Vec<Cell<'a>>> {
    let mut rows = Vec::new();
    for con in &book.constraints {
        let columns = match &con.constraint.kind {
            ConstraintKind::Check { expression } => {
                let read = named(con.table, expression);
                let on = read.iter().map(|id| i32::from(attnum(con.table, *id)));
                rows.extend(on.map(|on| row![CONSTRAINT, con.oid, 0, CLASS, con.table_oid, on, "n"]));
                read
            }
            ConstraintKind::PrimaryKey { columns } | ConstraintKind::Unique { columns } => columns.clone(),
            ConstraintKind::ForeignKey { columns, target, target_columns, .. } => {
                if let Some(table) = book.target(target) {
                    let referred = book.target_columns(table, target_columns);
                    let ids: Vec<ColumnId> = referred.iter().map(|column| column.id).collect();
                    let (oid, on) = (oids::table(table.id), numbers(table, &ids));
                    rows.extend(on.into_iter().map(|on| row![CONSTRAINT, con.oid, 0, CLASS, oid, on, "n"]));
                    let index = book.key(table.id, &ids).and_then(|key| key.index);
                    rows.extend(index.map(|index| row![CONSTRAINT, con.oid, 0, CLASS, index, 0, "n"]));
                }
                columns.clone()
            }
        };
        let on = numbers(con.table, &columns);
        rows.extend(on.into_iter().map(|on| row![CONSTRAINT, con.oid, 0, CLASS, con.table_oid, on, "a"]));
        if let Some(index) = con.index {
            rows.push(row![CLASS, index, 0, CONSTRAINT, con.oid, 0, "i"]);
        }
    }
    rows
}

/// The numbers of columns; 0, which is the whole table, where there are none.
fn numbers(table: &TableDef, columns: &[ColumnId]) -> Vec<i32> {
    match columns {
        [] => vec![0],
        columns => columns.iter().map(|id| i32::from(attnum(table, *id))).collect(),
    }
}

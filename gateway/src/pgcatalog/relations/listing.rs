//! `pg_namespace`, `pg_description`, and the views that list tables: `pg_tables`, `pg_views`, `pg_stat_user_tables`.

use crate::pgcatalog::{
    book::{Book, Namespace, Relation, Source},
    content::{Cell, Content, row},
    definitions, oids,
};

/// Oid of `pg_class` itself: what descriptions of relations name.
const CLASS: u32 = 1259;
/// Oid of `pg_type`.
const TYPE: u32 = 1247;
/// Oid of `pg_namespace`.
const NAMESPACE: u32 = 2615;

pub fn namespaces<'a>(namespaces: &[Namespace<'a>]) -> Content<'a> {
    let owner = |oid| if oid == oids::PUBLIC { oids::DATABASE_OWNER } else { oids::OWNER };
    let rows = namespaces.iter().map(|space| row![space.oid, space.name, owner(space.oid)]);
    Content { columns: &["oid", "nspname", "nspowner"], rows: rows.collect() }
}

/// A comment: object, catalog it is in, column or 0, text.
pub type Comment<'a> = (u32, (u32, &'static str), i16, &'a str);

/// All comments.
pub fn comments<'a>(book: &Book<'a>) -> Vec<Comment<'a>> {
    let class = (CLASS, "pg_class");
    let spaces = crate::pgcatalog::book::system_namespaces();
    let mut comments: Vec<Comment<'a>> =
        spaces.iter().filter_map(|s| Some((s.oid, (NAMESPACE, "pg_namespace"), 0, s.comment?))).collect();
    comments.extend(book.namespaces.iter().filter_map(|s| Some((s.oid, (NAMESPACE, "pg_namespace"), 0, s.comment?))));
    for relation in &book.relations {
        let own = match relation.source {
            Source::Table(table) => table.comment.as_deref(),
            Source::View(view) => view.comment.as_deref(),
            Source::System | Source::Index | Source::Sequence | Source::Composite(_) => continue,
        };
        comments.extend(own.map(|text| (relation.oid, class, 0, text)));
        comments.extend(relation.columns.iter().filter_map(|c| Some((relation.oid, class, c.num, c.comment?))));
    }
    let types = book.schema.types.values();
    comments.extend(types.filter_map(|t| Some((t.oid(), (TYPE, "pg_type"), 0, t.comment.as_deref()?))));
    comments
}

pub fn descriptions<'a>(book: &Book<'a>) -> Content<'a> {
    let rows = comments(book).into_iter().map(|(oid, (class, _), num, text)| row![oid, class, i32::from(num), text]);
    Content { columns: &["objoid", "classoid", "objsubid", "description"], rows: rows.collect() }
}

fn has_keys(relation: &Relation<'_>) -> bool {
    match relation.source {
        Source::Table(table) => table.constraints.iter().any(|c| super::super::book::key_columns(c).is_some()),
        _ => false,
    }
}

pub fn tables<'a>(system: &[Relation<'a>], book: &Book<'a>, user: &'a str) -> Content<'a> {
    let row = |r: &Relation<'a>| row![r.schema, r.name, user, has_keys(r), false, false, false];
    let rows = system.iter().chain(&book.relations).filter(|r| r.kind == 'r').map(row);
    Content {
        columns: &["schemaname", "tablename", "tableowner", "hasindexes", "hasrules", "hastriggers", "rowsecurity"],
        rows: rows.collect(),
    }
}

pub fn views<'a>(system: &[Relation<'a>], book: &Book<'a>, user: &'a str) -> Content<'a> {
    let row = |r: &Relation<'a>| {
        let definition = match r.source {
            Source::View(view) => definitions::view(view).into(),
            _ => Cell::Null,
        };
        row![r.schema, r.name, user, definition]
    };
    let rows = system.iter().chain(&book.relations).filter(|r| r.kind == 'v').map(row);
    Content { columns: &["schemaname", "viewname", "viewowner", "definition"], rows: rows.collect() }
}

pub fn statistics<'a>(book: &Book<'a>) -> Content<'a> {
    let rows = book.relations.iter().filter(|r| r.kind == 'r').map(|r| row![r.oid, r.schema, r.name]);
    Content { columns: &["relid", "schemaname", "relname"], rows: rows.collect() }
}

//! `pg_namespace`, `pg_description`, and the views that list tables: `pg_tables`, `pg_views`, `pg_stat_user_tables`.

use super::Source;
use crate::pgcatalog::{
    book::{Book, Con, Namespace, Relation, Source as From},
    content::{Cell, Content, row},
    definitions, oids,
};

/// Oid of `pg_class` itself: what descriptions of relations name.
const CLASS: u32 = 1259;
/// Oid of `pg_type`.
const TYPE: u32 = 1247;
/// Oid of `pg_namespace`.
const NAMESPACE: u32 = 2615;

/// `pg_extension`: what the relations of `duckmesh` belong to.
pub fn extensions() -> Content<'static> {
    Content {
        columns: &["oid", "extname", "extowner", "extnamespace", "extrelocatable", "extversion"],
        rows: vec![row![oids::EXTENSION, "duckmesh", oids::OWNER, oids::DUCKMESH, false, env!("CARGO_PKG_VERSION")]],
    }
}

pub fn namespaces<'a>(namespaces: &[Namespace<'a>]) -> Content<'a> {
    let owner = |oid| if oid == oids::PUBLIC { oids::DATABASE_OWNER } else { oids::OWNER };
    // As PostgreSQL 15 makes it: who owns the database may make things there.
    let rights = |oid| match oid == oids::PUBLIC {
        true => Cell::Texts(vec!["pg_database_owner=UC/pg_database_owner".into(), "=U/pg_database_owner".into()]),
        false => Cell::Null,
    };
    let rows = namespaces.iter().map(|space| {
        let mut row = row![space.oid, space.name, owner(space.oid)];
        row.push(rights(space.oid));
        row
    });
    Content { columns: &["oid", "nspname", "nspowner", "nspacl"], rows: rows.collect() }
}

/// Oid of `pg_constraint`.
const CONSTRAINT: u32 = 2606;

/// A comment: object, catalog it is in, column or 0, text.
pub type Comment<'a> = (u32, (u32, &'static str), i16, &'a str);

/// All comments.
pub fn comments<'a>(book: &Book<'a>) -> Vec<Comment<'a>> {
    let class = (CLASS, "pg_class");
    let spaces = crate::pgcatalog::book::system_namespaces();
    let mut comments: Vec<Comment<'a>> =
        spaces.iter().filter_map(|s| Some((s.oid, (NAMESPACE, "pg_namespace"), 0, s.comment?))).collect();
    comments.extend(book.namespaces.iter().filter_map(|s| Some((s.oid, (NAMESPACE, "pg_namespace"), 0, s.comment?))));
    let of_constraint =
        |con: &Con<'a>| Some((con.oid, (CONSTRAINT, "pg_constraint"), 0, con.constraint.comment.as_deref()?));
    comments.extend(book.constraints.iter().filter_map(of_constraint));
    for relation in &book.relations {
        let own = match relation.source {
            From::Table(table) => table.comment.as_deref(),
            From::View(view) => view.comment.as_deref(),
            From::Index(index) => index.comment.as_deref(),
            From::Sequence(sequence) => sequence.spec.comment.as_deref(),
            From::System | From::Key | From::Composite(_) => continue,
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
        From::Table(table) => {
            let mut keys = table.constraints.iter().filter_map(super::super::book::key_columns);
            keys.next().is_some() || !table.indexes.is_empty()
        }
        _ => false,
    }
}

pub fn tables<'a>(system: &[Relation<'a>], book: &Book<'a>, user: &'a str) -> Content<'a> {
    let triggers = super::class::with_triggers(&book.relations, &book.constraints);
    let row = |r: &Relation<'a>| {
        let triggered = triggers.contains(&r.oid);
        row![r.schema, r.name, user, has_keys(r), false, triggered, false]
    };
    let rows = system.iter().chain(&book.relations).filter(|r| r.kind == 'r').map(row);
    Content {
        columns: &["schemaname", "tablename", "tableowner", "hasindexes", "hasrules", "hastriggers", "rowsecurity"],
        rows: rows.collect(),
    }
}

pub fn views<'a>(system: &[Relation<'a>], book: &Book<'a>, source: &'a Source<'a>) -> Content<'a> {
    let (user, visible) = (source.session.user.as_str(), book.visible(&source.search_path));
    let row = |r: &Relation<'a>| {
        let definition = match r.source {
            From::View(view) => definitions::view(view, &source.definitions, &visible, book, false).into(),
            _ => Cell::Null,
        };
        row![r.schema, r.name, user, definition]
    };
    let rows = system.iter().chain(&book.relations).filter(|r| r.kind == 'v').map(row);
    Content { columns: &["schemaname", "viewname", "viewowner", "definition"], rows: rows.collect() }
}

//! What our functions look up by oid: visibility, definitions, comments, names.

use crate::pgcatalog::{
    book::{self, Book, Relation},
    content::{Cell, Content, row},
    definitions, names, rows, types,
};

pub fn types() -> Content<'static> {
    let rows = types::all().iter().map(|ty| {
        let array = ty.name.starts_with('_') && ty.element != 0;
        let base = if array { ty.element } else { ty.oid };
        row![ty.oid, types::sql_name(base), base, if array { "[]" } else { "" }]
    });
    Content { columns: &["#k", "#v", "#b", "#a"], rows: rows.collect() }
}

pub fn procedures() -> Content<'static> {
    let lines = rows::of("pg_proc").unwrap_or_default().lines();
    let rows = lines.filter_map(|line| {
        let mut cells = line.split('\t');
        let oid: u32 = cells.next()?.parse().ok()?;
        Some(row![oid, cells.next()?])
    });
    Content { columns: &["#k", "#v"], rows: rows.collect() }
}

pub fn relations<'a>(system: &[Relation<'a>], book: &Book<'a>, search_path: &[String]) -> Content<'a> {
    let visible = book.visible(search_path);
    let rows = system.iter().chain(&book.relations).map(|r| {
        let seen = visible.get(r.name) == Some(&r.oid);
        let name = names::quoted(r.name);
        row![r.oid, if seen { name } else { format!("{}.{name}", names::quoted(r.schema)) }, seen]
    });
    Content { columns: &["#k", "#v", "#s"], rows: rows.collect() }
}

pub fn constraint_definitions<'a>(book: &Book<'a>, search_path: &[String]) -> Content<'a> {
    let rows = book.constraints.iter().map(|con| row![con.oid, definitions::constraint(book, con, search_path)]);
    Content { columns: &["#k", "#v"], rows: rows.collect() }
}

/// Column 0 is the whole definition.
pub fn index_definitions<'a>(book: &Book<'a>) -> Content<'a> {
    let mut all: Vec<Vec<Cell<'a>>> = Vec::new();
    for con in &book.constraints {
        let (Some(oid), Some(definition)) = (con.index, definitions::index(con)) else { continue };
        all.push(row![oid, 0, definition]);
        let columns = book::key_columns(con.constraint).unwrap_or_default();
        let named = columns.iter().filter_map(|id| con.table.column_by_id(*id)).zip(1_i32..);
        all.extend(named.map(|(column, n)| row![oid, n, names::quoted(&column.name)]));
    }
    Content { columns: &["#k", "#n", "#v"], rows: all }
}

pub fn view_definitions<'a>(book: &Book<'a>) -> Content<'a> {
    let rows = book.relations.iter().filter_map(|r| match r.source {
        book::Source::View(view) => Some(row![r.oid, definitions::view(view)]),
        _ => None,
    });
    Content { columns: &["#k", "#v"], rows: rows.collect() }
}

pub fn descriptions<'a>(book: &Book<'a>) -> Content<'a> {
    let comments = super::listing::comments(book).into_iter();
    let rows = comments.map(|(oid, (_, class), num, text)| row![oid, class, i32::from(num), text]);
    Content { columns: &["#k", "#c", "#n", "#v"], rows: rows.collect() }
}

pub fn namespaces<'a>(book: &Book<'a>) -> Content<'a> {
    let system = book::system_namespaces();
    let all = system.iter().map(|s| (s.oid, s.name)).chain(book.namespaces.iter().map(|s| (s.oid, s.name)));
    Content { columns: &["#k", "#v"], rows: all.map(|(oid, name)| row![oid, names::quoted(name)]).collect() }
}

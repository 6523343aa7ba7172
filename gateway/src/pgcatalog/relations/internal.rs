//! What our functions look up by oid: visibility, definitions, comments, names.

use crate::pgcatalog::{
    book::{self, Book, Relation},
    content::{Cell, Content, row},
    definitions, names,
    procedure::Procedure,
    rows, types,
};

pub fn types() -> Content<'static> {
    let rows = types::all().iter().map(|ty| {
        let array = ty.name.starts_with('_') && ty.element != 0;
        let base = if array { ty.element } else { ty.oid };
        let suffix = if array { "[]" } else { "" };
        let plain = types::by_oid(base).map_or(ty.name, |base| base.name);
        let name = types::sql_name(base);
        let visible = !name.starts_with("information_schema.");
        row![ty.oid, name, base, suffix, format!("{plain}{suffix}"), ty.name, visible]
    });
    Content { columns: &["#k", "#v", "#b", "#a", "#p", "#t", "#s"], rows: rows.collect() }
}

/// Every keyword with its category, and whether it can be a label without AS.
const KEYWORDS: &str = include_str!("../data/all_keywords.tsv");

pub fn keywords() -> Content<'static> {
    let rows = KEYWORDS.lines().filter_map(|line| {
        let mut cells = line.split('\t');
        let (word, category, bare) = (cells.next()?, cells.next()?, cells.next()? == "1");
        let described = match category {
            "C" => "unreserved (cannot be function or type name)",
            "T" => "reserved (can be function or type name)",
            "R" => "reserved",
            _ => "unreserved",
        };
        Some(row![word, category, bare, described, if bare { "can be bare label" } else { "requires AS" }])
    });
    Content { columns: &["word", "catcode", "barelabel", "catdesc", "baredesc"], rows: rows.collect() }
}

pub fn procedures() -> Content<'static> {
    let lines = rows::of("pg_proc").unwrap_or_default().lines();
    let rows = lines.filter_map(|line| {
        let procedure = Procedure::read(line)?;
        Some(row![
            procedure.oid,
            procedure.name,
            procedure.result(),
            procedure.arguments(true),
            procedure.arguments(false)
        ])
    });
    Content { columns: &["#k", "#v", "#r", "#d", "#i"], rows: rows.collect() }
}

pub fn relations<'a>(system: &[Relation<'a>], book: &Book<'a>, search_path: &[String]) -> Content<'a> {
    let visible = book.visible(search_path);
    let rows = system.iter().chain(&book.relations).map(|r| {
        let seen = visible.get(r.name) == Some(&r.oid);
        let name = names::quoted(r.name);
        let shown = if seen { name } else { format!("{}.{name}", names::quoted(r.schema)) };
        row![r.oid, shown, seen, r.name, format!("{}.{}", r.schema, r.name)]
    });
    Content { columns: &["#k", "#v", "#s", "#p", "#q"], rows: rows.collect() }
}

pub fn constraint_definitions<'a>(book: &Book<'a>, search_path: &[String]) -> Content<'a> {
    let rows = book.constraints.iter().map(|con| row![con.oid, definitions::constraint(book, con, search_path)]);
    let domains = super::domain::checks(book).into_iter();
    let domains = domains.map(|(oid, _, _, _, expression)| row![oid, format!("CHECK ({expression})")]);
    Content { columns: &["#k", "#v"], rows: rows.chain(domains).collect() }
}

/// Column 0 is the whole definition, -1 the same with the table as the search path finds it.
pub fn index_definitions<'a>(book: &Book<'a>, search_path: &[String]) -> Content<'a> {
    let visible = book.visible(search_path);
    let mut all: Vec<Vec<Cell<'a>>> = Vec::new();
    for con in &book.constraints {
        let (Some(oid), Some(definition)) = (con.index, definitions::index(con, true)) else { continue };
        all.push(row![oid, 0, definition]);
        let seen = visible.get(con.table.name.as_str()) == Some(&con.table_oid);
        all.push(row![oid, -1, definitions::index(con, !seen)]);
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

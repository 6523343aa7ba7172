//! What our functions look up by oid: visibility, definitions, comments, names.

use std::collections::HashMap;

use super::Source;
use crate::pgcatalog::{
    book::{self, Book, Relation},
    content::{Cell, Content, row},
    definitions, names,
    procedure::Procedure,
    rows, shapes, types,
};
use crate::sql::deparse::Definitions;

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

/// Words, their categories (`U`, `C`, `T`, `R`), and whether they can be a label without AS.
fn keyword_lines() -> impl Iterator<Item = (&'static str, &'static str, bool)> {
    KEYWORDS.lines().filter_map(|line| {
        let mut cells = line.split('\t');
        Some((cells.next()?, cells.next()?, cells.next()? == "1"))
    })
}

/// Whether a column of a SELECT can be called so without AS, as the grammar's `BareColLabel` says.
pub fn is_bare_label(word: &str) -> bool {
    keyword_lines().find(|line| line.0 == word).is_none_or(|(_, _, bare)| bare)
}

/// Whether a table or column can have this word for its name, as the grammar's `ColId` says.
pub fn is_name(word: &str) -> bool {
    keyword_lines().find(|line| line.0 == word).is_none_or(|(_, category, _)| matches!(category, "U" | "C"))
}

pub fn keywords() -> Content<'static> {
    let rows = keyword_lines().map(|(word, category, bare)| {
        let described = match category {
            "C" => "unreserved (cannot be function or type name)",
            "T" => "reserved (can be function or type name)",
            "R" => "reserved",
            _ => "unreserved",
        };
        row![word, category, bare, described, if bare { "can be bare label" } else { "requires AS" }]
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
            procedure.arguments(false),
            procedure.definition(line),
            procedure.signature(),
        ])
    });
    Content { columns: &["#k", "#v", "#r", "#d", "#i", "#f", "#s"], rows: rows.collect() }
}

/// `=(integer,integer)`, `-(NONE,integer)`.
pub fn operators() -> Content<'static> {
    let all: Vec<(u32, String)> = operator_names().collect();
    let short = |name: &str| name.split_once('(').map_or(name, |(name, _)| name).to_owned();
    let mut counts: HashMap<String, usize> = HashMap::new();
    all.iter().for_each(|(_, name)| *counts.entry(short(name)).or_default() += 1);
    let rows = all.into_iter().map(|(oid, name)| {
        let short = short(&name);
        let alone = counts.get(&short) == Some(&1);
        row![oid, name, if alone { short } else { format!("pg_catalog.{short}") }]
    });
    Content { columns: &["#k", "#v", "#o"], rows: rows.collect() }
}

fn operator_names() -> impl Iterator<Item = (u32, String)> {
    let lines = rows::of("pg_operator").unwrap_or_default().lines();
    lines.filter_map(|line| {
        let cells: Vec<&str> = line.split('\t').collect();
        let side = |at: usize| {
            let oid = cells.get(at)?.parse().ok()?;
            Some(if oid == 0 { "NONE".to_owned() } else { crate::pgcatalog::procedure::name(oid) })
        };
        let (left, right) = (side(7)?, side(8)?);
        Some((cells.first()?.parse().ok()?, format!("{}({left},{right})", cells.get(1)?)))
    })
}

/// The number of an operator written so.
#[must_use]
pub fn operator(text: &str) -> Option<u32> {
    let plain: String = text.split_whitespace().collect();
    let plain = plain.strip_prefix("pg_catalog.").unwrap_or(&plain);
    let wanted = with_sql_names(plain);
    let same = |name: &str| name.chars().filter(|c| !c.is_whitespace()).eq(wanted.chars());
    operator_names().find(|(_, name)| same(name)).map(|(oid, _)| oid)
}

/// `+(int4,int4)` as `+(integer,integer)`, without blanks.
fn with_sql_names(text: &str) -> String {
    let Some((name, sides)) = text.strip_suffix(')').and_then(|text| text.split_once('(')) else {
        return text.to_owned();
    };
    let shown = |side: &str| {
        let plain = side.strip_prefix("pg_catalog.").unwrap_or(side).to_lowercase();
        match crate::pgcatalog::types::by_name(&plain) {
            Some(ty) => crate::pgcatalog::procedure::name(ty.oid).split_whitespace().collect(),
            None if plain == "none" => "NONE".to_owned(),
            None => plain,
        }
    };
    format!("{name}({})", sides.split(',').map(shown).collect::<Vec<String>>().join(","))
}

/// The operators of a name.
pub fn operators_named(text: &str) -> Vec<u32> {
    let plain = text.trim();
    let plain = plain.strip_prefix("pg_catalog.").unwrap_or(plain);
    let named = |name: &str| name.split_once('(').is_some_and(|(name, _)| name == plain);
    operator_names().filter(|(_, name)| named(name)).map(|(oid, _)| oid).collect()
}

/// The number of a text search dictionary.
#[must_use]
pub fn dictionary(text: &str) -> Option<u32> {
    let plain = text.strip_prefix("pg_catalog.").unwrap_or(text);
    let mut lines = rows::of("pg_ts_dict").unwrap_or_default().lines();
    lines.find_map(|line| {
        let mut cells = line.split('\t');
        let oid = cells.next()?.parse().ok()?;
        (cells.next()? == plain).then_some(oid)
    })
}

pub fn dictionaries() -> Content<'static> {
    let lines = rows::of("pg_ts_dict").unwrap_or_default().lines();
    let rows = lines.filter_map(|line| {
        let mut cells = line.split('\t');
        Some(row![cells.next()?.parse::<u32>().ok()?, cells.next()?])
    });
    Content { columns: &["#k", "#v"], rows: rows.collect() }
}

/// What the default parser of text search tells apart: `ts_token_type`.
const TOKEN_TYPES: &str = include_str!("../data/token_types.tsv");

pub fn token_types() -> Content<'static> {
    let rows = TOKEN_TYPES.lines().filter_map(|line| {
        let mut cells = line.split('\t');
        Some(row![cells.next()?.parse::<i32>().ok()?, cells.next()?, cells.next()?])
    });
    Content { columns: &["tokid", "alias", "description"], rows: rows.collect() }
}

/// Comments on Postgres' own things.
pub fn system_descriptions() -> Content<'static> {
    let lines = rows::of("pg_description").unwrap_or_default().lines();
    let class = |oid: u32| shapes::all().iter().find(|shape| shape.oid == oid).map(|shape| shape.name);
    let rows = lines.filter_map(|line| {
        let mut cells = line.split('\t');
        let object: u32 = cells.next()?.parse().ok()?;
        let class = class(cells.next()?.parse().ok()?)?;
        Some(row![object, class, cells.next()?.parse::<i32>().ok()?, rows::unescaped(cells.next()?)])
    });
    Content { columns: &["#k", "#c", "#n", "#v"], rows: rows.collect() }
}

pub fn relations<'a>(system: &[Relation<'a>], book: &Book<'a>, search_path: &[String]) -> Content<'a> {
    let visible = book.visible(search_path);
    let rows = system.iter().chain(&book.relations).map(|r| {
        let seen = visible.get(r.name) == Some(&r.oid);
        let name = names::quoted(r.name);
        let shown = if seen { name } else { format!("{}.{name}", names::quoted(r.schema)) };
        row![r.oid, shown, seen, r.name, format!("{}.{}", r.schema, r.name), seen.then_some(r.name)]
    });
    Content { columns: &["#k", "#v", "#s", "#p", "#q", "#y"], rows: rows.collect() }
}

pub fn constraint_definitions<'a>(book: &Book<'a>, source: &Source<'_>) -> Content<'a> {
    let visible = book.visible(&source.search_path);
    let text = |con, pretty| definitions::constraint(book, con, &visible, &source.definitions, pretty);
    let rows = book.constraints.iter().map(|con| row![con.oid, text(con, false), text(con, true)]);
    let domains = super::domain::checks(book, &source.definitions).into_iter().map(|check| {
        let [full, pretty] = [false, true].map(|pretty| format!("CHECK ({})", check.expression.text(pretty)));
        row![check.oid, full, pretty]
    });
    Content { columns: &["#k", "#v", "#p"], rows: rows.chain(domains).collect() }
}

/// Column 0 is the whole definition. The numbers from -1 down are the same in pretty form: with fewer parentheses, and the
/// table as the search path finds it.
pub fn index_definitions<'a>(book: &Book<'a>, shown: &Definitions, search_path: &[String]) -> Content<'a> {
    let visible = book.visible(search_path);
    let mut all: Vec<Vec<Cell<'a>>> = Vec::new();
    for con in &book.constraints {
        let (Some(oid), Some(definition)) = (con.index, definitions::index(con, true)) else { continue };
        all.push(row![oid, 0, definition]);
        let seen = visible.get(con.table.name.as_str()) == Some(&con.table_oid);
        all.push(row![oid, -1, definitions::index(con, !seen)]);
        let columns = book::key_columns(con.constraint).unwrap_or_default();
        let named = columns
            .iter()
            .chain(&con.constraint.options.include)
            .filter_map(|id| con.table.column_by_id(*id))
            .zip(1_i32..);
        for (column, n) in named {
            let name = names::quoted(&column.name);
            all.extend([row![oid, n, name.clone()], row![oid, -1 - n, name]]);
        }
    }
    for ix in &book.indexes {
        let seen = visible.get(ix.table.name.as_str()) == Some(&ix.table_oid);
        all.push(row![ix.oid, 0, definitions::own_index(ix, shown, true)]);
        all.push(row![ix.oid, -1, definitions::own_index_pretty(ix, shown, !seen)]);
        let plain = definitions::index_columns(ix.table, ix.index, shown, false).into_iter().zip(1_i32..);
        all.extend(plain.map(|(text, n)| row![ix.oid, n, text]));
        let pretty = definitions::index_columns(ix.table, ix.index, shown, true).into_iter().zip(1_i32..);
        all.extend(pretty.map(|(text, n)| row![ix.oid, -1 - n, text]));
    }
    Content { columns: &["#k", "#n", "#v"], rows: all }
}

/// Expressions for the computer and for people, where these differ: what `pg_get_expr` is asked for.
pub fn expressions<'a>(book: &Book<'a>, source: &Source<'_>) -> Content<'a> {
    let seen = definitions::Seen::by(book, &source.search_path);
    let mut all: std::collections::BTreeMap<String, String> = std::collections::BTreeMap::new();
    for relation in &book.relations {
        let shown = |column| definitions::default_for_people(&source.definitions, relation, column, &seen);
        all.extend(relation.columns.iter().filter_map(shown));
    }
    let predicates = book.indexes.iter().filter_map(|ix| definitions::stored_predicate(ix.index, &source.definitions));
    all.extend(predicates);
    Content { columns: &["#k", "#p"], rows: all.into_iter().map(|(full, pretty)| row![full, pretty]).collect() }
}

pub fn view_definitions<'a>(book: &Book<'a>, source: &Source<'_>) -> Content<'a> {
    let visible = book.visible(&source.search_path);
    let text = |view, pretty| definitions::view(view, &source.definitions, &visible, book, pretty);
    let rows = book.relations.iter().filter_map(|r| match r.source {
        book::Source::View(view) => Some(row![r.oid, text(view, false), text(view, true)]),
        _ => None,
    });
    Content { columns: &["#k", "#v", "#p"], rows: rows.collect() }
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

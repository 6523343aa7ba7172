//! Definitions as text: what `pg_get_constraintdef`, `pg_get_indexdef`, `pg_get_viewdef` and `pg_get_expr` give.

use std::{
    collections::{HashMap, HashSet},
    fmt::Write as _,
};

use duckmesh_catalog::{
    ColumnId, ColumnType, ConstraintKind, DefaultValue, IndexDef, IndexKey, IndexedBy, TableDef, ViewDef,
    schema::ForeignKeyAction,
};

use super::{
    book::{Book, Column, Con, Ix, Relation, Source, key_columns, sql_schema},
    names, oids,
};
use crate::{
    sql::deparse::{self, Definitions},
    value,
};

/// `PRIMARY KEY (id)`, `CHECK (amount >= 0)`, …
#[must_use]
pub fn constraint(
    book: &Book<'_>,
    con: &Con<'_>,
    visible: &HashMap<&str, u32>,
    definitions: &Definitions,
    pretty: bool,
) -> String {
    let options = &con.constraint.options;
    let mut text = match &con.constraint.kind {
        ConstraintKind::Check { expression } => {
            let finds_public = visible.get(con.table.name.as_str()) == Some(&oids::table(con.table.id));
            let inherit = if options.no_inherit { " NO INHERIT" } else { "" };
            match definitions.check(con.table.id, &con.constraint.name) {
                Some(shown) => {
                    format!("CHECK ({}){inherit}", deparse::types_seen(shown.text(pretty), finds_public))
                }
                None => format!("CHECK ({}){inherit}", deparse::types_seen(expression, finds_public)),
            }
        }
        ConstraintKind::PrimaryKey { columns } => {
            format!("PRIMARY KEY ({}){}", column_list(con.table, columns), included(con))
        }
        ConstraintKind::Unique { columns } => {
            let nulls = if options.nulls_not_distinct { "NULLS NOT DISTINCT " } else { "" };
            format!("UNIQUE {nulls}({}){}", column_list(con.table, columns), included(con))
        }
        ConstraintKind::ForeignKey { columns, target, target_columns, rules } => {
            let found = book.target(target);
            let shown = match found {
                Some(table) => {
                    let schema = sql_schema(&target.0);
                    let visible = visible.get(table.name.as_str()) == Some(&oids::table(table.id));
                    let qualifier = if visible { String::new() } else { format!("{}.", names::quoted(schema)) };
                    format!("{qualifier}{}", names::quoted(&table.name))
                }
                None => format!("{}.{}", names::quoted(sql_schema(&target.0)), names::quoted(&target.1)),
            };
            let referred = match found {
                Some(table) => {
                    names::list(book.target_columns(table, target_columns).into_iter().map(|c| c.name.as_str()))
                }
                None => names::list(target_columns.iter().map(String::as_str)),
            };
            let mut text = format!("FOREIGN KEY ({}) REFERENCES {shown}({referred})", column_list(con.table, columns));
            if rules.full {
                text.push_str(" MATCH FULL");
            }
            for (event, action) in [("UPDATE", rules.on_update), ("DELETE", rules.on_delete)] {
                if action != ForeignKeyAction::NoAction {
                    let _ = write!(text, " ON {event} {}", action.words());
                }
            }
            text
        }
    };
    let (deferrable, deferred) = deferral(con);
    for (said, words) in
        [(deferrable, " DEFERRABLE"), (deferred, " INITIALLY DEFERRED"), (options.not_valid, " NOT VALID")]
    {
        text.push_str(if said { words } else { "" });
    }
    text
}

/// Whether a constraint is DEFERRABLE, and INITIALLY DEFERRED.
#[must_use]
pub fn deferral(con: &Con<'_>) -> (bool, bool) {
    match &con.constraint.kind {
        ConstraintKind::ForeignKey { rules, .. } => (rules.deferrable, rules.deferred),
        _ => (con.constraint.options.deferrable, con.constraint.options.deferred),
    }
}

/// ` INCLUDE (a)` of a key.
fn included(con: &Con<'_>) -> String {
    match con.constraint.options.include.as_slice() {
        [] => String::new(),
        columns => format!(" INCLUDE ({})", column_list(con.table, columns)),
    }
}

/// `CREATE UNIQUE INDEX …` of a key; with its table's schema or without.
#[must_use]
pub fn index(con: &Con<'_>, qualified: bool) -> Option<String> {
    let columns = key_columns(con.constraint)?;
    Some(format!(
        "CREATE UNIQUE INDEX {} ON {}{} USING btree ({}){}{}",
        names::quoted(&con.constraint.name),
        if qualified { format!("{}.", names::quoted(con.schema)) } else { String::new() },
        names::quoted(&con.table.name),
        column_list(con.table, columns),
        included(con),
        if con.constraint.options.nulls_not_distinct { " NULLS NOT DISTINCT" } else { "" },
    ))
}

/// `CREATE INDEX …` of one that is no key's.
#[must_use]
pub fn own_index(ix: &Ix<'_>, definitions: &Definitions, qualified: bool) -> String {
    index_text(ix, definitions, qualified, false)
}

/// The same with fewer parentheses.
#[must_use]
pub fn own_index_pretty(ix: &Ix<'_>, definitions: &Definitions, qualified: bool) -> String {
    index_text(ix, definitions, qualified, true)
}

fn index_text(ix: &Ix<'_>, definitions: &Definitions, qualified: bool, pretty: bool) -> String {
    let (table, index) = (ix.table, ix.index);
    let mut keys = Vec::with_capacity(index.keys.len());
    for (key, mut text) in index.keys.iter().zip(index_columns(table, index, definitions, pretty)) {
        if let Some(class) = &key.class {
            text.push(' ');
            text.push_str(class);
        }
        text.push_str(match (key.descending, key.nulls_first) {
            (false, false) => "",
            (false, true) => " NULLS FIRST",
            (true, true) => " DESC",
            (true, false) => " DESC NULLS LAST",
        });
        keys.push(text);
    }
    let mut text = format!(
        "CREATE {}INDEX {} ON {}{} USING {} ({})",
        if index.unique { "UNIQUE " } else { "" },
        names::quoted(&index.name),
        if qualified { format!("{}.", names::quoted(ix.schema)) } else { String::new() },
        names::quoted(&table.name),
        index.method,
        keys.join(", ")
    );
    if !index.include.is_empty() {
        let _ = write!(text, " INCLUDE ({})", column_list(table, &index.include));
    }
    if index.nulls_not_distinct {
        text.push_str(" NULLS NOT DISTINCT");
    }
    if let Some(condition) = &index.predicate {
        let condition = deparse::types_seen(definitions.index_text(index, condition, pretty), true);
        let condition = if pretty { condition } else { predicate(&condition) };
        let _ = write!(text, " WHERE {condition}");
    }
    text
}

/// What an index orders by, as `pg_get_indexdef` shows its columns; included ones behind.
#[must_use]
pub fn index_columns(table: &TableDef, index: &IndexDef, definitions: &Definitions, pretty: bool) -> Vec<String> {
    let column = |id: &ColumnId| table.column_by_id(*id).map_or_else(String::new, |c| names::quoted(&c.name));
    let keys = index.keys.iter().map(|key| match &key.of {
        IndexedBy::Column(id) => column(id),
        // A call stands by itself, everything else in parentheses.
        IndexedBy::Expression(_, text) => {
            let text = deparse::types_seen(definitions.index_text(index, text, pretty), true);
            match (is_call(&text), pretty) {
                (true, _) => text,
                (false, true) => predicate(&text),
                (false, false) => format!("({})", predicate(&text)),
            }
        }
    });
    keys.chain(index.include.iter().map(column)).collect()
}

/// The expressions of an index.
#[must_use]
pub fn index_expressions(index: &IndexDef, definitions: &Definitions) -> Vec<String> {
    let expression = |key: &IndexKey| match &key.of {
        IndexedBy::Column(_) => None,
        IndexedBy::Expression(_, text) => {
            let text = deparse::types_seen(definitions.index_text(index, text, false), true);
            Some(if is_call(&text) { text } else { predicate(&text) })
        }
    };
    index.keys.iter().filter_map(expression).collect()
}

/// A condition in parentheses.
#[must_use]
pub fn predicate(text: &str) -> String {
    if text.starts_with('(') && closes(text, 0) == Some(text.len() - 1) { text.to_owned() } else { format!("({text})") }
}

/// An index's condition for the computer, as `pg_index` has it, and for people.
#[must_use]
pub fn stored_predicate(index: &IndexDef, definitions: &Definitions) -> Option<(String, String)> {
    let text = index.predicate.as_deref()?;
    let [whole, shown] =
        [false, true].map(|pretty| deparse::types_seen(definitions.index_text(index, text, pretty), true));
    Some((predicate(&whole), shown))
}

/// Whether a text is one call: a name, and parentheses to its end.
fn is_call(text: &str) -> bool {
    let name = text.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
    name > 0 && text.as_bytes().get(name) == Some(&b'(') && closes(text, name) == Some(text.len() - 1)
}

/// Where the parenthesis that opens there is closed; texts in quotes do not count.
fn closes(text: &str, open: usize) -> Option<usize> {
    let (mut depth, mut quote) = (0_usize, None);
    for (at, byte) in text.bytes().enumerate().skip(open) {
        match (quote, byte) {
            (Some(q), b) if b == q => quote = None,
            (None, b'\'' | b'"') => quote = Some(byte),
            (None, b'(') => depth += 1,
            (None, b')') => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

/// A view's query.
#[must_use]
pub fn view(
    view: &ViewDef,
    definitions: &Definitions,
    visible: &HashMap<&str, u32>,
    book: &Book<'_>,
    pretty: bool,
) -> String {
    if let Some(shown) = definitions.view(view.id) {
        let is_visible = |schema: &str, name: &str| {
            let own = book.relations.iter().find(|r| r.name == name && r.schema == schema);
            own.is_some_and(|r| visible.get(name) == Some(&r.oid))
        };
        let finds_public = visible.get(view.name.as_str()) == Some(&oids::view(view.id));
        return deparse::types_seen(&deparse::seen(shown.text(pretty), is_visible), finds_public);
    }
    let sql = view.postgres_sql.as_deref().unwrap_or(&view.duckdb_sql);
    format!(" {};", sql.trim().trim_end_matches(';'))
}

fn column_list(table: &TableDef, columns: &[ColumnId]) -> String {
    names::list(columns.iter().filter_map(|id| table.column_by_id(*id)).map(|c| c.name.as_str()))
}

/// What somebody finds without naming its schema.
#[derive(Debug, Default)]
pub struct Seen<'a> {
    finds_public: bool,
    /// Schemas and names.
    sequences: HashSet<(&'a str, &'a str)>,
}

impl<'a> Seen<'a> {
    /// By a search path.
    #[must_use]
    pub fn by(book: &Book<'a>, search_path: &[String]) -> Self {
        let visible = book.visible(search_path);
        let sequences = book.relations.iter().filter(|r| r.kind == 'S' && visible.get(r.name) == Some(&r.oid));
        Self {
            finds_public: search_path.iter().any(|schema| schema == "public"),
            sequences: sequences.map(|r| (r.schema, r.name)).collect(),
        }
    }

    /// A text with the sequences that it takes numbers of: `nextval('t_id_seq'::regclass)`.
    fn of_sequences(&self, text: &str) -> String {
        const CALL: &str = "nextval('";
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once(CALL) {
            out.push_str(before);
            out.push_str(CALL);
            let parts = split_name(behind).and_then(|(schema, rest)| Some((schema, rest.strip_prefix('.')?)));
            rest = match parts {
                Some((schema, name)) => match split_name(name) {
                    Some((own, _)) if self.sequences.contains(&(schema.as_str(), own.as_str())) => name,
                    _ => behind,
                },
                None => behind,
            };
        }
        out + rest
    }
}

/// The name that a text begins with, and what follows it.
fn split_name(text: &str) -> Option<(String, &str)> {
    match text.strip_prefix('"') {
        Some(quoted) => {
            let (name, rest) = quoted.split_once('"')?;
            Some((name.to_owned(), rest))
        }
        None => {
            let end = text.find(['.', '\'', '"'])?;
            Some((text.get(..end)?.to_owned(), text.get(end..)?))
        }
    }
}

/// A default as Postgres writes it: `'new'::text`, `0`, `now()`.
#[must_use]
pub fn default(default: &DefaultValue, ty: &ColumnType, seen: &Seen<'_>) -> String {
    use ColumnType as T;
    let text = match default {
        DefaultValue::Expression(expression) => {
            return seen.of_sequences(&deparse::types_seen(expression, seen.finds_public));
        }
        DefaultValue::Generated(expression) => return predicate(&deparse::types_seen(expression, seen.finds_public)),
        DefaultValue::Literal(text) => text,
    };
    let typed = |text: &str, name: &str| format!("{}::{name}", names::literal(text));
    match ty {
        T::Bool => text.clone(),
        T::Int2 | T::Int4 | T::Int8 | T::Numeric(..) | T::Float4 | T::Float8 => {
            let plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.') && !text.is_empty();
            let name = if matches!(ty, T::Int4 | T::Int8 | T::Int2) && text.parse::<i32>().is_ok() {
                "integer".to_owned()
            } else {
                base_name(ty)
            };
            // The lake keeps a constant with its column's scale: `0` comes back as `0.00`.
            let whole =
                text.split_once('.').filter(|(_, rest)| rest.bytes().all(|b| b == b'0')).map(|(whole, _)| whole);
            let shown = whole.unwrap_or(text);
            if plain { shown.to_owned() } else { typed(shown, &name) }
        }
        T::Bytea => typed(&format!("\\x{}", text.to_ascii_lowercase()), "bytea"),
        T::Char(_) => typed(text, "bpchar"),
        T::Enum(of) => {
            let now = of.former().find(|(old, _)| *old == text.as_str()).map_or(text.as_str(), |(_, now)| now);
            typed(now, &of.to_string())
        }
        T::Array(_) => {
            let shown = value::shown_lake_text(ty, text);
            typed(shown.as_deref().unwrap_or(text), &base_name(ty))
        }
        _ => match base_name(ty).as_str() {
            // The constant has no length, and a bare `bit` has one.
            "bit" => typed(text, "\"bit\""),
            name => typed(text, name),
        },
    }
}

/// A column's default.
#[must_use]
pub fn column_default(
    definitions: &Definitions,
    relation: &Relation<'_>,
    column: &Column<'_>,
    seen: &Seen<'_>,
) -> Option<String> {
    match computed_default(definitions, relation, column) {
        Some(shown) => Some(deparse::types_seen(&shown.full, seen.finds_public)),
        None => Some(default(column.default?, column.ty?, seen)),
    }
}

/// A computed default for the computer and for people, where these differ.
#[must_use]
pub fn default_for_people(
    definitions: &Definitions,
    relation: &Relation<'_>,
    column: &Column<'_>,
    seen: &Seen<'_>,
) -> Option<(String, String)> {
    let shown = computed_default(definitions, relation, column).filter(|shown| shown.full != shown.pretty)?;
    let [full, pretty] = [&shown.full, &shown.pretty].map(|text| deparse::types_seen(text, seen.finds_public));
    Some((full, pretty))
}

fn computed_default<'d>(
    definitions: &'d Definitions,
    relation: &Relation<'_>,
    column: &Column<'_>,
) -> Option<&'d deparse::Shown> {
    let Source::Table(table) = relation.source else { return None };
    let def = table.columns.iter().find(|c| c.name == column.name)?;
    definitions.column_default(table.id, def.id)
}

/// A type's name without its modifier.
fn base_name(ty: &ColumnType) -> String {
    match ty {
        ColumnType::Numeric(..) => "numeric".to_owned(),
        ColumnType::Varchar(_) => "character varying".to_owned(),
        ColumnType::Char(_) => "character".to_owned(),
        ColumnType::Modified(ty, _) => base_name(ty),
        ColumnType::Array(element) | ColumnType::Grid(element) => format!("{}[]", base_name(element)),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_as_postgres_writes_them() {
        use ColumnType as T;
        let literal = |text: &str| DefaultValue::Literal(text.to_owned());
        for (value, ty, expect) in [
            (literal("0"), T::Numeric(12, 2), "0"),
            (literal("0.00"), T::Numeric(12, 2), "0"),
            (literal("1.50"), T::Numeric(12, 2), "1.50"),
            (literal("-1"), T::Int4, "'-1'::integer"),
            (literal("-1"), T::Int8, "'-1'::integer"),
            (literal("true"), T::Bool, "true"),
            (literal("FR"), T::Char(2), "'FR'::bpchar"),
            (literal("it's"), T::Text, "'it''s'::text"),
            (literal("x"), T::Varchar(Some(20)), "'x'::character varying"),
            (literal("2024-01-01"), T::Date, "'2024-01-01'::date"),
            (literal("DEAD"), T::Bytea, "'\\xdead'::bytea"),
            (literal("[]"), T::Array(Box::new(T::Text)), "'{}'::text[]"),
            (literal("[a, 'b c']"), T::Array(Box::new(T::Text)), "'{a,\"b c\"}'::text[]"),
            (DefaultValue::Expression("now()".into()), T::Timestamptz, "now()"),
        ] {
            assert_eq!(default(&value, &ty, &Seen::default()), expect);
        }
    }
}

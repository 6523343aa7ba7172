//! Which views read a relation or a column.
//!
//! A view's columns are compared by name alone: a view that may read a column counts as reading it.

use std::sync::Arc;

use duckmesh_catalog::{
    LakeSchema,
    ids::SchemaId,
    schema::{DEFAULT_SCHEMA, ViewDef},
};
use sqlparser::{
    ast::{Ident, visit_relations},
    tokenizer::{Token, Tokenizer},
};
use std::ops::ControlFlow;

use super::{
    Planner,
    lookup::Relation,
    names::{fold, schema_in_lake},
};
use crate::sql::dialect::Postgres;
use crate::sql::parse;

/// A view, and what it depends on.
#[derive(Clone, Debug)]
pub(super) struct Dependent {
    pub(super) view: Arc<ViewDef>,
    pub(super) on: Relation,
    pub(super) column: Option<String>,
}

/// Tables and views of a schema, in the order they were made.
pub(super) fn relations_of(lake: &LakeSchema, schema: SchemaId) -> Vec<Relation> {
    let tables = lake.tables.values().filter(|t| t.schema_id == schema);
    let views = lake.views.values().filter(|v| v.schema_id == schema);
    // Sequences of columns go with their tables.
    let sequences = lake.sequences.values().filter(|s| s.schema_id == schema && s.spec.owner.is_none());
    tables
        .map(|t| Relation::Table(Arc::clone(t)))
        .chain(views.map(|v| Relation::View(Arc::clone(v))))
        .chain(sequences.map(|s| Relation::Sequence(Arc::clone(s))))
        .collect()
}

/// Views that read one of the relations, directly or through each other, and are not among them.
pub(super) fn views_on(planner: &Planner<'_>, relations: &[Relation]) -> Vec<Dependent> {
    let mut found = Vec::new();
    for relation in relations {
        collect(planner, relation, None, relations, &mut found);
    }
    found
}

/// Views that read a column of a table, and those that read these.
pub(super) fn views_on_column(planner: &Planner<'_>, table: &Relation, column: &str) -> Vec<Dependent> {
    let mut found = Vec::new();
    collect(planner, table, Some(column), &[], &mut found);
    found
}

fn collect(planner: &Planner<'_>, on: &Relation, column: Option<&str>, known: &[Relation], found: &mut Vec<Dependent>) {
    let lake = &planner.ctx.schema;
    for view in lake.views.values() {
        let listed = known.iter().any(|r| r.uuid() == view.uuid)
            || found.iter().any(|d| d.view.uuid == view.uuid)
            || on.uuid() == view.uuid;
        if listed || !reads(lake, view, on) {
            continue;
        }
        if column.is_some_and(|column| !names_column(view, column)) {
            continue;
        }
        found.push(Dependent { view: Arc::clone(view), on: on.clone(), column: column.map(str::to_owned) });
        collect(planner, &Relation::View(Arc::clone(view)), None, known, found);
    }
}

/// The SQL that says what a view reads. A view that others made has no Postgres SQL; DuckDB's is read as well as it can be.
fn sql_of(view: &ViewDef) -> String {
    match &view.postgres_sql {
        Some(sql) => sql.clone(),
        None => view.duckdb_sql.replace("{DUCKLAKE_CATALOG}.", "").replace("\"{DUCKLAKE_CATALOG}\".", ""),
    }
}

pub(super) fn reads(lake: &LakeSchema, view: &ViewDef, on: &Relation) -> bool {
    let sql = sql_of(view);
    // Most views do not: then there is no need to parse them.
    let name = on.name().to_lowercase();
    if !name.contains('"') && !sql.to_lowercase().contains(&name) {
        return false;
    }
    let Ok(query) = parse::query(&sql) else {
        return false;
    };
    let schema = on.schema(lake);
    let own = lake.schema_name(view.schema_id).unwrap_or_default();
    let mut found = false;
    let _ = visit_relations(&query, |name| {
        let parts: Vec<_> = name.0.iter().filter_map(|p| p.as_ident()).collect();
        let same = match parts.as_slice() {
            [.., s, n] => schema_of(s) == schema && named(n) == on.name(),
            [n] => view.postgres_sql.is_none() && own == schema && named(n) == on.name(),
            [] => false,
        };
        found |= same;
        if found { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    found
}

/// The lake's name of a schema in a stored view: `main` there is `public` too.
pub(super) fn schema_of(ident: &Ident) -> String {
    let name = named(ident);
    schema_in_lake(&name).unwrap_or(DEFAULT_SCHEMA).to_owned()
}

fn named(ident: &Ident) -> String {
    match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => fold(&ident.value),
    }
}

/// Whether a view's text has the column's name in it, or a `*` that stands for all columns.
pub(super) fn names_column(view: &ViewDef, column: &str) -> bool {
    let sql = sql_of(view);
    let dialect = Postgres {};
    let Ok(mut tokens) = Tokenizer::new(&dialect, &sql).tokenize() else {
        return true;
    };
    tokens.retain(|t| !matches!(t, Token::Whitespace(_)));
    tokens.iter().enumerate().any(|(i, token)| match token {
        Token::Word(w) if w.quote_style.is_some() => w.value == column,
        Token::Word(w) => fold(&w.value) == column,
        Token::Mul => is_wildcard(i.checked_sub(1).and_then(|before| tokens.get(before))),
        _ => false,
    })
}

fn is_wildcard(before: Option<&Token>) -> bool {
    match before {
        Some(Token::Comma | Token::Period) => true,
        Some(Token::Word(w)) => {
            w.quote_style.is_none() && matches!(fold(&w.value).as_str(), "select" | "distinct" | "all")
        }
        _ => false,
    }
}

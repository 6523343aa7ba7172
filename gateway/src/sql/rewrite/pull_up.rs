//! Subqueries in FROM whose lists hold subqueries, joined with others: their FROM becomes part of the query's own, as Postgres
//! does it. The engine computes a list for all rows before it joins them; asyncpg asks for the fields of a few types so, and
//! would get those of each type that is there.

use std::ops::ControlFlow;

use sqlparser::ast::{
    BinaryOperator, Expr, Function, GroupByExpr, Ident, Query, Select, SelectItem, SetExpr, TableFactor,
    TableWithJoins, Value, Visit, VisitMut, visit_expressions, visit_expressions_mut, visit_relations,
};

use super::{call::is_aggregate, own};
use crate::sql::quote;

/// Names of a list that are written out, all told.
const NAMES_MAX: usize = 100;

/// A list's columns by their names.
type Items<'a> = Vec<(String, &'a Expr)>;

/// The query with the first such subquery's FROM in its own. None: there is none, or one that cannot be taken apart without
/// another meaning.
pub(super) fn pulled(select: &Select) -> Option<Select> {
    let asks = has_subquery(&select.projection) || has_subquery(&select.selection);
    if select.from.len() < 2 || asks || !is_simple(select) {
        return None;
    }
    let at =
        select.from.iter().position(|from| derived(from).is_some_and(|(_, inner)| has_subquery(&inner.projection)))?;
    let (name, inner) = derived(select.from.get(at)?)?;
    let items = items_of(inner)?;
    let mut out = select.clone();
    out.from.remove(at);
    let (own, others) = (names_of(&inner.from)?, names_of(&out.from)?);
    // Outside nobody may name what is inside.
    if own.iter().any(|name| others.contains(name) || !reads(&out, name).is_empty()) {
        return None;
    }
    for item in &mut out.projection {
        keep_name(item)?;
    }
    if let Some(condition) = &out.selection
        && reads(condition, &name).iter().any(|column| items.iter().any(|(n, e)| n == column && has_subquery(*e)))
    {
        return None;
    }
    let used: Vec<String> = out.projection.iter().flat_map(|item| reads(item, &name)).collect();
    let repeated = |(n, e): &(String, &Expr)| has_subquery(*e) && used.iter().filter(|column| *column == n).count() > 1;
    if used.len() > NAMES_MAX || items.iter().any(repeated) {
        return None;
    }
    put(&mut out.projection, &name, &items)?;
    put(&mut out.selection, &name, &items)?;
    out.selection = match (inner.selection.clone(), out.selection.take()) {
        (Some(inner), Some(outer)) => Some(Expr::BinaryOp {
            left: Box::new(Expr::Nested(Box::new(inner))),
            op: BinaryOperator::And,
            right: Box::new(Expr::Nested(Box::new(outer))),
        }),
        (inner, outer) => inner.or(outer),
    };
    out.from.splice(at..at, inner.from.iter().cloned());
    Some(out)
}

/// A query of FROM, WHERE and a list alone, each of whose own names says of which relation it is.
fn is_simple(select: &Select) -> bool {
    let Select { distinct: None, having: None, qualify: None, group_by, .. } = select else { return false };
    let plain =
        matches!(group_by, GroupByExpr::Expressions(keys, modifiers) if keys.is_empty() && modifiers.is_empty());
    let qualified = |expr: &Expr| match expr {
        Expr::Identifier(_) | Expr::Wildcard(_) | Expr::QualifiedWildcard(..) => ControlFlow::Break(()),
        Expr::CompoundIdentifier(parts) if parts.len() != 2 => ControlFlow::Break(()),
        Expr::Function(function) if !is_conditional(function) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    };
    // What is another value at each call must be called as often as before.
    let steady = |expr: &Expr| match expr {
        Expr::Function(function) if !is_conditional(function) && !is_aggregation(function) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    };
    let wild = |item: &SelectItem| matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..));
    plain
        && select.named_window.is_empty()
        && !select.projection.iter().any(wild)
        && own::visit(&select.projection, qualified).is_continue()
        && visit_expressions(&select.projection, steady).is_continue()
        && own::visit(&select.selection, qualified).is_continue()
}

/// Calls that are one value for one row, each time the same.
fn is_conditional(function: &Function) -> bool {
    let name = function.name.to_string();
    ["coalesce", "nullif", "greatest", "least"].iter().any(|one| name.eq_ignore_ascii_case(one))
}

fn is_aggregation(function: &Function) -> bool {
    is_aggregate(&function.name.to_string().to_ascii_lowercase())
}

/// A simple subquery that stands in FROM alone, and its name.
fn derived(from: &TableWithJoins) -> Option<(String, &Select)> {
    let TableFactor::Derived { lateral: false, subquery, alias: Some(alias), sample: None } = &from.relation else {
        return None;
    };
    let Query { with: None, body, order_by: None, limit_clause: None, fetch: None, locks, .. } = subquery.as_ref()
    else {
        return None;
    };
    match body.as_ref() {
        SetExpr::Select(inner)
            if from.joins.is_empty()
                && alias.columns.is_empty()
                && locks.is_empty()
                && !inner.from.is_empty()
                && is_simple(inner) =>
        {
            Some((quote::fold(&alias.name), inner))
        }
        _ => None,
    }
}

fn has_subquery<T: Visit>(node: &T) -> bool {
    let asks = |expr: &Expr| match expr {
        Expr::Subquery(_) | Expr::Exists { .. } | Expr::InSubquery { .. } => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    };
    own::visit(node, asks).is_break()
}

/// None: a column has no name of its own, the one of another, or is a constant, whose type would be another elsewhere.
fn items_of(select: &Select) -> Option<Items<'_>> {
    let mut items = Items::new();
    for item in &select.projection {
        let (name, expr) = match item {
            SelectItem::UnnamedExpr(expr @ Expr::CompoundIdentifier(parts)) => (quote::fold(parts.last()?), expr),
            SelectItem::ExprWithAlias { expr, alias } => (quote::fold(alias), expr),
            _ => return None,
        };
        if matches!(expr, Expr::Value(value) if !matches!(value.value, Value::Boolean(_)))
            || items.iter().any(|(other, _)| *other == name)
        {
            return None;
        }
        items.push((name, expr));
    }
    Some(items)
}

/// What the relations of FROM are called, those of its subqueries too. None: others than tables and subqueries are there.
fn names_of(from: &Vec<TableWithJoins>) -> Option<Vec<String>> {
    let mut names: Vec<String> = Vec::new();
    let _ = visit_relations(from, |relation| {
        names.extend(quote::parts(relation).and_then(|mut parts| parts.pop()));
        ControlFlow::<()>::Continue(())
    });
    for from in from {
        for factor in std::iter::once(&from.relation).chain(from.joins.iter().map(|join| &join.relation)) {
            match factor {
                TableFactor::Table { alias, .. } | TableFactor::Derived { alias, .. } => {
                    names.extend(alias.iter().map(|alias| quote::fold(&alias.name)));
                }
                _ => return None,
            }
        }
    }
    Some(names)
}

/// A column of a list keeps the name that it gets from what it is. None: it gets it from what is put for it.
fn keep_name(item: &mut SelectItem) -> Option<()> {
    match item {
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => {
            let alias = parts.last()?.clone();
            let expr = Expr::CompoundIdentifier(parts.clone());
            *item = SelectItem::ExprWithAlias { expr, alias };
            Some(())
        }
        SelectItem::UnnamedExpr(Expr::BinaryOp { .. }) | SelectItem::ExprWithAlias { .. } => Some(()),
        _ => None,
    }
}

/// The columns of a relation that something names.
fn reads<T: Visit>(node: &T, relation: &str) -> Vec<String> {
    let mut names = Vec::new();
    let _ = visit_expressions(node, |expr| {
        if let Some(column) = column_of(expr, relation) {
            names.push(quote::fold(column));
        }
        ControlFlow::<()>::Continue(())
    });
    names
}

fn column_of<'a>(expr: &'a Expr, relation: &str) -> Option<&'a Ident> {
    match expr {
        Expr::CompoundIdentifier(parts) => match parts.as_slice() {
            [table, column] if quote::fold(table) == relation => Some(column),
            _ => None,
        },
        _ => None,
    }
}

/// Puts what they are for a relation's columns. None: there is none of that name.
fn put<T: VisitMut>(node: &mut T, relation: &str, items: &Items<'_>) -> Option<()> {
    let done = visit_expressions_mut(node, |expr| {
        let Some(column) = column_of(expr, relation).map(quote::fold) else { return ControlFlow::Continue(()) };
        match items.iter().find(|(name, _)| *name == column) {
            Some((_, value)) => {
                *expr = Expr::Nested(Box::new((*value).clone()));
                ControlFlow::Continue(())
            }
            None => ControlFlow::Break(()),
        }
    });
    done.is_continue().then_some(())
}

//! Whether a cursor over a query goes backward in PostgreSQL, where it says neither SCROLL nor NO SCROLL: there it depends on the
//! plan. A scan of one relation does, and so does whatever is sorted at last; a join, a group or a set of rows does not.

use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, Query, Select, SelectItem, SetExpr, SetOperator, SetQuantifier, TableFactor, visit_expressions,
};

use super::{parse, quote, rewrite::is_aggregate};

/// Queries inside each other that are looked at.
const DEPTH_MAX: usize = 16;
/// Functions that make several rows of one in a SELECT's list.
const SETS: [&str; 9] = [
    "generate_series",
    "unnest",
    "generate_subscripts",
    "regexp_matches",
    "regexp_split_to_table",
    "string_to_table",
    "json_array_elements",
    "jsonb_array_elements",
    "jsonb_path_query",
];

/// Whether Postgres' plan for it goes backward, as far as its text tells.
pub fn scans(text: &str) -> bool {
    parse::query(text).is_ok_and(|query| of_query(&query, false, 0))
}

fn of_query(query: &Query, sorted: bool, depth: usize) -> bool {
    if depth > DEPTH_MAX || !query.locks.is_empty() {
        return false;
    }
    let sorted = sorted || query.order_by.is_some();
    match query.body.as_ref() {
        SetExpr::Select(select) => of_select(select, sorted, depth),
        SetExpr::Query(inner) => of_query(inner, sorted, depth + 1),
        SetExpr::SetOperation { .. } if sorted => true,
        SetExpr::SetOperation { op: SetOperator::Union, set_quantifier: SetQuantifier::All, left, right } => {
            of_side(left, depth + 1) && of_side(right, depth + 1)
        }
        SetExpr::Values(_) | SetExpr::Table(_) => true,
        _ => false,
    }
}

fn of_side(body: &SetExpr, depth: usize) -> bool {
    match body {
        SetExpr::Select(select) => of_select(select, false, depth),
        SetExpr::Query(query) => of_query(query, false, depth),
        SetExpr::SetOperation { op: SetOperator::Union, set_quantifier: SetQuantifier::All, left, right } => {
            depth < DEPTH_MAX && of_side(left, depth + 1) && of_side(right, depth + 1)
        }
        SetExpr::Values(_) | SetExpr::Table(_) => true,
        _ => false,
    }
}

fn of_select(select: &Select, sorted: bool, depth: usize) -> bool {
    let [from] = select.from.as_slice() else {
        // A row of constants is computed once.
        return sorted && !select.from.is_empty();
    };
    if sorted {
        return true;
    }
    let grouped = select.distinct.is_some() || select.having.is_some() || !is_empty(&select.group_by);
    if grouped || !from.joins.is_empty() || select.projection.iter().any(makes_or_takes_rows) {
        return false;
    }
    let joins = |expr: &Expr| match expr {
        Expr::InSubquery { negated: false, .. } | Expr::Exists { .. } => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    };
    if select.selection.as_ref().is_some_and(|condition| visit_expressions(condition, joins).is_break()) {
        return false;
    }
    match &from.relation {
        TableFactor::Table { sample, .. } => sample.is_none(),
        TableFactor::Derived { subquery, .. } => of_query(subquery, false, depth + 1),
        _ => true,
    }
}

fn is_empty(groups: &sqlparser::ast::GroupByExpr) -> bool {
    matches!(groups, sqlparser::ast::GroupByExpr::Expressions(all, modifiers) if all.is_empty() && modifiers.is_empty())
}

/// Whether an item of the list is an aggregate or a window, or gives several rows.
fn makes_or_takes_rows(item: &SelectItem) -> bool {
    let (SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) = item else { return false };
    let of_rows = |expr: &Expr| match expr {
        Expr::Function(function) => {
            let name = quote::parts(&function.name).and_then(|mut parts| parts.pop()).unwrap_or_default();
            let found = function.over.is_some() || is_aggregate(&name) || SETS.contains(&name.as_str());
            if found { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        }
        _ => ControlFlow::Continue(()),
    };
    visit_expressions(expr, of_rows).is_break()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_postgres_plans() {
        for sql in [
            "SELECT * FROM t",
            "SELECT a + 1 FROM t WHERE b > 2 LIMIT 3",
            "TABLE t",
            "VALUES (1), (2)",
            "SELECT * FROM generate_series(1, 3)",
            "SELECT x FROM (SELECT a AS x FROM t) s",
            "SELECT a FROM t UNION ALL SELECT b FROM u",
            "SELECT count(*), a FROM t GROUP BY a ORDER BY 1",
            "SELECT * FROM t JOIN u ON t.a = u.a ORDER BY 1",
        ] {
            assert!(scans(sql), "{sql}");
        }
        for sql in [
            "SELECT 1",
            "SELECT count(*) FROM t",
            "SELECT a FROM t GROUP BY a",
            "SELECT DISTINCT a FROM t",
            "SELECT * FROM t, u",
            "SELECT * FROM t JOIN u ON t.a = u.a",
            "SELECT a FROM t UNION SELECT b FROM u",
            "SELECT row_number() OVER () FROM t",
            "SELECT generate_series(1, 3) FROM t",
            "SELECT * FROM t WHERE a IN (SELECT b FROM u)",
            "SELECT * FROM t FOR UPDATE",
            "SELECT x FROM (SELECT sum(a) AS x FROM t) s",
        ] {
            assert!(!scans(sql), "{sql}");
        }
    }
}

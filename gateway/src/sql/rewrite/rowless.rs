//! Subqueries without rows of their own: `(SELECT a + 1)` is `a + 1`.

use std::ops::ControlFlow;

use sqlparser::ast::{Expr, GroupByExpr, Query, Select, SelectItem, SetExpr, Visit, Visitor};

use crate::sql::empty_list;

/// What a subquery without FROM is the value of. None: it has more clauses, calls a function (which may be an aggregate, give rows
/// or another value each time), or is a constant, which nothing is gained for.
pub(super) fn value(query: &Query) -> Option<&Expr> {
    let Query { with: None, body, order_by: None, limit_clause: None, fetch: None, .. } = query else { return None };
    let SetExpr::Select(select) = body.as_ref() else { return None };
    let Select { distinct: None, from, selection: None, having: None, qualify: None, group_by, projection, .. } =
        select.as_ref()
    else {
        return None;
    };
    let grouped =
        !matches!(group_by, GroupByExpr::Expressions(keys, modifiers) if keys.is_empty() && modifiers.is_empty());
    let ([SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }], true) =
        (projection.as_slice(), from.is_empty() && !grouped && select.named_window.is_empty())
    else {
        return None;
    };
    if empty_list::is_empty(projection) {
        return None;
    }
    let mut found = Found::default();
    let plain = expr.visit(&mut found).is_continue();
    (plain && found.names).then_some(expr)
}

/// What stands in an expression itself, not in its subqueries.
#[derive(Default)]
struct Found {
    depth: usize,
    names: bool,
}

impl Visitor for Found {
    type Break = ();

    fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::Function(_) | Expr::Wildcard(_) | Expr::QualifiedWildcard(..) if self.depth == 0 => {
                return ControlFlow::Break(());
            }
            Expr::Identifier(_) | Expr::CompoundIdentifier(_) => self.names |= self.depth == 0,
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

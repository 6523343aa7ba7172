//! Subqueries without rows of their own: `(SELECT a + 1)` is `a + 1`.

use std::ops::ControlFlow;

use sqlparser::ast::{Expr, GroupByExpr, Query, Select, SelectItem, SetExpr};

use super::own;
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
    let mut names = false;
    let plain = own::visit(expr, |expr| match expr {
        Expr::Function(_) | Expr::Wildcard(_) | Expr::QualifiedWildcard(..) => ControlFlow::Break(()),
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => {
            names = true;
            ControlFlow::Continue(())
        }
        _ => ControlFlow::Continue(()),
    });
    (plain.is_continue() && names).then_some(expr)
}

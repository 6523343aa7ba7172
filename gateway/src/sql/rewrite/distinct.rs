//! What Postgres asks of DISTINCT and ORDER BY together, and of subqueries in FROM: each is refused where it is not clear.

use sqlparser::ast::{Distinct, Expr, OrderBy, OrderByKind, Query, SelectItem, SetExpr};

use super::{Ex, Rewriter, select::Item, set::integer};
use crate::wire::error::{PgError, PgResult, SqlState};

impl Rewriter<'_> {
    /// Fails where the order is of what DISTINCT leaves out, or does not begin with what DISTINCT ON names.
    pub(super) fn sorts_what_is_distinct(
        &mut self,
        distinct: &Distinct,
        order_by: Option<&OrderBy>,
        items: &[Item],
    ) -> PgResult<()> {
        let Some(OrderByKind::Expressions(order)) = order_by.map(|o| &o.kind) else { return Ok(()) };
        match distinct {
            Distinct::All => Ok(()),
            Distinct::Distinct => {
                for item in order {
                    let key = self.sort_key(&item.expr, items, true, true)?;
                    if !is_listed(self, &key, items) && integer(&item.expr).is_none() {
                        let message = "for SELECT DISTINCT, ORDER BY expressions must appear in select list";
                        return Err(invalid(message).or_position(self.at_expr(&item.expr)));
                    }
                }
                Ok(())
            }
            Distinct::On(exprs) => {
                let mut named = Vec::with_capacity(exprs.len());
                for expr in exprs {
                    named.push(self.sort_key(expr, items, true, true)?);
                }
                let mut sorted = Vec::with_capacity(order.len());
                for item in order {
                    let key = self.sort_key(&item.expr, items, true, true)?;
                    // What is named again sorts nothing.
                    if !sorted.contains(&key) {
                        sorted.push(key);
                    }
                }
                self.begins_with(exprs, &named, &sorted)
            }
        }
    }

    fn begins_with(&self, exprs: &[Expr], named: &[String], sorted: &[String]) -> PgResult<()> {
        let wrong = |expr: Option<&Expr>| {
            let message = "SELECT DISTINCT ON expressions must match initial ORDER BY expressions";
            Err(invalid(message).or_position(expr.and_then(|expr| self.at_expr(expr))))
        };
        let mut skipped = false;
        for key in sorted {
            match named.iter().position(|other| other == key) {
                Some(at) if skipped => return wrong(exprs.get(at)),
                Some(_) => {}
                None => skipped = true,
            }
        }
        match named.iter().position(|key| !sorted.contains(key)) {
            Some(at) if skipped => wrong(exprs.get(at)),
            _ => Ok(()),
        }
    }

    /// A subquery in FROM that has no name: PostgreSQL 16 is the first that takes it.
    pub(super) fn unnamed(&self, query: &Query) -> PgError {
        let (what, example) = match query.body.as_ref() {
            SetExpr::Values(_) => ("VALUES", "VALUES"),
            _ => ("subquery", "SELECT"),
        };
        PgError::new(SqlState::SYNTAX_ERROR, format!("{what} in FROM must have an alias"))
            .hint(format!("For example, FROM ({example} ...) [AS] foo."))
            .or_position(self.at_query(query).map(|at| self.parenthesis_before(at)))
    }

    /// Where the list of a query begins.
    pub(super) fn at_first_item(&self, body: &SetExpr) -> Option<u32> {
        let first = match body {
            SetExpr::Select(select) => match select.projection.first() {
                Some(SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) => self.at_expr(expr),
                _ => None,
            },
            SetExpr::SetOperation { left, .. } => return self.at_first_item(left),
            SetExpr::Query(query) => return self.at_first_item(&query.body),
            _ => None,
        };
        first.or_else(|| self.at_body(body))
    }

    /// The place of the parenthesis before a place, if there is nothing else between.
    pub(super) fn parenthesis_before(&self, at: u32) -> u32 {
        let end = usize::try_from(at).unwrap_or_default().saturating_sub(1);
        let before: Vec<char> = self.text.chars().take(end).collect();
        match before.iter().rposition(|c| !c.is_whitespace()) {
            Some(place) if before.get(place) == Some(&'(') => u32::try_from(place + 1).unwrap_or(at),
            _ => at,
        }
    }
}

/// Whether a key is one of the list's values.
fn is_listed(rewriter: &Rewriter<'_>, key: &str, items: &[Item]) -> bool {
    items
        .iter()
        .any(|item| item.sql == key || rewriter.sorted(Ex::plain(item.sql.clone(), item.column.ty.clone())) == key)
}

fn invalid(message: &str) -> PgError {
    PgError::new(SqlState::INVALID_COLUMN_REFERENCE, message)
}

//! ORDER BY of a SELECT: its keys may name the list, the FROM, or compute.

use duckmesh_catalog::ColumnType;
use sqlparser::ast::{Expr, OrderBy, OrderByKind, OrderByOptions, OrderBySort};

use super::{
    Ex, Kind, Rewriter,
    select::{Item, is_literal},
    set::integer,
};
use crate::{
    sql::quote,
    wire::error::{PgError, PgResult, SqlState},
};

impl Rewriter<'_> {
    /// `ORDER BY 2`, `GROUP BY 2`.
    pub(super) fn ordinal(
        &self,
        n: i64,
        place: &str,
        expr: &Expr,
        items: &[Item],
        known: bool,
        as_text: bool,
    ) -> PgResult<String> {
        let item = usize::try_from(n).ok().and_then(|n| items.get(n.wrapping_sub(1)));
        match item {
            _ if !known => Ok(n.to_string()),
            Some(item) if as_text && !item.star => Ok(item.sql.clone()),
            Some(_) => Ok(n.to_string()),
            None => Err(PgError::new(
                SqlState::INVALID_COLUMN_REFERENCE,
                format!("{place} position {n} is not in select list"),
            )
            .or_position(self.at_expr(expr))),
        }
    }

    pub(super) fn order_by(&mut self, order_by: &OrderBy, items: &[Item], known: bool) -> PgResult<String> {
        let exprs = match &order_by.kind {
            OrderByKind::Expressions(exprs) if order_by.interpolate.is_none() => exprs,
            _ => return self.refuse("this form of ORDER BY", None),
        };
        let mut keys = Vec::new();
        for item in exprs {
            let at = self.at_expr(&item.expr);
            let key = self.sort_key(&item.expr, items, known, false)?;
            let options = self.order_options(&item.options, item.with_fill.is_some(), at)?;
            keys.push(format!("{key}{options}"));
        }
        Ok(keys.join(", "))
    }

    /// Postgres prefers the list's names here.
    pub(super) fn sort_key(&mut self, expr: &Expr, items: &[Item], known: bool, as_text: bool) -> PgResult<String> {
        match expr {
            Expr::Identifier(ident) => {
                let name = quote::fold(ident);
                self.only_item(&name, items, as_text).map_err(|e| e.or_position(self.at(ident.span)))?;
                match items.iter().position(|i| !i.star && i.column.name == name) {
                    // By its place: a volatile expression must not be computed again.
                    Some(at) if items.get(at).is_some_and(|i| self.is_keyed_item(i)) => {
                        Ok(items.get(at).map(|i| self.item_key(i)).unwrap_or_default())
                    }
                    Some(at) if known && !as_text => Ok((at + 1).to_string()),
                    Some(at) => Ok(items.get(at).map(|i| i.sql.clone()).unwrap_or_default()),
                    None => {
                        let ex = self.column(ident)?;
                        Ok(self.sorted(ex))
                    }
                }
            }
            Expr::Nested(inner) if matches!(**inner, Expr::Identifier(_)) => {
                self.sort_key(inner, items, known, as_text)
            }
            other => match integer(other) {
                Some(n) => {
                    let item = usize::try_from(n).ok().and_then(|n| items.get(n.wrapping_sub(1)));
                    match item.filter(|i| known && self.is_keyed_item(i)) {
                        Some(item) => Ok(self.item_key(item)),
                        None => self.ordinal(n, "ORDER BY", other, items, known, as_text),
                    }
                }
                None => {
                    let mut ex = self.expr(other)?;
                    if matches!(ex.kind, Kind::Param(_)) {
                        ex = self.settle(ex, &ColumnType::Text)?;
                    }
                    if matches!(ex.kind, Kind::Str(_)) {
                        return Err(PgError::new(SqlState::SYNTAX_ERROR, "non-integer constant in ORDER BY")
                            .or_position(self.at_expr(other)));
                    }
                    let key = self.sorted(ex);
                    // The engine takes no constant, or a number as a place.
                    Ok(if is_literal(&key) { format!("nullif({key}, NULL)") } else { key })
                }
            },
        }
    }

    /// A name that several different items of the list have says nothing. Views keep what they were made with.
    fn only_item(&self, name: &str, items: &[Item], distinct: bool) -> PgResult<()> {
        let mut named = items.iter().filter(|item| !item.star && item.column.name == name);
        let Some(first) = named.next().filter(|_| !self.in_view()) else { return Ok(()) };
        if named.all(|item| item.sql == first.sql) {
            return Ok(());
        }
        let clause = if distinct { "DISTINCT ON" } else { "ORDER BY" };
        Err(PgError::new(SqlState::AMBIGUOUS_COLUMN, format!("{clause} \"{name}\" is ambiguous")))
    }

    pub(super) fn is_keyed_item(&self, item: &Item) -> bool {
        !item.star && self.is_keyed(item.column.ty.as_ref())
    }

    pub(super) fn item_key(&self, item: &Item) -> String {
        self.order_key(&Ex::plain(item.sql.clone(), item.column.ty.clone()))
    }

    pub(super) fn order_options(&self, options: &OrderByOptions, fill: bool, at: Option<u32>) -> PgResult<String> {
        if fill {
            return self.refuse("WITH FILL", at);
        }
        let mut text = String::new();
        let mut descending = false;
        match &options.sort {
            None => {}
            Some(OrderBySort::Asc) => text.push_str(" ASC"),
            Some(OrderBySort::Desc) => descending = true,
            Some(OrderBySort::Using(operator)) => match operator.to_string().as_str() {
                "<" => {}
                ">" => descending = true,
                _ => return self.refuse("this operator of ORDER BY USING", at),
            },
        }
        if descending {
            text.push_str(" DESC");
        }
        // Said always: macros and subqueries do not depend on the engine's setting then.
        text.push_str(match options.nulls_first.unwrap_or(descending) {
            true => " NULLS FIRST",
            false => " NULLS LAST",
        });
        Ok(text)
    }
}

//! FETCH FIRST … WITH TIES.

use duckmesh_catalog::ColumnType;
use sqlparser::ast::{Expr, Fetch, Ident, LimitClause, OrderBy, OrderByKind, Select, SelectItem, SetExpr};

use super::{Rewriter, Rows, set::integer};
use crate::{
    sql::quote,
    wire::error::{PgError, PgResult, SqlState},
};

/// How columns that only ORDER BY asks for begin.
const KEY: &str = "\u{2}key ";

/// A query whose ORDER BY names columns of its list alone.
pub(super) struct Keyed {
    pub select: Select,
    pub order_by: OrderBy,
    /// How many columns stand behind the query's own.
    pub added: usize,
}

/// What else ORDER BY asks for stands behind the columns of the list. None: it names these alone.
pub(super) fn with_keys(body: &SetExpr, order_by: &OrderBy) -> Option<Keyed> {
    let SetExpr::Select(select) = body else { return None };
    let mut select = select.as_ref().clone();
    let mut order_by = order_by.clone();
    let OrderByKind::Expressions(keys) = &mut order_by.kind else { return None };
    if select.distinct.is_some() {
        return None;
    }
    let named = |list: &[SelectItem], ident: &Ident| {
        let name = quote::fold(ident);
        list.iter().any(|item| match item {
            SelectItem::UnnamedExpr(Expr::Identifier(own)) => quote::fold(own) == name,
            SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => {
                parts.last().is_some_and(|own| quote::fold(own) == name)
            }
            SelectItem::ExprWithAlias { alias, .. } => quote::fold(alias) == name,
            SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..) => true,
            _ => false,
        })
    };
    let mut added = Vec::new();
    for key in keys.iter_mut() {
        let own = match &key.expr {
            Expr::Identifier(ident) => named(&select.projection, ident),
            other => integer(other).is_some(),
        };
        if !own {
            let alias = Ident::with_quote('"', format!("{KEY}{}", added.len()));
            let expr = std::mem::replace(&mut key.expr, Expr::Identifier(alias.clone()));
            added.push(SelectItem::ExprWithAlias { expr, alias });
        }
    }
    let count = added.len();
    select.projection.extend(added);
    (count > 0).then_some(Keyed { select, order_by, added: count })
}

impl Rewriter<'_> {
    /// FETCH FIRST n ROWS WITH TIES: by rank.
    /// `shown`: so many of its columns are the query's own.
    pub(super) fn with_ties(
        &mut self,
        rows: &Rows,
        shown: usize,
        order_by: Option<&OrderBy>,
        fetch: Option<&Fetch>,
        limit: Option<&LimitClause>,
    ) -> PgResult<String> {
        let Some(order_by) = order_by else {
            return Err(PgError::new(SqlState::SYNTAX_ERROR, "WITH TIES cannot be specified without ORDER BY clause"));
        };
        let offset = match limit {
            None => None,
            Some(LimitClause::LimitOffset { limit: None, offset, limit_by }) if limit_by.is_empty() => offset.as_ref(),
            Some(_) => return self.refuse("WITH TIES in this form", None),
        };
        if !rows.known || rows.columns.is_empty() {
            return self.refuse("WITH TIES in this form", None);
        }
        let skipped = match offset {
            Some(offset) => self.limit_value("", "OFFSET", &offset.value)?,
            None => "0".to_owned(),
        };
        let count = match fetch.and_then(|f| f.quantity.as_ref()) {
            Some(expr) => {
                let ex = self.expr(expr)?;
                self.settle(ex, &ColumnType::Int8)?.sql
            }
            None => "1".into(),
        };
        let order = self.order_by_output(order_by, rows)?;
        let names: Vec<String> = rows.columns.iter().map(|c| quote::name(&c.engine)).collect();
        let order = name_ordinals(&order, &names);
        let free = |name: &str| {
            let mut name = name.to_owned();
            while rows.columns.iter().any(|c| c.engine.eq_ignore_ascii_case(&name)) {
                name.push('_');
            }
            quote::name(&name)
        };
        let (ties, place) = (free("ties"), free("place"));
        Ok(format!(
            "SELECT {names} FROM (SELECT *, rank() OVER (ORDER BY {order}) AS {ties}, row_number() OVER (ORDER BY {order}) \
             AS {place} FROM ({}) AS \"s\") AS \"r\" \
             WHERE {ties} <= {count} + {skipped} AND {place} > {skipped} ORDER BY {order}",
            rows.sql,
            names = names.get(..shown).unwrap_or_default().join(", "),
        ))
    }
}

/// `2 DESC, 1` as the columns' names.
fn name_ordinals(order: &[String], names: &[String]) -> String {
    order
        .iter()
        .map(|item| {
            let end = item.find(|c: char| !c.is_ascii_digit()).unwrap_or(item.len());
            let (number, rest) = item.split_at(end);
            let name = number.parse::<usize>().ok().and_then(|n| names.get(n.wrapping_sub(1)));
            match name {
                Some(name) => format!("{name}{rest}"),
                None => item.to_owned(),
            }
        })
        .collect::<Vec<_>>()
        .join(", ")
}

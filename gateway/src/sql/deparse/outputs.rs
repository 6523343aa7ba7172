//! A view's query that is shown as it was written, with the names of the view's columns written into it.

use duckmesh_catalog::ViewDef;
use sqlparser::ast::{Expr, GroupByExpr, Ident, Query, Select, SelectItem, SetExpr};

use crate::{pgcatalog::names, sql::quote};

/// The query's text; none where its own names are the view's.
pub fn named(view: &ViewDef, query: &Query) -> Option<String> {
    let names: Vec<&str> = view.columns.iter().map(|(name, _)| name.as_str()).collect();
    if names.is_empty() {
        return None;
    }
    let mut renamed = query.clone();
    let select = first_select(&mut renamed.body);
    let own = select.and_then(|select| (select.projection.len() == names.len()).then_some(select));
    if let Some(select) = own
        && !select.projection.iter().any(is_star)
    {
        if select.projection.iter().zip(&names).all(|(item, name)| own_name(item).as_deref() == Some(*name)) {
            return None;
        }
        let by_name = query.order_by.is_some() || groups(select);
        if !by_name {
            rename(select, &names);
            return Some(renamed.to_string());
        }
    }
    // What the query orders or groups by may be one of its own names: they stay, and are renamed around it.
    let list: Vec<String> = names.iter().map(|name| names::quoted(name)).collect();
    let outer: Vec<String> = list.iter().map(|name| format!("v.{name}")).collect();
    Some(format!("SELECT {} FROM ({query}) v({})", outer.join(", "), list.join(", ")))
}

/// The SELECT whose names are the query's.
fn first_select(body: &mut SetExpr) -> Option<&mut Select> {
    match body {
        SetExpr::Select(select) => Some(select),
        SetExpr::SetOperation { left, .. } => first_select(left),
        SetExpr::Query(query) if query.order_by.is_none() => first_select(&mut query.body),
        _ => None,
    }
}

fn groups(select: &Select) -> bool {
    !matches!(&select.group_by, GroupByExpr::Expressions(keys, modifiers) if keys.is_empty() && modifiers.is_empty())
        || select.distinct.is_some()
}

fn is_star(item: &SelectItem) -> bool {
    !matches!(item, SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. })
}

/// The name that an item has by itself, as far as that is sure.
fn own_name(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(quote::fold(alias)),
        SelectItem::UnnamedExpr(Expr::Identifier(name)) => Some(quote::fold(name)),
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => parts.last().map(quote::fold),
        _ => None,
    }
}

fn rename(select: &mut Select, names: &[&str]) {
    for (item, name) in select.projection.iter_mut().zip(names) {
        if own_name(item).as_deref() == Some(*name) {
            continue;
        }
        let alias = Ident::with_quote('"', *name);
        if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item {
            *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::{parse, thread};
    use duckmesh_catalog::{ColumnType, SchemaId, ViewId};
    use uuid::Uuid;

    #[track_caller]
    fn check(sql: &'static str, names: &[&str], expect: Option<&str>) {
        let columns = names.iter().map(|name| ((*name).to_owned(), ColumnType::Int4)).collect();
        let view = ViewDef {
            id: ViewId::new(1),
            uuid: Uuid::nil(),
            schema_id: SchemaId::new(1),
            name: "v".to_owned(),
            duckdb_sql: String::new(),
            postgres_sql: Some(sql.to_owned()),
            columns,
            comment: None,
        };
        let shown = thread::run_blocking(move || Ok(named(&view, &parse::query(sql)?))).expect("parses");
        assert_eq!(shown.as_deref(), expect, "{sql}");
    }

    #[test]
    fn names_of_columns_are_written_into_the_text() {
        check("SELECT a, b AS c FROM t", &["a", "c"], None);
        check("SELECT a, b + 1 FROM t", &["x", "B b"], Some("SELECT a AS \"x\", b + 1 AS \"B b\" FROM t"));
        check(
            "SELECT 1, 2 UNION ALL SELECT 3, 4",
            &["aa", "bb"],
            Some("SELECT 1 AS \"aa\", 2 AS \"bb\" UNION ALL SELECT 3, 4"),
        );
        check(
            "WITH q AS (SELECT 1 AS a) SELECT a FROM q",
            &["x"],
            Some("WITH q AS (SELECT 1 AS a) SELECT a AS \"x\" FROM q"),
        );
        check("VALUES (1), (2)", &["p"], Some("SELECT v.p FROM (VALUES (1), (2)) v(p)"));
        check(
            "SELECT a AS b FROM t ORDER BY b",
            &["x"],
            Some("SELECT v.x FROM (SELECT a AS b FROM t ORDER BY b) v(x)"),
        );
    }
}

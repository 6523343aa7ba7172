//! What a view reads: relations and their columns, by name.

use std::ops::ControlFlow;

use duckmesh_catalog::{LakeSchema, ViewDef, schema::DEFAULT_SCHEMA};
use sqlparser::ast::{
    Expr, JoinConstraint, JoinOperator, Query, Select, SelectItem, SelectItemQualifiedWildcardKind, SetExpr,
    TableFactor, Visit, Visitor, visit_relations,
};

use super::TEXT_BYTES_MAX;
use crate::sql::{parse, quote};

/// The tables and views of the lake that a view reads.
pub fn relations_read(view: &ViewDef, schema: &LakeSchema) -> Vec<(String, String)> {
    let sql = view.postgres_sql.as_deref().filter(|sql| sql.len() <= TEXT_BYTES_MAX);
    let Some(parsed) = sql.and_then(|sql| parse::query(sql).ok()) else { return Vec::new() };
    let mut found = Vec::new();
    let _ = visit_relations(&parsed, |name| {
        if let Some([space, relation]) = quote::parts(name).as_deref() {
            let own = if space == "public" { DEFAULT_SCHEMA } else { space.as_str() };
            let pair = (space.clone(), relation.clone());
            let exists = schema.table(own, relation).is_some() || schema.view(own, relation).is_some();
            if exists && !found.contains(&pair) {
                found.push(pair);
            }
        }
        ControlFlow::<()>::Continue(())
    });
    found
}

/// The columns of those that its query names, or `*` stands for: schema, relation and column.
pub fn columns_read(view: &ViewDef, schema: &LakeSchema) -> Vec<(String, String, String)> {
    let sql = view.postgres_sql.as_deref().filter(|sql| sql.len() <= TEXT_BYTES_MAX);
    let Some(parsed) = sql.and_then(|sql| parse::query(sql).ok()) else { return Vec::new() };
    let mut seen = Seen::default();
    let _ = parsed.visit(&mut seen);
    let mut found = Vec::new();
    for (space, relation) in relations_read(view, schema) {
        let own = if space == "public" { DEFAULT_SCHEMA } else { space.as_str() };
        let columns: Vec<&str> = match (schema.table(own, &relation), schema.view(own, &relation)) {
            (Some(table), _) => table.columns.iter().map(|c| c.name.as_str()).collect(),
            (None, Some(view)) => view.columns.iter().map(|(name, _)| name.as_str()).collect(),
            (None, None) => continue,
        };
        let named = seen.tables.iter().filter(|(name, _)| *name == [space.as_str(), relation.as_str()]);
        let aliases: Vec<&str> = named.map(|(_, alias)| alias.as_str()).collect();
        for column in columns.into_iter().filter(|column| seen.has(&aliases, column)) {
            found.push((space.clone(), relation.clone(), column.to_owned()));
        }
    }
    found
}

/// Names of columns and stars in a query, each behind what qualifies it, and what relations are called there.
#[derive(Default)]
struct Seen {
    tables: Vec<(Vec<String>, String)>,
    names: Vec<(Option<String>, String)>,
    stars: Vec<Option<String>>,
}

impl Visitor for Seen {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::Identifier(name) => self.names.push((None, quote::fold(name))),
            Expr::CompoundIdentifier(parts) => {
                if let [.., table, name] = parts.as_slice() {
                    self.names.push((Some(quote::fold(table)), quote::fold(name)));
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table { name, alias, .. } = factor
            && let Some(parts) = quote::parts(name)
        {
            let own = parts.last().cloned().unwrap_or_default();
            self.tables.push((parts, alias.as_ref().map_or(own, |alias| quote::fold(&alias.name))));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let mut bodies = vec![query.body.as_ref()];
        while let Some(body) = bodies.pop() {
            match body {
                SetExpr::SetOperation { left, right, .. } => bodies.extend([left.as_ref(), right.as_ref()]),
                SetExpr::Select(select) => self.select(select),
                _ => {}
            }
        }
        ControlFlow::Continue(())
    }
}

impl Seen {
    fn select(&mut self, select: &Select) {
        for item in &select.projection {
            match item {
                SelectItem::Wildcard(_) => self.stars.push(None),
                SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) => {
                    self.stars.extend(quote::parts(name).and_then(|mut parts| parts.pop()).map(Some));
                }
                _ => {}
            }
        }
        let joins = select.from.iter().flat_map(|item| &item.joins);
        for join in joins {
            if let JoinOperator::Join(JoinConstraint::Using(names))
            | JoinOperator::Inner(JoinConstraint::Using(names))
            | JoinOperator::Left(JoinConstraint::Using(names))
            | JoinOperator::LeftOuter(JoinConstraint::Using(names)) = &join.join_operator
            {
                let named = names.iter().filter_map(|name| quote::parts(name)?.pop());
                self.names.extend(named.map(|name| (None, name)));
            }
        }
    }

    fn has(&self, aliases: &[&str], column: &str) -> bool {
        let of = |table: &Option<String>| table.as_ref().is_none_or(|table| aliases.contains(&table.as_str()));
        self.stars.iter().any(of) || self.names.iter().any(|(table, name)| name == column && of(table))
    }
}

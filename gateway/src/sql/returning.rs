//! RETURNING of an INSERT.

use std::sync::Arc;

use duckmesh_catalog::{ColumnDef, TableDef};
use sqlparser::ast::{self, Expr, SelectItem};

use super::{
    insert::RETURNING_ROWS,
    plan::Returning,
    quote,
    rewrite::{Column, Relation, Rewriter, Scope, table_columns},
};
use crate::wire::error::PgResult;

/// RETURNING: columns need no engine.
pub(super) fn returning(
    rewriter: &mut Rewriter<'_>,
    insert: &ast::Insert,
    items: &[SelectItem],
    (table, schema): (&Arc<TableDef>, &str),
) -> PgResult<Returning> {
    let alias = insert.table_alias.as_ref().map(|a| quote::fold(&a.alias));
    let schema_said = alias.is_none().then_some(schema);
    if let Some(columns) = returned_columns(items, table, (schema_said, alias.as_deref().unwrap_or(&table.name))) {
        return Ok(Returning::Columns(columns));
    }
    let mut inner = Rewriter::new(rewriter.ctx, rewriter.text);
    let mut scope = Scope::default();
    let columns: Vec<Column> = table_columns(table);
    scope.star.extend((0..columns.len()).map(|n| super::rewrite::Star::Column(0, n)));
    scope.relations.push(Relation {
        schema: alias.is_none().then(|| schema.to_owned()),
        name: alias.unwrap_or_else(|| table.name.clone()),
        engine: RETURNING_ROWS.into(),
        columns,
        known: true,
        ..Relation::default()
    });
    inner.params.clone_from(&rewriter.params);
    inner.scopes.push(scope);
    inner.stands_in("RETURNING");
    let mut rows = inner.returning(items)?;
    inner.scopes.pop();
    rows.sql = format!("SELECT {} FROM {name} AS {name}", rows.sql, name = quote::name(RETURNING_ROWS));
    rewriter.params.clone_from(&inner.params);
    Ok(Returning::Query(inner.finish(rows)?))
}

pub(super) fn is_named(column: &ColumnDef) -> bool {
    super::named::takes_names(&column.ty)
}

fn returned_columns(
    items: &[SelectItem],
    table: &TableDef,
    (schema, alias): (Option<&str>, &str),
) -> Option<Vec<(String, duckmesh_catalog::ColumnId)>> {
    let column = |expr: &Expr| {
        let name = match expr {
            Expr::Identifier(ident) => quote::fold(ident),
            Expr::CompoundIdentifier(parts) => match parts.as_slice() {
                [relation, name] if quote::fold(relation) == alias => quote::fold(name),
                [space, relation, name]
                    if Some(quote::fold(space).as_str()) == schema && quote::fold(relation) == alias =>
                {
                    quote::fold(name)
                }
                _ => return None,
            },
            _ => return None,
        };
        // Numbers that are shown as names are looked up.
        table.column(&name).filter(|column| !is_named(column))
    };
    let mut columns = Vec::new();
    for item in items {
        match item {
            SelectItem::UnnamedExpr(expr) => {
                let column = column(expr)?;
                columns.push((column.name.clone(), column.id));
            }
            SelectItem::ExprWithAlias { expr, alias } => {
                columns.push((quote::fold(alias), column(expr)?.id));
            }
            SelectItem::Wildcard(_) if table.columns.iter().any(is_named) => return None,
            SelectItem::Wildcard(_) => {
                columns.extend(table.columns.iter().map(|c| (c.name.clone(), c.id)));
            }
            _ => return None,
        }
    }
    Some(columns)
}

//! `SELECT set_config(name, …) FROM pg_settings WHERE name = 'x'`: how programs set what not every server has. The setting is
//! known from the query's text, so that it is a call with constants.

use sqlparser::ast::{
    BinaryOperator, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Query, SelectItem, SetExpr,
};

use super::quote;

/// The query with the setting's name in the call. None: another query.
pub(super) fn named(query: &Query) -> Option<Query> {
    let SetExpr::Select(select) = query.body.as_ref() else { return None };
    let ([from], [SelectItem::UnnamedExpr(Expr::Function(call))]) =
        (select.from.as_slice(), select.projection.as_slice())
    else {
        return None;
    };
    let relation = match &from.relation {
        sqlparser::ast::TableFactor::Table { name, alias: None, .. } if from.joins.is_empty() => quote::parts(name)?,
        _ => return None,
    };
    if relation.last()? != "pg_settings" || quote::parts(&call.name)?.last()? != "set_config" {
        return None;
    }
    let Some(Expr::BinaryOp { left, op: BinaryOperator::Eq, right }) = &select.selection else { return None };
    let (Expr::Identifier(column), constant @ Expr::Value(_)) = (left.as_ref(), right.as_ref()) else { return None };
    let mut changed = query.clone();
    let SetExpr::Select(select) = changed.body.as_mut() else { return None };
    let [SelectItem::UnnamedExpr(Expr::Function(call))] = select.projection.as_mut_slice() else { return None };
    let FunctionArguments::List(list) = &mut call.args else { return None };
    let [FunctionArg::Unnamed(FunctionArgExpr::Expr(first)), ..] = list.args.as_mut_slice() else { return None };
    let is_column =
        matches!(&*first, Expr::Identifier(name) if quote::fold(name) == "name" && quote::fold(column) == "name");
    is_column.then(|| *first = constant.clone())?;
    Some(changed)
}

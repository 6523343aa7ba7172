//! Queries for the engine.

use sqlparser::ast;

use super::{
    ddl, parse,
    plan::{Plan, PlanContext, QueryPlan},
    rewrite::Rewriter,
    settings_row,
};
use crate::wire::error::{PgError, PgResult};

/// Plans a query that is a statement of its own: SELECT … INTO makes a table.
pub(super) fn plan_statement(query: &ast::Query, text: &str, ctx: &PlanContext) -> PgResult<Plan> {
    if let ast::SetExpr::Select(select) = query.body.as_ref()
        && let Some(into) = &select.into
    {
        return select_into(into, query, text, ctx);
    }
    let named = settings_row::named(query);
    plan_query(named.as_ref().unwrap_or(query), text, ctx).map(Plan::Query)
}

/// `SELECT … INTO table`: CREATE TABLE AS in other words.
fn select_into(into: &ast::SelectInto, query: &ast::Query, text: &str, ctx: &PlanContext) -> PgResult<Plan> {
    let mut plain = query.clone();
    if let ast::SetExpr::Select(select) = plain.body.as_mut() {
        select.into = None;
    }
    let parts = match into.targets.as_slice() {
        [ast::Expr::Identifier(name)] => vec![name.clone()],
        [ast::Expr::CompoundIdentifier(parts)] => parts.clone(),
        _ => return Err(PgError::unsupported("this form of SELECT INTO is not supported")),
    };
    let name = ast::ObjectName::from(parts);
    let table = ddl::NewTable {
        name: &name,
        columns: &[],
        if_not_exists: false,
        with_data: true,
        temporary: ddl::Temporary::new(into.temporary),
    };
    ddl::plan_create_table_as(table, &plain, text, ctx)
}

/// Plans a query. `text` is what it was parsed from: positions of errors are found there.
pub fn plan_query(query: &ast::Query, text: &str, ctx: &PlanContext) -> PgResult<QueryPlan> {
    let mut rewriter = Rewriter::new(ctx, text);
    rewriter.top = true;
    let rows = rewriter.query(query, None)?;
    rewriter.finish(rows)
}

/// Plans a query from its text.
pub fn plan_text(sql: &str, ctx: &PlanContext) -> PgResult<QueryPlan> {
    plan_query(&parse::query(sql)?, sql, ctx)
}

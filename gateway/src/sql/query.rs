//! Queries for the engine.

use sqlparser::ast;

use super::{
    parse,
    plan::{Plan, PlanContext, QueryPlan},
    rewrite::Rewriter,
};
use crate::wire::error::{PgError, PgResult};

/// Plans a query that is a statement of its own: SELECT … INTO makes a table.
pub(super) fn plan_statement(query: &ast::Query, text: &str, ctx: &PlanContext) -> PgResult<Plan> {
    if let ast::SetExpr::Select(select) = query.body.as_ref()
        && select.into.is_some()
    {
        return Err(PgError::unsupported("SELECT INTO is not supported").hint("Use CREATE TABLE … AS SELECT."));
    }
    plan_query(query, text, ctx).map(Plan::Query)
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

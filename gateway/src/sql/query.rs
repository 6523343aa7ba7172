//! Queries for the engine.

use sqlparser::ast;

use super::plan::{Plan, PlanContext, QueryPlan};
use crate::wire::error::{PgError, PgResult};

/// Plans a query that is a statement of its own: SELECT … INTO makes a table.
pub(super) fn plan_statement(query: &ast::Query, text: &str, ctx: &PlanContext) -> PgResult<Plan> {
    plan_query(query, text, ctx).map(Plan::Query)
}

/// Plans a query. `text` is what it was parsed from: positions of errors are found there.
pub fn plan_query(query: &ast::Query, text: &str, ctx: &PlanContext) -> PgResult<QueryPlan> {
    let _ = (query, text, ctx);
    Err(PgError::unsupported("SELECT"))
}

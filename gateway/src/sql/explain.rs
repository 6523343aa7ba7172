//! EXPLAIN.

use sqlparser::ast;

use super::plan::{Plan, PlanContext};
use crate::wire::error::{PgError, PgResult};

/// Plans an EXPLAIN.
pub fn plan(statement: &ast::Statement, text: &str, ctx: &PlanContext) -> PgResult<Plan> {
    let _ = (statement, text, ctx);
    Err(PgError::unsupported("EXPLAIN"))
}

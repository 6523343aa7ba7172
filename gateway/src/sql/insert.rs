//! INSERT.

use sqlparser::ast;

use super::plan::{Plan, PlanContext};
use crate::wire::error::{PgError, PgResult};

/// Plans an INSERT.
pub fn plan(insert: &ast::Insert, text: &str, ctx: &PlanContext) -> PgResult<Plan> {
    let _ = (insert, text, ctx);
    Err(PgError::unsupported("INSERT"))
}

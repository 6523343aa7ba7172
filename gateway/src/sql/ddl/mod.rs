//! DDL as operations for the log.
//!
//! Everything here is pure: it looks at the schema in the context and changes nothing.

use sqlparser::ast::Statement;

use super::plan::{Plan, PlanContext};
use crate::wire::error::PgResult;

pub mod names;
pub mod place;

/// Plans statements that sqlparser cannot read (`ALTER VIEW … RENAME`, `DROP DATABASE … WITH (FORCE)` …): called with
/// the text of one statement before it is parsed. None: not one of them.
pub fn preparse(text: &str, ctx: &PlanContext) -> PgResult<Option<Plan>> {
    let _ = (text, ctx);
    Ok(None)
}

/// Plans a DDL statement; none for a statement that is not DDL. `text` is what was parsed, for positions.
pub fn plan_ddl(statement: &Statement, text: &str, ctx: &PlanContext) -> PgResult<Option<Plan>> {
    let _ = (statement, text, ctx);
    Ok(None)
}

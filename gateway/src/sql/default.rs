//! Defaults of columns as programs.

use duckmesh_catalog::ColumnType;

use super::plan::{DefaultProgram, PlanContext};
use crate::wire::error::{PgError, PgResult};

/// Compiles a Postgres expression as the default of a column of type `ty`. It may name no column and hold no subquery.
pub fn compile(expression: &str, ty: &ColumnType, ctx: &PlanContext) -> PgResult<DefaultProgram> {
    let _ = (expression, ty, ctx);
    Err(PgError::unsupported("DEFAULT"))
}

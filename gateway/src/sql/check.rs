//! CHECK constraints as DuckDB expressions.

use duckmesh_catalog::TableDef;

use super::plan::{CompiledCheck, PlanContext, SqlPart};
use crate::wire::error::{PgError, PgResult};

/// Compiles all CHECK constraints of a table.
pub fn compile(table: &TableDef, ctx: &PlanContext) -> PgResult<Vec<CompiledCheck>> {
    let _ = (table, ctx);
    Ok(Vec::new())
}

/// Compiles one CHECK expression over a table's columns; also how CREATE TABLE validates it.
pub fn compile_one(expression: &str, table: &TableDef, ctx: &PlanContext) -> PgResult<Vec<SqlPart>> {
    let _ = (expression, table, ctx);
    Err(PgError::unsupported("CHECK"))
}

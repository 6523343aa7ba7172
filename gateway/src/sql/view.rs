//! A view's query as stored: for us with every name qualified, for other programs as DuckDB SQL.

use sqlparser::ast;

use super::plan::{PlanContext, QueryPlan};
use crate::wire::error::{PgError, PgResult};

/// A view's query in its three forms.
#[derive(Clone, Debug)]
pub struct ViewQuery {
    /// To describe and run now.
    pub query: QueryPlan,
    /// Postgres SQL with every relation qualified.
    pub postgres_sql: String,
    /// DuckDB SQL with `{DUCKLAKE_CATALOG}`.
    pub duckdb_sql: String,
}

/// Qualifies the names in a view's query. `text` is what it was parsed from. Parameters are refused.
pub fn qualify(query: &ast::Query, text: &str, ctx: &PlanContext) -> PgResult<ViewQuery> {
    let _ = (query, text, ctx);
    Err(PgError::unsupported("CREATE VIEW"))
}

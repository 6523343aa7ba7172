//! Macros that the engine must have before the first query: Postgres' functions written in DuckDB's SQL.

/// `CREATE MACRO` statements, in order; for the trusted connection of each worker, once at start.
pub const MACROS: &[&str] = &[];

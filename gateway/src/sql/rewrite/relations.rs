//! What a relation's name means: a common table expression, a table, a view, or a relation of the system.

use std::sync::Arc;

use duckmesh_catalog::{SequenceDef, TableDef, ViewDef, schema::DEFAULT_SCHEMA};
use sqlparser::ast::{ObjectName, Spanned};

use super::Rewriter;
use crate::{
    pgcatalog::shapes::{self, Shape},
    sql::{plan::PlanContext, quote},
    wire::error::{PgError, PgResult, SqlState},
};

/// The schemas of the system.
const SYSTEM_SCHEMAS: [&str; 3] = ["pg_catalog", "information_schema", "duckmesh"];

/// What a name means.
pub(in crate::sql) enum Target {
    Cte(super::scope::Cte),
    Table(Arc<TableDef>, String),
    View(Arc<ViewDef>, String),
    System(&'static Shape),
    Sequence(Arc<SequenceDef>, String),
    Extra(super::Relation),
}

/// A relation of the system.
pub(in crate::sql) fn system(schema: &str, name: &str) -> Option<&'static Shape> {
    shapes::find(schema, name)
}

/// The lake's name of a schema.
pub(in crate::sql) fn lake_schema(sql_name: &str) -> &str {
    if sql_name == "public" { DEFAULT_SCHEMA } else { sql_name }
}

/// SQL's name of a lake's schema.
pub(in crate::sql) fn sql_schema(lake_name: &str) -> &str {
    if lake_name == DEFAULT_SCHEMA { "public" } else { lake_name }
}

fn exists(ctx: &PlanContext, sql_name: &str) -> bool {
    // `main` is what DuckLake calls it; for SQL there is only `public`.
    sql_name != DEFAULT_SCHEMA && ctx.schema.schema(lake_schema(sql_name)).is_some()
}

impl Rewriter<'_> {
    /// Resolves a relation's name.
    pub fn resolve(&self, name: &ObjectName) -> PgResult<Target> {
        let at = self.at(name.span());
        let Some(mut parts) = quote::parts(name) else {
            return self.refuse("this form of a relation's name", at);
        };
        if parts.len() == 3 {
            let lake = parts.remove(0);
            if lake != self.ctx.lake.as_str() {
                return Err(PgError::unsupported(format!(
                    "cross-database references are not implemented: \"{lake}.{}\"",
                    parts.join(".")
                ))
                .or_position(at));
            }
        }
        match parts.as_slice() {
            [table] => self.unqualified(table, at),
            [schema, table] => self.qualified(schema, table, at),
            _ => Err(PgError::new(
                SqlState::SYNTAX_ERROR,
                format!("improper relation name (too many dotted names): {}", parts.join(".")),
            )
            .or_position(at)),
        }
    }

    fn unqualified(&self, table: &str, at: Option<u32>) -> PgResult<Target> {
        if let Some(cte) = self.ctes.iter().rev().find(|c| c.name == table) {
            return Ok(Target::Cte(cte.clone()));
        }
        if let Some(extra) = self.extra.as_ref().filter(|r| r.name == table) {
            return Ok(Target::Extra(extra.clone()));
        }
        if let Some(shape) = system("pg_catalog", table) {
            return Ok(Target::System(shape));
        }
        for schema in &self.ctx.search_path {
            if let Some(target) = self.in_schema(schema, table) {
                return Ok(target);
            }
        }
        Err(missing(table, table, at))
    }

    fn qualified(&self, schema: &str, table: &str, at: Option<u32>) -> PgResult<Target> {
        if let Some(target) = self.in_schema(schema, table) {
            return Ok(target);
        }
        let shown = format!("{schema}.{table}");
        if SYSTEM_SCHEMAS.contains(&schema) || exists(self.ctx, schema) {
            return Err(missing(&shown, table, at));
        }
        // Postgres says the same where the schema is missing.
        Err(missing(&shown, table, at))
    }

    fn in_schema(&self, schema: &str, table: &str) -> Option<Target> {
        if let Some(shape) = system(schema, table) {
            return Some(Target::System(shape));
        }
        if !exists(self.ctx, schema) {
            return None;
        }
        let lake = lake_schema(schema);
        if let Some(def) = self.ctx.schema.table(lake, table) {
            return Some(Target::Table(def.clone(), schema.to_owned()));
        }
        if let Some(view) = self.ctx.schema.view(lake, table) {
            return Some(Target::View(view.clone(), schema.to_owned()));
        }
        self.ctx.schema.sequence(lake, table).map(|s| Target::Sequence(s.clone(), schema.to_owned()))
    }
}

fn missing(shown: &str, table: &str, at: Option<u32>) -> PgError {
    let file = table.contains(['/', '\\', '*', '~'])
        || [".csv", ".parquet", ".json", ".db", ".duckdb", ".txt", ".gz"]
            .iter()
            .any(|suffix| table.to_ascii_lowercase().ends_with(suffix));
    if file {
        return PgError::new(SqlState::INSUFFICIENT_PRIVILEGE, format!("permission denied for file \"{table}\""))
            .hint("FROM takes tables and views of this database, never files.")
            .or_position(at);
    }
    PgError::new(SqlState::UNDEFINED_TABLE, format!("relation \"{shown}\" does not exist")).or_position(at)
}

//! What a relation's name means: a common table expression, a table, a view, or a relation of the system.

use std::sync::Arc;

use duckmesh_catalog::{TableDef, ViewDef, schema::DEFAULT_SCHEMA};
use sqlparser::ast::{ObjectName, Spanned};

use super::Rewriter;
use crate::{
    sql::{plan::PlanContext, quote},
    wire::error::{PgError, PgResult, SqlState},
};

/// The schemas of the system.
const SYSTEM_SCHEMAS: [&str; 3] = ["pg_catalog", "information_schema", "duckmesh"];

const PG_CATALOG: &[&str] = &[
    "pg_aggregate",
    "pg_am",
    "pg_amop",
    "pg_amproc",
    "pg_attrdef",
    "pg_attribute",
    "pg_auth_members",
    "pg_authid",
    "pg_available_extensions",
    "pg_cast",
    "pg_class",
    "pg_collation",
    "pg_constraint",
    "pg_conversion",
    "pg_cursors",
    "pg_database",
    "pg_db_role_setting",
    "pg_default_acl",
    "pg_depend",
    "pg_description",
    "pg_enum",
    "pg_event_trigger",
    "pg_extension",
    "pg_foreign_data_wrapper",
    "pg_foreign_server",
    "pg_foreign_table",
    "pg_group",
    "pg_index",
    "pg_indexes",
    "pg_inherits",
    "pg_init_privs",
    "pg_language",
    "pg_locks",
    "pg_matviews",
    "pg_namespace",
    "pg_opclass",
    "pg_operator",
    "pg_opfamily",
    "pg_partitioned_table",
    "pg_policies",
    "pg_policy",
    "pg_prepared_statements",
    "pg_prepared_xacts",
    "pg_proc",
    "pg_publication",
    "pg_publication_namespace",
    "pg_publication_rel",
    "pg_publication_tables",
    "pg_range",
    "pg_replication_slots",
    "pg_rewrite",
    "pg_roles",
    "pg_rules",
    "pg_seclabel",
    "pg_sequence",
    "pg_sequences",
    "pg_settings",
    "pg_shadow",
    "pg_shdepend",
    "pg_shdescription",
    "pg_stat_activity",
    "pg_stat_all_tables",
    "pg_stat_database",
    "pg_stat_user_tables",
    "pg_statio_user_tables",
    "pg_statistic_ext",
    "pg_statistic_ext_data",
    "pg_stats",
    "pg_subscription",
    "pg_tables",
    "pg_tablespace",
    "pg_timezone_names",
    "pg_trigger",
    "pg_ts_config",
    "pg_ts_dict",
    "pg_ts_parser",
    "pg_ts_template",
    "pg_type",
    "pg_user",
    "pg_user_mapping",
    "pg_user_mappings",
    "pg_views",
];

const INFORMATION_SCHEMA: &[&str] = &[
    "character_sets",
    "check_constraints",
    "column_privileges",
    "columns",
    "constraint_column_usage",
    "constraint_table_usage",
    "domains",
    "element_types",
    "enabled_roles",
    "information_schema_catalog_name",
    "key_column_usage",
    "parameters",
    "referential_constraints",
    "role_table_grants",
    "routines",
    "schemata",
    "sequences",
    "table_constraints",
    "table_privileges",
    "tables",
    "triggers",
    "view_column_usage",
    "view_table_usage",
    "views",
];

const DUCKMESH: &[&str] = &["snapshots", "files", "lag", "dead_letters"];

/// What a name means.
pub(in crate::sql) enum Target {
    Cte(super::scope::Cte),
    Table(Arc<TableDef>, String),
    View(Arc<ViewDef>, String),
    System(&'static str, &'static str),
    Extra(super::Relation),
}

/// A relation of the system.
pub(in crate::sql) fn system(schema: &str, name: &str) -> Option<(&'static str, &'static str)> {
    let (schema, names) = match schema {
        "pg_catalog" => ("pg_catalog", PG_CATALOG),
        "information_schema" => ("information_schema", INFORMATION_SCHEMA),
        "duckmesh" => ("duckmesh", DUCKMESH),
        _ => return None,
    };
    names.iter().find(|n| **n == name).map(|n| (schema, *n))
}

/// The lake's name of a schema.
pub(in crate::sql) fn lake_schema(sql_name: &str) -> &str {
    if sql_name == "public" {
        DEFAULT_SCHEMA
    } else {
        sql_name
    }
}

/// SQL's name of a lake's schema.
pub(in crate::sql) fn sql_schema(lake_name: &str) -> &str {
    if lake_name == DEFAULT_SCHEMA {
        "public"
    } else {
        lake_name
    }
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
                format!(
                    "improper relation name (too many dotted names): {}",
                    parts.join(".")
                ),
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
        if let Some((schema, name)) = system("pg_catalog", table) {
            return Ok(Target::System(schema, name));
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
        if let Some((schema, name)) = system(schema, table) {
            return Some(Target::System(schema, name));
        }
        if !exists(self.ctx, schema) {
            return None;
        }
        let lake = lake_schema(schema);
        if let Some(def) = self.ctx.schema.table(lake, table) {
            return Some(Target::Table(def.clone(), schema.to_owned()));
        }
        self.ctx
            .schema
            .view(lake, table)
            .map(|v| Target::View(v.clone(), schema.to_owned()))
    }
}

fn missing(shown: &str, table: &str, at: Option<u32>) -> PgError {
    let file = table.contains(['/', '\\', '*', '~'])
        || [".csv", ".parquet", ".json", ".db", ".duckdb", ".txt", ".gz"]
            .iter()
            .any(|suffix| table.to_ascii_lowercase().ends_with(suffix));
    if file {
        return PgError::new(
            SqlState::INSUFFICIENT_PRIVILEGE,
            format!("permission denied for file \"{table}\""),
        )
        .hint("FROM takes tables and views of this database, never files.")
        .or_position(at);
    }
    PgError::new(
        SqlState::UNDEFINED_TABLE,
        format!("relation \"{shown}\" does not exist"),
    )
    .or_position(at)
}

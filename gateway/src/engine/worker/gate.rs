//! The worker's own gate: refuses statements that DuckDB would run although they reach past the data they were given.
//!
//! Cheap first: a statement in whose text no suspicious word occurs (but in a plain value) is let through. Only otherwise
//! DuckDB's own parse tree decides, by position: `query` may be a column, never a function.

use std::collections::HashSet;

use serde_json::Value;

use super::{
    duck::{Connection, Database, DuckResult, StatementKind},
    kept,
    settings::quoted,
    values::without_values,
};
use crate::engine::protocol::{EngineError, Relation};

/// Table functions that read nothing but their arguments.
const TABLE_FUNCTIONS: [&str; 6] = ["generate_series", "json_each", "json_tree", "range", "repeat", "unnest"];

/// Scalar functions that reach outside the statement, whether this build has them or not.
const SCALARS: [&str; 24] = [
    "add_parquet_key",
    "create_sort_key",
    "current_setting",
    "currval",
    "duckdb_secrets",
    "getenv",
    "getvariable",
    "in_search_path",
    "json_deserialize_sql",
    "json_execute_serialized_sql",
    "json_serialize_plan",
    "json_serialize_sql",
    "nextval",
    "parse_duckdb_log_message",
    "pg_sleep",
    "query",
    "query_table",
    "set_config",
    "setval",
    "sleep_ms",
    "txid_current",
    "which_secret",
    "write_blob",
    "write_log",
];

/// Schemas whose relations show the instance, and what others asked.
const SCHEMAS: [&str; 3] = ["information_schema", "pg_catalog", kept::SCHEMA];

/// Statements about relations that can stand in FROM.
const SHOWING: [&str; 3] = ["describe", "show", "summarize"];

/// Names that statements must not use, by position.
pub struct Gate {
    tables: HashSet<String>,
    scalars: HashSet<String>,
    relations: HashSet<String>,
}

impl Gate {
    /// Asks DuckDB for all that it has, so that a new version's functions are refused until somebody allows them.
    pub fn new(database: &Database, trusted: &[String]) -> DuckResult<Self> {
        let connection = database.connect()?;
        let column = |sql: &str| -> DuckResult<HashSet<String>> {
            Ok(connection.rows(sql)?.into_iter().flatten().map(|name| name.to_ascii_lowercase()).collect())
        };
        let mut tables = column(
            "SELECT DISTINCT function_name FROM duckdb_functions() \
             WHERE function_type NOT IN ('scalar', 'aggregate', 'macro')",
        )?;
        for allowed in TABLE_FUNCTIONS.into_iter().chain(trusted.iter().map(String::as_str)) {
            tables.remove(&allowed.to_ascii_lowercase());
        }
        let mut scalars: HashSet<String> = SCALARS.map(str::to_owned).into();
        scalars.retain(|name| !trusted.iter().any(|t| t.eq_ignore_ascii_case(name)));
        let relations = column(
            "SELECT view_name FROM duckdb_views() WHERE internal \
             AND schema_name NOT IN ('information_schema') \
             UNION ALL SELECT unnest(['duckdb_secrets', 'sqlite_temp_master'])",
        )?;
        Ok(Self { tables, scalars, relations })
    }

    /// Whether the statement may run. `connection` is the request's own, after its prelude; `relations` are the statement's.
    pub fn check(&self, connection: &Connection, sql: &str, relations: &[Relation]) -> DuckResult<()> {
        if !starts_like_select(sql) {
            return Err(EngineError::refused("only SELECT can be run"));
        }
        if self.is_plain(sql) {
            return Ok(());
        }
        let parsed = format!(
            "SELECT json_serialize_sql({}, skip_null := true, skip_empty := true, skip_default := true)",
            quoted(sql)
        );
        let rows = connection.rows(&parsed)?;
        let text = rows.into_iter().flatten().next().unwrap_or_default();
        let tree = parse_tree(&text)?;
        let mut strange = Vec::new();
        self.walk(&tree, &mut strange)?;
        if strange.is_empty() {
            return Ok(());
        }
        let own: HashSet<String> = connection
            .rows("SELECT view_name FROM duckdb_views() WHERE NOT internal UNION ALL SELECT table_name FROM duckdb_tables() WHERE schema_name = 'main'")?
            .into_iter()
            .flatten()
            .chain(relations.iter().map(|relation| relation.name.clone()))
            .map(|name| name.to_ascii_lowercase())
            .collect();
        match strange.iter().find(|name| !own.contains(*name)) {
            Some(name) => Err(denied("table", name)),
            None => Ok(()),
        }
    }

    /// Whether the statement's kind may run.
    pub fn check_kind(kind: StatementKind, explain: bool) -> DuckResult<()> {
        match (kind, explain) {
            (StatementKind::Select, false) | (StatementKind::Explain, true) => Ok(()),
            _ => Err(EngineError::refused("only SELECT can be run")),
        }
    }

    fn is_plain(&self, sql: &str) -> bool {
        let Some(text) = without_values(sql) else { return false };
        let lower = text.to_ascii_lowercase();
        !has_disguise(&lower)
            && !has_quoted_dot(&lower)
            && lower.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).all(|word| {
                !self.tables.contains(word)
                    && !self.scalars.contains(word)
                    && !self.relations.contains(word)
                    && !SCHEMAS.contains(&word)
                    && !SHOWING.contains(&word)
            })
    }

    /// Fails for what no statement may name. `strange`: relations that may be its own, or else are refused.
    fn walk(&self, tree: &Value, strange: &mut Vec<String>) -> DuckResult<()> {
        // A stack of our own: the tree may be as deep as the statement is long.
        let mut open = vec![tree];
        while let Some(node) = open.pop() {
            match node {
                Value::Array(items) => open.extend(items),
                Value::Object(fields) => {
                    self.check_node(node, strange)?;
                    open.extend(fields.values());
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn check_node(&self, node: &Value, strange: &mut Vec<String>) -> DuckResult<()> {
        let word = |from: &Value, key: &str| from.get(key).and_then(Value::as_str).unwrap_or("").to_ascii_lowercase();
        match node.get("type").and_then(Value::as_str) {
            Some("TABLE_FUNCTION") => {
                let name = node.get("function").map(|f| word(f, "function_name")).unwrap_or_default();
                if self.tables.contains(&name) || self.scalars.contains(&name) {
                    return Err(denied("function", &name));
                }
            }
            Some("BASE_TABLE") => {
                let (schema, name) = (word(node, "schema_name"), word(node, "table_name"));
                let catalog = word(node, "catalog_name");
                let hidden = SCHEMAS.contains(&schema.as_str()) || catalog == "system" || schema == "system";
                if hidden || SCHEMAS.contains(&catalog.as_str()) {
                    return Err(denied("table", &name));
                }
                // DuckDB takes a table that it does not know for a file.
                let file = name.contains(['.', '/', ':', '*', '?', '[']);
                if file || self.relations.contains(&name) {
                    strange.push(name);
                }
            }
            Some("SHOW_REF") => return Err(EngineError::refused("only SELECT can be run")),
            _ => {
                let name = word(node, "function_name");
                if self.scalars.contains(&name) {
                    return Err(denied("function", &name));
                }
            }
        }
        Ok(())
    }
}

/// What hides words from a plain look: comments, escapes, dollar quotes, identifiers such as U&"\0065nable…".
fn has_disguise(sql: &str) -> bool {
    sql.contains("u&") || sql.contains("--") || sql.contains("/*") || sql.contains(['\\', '$'])
}

/// Whether a dot is inside quotes: it may be part of a file's name.
fn has_quoted_dot(sql: &str) -> bool {
    let mut quote = None;
    sql.bytes().any(|byte| match (quote, byte) {
        (None, b'\'' | b'"') => {
            quote = Some(byte);
            false
        }
        (Some(open), _) if byte == open => {
            quote = None;
            false
        }
        (open, _) => open.is_some() && byte == b'.',
    })
}

fn denied(what: &str, name: &str) -> EngineError {
    EngineError::refused(format!("permission denied for {what} {name}"))
}

fn parse_tree(text: &str) -> DuckResult<Value> {
    // Deeper than serde_json's limit of 128 levels a suspicious statement is refused; plain ones never come here.
    let tree: Value = {
        let mut reader = serde_json::Deserializer::from_str(text);
        match serde::Deserialize::deserialize(&mut reader) {
            Ok(tree) => tree,
            Err(_) => return Err(EngineError::refused("the statement is nested too deeply")),
        }
    };
    if tree.get("error").and_then(Value::as_bool) == Some(false) {
        return Ok(tree);
    }
    let message = tree.get("error_message").and_then(Value::as_str).unwrap_or("the statement cannot be checked");
    let error = EngineError::parse(message);
    match error.exception_type.as_str() {
        "Parser" | "Syntax" => Err(error),
        _ => Err(EngineError::refused("the statement cannot be checked").detailed(message)),
    }
}

/// SHOW, DESCRIBE, SUMMARIZE, PIVOT and the like become SELECTs inside DuckDB; ours never begin so.
fn starts_like_select(sql: &str) -> bool {
    let start = sql.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '(');
    let word: String = start.chars().take_while(char::is_ascii_alphabetic).collect();
    ["select", "with", "values"].iter().any(|first| word.eq_ignore_ascii_case(first))
}

//! DuckDB's configuration: options at open, the locks in their order, and the check that they hold.

use std::sync::Arc;

use duckmesh_catalog::failpoint;

use super::{
    duck::{Connection, Database, DuckResult},
    kept,
    small::Small,
    small_scan, udf,
};
use crate::engine::protocol::{EngineError, WorkerConfig};

/// Extensions that must be part of the library: none can be loaded later.
const BUILT_IN: [&str; 3] = ["icu", "json", "parquet"];

/// Opens the database, runs the trusted set-up, locks everything, and reads it back as a user's connection sees it.
/// Gives the version of DuckDB too.
pub fn open(config: &WorkerConfig, small: &Arc<Small>) -> DuckResult<(Database, String)> {
    let options = options(config);
    let database = Database::open(&options)?;
    let trusted = database.connect()?;
    check_built_in(&trusted)?;
    udf::register(&trusted)?;
    small_scan::register(&trusted, small)?;
    trusted.execute(&format!("CREATE SCHEMA {}", kept::SCHEMA))?;
    for sql in &config.setup {
        trusted.execute(sql)?;
    }
    let locks = locks(config)?;
    failpoint::hit("engine-before-lock").map_err(|e| EngineError::settings(e.to_string()))?;
    for (name, value) in &locks {
        trusted.execute(&format!("SET GLOBAL {name} = {}", value.sql()))?;
    }
    // Not the trusted connection: plain SET there would look right and hold for nobody else.
    let user = database.connect()?;
    read_back(&user, &options, &locks)?;
    check_lock(&user)?;
    let version = user.rows("SELECT version()")?.into_iter().flatten().next().unwrap_or_default();
    Ok((database, version))
}

/// Options at open reach every connection, which plain SET does not.
fn options(config: &WorkerConfig) -> Vec<(&'static str, String)> {
    let fixed = [
        ("autoload_known_extensions", "false"),
        ("autoinstall_known_extensions", "false"),
        ("allow_community_extensions", "false"),
        ("allow_unsigned_extensions", "false"),
        ("allow_extensions_metadata_mismatch", "false"),
        ("allow_persistent_secrets", "false"),
        ("allow_unredacted_secrets", "false"),
        ("extension_directory", "/nonexistent"),
        ("home_directory", ""),
        ("secret_directory", "/nonexistent"),
        ("max_expression_depth", "250"),
        ("pivot_limit", "1000"),
        ("errors_as_json", "true"),
        // Postgres' order of NULLs, and its integer division.
        ("default_null_order", "nulls_last_on_asc_first_on_desc"),
        ("integer_division", "true"),
        // Every type arrives as itself; without it the zone of a timetz and the alias of a bit string are lost.
        ("arrow_lossless_conversion", "true"),
    ];
    let mut options: Vec<(&'static str, String)> = fixed.map(|(name, value)| (name, value.to_owned())).into();
    options.push(("threads", config.threads.to_string()));
    options.push(("memory_limit", format!("{}B", config.memory_bytes)));
    options
}

enum Value {
    Text(String),
    Bool(bool),
    Number(u64),
    List(Vec<String>),
}

impl Value {
    fn sql(&self) -> String {
        match self {
            Self::Text(text) => quoted(text),
            Self::Bool(value) => value.to_string(),
            Self::Number(value) => value.to_string(),
            Self::List(items) => format!("[{}]", items.iter().map(|i| quoted(i)).collect::<Vec<_>>().join(", ")),
        }
    }

    /// As `duckdb_settings()` shows it, where that is the same text.
    fn shown(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.clone()),
            Self::Bool(value) => Some(value.to_string()),
            Self::Number(value) => Some(value.to_string()),
            Self::List(_) => None,
        }
    }
}

/// In the order in which they must be set: the lock is the last.
fn locks(config: &WorkerConfig) -> DuckResult<Vec<(&'static str, Value)>> {
    let folders = config.read_folders.iter().map(|f| path(f).map(|p| format!("{}/", p.trim_end_matches('/'))));
    Ok(vec![
        ("temp_directory", Value::Text(path(&config.temp_folder)?)),
        ("max_temp_directory_size", Value::Text(format!("{}B", config.temp_bytes))),
        ("enable_external_file_cache", Value::Bool(false)),
        // Footers only; files never change, and each entry is checked against its file's time.
        ("parquet_metadata_cache", Value::Bool(true)),
        ("enable_logging", Value::Bool(false)),
        ("log_query_path", Value::Text(String::new())),
        ("catalog_error_max_schemas", Value::Number(0)),
        ("TimeZone", Value::Text("UTC".to_owned())),
        ("allowed_directories", Value::List(folders.collect::<DuckResult<_>>()?)),
        ("enable_external_access", Value::Bool(false)),
        ("allowed_configs", Value::List(vec!["TimeZone".to_owned()])),
        ("lock_configuration", Value::Bool(true)),
    ])
}

fn path(of: &std::path::Path) -> DuckResult<String> {
    of.to_str().map(str::to_owned).ok_or_else(|| EngineError::settings("a folder's name is not UTF-8"))
}

/// Before external access is switched off: afterwards the question itself would touch the disk.
fn check_built_in(trusted: &Connection) -> DuckResult<()> {
    let rows = trusted.rows("SELECT extension_name FROM duckdb_extensions() WHERE loaded")?;
    let loaded: Vec<&str> = rows.iter().flatten().map(String::as_str).collect();
    has_all(&loaded)?;
    trusted.execute("SELECT now() - interval '1 day'")
}

/// Fails for a library that lacks a part which statements need.
fn has_all(loaded: &[&str]) -> DuckResult<()> {
    match BUILT_IN.iter().find(|name| !loaded.contains(name)) {
        None => Ok(()),
        Some(name) => Err(EngineError::settings(format!(
            "this DuckDB library has no {name} built in; DuckMesh needs the official library with ICU, JSON and Parquet"
        ))),
    }
}

/// Compares every setting with what was asked for.
fn read_back(user: &Connection, options: &[(&str, String)], locks: &[(&str, Value)]) -> DuckResult<()> {
    let shown = user.rows("SELECT name, value FROM duckdb_settings()")?;
    let find = |name: &str| {
        let row = shown.iter().find(|row| row.first().is_some_and(|n| n.eq_ignore_ascii_case(name)));
        row.and_then(|row| row.get(1)).map(String::as_str)
    };
    let wanted = options.iter().map(|(name, value)| (*name, Some(value.clone())));
    let wanted = wanted.chain(locks.iter().map(|(name, value)| (*name, value.shown())));
    for (name, value) in wanted {
        let now = find(name).ok_or_else(|| EngineError::settings(format!("DuckDB does not show {name}")))?;
        let same = match (name, &value) {
            // Shown with a unit of its own choice.
            ("memory_limit" | "max_temp_directory_size", _) => true,
            (_, Some(value)) => shown_as(now) == shown_as(value),
            (_, None) => true,
        };
        if !same {
            return Err(EngineError::settings(format!("DuckDB did not take {name}: it is {now:?}")));
        }
    }
    Ok(())
}

/// After the lock only the time zone may change, and files outside must be out of reach.
fn check_lock(user: &Connection) -> DuckResult<()> {
    user.execute("SET TimeZone = 'UTC'")?;
    let refused = [
        "SET threads = 1",
        "SET GLOBAL memory_limit = '1TB'",
        "SET home_directory = '/'",
        "RESET allowed_directories",
        "SET enable_external_access = true",
        "SELECT * FROM read_text('/etc/hostname')",
        "SELECT * FROM glob('/*')",
    ];
    for sql in refused {
        if user.execute(sql).is_ok() {
            return Err(EngineError::settings(format!("not refused after the lock: {sql}")));
        }
    }
    Ok(())
}

/// A text as SQL literal.
pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A name as SQL identifier.
pub fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Some flags are shown as numbers.
fn shown_as(value: &str) -> String {
    match value {
        "0" => "false".to_owned(),
        "1" => "true".to_owned(),
        other => other.to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_without_a_part_is_refused_by_its_name() {
        assert!(has_all(&["core_functions", "parquet", "json", "icu"]).is_ok());
        for missing in BUILT_IN {
            let loaded: Vec<&str> = BUILT_IN.into_iter().filter(|name| *name != missing).collect();
            let error = has_all(&loaded).unwrap_err();
            assert!(error.message.contains(&format!("has no {missing} built in")), "{error:?}");
        }
    }
}

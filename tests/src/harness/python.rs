//! The official DuckDB with the official `ducklake` extension, in a Python of its own: software that is not ours.

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use super::{client::join, paths};

/// A lake as plain DuckDB attaches it.
#[derive(Clone, Debug)]
pub struct Lake {
    /// What comes between the quotes of ATTACH.
    attach: String,
    /// The options of ATTACH.
    options: String,
}

impl Lake {
    /// The first lake of an embedded server.
    #[must_use]
    pub fn sqlite(data: &Path) -> Self {
        let catalog = data.join("lakes/duckmesh/catalog.sqlite");
        Self { attach: format!("ducklake:sqlite:{}", catalog.display()), options: String::new() }
    }

    /// The first lake of a server whose catalog is Postgres.
    #[must_use]
    pub fn postgres(keywords: &str) -> Self {
        Self { attach: format!("ducklake:postgres:{keywords}"), options: "METADATA_SCHEMA 'lake_duckmesh'".into() }
    }

    /// Runs statements in plain DuckDB, with the lake attached as `lake` and in use: the rows of each, as lines.
    ///
    /// # Panics
    /// When one fails.
    pub fn run(&self, statements: &[&str]) -> Vec<Vec<String>> {
        self.try_run(statements).unwrap_or_else(|e| panic!("plain DuckDB: {e}"))
    }

    /// The rows of one statement.
    ///
    /// # Panics
    /// When it fails.
    #[must_use]
    pub fn text(&self, statement: &str) -> Vec<String> {
        self.run(&[statement]).pop().unwrap_or_default()
    }

    /// As [`Self::run`], for statements that may fail.
    ///
    /// # Errors
    /// DuckDB's.
    pub fn try_run(&self, statements: &[&str]) -> Result<Vec<Vec<String>>, String> {
        let options = if self.options.is_empty() { String::new() } else { format!(" ({})", self.options) };
        let attach = format!("ATTACH '{}' AS lake{options}", self.attach.replace('\'', "''"));
        duckdb(&json!({ "attach": attach, "statements": statements }))
    }
}

/// Runs statements in plain DuckDB without a lake.
///
/// # Panics
/// When one fails.
#[must_use]
pub fn plain(statements: &[&str]) -> Vec<Vec<String>> {
    duckdb(&json!({ "statements": statements })).unwrap_or_else(|e| panic!("plain DuckDB: {e}"))
}

fn duckdb(request: &Value) -> Result<Vec<Vec<String>>, String> {
    let mut child = Command::new(paths::python())
        .arg(paths::tests("python/lake.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| e.to_string())?;
    child.stdin.take().expect("a pipe").write_all(request.to_string().as_bytes()).map_err(|e| e.to_string())?;
    let output = child.wait_with_output().map_err(|e| e.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let answer: Value = serde_json::from_slice(&output.stdout).map_err(|e| e.to_string())?;
    let results = answer.as_array().cloned().unwrap_or_default();
    let line = |row: &Value| {
        let values = row.as_array().cloned().unwrap_or_default();
        join(&values.iter().map(|v| v.as_str().map(str::to_owned)).collect::<Vec<_>>())
    };
    Ok(results.iter().map(|rows| rows.as_array().into_iter().flatten().map(line).collect()).collect())
}

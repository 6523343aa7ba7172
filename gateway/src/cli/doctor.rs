//! `duckmesh doctor`: looks at everything a server needs here, and says for each thing what was found and what to do.
//!
//! It changes nothing: no migration, no table; of files only one of its own, which it removes.

mod database;
mod engine;
mod files;
mod machine;

use anyhow::Result;
use duckmesh_storage::Location as StorageLocation;
use serde::Serialize;

use crate::config::Config;

/// What became of one check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    /// As it should be.
    Ok,
    /// A server would run, and an operator should know.
    Warning,
    /// A server would not run, or would not keep its promises.
    Failed,
}

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Check {
    name: String,
    verdict: Verdict,
    found: String,
    /// What to do; none where there is nothing to do.
    advice: Option<String>,
}

impl Check {
    fn ok(name: &str, found: impl Into<String>) -> Self {
        Self { name: name.to_owned(), verdict: Verdict::Ok, found: found.into(), advice: None }
    }

    fn warning(name: &str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { verdict: Verdict::Warning, advice: Some(advice.into()), ..Self::ok(name, found) }
    }

    fn failed(name: &str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { verdict: Verdict::Failed, advice: Some(advice.into()), ..Self::ok(name, found) }
    }
}

/// Prints all checks; whether a server would run.
pub(super) async fn run(config: &Config, json: bool, files: bool) -> Result<bool> {
    let mut checks = machine::look(config);
    checks.extend(storage(config).await);
    checks.extend(engine::look(config).await);
    match &config.catalog_url {
        Some(url) => checks.extend(database::look(url, config).await),
        None => checks.push(Check::ok("catalog", "SQLite in the data folder")),
    }
    if files {
        checks.extend(files::look(config).await);
    }
    if json {
        println!("{}", serde_json::to_string_pretty(&checks)?);
    } else {
        for check in &checks {
            let mark = match check.verdict {
                Verdict::Ok => "ok     ",
                Verdict::Warning => "warning",
                Verdict::Failed => "FAILED ",
            };
            println!("{mark} {}: {}", check.name, check.found);
            if let Some(advice) = &check.advice {
                println!("        {advice}");
            }
        }
    }
    Ok(checks.iter().all(|check| check.verdict != Verdict::Failed))
}

/// The store of files: the data folder, and the bucket where there is one.
async fn storage(config: &Config) -> Vec<Check> {
    let mut checks = folders(config).await;
    if let Some(StorageLocation::Bucket(bucket)) = &config.storage {
        let advice = "Nothing is stored there until this works: see \"Files in a bucket\" in docs/operations.md.";
        checks.push(match crate::serve::stores(config).probe(bucket).await {
            Ok(probed) => Check::ok("bucket", format!("{}: {}", probed.url, probed.steps.join(", "))),
            Err(error) => Check::failed("bucket", error.to_string(), advice),
        });
    }
    checks
}

async fn folders(config: &Config) -> Vec<Check> {
    let config = config.clone();
    let looked = tokio::task::spawn_blocking(move || machine::folder("files", &config.data)).await;
    vec![looked.unwrap_or_else(|e| Check::failed("files", e.to_string(), "Report this."))]
}

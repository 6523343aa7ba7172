//! `duckmesh migrate`: brings the tables of catalog and log up to date, under their locks, and says what it did.

use std::sync::Arc;

use anyhow::{Context, Result};
use duckmesh_catalog::{Catalog, OpenOptions, clock::SystemClock};
use duckmesh_ingest::{PostgresBus, PostgresBusOptions, SqliteBus};

use crate::config::Config;

/// Prints a line for each step that was applied; nothing was to be done where there is none.
pub(super) async fn run(config: &Config) -> Result<()> {
    if config.catalog_url.is_none() {
        std::fs::create_dir_all(&config.data).with_context(|| format!("cannot make {}", config.data.display()))?;
    }
    // A server on an embedded folder migrates it by itself, and must not be surprised.
    let _lock = config.catalog_url.is_none().then(|| crate::serve::lock(config)).transpose()?;
    let options = OpenOptions { migrate: true, ..config.catalog_options() };
    let catalog = Catalog::open_with(config.location(), Arc::new(SystemClock), options)
        .await
        .context("cannot bring the catalog up to date")?;
    let mut applied = catalog.migrated();
    match &config.catalog_url {
        Some(url) => {
            let options = PostgresBusOptions { migrate: true, ..config.log_options() };
            let (_, log) = PostgresBus::open_with(url, options).await.context("cannot bring the log up to date")?;
            applied.extend(log.iter().map(|name| format!("duckmesh/{name}")));
        }
        None => {
            for lake in catalog.lakes().await? {
                if let Some(folder) = catalog.lake_folder(&lake.name) {
                    SqliteBus::open(&folder.join("log.sqlite")).context("cannot bring the log up to date")?;
                }
            }
        }
    }
    catalog.close().await;
    for name in &applied {
        println!("applied {name}");
    }
    println!("{}", if applied.is_empty() { "up to date: nothing to do" } else { "up to date" });
    Ok(())
}

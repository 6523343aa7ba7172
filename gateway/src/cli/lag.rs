//! `duckmesh lag`: what is in the logs and not yet visible. It only looks, also while servers run.

use std::sync::Arc;

use anyhow::{Context, Result};
use duckmesh_catalog::{Catalog, LakeInfo, OpenOptions, clock::SystemClock};
use duckmesh_ingest::{Bus, PostgresBus, PostgresBusOptions, SqliteBus};
use serde::Serialize;

use crate::config::Config;

/// What one lake looks like.
#[derive(Serialize)]
struct Line {
    lake: String,
    head: i64,
    watermark: i64,
    lag_offsets: i64,
    /// How long the oldest record that is not visible has waited; null where the log does not know.
    lag_seconds: Option<f64>,
    epoch: i64,
    owner: Option<String>,
    /// How long the owner's lease still holds.
    lease_seconds: f64,
    dead_letters: i64,
}

/// Prints a line for each lake.
pub(super) async fn run(config: &Config, json: bool) -> Result<()> {
    let options = OpenOptions { migrate: false, look_only: true, witness: None, ..config.catalog_options() };
    let catalog = Catalog::open_with(config.location(), Arc::new(SystemClock), options)
        .await
        .context("cannot open the catalog")?;
    let shared = match &config.catalog_url {
        Some(url) => {
            let options = PostgresBusOptions { migrate: false, ..config.log_options() };
            Some(PostgresBus::open_with(url, options).await.context("cannot open the log")?.0)
        }
        None => None,
    };
    let mut lines = Vec::new();
    for lake in catalog.lakes().await? {
        let log: Arc<dyn Bus> = match &shared {
            Some(log) => Arc::new(log.clone()),
            None => {
                let folder = catalog.lake_folder(&lake.name).unwrap_or_default();
                Arc::new(SqliteBus::open(&folder.join("log.sqlite")).context("cannot open the log")?)
            }
        };
        lines.push(look(&catalog, &*log, &lake).await.with_context(|| format!("lake {}", lake.name))?);
    }
    if json {
        println!("{}", serde_json::to_string_pretty(&lines)?);
    } else {
        print(&lines);
    }
    Ok(())
}

async fn look(catalog: &Catalog, log: &dyn Bus, lake: &LakeInfo) -> Result<Line> {
    // The watermark first: what is appended and published meanwhile must not make a negative lag.
    let (watermark, _) = catalog.watermark(lake.id).await?;
    let head = log.lane(lake.id).await?.head;
    let lease = catalog.lease_state(lake.id).await?;
    let lag_offsets = (head.get() - watermark.get()).max(0);
    let age = if lag_offsets == 0 { Some(0.0) } else { log.oldest_age(lake.id, watermark).await? };
    Ok(Line {
        lake: lake.name.to_string(),
        head: head.get(),
        watermark: watermark.get(),
        lag_offsets,
        lag_seconds: age,
        epoch: lease.epoch.get(),
        owner: lease.owner,
        lease_seconds: lease.seconds_left,
        dead_letters: catalog.dead_letter_count(lake.id).await?,
    })
}

fn print(lines: &[Line]) {
    let width = lines.iter().map(|line| line.lake.len()).max().unwrap_or(0).max("lake".len());
    println!(
        "{:width$} {:>12} {:>12} {:>8} {:>9} {:>6} {:>6}  owner",
        "lake", "head", "watermark", "lag", "seconds", "epoch", "dead"
    );
    for line in lines {
        let seconds = line.lag_seconds.map_or_else(|| "?".to_owned(), |s| format!("{s:.1}"));
        let owner = match &line.owner {
            Some(owner) if line.lease_seconds > 0.0 => owner.clone(),
            Some(owner) => format!("nobody (was {owner})"),
            None => "nobody".to_owned(),
        };
        println!(
            "{:width$} {:>12} {:>12} {:>8} {seconds:>9} {:>6} {:>6}  {owner}",
            line.lake, line.head, line.watermark, line.lag_offsets, line.epoch, line.dead_letters
        );
    }
}

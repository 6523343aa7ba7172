//! `duckmesh admin new-incarnation`: an operator's word that what the database has is what there is.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use duckmesh_catalog::{Catalog, OpenOptions, clock::SystemClock};

use crate::config::Config;

/// Connections of servers, by the names they give themselves. The program's own are among them: one pool of one.
const SERVERS: &str = "SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name IN ('duckmesh', 'duckmesh log') AND pid <> pg_backend_pid()";

/// Begins it, and prints its number.
pub(super) async fn run(config: &Config) -> Result<()> {
    if config.catalog_url.is_none() {
        bail!("--catalog: only a deployment on Postgres has incarnations");
    }
    // Any history is accepted, because this is where it is decided.
    let options =
        OpenOptions { connections: 1, migrate: false, look_only: true, witness: None, ..config.catalog_options() };
    let catalog = Catalog::open_with(config.location(), Arc::new(SystemClock), options)
        .await
        .context("cannot open the catalog")?;
    let servers = catalog.registry().query_one(SERVERS, Vec::new()).await?.int(0)?;
    if servers > 0 {
        bail!("servers are connected ({servers} connections): stop all of them first, they remember what was lost");
    }
    let number = catalog.new_incarnation().await?;
    println!("incarnation {number}: tokens of earlier ones hold up to where each database stands now");
    println!("start the servers");
    Ok(())
}

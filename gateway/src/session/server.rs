//! What all sessions share, and how a session begins.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use duckmesh_catalog::{LakeName, failpoint};

use super::{ClientSession, Lakes, activity::Activity, readiness::Readiness};
use crate::{
    commands::failure,
    config::Config,
    wire::{
        PgError, PgResult, SqlState,
        backend::{Connector, Startup},
        cancel::{Cancel, CancelRegistry},
    },
};

/// The server.
pub struct Server {
    /// Its configuration.
    pub config: Arc<Config>,
    /// Its lakes.
    pub lakes: Arc<Lakes>,
    /// When it started.
    pub started: DateTime<Utc>,
    /// What its sessions do.
    pub activity: Arc<Activity>,
    /// How they are told to stop.
    pub cancels: Arc<CancelRegistry>,
    /// Whether new clients are welcome.
    pub readiness: Arc<Readiness>,
}

impl Server {
    /// Ready to serve.
    #[must_use]
    pub fn new(
        config: Arc<Config>,
        lakes: Arc<Lakes>,
        cancels: Arc<CancelRegistry>,
        readiness: Arc<Readiness>,
    ) -> Self {
        Self { config, lakes, started: Utc::now(), activity: Arc::default(), cancels, readiness }
    }
}

/// Opens sessions for the wire, once there is a server.
#[derive(Clone, Default)]
pub struct SessionConnector(pub Arc<OnceLock<Arc<Server>>>);

#[async_trait]
impl Connector for SessionConnector {
    type Session = ClientSession;

    async fn connect(&self, startup: Startup, cancel: Cancel) -> PgResult<ClientSession> {
        let Some(server) = self.0.get() else {
            return Err(PgError::fatal(SqlState::CANNOT_CONNECT_NOW, "the database system is starting up"));
        };
        let unknown = || {
            PgError::fatal(SqlState::INVALID_CATALOG_NAME, format!("database \"{}\" does not exist", startup.database))
        };
        let name = LakeName::parse(&startup.database).ok_or_else(unknown)?;
        failpoint::hit("startup-after-auth").map_err(failure::catalog)?;
        let lake = server.lakes.open(&name).await?.ok_or_else(unknown)?;
        ClientSession::open(server.clone(), lake, startup, cancel)
    }
}

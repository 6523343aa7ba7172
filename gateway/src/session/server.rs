//! What all sessions share, and how a session begins.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use duckmesh_catalog::{LakeName, failpoint};

use super::{ClientSession, Lakes, activity::Activity};
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
    ready: AtomicBool,
    catalog_answers: AtomicBool,
}

impl Server {
    /// Ready to serve.
    #[must_use]
    pub fn new(config: Arc<Config>, lakes: Arc<Lakes>, cancels: CancelRegistry) -> Self {
        let (activity, cancels) = (Arc::default(), Arc::new(cancels));
        Self {
            config,
            lakes,
            started: Utc::now(),
            activity,
            cancels,
            ready: AtomicBool::new(true),
            catalog_answers: AtomicBool::new(true),
        }
    }

    /// From now on `/ready` says no.
    pub fn stopping(&self) {
        self.ready.store(false, Ordering::Relaxed);
    }

    /// Whether the catalog answers, from now on; gives whether it did before.
    pub fn catalog_answers(&self, answers: bool) -> bool {
        self.catalog_answers.swap(answers, Ordering::Relaxed)
    }

    /// Why new clients are not welcome; none if they are.
    #[must_use]
    pub fn not_ready(&self) -> Option<&'static str> {
        if !self.ready.load(Ordering::Relaxed) {
            return Some("stopping");
        }
        (!self.catalog_answers.load(Ordering::Relaxed)).then_some("the catalog does not answer")
    }
}

/// Opens sessions for the wire.
#[derive(Clone)]
pub struct SessionConnector(pub Arc<Server>);

#[async_trait]
impl Connector for SessionConnector {
    type Session = ClientSession;

    async fn connect(&self, startup: Startup, cancel: Cancel) -> PgResult<ClientSession> {
        let unknown = || {
            PgError::fatal(SqlState::INVALID_CATALOG_NAME, format!("database \"{}\" does not exist", startup.database))
        };
        let name = LakeName::parse(&startup.database).ok_or_else(unknown)?;
        failpoint::hit("startup-after-auth").map_err(failure::catalog)?;
        let lake = self.0.lakes.open(&name).await?.ok_or_else(unknown)?;
        ClientSession::open(self.0.clone(), lake, startup, cancel)
    }
}

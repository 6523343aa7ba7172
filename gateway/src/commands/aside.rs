//! Queries of a statement that goes on without its session at hand: COPY FROM STDIN while its data arrives.

use std::{sync::Arc, time::Duration};

use super::select;
use crate::{
    engine::{QueryRequest, Relation, ResultStream},
    session::{ClientSession, OpenLake},
    wire::{PgResult, cancel::Cancel},
};

/// What such a query needs of the session.
#[derive(Clone)]
pub struct Aside {
    /// The lake.
    pub lake: Arc<OpenLake>,
    cancel: Cancel,
    request: QueryRequest,
    timeout: Option<Duration>,
}

impl Aside {
    /// Of a session, as it is now.
    #[must_use]
    pub fn of(session: &ClientSession) -> Self {
        Self {
            lake: session.lake.clone(),
            cancel: session.cancel.clone(),
            request: QueryRequest { client_sql: Arc::default(), ..select::request(session, String::new()) },
            timeout: session.settings.statement_timeout(),
        }
    }

    /// Starts a query on the lake's engine.
    ///
    /// # Errors
    /// Engine errors; 57014 when the statement was told to stop.
    pub async fn query(&self, sql: String, relations: Vec<Relation>) -> PgResult<ResultStream> {
        let deadline = self.timeout.map(|timeout| tokio::time::Instant::now() + timeout);
        let request = QueryRequest { sql, relations, deadline, ..self.request.clone() };
        self.stoppable(self.lake.engine.query(request)).await
    }

    /// Waits for something, unless the statement is told to stop.
    ///
    /// # Errors
    /// 57014 then, and what it gives itself.
    pub async fn stoppable<T>(&self, work: impl Future<Output = PgResult<T>>) -> PgResult<T> {
        tokio::select! {
            biased;
            reason = self.cancel.cancelled() => Err(ClientSession::stopped(reason)),
            done = work => done,
        }
    }
}

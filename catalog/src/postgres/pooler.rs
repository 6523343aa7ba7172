//! Whether something stands between a server and its Postgres that does not keep what a connection was told: a pooler.
//!
//! In transaction mode a client's connection is another one of the server's after each transaction. Without what was prepared on
//! the first one no statement works; without its settings no statement has an end at the server.

use std::time::Duration;

use tokio::time::timeout;
use tokio_postgres::error::SqlState;

use super::{Connections, Failure};

/// How long the look may take that a pooler without a free connection would make wait.
const LIMIT: Duration = Duration::from_secs(3);
/// What to do about a pooler.
pub const ADVICE: &str = "Connect directly, or let the pooler use session mode (PgBouncer: pool_mode = session for this \
     database); see PgBouncer in docs/operations.md.";

/// What stands between.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Between {
    /// Statements that were prepared are gone after a transaction.
    pub forgets_statements: bool,
    /// The settings that the connection began with did not arrive.
    pub drops_settings: bool,
}

/// A setting that nobody else knows, as connections that are looked at begin with it.
pub const MARK: &str = "-c duckmesh.settings=here";
const MARKED: &str = "SELECT current_setting('duckmesh.settings', true) IS NOT DISTINCT FROM 'here'";

/// Looks, with two connections of the pool, which begin with [`MARK`].
pub(super) async fn between(connections: &Connections) -> Result<Between, Failure> {
    let (one, other) = (connections.get().await?, connections.get().await?);
    let mut found = Between::default();
    // Prepared on a server's connection, which is then kept busy by somebody else.
    let prepared = match connections.bounded(one.prepare("SELECT 1")).await {
        Ok(prepared) => prepared,
        Err(failure) if is_forgotten(&failure) => return Ok(Between { forgets_statements: true, ..found }),
        Err(failure) => return Err(failure),
    };
    connections.bounded(other.batch_execute("BEGIN; SELECT 1")).await?;
    let again = timeout(LIMIT, one.query_one(&prepared, &[])).await;
    connections.bounded(other.batch_execute("ROLLBACK")).await?;
    match again {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => {
            let failure = Failure::Server(error);
            if !is_forgotten(&failure) {
                return Err(failure);
            }
            return Ok(Between { forgets_statements: true, ..found });
        }
        // It waits for the connection that the other one has.
        Err(_) => {
            Connections::discard(one);
            return Ok(Between { forgets_statements: true, ..found });
        }
    }
    let marked = connections.bounded(one.query_one(MARKED, &[])).await?;
    found.drops_settings = !marked.try_get::<_, bool>(0).map_err(Failure::Server)?;
    Ok(found)
}

fn is_forgotten(failure: &Failure) -> bool {
    matches!(failure.code(), Some(code) if *code == SqlState::INVALID_SQL_STATEMENT_NAME
        || *code == SqlState::DUPLICATE_PSTATEMENT)
}

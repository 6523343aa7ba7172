//! What only other gateways know, and what only they can do: their sessions. They are asked as clients ask, at their Postgres
//! ports, so that no other door is open; one that does not answer is left out.

use std::time::Duration;

use chrono::{DateTime, Utc};
use duckmesh_catalog::LakeInfo;
use futures::{StreamExt, stream};
use tokio::time::timeout;
use tokio_postgres::{Config, NoTls, SimpleQueryMessage, SimpleQueryRow};

use crate::{
    session::{ClientSession, Server, activity::Doing},
    wire::cancel,
};

/// The `application_name` of who asks: such a session is told of the sessions of its own gateway alone, and is shown to nobody.
pub const NAME: &str = "duckmesh asks";
/// What asking may take, for all of them together.
const LIMIT: Duration = Duration::from_secs(2);
/// Who asks is no longer connected than this.
pub const ASKS_FOR: Duration = Duration::from_secs(4);
/// Gateways asked at once.
const AT_ONCE: usize = 16;

const SESSIONS: &str = "SELECT pid, usename, application_name, host(client_addr) || ':' || client_port, \
     extract(epoch FROM backend_start), extract(epoch FROM xact_start), extract(epoch FROM query_start), \
     extract(epoch FROM state_change), state, query FROM pg_stat_activity";

/// For whom another gateway is asked.
#[derive(Clone)]
pub struct Asking {
    /// The session's user.
    pub user: String,
    /// Its `application_name`.
    pub application: String,
}

impl Asking {
    /// For a session.
    #[must_use]
    pub fn of(session: &ClientSession) -> Self {
        let application = session.settings.get("application_name").unwrap_or_default();
        Self { user: session.user.clone(), application }
    }
}

/// Sessions of a lake at all other gateways.
pub async fn sessions(server: &Server, lake: &LakeInfo, user: &str) -> Vec<Doing> {
    let Some(node) = server.lakes.node() else { return Vec::new() };
    let is_own = |doing: &Doing| i64::from(cancel::slot_of(doing.process_id)) == node.slot;
    let asked = async {
        let gateways = server.lakes.catalog().other_gateways(node).await.unwrap_or_default();
        let one = async |address: String| (ask(&address, lake, user, SESSIONS).await, address);
        stream::iter(gateways).map(|(_, address)| one(address)).buffer_unordered(AT_ONCE).collect::<Vec<_>>().await
    };
    let Ok(answers) = timeout(ASKS_FOR, asked).await else { return Vec::new() };
    let mut all = Vec::new();
    for (answer, address) in answers {
        match answer {
            Ok(rows) => {
                // Two machines may say the same address: who is asked there may be this one.
                all.extend(rows.iter().filter_map(|row| doing(row, lake)).filter(|doing| !is_own(doing)));
            }
            Err(error) => tracing::debug!(address, error, "another gateway does not tell of its sessions"),
        }
    }
    all
}

/// Has the gateway of a session cancel its statement, or end it; whether there is such a session. Who asks for another gateway is
/// not passed on.
pub async fn signal(server: &Server, lake: &LakeInfo, by: &Asking, id: i32, reason: cancel::Reason) -> bool {
    let slot = i64::from(cancel::slot_of(id));
    let Some(node) = server.lakes.node().filter(|node| node.slot != slot && slot > 0 && by.application != NAME) else {
        return false;
    };
    let asked = async {
        let gateways = server.lakes.catalog().other_gateways(node).await.ok()?;
        let (_, address) = gateways.into_iter().find(|(of, _)| *of == slot)?;
        let function = if reason == cancel::Reason::User { "pg_cancel_backend" } else { "pg_terminate_backend" };
        let rows = ask(&address, lake, &by.user, &format!("SELECT {function}({id})")).await.ok()?;
        Some(rows.first()?.get(0) == Some("t"))
    };
    timeout(ASKS_FOR, asked).await.ok().flatten().unwrap_or(false)
}

async fn ask(address: &str, lake: &LakeInfo, user: &str, sql: &str) -> Result<Vec<SimpleQueryRow>, String> {
    let (host, port) = address.rsplit_once(':').ok_or("no port")?;
    let port = port.parse().map_err(|_| "no port")?;
    let mut config = Config::new();
    config.host(host.trim_matches(['[', ']'])).port(port).user(user).dbname(lake.name.as_str()).application_name(NAME);
    let asked = async {
        let (client, connection) = config.connect(NoTls).await?;
        let connection = tokio::spawn(connection);
        let messages = client.simple_query(sql).await;
        connection.abort();
        messages
    };
    let messages = timeout(LIMIT, asked).await.map_err(|_| "no answer in time")?.map_err(|e| e.to_string())?;
    let row = |message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    };
    Ok(messages.into_iter().filter_map(row).collect())
}

/// A row as the session that it is of; none: it is of a newer program.
fn doing(row: &SimpleQueryRow, lake: &LakeInfo) -> Option<Doing> {
    let text = |at: usize| row.get(at).map(str::to_owned);
    let time = |at: usize| row.get(at).and_then(|seconds| seconds.parse().ok()).and_then(at_second);
    const STATES: [&str; 4] = ["active", "idle", "idle in transaction", "idle in transaction (aborted)"];
    Some(Doing {
        process_id: row.get(0)?.parse().ok()?,
        lake: (lake.id, lake.name.as_str().to_owned()),
        user: text(1)?,
        application: text(2).unwrap_or_default(),
        peer: row.get(3).and_then(|peer| peer.parse().ok()),
        started: time(4)?,
        transaction: time(5),
        statement: time(6),
        changed: time(7)?,
        state: STATES.iter().find(|state| Some(**state) == row.get(8))?,
        query: text(9).unwrap_or_default(),
    })
}

fn at_second(seconds: f64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_micros((seconds * 1e6).round() as i64)
}

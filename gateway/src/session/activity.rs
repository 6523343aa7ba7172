//! What each session of this server does: what `pg_stat_activity` shows, and by what number a session is told to stop.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};
use duckmesh_catalog::{LakeId, LakeInfo};

use crate::wire::backend::Startup;

/// Bytes of a statement that are shown: PostgreSQL's `track_activity_query_size`.
const QUERY_BYTES_MAX: usize = 1024;

/// All sessions of a server.
#[derive(Debug, Default)]
pub struct Activity(Mutex<BTreeMap<i32, Doing>>);

/// One session.
#[derive(Clone, Debug)]
pub struct Doing {
    /// Its backend id.
    pub process_id: i32,
    /// The lake it is connected to, with its name.
    pub lake: (LakeId, String),
    /// Its user.
    pub user: String,
    /// Where its client is.
    pub peer: Option<SocketAddr>,
    /// Its `application_name`.
    pub application: String,
    /// When it began.
    pub started: DateTime<Utc>,
    /// When its transaction began.
    pub transaction: Option<DateTime<Utc>>,
    /// When its last statement began.
    pub statement: Option<DateTime<Utc>>,
    /// When its state changed.
    pub changed: DateTime<Utc>,
    /// `active`, `idle`, `idle in transaction`, `idle in transaction (aborted)`.
    pub state: &'static str,
    /// The statement it runs, or ran last.
    pub query: String,
}

/// A session's place among all, given back when dropped.
#[derive(Debug)]
pub struct Seat {
    activity: Arc<Activity>,
    process_id: i32,
}

impl Activity {
    /// A new session.
    pub fn enter(self: &Arc<Self>, doing: Doing) -> Seat {
        let process_id = doing.process_id;
        self.lock().insert(process_id, doing);
        Seat { activity: Arc::clone(self), process_id }
    }

    /// All of them, by number.
    #[must_use]
    pub fn all(&self) -> Vec<Doing> {
        self.lock().values().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<i32, Doing>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// Says what the session does now.
    pub fn say(&self, change: impl FnOnce(&mut Doing)) {
        if let Some(doing) = self.activity.lock().get_mut(&self.process_id) {
            change(doing);
        }
    }
}

impl Doing {
    /// A session begins.
    #[must_use]
    pub fn begins(startup: &Startup, lake: &LakeInfo, application: String, now: DateTime<Utc>) -> Self {
        Self {
            process_id: startup.process_id,
            lake: (lake.id, lake.name.as_str().to_owned()),
            user: startup.user.clone(),
            peer: startup.peer,
            application,
            started: now,
            transaction: None,
            statement: None,
            changed: now,
            state: "idle",
            query: String::new(),
        }
    }

    /// A statement begins.
    pub fn runs(&mut self, query: &str, now: DateTime<Utc>, transaction: DateTime<Utc>) {
        self.query.clear();
        self.query.push_str(&query[..query.floor_char_boundary(QUERY_BYTES_MAX)]);
        (self.state, self.changed) = ("active", now);
        (self.statement, self.transaction) = (Some(now), Some(transaction));
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.activity.lock().remove(&self.process_id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_shown_until_it_ends() {
        let all = Arc::new(Activity::default());
        let doing = Doing {
            process_id: 7,
            lake: (LakeId::new(1), "duckmesh".into()),
            user: "ann".into(),
            peer: None,
            application: String::new(),
            started: DateTime::UNIX_EPOCH,
            transaction: None,
            statement: None,
            changed: DateTime::UNIX_EPOCH,
            state: "idle",
            query: String::new(),
        };
        let seat = all.enter(doing);
        let long = "é".repeat(QUERY_BYTES_MAX);
        seat.say(|d| d.runs(&long, DateTime::UNIX_EPOCH, DateTime::UNIX_EPOCH));
        let shown = all.all();
        assert_eq!((shown.len(), shown[0].state, shown[0].query.len()), (1, "active", QUERY_BYTES_MAX));
        drop(seat);
        assert!(all.all().is_empty());
    }
}

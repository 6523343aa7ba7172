//! A client over tokio-postgres that keeps the notices it gets, because tokens come in them.

use std::sync::{Arc, Mutex, PoisonError};

use futures::{StreamExt, stream};
use tokio_postgres::{AsyncMessage, Config, Error, NoTls, SimpleQueryMessage};

/// A row in text.
pub type Row = Vec<Option<String>>;

/// One connection.
pub struct Client {
    /// The driver's client, for everything this type has no method for.
    pub pg: tokio_postgres::Client,
    notices: Arc<Mutex<Vec<String>>>,
    notified: Arc<Mutex<Vec<(String, String)>>>,
}

impl Client {
    /// Connects to 127.0.0.1.
    ///
    /// # Errors
    /// Of the driver.
    pub async fn connect(port: u16, database: &str) -> Result<Self, Error> {
        let mut config = Config::new();
        config.host("127.0.0.1").port(port).user("tester").dbname(database);
        Self::with(&config).await
    }

    /// Connects as said.
    ///
    /// # Errors
    /// Of the driver.
    pub async fn with(config: &Config) -> Result<Self, Error> {
        let (pg, mut connection) = config.connect(NoTls).await?;
        let notices = Arc::new(Mutex::new(Vec::new()));
        let notified = Arc::new(Mutex::new(Vec::new()));
        let (sink, told) = (notices.clone(), notified.clone());
        tokio::spawn(async move {
            let mut messages = stream::poll_fn(move |context| connection.poll_message(context));
            while let Some(Ok(message)) = messages.next().await {
                match message {
                    AsyncMessage::Notice(notice) => {
                        sink.lock().unwrap_or_else(PoisonError::into_inner).push(notice.message().to_owned());
                    }
                    AsyncMessage::Notification(note) => {
                        let note = (note.channel().to_owned(), note.payload().to_owned());
                        told.lock().unwrap_or_else(PoisonError::into_inner).push(note);
                    }
                    _ => {}
                }
            }
        });
        Ok(Self { pg, notices, notified })
    }

    /// Runs statements in the simple protocol: the rows of the last one that gave any.
    ///
    /// # Errors
    /// The server's.
    pub async fn rows(&self, sql: &str) -> Result<Vec<Row>, Error> {
        let mut rows = Vec::new();
        for message in self.pg.simple_query(sql).await? {
            match message {
                SimpleQueryMessage::RowDescription(_) => rows.clear(),
                SimpleQueryMessage::Row(row) => {
                    rows.push((0..row.len()).map(|i| row.get(i).map(str::to_owned)).collect());
                }
                _ => {}
            }
        }
        Ok(rows)
    }

    /// As [`Self::rows`], for statements that must succeed; columns joined by `|`, NULL as `NULL`.
    ///
    /// # Panics
    /// When a statement fails.
    pub async fn text(&self, sql: &str) -> Vec<String> {
        let rows = self.rows(sql).await.unwrap_or_else(|e| panic!("{sql}\n{}", explain(&e)));
        rows.iter().map(|row| join(row)).collect()
    }

    /// The only value of a statement that must succeed.
    ///
    /// # Panics
    /// When it fails, or gives something else than one value.
    pub async fn value(&self, sql: &str) -> String {
        let rows = self.text(sql).await;
        assert_eq!(rows.len(), 1, "one row expected: {sql}\n{rows:?}");
        rows.into_iter().next().unwrap_or_default()
    }

    /// Runs statements that must succeed.
    ///
    /// # Panics
    /// When one fails.
    pub async fn ok(&self, sql: &str) {
        let _ = self.text(sql).await;
    }

    /// Runs a statement that must fail: `SQLSTATE: message`.
    ///
    /// # Panics
    /// When it succeeds or the connection is lost.
    pub async fn fails(&self, sql: &str) -> String {
        match self.rows(sql).await {
            Ok(rows) => panic!("should have failed: {sql}\n{rows:?}"),
            Err(error) => match error.as_db_error() {
                Some(error) => format!("{}: {}", error.code().code(), error.message()),
                None => panic!("lost the connection: {sql}\n{error}"),
            },
        }
    }

    /// Runs a write that must succeed: its token, out of the notice.
    ///
    /// # Panics
    /// When it fails, or the server gives no token.
    pub async fn write(&self, sql: &str) -> String {
        self.take_notices();
        self.ok(sql).await;
        let notices = self.take_notices();
        token_of(&notices).unwrap_or_else(|| panic!("no token for {sql}: {notices:?}"))
    }

    /// Channels and payloads of the notifications so far.
    #[must_use]
    pub fn notified(&self) -> Vec<(String, String)> {
        self.notified.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The notices since the last call.
    pub fn take_notices(&self) -> Vec<String> {
        std::mem::take(&mut *self.notices.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The token in the last of these notices that has one.
#[must_use]
pub fn token_of(notices: &[String]) -> Option<String> {
    notices.iter().rev().find_map(|text| {
        let (_, token) = text.split_once("token ")?;
        token.contains('/').then(|| token.trim().to_owned())
    })
}

/// The offset of a token.
///
/// # Panics
/// When it has none.
#[must_use]
pub fn offset_of(token: &str) -> u64 {
    token.rsplit('/').next().and_then(|n| n.parse().ok()).unwrap_or_else(|| panic!("no offset in token {token:?}"))
}

/// A row as a line.
#[must_use]
pub fn join(row: &[Option<String>]) -> String {
    row.iter().map(|v| v.as_deref().unwrap_or("NULL")).collect::<Vec<_>>().join("|")
}

/// SQLSTATE of an error; empty when the connection was lost.
#[must_use]
pub fn sqlstate(error: &Error) -> String {
    error.code().map(|code| code.code().to_owned()).unwrap_or_default()
}

/// All an error says.
#[must_use]
pub fn explain(error: &Error) -> String {
    error.as_db_error().map_or_else(
        || error.to_string(),
        |e| {
            let rest = [("detail", e.detail()), ("hint", e.hint()), ("where", e.where_())];
            let rest = rest.iter().filter_map(|(name, text)| Some(format!(" {name}={:?}", (*text)?)));
            format!("{}: {}{}", e.code().code(), e.message(), rest.collect::<String>())
        },
    )
}

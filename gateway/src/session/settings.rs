//! A session's settings: what `SET` changes, `SHOW` shows and a rollback undoes.
//!
//! Values are kept in normal form, so that reading one never fails.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, Utc};
use duckmesh_catalog::ColumnType;

use self::{
    registry::{Context, Definition},
    text::unrecognized,
};
use crate::{
    value::{ByteaOutput, ColumnBuilder, DateOrder, DateStyle, IntervalStyle, TimeZone, ValueContext},
    wire::error::{PgError, PgResult, Severity, SqlState},
};

pub mod registry;
pub mod text;
pub mod value;

/// The version clients are told: PostgreSQL's whose behaviour this server follows.
pub const SERVER_VERSION: &str = "15.18";

/// How many settings of unknown names (`app.user`) a session may have.
const PLACEHOLDERS_MAX: usize = 1000;

/// Parameters reported at the start, in Postgres' order; ours last.
const REPORTED: [&str; 14] = [
    "application_name",
    "client_encoding",
    "DateStyle",
    "default_transaction_read_only",
    "in_hot_standby",
    "integer_datetimes",
    "IntervalStyle",
    "is_superuser",
    "server_encoding",
    "server_version",
    "session_authorization",
    "standard_conforming_strings",
    "TimeZone",
    "duckmesh.last_token",
];

/// A session's settings.
#[derive(Clone, Debug)]
pub struct Settings {
    user: String,
    /// What RESET goes back to where it is not the registry's default: what the client said at its start.
    defaults: BTreeMap<String, String>,
    values: Values,
    /// The values at the start of the transaction and at each of its savepoints.
    marks: Vec<Values>,
    /// What the client was last told.
    reported: BTreeMap<&'static str, String>,
    /// Rises with every change but those that each write makes.
    version: u64,
    /// The version that `reported` is of.
    reported_version: Option<u64>,
}

type Values = BTreeMap<String, Value>;

/// What a session said about one setting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Value {
    session: Option<String>,
    /// SET LOCAL: until the transaction ends.
    local: Option<String>,
}

/// A row of `SHOW ALL`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The setting's name in its own spelling.
    pub name: String,
    /// Its value.
    pub setting: String,
    /// What it is for.
    pub description: &'static str,
}

/// Settings that change with every write; nothing else depends on them.
const OF_WRITES: [&str; 2] = ["duckmesh.last_token", "duckmesh.idempotency_key"];

impl Settings {
    /// The settings of a session of `user` that began with these parameters (from the startup message, in order).
    pub fn new(user: &str, startup: &[(String, String)]) -> PgResult<Self> {
        let mut settings = Self {
            user: user.to_owned(),
            defaults: BTreeMap::from([("session_authorization".to_owned(), user.to_owned())]),
            values: Values::new(),
            marks: Vec::new(),
            reported: BTreeMap::new(),
            version: 0,
            reported_version: None,
        };
        for (name, value) in startup {
            let (key, value) = settings.checked(name, Some(value), true)?;
            if let Some(value) = value {
                settings.defaults.insert(key, value);
            }
        }
        Ok(settings)
    }

    /// What the server itself was started with.
    pub fn set_of_server(&mut self, name: &'static str, value: String) {
        self.defaults.insert(name.to_owned(), value);
    }

    /// `SET name TO value`; none is `TO DEFAULT`. SET LOCAL outside of a block is of the statements that are sent with it: the
    /// caller adds [`Settings::local_outside_transaction`] to its notices.
    pub fn set(&mut self, name: &str, value: Option<&str>, local: bool) -> PgResult<()> {
        let (key, value) = self.checked(name, value, false)?;
        self.before_change();
        let placeholders = self.values.keys().filter(|k| registry::find(k).is_none());
        if registry::find(&key).is_none() && !self.values.contains_key(&key) && placeholders.count() >= PLACEHOLDERS_MAX
        {
            return Err(PgError::new(
                SqlState::CONFIGURATION_LIMIT_EXCEEDED,
                format!("a session may have {PLACEHOLDERS_MAX} settings of its own names"),
            ));
        }
        let value = value.unwrap_or_else(|| self.default(&key));
        if local {
            self.values.entry(key).or_default().local = Some(value);
        } else {
            let session = Some(value);
            self.values.insert(key, Value { session, local: None });
        }
        Ok(())
    }

    /// The warning for SET LOCAL outside a transaction.
    #[must_use]
    pub fn local_outside_transaction() -> PgError {
        PgError::warning(SqlState::NO_ACTIVE_SQL_TRANSACTION, "SET LOCAL can only be used in transaction blocks")
    }

    /// `RESET name`.
    pub fn reset(&mut self, name: &str) -> PgResult<()> {
        let (key, _) = self.checked(name, None, false)?;
        self.before_change();
        if registry::find(&key).is_some() {
            self.values.remove(&key);
        } else if let Some(value) = self.values.get_mut(&key) {
            // A setting that was made by SET stays, empty.
            *value = Value { session: Some(String::new()), local: None };
        }
        Ok(())
    }

    /// `RESET ALL`.
    pub fn reset_all(&mut self) {
        self.before_change();
        const KEPT: [&str; 5] = [
            "transaction_isolation",
            "transaction_read_only",
            "transaction_deferrable",
            "duckmesh.last_token",
            "session_authorization",
        ];
        self.values.retain(|name, value| {
            if registry::find(name).is_none() {
                *value = Value { session: Some(String::new()), local: None };
                return true;
            }
            KEPT.contains(&name.as_str()) || name == "role"
        });
    }

    /// `DISCARD ALL`'s part.
    pub fn discard(&mut self) {
        self.version += 1;
        self.values.remove("role");
        self.reset_all();
    }

    /// Sets what clients may not: `duckmesh.last_token`, `transaction_isolation`, … Not undone by a rollback.
    pub fn set_internal(&mut self, name: &str, value: &str) {
        let key = registry::find(name).map_or(name, |d| d.name).to_owned();
        let value = Value { session: Some(value.to_owned()), local: None };
        for mark in &mut self.marks {
            mark.insert(key.clone(), value.clone());
        }
        self.values.insert(key, value);
    }

    /// `SHOW name`: its own spelling and its value.
    pub fn show(&self, name: &str) -> PgResult<(String, String)> {
        let value = self.get(name).ok_or_else(|| unrecognized(name))?;
        let own = registry::find(name).map_or_else(|| name.to_owned(), |d| d.name.to_owned());
        Ok((own, value))
    }

    /// The value as `SHOW` and `current_setting` write it; none for an unknown name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<String> {
        match registry::find(name) {
            Some(definition) if definition.name == "seed" => Some("unavailable".into()),
            Some(definition) => Some(value::show(definition, &self.raw(definition))),
            None => self
                .values
                .get(&name.to_ascii_lowercase())
                .or_else(|| self.values.get(name))
                .and_then(Value::effective)
                .cloned()
                .or_else(|| self.defaults.get(&name.to_ascii_lowercase()).cloned()),
        }
    }

    /// The value as `pg_settings` writes it, the one RESET would give, and where it comes from.
    #[must_use]
    pub fn source(&self, definition: &Definition) -> (String, String, &'static str) {
        let said = self.values.get(definition.name).and_then(Value::effective);
        let source = match definition.context {
            Context::Internal => "default",
            Context::Postmaster if self.defaults.contains_key(definition.name) => "configuration file",
            _ if said.is_some() => "session",
            _ if self.defaults.contains_key(definition.name) => "client",
            _ => "default",
        };
        let reset = value::plain(definition, &self.default(definition.name));
        (value::plain(definition, &self.raw(definition)), reset, source)
    }

    /// A number that rises with every change but those that each write makes.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// `SHOW ALL`.
    #[must_use]
    pub fn all(&self) -> Vec<Shown> {
        let known = registry::all().iter().filter(|d| !d.hidden).map(|d| Shown {
            name: d.name.to_owned(),
            setting: value::show(d, &self.raw(d)),
            description: d.description,
        });
        let mut all: Vec<_> = known.collect();
        for name in self.values.keys().filter(|n| registry::find(n).is_none()) {
            all.push(Shown { name: name.clone(), setting: self.get(name).unwrap_or_default(), description: "" });
        }
        all.sort_by_key(|shown| shown.name.to_ascii_lowercase());
        all
    }

    /// Parameters whose value is another than the client was told: for ParameterStatus. The first time, all.
    pub fn take_changes(&mut self) -> Vec<(String, String)> {
        let mut changes = Vec::new();
        let all = self.reported_version != Some(self.version);
        self.reported_version = Some(self.version);
        for name in REPORTED.into_iter().filter(|name| all || OF_WRITES.contains(name)) {
            let value = self.get(name).unwrap_or_default();
            if self.reported.get(name) != Some(&value) {
                changes.push((name.to_owned(), value.clone()));
                self.reported.insert(name, value);
            }
        }
        changes
    }

    /// A transaction block begins. What the same query string changed before belongs to it, as in Postgres.
    pub fn on_begin(&mut self) {
        if self.marks.is_empty() {
            self.marks.push(self.values.clone());
        }
    }

    /// A value changes; outside of a block that is the beginning of an implicit transaction.
    fn before_change(&mut self) {
        self.version += 1;
        self.on_begin();
    }

    /// What belonged to no block ended: the statements of a query string, or those up to Sync.
    pub fn on_implicit_end(&mut self, failed: bool) {
        if self.marks.is_empty() {
            return;
        }
        if failed { self.on_rollback() } else { self.on_commit() }
    }

    /// A statement of a block failed: what the block changed since its last savepoint is undone at once, as in Postgres.
    pub fn on_failure(&mut self) {
        if let Some(last) = self.marks.len().checked_sub(1) {
            self.on_rollback_to(last);
        }
    }

    /// The transaction is committed: what SET LOCAL said is over.
    pub fn on_commit(&mut self) {
        self.version += 1;
        self.marks.clear();
        for (name, value) in &mut self.values {
            let was_local = value.local.take().is_some();
            // As in Postgres a name that a transaction made stays, empty.
            if was_local && value.session.is_none() && registry::find(name).is_none() {
                value.session = Some(String::new());
            }
        }
        self.values.retain(|_, value| value.session.is_some());
    }

    /// The transaction is rolled back: everything is as it was at its beginning.
    pub fn on_rollback(&mut self) {
        self.version += 1;
        if let Some(first) = self.marks.drain(..).next() {
            self.values = first;
        }
        self.on_commit();
    }

    /// A savepoint is made: gives its mark.
    pub fn on_savepoint(&mut self) -> usize {
        self.marks.push(self.values.clone());
        self.marks.len() - 1
    }

    /// ROLLBACK TO: everything is as it was at the mark, which stays.
    pub fn on_rollback_to(&mut self, mark: usize) {
        self.version += 1;
        if let Some(values) = self.marks.get(mark) {
            self.values = values.clone();
            self.marks.truncate(mark + 1);
        }
    }

    /// RELEASE: the mark and those after it are gone, changes stay.
    pub fn on_release(&mut self, mark: usize) {
        self.marks.truncate(mark.max(1));
    }

    /// The key and the value in normal form; no value is the default.
    fn checked(&self, name: &str, value: Option<&str>, startup: bool) -> PgResult<(String, Option<String>)> {
        let Some(definition) = registry::find(name) else {
            let key = name.to_ascii_lowercase();
            text::check_placeholder(&key)?;
            return Ok((key, value.map(str::to_owned)));
        };
        self.may_change(definition, startup)?;
        let key = definition.name.to_owned();
        let Some(value) = value else {
            return Ok((key, None));
        };
        let value = match definition.name {
            "DateStyle" => text::show_date_style(text::date_style(value, self.date_style())?),
            "duckmesh.as_of" => self.moment(value)?,
            // A backslash would mean another thing than the reader of statements takes it for.
            "standard_conforming_strings" if value::check(definition, value)? == "off" => {
                return Err(PgError::unsupported("standard_conforming_strings cannot be switched off")
                    .hint("Write E'…' where backslashes escape."));
            }
            "session_authorization" | "role" => self.identity(definition.name, value)?,
            _ => value::check(definition, value)?,
        };
        Ok((key, Some(value)))
    }

    fn may_change(&self, definition: &Definition, startup: bool) -> PgResult<()> {
        let what = match definition.context {
            Context::User => return Ok(()),
            Context::Backend if startup => return Ok(()),
            Context::Internal => "cannot be changed",
            Context::Postmaster => "cannot be changed without restarting the server",
            Context::Sighup => "cannot be changed now",
            Context::Backend => "cannot be set after connection start",
        };
        Err(PgError::new(SqlState::CANT_CHANGE_RUNTIME_PARAM, format!("parameter \"{}\" {what}", definition.name)))
    }

    /// A point in time, in the session's zone and date style.
    fn moment(&self, value: &str) -> PgResult<String> {
        if !value.trim().is_empty() {
            let mut builder = ColumnBuilder::new(&ColumnType::Timestamptz, 1)?;
            builder.append_text(value.as_bytes(), &self.value_context(DateTime::UNIX_EPOCH)).map_err(|_| {
                value::invalid("duckmesh.as_of", value)
                    .hint("It takes a timestamp with time zone, such as 2026-01-31 12:00:00+00.")
            })?;
        }
        Ok(value.to_owned())
    }

    /// There are no roles yet but the session's own.
    fn identity(&self, name: &str, value: &str) -> PgResult<String> {
        if value == self.user || (name == "role" && value == "none") {
            return Ok(value.to_owned());
        }
        Err(PgError::new(SqlState::INVALID_PARAMETER_VALUE, format!("role \"{value}\" does not exist")))
    }

    fn default(&self, key: &str) -> String {
        self.defaults
            .get(key)
            .cloned()
            .or_else(|| registry::find(key).map(|d| d.default.to_owned()))
            .unwrap_or_default()
    }

    /// The value in normal form.
    fn raw(&self, definition: &Definition) -> String {
        if definition.name == "server_version" {
            return SERVER_VERSION.to_owned();
        }
        self.values
            .get(definition.name)
            .and_then(Value::effective)
            .cloned()
            .unwrap_or_else(|| self.default(definition.name))
    }
}

/// Typed values, for the code that follows them.
impl Settings {
    fn text(&self, name: &str) -> String {
        registry::find(name).map_or_else(String::new, |d| self.raw(d))
    }

    fn milliseconds(&self, name: &str) -> Option<Duration> {
        let ms = self.text(name).parse::<u64>().ok()?;
        (ms > 0).then(|| Duration::from_millis(ms))
    }

    /// `TimeZone`
    #[must_use]
    pub fn time_zone(&self) -> TimeZone {
        TimeZone::parse(&self.text("TimeZone")).unwrap_or(TimeZone::UTC)
    }

    /// `DateStyle`: its two words.
    #[must_use]
    pub fn date_style(&self) -> (DateStyle, DateOrder) {
        let default = (DateStyle::Iso, DateOrder::Mdy);
        text::date_style(&self.text("DateStyle"), default).unwrap_or(default)
    }

    /// `search_path` as names, `"$user"` replaced by the user; names that do not exist are still in it.
    #[must_use]
    pub fn search_path(&self) -> Vec<String> {
        let names = text::split_identifiers(&self.text("search_path")).unwrap_or_default();
        let own = |name: String| {
            if name == "$user" { self.user.clone() } else { name }
        };
        names.into_iter().map(own).collect()
    }

    /// `statement_timeout`; none is no limit.
    #[must_use]
    pub fn statement_timeout(&self) -> Option<Duration> {
        self.milliseconds("statement_timeout")
    }

    /// `lock_timeout`
    #[must_use]
    pub fn lock_timeout(&self) -> Option<Duration> {
        self.milliseconds("lock_timeout")
    }

    /// `idle_session_timeout`
    #[must_use]
    pub fn idle_session_timeout(&self) -> Option<Duration> {
        self.milliseconds("idle_session_timeout")
    }

    /// `idle_in_transaction_session_timeout`
    #[must_use]
    pub fn idle_in_transaction_session_timeout(&self) -> Option<Duration> {
        self.milliseconds("idle_in_transaction_session_timeout")
    }

    /// `duckmesh.barrier_timeout`; none is no limit.
    #[must_use]
    pub fn barrier_timeout(&self) -> Option<Duration> {
        self.milliseconds("duckmesh.barrier_timeout")
    }

    /// `duckmesh.consistency`
    #[must_use]
    pub fn consistency(&self) -> Consistency {
        match self.text("duckmesh.consistency").as_str() {
            "strong" => Consistency::Strong,
            "eventual" => Consistency::Eventual,
            _ => Consistency::Session,
        }
    }

    /// Whether `duckmesh.write_visibility` is `visible`: a write waits for its own barrier.
    #[must_use]
    pub fn waits_until_visible(&self) -> bool {
        self.text("duckmesh.write_visibility") == "visible"
    }

    /// `duckmesh.min_token`: its tokens, not checked.
    #[must_use]
    pub fn min_tokens(&self) -> Vec<String> {
        let text = self.text("duckmesh.min_token");
        let tokens = text.split(',').map(str::trim).filter(|t| !t.is_empty());
        tokens.map(str::to_owned).collect()
    }

    /// `duckmesh.snapshot`
    #[must_use]
    pub fn snapshot(&self) -> Option<u64> {
        self.text("duckmesh.snapshot").parse().ok()
    }

    /// `duckmesh.as_of`: its text, not checked.
    #[must_use]
    pub fn as_of(&self) -> Option<String> {
        Some(self.text("duckmesh.as_of")).filter(|t| !t.trim().is_empty())
    }

    /// `duckmesh.idempotency_key`
    #[must_use]
    pub fn idempotency_key(&self) -> Option<String> {
        Some(self.text("duckmesh.idempotency_key")).filter(|t| !t.is_empty())
    }

    /// `transaction_read_only`
    #[must_use]
    pub fn transaction_read_only(&self) -> bool {
        self.text("transaction_read_only") == "on"
    }

    /// `default_transaction_read_only`
    #[must_use]
    pub fn default_transaction_read_only(&self) -> bool {
        self.text("default_transaction_read_only") == "on"
    }

    /// `default_transaction_isolation`
    #[must_use]
    pub fn default_transaction_isolation(&self) -> String {
        self.text("default_transaction_isolation")
    }

    /// Whether `client_min_messages` lets a message through. Errors always pass.
    #[must_use]
    pub fn sends(&self, severity: Severity) -> bool {
        const LEVELS: [&str; 8] = ["debug5", "debug4", "debug3", "debug2", "debug1", "log", "notice", "warning"];
        let setting = self.text("client_min_messages");
        // `info` is below `notice`; messages of that level are always sent.
        let setting = if setting == "info" { "notice" } else { setting.as_str() };
        let least = LEVELS.iter().position(|l| *l == setting).unwrap_or(LEVELS.len());
        match severity {
            Severity::Error | Severity::Fatal | Severity::Info => true,
            Severity::Notice => least <= 6,
            Severity::Warning => least <= 7,
        }
    }

    /// How values are read and written now; `now` is the transaction's time.
    #[must_use]
    pub fn value_context(&self, now: DateTime<Utc>) -> ValueContext {
        let (date_style, date_order) = self.date_style();
        let mut context = ValueContext::new(now);
        context.time_zone = self.time_zone();
        context.date_style = date_style;
        context.date_order = date_order;
        context.interval_style = match self.text("IntervalStyle").as_str() {
            "postgres_verbose" => IntervalStyle::PostgresVerbose,
            "sql_standard" => IntervalStyle::SqlStandard,
            "iso_8601" => IntervalStyle::Iso8601,
            _ => IntervalStyle::Postgres,
        };
        context.bytea_output = match self.text("bytea_output").as_str() {
            "escape" => ByteaOutput::Escape,
            _ => ByteaOutput::Hex,
        };
        context.search_path = self.search_path();
        context.extra_float_digits = self.text("extra_float_digits").parse().unwrap_or(1);
        context
    }
}

/// Which writes a read waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consistency {
    /// The session's own.
    Session,
    /// All that were acknowledged before the statement began.
    Strong,
    /// None.
    Eventual,
}

impl Value {
    fn effective(&self) -> Option<&String> {
        self.local.as_ref().or(self.session.as_ref())
    }
}

#[cfg(test)]
mod tests;

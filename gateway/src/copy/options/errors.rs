//! The options of PostgreSQL 17 and 18 about rows that cannot be read: ON_ERROR, REJECT_LIMIT, LOG_VERBOSITY.

use super::{Direction, LogVerbosity, OnError, RawCopyOptions, invalid};
use crate::wire::error::{PgError, PgResult, SqlState};

/// What the options say together.
pub(super) struct Errors {
    pub on_error: OnError,
    pub reject_limit: Option<u64>,
    pub log_verbosity: LogVerbosity,
}

impl Errors {
    pub fn new(raw: &RawCopyOptions, direction: Direction) -> PgResult<Self> {
        Ok(Self {
            on_error: on_error(raw.on_error.as_deref(), direction).map_err(|e| e.or_position(raw.places.on_error))?,
            reject_limit: reject_limit(raw.reject_limit.as_deref())?,
            log_verbosity: log_verbosity(raw.log_verbosity.as_deref())
                .map_err(|e| e.or_position(raw.places.log_verbosity))?,
        })
    }

    /// In a format without lines nothing can be left out.
    pub fn check_mode(&self, mode: &str) -> PgResult<()> {
        if self.on_error == OnError::Stop {
            return Ok(());
        }
        Err(PgError::new(SqlState::SYNTAX_ERROR, format!("only ON_ERROR STOP is allowed in {mode} mode")))
    }

    pub fn check_limit(&self) -> PgResult<()> {
        if self.reject_limit.is_some() && self.on_error != OnError::Ignore {
            return Err(invalid("COPY REJECT_LIMIT requires ON_ERROR to be set to IGNORE"));
        }
        Ok(())
    }
}

fn on_error(raw: Option<&str>, direction: Direction) -> PgResult<OnError> {
    let Some(word) = raw else { return Ok(OnError::Stop) };
    if direction == Direction::To {
        return Err(invalid("COPY ON_ERROR cannot be used with COPY TO"));
    }
    match word.to_ascii_lowercase().as_str() {
        // Without a value it means what it means without the option.
        "" | "stop" => Ok(OnError::Stop),
        "ignore" => Ok(OnError::Ignore),
        _ => Err(invalid(format!("COPY ON_ERROR \"{word}\" not recognized"))),
    }
}

fn reject_limit(raw: Option<&str>) -> PgResult<Option<u64>> {
    let Some(text) = raw else { return Ok(None) };
    if text.is_empty() {
        return Err(PgError::new(SqlState::SYNTAX_ERROR, "reject_limit requires a numeric value"));
    }
    let limit: i64 = text.trim().parse().map_err(|_| {
        let message = format!("invalid input syntax for type bigint: \"{text}\"");
        PgError::new(SqlState::INVALID_TEXT_REPRESENTATION, message)
    })?;
    match u64::try_from(limit) {
        Ok(limit) if limit > 0 => Ok(Some(limit)),
        _ => Err(invalid(format!("REJECT_LIMIT ({limit}) must be greater than zero"))),
    }
}

fn log_verbosity(raw: Option<&str>) -> PgResult<LogVerbosity> {
    match raw.unwrap_or_default().to_ascii_lowercase().as_str() {
        "" | "default" => Ok(LogVerbosity::Default),
        "verbose" => Ok(LogVerbosity::Verbose),
        "silent" => Ok(LogVerbosity::Silent),
        _ => Err(invalid(format!("COPY LOG_VERBOSITY \"{}\" not recognized", raw.unwrap_or_default()))),
    }
}

//! `CALL duckmesh.expire_snapshots`: old snapshots end.

use chrono::{DateTime, TimeDelta, Utc};

use super::{calls, copy_in::CopyIn, failure, select};
use crate::{
    session::ClientSession,
    wire::{
        PgError, PgResult, SqlState,
        backend::{Outcome, RowTag},
    },
};

/// The columns of its one row: how many snapshots ended, how many files are to be deleted, and how many snapshots are old
/// enough but kept by readers.
pub const COLUMNS: [&str; 3] = ["snapshots", "files", "kept_by_readers"];

/// Runs it.
///
/// # Errors
/// 22023 where the time is none; errors of the catalog.
pub async fn run(session: &mut ClientSession, older_than: &str) -> PgResult<Outcome<CopyIn>> {
    let before = time(session, older_than)?;
    let expired = session.lake.lake.expire_snapshots(before).await.map_err(failure::catalog)?;
    let row = [expired.snapshots, expired.files, expired.pinned].map(|count| Some(count.to_string()));
    select::text_rows(&COLUMNS, &[row.to_vec()], RowTag::Plain("CALL"))
}

/// A time, or an interval before now.
fn time(session: &ClientSession, text: &str) -> PgResult<DateTime<Utc>> {
    let invalid = || {
        PgError::new(SqlState::INVALID_PARAMETER_VALUE, format!("invalid value for older_than: \"{text}\""))
            .hint("It takes an interval, such as '7 days', or a timestamp with time zone.")
    };
    if let Ok(micros) = calls::micros_of(session, text) {
        return DateTime::from_timestamp_micros(micros).ok_or_else(invalid);
    }
    let seconds = calls::interval_seconds(session, text).map_err(|_| invalid())?;
    let age = TimeDelta::try_milliseconds((seconds * 1000.0) as i64).ok_or_else(invalid)?;
    Utc::now().checked_sub_signed(age).ok_or_else(invalid)
}

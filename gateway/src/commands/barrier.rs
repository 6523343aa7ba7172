//! What a statement may see: the barrier, then the pin.

use std::{sync::Arc, time::Duration};

use arrow::{array::AsArray, datatypes::TimestampMicrosecondType};
use chrono::{DateTime, Utc};
use duckmesh_catalog::{ColumnType, Offset, SnapshotId, SnapshotInfo, Token};
use duckmesh_ingest::{SnapshotPin, WaitError};

use super::failure;
use crate::{
    session::{ClientSession, Pin, settings::Consistency},
    value::ColumnBuilder,
    wire::{PgError, PgResult, SqlState, backend::Session as _},
};

/// For planning outside a transaction: the newest state, or for reads the old one that was asked for. Waits for nothing:
/// the session's own DDL waited for its publication already.
///
/// # Errors
/// When the catalog cannot be read, or the snapshot asked for is gone.
pub async fn planning_pin(session: &ClientSession, reads: bool) -> PgResult<Pin> {
    match time_travel(session).await?.filter(|_| reads) {
        Some(snapshot) => load(session, snapshot).await,
        None => newest(session).await,
    }
}

/// For a write whose idempotency key was used before: the snapshot that the first one was made on, so that it is planned
/// as that was. Its append stores nothing, and gives the first one's token, or says that the payload is another.
///
/// # Errors
/// When log or catalog cannot be read.
pub async fn repeat_pin(session: &ClientSession) -> PgResult<Option<Pin>> {
    let Some(key) = session.settings.idempotency_key() else { return Ok(None) };
    let Some(first) = session.lake.lake.recorded(&key).await.map_err(failure::bus)? else { return Ok(None) };
    let newest = newest(session).await?;
    if newest.snapshot.watermark < first {
        return Ok(Some(newest));
    }
    let (catalog, lake) = (session.server.lakes.catalog(), session.lake.info.id);
    match catalog.snapshot_below(lake, first).await.map_err(failure::catalog)? {
        Some(snapshot) => load(session, snapshot).await.map(Some),
        // Expired by another program: then the newest state has to do.
        None => Ok(None),
    }
}

/// For reading outside a transaction: after the barrier, the newest snapshot or the old one that was asked for.
///
/// # Errors
/// MD001 to MD005.
pub async fn reading_pin(session: &ClientSession) -> PgResult<Pin> {
    let tokens = min_tokens(session)?;
    if let Some(snapshot) = time_travel(session).await? {
        covers(session, &snapshot, &tokens).await?;
        return load(session, snapshot).await;
    }
    pass(session, &tokens).await?;
    newest(session).await
}

/// For a write that reads, outside a transaction: after the barrier, the newest snapshot. Time travel is for reads alone.
///
/// # Errors
/// MD001 to MD003.
pub async fn writing_pin(session: &ClientSession) -> PgResult<Pin> {
    if let Some(pin) = repeat_pin(session).await? {
        return Ok(pin);
    }
    pass(session, &min_tokens(session)?).await?;
    newest(session).await
}

/// For DDL outside a transaction: the newest snapshot after everything acknowledged so far, because what DDL validates must
/// hold for rows of other sessions too.
///
/// # Errors
/// MD001 to MD003.
pub async fn writing_pin_strong(session: &ClientSession) -> PgResult<Pin> {
    min_tokens(session)?;
    if let Some(pin) = repeat_pin(session).await? {
        return Ok(pin);
    }
    newest_pin_strong(session).await
}

/// The newest snapshot after everything acknowledged so far.
///
/// # Errors
/// MD001.
pub async fn newest_pin_strong(session: &ClientSession) -> PgResult<Pin> {
    let head = session.lake.lake.head().await.map_err(failure::bus)?;
    wait(session, head).await?;
    newest(session).await
}

/// The transaction's pin; its first statement makes it, after the barrier.
///
/// # Errors
/// MD001 to MD005: a `min_token` set after the pin that it does not cover is an error, never ignored.
pub async fn transaction_pin(session: &mut ClientSession) -> PgResult<Pin> {
    let pinned = session.transaction.as_ref().and_then(|t| Some((t.pin.clone()?, t.is_repeat)));
    if let Some((pin, is_repeat)) = pinned {
        if !is_repeat {
            covers(session, &pin.snapshot, &min_tokens(session)?).await?;
        }
        return Ok(session.temporary.in_pin(pin));
    }
    let repeat = repeat_pin(session).await?;
    let is_repeat = repeat.is_some();
    let pin = match repeat {
        Some(pin) => pin,
        None => reading_pin(session).await?,
    };
    if let Some(transaction) = &mut session.transaction {
        transaction.pin = Some(pin.clone());
        transaction.is_repeat = is_repeat;
    }
    Ok(pin)
}

/// Waits until everything the session depends on is visible.
async fn pass(session: &ClientSession, tokens: &[Token]) -> PgResult<()> {
    let asked = tokens.iter().map(|token| token.offset).max().unwrap_or(Offset::ZERO);
    let offset = match session.settings.consistency() {
        Consistency::Eventual => asked,
        Consistency::Session => asked.max(session.last_write),
        Consistency::Strong => {
            let head = session.lake.lake.head().await.map_err(failure::bus)?;
            asked.max(session.last_write).max(head)
        }
    };
    wait(session, offset).await
}

/// Waits until `offset` is visible, at most `duckmesh.barrier_timeout`.
///
/// # Errors
/// MD001 with token, head and watermark; MD002 at once.
pub async fn wait(session: &ClientSession, offset: Offset) -> PgResult<()> {
    let lake = &session.lake.lake;
    if offset <= lake.watermark() {
        return Ok(());
    }
    // Zero means without end, as for Postgres' own timeouts; then cancel and statement_timeout still end the wait.
    let timeout = session.settings.barrier_timeout().unwrap_or(Duration::MAX);
    match tokio::time::timeout(timeout, lake.wait_for(offset)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(WaitError::AboveHead { head, .. })) => Err(failure::above_head(&session.token(offset), head)),
        Ok(Err(error)) => Err(failure::wait(error)),
        Err(_) => Err(timed_out(session, offset, timeout).await),
    }
}

async fn timed_out(session: &ClientSession, offset: Offset, timeout: Duration) -> PgError {
    let token = session.token(offset);
    let head = session.lake.lake.head().await.map_or_else(|_| "unknown".to_owned(), |head| head.to_string());
    let watermark = session.lake.lake.watermark();
    PgError::new(SqlState::BARRIER_TIMEOUT, format!("token {token} is not visible after {} ms", timeout.as_millis()))
        .detail(format!("Token offset {offset}, head {head}, watermark {watermark}."))
        .hint("Retry, raise duckmesh.barrier_timeout, or read without waiting: SET duckmesh.consistency = 'eventual'.")
}

/// The tokens of `duckmesh.min_token`.
fn min_tokens(session: &ClientSession) -> PgResult<Vec<Token>> {
    let here = &session.lake.info.name;
    session
        .settings
        .min_tokens()
        .iter()
        .map(|text| {
            let token = Token::parse(text, here).ok_or_else(|| {
                PgError::new(
                    SqlState::INVALID_PARAMETER_VALUE,
                    format!("invalid value for parameter \"duckmesh.min_token\": \"{text}\""),
                )
                .hint("Tokens look like sales/42; several are joined by commas.")
            })?;
            if token.lake == *here {
                return match session.lake.incarnations.holds(token.incarnation, token.offset) {
                    true => Ok(token),
                    false => Err(failure::token_of_lost_incarnation(&token)),
                };
            }
            Err(PgError::new(SqlState::TOKEN_OF_OTHER_LAKE, format!("token {token} belongs to another database"))
                .hint(format!("This connection is to database \"{here}\".")))
        })
        .collect()
}

/// Fails if a snapshot that is already chosen does not cover the tokens.
async fn covers(session: &ClientSession, snapshot: &SnapshotInfo, tokens: &[Token]) -> PgResult<()> {
    let Some(token) = tokens.iter().max_by_key(|token| token.offset) else { return Ok(()) };
    if token.offset <= snapshot.watermark {
        return Ok(());
    }
    let head = session.lake.lake.head().await.map_err(failure::bus)?;
    if token.offset > head {
        return Err(failure::above_head(token, head));
    }
    let text = format!("snapshot {} does not cover token {token}", snapshot.id);
    Err(PgError::new(SqlState::SNAPSHOT_BEFORE_TOKEN, text)
        .detail(format!("The snapshot's watermark is {}.", snapshot.watermark))
        .hint("Unset duckmesh.snapshot, duckmesh.as_of or duckmesh.min_token, or begin a new transaction."))
}

/// The old snapshot that `duckmesh.snapshot` or `duckmesh.as_of` asks for.
async fn time_travel(session: &ClientSession) -> PgResult<Option<SnapshotInfo>> {
    let (catalog, lake) = (session.server.lakes.catalog(), session.lake.info.id);
    let found = if let Some(id) = session.settings.snapshot() {
        catalog.snapshot(lake, SnapshotId::new(i64::try_from(id).unwrap_or(i64::MAX))).await
    } else if let Some(at) = as_of(session)? {
        catalog.snapshot_as_of(lake, at).await
    } else {
        return Ok(None);
    };
    let found = found.map_err(failure::catalog)?;
    // Others learn of the pin before it is relied on: what is still there then does not expire.
    let _kept = session.lake.lake.pin(found.id);
    if session.server.lakes.tell_pin(lake, found.id).await.map_err(failure::catalog)? {
        catalog.snapshot(lake, found.id).await.map_err(failure::catalog)?;
    }
    Ok(Some(found))
}

fn as_of(session: &ClientSession) -> PgResult<Option<DateTime<Utc>>> {
    let Some(text) = session.settings.as_of() else { return Ok(None) };
    let invalid = |_| {
        PgError::new(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("invalid value for parameter \"duckmesh.as_of\": \"{text}\""),
        )
        .hint("It takes a timestamp with time zone, such as 2026-01-31 12:00:00+00.")
    };
    let mut builder = ColumnBuilder::new(&ColumnType::Timestamptz, 1)?;
    builder.append_text(text.as_bytes(), &session.value_context()).map_err(invalid)?;
    let array = builder.finish();
    let micros = array.as_primitive::<TimestampMicrosecondType>().value(0);
    Ok(DateTime::from_timestamp_micros(micros))
}

async fn newest(session: &ClientSession) -> PgResult<Pin> {
    let (snapshot, kept) = session.lake.lake.pin_newest().await.map_err(failure::catalog)?;
    pinned(session, snapshot, kept).await
}

async fn load(session: &ClientSession, snapshot: SnapshotInfo) -> PgResult<Pin> {
    let kept = session.lake.lake.pin(snapshot.id);
    pinned(session, snapshot, kept).await
}

async fn pinned(session: &ClientSession, snapshot: SnapshotInfo, kept: SnapshotPin) -> PgResult<Pin> {
    let catalog = session.server.lakes.catalog();
    let kept = Some(Arc::new(kept));
    let schema = catalog.schema(session.lake.info.id, &snapshot).await.map_err(failure::catalog)?;
    Ok(session.temporary.in_pin(Pin { snapshot, base: schema.clone(), schema, kept }))
}

//! Writes that are right only while no other rows come into a table: a constraint that all rows were checked for.

use std::sync::Arc;

use duckmesh_catalog::Offset;

use super::{Log, Queued, announce, answer, gather, refuse};
use crate::{
    bus::{AppendOutcome, StoredRecord},
    error::{AppendError, AppendErrorKind, BusError, BusErrorKind},
    frame::{self, Content, Part, Validated},
    lake::Shared,
};

/// Other processes may append between the look and the append; then so many looks.
const LOOKS_MAX: usize = 100;

/// Appends one such write, or refuses it. Nothing of this process comes between: it is this task that appends.
pub(super) async fn commit(shared: &Arc<Shared>, queued: Queued) -> Log {
    let Some(mut validated) = queued.write.validated.clone() else { return Log::Answers };
    let mut gathered = gather::records(vec![queued]);
    let Some(mut gathered) = gathered.pop() else { return Log::Answers };
    for _ in 0..LOOKS_MAX {
        let (record, writes) = (&mut gathered.record, &mut gathered.writes);
        match look(shared, record.keys.first().map(|key| key.key.key.as_str()), &mut validated).await {
            Ok(Some(head_max)) => record.head_max = Some(head_max),
            Ok(None) => {
                refuse(shared, writes.drain(..), &rows_arrived());
                return Log::Answers;
            }
            Err(error) => {
                // Nothing was sent that could be in the log.
                let is_silent = matches!(error.kind(), BusErrorKind::Unavailable | BusErrorKind::Unknown);
                let error = match error.kind() {
                    BusErrorKind::Unknown => BusError::new(BusErrorKind::Unavailable, error.to_string()),
                    _ => error,
                };
                refuse(shared, writes.drain(..), &AppendError::from(error));
                return if is_silent { Log::IsSilent } else { Log::Answers };
            }
        }
        let sizes = [(record.offsets, record.body.len(), record.ddl)];
        let outcomes = match shared.bus.append(shared.info.id, vec![record.clone()]).await {
            Ok(outcomes) => outcomes,
            Err(error) => return super::failed(shared, writes.drain(..), error),
        };
        if outcomes == [AppendOutcome::Moved] {
            continue;
        }
        announce(shared, &sizes, &outcomes);
        for outcome in outcomes {
            // A repeated key is the write's own: nothing is left to append again.
            answer(shared, std::mem::take(writes), outcome);
        }
        return Log::Answers;
    }
    refuse(shared, gathered.writes, &rows_arrived());
    Log::Answers
}

/// Up to which head the write is right; none: other rows came.
async fn look(shared: &Shared, key: Option<&str>, validated: &mut Validated) -> Result<Option<Offset>, BusError> {
    if let Some(key) = key
        && shared.bus.recorded(shared.info.id, key).await?.is_some()
    {
        // A repeat gets its answer whatever came since; should its key be forgotten by then, it is refused.
        return Ok(Some(Offset::ZERO));
    }
    let head = shared.bus.lane(shared.info.id).await?.head;
    Ok(advance(shared, validated, head).await?.then_some(head))
}

/// Looks through the log up to `head`: whether the tables' rows are still those that were looked at.
pub(super) async fn advance(shared: &Shared, validated: &mut Validated, head: Offset) -> Result<bool, BusError> {
    while validated.through < head {
        let records = shared.bus.read(shared.info.id, validated.through, shared.options.read_bytes_max).await?;
        let (Some(first), Some(last)) = (records.first(), records.last()) else { return Ok(false) };
        // What is trimmed already may have been rows of the table.
        if first.first > validated.through.next() {
            return Ok(false);
        }
        let (through, tables) = (last.last, validated.tables.clone());
        let touched = tokio::task::spawn_blocking(move || records.iter().any(|record| touches(record, &tables)));
        if touched.await.unwrap_or(true) {
            return Ok(false);
        }
        validated.through = through;
    }
    Ok(true)
}

fn touches(record: &StoredRecord, tables: &[uuid::Uuid]) -> bool {
    let offsets = u64::try_from(record.last.get() - record.first.get() + 1).unwrap_or(0);
    match frame::decode(&record.body, offsets).map(|body| body.content) {
        Ok(Content::Rows(rows)) => tables.contains(&rows.table),
        Ok(Content::Parts(parts)) => parts.iter().any(|part| match part {
            Part::Rows { table, .. } | Part::Files { table, .. } => tables.contains(table),
            Part::Ddl(_) | Part::Rejected(_) => false,
        }),
        // It will be rejected; until then nobody knows whose rows it has.
        Err(_) => true,
    }
}

pub(super) fn rows_arrived() -> AppendError {
    AppendError::new(AppendErrorKind::RowsArrived, "other rows came into the table meanwhile")
}

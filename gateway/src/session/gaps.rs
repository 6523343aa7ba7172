//! Writes that were acknowledged and could not be applied: who reads their tables is told, once, or not served at all.
//!
//! A snapshot says which is the newest that it lacks; only a session that does not know of that one asks the catalog.

use duckmesh_catalog::{Gap, MissingFrom, Offset, TableDef};

use super::{ClientSession, Pin, temporary};
use crate::{
    commands::failure,
    sql::plan::TableUse,
    wire::{PgError, PgResult, SqlState},
};

/// Gaps that a session keeps; of more the newest count.
const GAPS_MAX: usize = 1000;
/// Offsets that a message names.
const NAMED_MAX: usize = 5;

/// The gaps that a session knows of.
#[derive(Debug, Default)]
pub struct Gaps {
    /// Up to where; none: nowhere yet.
    through: Option<Offset>,
    /// With those that it was told of.
    known: Vec<(Gap, bool)>,
}

/// What a statement does that reads a table with a gap: `duckmesh.dead_letters`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Strictness {
    Ignore,
    Warn,
    Error,
}

impl Strictness {
    fn of(session: &ClientSession) -> Self {
        match session.settings.get("duckmesh.dead_letters").as_deref() {
            Some("ignore") => Self::Ignore,
            Some("error") => Self::Error,
            _ => Self::Warn,
        }
    }
}

/// Tells of acknowledged writes that are missing from what a statement reads.
///
/// # Errors
/// MD006 where the session wants that; of the catalog.
pub async fn tell(session: &mut ClientSession, pin: &Pin, tables: &[TableUse]) -> PgResult<()> {
    let Some(last) = pin.snapshot.gap.filter(|_| !tables.is_empty()) else { return Ok(()) };
    let strictness = Strictness::of(session);
    if strictness == Strictness::Ignore {
        return Ok(());
    }
    learn(session, last).await?;
    let is_missed = |gap: &Gap| gap.offset <= last && tables.iter().any(|used| misses(gap, &used.table));
    if strictness == Strictness::Error && session.gaps.known.iter().any(|(gap, _)| is_missed(gap)) {
        // Somebody may have dealt with it since.
        session.gaps = Gaps::default();
        learn(session, last).await?;
    }
    let mut missing: Vec<(&Gap, &str)> = Vec::new();
    for (gap, is_told) in session.gaps.known.iter_mut().filter(|(gap, _)| gap.offset <= last) {
        let Some(used) = tables.iter().find(|used| misses(gap, &used.table)) else { continue };
        if !std::mem::replace(is_told, true) || strictness == Strictness::Error {
            missing.push((gap, &used.table.name));
        }
    }
    let Some(message) = message(&missing, strictness) else { return Ok(()) };
    if strictness == Strictness::Error {
        return Err(message);
    }
    session.notice(message);
    Ok(())
}

async fn learn(session: &mut ClientSession, last: Offset) -> PgResult<()> {
    let after = session.gaps.through.unwrap_or(Offset::ZERO);
    if last <= after {
        return Ok(());
    }
    let (catalog, lake) = (session.server.lakes.catalog(), session.lake.info.id);
    let limit = i64::try_from(GAPS_MAX).unwrap_or(i64::MAX);
    let found = catalog.gaps(lake, after, last, limit).await.map_err(failure::catalog)?;
    let gaps = &mut session.gaps;
    gaps.through = Some(last);
    // Newest first, as they come.
    gaps.known.splice(0..0, found.into_iter().map(|gap| (gap, false)));
    gaps.known.truncate(GAPS_MAX);
    Ok(())
}

fn misses(gap: &Gap, table: &TableDef) -> bool {
    match &gap.missing_from {
        MissingFrom::Nothing => false,
        MissingFrom::Tables(tables) => tables.contains(&table.uuid),
        MissingFrom::Anything => !temporary::is_temporary(table),
    }
}

/// Newest first; none where nothing is missing.
fn message(missing: &[(&Gap, &str)], strictness: Strictness) -> Option<PgError> {
    let (newest, table) = missing.first()?;
    let text = match missing.len() {
        1 => format!("an acknowledged write to \"{table}\" could not be applied: its rows are missing"),
        count => {
            let others = if missing.iter().all(|(_, of)| of == table) { "" } else { " and others" };
            format!("{count} acknowledged writes to \"{table}\"{others} could not be applied: their rows are missing")
        }
    };
    let offsets: Vec<String> = missing.iter().take(NAMED_MAX).map(|(gap, _)| gap.offset.to_string()).collect();
    let more = if missing.len() > NAMED_MAX { ", …" } else { "" };
    let detail = format!("Offset {}{more}. The last one: {}", offsets.join(", "), newest.reason);
    let hint = format!(
        "See duckmesh.dead_letters. When it is dealt with: CALL duckmesh.settle_dead_letters(through => {}).",
        newest.offset
    );
    let message = match strictness {
        Strictness::Error => PgError::new(SqlState::READS_A_GAP, text),
        _ => PgError::warning(SqlState::WARNING, text),
    };
    Some(message.detail(detail).hint(hint))
}

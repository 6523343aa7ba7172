//! Numbers of sequences in expressions over rows: the engine asks for them while the statement runs.

use std::{
    borrow::Cow,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use duckmesh_catalog::LakeSchema;

use super::calls::{self, Numbers};
use crate::{
    engine::NumberSource,
    session::ClientSession,
    sql::{
        plan::{CallArg, ParamType, SessionValue, SqlPart},
        sequence,
    },
    wire::{PgError, PgResult, backend::Params},
};

/// Statements of this process that asked so far: no two have one number.
static STATEMENTS: AtomicU64 = AtomicU64::new(1);

/// Where a statement's numbers come from; none for one that asks for none.
///
/// # Errors
/// Of names that are no sequence's; 25006 in a read-only transaction.
pub fn source(
    session: &ClientSession,
    schema: &LakeSchema,
    names: &[CallArg],
    types: &[ParamType],
    params: &Params,
) -> PgResult<Option<NumberSource>> {
    if names.is_empty() {
        return Ok(None);
    }
    let mut sequences = Vec::with_capacity(names.len());
    for name in names {
        let name = calls::argument(session, name, types, params)?.unwrap_or_default();
        let sequence = sequence::resolve(&name, schema, &session.lookup_path())?;
        calls::numbers_writable(session, &sequence, "nextval()")?;
        sequences.push(sequence);
    }
    let numbers = Arc::new(Numbers::of(session));
    let next = move |index: usize, count| -> futures::future::BoxFuture<'static, PgResult<Vec<i64>>> {
        let (numbers, sequence) = (numbers.clone(), sequences.get(index).cloned());
        Box::pin(async move {
            let sequence = sequence.ok_or_else(|| PgError::internal("numbers of no sequence"))?;
            numbers.next(&sequence, count).await
        })
    };
    Ok(Some(NumberSource { key: STATEMENTS.fetch_add(1, Ordering::Relaxed), next: Arc::new(next) }))
}

/// The statement's parts, with what it asks by.
#[must_use]
pub fn filled<'p>(parts: Cow<'p, [SqlPart]>, source: Option<&NumberSource>) -> Cow<'p, [SqlPart]> {
    let Some(source) = source else { return parts };
    let filled = parts.iter().map(|part| match part {
        SqlPart::Session(SessionValue::Number(index)) => SqlPart::Text(format!("'{}', '{index}'", source.key)),
        other => other.clone(),
    });
    Cow::Owned(filled.collect())
}

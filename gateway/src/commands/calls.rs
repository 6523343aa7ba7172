//! Functions that the gateway runs: each once for its statement, before the engine sees what is left.

use std::{
    borrow::Cow,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use arrow::{
    array::{Array as _, ArrayRef, AsArray as _, BooleanArray, Int64Array, RecordBatch},
    compute::{CastOptions, cast, cast_with_options},
    datatypes::{DataType, Int64Type, Schema},
};
use duckmesh_catalog::{ColumnType, LakeInfo, LakeSchema, SequenceDef, sequences::State};

use super::render;
use crate::{
    fleet::ask::{self, Asking},
    session::{
        ClientSession, OpenLake, Server,
        advisory::{Key, Refused, Want},
        sequences::Given,
        temporary::is_temporary_sequence,
    },
    sql::{
        plan::{
            AdvisoryCall, CallArg, ParamType, QueryPlan, RowCallKind, SessionCall, SessionFunction, SessionValue,
            SqlPart,
        },
        sequence,
    },
    value::{ColumnBuilder, Encoder, Param, hash},
    wire::{
        PgError, PgResult, SqlState,
        backend::{Params, Session as _},
        cancel::Reason,
    },
};

/// The text of a query with its calls run.
///
/// # Errors
/// Of the functions.
pub async fn run<'p>(
    session: &mut ClientSession,
    schema: &LakeSchema,
    parts: &'p [SqlPart],
    types: &[ParamType],
    params: &Params,
) -> PgResult<Cow<'p, [SqlPart]>> {
    let call_of = |part: &SqlPart| match part {
        SqlPart::Session(SessionValue::Call(call)) => Some(call.clone()),
        _ => None,
    };
    let mut calls: Vec<SessionCall> = parts.iter().filter_map(call_of).collect();
    if calls.is_empty() {
        return Ok(Cow::Borrowed(parts));
    }
    calls.sort_by_key(|call| call.number);
    // A text may name a value twice; the call is one.
    calls.dedup_by_key(|call| call.number);
    let mut values: Vec<(usize, String)> = Vec::with_capacity(calls.len());
    for call in calls {
        let mut args = Vec::with_capacity(call.args.len());
        for arg in &call.args {
            args.push(argument(session, arg, types, params)?);
        }
        let value = one(session, schema, call.function, &args).await?;
        values.push((call.number, value.unwrap_or_else(|| null_of(call.function))));
    }
    let filled = parts.iter().map(|part| match call_of(part) {
        Some(call) => {
            let value = values.iter().find(|(number, _)| *number == call.number);
            SqlPart::Text(value.map(|(_, text)| text.clone()).unwrap_or_default())
        }
        None => part.clone(),
    });
    Ok(Cow::Owned(filled.collect()))
}

/// Whether a query calls what the gateway runs: locks, notifications, numbers.
#[must_use]
pub fn has_effects(plan: &QueryPlan) -> bool {
    !plan.row_calls.is_empty() || plan.sql.iter().any(|part| matches!(part, SqlPart::Session(SessionValue::Call(_))))
}

/// An argument's text; none is NULL.
///
/// # Errors
/// When a binary parameter is not of its type.
pub fn argument(
    session: &ClientSession,
    arg: &CallArg,
    types: &[ParamType],
    params: &Params,
) -> PgResult<Option<String>> {
    let index = match arg {
        CallArg::Null => return Ok(None),
        CallArg::Text(text) => return Ok(Some(text.clone())),
        CallArg::Param(index) => *index,
        CallArg::Hash(arg, kind, seed) => {
            let hashed = |text: String| {
                let invalid =
                    || PgError::new(SqlState::INVALID_TEXT_REPRESENTATION, format!("invalid value: \"{text}\""));
                hash::of(*kind, &text, *seed).map(|hash| hash.to_string()).ok_or_else(invalid)
            };
            return argument(session, arg, types, params)?.map(hashed).transpose();
        }
    };
    let missing = || PgError::new(SqlState::UNDEFINED_PARAMETER, format!("there is no parameter ${}", index + 1));
    match render::parameter_value(params, index).ok_or_else(missing)? {
        Param::Null => Ok(None),
        Param::Text(bytes) => Ok(Some(String::from_utf8_lossy(bytes).into_owned())),
        Param::Binary(bytes) => {
            let ty = &types.get(index).ok_or_else(missing)?.ty;
            let ctx = session.value_context();
            let mut builder = ColumnBuilder::new(ty, 1)?;
            builder.append_binary(bytes, &ctx)?;
            let array = builder.finish();
            let encoder = Encoder::new(&ty.arrow(), &ty.duckdb(), Some(ty), &ctx)?;
            let mut text = bytes::BytesMut::new();
            encoder.bind(&array)?.encode_text(0, &mut text)?;
            Ok(Some(String::from_utf8_lossy(&text).into_owned()))
        }
    }
}

/// The type of a function's result, as the engine writes it.
#[must_use]
pub fn null_of(function: SessionFunction) -> String {
    use SessionFunction as F;
    let ty = match function {
        F::NextVal | F::CurrVal | F::LastVal | F::SetVal | F::SequenceLast => "BIGINT",
        F::SequenceCalled
        | F::AdvisoryUnlock { .. }
        | F::Signal { .. }
        | F::AdvisoryLock(AdvisoryCall { tries: true, .. }) => "BOOLEAN",
        _ => "VARCHAR",
    };
    format!("CAST(NULL AS {ty})")
}

async fn one(
    session: &mut ClientSession,
    schema: &LakeSchema,
    function: SessionFunction,
    args: &[Option<String>],
) -> PgResult<Option<String>> {
    use SessionFunction as F;
    let Some(given) = args.iter().cloned().collect::<Option<Vec<String>>>() else {
        // All but these are strict: NULL in, NULL out.
        return match function {
            F::SetConfig => set_config(session, args),
            F::Notify => notify(session, args),
            _ => Ok(None),
        };
    };
    let void = Some("''".to_owned());
    Ok(match (function, given.as_slice()) {
        (F::LastVal, []) => Some(bigint(last_value(session, schema)?)),
        (F::NextVal | F::CurrVal | F::SetVal | F::SequenceLast | F::SequenceCalled, [name, rest @ ..]) => {
            let sequence = sequence::resolve(name, schema, &session.lookup_path())?;
            Some(of_sequence(session, function, &sequence, rest).await?)
        }
        (F::SerialSequence, [table, column]) => {
            let found = sequence::serial(table, column, schema, &session.lookup_path())?;
            Some(found.map_or_else(|| null_of(function), |name| quoted(&name)))
        }
        (F::SetConfig, _) => set_config(session, args)?,
        (F::Notify, _) => notify(session, args)?,
        (F::Sleep, [seconds]) => {
            sleep(read::<f64>(seconds, "double precision")?).await;
            void
        }
        (F::SleepFor, [interval]) => {
            sleep(interval_seconds(session, interval)?).await;
            void
        }
        (F::SleepUntil, [at]) => {
            let now = chrono::Utc::now().timestamp_micros();
            sleep((micros_of(session, at)? - now) as f64 / 1e6).await;
            void
        }
        (F::Signal { ends }, [number, ..]) => {
            let number = read::<i32>(number, "integer")?;
            let (server, lake) = (session.server.clone(), session.lake.info.clone());
            let there = server.cancels.signal(lake.id, number, reason(ends))
                || ask::signal(&server, &lake, &Asking::of(session), number, reason(ends)).await;
            if !there {
                session.notice(PgError::warning(SqlState::WARNING, no_process(number)));
            }
            Some(there.to_string())
        }
        (F::AdvisoryUnlockAll, _) => {
            session.advisory.release_all();
            session.advisory.settle().await;
            void
        }
        (F::AdvisoryUnlock { shared }, keys) => {
            let freed = session.advisory.release(key(keys)?, shared);
            session.advisory.settle().await;
            if !freed {
                let kind = if shared { "ShareLock" } else { "ExclusiveLock" };
                let text = format!("you don't own a lock of type {kind}");
                session.notice(PgError::warning(SqlState::WARNING, text));
            }
            Some(freed.to_string())
        }
        (F::AdvisoryLock(call), keys) => lock(session, call, keys).await?,
        _ => None,
    })
}

fn reason(ends: bool) -> Reason {
    if ends { Reason::Shutdown } else { Reason::User }
}

fn no_process(number: i32) -> String {
    format!("PID {number} is not a PostgreSQL server process")
}

fn quoted(text: &str) -> String {
    // No text of Postgres holds a NUL, and no SQL text may.
    format!("'{}'", text.replace('\0', "").replace('\'', "''"))
}

fn bigint(value: i64) -> String {
    format!("CAST('{value}' AS BIGINT)")
}

fn read<T: std::str::FromStr>(text: &str, ty: &str) -> PgResult<T> {
    text.trim().parse().map_err(|_| {
        let message = format!("invalid input syntax for type {ty}: \"{text}\"");
        PgError::new(SqlState::INVALID_TEXT_REPRESENTATION, message)
    })
}

fn read_bool(text: &str) -> PgResult<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "t" | "true" | "on" | "yes" | "y" | "1" => Ok(true),
        "f" | "false" | "off" | "no" | "n" | "0" => Ok(false),
        _ => read(text, "boolean"),
    }
}

fn last_value(session: &ClientSession, schema: &LakeSchema) -> PgResult<i64> {
    let undefined =
        || PgError::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, "lastval is not yet defined in this session");
    let given = session.given();
    // A sequence that was dropped has none.
    let is_there = |uuid| schema.sequences.values().any(|sequence| sequence.uuid == uuid);
    given.last_sequence().filter(|uuid| is_there(*uuid)).and_then(|_| given.last()).ok_or_else(undefined)
}

async fn of_sequence(
    session: &mut ClientSession,
    function: SessionFunction,
    sequence: &SequenceDef,
    rest: &[String],
) -> PgResult<String> {
    use SessionFunction as F;
    Ok(match (function, rest) {
        (F::NextVal, _) => {
            numbers_writable(session, sequence, "nextval()")?;
            bigint(next(session, sequence, 1).await?.first().copied().unwrap_or_default())
        }
        (F::CurrVal, _) => {
            let message = format!("currval of sequence \"{}\" is not yet defined in this session", sequence.name);
            let undefined = || PgError::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message);
            bigint(session.given().current(sequence.uuid).ok_or_else(undefined)?)
        }
        (F::SetVal, [value, called @ ..]) => {
            numbers_writable(session, sequence, "setval()")?;
            let value = read(value, "bigint")?;
            let called = called.first().map(|text| read_bool(text)).transpose()?.unwrap_or(true);
            set(session, sequence, State { last: value, called }).await?;
            bigint(value)
        }
        (F::SequenceCalled, _) => state(session, sequence).await?.called.to_string(),
        _ => bigint(state(session, sequence).await?.last),
    })
}

/// A read-only transaction may count on its own.
///
/// # Errors
/// 25006.
pub fn numbers_writable(session: &ClientSession, sequence: &SequenceDef, function: &str) -> PgResult<()> {
    if is_temporary_sequence(sequence) { Ok(()) } else { super::writable(session, function) }
}

/// How far a sequence is.
///
/// # Errors
/// Of the catalog.
pub async fn state(session: &ClientSession, sequence: &SequenceDef) -> PgResult<State> {
    if is_temporary_sequence(sequence) {
        return Ok(session.given().state(sequence));
    }
    session.lake.sequences.state(sequence).await
}

/// Takes numbers; the session remembers the last.
///
/// # Errors
/// 2200H at the sequence's end.
pub async fn next(session: &ClientSession, sequence: &SequenceDef, count: usize) -> PgResult<Vec<i64>> {
    Numbers::of(session).next(sequence, count).await
}

async fn set(session: &ClientSession, sequence: &SequenceDef, state: State) -> PgResult<()> {
    Numbers::of(session).set(sequence, state).await
}

/// Takes numbers in a session's name where the session is not at hand: while rows stream.
pub struct Numbers {
    lake: Arc<OpenLake>,
    given: Arc<Mutex<Given>>,
}

impl Numbers {
    /// In this session's name.
    #[must_use]
    pub fn of(session: &ClientSession) -> Self {
        Self { lake: session.lake.clone(), given: session.given.clone() }
    }

    /// Takes numbers; the session remembers the last.
    ///
    /// # Errors
    /// 2200H at the sequence's end.
    pub async fn next(&self, sequence: &SequenceDef, count: usize) -> PgResult<Vec<i64>> {
        let numbers = match is_temporary_sequence(sequence) {
            true => self.given().take(sequence, count)?,
            false => self.lake.sequences.next(sequence, count).await?,
        };
        if let Some(last) = numbers.last() {
            self.given().note(sequence.uuid, *last);
        }
        Ok(numbers)
    }

    async fn set(&self, sequence: &SequenceDef, state: State) -> PgResult<()> {
        match is_temporary_sequence(sequence) {
            true => self.given().put(sequence, state)?,
            false => self.lake.sequences.set(sequence, state).await?,
        }
        if state.called {
            self.given().set(sequence.uuid, state.last);
        }
        Ok(())
    }

    fn given(&self) -> MutexGuard<'_, Given> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The columns of a running query that the gateway makes.
pub struct RowCalls {
    columns: Vec<(usize, RowCallOf)>,
    numbers: Numbers,
    server: Arc<Server>,
    lake: LakeInfo,
    by: Asking,
}

enum RowCallOf {
    Sequence(Arc<SequenceDef>, bool),
    Signal(Reason),
}

impl RowCalls {
    /// None where a query has no such columns.
    ///
    /// # Errors
    /// Of names that are no sequence's.
    pub fn of(
        session: &ClientSession,
        schema: &LakeSchema,
        plan: &QueryPlan,
        params: &Params,
    ) -> PgResult<Option<Self>> {
        let mut columns = Vec::with_capacity(plan.row_calls.len());
        for call in &plan.row_calls {
            let made = match &call.kind {
                RowCallKind::Sequence { name, sets } => {
                    super::writable(session, if *sets { "setval()" } else { "nextval()" })?;
                    let name = argument(session, name, &plan.params, params)?.unwrap_or_default();
                    RowCallOf::Sequence(sequence::resolve(&name, schema, &session.lookup_path())?, *sets)
                }
                RowCallKind::Signal { ends } => RowCallOf::Signal(reason(*ends)),
            };
            columns.push((call.column, made));
        }
        let (server, lake, by) = (session.server.clone(), session.lake.info.clone(), Asking::of(session));
        Ok((!columns.is_empty()).then(|| Self { columns, numbers: Numbers::of(session), server, lake, by }))
    }

    /// Puts the values into a batch.
    ///
    /// # Errors
    /// Of the sequences.
    pub async fn fill(&self, batch: RecordBatch) -> PgResult<RecordBatch> {
        let mut arrays = batch.columns().to_vec();
        let mut fields: Vec<_> = batch.schema().fields().iter().cloned().collect();
        for (column, call) in &self.columns {
            let Some(slot) = arrays.get_mut(*column) else { continue };
            match call {
                RowCallOf::Sequence(sequence, sets) => *slot = self.numbered(slot, sequence, *sets).await?,
                RowCallOf::Signal(reason) => {
                    let given = cast(slot, &DataType::Int64).map_err(PgError::internal)?;
                    let mut told = Vec::with_capacity(given.len());
                    for id in given.as_primitive::<Int64Type>() {
                        told.push(match id {
                            None => None,
                            Some(id) => Some(self.signal(id, *reason).await),
                        });
                    }
                    *slot = Arc::new(BooleanArray::from(told));
                    if let Some(field) = fields.get_mut(*column) {
                        *field = Arc::new(field.as_ref().clone().with_data_type(DataType::Boolean));
                    }
                }
            }
        }
        RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(PgError::internal)
    }

    async fn signal(&self, id: i64, reason: Reason) -> bool {
        let Ok(id) = i32::try_from(id) else { return false };
        self.server.cancels.signal(self.lake.id, id, reason)
            || ask::signal(&self.server, &self.lake, &self.by, id, reason).await
    }

    async fn numbered(&self, slot: &ArrayRef, sequence: &SequenceDef, sets: bool) -> PgResult<ArrayRef> {
        let values: Int64Array = match sets {
            false => self.numbers.next(sequence, slot.len()).await?.into(),
            true => {
                let given = cast(slot, &DataType::Int64).map_err(PgError::internal)?;
                let given = given.as_primitive::<Int64Type>().clone();
                for value in given.iter().flatten() {
                    let state = State { last: value >> 1, called: value & 1 == 1 };
                    self.numbers.set(sequence, state).await?;
                }
                given.iter().map(|value| value.map(|v| v >> 1)).collect()
            }
        };
        let options = CastOptions { safe: false, ..CastOptions::default() };
        cast_with_options(&values, slot.data_type(), &options)
            .map_err(|_| PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "integer out of range"))
    }
}

fn set_config(session: &mut ClientSession, args: &[Option<String>]) -> PgResult<Option<String>> {
    let [name, value, local] = args else { return Ok(None) };
    let Some(name) = name else {
        return Err(PgError::new(SqlState::NULL_VALUE_NOT_ALLOWED, "SET requires parameter name"));
    };
    super::setting::may_choose(session, name)?;
    let local = local.as_deref().map(read_bool).transpose()?.unwrap_or(false);
    session.settings.set(name, value.as_deref(), local)?;
    Ok(Some(quoted(&session.settings.show(name)?.1)))
}

fn notify(session: &mut ClientSession, args: &[Option<String>]) -> PgResult<Option<String>> {
    let [channel, payload] = args else { return Ok(None) };
    session.notify(channel.as_deref().unwrap_or_default(), payload.as_deref().unwrap_or_default())?;
    Ok(Some("''".to_owned()))
}

async fn sleep(seconds: f64) {
    // A year is as good as any time longer: nobody waits for its end.
    const SECONDS_MAX: f64 = 366.0 * 86_400.0;
    if seconds > 0.0 {
        tokio::time::sleep(Duration::from_secs_f64(seconds.min(SECONDS_MAX))).await;
    }
}

/// An interval's length as `pg_sleep_for` takes it: months have 30 days.
///
/// # Errors
/// What is no interval.
pub fn interval_seconds(session: &ClientSession, text: &str) -> PgResult<f64> {
    let array = parsed(session, text, &ColumnType::Interval)?;
    let array = array.as_any().downcast_ref::<arrow::array::IntervalMonthDayNanoArray>();
    let value = array.filter(|a| !a.is_empty()).map(|a| a.value(0)).unwrap_or_default();
    let days = i64::from(value.months) * 30 + i64::from(value.days);
    Ok(days as f64 * 86_400.0 + value.nanoseconds as f64 / 1e9)
}

/// A time in microseconds since 1970.
///
/// # Errors
/// What is no time.
pub fn micros_of(session: &ClientSession, text: &str) -> PgResult<i64> {
    let array = parsed(session, text, &ColumnType::Timestamptz)?;
    let array = array.as_any().downcast_ref::<arrow::array::TimestampMicrosecondArray>();
    Ok(array.filter(|a| !a.is_empty()).map_or(i64::MAX, |a| a.value(0)))
}

fn parsed(session: &ClientSession, text: &str, ty: &ColumnType) -> PgResult<arrow::array::ArrayRef> {
    let mut builder = ColumnBuilder::new(ty, 1)?;
    builder.append_text(text.as_bytes(), &session.value_context())?;
    Ok(builder.finish())
}

fn key(keys: &[String]) -> PgResult<Key> {
    match keys {
        [class, object] => Ok(Key::Two(read(class, "integer")?, read(object, "integer")?)),
        [one] => Ok(Key::One(read(one, "bigint")?)),
        _ => Err(PgError::internal("an advisory lock without a key")),
    }
}

async fn lock(session: &mut ClientSession, call: AdvisoryCall, keys: &[String]) -> PgResult<Option<String>> {
    let want = Want { key: key(keys)?, shared: call.shared, transaction: call.transaction };
    let taken = if call.tries {
        session.advisory.try_take(&want).await
    } else {
        match session.settings.lock_timeout() {
            None => session.advisory.take(&want).await,
            Some(limit) => match tokio::time::timeout(limit, session.advisory.take(&want)).await {
                Ok(taken) => taken,
                Err(_) => {
                    let message = "canceling statement due to lock timeout";
                    return Err(PgError::new(SqlState::LOCK_NOT_AVAILABLE, message));
                }
            },
        }
    };
    match taken {
        Ok(()) if call.tries => Ok(Some("true".to_owned())),
        Ok(()) => Ok(Some("''".to_owned())),
        Err(Refused::Busy) => Ok(Some("false".to_owned())),
        Err(Refused::Deadlock) => Err(PgError::new(SqlState::DEADLOCK_DETECTED, "deadlock detected")
            .hint("Those who hold the lock wait for one that this session holds.")),
        Err(Refused::Unavailable) => {
            Err(PgError::new(SqlState::CANNOT_CONNECT_NOW, "the catalog that keeps advisory locks cannot be asked now"))
        }
        Err(Refused::TooMany) => Err(PgError::new(SqlState::OUT_OF_MEMORY, "too many advisory locks in this session")
            .hint("Give some back with pg_advisory_unlock.")),
    }
}

//! Fills the holes of a planned query: parameters and values of the session become literals.

use duckmesh_catalog::{ColumnType, user_types::FIRST_OBJECT_OID};

use crate::{
    session::ClientSession,
    sql::{
        plan::{ParamType, SessionValue, SqlPart},
        quote::after_in,
    },
    value::{self, Param, ValueContext, held},
    wire::{
        PgError, PgResult, SqlState,
        backend::{Format, Params, Session as _},
    },
};

/// `version()`: begins like Postgres' own, because clients parse it.
const VERSION: &str = concat!("PostgreSQL 15.18 (DuckMesh ", env!("CARGO_PKG_VERSION"), ")");

/// SQL for the engine.
///
/// # Errors
/// When a parameter's value is not of its type.
pub fn sql(
    session: &ClientSession,
    parts: &[SqlPart],
    types: &[ParamType],
    params: Option<&Params>,
) -> PgResult<String> {
    let mut text = String::with_capacity(parts.len() * 32);
    // Equal ones of different parts must not become one: see `sql/rewrite/interval.rs`.
    let has_parameters = types.iter().any(|ty| ty.ty == ColumnType::Interval);
    let intervals = match has_parameters {
        true => parts.iter().map(|part| intervals_of(part, types)).sum::<usize>(),
        false => 0,
    };
    let mut subqueries = 0;
    for part in parts {
        match part {
            SqlPart::Text(piece) => text.push_str(piece),
            SqlPart::Param(index) => {
                let value = parameter(session, *index, types, params)?;
                let ty = types.get(*index).map(|ty| &ty.ty);
                let apart = match params.map(|params| parameter_value(params, *index)) {
                    None => false,
                    Some(Some(Param::Null)) => ty.is_some_and(loses_type) && subqueries < NULLS_APART_MAX,
                    Some(_) => intervals > 1 && ty == Some(&ColumnType::Interval),
                };
                subqueries += usize::from(apart);
                match apart {
                    true => text.extend(["(SELECT ", &value, ")"]),
                    false => text.push_str(&value),
                }
            }
            SqlPart::Tested(index) => text.push_str(&parameter(session, *index, types, params)?),
            SqlPart::Listed(index) => {
                let list = parameter(session, *index, types, params)?;
                let is_null = params.is_none_or(|params| matches!(parameter_value(params, *index), Some(Param::Null)));
                match is_null {
                    true => text.push_str("(NULL)"),
                    false => text.push_str(&after_in(&list)),
                }
            }
            SqlPart::Session(value) => text.push_str(&session_value(session, value)?),
        }
    }
    Ok(text)
}

/// Whether a statement has several intervals.
fn intervals_of(part: &SqlPart, types: &[ParamType]) -> usize {
    match part {
        SqlPart::Text(text) => usize::from(text.contains("to_microseconds(")),
        SqlPart::Param(index) => usize::from(types.get(*index).is_some_and(|ty| ty.ty == ColumnType::Interval)),
        SqlPart::Tested(_) | SqlPart::Listed(_) | SqlPart::Session(_) => 0,
    }
}

/// Whether the engine makes a NULL without a type of what is computed with a constant NULL of this type: the result of
/// its decimal arithmetic has no type before its arguments are looked at. A subquery is no constant.
fn loses_type(ty: &ColumnType) -> bool {
    use ColumnType as T;
    let number = matches!(ty.bare(), T::Int2 | T::Int4 | T::Int8 | T::Numeric(..));
    number || matches!(ty.bare(), T::Date | T::Time | T::Timestamp | T::Timestamptz | T::Interval)
}

/// NULLs that are subqueries in one statement: the engine joins each to the rest, as deep as there are such.
const NULLS_APART_MAX: usize = 64;

/// A value of the type, for a statement that is described: a NULL could lose its type.
fn stand_in(ty: &ColumnType) -> &'static str {
    use ColumnType as T;
    match ty.bare() {
        // A row to begin with, or how many: `OFFSET $1 - 1` is none below zero.
        T::Int2 | T::Int4 | T::Int8 => "100",
        // A fraction too.
        T::Numeric(..) | T::Float4 | T::Float8 => "1",
        T::Date | T::Timestamp | T::Timestamptz => "'2000-01-01'",
        T::Time => "'00:00:00'",
        T::Interval => "'1 second'",
        _ => "NULL",
    }
}

fn parameter(session: &ClientSession, index: usize, types: &[ParamType], params: Option<&Params>) -> PgResult<String> {
    let missing = || PgError::new(SqlState::UNDEFINED_PARAMETER, format!("there is no parameter ${}", index + 1));
    let ty = types.get(index).ok_or_else(missing)?;
    // Describing needs the type only.
    let Some(params) = params else { return Ok(ty.ty.cast(stand_in(&ty.ty))) };
    let ctx = session.value_context();
    // A user's type has a number that says nothing by itself.
    if ty.oid >= FIRST_OBJECT_OID {
        return value::literal_as(&ty.ty, parameter_value(params, index).ok_or_else(missing)?, &ctx);
    }
    if let ColumnType::Grid(element) = &ty.ty {
        let stored = match parameter_value(params, index).ok_or_else(missing)? {
            Param::Null => return Ok("CAST(NULL AS VARCHAR)".to_owned()),
            Param::Text(text) => held::grid::stored(element, text, &ctx)?,
            Param::Binary(bytes) => held::grid::stored_of(element, bytes)?,
        };
        return Ok(format!("CAST('{}' AS VARCHAR)", stored.replace('\'', "''")));
    }
    value::literal(ty.oid, parameter_value(params, index).ok_or_else(missing)?, &ctx)
}

/// The parameters whose values are arrays that a list does not hold.
///
/// # Errors
/// When a value is not of its type.
pub fn grids(session: &ClientSession, types: &[ParamType], params: &Params) -> PgResult<Vec<usize>> {
    let mut found = Vec::new();
    for (index, ty) in types.iter().enumerate() {
        if let ColumnType::Array(element) = &ty.ty
            && grid(element, params, index, &session.value_context())?.is_some()
        {
            found.push(index);
        }
    }
    Ok(found)
}

/// The held text of such a value.
fn grid(element: &ColumnType, params: &Params, index: usize, ctx: &ValueContext) -> PgResult<Option<String>> {
    match parameter_value(params, index) {
        Some(Param::Text(text)) => held::grid::read(element, text, ctx),
        Some(Param::Binary(bytes)) => held::grid::receive(element, bytes),
        _ => Ok(None),
    }
}

/// A parameter as `value` reads it; none if the client gave too few.
pub fn parameter_value(params: &Params, index: usize) -> Option<Param<'_>> {
    let value = params.values.get(index)?;
    Some(match (value, params.formats.get(index)) {
        (None, _) => Param::Null,
        (Some(bytes), Some(Format::Binary)) => Param::Binary(bytes),
        (Some(bytes), _) => Param::Text(bytes),
    })
}

/// A value of the session as a DuckDB literal.
///
/// # Errors
/// When a setting that does not exist is asked for.
pub fn session_value(session: &ClientSession, value: &SessionValue) -> PgResult<String> {
    let text = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let texts = |names: &mut dyn Iterator<Item = String>| {
        let names: Vec<String> = names.map(|name| text(&name)).collect();
        format!("CAST([{}] AS VARCHAR[])", names.join(", "))
    };
    let at = |time: chrono::DateTime<chrono::Utc>| {
        format!("CAST('{}+00' AS TIMESTAMPTZ)", time.format("%Y-%m-%d %H:%M:%S%.6f"))
    };
    let local = session.local(session.transaction_time());
    Ok(match value {
        SessionValue::TransactionTime => at(session.transaction_time()),
        SessionValue::StatementTime => at(session.statement_time),
        SessionValue::ClockTime => at(chrono::Utc::now()),
        SessionValue::ServerStart => at(session.server.started),
        SessionValue::CurrentDate => format!("CAST('{}' AS DATE)", local.format("%Y-%m-%d")),
        SessionValue::LocalTime => format!("CAST('{}' AS TIME)", local.format("%H:%M:%S%.6f")),
        SessionValue::LocalTimestamp => format!("CAST('{}' AS TIMESTAMP)", local.format("%Y-%m-%d %H:%M:%S%.6f")),
        SessionValue::Database => text(session.lake.info.name.as_str()),
        SessionValue::User => text(&session.user),
        SessionValue::Schema => {
            session.search_path().first().map_or_else(|| "CAST(NULL AS VARCHAR)".to_owned(), |name| text(name))
        }
        SessionValue::TemporarySchema => {
            let own = session
                .temporary
                .schema_name()
                .map_or(0, |_| crate::pgcatalog::oids::schema(session.temporary.schema_id(), ""));
            format!("CAST({own} AS BIGINT)")
        }
        SessionValue::Schemas(with_system) => {
            let own = session.temporary.schema_name().filter(|_| *with_system).map(str::to_owned);
            let own = own.filter(|own| session.lookup_path().first() == Some(own));
            let system = with_system.then(|| "pg_catalog".to_owned());
            texts(&mut own.into_iter().chain(system).chain(session.search_path()))
        }
        SessionValue::Channels => texts(&mut session.listening.names().into_iter()),
        SessionValue::Version => text(VERSION),
        SessionValue::BackendPid => format!("CAST({} AS INTEGER)", session.process_id),
        SessionValue::TransactionId => {
            format!("CAST({} AS BIGINT)", session.transaction_id())
        }
        // Only described here; a statement that runs has run its calls before.
        SessionValue::Call(call) => super::calls::null_of(call.function),
        SessionValue::RowsOf(_) => {
            return Err(PgError::unsupported("functions that look into the catalog are not supported here"));
        }
        SessionValue::Number(index) => format!("'0', '{index}'"),
        SessionValue::Setting(name, missing_ok) => match session.settings.get(name) {
            Some(value) => text(&value),
            None if *missing_ok => "CAST(NULL AS VARCHAR)".to_owned(),
            None => text(&session.settings.show(name)?.1),
        },
    })
}

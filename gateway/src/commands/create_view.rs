//! CREATE VIEW: its column types come from describing the query.

use duckmesh_catalog::{ColumnType, ddl::DdlOp};
use duckmesh_ingest::Part;

use super::{
    barrier,
    copy_in::CopyIn,
    create_as, current, ddl, describe,
    write::{self, Fate, Payload},
    wrong_plan,
};
use crate::{
    limits::STALE_SCHEMA_RETRIES_MAX,
    session::{ClientSession, PreparedStatement},
    sql::plan::{CreateViewPlan, Plan},
    wire::{
        PgError, PgResult, SqlState,
        backend::{Outcome, Place, ResultColumn},
    },
};

const TAG: &str = "CREATE VIEW";

/// Runs CREATE [OR REPLACE] VIEW.
///
/// # Errors
/// Of the query, of the log.
pub async fn run(
    session: &mut ClientSession,
    prepared: &PreparedStatement,
    plan: &CreateViewPlan,
    place: Place,
) -> PgResult<Outcome<CopyIn>> {
    if session.transaction_for_writes(place).is_some() {
        let pin = barrier::transaction_pin(session).await?;
        let (prepared, pin) = current(session, prepared, pin).await?;
        let Plan::CreateView(plan) = prepared.plan() else { return Err(wrong_plan()) };
        let op = operation(session, plan).await?;
        noted(session, plan);
        ddl::buffer(session, &pin, vec![op]).await?;
        return Ok(Outcome::Complete(TAG.to_owned()));
    }
    let mut payload = Payload::new(session);
    payload.add(plan.name.as_bytes());
    payload.add(plan.postgres_sql.as_bytes());
    let mut prepared = prepared.clone();
    for _ in 0..STALE_SCHEMA_RETRIES_MAX {
        let pin = match barrier::repeat_pin(session).await? {
            Some(pin) => pin,
            None => barrier::planning_pin(session, false).await?,
        };
        prepared = current(session, &prepared, pin.clone()).await?.0;
        let Plan::CreateView(plan) = prepared.plan() else { return Err(wrong_plan()) };
        let op = operation(session, plan).await?;
        noted(session, plan);
        if session.temporary.owns(std::slice::from_ref(&op)) {
            session.temporary.apply(&[op])?;
            return Ok(Outcome::Complete(TAG.to_owned()));
        }
        match write::append(session, vec![Part::Ddl(vec![op])], pin.base.ddl_offset, &payload).await? {
            Fate::Durable(appended) => {
                write::published(session, appended.offset).await?;
                return Ok(Outcome::Complete(TAG.to_owned()));
            }
            Fate::SchemaChanged | Fate::RowsArrived => {}
        }
    }
    Err(write::changed())
}

fn noted(session: &mut ClientSession, plan: &CreateViewPlan) {
    plan.notice.iter().cloned().for_each(|notice| session.notice(notice));
}

async fn operation(session: &mut ClientSession, plan: &CreateViewPlan) -> PgResult<DdlOp> {
    let described = describe::query_columns(session, &plan.query).await?;
    let columns = columns(plan, &described)?;
    if let Some(old) = &plan.replaces {
        replaceable(old, &columns)?;
    }
    Ok(DdlOp::CreateView {
        uuid: plan.uuid,
        schema: plan.schema,
        name: plan.name.clone(),
        duckdb_sql: plan.duckdb_sql.clone(),
        postgres_sql: plan.postgres_sql.clone(),
        columns,
    })
}

fn columns(plan: &CreateViewPlan, described: &[ResultColumn]) -> PgResult<Vec<(String, ColumnType)>> {
    if plan.column_names.len() > described.len() {
        let text = "CREATE VIEW specifies more column names than columns";
        return Err(PgError::new(SqlState::SYNTAX_ERROR, text));
    }
    if described.is_empty() {
        return Err(PgError::unsupported("a view without columns is not supported").hint("Name a column."));
    }
    let mut columns: Vec<(String, ColumnType)> = Vec::with_capacity(described.len());
    for (index, result) in described.iter().enumerate() {
        let name = plan.column_names.get(index).unwrap_or(&result.name).clone();
        if columns.iter().any(|(other, _)| other.eq_ignore_ascii_case(&name)) {
            let text = format!("column \"{name}\" specified more than once");
            return Err(PgError::new(SqlState::DUPLICATE_COLUMN, text));
        }
        columns.push((name, create_as::column_type(result)?));
    }
    Ok(columns)
}

const RENAME: &str = "Use ALTER VIEW ... RENAME COLUMN ... to change name of view column instead.";

/// A replacement may only add columns at the end, as in Postgres.
fn replaceable(old: &[(String, ColumnType)], new: &[(String, ColumnType)]) -> PgResult<()> {
    let refused = |text: String| Err(PgError::new(SqlState::INVALID_TABLE_DEFINITION, text));
    if new.len() < old.len() {
        return refused("cannot drop columns from view".to_owned());
    }
    for ((old_name, old_type), (new_name, new_type)) in old.iter().zip(new) {
        if old_name != new_name {
            return refused(format!("cannot change name of view column \"{old_name}\" to \"{new_name}\""))
                .map_err(|e: PgError| e.hint(RENAME));
        }
        if old_type != new_type {
            return refused(format!(
                "cannot change data type of view column \"{old_name}\" from {old_type} to {new_type}"
            ));
        }
    }
    Ok(())
}

//! CREATE TABLE AS: the table and its rows in one frame.

use duckmesh_catalog::{ColumnDef, ColumnId, ColumnType, ddl::DdlOp, types::oid};
use duckmesh_ingest::Part;
use uuid::Uuid;

use super::{
    barrier, conform,
    copy_in::CopyIn,
    current, ddl, describe, failure, insert,
    row_buffer::RowBuffer,
    select,
    write::{self, Fate, Payload},
    wrong_plan,
};
use crate::{
    limits::STALE_SCHEMA_RETRIES_MAX,
    session::{ClientSession, Pin, PreparedStatement, temporary},
    sql::{
        is_long,
        plan::{CreateTableAsPlan, Origin, Plan},
    },
    value,
    wire::{
        PgError, PgResult, SqlState,
        backend::{Outcome, Params, Place, ResultColumn, Session as _},
    },
};

/// Runs CREATE TABLE AS.
///
/// # Errors
/// Of the query, of the log.
pub async fn run(
    session: &mut ClientSession,
    prepared: &PreparedStatement,
    params: Params,
    place: Place,
) -> PgResult<Outcome<CopyIn>> {
    let in_transaction = session.transaction_for_writes(place).is_some();
    let pin =
        if in_transaction { barrier::transaction_pin(session).await? } else { barrier::writing_pin(session).await? };
    let (prepared, pin) = current(session, prepared, pin).await?;
    let Plan::CreateTableAs(plan) = prepared.plan() else { return Err(wrong_plan()) };
    if let Some(notice) = &plan.exists {
        session.notice(notice.clone());
        return Ok(Outcome::Complete("CREATE TABLE AS".to_owned()));
    }
    let uuid = Uuid::now_v7();
    let described = describe::query_columns(session, &plan.query).await?;
    let columns = columns(plan, &described)?;
    let create = DdlOp::CreateTable {
        uuid,
        schema: plan.schema,
        name: plan.name.clone(),
        columns: columns.clone(),
        constraints: Vec::new(),
    };
    let schema = pin.schema.apply(std::slice::from_ref(&create)).map_err(failure::catalog)?;
    let table = schema.table_by_uuid(uuid).cloned().ok_or_else(|| PgError::internal("a new table is not there"))?;
    let ids: Vec<ColumnId> = columns.iter().map(|c| c.id).collect();
    let mut buffer = RowBuffer::new(session, &schema, table.clone(), ids)?;
    if plan.with_data {
        fill(session, &pin, plan, &columns, &params, &mut buffer).await?;
    }
    let rows = buffer.finish().await?;
    let tag = if plan.with_data { format!("SELECT {}", rows.count) } else { "CREATE TABLE AS".to_owned() };
    if in_transaction || temporary::is_temporary(&table) {
        ddl::buffer(session, &pin, vec![create]).await?;
        if let Some(action) = plan.on_commit {
            session.temporary.set_on_commit(uuid, action);
        }
        insert::buffer(session, &table, rows).await?;
        return Ok(Outcome::Complete(tag));
    }
    let mut parts = vec![Part::Ddl(vec![create.clone()])];
    parts.extend(rows.parts);
    let mut payload = Payload::new(session);
    payload.add_statement(prepared.statement().text(), &params);
    let mut made_for = pin.base.ddl_offset;
    for _ in 0..STALE_SCHEMA_RETRIES_MAX {
        match write::append(session, parts.clone(), made_for, &payload).await? {
            Fate::Durable(appended) => {
                write::published(session, appended.offset).await?;
                return Ok(Outcome::Complete(tag));
            }
            // What was read stays what it was; the table must still be possible, and the same.
            Fate::SchemaChanged | Fate::RowsArrived => {
                let newer = barrier::planning_pin(session, false).await?;
                let made = newer.schema.apply(std::slice::from_ref(&create)).map_err(failure::catalog)?;
                if !write::same_table(&schema, &made, uuid) {
                    return Err(write::changed());
                }
                made_for = newer.base.ddl_offset;
            }
        }
    }
    Err(write::changed())
}

async fn fill(
    session: &mut ClientSession,
    pin: &Pin,
    plan: &CreateTableAsPlan,
    columns: &[ColumnDef],
    params: &Params,
    buffer: &mut RowBuffer,
) -> PgResult<()> {
    let mut running = select::start(session, pin, &plan.query, params).await?;
    let targets: Vec<&ColumnDef> = columns.iter().collect();
    while let Some(batch) = running.next().await? {
        if batch.num_rows() > 0 {
            buffer.push(conform::batch(&batch, &targets, &session.value_context())?).await?;
        }
    }
    Ok(())
}

/// The new table's columns, from the query's.
fn columns(plan: &CreateTableAsPlan, described: &[ResultColumn]) -> PgResult<Vec<ColumnDef>> {
    if plan.column_names.len() > described.len() {
        return Err(PgError::new(SqlState::SYNTAX_ERROR, "too many column names were specified"));
    }
    if described.is_empty() {
        return Err(PgError::unsupported("a table without columns is not supported").hint("Name a column."));
    }
    let mut next = 1;
    let mut columns: Vec<ColumnDef> = Vec::with_capacity(described.len());
    for (index, result) in described.iter().enumerate() {
        let name = plan.column_names.get(index).unwrap_or(&result.name).clone();
        if columns.iter().any(|c| c.name.eq_ignore_ascii_case(&name)) {
            return Err(PgError::new(
                SqlState::DUPLICATE_COLUMN,
                format!("column \"{name}\" specified more than once"),
            ));
        }
        let ty = column_type(result)?;
        let is_array = matches!(ty, ColumnType::Array(_));
        columns.push(ColumnDef {
            id: ColumnId::new(next),
            element_id: is_array.then(|| ColumnId::new(next + 1)),
            name,
            ty,
            nullable: true,
            default: None,
            initial_default: None,
            comment: None,
            domain: domain(plan, index),
        });
        next += if is_array { 2 } else { 1 };
    }
    Ok(columns)
}

/// The domain of the column that a result column shows unchanged.
fn domain(plan: &CreateTableAsPlan, index: usize) -> Option<Uuid> {
    match plan.query.columns.get(index)?.origin.as_ref()? {
        Origin::Table(table, id) => table.column_by_id(*id)?.domain,
        Origin::Relation(..) => None,
    }
}

/// The type a result column is stored as.
///
/// # Errors
/// 0A000 when a lake cannot hold it.
pub fn column_type(result: &ResultColumn) -> PgResult<ColumnType> {
    let long = |ty: &ColumnType| match ty {
        ColumnType::Array(element) => is_long(element),
        ty => is_long(ty),
    };
    // A row without a type of its own is kept as its text.
    let declared = result.declared.clone().map(|ty| match ty {
        ColumnType::Record(row) if row.uuid.is_none() => ColumnType::Text,
        ty => ty,
    });
    // Its digits must be those that the engine has.
    let other_digits = |ty: &ColumnType| matches!(ty, ColumnType::Numeric(..)) && result.typmod == -1;
    let declared = declared.filter(|ty| ty.is_writable() && !long(ty) && !other_digits(ty));
    let base = |ty: ColumnType| match ty {
        // `oid`, `"char"` and their like say all of themselves.
        ColumnType::System(_) if ty.is_writable() => ty,
        ColumnType::Array(ref element) if matches!(**element, ColumnType::System(_)) && ty.is_writable() => ty,
        ty => {
            let (bare, modifier) = ty.split();
            bare.base().modified(modifier)
        }
    };
    let found = declared.or_else(|| value::type_of_oid(result.type_oid, result.typmod)).map(base);
    // Values of `regclass` and its like go out as numbers with names: neither can be meant.
    found.filter(|_| !oid::is_named(result.type_oid)).ok_or_else(|| {
        PgError::unsupported(format!("column \"{}\" has a type that a table cannot hold", result.name))
            .hint("Cast it to a type that can be stored.")
    })
}

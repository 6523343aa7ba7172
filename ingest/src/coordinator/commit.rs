//! One publication: encode, put, publish.

use std::{collections::BTreeMap, sync::Arc};

use arrow::{
    array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array},
    compute::{CastOptions, cast_with_options},
    datatypes::{Field, Schema},
};
use duckmesh_catalog::{
    ColumnId, LakeSchema, Offset, RejectedRow, TableDef,
    ddl::DdlOp,
    failpoint,
    files::NewFile,
    leases::Lease,
    publish::{MissingFrom, Publication, Rejection},
};
use duckmesh_storage::{EncodedFile, ErrorKind as StorageErrorKind, NameSeed, encode};
use uuid::Uuid;

use super::{plan::Unit, recover::Failure};
use crate::{
    frame::{Content, Part},
    lake::Shared,
};

/// Names of a later attempt differ, in case an object of the first name is there and damaged.
const PARTS_PER_ATTEMPT: u32 = 100_000;

/// Bytes of a rejected record that are kept for an operator: they must fit the catalog.
const EVIDENCE_BYTES_MAX: usize = 1 << 20;

/// What a publication's units come to.
#[derive(Default)]
struct Prepared {
    ddl: Vec<DdlOp>,
    /// Parts to put: table, its folders, the file.
    parts: Vec<(Uuid, String, String, EncodedFile)>,
    /// Staged files that are there already.
    staged: Vec<(Uuid, Vec<NewFile>)>,
    rejected: Vec<Rejection>,
    /// Rows that writes left out themselves.
    rejected_rows: Vec<(Offset, Vec<RejectedRow>)>,
}

/// Makes the units visible in one snapshot. Units that can never be applied are rejected in the same transaction.
pub(super) async fn publish(
    shared: &Arc<Shared>,
    lease: &Lease,
    watermark: Offset,
    units: &Arc<Vec<Unit>>,
    attempt: u32,
) -> Result<(), Failure> {
    let (catalog, lake) = (&shared.catalog, shared.info.id);
    let (Some(first), Some(last)) = (units.first(), units.last()) else {
        return Ok(());
    };
    let at = catalog.latest(lake).await?;
    let schema = catalog.schema(lake, &at).await?;
    let (ddl_offset, is_ddl) = (first.ddl.then_some(first.last), first.ddl);
    let work = Arc::clone(units);
    let prepared = tokio::task::spawn_blocking(move || prepare(&schema, &work, attempt))
        .await
        .map_err(|e| Failure::Unappliable(format!("encoding failed: {e}")))??;
    failpoint::hit("commit-after-encode")?;
    let mut files: Vec<(Uuid, Vec<NewFile>)> = prepared.staged;
    for (table, schema_path, table_path, part) in prepared.parts {
        let file = shared.files.put(&schema_path, &table_path, part).await.map_err(put_failed)?;
        shared.watch.moved();
        match files.iter_mut().find(|(uuid, _)| *uuid == table) {
            Some((_, of_table)) => of_table.push(file),
            None => files.push((table, vec![file])),
        }
    }
    failpoint::hit("commit-after-put")?;
    let rejected = prepared.rejected.len() as u64;
    let added: Vec<(Uuid, usize)> = files.iter().map(|(table, files)| (*table, files.len())).collect();
    let publication = Publication {
        lake,
        epoch: lease.epoch,
        expected_watermark: watermark,
        new_watermark: last.last,
        ddl: prepared.ddl,
        ddl_offset,
        files,
        rejected: prepared.rejected,
        rejected_rows: prepared.rejected_rows,
    };
    shared.publish(&publication).await.map_err(|e| refused_if(is_ddl, e.into()))?;
    added.into_iter().for_each(|(table, files)| shared.added.note(table, files));
    shared.meters.dead_letters.increment(rejected);
    Ok(())
}

/// DDL that the catalog refuses is refused for good: its message goes to the user, and nothing is tried again.
fn refused_if(is_ddl: bool, failure: Failure) -> Failure {
    match failure {
        Failure::Unappliable(why) if is_ddl => Failure::Refused(why),
        other => other,
    }
}

fn put_failed(error: duckmesh_storage::Error) -> Failure {
    match error.kind() {
        StorageErrorKind::Invalid | StorageErrorKind::AlreadyExists => Failure::Unappliable(error.to_string()),
        // A store that is full, down or read-only is not the record's fault.
        _ => Failure::Wait(error.to_string()),
    }
}

/// Rows that go into one file: the same table and the same columns.
type Groups = BTreeMap<(Uuid, Vec<ColumnId>), Vec<RecordBatch>>;

/// Everything that needs no store. Blocks.
fn prepare(schema: &LakeSchema, units: &[Unit], attempt: u32) -> Result<Prepared, Failure> {
    let mut prepared = Prepared::default();
    let mut after_ddl = None;
    for unit in units {
        if let Ok(Content::Parts(parts)) = &unit.content
            && unit.ddl
        {
            for part in parts {
                if let Part::Ddl(ops) = part {
                    prepared.ddl.extend(ops.iter().cloned());
                }
            }
            let changed = schema.apply(&prepared.ddl);
            after_ddl = Some(changed.map_err(|e| refused_if(true, e.into()))?);
        }
    }
    let schema = after_ddl.as_ref().unwrap_or(schema);
    let dropped: Vec<Uuid> = prepared.ddl.iter().filter_map(dropped_table).collect();
    failpoint::hit("encode-poison").map_err(|e| Failure::Unappliable(e.to_string()))?;
    let mut groups = Groups::new();
    let first = units.first().map_or(Offset::ZERO, |u| u.first);
    for unit in units {
        match collect(schema, unit, &dropped, &mut groups, &mut prepared.staged) {
            Ok(()) => prepared.rejected_rows.extend(rejected_rows(unit)),
            // The schema was read just now, and uuids never come back: no attempt will end otherwise.
            Err(why) if unit.ddl => return Err(Failure::Refused(why)),
            Err(why) => prepared.rejected.extend(rejections(unit, &why, 1)),
        }
    }
    let mut part = (attempt.saturating_sub(1)).saturating_mul(PARTS_PER_ATTEMPT);
    for ((uuid, columns), batches) in groups {
        let table = table(schema, uuid).map_err(Failure::Unappliable)?;
        let folder = schema.schemas.values().find(|s| s.id == table.schema_id);
        let folder = folder.ok_or_else(|| Failure::Unappliable("the table's schema is gone".into()))?;
        let (columns, batches) = fit(table, &columns, batches).map_err(Failure::Unappliable)?;
        let file = encode(table, &columns, &batches, &NameSeed::new(first, part))
            .map_err(|e| Failure::Unappliable(e.to_string()))?;
        prepared.parts.push((uuid, folder.path.clone(), table.path.clone(), file));
        part = part.saturating_add(1);
    }
    Ok(prepared)
}

fn dropped_table(op: &DdlOp) -> Option<Uuid> {
    match op {
        DdlOp::DropTable { uuid } => Some(*uuid),
        _ => None,
    }
}

/// Sorts a unit's rows and files by table: all of them, or none. What a transaction wrote to a table that it dropped
/// itself is left out: nobody could see it.
fn collect(
    schema: &LakeSchema,
    unit: &Unit,
    dropped: &[Uuid],
    groups: &mut Groups,
    staged: &mut Vec<(Uuid, Vec<NewFile>)>,
) -> Result<(), String> {
    let content = unit.content.as_ref().map_err(Clone::clone)?;
    match content {
        Content::Rows(rows) => {
            writable(schema, rows.table, Some(&rows.columns))?;
            add_rows(groups, rows.table, &rows.columns, &rows.batch);
        }
        Content::Parts(parts) => {
            for (at, part) in parts.iter().enumerate() {
                match part {
                    Part::Rows { table, .. } | Part::Files { table, .. }
                        if dropped.contains(table) || truncated_after(parts, at, *table) => {}
                    Part::Rows { table, columns, .. } => writable(schema, *table, Some(columns))?,
                    Part::Files { table, .. } => writable(schema, *table, None)?,
                    Part::Ddl(_) | Part::Rejected(_) => {}
                }
            }
            for (at, part) in parts.iter().enumerate() {
                match part {
                    Part::Rows { table, .. } | Part::Files { table, .. }
                        if dropped.contains(table) || truncated_after(parts, at, *table) => {}
                    Part::Rows { table, columns, batch } => add_rows(groups, *table, columns, batch),
                    Part::Files { table, files } => staged.push((*table, files.clone())),
                    Part::Ddl(_) | Part::Rejected(_) => {}
                }
            }
        }
    }
    Ok(())
}

/// What a unit left out.
fn rejected_rows(unit: &Unit) -> Option<(Offset, Vec<RejectedRow>)> {
    let Ok(Content::Parts(parts)) = &unit.content else { return None };
    let of_part = |part: &Part| match part {
        Part::Rejected(rows) => rows.clone(),
        _ => Vec::new(),
    };
    let rows: Vec<RejectedRow> = parts.iter().flat_map(of_part).collect();
    (!rows.is_empty()).then_some((unit.first, rows))
}

/// Whether a transaction truncated the table after it wrote this part: what it wrote before is gone.
fn truncated_after(parts: &[Part], at: usize, table: Uuid) -> bool {
    parts.iter().skip(at).any(|part| match part {
        Part::Ddl(ops) => ops.contains(&DdlOp::Truncate { table }),
        _ => false,
    })
}

fn add_rows(groups: &mut Groups, table: Uuid, columns: &[ColumnId], batch: &RecordBatch) {
    if batch.num_rows() > 0 {
        groups.entry((table, columns.to_vec())).or_default().push(batch.clone());
    }
}

/// Why rows are refused that no column could show.
const NO_COLUMNS: &str = "none of the row's columns exists any more";

/// Whether rows of these columns can go into the table at all.
fn writable(schema: &LakeSchema, uuid: Uuid, columns: Option<&[ColumnId]>) -> Result<(), String> {
    let table = table(schema, uuid)?;
    match columns {
        Some(columns) if !columns.iter().any(|c| table.column_by_id(*c).is_some()) => match table.column_of_nulls() {
            Some(_) => Ok(()),
            None => Err(NO_COLUMNS.to_owned()),
        },
        _ => Ok(()),
    }
}

fn table(schema: &LakeSchema, uuid: Uuid) -> Result<&Arc<TableDef>, String> {
    schema.table_by_uuid(uuid).ok_or_else(|| "the table does not exist any more".to_owned())
}

/// The rows as the table is now: columns that are gone are left out, types that another writer widened are cast.
/// Columns that the rows do not have are not in the file either: readers give them their default.
fn fit(
    table: &TableDef,
    columns: &[ColumnId],
    batches: Vec<RecordBatch>,
) -> Result<(Vec<ColumnId>, Vec<RecordBatch>), String> {
    let kept: Vec<_> = columns
        .iter()
        .enumerate()
        .filter_map(|(index, id)| Some((index, *id, table.column_by_id(*id)?.ty.arrow())))
        .collect();
    if kept.is_empty() {
        return bare(table, &batches);
    }
    let ids = kept.iter().map(|(_, id, _)| *id).collect();
    let fields: Vec<Field> = kept.iter().map(|(_, id, ty)| Field::new(id.to_string(), ty.clone(), true)).collect();
    let schema = Arc::new(Schema::new(fields));
    let batches = batches.iter().map(|batch| {
        let arrays = kept
            .iter()
            .map(|(index, id, ty)| {
                let array = batch.columns().get(*index).ok_or("a column is missing in the batch")?;
                cast(array, ty).map_err(|e| format!("column {id}: {e}"))
            })
            .collect::<Result<Vec<ArrayRef>, String>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(Arc::clone(&schema), arrays, &options).map_err(|e| e.to_string())
    });
    Ok((ids, batches.collect::<Result<_, String>>()?))
}

/// Rows that have none of the table's columns any more: that they are there is said by a column that shows them as
/// NULL.
fn bare(table: &TableDef, batches: &[RecordBatch]) -> Result<(Vec<ColumnId>, Vec<RecordBatch>), String> {
    let column = table.column_of_nulls().ok_or(NO_COLUMNS)?;
    let schema = Arc::new(Schema::new(vec![Field::new(column.id.to_string(), column.ty.arrow(), true)]));
    let batches = batches.iter().map(|batch| {
        let nulls = new_null_array(&column.ty.arrow(), batch.num_rows());
        RecordBatch::try_new(Arc::clone(&schema), vec![nulls]).map_err(|e| e.to_string())
    });
    Ok((vec![column.id], batches.collect::<Result<_, String>>()?))
}

fn cast(array: &ArrayRef, ty: &arrow::datatypes::DataType) -> Result<ArrayRef, String> {
    if array.data_type() == ty {
        return Ok(Arc::clone(array));
    }
    let exact = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(array, ty, &exact).map_err(|e| e.to_string())
}

/// One rejection for each offset of a unit; the bytes are kept once.
pub(super) fn rejections(unit: &Unit, why: &str, attempts: u32) -> Vec<Rejection> {
    let missing_from = missing_from(unit);
    let rejection = |offset| Rejection {
        offset: Offset::new(offset),
        reason: why.to_owned(),
        attempts,
        frame: if offset == unit.first.get() {
            let kept = unit.body.len().min(EVIDENCE_BYTES_MAX);
            unit.body.get(..kept).unwrap_or_default().to_vec()
        } else {
            Vec::new()
        },
        missing_from: missing_from.clone(),
    };
    (unit.first.get()..=unit.last.get()).map(rejection).collect()
}

/// Whose readers miss a unit that is rejected. With DDL nothing was acknowledged: its session waits for this, and is told.
fn missing_from(unit: &Unit) -> MissingFrom {
    let mut tables = match &unit.content {
        _ if unit.ddl => return MissingFrom::Nothing,
        Err(_) => return MissingFrom::Anything,
        Ok(Content::Rows(rows)) => vec![rows.table],
        Ok(Content::Parts(parts)) => parts.iter().filter_map(Part::table).collect(),
    };
    tables.sort_unstable();
    tables.dedup();
    if tables.is_empty() { MissingFrom::Nothing } else { MissingFrom::Tables(tables) }
}

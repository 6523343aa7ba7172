//! Sequences: `pg_sequence`, `pg_sequences`, `information_schema.sequences`, and what hangs on them in `pg_depend`.

use duckmesh_catalog::{ColumnType, DefaultValue, Identity, SequenceDef};

use super::Source;
use crate::{
    pgcatalog::{
        book::{self, Book, sql_schema},
        content::{Content, row},
        names, oids,
    },
    sql,
    wire::PgResult,
};

/// Oid of `pg_class`.
const CLASS: u32 = 1259;
/// Oid of `pg_attrdef`.
const DEFAULTS: u32 = 2604;

pub fn sequences<'a>(book: &Book<'a>) -> Content<'a> {
    let rows = book.schema.sequences.values().map(|s| {
        let spec = &s.spec;
        let oid = oids::sequence(s.id);
        row![oid, spec.ty.oid(), spec.start, spec.increment, spec.max, spec.min, spec.cache, spec.cycle]
    });
    let columns = &["seqrelid", "seqtypid", "seqstart", "seqincrement", "seqmax", "seqmin", "seqcache", "seqcycle"];
    Content { columns, rows: rows.collect() }
}

pub fn information<'a>(book: &Book<'a>, lake: &'a str) -> Content<'a> {
    // Sequences of identity columns are part of their tables.
    let rows = book.schema.sequences.values().filter(|s| s.spec.identity.is_none()).filter_map(|s| {
        let spec = &s.spec;
        let schema = sql_schema(book.schema.schema_name(s.schema_id)?);
        let precision = match spec.ty {
            ColumnType::Int2 => 16,
            ColumnType::Int4 => 32,
            _ => 64,
        };
        let cycle = if spec.cycle { "YES" } else { "NO" };
        let text = |n: i64| n.to_string();
        Some(row![
            lake,
            schema,
            s.name.as_str(),
            spec.ty.to_string(),
            precision,
            2,
            0,
            text(spec.start),
            text(spec.min),
            text(spec.max),
            text(spec.increment),
            cycle,
        ])
    });
    Content {
        columns: &[
            "sequence_catalog",
            "sequence_schema",
            "sequence_name",
            "data_type",
            "numeric_precision",
            "numeric_precision_radix",
            "numeric_scale",
            "start_value",
            "minimum_value",
            "maximum_value",
            "increment",
            "cycle_option",
        ],
        rows: rows.collect(),
    }
}

/// A sequence goes with its column; a default needs its sequence.
pub fn dependencies<'a>(book: &Book<'a>) -> Content<'a> {
    let mut rows = Vec::new();
    for sequence in book.schema.sequences.values() {
        let Some((table, column)) = sequence.spec.owner else { continue };
        let Some(table) = book.schema.table_by_uuid(table) else { continue };
        let kind = if sequence.spec.identity.is_some() { "i" } else { "a" };
        let (oid, attnum) = (oids::sequence(sequence.id), i32::from(book::attnum(table, column)));
        rows.push(row![CLASS, oid, 0, CLASS, oids::table(table.id), attnum, kind]);
    }
    for table in book.schema.tables.values() {
        for column in &table.columns {
            let Some(DefaultValue::Expression(text)) = &column.default else { continue };
            let Some(sequence) = sql::sequence::of_default(text, book.schema) else { continue };
            let default = oids::default(table.id, column.id);
            rows.push(row![DEFAULTS, default, 0, CLASS, oids::sequence(sequence.id), 0, "n"]);
        }
    }
    Content { columns: &["classid", "objid", "objsubid", "refclassid", "refobjid", "refobjsubid", "deptype"], rows }
}

/// Columns that own a sequence, with its name as `pg_get_serial_sequence` writes it.
pub fn serials<'a>(book: &Book<'a>) -> Content<'a> {
    let rows = book.schema.sequences.values().filter_map(|sequence| {
        let (table, column) = sequence.spec.owner?;
        let table = book.schema.table_by_uuid(table)?;
        let schema = sql_schema(book.schema.schema_name(sequence.schema_id)?);
        let name = format!("{}.{}", names::quoted(schema), names::quoted(&sequence.name));
        Some(row![oids::table(table.id), table.column_by_id(column)?.name.clone(), name])
    });
    Content { columns: &["#k", "#c", "#v"], rows: rows.collect() }
}

/// `pg_attribute.attidentity`.
#[must_use]
pub fn identity(sequence: &SequenceDef) -> Option<&'static str> {
    sequence.spec.identity.map(|kind| match kind {
        Identity::Always => "a",
        Identity::ByDefault => "d",
    })
}

/// `pg_sequences`, with how far each is now.
///
/// # Errors
/// When the catalog cannot be read.
pub async fn list<'a>(source: &'a Source<'a>) -> PgResult<Content<'a>> {
    let mut rows = Vec::new();
    for s in source.pin.schema.sequences.values() {
        let spec = &s.spec;
        let schema = sql_schema(source.pin.schema.schema_name(s.schema_id).unwrap_or_default());
        let state = crate::commands::sequence_state(source.session, s).await?;
        let last = state.called.then_some(state.last);
        let user = source.session.user.as_str();
        let ty = i64::from(spec.ty.oid());
        rows.push(row![
            schema,
            s.name.as_str(),
            user,
            ty,
            spec.start,
            spec.min,
            spec.max,
            spec.increment,
            spec.cycle,
            spec.cache,
            last
        ]);
    }
    Ok(Content {
        columns: &[
            "schemaname",
            "sequencename",
            "sequenceowner",
            "data_type",
            "start_value",
            "min_value",
            "max_value",
            "increment_by",
            "cycle",
            "cache_size",
            "last_value",
        ],
        rows,
    })
}

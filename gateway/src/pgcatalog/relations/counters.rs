//! Statistics that nobody counts: the relations have their rows, with zeros, so that tools that add them up go on.

use duckmesh_catalog::schema::DEFAULT_SCHEMA;

use super::Source;
use crate::{
    commands::failure,
    pgcatalog::{
        book::{Book, Source as From},
        content::{Cell, Content, row},
        oids, shapes,
    },
    session::ClientSession,
    wire::PgResult,
};

/// `pg_stat_database`
///
/// # Errors
/// When the catalog cannot be read.
pub async fn databases(session: &ClientSession) -> PgResult<Content<'static>> {
    let lakes = session.server.lakes.catalog().lakes().await.map_err(failure::catalog)?;
    let doing = session.server.activity.all();
    let rows = lakes.iter().map(|lake| {
        let here = doing.iter().filter(|doing| doing.lake.0 == lake.id).count();
        let mut row = row![oids::database(lake.id), lake.name.as_str().to_owned(), i64::try_from(here).unwrap_or(0)];
        row.resize(DATABASES.len(), Cell::Int(0));
        row
    });
    Ok(Content { columns: DATABASES, rows: rows.collect() })
}

const DATABASES: &[&str] = &[
    "datid",
    "datname",
    "numbackends",
    "xact_commit",
    "xact_rollback",
    "blks_read",
    "blks_hit",
    "tup_returned",
    "tup_fetched",
    "tup_inserted",
    "tup_updated",
    "tup_deleted",
    "conflicts",
    "temp_files",
    "temp_bytes",
    "deadlocks",
    "sessions",
    "sessions_abandoned",
    "sessions_fatal",
    "sessions_killed",
];

/// `pg_stat_bgwriter`
#[must_use]
pub fn writer() -> Content<'static> {
    const COLUMNS: &[&str] = &[
        "checkpoints_timed",
        "checkpoints_req",
        "buffers_checkpoint",
        "buffers_clean",
        "maxwritten_clean",
        "buffers_backend",
        "buffers_backend_fsync",
        "buffers_alloc",
    ];
    Content { columns: COLUMNS, rows: vec![vec![Cell::Int(0); COLUMNS.len()]] }
}

/// `pg_statio_user_tables` and `pg_statio_all_tables`
#[must_use]
pub fn table_blocks<'a>(book: &Book<'a>) -> Content<'a> {
    const COLUMNS: &[&str] = &["relid", "schemaname", "relname", "heap_blks_read", "heap_blks_hit"];
    let rows = book.relations.iter().filter(|r| r.kind == 'r');
    let rows = rows.map(|r| row![r.oid, r.schema, r.name, 0, 0]);
    Content { columns: COLUMNS, rows: rows.collect() }
}

/// `pg_stat_user_indexes` and `pg_stat_all_indexes`
#[must_use]
pub fn indexes<'a>(book: &Book<'a>) -> Content<'a> {
    const COLUMNS: &[&str] =
        &["relid", "indexrelid", "schemaname", "relname", "indexrelname", "idx_scan", "idx_tup_read", "idx_tup_fetch"];
    let rows = book.constraints.iter().filter_map(|con| {
        let (table, name) = (con.table.name.as_str(), con.constraint.name.as_str());
        Some(row![con.table_oid, con.index?, con.schema, table, name, 0, 0, 0])
    });
    let own = book.indexes.iter().map(|ix| {
        let (table, name) = (ix.table.name.as_str(), ix.index.name.as_str());
        row![ix.table_oid, ix.oid, ix.schema, table, name, 0, 0, 0]
    });
    Content { columns: COLUMNS, rows: rows.chain(own).collect() }
}

/// `pg_rewrite`: the rule that each view is in PostgreSQL.
#[must_use]
pub fn rules<'a>(book: &Book<'a>) -> Content<'a> {
    const COLUMNS: &[&str] =
        &["oid", "rulename", "ev_class", "ev_type", "ev_enabled", "is_instead", "ev_qual", "ev_action"];
    let rows = book.relations.iter().filter_map(|r| match r.source {
        From::View(view) => Some(row![oids::rule(view.id), "_RETURN", r.oid, '1', 'O', true, "<>", "<>"]),
        _ => None,
    });
    Content { columns: COLUMNS, rows: rows.collect() }
}

/// What views read, as rows of `pg_depend`: the rule depends on each relation, and belongs to its view.
#[must_use]
pub fn view_dependencies<'a>(book: &Book<'a>, source: &Source<'_>) -> Vec<Vec<Cell<'a>>> {
    const REWRITE: u32 = 2618;
    const CLASS: u32 = 1259;
    let mut rows = Vec::new();
    for relation in &book.relations {
        let From::View(view) = relation.source else { continue };
        let rule = oids::rule(view.id);
        rows.push(row![REWRITE, rule, 0, CLASS, relation.oid, 0, "i"]);
        rows.push(row![REWRITE, rule, 0, CLASS, relation.oid, 0, "n"]);
        for (schema, table) in source.definitions.reads(view.id) {
            let own = if schema == "public" { DEFAULT_SCHEMA } else { schema.as_str() };
            let read = match book.schema.table(own, table) {
                Some(table) => Some(oids::table(table.id)),
                None => book.schema.view(own, table).map(|view| oids::view(view.id)),
            };
            rows.extend(read.map(|oid| row![REWRITE, rule, 0, CLASS, oid, 0, "n"]));
        }
    }
    rows
}

/// The schema `duckmesh` and its relations as members of their extension, as rows of `pg_depend`.
#[must_use]
pub fn extension_members() -> Vec<Vec<Cell<'static>>> {
    const NAMESPACE: u32 = 2615;
    const CLASS: u32 = 1259;
    const EXTENSION: u32 = 3079;
    let member = |class: u32, oid: u32| row![class, oid, 0, EXTENSION, oids::EXTENSION, 0, "e"];
    let relations = shapes::all().iter().filter(|shape| shape.schema == "duckmesh");
    let mut rows = vec![member(NAMESPACE, oids::DUCKMESH)];
    rows.extend(relations.map(|shape| member(CLASS, shape.oid)));
    rows
}

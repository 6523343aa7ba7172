//! The tables of a query as relations of the statement: exact file lists of the pinned snapshot, never a glob.

use std::{
    borrow::Cow,
    collections::{HashMap, hash_map::Entry},
    fmt::Write as _,
    path::PathBuf,
    sync::Arc,
};

use duckmesh_catalog::{
    ColumnDef, ColumnId, ColumnType, EnumRef, SnapshotId, TableDef,
    files::{DataFile, InlinedRows, TableFiles},
};
use duckmesh_storage::{ColumnPredicate, Comparison, Held, ROW_SNAPSHOT_FIELD, Ranges, Test, prune};

use super::{failure, render::parameter_value, select::ScratchFiles};
use crate::{
    engine::{Relation, SMALL_BYTES_MAX, SMALL_ROWS_MAX, SmallFiles, SmallType},
    pgcatalog,
    session::{
        ClientSession, Pin, gaps, scratch_path,
        temporary::{self, TempFile},
    },
    sql::plan::{ColumnFilter, FilterOp, FilterValue, QueryPlan, SessionValue, SqlPart, TableUse},
    value::{self, ColumnBuilder},
    wire::{
        PgError, PgResult,
        backend::{Params, Session as _},
    },
};

/// What a query needs on its connection before it runs.
#[derive(Default)]
pub struct Prelude {
    /// Its tables, and relations of the system.
    pub relations: Vec<Relation>,
    /// Where functions find rows of internal relations: their names, and literals for the engine.
    pub rows_of: Vec<(String, String)>,
    /// What will be read, for EXPLAIN.
    pub scans: Vec<Scan>,
    /// Files made for this query alone.
    pub scratch: ScratchFiles,
    /// Files of temporary tables, which stay while it runs.
    pub held: Vec<Arc<TempFile>>,
    /// Files of the lake, which stay on this machine while it runs.
    pub files: Held,
}

/// What is read of one table.
pub struct Scan {
    /// The table.
    pub table: Arc<TableDef>,
    /// Files of the snapshot.
    pub files_total: usize,
    /// Files left after pruning.
    pub files_read: usize,
    /// Their size.
    pub bytes_read: u64,
    /// Files of the transaction's own rows.
    pub own_files: usize,
}

/// A Parquet file for a view.
#[derive(Default)]
struct Source {
    path: String,
    /// A Parquet file with positions that are hidden.
    deletes: Option<String>,
    /// Positions that are hidden beside those.
    hidden: Vec<u64>,
    /// For a file that was merged of files of several snapshots: the snapshot whose rows are seen.
    seen_at: Option<SnapshotId>,
    /// Whether the file has all the table's columns under their names: it can be read as it is.
    is_current: bool,
    /// Rows in it; none is unknown.
    rows: Option<u64>,
    size_bytes: u64,
}

impl Source {
    fn whole(path: &std::path::Path) -> Self {
        Self { path: path.display().to_string(), ..Self::default() }
    }

    fn is_whole(&self) -> bool {
        self.deletes.is_none() && self.hidden.is_empty() && self.seen_at.is_none()
    }
}

/// Files whose statistics DuckDB may look at while it plans.
const LOOKED_AT_FILES_MAX: usize = 256;
/// Below this many bytes together a bad plan costs less than looking.
const LOOKED_AT_BYTES_MIN: u64 = 8 << 20;

/// So many small files the worker reads by itself; more are scanned faster by DuckDB.
const SMALL_FILES_MAX: usize = 32;

/// Relations of everything a query reads. `params` none: to describe only, then no file is named at all.
///
/// # Errors
/// When the catalog or the scratch folder fails; MD006.
pub async fn prelude(
    session: &mut ClientSession,
    pin: &Pin,
    plan: &QueryPlan,
    params: Option<&Params>,
) -> PgResult<Prelude> {
    if params.is_some() {
        gaps::tell(session, pin, &plan.tables).await?;
    }
    let mut prelude = Prelude::default();
    for table in &plan.tables {
        let sources = match params {
            Some(params) => sources(session, pin, table, params, &mut prelude).await?,
            None => Vec::new(),
        };
        prelude.relations.push(relation(&table.view, &table.table, &sources));
    }
    for system in &plan.system {
        match &system.view {
            Some(view) => prelude.relations.extend(pgcatalog::relations(session, pin, system, view).await?),
            // To describe a statement nothing is looked up.
            None if params.is_none() => prelude.rows_of.push((system.name.clone(), "''".to_owned())),
            None => {
                let rows = pgcatalog::rows_of(session, pin, &system.name).await?;
                prelude.rows_of.push((system.name.clone(), rows));
            }
        }
    }
    Ok(prelude)
}

impl Prelude {
    /// The statement's parts, with where its functions find rows of the catalog.
    #[must_use]
    pub fn filled<'p>(&self, parts: Cow<'p, [SqlPart]>) -> Cow<'p, [SqlPart]> {
        if self.rows_of.is_empty() {
            return parts;
        }
        let rows_of = |name: &str| self.rows_of.iter().find(|(of, _)| of == name).map(|(_, rows)| rows.clone());
        let filled = parts.iter().map(|part| match part {
            SqlPart::Session(SessionValue::RowsOf(name)) => rows_of(name).map_or_else(|| part.clone(), SqlPart::Text),
            other => other.clone(),
        });
        Cow::Owned(filled.collect())
    }
}

/// A relation over the files given, for rows that are not in the lake yet.
#[must_use]
pub fn relation_over(name: &str, table: &TableDef, paths: &[PathBuf]) -> Relation {
    let sources: Vec<_> = paths.iter().map(|path| Source::whole(path)).collect();
    relation(name, table, &sources)
}

async fn sources(
    session: &mut ClientSession,
    pin: &Pin,
    used: &TableUse,
    params: &Params,
    prelude: &mut Prelude,
) -> PgResult<Vec<Source>> {
    let table = &used.table;
    let mut sources = Vec::new();
    let mut scan = Scan { table: table.clone(), files_total: 0, files_read: 0, bytes_read: 0, own_files: 0 };
    // A table that this transaction made has no files in the lake.
    let truncated = session.transaction.as_ref().is_some_and(|t| t.truncates(table.uuid));
    let base = pin.base.tables.get(&table.id).filter(|base| base.uuid == table.uuid && !truncated);
    if let Some(base) = base {
        let catalog = session.server.lakes.catalog();
        let lake = session.lake.info.id;
        if let Some(reads) = &session.lake.reads {
            reads.note(table.id, pin.snapshot.id);
        }
        let known = catalog.files(lake, pin.snapshot.id, table.id).await.map_err(failure::catalog)?;
        scan.files_total = known.files.len();
        let kept = pruned(session, used, &known.files, params).await?;
        scan.files_read = kept.len();
        scan.bytes_read = kept.iter().map(|file| file.size_bytes).sum();
        prelude.files.extend(hold(session, &kept).await?);
        for file in &kept {
            let is_current = has_columns_of(base, table) && is_current(session, base, &known, file).await?;
            let hidden = known.inlined_deletes.get(&file.id).cloned().unwrap_or_default();
            let seen_at = file.partial_max.filter(|max| *max > pin.snapshot.id).map(|_| pin.snapshot.id);
            sources.push(Source { hidden, seen_at, is_current, ..source(session, file)? });
        }
        if let Some(rows) = &known.inlined
            && let Some(path) = inlined(session, base, rows).await?
        {
            sources.push(Source::whole(&path));
            prelude.scratch.0.push(path);
        }
    }
    if !pin.schema.tables.values().any(|known| known.uuid == table.uuid) {
        return Err(PgError::internal("a plan reads a table that is not there any more"));
    }
    if temporary::is_temporary(table) {
        let own = session.temporary.files(table).await?;
        scan.own_files = own.len();
        sources.extend(own.iter().map(|file| Source::whole(&file.path)));
        prelude.held.extend(own);
    } else if let Some(transaction) = &mut session.transaction {
        let own = transaction.own_files(table).await.map_err(failure::storage)?;
        scan.own_files = own.len();
        sources.extend(own.iter().map(|path| Source::whole(path)));
    }
    prelude.scans.push(scan);
    Ok(sources)
}

/// Has the files of a scan on this machine.
async fn hold(session: &ClientSession, files: &[DataFile]) -> PgResult<Held> {
    let mut all = Vec::with_capacity(files.len());
    for file in files {
        all.extend(relative(session, &file.path, file.path_is_relative).map(|path| (path.to_owned(), file.size_bytes)));
        let deletes = file.deletes.as_ref();
        all.extend(deletes.and_then(|deletes| {
            let path = relative(session, &deletes.path, deletes.path_is_relative)?;
            Some((path.to_owned(), deletes.size_bytes))
        }));
    }
    session.lake.files.hold(all).await.map_err(failure::storage)
}

/// The path of a file below the lake's data path; none if it is elsewhere.
fn relative<'a>(session: &ClientSession, path: &'a str, is_relative: bool) -> Option<&'a str> {
    if is_relative { Some(path) } else { session.lake.files.relative_path(path) }
}

fn source(session: &ClientSession, file: &DataFile) -> PgResult<Source> {
    let path = |path: &str, is_relative: bool| -> PgResult<String> {
        let Some(path) = relative(session, path, is_relative) else {
            // Written by another program that keeps its files elsewhere: the engine's walls decide whether it may be read.
            return Ok(path.to_owned());
        };
        let local = session.lake.files.local_path(path);
        let local = local.ok_or_else(|| PgError::internal(format!("the lake's file {path} has no local path")))?;
        Ok(local.display().to_string())
    };
    let deletes = file.deletes.as_ref().map(|d| path(&d.path, d.path_is_relative)).transpose()?;
    let path = path(&file.path, file.path_is_relative)?;
    Ok(Source { path, deletes, rows: Some(file.record_count), size_bytes: file.size_bytes, ..Source::default() })
}

/// Whether the table has no columns but those of the snapshot, as they are there: the transaction may have changed it.
fn has_columns_of(base: &TableDef, table: &TableDef) -> bool {
    let same = |c: &ColumnDef| base.column_by_id(c.id).is_some_and(|b| b.name == c.name && b.ty == c.ty);
    table.columns.iter().all(same)
}

/// Whether the file has the table's columns under their names of now. `base` is the table of the snapshot, never a
/// transaction's: the answer is remembered, and a column that was dropped there comes back with its ROLLBACK.
async fn is_current(session: &ClientSession, base: &TableDef, known: &TableFiles, file: &DataFile) -> PgResult<bool> {
    match file.begin_snapshot.cmp(&known.columns_since) {
        _ if file.is_mapped || !file.path_is_relative => Ok(false),
        std::cmp::Ordering::Less => Ok(false),
        std::cmp::Ordering::Greater => Ok(file.columns_with_stats == known.leaf_columns),
        // Published together with the change: only the file knows whether it was written before or after.
        std::cmp::Ordering::Equal => {
            if let Some(known) = session.lake.has_columns.get(file.id) {
                return Ok(known);
            }
            let found = session.lake.files.has_columns(&file.path, file.size_bytes, base).await;
            let found = found.map_err(failure::storage)?;
            session.lake.has_columns.insert(file.id, found);
            Ok(found)
        }
    }
}

/// Rows that another program inlined in the catalog, as a Parquet file of this statement. `base` is the table of the snapshot,
/// as in the catalog: a transaction may have given the names of its columns to others.
async fn inlined(session: &ClientSession, base: &Arc<TableDef>, rows: &InlinedRows) -> PgResult<Option<PathBuf>> {
    if rows.rows.is_empty() {
        return Ok(None);
    }
    let path = scratch_path(&session.lake.scratch);
    let of_name = |name: &str| base.columns.iter().find(|c| c.name.eq_ignore_ascii_case(name)).map(|c| c.id);
    let (keep, columns): (Vec<usize>, Vec<ColumnId>) =
        rows.columns.iter().enumerate().filter_map(|(index, name)| Some((index, of_name(name)?))).unzip();
    let rows: Vec<Vec<Option<String>>> =
        rows.rows.iter().map(|row| keep.iter().map(|i| row.get(*i).cloned().flatten()).collect()).collect();
    let (table, to) = (base.clone(), path.clone());
    tokio::task::spawn_blocking(move || duckmesh_storage::write_rows(&table, &columns, &rows, &to))
        .await
        .map_err(PgError::internal)?
        .map_err(failure::storage)?;
    Ok(Some(path))
}

async fn pruned(
    session: &ClientSession,
    used: &TableUse,
    files: &[DataFile],
    params: &Params,
) -> PgResult<Vec<DataFile>> {
    if used.filters.is_empty() || files.len() < 2 {
        return Ok(files.to_vec());
    }
    let catalog = session.server.lakes.catalog();
    let mut ranges: Ranges = HashMap::new();
    let mut predicates = Vec::new();
    for filter in &used.filters {
        let Some(column) = used.table.column_by_id(filter.column) else { continue };
        let Some(test) = test(session, column, filter, params) else { continue };
        if let Entry::Vacant(entry) = ranges.entry(column.id) {
            let known = catalog.ranges(session.lake.info.id, used.table.id, column.id).await;
            entry.insert(known.map_err(failure::catalog)?);
        }
        predicates.push(ColumnPredicate { column: column.id, ty: column.ty.clone(), test });
    }
    Ok(prune(files, &ranges, &predicates))
}

/// A filter with its values in the lake's text form; none when a value cannot be read (then nothing is pruned, and the engine
/// says what is wrong).
fn test(session: &ClientSession, column: &ColumnDef, filter: &ColumnFilter, params: &Params) -> Option<Test> {
    let values: Option<Vec<Option<String>>> =
        filter.values.iter().map(|value| lake_text(session, column.ty.bare(), value, params)).collect();
    let values = values?;
    let compare = |op| Some(Test::Compare(op, values.first()?.clone()?));
    match filter.op {
        // Older rows have the text that the label had then.
        FilterOp::Eq | FilterOp::In if matches!(&column.ty, ColumnType::Enum(_)) => {
            let ColumnType::Enum(of) = &column.ty else { return None };
            let now: Vec<String> = values.into_iter().flatten().collect();
            let old = of.former().filter(|(_, label)| now.iter().any(|n| n == label)).map(|(old, _)| old.to_owned());
            let old: Vec<String> = old.collect();
            Some(Test::In(now.into_iter().chain(old).collect()))
        }
        FilterOp::Eq => compare(Comparison::Eq),
        FilterOp::Lt => compare(Comparison::Lt),
        FilterOp::LtEq => compare(Comparison::Le),
        FilterOp::Gt => compare(Comparison::Gt),
        FilterOp::GtEq => compare(Comparison::Ge),
        FilterOp::In => Some(Test::In(values.into_iter().flatten().collect())),
        FilterOp::IsNull => Some(Test::IsNull),
        FilterOp::IsNotNull => Some(Test::IsNotNull),
    }
}

/// A constant in the lake's text form; the inner none is NULL.
fn lake_text(session: &ClientSession, ty: &ColumnType, value: &FilterValue, params: &Params) -> Option<Option<String>> {
    let ctx = session.value_context();
    // A length or a scale is no part of a comparison: it would cut the constant.
    let ty = if matches!(ty, ColumnType::Varchar(_)) { &ColumnType::Text } else { ty };
    let mut builder = ColumnBuilder::new(ty, 1).ok()?;
    match value {
        FilterValue::Text(text) => builder.append_text(text.as_bytes(), &ctx).ok()?,
        FilterValue::Param(index) => match parameter_value(params, *index)? {
            value::Param::Null => return Some(None),
            value::Param::Text(bytes) => builder.append_text(bytes, &ctx).ok()?,
            value::Param::Binary(bytes) => builder.append_binary(bytes, &ctx).ok()?,
        },
    }
    value::lake_text(ty, &builder.finish(), 0).ok()
}

/// Parquet files as a relation with the table's columns, minus what is deleted in them.
fn relation(name: &str, table: &TableDef, sources: &[Source]) -> Relation {
    let mut arms = Vec::new();
    let (current, older): (Vec<&Source>, Vec<&Source>) =
        sources.iter().filter(|s| s.is_whole()).partition(|s| s.is_current);
    let columns = names(table);
    // Those of the lake have a number of rows; the others are of the transaction.
    let (older, own): (Vec<&Source>, Vec<&Source>) = older.into_iter().partition(|s| s.rows.is_some());
    let by_id = |files: &[&Source]| format!("SELECT {columns} FROM {}", by_field_id(table, files, false, ""));
    // In this order: without ORDER BY rows mostly come as they were written.
    if !older.is_empty() {
        arms.push(by_id(&older));
    }
    if !current.is_empty() {
        arms.push(current_files(table, &current));
    }
    if !own.is_empty() {
        arms.push(by_id(&own));
    }
    for source in sources.iter().filter(|s| !s.is_whole()) {
        arms.push(partial(source, table, &columns));
    }
    if arms.is_empty() {
        let nulls: Vec<String> =
            table.columns.iter().map(|c| format!("CAST(NULL AS {}) AS {}", c.ty.duckdb(), quote(&c.name))).collect();
        arms.push(format!("SELECT {} WHERE false", nulls.join(", ")));
    }
    Relation { name: name.to_owned(), sql: arms.join(" UNION ALL "), small: small(table, sources), file: None }
}

/// The files, where they are small together and have the table's columns as they are now.
fn small(table: &TableDef, sources: &[Source]) -> Option<SmallFiles> {
    if sources.is_empty() || sources.len() > SMALL_FILES_MAX {
        return None;
    }
    let (mut rows, mut bytes) = (0_u64, 0_u64);
    for source in sources {
        if !source.is_whole() || !source.is_current {
            return None;
        }
        rows = rows.saturating_add(source.rows?);
        bytes = bytes.saturating_add(source.size_bytes);
    }
    if rows > SMALL_ROWS_MAX || bytes > SMALL_BYTES_MAX {
        return None;
    }
    let columns =
        table.columns.iter().map(|c| Some((c.name.clone(), small_type(&c.ty)?))).collect::<Option<Vec<_>>>()?;
    Some(SmallFiles { columns, paths: sources.iter().map(|s| s.path.clone()).collect() })
}

/// None for types that DuckDB has to read by itself.
fn small_type(ty: &ColumnType) -> Option<SmallType> {
    Some(match ty {
        ColumnType::Bool => SmallType::Bool,
        ColumnType::Int2 => SmallType::Int2,
        ColumnType::Int4 => SmallType::Int4,
        ColumnType::Int8 => SmallType::Int8,
        ColumnType::Float4 => SmallType::Float4,
        ColumnType::Float8 => SmallType::Float8,
        ColumnType::Numeric(precision, scale) => SmallType::Numeric(*precision, u8::try_from(*scale).ok()?),
        ColumnType::Money => small_type(&ColumnType::MONEY_HELD)?,
        ColumnType::Text | ColumnType::Varchar(_) | ColumnType::Char(_) | ColumnType::AsText(_) => SmallType::Text,
        ColumnType::Json | ColumnType::Jsonb => SmallType::Json,
        ColumnType::Bytea => SmallType::Bytea,
        ColumnType::Date => SmallType::Date,
        ColumnType::Time => SmallType::Time,
        ColumnType::Timestamp => SmallType::Timestamp,
        ColumnType::Timestamptz => SmallType::Timestamptz,
        ColumnType::Uuid => SmallType::Uuid,
        ColumnType::Modified(of, _) => small_type(of)?,
        ColumnType::System(of) => small_type(&of.base())?,
        ColumnType::Interval | ColumnType::Array(_) | ColumnType::Enum(_) | ColumnType::Grid(_) => return None,
        ColumnType::Record(_) | ColumnType::Other(_) => return None,
    })
}

fn names(table: &TableDef) -> String {
    let shown = |c: &ColumnDef| match labelled(&c.ty, &quote(&c.name)) {
        Some(sql) => format!("{sql} AS {}", quote(&c.name)),
        None => quote(&c.name),
    };
    table.columns.iter().map(shown).collect::<Vec<_>>().join(", ")
}

/// What lies in a file as text, as the engine's type: labels that were renamed since have their name of now.
fn labelled(ty: &ColumnType, sql: &str) -> Option<String> {
    match ty {
        ColumnType::Enum(of) => Some(format!("CAST({} AS {})", now_called(of, sql), ty.duckdb())),
        ColumnType::Array(element) => match &**element {
            ColumnType::Enum(of) if of.former().next().is_some() => {
                let each = now_called(of, "label");
                Some(format!("CAST(list_transform({sql}, lambda label: {each}) AS {})", ty.duckdb()))
            }
            ColumnType::Enum(_) | ColumnType::Json | ColumnType::Jsonb => {
                Some(format!("CAST({sql} AS {})", ty.duckdb()))
            }
            _ => None,
        },
        _ => None,
    }
}

fn now_called(of: &EnumRef, sql: &str) -> String {
    let renamed: Vec<String> =
        of.former().map(|(old, now)| format!(" WHEN {} THEN {}", literal(old), literal(now))).collect();
    if renamed.is_empty() { sql.to_owned() } else { format!("(CASE {sql}{} ELSE {sql} END)", renamed.concat()) }
}

/// The engine's type of a column as it lies in a file.
fn held(ty: &ColumnType) -> String {
    match ty {
        ColumnType::Enum(_) => ColumnType::Text.duckdb(),
        // The engine has no cast from a default's text to a list of JSON.
        ColumnType::Array(element) if matches!(**element, ColumnType::Json | ColumnType::Jsonb) => {
            format!("{}[]", ColumnType::Text.duckdb())
        }
        ColumnType::Array(element) => format!("{}[]", held(element)),
        other => other.duckdb(),
    }
}

/// Files that have the table's columns under their names. Read by name DuckDB knows their statistics, from which it
/// orders joins and sizes hash tables: the TPC-H queries take half the time that they take by field id.
fn current_files(table: &TableDef, files: &[&Source]) -> String {
    let columns: Vec<String> = table.columns.iter().map(|c| plain_column(&c.ty, &quote(&c.name))).collect();
    // Only with union_by_name are the statistics of several files looked at; that opens all of them, so not for small ones.
    let bytes: u64 = files.iter().map(|f| f.size_bytes).sum();
    let looks = files.len() > 1 && files.len() <= LOOKED_AT_FILES_MAX && bytes >= LOOKED_AT_BYTES_MIN;
    let union = if looks { ", union_by_name = true" } else { "" };
    format!("SELECT {} FROM read_parquet([{}]{}{union})", columns.join(", "), paths(files), cardinality(files))
}

/// A column as it lies in a file, in the table's type. DuckDB drops a cast to the type that is there already.
fn plain_column(ty: &ColumnType, quoted: &str) -> String {
    match ty {
        ColumnType::Bool
        | ColumnType::Int2
        | ColumnType::Int4
        | ColumnType::Int8
        | ColumnType::Float4
        | ColumnType::Float8
        | ColumnType::Text
        | ColumnType::Date => quoted.to_owned(),
        _ if labelled(ty, quoted).is_some() => format!("{} AS {quoted}", labelled(ty, quoted).unwrap_or_default()),
        _ => format!("CAST({quoted} AS {}) AS {quoted}", ty.duckdb()),
    }
}

/// Files whose columns had other names, types or places: found by field id.
fn by_field_id(table: &TableDef, files: &[&Source], with_row_snapshot: bool, options: &str) -> String {
    let schema = schema(table, with_row_snapshot);
    format!("read_parquet([{}], schema = {schema}{}{options})", paths(files), cardinality(files))
}

fn paths(files: &[&Source]) -> String {
    files.iter().map(|s| literal(&s.path)).collect::<Vec<_>>().join(", ")
}

/// How many rows DuckDB shall expect; without it, it looks into files or guesses.
fn cardinality(files: &[&Source]) -> String {
    let rows: Option<u64> = files.iter().map(|s| s.rows).sum();
    rows.filter(|rows| *rows > 0).map_or_else(String::new, |rows| format!(", explicit_cardinality = {rows}"))
}

/// The rows of a file that are seen.
fn partial(source: &Source, table: &TableDef, columns: &str) -> String {
    let mut conditions = Vec::new();
    if let Some(deletes) = &source.deletes {
        conditions.push(format!("file_row_number NOT IN (SELECT pos FROM read_parquet([{}]))", literal(deletes)));
    }
    if !source.hidden.is_empty() {
        let hidden: Vec<String> = source.hidden.iter().map(ToString::to_string).collect();
        conditions.push(format!("file_row_number NOT IN ({})", hidden.join(", ")));
    }
    if let Some(snapshot) = source.seen_at {
        conditions.push(format!("(__row_snapshot IS NULL OR __row_snapshot <= {snapshot})"));
    }
    let rows = by_field_id(table, &[source], source.seen_at.is_some(), ", file_row_number = true");
    format!("SELECT {columns} FROM {rows} WHERE {}", conditions.join(" AND "))
}

/// The `schema` argument of `read_parquet`: field id to name, type and what older files show.
fn schema(table: &TableDef, with_row_snapshot: bool) -> String {
    let mut map = String::from("MAP {");
    for (index, column) in table.columns.iter().enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        let default = match (&column.ty, column.initial_default.as_deref()) {
            (_, None) => "NULL".to_owned(),
            // The book has its digits, the engine reads bytes.
            (ColumnType::Bytea, Some(digits)) => {
                let pairs = digits.as_bytes().chunks(2).map(|pair| format!("\\x{}", String::from_utf8_lossy(pair)));
                literal(&pairs.collect::<String>())
            }
            (_, Some(text)) => literal(text),
        };
        let _ = write!(
            map,
            "{comma}{}: {{name: {}, type: {}, default_value: {default}}}",
            column.id,
            literal(&column.name),
            literal(&held(&column.ty)),
        );
    }
    if with_row_snapshot {
        let _ = write!(map, ", {ROW_SNAPSHOT_FIELD}: {{name: '__row_snapshot', type: 'BIGINT', default_value: NULL}}");
    }
    map.push('}');
    map
}

/// A quoted identifier.
#[must_use]
pub fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A quoted string.
#[must_use]
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

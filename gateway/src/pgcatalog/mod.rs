//! System relations: `pg_catalog`, `information_schema` and `duckmesh`.
//!
//! Relations are data: every one of PostgreSQL 15 has its columns (`shapes`), some have rows that never change (`rows`), some
//! have rows made from the lake's schema or the server (`relations`). No data file is touched.

pub mod functions;

pub mod casts;

pub mod shapes;

mod relations;

mod book;
pub(crate) mod definitions;
pub mod names;
mod procedure;

mod content;
mod files;
mod rows;
mod unsupported;

pub mod oids;
pub mod types;

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use arrow::{array::RecordBatch, compute::concat_batches};
use duckmesh_catalog::TableId;

pub use self::book::{attnum, sql_schema};
use self::{book::Book, content::Content, files::Own, relations::Source, shapes::Shape};
pub use self::{
    files::Files,
    procedure::{shown as procedure_shown, type_shown},
    relations::{dictionary, is_bare_label, is_name, operator, operators_named},
    rows::{is_overloaded, procedure},
    unsupported::Unsupported,
};
use crate::{
    engine::Relation,
    session::{ClientSession, Pin, temporary::SCHEMA_ALIAS},
    sql::{deparse::Definitions, plan::SystemUse},
    wire::{PgError, PgResult},
};

/// More rows than these are read from a file: the engine reads that faster than it parses text.
const TEXT_ROWS_MAX: usize = 64;

/// Relations with texts that have to be deparsed.
const SHOW_DEFINITIONS: [&str; 15] = [
    "constraintdefs",
    "expressions",
    "viewdefs",
    "pg_constraint",
    "pg_depend",
    "pg_views",
    "views",
    "view_table_usage",
    "view_column_usage",
    "check_constraints",
    "pg_attrdef",
    "indexdefs",
    "pg_index",
    "pg_indexes",
    "columns",
];

/// The schema of what only our functions read; no statement can name it.
pub const INTERNAL: &str = "internal";

/// The oid of a table: the same on every gateway, and for the life of the table.
#[must_use]
pub fn table_oid(id: TableId) -> u32 {
    oids::table(id)
}

/// The oid of the index of a name: of one or two parts, or three with the database.
#[must_use]
pub fn index_named(schema: &duckmesh_catalog::LakeSchema, name: &[String], search_path: &[String]) -> Option<u32> {
    let book = Book::new(schema);
    let in_schema = |space: &str, name: &str| {
        let found = book.relations.iter().find(|r| r.kind == 'i' && r.schema == space && r.name == name);
        found.map(|r| r.oid)
    };
    match name {
        [name] => search_path.iter().find_map(|space| in_schema(space, name)),
        [space, name] | [_, space, name] => in_schema(space, name),
        _ => None,
    }
}

/// A system relation for one statement, after what its text names. Not a view: making one binds its query, and so does every use of it.
///
/// # Errors
/// When the catalog cannot be read.
pub async fn relations(
    session: &ClientSession,
    pin: &Pin,
    system: &SystemUse,
    view: &str,
) -> PgResult<impl Iterator<Item = Relation>> {
    let shape = match system.schema.as_str() {
        INTERNAL => shapes::internal(&system.name),
        schema => shapes::find(schema, &system.name),
    };
    let shape = shape.ok_or_else(|| PgError::internal(format!("no relation {}.{}", system.schema, system.name)))?;
    let source = source(session, pin, shape).await?;
    let of_file = |path: &Path| Relation {
        name: format!("{view}%rows"),
        sql: files::read(path),
        small: None,
        file: Some(path.display().to_string()),
    };
    let (mut arms, mut file) = (Vec::new(), None);
    if let Some(content) = relations::of_server(shape.schema, shape.name, &source).await? {
        arms.extend(fixed(session, shape).await?);
        arms.push(Rows::Text(served_once(&source, shape, &content).await?));
    } else {
        let few =
            |content: &Content<'_>| (content.rows.len() <= TEXT_ROWS_MAX).then(|| content::values_sql(shape, content));
        arms.extend(match of_schema(&source, shape, key(&source, shape), few).await? {
            Own::Nothing => fixed(session, shape).await?,
            Own::Text(sql) => Some(Rows::Text(sql)),
            Own::File(path) => Some(Rows::File(path)),
        });
    }
    if arms.is_empty() {
        arms.push(Rows::Text(content::values_sql(shape, &Content::default())));
    }
    let arms: Vec<String> = arms
        .into_iter()
        .map(|rows| match rows {
            Rows::Text(sql) => sql,
            Rows::File(path) => {
                let of_file = file.insert(of_file(&path));
                format!("FROM {}", names::identifier(&of_file.name))
            }
        })
        .collect();
    let mut rows = arms.join(" UNION ALL ");
    let oid = shape.oid;
    if (shape.schema, shape.name) == ("pg_catalog", "pg_class") && wants_estimates(session) {
        rows = estimated(&source, &rows).await?;
    }
    let version = pin.snapshot.schema_version;
    let sql = format!(
        "SELECT *, CAST({oid} AS BIGINT) AS \"%tableoid\", CAST({version} AS BIGINT) AS \"%xmin\" FROM ({rows})"
    );
    let relation = Relation { name: view.to_owned(), sql, small: None, file: None };
    Ok(file.into_iter().chain([relation]))
}

/// Rows of a relation.
enum Rows {
    /// A query that gives them.
    Text(String),
    /// A file that others will ask for too; there is one at most.
    File(PathBuf),
}

/// Where functions of the engine find the rows of an internal relation (`engine/worker/functions/found.rs`): a literal.
///
/// # Errors
/// When the catalog cannot be read.
pub async fn rows_of(session: &ClientSession, pin: &Pin, name: &str) -> PgResult<String> {
    let shape = shapes::internal(name).ok_or_else(|| PgError::internal(format!("no relation internal.{name}")))?;
    let source = source(session, pin, shape).await?;
    let file = |path: &Path| names::literal(&path.display().to_string());
    if let Some(content) = relations::of_server(shape.schema, shape.name, &source).await? {
        if let Some(few) = content::inline(&content) {
            return Ok(names::literal(&few));
        }
        let path = written(session, content::batch(shape, &content)?).await?;
        session.lake.system.keep_no_longer(path.clone());
        return Ok(file(&path));
    }
    // The same rows may be kept as SQL too.
    let key = key(&source, shape) + "\0rows";
    Ok(match of_schema(&source, shape, key, content::inline).await? {
        Own::Nothing => fixed_file(session, shape).await?.map_or_else(|| names::literal(""), |path| file(&path)),
        Own::Text(rows) => names::literal(&rows),
        Own::File(path) => file(&path),
    })
}

/// What the rows of a relation are made from.
async fn source<'a>(session: &'a ClientSession, pin: &'a Pin, shape: &Shape) -> PgResult<Source<'a>> {
    let exists = |name: &String| pin.schema.schemas.values().any(|s| book::sql_schema(&s.name) == name);
    let system_schema = |name: &String| ["pg_catalog", "information_schema", "duckmesh"].contains(&name.as_str());
    let own = |name: String| match session.temporary.schema_name() {
        Some(own) if name == SCHEMA_ALIAS => own.to_owned(),
        _ => name,
    };
    let said = session.settings.search_path().into_iter().map(own);
    let mut search_path: Vec<String> = said.filter(|name| exists(name) || system_schema(name)).collect();
    if let Some(own) = session.temporary.schema_name().filter(|own| !search_path.iter().any(|name| name == own)) {
        search_path.insert(0, own.to_owned());
    }
    let mut source = Source { session, pin, search_path, definitions: Arc::default() };
    if SHOW_DEFINITIONS.contains(&shape.name) {
        source.definitions = definitions_of(session, pin).await?;
    }
    Ok(source)
}

async fn definitions_of(session: &ClientSession, pin: &Pin) -> PgResult<Arc<Definitions>> {
    let files = &session.lake.system;
    if let Some(known) = files.definitions(&pin.schema) {
        return Ok(known);
    }
    let made = Arc::new(Definitions::of(Arc::clone(&pin.schema)).await?);
    files.keep_definitions(&pin.schema, Arc::clone(&made));
    Ok(made)
}

/// Whether a statement may look at how large tables are. They change with every snapshot, so `pg_class` is kept without.
fn wants_estimates(session: &ClientSession) -> bool {
    let sql = session.client_sql.as_deref().unwrap_or_default().to_ascii_lowercase();
    ["reltuples", ".*", "select *", "table pg_class"].iter().any(|word| sql.contains(word))
}

/// `pg_class` with the rows of the tables that have files. Pages are none: who is told of some reads them by `ctid`, as DuckDB's
/// extension does.
async fn estimated(source: &Source<'_>, classes: &str) -> PgResult<String> {
    let shape = shapes::internal("sizes").ok_or_else(|| PgError::internal("no relation internal.sizes"))?;
    let sizes = served_once(source, shape, &relations::sizes(source).await?).await?;
    Ok(format!(
        "SELECT c.* REPLACE (CAST(COALESCE(z.\"#r\", c.reltuples) AS FLOAT) AS reltuples) \
         FROM ({classes}) c LEFT JOIN ({sizes}) z ON z.\"#k\" = c.oid"
    ))
}

/// What else than the schema the rows depend on.
fn key(source: &Source<'_>, shape: &Shape) -> String {
    let session = source.session;
    // No name holds a NUL.
    format!("{}.{}\0{}\0{}", shape.schema, shape.name, session.user, source.search_path.join("\0"))
}

/// The rows of a relation that depend on the schema, as they will serve later statements too: with those that every lake has, in
/// one file. Two files in a UNION ALL take the engine several times as long to plan.
async fn of_schema(
    source: &Source<'_>,
    shape: &'static Shape,
    key: String,
    few: impl Fn(&Content<'_>) -> Option<String>,
) -> PgResult<Own> {
    let files = &source.session.lake.system;
    if let Some(known) = files.find(&key, &source.pin.schema) {
        return Ok(known);
    }
    let fixed = fixed_batch(shape)?;
    let schema = Arc::clone(&source.pin.schema);
    let (text, batch) = {
        let book = Book::new(&schema);
        let content = relations::of_schema(shape.schema, shape.name, &book, source);
        let content = content.filter(|content| !content.rows.is_empty());
        let text = content.as_ref().filter(|_| fixed.is_none()).and_then(few);
        let own = content.filter(|_| text.is_none()).map(|content| content::batch(shape, &content)).transpose()?;
        (text, own)
    };
    let own = match (text, batch) {
        (Some(text), _) => Own::Text(text),
        (None, None) => Own::Nothing,
        (None, Some(own)) => {
            let batches: Vec<RecordBatch> = fixed.into_iter().chain([own.clone()]).collect();
            let all = concat_batches(&own.schema(), &batches).map_err(PgError::internal)?;
            Own::File(written(source.session, all).await?)
        }
    };
    files.keep(key, &source.pin.schema, own.clone());
    Ok(own)
}

/// Rows that no other statement will use, as a query: text for few, a file for many.
async fn served_once(source: &Source<'_>, shape: &'static Shape, content: &Content<'_>) -> PgResult<String> {
    // Intervals are written as text only.
    if content.rows.len() <= TEXT_ROWS_MAX || shape.name == "pg_timezone_names" {
        return Ok(content::values_sql(shape, content));
    }
    let path = written(source.session, content::batch(shape, content)?).await?;
    source.session.lake.system.keep_no_longer(path.clone());
    Ok(files::read(&path))
}

/// The rows that are the same in every lake.
async fn fixed(session: &ClientSession, shape: &'static Shape) -> PgResult<Option<Rows>> {
    if session.lake.system.fixed((shape.schema, shape.name)).is_none()
        && let Some(content) = relations::fixed(shape.schema, shape.name)
        && content.rows.len() <= TEXT_ROWS_MAX
    {
        return Ok(Some(Rows::Text(content::values_sql(shape, &content))));
    }
    Ok(fixed_file(session, shape).await?.map(Rows::File))
}

async fn fixed_file(session: &ClientSession, shape: &'static Shape) -> PgResult<Option<std::path::PathBuf>> {
    let relation = (shape.schema, shape.name);
    if let Some(path) = session.lake.system.fixed(relation) {
        return Ok(Some(path));
    }
    let Some(batch) = fixed_batch(shape)? else { return Ok(None) };
    let path = written(session, batch).await?;
    session.lake.system.keep_fixed(relation, path.clone());
    Ok(Some(path))
}

/// The same for all lakes of the process.
fn fixed_batch(shape: &'static Shape) -> PgResult<Option<RecordBatch>> {
    type Batches = HashMap<(&'static str, &'static str), Option<RecordBatch>>;
    static MADE: LazyLock<Mutex<Batches>> = LazyLock::new(Mutex::default);
    let relation = (shape.schema, shape.name);
    if let Some(known) = MADE.lock().unwrap_or_else(PoisonError::into_inner).get(&relation) {
        return Ok(known.clone());
    }
    let batch = match relations::fixed(shape.schema, shape.name) {
        Some(content) => Some(content::batch(shape, &content)?),
        None => rows::batch(shape)?,
    };
    MADE.lock().unwrap_or_else(PoisonError::into_inner).insert(relation, batch.clone());
    Ok(batch)
}

async fn written(session: &ClientSession, batch: RecordBatch) -> PgResult<PathBuf> {
    let scratch = session.lake.scratch.clone();
    tokio::task::spawn_blocking(move || files::write(&scratch, &batch)).await.map_err(PgError::internal)?
}

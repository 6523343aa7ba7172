//! What a lake's schema is at a snapshot, also where other programs made it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use crate::{
    Catalog, ColumnDef, ColumnId, ColumnType, Constraint, ConstraintKind, ConstraintOptions, ErrorKind, IndexDef,
    LakeId, LakeSchema, SchemaDef, SchemaId, SnapshotId, TableDef, TableId, ViewDef, ViewId,
    catalog::Result,
    columns::{self, ColumnRow},
    error::Error,
    params,
    snapshots::SnapshotInfo,
    store::{Row, Store, Transaction, Value},
};

/// Tag of DuckLake's own comments.
pub(crate) const COMMENT: &str = "comment";
/// Tag of a view's Postgres SQL.
pub(crate) const VIEW_SQL: &str = "duckmesh.view_sql";
/// Tag of a view's columns.
pub(crate) const VIEW_COLUMNS: &str = "duckmesh.view_columns";

/// What exists at snapshot `$1`, in every table that has the pair.
macro_rules! visible {
    ($select:literal, $from:literal, $end:literal) => {
        concat!(
            "SELECT ",
            $select,
            " FROM ",
            $from,
            " WHERE begin_snapshot <= $1 AND (end_snapshot IS NULL OR end_snapshot > $1) ",
            $end
        )
    };
}

/// DuckLake's comments, and what is in our own tables because the official extension would not have it there.
const OBJECT_TAGS: &str = concat!(
    visible!("object_id, key, value", "@ducklake_tag", "UNION ALL "),
    visible!("object_id, key, value", "@duckmesh_tag", "")
);
const COLUMN_TAGS: &str = concat!(
    visible!("table_id, column_id, key, value", "@ducklake_column_tag", "UNION ALL "),
    visible!("table_id, column_id, key, value", "@duckmesh_column_tag", "")
);

impl Catalog {
    /// The schema at a snapshot; remembered by schema version.
    pub async fn schema(&self, lake: LakeId, at: &SnapshotInfo) -> Result<Arc<LakeSchema>> {
        let book = self.book(lake).await?;
        if let Some(schema) = book.schema(at.schema_version, at.ddl_offset.get()) {
            return Ok(schema);
        }
        let schema = Arc::new(load(&mut Source::Store(&book.store), at).await?);
        book.remember(&schema);
        Ok(schema)
    }
}

/// Where rows are read: on its own, or inside a transaction.
pub(crate) enum Source<'a> {
    Store(&'a Store),
    Transaction(&'a mut Transaction),
}

impl Source<'_> {
    async fn query(&mut self, sql: &str, params: Vec<Value>) -> Result<Vec<Row>> {
        match self {
            Self::Store(store) => store.query(sql, params).await,
            Self::Transaction(tx) => tx.query(sql, params).await,
        }
    }
}

/// Reads the schema at a snapshot. Rows of one snapshot do not change, so that several statements see one state.
pub(crate) async fn load(source: &mut Source<'_>, at: &SnapshotInfo) -> Result<LakeSchema> {
    let snapshot = || params![at.id];
    let next =
        source.query("SELECT next_catalog_id FROM @ducklake_snapshot WHERE snapshot_id = $1", snapshot()).await?;
    let next_catalog_id = next
        .first()
        .ok_or_else(|| Error::new(ErrorKind::SnapshotExpired, format!("snapshot {} is not there", at.id)))?
        .int(0)?;
    let mut tags = tags(source, at.id).await?;
    let mut schemas = BTreeMap::new();
    let rows =
        source.query(visible!("schema_id, schema_uuid, schema_name, path", "@ducklake_schema", ""), snapshot()).await?;
    for row in rows {
        let id = row.int(0)?;
        let schema = SchemaDef {
            id: SchemaId::new(id),
            uuid: row.uuid(1)?,
            name: row.text(2)?,
            path: row.opt_text(3)?.unwrap_or_default(),
            comment: tags.take(id, COMMENT),
        };
        schemas.insert(schema.name.clone(), Arc::new(schema));
    }
    let tables = tables(source, at.id, &mut tags).await?;
    let mut views = BTreeMap::new();
    let rows = source
        .query(visible!("view_id, view_uuid, schema_id, view_name, sql", "@ducklake_view", ""), snapshot())
        .await?;
    for row in rows {
        let view = view(&row, &mut tags)?;
        views.insert(view.id, Arc::new(view));
    }
    let mut sequences = BTreeMap::new();
    let rows = source
        .query(
            visible!("sequence_id, sequence_uuid, schema_id, name, definition", "@duckmesh_sequence", ""),
            snapshot(),
        )
        .await?;
    for row in rows {
        let sequence = crate::sequences::read(&row)?;
        sequences.insert(sequence.id, Arc::new(sequence));
    }
    let mut types = BTreeMap::new();
    let rows = source
        .query(visible!("type_id, type_uuid, schema_id, name, definition", "@duckmesh_type", ""), snapshot())
        .await?;
    for row in rows {
        let def = crate::user_types::read(&row)?;
        types.insert(def.id, Arc::new(def));
    }
    let mut schema = LakeSchema {
        snapshot: at.id,
        schema_version: at.schema_version,
        next_catalog_id,
        ddl_offset: at.ddl_offset,
        schemas,
        tables,
        views,
        sequences,
        types,
    };
    schema.link_types();
    Ok(schema)
}

/// Tags of objects, by object and key.
struct Tags(HashMap<(i64, String), String>);

impl Tags {
    fn take(&mut self, object: i64, key: &str) -> Option<String> {
        self.0.remove(&(object, key.to_owned()))
    }
}

async fn tags(source: &mut Source<'_>, at: SnapshotId) -> Result<Tags> {
    let rows = source.query(OBJECT_TAGS, params![at]).await?;
    let mut tags = HashMap::new();
    for row in rows {
        if let Some(value) = row.opt_text(2)? {
            tags.insert((row.int(0)?, row.text(1)?), value);
        }
    }
    Ok(Tags(tags))
}

fn view(row: &Row, tags: &mut Tags) -> Result<ViewDef> {
    let id = row.int(0)?;
    let columns: Vec<(String, ColumnType)> = match tags.take(id, VIEW_COLUMNS) {
        Some(json) => serde_json::from_str(&json)
            .map_err(|e| Error::caused(ErrorKind::Corrupt, "a view's columns cannot be read", e))?,
        None => Vec::new(),
    };
    Ok(ViewDef {
        id: ViewId::new(id),
        uuid: row.uuid(1)?,
        schema_id: SchemaId::new(row.int(2)?),
        name: row.text(3)?,
        duckdb_sql: row.text(4)?,
        postgres_sql: tags.take(id, VIEW_SQL),
        columns,
        comment: tags.take(id, COMMENT),
    })
}

async fn tables(source: &mut Source<'_>, at: SnapshotId, tags: &mut Tags) -> Result<BTreeMap<TableId, Arc<TableDef>>> {
    let mut columns = table_columns(source, at).await?;
    let (mut constraints, mut indexes) = constraints(source, at).await?;
    let high = highest_columns(source, at).await?;
    let rows = source
        .query(visible!("table_id, table_uuid, schema_id, table_name, path", "@ducklake_table", ""), params![at])
        .await?;
    let mut tables = BTreeMap::new();
    for row in rows {
        let id = row.int(0)?;
        let table = TableDef {
            id: TableId::new(id),
            uuid: row.uuid(1)?,
            schema_id: SchemaId::new(row.int(2)?),
            name: row.text(3)?,
            path: row.opt_text(4)?.unwrap_or_default(),
            columns: columns.remove(&id).unwrap_or_default(),
            next_column_id: ColumnId::new(high.get(&id).copied().unwrap_or(0) + 1),
            constraints: constraints.remove(&id).unwrap_or_default(),
            indexes: indexes.remove(&id).unwrap_or_default(),
            comment: tags.take(id, COMMENT),
        };
        tables.insert(table.id, Arc::new(table));
    }
    Ok(tables)
}

/// The highest column id that each table ever used. Expiry removes rows of dropped columns while files with their ids
/// stay, so that the files' statistics are asked too.
async fn highest_columns(source: &mut Source<'_>, at: SnapshotId) -> Result<HashMap<i64, i64>> {
    let rows = source
        .query(
            visible!(
                "t.table_id,
                 (SELECT max(c.column_id) FROM @ducklake_column c WHERE c.table_id = t.table_id),
                 (SELECT max(f.column_id) FROM @ducklake_file_column_stats f WHERE f.table_id = t.table_id)",
                "@ducklake_table t",
                ""
            ),
            params![at],
        )
        .await?;
    let mut high = HashMap::new();
    for row in rows {
        high.insert(row.int(0)?, row.opt_int(1)?.unwrap_or(0).max(row.opt_int(2)?.unwrap_or(0)));
    }
    Ok(high)
}

/// Constraints and indexes of each table.
type Kept = (HashMap<i64, Vec<Constraint>>, HashMap<i64, Vec<IndexDef>>);

async fn constraints(source: &mut Source<'_>, at: SnapshotId) -> Result<Kept> {
    let rows = source
        .query(
            visible!("table_id, name, definition", "@duckmesh_constraint", "ORDER BY table_id, position"),
            params![at],
        )
        .await?;
    let (mut constraints, mut indexes): Kept = Default::default();
    for row in rows {
        let (table, name) = (row.int(0)?, row.text(1)?);
        match definition(&row.text(2)?)? {
            Definition::Index(index) => indexes.entry(table).or_default().push(IndexDef { name, ..index }),
            Definition::Constraint { kind, comment, options } => {
                constraints.entry(table).or_default().push(Constraint { name, kind, comment, options });
            }
        }
    }
    Ok((constraints, indexes))
}

async fn table_columns(source: &mut Source<'_>, at: SnapshotId) -> Result<HashMap<i64, Vec<ColumnDef>>> {
    let rows = source.query(COLUMN_TAGS, params![at]).await?;
    let mut tags: HashMap<i64, HashMap<(i64, String), String>> = HashMap::new();
    for row in rows {
        if let Some(value) = row.opt_text(3)? {
            tags.entry(row.int(0)?).or_default().insert((row.int(1)?, row.text(2)?), value);
        }
    }
    let rows = source
        .query(
            visible!(
                "table_id, column_id, column_name, column_type, nulls_allowed, parent_column,
                 initial_default, default_value, default_value_type",
                "@ducklake_column",
                "ORDER BY table_id, column_order, column_id"
            ),
            params![at],
        )
        .await?;
    let mut by_table: BTreeMap<i64, Vec<ColumnRow>> = BTreeMap::new();
    for row in rows {
        let column = ColumnRow {
            id: row.int(1)?,
            name: row.text(2)?,
            ty: row.text(3)?,
            nullable: row.opt_bool(4)?.unwrap_or(true),
            parent: row.opt_int(5)?,
            initial_default: row.opt_text(6)?,
            default_value: row.opt_text(7)?,
            default_type: row.opt_text(8)?,
        };
        by_table.entry(row.int(0)?).or_default().push(column);
    }
    by_table
        .into_iter()
        .map(|(table, rows)| {
            let tags = tags.remove(&table).unwrap_or_default();
            Ok((table, columns::read(&rows, &tags)?))
        })
        .collect()
}

/// What a row of `duckmesh_constraint` defines.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Definition {
    /// An index.
    Index(IndexDef),
    /// A constraint with a comment, or without one: as constraints were written before they had any.
    Constraint {
        #[serde(flatten)]
        kind: ConstraintKind,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        comment: Option<String>,
        #[serde(default, skip_serializing_if = "ConstraintOptions::is_plain")]
        options: ConstraintOptions,
    },
}

fn definition(json: &str) -> Result<Definition> {
    serde_json::from_str(json).map_err(|e| Error::caused(ErrorKind::Corrupt, "a constraint cannot be read", e))
}

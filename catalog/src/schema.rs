//! What a lake's schemas, tables, columns and views are at one snapshot.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    ids::{ColumnId, Offset, SchemaId, SequenceId, SnapshotId, TableId, TypeId, ViewId},
    sequences::SequenceDef,
    types::ColumnType,
    user_types::TypeDef,
};

/// The schema every lake has; DuckLake calls it `main`, SQL calls it `public`. The gateway translates at its edge:
/// in this crate and in the lake the name is always `main`.
pub const DEFAULT_SCHEMA: &str = "main";

/// Everything named in a lake at one snapshot. Cheap to clone: parts are shared.
#[derive(Clone, Debug)]
pub struct LakeSchema {
    /// The snapshot this was read at.
    pub snapshot: SnapshotId,
    /// DuckLake's `schema_version` of that snapshot.
    pub schema_version: i64,
    /// DuckLake's `next_catalog_id`: the id the next new schema, table or view gets.
    pub next_catalog_id: i64,
    /// Offset of the last DDL frame that this schema contains (0: none). An append made for this schema names it.
    pub ddl_offset: Offset,
    /// Schemas by name.
    pub schemas: BTreeMap<String, Arc<SchemaDef>>,
    /// Tables by id.
    pub tables: BTreeMap<TableId, Arc<TableDef>>,
    /// Views by id.
    pub views: BTreeMap<ViewId, Arc<ViewDef>>,
    /// Sequences by id.
    pub sequences: BTreeMap<SequenceId, Arc<SequenceDef>>,
    /// Types that users made, by id.
    pub types: BTreeMap<TypeId, Arc<TypeDef>>,
}

/// A schema (namespace).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaDef {
    /// Its id in the lake.
    pub id: SchemaId,
    /// Its identity for frames.
    pub uuid: Uuid,
    /// Its name, exact case.
    pub name: String,
    /// Folder below the lake's data path, with a slash at the end.
    pub path: String,
    /// `COMMENT ON SCHEMA`.
    pub comment: Option<String>,
}

/// A table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableDef {
    /// Its id in the lake.
    pub id: TableId,
    /// Its identity for frames: known before the lake gave an id.
    pub uuid: Uuid,
    /// The schema it is in.
    pub schema_id: SchemaId,
    /// Its name, exact case.
    pub name: String,
    /// Folder below the schema's folder, with a slash at the end.
    pub path: String,
    /// Top-level columns in order.
    pub columns: Vec<ColumnDef>,
    /// The id the next new column gets: above every id this table ever used.
    pub next_column_id: ColumnId,
    /// CHECK (enforced), keys (information).
    pub constraints: Vec<Constraint>,
    /// Information: indexes that are no key's.
    pub indexes: Vec<IndexDef>,
    /// `COMMENT ON TABLE`.
    pub comment: Option<String>,
}

/// A top-level column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnDef {
    /// Parquet field id; unique in the table for ever.
    pub id: ColumnId,
    /// Field id of a list's element (arrays only); `id + 1` for columns made by us.
    pub element_id: Option<ColumnId>,
    /// Its name, exact case.
    pub name: String,
    /// Its type.
    pub ty: ColumnType,
    /// Whether NULL is allowed.
    pub nullable: bool,
    /// What an INSERT that does not name the column stores; none is NULL.
    pub default: Option<DefaultValue>,
    /// What rows of files without this column show: a value in the lake's text form; none is NULL.
    pub initial_default: Option<String>,
    /// `COMMENT ON COLUMN`.
    pub comment: Option<String>,
    /// The domain it was declared with; `ty` is the type below it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<Uuid>,
}

/// A column's default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DefaultValue {
    /// A constant, in the lake's text form (ISO dates, plain numbers, `true`/`false`, blobs as hex).
    Literal(String),
    /// A Postgres expression, evaluated for each row: `now()`, `gen_random_uuid()`.
    Expression(String),
    /// `GENERATED ALWAYS AS (…) STORED`: a Postgres expression over the row's other columns; nobody gives another value.
    Generated(String),
}

/// A constraint of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Constraint {
    /// Unique in its table.
    pub name: String,
    /// What it says.
    pub kind: ConstraintKind,
    /// `COMMENT ON CONSTRAINT`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// What it says beyond its kind.
    #[serde(default, skip_serializing_if = "ConstraintOptions::is_plain")]
    pub options: ConstraintOptions,
}

impl Constraint {
    /// One without a comment.
    #[must_use]
    pub fn new(name: impl Into<String>, kind: ConstraintKind) -> Self {
        Self { name: name.into(), kind, comment: None, options: ConstraintOptions::default() }
    }
}

/// What constraints say for those who look, without effect here. Those of a foreign key's rules are in its kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConstraintOptions {
    /// `DEFERRABLE`, of a key.
    #[serde(default)]
    pub deferrable: bool,
    /// `INITIALLY DEFERRED`, of a key.
    #[serde(default)]
    pub deferred: bool,
    /// `UNIQUE NULLS NOT DISTINCT`.
    #[serde(default)]
    pub nulls_not_distinct: bool,
    /// `INCLUDE`, of a key.
    #[serde(default)]
    pub include: Vec<ColumnId>,
    /// `NO INHERIT`, of a CHECK.
    #[serde(default)]
    pub no_inherit: bool,
    /// `NOT VALID`: rows that were there before were not looked at.
    #[serde(default)]
    pub not_valid: bool,
}

impl ConstraintOptions {
    /// Whether it says nothing.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }
}

/// What a constraint says. Only CHECK (and NOT NULL, which is on the column) is enforced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConstraintKind {
    /// A Postgres expression that must not be false, over the columns it names.
    Check {
        /// The expression, as Postgres SQL.
        expression: String,
    },
    /// Information: PRIMARY KEY.
    PrimaryKey {
        /// The key's columns.
        columns: Vec<ColumnId>,
    },
    /// Information: UNIQUE.
    Unique {
        /// The key's columns.
        columns: Vec<ColumnId>,
    },
    /// Information: FOREIGN KEY.
    ForeignKey {
        /// The referring columns.
        columns: Vec<ColumnId>,
        /// Schema and name of the table referred to.
        target: (String, String),
        /// Names of the columns referred to; empty: its primary key.
        target_columns: Vec<String>,
        /// What it says beyond that.
        #[serde(default, skip_serializing_if = "ForeignKeyRules::is_plain")]
        rules: ForeignKeyRules,
    },
}

/// What a foreign key says of changes, without effect as the key is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForeignKeyRules {
    /// `ON UPDATE`.
    #[serde(default)]
    pub on_update: ForeignKeyAction,
    /// `ON DELETE`.
    #[serde(default)]
    pub on_delete: ForeignKeyAction,
    /// `MATCH FULL`.
    #[serde(default)]
    pub full: bool,
    /// `DEFERRABLE`.
    #[serde(default)]
    pub deferrable: bool,
    /// `INITIALLY DEFERRED`.
    #[serde(default)]
    pub deferred: bool,
}

impl ForeignKeyRules {
    /// Whether it says nothing.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }
}

/// What a foreign key does to referring rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ForeignKeyAction {
    /// `NO ACTION`.
    #[default]
    NoAction,
    /// `RESTRICT`.
    Restrict,
    /// `CASCADE`.
    Cascade,
    /// `SET NULL`.
    SetNull,
    /// `SET DEFAULT`.
    SetDefault,
}

impl ForeignKeyAction {
    /// As SQL has it.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::NoAction => "NO ACTION",
            Self::Restrict => "RESTRICT",
            Self::Cascade => "CASCADE",
            Self::SetNull => "SET NULL",
            Self::SetDefault => "SET DEFAULT",
        }
    }

    /// As `pg_constraint` has it.
    #[must_use]
    pub fn letter(self) -> char {
        match self {
            Self::NoAction => 'a',
            Self::Restrict => 'r',
            Self::Cascade => 'c',
            Self::SetNull => 'n',
            Self::SetDefault => 'd',
        }
    }
}

/// An index: kept for those who look for it, without any effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexDef {
    /// Its identity.
    pub uuid: Uuid,
    /// Unique among the relations of its schema.
    pub name: String,
    /// `UNIQUE`.
    pub unique: bool,
    /// `USING`: btree, hash, …
    pub method: String,
    /// What it orders by.
    pub keys: Vec<IndexKey>,
    /// `INCLUDE`.
    pub include: Vec<ColumnId>,
    /// `WHERE`, as Postgres SQL.
    pub predicate: Option<String>,
    /// `NULLS NOT DISTINCT`.
    pub nulls_not_distinct: bool,
    /// `COMMENT ON INDEX`.
    pub comment: Option<String>,
}

/// One of the things an index orders by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexKey {
    /// What it is.
    pub of: IndexedBy,
    /// The operator class, where one was named.
    pub class: Option<String>,
    /// `DESC`.
    pub descending: bool,
    /// `NULLS FIRST`.
    pub nulls_first: bool,
}

/// A column or an expression.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum IndexedBy {
    /// A column.
    Column(ColumnId),
    /// The name of its column in the index, and the expression, as Postgres SQL.
    Expression(String, String),
}

impl IndexDef {
    /// Whether it is over a column itself; its expressions and its predicate are text here.
    #[must_use]
    pub fn has_column(&self, column: ColumnId) -> bool {
        self.include.contains(&column) || self.keys.iter().any(|key| key.of == IndexedBy::Column(column))
    }
}

/// A view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewDef {
    /// Its id in the lake.
    pub id: ViewId,
    /// Its identity for frames.
    pub uuid: Uuid,
    /// The schema it is in.
    pub schema_id: SchemaId,
    /// Its name, exact case.
    pub name: String,
    /// DuckDB SQL as DuckLake stores it, `{DUCKLAKE_CATALOG}` for the catalog's name: what other programs run.
    pub duckdb_sql: String,
    /// Postgres SQL with every name qualified: what DuckMesh runs. None for a view that others made.
    pub postgres_sql: Option<String>,
    /// Names and types of its columns when it was made. Empty for a view that others made.
    pub columns: Vec<(String, ColumnType)>,
    /// `COMMENT ON VIEW`.
    pub comment: Option<String>,
}

impl LakeSchema {
    /// The schema of that name.
    #[must_use]
    pub fn schema(&self, name: &str) -> Option<&Arc<SchemaDef>> {
        self.schemas.get(name)
    }

    /// The name of a schema.
    #[must_use]
    pub fn schema_name(&self, id: SchemaId) -> Option<&str> {
        self.schemas.values().find(|s| s.id == id).map(|s| s.name.as_str())
    }

    /// The table of that name in that schema.
    #[must_use]
    pub fn table(&self, schema: &str, name: &str) -> Option<&Arc<TableDef>> {
        let schema = self.schemas.get(schema)?.id;
        self.tables.values().find(|t| t.schema_id == schema && t.name == name)
    }

    /// The table with that identity.
    #[must_use]
    pub fn table_by_uuid(&self, uuid: Uuid) -> Option<&Arc<TableDef>> {
        self.tables.values().find(|t| t.uuid == uuid)
    }

    /// The view of that name in that schema.
    #[must_use]
    pub fn view(&self, schema: &str, name: &str) -> Option<&Arc<ViewDef>> {
        let schema = self.schemas.get(schema)?.id;
        self.views.values().find(|v| v.schema_id == schema && v.name == name)
    }

    /// The sequence of that name in that schema.
    #[must_use]
    pub fn sequence(&self, schema: &str, name: &str) -> Option<&Arc<SequenceDef>> {
        let schema = self.schemas.get(schema)?.id;
        self.sequences.values().find(|s| s.schema_id == schema && s.name == name)
    }

    /// The index of that name in that schema, with its table.
    #[must_use]
    pub fn index(&self, schema: SchemaId, name: &str) -> Option<(&Arc<TableDef>, &IndexDef)> {
        let tables = self.tables.values().filter(|t| t.schema_id == schema);
        tables.flat_map(|t| t.indexes.iter().map(move |index| (t, index))).find(|(_, index)| index.name == name)
    }

    /// The sequence with that identity.
    #[must_use]
    pub fn sequence_by_uuid(&self, uuid: Uuid) -> Option<&Arc<SequenceDef>> {
        self.sequences.values().find(|s| s.uuid == uuid)
    }

    /// The sequence that makes a column's numbers, where the column is an identity column.
    #[must_use]
    pub fn identity(&self, table: Uuid, column: ColumnId) -> Option<&Arc<SequenceDef>> {
        self.sequences.values().find(|s| s.spec.identity.is_some() && s.spec.owner == Some((table, column)))
    }
}

impl ColumnDef {
    /// The expression that computes it, where it is a generated column.
    #[must_use]
    pub fn generated(&self) -> Option<&str> {
        match &self.default {
            Some(DefaultValue::Generated(expression)) => Some(expression),
            _ => None,
        }
    }
}

impl TableDef {
    /// The column of that name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&ColumnDef> {
        self.columns.iter().find(|c| c.name == name)
    }

    /// A column that rows which lack it show as NULL.
    #[must_use]
    pub fn column_of_nulls(&self) -> Option<&ColumnDef> {
        self.columns.iter().find(|column| column.initial_default.is_none())
    }

    /// The column with that id.
    #[must_use]
    pub fn column_by_id(&self, id: ColumnId) -> Option<&ColumnDef> {
        self.columns.iter().find(|c| c.id == id)
    }
}

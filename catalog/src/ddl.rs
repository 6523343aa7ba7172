//! Changes of a lake's schema as values: what a DDL frame carries, and what it does to a [`LakeSchema`].
//!
//! Objects are named by uuid, so that a frame can speak of a table that it makes itself. Applying is pure and
//! deterministic: the gateway uses it to show a transaction its own changes, publication to make them.

#![allow(missing_docs)] // fields are what the statement names

mod apply;
pub mod types;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    ids::ColumnId,
    schema::{ColumnDef, Constraint, DefaultValue, IndexDef},
    sequences::SequenceSpec,
    types::ColumnType,
    user_types::TypeSpec,
};

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DdlOp {
    /// `CREATE SCHEMA`.
    CreateSchema { uuid: Uuid, name: String },
    /// `DROP SCHEMA`; what is in it must have been dropped by operations before this one.
    DropSchema { uuid: Uuid },
    /// `CREATE TABLE`. Column ids count from 1 in order; an array takes two.
    CreateTable { uuid: Uuid, schema: Uuid, name: String, columns: Vec<ColumnDef>, constraints: Vec<Constraint> },
    /// `DROP TABLE`.
    DropTable { uuid: Uuid },
    /// `ALTER TABLE … RENAME TO`.
    RenameTable { uuid: Uuid, name: String },
    /// `ALTER TABLE … ADD COLUMN`; the ids must be the table's next ones.
    AddColumn { table: Uuid, column: ColumnDef },
    /// `ALTER TABLE … DROP COLUMN`; constraints that name it go too.
    DropColumn { table: Uuid, column: ColumnId },
    /// `ALTER TABLE … RENAME COLUMN`. CHECK expressions that name it are given rewritten in `checks`.
    RenameColumn { table: Uuid, column: ColumnId, name: String, checks: Vec<Constraint> },
    /// `ALTER COLUMN … SET DEFAULT` or `DROP DEFAULT`.
    SetDefault { table: Uuid, column: ColumnId, default: Option<DefaultValue> },
    /// `ALTER COLUMN … SET NOT NULL` or `DROP NOT NULL`.
    SetNullable { table: Uuid, column: ColumnId, nullable: bool },
    /// `ALTER TABLE … ADD CONSTRAINT`.
    AddConstraint { table: Uuid, constraint: Constraint },
    /// `ALTER TABLE … DROP CONSTRAINT`.
    DropConstraint { table: Uuid, name: String },
    /// `CREATE VIEW`, or its replacement when the uuid exists.
    CreateView {
        uuid: Uuid,
        schema: Uuid,
        name: String,
        duckdb_sql: String,
        postgres_sql: String,
        columns: Vec<(String, ColumnType)>,
    },
    /// `DROP VIEW`.
    DropView { uuid: Uuid },
    /// `ALTER VIEW … RENAME TO`.
    RenameView { uuid: Uuid, name: String },
    /// `ALTER COLUMN … TYPE`, where files with the old type can be read as the new one.
    SetType { table: Uuid, column: ColumnId, ty: ColumnType },
    /// `TRUNCATE`: all rows of the table that came before it are gone. The schema stays as it is.
    Truncate { table: Uuid },
    /// `CREATE SEQUENCE`, and what `serial` and identity columns make.
    CreateSequence { uuid: Uuid, schema: Uuid, name: String, spec: SequenceSpec },
    /// `ALTER SEQUENCE`: all of it anew.
    AlterSequence { uuid: Uuid, name: String, spec: SequenceSpec },
    /// `DROP SEQUENCE`. Sequences that a column owns go with their column and table by themselves.
    DropSequence { uuid: Uuid },
    /// `CREATE INDEX`.
    CreateIndex { table: Uuid, index: IndexDef },
    /// `ALTER INDEX`: all of it anew.
    AlterIndex { table: Uuid, index: IndexDef },
    /// `DROP INDEX`.
    DropIndex { table: Uuid, index: Uuid },
    /// `CREATE TYPE`, `CREATE DOMAIN`. Labels without a number get one.
    CreateType { uuid: Uuid, schema: Uuid, name: String, spec: TypeSpec },
    /// `ALTER TYPE`, `ALTER DOMAIN`: all of it anew.
    AlterType { uuid: Uuid, schema: Uuid, name: String, spec: TypeSpec },
    /// `DROP TYPE`, `DROP DOMAIN`; what uses it must have been dropped by operations before this one.
    DropType { uuid: Uuid },
    /// `COMMENT ON`; none removes it.
    Comment { on: CommentTarget, comment: Option<String> },
    /// `ALTER COLUMN … TYPE` where files with the old type cannot be read as the new one: in one write with TRUNCATE and
    /// all rows anew. The column and its default as they are then; an array that was none takes the table's next id.
    Retype { table: Uuid, column: ColumnDef },
}

/// What a comment is on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CommentTarget {
    /// A schema.
    Schema(Uuid),
    /// A table.
    Table(Uuid),
    /// A column of a table.
    Column(Uuid, ColumnId),
    /// A view.
    View(Uuid),
    /// A constraint of a table.
    Constraint(Uuid, String),
    /// A type that a user made.
    Type(Uuid),
}

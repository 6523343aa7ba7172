//! The book: what exists in a lake, and what readers may see of it.
//!
//! This crate knows ids, types, tokens, the DuckLake tables, leases and pins, with Postgres and SQLite as stores.
//! It must never know about object storage, Parquet, the wire protocol, DuckDB or a SQL parser.

pub mod clock;
pub mod ddl;
pub mod error;
pub mod ids;
pub mod schema;
pub mod token;
pub mod types;

pub use error::{Error, ErrorKind};
pub use ids::{
    ColumnId, Epoch, FileId, LakeId, LakeName, Offset, SchemaId, SnapshotId, TableId, ViewId,
};
pub use schema::{
    ColumnDef, Constraint, ConstraintKind, DefaultValue, LakeSchema, SchemaDef, TableDef, ViewDef,
};
pub use token::Token;
pub use types::ColumnType;
pub mod files;
pub mod publish;

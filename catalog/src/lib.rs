//! The book: what exists in a lake, and what readers may see of it.
//!
//! This crate knows ids, types, tokens, the DuckLake tables, leases and pins, with Postgres and SQLite as stores.
//! It must never know about object storage, Parquet, the wire protocol, DuckDB or a SQL parser.

pub mod advisory;
pub mod catalog;
pub mod clock;
mod columns;
pub mod ddl;
pub mod dead_letters;
pub mod error;
pub mod failpoint;
mod file_names;
pub mod files;
pub mod fleet;
pub mod ids;
pub mod incarnations;
pub mod lakes;
pub mod leases;
pub mod merging;
pub mod migrate;
pub mod pins;
pub mod postgres;
pub mod publish;
pub mod rejected_rows;
pub mod schema;
pub mod sequences;
pub mod snapshots;
pub mod store;
mod table_files;
pub mod tables;
#[cfg(feature = "testing")]
pub mod testing;
pub mod text_types;
pub mod token;
pub mod totals;
pub mod types;
pub mod user_types;

pub use catalog::{Catalog, Location, OpenOptions};
pub use dead_letters::{DeadLetter, Gap};
pub use error::{Error, ErrorKind};
pub use files::{DataFile, DeleteFile, FileRange, InlinedRows, MergeInput, NewFile, TableFiles};
pub use fleet::{Duty, Fleet, Node, NodeSpec, Roles};
pub use ids::{
    ColumnId, Epoch, FileId, LakeId, LakeName, Offset, SchemaId, SequenceId, SnapshotId, TableId, TypeId, ViewId,
};
pub use incarnations::Incarnations;
pub use lakes::{LakeInfo, folder_name};
pub use leases::{Lease, LeaseState};
pub use merging::ScheduledFile;
pub use publish::{Merge, MissingFrom, Publication, Published, Rejection};
pub use rejected_rows::{KeptRow, RejectedRow};
pub use schema::{
    ColumnDef, Constraint, ConstraintKind, ConstraintOptions, DefaultValue, IndexDef, IndexKey, IndexedBy, LakeSchema,
    SchemaDef, TableDef, ViewDef,
};
pub use sequences::{Identity, SequenceDef, SequenceSpec};
pub use snapshots::{SnapshotInfo, SnapshotRow};
pub use token::Token;
pub use totals::Totals;
pub use types::ColumnType;
pub use user_types::{DomainCheck, DomainSpec, EnumRef, EnumType, Label, TypeDef, TypeSpec};

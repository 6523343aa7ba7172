//! The cellar: Parquet files of a lake, how they are written, named, found again and left out of a read.
//!
//! This crate knows objects, Parquet and statistics. It never decides what readers may see, and it knows no SQL text,
//! no wire protocol and no DuckDB.

mod claims;
pub mod encode;
pub mod error;
mod export;
mod file;
mod footer;
pub mod interval;
mod layout;
pub mod merge;
pub mod names;
mod parse;
pub mod prune;
pub mod rows;
pub mod stage;
mod stats;
pub mod store;
pub mod text;

pub use claims::Claim;
pub use encode::{EncodedFile, encode, write_scratch};
pub use error::{Error, ErrorKind, Result};
pub use export::Export;
pub use layout::{ROW_SNAPSHOT_FIELD, ROW_SNAPSHOT_NAME};
pub use merge::{MergeError, Merged};
pub use names::NameSeed;
pub use prune::{ColumnPredicate, Comparison, Ranges, Test, prune};
pub use rows::write_rows;
pub use stage::StagedWriter;
pub use store::{LakeFiles, StoredFile};

//! The cellar: Parquet files of a lake, how they are written, named, found again and left out of a read.
//!
//! This crate knows objects, Parquet and statistics. It never decides what readers may see, and it knows no SQL text,
//! no wire protocol and no DuckDB.

mod cache;
mod claims;
pub mod encode;
pub mod error;
mod export;
mod file;
mod footer;
pub mod interval;
mod lake;
mod layout;
pub mod location;
pub mod merge;
pub mod names;
mod parse;
pub mod probe;
pub mod prune;
mod remote;
pub mod rows;
pub mod stage;
mod stats;
pub mod store;
mod stores;
pub mod text;

pub use cache::{Cache, Held};
pub use claims::Claim;
pub use encode::{EncodedFile, encode, write_scratch};
pub use error::{Error, ErrorKind, Result};
pub use export::Export;
pub use layout::{ROW_SNAPSHOT_FIELD, ROW_SNAPSHOT_NAME};
pub use location::{BucketPrefix, Location};
pub use merge::{MergeError, Merged};
pub use names::NameSeed;
pub use probe::Probed;
pub use prune::{ColumnPredicate, Comparison, Ranges, Test, prune};
pub use remote::{ATTEMPT_TIMEOUT, CONNECT_TIMEOUT, Environment, RETRY_BUDGET, SLOWEST_BYTES_PER_SECOND};
pub use rows::write_rows;
pub use stage::StagedWriter;
pub use store::{LakeFiles, StoredFile};
pub use stores::Stores;

//! COPY's formats: streaming parsers for FROM STDIN, writers for TO STDOUT.
//!
//! Exact to PostgreSQL 15, with memory bounded whatever the client sends. A format is one parser and one writer:
//! binary and parquet get their own files beside text and csv.

mod options;

mod parser;

mod fields;
mod lines;
mod sink;

mod writer;

pub use options::{CopyFormat, CopyOptions, CopyTarget, Direction, ForceColumns, Header, RawCopyOptions};
pub use parser::{CopyParser, LINE_BYTES_MAX};
pub use sink::{BatchLimits, RowSink, SinkColumn};
pub use writer::CopyWriter;

#[cfg(test)]
mod tests;

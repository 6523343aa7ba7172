//! COPY's formats: streaming parsers for FROM STDIN, writers for TO STDOUT.
//!
//! Exact to PostgreSQL 15, with memory bounded whatever the client sends. Text and csv share a parser of lines; binary has
//! its own.

mod options;

mod parser;

mod binary;

mod fields;
mod lines;
mod rejected;
mod sink;

mod writer;

pub use options::{
    CopyFormat, CopyOptions, CopyTarget, Direction, ForceColumns, Header, LogVerbosity, OnError, Places, RawCopyOptions,
};
pub use parser::LINE_BYTES_MAX;
pub use rejected::{Rejected, RejectedRow};
pub use sink::{BatchLimits, RowSink, SinkColumn};
pub use writer::CopyWriter;

use crate::wire::error::PgResult;

/// The parser of one COPY FROM STDIN.
pub enum CopyParser {
    /// Text and csv.
    Lines(Box<parser::LineParser>),
    /// Binary.
    Binary(binary::BinaryParser),
}

impl CopyParser {
    /// A parser at the beginning of the data.
    #[must_use]
    pub fn new(options: CopyOptions) -> Self {
        match options.format {
            CopyFormat::Binary => Self::Binary(binary::BinaryParser::default()),
            // Parquet is no stream: its files are spooled, and never come here.
            CopyFormat::Text | CopyFormat::Csv | CopyFormat::Parquet => {
                Self::Lines(Box::new(parser::LineParser::new(options)))
            }
        }
    }

    /// Takes the body of one CopyData message, cut anywhere. After an error the COPY has failed.
    ///
    /// # Errors
    /// What PostgreSQL says of the data, with its context.
    pub fn feed(&mut self, data: &[u8], sink: &mut RowSink) -> PgResult<()> {
        match self {
            Self::Lines(parser) => parser.feed(data, sink),
            Self::Binary(parser) => parser.feed(data, sink),
        }
    }

    /// CopyDone: there is no more.
    ///
    /// # Errors
    /// As [`Self::feed`].
    pub fn finish(&mut self, sink: &mut RowSink) -> PgResult<()> {
        match self {
            Self::Lines(parser) => parser.finish(sink),
            Self::Binary(parser) => parser.finish(sink),
        }
    }
}

#[cfg(test)]
mod tests;

//! Parses what COPY FROM STDIN sends, cut anywhere.

use super::options::CopyOptions;
use super::sink::RowSink;
use crate::wire::error::PgResult;

/// The parser of one COPY.
pub struct CopyParser {
    options: CopyOptions,
}

impl CopyParser {
    #[must_use]
    pub fn new(options: CopyOptions) -> Self {
        Self { options }
    }

    /// Takes the body of one CopyData message.
    pub fn feed(&mut self, data: &[u8], sink: &mut RowSink) -> PgResult<()> {
        let _ = (data, sink, &self.options);
        Ok(())
    }

    /// CopyDone: the last line may lack its end.
    pub fn finish(&mut self, sink: &mut RowSink) -> PgResult<()> {
        let _ = sink;
        Ok(())
    }
}

//! COPY's options: what was written, and what it means after Postgres' checks.

use crate::wire::error::{PgError, PgResult};

/// Which way the rows go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    From,
    To,
}

/// `FORMAT`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum CopyFormat {
    #[default]
    Text,
    Csv,
}

/// `HEADER`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Header {
    #[default]
    False,
    True,
    /// FROM: the first line must hold the columns' names.
    Match,
}

/// A list of columns, or `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ForceColumns {
    All,
    Named(Vec<String>),
}

/// The options as the statement has them: none where it does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawCopyOptions {
    /// `text`, `csv`, `binary`, …
    pub format: Option<String>,
    pub delimiter: Option<String>,
    pub null: Option<String>,
    /// `true`, `false`, `on`, `off`, `1`, `0`, `match`, or empty for `HEADER` alone.
    pub header: Option<String>,
    pub quote: Option<String>,
    pub escape: Option<String>,
    pub force_quote: Option<ForceColumns>,
    pub force_not_null: Option<ForceColumns>,
    pub force_null: Option<ForceColumns>,
    pub encoding: Option<String>,
    pub freeze: Option<bool>,
}

/// Checked options of one COPY.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyOptions {
    pub format: CopyFormat,
    pub delimiter: u8,
    pub null: Vec<u8>,
    pub header: Header,
    pub quote: u8,
    pub escape: u8,
    /// One per column of the COPY.
    pub force_quote: Vec<bool>,
    pub force_not_null: Vec<bool>,
    pub force_null: Vec<bool>,
}

impl CopyOptions {
    /// Checks as Postgres does; `columns` are the names of the columns that are copied.
    pub fn new(raw: &RawCopyOptions, direction: Direction, columns: &[String]) -> PgResult<Self> {
        let _ = (raw, direction, columns);
        Err(PgError::unsupported("not yet"))
    }
}

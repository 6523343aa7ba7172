//! Casts of texts that are no constants: the engine reads other forms than Postgres, and some of them otherwise.

use duckmesh_catalog::ColumnType;

use super::Rewriter;
use crate::{
    sql::{plan::SessionValue, quote},
    wire::error::PgResult,
};

/// The forms that most texts have, which the engine reads as Postgres does, and faster.
const DAY: &str = "[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}";
const TIME: &str = "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,6})?";
const OFFSET: &str = "(Z|[+-][0-9]{2}(:[0-9]{2})?)?";
/// What the engine takes within a whole number, and Postgres does not.
const NOT_WHOLE: &str = ".eE_";

impl Rewriter<'_> {
    /// Text as a date, a time or an interval.
    pub(super) fn moment_of_text(&mut self, text: &str, ty: &ColumnType) -> PgResult<String> {
        use ColumnType as T;
        let (name, plain) = match ty {
            T::Date => ("date", DAY.to_owned()),
            T::Time => ("time", TIME.to_owned()),
            T::Timestamp => ("timestamp", format!("{DAY}( {TIME})?")),
            T::Timestamptz => ("timestamptz", format!("{DAY} {TIME}{OFFSET}")),
            _ => ("interval", String::new()),
        };
        let styles = quote::literal(&self.ctx.values.styles())?;
        let now = self.session_value(SessionValue::TransactionTime);
        let engine = ty.duckdb();
        let read = format!("CAST(pg_moment('{name}', {text}, {styles}, CAST(epoch_us({now}) AS VARCHAR)) AS {engine})");
        if plain.is_empty() {
            return Ok(read);
        }
        let plain = quote::literal(&plain)?;
        Ok(format!("(CASE WHEN regexp_full_match({text}, {plain}) THEN CAST({text} AS {engine}) ELSE {read} END)"))
    }
}

/// Text as a whole number.
pub(super) fn whole_of_text(text: &str, ty: &ColumnType) -> String {
    let engine = ty.duckdb();
    format!(
        "(CASE WHEN translate({text}, '{NOT_WHOLE}', '') = {text} THEN CAST({text} AS {engine}) WHEN {text} IS NOT NULL \
         THEN CAST(error('SQLSTATE 22P02: invalid input syntax for type {ty}: \"' || {text} || '\"') AS {engine}) END)"
    )
}

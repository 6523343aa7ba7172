//! Texts of values as the session's settings have them: `DateStyle`, `IntervalStyle`, `bytea_output`, `extra_float_digits`.
//!
//! With Postgres' defaults nothing is added: the engine's texts are those already.

use duckmesh_catalog::ColumnType;

use super::Rewriter;
use crate::{
    sql::quote,
    value::{ByteaOutput, DateStyle, IntervalStyle},
    wire::error::PgResult,
};

impl Rewriter<'_> {
    /// A value's text with the defaults as the session's settings want it.
    pub(super) fn styled(&self, text: String, ty: Option<&ColumnType>) -> PgResult<String> {
        use ColumnType as T;
        let is_base = !matches!(ty, Some(T::Array(_) | T::Grid(_) | T::Record(_)));
        match ty {
            Some(ty) if is_base && self.is_styled(ty) && !self.in_row && self.has_functions() => {
                let styles = quote::literal(&self.ctx.values.styles())?;
                Ok(format!("pg_styled({text}, '{}', {styles})", ty.oid()))
            }
            _ => Ok(text),
        }
    }

    /// Whether the text of a type's values is another with the session's settings than with the defaults.
    pub(super) fn is_styled(&self, ty: &ColumnType) -> bool {
        use ColumnType as T;
        let ctx = &self.ctx.values;
        match ty.bare() {
            T::Date | T::Timestamp | T::Timestamptz => ctx.date_style != DateStyle::Iso,
            T::Interval => ctx.interval_style != IntervalStyle::Postgres,
            T::Bytea => ctx.bytea_output != ByteaOutput::Hex,
            T::Float4 | T::Float8 => ctx.extra_float_digits <= 0,
            T::Array(element) | T::Grid(element) => self.is_styled(element),
            T::Record(row) => row.fields.iter().any(|(_, ty)| self.is_styled(ty)),
            _ => false,
        }
    }

    /// Makes texts that a row is held as.
    pub(super) fn in_row<T>(&mut self, make: impl FnOnce(&mut Self) -> PgResult<T>) -> PgResult<T> {
        let outside = std::mem::replace(&mut self.in_row, true);
        let made = make(self);
        self.in_row = outside;
        made
    }
}

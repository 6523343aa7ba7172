//! Builds one Arrow column from values as clients send them.

use arrow::array::ArrayRef;
use duckmesh_catalog::types::ColumnType;

use super::context::ValueContext;
use crate::wire::error::{PgError, PgResult};

/// An Arrow column that grows by values in Postgres' text or binary form.
pub struct ColumnBuilder {
    explicit_cast: bool,
}

impl ColumnBuilder {
    /// An empty column; `ColumnType::Other` is refused (0A000).
    pub fn new(ty: &ColumnType, capacity: usize) -> PgResult<Self> {
        let _ = (ty, capacity);
        Err(PgError::unsupported("not yet"))
    }

    /// Values too long for varchar(n) and char(n) are cut, as in `CAST(x AS varchar(3))`, not refused.
    #[must_use]
    pub fn explicit_cast(mut self) -> Self {
        self.explicit_cast = true;
        self
    }

    /// Appends NULL.
    pub fn append_null(&mut self) {}

    /// Appends a value in Postgres' text form.
    pub fn append_text(&mut self, text: &[u8], ctx: &ValueContext) -> PgResult<()> {
        let _ = (text, ctx);
        Err(PgError::unsupported("not yet"))
    }

    /// Appends a value in Postgres' binary form, as `…recv` reads it.
    pub fn append_binary(&mut self, bytes: &[u8], ctx: &ValueContext) -> PgResult<()> {
        let _ = (bytes, ctx);
        Err(PgError::unsupported("not yet"))
    }

    /// Appends a value in the lake's text form (`DefaultValue::Literal`).
    pub fn append_lake_text(&mut self, text: &str) -> PgResult<()> {
        let _ = text;
        Err(PgError::unsupported("not yet"))
    }

    /// How many values it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        0
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// About how many bytes it holds.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        0
    }

    /// The column, typed `ColumnType::arrow()`; the builder is empty afterwards.
    pub fn finish(&mut self) -> ArrayRef {
        arrow::array::new_empty_array(&arrow::datatypes::DataType::Null)
    }
}

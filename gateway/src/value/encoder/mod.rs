//! Writes values of an Arrow column in Postgres' text or binary form.

mod binary;
mod cells;
mod kind;
mod nested;
mod text;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::DataType;
use bytes::BytesMut;
use duckmesh_catalog::types::ColumnType;

use self::cells::Cells;
use self::kind::Kind;
use super::context::ValueContext;
use crate::wire::error::PgResult;

/// A result column's type as RowDescription says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PgType {
    /// Type oid.
    pub oid: u32,
    /// Type modifier, -1 for none.
    pub typmod: i32,
    /// Bytes of a value, -1 for variable.
    pub typlen: i16,
}

/// How one result column is written.
#[derive(Clone, Debug)]
pub struct Encoder {
    kind: Kind,
    ty: PgType,
    ctx: Arc<ValueContext>,
}

impl Encoder {
    /// `arrow` and `duckdb` (`DECIMAL(10,2)`, `STRUCT(a INTEGER)`, may be empty) are what the engine says of the
    /// column; `declared` is the type of the lake's column it comes from unchanged, or what the statement's analysis
    /// found. It is taken where the values can be shown as that type.
    pub fn new(
        arrow: &DataType,
        duckdb: &str,
        declared: Option<&ColumnType>,
        ctx: &Arc<ValueContext>,
    ) -> PgResult<Self> {
        let (kind, ty) = kind::of_column(arrow, duckdb, declared)?;
        Ok(Self { kind, ty, ctx: Arc::clone(ctx) })
    }

    /// The type that clients are told.
    #[must_use]
    pub fn pg_type(&self) -> PgType {
        self.ty
    }

    /// The bytes that text forms of this column are made of, where they are few; else nothing.
    pub(crate) fn alphabet(&self) -> &'static [u8] {
        match self.kind {
            Kind::Int2 | Kind::Int4 | Kind::Int8 | Kind::Numeric(_) => b"0123456789-.",
            Kind::Date => b"0123456789-./ BCinfty",
            _ => b"",
        }
    }

    /// Ready to write the values of `array`, which is of the encoder's Arrow type.
    pub fn bind<'a>(&'a self, array: &'a ArrayRef) -> PgResult<BoundEncoder<'a>> {
        BoundEncoder::new(&self.kind, array.as_ref(), &self.ctx)
    }
}

/// An encoder over one array.
pub struct BoundEncoder<'a> {
    kind: &'a Kind,
    cells: Cells<'a>,
    array: &'a dyn Array,
    ctx: &'a ValueContext,
}

impl<'a> BoundEncoder<'a> {
    fn new(kind: &'a Kind, array: &'a dyn Array, ctx: &'a ValueContext) -> PgResult<Self> {
        super::nul::refuse(array)?;
        let cells = Cells::of(kind, array, ctx)?;
        Ok(Self { kind, cells, array, ctx })
    }

    /// Whether the value is NULL; NULL is not to be encoded.
    #[must_use]
    #[inline]
    pub fn is_null(&self, row: usize) -> bool {
        match &self.cells {
            Cells::Null => true,
            Cells::Dictionary(keys, values) => keys.get(row).copied().flatten().is_none_or(|key| values.is_null(key)),
            _ => self.array.is_null(row),
        }
    }

    /// Appends the text form.
    #[inline]
    pub fn encode_text(&self, row: usize, out: &mut BytesMut) -> PgResult<()> {
        text::encode(self, row, out)
    }

    /// Appends the binary form.
    #[inline]
    pub fn encode_binary(&self, row: usize, out: &mut BytesMut) -> PgResult<()> {
        binary::encode(self, row, out)
    }
}

#[cfg(test)]
mod tests;

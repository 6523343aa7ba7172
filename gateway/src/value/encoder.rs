//! Writes values of an Arrow column in Postgres' text or binary form.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use bytes::BytesMut;
use duckmesh_catalog::types::ColumnType;

use super::context::ValueContext;
use crate::wire::error::{PgError, PgResult};

/// A result column's type as RowDescription says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PgType {
    pub oid: u32,
    pub typmod: i32,
    pub typlen: i16,
}

/// How one result column is written.
#[derive(Clone)]
pub struct Encoder {
    ty: PgType,
}

impl Encoder {
    /// `arrow` and `duckdb` (`DECIMAL(10,2)`, `STRUCT(a INTEGER)`, may be empty) are what the engine says of the
    /// column; `declared` is the type of the lake's column it comes from unchanged, or what the statement's analysis found.
    pub fn new(
        arrow: &DataType,
        duckdb: &str,
        declared: Option<&ColumnType>,
        ctx: &Arc<ValueContext>,
    ) -> PgResult<Self> {
        let _ = (arrow, duckdb, declared, ctx);
        Err(PgError::unsupported("not yet"))
    }

    /// The type that clients are told.
    #[must_use]
    pub fn pg_type(&self) -> PgType {
        self.ty
    }

    /// Ready to write the values of `array`, which is of the encoder's Arrow type.
    pub fn bind<'a>(&'a self, array: &'a ArrayRef) -> PgResult<BoundEncoder<'a>> {
        let _ = array;
        Ok(BoundEncoder { encoder: self })
    }
}

/// An encoder over one array.
pub struct BoundEncoder<'a> {
    encoder: &'a Encoder,
}

impl BoundEncoder<'_> {
    /// Whether the value is NULL; NULL is not to be encoded.
    #[must_use]
    pub fn is_null(&self, row: usize) -> bool {
        let _ = (row, self.encoder);
        true
    }

    /// Appends the text form.
    pub fn encode_text(&self, row: usize, out: &mut BytesMut) -> PgResult<()> {
        let _ = (row, out);
        Ok(())
    }

    /// Appends the binary form.
    pub fn encode_binary(&self, row: usize, out: &mut BytesMut) -> PgResult<()> {
        let _ = (row, out);
        Ok(())
    }
}

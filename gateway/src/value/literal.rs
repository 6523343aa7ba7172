//! Values as SQL literals for the engine and as the lake's own text form.

use arrow::array::Array;
use duckmesh_catalog::types::ColumnType;

use super::context::ValueContext;
use crate::wire::error::{PgError, PgResult};

/// A bind parameter as it came.
#[derive(Clone, Copy, Debug)]
pub enum Param<'a> {
    Null,
    Text(&'a [u8]),
    Binary(&'a [u8]),
}

/// The type of Postgres' oid, with its modifier (-1 for none); none for types DuckMesh has no values of.
/// `unknown` is text; `numeric` without a modifier is `DEFAULT_NUMERIC` here, but [`literal`] keeps all its digits.
#[must_use]
pub fn type_of_oid(oid: u32, typmod: i32) -> Option<ColumnType> {
    let _ = (oid, typmod);
    None
}

/// A bind parameter of Postgres type `oid` as a DuckDB literal: `CAST('2024-01-02' AS DATE)`.
pub fn literal(oid: u32, param: Param<'_>, ctx: &ValueContext) -> PgResult<String> {
    let _ = (oid, param, ctx);
    Err(PgError::unsupported("not yet"))
}

/// The same for a known type, as an assignment to it would change the value.
pub fn literal_as(ty: &ColumnType, param: Param<'_>, ctx: &ValueContext) -> PgResult<String> {
    let _ = (ty, param, ctx);
    Err(PgError::unsupported("not yet"))
}

/// A value of a column as a DuckDB literal.
pub fn sql_literal(ty: &ColumnType, array: &dyn Array, row: usize) -> PgResult<String> {
    let _ = (ty, array, row);
    Err(PgError::unsupported("not yet"))
}

/// A value of a column in the lake's text form (`DefaultValue::Literal`); none for NULL.
pub fn lake_text(ty: &ColumnType, array: &dyn Array, row: usize) -> PgResult<Option<String>> {
    let _ = (ty, array, row);
    Err(PgError::unsupported("not yet"))
}

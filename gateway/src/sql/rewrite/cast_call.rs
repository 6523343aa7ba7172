//! `date(x)`, `int4(x)`: the name of a type as a function of one argument, which is a cast.

use duckmesh_catalog::{
    ColumnType,
    types::{TextType, oid},
};

use super::{Ex, Rewriter};
use crate::wire::error::PgResult;

/// The type that a function of one argument casts to.
fn type_of(name: &str) -> Option<ColumnType> {
    use ColumnType as T;
    Some(match name {
        "bool" => T::Bool,
        "int2" => T::Int2,
        "int4" => T::Int4,
        "int8" => T::Int8,
        "float4" => T::Float4,
        "float8" => T::Float8,
        "numeric" => super::NUMERIC,
        "text" => T::Text,
        "varchar" => T::Varchar(None),
        "date" => T::Date,
        "timestamp" => T::Timestamp,
        "timestamptz" => T::Timestamptz,
        "time" => T::Time,
        "timetz" => T::AsText(TextType::Timetz),
        "interval" => T::Interval,
        "money" => T::Money,
        "jsonb" => T::Jsonb,
        "json" => T::Json,
        "name" => T::system(oid::NAME)?,
        "oid" => T::system(oid::OID)?,
        _ => return None,
    })
}

impl Rewriter<'_> {
    /// A call of a type's name. None: another function.
    pub(super) fn cast_call(&mut self, name: &str, values: &[Ex], at: Option<u32>) -> PgResult<Option<Ex>> {
        let ([value], Some(ty)) = (values, type_of(name)) else { return Ok(None) };
        let value = value.clone();
        let impossible = self.undefined_function(name, values, at);
        // What there is no cast of is a function that there is not.
        match self.cast(value, &ty, at) {
            Err(error) if error.code() == crate::wire::error::SqlState::CANNOT_COERCE => Err(impossible),
            other => other.map(|ex| Some(ex.at(at))),
        }
    }
}

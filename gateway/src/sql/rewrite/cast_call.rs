//! Casts that are written as calls: `date(x)`, `timestamptz(d, t)`.

use duckmesh_catalog::{ColumnType, types::TextType};

use super::{Ex, NUMERIC, Rewriter, cast};
use crate::wire::error::PgResult;

/// Types whose names are called as functions.
fn named(name: &str) -> Option<ColumnType> {
    use ColumnType as T;
    Some(match name {
        "bool" => T::Bool,
        "int2" => T::Int2,
        "int4" => T::Int4,
        "int8" => T::Int8,
        "float4" => T::Float4,
        "float8" => T::Float8,
        "numeric" => NUMERIC,
        "text" => T::Text,
        "varchar" => T::Varchar(None),
        "date" => T::Date,
        "time" => T::Time,
        "timetz" => T::AsText(TextType::Timetz),
        "timestamp" => T::Timestamp,
        "timestamptz" => T::Timestamptz,
        "interval" => T::Interval,
        "uuid" => T::Uuid,
        "bytea" => T::Bytea,
        "json" => T::Json,
        "jsonb" => T::Jsonb,
        "money" => T::Money,
        "inet" => T::AsText(TextType::Inet),
        "cidr" => T::AsText(TextType::Cidr),
        "macaddr" => T::AsText(TextType::Macaddr),
        "macaddr8" => T::AsText(TextType::Macaddr8),
        _ => return None,
    })
}

impl Rewriter<'_> {
    /// A call by a type's name. None: not such a call, or the type is not cast to.
    pub(super) fn cast_named(&mut self, name: &str, values: &mut Vec<Ex>, at: Option<u32>) -> PgResult<Option<Ex>> {
        let Some(ty) = named(name).filter(|_| self.has_functions()) else { return Ok(None) };
        match values.as_slice() {
            // A function of that name shows it in another way.
            [one] if ty == ColumnType::Text && matches!(one.ty, Some(ColumnType::AsText(_))) => Ok(None),
            [one] => {
                let fits = one.is_unknown() || one.ty.as_ref().is_none_or(|from| cast::castable(from, &ty));
                let one = one.clone();
                if fits { self.cast(one, &ty, at).map(Some) } else { Ok(None) }
            }
            [day, _] if matches!(ty, ColumnType::Timestamp | ColumnType::Timestamptz) => {
                let day = self.settle(day.clone(), &ColumnType::Date)?;
                let Some(time) = values.pop() else { return Ok(None) };
                let time = self.settle(time, &ColumnType::Time)?;
                if day.ty != Some(ColumnType::Date) {
                    return Ok(None);
                }
                let whole = match &time.ty {
                    Some(ColumnType::Time) => self.add(day, time, at)?,
                    Some(ColumnType::AsText(TextType::Timetz)) if ty == ColumnType::Timestamptz => {
                        match self.held_operator("+", &day, &time, at)? {
                            Some(whole) => whole,
                            None => return Ok(None),
                        }
                    }
                    _ => return Ok(None),
                };
                self.cast(whole, &ty, at).map(Some)
            }
            _ => Ok(None),
        }
    }
}

//! What a type's modifier makes of an expression: `x::timestamp(3)`, and the same where a column asks for it.

use duckmesh_catalog::{
    ColumnType,
    types::modifier::{PRECISION_MAX, interval_parts},
};

use super::{Ex, Kind, Rewriter};
use crate::wire::error::PgResult;

/// Microseconds between 1970 and 2000, from where Postgres counts and rounds.
const EPOCH_MICROS: i64 = 946_684_800_000_000;

/// The modifier that all have; NULL has none.
pub(super) fn common(exs: &[Ex]) -> Option<i32> {
    let first = exs.first()?;
    first.modifier.filter(|_| exs.iter().all(|e| e.modifier == first.modifier && e.ty == first.ty))
}

impl Rewriter<'_> {
    /// A value of a type as the type with a modifier. `explicit`: a cast, which pads and cuts bits where an assignment
    /// refuses them.
    pub fn fitted(&mut self, ex: Ex, modifier: i32, explicit: bool) -> PgResult<Ex> {
        if ex.modifier == Some(modifier) {
            return Ok(ex);
        }
        let sql = match (&ex.kind, &ex.ty) {
            (Kind::Null, _) | (_, None) => ex.sql.clone(),
            (_, Some(ColumnType::Array(element))) => {
                let element = (**element).clone();
                let each = format!("e_{}", self.number());
                let value = self.fitted_sql(&each, &element, modifier, explicit, ex.position)?;
                if value == each {
                    ex.sql.clone()
                } else {
                    format!("list_transform({}, lambda {each}: {value})", ex.sql)
                }
            }
            (_, Some(ColumnType::Grid(_))) => {
                return self.refuse("a cast of an array of several dimensions to a type with a modifier", ex.position);
            }
            (_, Some(ty)) => {
                let ty = ty.clone();
                self.fitted_sql(&ex.sql, &ty, modifier, explicit, ex.position)?
            }
        };
        let kind = if ex.kind == Kind::Null { Kind::Null } else { Kind::Plain };
        Ok(Ex { sql, modifier: Some(modifier), kind, origin: None, ..ex })
    }

    fn fitted_sql(
        &mut self,
        x: &str,
        ty: &ColumnType,
        modifier: i32,
        explicit: bool,
        at: Option<u32>,
    ) -> PgResult<String> {
        match ty {
            ColumnType::Timestamp | ColumnType::Timestamptz if modifier < PRECISION_MAX => {
                let v = format!("v_{}", self.number());
                let rounded = nearest(&format!("(epoch_us({v}) - {EPOCH_MICROS})"), modifier);
                // One mention of the value alone: it may be another each time that it is computed.
                Ok(format!(
                    "list_transform([{x}], lambda {v}: CASE WHEN isfinite({v}) THEN {v} + \
                     to_microseconds({rounded} + {EPOCH_MICROS} - epoch_us({v})) ELSE {v} END)[1]"
                ))
            }
            ColumnType::Time if modifier < PRECISION_MAX => {
                let v = format!("v_{}", self.number());
                let r = nearest(&format!("epoch_us({v})"), modifier);
                Ok(format!(
                    "list_transform([{x}], lambda {v}: make_time({r} // 3600000000, {r} // 60000000 % 60, \
                     ({r} % 60000000) / 1000000.0))[1]"
                ))
            }
            ColumnType::Interval
                if interval_parts(modifier).0.last().is_some() || modifier & 0xffff < PRECISION_MAX =>
            {
                if !self.has_functions() {
                    return self.refuse("an interval with fields or a precision in a view", at);
                }
                Ok(format!("CAST(pg_interval_fit(pg_interval_parts({x}), '{modifier}') AS INTERVAL)"))
            }
            ColumnType::AsText(held) => {
                if !self.has_functions() {
                    return self.refuse("this cast in a view", at);
                }
                let name = held.internal_name();
                Ok(format!("pg_held_fit('{name}', {x}, '{modifier}', '{}')", if explicit { "t" } else { "f" }))
            }
            _ => Ok(x.to_owned()),
        }
    }
}

/// Microseconds with so many digits of a second; halves go away from zero.
fn nearest(micros: &str, digits: i32) -> String {
    let step = 10_i64.pow(u32::try_from(PRECISION_MAX - digits.clamp(0, PRECISION_MAX)).unwrap_or(0));
    let half = step / 2;
    format!(
        "(CASE WHEN {micros} >= 0 THEN ({micros} + {half}) // {step} * {step} \
         ELSE -(({half} - {micros}) // {step} * {step}) END)"
    )
}

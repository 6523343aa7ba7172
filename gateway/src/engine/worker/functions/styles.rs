//! Texts of values in another style than the default's.

use std::{cell::RefCell, sync::Arc};

use bytes::BytesMut;

use super::{Failure, Outcome, Value};
use crate::value::{ColumnBuilder, Encoder, ValueContext, type_of_oid};

thread_local! {
    /// The settings of the last call: all rows of a statement have the same.
    static LAST: RefCell<Option<(String, Arc<ValueContext>)>> = const { RefCell::new(None) };
}

/// `pg_styled(text, type, settings)`: the text of a value with the defaults, as the settings have it.
pub fn styled(args: &[Option<&str>]) -> Outcome<Value> {
    let (text, settings) = (super::text(args, 0), super::text(args, 2));
    let number = super::text(args, 1).parse().unwrap_or(0);
    let ty = type_of_oid(number, -1).ok_or_else(|| Failure::new("XX000", "a style of no type"))?;
    let ctx = context(settings);
    let mut plain = ValueContext::new(ctx.now);
    plain.time_zone.clone_from(&ctx.time_zone);
    let mut builder = ColumnBuilder::new(&ty, 1)?;
    builder.append_text(text.as_bytes(), &plain)?;
    let array = builder.finish();
    let encoder = Encoder::new(&ty.arrow(), &ty.duckdb(), Some(&ty), &ctx)?;
    let mut out = BytesMut::new();
    encoder.bind(&array)?.encode_text(0, &mut out)?;
    Ok(Value::Text(String::from_utf8_lossy(&out).into_owned()))
}

fn context(settings: &str) -> Arc<ValueContext> {
    LAST.with_borrow_mut(|last| match last {
        Some((of, ctx)) if of == settings => Arc::clone(ctx),
        _ => {
            let ctx = Arc::new(ValueContext::of_styles(settings));
            *last = Some((settings.to_owned(), Arc::clone(&ctx)));
            ctx
        }
    })
}

#[cfg(test)]
mod tests {
    use crate::value::{ByteaOutput, DateOrder, DateStyle, IntervalStyle, ValueContext};

    #[test]
    fn settings_come_through_as_text() {
        let mut ctx = ValueContext::new(chrono::DateTime::UNIX_EPOCH);
        ctx.date_style = DateStyle::German;
        ctx.date_order = DateOrder::Dmy;
        ctx.interval_style = IntervalStyle::Iso8601;
        ctx.bytea_output = ByteaOutput::Escape;
        ctx.extra_float_digits = -3;
        let settings = ctx.styles();
        let check = |text: &str, oid: &str, expect: &str| {
            let args = [Some(text), Some(oid), Some(settings.as_str())];
            match super::styled(&args) {
                Ok(super::Value::Text(found)) => assert_eq!(found, expect),
                _ => panic!("{text}"),
            }
        };
        check("2024-03-05", "1082", "05.03.2024");
        check("1 day 02:00:00", "1186", "P1DT2H");
        check("\\x00ff", "17", "\\000\\377");
        check("0.1234567890123456", "701", "0.123456789012");
    }
}

//! Texts of values in all forms that Postgres reads, written as the engine reads them.

use std::cell::RefCell;

use chrono::DateTime;
use duckmesh_catalog::ColumnType;

use super::{Failure, Outcome, Value, integer, text};
use crate::value::{ColumnBuilder, ValueContext, interval_constant, lake_text, type_of_oid};

thread_local! {
    /// The last settings: all rows of a query have the same.
    static LAST: RefCell<Option<(String, ValueContext)>> = const { RefCell::new(None) };
}

/// `pg_read(type, text, settings, now)`: a cast from text to the type of that oid.
pub fn read(args: &[Option<&str>]) -> Outcome<Value> {
    let ty = text(args, 0).parse().ok().and_then(|oid| type_of_oid(oid, -1));
    let ty = ty.ok_or_else(|| Failure::new("XX000", "a type without texts"))?;
    let (styles, now) = (text(args, 2), DateTime::from_timestamp_micros(integer(args, 3)).unwrap_or_default());
    LAST.with_borrow_mut(|last| {
        if last.as_ref().is_none_or(|(known, _)| known != styles) {
            *last = Some((styles.to_owned(), ValueContext::of_styles(styles)));
        }
        let Some((_, ctx)) = last else { return Ok(Value::Null) };
        ctx.now = now;
        moment(&ty, text(args, 1), ctx)
    })
}

/// Bytes of a name.
const NAME_BYTES_MAX: usize = 63;

/// `pg_cut_name(text)`: as much of a text as a name holds.
pub fn name(args: &[Option<&str>]) -> Outcome<Value> {
    let text = text(args, 0);
    Ok(Value::Text(text.get(..text.floor_char_boundary(NAME_BYTES_MAX)).unwrap_or_default().to_owned()))
}

/// `pg_char_in(text)`: the first byte as a `"char"`, or the one whose octal digits it is.
pub fn byte(args: &[Option<&str>]) -> Outcome<Value> {
    let text = text(args, 0);
    let digits = text.strip_prefix('\\').filter(|digits| digits.len() == 3);
    let byte = digits.and_then(|digits| u8::from_str_radix(digits, 8).ok()).or_else(|| text.bytes().next());
    Ok(Value::Text(match byte.unwrap_or(0) {
        0 => String::new(),
        byte @ 0x80.. => format!("\\{byte:03o}"),
        byte => char::from(byte).to_string(),
    }))
}

fn moment(ty: &ColumnType, text: &str, ctx: &ValueContext) -> Outcome<Value> {
    if *ty == ColumnType::Interval {
        let value = interval_constant(text, None, ctx)?;
        let (months, days, micros) = (value.months, value.days, value.micros);
        return Ok(Value::Text(format!("{months} months {days} days {micros} microseconds")));
    }
    let mut builder = ColumnBuilder::new(ty, 1)?;
    builder.append_text(text.as_bytes(), ctx)?;
    Ok(lake_text(ty, &builder.finish(), 0)?.map_or(Value::Null, Value::Text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_in_all_forms() {
        let now = "1577880000000000";
        for (ty, text, styles, expected) in [
            ("1082", "1/8/1999", "", "1999-01-08"),
            ("1082", "1/8/1999", "Iso|Dmy|Postgres|Hex|1|UTC", "1999-08-01"),
            ("1082", "Jan 8, 1999", "", "1999-01-08"),
            ("1082", "0044-03-15 BC", "", "0044-03-15 (BC)"),
            ("1082", "today", "", "2020-01-01"),
            ("1083", "10:30 PM", "", "22:30:00"),
            ("1114", "20200105T101112", "", "2020-01-05 10:11:12"),
            ("1184", "2020-01-05 10:00 +02:00", "", "2020-01-05 08:00:00+00"),
            ("16", " of", "", "false"),
            ("23", " 007 ", "", "7"),
            ("701", "1e3", "", "1000"),
            ("1186", "P1DT2H", "", "0 months 1 days 7200000000 microseconds"),
        ] {
            let args = [Some(ty), Some(text), Some(styles), Some(now)];
            let Ok(Value::Text(read)) = read(&args) else { panic!("{text}") };
            assert_eq!(read, expected, "{text}");
        }
        assert!(read(&[Some("1082"), Some("no date"), Some(""), Some(now)]).is_err());
    }
}

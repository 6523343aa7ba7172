//! What a type's modifier does to values: seconds are rounded, fields of intervals dropped, bits padded or refused.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, IntervalMonthDayNanoArray, ListArray, StringArray, Time64MicrosecondArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{
    DataType, IntervalMonthDayNano, IntervalMonthDayNanoType, Time64MicrosecondType, TimestampMicrosecondType,
};
use duckmesh_catalog::types::{
    ColumnType, TextType,
    modifier::{IntervalRange, PRECISION_MAX, interval_parts},
};

use super::datetime::TIMESTAMP_INFINITY;
use super::datetime::civil::{DAY_MICROS, POSTGRES_EPOCH_DAYS};
use super::held::timetz::Timetz;
use super::interval::Interval;
use crate::wire::error::{PgError, PgResult, SqlState};

/// Microseconds of the last digit that is kept.
fn step(digits: i32) -> i64 {
    10_i64.pow(u32::try_from(PRECISION_MAX - digits.clamp(0, PRECISION_MAX)).unwrap_or(0))
}

/// The nearest multiple; halves go away from zero.
fn nearest(micros: i64, step: i64) -> i64 {
    let size = micros.unsigned_abs();
    let step = step.unsigned_abs().max(1);
    let rounded = i64::try_from(size.saturating_add(step / 2) / step * step).unwrap_or(micros);
    if micros < 0 { -rounded } else { rounded }
}

/// Microseconds since midnight with so many digits of a second.
pub(crate) fn time(micros: i64, digits: i32) -> i64 {
    nearest(micros, step(digits))
}

/// Microseconds since 1970 with so many digits of a second: rounded as Postgres does, away from the year 2000.
pub(crate) fn timestamp(micros: i64, digits: i32) -> i64 {
    const EPOCH: i64 = POSTGRES_EPOCH_DAYS as i64 * DAY_MICROS;
    if micros.saturating_abs() == TIMESTAMP_INFINITY {
        return micros;
    }
    nearest(micros.saturating_sub(EPOCH), step(digits)).saturating_add(EPOCH)
}

/// The fields that are named and those before them, with so many digits of a second.
pub(super) fn interval(value: Interval, modifier: i32) -> Interval {
    let (range, precision) = interval_parts(modifier);
    let cut = |unit: i64| value.micros / unit * unit;
    let mut fitted = match range.last() {
        Some(IntervalRange::YEAR) => Interval { months: value.months / 12 * 12, days: 0, micros: 0 },
        Some(IntervalRange::MONTH) => Interval { days: 0, micros: 0, ..value },
        Some(IntervalRange::DAY) => Interval { micros: 0, ..value },
        Some(IntervalRange::HOUR) => Interval { micros: cut(3_600_000_000), ..value },
        Some(IntervalRange::MINUTE) => Interval { micros: cut(60_000_000), ..value },
        _ => value,
    };
    if let Some(digits) = precision {
        fitted.micros = nearest(fitted.micros, step(digits));
    }
    fitted
}

/// The same of months, days and microseconds.
pub(crate) fn interval_fields((months, days, micros): (i32, i32, i64), modifier: i32) -> (i32, i32, i64) {
    let cut = interval(Interval { months, days, micros }, modifier);
    (cut.months, cut.days, cut.micros)
}

/// The text of a value that is held as one. `explicit`: a cast, which pads and cuts where an assignment refuses.
pub(crate) fn held(ty: TextType, text: &str, modifier: i32, explicit: bool) -> PgResult<Cow<'_, str>> {
    let length = usize::try_from(modifier).unwrap_or(0);
    let mismatch = |state, message: String| Err(PgError::new(state, message));
    Ok(match ty {
        TextType::Timetz => {
            let value = Timetz::stored(text)?;
            Timetz { micros: time(value.micros, modifier), ..value }.text().into()
        }
        TextType::Bit if text.len() == length => text.into(),
        TextType::Bit if explicit && text.len() > length => text.get(..length).unwrap_or_default().into(),
        TextType::Bit if explicit => format!("{text:0<length$}").into(),
        TextType::Bit => {
            let found = text.len();
            let message = format!("bit string length {found} does not match type bit({length})");
            return mismatch(SqlState::STRING_DATA_LENGTH_MISMATCH, message);
        }
        TextType::Varbit if text.len() <= length => text.into(),
        TextType::Varbit if explicit => text.get(..length).unwrap_or_default().into(),
        TextType::Varbit => {
            let message = format!("bit string too long for type bit varying({length})");
            return mismatch(SqlState::STRING_DATA_RIGHT_TRUNCATION, message);
        }
        _ => text.into(),
    })
}

/// The values of an array that is in its type's representation, as the type's modifier has them.
pub fn fitted(array: &ArrayRef, ty: &ColumnType) -> PgResult<ArrayRef> {
    let (base, modifier) = match ty {
        ColumnType::Array(element) if matches!(**element, ColumnType::Modified(..)) => return elements(array, element),
        ColumnType::Modified(base, modifier) => (&**base, *modifier),
        _ => return Ok(array.clone()),
    };
    let unexpected = || PgError::internal("values of a type with a modifier are of another type");
    Ok(match base {
        ColumnType::Timestamp | ColumnType::Timestamptz => {
            let values = array.as_primitive_opt::<TimestampMicrosecondType>().ok_or_else(unexpected)?;
            let rounded: TimestampMicrosecondArray = values.unary(|micros| timestamp(micros, modifier));
            let zone = match array.data_type() {
                DataType::Timestamp(_, zone) => zone.clone(),
                _ => None,
            };
            Arc::new(rounded.with_timezone_opt(zone))
        }
        ColumnType::Time => {
            let values = array.as_primitive_opt::<Time64MicrosecondType>().ok_or_else(unexpected)?;
            let rounded: Time64MicrosecondArray = values.unary(|micros| time(micros, modifier));
            Arc::new(rounded)
        }
        ColumnType::Interval => {
            let values = array.as_primitive_opt::<IntervalMonthDayNanoType>().ok_or_else(unexpected)?;
            let cut: IntervalMonthDayNanoArray = values.unary(|value| {
                let parts = Interval { months: value.months, days: value.days, micros: value.nanoseconds / 1000 };
                let cut = interval(parts, modifier);
                IntervalMonthDayNano::new(cut.months, cut.days, cut.micros.saturating_mul(1000))
            });
            Arc::new(cut)
        }
        ColumnType::AsText(held_as) => {
            let values = array.as_string_opt::<i32>().ok_or_else(unexpected)?;
            let fit = |text| held(*held_as, text, modifier, false);
            let fit = values.iter().map(|text| text.map(fit).transpose());
            Arc::new(fit.collect::<PgResult<Vec<_>>>()?.into_iter().collect::<StringArray>())
        }
        _ => array.clone(),
    })
}

fn elements(array: &ArrayRef, element: &ColumnType) -> PgResult<ArrayRef> {
    let list = array.as_list_opt::<i32>().ok_or_else(|| PgError::internal("a list of unexpected type"))?;
    let values = fitted(list.values(), element)?;
    let DataType::List(field) = list.data_type() else { return Ok(array.clone()) };
    Ok(Arc::new(ListArray::new(field.clone(), list.offsets().clone(), values, list.nulls().cloned())))
}

#[cfg(test)]
mod tests {
    use duckmesh_catalog::types::modifier;

    use super::*;

    #[test]
    fn seconds_are_rounded_as_postgres_does() {
        assert_eq!(time(86_399_999_600, 3), 86_400_000_000);
        assert_eq!(time(1_234_500, 3), 1_235_000);
        assert_eq!(time(1_234_499, 3), 1_234_000);
        // 1999-12-31 23:59:59.5 and 2000-01-01 00:00:00.5: both away from the turn of the year.
        let epoch = 946_684_800_000_000;
        assert_eq!(timestamp(epoch - 500_000, 0), epoch - 1_000_000);
        assert_eq!(timestamp(epoch + 500_000, 0), epoch + 1_000_000);
        assert_eq!(timestamp(TIMESTAMP_INFINITY, 0), TIMESTAMP_INFINITY);
        assert_eq!(timestamp(-TIMESTAMP_INFINITY, 0), -TIMESTAMP_INFINITY);
    }

    #[test]
    fn intervals_lose_what_is_behind_their_last_field() {
        let value = Interval { months: 27, days: 4, micros: 3_723_500_000 };
        let fit = |range, precision| interval(value, modifier::interval(range, precision));
        assert_eq!(fit(IntervalRange::YEAR, None), Interval { months: 24, days: 0, micros: 0 });
        assert_eq!(fit(IntervalRange::MONTH, None), Interval { months: 27, days: 0, micros: 0 });
        assert_eq!(fit(IntervalRange::HOUR, None).micros, 3_600_000_000);
        assert_eq!(fit(IntervalRange::SECOND, Some(0)).micros, 3_724_000_000);
        assert_eq!(fit(IntervalRange::ALL, Some(3)), value);
    }

    #[test]
    fn bits_are_padded_by_casts_alone() {
        assert_eq!(held(TextType::Bit, "101", 5, true).unwrap(), "10100");
        assert_eq!(held(TextType::Bit, "101", 2, true).unwrap(), "10");
        let error = |ty, text, n| held(ty, text, n, false).unwrap_err().to_string();
        assert_eq!(error(TextType::Bit, "101", 5), "22026: bit string length 3 does not match type bit(5)");
        assert_eq!(error(TextType::Varbit, "101", 2), "22001: bit string too long for type bit varying(2)");
    }
}

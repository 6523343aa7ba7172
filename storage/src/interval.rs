//! Intervals as Parquet holds them: months, days and milliseconds, 4 bytes each, little-endian.
//!
//! DuckDB reads months and days as signed and milliseconds as unsigned (tried with 1.5.5). A lake can therefore hold no
//! negative time part, and none of 2^32 milliseconds or more; carrying it into the days would change the value.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, AsArray, FixedSizeBinaryBuilder, ListArray},
    datatypes::{DataType, Field, IntervalMonthDayNano, IntervalMonthDayNanoType},
};
use parquet::{
    basic::{ConvertedType, Repetition, Type as Physical},
    schema::types::{Type, TypePtr},
};

use crate::{
    error::{Error, ErrorKind, Result},
    layout::{built, stored_type},
};

/// Bytes of a stored interval.
pub(crate) const WIDTH: i32 = 12;

const NANOS_PER_MILLI: i64 = 1_000_000;

/// An array with its intervals, also those in lists, as stored. Other arrays are only shared.
pub(crate) fn stored(array: &ArrayRef) -> Result<ArrayRef> {
    match array.data_type() {
        DataType::Interval(_) => intervals(array),
        DataType::List(field) => {
            let list = array.as_list::<i32>();
            let (_, offsets, values, nulls) = list.clone().into_parts();
            let item = Field::new("element", stored_type(field.data_type()), true);
            let values = stored(&values)?;
            let list = ListArray::try_new(Arc::new(item), offsets, values, nulls)
                .map_err(|e| Error::caused(ErrorKind::Invalid, format!("a list does not fit: {e}"), e))?;
            Ok(Arc::new(list))
        }
        _ => Ok(array.clone()),
    }
}

/// The Parquet type of an interval column; it has a converted type only, no logical one.
pub(crate) fn parquet_type(name: &str, id: i32) -> Result<TypePtr> {
    let builder = Type::primitive_type_builder(name, Physical::FIXED_LEN_BYTE_ARRAY)
        .with_repetition(Repetition::OPTIONAL)
        .with_converted_type(ConvertedType::INTERVAL)
        .with_length(WIDTH)
        .with_id(Some(id));
    built(builder.build())
}

/// Whether a lake can hold this interval; the error's message is fit for a client.
pub fn check(value: IntervalMonthDayNano) -> Result<()> {
    millis(value).map(|_| ())
}

fn intervals(array: &ArrayRef) -> Result<ArrayRef> {
    let array = array
        .as_primitive_opt::<IntervalMonthDayNanoType>()
        .ok_or_else(|| Error::new(ErrorKind::Invalid, "intervals must be months, days and nanoseconds"))?;
    let mut builder = FixedSizeBinaryBuilder::with_capacity(array.len(), WIDTH);
    for value in array {
        let Some(value) = value else {
            builder.append_null();
            continue;
        };
        let mut bytes = [0; WIDTH as usize];
        bytes[..4].copy_from_slice(&value.months.to_le_bytes());
        bytes[4..8].copy_from_slice(&value.days.to_le_bytes());
        bytes[8..].copy_from_slice(&millis(value)?.to_le_bytes());
        builder
            .append_value(bytes)
            .map_err(|e| Error::caused(ErrorKind::Invalid, format!("an interval does not fit: {e}"), e))?;
    }
    Ok(Arc::new(builder.finish()))
}

fn millis(value: IntervalMonthDayNano) -> Result<u32> {
    if value.nanoseconds % NANOS_PER_MILLI != 0 {
        let message = "interval has a fraction of a millisecond: a lake stores intervals in whole milliseconds";
        return Err(Error::new(ErrorKind::Invalid, message));
    }
    u32::try_from(value.nanoseconds / NANOS_PER_MILLI).map_err(|_| {
        let message = "interval out of range: a lake stores time parts from 00:00:00 to 1193:02:47.295";
        Error::new(ErrorKind::Invalid, message)
    })
}

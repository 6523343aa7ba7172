//! Typed access to the values of an Arrow array.

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BinaryViewArray, BooleanArray, Decimal256Array, FixedSizeBinaryArray,
    LargeBinaryArray, LargeStringArray, StringArray, StringViewArray,
};
use arrow::datatypes::{
    DataType, Date32Type, Date64Type, Decimal32Type, Decimal64Type, Decimal128Type, DurationMicrosecondType,
    DurationMillisecondType, DurationNanosecondType, DurationSecondType, Float16Type, Float32Type, Float64Type,
    Int8Type, Int16Type, Int32Type, Int64Type, IntervalDayTimeType, IntervalMonthDayNanoType, IntervalUnit,
    IntervalYearMonthType, Time32MillisecondType, Time32SecondType, Time64MicrosecondType, Time64NanosecondType,
    TimeUnit, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};

use super::super::context::ValueContext;
use super::super::interval::Interval;
use super::BoundEncoder;
use super::kind::Kind;
use crate::wire::error::{PgError, PgResult};

/// The values of an array, by how they lie in memory.
pub(super) enum Cells<'a> {
    Bool(&'a BooleanArray),
    I8(&'a [i8]),
    I16(&'a [i16]),
    I32(&'a [i32]),
    I64(&'a [i64]),
    U8(&'a [u8]),
    U16(&'a [u16]),
    U32(&'a [u32]),
    U64(&'a [u64]),
    F32(&'a [f32]),
    F64(&'a [f64]),
    I128(&'a [i128]),
    Wide(&'a Decimal256Array),
    Str(&'a StringArray),
    LargeStr(&'a LargeStringArray),
    StrView(&'a StringViewArray),
    Bin(&'a BinaryArray),
    LargeBin(&'a LargeBinaryArray),
    BinView(&'a BinaryViewArray),
    FixedBin(&'a FixedSizeBinaryArray),
    Interval(Box<dyn Fn(usize) -> Interval + 'a>),
    /// Where each list begins and ends among the elements.
    List(Box<dyn Fn(usize) -> (usize, usize) + 'a>, Box<BoundEncoder<'a>>),
    /// The index of each value, none for NULL.
    Dictionary(Vec<Option<usize>>, Box<BoundEncoder<'a>>),
    Nested(&'a dyn Array),
    Half(Vec<f32>),
    Null,
}

macro_rules! primitive {
    ($array:expr, $ty:ty) => {
        $array.as_primitive_opt::<$ty>().ok_or_else(|| mismatch($array))?.values()
    };
}

#[cold]
fn mismatch(array: &dyn Array) -> PgError {
    PgError::internal(format!("a result column of unexpected type {}", array.data_type()))
}

impl<'a> Cells<'a> {
    pub fn of(kind: &'a Kind, array: &'a dyn Array, ctx: &'a ValueContext) -> PgResult<Self> {
        if *kind == Kind::Nested {
            return Ok(Self::Nested(array));
        }
        let failed = || mismatch(array);
        Ok(match array.data_type() {
            DataType::Null => Self::Null,
            DataType::Boolean => Self::Bool(array.as_boolean_opt().ok_or_else(failed)?),
            DataType::Int8 => Self::I8(primitive!(array, Int8Type)),
            DataType::Int16 => Self::I16(primitive!(array, Int16Type)),
            DataType::Int32 => Self::I32(primitive!(array, Int32Type)),
            DataType::Int64 => Self::I64(primitive!(array, Int64Type)),
            DataType::UInt8 => Self::U8(primitive!(array, UInt8Type)),
            DataType::UInt16 => Self::U16(primitive!(array, UInt16Type)),
            DataType::UInt32 => Self::U32(primitive!(array, UInt32Type)),
            DataType::UInt64 => Self::U64(primitive!(array, UInt64Type)),
            DataType::Float16 => Self::Half(primitive!(array, Float16Type).iter().map(|h| h.to_f32()).collect()),
            DataType::Float32 => Self::F32(primitive!(array, Float32Type)),
            DataType::Float64 => Self::F64(primitive!(array, Float64Type)),
            DataType::Decimal32(..) => Self::I32(primitive!(array, Decimal32Type)),
            DataType::Decimal64(..) => Self::I64(primitive!(array, Decimal64Type)),
            DataType::Decimal128(..) => Self::I128(primitive!(array, Decimal128Type)),
            DataType::Decimal256(..) => Self::Wide(array.as_primitive_opt().ok_or_else(failed)?),
            DataType::Utf8 => Self::Str(array.as_string_opt().ok_or_else(failed)?),
            DataType::LargeUtf8 => Self::LargeStr(array.as_string_opt().ok_or_else(failed)?),
            DataType::Utf8View => Self::StrView(array.as_string_view_opt().ok_or_else(failed)?),
            DataType::Binary => Self::Bin(array.as_binary_opt().ok_or_else(failed)?),
            DataType::LargeBinary => Self::LargeBin(array.as_binary_opt().ok_or_else(failed)?),
            DataType::BinaryView => Self::BinView(array.as_binary_view_opt().ok_or_else(failed)?),
            DataType::FixedSizeBinary(_) => Self::FixedBin(array.as_fixed_size_binary_opt().ok_or_else(failed)?),
            DataType::Date32 => Self::I32(primitive!(array, Date32Type)),
            DataType::Date64 => Self::I64(primitive!(array, Date64Type)),
            DataType::Time32(_) | DataType::Time64(_) | DataType::Timestamp(..) => Self::time(array)?,
            DataType::Interval(_) | DataType::Duration(_) => Self::interval(array)?,
            DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..) => Self::list(kind, array, ctx)?,
            DataType::Dictionary(..) => {
                let dictionary = array.as_any_dictionary_opt().ok_or_else(failed)?;
                let values = BoundEncoder::new(kind, dictionary.values().as_ref(), ctx)?;
                let keys = if dictionary.values().is_empty() {
                    vec![None; array.len()]
                } else {
                    let valid = |i: usize| dictionary.keys().is_valid(i);
                    dictionary.normalized_keys().into_iter().enumerate().map(|(i, k)| valid(i).then_some(k)).collect()
                };
                Self::Dictionary(keys, Box::new(values))
            }
            _ => return Err(failed()),
        })
    }

    fn time(array: &'a dyn Array) -> PgResult<Self> {
        Ok(match array.data_type() {
            DataType::Time32(TimeUnit::Second) => Self::I32(primitive!(array, Time32SecondType)),
            DataType::Time32(_) => Self::I32(primitive!(array, Time32MillisecondType)),
            DataType::Time64(TimeUnit::Nanosecond) => Self::I64(primitive!(array, Time64NanosecondType)),
            DataType::Time64(_) => Self::I64(primitive!(array, Time64MicrosecondType)),
            DataType::Timestamp(TimeUnit::Second, _) => Self::I64(primitive!(array, TimestampSecondType)),
            DataType::Timestamp(TimeUnit::Millisecond, _) => Self::I64(primitive!(array, TimestampMillisecondType)),
            DataType::Timestamp(TimeUnit::Microsecond, _) => Self::I64(primitive!(array, TimestampMicrosecondType)),
            _ => Self::I64(primitive!(array, TimestampNanosecondType)),
        })
    }

    fn interval(array: &'a dyn Array) -> PgResult<Self> {
        let duration = |values: &'a [i64], unit: TimeUnit| -> Box<dyn Fn(usize) -> Interval + 'a> {
            Box::new(move |i| Interval { micros: values.get(i).map_or(0, |v| micros(*v, unit)), ..Interval::default() })
        };
        Ok(Self::Interval(match array.data_type() {
            DataType::Duration(unit) => {
                let values = match unit {
                    TimeUnit::Second => primitive!(array, DurationSecondType),
                    TimeUnit::Millisecond => primitive!(array, DurationMillisecondType),
                    TimeUnit::Microsecond => primitive!(array, DurationMicrosecondType),
                    TimeUnit::Nanosecond => primitive!(array, DurationNanosecondType),
                };
                duration(values, *unit)
            }
            DataType::Interval(IntervalUnit::YearMonth) => {
                let values = primitive!(array, IntervalYearMonthType);
                Box::new(move |i| Interval { months: values.get(i).copied().unwrap_or(0), ..Interval::default() })
            }
            DataType::Interval(IntervalUnit::DayTime) => {
                let values = primitive!(array, IntervalDayTimeType);
                Box::new(move |i| {
                    values.get(i).map_or_else(Interval::default, |v| Interval {
                        days: v.days,
                        micros: i64::from(v.milliseconds) * 1000,
                        months: 0,
                    })
                })
            }
            _ => {
                let values = primitive!(array, IntervalMonthDayNanoType);
                Box::new(move |i| {
                    values.get(i).map_or_else(Interval::default, |v| Interval {
                        months: v.months,
                        days: v.days,
                        micros: v.nanoseconds.div_euclid(1000),
                    })
                })
            }
        }))
    }

    fn list(kind: &'a Kind, array: &'a dyn Array, ctx: &'a ValueContext) -> PgResult<Self> {
        let (Kind::Array(element, _) | Kind::Vector(element, _)) = kind else {
            return Err(mismatch(array));
        };
        let failed = || mismatch(array);
        let bound = |values: &'a ArrayRef| -> PgResult<Box<BoundEncoder<'a>>> {
            Ok(Box::new(BoundEncoder::new(element, values.as_ref(), ctx)?))
        };
        let index = |n: i64| usize::try_from(n).unwrap_or(0);
        Ok(match array.data_type() {
            DataType::List(_) => {
                let list = array.as_list_opt::<i32>().ok_or_else(failed)?;
                let offsets = list.value_offsets();
                let at = move |i: usize| index(offsets.get(i).copied().unwrap_or(0).into());
                Self::List(Box::new(move |i| (at(i), at(i + 1))), bound(list.values())?)
            }
            DataType::LargeList(_) => {
                let list = array.as_list_opt::<i64>().ok_or_else(failed)?;
                let offsets = list.value_offsets();
                let at = move |i: usize| index(offsets.get(i).copied().unwrap_or(0));
                Self::List(Box::new(move |i| (at(i), at(i + 1))), bound(list.values())?)
            }
            _ => {
                let list = array.as_fixed_size_list_opt().ok_or_else(failed)?;
                let size = index(list.value_length().into());
                Self::List(Box::new(move |i| (i * size, (i + 1) * size)), bound(list.values())?)
            }
        })
    }

    /// An integer of up to 64 bits with its sign.
    #[inline]
    pub fn integer(&self, row: usize) -> Option<i64> {
        match self {
            Self::I32(v) => v.get(row).map(|v| (*v).into()),
            Self::I64(v) => v.get(row).copied(),
            Self::I16(v) => v.get(row).map(|v| (*v).into()),
            Self::I8(v) => v.get(row).map(|v| (*v).into()),
            Self::U8(v) => v.get(row).map(|v| (*v).into()),
            Self::U16(v) => v.get(row).map(|v| (*v).into()),
            Self::U32(v) => v.get(row).map(|v| (*v).into()),
            Self::U64(v) => v.get(row).and_then(|v| i64::try_from(*v).ok()),
            Self::I128(v) => v.get(row).and_then(|v| i64::try_from(*v).ok()),
            _ => None,
        }
    }

    /// An unscaled decimal.
    #[inline]
    pub fn decimal(&self, row: usize) -> Option<i128> {
        match self {
            Self::I128(v) => v.get(row).copied(),
            Self::U64(v) => v.get(row).map(|v| (*v).into()),
            Self::Wide(v) => (row < v.len()).then(|| v.value(row)).and_then(arrow::datatypes::i256::to_i128),
            other => other.integer(row).map(Into::into),
        }
    }

    pub fn float(&self, row: usize) -> Option<f64> {
        match self {
            Self::F64(v) => v.get(row).copied(),
            Self::F32(v) => v.get(row).map(|v| (*v).into()),
            Self::Half(v) => v.get(row).map(|v| (*v).into()),
            _ => None,
        }
    }

    /// The bytes of text or of a blob.
    #[inline]
    pub fn bytes(&self, row: usize) -> Option<&[u8]> {
        match self {
            Self::Str(v) => Some(v.value(row).as_bytes()),
            Self::StrView(v) => Some(v.value(row).as_bytes()),
            Self::LargeStr(v) => Some(v.value(row).as_bytes()),
            Self::Bin(v) => Some(v.value(row)),
            Self::LargeBin(v) => Some(v.value(row)),
            Self::BinView(v) => Some(v.value(row)),
            Self::FixedBin(v) => Some(v.value(row)),
            _ => None,
        }
    }
}

/// A count of `unit` in microseconds; the ends of the range stay what they are: infinity.
#[inline]
pub(super) fn micros(value: i64, unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Microsecond => value,
        _ if value == i64::MAX || value <= -i64::MAX => value,
        TimeUnit::Second => value.saturating_mul(1_000_000),
        TimeUnit::Millisecond => value.saturating_mul(1_000),
        TimeUnit::Nanosecond => value.div_euclid(1_000),
    }
}

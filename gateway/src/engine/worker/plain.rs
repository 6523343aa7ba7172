//! Arrow types as the gateway wants them, from what DuckDB's lossless conversion makes.
//!
//! | DuckDB | Arrow on the way to the gateway |
//! | --- | --- |
//! | BOOLEAN | Boolean |
//! | HUGEINT | Decimal128(38, 0); its 128 bits are kept, also beyond 38 digits |
//! | UHUGEINT, BIT, TIME WITH TIME ZONE | Utf8, in Postgres' text form |
//! | UUID | FixedSizeBinary(16) |
//! | ENUM | Utf8 |
//! | JSON | Utf8 |
//! | BIGNUM | Binary, DuckDB's own bytes |
//! | the others | as DuckDB has them; lists, arrays, structs and maps by these rules inside |

use std::sync::Arc;

use arrow::{
    array::{
        Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, FixedSizeBinaryArray, FixedSizeListArray, ListArray,
        MapArray, RecordBatch, RecordBatchOptions, StringArray, StructArray,
    },
    compute::cast,
    datatypes::{DataType, Field, FieldRef, Fields, Int8Type, SchemaRef},
    error::ArrowError,
};
use serde_json::Value;

const EXTENSION_NAME: &str = "ARROW:extension:name";
const EXTENSION_METADATA: &str = "ARROW:extension:metadata";

/// The field that is sent for a field of DuckDB's.
pub fn field(from: &FieldRef) -> FieldRef {
    let to = match special(from) {
        Some(Special::Bool) => DataType::Boolean,
        Some(Special::Hugeint) => DataType::Decimal128(38, 0),
        Some(Special::Uhugeint | Special::Bit | Special::TimeTz) => DataType::Utf8,
        None => match from.data_type() {
            DataType::Dictionary(_, values) => (**values).clone(),
            DataType::List(child) => DataType::List(field(child)),
            DataType::FixedSizeList(child, size) => DataType::FixedSizeList(field(child), *size),
            DataType::Struct(children) => DataType::Struct(children.iter().map(field).collect()),
            DataType::Map(entries, sorted) => DataType::Map(field(entries), *sorted),
            same => same.clone(),
        },
    };
    Arc::new(Field::new(from.name(), to, from.is_nullable()))
}

/// The batch with the fields that are sent.
pub fn batch(from: &RecordBatch, to: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let schema = from.schema();
    let columns: Result<Vec<ArrayRef>, ArrowError> =
        schema.fields().iter().zip(from.columns()).map(|(field, column)| array(column, field)).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(from.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(to), columns?, &options)
}

/// Types that DuckDB marks as Arrow extensions and that do not travel as they are.
enum Special {
    Bool,
    Hugeint,
    Uhugeint,
    Bit,
    TimeTz,
}

fn special(field: &Field) -> Option<Special> {
    match field.metadata().get(EXTENSION_NAME)?.as_str() {
        "arrow.bool8" => Some(Special::Bool),
        "arrow.opaque" => {
            let metadata: Value = serde_json::from_str(field.metadata().get(EXTENSION_METADATA)?).ok()?;
            match metadata.get("type_name")?.as_str()? {
                "hugeint" => Some(Special::Hugeint),
                "uhugeint" => Some(Special::Uhugeint),
                "bit" => Some(Special::Bit),
                "time_tz" => Some(Special::TimeTz),
                _ => None,
            }
        }
        _ => None,
    }
}

fn array(from: &ArrayRef, of: &FieldRef) -> Result<ArrayRef, ArrowError> {
    let to = field(of);
    match special(of) {
        Some(Special::Bool) => {
            let flags = from.as_primitive::<Int8Type>();
            Ok(Arc::new(BooleanArray::from_unary(flags, |flag| flag != 0)))
        }
        Some(Special::Hugeint) => {
            let values = sixteen_bytes(from)?.into_iter().map(|v| v.map(i128::from_le_bytes));
            Ok(Arc::new(values.collect::<Decimal128Array>().with_data_type(DataType::Decimal128(38, 0))))
        }
        Some(Special::Uhugeint) => {
            let values = sixteen_bytes(from)?.into_iter().map(|v| v.map(|b| u128::from_le_bytes(b).to_string()));
            Ok(Arc::new(values.collect::<StringArray>()))
        }
        Some(Special::Bit) => {
            let bits = from.as_binary_opt::<i32>().ok_or_else(|| unexpected(of))?;
            Ok(Arc::new(bits.iter().map(|b| b.map(bit_text)).collect::<StringArray>()))
        }
        Some(Special::TimeTz) => {
            let times = from.as_fixed_size_binary_opt().ok_or_else(|| unexpected(of))?;
            let text = |b: &[u8]| b.try_into().map(|b| time_tz_text(u64::from_le_bytes(b))).ok();
            Ok(Arc::new(times.iter().map(|b| b.and_then(text)).collect::<StringArray>()))
        }
        None if to.data_type() == of.data_type() => Ok(Arc::clone(from)),
        None => nested(from, of, to.data_type()),
    }
}

fn nested(from: &ArrayRef, of: &FieldRef, to: &DataType) -> Result<ArrayRef, ArrowError> {
    match (of.data_type(), to) {
        (DataType::List(child), DataType::List(to)) => {
            let list = from.as_list_opt::<i32>().ok_or_else(|| unexpected(of))?;
            let values = array(list.values(), child)?;
            Ok(Arc::new(ListArray::try_new(Arc::clone(to), list.offsets().clone(), values, list.nulls().cloned())?))
        }
        (DataType::FixedSizeList(child, size), DataType::FixedSizeList(to, _)) => {
            let list = from.as_fixed_size_list_opt().ok_or_else(|| unexpected(of))?;
            let values = array(list.values(), child)?;
            Ok(Arc::new(FixedSizeListArray::try_new(Arc::clone(to), *size, values, list.nulls().cloned())?))
        }
        (DataType::Struct(children), DataType::Struct(to)) => {
            let structs = from.as_struct_opt().ok_or_else(|| unexpected(of))?;
            Ok(Arc::new(struct_of(structs, children, to)?))
        }
        (DataType::Map(entries, _), DataType::Map(to, sorted)) => {
            let map = from.as_map_opt().ok_or_else(|| unexpected(of))?;
            let (DataType::Struct(children), DataType::Struct(to_children)) = (entries.data_type(), to.data_type())
            else {
                return Err(unexpected(of));
            };
            let pairs = struct_of(map.entries(), children, to_children)?;
            let (offsets, nulls) = (map.offsets().clone(), map.nulls().cloned());
            Ok(Arc::new(MapArray::try_new(Arc::clone(to), offsets, pairs, nulls, *sorted)?))
        }
        _ => cast(from, to),
    }
}

fn struct_of(from: &StructArray, of: &Fields, to: &Fields) -> Result<StructArray, ArrowError> {
    if of.is_empty() {
        return Ok(StructArray::new_empty_fields(from.len(), from.nulls().cloned()));
    }
    let columns: Result<Vec<ArrayRef>, ArrowError> = of.iter().zip(from.columns()).map(|(f, c)| array(c, f)).collect();
    StructArray::try_new(to.clone(), columns?, from.nulls().cloned())
}

fn sixteen_bytes(from: &ArrayRef) -> Result<Vec<Option<[u8; 16]>>, ArrowError> {
    let values: &FixedSizeBinaryArray = from
        .as_fixed_size_binary_opt()
        .filter(|values| values.value_length() == 16)
        .ok_or_else(|| ArrowError::CDataInterface("not 16 bytes".to_owned()))?;
    Ok(values.iter().map(|v| v.and_then(|v| v.try_into().ok())).collect())
}

/// DuckDB's bytes of a bit string: the number of unused bits, then the bits, the unused ones first.
fn bit_text(bytes: &[u8]) -> String {
    let Some((unused, bits)) = bytes.split_first() else {
        return String::new();
    };
    let all = bits.iter().flat_map(|byte| (0..8).rev().map(move |bit| if byte >> bit & 1 == 1 { '1' } else { '0' }));
    all.skip(usize::from(*unused)).collect()
}

/// DuckDB's bits of a time with zone: microseconds above, 15:59:59 minus the offset in seconds in the low 24.
fn time_tz_text(bits: u64) -> String {
    const OFFSET_MAX: i64 = 16 * 3600 - 1;
    let micros = bits >> 24;
    let offset = OFFSET_MAX - i64::try_from(bits & 0xff_ffff).unwrap_or(0);
    let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
    let mut text = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    if fraction > 0 {
        text.push_str(format!(".{fraction:06}").trim_end_matches('0'));
    }
    let (sign, offset) = (if offset < 0 { '-' } else { '+' }, offset.abs());
    text.push_str(&format!("{sign}{:02}", offset / 3600));
    if offset % 3600 > 0 {
        text.push_str(&format!(":{:02}", offset / 60 % 60));
    }
    if offset % 60 > 0 {
        text.push_str(&format!(":{:02}", offset % 60));
    }
    text
}

fn unexpected(field: &Field) -> ArrowError {
    ArrowError::CDataInterface(format!("a column of another type than its schema's: {}", field.data_type()))
}

//! Result columns as the engine sends them.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, Decimal128Array, DictionaryArray, FixedSizeBinaryArray, Int8Array, Int32Array, Int64Array,
    ListArray, MapBuilder, NullArray, StringArray, StringBuilder, StringViewArray, StructArray, Time64MicrosecondArray,
    TimestampNanosecondArray, TimestampSecondArray, UInt16Array, UInt32Array, UInt64Array,
};
use arrow::array::{Int32Builder, UInt8Array};
use arrow::datatypes::{Field, Int32Type};
use arrow::record_batch::RecordBatch;
use bytes::BytesMut;
use duckmesh_catalog::types::{ColumnType, oid};

use super::{Encoder, PgType};
use crate::value::{DataRowWriter, Format, ValueContext};

fn ctx() -> Arc<ValueContext> {
    Arc::new(ValueContext::new(chrono::DateTime::UNIX_EPOCH))
}

fn all_texts(encoder: &Encoder, array: &ArrayRef) -> Vec<String> {
    let bound = encoder.bind(array).unwrap();
    (0..array.len())
        .map(|row| {
            if bound.is_null(row) {
                return "NULL".to_owned();
            }
            let mut out = BytesMut::new();
            bound.encode_text(row, &mut out).unwrap();
            String::from_utf8(out.to_vec()).unwrap()
        })
        .collect()
}

fn check(array: ArrayRef, duckdb: &str, declared: Option<ColumnType>, ty: (u32, i32, i16), texts: &[&str]) {
    let encoder = Encoder::new(array.data_type(), duckdb, declared.as_ref(), &ctx()).unwrap();
    assert_eq!(encoder.pg_type(), PgType { oid: ty.0, typmod: ty.1, typlen: ty.2 }, "{duckdb}");
    assert_eq!(all_texts(&encoder, &array), texts, "{duckdb}");
}

#[test]
fn types_that_only_duckdb_has() {
    let numeric = (oid::NUMERIC, -1, -1);
    let text = (oid::TEXT, -1, -1);
    let huge = Decimal128Array::from(vec![Some(i128::from(i64::MAX) * 4), None, Some(-5)]);
    let huge = huge.with_precision_and_scale(38, 0).unwrap();
    check(Arc::new(huge), "HUGEINT", None, numeric, &["36893488147419103228", "NULL", "-5"]);
    check(Arc::new(UInt64Array::from(vec![u64::MAX])), "UBIGINT", None, numeric, &["18446744073709551615"]);
    check(Arc::new(UInt32Array::from(vec![u32::MAX])), "UINTEGER", None, (oid::INT8, -1, 8), &["4294967295"]);
    check(Arc::new(UInt16Array::from(vec![u16::MAX])), "USMALLINT", None, (oid::INT4, -1, 4), &["65535"]);
    check(Arc::new(UInt8Array::from(vec![255])), "UTINYINT", None, (oid::INT2, -1, 2), &["255"]);
    check(Arc::new(Int8Array::from(vec![-128])), "TINYINT", None, (oid::INT2, -1, 2), &["-128"]);
    check(Arc::new(NullArray::new(2)), "\"NULL\"", None, text, &["NULL", "NULL"]);
    let words: DictionaryArray<Int32Type> = vec![Some("b"), None, Some("a"), Some("b")].into_iter().collect();
    check(Arc::new(words), "ENUM('a', 'b')", None, text, &["b", "NULL", "a", "b"]);
    let time = Time64MicrosecondArray::from(vec![3_661_500_000]);
    check(Arc::new(time), "TIME WITH TIME ZONE", None, (oid::TIMETZ, -1, 12), &["01:01:01.5+00"]);
    let stamp = (oid::TIMESTAMP, -1, 8);
    let seconds = TimestampSecondArray::from(vec![0, i64::MAX, -i64::MAX]);
    check(Arc::new(seconds), "TIMESTAMP_S", None, stamp, &["1970-01-01 00:00:00", "infinity", "-infinity"]);
    let nanos = TimestampNanosecondArray::from(vec![1_999]);
    check(Arc::new(nanos), "TIMESTAMP_NS", None, stamp, &["1970-01-01 00:00:00.000001"]);
    let uuid = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11";
    check(Arc::new(StringViewArray::from(vec![uuid])), "UUID", None, (oid::UUID, -1, 16), &[uuid]);
    let bytes = FixedSizeBinaryArray::try_from_iter([[0x11_u8; 16]].iter()).unwrap();
    let shown = "11111111-1111-1111-1111-111111111111";
    check(Arc::new(bytes), "UUID", None, (oid::UUID, -1, 16), &[shown]);
}

#[test]
fn declared_types_are_told() {
    let words: ArrayRef = Arc::new(StringArray::from(vec!["ab", "é"]));
    check(words.clone(), "VARCHAR", Some(ColumnType::Char(3)), (oid::BPCHAR, 7, -1), &["ab ", "é  "]);
    check(words.clone(), "VARCHAR", Some(ColumnType::Varchar(Some(9))), (oid::VARCHAR, 13, -1), &["ab", "é"]);
    check(words, "JSON", Some(ColumnType::Jsonb), (oid::JSONB, -1, -1), &["ab", "é"]);
    let money = Decimal128Array::from(vec![150, -5]).with_precision_and_scale(10, 2).unwrap();
    let money: ArrayRef = Arc::new(money);
    check(money.clone(), "DECIMAL(10,2)", None, (oid::NUMERIC, -1, -1), &["1.50", "-0.05"]);
    let ty = ColumnType::Numeric(10, 2);
    check(money, "DECIMAL(10,2)", Some(ty), (oid::NUMERIC, 655_366, -1), &["1.50", "-0.05"]);
    let wide: ArrayRef = Arc::new(Int64Array::from(vec![7]));
    check(wide.clone(), "BIGINT", Some(ColumnType::Int4), (oid::INT4, -1, 4), &["7"]);
    // What cannot be shown as declared is told as what it is.
    check(wide, "BIGINT", Some(ColumnType::Date), (oid::INT8, -1, 8), &["7"]);
    let too_wide: ArrayRef = Arc::new(Int64Array::from(vec![1 << 40]));
    let encoder = Encoder::new(too_wide.data_type(), "", Some(&ColumnType::Int4), &ctx()).unwrap();
    let error = encoder.bind(&too_wide).unwrap().encode_text(0, &mut BytesMut::new()).unwrap_err();
    assert_eq!(error.to_string(), "22003: integer out of range");
}

#[test]
fn nested_values_are_json_text() {
    let text = (oid::TEXT, -1, -1);
    let numbers: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), None]));
    let words: ArrayRef = Arc::new(StringArray::from(vec!["x\"y", "z"]));
    let field = |name: &str, array: &ArrayRef| Arc::new(Field::new(name, array.data_type().clone(), true));
    let row = StructArray::from(vec![(field("a", &numbers), numbers.clone()), (field("b", &words), words)]);
    check(
        Arc::new(row),
        "STRUCT(a INTEGER, b VARCHAR)",
        None,
        text,
        &["{\"a\": 1, \"b\": \"x\\\"y\"}", "{\"a\": null, \"b\": \"z\"}"],
    );
    let mut map = MapBuilder::new(None, StringBuilder::new(), Int32Builder::new());
    map.keys().append_value("k");
    map.values().append_value(1);
    map.append(true).unwrap();
    check(Arc::new(map.finish()), "MAP(VARCHAR, INTEGER)", None, text, &["{\"k\": 1}"]);
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1), None]), None, Some(vec![])]);
    check(Arc::new(list.clone()), "INTEGER[]", None, (1007, -1, -1), &["{1,NULL}", "NULL", "{}"]);
    let field = Field::new("item", list.data_type().clone(), true).into();
    let offsets = arrow::buffer::OffsetBuffer::from_lengths([3]);
    let lists = ListArray::new(field, offsets, Arc::new(list), None);
    check(Arc::new(lists), "INTEGER[][]", None, text, &["[[1, null], null, []]"]);
}

#[test]
fn whole_messages() {
    let numbers: ArrayRef = Arc::new(Int32Array::from(vec![Some(7), None]));
    let words: ArrayRef = Arc::new(StringArray::from(vec!["ab", ""]));
    let batch = RecordBatch::try_from_iter_with_nullable([("a", numbers, true), ("b", words, true)]).unwrap();
    let encoder = |i: usize| Encoder::new(batch.column(i).data_type(), "", None, &ctx()).unwrap();
    let writer = DataRowWriter::new(vec![(encoder(0), Format::Binary), (encoder(1), Format::Text)]);
    let mut out = BytesMut::new();
    writer.write(&batch, 0..2, &mut out).unwrap();
    let first = b"D\0\0\0\x14\0\x02\0\0\0\x04\0\0\0\x07\0\0\0\x02ab";
    let second = b"D\0\0\0\x0e\0\x02\xff\xff\xff\xff\0\0\0\0";
    assert_eq!(&out[..], [&first[..], &second[..]].concat());
}

//! A table with a column of every type, and rows with ordinary values, extremes and NULLs.
#![allow(dead_code)]

use std::sync::Arc;

use arrow::{
    array::*,
    buffer::{NullBuffer, OffsetBuffer},
    datatypes::{Field, IntervalMonthDayNano, Schema},
};
use duckmesh_catalog::{ColumnDef, ColumnId, ColumnType, SchemaId, TableDef, TableId};
use uuid::Uuid;

/// A table whose columns have ids 1, 2, …; an array takes two.
pub fn table(columns: &[(&str, ColumnType)]) -> TableDef {
    let mut next = 1;
    let columns: Vec<ColumnDef> = columns
        .iter()
        .map(|(name, ty)| {
            let id = next;
            let is_array = matches!(ty, ColumnType::Array(_));
            next += if is_array { 2 } else { 1 };
            ColumnDef {
                id: ColumnId::new(id),
                element_id: is_array.then_some(ColumnId::new(id + 1)),
                name: (*name).to_owned(),
                ty: ty.clone(),
                nullable: true,
                default: None,
                initial_default: None,
                comment: None,
                domain: None,
            }
        })
        .collect();
    TableDef {
        id: TableId::new(1),
        uuid: Uuid::nil(),
        schema_id: SchemaId::new(0),
        name: "t".into(),
        path: "t/".into(),
        columns,
        next_column_id: ColumnId::new(next),
        constraints: Vec::new(),
        indexes: Vec::new(),
        comment: None,
    }
}

pub fn ids(table: &TableDef) -> Vec<ColumnId> {
    table.columns.iter().map(|c| c.id).collect()
}

pub fn batch(table: &TableDef, arrays: Vec<ArrayRef>) -> RecordBatch {
    let fields: Vec<_> = table.columns.iter().map(|c| Field::new(&c.name, c.ty.arrow(), true)).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap()
}

fn array_of(ty: ColumnType) -> ColumnType {
    ColumnType::Array(Box::new(ty))
}

/// Three values each: two at the ends, then NULL.
pub fn every_type() -> (TableDef, RecordBatch) {
    let table = table(&[
        ("b", ColumnType::Bool),
        ("i2", ColumnType::Int2),
        ("i4", ColumnType::Int4),
        ("i8", ColumnType::Int8),
        ("f4", ColumnType::Float4),
        ("f8", ColumnType::Float8),
        ("n4", ColumnType::Numeric(4, 1)),
        ("n18", ColumnType::Numeric(18, 2)),
        ("n19", ColumnType::Numeric(19, 0)),
        ("n38", ColumnType::Numeric(38, 9)),
        ("s", ColumnType::Text),
        ("v", ColumnType::Varchar(Some(300))),
        ("c", ColumnType::Char(5)),
        ("bl", ColumnType::Bytea),
        ("d", ColumnType::Date),
        ("t", ColumnType::Time),
        ("ts", ColumnType::Timestamp),
        ("tz", ColumnType::Timestamptz),
        ("iv", ColumnType::Interval),
        ("u", ColumnType::Uuid),
        ("j", ColumnType::Json),
        ("jb", ColumnType::Jsonb),
        ("a", array_of(ColumnType::Int4)),
        ("at", array_of(ColumnType::Text)),
        ("aiv", array_of(ColumnType::Interval)),
        ("an", array_of(ColumnType::Numeric(10, 2))),
        ("au", array_of(ColumnType::Uuid)),
    ]);
    let max38 = 10_i128.pow(38) - 1;
    let decimals = |values: [i128; 2], p, s| -> ArrayRef {
        let array = Decimal128Array::from(vec![Some(values[0]), Some(values[1]), None]);
        Arc::new(array.with_precision_and_scale(p, s).unwrap())
    };
    let long = "x".repeat(300);
    let texts =
        |values: [&str; 2]| -> ArrayRef { Arc::new(StringArray::from(vec![Some(values[0]), Some(values[1]), None])) };
    let iv = IntervalMonthDayNano::new;
    let intervals = vec![Some(iv(-14, -3, 3_500_000_000)), Some(iv(i32::MAX, i32::MIN, 4_294_967_295_000_000)), None];
    let last_day = 86_400_000_000;
    let uuids: ArrayRef = Arc::new(
        FixedSizeBinaryArray::try_from_sparse_iter_with_size(
            [Some(vec![0xff; 16]), Some(vec![0; 16]), None].into_iter(),
            16,
        )
        .unwrap(),
    );
    let arrays: Vec<ArrayRef> = vec![
        Arc::new(BooleanArray::from(vec![Some(false), Some(true), None])),
        Arc::new(Int16Array::from(vec![Some(i16::MIN), Some(i16::MAX), None])),
        Arc::new(Int32Array::from(vec![Some(i32::MIN), Some(i32::MAX), None])),
        Arc::new(Int64Array::from(vec![Some(i64::MIN), Some(i64::MAX), None])),
        Arc::new(Float32Array::from(vec![Some(0.1), Some(f32::NAN), None])),
        Arc::new(Float64Array::from(vec![Some(f64::NEG_INFINITY), Some(1e300), None])),
        decimals([-9_999, 9_999], 4, 1),
        decimals([-999_999_999_999_999_999, 5], 18, 2),
        decimals([-9_999_999_999_999_999_999, 7], 19, 0),
        decimals([-max38, max38], 38, 9),
        texts(["", "it's é"]),
        texts(["a", &long]),
        texts(["ab", "abcde"]),
        Arc::new(BinaryArray::from_opt_vec(vec![Some(&[0, 0xab]), Some(b""), None])),
        Arc::new(Date32Array::from(vec![Some(-735_160), Some(i32::MAX), None])),
        Arc::new(Time64MicrosecondArray::from(vec![Some(500_000), Some(last_day), None])),
        Arc::new(TimestampMicrosecondArray::from(vec![Some(-i64::MAX), Some(1_704_164_645_123_400), None])),
        Arc::new(
            TimestampMicrosecondArray::from(vec![Some(-63_517_820_276_500_000), Some(i64::MAX), None])
                .with_timezone("UTC"),
        ),
        Arc::new(IntervalMonthDayNanoArray::from(intervals.clone())),
        uuids.clone(),
        texts(["{\"a\":1}", "[]"]),
        texts(["{\"a\": 1}", "null"]),
        list(Arc::new(Int32Array::from(vec![Some(1), None, Some(3)]))),
        list(Arc::new(StringArray::from(vec![Some("NULL"), None, Some("q\"'x")]))),
        list(Arc::new(IntervalMonthDayNanoArray::from(intervals))),
        list(decimals([-5, 1_234_567_890], 10, 2)),
        list(uuids),
    ];
    let batch = batch(&table, arrays);
    (table, batch)
}

/// `[all three values]`, `[]`, NULL.
fn list(values: ArrayRef) -> ArrayRef {
    let item = Arc::new(Field::new("element", values.data_type().clone(), true));
    let nulls = NullBuffer::from(vec![true, true, false]);
    Arc::new(ListArray::new(item, OffsetBuffer::from_lengths([3, 0, 0]), values, Some(nulls)))
}

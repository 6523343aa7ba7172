//! Every type goes through Parquet and comes back, with the field ids and statistics of a lake.

mod common;

use std::sync::Arc;

use arrow::{array::*, compute::concat_batches, datatypes::IntervalMonthDayNano};
use duckmesh_catalog::{ColumnId, ColumnType, Offset, files::ColumnStats};
use duckmesh_storage::{ErrorKind, NameSeed, encode, write_rows, write_scratch};
use parquet::{
    arrow::arrow_reader::ParquetRecordBatchReaderBuilder,
    basic::{ConvertedType, LogicalType},
    column::reader::ColumnReader,
    file::reader::{FileReader, SerializedFileReader},
};

const SEED: NameSeed = NameSeed::new(Offset::new(7), 0);

#[test]
fn every_type_comes_back() {
    let (table, batch) = common::every_type();
    let file = encode(&table, &common::ids(&table), std::slice::from_ref(&batch), &SEED).unwrap();
    assert_eq!(file.file.size_bytes, file.bytes.len() as u64);
    let reader = ParquetRecordBatchReaderBuilder::try_new(file.bytes.clone()).unwrap();
    let read: Vec<_> = reader.build().unwrap().collect::<Result<_, _>>().unwrap();
    let read = concat_batches(&read[0].schema(), &read).unwrap();
    for (column, (expect, found)) in table.columns.iter().zip(batch.columns().iter().zip(read.columns())) {
        if column.name.ends_with("iv") {
            continue; // Arrow's reader takes its 12 bytes for days and milliseconds: it has its own test.
        }
        let expect = arrow::compute::cast(expect, found.data_type()).unwrap();
        assert_eq!(&expect, found, "{}", column.name);
    }
}

#[test]
fn intervals_are_stored_as_duckdb_reads_them() {
    let table = common::table(&[("x", ColumnType::Interval)]);
    let value = IntervalMonthDayNano::new(-2, 3, 4_294_967_295_000_000);
    let batch = common::batch(&table, vec![Arc::new(IntervalMonthDayNanoArray::from(vec![value]))]);
    let file = encode(&table, &common::ids(&table), &[batch], &SEED).unwrap();
    let reader = SerializedFileReader::new(file.bytes).unwrap();
    let column = reader.get_row_group(0).unwrap().get_column_reader(0).unwrap();
    let ColumnReader::FixedLenByteArrayColumnReader(mut column) = column else {
        panic!("fixed bytes");
    };
    let mut values = Vec::new();
    column.read_records(1, Some(&mut Vec::new()), None, &mut values).unwrap();
    let bytes = values[0].data();
    assert_eq!(bytes, [0xfe, 0xff, 0xff, 0xff, 3, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
}

/// DuckDB answers `max(x)` from the file's own statistics and skips row groups by them: with a NaN there must be none.
#[test]
fn a_row_group_with_nan_has_no_bounds_in_the_file() {
    let table = common::table(&[("x", ColumnType::Float8), ("y", ColumnType::Float4)]);
    let rows = 200_000_u32;
    let x = (0..rows).map(|i| if i == 150_000 { f64::NAN } else { f64::from(i) });
    let y = (0..rows).map(|i| if i < 122_880 { f32::NAN } else { 1.5 });
    let batch = common::batch(
        &table,
        vec![Arc::new(Float64Array::from_iter_values(x)), Arc::new(Float32Array::from_iter_values(y))],
    );
    let file = encode(&table, &common::ids(&table), &[batch], &SEED).unwrap();
    let reader = SerializedFileReader::new(file.bytes.clone()).unwrap();
    let groups = reader.metadata().row_groups().iter();
    let bounded: Vec<_> = groups
        .flat_map(|group| group.columns())
        .map(|column| column.statistics().unwrap().min_bytes_opt().is_some())
        .collect();
    assert_eq!(bounded, [true, false, false, true]);
    let zero = reader.metadata().row_group(0).column(0).statistics().unwrap().min_bytes_opt();
    assert_eq!(zero, Some(&0.0_f64.to_le_bytes()[..]), "not -0");
    let [x, y] = &file.file.stats[..] else { panic!("two columns") };
    assert_eq!((x.min.as_deref(), x.max.as_deref(), x.contains_nan), (Some("0.0"), Some("199999.0"), Some(true)));
    assert_eq!((y.min.as_deref(), y.max.as_deref(), y.contains_nan), (Some("1.5"), Some("1.5"), Some(true)));
    assert_eq!((y.value_count, y.null_count), (200_000, 0));
}

#[test]
fn fields_are_what_ducklake_reads() {
    let (table, batch) = common::every_type();
    let file = encode(&table, &common::ids(&table), &[batch], &SEED).unwrap();
    let reader = SerializedFileReader::new(file.bytes.clone()).unwrap();
    let metadata = reader.metadata().file_metadata();
    assert!(metadata.key_value_metadata().is_none(), "no Arrow schema beside the Parquet one");
    let root = metadata.schema_descr().root_schema().get_fields().to_vec();
    for (column, field) in table.columns.iter().zip(&root) {
        assert_eq!(i64::from(field.get_basic_info().id()), column.id.get(), "{}", column.name);
        assert!(field.is_optional(), "{}", column.name);
        if let Some(element) = column.element_id {
            let item = &field.get_fields()[0].get_fields()[0];
            assert_eq!((item.name(), i64::from(item.get_basic_info().id())), ("element", element.get()));
        }
    }
    let field = |name: &str| root.iter().find(|f| f.name() == name).unwrap().get_basic_info().clone();
    assert_eq!(field("iv").converted_type(), ConvertedType::INTERVAL);
    assert_eq!(field("u").logical_type_ref(), Some(&LogicalType::Uuid));
    assert_eq!(field("jb").logical_type_ref(), Some(&LogicalType::Json));
    assert_eq!(field("i2").converted_type(), ConvertedType::INT_16);
    assert_eq!(field("tz").converted_type(), ConvertedType::TIMESTAMP_MICROS);
}

#[test]
fn statistics_are_ducklakes_text() {
    let (table, batch) = common::every_type();
    let file = encode(&table, &common::ids(&table), &[batch], &SEED).unwrap().file;
    let nines = "9".repeat(29);
    let (min38, max38) = (format!("-{nines}.999999999"), format!("{nines}.999999999"));
    let (zero, ones) = (uuid::Uuid::nil().to_string(), uuid::Uuid::max().to_string());
    let expect: &[(&str, Option<&str>, Option<&str>)] = &[
        ("b", Some("0"), Some("1")),
        ("i2", Some("-32768"), Some("32767")),
        ("i4", Some("-2147483648"), Some("2147483647")),
        ("i8", Some("-9223372036854775808"), Some("9223372036854775807")),
        ("f4", Some("0.1"), Some("0.1")),
        ("f8", Some("-inf"), Some("1e+300")),
        ("n4", Some("-999.9"), Some("999.9")),
        ("n18", Some("-9999999999999999.99"), Some("0.05")),
        ("n19", Some("-9999999999999999999"), Some("7")),
        ("n38", Some(&min38), Some(&max38)),
        ("s", Some(""), Some("it's é")),
        ("v", Some("a"), None),
        ("c", Some("ab"), Some("abcde")),
        ("bl", Some(""), Some("00AB")),
        ("d", Some("0044-03-15 (BC)"), Some("infinity")),
        ("t", Some("00:00:00.5"), Some("24:00:00")),
        ("ts", Some("-infinity"), Some("2024-01-02 03:04:05.1234")),
        ("tz", Some("0044-03-15 (BC) 01:02:03.5+00"), Some("infinity")),
        ("iv", None, None),
        ("u", Some(&zero), Some(&ones)),
        ("j", Some("[]"), Some("{\"a\":1}")),
        ("jb", Some("null"), Some("{\"a\": 1}")),
        ("a", Some("1"), Some("3")),
        ("at", Some("NULL"), Some("q\"'x")),
        ("aiv", None, None),
        ("an", Some("-0.05"), Some("12345678.90")),
        ("au", Some(&zero), Some(&ones)),
    ];
    assert_eq!(file.stats.len(), expect.len());
    for (column, (stats, (name, min, max))) in table.columns.iter().zip(file.stats.iter().zip(expect)) {
        assert_eq!(column.name, *name);
        assert_eq!((stats.min.as_deref(), stats.max.as_deref()), (*min, *max), "{name}");
        assert_eq!(stats.column, column.element_id.unwrap_or(column.id), "{name}");
        // An empty list and a NULL list have one NULL leaf each, as DuckLake counts.
        let counts = if column.element_id.is_some() { (2, 3) } else { (2, 1) };
        assert_eq!((stats.value_count, stats.null_count), counts, "{name}");
        let nan = match *name {
            "f4" => Some(true),
            "f8" => Some(false),
            _ => None,
        };
        assert_eq!(stats.contains_nan, nan, "{name}");
        assert!(stats.size_bytes > 0, "{name}");
    }
}

#[test]
fn statistics_span_row_groups() {
    let table = common::table(&[("i", ColumnType::Int8), ("s", ColumnType::Text), ("n", ColumnType::Int4)]);
    let rows = 300_000;
    let long = "z".repeat(300);
    let batch = common::batch(
        &table,
        vec![
            Arc::new(Int64Array::from_iter_values((0..rows).map(|i| 1_000 - i))),
            // One long text in the first row group: its maximum is not known for the file either.
            Arc::new(StringArray::from_iter_values(
                (0..rows).map(|i| if i == 5 { long.clone() } else { i.to_string() }),
            )),
            Arc::new(Int32Array::from_iter((0..rows).map(|_| None))),
        ],
    );
    let batches: Vec<_> = (0..3).map(|i| batch.slice(i * 100_000, 100_000)).collect();
    let file = encode(&table, &common::ids(&table), &batches, &SEED).unwrap();
    let reader = SerializedFileReader::new(file.bytes.clone()).unwrap();
    assert_eq!(reader.metadata().num_row_groups(), 3);
    let stats = |i: usize| -> (Option<&str>, Option<&str>) {
        let stats: &ColumnStats = &file.file.stats[i];
        (stats.min.as_deref(), stats.max.as_deref())
    };
    assert_eq!(stats(0), (Some("-298999"), Some("1000")));
    assert_eq!(stats(1), (Some("0"), None));
    assert_eq!(stats(2), (None, None));
    assert_eq!((file.file.stats[2].value_count, file.file.stats[2].null_count), (0, 300_000));
    assert_eq!(file.file.record_count, 300_000);
}

#[test]
fn equal_rows_are_equal_bytes() {
    let (table, batch) = common::every_type();
    let ids = common::ids(&table);
    let first = encode(&table, &ids, std::slice::from_ref(&batch), &SEED).unwrap();
    let again = encode(&table, &ids, std::slice::from_ref(&batch), &SEED).unwrap();
    assert_eq!(first.bytes, again.bytes);
    assert_eq!(first.file, again.file);
    let later = encode(&table, &ids, &[batch], &NameSeed::new(Offset::new(8), 0)).unwrap();
    assert_ne!(first.file.path, later.file.path);
    assert!(first.file.path.starts_with("duckmesh-000000000007-0-"), "{}", first.file.path);
}

#[test]
fn some_columns_only_and_no_rows() {
    let table = common::table(&[("a", ColumnType::Int4), ("b", ColumnType::Text), ("c", ColumnType::Bool)]);
    let columns = [ColumnId::new(3), ColumnId::new(1)];
    let empty = encode(&table, &columns, &[], &SEED).unwrap().file;
    assert_eq!(empty.record_count, 0);
    assert_eq!(empty.stats.iter().map(|s| s.column).collect::<Vec<_>>(), columns);
}

#[test]
fn what_a_lake_cannot_hold_is_refused() {
    let iv = IntervalMonthDayNano::new;
    let table = common::table(&[("x", ColumnType::Interval)]);
    for (value, message) in [
        (iv(0, 0, 1), "fraction of a millisecond"),
        (iv(0, 0, -1_000_000), "out of range"),
        (iv(0, 0, 4_294_967_296_000_000), "out of range"),
    ] {
        let batch = common::batch(&table, vec![Arc::new(IntervalMonthDayNanoArray::from(vec![value]))]);
        let error = encode(&table, &common::ids(&table), &[batch], &SEED).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains(message), "{error}");
    }
    let foreign = common::table(&[("x", ColumnType::Other("uint8".into()))]);
    let error = encode(&foreign, &common::ids(&foreign), &[], &SEED).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let wrong = common::batch(&common::table(&[("x", ColumnType::Int4)]), vec![Arc::new(Int32Array::from(vec![1]))]);
    let error = encode(&table, &common::ids(&table), &[wrong], &SEED).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

#[test]
fn scratch_is_readable() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scratch.parquet");
    let (table, batch) = common::every_type();
    write_scratch(&table, &common::ids(&table), &[batch.clone(), batch], &path).unwrap();
    let reader = SerializedFileReader::new(std::fs::File::open(&path).unwrap()).unwrap();
    assert_eq!(reader.metadata().file_metadata().num_rows(), 6);
}

#[test]
fn inlined_rows_are_text_in_duckdbs_form() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.parquet");
    let table = common::table(&[
        ("b", ColumnType::Bool),
        ("bl", ColumnType::Bytea),
        ("iv", ColumnType::Interval),
        ("a", ColumnType::Array(Box::new(ColumnType::Text))),
        ("s", ColumnType::Other("STRUCT(a INTEGER)".into())),
    ]);
    let row = |values: [Option<&str>; 5]| values.map(|v| v.map(str::to_owned)).to_vec();
    let rows = [
        row([Some("1"), Some("\\x00ab41"), Some("-1 mons +2 days -00:00:03.5"), Some("[NULL, b]"), Some("{'a': 1}")]),
        row([None; 5]),
    ];
    write_rows(&table, &common::ids(&table), &rows, &path).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(&path).unwrap()).unwrap();
    let batch = reader.build().unwrap().next().unwrap().unwrap();
    let expect = ["1", "\\x00\\xAB\\x41", "-1 months 2 days -00:00:03.5", "[NULL, b]", "{'a': 1}"];
    for (column, expect) in batch.columns().iter().zip(expect) {
        assert_eq!(column.as_string::<i32>().iter().collect::<Vec<_>>(), [Some(expect), None]);
    }
    let short = [vec![None]];
    let error = write_rows(&table, &common::ids(&table), &short, &path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
}

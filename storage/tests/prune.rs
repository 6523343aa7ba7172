//! A file is left out only if no row of it can match.

mod common;

use std::{cmp::Ordering, collections::HashMap, sync::Arc};

use arrow::array::{ArrayRef, Decimal128Array, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray};
use duckmesh_catalog::{
    ColumnId, ColumnType, FileId, Offset, SnapshotId,
    files::{DataFile, FileRange},
};
use duckmesh_storage::{ColumnPredicate, Comparison, NameSeed, Ranges, Test, encode, prune, text};
use proptest::prelude::*;

const COLUMN: ColumnId = ColumnId::new(1);
const FILE: FileId = FileId::new(5);

fn file() -> DataFile {
    DataFile {
        id: FILE,
        path: "f".into(),
        path_is_relative: true,
        record_count: 10,
        size_bytes: 1,
        row_id_start: None,
        begin_snapshot: SnapshotId::new(1),
        partial_max: None,
        is_mapped: false,
        columns_with_stats: 1,
        deletes: None,
    }
}

fn is_kept(range: FileRange, ty: ColumnType, test: Test) -> bool {
    let ranges: Ranges = HashMap::from([(COLUMN, Arc::new(HashMap::from([(FILE, range)])))]);
    let predicate = ColumnPredicate { column: COLUMN, ty, test };
    !prune(&[file()], &ranges, &[predicate]).is_empty()
}

fn range(min: Option<&str>, max: Option<&str>) -> FileRange {
    FileRange {
        file: FILE,
        min: min.map(Into::into),
        max: max.map(Into::into),
        null_count: Some(1),
        value_count: Some(9),
    }
}

fn compare(op: &str, value: &str) -> Test {
    let comparison = match op {
        "=" => Comparison::Eq,
        "<" => Comparison::Lt,
        "<=" => Comparison::Le,
        ">" => Comparison::Gt,
        _ => Comparison::Ge,
    };
    Test::Compare(comparison, value.into())
}

/// Type, minimum, maximum, operator, constant, whether the file stays.
type Case<'a> = (&'a ColumnType, Option<&'a str>, Option<&'a str>, &'a str, &'a str, bool);

#[test]
fn comparisons() {
    let number = ColumnType::Int8;
    let numeric = ColumnType::Numeric(10, 2);
    let (float, real) = (ColumnType::Float8, ColumnType::Float4);
    let (date, tz) = (ColumnType::Date, ColumnType::Timestamptz);
    let uuid = "00000000-0000-0000-0000-0000000000ff";
    #[rustfmt::skip]
    let table: &[Case] = &[
        (&number, Some("9"), Some("10"), "=", "10", true),
        (&number, Some("9"), Some("10"), "=", "11", false),
        (&number, Some("9"), Some("10"), "=", "8", false),
        (&number, Some("9"), Some("10"), "=", "9.5", true),
        (&number, Some("9"), Some("10"), "<", "9", false),
        (&number, Some("9"), Some("10"), "<=", "9", true),
        (&number, Some("9"), Some("10"), ">", "10", false),
        (&number, Some("9"), Some("10"), ">=", "10", true),
        (&number, Some("9"), Some("10"), ">=", "10.000001", false),
        (&number, Some("-10"), Some("-9"), "<", "-10", false),
        (&number, Some("-10"), Some("-9"), ">", "-9.5", true),
        (&number, Some("9"), None, ">", "100", true),
        (&number, Some("9"), None, "<", "9", false),
        (&number, None, Some("10"), "=", "11", false),
        (&number, None, None, "=", "11", true),
        (&number, Some("9"), Some("10"), "=", "ten", true),
        (&number, Some("?"), Some("10"), "<", "9", true),
        (&number, Some("-9223372036854775808"), Some("0"), "<", "-9223372036854775809", false),
        (&numeric, Some("-0.05"), Some("99999999.99"), "=", "0", true),
        (&numeric, Some("-0.05"), Some("99999999.99"), "<", "-0.050", false),
        (&numeric, Some("-0.05"), Some("99999999.99"), "<=", "-.05", true),
        (&numeric, Some("0.00"), Some("1.00"), "<", "-0", false),
        (&float, Some("1.5"), Some("1e+20"), "<", "1.4", false),
        (&float, Some("1.5"), Some("1e+20"), "<", "1.6", true),
        (&float, Some("1.5"), Some("1e+20"), "=", "1e21", false),
        // NaN is larger than every number, and never in the bounds.
        (&float, Some("1.5"), Some("1e+20"), ">", "1e21", true),
        (&float, Some("1.5"), Some("1e+20"), "=", "NaN", true),
        (&float, Some("-inf"), Some("inf"), "<", "-1e308", true),
        // 0.1 as real is more than 0.1 as double precision: the column may have been widened.
        (&float, Some("0"), Some("0.1"), "=", "0.10000000149011612", true),
        (&real, Some("0.1"), Some("0.1"), "=", "0.2", false),
        (&ColumnType::Text, Some("b"), Some("d"), "=", "c", true),
        (&ColumnType::Text, Some("b"), Some("d"), "=", "da", false),
        (&ColumnType::Text, Some("b"), Some("d"), ">", "d", false),
        (&ColumnType::Text, Some("B"), Some("Z"), "=", "b", false),
        (&ColumnType::Text, Some(""), Some("é"), "=", "z", true),
        (&ColumnType::Char(5), Some("b"), Some("d"), "=", "d    ", true),
        (&ColumnType::Char(5), Some("b"), Some("d"), ">", "x", true),
        (&ColumnType::Bool, Some("1"), Some("1"), "=", "false", false),
        (&ColumnType::Bool, Some("0"), Some("1"), "=", "false", true),
        (&ColumnType::Bytea, Some("00"), Some("AB"), "=", "\\xac", false),
        (&ColumnType::Bytea, Some("00"), Some("AB"), "=", "\\xab", true),
        (&ColumnType::Uuid, Some(uuid), Some(uuid), "=", "00000000-0000-0000-0000-0000000000FF", true),
        (&ColumnType::Uuid, Some(uuid), Some(uuid), "<", uuid, false),
        (&date, Some("0044-03-15 (BC)"), Some("2024-01-02"), "<", "0044-03-15 (BC)", false),
        (&date, Some("0044-03-15 (BC)"), Some("2024-01-02"), ">", "2024-01-01", true),
        (&date, Some("2024-01-02"), Some("infinity"), ">", "9999-01-01", true),
        (&date, Some("2024-01-02"), Some("10000-01-01"), ">=", "10000-01-02", false),
        (&date, Some("2024-01-02"), Some("2024-01-02"), "<", "2024-01-02 00:00:01", true),
        (&tz, Some("2024-01-02 03:04:05+00"), Some("2024-01-02 03:04:05+00"), "=", "2024-01-01 22:04:05-05", true),
        (&tz, Some("2024-01-02 03:04:05+00"), Some("2024-01-02 03:04:05+00"), "=", "2024-01-02 03:04:05-05", false),
        (&tz, Some("2024-01-02 03:04:05+00"), Some("2024-01-02 03:04:05+00"), "=", "2023-01-02 03:04:05", true),
        (&ColumnType::Time, Some("03:04:05.5"), Some("24:00:00"), "<", "03:04:05.5", false),
        (&ColumnType::Json, Some("1"), Some("1"), "=", "2", true),
    ];
    for (ty, min, max, op, value, expect) in table {
        let kept = is_kept(range(*min, *max), (*ty).clone(), compare(op, value));
        assert_eq!(kept, *expect, "{ty}: {min:?}..{max:?} {op} {value}");
    }
}

#[test]
fn lists_and_nulls() {
    let counts = |null_count, value_count| FileRange { null_count, value_count, ..range(Some("1"), Some("5")) };
    let ty = || ColumnType::Int4;
    let list = |values: &[&str]| Test::In(values.iter().map(|v| (*v).to_owned()).collect());
    assert!(is_kept(counts(None, None), ty(), list(&["0", "5"])));
    assert!(!is_kept(counts(None, None), ty(), list(&["0", "6"])));
    assert!(is_kept(counts(None, None), ty(), list(&["0", "?"])));
    assert!(!is_kept(counts(None, None), ty(), list(&[])));
    for (null_count, value_count, may_be_null, may_be_value) in [
        (None, None, true, true),
        (Some(0), Some(10), false, true),
        (Some(0), None, true, true),
        (Some(10), Some(0), true, false),
        (Some(1), Some(9), true, true),
        // DuckLake's way to say that there are no statistics.
        (Some(0), Some(0), true, true),
    ] {
        let counts = || counts(null_count, value_count);
        assert_eq!(is_kept(counts(), ty(), Test::IsNull), may_be_null, "{null_count:?} {value_count:?}");
        assert_eq!(is_kept(counts(), ty(), Test::IsNotNull), may_be_value, "{null_count:?} {value_count:?}");
        assert_eq!(is_kept(counts(), ty(), compare("=", "3")), may_be_value, "{null_count:?} {value_count:?}");
        assert_eq!(is_kept(counts(), ColumnType::Json, compare("=", "3")), may_be_value);
    }
}

#[test]
fn without_statistics_everything_stays() {
    let predicate = |column| ColumnPredicate { column, ty: ColumnType::Int4, test: compare("=", "7") };
    let ranges: Ranges = HashMap::from([(COLUMN, Arc::new(HashMap::new()))]);
    let predicates = [predicate(COLUMN), predicate(ColumnId::new(2))];
    assert_eq!(prune(&[file(), file()], &ranges, &predicates).len(), 2);
}

/// Encodes one column, and asks for a file with the statistics that came out.
fn encoded(ty: &ColumnType, array: ArrayRef) -> FileRange {
    let table = common::table(&[("x", ty.clone())]);
    let batch = common::batch(&table, vec![array]);
    let file = encode(&table, &[COLUMN], &[batch], &NameSeed::new(Offset::new(1), 0)).unwrap().file;
    let stats = file.stats[0].clone();
    FileRange {
        file: FILE,
        min: stats.min,
        max: stats.max,
        null_count: Some(stats.null_count),
        value_count: Some(stats.value_count),
    }
}

fn matches(op: &str, order: Ordering) -> bool {
    match op {
        "=" => order.is_eq(),
        "<" => order.is_lt(),
        "<=" => order.is_le(),
        ">" => order.is_gt(),
        _ => order.is_ge(),
    }
}

fn small_or_any() -> impl Strategy<Value = i64> {
    prop_oneof![-20..20_i64, any::<i64>(), Just(i64::MAX), Just(i64::MIN)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// A pruned file never holds a matching row: bigint, numeric and timestamp share their numbers.
    #[test]
    fn no_match_is_ever_pruned(
        values in proptest::collection::vec(proptest::option::of(small_or_any()), 0..8),
        value in small_or_any(),
        scale in 0..19_i8,
    ) {
        let numeric = ColumnType::Numeric(38, scale);
        let decimals: Decimal128Array = values.iter().map(|v| v.map(i128::from)).collect();
        let decimals = decimals.with_precision_and_scale(38, scale).unwrap();
        let columns: [(ColumnType, ArrayRef, String); 3] = [
            (ColumnType::Int8, Arc::new(Int64Array::from(values.clone())), value.to_string()),
            (numeric, Arc::new(decimals), text::decimal(value.into(), scale)),
            (
                ColumnType::Timestamp,
                Arc::new(TimestampMicrosecondArray::from(values.clone())),
                text::timestamp(value, false),
            ),
        ];
        for (ty, array, constant) in columns {
            let range = encoded(&ty, array);
            for op in ["=", "<", "<=", ">", ">="] {
                let matching = values.iter().flatten().any(|v| matches(op, v.cmp(&value)));
                let kept = is_kept(range.clone(), ty.clone(), compare(op, &constant));
                prop_assert!(kept || !matching, "{} {} {} {:?}", ty, op, constant, values);
            }
        }
    }

    /// The same for text, and for floats with NaN as the largest.
    #[test]
    fn no_text_or_float_is_ever_pruned(
        texts in proptest::collection::vec(proptest::option::of("[a-cé]{0,3}"), 0..6),
        text in "[a-cé]{0,3}",
        floats in proptest::collection::vec(proptest::option::of(any::<f64>()), 0..6),
        float in prop_oneof![any::<f64>(), -2.0..2.0_f64],
    ) {
        let texts_range = encoded(&ColumnType::Text, Arc::new(StringArray::from(texts.clone())));
        let floats_range = encoded(&ColumnType::Float8, Arc::new(Float64Array::from(floats.clone())));
        for op in ["=", "<", "<=", ">", ">="] {
            let matching = texts.iter().flatten().any(|v| matches(op, v.cmp(&text)));
            prop_assert!(is_kept(texts_range.clone(), ColumnType::Text, compare(op, &text)) || !matching);
            let order = |v: &f64| match (v.is_nan(), float.is_nan()) {
                (false, false) => v.partial_cmp(&float).unwrap_or(Ordering::Equal),
                (a, b) => a.cmp(&b),
            };
            let matching = floats.iter().flatten().any(|v| matches(op, order(v)));
            let kept = is_kept(floats_range.clone(), ColumnType::Float8, compare(op, &text::float8(float)));
            prop_assert!(kept || !matching, "{} {} {:?}", op, float, floats);
        }
    }
}

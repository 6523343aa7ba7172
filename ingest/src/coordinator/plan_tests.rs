//! Plans as tables.

use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch};
use bytes::Bytes;
use duckmesh_catalog::{ColumnId, Offset};
use proptest::prelude::*;
use uuid::Uuid;

use super::{Unit, plan};
use crate::{
    bus::StoredRecord,
    frame::{Content, SharedRows, encode_rows},
};

fn rows(counts: &[u32]) -> SharedRows {
    let total: u32 = counts.iter().sum();
    let numbers = Int64Array::from_iter_values(0..i64::from(total));
    SharedRows {
        table: Uuid::nil(),
        columns: vec![ColumnId::new(1)],
        rows_per_offset: counts.to_vec(),
        batch: RecordBatch::try_from_iter([("n", Arc::new(numbers) as _)]).unwrap(),
    }
}

fn unit(first: i64, ddl: bool) -> Unit {
    Unit {
        first: Offset::new(first),
        last: Offset::new(first),
        ddl,
        content: Ok(Content::Rows(rows(&[10]))),
        body: Bytes::new(),
    }
}

#[test]
fn ddl_is_alone_and_size_divides() {
    let size = unit(1, false).bytes();
    // r is rows, d is DDL; publications are divided by blanks.
    let check = |records: &str, bytes_max: usize, expect: &str| {
        let units = records.chars().zip(1..).map(|(c, n)| unit(n, c == 'd')).collect();
        let steps = plan(units, bytes_max);
        let step = |s: &Vec<Unit>| s.iter().map(|u| if u.ddl { 'd' } else { 'r' }).collect::<String>();
        assert_eq!(steps.iter().map(step).collect::<Vec<_>>().join(" "), expect, "{records}");
        let offsets: Vec<i64> = steps.iter().flatten().map(|u| u.first.get()).collect();
        assert_eq!(offsets, (1..=records.len() as i64).collect::<Vec<_>>());
    };
    check("", usize::MAX, "");
    check("rrr", usize::MAX, "rrr");
    check("rdr", usize::MAX, "r d r");
    check("ddrrd", usize::MAX, "d d rr d");
    check("rrrrr", size * 2, "rr rr r");
    check("rr", 0, "r r");
}

proptest! {
    #[test]
    fn a_record_splits_without_losing_rows(
        counts in prop::collection::vec(0_u32..5, 2..20),
        at in any::<prop::sample::Index>(),
    ) {
        let first = 100;
        let record = StoredRecord {
            first: Offset::new(first),
            last: Offset::new(first + counts.len() as i64 - 1),
            ddl: false,
            body: Bytes::from(encode_rows(Offset::ZERO, &rows(&counts)).unwrap()),
        };
        let whole = Unit::decode(&record, Offset::new(first - 1));
        prop_assert_eq!(whole.offsets(), counts.len());
        let at = 1 + at.index(counts.len() - 1);
        let (left, right) = whole.split_at(at);
        // What was published already is cut off when the record is read again.
        let again = Unit::decode(&record, left.last);
        prop_assert_eq!(again.first, right.first);
        let content = |unit: Unit| match unit.content {
            Ok(Content::Rows(rows)) => rows,
            other => panic!("{other:?}"),
        };
        prop_assert_eq!(left.last.next(), right.first);
        prop_assert_eq!(right.last, record.last);
        let (left, right, again) = (content(left), content(right), content(again));
        prop_assert_eq!(&left.rows_per_offset, &counts[..at]);
        prop_assert_eq!(&right.rows_per_offset, &counts[at..]);
        prop_assert_eq!(left.batch.num_rows() + right.batch.num_rows(), counts.iter().sum::<u32>() as usize);
        prop_assert_eq!(&again.batch, &right.batch);
    }
}

//! Frames survive the trip, and hostile bytes are refused.

use std::sync::Arc;

use arrow::{
    array::{
        ArrayRef, BinaryArray, BooleanArray, Decimal128Array, Int64Array, ListArray, RecordBatch, RecordBatchOptions,
        StringArray,
    },
    datatypes::{Int32Type, Schema},
};
use bytes::Bytes;
use duckmesh_catalog::{
    ColumnId, Offset,
    ddl::DdlOp,
    files::{ColumnStats, NewFile},
};
use proptest::prelude::*;
use uuid::Uuid;

use super::{Body, Content, Part, SharedRows, decode, encode_parts, encode_rows};

const MADE_FOR: Offset = Offset::new(7);
const TABLE: Uuid = Uuid::from_u128(0x1234);

fn batch(numbers: &[Option<i64>], texts: &[Option<String>]) -> RecordBatch {
    let rows = numbers.len();
    let lists = (0..rows).map(|n| (n % 3 > 0).then(|| vec![Some(n as i32), None]));
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("n", Arc::new(Int64Array::from(numbers.to_vec()))),
        ("t", Arc::new(StringArray::from(texts.to_vec()))),
        ("b", Arc::new(BooleanArray::from(vec![Some(true); rows]))),
        ("x", Arc::new(BinaryArray::from(vec![Some(&b"\0\xff"[..]); rows]))),
        ("d", Arc::new(Decimal128Array::from(vec![Some(1_i128 << 100); rows]))),
        ("l", Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(lists))),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

fn small() -> RecordBatch {
    batch(&[Some(1), None, Some(i64::MIN)], &[None, Some("ä".into()), Some(String::new())])
}

fn ids() -> Vec<ColumnId> {
    (1..=6).map(ColumnId::new).collect()
}

fn shared(batch: RecordBatch, rows_per_offset: Vec<u32>) -> SharedRows {
    SharedRows { table: TABLE, columns: ids(), rows_per_offset, batch }
}

fn all_parts() -> Vec<Part> {
    let file = NewFile {
        path: "a b.parquet".into(),
        record_count: 3,
        size_bytes: 4,
        footer_size_bytes: 2,
        sha256: "00".into(),
        stats: vec![ColumnStats {
            column: ColumnId::new(1),
            size_bytes: 1,
            value_count: 2,
            null_count: 1,
            min: Some("-1".into()),
            max: None,
            contains_nan: None,
        }],
    };
    vec![
        Part::Ddl(vec![DdlOp::CreateSchema { uuid: TABLE, name: "s\"x".into() }]),
        Part::Rows { table: TABLE, columns: ids(), batch: small() },
        Part::Files { table: TABLE, files: vec![file] },
        Part::Rows {
            table: TABLE,
            columns: Vec::new(),
            batch: RecordBatch::try_new_with_options(
                Arc::new(Schema::empty()),
                Vec::new(),
                &RecordBatchOptions::new().with_row_count(Some(2)),
            )
            .unwrap(),
        },
    ]
}

fn assert_same(left: &RecordBatch, right: &RecordBatch) {
    assert_eq!(left.num_rows(), right.num_rows());
    assert_eq!(left.columns(), right.columns());
}

#[test]
fn parts_survive() {
    let bytes = Bytes::from(encode_parts(MADE_FOR, &all_parts()).unwrap());
    let Body { made_for, content: Content::Parts(parts) } = decode(&bytes, 1).unwrap() else {
        panic!("not parts");
    };
    assert_eq!(made_for, MADE_FOR);
    assert_eq!(parts.len(), 4);
    for (got, put) in parts.iter().zip(all_parts()) {
        match (got, put) {
            (Part::Ddl(got), Part::Ddl(put)) => assert_eq!(*got, put),
            (Part::Files { files: got, .. }, Part::Files { files: put, .. }) => {
                assert_eq!(*got, put)
            }
            (Part::Rows { table, columns, batch }, Part::Rows { columns: put, batch: rows, .. }) => {
                assert_eq!((*table, columns), (TABLE, &put));
                assert_same(batch, &rows);
            }
            other => panic!("{other:?}"),
        }
    }
}

proptest! {
    #[test]
    fn shared_rows_survive(
        rows in prop::collection::vec((any::<Option<i64>>(), any::<Option<String>>()), 0..200),
        cut in any::<prop::sample::Index>(),
    ) {
        let (numbers, texts): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
        let batch = batch(&numbers, &texts);
        let first = cut.index(batch.num_rows() + 1) as u32;
        let counts = vec![first, 0, batch.num_rows() as u32 - first];
        let bytes = Bytes::from(encode_rows(MADE_FOR, &shared(batch.clone(), counts.clone())).unwrap());
        prop_assert!(decode(&bytes, 2).is_err(), "the log's count of offsets rules");
        let Content::Rows(rows) = decode(&bytes, 3).unwrap().content else { panic!("not rows") };
        prop_assert_eq!(rows.rows_per_offset, counts);
        prop_assert_eq!(rows.columns, ids());
        assert_same(&rows.batch, &batch);
    }

    #[test]
    fn noise_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(decode(&Bytes::from(bytes), 1).is_err());
    }

    /// Bytes whose checksum is right but whose payload is anything: an error or a body, never a panic.
    #[test]
    fn sealed_noise_does_not_panic(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
        parts in any::<bool>(),
    ) {
        let mut bytes = match parts {
            true => encode_parts(MADE_FOR, &all_parts()).unwrap(),
            false => encode_rows(MADE_FOR, &shared(small(), vec![1, 2])).unwrap(),
        };
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let keep = 16 + cut.index(bytes.len() - 15);
        let _ = decode(&seal(bytes.clone()), if parts { 1 } else { 2 });
        bytes.truncate(keep);
        let _ = decode(&seal(bytes), if parts { 1 } else { 2 });
    }
}

/// Makes header and checksum right again, so that the bytes behind them are looked at.
fn seal(mut bytes: Vec<u8>) -> Bytes {
    let length = (bytes.len() - 16) as u32;
    bytes[..4].copy_from_slice(b"DMR\x01");
    bytes[8..12].copy_from_slice(&[0; 4]);
    bytes[12..16].copy_from_slice(&length.to_le_bytes());
    let crc = crc32c::crc32c(&bytes[8..]);
    bytes[4..8].copy_from_slice(&crc.to_le_bytes());
    Bytes::from(bytes)
}

#[test]
fn every_truncation_and_every_flipped_bit_is_refused() {
    let bytes = encode_rows(MADE_FOR, &shared(small(), vec![1, 2])).unwrap();
    decode(&Bytes::from(bytes.clone()), 2).unwrap();
    for length in 0..bytes.len() {
        assert!(decode(&Bytes::copy_from_slice(&bytes[..length]), 2).is_err(), "{length}");
    }
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(decode(&Bytes::from(flipped), 2).is_err(), "bit {bit}");
    }
}

#[test]
fn large_records_are_compressed_and_a_false_length_is_refused() {
    let numbers: Vec<_> = (0..5000).map(Some).collect();
    let texts = vec![Some("the same text".to_owned()); 5000];
    let bytes = encode_rows(MADE_FOR, &shared(batch(&numbers, &texts), vec![5000])).unwrap();
    assert!(bytes.len() < 60_000, "{} bytes", bytes.len());
    let at = Bytes::from(bytes.clone());
    decode(&at, 1).unwrap();
    for length in [0_u32, 16, u32::MAX, 1 << 28] {
        let mut bytes = bytes.clone();
        bytes[12..16].copy_from_slice(&length.to_le_bytes());
        let crc = crc32c::crc32c(&bytes[8..]);
        bytes[4..8].copy_from_slice(&crc.to_le_bytes());
        assert!(decode(&Bytes::from(bytes), 1).is_err(), "{length}");
    }
}

#[test]
fn contradictions_are_refused_when_written() {
    assert!(encode_rows(MADE_FOR, &shared(small(), vec![1, 1])).is_err());
    assert!(encode_rows(MADE_FOR, &shared(small(), vec![])).is_err());
    let fewer = SharedRows { columns: vec![ColumnId::new(1)], ..shared(small(), vec![3]) };
    assert!(encode_rows(MADE_FOR, &fewer).is_err());
}

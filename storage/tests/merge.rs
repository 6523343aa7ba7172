//! A merged file has the rows of its parts, as they would have been written at once, and of each its snapshot.

mod common;

use std::sync::Arc;

use arrow::{
    array::{AsArray, Int64Array, RecordBatch},
    datatypes::Int64Type,
};
use bytes::Bytes;
use duckmesh_catalog::{ColumnType, FileId, MergeInput, Offset, SnapshotId, TableDef};
use duckmesh_storage::{
    ErrorKind, LakeFiles, MergeError, NameSeed, ROW_SNAPSHOT_FIELD, ROW_SNAPSHOT_NAME, encode, merge::Merged,
};
use parquet::{
    arrow::arrow_reader::ParquetRecordBatchReaderBuilder,
    file::metadata::{ParquetMetaData, ParquetMetaDataReader},
};

fn lake() -> (tempfile::TempDir, LakeFiles) {
    let folder = tempfile::tempdir().unwrap();
    let files = LakeFiles::open(folder.path().join("files").to_str().unwrap()).unwrap();
    (folder, files)
}

/// Stores a batch as a file of a snapshot.
async fn part(files: &LakeFiles, table: &TableDef, batch: &RecordBatch, snapshot: i64) -> MergeInput {
    let seed = NameSeed::new(Offset::new(snapshot), 0);
    let file = encode(table, &common::ids(table), std::slice::from_ref(batch), &seed).unwrap();
    let file = files.put("main/", &table.path, file).await.unwrap();
    MergeInput {
        id: FileId::new(snapshot),
        path: format!("main/{}{}", table.path, file.path),
        record_count: file.record_count,
        size_bytes: file.size_bytes,
        row_id_start: 0,
        begin_snapshot: SnapshotId::new(snapshot),
        last_snapshot: SnapshotId::new(snapshot),
    }
}

fn as_part(merged: &Merged, snapshot: i64) -> MergeInput {
    MergeInput {
        id: FileId::new(99),
        path: merged.path.clone(),
        record_count: merged.file.record_count,
        size_bytes: merged.file.size_bytes,
        row_id_start: 0,
        begin_snapshot: SnapshotId::new(snapshot),
        last_snapshot: SnapshotId::new(99),
    }
}

fn content(files: &LakeFiles, path: &str) -> (Bytes, ParquetMetaData) {
    let bytes = Bytes::from(std::fs::read(files.local_path(path).unwrap()).unwrap());
    let metadata = ParquetMetaDataReader::new().parse_and_finish(&bytes).unwrap();
    (bytes, metadata)
}

fn snapshots(files: &LakeFiles, path: &str) -> Vec<i64> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(content(files, path).0).unwrap().build().unwrap();
    let of = |batch: RecordBatch| {
        let column = batch.column_by_name(ROW_SNAPSHOT_NAME).unwrap();
        column.as_primitive::<Int64Type>().values().to_vec()
    };
    reader.flat_map(|batch| of(batch.unwrap())).collect()
}

async fn merge(files: &LakeFiles, table: &TableDef, parts: Vec<MergeInput>) -> Result<Merged, MergeError> {
    files.merge(&Arc::new(table.clone()), "main/", parts).await
}

#[tokio::test]
async fn every_type_is_written_again_byte_for_byte() {
    let (_folder, files) = lake();
    let (table, batch) = common::every_type();
    let tail = batch.slice(1, 2);
    let parts = vec![part(&files, &table, &batch, 5).await, part(&files, &table, &tail, 9).await];
    let merged = merge(&files, &table, parts).await.unwrap();
    let at_once =
        encode(&table, &common::ids(&table), &[batch.clone(), tail.clone()], &NameSeed::new(Offset::new(1), 0));
    let at_once = at_once.unwrap();
    assert_eq!(merged.file.stats, at_once.file.stats, "statistics, none of the snapshots' column");
    assert_eq!((merged.file.record_count, at_once.file.record_count), (5, 5));
    let (bytes, metadata) = content(&files, &merged.path);
    let expected = ParquetMetaDataReader::new().parse_and_finish(&at_once.bytes).unwrap();
    assert_eq!((metadata.num_row_groups(), expected.num_row_groups()), (1, 1));
    let chunk = |bytes: &Bytes, metadata: &ParquetMetaData, column: usize| {
        let (start, length) = metadata.row_group(0).column(column).byte_range();
        bytes.slice(start as usize..(start + length) as usize)
    };
    let columns = expected.row_group(0).num_columns();
    for column in 0..columns {
        let name = expected.row_group(0).column(column).column_path().string();
        assert_eq!(chunk(&bytes, &metadata, column), chunk(&at_once.bytes, &expected, column), "{name}");
    }
    let fields = metadata.file_metadata().schema().get_fields();
    assert_eq!(fields[..fields.len() - 1], *expected.file_metadata().schema().get_fields());
    let last = fields.last().unwrap();
    assert_eq!((last.name(), i64::from(last.get_basic_info().id())), (ROW_SNAPSHOT_NAME, ROW_SNAPSHOT_FIELD.get()));
    assert_eq!(snapshots(&files, &merged.path), [5, 5, 5, 9, 9]);

    // Merged again, rows keep the snapshots they came in.
    let again = vec![as_part(&merged, 5), part(&files, &table, &tail, 12).await];
    let again = merge(&files, &table, again).await.unwrap();
    assert_eq!(snapshots(&files, &again.path), [5, 5, 5, 9, 9, 12, 12]);
    assert_ne!(again.path, merged.path);

    // RD3: what is not published is for the sweep, but not while it is being published.
    let is_garbage = async |path: &str| {
        let later = chrono::Utc::now() + chrono::TimeDelta::hours(2);
        let garbage = files.unclaimed(later, std::time::Duration::from_secs(3600)).await.unwrap();
        garbage.iter().any(|file| file.path == path)
    };
    assert!(!is_garbage(&merged.path).await);
    let path = merged.path.clone();
    drop(merged);
    assert!(is_garbage(&path).await);
}

#[tokio::test]
async fn columns_are_found_by_their_ids_in_whatever_order() {
    let (_folder, files) = lake();
    let table = common::table(&[("a", ColumnType::Int8), ("b", ColumnType::Int8)]);
    let numbers = |n: i64| Arc::new(Int64Array::from(vec![n]));
    let mut turned = table.clone();
    turned.columns.reverse();
    let parts = vec![
        part(&files, &table, &common::batch(&table, vec![numbers(1), numbers(2)]), 1).await,
        part(&files, &turned, &common::batch(&turned, vec![numbers(4), numbers(3)]), 2).await,
    ];
    let merged = merge(&files, &table, parts).await.unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(content(&files, &merged.path).0).unwrap().build().unwrap();
    let rows = reader.map(Result::unwrap).next().unwrap();
    let values = |column: usize| rows.column(column).as_primitive::<Int64Type>().values().to_vec();
    assert_eq!((values(0), values(1)), (vec![1, 3], vec![2, 4]));
}

#[tokio::test]
async fn a_part_that_is_not_what_it_must_be_is_named() {
    let (_folder, files) = lake();
    let table = common::table(&[("a", ColumnType::Int8)]);
    let batch = common::batch(&table, vec![Arc::new(Int64Array::from(vec![1, 2]))]);
    let good = part(&files, &table, &batch, 1).await;
    let wider = common::table(&[("a", ColumnType::Int8), ("b", ColumnType::Int8)]);
    let stored = files.list().await.unwrap().len();
    let bad = [
        (&table, MergeInput { record_count: 3, ..good.clone() }, ErrorKind::Corrupt),
        (&table, MergeInput { size_bytes: 3, ..good.clone() }, ErrorKind::Corrupt),
        (&table, MergeInput { path: "main/t/gone.parquet".into(), ..good.clone() }, ErrorKind::NotFound),
        (&wider, good.clone(), ErrorKind::Corrupt),
    ];
    for (table, bad, kind) in bad {
        let path = bad.path.clone();
        let failed = merge(&files, table, vec![bad]).await.unwrap_err();
        assert_eq!((failed.part, failed.error.kind()), (Some(path), kind), "{}", failed.error);
    }
    assert_eq!(files.list().await.unwrap().len(), stored, "nothing was written");
}

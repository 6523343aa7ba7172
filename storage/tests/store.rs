//! Objects are stored once, whole and durable, and nothing stays of what was given up.

mod common;

use std::{sync::Arc, time::Duration};

use arrow::array::{Int64Array, RecordBatch, StringArray};
use chrono::{TimeDelta, Utc};
use duckmesh_catalog::{ColumnType, Offset, TableDef};
use duckmesh_storage::{EncodedFile, ErrorKind, LakeFiles, NameSeed, encode};

fn lake() -> (tempfile::TempDir, LakeFiles) {
    let folder = tempfile::tempdir().unwrap();
    let files = LakeFiles::open(folder.path().join("files").to_str().unwrap()).unwrap();
    (folder, files)
}

fn numbers() -> TableDef {
    common::table(&[("i", ColumnType::Int8), ("s", ColumnType::Text)])
}

fn rows(from: i64, count: i64) -> RecordBatch {
    let texts = (from..from + count).map(|i| format!("{:x}", i.wrapping_mul(0x9E37_79B9_7F4A_7C15_u64 as i64)));
    common::batch(
        &numbers(),
        vec![
            Arc::new(Int64Array::from_iter_values(from..from + count)),
            Arc::new(StringArray::from_iter_values(texts)),
        ],
    )
}

fn part(from: i64) -> EncodedFile {
    let table = numbers();
    encode(&table, &common::ids(&table), &[rows(from, 10)], &NameSeed::new(Offset::new(1), 0)).unwrap()
}

#[tokio::test]
async fn the_same_part_twice_is_one_file() {
    let (_folder, files) = lake();
    let first = files.put("main/", "t/", part(0)).await.unwrap();
    let again = files.put("main/", "t/", part(0)).await.unwrap();
    assert_eq!(first, again);
    let stored = files.list().await.unwrap();
    assert_eq!(stored.len(), 1);
    assert_eq!(stored[0].path, format!("main/t/{}", first.path));
    assert_eq!(stored[0].size_bytes, first.size_bytes);
    files.verify("main/", "t/", &first).await.unwrap();
    let path = files.local_path(&stored[0].path).unwrap();
    assert!(std::fs::metadata(path).unwrap().permissions().readonly());
    files.delete(&stored[0].path).await.unwrap();
    files.delete(&stored[0].path).await.unwrap();
    assert!(!files.exists(&stored[0].path).await.unwrap());
    let error = files.verify("main/", "t/", &first).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn other_content_under_the_same_name_is_refused() {
    let (_folder, files) = lake();
    let first = files.put("main/", "t/", part(0)).await.unwrap();
    let mut other = part(1);
    other.file.path.clone_from(&first.path);
    let error = files.put("main/", "t/", other).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    files.verify("main/", "t/", &first).await.unwrap();
}

#[tokio::test]
async fn a_changed_file_is_found_out() {
    let (_folder, files) = lake();
    let first = files.put("main/", "t/", part(0)).await.unwrap();
    let path = files.local_path(&format!("main/t/{}", first.path)).unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[20] ^= 1;
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, &bytes).unwrap();
    let error = files.verify("main/", "t/", &first).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
}

#[tokio::test]
async fn paths_stay_in_the_folder() {
    let (_folder, files) = lake();
    for path in ["../x", "a/../../x", "/etc/passwd", "a//b", "", ".", "a/./b", "a\0b"] {
        assert_eq!(files.local_path(path), None, "{path:?}");
        assert_eq!(files.exists(path).await.unwrap_err().kind(), ErrorKind::Corrupt, "{path:?}");
        assert_eq!(files.delete(path).await.unwrap_err().kind(), ErrorKind::Corrupt, "{path:?}");
    }
    let error = files.put("../", "t/", part(0)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    for table in ["a b/", "é%20#1/", "a%2Fb/", "q?x=[1]/", "\"t\"/", "a\\b/", "ta~ble*/"] {
        let file = files.put("main/", table, part(0)).await.unwrap();
        let relative = format!("main/{table}{}", file.path);
        assert!(files.local_path(&relative).unwrap().is_file(), "{table}");
        assert!(files.list().await.unwrap().iter().any(|f| f.path == relative), "{table}");
        files.verify("main/", table, &file).await.unwrap();
    }
}

#[tokio::test]
async fn staged_files_hold_all_rows() {
    let (_folder, files) = lake();
    let table = Arc::new(numbers());
    let writer = files.stage(table.clone(), "main/".into(), common::ids(&table));
    let mut writer = writer.with_file_bytes_max(1 << 20);
    for i in 0..40 {
        writer.write(rows(i * 10_000, 10_000)).await.unwrap();
    }
    assert_eq!(writer.rows(), 400_000);
    let (written, _claims) = writer.finish().await.unwrap();
    assert!(written.len() > 1, "rolled over: {}", written.len());
    assert_eq!(written.iter().map(|f| f.record_count).sum::<u64>(), 400_000);
    assert_eq!(written[0].stats[0].min.as_deref(), Some("0"));
    assert_eq!(written.last().unwrap().stats[0].max.as_deref(), Some("399999"));
    for file in &written {
        files.verify("main/", "t/", file).await.unwrap();
    }
    assert_eq!(files.list().await.unwrap().len(), written.len());
}

#[tokio::test]
async fn nothing_stays_of_an_aborted_or_dropped_writer() {
    for drop_it in [false, true] {
        let (_folder, files) = lake();
        let table = Arc::new(numbers());
        let writer = files.stage(table.clone(), "main/".into(), common::ids(&table));
        let mut writer = writer.with_file_bytes_max(1 << 20);
        for i in 0..20 {
            writer.write(rows(i * 10_000, 10_000)).await.unwrap();
        }
        assert!(!files.list().await.unwrap().is_empty());
        if drop_it {
            drop(writer);
        } else {
            writer.abort().await;
        }
        let deadline = std::time::Instant::now() + Duration::from_secs(10);
        while !files.list().await.unwrap().is_empty() {
            assert!(drop_it && std::time::Instant::now() < deadline, "files stay");
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn a_writer_without_rows_writes_nothing() {
    let (_folder, files) = lake();
    let table = Arc::new(numbers());
    let mut writer = files.stage(table.clone(), "main/".into(), common::ids(&table));
    writer.write(rows(0, 0)).await.unwrap();
    assert_eq!(writer.finish().await.unwrap().0, []);
    assert_eq!(files.list().await.unwrap(), []);
}

#[tokio::test]
async fn a_writer_stays_broken_after_an_error() {
    let (_folder, files) = lake();
    let table = Arc::new(numbers());
    let mut writer = files.stage(table.clone(), "main/".into(), common::ids(&table));
    let (_, wrong) = common::every_type();
    writer.write(wrong).await.unwrap();
    let error = writer.write(rows(0, 10)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_eq!(writer.write(rows(0, 10)).await.unwrap_err().kind(), ErrorKind::Io);
    writer.abort().await;
    assert_eq!(files.list().await.unwrap(), []);
}

#[tokio::test]
async fn only_old_unclaimed_files_of_ours_can_be_garbage() {
    let (_folder, files) = lake();
    let part = files.put("main/", "t/", part(0)).await.unwrap();
    let part = format!("main/t/{}", part.path);
    assert_eq!(duckmesh_storage::names::first_offset(&part), Some(Offset::new(1)));
    let beside = |name: &str| files.local_path(&part).unwrap().with_file_name(name);
    // What a killed process left of an upload, and what another program wrote.
    std::fs::write(beside("duckmesh-staged-0.parquet#1"), b"x").unwrap();
    std::fs::write(beside("ducklake-foreign.parquet"), b"x").unwrap();
    let table = Arc::new(numbers());
    let mut writer = files.stage(table.clone(), "main/".into(), common::ids(&table)).with_file_bytes_max(1 << 20);
    for i in 0..20 {
        writer.write(rows(i * 10_000, 10_000)).await.unwrap();
    }
    let grace = Duration::from_secs(3600);
    let later = Utc::now() + TimeDelta::hours(2);
    let unclaimed = async |now| {
        let found = files.unclaimed(now, grace).await.unwrap();
        found.into_iter().map(|file| file.path).collect::<Vec<_>>()
    };
    assert_eq!(unclaimed(Utc::now()).await, Vec::<String>::new(), "all are young");
    let unfinished = "main/t/duckmesh-staged-0.parquet#1".to_owned();
    assert_eq!(duckmesh_storage::names::first_offset(&unfinished), None);
    // Finished and unfinished files of a writer are claimed as long as it, or who took its files, is there.
    assert_eq!(unclaimed(later).await, [part.clone(), unfinished.clone()]);
    let (staged, claims) = writer.finish().await.unwrap();
    assert!(staged.len() > 1);
    assert_eq!(unclaimed(later).await, [part.clone(), unfinished.clone()]);
    // Others see a claim by the file's age.
    let seen_by_others = LakeFiles::open(_folder.path().join("files").to_str().unwrap()).unwrap();
    for file in seen_by_others.list().await.unwrap() {
        let path = seen_by_others.local_path(&file.path).unwrap();
        let long_ago = std::fs::FileTimes::new().set_modified((Utc::now() - TimeDelta::hours(2)).into());
        std::fs::File::open(path).unwrap().set_times(long_ago).unwrap();
    }
    let now = files.now().await.unwrap();
    assert_eq!(seen_by_others.unclaimed(now, grace).await.unwrap().len(), 2 + staged.len());
    files.renew_claims().await;
    assert_eq!(seen_by_others.unclaimed(now, grace).await.unwrap().len(), 2);
    drop(claims);
    assert_eq!(unclaimed(later + TimeDelta::hours(2)).await.len(), 2 + staged.len());
    files.remove(&unfinished).await.unwrap();
    files.remove(&unfinished).await.unwrap();
    assert_eq!(unclaimed(now).await, [part], "those that were renewed are young");
}

#[test]
fn a_data_path_is_an_absolute_folder() {
    assert_eq!(LakeFiles::open("files/").unwrap_err().kind(), ErrorKind::Invalid);
}

//! One suite, run against both stores: what the catalog promises does not depend on where it is kept.

#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use duckmesh_catalog::{ColumnId, ErrorKind, LakeName, Offset, SnapshotId, TableId, ddl::DdlOp, *};
use std::time::Duration;
use support::{Fixture, file, publication, same_schema, table_op, uuid};

/// Each case gets a catalog with an empty lake.
macro_rules! suite {
    ($($name:ident),* $(,)?) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            let fixture = Fixture::sqlite().await;
            cases::$name(&fixture).await;
            fixture.catalog.close().await;
        })*

        /// One server for all cases: making one takes longer than they do.
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn postgres() {
            let server = testing::PostgresServer::start().unwrap();
            $({
                eprintln!("case {}", stringify!($name));
                let fixture = Fixture::postgres(&server).await;
                cases::$name(&fixture).await;
                fixture.catalog.close().await;
            })*
        }
    };
}

suite!(
    lakes_come_and_go,
    a_publication_is_whole,
    epochs_fence_and_watermarks_are_compared,
    leases_pass_on,
    every_ddl_reads_back_as_it_applies,
    schema_and_files_travel_in_time,
    concurrent_publishers_make_one_history,
    foreign_snapshots_are_part_of_history,
    rejections_move_the_watermark,
    gaps_travel_with_snapshots,
    ranges_and_table_statistics_grow,
    a_merge_shows_the_same_rows_at_every_snapshot,
    a_merge_of_what_changed_meanwhile_is_none,
    a_merge_is_seen_by_other_processes_that_read_an_old_snapshot,
    readers_miss_no_row_while_files_are_merged,
    newer_tables_are_refused,
);

mod cases {
    use super::*;

    pub async fn lakes_come_and_go(f: &Fixture) {
        let name = LakeName::parse("Sales/2024").unwrap();
        let made = f.catalog.create_lake(&name, "/srv/x").await.unwrap();
        assert_eq!(made.data_path, "/srv/x/");
        assert_eq!(f.catalog.lake(&name).await.unwrap().as_ref(), Some(&made));
        let again = f.catalog.create_lake(&name, "/srv/x").await.unwrap_err();
        assert_eq!(again.kind(), ErrorKind::AlreadyExists);
        assert_eq!(again.to_string(), "database \"Sales/2024\" already exists");
        let latest = f.catalog.latest(made.id).await.unwrap();
        assert_eq!((latest.id.get(), latest.schema_version, latest.watermark), (0, 0, Offset::ZERO));
        let schema = f.catalog.schema(made.id, &latest).await.unwrap();
        assert_eq!(schema.schemas.keys().collect::<Vec<_>>(), ["main"]);
        f.catalog.drop_lake(made.id).await.unwrap();
        assert_eq!(f.catalog.drop_lake(made.id).await.unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(f.catalog.latest(made.id).await.unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(f.catalog.lakes().await.unwrap().len(), 1);
        let next = f.catalog.create_lake(&name, "/srv/x").await.unwrap();
        assert!(next.id > made.id, "ids are never given twice");
    }

    pub async fn a_publication_is_whole(f: &Fixture) {
        let mut p = publication(f, 0, 3);
        p.ddl = vec![table_op(f, 1, "t").await];
        p.ddl_offset = Some(Offset::new(2));
        p.files = vec![(uuid(1), vec![file("a.parquet", 10, "1", "5")])];
        let published = f.catalog.publish(&p).await.unwrap();
        assert_eq!((published.snapshot.get(), published.watermark.get()), (1, 3));
        let latest = f.catalog.latest(f.lake).await.unwrap();
        assert_eq!((latest.id.get(), latest.schema_version), (1, 1));
        assert_eq!((latest.watermark.get(), latest.ddl_offset.get()), (3, 2));
        let schema = f.catalog.schema(f.lake, &latest).await.unwrap();
        let table = schema.table("main", "t").unwrap();
        let files = f.catalog.files(f.lake, latest.id, table.id).await.unwrap();
        assert_eq!(files.files.len(), 1);
        assert_eq!(files.files[0].path, "main/t/a.parquet");
        assert_eq!((files.files[0].row_id_start, files.files[0].record_count), (Some(0), 10));
        let rows = f.catalog.snapshots(f.lake).await.unwrap();
        assert_eq!(rows[0].changes_made.as_deref(), Some("created_schema:\"main\""));
        assert_eq!(rows[1].changes_made.as_deref(), Some("created_table:\"main\".\"t\",inserted_into_table:1"));

        // A part that cannot be applied leaves nothing of the others, and names the table.
        let mut p = publication(f, 3, 5);
        p.files =
            vec![(uuid(1), vec![file("b.parquet", 10, "1", "5")]), (uuid(9), vec![file("c.parquet", 10, "1", "5")])];
        let error = f.catalog.publish(&p).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains(&uuid(9).to_string()), "{error}");
        assert_eq!(f.catalog.latest(f.lake).await.unwrap(), latest);
        assert_eq!(f.catalog.watermark(f.lake).await.unwrap().0.get(), 3);
    }

    pub async fn epochs_fence_and_watermarks_are_compared(f: &Fixture) {
        let lease = f.catalog.acquire_lease(f.lake, "a", Duration::from_secs(60)).await.unwrap().unwrap();
        let kind = |r: std::result::Result<Published, Error>| r.map_err(|e| e.kind());
        let old = publication(f, 0, 1);
        assert_eq!(kind(f.catalog.publish(&old).await), Err(ErrorKind::Fenced));
        let mut p = publication(f, 0, 2);
        p.epoch = lease.epoch;
        f.catalog.publish(&p).await.unwrap();
        assert_eq!(kind(f.catalog.publish(&p).await), Err(ErrorKind::WatermarkMoved));
        p.expected_watermark = Offset::new(2);
        p.new_watermark = Offset::new(1);
        assert_eq!(kind(f.catalog.publish(&p).await), Err(ErrorKind::Invalid));
        assert_eq!(f.catalog.watermark(f.lake).await.unwrap(), (Offset::new(2), lease.epoch));
    }

    pub async fn leases_pass_on(f: &Fixture) {
        let ttl = Duration::from_secs(60);
        let a = f.catalog.acquire_lease(f.lake, "a", ttl).await.unwrap().unwrap();
        assert_eq!(f.catalog.acquire_lease(f.lake, "b", ttl).await.unwrap(), None);
        f.catalog.renew_lease(&a, ttl).await.unwrap();
        f.catalog.renew_lease(&a, Duration::ZERO).await.unwrap();
        let b = f.catalog.acquire_lease(f.lake, "b", ttl).await.unwrap().unwrap();
        assert!(b.epoch > a.epoch);
        assert_eq!(f.catalog.renew_lease(&a, ttl).await.unwrap_err().kind(), ErrorKind::Fenced);
        f.catalog.release_lease(&a).await.unwrap();
        assert_eq!(f.catalog.acquire_lease(f.lake, "a", ttl).await.unwrap(), None, "only the holder releases");
        f.catalog.release_lease(&b).await.unwrap();
        assert!(f.catalog.acquire_lease(f.lake, "a", ttl).await.unwrap().is_some());
    }

    pub async fn every_ddl_reads_back_as_it_applies(f: &Fixture) {
        for (watermark, ops) in (0..).zip(support::every_ddl(f).await) {
            let latest = f.catalog.latest(f.lake).await.unwrap();
            let before = f.catalog.schema(f.lake, &latest).await.unwrap();
            let expected = before.apply(&ops).unwrap_or_else(|e| panic!("{ops:?}: {e}"));
            let mut p = publication(f, watermark, watermark + 1);
            p.ddl = ops.clone();
            p.ddl_offset = Some(p.new_watermark);
            f.catalog.publish(&p).await.unwrap_or_else(|e| panic!("{ops:?}: {e}"));
            let latest = f.catalog.latest(f.lake).await.unwrap();
            assert_eq!(latest.schema_version, before.schema_version + 1, "{ops:?}");
            let after = f.catalog.schema(f.lake, &latest).await.unwrap();
            same_schema(&after, &expected, &format!("{ops:?}"));
            assert_eq!(after.ddl_offset, latest.watermark);
        }
    }

    pub async fn schema_and_files_travel_in_time(f: &Fixture) {
        let mut p = publication(f, 0, 1);
        p.ddl = vec![table_op(f, 1, "t").await];
        p.ddl_offset = Some(Offset::new(1));
        f.catalog.publish(&p).await.unwrap();
        let mut ids = Vec::new();
        for n in 1..4 {
            let mut p = publication(f, n, n + 1);
            p.files = vec![(uuid(1), vec![file(&format!("{n}.parquet"), 1, "1", "1")])];
            ids.push(f.catalog.publish(&p).await.unwrap().snapshot);
        }
        let mut p = publication(f, 4, 5);
        p.ddl = vec![
            DdlOp::RenameTable { uuid: uuid(1), name: "u".into() },
            DdlOp::DropColumn { table: uuid(1), column: ColumnId::new(2) },
        ];
        p.ddl_offset = Some(Offset::new(5));
        let renamed = f.catalog.publish(&p).await.unwrap().snapshot;
        let mut p = publication(f, 5, 6);
        p.ddl = vec![DdlOp::DropTable { uuid: uuid(1) }];
        p.ddl_offset = Some(Offset::new(6));
        let dropped = f.catalog.publish(&p).await.unwrap().snapshot;
        let table = TableId::new(1);
        let count = async |at: SnapshotId| f.catalog.files(f.lake, at, table).await.unwrap().files.len();
        for (n, id) in ids.iter().enumerate() {
            assert_eq!(count(*id).await, n + 1);
            let at = f.catalog.snapshot(f.lake, *id).await.unwrap();
            let schema = f.catalog.schema(f.lake, &at).await.unwrap();
            assert_eq!(schema.table("main", "t").unwrap().columns.len(), 2);
            assert_eq!(f.catalog.snapshot_as_of(f.lake, at.time).await.unwrap(), at);
        }
        assert_eq!((count(renamed).await, count(dropped).await), (3, 0));
        let at = f.catalog.snapshot(f.lake, renamed).await.unwrap();
        let schema = f.catalog.schema(f.lake, &at).await.unwrap();
        assert_eq!(schema.table("main", "u").unwrap().columns.len(), 1);
        assert_eq!(schema.table("main", "u").unwrap().path, "t/");
        let first = f.catalog.snapshot(f.lake, SnapshotId::new(0)).await.unwrap();
        let early = f.catalog.snapshot_as_of(f.lake, first.time - Duration::from_secs(1)).await;
        assert_eq!(early.unwrap_err().kind(), ErrorKind::SnapshotExpired);
        let future = f.catalog.snapshot(f.lake, SnapshotId::new(99)).await;
        assert_eq!(future.unwrap_err().kind(), ErrorKind::SnapshotExpired);
        // What was asked while it was new is the same for who comes later.
        let fresh = f.reopen().await;
        assert_eq!(fresh.files(f.lake, ids[1], table).await.unwrap().files.len(), 2);
        fresh.close().await;
    }

    pub async fn concurrent_publishers_make_one_history(f: &Fixture) {
        let mut p = publication(f, 0, 1);
        p.ddl = vec![table_op(f, 1, "t").await];
        p.ddl_offset = Some(Offset::new(1));
        f.catalog.publish(&p).await.unwrap();
        let publisher = async |who: u32| {
            let mut won = 0;
            loop {
                let (watermark, _) = f.catalog.watermark(f.lake).await.unwrap();
                if watermark.get() >= 41 {
                    return won;
                }
                let mut p = publication(f, watermark.get(), watermark.get() + 1);
                p.files = vec![(uuid(1), vec![file(&format!("{who}-{watermark}.parquet"), 1, "1", "1")])];
                match f.catalog.publish(&p).await {
                    Ok(_) => won += 1,
                    Err(e) => assert_eq!(e.kind(), ErrorKind::WatermarkMoved, "{e}"),
                }
            }
        };
        let won = tokio::join!(publisher(1), publisher(2), publisher(3), publisher(4));
        assert_eq!(won.0 + won.1 + won.2 + won.3, 40);
        let latest = f.catalog.latest(f.lake).await.unwrap();
        assert_eq!((latest.id.get(), latest.watermark.get()), (41, 41));
        let files = f.catalog.files(f.lake, latest.id, TableId::new(1)).await.unwrap();
        let rows: Vec<_> = files.files.iter().map(|f| f.row_id_start.unwrap()).collect();
        assert_eq!(rows, (0..40).collect::<Vec<_>>(), "row ids are dense and given once");
    }

    pub async fn foreign_snapshots_are_part_of_history(f: &Fixture) {
        let mut p = publication(f, 0, 1);
        p.ddl = vec![table_op(f, 1, "t").await];
        p.ddl_offset = Some(Offset::new(1));
        f.catalog.publish(&p).await.unwrap();
        let table = TableId::new(1);
        f.catalog.files(f.lake, SnapshotId::new(1), table).await.unwrap();
        f.foreign_insert(2).await;
        let latest = f.catalog.latest(f.lake).await.unwrap();
        assert_eq!((latest.id.get(), latest.watermark.get(), latest.ddl_offset.get()), (2, 1, 1));
        let mut p = publication(f, 1, 2);
        p.files = vec![(uuid(1), vec![file("b.parquet", 1, "1", "1")])];
        assert_eq!(f.catalog.publish(&p).await.unwrap().snapshot.get(), 3);
        let files = f.catalog.files(f.lake, SnapshotId::new(3), table).await.unwrap();
        let got: Vec<_> = files.files.iter().map(|f| (f.id.get(), f.row_id_start)).collect();
        assert_eq!(got, [(0, Some(0)), (1, Some(7))]);
        assert_eq!(f.catalog.files(f.lake, SnapshotId::new(2), table).await.unwrap().files.len(), 1);

        // A foreign writer that takes the next id in the middle of a publication only delays it.
        let racing = async {
            for id in 4..12 {
                f.foreign_empty_snapshot(id).await;
            }
        };
        let publishing = async {
            for n in 2..10 {
                let mut p = publication(f, n, n + 1);
                p.files = vec![(uuid(1), vec![file(&format!("r{n}.parquet"), 1, "1", "1")])];
                f.catalog.publish(&p).await.unwrap();
            }
        };
        tokio::join!(racing, publishing);
        let latest = f.catalog.latest(f.lake).await.unwrap();
        assert_eq!(latest.watermark.get(), 10);
        assert_eq!(f.catalog.files(f.lake, latest.id, table).await.unwrap().files.len(), 10);
    }

    pub async fn rejections_move_the_watermark(f: &Fixture) {
        let mut p = publication(f, 0, 4);
        let rejection = Rejection {
            offset: Offset::new(3),
            reason: "broken".into(),
            attempts: 5,
            frame: vec![0, 255],
            missing_from: MissingFrom::Nothing,
        };
        p.rejected = vec![rejection.clone()];
        p.ddl_offset = Some(Offset::new(3));
        let published = f.catalog.publish(&p).await.unwrap();
        assert_eq!(published, Published { snapshot: SnapshotId::new(0), watermark: Offset::new(4) });
        let latest = f.catalog.latest(f.lake).await.unwrap();
        assert_eq!((latest.id.get(), latest.watermark.get(), latest.ddl_offset.get()), (0, 4, 3));
        assert_eq!(f.catalog.schema(f.lake, &latest).await.unwrap().ddl_offset.get(), 3);
        assert_eq!(f.catalog.dead_letters(f.lake).await.unwrap()[0].rejection, rejection);
        assert_eq!(f.catalog.rejection(f.lake, Offset::new(3)).await.unwrap(), Some(rejection));
        assert_eq!(f.catalog.rejection(f.lake, Offset::new(4)).await.unwrap(), None);
        assert_eq!(latest.gap, None, "its writer was told");
    }

    pub async fn gaps_travel_with_snapshots(f: &Fixture) {
        let rejection = |offset, missing_from| Rejection {
            offset: Offset::new(offset),
            reason: "broken".into(),
            attempts: 1,
            frame: Vec::new(),
            missing_from,
        };
        let (a, b) = (uuid(1), uuid(2));
        let mut p = publication(f, 0, 4);
        p.rejected = vec![
            rejection(1, MissingFrom::Tables(vec![a, b])),
            rejection(2, MissingFrom::Anything),
            rejection(3, MissingFrom::Nothing),
        ];
        f.catalog.publish(&p).await.unwrap();
        f.catalog.publish(&publication(f, 4, 5)).await.unwrap();
        let latest = f.catalog.latest(f.lake).await.unwrap();
        assert_eq!((latest.watermark.get(), latest.gap), (5, Some(Offset::new(2))));
        let gaps = async |after, through| {
            let gaps = f.catalog.gaps(f.lake, Offset::new(after), Offset::new(through), 10).await.unwrap();
            gaps.into_iter().map(|gap| (gap.offset.get(), gap.missing_from)).collect::<Vec<_>>()
        };
        assert_eq!(gaps(0, 5).await, [(2, MissingFrom::Anything), (1, MissingFrom::Tables(vec![a, b]))]);
        assert_eq!(gaps(1, 5).await.len(), 1);
        assert_eq!(gaps(0, 1).await.len(), 1);
        assert_eq!(f.catalog.settle_dead_letters(f.lake, Offset::new(1)).await.unwrap(), 1);
        assert_eq!(gaps(0, 5).await, [(2, MissingFrom::Anything)]);
        assert_eq!(f.catalog.dead_letters(f.lake).await.unwrap().len(), 3, "they stay as evidence");
    }

    pub async fn ranges_and_table_statistics_grow(f: &Fixture) {
        let mut p = publication(f, 0, 1);
        p.ddl = vec![table_op(f, 1, "t").await];
        p.ddl_offset = Some(Offset::new(1));
        p.files = vec![(uuid(1), vec![file("a.parquet", 2, "9", "10")])];
        f.catalog.publish(&p).await.unwrap();
        let (table, a) = (TableId::new(1), ColumnId::new(1));
        assert_eq!(f.catalog.ranges(f.lake, table, a).await.unwrap().len(), 1);
        let mut p = publication(f, 1, 2);
        p.files = vec![(uuid(1), vec![file("b.parquet", 2, "-3", "100")])];
        f.catalog.publish(&p).await.unwrap();
        let ranges = f.catalog.ranges(f.lake, table, a).await.unwrap();
        let range = &ranges[&FileId::new(1)];
        assert_eq!((range.min.as_deref(), range.max.as_deref()), (Some("-3"), Some("100")));
        let store = f.store().await;
        let sql = "SELECT min_value, max_value FROM @ducklake_table_column_stats WHERE column_id = 1";
        let row = store.query_one(sql, vec![]).await.unwrap();
        assert_eq!((row.text(0).unwrap(), row.text(1).unwrap()), ("-3".into(), "100".into()));
        let sql = "SELECT record_count, next_row_id, file_size_bytes FROM @ducklake_table_stats";
        let row = store.query_one(sql, vec![]).await.unwrap();
        assert_eq!((row.int(0).unwrap(), row.int(1).unwrap(), row.int(2).unwrap()), (4, 4, 2000));
    }

    /// A table with so many files of one row, each of its own snapshot.
    async fn files_of_one_row(f: &Fixture, count: i64) {
        let mut p = publication(f, 0, 1);
        p.ddl = vec![table_op(f, 1, "t").await];
        p.ddl_offset = Some(Offset::new(1));
        f.catalog.publish(&p).await.unwrap();
        for n in 1..=count {
            one_more_row(f, n).await;
        }
    }

    async fn one_more_row(f: &Fixture, n: i64) {
        let mut p = publication(f, n, n + 1);
        p.files = vec![(uuid(1), vec![file(&format!("{n}.parquet"), 1, &n.to_string(), &n.to_string())])];
        f.catalog.publish(&p).await.unwrap();
    }

    /// The merge of all files that may be merged.
    async fn merge_of_all(f: &Fixture, name: &str) -> Merge {
        let inputs = f.catalog.merge_inputs(f.lake, TableId::new(1), 1 << 20, 100).await.unwrap();
        let rows = inputs.iter().map(|i| i.record_count).sum();
        Merge {
            lake: f.lake,
            epoch: Some(Epoch::new(0)),
            table: TableId::new(1),
            inputs,
            file: file(name, rows, "1", "1"),
        }
    }

    pub async fn a_merge_shows_the_same_rows_at_every_snapshot(f: &Fixture) {
        files_of_one_row(f, 4).await;
        let table = TableId::new(1);
        let (fresh, slow) = (f.reopen().await, f.reopen().await);
        // One remembers all files, one some of them, and a later one none.
        fresh.files(f.lake, SnapshotId::new(5), table).await.unwrap();
        slow.files(f.lake, SnapshotId::new(3), table).await.unwrap();
        let before = f.catalog.latest(f.lake).await.unwrap();
        let merge = merge_of_all(f, "m.parquet").await;
        let paths: Vec<_> = merge.inputs.iter().map(|i| i.path.as_str()).collect();
        assert_eq!(paths, ["main/t/1.parquet", "main/t/2.parquet", "main/t/3.parquet", "main/t/4.parquet"]);
        assert_eq!(f.catalog.merge(&merge).await.unwrap(), Some(SnapshotId::new(6)));
        let after = f.catalog.latest(f.lake).await.unwrap();
        assert_eq!(after.id.get(), 6);
        assert!(after.time > before.time);
        let covered = |at: &SnapshotInfo| (at.watermark, at.ddl_offset, at.schema_version);
        assert_eq!(covered(&after), covered(&before), "RD4: the log is covered as before");
        assert_eq!(f.catalog.watermark(f.lake).await.unwrap().0.get(), 5);
        one_more_row(f, 5).await;
        let last = f.reopen().await;
        for catalog in [&f.catalog, &fresh, &slow, &last] {
            for at in 2..=5 {
                let files = catalog.files(f.lake, SnapshotId::new(at), table).await.unwrap();
                let [file] = &files.files[..] else { panic!("{files:?}") };
                assert_eq!(
                    (file.path.as_str(), file.record_count, file.row_id_start),
                    ("main/t/m.parquet", 4, Some(0))
                );
                let snapshots = (file.begin_snapshot.get(), file.partial_max.map(SnapshotId::get));
                assert_eq!((snapshots, file.columns_with_stats), ((2, Some(5)), files.leaf_columns));
            }
            let newest = catalog.files(f.lake, SnapshotId::new(7), table).await.unwrap();
            assert_eq!(newest.files.iter().map(|f| f.id.get()).collect::<Vec<_>>(), [4, 5]);
            assert!(catalog.files(f.lake, SnapshotId::new(1), table).await.unwrap().files.is_empty());
            let ranges = catalog.ranges(f.lake, table, ColumnId::new(1)).await.unwrap();
            assert!(ranges.contains_key(&FileId::new(4)) && ranges.contains_key(&FileId::new(5)));
        }
        let history = f.catalog.snapshots(f.lake).await.unwrap();
        assert_eq!(history[6].changes_made.as_deref(), Some("merge_adjacent:1"));
        let stats = "SELECT record_count, next_row_id, file_size_bytes FROM @ducklake_table_stats";
        let row = f.store().await.query_one(stats, vec![]).await.unwrap();
        assert_eq!((row.int(0).unwrap(), row.int(1).unwrap(), row.int(2).unwrap()), (5, 5, 6000));
        let count = "SELECT count(DISTINCT data_file_id) FROM @ducklake_file_column_stats";
        assert_eq!(f.store().await.query_one(count, vec![]).await.unwrap().int(0).unwrap(), 2);
        // The old ones wait for their deletion; a second merge takes the merged one as an input.
        let scheduled = f.catalog.scheduled_files(f.lake, FileId::new(-1), 100).await.unwrap();
        let waiting: Vec<_> = scheduled.iter().map(|f| (f.id.get(), f.path.as_str(), f.path_is_relative)).collect();
        let expected: Vec<_> = (0..).zip(paths).map(|(id, path)| (id, path, true)).collect();
        assert_eq!(waiting, expected);
        // Several servers compare it with the database's clock, which is behind neither of theirs.
        let by_database = f.catalog.is_shared();
        assert!(scheduled.iter().all(|f| f.since.is_some_and(|since| by_database || since <= after.time)));
        let again = merge_of_all(f, "n.parquet").await;
        assert_eq!(again.inputs.iter().map(|i| i.last_snapshot.get()).collect::<Vec<_>>(), [5, 7]);
        f.catalog.merge(&again).await.unwrap().unwrap();
        for catalog in [&f.catalog, &fresh] {
            let files = catalog.files(f.lake, SnapshotId::new(8), table).await.unwrap();
            let [file] = &files.files[..] else { panic!("{files:?}") };
            assert_eq!((file.begin_snapshot.get(), file.partial_max.map(SnapshotId::get)), (2, Some(7)));
        }
        f.catalog.forget_scheduled(f.lake, &[FileId::new(0), FileId::new(4)]).await.unwrap();
        assert_eq!(f.catalog.scheduled_files(f.lake, FileId::new(1), 100).await.unwrap().len(), 3);
        for catalog in [fresh, slow, last] {
            catalog.close().await;
        }
    }

    pub async fn a_merge_of_what_changed_meanwhile_is_none(f: &Fixture) {
        files_of_one_row(f, 4).await;
        let merge = merge_of_all(f, "m.parquet").await;
        let latest = f.catalog.latest(f.lake).await.unwrap();
        // Another epoch; rows that are not all there; another number of rows.
        let other = Merge { epoch: Some(Epoch::new(7)), ..merge.clone() };
        assert_eq!(f.catalog.merge(&other).await.unwrap_err().kind(), ErrorKind::Fenced);
        let gap = Merge { inputs: vec![merge.inputs[0].clone(), merge.inputs[2].clone()], ..merge.clone() };
        assert_eq!(f.catalog.merge(&gap).await.unwrap_err().kind(), ErrorKind::Invalid);
        let mut less = merge.clone();
        less.inputs[3].record_count = 2;
        assert_eq!(f.catalog.merge(&less).await.unwrap(), None);
        // Another server sweeps the merged file.
        f.catalog.give_up(f.lake, &["late.parquet".to_owned()]).await.unwrap();
        let late = merge_of_all(f, "late.parquet").await;
        assert_eq!(f.catalog.merge(&late).await.unwrap_err().kind(), ErrorKind::Fenced);
        // A delete file for the third file, as another writer makes it.
        let delete = "INSERT INTO @ducklake_delete_file(delete_file_id, table_id, begin_snapshot, data_file_id, path)
             VALUES (50, 1, 5, 2, 'd.parquet')";
        f.store().await.execute(delete, vec![]).await.unwrap();
        assert_eq!(f.catalog.merge(&merge).await.unwrap(), None);
        let left: Vec<_> = merge_of_all(f, "m.parquet").await.inputs.iter().map(|i| i.id.get()).collect();
        assert_eq!(left, [0, 1, 3]);
        f.store().await.execute("DELETE FROM @ducklake_delete_file", vec![]).await.unwrap();
        // Rows that another writer deleted in the catalog alone.
        let store = f.store().await;
        let mut tx = store.begin().await.unwrap();
        tx.script("CREATE TABLE @ducklake_inlined_delete_1(file_id BIGINT, row_id BIGINT, begin_snapshot BIGINT)")
            .await
            .unwrap();
        tx.script("INSERT INTO @ducklake_inlined_delete_1 VALUES (1, 0, 5)").await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(f.catalog.merge(&merge).await.unwrap(), None);
        assert_eq!(merge_of_all(f, "m.parquet").await.inputs.len(), 3);
        store.execute("DELETE FROM @ducklake_inlined_delete_1", vec![]).await.unwrap();
        assert_eq!(f.catalog.latest(f.lake).await.unwrap(), latest, "nothing happened so far");
        assert!(f.catalog.scheduled_files(f.lake, FileId::new(-1), 9).await.unwrap().is_empty());
        // A column more: files without it are left alone. A table that is gone.
        let mut p = publication(f, 5, 6);
        p.ddl = vec![DdlOp::AddColumn { table: uuid(1), column: support::column(3, "c", ColumnType::Int4) }];
        p.ddl_offset = Some(Offset::new(6));
        f.catalog.publish(&p).await.unwrap();
        assert!(merge_of_all(f, "m.parquet").await.inputs.is_empty());
        let mut p = publication(f, 6, 7);
        p.ddl = vec![DdlOp::DropTable { uuid: uuid(1) }];
        p.ddl_offset = Some(Offset::new(7));
        f.catalog.publish(&p).await.unwrap();
        assert_eq!(f.catalog.merge(&merge).await.unwrap(), None);
    }

    pub async fn a_merge_is_seen_by_other_processes_that_read_an_old_snapshot(f: &Fixture) {
        files_of_one_row(f, 4).await;
        let (table, pinned) = (TableId::new(1), f.catalog.latest(f.lake).await.unwrap().id);
        let clock = std::sync::Arc::new(support::SetClock(chrono::Utc::now().into()));
        let other = f.reopen_at(clock.clone()).await;
        for catalog in [&f.catalog, &other] {
            assert_eq!(catalog.files(f.lake, pinned, table).await.unwrap().files.len(), 4);
        }
        f.catalog.merge(&merge_of_all(f, "m.parquet").await).await.unwrap().unwrap();
        // Here at once; there it may be a while, but for less than the grace of deletion.
        assert_eq!(f.catalog.files(f.lake, pinned, table).await.unwrap().files.len(), 1);
        *clock.0.lock().unwrap() += Duration::from_secs(31);
        assert_eq!(other.files(f.lake, pinned, table).await.unwrap().files.len(), 1);
        other.close().await;
    }

    pub async fn readers_miss_no_row_while_files_are_merged(f: &Fixture) {
        const ROWS: i64 = 60;
        files_of_one_row(f, 1).await;
        let reader = f.reopen().await;
        // As a coordinator does it.
        let turn = tokio::sync::Mutex::new(());
        let writing = async {
            for n in 2..=ROWS {
                let _turn = turn.lock().await;
                one_more_row(f, n).await;
            }
        };
        let merging = async {
            let mut merges = 0;
            while f.catalog.watermark(f.lake).await.unwrap().0.get() <= ROWS {
                let merge = merge_of_all(f, &format!("m{merges}.parquet")).await;
                let _turn = turn.lock().await;
                if merge.inputs.len() > 1 && f.catalog.merge(&merge).await.unwrap().is_some() {
                    merges += 1;
                }
            }
            assert!(merges > 2, "{merges}");
        };
        let reading = async |catalog: &Catalog| {
            loop {
                let at = catalog.latest(f.lake).await.unwrap();
                let files = catalog.files(f.lake, at.id, TableId::new(1)).await.unwrap();
                // Of a file that was merged meanwhile only those of the snapshot are rows.
                if files.files.iter().all(|f| f.partial_max.is_none_or(|max| max <= at.id)) {
                    let rows: u64 = files.files.iter().map(|f| f.record_count).sum();
                    assert_eq!(rows as i64, at.watermark.get() - 1, "at {at:?}: {files:?}");
                }
                if at.watermark.get() > ROWS {
                    return;
                }
            }
        };
        tokio::join!(writing, merging, reading(&f.catalog), reading(&reader));
        reader.close().await;
    }

    pub async fn newer_tables_are_refused(f: &Fixture) {
        let sql = "INSERT INTO @duckmesh_migration(migration_set, version, name) VALUES ('registry', 99, 'x')";
        f.catalog.registry().execute(sql, vec![]).await.unwrap();
        let error = f.try_reopen().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.to_string().contains("newer DuckMesh"), "{error}");
    }
}

#[test]
fn ddl_errors_are_postgres_own() {
    support::ddl_errors();
}

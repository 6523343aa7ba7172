//! From the log to snapshots: everything in order, whole, once; what cannot be applied is set aside.

mod support;

use std::{sync::Arc, time::Duration};

use arrow::array::StringArray;
use duckmesh_catalog::{
    ColumnId, ColumnType, Offset,
    ddl::DdlOp,
    publish::{MissingFrom, Publication, Rejection},
};
use duckmesh_ingest::{AppendErrorKind, LakeOptions, Part, Validated, WaitError, Write};
use futures::future::join_all;
use support::world::{PATIENCE, World, append, column, key, options, rows, rows_of, wait, write};
use uuid::Uuid;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiter_wakes_the_coordinator_and_is_woken() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path()).await;
    let lake = world.lake(options()).await;
    let table = world.table(&lake, "t").await;
    let offset = append(&lake, vec![rows(table, &[3, 1, 2])]).await.offset;
    // The interval is an hour: only the waiter can be the reason.
    wait(&lake, offset).await;
    assert_eq!(world.rows(table).await, [1, 2, 3]);
    assert_eq!(lake.watermark(), offset);
    let above = Offset::new(offset.get() + 1);
    let error = lake.wait_for(above).await.unwrap_err();
    assert_eq!(error, WaitError::AboveHead { offset: above, head: offset });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_interval_publishes_without_a_waiter_and_size_does_too() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path()).await;
    for (commit_interval, commit_bytes) in [(Duration::from_millis(5), u64::MAX), (PATIENCE * 100, 1)] {
        let lake = world.lake(LakeOptions { commit_interval, commit_bytes, ..options() }).await;
        let table = world.table(&lake, &format!("t{commit_bytes}")).await;
        let mut watermark = lake.subscribe();
        let offset = append(&lake, vec![rows(table, &[1])]).await.offset;
        let reached = watermark.wait_for(|w| *w >= offset);
        tokio::time::timeout(PATIENCE, reached).await.unwrap().unwrap();
        assert_eq!(world.rows(table).await, [1]);
        lake.shutdown(PATIENCE).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_is_one_snapshot_with_its_ddl_and_all_its_tables() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path()).await;
    let lake = world.lake(options()).await;
    let (a, make_a) = world.create_table("a").await;
    let (b, make_b) = world.create_table("b").await;
    let before = world.catalog.snapshots(world.info.id).await.unwrap().len();
    let transaction = vec![Part::Ddl(vec![make_a, make_b]), rows(a, &[1]), rows(b, &[2]), rows(a, &[3])];
    let offset = append(&lake, transaction).await.offset;
    wait(&lake, offset).await;
    assert_eq!(world.catalog.snapshots(world.info.id).await.unwrap().len(), before + 1);
    assert_eq!((world.rows(a).await, world.rows(b).await), (vec![1, 3], vec![2]));
    // CO9: without DDL too.
    let offset = append(&lake, vec![rows(a, &[4]), rows(b, &[5])]).await.offset;
    wait(&lake, offset).await;
    assert_eq!(world.catalog.snapshots(world.info.id).await.unwrap().len(), before + 2);
    assert_eq!((world.rows(a).await, world.rows(b).await), (vec![1, 3, 4], vec![2, 5]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_ddl_is_rejected_and_the_lane_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path()).await;
    let lake = world.lake(options()).await;
    let table = world.table(&lake, "t").await;
    let (_, same_name) = world.create_table("t").await;
    let refused = append(&lake, vec![Part::Ddl(vec![same_name]), rows(table, &[9])]).await.offset;
    wait(&lake, refused).await;
    let rejection = lake.outcome(refused).await.unwrap().expect("a rejection");
    assert!(rejection.reason.contains("already exists"), "{}", rejection.reason);
    // Later writes are made for the refused DDL's offset, and are not stale.
    let at = world.catalog.latest(world.info.id).await.unwrap();
    assert_eq!(world.catalog.schema(world.info.id, &at).await.unwrap().ddl_offset, refused);
    let offset = append(&lake, vec![rows(table, &[1])]).await.offset;
    wait(&lake, offset).await;
    assert_eq!(world.rows(table).await, [1], "nothing of the refused transaction");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poison_write_is_set_aside_and_its_neighbours_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path()).await;
    let lake = world.lake(options()).await;
    let table = world.table(&lake, "t").await;
    // Text where the table has a bigint: numbers can be taken, words cannot.
    let texts = ["1", "2", "poison", "4", "5", "worse", "7"];
    let writes = texts.map(|text| {
        let array = || Arc::new(StringArray::from(vec![text]));
        append(&lake, vec![rows_of(table, array(), array())])
    });
    let offsets: Vec<_> = Box::pin(join_all(writes)).await.into_iter().map(|a| a.offset).collect();
    let records = world.bus.read(world.info.id, lake.watermark(), 1 << 30).await.unwrap();
    assert!(records.iter().any(|r| r.last > r.first), "some share a record");
    wait(&lake, *offsets.iter().max().unwrap()).await;
    assert_eq!(world.rows(table).await, [1, 2, 4, 5, 7]);
    for (text, offset) in texts.iter().zip(offsets) {
        let rejected = lake.outcome(offset).await.unwrap();
        assert_eq!(rejected.is_some(), text.parse::<i64>().is_err(), "{text}: {rejected:?}");
        assert!(rejected.is_none_or(|r| r.attempts == 3));
    }
    assert_eq!(world.catalog.dead_letters(world.info.id).await.unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_of_a_table_that_is_gone_and_unreadable_bytes_are_rejected() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path()).await;
    let lake = world.lake(options()).await;
    let table = world.table(&lake, "t").await;
    let gone = append(&lake, vec![rows(Uuid::new_v4(), &[1])]).await.offset;
    let both = append(&lake, vec![rows(table, &[2]), rows(Uuid::new_v4(), &[3])]).await.offset;
    let good = append(&lake, vec![rows(table, &[4])]).await.offset;
    wait(&lake, good).await;
    for offset in [gone, both] {
        let rejection = lake.outcome(offset).await.unwrap().expect("a rejection");
        assert!(rejection.reason.contains("does not exist"), "{}", rejection.reason);
    }
    assert_eq!(lake.outcome(good).await.unwrap(), None);
    assert_eq!(world.rows(table).await, [4], "all or nothing");
    // A damaged record, as the disk may give it back (CO7).
    let bad = append(&lake, vec![rows(table, &[5])]).await.offset;
    let log = rusqlite::Connection::open(folder.path().join("log.sqlite")).unwrap();
    let sql = "UPDATE frame SET body = zeroblob(40) WHERE last_offset = ?1";
    assert_eq!(log.execute(sql, [bad.get()]).unwrap(), 1);
    let good = append(&lake, vec![rows(table, &[6])]).await.offset;
    wait(&lake, good).await;
    assert!(lake.outcome(bad).await.unwrap().is_some());
    assert_eq!(world.rows(table).await, [4, 6]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_made_before_a_column_came_or_went_still_land() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path()).await;
    let lake = world.lake(options()).await;
    let table = world.table(&lake, "t").await;
    append(&lake, vec![rows(table, &[1])]).await;
    let add = DdlOp::AddColumn { table, column: column(3, "x", ColumnType::Int4) };
    append(&lake, vec![Part::Ddl(vec![add])]).await;
    let drop = DdlOp::DropColumn { table, column: ColumnId::new(2) };
    let dropped = append(&lake, vec![Part::Ddl(vec![drop])]).await.offset;
    // The batch still has the column that is gone, as a foreign writer's DROP COLUMN would leave it.
    let offset = append(&lake, vec![rows(table, &[2])]).await.offset;
    wait(&lake, offset).await;
    assert_eq!(lake.outcome(dropped).await.unwrap(), None);
    assert_eq!(lake.outcome(offset).await.unwrap(), None);
    assert_eq!(world.rows(table).await, [1, 2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backlog_is_read_in_pieces() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path()).await;
    let lake = world.lake(options()).await;
    let table = world.table(&lake, "t").await;
    lake.shutdown(PATIENCE).await;
    let pieces = LakeOptions { read_bytes_max: 1000, publication_bytes_max: 500, ..options() };
    let lake = world.lake(pieces).await;
    let mut last = Offset::ZERO;
    for n in 0..50 {
        last = append(&lake, vec![rows(table, &[n])]).await.offset;
    }
    wait(&lake, last).await;
    assert_eq!(world.rows(table).await, (0..50).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fenced_coordinator_stops_and_its_waiters_follow_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path()).await;
    let lake = world.lake(LakeOptions { owner: "a".into(), ..options() }).await;
    let table = world.table(&lake, "t").await;
    let (catalog, id) = (&world.catalog, world.info.id);
    // Its own owner's name takes the lease from it; given back, another one may have it.
    let day = Duration::from_secs(24 * 3600);
    let thief = loop {
        if let Some(lease) = catalog.acquire_lease(id, "a", day).await.unwrap() {
            let _ = catalog.release_lease(&lease).await;
        }
        if let Some(lease) = catalog.acquire_lease(id, "b", day).await.unwrap() {
            break lease;
        }
    };
    let offset = append(&lake, vec![rows(table, &[1])]).await.offset;
    let before = lake.watermark();
    let waiter = tokio::spawn({
        let lake = Arc::clone(&lake);
        async move { lake.wait_for(offset).await }
    });
    let publication = Publication {
        lake: id,
        epoch: thief.epoch,
        expected_watermark: before,
        new_watermark: offset,
        ddl: Vec::new(),
        ddl_offset: None,
        files: Vec::new(),
        rejected: vec![Rejection {
            offset,
            reason: "by the other".into(),
            attempts: 1,
            frame: Vec::new(),
            missing_from: MissingFrom::Nothing,
        }],
        rejected_rows: Vec::new(),
    };
    catalog.publish(&publication).await.expect("the fenced one did not publish");
    tokio::time::timeout(PATIENCE, waiter).await.unwrap().unwrap().unwrap();
    assert_eq!(lake.outcome(offset).await.unwrap().unwrap().reason, "by the other");
    assert_eq!(world.rows(table).await, [0_i64; 0]);
    assert_eq!(catalog.watermark(id).await.unwrap(), (offset, thief.epoch));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_log_is_loud() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path()).await;
    let lake = world.lake(options()).await;
    world.table(&lake, "t").await;
    lake.shutdown(PATIENCE).await;
    let bus = Arc::new(duckmesh_ingest::SqliteBus::open(&folder.path().join("other.sqlite")).unwrap());
    let opened =
        duckmesh_ingest::Lake::open(world.catalog.clone(), world.info.clone(), bus, world.files.clone(), options());
    assert!(opened.await.is_err_and(|e| e.to_string().contains("may be lost")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_is_trimmed_behind_the_watermark() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path()).await;
    let lake = world.lake(LakeOptions { trim_interval: Duration::ZERO, keep_offsets: 1, ..options() }).await;
    let table = world.table(&lake, "t").await;
    for n in 0..5 {
        let offset = append(&lake, vec![rows(table, &[n])]).await.offset;
        wait(&lake, offset).await;
    }
    lake.shutdown(PATIENCE).await;
    let left = world.bus.read(world.info.id, Offset::ZERO, 1 << 30).await.unwrap();
    assert!(left.len() <= 2, "{} records are left", left.len());
    assert_eq!(world.rows(table).await, [0, 1, 2, 3, 4]);
    let _ = write(&lake, Vec::new()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn staged_files_and_rows_of_one_write_are_visible_together() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path()).await;
    let lake = world.lake(options()).await;
    let table = world.table(&lake, "t").await;
    let def = world.def(table).await.unwrap();
    let at = world.catalog.latest(world.info.id).await.unwrap();
    let schema = world.catalog.schema(world.info.id, &at).await.unwrap();
    let columns = vec![ColumnId::new(1), ColumnId::new(2)];
    let path = schema.schema("main").unwrap().path.clone();
    let mut staged = world.files.stage(def, path, columns);
    for n in 0..3 {
        let Part::Rows { batch, .. } = rows(table, &[n * 2, n * 2 + 1]) else {
            unreachable!("rows are rows");
        };
        staged.write(batch).await.unwrap();
    }
    let files = staged.finish().await.unwrap();
    assert_eq!(world.rows(table).await, [0_i64; 0], "no frame names them yet");
    let offset = append(&lake, vec![Part::Files { table, files: files.0 }, rows(table, &[6])]).await.offset;
    wait(&lake, offset).await;
    assert_eq!(world.rows(table).await, [0, 1, 2, 3, 4, 5, 6]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_may_drop_what_it_wrote_to() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path()).await;
    let lake = world.lake(options()).await;
    let kept = world.table(&lake, "kept").await;
    let old = world.table(&lake, "old").await;
    let (brief, make) = world.create_table("brief").await;
    let drops = [brief, old].map(|uuid| DdlOp::DropTable { uuid });
    let transaction =
        vec![Part::Ddl(vec![make]), rows(brief, &[1]), rows(old, &[2]), rows(kept, &[3]), Part::Ddl(drops.to_vec())];
    let offset = append(&lake, transaction).await.offset;
    wait(&lake, offset).await;
    assert_eq!(lake.outcome(offset).await.unwrap(), None);
    assert_eq!(world.rows(kept).await, [3]);
    assert!(world.def(brief).await.is_none() && world.def(old).await.is_none());
}

/// GW1: files of writes that were broken off are swept, and nothing else is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gw1_the_sweep_takes_what_nothing_refers_to() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path()).await;
    let grace = Duration::from_secs(1);
    let lake = world.lake(LakeOptions { sweep_grace: grace, ..options() }).await;
    let table = world.table(&lake, "t").await;
    let def = world.def(table).await.unwrap();
    let stage = async |n: i64| {
        let Part::Rows { batch, columns, .. } = rows(table, &[n]) else { unreachable!() };
        let mut writer = world.files.stage(Arc::clone(&def), "main/".into(), columns);
        writer.write(batch).await.unwrap();
        writer.finish().await.unwrap()
    };
    let (committed, claims) = stage(1).await;
    let offset = append(&lake, vec![Part::Files { table, files: committed.clone() }]).await.offset;
    drop(claims);
    wait(&lake, offset).await;
    // Evidence of a rejected write stays, an open transaction's files stay, a dead process' do not.
    let (evidence, claims) = stage(2).await;
    let gone = append(&lake, vec![Part::Files { table: Uuid::new_v4(), files: evidence.clone() }]).await.offset;
    drop(claims);
    wait(&lake, gone).await;
    assert!(lake.outcome(gone).await.unwrap().is_some());
    let (open, _claims) = stage(3).await;
    let (orphan, claims) = stage(4).await;
    drop(claims);
    let foreign = format!("main/{}ducklake-0.parquet", def.path);
    let unfinished = format!("main/{}duckmesh-staged-0.parquet#1", def.path);
    for path in [&foreign, &unfinished] {
        std::fs::write(folder.path().join("files").join(path), b"x").unwrap();
    }
    let has = async |name: &str| world.files.list().await.unwrap().iter().any(|file| file.path.ends_with(name));
    let deadline = std::time::Instant::now() + PATIENCE;
    while has(&orphan[0].path).await || has(&unfinished).await {
        assert!(std::time::Instant::now() < deadline, "nothing is swept");
        tokio::task::yield_now().await;
    }
    for kept in [&committed[0].path, &evidence[0].path, &open[0].path, &foreign] {
        assert!(has(kept).await, "{kept} is needed");
    }
    assert_eq!(world.rows(table).await, [1]);
}

/// DDL that all rows were looked at for is refused when others came, and only then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_validated_write_is_refused_when_rows_arrived() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path()).await;
    let lake = world.lake(options()).await;
    let (table, other) = (world.table(&lake, "t").await, world.table(&lake, "other").await);
    let ddl = |name: &str| Part::Ddl(vec![DdlOp::RenameTable { uuid: table, name: name.to_owned() }]);
    let validated = |through| Some(Validated { through, tables: vec![table] });
    let seen = lake.watermark();
    append(&lake, vec![rows(other, &[1])]).await;
    let renamed = Write { validated: validated(seen), ..write(&lake, vec![ddl("u")]).await };
    let offset = lake.append(renamed).await.unwrap().offset;
    wait(&lake, offset).await;
    let arrived = append(&lake, vec![rows(table, &[2])]).await.offset;
    for keyed in [None, Some(key("late"))] {
        let late = Write { validated: validated(offset), key: keyed, ..write(&lake, vec![ddl("v")]).await };
        let error = lake.append(late).await.unwrap_err();
        assert_eq!(error.kind(), AppendErrorKind::RowsArrived);
    }
    let good = Write { validated: validated(arrived), key: Some(key("k")), ..write(&lake, vec![ddl("v")]).await };
    let stored = lake.append(good.clone()).await.unwrap();
    assert!(!stored.duplicate);
    assert_eq!(lake.recorded("k").await.unwrap(), Some(stored.offset));
    // A repeat is told so, whatever came since.
    append(&lake, vec![rows(table, &[3])]).await;
    let repeated = lake.append(good).await.unwrap();
    assert_eq!((repeated.duplicate, repeated.offset), (true, stored.offset));
}

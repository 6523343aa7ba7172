//! The one suite that every backend passes: the sentences on [`Bus`], each tried.
//!
//! `open` gives a handle on a lake's log; called again for the same lake it must give a new handle on the same log.

use std::{collections::BTreeSet, future::Future, sync::Arc, time::Duration};

use bytes::Bytes;
use duckmesh_catalog::{LakeId, Offset};

use super::{AppendOutcome, Bus, LaneState, NewRecord, RecordKey, SeenKey};
use crate::frame::IdempotencyKey;

const WRITERS: u8 = 8;
const APPENDS: u32 = 25;
const MANY_BYTES: usize = 1 << 30;

/// Runs everything. Panics where a promise is broken.
///
/// # Panics
/// That is how a test fails.
pub async fn run<F, Fut>(open: F)
where
    F: Fn(LakeId) -> Fut,
    Fut: Future<Output = Arc<dyn Bus>>,
{
    an_empty_lane_stands_at_zero(&open).await;
    offsets_are_dense_under_concurrent_writers(&open).await;
    what_was_appended_is_there_after_reopening(&open).await;
    stale_records_are_refused_and_neighbours_are_not(&open).await;
    moved_records_are_refused_and_neighbours_are_not(&open).await;
    given_up_files_are_refused_and_neighbours_are_not(&open).await;
    keys_are_recorded_once(&open).await;
    concurrent_repeats_have_one_effect(&open).await;
    reads_are_bounded_and_resume_anywhere(&open).await;
    trim_stops_at_the_watermark(&open).await;
    old_keys_are_forgotten(&open).await;
    a_dropped_lane_is_gone(&open).await;
}

fn record(offsets: u32, made_for: i64, body: &[u8]) -> NewRecord {
    NewRecord {
        offsets,
        made_for: Offset::new(made_for),
        ddl: false,
        head_max: None,
        files: Vec::new(),
        keys: Vec::new(),
        body: Bytes::copy_from_slice(body),
    }
}

fn ddl(made_for: i64) -> NewRecord {
    NewRecord { ddl: true, ..record(1, made_for, b"ddl") }
}

fn key(index: u32, name: &str, payload: u8) -> RecordKey {
    RecordKey { index, key: IdempotencyKey { key: name.to_owned(), payload_sha256: [payload; 32] } }
}

fn at(first: i64) -> AppendOutcome {
    AppendOutcome::Appended { first: Offset::new(first) }
}

fn lane(head: i64, ddl_offset: i64) -> LaneState {
    LaneState { head: Offset::new(head), ddl_offset: Offset::new(ddl_offset) }
}

/// Every record's range and body, in order.
async fn everything(bus: &dyn Bus, lake: LakeId) -> Vec<(i64, i64, Vec<u8>)> {
    let records = bus.read(lake, Offset::ZERO, MANY_BYTES).await.unwrap();
    let row = |r: super::StoredRecord| (r.first.get(), r.last.get(), r.body.to_vec());
    records.into_iter().map(row).collect()
}

async fn an_empty_lane_stands_at_zero<Fut: Future<Output = Arc<dyn Bus>>>(open: &impl Fn(LakeId) -> Fut) {
    let lake = LakeId::new(1);
    let bus = open(lake).await;
    assert!(bus.lane(lake).await.is_err(), "no lane before it is opened");
    assert!(bus.append(lake, vec![record(1, 0, b"x")]).await.is_err());
    assert_eq!(bus.open_lane(lake).await.unwrap(), lane(0, 0));
    assert_eq!(bus.open_lane(lake).await.unwrap(), lane(0, 0));
    assert_eq!(everything(&*bus, lake).await, []);
}

async fn offsets_are_dense_under_concurrent_writers<Fut: Future<Output = Arc<dyn Bus>>>(open: &impl Fn(LakeId) -> Fut) {
    let lake = LakeId::new(2);
    let bus = open(lake).await;
    bus.open_lane(lake).await.unwrap();
    let mut writers = Vec::new();
    for writer in 0..WRITERS {
        let bus = Arc::clone(&bus);
        writers.push(tokio::spawn(async move {
            let mut got = Vec::new();
            for n in 0..APPENDS {
                let offsets = 1 + n % 3;
                let some = vec![record(offsets, 0, &[writer]), record(1, 0, &[writer, writer])];
                match bus.append(lake, some).await.unwrap().as_slice() {
                    [AppendOutcome::Appended { first }, AppendOutcome::Appended { first: second }] => {
                        assert_eq!(first.get() + i64::from(offsets), second.get());
                        got.push((first.get(), second.get() - 1, vec![writer]));
                        got.push((second.get(), second.get(), vec![writer, writer]));
                    }
                    other => panic!("{other:?}"),
                }
            }
            got
        }));
    }
    // While they write, a reader sees a dense prefix that only grows.
    let mut seen = 0;
    while writers.iter().any(|w| !w.is_finished()) {
        let records = everything(&*bus, lake).await;
        assert_dense(&records);
        assert!(records.len() >= seen, "a read went back");
        seen = records.len();
    }
    let mut appended = Vec::new();
    for writer in writers {
        appended.extend(writer.await.unwrap());
    }
    appended.sort();
    let records = everything(&*bus, lake).await;
    assert_dense(&records);
    assert_eq!(records, appended, "every acknowledged record, at its offsets");
    let head = records.last().unwrap().1;
    assert_eq!(bus.lane(lake).await.unwrap(), lane(head, 0));
}

fn assert_dense(records: &[(i64, i64, Vec<u8>)]) {
    let mut expected = 1;
    for (first, last, _) in records {
        assert_eq!(*first, expected, "a hole, or an offset given twice");
        expected = last + 1;
    }
}

async fn what_was_appended_is_there_after_reopening<Fut: Future<Output = Arc<dyn Bus>>>(open: &impl Fn(LakeId) -> Fut) {
    let lake = LakeId::new(3);
    let bus = open(lake).await;
    bus.open_lane(lake).await.unwrap();
    bus.append(lake, vec![record(2, 0, b"a")]).await.unwrap();
    bus.append(lake, vec![ddl(0)]).await.unwrap();
    // A handle that never was closed: what a killed process leaves behind.
    std::mem::forget(bus);
    let bus = open(lake).await;
    assert_eq!(bus.open_lane(lake).await.unwrap(), lane(3, 3));
    let records = bus.read(lake, Offset::ZERO, MANY_BYTES).await.unwrap();
    assert_eq!(records.iter().map(|r| r.ddl).collect::<Vec<_>>(), [false, true]);
    assert_eq!(everything(&*bus, lake).await, [(1, 2, b"a".to_vec()), (3, 3, b"ddl".to_vec())]);
}

async fn stale_records_are_refused_and_neighbours_are_not<Fut: Future<Output = Arc<dyn Bus>>>(
    open: &impl Fn(LakeId) -> Fut,
) {
    let lake = LakeId::new(4);
    let bus = open(lake).await;
    bus.open_lane(lake).await.unwrap();
    let stale = |current| AppendOutcome::Stale { current: Offset::new(current) };
    let append = |records| bus.append(lake, records);
    // A DDL makes everything behind it stale, in the same call too.
    let group = vec![record(1, 0, b"a"), ddl(0), record(1, 0, b"b"), record(3, 2, b"c"), ddl(0)];
    assert_eq!(append(group).await.unwrap(), [at(1), at(2), stale(2), at(3), stale(2)]);
    // One statement or several: the same answer.
    assert_eq!(append(vec![record(1, 0, b"d")]).await.unwrap(), [stale(2)]);
    assert_eq!(append(vec![record(1, 9, b"e")]).await.unwrap(), [stale(2)], "nor for the future");
    assert_eq!(append(vec![record(1, 2, b"f")]).await.unwrap(), [at(6)]);
    let bodies: Vec<_> = everything(&*bus, lake).await.into_iter().map(|r| r.2).collect();
    assert_eq!(bodies, [b"a".to_vec(), b"ddl".to_vec(), b"c".to_vec(), b"f".to_vec()]);
    assert_eq!(bus.lane(lake).await.unwrap(), lane(6, 2));
}

async fn moved_records_are_refused_and_neighbours_are_not<Fut: Future<Output = Arc<dyn Bus>>>(
    open: &impl Fn(LakeId) -> Fut,
) {
    let lake = LakeId::new(11);
    let bus = open(lake).await;
    bus.open_lane(lake).await.unwrap();
    let append = |records| bus.append(lake, records);
    let at_most = |head_max, record| NewRecord { head_max: Some(Offset::new(head_max)), ..record };
    assert_eq!(append(vec![at_most(0, record(1, 0, b"a"))]).await.unwrap(), [at(1)]);
    let moved = || AppendOutcome::Moved;
    assert_eq!(append(vec![at_most(0, ddl(0)), record(1, 0, b"b")]).await.unwrap(), [moved(), at(2)]);
    // What the same call appended before it counts too.
    assert_eq!(append(vec![record(2, 0, b"c"), at_most(2, ddl(0))]).await.unwrap(), [at(3), moved()]);
    assert_eq!(append(vec![at_most(4, ddl(0))]).await.unwrap(), [at(5)]);
    // Stale says more than moved; a repeated key more than both.
    let outcomes = append(vec![at_most(0, record(1, 0, b"d"))]).await.unwrap();
    assert_eq!(outcomes, [AppendOutcome::Stale { current: Offset::new(5) }]);
    let keyed = |head_max| NewRecord { keys: vec![key(0, "k", 1)], ..at_most(head_max, record(1, 5, b"k")) };
    assert_eq!(append(vec![keyed(5)]).await.unwrap(), [at(6)]);
    let seen = SeenKey { index: 0, first: Offset::new(6), same_payload: true };
    assert_eq!(append(vec![keyed(0)]).await.unwrap(), [AppendOutcome::KeysSeen(vec![seen])]);
    assert_eq!(bus.lane(lake).await.unwrap(), lane(6, 5));
    assert_eq!(bus.recorded(lake, "k").await.unwrap(), Some(Offset::new(6)));
    assert_eq!(bus.recorded(lake, "never").await.unwrap(), None);
}

async fn given_up_files_are_refused_and_neighbours_are_not<Fut: Future<Output = Arc<dyn Bus>>>(
    open: &impl Fn(LakeId) -> Fut,
) {
    let lake = LakeId::new(12);
    let bus = open(lake).await;
    bus.open_lane(lake).await.unwrap();
    let names = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
    let naming = |files: &[&str]| NewRecord { files: names(files), ..record(1, 0, b"f") };
    assert_eq!(bus.append(lake, vec![naming(&["a", "b"])]).await.unwrap(), [at(1)]);
    assert_eq!(bus.give_up(lake, &names(&["b", "c"])).await.unwrap(), lane(1, 0));
    let outcomes = bus.append(lake, vec![record(1, 0, b"x"), naming(&["d", "c"]), naming(&["d"])]).await.unwrap();
    if bus.is_shared() {
        assert_eq!(outcomes, [at(2), AppendOutcome::GivenUp, at(3)]);
        // A key that was recorded answers its repeat all the same.
        let keyed = NewRecord { keys: vec![key(0, "f", 1)], ..naming(&["e"]) };
        assert_eq!(bus.append(lake, vec![keyed.clone()]).await.unwrap(), [at(4)]);
        bus.give_up(lake, &names(&["e"])).await.unwrap();
        assert!(matches!(bus.append(lake, vec![keyed]).await.unwrap()[..], [AppendOutcome::KeysSeen(_)]));
    } else {
        assert_eq!(outcomes, [at(2), at(3), at(4)], "one process knows what it needs");
    }
}

async fn keys_are_recorded_once<Fut: Future<Output = Arc<dyn Bus>>>(open: &impl Fn(LakeId) -> Fut) {
    let lake = LakeId::new(5);
    let bus = open(lake).await;
    bus.open_lane(lake).await.unwrap();
    let keyed = |offsets, keys| NewRecord { keys, ..record(offsets, 0, b"k") };
    let seen = |index, first, same_payload| SeenKey { index, first: Offset::new(first), same_payload };
    let append = |records| bus.append(lake, records);
    // Each key has the offset of its own frame, not of the record.
    let first = keyed(3, vec![key(0, "a", 1), key(2, "b", 2)]);
    assert_eq!(append(vec![first]).await.unwrap(), [at(1)]);
    // A repeat is refused whole, with its neighbours in the call unharmed.
    let again = keyed(2, vec![key(0, "new", 1), key(1, "b", 2)]);
    let outcomes = append(vec![again, record(1, 0, b"n")]).await.unwrap();
    assert_eq!(outcomes, [AppendOutcome::KeysSeen(vec![seen(1, 3, true)]), at(4)]);
    // Nothing partially: the new key of the refused record is not recorded.
    assert_eq!(append(vec![keyed(1, vec![key(0, "new", 1)])]).await.unwrap(), [at(5)]);
    // Another payload is told apart; a repeat is known also when its schema is stale by now.
    append(vec![ddl(0)]).await.unwrap();
    let outcomes = append(vec![keyed(1, vec![key(0, "a", 9)])]).await.unwrap();
    assert_eq!(outcomes, [AppendOutcome::KeysSeen(vec![seen(0, 1, false)])]);
    // Twice in one call: the second meets the first.
    let twice = |payload| NewRecord { made_for: Offset::new(6), ..keyed(1, vec![key(0, "twice", payload)]) };
    let outcomes = append(vec![twice(1), twice(1)]).await.unwrap();
    assert_eq!(outcomes, [at(7), AppendOutcome::KeysSeen(vec![seen(0, 7, true)])]);
    // A stale record leaves no key behind.
    let stale = keyed(1, vec![key(0, "stale", 1)]);
    assert!(matches!(append(vec![stale]).await.unwrap()[..], [AppendOutcome::Stale { .. }]));
    let fresh = NewRecord { made_for: Offset::new(6), ..keyed(1, vec![key(0, "stale", 1)]) };
    assert_eq!(append(vec![fresh]).await.unwrap(), [at(8)]);
}

async fn concurrent_repeats_have_one_effect<Fut: Future<Output = Arc<dyn Bus>>>(open: &impl Fn(LakeId) -> Fut) {
    let lake = LakeId::new(6);
    let bus = open(lake).await;
    bus.open_lane(lake).await.unwrap();
    let mut writers = Vec::new();
    for _ in 0..WRITERS {
        let bus = Arc::clone(&bus);
        writers.push(tokio::spawn(async move {
            // Two keys, in both orders: no deadlock.
            let one = NewRecord { keys: vec![key(0, "x", 1), key(1, "y", 1)], ..record(2, 0, b"r") };
            let other = NewRecord { keys: vec![key(0, "y", 1), key(1, "x", 1)], ..record(2, 0, b"r") };
            let outcomes = bus.append(lake, vec![one, other]).await.unwrap();
            outcomes.iter().filter(|o| matches!(o, AppendOutcome::Appended { .. })).count()
        }));
    }
    let mut effects = 0;
    for writer in writers {
        effects += writer.await.unwrap();
    }
    assert_eq!(effects, 1);
    assert_eq!(bus.lane(lake).await.unwrap(), lane(2, 0));
}

async fn reads_are_bounded_and_resume_anywhere<Fut: Future<Output = Arc<dyn Bus>>>(open: &impl Fn(LakeId) -> Fut) {
    let lake = LakeId::new(7);
    let bus = open(lake).await;
    bus.open_lane(lake).await.unwrap();
    let records = (0..10).map(|n| record(3, 0, &[n; 100])).collect();
    bus.append(lake, records).await.unwrap();
    let firsts = async |after: i64, bytes_max| -> Vec<i64> {
        let records = bus.read(lake, Offset::new(after), bytes_max).await.unwrap();
        records.iter().map(|r| r.first.get()).collect()
    };
    assert_eq!(firsts(0, 1).await, [1], "at least one");
    assert_eq!(firsts(0, 250).await, [1, 4, 7]);
    assert_eq!(firsts(5, 150).await, [4, 7], "from the middle of a record");
    assert_eq!(firsts(6, 150).await, [7, 10]);
    assert_eq!(firsts(29, MANY_BYTES).await, [28]);
    assert_eq!(firsts(30, MANY_BYTES).await, [0_i64; 0]);
}

async fn trim_stops_at_the_watermark<Fut: Future<Output = Arc<dyn Bus>>>(open: &impl Fn(LakeId) -> Fut) {
    let lake = LakeId::new(8);
    let bus = open(lake).await;
    bus.open_lane(lake).await.unwrap();
    bus.append(lake, (0..1000).map(|n: u32| record(2, 0, &n.to_le_bytes())).collect()).await.unwrap();
    assert_eq!(bus.trim(lake, Offset::ZERO).await.unwrap(), 0);
    assert_eq!(bus.trim(lake, Offset::new(1299)).await.unwrap(), 649, "1299 is half of a record");
    let firsts: BTreeSet<i64> = everything(&*bus, lake).await.iter().map(|r| r.0).collect();
    assert_eq!(firsts.first(), Some(&1299));
    assert_eq!(bus.trim(lake, Offset::new(9999)).await.unwrap(), 351);
    assert_eq!(bus.lane(lake).await.unwrap(), lane(2000, 0), "the head stays");
    assert_eq!(bus.append(lake, vec![record(1, 0, b"x")]).await.unwrap(), [at(2001)]);
}

async fn old_keys_are_forgotten<Fut: Future<Output = Arc<dyn Bus>>>(open: &impl Fn(LakeId) -> Fut) {
    let lake = LakeId::new(9);
    let bus = open(lake).await;
    bus.open_lane(lake).await.unwrap();
    let keyed = || NewRecord { keys: vec![key(0, "k", 1)], ..record(1, 0, b"k") };
    bus.append(lake, vec![keyed()]).await.unwrap();
    let day = Duration::from_secs(24 * 3600);
    assert_eq!(bus.forget_keys(lake, day).await.unwrap(), 0);
    let outcome = bus.append(lake, vec![keyed()]).await.unwrap();
    assert!(matches!(outcome[..], [AppendOutcome::KeysSeen(_)]));
    // Stores count in whole seconds, at worst.
    let until = std::time::Instant::now() + Duration::from_secs(10);
    while bus.forget_keys(lake, Duration::ZERO).await.unwrap() == 0 {
        assert!(std::time::Instant::now() < until, "an old key is kept");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(bus.append(lake, vec![keyed()]).await.unwrap(), [at(2)]);
}

async fn a_dropped_lane_is_gone<Fut: Future<Output = Arc<dyn Bus>>>(open: &impl Fn(LakeId) -> Fut) {
    let lake = LakeId::new(10);
    let bus = open(lake).await;
    bus.open_lane(lake).await.unwrap();
    bus.append(lake, vec![record(1, 0, b"x")]).await.unwrap();
    bus.drop_lane(lake).await.unwrap();
    assert!(bus.lane(lake).await.is_err());
    assert_eq!(everything(&*bus, lake).await, []);
}

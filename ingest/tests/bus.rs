//! Both backends pass the one suite.

mod support;

use std::sync::Arc;

use duckmesh_catalog::LakeId;
use duckmesh_ingest::{Bus, PostgresBus, SqliteBus, bus::conformance};
use support::postgres::Postgres;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_keeps_the_promises() {
    let folder = tempfile::tempdir().unwrap();
    let open = async |lake: LakeId| {
        let path = folder.path().join(format!("{lake}.sqlite"));
        let bus: Arc<dyn Bus> = Arc::new(SqliteBus::open(&path).unwrap());
        bus
    };
    conformance::run(open).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_keeps_the_promises() {
    let Some(server) = Postgres::start() else {
        eprintln!("skipped: PostgreSQL is not installed");
        return;
    };
    let url = server.url();
    let open = async |_: LakeId| {
        let bus: Arc<dyn Bus> = Arc::new(PostgresBus::open(&url).await.unwrap());
        bus
    };
    conformance::run(open).await;
}

#[test]
fn a_newer_log_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.sqlite");
    drop(SqliteBus::open(&path).unwrap());
    let raw = rusqlite::Connection::open(&path).unwrap();
    raw.pragma_update(None, "user_version", 99).unwrap();
    drop(raw);
    let error = SqliteBus::open(&path).err().unwrap();
    assert_eq!(error.kind(), duckmesh_ingest::BusErrorKind::Corrupt);
    assert!(error.to_string().contains("newer"), "{error}");
}

#[tokio::test]
async fn the_log_of_another_lake_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.sqlite");
    let bus = SqliteBus::open(&path).unwrap();
    bus.open_lane(LakeId::new(1)).await.unwrap();
    let error = bus.open_lane(LakeId::new(2)).await.unwrap_err();
    assert_eq!(error.kind(), duckmesh_ingest::BusErrorKind::Corrupt);
}

//! kill -9 in the middle of what many clients do at once, and of what one client does for long (GW1, GW3).

use std::{sync::Arc, time::Duration};

use duckmesh_tests::{
    checker,
    harness::{ServerOptions, WireClient, eventually_async, process, wire::CopyEnd},
    ledger::{Kind, Ledger, TABLES},
};
use tokio::task::JoinSet;

use crate::stand::{Stand, on_both_catalogs};

/// Sessions that share group commits.
const SESSIONS: u32 = 200;
const LINES: u32 = 120_000;

fn options() -> ServerOptions {
    let args = ["--max-connections", "260", "--sweep-grace-seconds", "2"].map(str::to_owned).to_vec();
    ServerOptions { args, ..ServerOptions::default() }
}

/// GW3: killed while 200 sessions write: each statement is wholly in or out, and all that was acknowledged is in.
async fn gw3_crash_in_a_group_commit_of_200_sessions(stand: &mut Stand) {
    let ledger = Arc::new(Ledger::default());
    stand.client().await.ok(TABLES).await;
    let mut all = JoinSet::new();
    for writer in 0..SESSIONS {
        let (ledger, client) = (ledger.clone(), stand.client().await);
        all.spawn(async move {
            let kind = if writer % 4 == 0 { Kind::Transaction } else { Kind::Insert };
            while ledger.write(&client, writer, kind, 1 + writer % 3).await {}
        });
    }
    let wanted = 3 * SESSIONS as usize;
    eventually_async("groups are acknowledged", Duration::from_secs(120), || async {
        (ledger.acknowledged() >= wanted).then_some(())
    })
    .await;
    stand.server.kill();
    while let Some(ended) = all.join_next().await {
        ended.expect("a client panicked");
    }
    stand.server.restart_with_failpoints(None);
    let client = stand.client().await;
    client.ok("SET duckmesh.barrier_timeout = '60s'").await;
    checker::check(&ledger, &client).await;
}

/// Copies all lines under one key; kills the server when some were sent.
fn copy(mut wire: WireClient, pid: u32, kill_after: Option<u32>) -> Result<(), String> {
    let key = wire.query("SET duckmesh.idempotency_key = 'this copy'");
    assert!(key.iter().all(|answer| answer.error.is_none()), "{key:?}");
    let mut lines = (0..LINES).step_by(10).map(|from| {
        if kill_after.is_some_and(|rows| from >= rows) {
            assert!(process::signal(pid, process::KILL));
        }
        (from..from + 10).flat_map(|n| format!("{n}\trow number {n}\n").into_bytes()).collect::<Vec<u8>>()
    });
    let answers = wire.copy_in("COPY t FROM STDIN", &mut lines, CopyEnd::Done)?;
    match answers.iter().find_map(|answer| answer.error.clone()) {
        Some(error) => Err(format!("{error:?}")),
        None => Ok(()),
    }
}

/// GW1: killed after some rows of a COPY: nothing of it is there; repeated with its key it is there once, and again once.
async fn gw1_crash_after_some_rows_of_a_copy(stand: &mut Stand) {
    let client = stand.client().await;
    client.ok("CREATE TABLE t (a int, b text); INSERT INTO t VALUES (-1, 'before'); SELECT * FROM t").await;
    for rows in [10, 1000, 100_000] {
        let (wire, pid) = (stand.server.wire(), stand.server.pid());
        let copied = tokio::task::spawn_blocking(move || copy(wire, pid, Some(rows))).await.unwrap();
        assert!(copied.is_err(), "G7: no success without an answer");
        stand.server.restart_with_failpoints(None);
        let client = stand.client().await;
        client.ok("SET duckmesh.consistency = strong; SET duckmesh.barrier_timeout = '60s'").await;
        assert_eq!(client.value("SELECT count(*) FROM t").await, "1", "killed after {rows} rows");
    }
    for _ in 0..2 {
        let (wire, pid) = (stand.server.wire(), stand.server.pid());
        tokio::task::spawn_blocking(move || copy(wire, pid, None)).await.unwrap().expect("it is taken, or was");
        let client = stand.client().await;
        client.ok("SET duckmesh.consistency = strong").await;
        let all = client.value("SELECT count(*), count(DISTINCT a), max(a) FROM t").await;
        assert_eq!(all, format!("{0}|{0}|{1}", LINES + 1, LINES - 1));
    }
}

on_both_catalogs!(with super::options();
    gw3_crash_in_a_group_commit_of_200_sessions,
    gw1_crash_after_some_rows_of_a_copy,
);

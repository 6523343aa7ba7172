//! Numbers of sequences are given once: whoever dies, and however many servers give them.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use duckmesh_tests::harness::{Client, Server, ServerOptions, eventually_async};
use tokio::task::JoinSet;

use crate::stand::{Stand, on_both_catalogs};

const WRITERS: usize = 4;
/// Numbers that were given before the server is killed.
const GIVEN_BEFORE_KILL: usize = 60;
const ROUNDS: usize = 3;

type Given = Arc<Mutex<Vec<i64>>>;

/// Takes numbers in every way until the server is gone.
fn takers(port: u16, given: &Given) -> JoinSet<()> {
    let mut all = JoinSet::new();
    for taker in 0..WRITERS {
        let given = given.clone();
        all.spawn(async move {
            let Ok(client) = Client::connect(port, "duckmesh").await else { return };
            loop {
                let sql = match taker % 3 {
                    0 => "INSERT INTO numbered (v) VALUES (1), (2) RETURNING id",
                    1 => "SELECT nextval('numbered_id_seq')",
                    _ => "SELECT nextval('numbered_id_seq') FROM generate_series(1, 3)",
                };
                let Ok(rows) = client.rows(sql).await else { return };
                given.lock().unwrap().extend(rows.iter().map(|row| row[0].as_deref().unwrap().parse::<i64>().unwrap()));
            }
        });
    }
    all
}

fn assert_unique(given: &Given) {
    let given = given.lock().unwrap();
    let unique: BTreeSet<i64> = given.iter().copied().collect();
    assert_eq!(unique.len(), given.len(), "a number was given twice");
}

async fn killed_servers_give_no_number_twice(stand: &mut Stand) {
    let client = stand.client().await;
    client.ok("CREATE TABLE numbered (id bigserial, v int)").await;
    let given: Given = Given::default();
    for round in 1..=ROUNDS {
        let mut work = takers(stand.server.port(), &given);
        let enough = || async { (given.lock().unwrap().len() >= round * GIVEN_BEFORE_KILL).then_some(()) };
        eventually_async("numbers are given", Duration::from_secs(60), enough).await;
        stand.server.kill();
        while work.join_next().await.is_some() {}
        stand.server.restart();
        assert_unique(&given);
    }
    let client = stand.client().await;
    let stored = client.value("SELECT count(*) = count(DISTINCT id) FROM numbered").await;
    assert_eq!(stored, "t", "a number is stored twice");
}

on_both_catalogs!(killed_servers_give_no_number_twice);

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_share_a_sequence() {
    let stand = Stand::postgres();
    let url = stand.postgres.as_ref().unwrap().url();
    let other = Server::with(ServerOptions { catalog: Some(url), ..ServerOptions::default() });
    let (one, two) = (stand.client().await, other.client().await);
    one.ok("CREATE SEQUENCE s").await;
    let next = "SELECT nextval('s')";
    let mut seen = Vec::new();
    for _ in 0..5 {
        seen.push(one.value(next).await);
        seen.push(two.value(next).await);
    }
    assert_eq!(seen, (1..=10).map(|n| n.to_string()).collect::<Vec<_>>());
    one.value("SELECT setval('s', 100)").await;
    assert_eq!(two.value(next).await, "101");
    two.ok("ALTER SEQUENCE s RESTART WITH 7").await;
    assert_eq!(two.value(next).await, "7");
}

//! From the start of a write until its own session has read it, with 16 sessions at once.

use std::time::{Duration, Instant};

use duckmesh_tests::harness::{Client, Server};
use tokio::task::JoinSet;

use crate::{Line, percentile, print};

const WRITERS: u32 = 16;

pub fn read_your_write(seconds: u64, server: &Server) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut times = runtime.block_on(run(seconds, server.port()));
    times.sort_unstable();
    let (p50, p99) = (percentile(&times, 50), percentile(&times, 99));
    let count = times.len();
    let what = format!("write -> read your write, 16 writers, {count} times, p50");
    print(&Line { what: &what, reached: format!("{:.1} ms", p50.as_secs_f64() * 1e3), aim: "under 20 ms" });
    print(&Line {
        what: "write -> read your write, 16 writers, p99",
        reached: format!("{:.1} ms", p99.as_secs_f64() * 1e3),
        aim: "under 100 ms",
    });
}

async fn run(seconds: u64, port: u16) -> Vec<Duration> {
    let first = Client::connect(port, "duckmesh").await.expect("a connection");
    first.ok("CREATE TABLE ryw (writer int, n int)").await;
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        writers.spawn(async move {
            let client = Client::connect(port, "duckmesh").await.expect("a connection");
            client.ok("SET client_min_messages = warning").await;
            let mut times = Vec::new();
            while Instant::now() < end {
                let n = times.len();
                let start = Instant::now();
                client.ok(&format!("INSERT INTO ryw VALUES ({writer}, {n})")).await;
                let read = format!("SELECT count(*) FROM ryw WHERE writer = {writer} AND n = {n}");
                assert_eq!(client.value(&read).await, "1", "G3");
                times.push(start.elapsed());
            }
            times
        });
    }
    let mut all = Vec::new();
    while let Some(times) = writers.join_next().await {
        all.extend(times.expect("a writer"));
    }
    all
}

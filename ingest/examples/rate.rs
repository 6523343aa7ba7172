//! How fast one lake takes durable single-row writes from 64 callers, and how soon a write can be read.
//!
//! `cargo run --release --example rate -- <folder> [seconds] [Postgres URL]`

#[path = "../tests/support/world.rs"]
#[allow(dead_code)]
mod world;

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use duckmesh_ingest::LakeOptions;
use world::{World, append, rows};

const CALLERS: i64 = 64;
const FRESH: usize = 200;

#[tokio::main(worker_threads = 2)]
async fn main() {
    let mut args = std::env::args().skip(1);
    let folder = args.next().expect("a folder");
    let seconds = args.next().map_or(5, |s| s.parse().expect("seconds"));
    let world = match args.next() {
        Some(url) => World::open_postgres(Path::new(&folder), &url).await,
        None => World::open(Path::new(&folder)).await,
    };
    let lake = world.lake(LakeOptions::default()).await;
    let table = world.table(&lake, &format!("t{}", std::process::id())).await;

    let mut fresh = Vec::new();
    for n in 0..FRESH {
        let started = Instant::now();
        let offset = append(&lake, vec![rows(table, &[n as i64])]).await.offset;
        let durable = started.elapsed();
        lake.wait_for(offset).await.expect("the barrier");
        fresh.push((started.elapsed(), durable));
    }
    fresh.sort();
    let (p50, p99) = (fresh[FRESH / 2], fresh[FRESH * 99 / 100]);
    println!("write, then barrier: p50 {p50:?} p99 {p99:?} (of it: until durable)");

    let until = Instant::now() + Duration::from_secs(seconds);
    let callers = (0..CALLERS).map(|caller| {
        let lake = Arc::clone(&lake);
        tokio::spawn(async move {
            let mut count = 0_u64;
            while Instant::now() < until {
                append(&lake, vec![rows(table, &[caller])]).await;
                count += 1;
            }
            count
        })
    });
    let mut total = 0;
    for caller in callers.collect::<Vec<_>>() {
        total += caller.await.expect("a caller");
    }
    println!("{CALLERS} callers: {} appends/s", total / seconds);
    let started = Instant::now();
    lake.shutdown(Duration::from_secs(60)).await;
    println!("drained in {:?}", started.elapsed());
}

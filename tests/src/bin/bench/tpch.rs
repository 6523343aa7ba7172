//! TPC-H: its data made by DuckDB, its 22 queries through the wire and in DuckDB on the same files.

use std::{
    io::Write,
    path::PathBuf,
    process::{Command, Stdio},
    time::Instant,
};

use duckmesh_tests::harness::{Client, Server, client::explain, paths};
use serde_json::{Value, json};

use crate::{Line, print};

const RUNS: u32 = 3;

pub struct Tpch {
    folder: PathBuf,
    about: Value,
}

impl Tpch {
    /// Makes the data, once.
    pub fn make() -> Self {
        let scale = std::env::var("BENCH_SCALE").unwrap_or_else(|_| "1".into());
        let folder = paths::cache().join(format!("tpch-{scale}"));
        let about = folder.join("tpch.json");
        if !about.exists() {
            let script = paths::tests("python/tpch.py");
            let status =
                Command::new(paths::python()).arg(script).arg(&folder).arg(&scale).status().expect("python runs");
            assert!(status.success(), "TPC-H data could not be made");
        }
        let about = std::fs::read_to_string(about).expect("tpch.json");
        Self { folder, about: serde_json::from_str(&about).expect("tpch.json") }
    }

    pub fn csv(&self, table: &str) -> PathBuf {
        self.folder.join(format!("{table}.csv"))
    }

    pub fn tables(&self) -> impl Iterator<Item = &str> {
        self.about["tables"].as_object().into_iter().flatten().map(|(name, _)| name.as_str())
    }

    pub fn create(&self, table: &str) -> String {
        format!("CREATE TABLE {table} ({});", self.about["tables"][table].as_str().expect("columns"))
    }

    /// The queries, here and there; best of three each.
    pub fn queries(&self, server: &Server) {
        let queries: Vec<&str> =
            self.about["queries"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let ours = runtime.block_on(through_the_wire(server.port(), &queries));
        let theirs = in_duckdb(server, &queries);
        let (mut sum_ours, mut sum_theirs, mut log) = (0.0, 0.0, 0.0);
        let mut done = 0_u32;
        for (n, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
            match ours {
                Ok((ours, rows)) => {
                    let same = if *rows == theirs.1 { "" } else { "  ROWS DIFFER" };
                    let ratio = ours / theirs.0;
                    println!(
                        "  TPC-H {:>2}: {:>8.1} ms / {:>8.1} ms = {ratio:.2} x{same}",
                        n + 1,
                        ours * 1e3,
                        theirs.0 * 1e3
                    );
                    (sum_ours, sum_theirs, log) = (sum_ours + ours, sum_theirs + theirs.0, log + ratio.ln());
                    done += 1;
                }
                Err(error) => println!("  TPC-H {:>2}: {error}", n + 1),
            }
        }
        let reached = format!("{sum_ours:.2} s / {sum_theirs:.2} s = {:.2} x", sum_ours / sum_theirs);
        let what = format!("TPC-H, {done} of {} queries, sum of times", queries.len());
        print(&Line { what: &what, reached, aim: "at most 1.15 x DuckDB" });
        let mean = (log / f64::from(done.max(1))).exp();
        print(&Line {
            what: "TPC-H, geometric mean of ratios",
            reached: format!("{mean:.2} x"),
            aim: "at most 1.15 x DuckDB",
        });
    }
}

async fn through_the_wire(port: u16, queries: &[&str]) -> Vec<Result<(f64, usize), String>> {
    let client = Client::connect(port, "duckmesh").await.expect("a connection");
    client.ok("SET duckmesh.consistency = strong; SELECT count(*) FROM lineitem").await;
    client.ok("SET statement_timeout = '300s'").await;
    let mut times = Vec::new();
    for query in queries {
        let mut best = Ok((f64::MAX, 0));
        for _ in 0..RUNS {
            let start = Instant::now();
            match client.rows(query).await {
                Ok(rows) => {
                    let took = start.elapsed().as_secs_f64();
                    best = best.map(|(before, _): (f64, usize)| (before.min(took), rows.len()));
                }
                Err(error) => best = Err(explain(&error)),
            }
        }
        times.push(best);
    }
    times
}

/// The limit: DuckDB itself, on the same files of the same lake.
fn in_duckdb(server: &Server, queries: &[&str]) -> Vec<(f64, usize)> {
    let catalog = server.data().join("lakes/duckmesh/catalog.sqlite");
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let request = json!({
        "attach": format!("ATTACH 'ducklake:sqlite:{}' AS lake", catalog.display()),
        "queries": queries, "runs": RUNS, "threads": threads, "memory": "4GB",
    });
    let mut child = Command::new(paths::python())
        .arg(paths::tests("python/time_queries.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python runs");
    child.stdin.take().expect("a pipe").write_all(request.to_string().as_bytes()).expect("the request");
    let output = child.wait_with_output().expect("python ends");
    assert!(output.status.success(), "DuckDB could not run the queries");
    let times: Vec<(f64, usize)> = serde_json::from_slice(&output.stdout).expect("times");
    times
}

//! What clients ask of the catalog, with a thousand tables of fifty columns.

use std::{
    fmt::Write as _,
    fs,
    time::{Duration, Instant},
};

use duckmesh_tests::{
    captures::{self, Captured, Side},
    harness::{Server, WireClient, paths},
};

use crate::{Line, percentile, print};

const TABLES: usize = 1000;
const COLUMNS: usize = 50;
const AIM: Duration = Duration::from_millis(50);
/// The slowest ones are named.
const NAMED: usize = 10;
/// Characters of a statement that are shown.
const SHOWN: usize = 100;

/// Every recorded statement, twice: the second time counts, as a tool asks more than once.
pub fn statements() {
    let server = Server::start();
    let mut side = large_lake(&server);
    let mut files: Vec<_> =
        fs::read_dir(paths::tests("captures")).expect("the captures").flatten().map(|entry| entry.path()).collect();
    files.sort();
    let mut times: Vec<(Duration, String)> = Vec::new();
    for file in &files {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        for statement in captures::read(file) {
            let _ = side.run(&statement);
            times.push((timed(&mut side, &statement), format!("{name}:{} {}", statement.line, shown(&statement))));
        }
    }
    times.sort_unstable();
    let sorted: Vec<Duration> = times.iter().map(|(time, _)| *time).collect();
    let ms = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1e3);
    for (what, percent) in [("p50", 50), ("p90", 90), ("p99", 99)] {
        let what = format!("{} catalog statements, {TABLES} tables of {COLUMNS}, {what}", times.len());
        print(&Line { what: &what, reached: ms(percentile(&sorted, percent)), aim: "under 50 ms" });
    }
    let slow = sorted.iter().filter(|time| **time > AIM).count();
    print(&Line { what: "catalog statements over 50 ms", reached: slow.to_string(), aim: "0" });
    for (time, text) in times.iter().rev().take(NAMED) {
        println!("    {:>9} {text}", ms(*time));
    }
}

fn timed(side: &mut Side, statement: &Captured) -> Duration {
    let start = Instant::now();
    let _ = side.run(statement);
    start.elapsed()
}

fn shown(statement: &Captured) -> String {
    statement.sql.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(SHOWN).collect()
}

fn large_lake(server: &Server) -> Side {
    let schema = fs::read_to_string(paths::tests("data/clients.sql")).expect("the schema");
    let mut client = server.wire();
    let columns: Vec<String> = (1..COLUMNS).map(|n| format!("c{n} numeric(10,2)")).collect();
    for start in (0..TABLES).step_by(100) {
        let mut sql = String::from("BEGIN;");
        for n in start..start + 100 {
            let _ = write!(sql, "CREATE TABLE w{n} (id bigint PRIMARY KEY, {});", columns.join(", "));
        }
        assert!(client.query(&(sql + "COMMIT")).iter().all(|answer| answer.error.is_none()));
    }
    Side::new(WireClient::connect(server.port(), "duckmesh", "tester"), &schema)
}

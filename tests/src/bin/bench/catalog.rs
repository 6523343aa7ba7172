//! What clients ask of the catalog, with a thousand tables of fifty columns.

use std::{
    fmt::Write as _,
    fs,
    time::{Duration, Instant},
};

use duckmesh_tests::{
    captures::{self, Captured, Side},
    harness::{Postgres, Server, WireClient, paths},
};

use crate::{Line, percentile, print};

const TABLES: usize = 1000;
const COLUMNS: usize = 50;
const AIM: Duration = Duration::from_millis(50);
/// The slowest ones are named.
const NAMED: usize = 25;
/// Characters of a statement that are shown.
const SHOWN: usize = 100;

/// A statement's time, PostgreSQL's, and what it is.
type Timed = (Duration, Duration, String);

/// Every recorded statement, twice on each: the second time counts, as a tool asks more than once. `BENCH_CATALOG=client:line`
/// asks those alone whose name contains it.
pub fn statements() {
    let only = std::env::var("BENCH_CATALOG").unwrap_or_default();
    let (server, postgres) = (Server::start(), Postgres::with(&["max_locks_per_transaction=1024"]));
    let mut ours = large(|| server.wire());
    let mut theirs = large(|| WireClient::connect(postgres.port(), "postgres", "tester"));
    let mut files: Vec<_> =
        fs::read_dir(paths::tests("captures")).expect("the captures").flatten().map(|entry| entry.path()).collect();
    files.sort();
    let mut times: Vec<Timed> = Vec::new();
    for file in &files {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        for statement in captures::read(file) {
            let name = format!("{name}:{}", statement.line);
            if name.contains(&only) {
                let text = format!("{name} {}", shown(&statement));
                times.push((timed(&mut ours, &statement), timed(&mut theirs, &statement), text));
            }
        }
    }
    report(times);
}

fn report(mut times: Vec<Timed>) {
    times.sort_unstable();
    let ms = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1e3);
    let [mut ours, mut theirs]: [Vec<Duration>; 2] =
        [times.iter().map(|t| t.0).collect(), times.iter().map(|t| t.1).collect()];
    ours.sort_unstable();
    theirs.sort_unstable();
    for (what, percent) in [("p50", 50), ("p90", 90), ("p99", 99)] {
        let what = format!("{} catalog statements, {TABLES} tables of {COLUMNS}, {what}", times.len());
        let [ours, theirs] = [percentile(&ours, percent), percentile(&theirs, percent)];
        let reached = format!("{} (PostgreSQL {})", ms(ours), ms(theirs));
        print(&Line { what: &what, reached, aim: "under 50 ms" });
    }
    let slow = |sorted: &[Duration]| sorted.iter().filter(|time| **time > AIM).count();
    let reached = format!("{} (PostgreSQL {})", slow(&ours), slow(&theirs));
    print(&Line { what: "catalog statements over 50 ms", reached, aim: "0" });
    for (ours, theirs, text) in times.iter().rev().take(NAMED) {
        let ratio = ours.as_secs_f64() / theirs.as_secs_f64();
        println!("    {:>9} ({:>9}, {ratio:.2} x) {text}", ms(*ours), ms(*theirs));
    }
}

fn timed(side: &mut Side, statement: &Captured) -> Duration {
    let _ = side.run(statement);
    let start = Instant::now();
    let _ = side.run(statement);
    start.elapsed()
}

fn shown(statement: &Captured) -> String {
    statement.sql.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(SHOWN).collect()
}

/// A server with all those tables.
fn large(connect: impl Fn() -> WireClient) -> Side {
    let schema = fs::read_to_string(paths::tests("data/clients.sql")).expect("the schema");
    let mut client = connect();
    let columns: Vec<String> = (1..COLUMNS).map(|n| format!("c{n} numeric(10,2)")).collect();
    for start in (0..TABLES).step_by(100) {
        let mut sql = String::from("BEGIN;");
        for n in start..start + 100 {
            let _ = write!(sql, "CREATE TABLE w{n} (id bigint PRIMARY KEY, {});", columns.join(", "));
        }
        assert!(client.query(&(sql + "COMMIT")).iter().all(|answer| answer.error.is_none()));
    }
    Side::new(connect(), &schema)
}

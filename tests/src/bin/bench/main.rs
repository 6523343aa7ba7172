//! `make bench`: DuckMesh beside PostgreSQL with its defaults and beside DuckDB, on this machine, in one run. Prints ratios.
//!
//! Never a test: nothing fails because a machine is slow. `BENCH_ONLY=catalog` measures the catalog alone,
//! `BENCH_ONLY=production` several servers and large lakes alone, `BENCH_ONLY=latency` the read after a write alone.
//! `BENCH_SCALE` is TPC-H's scale factor (1), `BENCH_SECONDS` the time of each load (15).

use std::{
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use duckmesh_tests::harness::{Postgres, Server, ServerOptions, paths, process, psql};

mod catalog;
mod latency;
mod production;
mod tpch;

/// What is aimed at, as the ratio or time that is printed beside what was reached.
struct Line<'a> {
    what: &'a str,
    reached: String,
    aim: &'a str,
}

fn print(line: &Line<'_>) {
    println!("{:<58} {:>26}   aim: {}", line.what, line.reached, line.aim);
}

fn main() {
    if std::env::var("BENCH_ONLY").is_ok_and(|only| only == "catalog") {
        catalog::statements();
        return;
    }
    let seconds: u64 = std::env::var("BENCH_SECONDS").ok().and_then(|n| n.parse().ok()).unwrap_or(15);
    if std::env::var("BENCH_ONLY").is_ok_and(|only| only == "production") {
        production::run(seconds);
        return;
    }
    if std::env::var("BENCH_ONLY").is_ok_and(|only| only == "latency") {
        latency::read_your_write(seconds, &Server::start());
        return;
    }
    let tpch = tpch::Tpch::make();
    // PostgreSQL as it comes: it syncs, and so does DuckMesh.
    let postgres = Postgres::with(&[]);
    // PostgreSQL's statements have no time limit either.
    let args = ["--statement-timeout-seconds", "0"].map(str::to_owned).to_vec();
    let server = Server::with(ServerOptions { args, ..ServerOptions::default() });
    let mut worker_peak = 0;

    copy_in(&tpch, &postgres, &server);
    copy_out(&postgres, &server);
    worker_peak = worker_peak.max(peak_of_workers(&server));
    inserts(seconds, &postgres, &server);
    latency::read_your_write(seconds, &server);
    worker_peak = worker_peak.max(peak_of_workers(&server));
    tpch.queries(&server);
    worker_peak = worker_peak.max(peak_of_workers(&server));
    let peak = format!("{} MiB", process::peak_memory_kib(server.pid()) / 1024);
    print(&Line { what: "server, highest resident memory", reached: peak, aim: "under 1024 MiB" });
    catalog::statements();
    production::run(seconds);
    print(&Line {
        what: "engine worker, highest resident memory",
        reached: format!("{} MiB", worker_peak / 1024),
        aim: "-",
    });
}

fn peak_of_workers(server: &Server) -> u64 {
    server.workers().into_iter().map(process::peak_memory_kib).max().unwrap_or(0)
}

/// Runs a psql script on both: seconds of each.
fn both(script: &str, postgres: &Postgres, server: &Server) -> (f64, f64) {
    let timed = |port: u16, database: &str| {
        let start = Instant::now();
        let printed = psql(port, database, script, &["-q", "-v", "ON_ERROR_STOP=1"]);
        assert_eq!(printed.code, 0, "{}", printed.err);
        start.elapsed().as_secs_f64()
    };
    (timed(postgres.port(), "postgres"), timed(server.port(), "duckmesh"))
}

fn ratio(what: &str, (theirs, ours): (f64, f64)) {
    let reached = format!("{ours:.1} s / {theirs:.1} s = {:.2} x", ours / theirs);
    print(&Line { what, reached, aim: "at most 1.00 x PostgreSQL" });
}

fn copy_in(tpch: &tpch::Tpch, postgres: &Postgres, server: &Server) {
    let _ = both(&tpch.create("lineitem"), postgres, server);
    let csv = tpch.csv("lineitem");
    let script = format!("\\copy lineitem FROM '{}' WITH (FORMAT csv)", csv.display());
    ratio("COPY lineitem FROM STDIN (CSV)", both(&script, postgres, server));
    for name in tpch.tables().filter(|name| *name != "lineitem") {
        let load =
            format!("{};\n\\copy {name} FROM '{}' WITH (FORMAT csv)", tpch.create(name), tpch.csv(name).display());
        let printed = psql(server.port(), "duckmesh", &load, &["-q", "-v", "ON_ERROR_STOP=1"]);
        assert_eq!(printed.code, 0, "{}", printed.err);
    }
}

fn copy_out(postgres: &Postgres, server: &Server) {
    let script = "SET duckmesh.consistency = strong;\nSELECT count(*) FROM lineitem;";
    let printed = psql(server.port(), "duckmesh", script, &["-v", "ON_ERROR_STOP=1"]);
    assert_eq!(printed.code, 0, "{}", printed.err);
    let script = "\\copy lineitem TO '/dev/null'";
    ratio("COPY lineitem TO STDOUT (text)", both(script, postgres, server));
}

/// 64 clients of durable single-row prepared INSERT, by pgbench.
fn inserts(seconds: u64, postgres: &Postgres, server: &Server) {
    let _ = both("CREATE TABLE hits (client int, n bigint, at timestamptz, text text);", postgres, server);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let script = folder.path().join("insert.sql");
    let text = "\\set n random(1, 1000000000)\nINSERT INTO hits VALUES (:client_id, :n, now(), 'a short text');\n";
    std::fs::write(&script, text).expect("the script");
    let rate = |port: u16, database: &str| -> f64 {
        let output = Command::new(paths::postgres_bin().join("pgbench"))
            .args(["-n", "-M", "prepared", "-c", "64", "-j", "2", "-T", &seconds.to_string(), "-f"])
            .arg(&script)
            .args(["-h", "127.0.0.1", "-p", &port.to_string(), "-U", "tester", database])
            .env("PGOPTIONS", "-c client_min_messages=warning")
            .stdin(Stdio::null())
            .output()
            .expect("pgbench runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let found = text.lines().find_map(|line| line.strip_prefix("tps = ")?.split_whitespace().next()?.parse().ok());
        found.unwrap_or_else(|| panic!("pgbench: {text}{}", String::from_utf8_lossy(&output.stderr)))
    };
    let (theirs, ours) = (rate(postgres.port(), "postgres"), rate(server.port(), "duckmesh"));
    let reached = format!("{ours:.0}/s / {theirs:.0}/s = {:.2} x", ours / theirs);
    print(&Line { what: "64 clients, durable one-row prepared INSERT", reached, aim: "at least 1.00 x PostgreSQL" });
}

/// A percentile of sorted times.
fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let at = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(at).copied().unwrap_or_default()
}

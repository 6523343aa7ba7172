//! What many connections, many files and many lakes cost.

use std::time::{Duration, Instant};

use duckmesh_tests::harness::{Client, Postgres, Server, ServerOptions, process};
use tokio::task::JoinSet;

use super::number;
use crate::{Line, percentile, print};

/// Sessions that work at the same time.
const BUSY: usize = 200;
/// How long an idle deployment is watched.
const WATCH: Duration = Duration::from_secs(10);

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Runtime::new().expect("a runtime")
}

fn ms(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

fn server_with(args: &[&str], catalog: Option<String>) -> Server {
    let args = args.iter().map(|arg| (*arg).to_owned()).collect();
    Server::with(ServerOptions { args, catalog, ..ServerOptions::default() })
}

/// A thousand that do nothing, and two hundred that write and read.
pub fn connections() {
    let idle = number("BENCH_IDLE", 1000);
    raise_descriptors();
    let server = server_with(&["--max-connections", &(idle + BUSY + 10).to_string()], None);
    let port = server.port();
    runtime().block_on(async {
        let first = server.client().await;
        first.ok("CREATE TABLE t (a int); INSERT INTO t VALUES (1); SELECT * FROM t").await;
        let before = process::resident_kib(server.pid());
        let mut all = Vec::with_capacity(idle);
        for _ in 0..idle {
            all.push(Client::connect(port, "duckmesh").await.expect("a connection"));
        }
        let with_idle = process::resident_kib(server.pid());
        let each = with_idle.saturating_sub(before) as f64 / idle as f64;
        let what = format!("{idle} idle connections");
        print(&Line { what: &what, reached: format!("{} MiB, {each:.0} KiB each", with_idle / 1024), aim: "-" });
        let mut resident = Vec::new();
        // One after the other: more at once would be refused before they have said who they are.
        let mut clients = Vec::with_capacity(BUSY);
        for _ in 0..BUSY {
            clients.push(Client::connect(port, "duckmesh").await.expect("a connection"));
        }
        let end = Instant::now() + WATCH;
        let mut busy = JoinSet::new();
        for (n, client) in clients.into_iter().enumerate() {
            busy.spawn(async move {
                client.ok("SET client_min_messages = warning; SET duckmesh.barrier_timeout = '60s'").await;
                let mut done = 0_u32;
                while Instant::now() < end {
                    client.ok(&format!("INSERT INTO t VALUES ({n})")).await;
                    client.ok("SELECT count(*) FROM t").await;
                    done += 1;
                }
                done
            });
        }
        while Instant::now() < end {
            resident.push(process::resident_kib(server.pid()));
            tokio::time::sleep(WATCH / 20).await;
        }
        let mut done = 0;
        while let Some(some) = busy.join_next().await {
            done += some.expect("a client");
        }
        let (half, last) = (resident[resident.len() / 2] / 1024, resident.last().copied().unwrap_or(0) / 1024);
        let reached = format!("{:.0}/s; {half} MiB, later {last} MiB", f64::from(done) / WATCH.as_secs_f64());
        print(&Line { what: &format!("{BUSY} busy beside them: write and read back"), reached, aim: "memory flat" });
    });
}

fn raise_descriptors() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both calls only read and write the limit that they are given.
    unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit);
        limit.rlim_cur = limit.rlim_max.min(65_536);
        libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
    }
}

/// A table of many files: what planning costs, and what a commit costs.
pub fn files() {
    let most = number("BENCH_FILES", 100_000);
    let mut server = server_with(&["--merge-files", "false"], None);
    let runtime = runtime();
    runtime.block_on(async {
        let client = server.client().await;
        client.ok("CREATE TABLE t (a bigint, b text); CREATE TABLE u (a bigint)").await;
        client.ok("INSERT INTO t SELECT n, 'x' FROM generate_series(0, 999) AS s(n); SELECT count(*) FROM t").await;
    });
    for files in [0, most / 10, most] {
        assert!(server.stop().success());
        add_files(&server, files);
        server.restart();
        runtime.block_on(async {
            let client = server.client().await;
            client.ok("SET client_min_messages = warning; SET statement_timeout = 0").await;
            let times = times(
                &client,
                30,
                |n| format!("INSERT INTO u VALUES ({n})"),
                "SET duckmesh.write_visibility = visible",
            )
            .await;
            let what = format!("a commit in a lake of {files} files, p50");
            print(&Line { what: &what, reached: ms(percentile(&times, 50)), aim: "independent of the lake" });
            let times = times_of_table(&client).await;
            let what = format!("a commit to the table with {files} files, p50");
            print(&Line { what: &what, reached: ms(percentile(&times, 50)), aim: "independent of the lake" });
            if files > 0 {
                planning(&client, files).await;
            }
        });
    }
}

async fn times_of_table(client: &Client) -> Vec<Duration> {
    let insert = |n: usize| format!("INSERT INTO t VALUES ({}, 'y')", -1 - n as i64);
    times(client, 20, insert, "SET duckmesh.write_visibility = visible").await
}

async fn planning(client: &Client, files: usize) {
    let start = Instant::now();
    let pruned = "SELECT count(*) FROM t WHERE a = 500";
    assert_eq!(client.value(pruned).await, "1");
    let what = format!("{files} files: a query of one of them, the first time");
    print(&Line { what: &what, reached: ms(start.elapsed()), aim: "-" });
    let again = times(client, 30, |n| format!("SELECT count(*) FROM t WHERE a = {}", n * 7), "SELECT 1").await;
    print(&Line {
        what: &format!("{files} files: a query of one of them, p50"),
        reached: ms(percentile(&again, 50)),
        aim: "under 100 ms",
    });
    // EXPLAIN plans over every file and reads none.
    let full = times(client, 3, |_| "EXPLAIN SELECT sum(a) FROM t".to_owned(), "SELECT 1").await;
    print(&Line {
        what: &format!("{files} files: planning over all of them, p50"),
        reached: ms(percentile(&full, 50)),
        aim: "-",
    });
}

/// Sorted times of some statements.
async fn times(client: &Client, count: usize, statement: impl Fn(usize) -> String, before: &str) -> Vec<Duration> {
    client.ok(before).await;
    let mut times = Vec::with_capacity(count);
    for n in 0..count {
        let start = Instant::now();
        client.ok(&statement(n)).await;
        times.push(start.elapsed());
    }
    client.ok("RESET duckmesh.write_visibility").await;
    times.sort_unstable();
    times
}

/// Writes so many files into the catalog, each a thousand rows behind the last one; all of them are the table's first file.
fn add_files(server: &Server, files: usize) {
    let catalog = rusqlite::Connection::open(server.data().join("lakes/duckmesh/catalog.sqlite")).expect("the catalog");
    let run = |sql: &str| catalog.execute_batch(sql).unwrap_or_else(|e| panic!("{sql}\n{e}"));
    run(
        "CREATE TEMP TABLE first AS SELECT * FROM ducklake_data_file WHERE table_id = (SELECT table_id FROM ducklake_table \
         WHERE table_name = 't') ORDER BY data_file_id LIMIT 1",
    );
    run(&format!(
        "CREATE TEMP TABLE more AS WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < {files}) \
                  SELECT n FROM c WHERE n <= {files} AND 10000000 + n NOT IN (SELECT data_file_id FROM ducklake_data_file)"
    ));
    run("UPDATE first SET file_order = file_order");
    let columns = column_names(&catalog, "ducklake_data_file");
    let values = columns.iter().map(|c| if c == "data_file_id" { "10000000 + n".to_owned() } else { c.clone() });
    let (names, values) = (columns.join(", "), values.collect::<Vec<_>>().join(", "));
    run(&format!("BEGIN; INSERT INTO ducklake_data_file({names}) SELECT {values} FROM first, more"));
    let columns = column_names(&catalog, "ducklake_file_column_stats");
    // Only the first column tells one file from another.
    let values = columns.iter().map(|c| match c.as_str() {
        "data_file_id" => "10000000 + n".to_owned(),
        "min_value" => "CASE WHEN min_value = '0' THEN CAST(n * 1000 AS TEXT) ELSE min_value END".to_owned(),
        "max_value" => "CASE WHEN max_value = '999' THEN CAST(n * 1000 + 999 AS TEXT) ELSE max_value END".to_owned(),
        _ => c.clone(),
    });
    let (names, values) = (columns.join(", "), values.collect::<Vec<_>>().join(", "));
    run(&format!(
        "INSERT INTO ducklake_file_column_stats({names}) SELECT {values} FROM ducklake_file_column_stats, more \
                  WHERE data_file_id = (SELECT data_file_id FROM first); COMMIT"
    ));
}

fn column_names(catalog: &rusqlite::Connection, table: &str) -> Vec<String> {
    let mut statement =
        catalog.prepare(&format!("SELECT name FROM pragma_table_info('{table}')")).expect("its columns");
    let names = statement.query_map([], |row| row.get(0)).expect("its columns");
    names.collect::<Result<_, _>>().expect("its columns")
}

/// Many lakes in one deployment over Postgres, where nobody does anything.
pub fn lakes() {
    let lakes = number("BENCH_LAKES", 1000);
    let postgres = Postgres::start();
    let server = server_with(&[], Some(postgres.url()));
    runtime().block_on(async {
        let client = server.client().await;
        client.ok("SELECT 1").await;
        let admin = postgres.client().await;
        let (before, _) = watch(&server, &admin).await;
        let start = Instant::now();
        for n in 0..lakes {
            client.ok(&format!("CREATE DATABASE lake_{n}")).await;
        }
        let each = start.elapsed() / u32::try_from(lakes.max(1)).unwrap_or(1);
        print(&Line { what: &format!("{lakes} lakes: CREATE DATABASE, each"), reached: ms(each), aim: "-" });
        // Opened by somebody once, and left.
        for n in 0..lakes {
            drop(server.client_of(&format!("lake_{n}")).await);
        }
        // Connections of PostgreSQL count what they did late: the first look is at the time before.
        watch(&server, &admin).await;
        let (after, load) = watch(&server, &admin).await;
        let each = after.saturating_sub(before) as f64 / lakes as f64;
        print(&Line {
            what: &format!("{lakes} idle lakes: memory of the server"),
            reached: format!("{} MiB, {each:.0} KiB each", after / 1024),
            aim: "-",
        });
        print(&Line {
            what: &format!("{lakes} idle lakes: processor, and transactions of Postgres"),
            reached: load,
            aim: "-",
        });
        let connections =
            admin.value("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'duckmesh%'").await;
        print(&Line { what: &format!("{lakes} idle lakes: connections to Postgres"), reached: connections, aim: "-" });
    });
}

/// Resident memory, and what an idle server does for a while.
async fn watch(server: &Server, admin: &Client) -> (u64, String) {
    let commits = "SELECT pg_stat_clear_snapshot(), (SELECT sum(xact_commit) FROM pg_stat_database)::bigint";
    let count = |row: String| row.rsplit('|').next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
    let (ticks, first) = (process::ticks(server.pid()), count(admin.value(commits).await));
    tokio::time::sleep(WATCH).await;
    let (spent, second) = (process::ticks(server.pid()) - ticks, count(admin.value(commits).await));
    let seconds = WATCH.as_secs_f64();
    let load = format!("{:.1} % of a core, {:.1}/s", spent as f64 / seconds, (second - first) as f64 / seconds);
    (process::resident_kib(server.pid()), load)
}

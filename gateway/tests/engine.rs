//! The engine with real worker processes: what they refuse, what they survive, and how they end.

use std::{
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use arrow::{
    array::{Int64Array, RecordBatch},
    datatypes::{DataType, Field, Schema},
    util::display::array_value_to_string,
};
use duckmesh::{
    engine::{Engine, EngineOptions, QueryRequest, ResultStream, Verb},
    wire::error::{PgError, PgResult},
};

const MIB: u64 = 1 << 20;
/// Statements that are stopped must say so within this.
const PROMPT: Duration = Duration::from_millis(300);
/// Statements that follow start within this, also on a machine that is busy with other tests.
const SOON: Duration = Duration::from_secs(5);
/// Nothing that is waited for takes longer.
const PATIENCE: Duration = Duration::from_secs(60);

struct Lake {
    folder: tempfile::TempDir,
    engine: Engine,
}

fn lake() -> Lake {
    lake_with(|_| {})
}

fn lake_with(change: impl FnOnce(&mut EngineOptions)) -> Lake {
    let folder = tempfile::tempdir().unwrap();
    let files = folder.path().join("files");
    fs::create_dir(&files).unwrap();
    write_parquet(&files.join("a.parquet"));
    let program = env!("CARGO_BIN_EXE_duckmesh").into();
    let mut options = EngineOptions::new(program, vec![files], folder.path().join("spill"));
    options.memory_bytes = 512 * MIB;
    options.spill_bytes = 200 * MIB;
    change(&mut options);
    Lake { folder, engine: Engine::new(options) }
}

fn write_parquet(path: &Path) {
    let schema = Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, false)]));
    let ids = Arc::new(Int64Array::from_iter_values(0..1000));
    let batch = RecordBatch::try_new(Arc::clone(&schema), vec![ids]).unwrap();
    let mut writer = parquet::arrow::ArrowWriter::try_new(fs::File::create(path).unwrap(), schema, None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

impl Lake {
    fn request(&self, sql: &str) -> QueryRequest {
        let file = self.file();
        let mut request = QueryRequest::new(sql);
        request.prelude = vec![format!("CREATE TEMP VIEW t_1 AS SELECT * FROM read_parquet(['{file}'])")];
        request
    }

    fn file(&self) -> String {
        self.folder.path().join("files/a.parquet").display().to_string()
    }

    async fn rows(&self, sql: &str) -> PgResult<Vec<Vec<String>>> {
        rows(self.engine.query(self.request(sql)).await?).await
    }

    async fn value(&self, sql: &str) -> String {
        self.rows(sql).await.unwrap().into_iter().flatten().next().unwrap()
    }

    async fn error(&self, sql: &str) -> PgError {
        match self.rows(sql).await {
            Err(error) => error,
            Ok(rows) => panic!("not refused: {sql}: {:?}", rows.first()),
        }
    }

    async fn pid(&self) -> u32 {
        self.engine.status().await.unwrap().pid
    }

    /// Starts a statement that runs for ever and gives no rows.
    async fn endless(&self) -> ResultStream {
        self.engine.query(self.request(ENDLESS)).await.unwrap()
    }
}

const ENDLESS: &str = "SELECT sum(a.range * b.range) FROM range(100000000) a, range(100000000) b";

async fn rows(mut stream: ResultStream) -> PgResult<Vec<Vec<String>>> {
    let mut out = Vec::new();
    while let Some(batch) = stream.next().await? {
        for row in 0..batch.num_rows() {
            out.push(batch.columns().iter().map(|c| array_value_to_string(c, row).unwrap()).collect());
        }
    }
    Ok(out)
}

fn kill(pid: u32) {
    let status = std::process::Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap();
    assert!(status.success());
}

fn alive(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

fn resident_bytes(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

/// User and system time, in ticks.
fn processor_ticks(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < PATIENCE, "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn all_walls_stand_and_the_worker_has_nothing_of_ours() {
    let lake = lake();
    let status = lake.engine.status().await.unwrap();
    assert_eq!(status.duckdb, "v1.5.6");
    for wall in &status.walls {
        assert!(wall.stands, "{wall:?}");
    }
    assert_eq!(status.walls.len(), 7);
    let environment = fs::read(format!("/proc/{}/environ", status.pid)).unwrap();
    for variable in environment.split(|b| *b == 0).filter(|v| !v.is_empty()) {
        let name = String::from_utf8_lossy(variable.split(|b| *b == b'=').next().unwrap()).into_owned();
        assert!(["TZ", "LC_ALL", "MALLOC_ARENA_MAX", "LD_LIBRARY_PATH"].contains(&name.as_str()), "{name}");
    }
}

#[tokio::test]
async fn rows_types_and_columns() {
    let lake = lake();
    assert_eq!(lake.value("SELECT sum(id) FROM t_1").await, "499500");
    let cases = [
        ("SELECT 1", "INTEGER", "1"),
        ("SELECT true", "BOOLEAN", "true"),
        ("SELECT sum(range) FROM range(10)", "HUGEINT", "45"),
        (
            "SELECT 170141183460469231731687303715884105727::hugeint::varchar",
            "VARCHAR",
            "170141183460469231731687303715884105727",
        ),
        ("SELECT 1.50::decimal(18,3)", "DECIMAL(18,3)", "1.500"),
        ("SELECT '{\"a\": 1}'::json", "JSON", "{\"a\": 1}"),
        ("SELECT '10:00:00.5-02:30'::timetz", "TIME WITH TIME ZONE", "10:00:00.5-02:30"),
        ("SELECT '0101'::bit", "BIT", "0101"),
        ("SELECT 'b'::enum('a', 'b')", "ENUM('a', 'b')", "b"),
        (
            "SELECT 340282366920938463463374607431768211455::uhugeint",
            "UHUGEINT",
            "340282366920938463463374607431768211455",
        ),
        ("SELECT [true, NULL]", "BOOLEAN[]", "[true, ]"),
        ("SELECT {'a': 1, 'B b': [false]}", "STRUCT(a INTEGER, \"B b\" BOOLEAN[])", "{a: 1, B b: [false]}"),
        ("SELECT map {'k': true}", "MAP(VARCHAR, BOOLEAN)", "{k: true}"),
        ("SELECT uuid '00000000-0000-0000-0000-0000000000ff'", "UUID", "000000000000000000000000000000ff"),
        // Postgres' meaning.
        ("SELECT 7 / 2", "INTEGER", "3"),
        ("SELECT x FROM (VALUES (1), (NULL)) v(x) ORDER BY x LIMIT 1", "INTEGER", "1"),
        ("SELECT coalesce(x, -1) FROM (VALUES (1), (NULL)) v(x) ORDER BY x DESC LIMIT 1", "INTEGER", "-1"),
    ];
    for (sql, duckdb_type, value) in cases {
        let stream = lake.engine.query(QueryRequest::new(sql)).await.unwrap();
        assert_eq!(stream.columns[0].duckdb_type, duckdb_type, "{sql}");
        assert_eq!(rows(stream).await.unwrap(), [[value]], "{sql}");
    }
    // More than one batch of chunks, in order.
    let all = lake.rows("SELECT range FROM range(200000)").await.unwrap();
    assert_eq!(all.len(), 200_000);
    assert!(all.iter().enumerate().all(|(at, row)| row[0] == at.to_string()));
    assert!(lake.rows("SELECT 1 WHERE false").await.unwrap().is_empty());
}

#[tokio::test]
async fn each_statement_has_its_own_time_zone_and_views() {
    let lake = lake();
    let sql = "SELECT TIMESTAMPTZ '2024-07-01 12:00:00+00'::varchar";
    for (zone, expected) in [
        ("America/New_York", "2024-07-01 08:00:00-04"),
        ("UTC", "2024-07-01 12:00:00+00"),
        ("Asia/Kolkata", "2024-07-01 17:30:00+05:30"),
    ] {
        let mut request = QueryRequest::new(sql);
        request.time_zone = zone.to_owned();
        assert_eq!(rows(lake.engine.query(request).await.unwrap()).await.unwrap(), [[expected]], "{zone}");
    }
    for zone in ["nope/nope", "UTC'; SET threads = 1; --", ""] {
        let mut request = QueryRequest::new(sql);
        request.time_zone = zone.to_owned();
        let error = lake.engine.query(request).await.map(|_| ()).unwrap_err();
        assert_eq!(error.code().0, "22023", "{zone}: {error}");
    }
    lake.value("SELECT count(*) FROM t_1").await;
    let error = lake.engine.query(QueryRequest::new("SELECT * FROM t_1")).await.map(|_| ()).unwrap_err();
    assert_eq!(error.code().0, "XX000", "{error}");
}

/// Reliability 2.8 and 3.1, of what the gateway's gate would have to let through first.
#[tokio::test]
async fn nothing_leads_out() {
    let lake = lake();
    let (file, spill) = (lake.file(), lake.folder.path().join("spill").display().to_string());
    let before = fs::read(&file).unwrap();
    let refused = [
        // files
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('/etc/hostname')",
        "SELECT * FROM read_blob('/proc/self/environ')",
        "SELECT * FROM glob('/**')",
        "SELECT * FROM sniff_csv('/etc/passwd')",
        "SELECT * FROM parquet_metadata('FILE')",
        "SELECT * FROM read_parquet('FILE')",
        "SELECT * FROM read_duckdb('/tmp/x.duckdb')",
        "SELECT * FROM '/etc/passwd.csv'",
        "SELECT * FROM \"file:///etc/passwd.csv\"",
        "SELECT * FROM 'FILE'",
        "SELECT * FROM '/proc/self/fd/3'",
        // writes
        "COPY (SELECT 1) TO 'FILE' (USE_TMP_FILE false)",
        "COPY (SELECT 1) TO 'SPILL/x.csv'",
        "COPY (SELECT 1) TO '/tmp/x.csv'",
        "EXPORT DATABASE '/tmp/x'",
        "ATTACH ':memory:' AS m",
        "ATTACH 'SPILL/e.duckdb'",
        "CREATE TABLE x (a int)",
        "CREATE TEMP TABLE x (a int)",
        "CREATE SCHEMA x",
        "INSERT INTO t_1 VALUES (1)",
        "CHECKPOINT",
        // code
        "INSTALL httpfs",
        "LOAD httpfs",
        "CREATE OR REPLACE MACRO sum(x) AS 0",
        "CALL enable_logging('QueryLog')",
        "SELECT st_point(1, 2)",
        // settings
        "SET memory_limit = '1TB'",
        "RESET threads",
        "PRAGMA verify_parallelism",
        "PRAGMA database_list",
        "SET VARIABLE x = 1",
        "SET search_path = 'x'",
        "SELECT set_config('a', 'b', false)",
        "SELECT * FROM enable_logging('QueryLog')",
        "SELECT * FROM enable_logging(storage = 'file', storage_path = '/tmp')",
        "WITH x AS (SELECT * FROM enable_profiling()) SELECT * FROM x",
        "SELECT (SELECT count(*) FROM \"enable_logging\"('QueryLog'))",
        "SELECT 1 WHERE EXISTS (SELECT 1 FROM /* x */ enable_logging/**/('QueryLog'))",
        "SELECT * FROM U&\"\\0065nable_logging\"('QueryLog')",
        "SELECT * FROM checkpoint()",
        "SELECT * FROM force_checkpoint()",
        "SELECT * FROM duckdb_logs()",
        "SELECT * FROM truncate_duckdb_logs()",
        // dynamic SQL
        "SELECT * FROM query('SELECT 1')",
        "SELECT * FROM query_table('t_1')",
        "SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))",
        "PREPARE x AS SELECT 1",
        "EXECUTE x",
        "SELECT 1; SELECT 2",
        "SELECT 1; COPY (SELECT 1) TO '/tmp/x.csv'",
        // secrets and environment
        "CREATE SECRET s (TYPE s3)",
        "SELECT * FROM duckdb_secrets()",
        "SELECT * FROM which_secret('s3://x', 's3')",
        "SELECT getenv('PATH')",
        "SELECT current_setting('temp_directory')",
        "SELECT * FROM duckdb_settings()",
        "SELECT * FROM duckdb_databases()",
        "SELECT * FROM duckdb_views()",
        "SELECT * FROM duckdb_views",
        "SELECT * FROM pg_catalog.pg_views",
        "SELECT * FROM information_schema.tables",
        "SELECT * FROM sqlite_master",
        "SHOW ALL TABLES",
        "SHOW TABLES",
        "DESCRIBE t_1",
        "SUMMARIZE t_1",
        "SELECT * FROM (SHOW TABLES)",
        "SELECT * FROM (DESCRIBE t_1)",
        // network
        "SELECT * FROM 'http://169.254.169.254/x.parquet'",
        "SELECT * FROM 's3://x/x.parquet'",
        "SELECT * FROM postgres_scan('host=x', 'a', 'b')",
        "SELECT * FROM sqlite_scan('/tmp/x', 'b')",
        // waiting
        "SELECT sleep_ms(1000)",
        "SELECT pg_sleep(1)",
        "EXPLAIN SELECT 1",
    ];
    for sql in refused {
        let sql = sql.replace("FILE", &file).replace("SPILL", &spill);
        let error = lake.error(&sql).await;
        let code = error.code().0;
        assert!(["42501", "0A000", "42601", "42P01", "42883"].contains(&code), "{sql}: {error}");
        let shown = format!("{:?}", error.fields());
        assert!(!shown.contains("worker-") && !shown.contains("t_1\""), "{sql}: {shown}");
    }
    assert_eq!(fs::read(&file).unwrap(), before);
    assert!(!Path::new("/tmp/x.csv").exists());
    // Words that are only suspicious.
    assert_eq!(lake.value("SELECT query FROM (SELECT 'enable_logging()' AS query)").await, "enable_logging()");
    assert_eq!(lake.value("SELECT histogram(x)::varchar FROM (VALUES (1)) v(x)").await, "{1=1}");
}

/// Wall 3: DuckDB itself would overwrite an allowed file (D1); the kernel does not let it.
#[tokio::test]
async fn the_kernel_keeps_files_read_only() {
    let lake = lake();
    let file = lake.file();
    let before = fs::read(&file).unwrap();
    for sql in [
        format!("COPY (SELECT 1) TO '{file}' (USE_TMP_FILE false)"),
        format!("COPY (SELECT 1) TO '{file}'"),
        format!("COPY (SELECT 1) TO '{file}.new' (FORMAT parquet)"),
        "ATTACH '/tmp/duckmesh-never.duckdb'".to_owned(),
    ] {
        let mut request = lake.request("SELECT 1");
        request.prelude = vec![sql.clone()];
        let error = lake.engine.query(request).await.map(|_| ()).unwrap_err();
        assert!(["42501", "58030"].contains(&error.code().0), "{sql}: {error}");
    }
    assert_eq!(fs::read(&file).unwrap(), before);
    assert_eq!(fs::read_dir(lake.folder.path().join("files")).unwrap().count(), 1);
}

#[tokio::test]
async fn setup_makes_macros_that_statements_may_call() {
    let lake = lake_with(|options| {
        options.setup = vec![
            "CREATE MACRO current_setting(name) AS 'trusted ' || name".to_owned(),
            "CREATE MACRO div(a, b) AS CASE WHEN b = 0 THEN error('SQLSTATE 22012: division by zero') ELSE a // b END"
                .to_owned(),
        ];
        options.trusted_functions = vec!["current_setting".to_owned()];
    });
    assert_eq!(lake.value("SELECT current_setting('x')").await, "trusted x");
    assert_eq!(lake.value("SELECT div(7, 2)").await, "3");
    let error = lake.error("SELECT div(id, 0) FROM t_1").await;
    assert_eq!((error.code().0, error.fields().message.as_str()), ("22012", "division by zero"));
}

#[tokio::test]
async fn describe_does_not_run() {
    let lake = lake();
    let start = Instant::now();
    let sql = format!("SELECT x AS total, 'a' AS b, [1.5] AS c FROM ({ENDLESS}) v(x)");
    let columns = lake.engine.describe(lake.request(&sql)).await.unwrap();
    let shown: Vec<String> = columns.iter().map(|c| format!("{} {}", c.name, c.duckdb_type)).collect();
    assert_eq!(shown, ["total HUGEINT", "b VARCHAR", "c DECIMAL(2,1)[]"]);
    assert!(start.elapsed() < PATIENCE);
    let error = lake.engine.describe(lake.request("SELECT nope FROM t_1")).await.unwrap_err();
    assert_eq!(error.code().0, "42703");
}

#[tokio::test]
async fn explain_shows_a_plan() {
    let lake = lake();
    for (verb, expected) in [(Verb::Explain, "READ_PARQUET"), (Verb::ExplainAnalyze, "Total Time")] {
        let mut request = lake.request("SELECT count(id) FROM t_1 WHERE id > 10");
        request.verb = verb;
        let plan = rows(lake.engine.query(request).await.unwrap()).await.unwrap();
        assert!(plan.iter().flatten().any(|text| text.contains(expected)), "{plan:?}");
    }
    let mut request = lake.request("SELECT * FROM enable_logging('QueryLog')");
    request.verb = Verb::Explain;
    assert_eq!(lake.engine.query(request).await.map(|_| ()).unwrap_err().code().0, "42501");
}

/// GW6, G10: a reader that stops costs no memory, and dropping it frees the worker.
#[tokio::test]
async fn a_reader_that_stops_costs_no_memory() {
    let lake = lake();
    let pid = lake.pid().await;
    let mut stream =
        lake.engine.query(lake.request("SELECT range a, range * 2 b FROM range(100000000)")).await.unwrap();
    assert!(stream.next().await.unwrap().is_some());
    let mut last = (0, Instant::now());
    until("the worker pauses", || {
        let ticks = processor_ticks(pid);
        if ticks != last.0 {
            last = (ticks, Instant::now());
        }
        last.1.elapsed() > PROMPT
    })
    .await;
    let resident = resident_bytes(pid);
    assert!(resident < 150 * MIB, "{} MiB", resident / MIB);
    // Others go on meanwhile.
    assert_eq!(lake.value("SELECT 1").await, "1");
    drop(stream);
    let start = Instant::now();
    assert_eq!(lake.value("SELECT 2").await, "2");
    assert!(start.elapsed() < PATIENCE);
    assert_eq!(lake.pid().await, pid);
}

#[tokio::test]
async fn cancel_is_prompt_and_spares_the_worker() {
    let lake = lake_with(|options| {
        options.concurrent_max = 1;
        // A machine that is busy with other tests is no worker that does not answer.
        options.answer_grace = SOON;
    });
    let pid = lake.pid().await;
    for _ in 0..5 {
        let request = lake.request(ENDLESS);
        let cancel = request.cancel.clone();
        let mut stream = lake.engine.query(request).await.unwrap();
        let start = Instant::now();
        cancel.cancel();
        let error = stream.next().await.unwrap_err();
        assert_eq!(
            (error.code().0, error.fields().message.as_str()),
            ("57014", "canceling statement due to user request")
        );
        assert!(start.elapsed() < PROMPT, "{:?}", start.elapsed());
        // With one place only, this needs the cancelled one to be gone.
        assert_eq!(lake.value("SELECT 1").await, "1");
        assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    }
    // Cancelled before it was sent.
    let request = lake.request("SELECT 1");
    request.cancel.cancel();
    let running = lake.endless().await;
    assert_eq!(lake.engine.query(request).await.map(|_| ()).unwrap_err().code().0, "57014");
    drop(running);
    assert_eq!(lake.value("SELECT 1").await, "1");
    assert_eq!(lake.pid().await, pid);
}

#[tokio::test]
async fn a_deadline_stops_a_statement() {
    let lake = lake();
    let pid = lake.pid().await;
    let mut request = lake.request(ENDLESS);
    request.deadline = Some(tokio::time::Instant::now() + PROMPT);
    let start = Instant::now();
    let error = lake.engine.query(request).await.unwrap().next().await.unwrap_err();
    assert_eq!(error.code().0, "57014");
    assert_eq!(error.fields().message, "canceling statement due to statement timeout");
    assert!(start.elapsed() >= PROMPT && start.elapsed() < SOON, "{:?}", start.elapsed());
    assert_eq!(lake.value("SELECT 1").await, "1");
    assert_eq!(lake.pid().await, pid);
}

/// RD7: what ignores the interrupt is ended with its process.
#[tokio::test]
async fn a_worker_that_ignores_the_interrupt_is_ended() {
    let lake = lake_with(|options| options.interrupt_grace = PROMPT);
    let pid = lake.pid().await;
    let mut request =
        lake.request("SELECT levenshtein(repeat('a', 200000), repeat('b', 200000) || id) FROM t_1 LIMIT 1");
    request.deadline = Some(tokio::time::Instant::now() + PROMPT);
    let error = rows(lake.engine.query(request).await.unwrap()).await.unwrap_err();
    assert_eq!(error.code().0, "57014");
    until("the worker ends", || !alive(pid)).await;
    assert_eq!(lake.value("SELECT 1").await, "1");
    assert_ne!(lake.pid().await, pid);
}

/// RD7: what ignores the interrupt costs its neighbours nothing that they see, unless they gave rows already.
#[tokio::test]
async fn rd7_neighbours_of_what_ignores_the_interrupt_are_run_again() {
    let lake = lake_with(|options| {
        options.interrupt_grace = PROMPT * 2;
        options.threads = 1;
    });
    let pid = lake.pid().await;
    // Some seconds of one thread, so that it outlives the grace.
    let slow = "SELECT count(*) FROM range(400000) a, range(1500) b WHERE hash(a.range + b.range) % 7 = 9";
    let mut neighbour = lake.engine.query(lake.request(slow)).await.unwrap();
    let mut reading = lake.engine.query(lake.request("SELECT range FROM range(1000000000)")).await.unwrap();
    assert!(reading.next().await.unwrap().is_some());
    let mut bomb = lake.request("SELECT levenshtein(repeat('a', 200000), repeat('b', 200000) || id) FROM t_1 LIMIT 1");
    bomb.deadline = Some(tokio::time::Instant::now() + PROMPT);
    assert_eq!(rows(lake.engine.query(bomb).await.unwrap()).await.unwrap_err().code().0, "57014");
    // Statements that come now have another worker; the old one has its grace.
    let deadline = Instant::now() + PATIENCE;
    while lake.pid().await == pid {
        assert!(Instant::now() < deadline, "no other worker is taken");
        tokio::task::yield_now().await;
    }
    assert_eq!(lake.value("SELECT 1").await, "1");
    until("the old worker ends", || !alive(pid)).await;
    let batch = neighbour.next().await.expect("run again").expect("rows");
    assert_eq!(array_value_to_string(batch.column(0), 0).unwrap(), "0");
    assert!(neighbour.next().await.unwrap().is_none());
    let error = loop {
        match reading.next().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("cut off without an error"),
            Err(error) => break error,
        }
    };
    assert_eq!(error.code().0, "57P02", "rows that were given cannot be taken back");
}

/// RD6: a worker's death costs its statements an error, and nothing else.
#[tokio::test]
async fn a_killed_worker_costs_its_statements_an_error() {
    let lake = lake();
    let pid = lake.pid().await;
    let (mut one, mut other) = (lake.endless().await, lake.endless().await);
    kill(pid);
    for stream in [&mut one, &mut other] {
        assert_eq!(stream.next().await.unwrap_err().code().0, "57P02");
    }
    assert_eq!(lake.value("SELECT 1").await, "1");
    assert_ne!(lake.pid().await, pid);
    // While nothing runs, nobody notices.
    let pid = lake.pid().await;
    kill(pid);
    until("the worker ends", || !alive(pid)).await;
    assert_eq!(lake.value("SELECT 2").await, "2");
}

/// RD6: what ends the worker three times is refused; other statements are not.
#[tokio::test]
async fn a_statement_that_crashes_again_and_again_is_refused() {
    let lake = lake();
    for _ in 0..3 {
        let mut stream = lake.endless().await;
        kill(lake.pid().await);
        assert_eq!(stream.next().await.unwrap_err().code().0, "57P02");
    }
    let error = lake.engine.query(lake.request(ENDLESS)).await.map(|_| ()).unwrap_err();
    assert_eq!(error.code().0, "55000", "{error}");
    assert_eq!(lake.value("SELECT 1").await, "1");
}

/// Reliability 3.2: the process survives, and says that there is no memory.
#[tokio::test]
async fn memory_bombs_are_errors() {
    let lake = lake_with(|options| options.address_space_bytes = Some(1200 * MIB));
    let pid = lake.pid().await;
    let bombs = [
        ("SELECT length(array_to_string(range(100000000), ','))", &["53200"][..]),
        ("SELECT length(repeat('x', 4000000000))", &["53200", "54000"]),
        ("SELECT len(list_distinct(range(100000000)))", &["53200"]),
        (
            "SELECT count(*) FROM (SELECT range, range::varchar || repeat('x', 1000) y FROM range(10000000) ORDER BY y DESC)",
            &["53200", "53100"],
        ),
    ];
    for (sql, codes) in bombs {
        let error = lake.error(sql).await;
        assert!(codes.contains(&error.code().0), "{sql}: {error}");
        assert_eq!(lake.value("SELECT 1").await, "1", "after {sql}");
    }
    assert_eq!(lake.pid().await, pid);
    lake.engine.shutdown().await;
}

/// Reliability 3.2: stacks.
#[tokio::test]
async fn deep_statements_are_answered_or_refused() {
    let lake = lake();
    let pid = lake.pid().await;
    let ctes: Vec<String> = (1..900).map(|i| format!("c{i} AS (SELECT * FROM c{})", i - 1)).collect();
    let recursive = (0..300)
        .fold("SELECT 1 AS a".to_owned(), |inner, i| format!("WITH RECURSIVE r{i} AS ({inner}) SELECT * FROM r{i}"));
    let statements = [
        format!("WITH c0 AS (SELECT 1 AS a), {} SELECT * FROM c899", ctes.join(", ")),
        format!("SELECT count(*) FROM {}", (0..900).map(|i| format!("(SELECT 1) a{i}")).collect::<Vec<_>>().join(", ")),
        recursive,
        format!("SELECT {}1{}", "(".repeat(2000), ")".repeat(2000)),
        format!("SELECT {}", vec!["1"; 20_000].join("+")),
        format!("SELECT {}1{}", "abs(".repeat(2000), ")".repeat(2000)),
        format!("SELECT {}1{}", "[".repeat(500), "]".repeat(500)),
    ];
    for sql in statements {
        match lake.rows(&sql).await {
            Ok(rows) => assert_eq!(rows.len(), 1),
            Err(error) => {
                assert!(["54001", "42601", "53200", "0A000"].contains(&error.code().0), "{:.60}: {error}", sql);
            }
        }
    }
    assert_eq!(lake.pid().await, pid);
}

#[tokio::test]
async fn the_queue_is_bounded() {
    let lake = lake_with(|options| {
        options.concurrent_max = 1;
        options.waiting_max = 1;
    });
    let running = lake.endless().await;
    let mut waiting = Box::pin(lake.value("SELECT 1"));
    assert!(futures::poll!(&mut waiting).is_pending());
    assert_eq!(lake.error("SELECT 2").await.code().0, "53400");
    drop(running);
    assert_eq!(waiting.await, "1");
}

#[tokio::test]
async fn shutdown_leaves_nothing() {
    let lake = lake();
    let pid = lake.pid().await;
    let mut running = lake.endless().await;
    lake.engine.shutdown().await;
    assert_eq!(running.next().await.unwrap_err().code().0, "57P02");
    assert!(!alive(pid));
    assert_eq!(fs::read_dir(lake.folder.path().join("spill")).unwrap().count(), 0);
    assert!(lake.rows("SELECT 1").await.is_err());
}

#[tokio::test]
async fn what_a_dead_gateway_left_is_swept() {
    let lake = lake();
    let spill = lake.folder.path().join("spill");
    // No process has this number: it is above the kernel's largest.
    let (left, other) = (spill.join("worker-2000000000-x"), spill.join("something-else"));
    fs::create_dir_all(left.join("spill")).unwrap();
    fs::create_dir_all(&other).unwrap();
    assert_eq!(lake.value("SELECT 1").await, "1");
    assert!(!left.exists() && other.exists());
}

#[tokio::test]
async fn a_dropped_engine_ends_its_worker() {
    let Lake { engine, .. } = lake();
    let pid = engine.status().await.unwrap().pid;
    drop(engine);
    until("the worker ends", || !alive(pid)).await;
}

#[tokio::test]
async fn a_worker_that_cannot_start_is_an_error() {
    let lake = lake_with(|options| options.setup = vec!["SELECT nope".to_owned()]);
    assert!(lake.engine.status().await.unwrap_err().contains("nope"));
    assert_eq!(lake.error("SELECT 1").await.code().0, "XX000");
}

/// Not a test: `cargo nextest run engine --run-ignored only --no-capture`.
#[tokio::test]
#[ignore = "a measurement"]
async fn measure() {
    let lake = lake();
    let pid = lake.pid().await;
    lake.value("SELECT 1").await;
    let start = Instant::now();
    for _ in 0..1000 {
        rows(lake.engine.query(QueryRequest::new("SELECT 1")).await.unwrap()).await.unwrap();
    }
    println!("SELECT 1: {:?}", start.elapsed() / 1000);
    let start = Instant::now();
    for _ in 0..1000 {
        lake.value("SELECT count(*) FROM t_1").await;
    }
    println!("count(*) with a view over Parquet: {:?}", start.elapsed() / 1000);
    let start = Instant::now();
    let mut stream =
        lake.engine.query(QueryRequest::new("SELECT range a, range * 2 b FROM range(100000000)")).await.unwrap();
    let mut count = 0;
    while let Some(batch) = stream.next().await.unwrap() {
        count += batch.num_rows();
    }
    println!("{count} rows of two bigints: {:?}; worker {} MiB", start.elapsed(), resident_bytes(pid) / MIB);
}

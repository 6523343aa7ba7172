//! The engine with real worker processes: what they refuse, what they survive, and how they end.

mod ends;

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
    engine::{Engine, EngineOptions, QueryRequest, Relation, ResultStream, Verb},
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
        "SELECT f('a') FROM (SELECT 1), 'FILE'",
        "SELECT 'a', * FROM x: 'FILE'",
        "SELECT 'a' FROM main.select, 'FILE'",
        "SELECT 1.FROM (SELECT 1), 'FILE'",
        "SELECT 'a' IN (FROM (SELECT 1), 'FILE')",
        "SELECT 'a' = (TABLE 'FILE')",
        "SELECT coalesce('a', (SELECT 1 FROM ('FILE' JOIN (SELECT 1) ON true)))",
        "SELECT 1 WHERE 'a' = '' FROM\u{a0}(SELECT 1), 'FILE'",
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_are_asked_for_again_are_kept() {
    let lake = lake();
    let asked = async |path: &str, verb: Verb| {
        let sql = format!("SELECT * FROM read_parquet(['{path}'])");
        let relation = Relation { name: "r".into(), sql, small: None, file: Some(path.to_owned()) };
        let request = QueryRequest { relations: vec![relation], verb, ..QueryRequest::new("SELECT sum(id) FROM r") };
        PgResult::Ok(rows(lake.engine.query(request).await?).await?.concat().concat())
    };
    let file = lake.file();
    let start = Instant::now();
    // A table is made beside the second statement: from then on the file is not read.
    while asked(&file, Verb::Explain).await.unwrap().contains("PARQUET") {
        assert!(start.elapsed() < PATIENCE, "no table was made");
    }
    fs::remove_file(&file).unwrap();
    assert_eq!(asked(&file, Verb::Query).await.unwrap(), "499500");
    // Statements cannot name it.
    assert_eq!(
        lake.engine.query(QueryRequest::new("SELECT * FROM duckmesh_kept.t1")).await.err().unwrap().code().0,
        "42501"
    );
    // What is elsewhere is not read, however often it is asked for.
    let outside = lake.folder.path().join("b.parquet");
    write_parquet(&outside);
    for _ in 0..3 {
        assert!(asked(&outside.display().to_string(), Verb::Query).await.is_err());
    }
}

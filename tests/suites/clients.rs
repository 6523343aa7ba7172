//! Programs of real clients (`tests/clients`): each passes on PostgreSQL 15, and on DuckMesh.
//!
//! The Python ones run with every other test; the rest is ignored and runs with `make test-clients`, which installs it.

use std::{collections::BTreeSet, fs, path::PathBuf, process::Command};

use duckmesh_tests::{
    captures::CAPABILITIES,
    harness::{Postgres, Server, WireClient, paths},
};

/// A program and how it is run.
struct Program {
    name: &'static str,
    command: fn() -> Vec<PathBuf>,
    /// Environment of its runs against DuckMesh alone, each with the reason why.
    ours: &'static [(&'static str, &'static str)],
}

macro_rules! programs {
    ($($(#[$attribute:meta])* $test:ident: $name:literal, $command:expr, $ours:expr;)*) => {
        $(
            #[test]
            $(#[$attribute])*
            fn $test() {
                run(&Program { name: $name, command: || $command, ours: &$ours });
            }
        )*
    };
}

programs! {
    clients_psycopg2: "psycopg2", python("python/psycopg2_client.py"), [];
    clients_psycopg3: "psycopg3", python("python/psycopg3_client.py"), [];
    clients_asyncpg: "asyncpg", python("python/asyncpg_client.py"), [];
    clients_pg8000: "pg8000", python("python/pg8000_client.py"), [];
    clients_sqlalchemy: "sqlalchemy", python("python/sqlalchemy_client.py"), [];
    clients_django: "django", python("python/django_client.py"), [];
    clients_pandas: "pandas", python("python/pandas_client.py"), [];
    clients_duckdb_extension: "duckdb", vec![paths::python(), clients("python/duckdb_client.py")], [];
    #[ignore = "make test-clients"]
    clients_node_postgres: "node_pg", node("node/pg.js"), [];
    #[ignore = "make test-clients"]
    clients_postgres_js: "postgres_js", node("node/postgresjs.js"), [];
    #[ignore = "make test-clients"]
    clients_typeorm: "typeorm", node("node/typeorm.js"), [];
    #[ignore = "make test-clients"]
    clients_jdbc: "jdbc", java(), [];
    #[ignore = "make test-clients"]
    clients_odbc_isql: "isql", vec![clients("odbc/isql.sh")], [];
    #[ignore = "make test-clients"]
    clients_odbc_pyodbc: "pyodbc", python("odbc/pyodbc_client.py"), [];
    #[ignore = "make test-clients"]
    clients_rust: "rust", vec![installed("rust/debug/duckmesh-clients")], [];
    clients_psql: "psql", vec![clients("psql/psql.sh")], [];
    clients_pgbench: "pgbench", vec![clients("pgbench/pgbench.sh")], [];
    clients_postgres_fdw: "fdw", vec![clients("fdw/fdw.sh")], [];
}

fn run(program: &Program) {
    let (postgres, server) = (Postgres::start(), Server::start());
    for (port, first, environment) in
        [(postgres.port(), "postgres", &[][..]), (server.port(), "duckmesh", program.ours)]
    {
        let database = format!("c_{}", program.name);
        let mut admin = WireClient::connect(port, first, "tester");
        assert_eq!(admin.query(&format!("CREATE DATABASE {database}"))[0].error, None);
        let mut words = (program.command)().into_iter();
        let output = Command::new(words.next().expect("a program"))
            .args(words)
            .env("PGHOST", "127.0.0.1")
            .env("PGPORT", port.to_string())
            .env("PGDATABASE", &database)
            .env("PGUSER", "tester")
            .env("FDW_PORT", postgres.port().to_string())
            .env("NODE_PATH", installed("node_modules"))
            .envs(environment.iter().copied())
            .output()
            .expect("the program starts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let passed = output.status.success() && text(&output.stdout).trim_end().ends_with("ok");
        assert!(passed, "{} on {first}:\n{}{}", program.name, text(&output.stdout), text(&output.stderr));
        compare_with_grid(program.name, &text(&output.stdout));
    }
}

/// What a program says it did is what `tests/clients/grid.tsv` says of it; with `DUCKMESH_WRITE_DOCS` it is written there.
fn compare_with_grid(name: &str, printed: &str) {
    let words: BTreeSet<&str> =
        printed.lines().filter_map(|line| line.strip_prefix("did ")).flat_map(str::split_whitespace).collect();
    assert!(words.iter().all(|word| CAPABILITIES.contains(word)), "{name} did {words:?}");
    let did: Vec<&str> = CAPABILITIES.into_iter().filter(|what| words.contains(what)).collect();
    let line = format!("{name}\t{}", did.join(" "));
    let path = clients("grid.tsv");
    if std::env::var_os("DUCKMESH_WRITE_DOCS").is_some() {
        let file = fs::File::options().read(true).write(true).open(&path).expect("the grid");
        // Programs run beside each other.
        file.lock().expect("the grid for this program alone");
        let grid = fs::read_to_string(&path).expect("the grid");
        let own = format!("{name}\t");
        let (heads, rest): (Vec<&str>, Vec<&str>) = grid.lines().partition(|line| line.starts_with('#'));
        let mut lines: Vec<&str> = rest.into_iter().filter(|line| !line.starts_with(&own)).collect();
        lines.push(&line);
        lines.sort_unstable();
        fs::write(&path, heads.into_iter().chain(lines).collect::<Vec<_>>().join("\n") + "\n").expect("the grid");
        return;
    }
    let grid = fs::read_to_string(&path).expect("the grid");
    assert!(grid.lines().any(|known| known == line), "{line:?} is not in {}", path.display());
}

fn clients(program: &str) -> PathBuf {
    paths::tests("clients").join(program)
}

/// Where `tests/clients/install.sh` puts things.
fn installed(thing: &str) -> PathBuf {
    let place = std::env::var_os("DUCKMESH_CLIENTS")
        .map_or_else(|| paths::profile_dir().parent().expect("the target folder").join("test-clients"), PathBuf::from);
    let path = place.join(thing);
    assert!(path.exists() || thing == "node_modules", "{} is missing: tests/clients/install.sh", path.display());
    path
}

fn python(program: &str) -> Vec<PathBuf> {
    vec![installed("venv/bin/python"), clients(program)]
}

fn node(program: &str) -> Vec<PathBuf> {
    vec!["node".into(), clients(program)]
}

fn java() -> Vec<PathBuf> {
    let path = format!("/usr/share/java/postgresql.jar:{}", installed("java").display());
    vec!["java".into(), "-cp".into(), path.into(), "Client".into()]
}

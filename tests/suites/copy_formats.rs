//! COPY of Parquet files, and of lines of which some cannot be read.

use std::process::Command;

use duckmesh_tests::harness::{
    Server, paths,
    wire::{Answer, CopyEnd, WireClient},
};

fn copy(wire: &mut WireClient, sql: &str, data: &str) -> Answer {
    let mut pieces = [data.as_bytes().to_vec()].into_iter();
    wire.copy_in(sql, &mut pieces, CopyEnd::Done).unwrap().remove(0)
}

/// Files of pyarrow and DuckDB in, ours out, and damaged ones.
#[test]
fn copy_of_parquet_files() {
    let server = Server::start();
    let output = Command::new(paths::python())
        .arg(paths::tests("python/parquet.py"))
        .arg(server.port().to_string())
        .arg("duckmesh")
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let passed = output.status.success() && text(&output.stdout).ends_with("ok\n");
    assert!(passed, "{}{}", text(&output.stdout), text(&output.stderr));
    // Spooled files are gone, whatever became of their COPY.
    let spool = server.data().join("lakes/duckmesh/spool");
    let left: Vec<_> = std::fs::read_dir(spool).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(left, Vec::<std::path::PathBuf>::new());
}

#[test]
fn copy_of_a_parquet_file_that_is_too_large() {
    let options = duckmesh_tests::harness::ServerOptions {
        args: vec!["--copy-parquet-max-mb".into(), "1".into()],
        ..duckmesh_tests::harness::ServerOptions::default()
    };
    let server = Server::with(options);
    let mut wire = server.wire();
    wire.query("CREATE TABLE t (a int)");
    let mut pieces = std::iter::once(b"PAR1".to_vec()).chain(std::iter::repeat_n(vec![0; 65_536], 17));
    let answers = wire.copy_in("COPY t FROM STDIN (FORMAT parquet)", &mut pieces, CopyEnd::Done).unwrap();
    assert_eq!(answers[0].sqlstate(), Some("54000"), "{answers:?}");
    assert_eq!(wire.query("SELECT count(*) FROM t")[0].rows, [[Some("0".to_owned())]]);
}

/// As PostgreSQL 17 and 18 have it.
#[test]
fn copy_on_error_leaves_rows_out() {
    let server = Server::start();
    let mut wire = server.wire();
    wire.query("CREATE TABLE t (a int, n numeric(5,2), l int[], v varchar(3), ok boolean NOT NULL DEFAULT true)");
    let data =
        "1\t1.5\t{1}\tabc\nx\t1\t{1}\tabc\n3\t1000\t{1}\tabc\n4\t4\t{1,x}\tabc\n5\t5\t{NULL}\tabcd\n6\t6\t\\N\t\\N\n";
    let said = |wire: &mut WireClient| -> Vec<String> {
        let notices = wire.notices.drain(..).map(|notice| notice[&'M'].clone());
        notices.filter(|text| !text.starts_with("token ")).collect()
    };
    let sql = "COPY t (a, n, l, v) FROM STDIN (ON_ERROR ignore)";
    assert_eq!(copy(&mut wire, sql, data).tag.as_deref(), Some("COPY 2"));
    assert_eq!(said(&mut wire), ["4 rows were skipped due to data type incompatibility"]);
    let rows = wire.query("SELECT a, n, l, v FROM t ORDER BY a")[0].rows.clone();
    let texts: Vec<_> = rows.iter().map(|row| duckmesh_tests::harness::client::join(row)).collect();
    assert_eq!(texts, ["1|1.50|{1}|abc", "6|6.00||"]);
    let csv = data.replace("{1,x}", "\"{1,x}\"").replace('\t', ",").replace("\\N", "");
    let sql = "COPY t (a, n, l, v) FROM STDIN (FORMAT csv, ON_ERROR 'IGNORE', LOG_VERBOSITY verbose, REJECT_LIMIT 4)";
    assert_eq!(copy(&mut wire, sql, &csv).tag.as_deref(), Some("COPY 2"));
    let skipped = "skipping row due to data type incompatibility at line";
    assert_eq!(
        said(&mut wire),
        [
            format!("{skipped} 2 for column \"a\": \"x\""),
            format!("{skipped} 3 for column \"n\": \"1000\""),
            format!("{skipped} 4 for column \"l\": \"{{1,x}}\""),
            format!("{skipped} 5 for column \"v\": \"abcd\""),
            "4 rows were skipped due to data type incompatibility".to_owned(),
        ]
    );
    let sql = "COPY t (a) FROM STDIN (ON_ERROR ignore, LOG_VERBOSITY silent)";
    assert_eq!(copy(&mut wire, sql, "x\n").tag.as_deref(), Some("COPY 0"));
    assert_eq!(said(&mut wire), Vec::<String>::new());
    let answer = copy(&mut wire, "COPY t (a) FROM STDIN (ON_ERROR ignore, REJECT_LIMIT 1)", "1\nx\ny\n2\n");
    let error = answer.error.unwrap();
    let fields = ['C', 'M', 'W'].map(|field| error[&field].as_str());
    let message = "skipped more than REJECT_LIMIT (1) rows due to data type incompatibility";
    assert_eq!(fields, ["22P02", message, "COPY t, line 3, column a: \"y\""]);
    // Only values: a line that has too few of them, or one that a constraint refuses, fails as ever.
    for (data, state) in [("1\t2\n", "22P04"), ("", "COPY 0"), ("\\N\n", "23502")] {
        let answer = copy(&mut wire, "COPY t (ok) FROM STDIN (ON_ERROR ignore)", data);
        let got = answer.sqlstate().map(str::to_owned).or(answer.tag);
        assert_eq!(got.as_deref(), Some(state), "{data:?}");
    }
    assert_eq!(wire.query("SELECT count(*) FROM t")[0].rows, [[Some("4".to_owned())]]);
    let recognized = |word: &str| format!("COPY {word} \"x\" not recognized");
    for (options, state, message) in [
        ("ON_ERROR x", "22023", recognized("ON_ERROR")),
        ("LOG_VERBOSITY x", "22023", recognized("LOG_VERBOSITY")),
        ("REJECT_LIMIT 1", "22023", "COPY REJECT_LIMIT requires ON_ERROR to be set to IGNORE".to_owned()),
        ("ON_ERROR ignore, REJECT_LIMIT 0", "22023", "REJECT_LIMIT (0) must be greater than zero".to_owned()),
        ("ON_ERROR ignore, REJECT_LIMIT x", "22P02", "invalid input syntax for type bigint: \"x\"".to_owned()),
        ("FORMAT binary, ON_ERROR ignore", "42601", "only ON_ERROR STOP is allowed in BINARY mode".to_owned()),
        ("FORMAT parquet, ON_ERROR ignore", "42601", "only ON_ERROR STOP is allowed in PARQUET mode".to_owned()),
        ("ON_ERROR stop, ON_ERROR stop", "42601", "conflicting or redundant options".to_owned()),
    ] {
        let error = copy(&mut wire, &format!("COPY t FROM STDIN ({options})"), "").error.unwrap();
        assert_eq!((error[&'C'].as_str(), error[&'M'].clone()), (state, message), "{options}");
    }
    let error = wire.query("COPY t TO STDOUT (ON_ERROR stop)")[0].error.clone().unwrap();
    assert_eq!(error[&'M'], "COPY ON_ERROR cannot be used with COPY TO");
}

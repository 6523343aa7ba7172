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

/// A domain's tests are part of what reading a value is, as in PostgreSQL 17.
#[test]
fn copy_on_error_leaves_out_what_domains_refuse() {
    let server = Server::start();
    let mut wire = server.wire();
    wire.query("CREATE DOMAIN few AS int NOT NULL CHECK (VALUE > 0) CHECK (VALUE < 10)");
    wire.query("CREATE TABLE t (a int, v few)");
    let data = "1,1\n2,-1\n3,\nx,4\n5,50\n6,6\n";
    let answer = copy(&mut wire, "COPY t FROM STDIN (FORMAT csv, ON_ERROR ignore)", data);
    assert_eq!(answer.tag.as_deref(), Some("COPY 2"), "{answer:?}");
    let sql = "SELECT line, column_name, reason FROM duckmesh.dead_letters ORDER BY line";
    let rows = wire.query(sql)[0].rows.clone();
    let texts: Vec<_> = rows.iter().map(|row| duckmesh_tests::harness::client::join(row)).collect();
    let refused = |name: &str| format!("value for domain few violates check constraint \"{name}\"");
    let expected = [
        format!("2|v|{}", refused("few_check")),
        "3|v|domain few does not allow null values".to_owned(),
        "4|a|invalid input syntax for type integer: \"x\"".to_owned(),
        format!("5|v|{}", refused("few_check1")),
    ];
    assert_eq!(texts, expected);
    // What WHERE would leave out counts as well, and so does a limit.
    let sql = "COPY t FROM STDIN (FORMAT csv, ON_ERROR ignore, REJECT_LIMIT 3) WHERE a > 100";
    let answer = copy(&mut wire, sql, data);
    assert_eq!(answer.sqlstate(), Some("22P02"), "{answer:?}");
    let answer = copy(&mut wire, "COPY t FROM STDIN (FORMAT csv) WHERE a > 100", "1,1\n2,-1\n");
    let error = answer.error.unwrap();
    assert_eq!(error[&'C'], "23514");
    assert_eq!(error[&'W'], "COPY t, line 2, column v: \"-1\"");
    assert_eq!(wire.query("SELECT count(*) FROM t")[0].rows, [[Some("2".to_owned())]]);
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
    assert_eq!(texts, ["1|1.50|{1}|abc", "6|6.00|NULL|NULL"]);
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

/// Rows that were left out are kept once, with the rows that were stored, and for good.
#[test]
fn copy_keeps_what_it_left_out() {
    let mut server = Server::start();
    let mut wire = server.wire();
    wire.query("CREATE SCHEMA s; CREATE TABLE s.t (a int, b text)");
    let sql = "COPY s.t FROM STDIN (ON_ERROR ignore)";
    let letters = "SELECT relation, line, column_name, reason, content, attempts, token <> '', rejected_at <= now() \
        FROM duckmesh.dead_letters ORDER BY log_offset, line";
    let shown = |wire: &mut WireClient| -> Vec<String> {
        let rows = wire.query("SET duckmesh.consistency = strong; ".to_owned().as_str());
        assert_eq!(rows[0].error, None);
        wire.query("SELECT count(*) FROM s.t");
        wire.query(letters)[0].rows.iter().map(|row| duckmesh_tests::harness::client::join(row)).collect()
    };
    let line = |n: u32, value: &str, text: &str| {
        format!("s.t|{n}|a|invalid input syntax for type integer: \"{value}\"|{text}|1|t|t")
    };
    // The same twice under one key: stored once, and so is what was left out.
    for _ in 0..2 {
        wire.query("SET duckmesh.idempotency_key = 'once'");
        let answer = copy(&mut wire, sql, "1\tone\nx\ttwo\n3\tthree\n");
        assert_eq!(answer.tag.as_deref(), Some("COPY 2"), "{answer:?}");
    }
    assert_eq!(shown(&mut wire), [line(2, "x", "x\ttwo")]);
    assert_eq!(wire.query("SELECT count(*) FROM s.t")[0].rows, [[Some("2".to_owned())]]);
    // With no row at all; in a transaction that is rolled back, and in one that is not.
    assert_eq!(copy(&mut wire, sql, "y\tnone\n").tag.as_deref(), Some("COPY 0"));
    for end in ["ROLLBACK", "COMMIT"] {
        wire.query("BEGIN");
        assert_eq!(copy(&mut wire, sql, "z\tin a transaction\n").tag.as_deref(), Some("COPY 0"));
        wire.query(end);
    }
    let wanted = [line(2, "x", "x\ttwo"), line(1, "y", "y\tnone"), line(1, "z", "z\tin a transaction")];
    assert_eq!(shown(&mut wire), wanted);
    // Bounded, whatever the data.
    let long = format!("{}\tb\n", "x".repeat(5000));
    assert_eq!(copy(&mut wire, sql, &long.repeat(3000)).tag.as_deref(), Some("COPY 0"));
    let kept = "SELECT count(*) <= 1001, max(length(content)), max(length(reason)) < 20000, \
        count(*) FILTER (WHERE line IS NULL AND reason LIKE '% further rows were skipped;%') \
        FROM duckmesh.dead_letters WHERE log_offset = (SELECT max(log_offset) FROM duckmesh.dead_letters)";
    shown(&mut wire);
    let row = wire.query(kept)[0].rows[0].clone();
    assert_eq!(duckmesh_tests::harness::client::join(&row), "t|1027|t|1");
    let before = wire.query("SELECT count(*) FROM duckmesh.dead_letters")[0].rows.clone();
    server.kill();
    server.restart();
    let mut wire = server.wire();
    assert_eq!(wire.query("SELECT count(*) FROM duckmesh.dead_letters")[0].rows, before);
}

/// As pgx's CopyFrom and tokio-postgres do it: the types of the columns are asked by Describe, the rows go in binary form.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copy_in_binary_by_described_types() {
    use tokio_postgres::{NoTls, binary_copy::BinaryCopyInWriter, types::ToSql};
    let server = Server::start();
    let where_ = format!("host=127.0.0.1 port={} dbname=duckmesh user=tester", server.port());
    let (client, connection) = tokio_postgres::connect(&where_, NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    client.batch_execute("CREATE TABLE t (a int, b text, c float8, d bytea, e bool, f bigint[])").await.unwrap();
    let described = client.prepare("SELECT a, b, c, d, e, f FROM t").await.unwrap();
    let types: Vec<_> = described.columns().iter().map(|column| column.type_().clone()).collect();
    let sink = client.copy_in("COPY t (a, b, c, d, e, f) FROM STDIN BINARY").await.unwrap();
    let writer = BinaryCopyInWriter::new(sink, &types);
    let mut writer = std::pin::pin!(writer);
    for n in 0..1000_i32 {
        let (text, list) = ((n % 2 == 0).then(|| format!("row {n}")), vec![Some(i64::from(n)), None]);
        let row: [&(dyn ToSql + Sync); 6] = [&n, &text, &(f64::from(n) / 2.0), &vec![0_u8, 255], &(n % 3 == 0), &list];
        writer.as_mut().write(&row).await.unwrap();
    }
    assert_eq!(writer.finish().await.unwrap(), 1000);
    let row =
        client.query_one("SELECT count(*), count(b), sum(c), sum(f[1]::int) FROM t WHERE d = '\\x00ff'", &[]).await;
    let row = row.unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1), row.get::<_, f64>(2)), (1000, 500, 249_750.0));
    drop(client);
    connection.await.unwrap().unwrap();
}

/// What no client should send: PostgreSQL's SQLSTATE, a session that goes on where PostgreSQL's does, and nothing stored.
#[test]
fn copy_of_what_it_should_not_get() {
    let server = Server::start();
    let mut wire = server.wire();
    wire.query("CREATE TABLE t (a int, b text)");
    let garbage: Vec<u8> = (0..60_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let long = vec![b'x'; 65 << 20];
    let cases: [(&str, Vec<u8>, &str); 9] = [
        ("", garbage.clone(), "22021"),
        ("(FORMAT csv)", garbage.clone(), "22021"),
        ("(FORMAT binary)", garbage.clone(), "22P04"),
        ("(FORMAT parquet)", garbage, "22P04"),
        ("", b"1\t\xe4\n".to_vec(), "22021"),
        ("", b"1\ta\0b\n".to_vec(), "22021"),
        ("", long.clone(), "54000"),
        ("(FORMAT csv)", [b"1,\"".to_vec(), long].concat(), "54000"),
        ("(ENCODING 'LATIN1')", b"1\ta\n".to_vec(), "0A000"),
    ];
    for (options, data, state) in cases {
        let mut pieces = data.chunks(1 << 20).map(<[u8]>::to_vec);
        let answers = wire.copy_in(&format!("COPY t FROM STDIN {options}"), &mut pieces, CopyEnd::Done).unwrap();
        assert_eq!(answers[0].sqlstate(), Some(state), "{options} {:?}", answers[0].error);
        assert_eq!(wire.query("SELECT count(*) FROM t")[0].rows, [[Some("0".to_owned())]], "{options}");
    }
    for format in ["text", "csv", "binary", "parquet"] {
        let sql = format!("COPY t FROM STDIN (FORMAT {format})");
        let mut pieces = [b"1".to_vec()].into_iter();
        let answers = wire.copy_in(&sql, &mut pieces, CopyEnd::Fail).unwrap();
        assert_eq!(answers[0].sqlstate(), Some("57014"), "{format}");
        let mut gone = server.wire();
        gone.copy_in(&sql, &mut [b"1".to_vec()].into_iter(), CopyEnd::Cut).unwrap();
        // A message that has no place here ends the connection, as PostgreSQL ends it.
        let mut lost = server.wire();
        lost.send(b'Q', format!("{sql}\0").as_bytes()).unwrap();
        assert_eq!(lost.receive().unwrap().0, b'G');
        lost.send(b'P', b"\0SELECT 1\0\0\0").unwrap();
        let mut states = Vec::new();
        while let Ok((kind, body)) = lost.receive() {
            assert_eq!(kind, b'E');
            states.push(String::from_utf8_lossy(&body).contains("C08P01"));
        }
        assert_eq!(states, [true, true], "{format}");
    }
    assert_eq!(wire.query("SELECT count(*) FROM t")[0].rows, [[Some("0".to_owned())]]);
}

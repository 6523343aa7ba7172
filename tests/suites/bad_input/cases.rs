//! What is sent: every kind of bytes that no client should send.

pub(super) const V3: i32 = 3 << 16;
/// Why some answers have an error more.
const SILENT: &str = "PostgreSQL hangs up and says why in its log only";

/// What is sent after the start-up, and why its answer may differ.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) bytes: Vec<u8>,
    pub(super) differs: Option<&'static str>,
}

fn case(name: &'static str, frames: &[Vec<u8>]) -> Case {
    Case { name, bytes: frames.concat(), differs: None }
}

fn differs(name: &'static str, frames: &[Vec<u8>], reason: &'static str) -> Case {
    Case { differs: Some(reason), ..case(name, frames) }
}

pub(super) fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = i32::try_from(body.len() + 4).unwrap();
    [&[kind], &length.to_be_bytes()[..], body].concat()
}

/// A frame that says a length of its own.
fn lying(kind: u8, length: i32, body: &[u8]) -> Vec<u8> {
    [&[kind], &length.to_be_bytes()[..], body].concat()
}

fn text(parts: &[&str]) -> Vec<u8> {
    parts.iter().flat_map(|part| [part.as_bytes(), b"\0"].concat()).collect()
}

fn count(n: usize) -> [u8; 2] {
    u16::try_from(n & 0xffff).unwrap().to_be_bytes()
}

pub(super) fn query(sql: &str) -> Vec<u8> {
    frame(b'Q', &text(&[sql]))
}

pub(super) fn parse(name: &str, sql: &str, types: &[u32]) -> Vec<u8> {
    let mut body = text(&[name, sql]);
    body.extend(count(types.len()));
    types.iter().for_each(|oid| body.extend(oid.to_be_bytes()));
    frame(b'P', &body)
}

/// Parameter formats, values (none is NULL), result formats.
pub(super) fn bind(
    portal: &str,
    statement: &str,
    formats: &[i16],
    values: &[Option<&[u8]>],
    results: &[i16],
) -> Vec<u8> {
    let mut body = text(&[portal, statement]);
    body.extend(count(formats.len()));
    formats.iter().for_each(|f| body.extend(f.to_be_bytes()));
    body.extend(count(values.len()));
    for value in values {
        match value {
            None => body.extend((-1_i32).to_be_bytes()),
            Some(bytes) => {
                body.extend(i32::try_from(bytes.len()).unwrap().to_be_bytes());
                body.extend(*bytes);
            }
        }
    }
    body.extend(count(results.len()));
    results.iter().for_each(|f| body.extend(f.to_be_bytes()));
    frame(b'B', &body)
}

pub(super) fn execute(portal: &str, rows: i32) -> Vec<u8> {
    frame(b'E', &[text(&[portal]), rows.to_be_bytes().to_vec()].concat())
}

fn describe(kind: u8, name: &str) -> Vec<u8> {
    frame(b'D', &[vec![kind], text(&[name])].concat())
}

fn close(kind: u8, name: &str) -> Vec<u8> {
    frame(b'C', &[vec![kind], text(&[name])].concat())
}

pub(super) fn sync() -> Vec<u8> {
    frame(b'S', b"")
}

/// Parse, Bind and Execute of one statement.
fn run(sql: &str, types: &[u32], formats: &[i16], values: &[Option<&[u8]>]) -> Vec<Vec<u8>> {
    vec![parse("", sql, types), bind("", "", formats, values, &[]), execute("", 0), sync()]
}

pub(super) fn messages() -> Vec<Case> {
    vec![
        case("an unknown message", &[frame(b'~', b"")]),
        case("an unknown message in a batch", &[parse("", "SELECT 1", &[]), frame(b'z', b"x"), sync()]),
        differs("a length below four", &[lying(b'Q', 3, b"")], SILENT),
        differs("a negative length", &[lying(b'Q', -1, b"SELECT 1\0")], SILENT),
        differs("a length of gigabytes", &[lying(b'Q', 0x7fff_ffff, b"SELECT 1\0")], SILENT),
        case("a long Sync", &[frame(b'S', b"x")]),
        case("a Query without its end", &[frame(b'Q', b"SELECT 1")]),
        case("a Query with more behind its end", &[frame(b'Q', b"SELECT 1\0SELECT 2\0")]),
        case("a Query that is no UTF-8", &[frame(b'Q', b"SELECT '\xff\xfe'\0")]),
        case("an empty Query", &[query("")]),
        case("a Query of semicolons", &[query(" ; ;; ")]),
        case("Parse without its end", &[frame(b'P', b"name"), sync()]),
        case("Parse without its types", &[frame(b'P', b"\0SELECT 1\0"), sync()]),
        case("Parse with fewer types than it says", &[frame(b'P', b"\0SELECT 1\0\0\x02\0\0\0\x17"), sync()]),
        case("Parse with more than it says", &[frame(b'P', b"\0SELECT 1\0\0\0x"), sync()]),
        case("Parse that is no UTF-8", &[frame(b'P', b"\0SELECT '\xff'\0\0\0"), sync()]),
        case("Parse of two statements", &[parse("", "SELECT 1; SELECT 2", &[]), sync()]),
        case("Parse of nothing, executed", &run("", &[], &[], &[])),
        case("Parse of a name that is there", &[parse("a", "SELECT 1", &[]), parse("a", "SELECT 2", &[]), sync()]),
        differs(
            "Parse with a type that is none",
            &[parse("", "SELECT $1", &[999_999]), sync()],
            "PostgreSQL has an internal error",
        ),
        case("Describe of another kind", &[describe(b'X', ""), sync()]),
        case("Describe of no statement", &[describe(b'S', "nowhere"), sync()]),
        case("Describe of no portal", &[describe(b'P', "nowhere"), sync()]),
        case("Describe of the unnamed that is not there", &[describe(b'S', ""), sync()]),
        case("Close of what is not there", &[close(b'S', "nowhere"), close(b'P', "nowhere"), sync()]),
        case("Close of another kind", &[close(b'X', ""), sync()]),
        case("Execute of no portal", &[execute("nowhere", 0), sync()]),
        case("Execute without its count", &[frame(b'E', b"\0"), sync()]),
        case(
            "Execute of fewer than no rows",
            &[parse("", "SELECT 1", &[]), bind("", "", &[], &[], &[]), execute("", -5), sync()],
        ),
        case(
            "Execute twice",
            &[parse("", "SELECT 1", &[]), bind("", "", &[], &[], &[]), execute("", 0), execute("", 0), sync()],
        ),
        case(
            "Execute of an INSERT twice",
            &[
                parse("", "INSERT INTO t VALUES (-1, 'twice')", &[]),
                bind("", "", &[], &[], &[]),
                execute("", 0),
                execute("", 0),
                sync(),
            ],
        ),
        case(
            "everything after an error",
            &[
                execute("nowhere", 0),
                parse("", "INSERT INTO t VALUES (-2, 'skipped')", &[]),
                bind("", "", &[], &[], &[]),
                execute("", 0),
                query("INSERT INTO t VALUES (-3, 'skipped')"),
                sync(),
            ],
        ),
        case(
            "Flush in the middle",
            &[parse("", "SELECT 1", &[]), frame(b'H', b""), bind("", "", &[], &[], &[]), sync()],
        ),
        case(
            "an INSERT without its Sync, then one that fails",
            &[
                parse("", "INSERT INTO t VALUES (-4, 'not acknowledged')", &[]),
                bind("", "", &[], &[], &[]),
                execute("", 0),
                execute("nowhere", 0),
                sync(),
            ],
        ),
        case("several statements, the last of which fails", &[query("INSERT INTO t VALUES (-5, 'x'); SELECT 1 / 0")]),
        case("CopyData outside of a COPY", &[frame(b'd', b"1\tx\n"), frame(b'c', b""), frame(b'f', b"x\0")]),
        case("Terminate with more", &[frame(b'X', b""), query("SELECT 1")]),
        case("a password that nobody asked for", &[frame(b'p', b"secret\0")]),
        differs(
            "a function call",
            &[frame(b'F', b"\0\0\0\0\0\0\0\0\0\0")],
            "function calls by message are refused, whatever is in them",
        ),
    ]
}

pub(super) fn values() -> Vec<Case> {
    let two =
        |formats: &[i16], values: &[Option<&[u8]>]| run("INSERT INTO t VALUES ($1, $2)", &[23, 25], formats, values);
    let one = |ty: u32, bytes: &[u8]| run("SELECT $1", &[ty], &[1], &[Some(bytes)]);
    vec![
        case("too few values", &two(&[], &[Some(b"1")])),
        case("too many values", &two(&[], &[Some(b"1"), Some(b"2"), Some(b"3")])),
        case("no values", &two(&[], &[])),
        case("more formats than values", &two(&[0, 0, 0], &[Some(b"1"), Some(b"2")])),
        case("a format that is none", &two(&[2], &[Some(b"1"), Some(b"2")])),
        case(
            "a value shorter than it says",
            &[parse("", "SELECT $1::text", &[]), frame(b'B', b"\0\0\0\0\0\x01\0\0\0\x09abc\0\0"), sync()],
        ),
        case(
            "a value of minus two bytes",
            &[parse("", "SELECT $1::text", &[]), frame(b'B', b"\0\0\0\0\0\x01\xff\xff\xff\xfe\0\0"), sync()],
        ),
        case("Bind with more than it says", &[parse("", "SELECT 1", &[]), frame(b'B', b"\0\0\0\0\0\0\0\0x"), sync()]),
        case("Bind to no statement", &[bind("", "nowhere", &[], &[], &[]), sync()]),
        case(
            "Bind to a portal that is there",
            &[
                query("BEGIN"),
                parse("", "SELECT 1", &[]),
                bind("p", "", &[], &[], &[]),
                bind("p", "", &[], &[], &[]),
                sync(),
                query("ROLLBACK"),
            ],
        ),
        case(
            "more result formats than columns",
            &[parse("", "SELECT 1", &[]), bind("", "", &[], &[], &[0, 0]), sync()],
        ),
        case(
            "a result format that is none",
            &[parse("", "SELECT 1", &[]), bind("", "", &[], &[], &[7]), execute("", 0), sync()],
        ),
        case("text that is no number", &two(&[], &[Some(b"one"), Some(b"x")])),
        case("text that is no UTF-8", &two(&[], &[Some(b"1"), Some(b"\xc3\x28")])),
        case("text with a NUL", &two(&[], &[Some(b"1"), Some(b"a\0b")])),
        case("binary integer of three bytes", &one(23, b"\0\0\x01")),
        case("binary integer of five bytes", &one(23, b"\0\0\0\0\x01")),
        case("binary bigint of four bytes", &one(20, b"\0\0\0\x01")),
        case("binary boolean of two bytes", &one(16, b"\x01\x01")),
        case("binary float of nothing", &one(701, b"")),
        case("binary text that is no UTF-8", &one(25, b"\xff")),
        case("binary numeric with a sign that is none", &one(1700, b"\0\x01\0\0\x12\x34\0\0\0\x01")),
        case("binary numeric with a digit that is none", &one(1700, b"\0\x01\0\0\0\0\0\0\x27\x11")),
        case("binary numeric that is too short", &one(1700, b"\0\x02\0\0\0\0\0\0\0\x01")),
        case("binary date of two bytes", &one(1082, b"\0\x01")),
        case("binary timestamp of four bytes", &one(1184, b"\0\0\0\x01")),
        case("binary uuid of fifteen bytes", &one(2950, &[7; 15])),
        case("binary interval of eight bytes", &one(1186, &[0; 8])),
        case("binary jsonb of another version", &one(3802, b"\x02{}")),
        case("binary jsonb that is none", &one(3802, b"\x01{")),
        case("binary json that is none", &one(114, b"{")),
        case("binary array without dimensions", &one(1007, b"\0\0")),
        case(
            "binary array of another element",
            &one(1007, b"\0\0\0\x01\0\0\0\0\0\0\0\x19\0\0\0\x01\0\0\0\x01\0\0\0\x01x"),
        ),
        differs(
            "binary array with a huge dimension",
            &one(1007, b"\0\0\0\x01\0\0\0\0\0\0\0\x17\x7f\xff\xff\xff\0\0\0\x01"),
            "that its values are missing is seen first",
        ),
        case("binary array with too many dimensions", &one(1007, b"\0\0\0\x07\0\0\0\0\0\0\0\x17")),
        differs(
            "binary array that ends early",
            &one(1007, b"\0\0\0\x01\0\0\0\0\0\0\0\x17\0\0\0\x02\0\0\0\x01\0\0\0\x04"),
            "another of the two codes for data that is too short",
        ),
        differs(
            "a parameter whose type nobody knows",
            &[parse("", "SELECT $1 IS NULL", &[]), describe(b'S', ""), sync()],
            "it is text here",
        ),
        case("parameter number 0", &[parse("", "SELECT $0", &[]), sync()]),
        case("a parameter in a simple query", &[query("SELECT $1")]),
    ]
}

pub(super) fn sizes() -> Vec<Case> {
    let list = |n: usize, one: &dyn Fn(usize) -> String| (0..n).map(one).collect::<Vec<_>>().join(", ");
    let columns = list(20_000, &|n| format!("c{n} int"));
    let ones = list(20_000, &|_| "1".to_owned());
    let parameters = list(70_000, &|n| format!("${}", n + 1));
    let many: Vec<Option<&[u8]>> = vec![Some(b"1"); 65_535];
    let long = "x".repeat(2 << 20);
    vec![
        case("a table of 20,000 columns", &[query(&format!("CREATE TABLE wide ({columns})"))]),
        case("20,000 results", &[query(&format!("SELECT {ones}"))]),
        case("20,000 values for two columns", &[query(&format!("INSERT INTO t VALUES ({ones})"))]),
        differs(
            "70,000 parameters",
            &[parse("", &format!("SELECT 1 WHERE 1 IN ({parameters})"), &[]), describe(b'S', ""), sync()],
            "PostgreSQL tells a count of parameters that does not fit its message; 65,535 are the limit here",
        ),
        case(
            "65,535 values for two parameters",
            &[parse("", "SELECT $1::int, $2::int", &[]), bind("", "", &[], &many, &[]), sync()],
        ),
        differs(
            "a SELECT of 2 MiB",
            &[query(&format!("SELECT length('{long}')"))],
            "a statement that is no INSERT has 1 MiB at most",
        ),
        case("an INSERT of 2 MiB", &[query(&format!("INSERT INTO big VALUES ('{long}')"))]),
        case("a name of 2,000 bytes", &[parse(&"n".repeat(2000), "SELECT 1", &[]), sync()]),
        differs(
            "parentheses, 5,000 deep",
            &[query(&format!("SELECT {}1{}", "(".repeat(5000), ")".repeat(5000)))],
            "128 levels are the limit here; PostgreSQL's depends on its stack",
        ),
    ]
}

pub(super) fn changes() -> Vec<Case> {
    vec![
        case(
            "a statement whose table was dropped",
            &[
                query("CREATE TABLE gone (a int)"),
                parse("s", "SELECT * FROM gone", &[]),
                sync(),
                query("DROP TABLE gone"),
                bind("", "s", &[], &[], &[]),
                execute("", 0),
                sync(),
                close(b'S', "s"),
                sync(),
            ],
        ),
        case(
            "a statement whose result changes its type",
            &[
                query("CREATE TABLE changing (a int)"),
                parse("s", "SELECT * FROM changing", &[]),
                describe(b'S', "s"),
                sync(),
                query("ALTER TABLE changing ADD COLUMN b text"),
                bind("", "s", &[], &[], &[]),
                execute("", 0),
                sync(),
            ],
        ),
        case(
            "an INSERT whose column was dropped",
            &[
                query("CREATE TABLE shrinking (a int, b int)"),
                parse("s", "INSERT INTO shrinking (a, b) VALUES ($1, $2)", &[]),
                sync(),
                query("ALTER TABLE shrinking DROP COLUMN b"),
                bind("", "s", &[], &[Some(b"1"), Some(b"2")], &[]),
                execute("", 0),
                sync(),
                query("SELECT count(*) FROM shrinking"),
            ],
        ),
        case(
            "RETURNING that changes",
            &[
                query("CREATE TABLE returned (a int)"),
                parse("s", "INSERT INTO returned VALUES (1) RETURNING *", &[]),
                describe(b'S', "s"),
                sync(),
                query("ALTER TABLE returned ADD COLUMN b text"),
                bind("", "s", &[], &[], &[]),
                execute("", 0),
                sync(),
                query("SELECT count(*) FROM returned"),
            ],
        ),
        case(
            "EXECUTE after the result changed",
            &[
                query("CREATE TABLE again (a int); PREPARE again AS SELECT * FROM again"),
                query("ALTER TABLE again ADD COLUMN b text"),
                query("EXECUTE again"),
            ],
        ),
        case("EXECUTE of nothing", &[query("EXECUTE nowhere")]),
        case(
            "EXECUTE with too few values",
            &[query("PREPARE two AS SELECT $1::int, $2::int"), query("EXECUTE two(1)")],
        ),
        case("EXECUTE with a wrong value", &[query("PREPARE three AS SELECT $1::int"), query("EXECUTE three('x')")]),
        case(
            "a failed block goes on failing",
            &[
                query("BEGIN"),
                query("INSERT INTO t VALUES (-10, 'x')"),
                query("SELECT 1 / 0"),
                query("INSERT INTO t VALUES (-11, 'x')"),
                parse("", "SELECT 1", &[]),
                sync(),
                query("COMMIT"),
            ],
        ),
        case(
            "a portal of a transaction that ended",
            &[
                query("BEGIN"),
                parse("", "SELECT generate_series(1, 5)", &[]),
                bind("p", "", &[], &[], &[]),
                execute("p", 2),
                sync(),
                query("COMMIT"),
                execute("p", 2),
                sync(),
            ],
        ),
        case(
            "a portal of a savepoint that was rolled back",
            &[
                query("BEGIN"),
                query("SAVEPOINT s"),
                parse("", "SELECT generate_series(1, 5)", &[]),
                bind("p", "", &[], &[], &[]),
                execute("p", 2),
                sync(),
                query("ROLLBACK TO s"),
                execute("p", 2),
                sync(),
                query("ROLLBACK"),
            ],
        ),
        case(
            "a temporary table dropped under a statement",
            &[
                query("CREATE TEMP TABLE mine (a int)"),
                parse("s", "INSERT INTO mine VALUES ($1)", &[]),
                sync(),
                query("DROP TABLE mine"),
                bind("", "s", &[], &[Some(b"1")], &[]),
                execute("", 0),
                sync(),
            ],
        ),
    ]
}

pub(super) fn copies() -> Vec<Case> {
    let copy = |pieces: &[&[u8]], end: Vec<u8>| {
        let mut frames = vec![query("COPY t FROM STDIN")];
        frames.extend(pieces.iter().map(|piece| frame(b'd', piece)));
        frames.push(end);
        frames
    };
    let done = || frame(b'c', b"");
    vec![
        case("COPY of garbage", &copy(&[b"\x00\x01\x02\xff\xfe\n"], done())),
        case("COPY of too few columns", &copy(&[b"1\n"], done())),
        case("COPY of too many columns", &copy(&[b"1\ta\tb\n"], done())),
        case("COPY of no number", &copy(&[b"1\ta\nx\tb\n"], done())),
        case("COPY of no UTF-8", &copy(&[b"1\t\xc3\x28\n"], done())),
        case("COPY of a NUL", &copy(&[b"1\ta\0b\n"], done())),
        case("COPY with a line without its end", &copy(&[b"-20\ta\n-21"], done())),
        case("COPY that the client fails", &copy(&[b"-22\ta\n"], frame(b'f', b"changed my mind\0"))),
        case("COPY that ends with a Query", &copy(&[b"-23\ta\n"], query("SELECT 1"))),
        case("COPY that ends with Sync", &copy(&[b"-24\ta\n"], [sync(), done()].concat())),
        differs(
            "COPY with an unknown message",
            &copy(&[b"-25\ta\n"], frame(b'~', b"")),
            "PostgreSQL says it twice, as an error and as the reason of the end",
        ),
        case("COPY with a carriage return of its own", &copy(&[b"1\ta\n2\tb\r\n"], done())),
        case("COPY with more behind its end", &copy(&[b"\\.\n-26\tb\n"], done())),
        case(
            "COPY of CSV with an open quote",
            &[query("COPY t FROM STDIN (FORMAT csv)"), frame(b'd', b"1,\"abc\n"), done()],
        ),
        case(
            "COPY in binary without its signature",
            &[query("COPY t FROM STDIN (FORMAT binary)"), frame(b'd', b"1\ta\n and more that is none"), done()],
        ),
        case(
            "COPY in binary that ends early",
            &[
                query("COPY t FROM STDIN (FORMAT binary)"),
                frame(b'd', b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0\0\x02\0\0\0\x04"),
                done(),
            ],
        ),
        case(
            "COPY in binary with a wrong count",
            &[
                query("COPY t FROM STDIN (FORMAT binary)"),
                frame(
                    b'd',
                    b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0\0\x03\0\0\0\x04\0\0\0\x01\xff\xff\xff\xff\xff\xff\xff\xff",
                ),
                done(),
            ],
        ),
        case(
            "COPY in binary with a short integer",
            &[
                query("COPY t FROM STDIN (FORMAT binary)"),
                frame(b'd', b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0\0\x02\0\0\0\x03\0\0\x01\xff\xff\xff\xff\xff\xff"),
                done(),
            ],
        ),
        case("COPY into nothing", &[query("COPY nowhere FROM STDIN")]),
        case("COPY of a column that is not there", &[query("COPY t (id, nothing) FROM STDIN")]),
        case("COPY with an option that is none", &[query("COPY t FROM STDIN (SPEED 'fast')")]),
        case(
            "COPY by the extended protocol that fails",
            &[
                parse("", "COPY t FROM STDIN", &[]),
                bind("", "", &[], &[], &[]),
                execute("", 0),
                frame(b'd', b"x\ty\n"),
                done(),
                sync(),
            ],
        ),
    ]
}

/// Start-up packets, whole.
pub(super) fn openings() -> Vec<Case> {
    let packet = |body: &[u8]| [&i32::try_from(body.len() + 4).unwrap().to_be_bytes()[..], body].concat();
    let start = |version: i32, rest: &[u8]| packet(&[&version.to_be_bytes()[..], rest].concat());
    vec![
        differs(
            "a start-up of another age",
            &[start(2 << 16, b"user\0tester\0\0")],
            "PostgreSQL answers in that age's form",
        ),
        case("a start-up of the far future", &[start(9 << 16, b"user\0tester\0\0")]),
        case("a start-up without a user", &[start(V3, b"database\0postgres\0\0")]),
        case("a start-up without its end", &[start(V3, b"user\0tester\0")]),
        case("a start-up with half a pair", &[start(V3, b"user\0tester\0database\0\0\0")]),
        case("a start-up to no database", &[start(V3, b"user\0tester\0database\0nowhere\0\0")]),
        case("a start-up with a setting that is none", &[start(V3, b"user\0tester\0database\0bad\0nothing\0x\0\0")]),
        case("a start-up with a wrong value", &[start(V3, b"user\0tester\0database\0bad\0work_mem\0much\0\0")]),
        case("a start-up with options that are none", &[start(V3, b"user\0tester\0database\0bad\0options\0-z\0\0")]),
        differs("a length of nothing", &[vec![0; 4]], SILENT),
        differs("a length of gigabytes", &[vec![0x7f, 0xff, 0xff, 0xff]], SILENT),
        case("a cancel of nobody", &[start(80_877_102, &[0, 0, 0, 1, 0, 0, 0, 2])]),
        differs("HTTP", &[b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec()], SILENT),
    ]
}

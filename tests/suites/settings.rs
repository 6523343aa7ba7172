//! What a connection says at its start and sets later, beside PostgreSQL 15: the same words for the same bytes, and what values look
//! like as text and in COPY.

use std::{
    fmt::Write as _,
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use duckmesh_tests::harness::{Postgres, Server, WireClient};

use crate::cancel::cancel;

const V3: u32 = 3 << 16;
/// Longer than any answer takes.
const SILENCE: Duration = Duration::from_secs(60);
/// Runs until it is stopped.
const ENDLESS: &str = "SELECT count(*) FROM generate_series(1, 100000000) a, generate_series(1, 1000) b";

struct Talk {
    stream: TcpStream,
    key: (i32, Vec<u8>),
}

impl Talk {
    fn start(port: u16, version: u32, parameters: &[(&str, &str)]) -> (Self, Vec<String>) {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(SILENCE)).unwrap();
        let mut talk = Self { stream, key: (0, Vec::new()) };
        let mut body = version.to_be_bytes().to_vec();
        for text in [("user", "tester"), ("database", "said")].iter().chain(parameters).flat_map(|(k, v)| [k, v]) {
            body.extend([text.as_bytes(), b"\0"].concat());
        }
        body.push(0);
        let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
        talk.stream.write_all(&[&length[..], &body].concat()).unwrap();
        let words = talk.until_ready();
        (talk, words)
    }

    fn send(&mut self, kind: u8, body: &[u8]) {
        let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
        self.stream.write_all(&[&[kind][..], &length, body].concat()).unwrap();
    }

    fn ask(&mut self, sql: &str) -> Vec<String> {
        self.send(b'Q', &[sql.as_bytes(), b"\0"].concat());
        self.until_ready()
    }

    /// Words up to ReadyForQuery or the end.
    fn until_ready(&mut self) -> Vec<String> {
        let mut words = Vec::new();
        loop {
            let mut head = [0; 5];
            if self.stream.read_exact(&mut head).is_err() {
                words.push("end".to_owned());
                return words;
            }
            let length = u32::from_be_bytes(head[1..].try_into().unwrap()) as usize;
            let mut body = vec![0; length - 4];
            self.stream.read_exact(&mut body).unwrap();
            if head[0] == b'K' {
                self.key = (i32::from_be_bytes(body[..4].try_into().unwrap()), body[4..].to_vec());
            }
            if head[0] == b'G' {
                self.send(b'd', b"03/02/2024\t03/02/2024 10:00\t1-2\n");
                self.send(b'c', b"");
            }
            // PostgreSQL computes constants while it plans: an error of theirs comes before the columns.
            if head[0] == b'E' && words.last().is_some_and(|word: &String| word.starts_with("T:")) {
                words.pop();
            }
            words.extend(word(head[0], &body));
            if head[0] == b'Z' {
                return words;
            }
        }
    }
}

fn word(kind: u8, body: &[u8]) -> Option<String> {
    let strings: Vec<String> = body.split(|b| *b == 0).map(|s| String::from_utf8_lossy(s).into_owned()).collect();
    let field = |letter| strings.iter().find_map(|f| f.strip_prefix(letter)).unwrap_or_default().to_owned();
    Some(match kind {
        b'R' => return None,
        b'S' if strings[0].starts_with("duckmesh.") || strings[0] == "server_version" => return None,
        b'S' => format!("S:{}={}", strings[0], strings[1]),
        b'N' if field('M').starts_with("token ") => return None,
        b'N' | b'E' => format!("{}:{}/{}/{}/{}", char::from(kind), field('V'), field('C'), field('M'), field('D')),
        b'C' => format!("C:{}", strings[0]),
        b'K' => format!("K:{}", body.len() - 4),
        b'v' => {
            let options: Vec<_> = body[8..].split(|b| *b == 0).map(String::from_utf8_lossy).collect();
            format!("v:{}.{}:{}", body[1], body[3], options.join(" ").trim_end())
        }
        b'D' | b'd' => format!("{}:{}", char::from(kind), body.escape_ascii()),
        b'T' => "T:".to_owned(),
        other => format!("{}:{}", char::from(other), strings.join("/")),
    })
}

struct Both {
    postgres: Postgres,
    server: Server,
}

impl Both {
    fn start() -> Self {
        let both = Self { postgres: Postgres::start(), server: Server::start() };
        for (port, first) in both.ports().into_iter().zip(["postgres", "duckmesh"]) {
            let mut client = WireClient::connect(port, first, "tester");
            assert_eq!(client.query("CREATE DATABASE said")[0].error, None);
        }
        // The machine's time zone is not the subject.
        let mut client = WireClient::connect(both.postgres.port(), "said", "tester");
        assert_eq!(client.query("ALTER DATABASE said SET timezone = 'UTC'")[0].error, None);
        both
    }

    fn ports(&self) -> [u16; 2] {
        [self.postgres.port(), self.server.port()]
    }

    /// The same on both; what differs as text.
    fn compare(&self, different: &mut String, name: &str, run: impl Fn(u16) -> Vec<String>) {
        let [theirs, ours] = self.ports().map(run);
        if theirs != ours {
            let _ = writeln!(different, "{name}\n    PostgreSQL {theirs:?}\n    DuckMesh   {ours:?}");
        }
    }
}

/// Parameters of a startup packet, each a connection of its own.
const STARTS: &[(&str, &str)] = &[
    ("application_name", "ä\u{1}x"),
    ("nonsense", "1"),
    ("app.user", "x"),
    ("app.1x", "x"),
    ("work_mem", "x"),
    ("work_mem", "10MB"),
    ("shared_buffers", "1GB"),
    ("autovacuum", "off"),
    ("DateStyle", "German"),
    ("datestyle", "foo"),
    ("IntervalStyle", "iso_8601"),
    ("IntervalStyle", "foo"),
    ("TimeZone", "Nowhere"),
    ("timezone", "Europe/Berlin"),
    ("client_encoding", "SQL_ASCII"),
    ("client_encoding", "UNICODE"),
    ("client_encoding", "utf-8"),
    ("client_encoding", "foo"),
    ("client_encoding", ""),
    ("server_version", "1"),
    ("is_superuser", "off"),
    ("role", "nobody"),
    ("search_path", "a,"),
    ("extra_float_digits", "99"),
    ("statement_timeout", "abc"),
    ("idle_session_timeout", "5s"),
    ("ignore_system_indexes", "on"),
    ("options", "-c nonsense=1"),
    ("options", "-c geqo=off -c statement_timeout=5min --DateStyle=German"),
    ("options", "--search_path=x --statement-timeout=3s -cTimeZone=Asia/Tokyo"),
    ("options", "-c app.x=1"),
    ("options", "-c a"),
    ("options", "-c"),
    ("options", "-x"),
    ("options", "-B 5"),
    ("options", "-e"),
    ("options", "-fs -O -S1000 -W 0"),
    ("options", "foo"),
    ("options", "--"),
    ("options", "-c search_path=a\\ b"),
    ("replication", "maybe"),
    ("replication", "off"),
];

#[test]
fn starts_are_answered_as_postgres_does() {
    let both = Both::start();
    let mut different = String::new();
    for (name, value) in STARTS {
        both.compare(&mut different, &format!("{name} = {value}"), |port| Talk::start(port, V3, &[(name, value)]).1);
    }
    let twice = [("options", "-c DateStyle=German"), ("DateStyle", "SQL")];
    both.compare(&mut different, "the same in options", |port| Talk::start(port, V3, &twice).1);
    let unknown = [("_pq_.a", "b"), ("_pq_.z", "")];
    both.compare(&mut different, "options of the protocol", |port| Talk::start(port, V3, &unknown).1);
    both.compare(&mut different, "minor version 1", |port| Talk::start(port, V3 + 1, &[]).1);
    assert!(different.is_empty(), "{different}");
}

/// PostgreSQL 15 speaks 3.0 alone; 3.2 is PostgreSQL 18's.
#[test]
fn protocol_3_2_has_long_keys_that_cancel() {
    let server = Server::start();
    WireClient::connect(server.port(), "duckmesh", "tester").query("CREATE DATABASE said");
    let first = |version, parameters: &[(&str, &str)]| {
        let (talk, words) = Talk::start(server.port(), version, parameters);
        let negotiated = words.first().filter(|word| word.starts_with("v:")).cloned().unwrap_or_default();
        (negotiated, talk.key.1.len())
    };
    assert_eq!(first(V3 + 2, &[]), (String::new(), 32));
    assert_eq!(first(V3 + 3, &[]), ("v:3.2:".into(), 32));
    assert_eq!(first(V3 + 2, &[("_pq_.a", "b")]), ("v:3.2:_pq_.a".into(), 32));
    assert_eq!(first(V3 + 1, &[]), ("v:3.0:".into(), 4));
    let (mut talk, _) = Talk::start(server.port(), V3 + 2, &[]);
    let (id, key) = talk.key.clone();
    talk.send(b'Q', &[ENDLESS.as_bytes(), b"\0"].concat());
    let wrong: Vec<u8> = key.iter().map(|byte| !byte).collect();
    for wrong in [&wrong[..], &key[..4], &key[..31], &[&key[..], &[0]].concat()] {
        cancel(server.port(), id, wrong);
    }
    // None of those did: it runs, and the right one ends it.
    talk.stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let quiet = talk.stream.peek(&mut [0]);
    assert!(quiet.is_err(), "a wrong key stopped it");
    talk.stream.set_read_timeout(Some(SILENCE)).unwrap();
    let mut other = WireClient::connect(server.port(), "said", "tester");
    let running =
        "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'SELECT count(*) FROM generate%'";
    assert_eq!(other.query(running)[0].rows, [[Some("1".to_owned())]]);
    cancel(server.port(), id, &key);
    let words = talk.until_ready();
    assert!(words.iter().any(|word| word.starts_with("E:ERROR/57014")), "{words:?}");
    assert_eq!(talk.ask("SELECT 1"), ["T:", r"D:\x00\x01\x00\x00\x00\x011", "C:SELECT 1", "Z:I"]);
}

/// Statements of one connection each.
const TALKS: &[&[&str]] = &[
    &["SET datestyle = 'sql'", "SET LOCAL datestyle = 'german'", "SHOW datestyle"],
    &["BEGIN", "SET datestyle = 'sql, dmy'", "SET timezone = 'Asia/Tokyo'", "ROLLBACK", "SHOW timezone"],
    &["BEGIN", "SET LOCAL application_name = 'x'", "COMMIT"],
    &["BEGIN", "SAVEPOINT a", "SET intervalstyle = 'iso_8601'", "ROLLBACK TO a", "COMMIT"],
    &["BEGIN", "SET application_name = 'zz'", "SELECT 1/0", "ROLLBACK", "SHOW application_name"],
    &[
        "BEGIN",
        "SET application_name = 'a'",
        "SAVEPOINT s",
        "SET application_name = 'b'",
        "SELECT 1/0",
        "ROLLBACK TO s",
        "COMMIT",
    ],
    &["SET application_name = 'a'; SELECT 1/0", "SHOW application_name"],
    &["SET application_name = 'a'; SELECT 1; SET application_name = 'b'", "SHOW application_name"],
    &["SET application_name = 'a'; BEGIN; SET application_name = 'b'; ROLLBACK", "SHOW application_name"],
    &["SET application_name = 'a'; ROLLBACK", "SHOW application_name"],
    &["SET application_name = 'a'; COMMIT; SELECT 1/0", "SHOW application_name"],
    &["SELECT set_config('datestyle', 'german', false)", "RESET ALL"],
    &["BEGIN", "SELECT set_config('timezone', 'Asia/Tokyo', true)", "COMMIT"],
    &["SET datestyle = 'german'", "DISCARD ALL"],
    &[
        "SET standard_conforming_strings = on",
        "SET default_transaction_read_only = on",
        "RESET default_transaction_read_only",
    ],
    &["SET is_superuser = off", "SET server_version = '1'", "SET in_hot_standby = on", "SET integer_datetimes = off"],
    &[
        "SET client_encoding = 'SQL_ASCII'",
        "SELECT 'ä'",
        "RESET client_encoding",
        "SET NAMES 'foo'",
        "SET NAMES 'utf8'",
    ],
    &["SET client_encoding = 'MULE_INTERNAL'", "SHOW client_encoding"],
    &[
        "SET extra_float_digits = 0",
        "SELECT 0.1::float8 + 0.2::float8, 1e20::float4, ARRAY[0.1::float8 + 0.2::float8]",
        "COPY (SELECT 0.1::float8 + 0.2::float8) TO STDOUT",
        "SET extra_float_digits = -15",
        "SELECT 123456.789::float8",
        "SET extra_float_digits = 3",
        "SELECT 0.1::float4, 0.1::float8 + 0.2::float8",
    ],
    &[
        "SET bytea_output = 'escape'",
        r"SELECT '\x00ff41'::bytea, ARRAY['\x00ff41'::bytea]",
        r"COPY (SELECT '\x00ff415c'::bytea) TO STDOUT",
        r"COPY (SELECT '\x00ff415c'::bytea) TO STDOUT (FORMAT csv)",
        "SET bytea_output = 'foo'",
    ],
    &[
        "SET intervalstyle = 'iso_8601'",
        "SELECT interval '1 year -2 days 3:04:05.6', ARRAY[interval '1 day']",
        "COPY (SELECT interval '1 year -2 days 3:04:05.6') TO STDOUT",
        "SET intervalstyle = 'sql_standard'",
        "SELECT interval '1 year -2 days 3:04:05.6', interval '-1 day', interval '0', interval '1 year 2 mons'",
        "SELECT '-1 2:03:04'::interval, interval '-1-2 3'",
        "COPY (SELECT interval '1-2 3') TO STDOUT (FORMAT csv)",
        "SET intervalstyle = 'postgres_verbose'",
        "SELECT interval '1 year -2 days 3:04:05.6', interval '-3 days'",
        "SELECT '-1 2:03:04'::interval",
    ],
    &[
        "SET datestyle = 'sql, dmy'; SET timezone = 'Europe/Berlin'",
        "SELECT date '2024-02-03', timestamp '2024-02-03 04:05:06.7', timestamptz '2024-07-03 04:05:06.7+00', '03/02/2024'::date",
        "SELECT ARRAY[date '2024-02-03', NULL], tstzrange('2024-07-03 04:05:06.7+00', NULL), timetz '04:05:06+02'",
        "COPY (SELECT date '2024-02-03', timestamp '2024-02-03 04:05:06.7', timestamptz '2024-07-03 04:05:06.7+00') TO STDOUT",
        "COPY (SELECT date '2024-02-03', timestamp '2024-02-03 04:05:06.7') TO STDOUT (FORMAT csv)",
        "SET datestyle = 'german'",
        "SELECT date '2024-02-03', timestamp '2024-02-03 04:05:06.7', timestamptz '2024-07-03 04:05:06.7+00', date 'infinity', date '0044-03-15 BC'",
        "COPY (SELECT timestamptz '2024-07-03 04:05:06.7+00', timestamp '-infinity') TO STDOUT",
        "SET datestyle = 'postgres, ymd'",
        "SELECT date '2024-02-03', timestamp '2024-02-03 04:05:06.7', timestamptz '2024-07-03 04:05:06.7+00', '2024-03-02'::date",
        "SET datestyle = 'postgres, mdy'",
        "SELECT date '2024-02-03', timestamp '2024-02-03 04:05:06.7', timestamptz '2024-07-03 04:05:06.7+00'",
        "COPY (SELECT timestamptz '2024-07-03 04:05:06.7+00') TO STDOUT",
    ],
    &[
        "SET datestyle = 'sql, dmy'",
        "SET intervalstyle = 'sql_standard'",
        "CREATE TABLE read (d date, t timestamptz, i interval)",
        "COPY read FROM STDIN",
        "INSERT INTO read VALUES ('03/02/2024', '03/02/2024 10:00', '3 2:03:04')",
        "SELECT * FROM read ORDER BY i",
        "COPY (SELECT * FROM read ORDER BY i) TO STDOUT",
        "SELECT '13/02/2024'::date",
        "SELECT '02/13/2024'::date",
        "DROP TABLE read",
    ],
    &["SET statement_timeout = 100", ENDLESS, "SELECT 1", "SET statement_timeout = 0", "SHOW statement_timeout"],
    &["BEGIN", "SET LOCAL statement_timeout = '50ms'", ENDLESS, "SELECT 1", "ROLLBACK"],
    &["SET lock_timeout = '1500ms'", "SHOW lock_timeout", "SET lock_timeout = -1", "SET lock_timeout = '2 parsecs'"],
    &[
        "SET idle_in_transaction_session_timeout = '5s'",
        "SHOW idle_in_transaction_session_timeout",
        "BEGIN",
        "SELECT 1",
        "COMMIT",
    ],
];

#[test]
fn settings_are_kept_and_told_as_postgres_does() {
    let both = Both::start();
    let mut different = String::new();
    for statements in TALKS {
        both.compare(&mut different, &format!("{statements:?}"), |port| {
            let (mut talk, _) = Talk::start(port, V3, &[]);
            statements.iter().flat_map(|sql| talk.ask(sql)).collect()
        });
    }
    assert!(different.is_empty(), "{different}");
}

#[test]
fn who_idles_too_long_is_told_and_gone() {
    let both = Both::start();
    let mut different = String::new();
    let idlers: [&[&str]; 4] = [
        &["SET idle_session_timeout = '60ms'"],
        &["SET idle_in_transaction_session_timeout = '60ms'", "BEGIN"],
        &["SET idle_in_transaction_session_timeout = '60ms'", "BEGIN", "SELECT 1/0"],
        &["BEGIN", "SET LOCAL idle_in_transaction_session_timeout = '60ms'", "SELECT 1"],
    ];
    for statements in idlers {
        both.compare(&mut different, &format!("{statements:?}"), |port| {
            let (mut talk, _) = Talk::start(port, V3, &[]);
            let mut words: Vec<String> = statements.iter().flat_map(|sql| talk.ask(sql)).collect();
            words.extend(talk.until_ready());
            assert_eq!(words.last().map(String::as_str), Some("end"), "{statements:?} {words:?}");
            words
        });
    }
    assert!(different.is_empty(), "{different}");
}

#[test]
fn a_lock_that_is_not_given_in_time_is_refused() {
    let both = Both::start();
    let mut different = String::new();
    both.compare(&mut different, "lock_timeout", |port| {
        let (mut holder, _) = Talk::start(port, V3, &[]);
        holder.ask("SELECT pg_advisory_lock(7)");
        let (mut waiter, _) = Talk::start(port, V3, &[]);
        waiter.ask("SET lock_timeout = '50ms'");
        let mut words = waiter.ask("SELECT pg_advisory_lock(7)");
        words.extend(waiter.ask("SELECT 1"));
        words
    });
    assert!(different.is_empty(), "{different}");
}

//! Bad input: the same bytes to PostgreSQL 15 and to DuckMesh. The answers are the same, messages and SQLSTATEs, and so is whether
//! the connection lives; nothing is stored that was not acknowledged.

use std::{
    fmt::Write as _,
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    time::Duration,
};

use duckmesh_tests::harness::{Postgres, Server, WireClient};

mod cases;

use cases::{Case, V3, bind, changes, copies, execute, frame, messages, openings, parse, query, sizes, sync, values};

/// Longer than any answer takes.
const SILENCE: Duration = Duration::from_secs(60);

fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(SILENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// One message: its kind and body; none at the connection's end.
fn receive(stream: &mut TcpStream) -> Option<(u8, Vec<u8>)> {
    let mut head = [0; 5];
    stream.read_exact(&mut head).ok()?;
    let length = u32::from_be_bytes(head[1..5].try_into().unwrap()) as usize;
    let mut body = vec![0; length.saturating_sub(4)];
    stream.read_exact(&mut body).ok()?;
    Some((head[0], body))
}

fn field(body: &[u8], letter: u8) -> String {
    let fields = body.split(|byte| *byte == 0);
    let found = fields.filter(|f| f.first() == Some(&letter)).map(|f| String::from_utf8_lossy(&f[1..]).into_owned());
    found.into_iter().next().unwrap_or_default()
}

/// A message as a word; none for what may come or not.
fn word(kind: u8, body: &[u8]) -> Option<String> {
    Some(match kind {
        b'N' | b'S' | b'A' | b'K' | b'R' | b'v' => return None,
        b'E' => format!("{}/{}", field(body, b'V'), field(body, b'C')),
        b'Z' => format!("ready:{}", char::from(body[0])),
        b'C' => format!("done:{}", String::from_utf8_lossy(body).trim_end_matches('\0')),
        other => char::from(other).to_string(),
    })
}

/// What is answered until the marker behind the case is, or the connection ends.
fn answers(stream: &mut TcpStream) -> String {
    let mut said = String::new();
    let mut marked = false;
    loop {
        let Some((kind, body)) = receive(stream) else {
            said.push_str(" ended");
            return said;
        };
        marked |= kind == b'D' && body.windows(6).any(|bytes| bytes == b"marker");
        if let Some(word) = word(kind, &body) {
            let _ = write!(said, " {word}");
        }
        if marked && kind == b'Z' {
            said.push_str(" lives");
            return said;
        }
    }
}

fn ask(port: u16, case: &Case) -> String {
    let mut stream = connect(port);
    let start = [&V3.to_be_bytes()[..], b"user\0tester\0database\0bad\0\0"].concat();
    let packet = [&i32::try_from(start.len() + 4).unwrap().to_be_bytes()[..], &start].concat();
    stream.write_all(&packet).unwrap();
    while receive(&mut stream).expect("a start").0 != b'Z' {}
    // The server may have hung up while it is still being told.
    let _ = stream.write_all(&case.bytes);
    let _ = stream.write_all(&[sync(), query("SELECT 'marker'")].concat());
    answers(&mut stream)
}

fn open(port: u16, case: &Case) -> String {
    let mut stream = connect(port);
    let _ = stream.write_all(&case.bytes);
    let _ = stream.write_all(&query("SELECT 'marker'"));
    let _ = stream.shutdown(Shutdown::Write);
    answers(&mut stream)
}

#[test]
fn bad_input_is_answered_as_postgres_does() {
    let (postgres, server) = (Postgres::start(), Server::start());
    for (port, first) in [(postgres.port(), "postgres"), (server.port(), "duckmesh")] {
        assert_eq!(WireClient::connect(port, first, "tester").query("CREATE DATABASE bad")[0].error, None);
        let mut client = WireClient::connect(port, "bad", "tester");
        for answer in client.query("CREATE TABLE t (id int, name text); CREATE TABLE big (s text)") {
            assert_eq!(answer.error, None);
        }
    }
    let mut different = String::new();
    let mut compare = |case: &Case, run: fn(u16, &Case) -> String| {
        // That a value or a plan is wrong is said by Execute, not Bind; that a row is wrong, behind its columns' names.
        let plain = |said: String| said.replace(" 2 ERROR", " ERROR").replace(" T ERROR", " ERROR");
        let (theirs, ours) = (plain(run(postgres.port(), case)), plain(run(server.port(), case)));
        match (theirs == ours, case.differs) {
            (true, None) | (false, Some(_)) => {}
            (true, Some(_)) => {
                let _ = writeln!(different, "{}: no longer differs", case.name);
            }
            (false, None) => {
                let _ = writeln!(different, "{}\n    PostgreSQL{theirs}\n    DuckMesh  {ours}", case.name);
            }
        }
    };
    let cases = [messages(), values(), sizes(), changes(), copies()];
    cases.iter().flatten().for_each(|case| compare(case, ask));
    openings().iter().for_each(|case| compare(case, open));
    // What both have stored is what both said they had.
    let stored = |port: u16| {
        let mut client = WireClient::connect(port, "bad", "tester");
        let mut rows = client.query("SELECT id, name FROM t ORDER BY id, name")[0].rows.clone();
        rows.extend(client.query("SELECT count(*)::text, max(length(s))::text FROM big")[0].rows.clone());
        rows
    };
    assert_eq!(stored(postgres.port()), stored(server.port()), "what is stored");
    assert!(different.is_empty(), "{different}");
}

#[test]
fn a_client_that_goes_leaves_nothing() {
    let (postgres, server) = (Postgres::start(), Server::start());
    for (port, database) in [(postgres.port(), "postgres"), (server.port(), "duckmesh")] {
        let mut client = WireClient::connect(port, database, "tester");
        client.query("CREATE TABLE t (id int, name text)");
        let endings: [Vec<Vec<u8>>; 5] = [
            vec![query("BEGIN"), query("INSERT INTO t VALUES (1, 'open')")],
            vec![query("COPY t FROM STDIN"), frame(b'd', b"2\tcut\n")],
            vec![query("COPY t FROM STDIN"), frame(b'd', b"3\tin the middle")],
            vec![
                parse("", "INSERT INTO t VALUES (4, 'no Sync')", &[]),
                bind("", "", &[], &[], &[]),
                execute("", 0),
                frame(b'H', b""),
            ],
            vec![b"Q\0\0\0\x40INSERT INTO t VALUES (5".to_vec()],
        ];
        for frames in &endings {
            let mut stream = connect(port);
            let start = [&V3.to_be_bytes()[..], b"user\0tester\0database\0", database.as_bytes(), b"\0\0"].concat();
            let packet = [&i32::try_from(start.len() + 4).unwrap().to_be_bytes()[..], &start].concat();
            stream.write_all(&packet).unwrap();
            while receive(&mut stream).expect("a start").0 != b'Z' {}
            stream.write_all(&frames.concat()).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            // The server has done what it will when it hangs up.
            while receive(&mut stream).is_some() {}
        }
        let rows = &client.query("SELECT * FROM t")[0].rows;
        assert!(rows.is_empty(), "{database}: {rows:?}");
    }
}

//! One name for SQL's cursors and the protocol's portals, beside PostgreSQL 15: each is read and closed in the other's way.

use duckmesh_tests::harness::{Postgres, Server, WireClient};

fn text(parts: &[&str]) -> Vec<u8> {
    parts.iter().flat_map(|part| [part.as_bytes(), b"\0"].concat()).collect()
}

/// A message of the extended protocol.
enum Message<'a> {
    Query(&'a str),
    /// Parse of the unnamed statement, and Bind of a portal over it; whether its columns are binary.
    Portal(&'a str, &'a str, bool),
    /// Parse, Describe, Bind with these parameters, and Execute, all of them unnamed.
    Given(&'a str, &'a [&'a str]),
    Describe(&'a str),
    Execute(&'a str, i32),
    Close(&'a str),
    Sync,
}

use Message::{Close, Describe, Execute, Given, Portal, Query, Sync};

/// What is answered, message by message, up to ReadyForQuery of each Query and Sync.
fn run(client: &mut WireClient, messages: &[Message<'_>]) -> Vec<String> {
    let mut words = Vec::new();
    for message in messages {
        match message {
            Query(sql) => client.send(b'Q', &text(&[sql])),
            Portal(name, sql, binary) => {
                client.send(b'P', &[text(&["", sql]), vec![0, 0]].concat()).unwrap();
                let formats = if *binary { vec![0, 1, 0, 1] } else { vec![0, 0] };
                client.send(b'B', &[text(&[name, ""]), vec![0, 0, 0, 0], formats].concat())
            }
            Given(sql, values) => {
                client.send(b'P', &[text(&["", sql]), vec![0, 0]].concat()).unwrap();
                client.send(b'D', b"S\0").unwrap();
                let count = u16::try_from(values.len()).unwrap().to_be_bytes();
                let mut bind = [text(&["", ""]), vec![0, 0], count.to_vec()].concat();
                for value in *values {
                    bind.extend(u32::try_from(value.len()).unwrap().to_be_bytes());
                    bind.extend(value.as_bytes());
                }
                client.send(b'B', &[bind, vec![0, 0]].concat()).unwrap();
                client.send(b'E', b"\0\0\0\0\0")
            }
            Describe(name) => client.send(b'D', &[b"P".to_vec(), text(&[name])].concat()),
            Execute(name, rows) => client.send(b'E', &[text(&[name]), rows.to_be_bytes().to_vec()].concat()),
            Close(name) => client.send(b'C', &[b"P".to_vec(), text(&[name])].concat()),
            Sync => client.send(b'S', &[]),
        }
        .unwrap();
        if !matches!(message, Query(_) | Sync) {
            continue;
        }
        loop {
            let (kind, body) = client.receive().unwrap();
            words.extend(word(kind, &body));
            if kind == b'Z' {
                break;
            }
        }
    }
    words
}

fn word(kind: u8, body: &[u8]) -> Option<String> {
    let fields: Vec<String> = body.split(|b| *b == 0).map(|f| String::from_utf8_lossy(f).into_owned()).collect();
    let field = |letter: char| fields.iter().find_map(|f| f.strip_prefix(letter)).unwrap_or_default().to_owned();
    Some(match kind {
        b'S' | b'N' => return None,
        b'E' => format!("E:{}/{}", field('C'), field('M')),
        // Name and format of the one column.
        b'T' => {
            format!("T:{}/{}", String::from_utf8_lossy(&body[2..]).split('\0').next().unwrap(), body[body.len() - 1])
        }
        b'D' => format!("D:{}", body[6..].escape_ascii()),
        b't' => format!("t:{}", body.escape_ascii()),
        b'C' => format!("C:{}", fields[0]),
        b'Z' => format!("Z:{}", char::from(body[0])),
        other => char::from(other).to_string(),
    })
}

const ROWS: &str = "SELECT g FROM generate_series(1, 6) g";

fn conversations() -> Vec<Vec<Message<'static>>> {
    let begin = || Query("BEGIN");
    vec![
        // A portal that was not executed, or only a part of it, is read by FETCH, goes on by Execute, and is closed by CLOSE.
        vec![
            begin(),
            Portal("p", ROWS, false),
            Sync,
            Query("FETCH 2 FROM p"),
            Query("MOVE 1 IN p"),
            Execute("p", 2),
            Sync,
        ],
        vec![
            begin(),
            Portal("p", ROWS, false),
            Execute("p", 2),
            Sync,
            Query("FETCH p"),
            Execute("p", 0),
            Execute("p", 0),
            Sync,
        ],
        vec![
            begin(),
            Portal("p", ROWS, false),
            Execute("p", 2),
            Sync,
            Query("FETCH ALL p"),
            Query("FETCH p"),
            Execute("p", 1),
            Sync,
        ],
        vec![
            begin(),
            Portal("p", ROWS, false),
            Sync,
            Query("FETCH PRIOR FROM p"),
            Query("FETCH 2 p"),
            Query("FETCH PRIOR FROM p"),
        ],
        vec![begin(), Portal("p", ROWS, false), Sync, Query("CLOSE p"), Query("CLOSE p")],
        vec![begin(), Portal("p", ROWS, false), Sync, Query("CLOSE ALL"), Query("FETCH p")],
        vec![begin(), Portal("p", ROWS, true), Sync, Query("FETCH 1 FROM p"), Execute("p", 1), Sync],
        vec![
            begin(),
            Portal("p", ROWS, false),
            Sync,
            Query(
                "SELECT name || statement || is_holdable::text || is_binary::text || is_scrollable::text FROM pg_cursors",
            ),
        ],
        vec![begin(), Portal("p", ROWS, false), Sync, Query("COMMIT"), Query("FETCH p")],
        vec![
            begin(),
            Portal("p", ROWS, false),
            Sync,
            Portal("f", "FETCH 2 FROM p", true),
            Describe("f"),
            Execute("f", 0),
            Sync,
        ],
        vec![begin(), Portal("p", "CREATE TABLE made (id int)", false), Execute("p", 0), Sync, Query("ROLLBACK")],
        // A cursor is described, executed and closed as a portal.
        vec![
            begin(),
            Query("DECLARE c CURSOR FOR SELECT g FROM generate_series(1, 6) g"),
            Describe("c"),
            Execute("c", 2),
            Sync,
            Query("FETCH c"),
            Execute("c", 0),
            Sync,
        ],
        vec![
            begin(),
            Query("DECLARE c CURSOR FOR SELECT g FROM generate_series(1, 6) g"),
            Execute("c", 6),
            Execute("c", 6),
            Execute("c", 0),
            Sync,
        ],
        vec![
            begin(),
            Query("DECLARE c SCROLL CURSOR FOR SELECT g FROM generate_series(1, 6) g"),
            Execute("c", 4),
            Sync,
            Query("FETCH BACKWARD 2 c"),
            Execute("c", 1),
            Sync,
        ],
        vec![
            begin(),
            Query("DECLARE c BINARY CURSOR FOR SELECT g FROM generate_series(1, 6) g"),
            Describe("c"),
            Execute("c", 2),
            Sync,
        ],
        vec![
            begin(),
            Query("DECLARE c CURSOR FOR SELECT g FROM generate_series(1, 6) g"),
            Close("c"),
            Sync,
            Query("FETCH c"),
        ],
        vec![
            Query("DECLARE h CURSOR WITH HOLD FOR SELECT g FROM generate_series(1, 6) g"),
            Execute("h", 2),
            Sync,
            Execute("h", 2),
            Sync,
            Query("FETCH h"),
            Query("CLOSE h"),
        ],
        vec![begin(), Execute("c", 2), Sync],
        // What is held stays, however the transactions end that come after.
        vec![
            Query("DECLARE h CURSOR WITH HOLD FOR SELECT g FROM generate_series(1, 6) g"),
            Query("FETCH h"),
            begin(),
            Query("ROLLBACK"),
            Query("FETCH h"),
            begin(),
            Query("SELECT nothing"),
            Query("COMMIT"),
            Query("FETCH h"),
            begin(),
            Query("DECLARE i CURSOR WITH HOLD FOR SELECT g FROM generate_series(1, 6) g"),
            Query("ROLLBACK"),
            Query("FETCH i"),
            Query("FETCH h"),
        ],
        vec![Query("DECLARE h CURSOR WITH HOLD FOR SELECT 1 AS g; SELECT nothing"), Query("FETCH h")],
        // Parameters of a cursor's query.
        vec![
            begin(),
            Given("DECLARE c CURSOR FOR SELECT g FROM generate_series(1, $1) g WHERE g > $2::int8", &["4", "1"]),
            Sync,
            Query("FETCH ALL c"),
            Query("COMMIT"),
        ],
        vec![begin(), Given("DECLARE c CURSOR FOR SELECT $1::int AS g", &[]), Sync, Query("COMMIT")],
    ]
}

#[test]
fn cursors_and_portals_are_one() {
    let (postgres, server) = (Postgres::start(), Server::start());
    let mut different = String::new();
    for (number, conversation) in conversations().iter().enumerate() {
        let theirs = run(&mut WireClient::connect(postgres.port(), "postgres", "tester"), conversation);
        let ours = run(&mut server.wire(), conversation);
        if theirs != ours {
            different.push_str(&format!("{number}:\n    PostgreSQL {theirs:?}\n    DuckMesh   {ours:?}\n"));
        }
    }
    assert!(different.is_empty(), "{different}");
}

//! Cancel requests at every moment of a statement: the statement ends, and the next one is never hit.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use duckmesh_tests::harness::{Server, WireClient, eventually};

const ROUNDS: u64 = 150;
/// A statement that is over long before, and one that never is.
const STATEMENTS: [&str; 3] = [
    "SELECT count(*) FROM t",
    "SELECT count(*) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b",
    "SELECT a.n FROM t a, t b, t c WHERE a.n + b.n + c.n < 0",
];

/// As libpq cancels.
pub fn cancel(port: u16, id: i32, key: &[u8]) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("the server");
    let body = [&80_877_102_i32.to_be_bytes()[..], &id.to_be_bytes(), key].concat();
    let length = i32::try_from(body.len() + 4).expect("short").to_be_bytes();
    stream.write_all(&[&length[..], &body].concat()).expect("a cancel request");
    // As libpq does: when the server hangs up, it has passed the request on. Until then it may still hit what comes next.
    let _ = stream.read(&mut [0]);
}

#[test]
fn a_cancel_hits_the_statement_that_runs_and_no_other() {
    let server = Server::start();
    let mut client: WireClient = server.wire();
    client.query("CREATE TABLE t (n int)");
    client.query("INSERT INTO t SELECT generate_series(1, 3000)");
    let (id, key) = client.key.clone();
    let (mut cancelled, mut finished) = (0, 0);
    for round in 0..ROUNDS {
        let sql = STATEMENTS[usize::try_from(round).expect("small") % STATEMENTS.len()];
        client.send(b'Q', &[sql.as_bytes(), b"\0"].concat()).expect("sent");
        // Another moment in each round, from before its start to far into it.
        let wait = Duration::from_micros(round * 97 % 6000);
        let begun = Instant::now();
        while begun.elapsed() < wait {
            std::hint::spin_loop();
        }
        cancel(server.port(), id, &key);
        // A request that found nothing running is lost, as in Postgres: then the client asks again.
        let mut asked = Instant::now();
        let answers = eventually("a cancelled statement ends", Duration::from_secs(20), || {
            if asked.elapsed() > Duration::from_millis(500) {
                cancel(server.port(), id, &key);
                asked = Instant::now();
            }
            client.answers_within(Duration::from_millis(50)).expect("the connection lives")
        });
        match answers.first().and_then(|answer| answer.sqlstate()) {
            Some("57014") => cancelled += 1,
            None => finished += 1,
            Some(other) => panic!("{other}: {sql}"),
        }
        let after = client.query("SELECT 1");
        assert_eq!(after[0].sqlstate(), None, "the next statement was hit");
    }
    println!("{cancelled} cancelled, {finished} finished before");
    assert!(cancelled >= ROUNDS / 3, "endless statements were cancelled: {cancelled}");
}

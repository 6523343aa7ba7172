//! Too little of something: descriptors, or somebody who publishes. Waits end, memory stays bounded, and it works again.

use std::{
    fs,
    io::{ErrorKind::WouldBlock, Read, Write},
    net::TcpStream,
    sync::Arc,
    time::{Duration, Instant},
};

use duckmesh_tests::harness::{Client, Server, ServerOptions, client::explain, eventually, eventually_async, process};
use tokio::task::JoinSet;

const LIMIT: Duration = Duration::from_secs(60);

/// How many descriptors a process may have.
fn limit_descriptors(pid: u32, most: u64) {
    let limit = libc::rlimit { rlim_cur: most, rlim_max: most };
    // SAFETY: prlimit reads the limit and touches nothing else of ours.
    let done = unsafe {
        libc::prlimit(i32::try_from(pid).unwrap(), libc::RLIMIT_NOFILE, &raw const limit, std::ptr::null_mut())
    };
    assert_eq!(done, 0, "prlimit: {}", std::io::Error::last_os_error());
}

/// This process, and those it starts, may have as many descriptors as the system lets it.
fn all_descriptors() -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both calls only read and write the limit that they are given.
    unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit);
        limit.rlim_cur = limit.rlim_max.min(65_536);
        libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
    }
    limit.rlim_cur
}

fn descriptors(pid: u32) -> u64 {
    fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, |all| all.count() as u64)
}

/// GW9: no descriptors are left: the server waits without spinning, sessions go on, and it accepts again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g10_gw9_no_descriptors_left() {
    let server = Server::start();
    let client = server.client().await;
    client.ok("CREATE TABLE t (a int); INSERT INTO t VALUES (1); SELECT * FROM t").await;
    let pid = server.pid();
    limit_descriptors(pid, descriptors(pid) + 12);
    // They say nothing: each costs a descriptor until the startup deadline, or waits in the kernel's queue.
    let sockets: Vec<TcpStream> = (0..60).map(|_| TcpStream::connect(("127.0.0.1", server.port())).unwrap()).collect();
    let full = || (descriptors(pid) + 2 >= limit_of(pid)).then_some(());
    eventually("its descriptors are used up", LIMIT, full);
    let (start, before) = (Instant::now(), process::ticks(pid));
    while start.elapsed() < Duration::from_secs(1) {
        // What needs no new descriptor is served meanwhile.
        assert_eq!(client.value("SELECT 1").await, "1");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let spent = process::ticks(pid) - before;
    assert!(spent < 60, "{spent} hundredths of a second of processor in one second: it spins");
    drop(sockets);
    let fresh =
        eventually_async("it accepts again", LIMIT, || async { Client::connect(server.port(), "duckmesh").await.ok() });
    assert_eq!(fresh.await.value("SELECT a FROM t").await, "1");
    assert!(!server.log().contains("panicked"), "{}", server.log());
}

/// GW7: thousands of sockets that begin and never end to say who they are: few are held, the others are refused at once,
/// sessions go on, and after the deadline everybody is served again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g10_gw7_thousands_of_slow_startups_are_few_at_a_time() {
    const SOCKETS: usize = 2000;
    const HELD_MAX: usize = 100;
    assert!(all_descriptors() > 2 * SOCKETS as u64, "this machine gives too few descriptors");
    let server = Server::start();
    let client = server.client().await;
    client.ok("CREATE TABLE t (a int); INSERT INTO t VALUES (1); SELECT * FROM t").await;
    let (pid, before) = (server.pid(), descriptors(server.pid()));
    let (mut sockets, mut most) = (Vec::with_capacity(SOCKETS), 0);
    let memory = process::resident_kib(pid);
    for n in 0..SOCKETS {
        let mut socket = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
        // A startup packet that is never whole; who was refused already may not take it.
        let _ = socket.write_all(&[0, 0, 0, 80, 0, 3, 0, 0, b'u'][..n % 10]);
        socket.set_nonblocking(true).unwrap();
        sockets.push(socket);
        if n % 100 == 99 {
            most = most.max(descriptors(pid).saturating_sub(before));
            assert_eq!(client.value("SELECT a FROM t").await, "1", "sessions go on");
        }
    }
    let is_held = |socket: &mut TcpStream| matches!(socket.read(&mut [0; 512]), Err(e) if e.kind() == WouldBlock);
    eventually("the others are refused", LIMIT, || {
        let held = sockets.iter_mut().filter_map(|socket| is_held(socket).then_some(())).count();
        (held <= HELD_MAX).then_some(())
    });
    // What a SELECT opens for a moment is counted too.
    assert!(most <= HELD_MAX as u64 + 20, "{most} descriptors");
    let grown = process::resident_kib(pid).saturating_sub(memory);
    assert!(grown < 64 << 10, "{grown} KiB");
    assert_eq!(client.value("SELECT a FROM t").await, "1");
    let fresh = eventually_async("the slow ones are gone", LIMIT, || async {
        Client::connect(server.port(), "duckmesh").await.ok()
    });
    assert_eq!(fresh.await.value("SELECT a FROM t").await, "1");
    eventually("all of them", LIMIT, || (!sockets.iter_mut().any(is_held)).then_some(()));
}

fn limit_of(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let line = text.lines().find(|line| line.starts_with("Max open files")).unwrap();
    line.split_whitespace().nth(3).unwrap().parse().unwrap()
}

/// A server whose coordinator waits for a file before it publishes anything.
struct Held {
    server: Server,
    file: std::path::PathBuf,
}

impl Held {
    async fn new(args: &[&str]) -> Self {
        let args = args.iter().map(|arg| (*arg).to_owned()).collect();
        let mut server = Server::with(ServerOptions { args, ..ServerOptions::default() });
        let client = server.client().await;
        client.ok("CREATE TABLE t (a bigint, b text); INSERT INTO t VALUES (0, 'first'); SELECT * FROM t").await;
        drop(client);
        assert!(server.stop().success());
        let file = server.scratch().join("go");
        server.restart_with_failpoints(Some(&format!("commit-after-read=wait:{}", file.display())));
        Self { server, file }
    }

    fn go(&self) {
        fs::write(&self.file, "").unwrap();
    }
}

/// TK3: many sessions wait for a token that nobody publishes: each ends at its own timeout, and memory is bounded.
async fn waiting_sessions(sessions: usize) {
    let room = all_descriptors();
    assert!(room > sessions as u64 + 200, "{room} descriptors are too few for {sessions} sessions");
    let held = Held::new(&["--max-connections", &(sessions + 10).to_string()]).await;
    let port = held.server.port();
    let writer = held.server.client().await;
    let token = writer.write("INSERT INTO t VALUES (1, 'waited for')").await;
    let mut all: Vec<Client> = Vec::with_capacity(sessions);
    for _ in 0..sessions {
        all.push(Client::connect(port, "duckmesh").await.unwrap());
    }
    let before = process::resident_kib(held.server.pid());
    // One of them waits for long, and is cancelled.
    let patient = held.server.client().await;
    let cancel = patient.pg.cancel_token();
    let patient = tokio::spawn({
        let token = token.clone();
        async move {
            patient
                .fails(&format!("SET duckmesh.min_token = '{token}'; SET duckmesh.barrier_timeout = '300s'; TABLE t"))
                .await
        }
    });
    let mut waits = JoinSet::new();
    for client in all {
        let token = token.clone();
        waits.spawn(async move {
            client.ok(&format!("SET duckmesh.min_token = '{token}'; SET duckmesh.barrier_timeout = '4s'")).await;
            let start = Instant::now();
            let error = client.fails("SELECT count(*) FROM t").await;
            (start.elapsed(), error)
        });
    }
    let mut peak = before;
    let mut ended = 0;
    while let Some(wait) = waits.join_next().await {
        let (time, error) = wait.unwrap();
        assert!(error.starts_with("MD001"), "{error}");
        assert!(time >= Duration::from_secs(4), "not before its time: {time:?}");
        assert!(time < Duration::from_secs(20), "and not long after: {time:?}");
        peak = peak.max(process::resident_kib(held.server.pid()));
        ended += 1;
    }
    assert_eq!(ended, sessions);
    let each = peak.saturating_sub(before) / sessions as u64;
    println!("{sessions} waiting sessions: {} KiB more, {each} KiB each", peak - before);
    assert!(each < 200, "{each} KiB for each waiting session");
    cancel.cancel_query(tokio_postgres::NoTls).await.unwrap();
    assert!(patient.await.unwrap().starts_with("57014"), "cancel ends a wait");
    held.go();
    writer.ok(&format!("SET duckmesh.min_token = '{token}'; SET duckmesh.barrier_timeout = '60s'")).await;
    assert_eq!(writer.value("SELECT count(*) FROM t").await, "2");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g10_tk3_hundreds_of_sessions_wait_for_a_stuck_watermark() {
    waiting_sessions(300).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make test-faults"]
async fn g10_tk3_faults_thousands_of_sessions_wait_for_a_stuck_watermark() {
    waiting_sessions(5000).await;
}

/// CO10: nobody publishes for a long time: the log grows, memory does not; then all of it becomes visible.
async fn backlog(writes: u64, rows: u64) {
    let held = Held::new(&["--commit-interval-ms", "100"]).await;
    let port = held.server.port();
    let client = held.server.client().await;
    let first = client.write("INSERT INTO t VALUES (-1, 'makes it read')").await;
    eventually("the coordinator is held", LIMIT, || held.server.reached("commit-after-read").then_some(()));
    let before = process::resident_kib(held.server.pid());
    let next = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let mut writers = JoinSet::new();
    for _ in 0..4 {
        let next = next.clone();
        writers.spawn(async move {
            let client = Client::connect(port, "duckmesh").await.unwrap();
            loop {
                let n = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                if n >= writes {
                    return;
                }
                let (from, to) = (n * rows, (n + 1) * rows - 1);
                client
                    .ok(&format!("INSERT INTO t SELECT n, md5(n::text) FROM generate_series({from}, {to}) AS s(n)"))
                    .await;
            }
        });
    }
    while let Some(writer) = writers.join_next().await {
        writer.unwrap();
    }
    let error = client
        .rows(&format!("SET duckmesh.min_token = '{first}'; SET duckmesh.barrier_timeout = '100ms'; TABLE t"))
        .await;
    let error = explain(&error.expect_err("nothing is published"));
    assert!(error.starts_with("MD001") && error.contains("watermark") && error.contains("head"), "{error}");
    let grown = process::resident_kib(held.server.pid()).saturating_sub(before);
    let start = Instant::now();
    held.go();
    client
        .ok("RESET duckmesh.min_token; SET duckmesh.consistency = strong; SET duckmesh.barrier_timeout = '600s'")
        .await;
    client.ok("SET statement_timeout = 0").await;
    let total = writes * rows;
    let expected = format!("{}|{}", total + 2, total * (total - 1) / 2 - 1);
    assert_eq!(client.value("SELECT count(*), sum(a) FROM t").await, expected, "all of it, once");
    let peak = process::peak_memory_kib(held.server.pid()).saturating_sub(before);
    println!(
        "{total} rows in {writes} writes behind: {} MiB more while they came, {} MiB at most, caught up in {:.1} s",
        grown / 1024,
        peak / 1024,
        start.elapsed().as_secs_f64()
    );
    assert!(peak < 600 * 1024, "{peak} KiB more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g10_co10_a_backlog_is_caught_up() {
    backlog(60, 5000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make test-faults"]
async fn g10_co10_faults_a_backlog_of_millions_is_caught_up() {
    backlog(1200, 20_000).await;
}

//! Servers that start before what they stand on is there: they wait for it, for as long as they may, and say so.

use std::time::Duration;

use duckmesh_tests::{
    fake_s3::FakeS3,
    harness::{Postgres, Server, ServerOptions, WireClient, eventually},
    tcp_proxy::TcpProxy,
};

const LIMIT: Duration = Duration::from_secs(30);

fn options(mut options: ServerOptions) -> ServerOptions {
    options.env.push(("DUCKMESH_HTTP".into(), "127.0.0.1:0".into()));
    options
}

/// A server that is alive, says what it waits for, and sends clients away as PostgreSQL does.
fn waits_for(server: &Server, what: &str) {
    let port = server.listening_port();
    eventually(&format!("/ready names {what}"), LIMIT, || {
        let (status, body) = server.http("/ready");
        assert_eq!(status, 503, "{body}");
        body.starts_with(&format!("starting: {what}: ")).then_some(())
    });
    assert_eq!(server.http("/health").0, 200);
    let refused = WireClient::try_connect(port, "duckmesh", "tester").err().expect("refused");
    assert!(refused.contains("57P03") && refused.contains("the database system is starting up"), "{refused}");
}

fn serves(server: &mut Server) {
    server.until_ready().unwrap_or_else(|log| panic!("it becomes ready:\n{log}"));
    assert_eq!(server.http("/ready"), (200, "ready\n".to_owned()));
    let mut client = server.wire();
    let answers = client.query("CREATE TABLE t (a int); INSERT INTO t VALUES (1), (2); SELECT count(*) FROM t");
    assert!(answers.iter().all(|answer| answer.error.is_none()), "{answers:?}");
}

/// PG1: everything is started at once, and PostgreSQL comes up last.
#[test]
fn pg1_a_start_waits_for_the_catalog() {
    let mut postgres = Postgres::start();
    postgres.stop();
    let begun = || Server::begin(options(ServerOptions { catalog: Some(postgres.url()), ..ServerOptions::default() }));
    let mut servers = [begun(), begun()];
    servers.iter().for_each(|server| waits_for(server, "the catalog"));
    postgres.start_again();
    serves(&mut servers[0]);
    servers[1].until_ready().unwrap_or_else(|log| panic!("it becomes ready:\n{log}"));
    let sum = &servers[1].wire().query("SET duckmesh.consistency = strong; SELECT sum(a) FROM t")[1];
    assert_eq!(sum.rows, [[Some("3".to_owned())]], "{sum:?}");
    for server in &mut servers {
        assert!(server.stop().success());
    }
}

/// S2: the store is away at the start, and comes.
#[test]
fn s2_a_start_waits_for_the_store() {
    let s3 = FakeS3::start();
    let proxy = TcpProxy::start(s3.address().port());
    let mut with = options(ServerOptions::default());
    with.args.extend(["--storage", "s3://lakes/test"].map(str::to_owned));
    with.env.extend(s3.env_at(proxy.port()));
    // Refused connections, and then silence.
    proxy.refuse(true);
    let mut server = Server::begin(with);
    waits_for(&server, "the store");
    proxy.refuse(false);
    proxy.blackhole_all(true);
    waits_for(&server, "the store");
    proxy.blackhole_all(false);
    serves(&mut server);
}

/// G10: the wait has an end, and a signal ends it, too.
#[test]
fn g10_a_start_waits_no_longer_than_it_may() {
    let mut postgres = Postgres::start();
    postgres.stop();
    let url = postgres.url();
    let with = |seconds: &str| {
        let args = ["--startup-wait-seconds", seconds].map(str::to_owned).to_vec();
        options(ServerOptions { catalog: Some(url.clone()), args, ..ServerOptions::default() })
    };
    let mut patient = Server::begin(with("300"));
    let begun = std::time::Instant::now();
    let log = Server::try_with(with("1")).err().expect("it gives up");
    assert!(log.contains("cannot open the catalog") && log.contains("refused"), "{log}");
    assert!(begun.elapsed() < LIMIT, "{:?}", begun.elapsed());
    waits_for(&patient, "the catalog");
    assert!(patient.stop().success(), "SIGTERM ends a start");
    // What cannot become right is refused at once.
    postgres.start_again();
    let wrong = ServerOptions { catalog: Some(url.replace("/postgres", "/nothing")), ..with("300") };
    let log = Server::try_with(wrong).err().expect("there is no such database");
    assert!(log.contains("does not exist"), "{log}");
}

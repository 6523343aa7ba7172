//! The same bytes to PostgreSQL and to us: the same answers, values aside.

use std::{net::SocketAddr, path::PathBuf};

use duckmesh::wire::WireLimits;
use duckmesh_catalog::testing::PostgresServer;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, UnixStream},
};

use crate::client::*;

/// Conversations in words that both know: `select 1`, `begin`, `commit`, `rollback`.
fn conversations() -> Vec<Vec<Vec<u8>>> {
    let one = || run("select 1");
    let fail = || describe("Snone");
    vec![
        vec![query(""), query(";;"), query("select 1"), query("select 1;select 1"), query("begin;select 1;commit")],
        vec![[one(), sync()].concat(), [one(), one(), message(b'H', b""), sync()].concat(), sync()],
        vec![
            [parse("", ""), bind("", "", &[]), describe("P"), describe("S"), execute("", 0), execute("", 0), sync()]
                .concat(),
        ],
        vec![[parse("a", "select 1"), describe("Sa"), parse("a", "select 1"), parse("b", "select 1"), sync()].concat()],
        vec![[parse("a", "select 1"), bind("p", "a", &[]), bind("p", "a", &[]), sync()].concat()],
        vec![[parse("a", "select 1"), bind("", "a", &["x"]), sync()].concat()],
        vec![[parse("", "select 1; select 1"), sync()].concat()],
        vec![[fail(), query("select 1"), one(), sync()].concat(), query("select 1")],
        vec![[describe("S"), sync()].concat(), [describe("P"), sync()].concat(), [execute("x", 0), sync()].concat()],
        vec![[describe("X"), sync()].concat(), [close("X"), sync()].concat(), [bind("", "zz", &[]), sync()].concat()],
        vec![[close("Sx"), close("Px"), close("S"), close("P"), sync()].concat()],
        vec![[one(), sync()].concat(), query("select 1"), [bind("", "", &[]), sync()].concat()],
        vec![[parse("", "select 1"), bind("p", "", &[]), sync()].concat(), [execute("p", 0), sync()].concat()],
        vec![
            query("begin"),
            [parse("a", "select 1"), parse("c", "commit"), bind("p", "a", &[]), sync()].concat(),
            [execute("p", 1), execute("p", 1), execute("p", 0), sync()].concat(),
            [fail(), sync()].concat(),
            [bind("", "a", &[]), sync()].concat(),
            [describe("Sa"), sync()].concat(),
            [describe("Pp"), sync()].concat(),
            [execute("p", 0), sync()].concat(),
            [describe("Sc"), sync()].concat(),
            [bind("", "c", &[]), describe("P"), execute("", 0), sync()].concat(),
        ],
        vec![
            [
                parse("b", "begin"),
                parse("c", "commit"),
                parse("a", "select 1"),
                bind("", "b", &[]),
                execute("", 0),
                bind("p", "a", &[]),
                bind("", "c", &[]),
                execute("", 0),
                execute("p", 0),
                sync(),
            ]
            .concat(),
        ],
        vec![[run("commit"), execute("", 0), sync()].concat()],
        vec![message(b'Q', b"select \xe2\x28\xa1\0"), [message(b'P', b"\xff\0select 1\0\0\0"), sync()].concat()],
        vec![message(b'd', b"stray"), message(b'c', b""), message(b'f', b"x\0"), query("select 1")],
        vec![message(b'?', b"")],
        vec![message(b'X', b"")],
    ]
}

#[tokio::test]
async fn answers_are_as_in_postgres() {
    let postgres = tokio::task::spawn_blocking(PostgresServer::start).await.unwrap().expect("PostgreSQL starts");
    let address = reachable(postgres.socket().join(".s.PGSQL.5432")).await;
    let server = server(WireLimits::default()).await;
    for conversation in conversations() {
        let mut theirs = Client::at(address, "postgres").await;
        let mut ours = Client::at(server.address, "postgres").await;
        for bytes in &conversation {
            let answered = [b'Q', b'S', b'X', b'?']
                .iter()
                .any(|kind| bytes.first() == Some(kind) || bytes.ends_with(b"S\0\0\0\x04"));
            theirs.send(bytes).await;
            ours.send(bytes).await;
            if answered {
                assert_eq!(
                    shape(&ours.until_ready().await),
                    shape(&theirs.until_ready().await),
                    "{}",
                    bytes.escape_ascii()
                );
            }
        }
    }
}

/// A port that leads to the server's socket: the client of these tests speaks TCP.
async fn reachable(socket: PathBuf) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let socket = socket.clone();
            tokio::spawn(async move {
                let mut server = UnixStream::connect(socket).await.expect("the server's socket");
                // Either side may hang up first: that is what some conversations are about.
                let _ = copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    address
}

/// Without values and column names, and without the warnings that only a real server has.
fn shape(words: &str) -> String {
    let plain = |word: &str| match word.split_once(':') {
        Some((kind @ ("T" | "D"), _)) => kind.to_owned(),
        _ => word.to_owned(),
    };
    let kept = words.split(' ').filter(|word| !word.starts_with("S:")).map(plain);
    let text = kept.collect::<Vec<_>>().join(" ");
    text.replace("N:WARNING/25P01/there is no transaction in progress ", "")
}

//! Postgres as catalog and log, when it is slow, full, gone, replaced, or only reachable through what loses answers.

mod commands;
mod failover;
mod lost;
mod pooled;
mod shared;
mod silent;
mod tls;
mod trouble;

use std::time::Duration;

use duckmesh_tests::{
    harness::{Client, Postgres, Server, ServerOptions, client::sqlstate},
    tcp_proxy::TcpProxy,
};

/// A wait in a test; what it waits for takes a few seconds at most.
const LIMIT: Duration = Duration::from_secs(60);

/// As in production: acknowledged is on disk.
const DURABLE: [&str; 1] = ["synchronous_commit=on"];

fn options(catalog: String) -> ServerOptions {
    ServerOptions { catalog: Some(catalog), ..ServerOptions::default() }
}

fn url(port: u16) -> String {
    format!("postgres://tester@127.0.0.1:{port}/postgres")
}

/// A server that reaches its Postgres through a proxy.
fn through(postgres: &Postgres) -> (TcpProxy, Server) {
    let proxy = TcpProxy::start(postgres.port());
    let server = Server::with(options(url(proxy.port())));
    (proxy, server)
}

/// SQLSTATE of a statement that must fail.
async fn refused(client: &Client, sql: &str) -> String {
    match client.rows(sql).await {
        Ok(rows) => panic!("should have failed: {sql}\n{rows:?}"),
        Err(error) => sqlstate(&error),
    }
}

//! Real processes for tests: the server, PostgreSQL, psql, Python with the official DuckDB, and clients of them.

pub mod client;
pub mod deadline;
pub mod paths;
pub mod pgbouncer;
pub mod postgres;
pub mod process;
pub mod psql;
pub mod python;
pub mod server;
pub mod wire;

pub use client::Client;
pub use deadline::{eventually, eventually_async};
pub use pgbouncer::PgBouncer;
pub use postgres::Postgres;
pub use psql::psql;
pub use python::Lake;
pub use server::{Server, ServerOptions};
pub use wire::WireClient;

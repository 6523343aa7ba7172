//! Bytes and messages of the Postgres protocol. Only this module writes to client sockets.
//!
//! Three layers: bytes (`pipe`, `guard`), messages (`message`, `reply`, `startup`), and the conversation
//! (`session_loop` and the verbs beside it). It fails closed: whatever cannot be understood ends the connection.

pub mod listener;
pub mod serve;

pub mod backend;
pub mod cancel;
pub mod error;
mod guesses;
pub mod limits;

mod handshake;
mod startup;

mod session_loop;

mod command;
mod copy_in;
mod copy_out;
mod cursor;
mod extended;
mod given;
mod portal;
mod rows;
mod simple;

mod fault;
mod guard;
mod message;
mod pipe;
mod reply;

pub use error::{PgError, PgResult, SqlState};
pub use limits::WireLimits;
pub use listener::{Admission, Shutdown, Ticket};
pub use rows::same_shape;
pub use serve::serve_connection;

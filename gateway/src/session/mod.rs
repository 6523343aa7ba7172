//! What a connection means: its lake, settings, transaction and prepared statements.
//!
//! It knows no message and no socket; it answers the wire's [`crate::wire::backend::Session`].

pub mod activity;
pub mod advisory;
pub mod channels;
mod client;
pub mod gaps;
mod lakes;
mod prefetch;
mod prepared;
mod readiness;
pub mod sequences;
mod server;
pub mod settings;
pub mod temporary;
mod transaction;

pub use client::ClientSession;
pub use lakes::{Lakes, OpenLake};
pub use prepared::{MadeFor, PreparedStatement, current_plan};
pub use readiness::Readiness;
pub use server::{Server, SessionConnector};
pub use transaction::{Mark, Pin, Transaction, scratch_path, table_folder};

//! The wire, byte by byte, over a real port, with a session that knows a few canned statements.
//! Expected answers were compared with PostgreSQL 15's to the same bytes.

mod client;
mod fake;

mod copy;
mod ends;
mod extended;
mod hostile;
mod postgres;
mod simple;
mod startup;

//! A session: its settings, prepared statements and transaction.

pub mod settings;

//! Postgres values and their text and binary forms.

/// How values are read and written for a client.
#[derive(Clone, Debug)]
pub struct ValueContext {}

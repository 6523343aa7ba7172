//! COPY's formats.

/// Options of COPY.
#[derive(Clone, Debug)]
pub struct CopyOptions {}

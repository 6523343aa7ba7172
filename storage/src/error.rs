//! Storage's one error.

use thiserror::Error;

/// The result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, in words for the operator; [`Error::kind`] says what the caller must do.
#[derive(Debug, Error)]
#[error("{message}")]
pub struct Error {
    kind: ErrorKind,
    message: String,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// What a caller must do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The object is not there.
    NotFound,
    /// An object of that name holds something else: never use the name again, an operator must look.
    AlreadyExists,
    /// The store has no room: refuse writes, try later.
    Full,
    /// The store may not be written: refuse writes.
    ReadOnly,
    /// An object is not what was written: do not read it, an operator must look.
    Corrupt,
    /// A value or a request that a lake cannot hold: tell the user. The message is fit for a client.
    Invalid,
    /// Anything else of the store; trying again may help.
    Io,
}

impl Error {
    /// An error that started here.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// An error that another one caused.
    pub fn caused(
        kind: ErrorKind,
        message: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self { kind, message: message.into(), source: Some(source.into()) }
    }

    /// What the caller must do.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Whether the store may do it later by itself: it could not be reached, was too slow, or has trouble of its own. What it
    /// answered to our request, as wrong as it may be, it will answer again.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        let mut next: Option<&(dyn std::error::Error + 'static)> = Some(self);
        while let Some(error) = next {
            if is_refusal(&error.to_string()) {
                return false;
            }
            next = error.source();
        }
        self.kind == ErrorKind::Io
    }

    /// An error of the operating system while `doing` something.
    pub(crate) fn io(doing: &str, source: std::io::Error) -> Self {
        let kind = io_kind(&source);
        Self::caused(kind, format!("could not {doing}: {source}"), source)
    }

    /// An error of the Parquet writer or reader.
    pub(crate) fn parquet(doing: &str, source: parquet::errors::ParquetError) -> Self {
        Self::caused(ErrorKind::Io, format!("could not {doing}: {source}"), source)
    }

    /// An error of the object store while `doing` something.
    pub(crate) fn store(doing: &str, source: object_store::Error) -> Self {
        let kind = match &source {
            object_store::Error::NotFound { .. } => ErrorKind::NotFound,
            object_store::Error::AlreadyExists { .. } => ErrorKind::AlreadyExists,
            object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. } => {
                ErrorKind::ReadOnly
            }
            other => caused_by_io(other).map_or(ErrorKind::Io, io_kind),
        };
        Self::caused(kind, format!("could not {doing}: {source}"), source)
    }
}

/// Whether an error of the object store tells of an answer that blames the request. It has no other form than its text.
fn is_refusal(text: &str) -> bool {
    let Some((_, status)) = text.split_once("status code: ") else { return false };
    status.starts_with('4') && !["408", "429"].iter().any(|busy| status.starts_with(busy))
}

/// The error of the operating system at the bottom of another error.
fn caused_by_io<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a std::io::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            return Some(io);
        }
        next = error.source();
    }
    None
}

fn io_kind(error: &std::io::Error) -> ErrorKind {
    use std::io::ErrorKind as Io;
    match error.kind() {
        Io::NotFound => ErrorKind::NotFound,
        Io::StorageFull | Io::QuotaExceeded | Io::FileTooLarge => ErrorKind::Full,
        Io::ReadOnlyFilesystem | Io::PermissionDenied => ErrorKind::ReadOnly,
        _ => ErrorKind::Io,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_store_answered_does_not_pass_and_what_it_did_not_may() {
        let failed = |why: &str| object_store::Error::Generic { store: "S3", source: why.into() };
        let may_pass = |why: &str| Error::store("read", failed(why)).may_pass();
        assert!(may_pass("error sending request: Connection refused"));
        assert!(may_pass("Server returned non-2xx status code: 503 Service Unavailable: SlowDown"));
        assert!(may_pass("Server returned non-2xx status code: 429 Too Many Requests: "));
        assert!(!may_pass("Server returned non-2xx status code: 400 Bad Request: InvalidRequest"));
        assert!(!Error::new(ErrorKind::Invalid, "it replaced an object").may_pass());
    }

    #[test]
    fn a_full_disk_is_seen_through_the_object_store() {
        for (errno, expect) in
            [(28, ErrorKind::Full), (122, ErrorKind::Full), (30, ErrorKind::ReadOnly), (5, ErrorKind::Io)]
        {
            let source = Box::new(std::io::Error::from_raw_os_error(errno));
            let error = object_store::Error::Generic { store: "local", source };
            assert_eq!(Error::store("store a file", error).kind(), expect, "errno {errno}");
        }
    }
}

//! Where files are: a local folder, or a prefix of a bucket.
//!
//! The text of a location is what DuckLake has as a lake's data path, so that plain DuckDB finds the files, too.

use std::path::PathBuf;

use crate::{
    error::{Error, ErrorKind, Result},
    names,
};

/// A place for files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// An absolute folder of this machine.
    Folder(PathBuf),
    /// A prefix of a bucket.
    Bucket(BucketPrefix),
}

/// A prefix of a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketPrefix {
    pub(crate) scheme: Scheme,
    pub(crate) bucket: String,
    /// Without slashes at its ends.
    pub(crate) prefix: String,
}

/// Which protocol a bucket speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Scheme {
    S3,
    Gcs,
    Azure,
}

const SCHEMES: [(&str, Scheme); 3] = [("s3://", Scheme::S3), ("gs://", Scheme::Gcs), ("az://", Scheme::Azure)];

impl Location {
    /// Reads an absolute folder, `file:///folder`, `s3://bucket/prefix`, `gs://bucket/prefix` or `az://container/prefix`.
    ///
    /// # Errors
    /// When it is none of these.
    pub fn parse(text: &str) -> Result<Self> {
        let refuse = |why: &str| Error::new(ErrorKind::Invalid, format!("{why}: {text}"));
        for (start, scheme) in SCHEMES {
            let Some(rest) = text.strip_prefix(start) else { continue };
            let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
            let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
            if bucket.is_empty() || !bucket.chars().all(fits) {
                return Err(refuse("not the name of a bucket"));
            }
            let prefix = prefix.trim_end_matches('/');
            if !prefix.is_empty() {
                names::object_path(prefix).map_err(|_| refuse("not a prefix that objects can have"))?;
            }
            let prefix = prefix.to_owned();
            return Ok(Self::Bucket(BucketPrefix { scheme, bucket: bucket.to_owned(), prefix }));
        }
        let folder = PathBuf::from(text.strip_prefix("file://").unwrap_or(text));
        if folder.is_absolute() { Ok(Self::Folder(folder)) } else { Err(refuse("not an absolute folder")) }
    }

    /// The data path of a lake below it, with a slash at the end.
    #[must_use]
    pub fn data_path(&self, name: &str) -> String {
        match self {
            Self::Folder(folder) => format!("{}/", folder.join(name).display()),
            Self::Bucket(bucket) => format!("{}{name}/", bucket.url()),
        }
    }

    /// Whether its files are not on this machine.
    #[must_use]
    pub fn is_remote(&self) -> bool {
        matches!(self, Self::Bucket(_))
    }
}

impl BucketPrefix {
    /// The URL, with a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        let start = SCHEMES.iter().find(|(_, scheme)| *scheme == self.scheme).map_or("", |(start, _)| start);
        let prefix = if self.prefix.is_empty() { String::new() } else { format!("{}/", self.prefix) };
        format!("{start}{}/{prefix}", self.bucket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_read_as_documented() {
        for (text, data_path) in [
            ("s3://lakes", Some("s3://lakes/l/")),
            ("s3://lakes/", Some("s3://lakes/l/")),
            ("s3://lakes/a/b c/", Some("s3://lakes/a/b c/l/")),
            ("gs://lakes/a", Some("gs://lakes/a/l/")),
            ("az://lakes/a", Some("az://lakes/a/l/")),
            ("file:///srv/lakes/", Some("/srv/lakes/l/")),
            ("/srv/lakes", Some("/srv/lakes/l/")),
            ("s3://", None),
            ("s3:///a", None),
            ("s3://user@host/a", None),
            ("s3://lakes/a/../b", None),
            ("s3://lakes//a", None),
            ("file://srv", None),
            ("files", None),
            ("http://host/a", None),
            ("", None),
        ] {
            let read = Location::parse(text);
            assert_eq!(read.as_ref().ok().map(|l| l.data_path("l")).as_deref(), data_path, "{text:?}");
            if let Err(error) = read {
                assert_eq!(error.kind(), ErrorKind::Invalid, "{text:?}");
            }
        }
    }

    #[test]
    fn a_data_path_is_a_location_again() {
        let lake = Location::parse(&Location::parse("s3://b/p").unwrap().data_path("l%2F")).unwrap();
        assert_eq!(
            lake,
            Location::Bucket(BucketPrefix { scheme: Scheme::S3, bucket: "b".into(), prefix: "p/l%2F".into() })
        );
    }
}

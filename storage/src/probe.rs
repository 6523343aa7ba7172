//! Whether a store does what the promises need: tried out, with objects that are removed again.

use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::{
    error::{Error, ErrorKind, Result},
    file::hex,
    remote::Remote,
};

/// Objects of probes are below this.
const FOLDER: &str = "duckmesh-probe";

/// What a store was seen to do. Everything here is needed; what is not is an error of the probe.
#[derive(Clone, Debug)]
pub struct Probed {
    /// The place that was tried.
    pub url: String,
    /// What was tried, in order, as an operator reads it.
    pub steps: Vec<&'static str>,
}

/// Tries a store out.
pub(crate) async fn probe(remote: &Remote, url: &str) -> Result<Probed> {
    let (name, remote) = (Uuid::now_v7().to_string(), &remote.below_folder(FOLDER));
    let tried = steps(remote, &name).await;
    if tried.is_err() {
        // As well as it can; a probe's object harms nobody.
        let _ = remote.delete(&name).await;
    }
    match tried {
        Ok(steps) => Ok(Probed { url: url.to_owned(), steps }),
        Err(Failed { step, what_to_do, error }) => Err(Error::caused(
            error.kind(),
            format!("the store {url} cannot be used: {step}: {error}. {what_to_do}"),
            error,
        )),
    }
}

/// A step that failed.
struct Failed {
    step: &'static str,
    what_to_do: &'static str,
    error: Error,
}

const REACH: &str = "Check the bucket's name, the credentials and their rights (put, get, list, delete), and for other \
     stores than AWS' own AWS_ENDPOINT_URL, AWS_ALLOW_HTTP and AWS_VIRTUAL_HOSTED_STYLE_REQUEST.";
const CONDITIONAL: &str = "DuckMesh never replaces a file and needs conditional writes (If-None-Match) for that: use a \
     store, or a version of it, that has them.";
const CONSISTENT: &str = "DuckMesh needs a store that reads what was just written, and not what a proxy or a cache \
     remembers.";
const DELETE: &str = "Check that the credentials may delete objects, and that the bucket has no lock on them.";
const LIST: &str = "Check that the credentials may list the bucket.";

async fn steps(remote: &Remote, name: &str) -> Result<Vec<&'static str>, Failed> {
    let mut done = Vec::new();
    let slots = Arc::new(Semaphore::new(1));
    let (first, second) = (Bytes::from_static(b"DuckMesh probe, 1"), Bytes::from_static(b"DuckMesh probe, 2"));
    let sha256 = |bytes: &Bytes| hex(Sha256::digest(bytes).as_slice());
    let wrong = |why: &str| Error::new(ErrorKind::Invalid, why);
    let mut step = |step: &'static str, what_to_do: &'static str, result: Result<()>| match result {
        Ok(()) => {
            done.push(step);
            Ok(())
        }
        Err(error) => Err(Failed { step, what_to_do, error }),
    };

    let created = remote.create(name, first.clone(), &sha256(&first), &slots).await;
    step("put an object", REACH, created)?;
    let read = match remote.read(name).await {
        Ok(bytes) if bytes == first => Ok(()),
        Ok(_) => Err(wrong("it gives other bytes than were written")),
        Err(error) => Err(error),
    };
    step("read it at once", CONSISTENT, read)?;
    let range = remote.hash(name, first.len() as u64, &slots).await;
    let range = range.and_then(|hash| {
        if hash == sha256(&first) { Ok(()) } else { Err(wrong("a range of it has other bytes than were written")) }
    });
    step("read a range of it", CONSISTENT, range)?;
    let looked = remote.look(name).await.and_then(|(size, _)| {
        if size == first.len() as u64 { Ok(()) } else { Err(wrong("its size is not that of what was written")) }
    });
    step("look at it (HEAD)", CONSISTENT, looked)?;
    let again = match remote.create(name, second.clone(), &sha256(&second), &slots).await {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => match remote.read(name).await {
            Ok(bytes) if bytes == first => Ok(()),
            Ok(_) => Err(wrong("it says that the object exists, and replaces it")),
            Err(error) => Err(error),
        },
        Ok(()) => Err(wrong("an object that exists was replaced although it was to be created")),
        Err(error) => Err(error),
    };
    step("refuse to create it again (If-None-Match)", CONDITIONAL, again)?;
    let listed = remote.list().await.and_then(|files| {
        let is_there = files.iter().any(|file| file.path == name);
        if is_there { Ok(()) } else { Err(wrong("an object that exists is not in the list")) }
    });
    step("list it", LIST, listed)?;
    let deleted = match remote.delete(name).await {
        Ok(()) => match remote.exists(name).await {
            Ok(false) => Ok(()),
            Ok(true) => Err(wrong("it is still there")),
            Err(error) => Err(error),
        },
        Err(error) => Err(error),
    };
    step("delete it", DELETE, deleted)?;
    Ok(done)
}

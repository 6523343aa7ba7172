//! Files of the cache that are kept because somebody reads them.

use std::sync::Arc;

use super::{
    Inner,
    entries::{Outcome, Step},
    fill, folder,
};
use crate::error::{Error, ErrorKind, Result};

/// Looks at a file that somebody changes all the time, before it is given up.
const LOOKS_MAX: usize = 5;

/// Keeps a file of the cache, until it is dropped.
#[derive(Debug)]
pub(crate) struct Pin {
    inner: Arc<Inner>,
    relative: String,
}

/// Keeps the files of a statement on this machine, until it is dropped.
#[derive(Debug, Default)]
pub struct Held(pub(crate) Vec<Pin>);

impl Held {
    /// Takes over what another one keeps.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }
}

impl Pin {
    /// For one who was counted by [`super::entries::Entries::want`]: whatever happens, this gives it back.
    pub(super) fn counted(inner: &Arc<Inner>, relative: &str) -> Self {
        Self { inner: Arc::clone(inner), relative: relative.to_owned() }
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        folder::remove(self.inner.cache.entries.release(self.inner.lake, &self.relative));
    }
}

impl Inner {
    /// Sees to it that a file is here, whole and verified. However many ask at once, it is fetched once.
    pub(super) async fn pin(this: &Arc<Self>, relative: &str, size_bytes: u64) -> Result<Pin> {
        // A path that leads out of the folder is refused before anything is counted.
        this.folder.place(relative)?;
        for _ in 0..LOOKS_MAX {
            let (step, dead) = this.cache.entries.want(this.lake, relative, size_bytes);
            let pin = Pin::counted(this, relative);
            folder::remove(dead);
            match step {
                Step::Check(stamp) => {
                    if this.folder.stamp(relative).is_ok_and(|now| now == stamp) {
                        this.folder.meters.hits.increment(1);
                        return Ok(pin);
                    }
                    tracing::warn!(relative, "a file of the cache was changed by somebody; it is verified again");
                    this.cache.entries.doubt(this.lake, relative, stamp);
                }
                Step::Wait(mut outcome) => {
                    settled(&mut outcome).await?;
                    return Ok(pin);
                }
                Step::Fill(sender, mut outcome) => {
                    let filling = fill::Filling::new(Arc::clone(this), relative, sender);
                    // Its own task: others wait for it, too, and this one may be given up.
                    tokio::spawn(filling.run(size_bytes));
                    settled(&mut outcome).await?;
                    return Ok(pin);
                }
            }
        }
        Err(Error::new(ErrorKind::Io, "a file of the cache is changed all the time by somebody"))
    }
}

/// How a fill ends.
async fn settled(outcome: &mut tokio::sync::watch::Receiver<Outcome>) -> Result<()> {
    let ended = outcome.wait_for(Option::is_some).await.map(|outcome| outcome.clone());
    match ended {
        Ok(Some(Ok(()))) => Ok(()),
        Ok(Some(Err(error))) => Err(Error::new(error.kind(), error.to_string())),
        _ => Err(Error::new(ErrorKind::Io, "the fetch of a file ended early")),
    }
}

//! The bucket: objects and unfinished uploads, in memory.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::SystemTime,
};

use bytes::Bytes;
use sha2::{Digest, Sha256};

/// An object.
#[derive(Clone, Debug)]
pub struct Object {
    /// Its content.
    pub bytes: Bytes,
    /// Its user metadata, names without `x-amz-meta-`.
    pub metadata: Vec<(String, String)>,
    /// When it was written.
    pub modified: SystemTime,
}

/// An upload that was begun.
#[derive(Clone, Debug)]
pub struct Upload {
    /// Where its object goes.
    pub key: String,
    /// The object's user metadata.
    pub metadata: Vec<(String, String)>,
    /// Its parts by number.
    pub parts: BTreeMap<u32, Bytes>,
    /// When it was begun.
    pub begun: SystemTime,
}

/// All objects and uploads.
#[derive(Default)]
pub struct Objects {
    /// By key, the bucket's name left out.
    pub all: BTreeMap<String, Object>,
    /// By id.
    pub uploads: BTreeMap<String, Upload>,
    /// Tags of all that a client ever wrote under a key.
    pub written: BTreeMap<String, BTreeSet<String>>,
    ids: u64,
}

impl Object {
    /// One that was just written.
    #[must_use]
    pub fn new(bytes: Bytes, metadata: Vec<(String, String)>) -> Self {
        Self { bytes, metadata, modified: SystemTime::now() }
    }

    /// Its tag.
    #[must_use]
    pub fn etag(&self) -> String {
        etag(&self.bytes)
    }
}

impl Objects {
    /// Keys that have this in them.
    #[must_use]
    pub fn keys(&self, part: &str) -> Vec<String> {
        self.all.keys().filter(|key| key.contains(part)).cloned().collect()
    }

    /// A client writes an object.
    pub fn write(&mut self, key: &str, object: Object) {
        self.written.entry(key.to_owned()).or_default().insert(object.etag());
        self.all.insert(key.to_owned(), object);
    }

    /// Keys under which different contents were written, one after the other.
    #[must_use]
    pub fn rewritten(&self) -> Vec<String> {
        self.written.iter().filter(|(_, tags)| tags.len() > 1).map(|(key, _)| key.clone()).collect()
    }

    /// Makes everything as old as it would be so much later.
    pub fn age(&mut self, by: std::time::Duration) {
        self.all.values_mut().for_each(|object| object.modified -= by);
        self.uploads.values_mut().for_each(|upload| upload.begun -= by);
    }

    /// Begins an upload.
    pub fn begin(&mut self, key: &str, metadata: Vec<(String, String)>) -> String {
        self.ids += 1;
        let id = format!("upload-{}", self.ids);
        let upload = Upload { key: key.to_owned(), metadata, parts: BTreeMap::new(), begun: SystemTime::now() };
        self.uploads.insert(id.clone(), upload);
        id
    }
}

/// The tag of a content.
#[must_use]
pub fn etag(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("\"{hex}\"")
}

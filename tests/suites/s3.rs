//! Lakes whose files are in a bucket: what clients see, what is cached, and what happens when the store fails
//! (rows S1 to S13 and CO12 of `docs/failures.md`).
//!
//! The store is a fake one inside the test's process, so that any request can go wrong in any way.

mod cached;
mod crashes;
mod faults;
mod lakes;
mod nth;
mod real;

use std::{
    fs,
    path::{Path, PathBuf},
};

use duckmesh_tests::{
    fake_s3::{FakeS3, Verb},
    harness::{Client, Server, ServerOptions},
};

/// Rows of a table of which each file is uploaded in several pieces.
const LARGE_ROWS: usize = 500_000;

/// A server whose lakes are in a fake bucket.
struct Bucket {
    /// Before the store: a server without its store would wait.
    server: Server,
    s3: FakeS3,
}

impl Bucket {
    fn start() -> Self {
        Self::with(&[])
    }

    fn with(args: &[&str]) -> Self {
        Self::with_options(args, ServerOptions::default())
    }

    fn with_options(args: &[&str], options: ServerOptions) -> Self {
        let s3 = FakeS3::start();
        let server = Server::with(options_for(&s3, args, options));
        Self { server, s3 }
    }

    async fn client(&self) -> Client {
        self.server.client().await
    }

    /// The folder of the first lake's copies.
    fn cache(&self) -> PathBuf {
        self.server.data().join("lakes/duckmesh/cache")
    }

    /// Copies of a table's files.
    fn cached(&self, table: &str) -> Vec<PathBuf> {
        files(&self.cache().join("main").join(table))
    }

    /// Removes the copies of a table's files, as a person would: the next read finds them missing.
    fn forget(&self, table: &str) {
        self.cached(table).iter().for_each(|path| fs::remove_file(path).unwrap());
    }

    /// Keys of a table's files in the bucket.
    fn keys(&self, table: &str) -> Vec<String> {
        self.s3.objects(|objects| objects.keys(&format!("/main/{table}/")))
    }

    /// Requests for the content of files.
    fn gets(&self) -> usize {
        self.s3.count(Verb::Get, ".parquet")
    }
}

fn options_for(s3: &FakeS3, args: &[&str], mut options: ServerOptions) -> ServerOptions {
    options.args.extend(["--storage", "s3://lakes/test"].map(str::to_owned));
    options.args.extend(args.iter().map(|arg| (*arg).to_owned()));
    options.env.extend(s3.env());
    options
}

/// A table that was staged, and whose files are larger than one piece.
async fn large(client: &Client, table: &str) {
    client.ok(&format!("CREATE TABLE {table} (a int, b text)")).await;
    client.ok(&fill(table)).await;
}

fn fill(table: &str) -> String {
    format!("INSERT INTO {table} SELECT i, md5(i::text) FROM generate_series(1, {LARGE_ROWS}) AS g(i)")
}

/// What `large` wrote.
async fn assert_large(client: &Client, table: &str, times: usize) {
    let sum = LARGE_ROWS * (LARGE_ROWS + 1) / 2 * times;
    let sql = format!("SELECT count(*), sum(a), min(length(b)) FROM {table}");
    assert_eq!(client.value(&sql).await, format!("{}|{sum}|32", LARGE_ROWS * times));
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    files.into_iter().chain(folders.iter().flat_map(|folder| self::files(folder))).collect()
}

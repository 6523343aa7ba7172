//! The real psql.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use super::paths;

/// What psql printed.
#[derive(Debug)]
pub struct Printed {
    /// Its standard output.
    pub out: String,
    /// Its standard error: errors and notices.
    pub err: String,
    /// Its exit code.
    pub code: i32,
}

/// Runs a script against a port of 127.0.0.1; further arguments go to psql.
///
/// # Panics
/// When psql cannot be run.
#[must_use]
pub fn psql(port: u16, database: &str, script: &str, args: &[&str]) -> Printed {
    let beside = paths::postgres_bin().join("psql");
    let program = if beside.exists() { beside } else { "psql".into() };
    let mut child = Command::new(program)
        .args(["-X", "-h", "127.0.0.1", "-p", &port.to_string(), "-U", "tester", "-d", database])
        .args(args)
        .env("PAGER", "cat")
        .env("LC_ALL", "C.UTF-8")
        .env("PGCONNECT_TIMEOUT", "20")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("psql starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    let script = script.to_owned();
    // psql may end before it read everything; then the pipe breaks, and what it printed tells why.
    let writer = std::thread::spawn(move || drop(stdin.write_all(script.as_bytes())));
    let output = child.wait_with_output().expect("psql ends");
    let _ = writer.join();
    Printed {
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
        code: output.status.code().unwrap_or(-1),
    }
}

//! Write rate, and the time until a write is read: embedded, over Postgres, over Postgres and S3, and with two gateways.

use std::{
    fs::File,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use duckmesh_tests::{
    deployment::knows_flag,
    harness::{Postgres, Server, ServerOptions, eventually, paths, postgres::free_port},
};

use crate::{Line, latency, print};

/// Clients that write, all gateways together.
const CLIENTS: usize = 64;

pub fn rates(seconds: u64) {
    let embedded = Server::start();
    let base = rate(&[embedded.port()], seconds);
    let what = format!("{CLIENTS} clients, one-row INSERT, embedded");
    print(&Line { what: &what, reached: format!("{base:.0}/s"), aim: "-" });
    latency::read_your_write(seconds, &embedded);
    drop(embedded);
    over_postgres(seconds, base, None);
    if !knows_flag("--storage") {
        println!("    this server has no --storage: nothing over S3");
        return;
    }
    match S3::start() {
        Some(s3) => over_postgres(seconds, base, Some(&s3)),
        None => println!("    no S3 server here (make stack-up installs one): nothing over S3"),
    }
}

fn over_postgres(seconds: u64, base: f64, s3: Option<&S3>) {
    let name = if s3.is_some() { "Postgres + S3" } else { "Postgres" };
    // PostgreSQL as it comes: it syncs.
    let postgres = Postgres::with(&[]);
    let options = || ServerOptions {
        catalog: Some(postgres.url()),
        args: s3.map(|_| ["--storage", "s3://lakes/bench"].map(str::to_owned).to_vec()).unwrap_or_default(),
        env: s3.map(S3::environment).unwrap_or_default(),
        ..ServerOptions::default()
    };
    let one = Server::with(options());
    let single = rate(&[one.port()], seconds);
    let reached = format!("{single:.0}/s = {:.2} x", single / base);
    print(&Line { what: &format!("the same over {name}, one gateway"), reached, aim: "x embedded" });
    latency::read_your_write(seconds, &one);
    let two = Server::with(options());
    let both = rate(&[one.port(), two.port()], seconds);
    let reached = format!("{both:.0}/s = {:.2} x", both / single);
    print(&Line { what: &format!("the same over {name}, two gateways"), reached, aim: "x one gateway" });
}

/// Inserts per second of all clients, half of them at each of two gateways.
fn rate(ports: &[u16], seconds: u64) -> f64 {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let script = folder.path().join("insert.sql");
    let text = "\\set n random(1, 1000000000)\nINSERT INTO hits VALUES (:client_id, :n, now(), 'a short text');\n";
    std::fs::write(&script, text).expect("the script");
    let create = "CREATE TABLE IF NOT EXISTS hits (client int, n bigint, at timestamptz, text text);";
    let made = duckmesh_tests::harness::psql(ports[0], "duckmesh", create, &["-q", "-v", "ON_ERROR_STOP=1"]);
    assert_eq!(made.code, 0, "{}", made.err);
    let clients = (CLIENTS / ports.len()).to_string();
    let running: Vec<Child> = ports
        .iter()
        .map(|port| {
            Command::new(paths::postgres_bin().join("pgbench"))
                .args(["-n", "-M", "prepared", "-c", &clients, "-j", "1", "-T", &seconds.to_string(), "-f"])
                .arg(&script)
                .args(["-h", "127.0.0.1", "-p", &port.to_string(), "-U", "tester", "duckmesh"])
                .env("PGOPTIONS", "-c client_min_messages=warning")
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("pgbench runs")
        })
        .collect();
    let rates = running.into_iter().map(|child| {
        let output = child.wait_with_output().expect("pgbench ends");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let found: Option<f64> =
            text.lines().find_map(|line| line.strip_prefix("tps = ")?.split_whitespace().next()?.parse().ok());
        found.unwrap_or_else(|| panic!("pgbench: {text}{}", String::from_utf8_lossy(&output.stderr)))
    });
    rates.sum::<f64>()
}

/// The S3 server moto, which `make stack-up` installs.
struct S3 {
    port: u16,
    child: Child,
    _folder: tempfile::TempDir,
}

impl S3 {
    fn start() -> Option<Self> {
        let python = paths::root().join(".venv-stack/bin/python");
        let moto = paths::root().join(".venv-stack/bin/moto_server");
        if !moto.exists() {
            return None;
        }
        let folder = tempfile::tempdir().ok()?;
        let port = free_port();
        let log = File::create(folder.path().join("log")).ok()?;
        let child = Command::new(&python)
            .arg(&moto)
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .ok()?;
        let s3 = Self { port, child, _folder: folder };
        let made = format!(
            "import boto3; boto3.client('s3', endpoint_url='http://127.0.0.1:{port}', region_name='us-east-1', \
                            aws_access_key_id='b', aws_secret_access_key='b').create_bucket(Bucket='lakes')"
        );
        let start = Instant::now();
        eventually("the S3 server answers", Duration::from_secs(60), || {
            std::net::TcpStream::connect(("127.0.0.1", port)).ok().map(drop)
        });
        let status = Command::new(python).args(["-c", &made]).status().ok()?;
        println!("    S3 server after {:.1} s", start.elapsed().as_secs_f64());
        status.success().then_some(s3)
    }

    fn environment(&self) -> Vec<(String, String)> {
        let endpoint = format!("http://127.0.0.1:{}", self.port);
        [
            ("AWS_ENDPOINT_URL", endpoint.as_str()),
            ("AWS_ALLOW_HTTP", "true"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "bench"),
            ("AWS_SECRET_ACCESS_KEY", "bench"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

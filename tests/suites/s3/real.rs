//! S3 servers that others wrote, each with files of its own on a disk: everything that a lake asks of a bucket, and kill -9.
//!
//! `make object-stores` builds them from their registry, which takes minutes; `make test-faults` asks those that are there.

use std::{
    fs,
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use duckmesh_tests::{
    checker,
    harness::{Client, Server, ServerOptions, eventually, eventually_async, paths, postgres::free_port},
    ledger::{Kind, Ledger, TABLES},
};
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::{assert_large, large};

const LIMIT: Duration = Duration::from_secs(60);

/// A program of `.s3`, or of the folder that `DUCKMESH_S3_SERVERS` names.
fn program(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("DUCKMESH_S3_SERVERS").map_or_else(|| paths::root().join(".s3"), PathBuf::from);
    let places = ["bin", "node_modules/.bin"].map(|place| folder.join(place).join(name));
    let found = places.into_iter().find(|path| path.exists());
    if found.is_none() {
        println!("SKIPPED: {name} is not here (make object-stores builds it)");
    }
    found
}

/// A server whose objects are files of a folder.
struct Foreign {
    child: Child,
    folder: TempDir,
    port: u16,
    /// The key, and its secret.
    key: [&'static str; 2],
}

impl Foreign {
    fn s3s_fs(program: &Path) -> Self {
        Self::start(program, ["key", "secret"], |command, port, folder| {
            command.args(["--host", "127.0.0.1", "--port", port, "--access-key", "key", "--secret-key", "secret"]);
            command.arg(folder);
        })
    }

    fn s3rver(program: &Path) -> Self {
        Self::start(program, ["S3RVER", "S3RVER"], |command, port, folder| {
            command.args(["--address", "127.0.0.1", "--port", port, "--configure-bucket", "lakes", "--directory"]);
            command.arg(folder);
        })
    }

    fn start(program: &Path, key: [&'static str; 2], tell: impl Fn(&mut Command, &str, &Path)) -> Self {
        let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
        fs::create_dir(folder.path().join("lakes")).unwrap();
        let mut command = Command::new(program);
        tell(&mut command, &port.to_string(), folder.path());
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        eventually("the S3 server answers", LIMIT, || TcpStream::connect(("127.0.0.1", port)).ok());
        Self { child, folder, port, key }
    }

    fn env(&self) -> Vec<(String, String)> {
        [
            ("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{}", self.port)),
            ("AWS_ALLOW_HTTP", "true".to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", self.key[0].to_owned()),
            ("AWS_SECRET_ACCESS_KEY", self.key[1].to_owned()),
            ("NO_PROXY", "127.0.0.1".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }

    fn objects(&self) -> Vec<PathBuf> {
        super::files(&self.folder.path().join("lakes"))
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn doctor(s3: &Foreign, data: &Path) -> (bool, String) {
    let mut command = Command::new(paths::server_binary());
    command.args(["doctor", "--files", "--storage", "s3://lakes/real", "--data"]).arg(data).envs(s3.env());
    let output = command.output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Writers and readers until the server is gone.
fn work(port: u16, ledger: &Arc<Ledger>) -> JoinSet<()> {
    let mut all = JoinSet::new();
    for writer in 0..4_u32 {
        let ledger = ledger.clone();
        all.spawn(async move {
            let Ok(client) = Client::connect(port, "duckmesh").await else { return };
            for n in writer.. {
                let (kind, parts) = match n % 8 {
                    3 => (Kind::Transaction, 5),
                    5 if writer == 0 => (Kind::Copy, 400_000),
                    5 => (Kind::Copy, 2500),
                    _ => (Kind::Insert, 1 + n % 4),
                };
                if !ledger.write(&client, writer, kind, parts).await {
                    return;
                }
            }
        });
    }
    let ledger = ledger.clone();
    all.spawn(async move {
        let Ok(client) = Client::connect(port, "duckmesh").await else { return };
        while ledger.read(&client, 0).await {}
    });
    all
}

/// Doctor, COPY and reads through the store, merges, the sweep, and kills in the middle of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "asks servers that have to be built: make test-faults"]
async fn s3_faults_a_real_server_s3s_fs() {
    let Some(program) = program("s3s-fs") else { return };
    let s3 = Foreign::s3s_fs(&program);
    let args = ["--storage", "s3://lakes/real", "--sweep-grace-seconds", "2", "--merge-grace-seconds", "1"];
    let args = args.map(str::to_owned).to_vec();
    let mut server = Server::with(ServerOptions { args, env: s3.env(), ..ServerOptions::default() });
    let cache = server.data().join("lakes/duckmesh/cache");
    let forget = || super::files(&cache).iter().for_each(|path| drop(fs::remove_file(path)));
    let client = server.client().await;
    client.ok("SET duckmesh.barrier_timeout = '60s'").await;
    large(&client, "t").await;
    assert_large(&client, "t", 1).await;
    forget();
    assert_large(&client, "t", 1).await;
    client.ok("CREATE TABLE small (a int)").await;
    for n in 1..=30 {
        client.ok(&format!("INSERT INTO small VALUES ({n})")).await;
        assert_eq!(client.value("SELECT count(*), sum(a) FROM small").await, format!("{n}|{}", n * (n + 1) / 2));
    }
    let count = "SELECT count(*) FROM duckmesh.files WHERE table_name = 'small'";
    eventually_async("files are merged", LIMIT, async || {
        (client.value(count).await.parse::<u32>().unwrap() < 15).then_some(())
    })
    .await;
    let of_small = || s3.objects().iter().filter(|path| path.to_string_lossy().contains("/small/")).count();
    eventually("merged files are deleted", LIMIT, || (of_small() < 15).then_some(()));
    let any = s3.objects().into_iter().find(|path| path.to_string_lossy().contains("/small/")).unwrap();
    let garbage = any.with_file_name("duckmesh-staged-00000000000000000000000000000000.parquet");
    fs::write(&garbage, "nobody's").unwrap();
    let old = std::time::SystemTime::now() - Duration::from_secs(3600);
    fs::File::open(&garbage).unwrap().set_times(fs::FileTimes::new().set_modified(old)).unwrap();
    eventually("it is swept", LIMIT, || (!garbage.exists()).then_some(()));
    let ledger = Arc::new(Ledger::default());
    client.ok(TABLES).await;
    for round in 0..4 {
        let all = work(server.port(), &ledger);
        let wanted = ledger.acknowledged() + 40 + 20 * round;
        eventually_async("writes are acknowledged", LIMIT * 2, async || {
            (ledger.acknowledged() >= wanted).then_some(())
        })
        .await;
        server.kill();
        all.join_all().await;
        server.restart_with_failpoints(None);
        if round % 2 == 1 {
            forget();
        }
        checker::check(&ledger, &server.client().await).await;
    }
    let client = server.client().await;
    client.ok("SET duckmesh.barrier_timeout = '60s'").await;
    assert_large(&client, "t", 1).await;
    let data = server.data().to_owned();
    let (is_well, said) = doctor(&s3, &data);
    assert!(is_well && said.contains("and as long as they were written"), "{said}");
    println!("s3s-fs: {} writes acknowledged, {} objects\n{said}", ledger.acknowledged(), s3.objects().len());
}

/// S8: a server that replaces objects although it is asked not to is refused, with the reason and what to do.
#[test]
#[ignore = "asks servers that have to be installed: make test-faults"]
fn s8_faults_a_real_server_without_conditions_s3rver() {
    let Some(program) = program("s3rver") else { return };
    let s3 = Foreign::s3rver(&program);
    let data = tempfile::tempdir().unwrap();
    let (is_well, said) = doctor(&s3, data.path());
    assert!(
        !is_well && said.contains("an object that exists was replaced") && said.contains("If-None-Match"),
        "{said}"
    );
    let args = ["--storage", "s3://lakes/real"].map(str::to_owned).to_vec();
    let started = Server::try_with(ServerOptions { args, env: s3.env(), ..ServerOptions::default() });
    let Err(said) = started else { panic!("it serves") };
    assert!(said.contains("conditional writes"), "{said}");
}

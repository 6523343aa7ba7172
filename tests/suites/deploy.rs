//! What deploy/ offers: every file is read by something that knows its form, and asks of the server only what the server has.
//! What needs a container engine or a cluster is not run here.

use std::{
    collections::BTreeSet,
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    process::{Command, Output},
    time::Duration,
};

use duckmesh_tests::{
    deployment::knows_flag,
    harness::{Client, Server, ServerOptions, paths, postgres::free_port},
};
use serde_json::Value;

/// What `tests/python/deploy.py` found.
fn asked() -> Value {
    let output =
        Command::new(paths::python()).arg(paths::tests("python/deploy.py")).arg(paths::root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn strings(value: &Value) -> BTreeSet<String> {
    value.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

fn help() -> String {
    let output = Command::new(paths::server_binary()).args(["serve", "--help"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Whether a program is there; a test that needs it says so when it is not.
fn has(program: &Path) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok();
    if !found {
        println!("{} is not here (make setup installs it where it can): not asked", program.display());
    }
    found
}

#[test]
fn deploy_files_are_read_and_ask_for_options_that_there_are() {
    let (asked, help) = (asked(), help());
    assert!(asked["files"].as_u64() >= Some(8) && strings(&asked["services"]).len() >= 8, "{asked}");
    for name in strings(&asked["environment"]) {
        assert!(help.contains(&format!("[env: {name}=")), "{name} is not in duckmesh serve --help");
    }
    for option in strings(&asked["options"]) {
        assert!(help.split_whitespace().any(|word| word == option), "{option} is not in duckmesh serve --help");
    }
}

/// The schemas of Kubernetes and of compose know every field there is, and no other is in these files.
#[test]
fn deploy_files_are_what_their_schemas_say() {
    let program = |name: &str| paths::root().join(".venv/bin").join(name);
    let accepted = |mut command: Command| {
        let output = command.output().unwrap();
        assert!(output.status.success(), "{command:?}: {}", said(&output));
    };
    let folder = tempfile::tempdir().unwrap();
    let chart = folder.path().join("chart.yaml");
    let mut render = Command::new(paths::python());
    render.arg(paths::tests("python/deploy.py")).arg(paths::root()).arg(&chart);
    accepted(render);
    let validate = program("kubernetes-validate");
    if has(&validate) {
        for version in ["1.29", "1.37"] {
            let mut command = Command::new(&validate);
            command.args(["--strict", "-k", version]).arg(&chart);
            accepted(command);
        }
    }
    let check = program("check-jsonschema");
    if has(&check) {
        let mut command = Command::new(check);
        command.args(["--builtin-schema", "vendor.compose-spec"]).arg(paths::root().join("deploy/compose.yaml"));
        accepted(command);
    }
}

fn get(port: u16, path: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deploy_dashboards_and_alerts_ask_for_metrics_that_there_are() {
    let http = free_port();
    let env = vec![("DUCKMESH_HTTP".to_owned(), format!("127.0.0.1:{http}"))];
    let server = Server::with(ServerOptions { env, http: true, ..ServerOptions::default() });
    let client = server.client().await;
    client.ok("CREATE TABLE t (a int); INSERT INTO t VALUES (1); SELECT * FROM t").await;
    let answer = get(http, "/metrics");
    let names: BTreeSet<&str> = answer.lines().filter_map(|line| line.split(['{', ' ']).next()).collect();
    for name in strings(&asked()["metrics"]) {
        assert!(names.contains(name.as_str()), "/metrics has no {name}:\n{names:?}");
    }
    for quantile in ["0.5", "0.99"] {
        assert!(answer.contains(&format!("quantile=\"{quantile}\"")), "no quantile {quantile}");
    }
    assert!(get(http, "/ready").starts_with("HTTP/1.0 200"));
}

#[test]
fn deploy_alerts_fire_when_they_should() {
    let promtool = Path::new("promtool");
    if !has(promtool) {
        return;
    }
    let folder = paths::root().join("deploy/prometheus");
    let check = |words: &[&str]| {
        let output = Command::new(promtool).args(words).current_dir(&folder).output().unwrap();
        assert!(output.status.success(), "{words:?}: {}", said(&output));
    };
    check(&["check", "config", "prometheus.yml"]);
    check(&["check", "rules", "rules.yml"]);
    check(&["test", "rules", "rules_test.yml"]);
}

#[test]
fn deploy_units_are_accepted_by_systemd() {
    let analyze = Path::new("systemd-analyze");
    if !has(analyze) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut roles = BTreeSet::new();
    for entry in fs::read_dir(paths::root().join("deploy/systemd")).unwrap().map(Result::unwrap) {
        let text = fs::read_to_string(entry.path()).unwrap();
        if entry.path().extension().is_none_or(|end| end != "service") {
            continue;
        }
        roles
            .extend(text.lines().filter_map(|line| line.strip_prefix("Environment=DUCKMESH_ROLE=")).map(str::to_owned));
        assert!(text.contains("NoNewPrivileges=yes") && text.contains("ProtectSystem=strict"), "{entry:?}");
        // The server is not installed there, and systemd wants programs that are.
        let copy = folder.path().join(entry.file_name());
        fs::write(&copy, text.replace("/opt/duckmesh/duckmesh", "/bin/true")).unwrap();
        let output = Command::new(analyze).arg("verify").arg(&copy).output().unwrap();
        let said = said(&output);
        let name = entry.file_name().to_string_lossy().into_owned();
        assert!(output.status.success() && !said.contains(&name), "{name}: {said}");
    }
    assert_eq!(roles.into_iter().collect::<Vec<_>>(), ["coordinator", "gateway", "maintenance"]);
}

#[test]
fn deploy_the_dockerfile_is_clean() {
    let file = paths::root().join("deploy/Dockerfile");
    let text = fs::read_to_string(&file).unwrap();
    let after = |word: &str| text.lines().filter_map(|line| line.strip_prefix(word)).next_back().unwrap().to_owned();
    assert_eq!(after("USER "), "10001:10001", "not root");
    assert!(text.contains("HEALTHCHECK") && text.contains("STOPSIGNAL SIGTERM"));
    let (image, rust) = (text.lines().find_map(|line| line.strip_prefix("FROM rust:")).unwrap(), "rust-version = \"");
    let manifest = fs::read_to_string(paths::root().join("Cargo.toml")).unwrap();
    let wanted = manifest.lines().find_map(|line| line.strip_prefix(rust)?.strip_suffix('"')).unwrap();
    assert!(image.starts_with(&format!("{wanted}-")), "the image has {image}, the workspace wants {wanted}");
    let hadolint = paths::root().join(".venv/bin/hadolint");
    if has(&hadolint) {
        let output = Command::new(hadolint).arg(&file).output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
    }
}

/// `make stack-up`, a write through one gateway, a read through the other, `make stack-down`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deploy_the_local_stack_serves_and_goes() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let dir = folder.path().join("stack");
    // Ports beside each other, below those that the system gives to others meanwhile.
    let base = (0..50_u16)
        .map(|n| 10_000 + (std::process::id() as u16 % 300) * 64 + n * 22)
        .find(|base| (0..22).all(|n| std::net::TcpListener::bind(("127.0.0.1", base + n)).is_ok()))
        .expect("free ports");
    let storage = if knows_flag("--storage") { "s3" } else { "file" };
    let stack = |word: &str| {
        let mut command = Command::new(paths::root().join("deploy/stack.sh"));
        command.arg(word).env("STACK_DIR", &dir).env("STACK_PORT", base.to_string()).env("STACK_STORAGE", storage);
        let output = command.env("DUCKMESH_BIN", paths::server_binary()).output().unwrap();
        (output.status.success(), said(&output))
    };
    let (up, printed) = stack("up");
    assert!(up, "{printed}");
    let worked = tokio::spawn(async move {
        let one = Client::connect(base, "duckmesh").await.unwrap();
        one.ok("CREATE TABLE t (a int)").await;
        let token = one.write("INSERT INTO t SELECT * FROM generate_series(1, 1000)").await;
        let two = Client::connect(base + 1, "duckmesh").await.unwrap();
        two.ok(&format!("SET duckmesh.min_token = '{token}'")).await;
        assert_eq!(two.value("SELECT count(*), sum(a) FROM t").await, "1000|500500", "G3");
    })
    .await;
    let (fine, status) = stack("status");
    let (again, refused) = stack("up");
    let (down, gone) = stack("down");
    worked.unwrap();
    assert!(fine && status.matches("ready,").count() == 4, "{status}");
    assert_eq!(status.contains("s3 "), storage == "s3", "{status}");
    assert!(!again && refused.contains("stack-down first"), "{refused}");
    assert!(down && !dir.exists(), "{gone}");
    for n in 0..22 {
        assert!(TcpStream::connect(("127.0.0.1", base + n)).is_err(), "port {} still answers", base + n);
    }
    assert!(!stack("down").0, "nothing is deleted where no stack is");
}

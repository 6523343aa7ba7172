//! PgBouncer before the catalog: works where it keeps what connections were told, and is refused with the reason where it does not.

use std::process::Command;

use duckmesh_tests::harness::{PgBouncer, Postgres, Server, paths};

use super::{options, url};

/// The doctor's words on one thing, and whether a server would run.
fn doctor(catalog: &str) -> (bool, String) {
    let mut command = Command::new(paths::server_binary());
    let folder = tempfile::tempdir().unwrap();
    let output = command.args(["doctor", "--catalog", catalog, "--data"]).arg(folder.path()).output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}

fn refused(catalog: &str) -> String {
    Server::try_with(options(catalog.to_owned())).err().expect("it is refused")
}

/// Debian's PgBouncer in transaction mode, as it comes and with the settings of connections let through.
#[test]
fn pgbouncer_in_transaction_mode_before_the_catalog_is_refused() {
    let postgres = Postgres::start();
    for (settings, found) in
        [(&[][..], "unsupported startup parameter"), (&["ignore_startup_parameters = options"][..], "transaction mode")]
    {
        let bouncer = PgBouncer::start(postgres.port(), "SELECT 1", settings);
        let catalog = url(bouncer.port());
        let begun = std::time::Instant::now();
        let log = refused(&catalog);
        assert!(log.contains(found) && log.contains("session mode"), "{log}");
        assert!(begun.elapsed().as_secs() < 20, "at once, and not after a wait: {:?}", begun.elapsed());
        let (would_run, said) = doctor(&catalog);
        assert!(!would_run && said.contains("FAILED  pooler: "), "{said}");
        assert!(said.contains(found) && said.contains("session mode"), "{said}");
    }
}

/// In session mode everything is as without it, once it takes the settings; that PostgreSQL does not get them is said.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pgbouncer_in_session_mode_before_the_catalog_serves() {
    let postgres = Postgres::with(&super::DURABLE);
    let settings = ["ignore_startup_parameters = options", "pool_mode = session", "default_pool_size = 60"];
    let bouncer = PgBouncer::start(postgres.port(), "SELECT 1", &settings);
    let (first, second) = (Server::with(options(url(bouncer.port()))), Server::with(options(url(bouncer.port()))));
    let (one, other) = (first.client().await, second.client().await);
    one.ok("CREATE TABLE t (a int)").await;
    for n in 0..10 {
        let token = one.write(&format!("INSERT INTO t VALUES ({n})")).await;
        other.ok(&format!("SET duckmesh.min_token = '{token}'")).await;
        assert_eq!(other.value("SELECT count(*) FROM t").await, (n + 1).to_string());
    }
    first.says("settings of connections do not arrive");
    let (would_run, said) = doctor(&url(bouncer.port()));
    assert!(would_run && said.contains("warning pooler: "), "{said}");
    let (_, said) = doctor(&postgres.url());
    assert!(said.contains("ok      pooler: none that forgets anything"), "{said}");
}

//! The Postgres of catalog and log: reachable, able, safe, and not too small.

use std::{
    future::Future,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use duckmesh_catalog::{
    Catalog, OpenOptions,
    catalog::REGISTRY_SCHEMA,
    clock::SystemClock,
    postgres::{Connections, Failure, Limits, PATIENCE, POOLER_ADVICE, POOLER_MARK},
};
use duckmesh_ingest::{PostgresBus, PostgresBusOptions};

use super::{Check, Verdict};
use crate::{config::Config, wire::SqlState};

/// The oldest version that is tried.
const VERSION_MIN: i32 = 150_000;
/// A difference of clocks that is worth a word: times of snapshots come from this machine.
const SKEW_MAX: Duration = Duration::from_secs(1);
/// How long a notification may take.
const NOTIFY_LIMIT: Duration = Duration::from_secs(2);

const LIMITS: Limits = Limits { connections: 2, settings: "", name: "duckmesh doctor", budget: PATIENCE };

const ABOUT: &str = "SELECT current_setting('server_version_num')::int4, current_user::text, current_database()::text,
    coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false),
    coalesce((SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()), ''),
    has_database_privilege(current_database(), 'CREATE'),
    coalesce((SELECT has_schema_privilege(oid, 'CREATE, USAGE') FROM pg_namespace WHERE nspname = $1), true),
    current_setting('fsync'), current_setting('synchronous_commit'), current_setting('full_page_writes'),
    (SELECT pg_encoding_to_char(encoding)::text FROM pg_database WHERE datname = current_database()),
    current_setting('max_connections')::int8 - current_setting('superuser_reserved_connections')::int8,
    (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
    (SELECT rolconnlimit::int8 FROM pg_roles WHERE rolname = current_user),
    coalesce(host(inet_server_addr()), '')";

pub(super) async fn look(url: &str, config: &Config) -> Vec<Check> {
    let pooler = pooler(url).await;
    // Nothing else could be looked at behind it.
    if let Some(failed) = pooler.clone().filter(|check| check.verdict == Verdict::Failed) {
        return vec![failed];
    }
    let connections = match Connections::new(url, &LIMITS, None) {
        Ok(connections) => connections,
        Err(e) => return vec![Check::failed("database", e.to_string(), "Correct --catalog.")],
    };
    let mut checks = match about(&connections, url, config).await {
        Ok(checks) => checks,
        Err(failure) => {
            let advice = "Is it running, is the URL right, may this role log in (pg_hba.conf), and is one of the hosts a primary?";
            return vec![Check::failed("database", failure.to_string(), advice)];
        }
    };
    checks.extend(pooler);
    checks.push(clock(&connections).await);
    checks.push(listen(&connections).await);
    checks.push(migrations(config).await);
    checks
}

async fn about(connections: &Connections, url: &str, config: &Config) -> Result<Vec<Check>, Failure> {
    let client = connections.get().await?;
    let row = connections.bounded(client.query_one(ABOUT, &[&REGISTRY_SCHEMA])).await?;
    let text = |at: usize| row.try_get::<_, String>(at).unwrap_or_default();
    let flag = |at: usize| row.try_get::<_, bool>(at).unwrap_or(false);
    let number = |at: usize| row.try_get::<_, i64>(at).unwrap_or(0);
    let (user, database) = (text(1), text(2));
    let version: i32 = row.try_get(0).unwrap_or(0);
    let reached = format!("PostgreSQL {}.{}, database {database} as {user}", version / 10_000, version % 10_000);
    let mut checks = vec![if version < VERSION_MIN {
        Check::warning("database", reached, "Versions before 15 are not tried: use a newer one.")
    } else {
        Check::ok("database", reached)
    }];
    checks.push(if flag(5) && flag(6) {
        Check::ok("privileges", "may make schemas, and tables in them")
    } else {
        let advice =
            format!("Let the role own its database: ALTER DATABASE {database} OWNER TO {user}; and its schemas.");
        Check::failed("privileges", "may not make schemas or tables", advice)
    });
    checks.push(encryption(flag(3), &text(4), &text(14), url));
    let unsafe_settings: Vec<String> = [("fsync", 7), ("synchronous_commit", 8), ("full_page_writes", 9)]
        .iter()
        .filter(|(_, at)| text(*at) == "off")
        .map(|(name, _)| format!("{name} = off"))
        .collect();
    checks.push(if unsafe_settings.is_empty() {
        Check::ok("durability", format!("synchronous_commit = {}", text(8)))
    } else {
        let advice = "A crash of the server would lose acknowledged writes: switch them on.";
        Check::failed("durability", unsafe_settings.join(", "), advice)
    });
    if text(10) != "UTF8" {
        checks.push(Check::failed("encoding", text(10), "Make the database with ENCODING 'UTF8'."));
    }
    checks.push(room(number(11), number(12), number(13), config));
    Ok(checks)
}

/// What stands between, and forgets; none where nothing can be reached, which others say.
async fn pooler(url: &str) -> Option<Check> {
    let (name, limits) = ("pooler", Limits { connections: 2, settings: POOLER_MARK, ..LIMITS });
    let connections = Connections::new(url, &limits, None).ok()?;
    Some(match connections.between().await {
        Ok(between) if between.forgets_statements => {
            let found = "one in transaction mode stands between, and forgets prepared statements: no server starts";
            Check::failed(name, found, POOLER_ADVICE)
        }
        Ok(between) if between.drops_settings => Check::warning(
            name,
            "one stands between that drops the settings of connections: PostgreSQL ends no statement whose client is gone",
            "Connect directly, or give the role its statement_timeout, lock_timeout and idle_in_transaction_session_timeout.",
        ),
        Ok(_) => Check::ok(name, "none that forgets anything"),
        Err(failure) if failure.code().is_some_and(|code| code.code() == SqlState::PROTOCOL_VIOLATION.0) => {
            Check::failed(name, failure.to_string(), POOLER_ADVICE)
        }
        Err(_) => return None,
    })
}

fn encryption(on: bool, version: &str, server: &str, url: &str) -> Check {
    let near = server.is_empty() || server.starts_with("127.") || server == "::1";
    match on {
        true if near || url.contains("verify-full") => Check::ok("encryption", version.to_owned()),
        true => Check::warning(
            "encryption",
            format!("{version}; whose certificate it is was not checked"),
            "Use sslmode=verify-full with sslrootcert=FILE or sslrootcert=system.",
        ),
        false if near => Check::ok("encryption", "none, on this machine"),
        false => Check::warning(
            "encryption",
            "none: passwords and data cross the network in plain text",
            "Use sslmode=verify-full, and switch TLS on in the server.",
        ),
    }
}

fn room(allowed: i64, used: i64, of_role: i64, config: &Config) -> Check {
    let needed = i64::try_from(config.catalog_connections).unwrap_or(i64::MAX).saturating_add(1);
    let allowed = if of_role >= 0 { allowed.min(of_role) } else { allowed };
    let found = format!("{allowed} allowed, {used} in use, {needed} wanted by each server");
    if allowed - used < needed {
        let advice = "Raise max_connections (or the role's limit), or lower --catalog-connections. A server waits for a free one.";
        return Check::warning("connections", found, advice);
    }
    Check::ok("connections", found)
}

/// Leases are kept by the database's clock alone; times of snapshots come from this machine's.
async fn clock(connections: &Connections) -> Check {
    let asked = Instant::now();
    let sql = "SELECT extract(epoch FROM clock_timestamp())::float8";
    let there = match number(connections, sql).await {
        Ok(there) => there,
        Err(e) => return Check::failed("clock", e.to_string(), "The database answered, and then did not: try again."),
    };
    let here = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let skew = here - asked.elapsed().as_secs_f64() / 2.0 - there;
    let found = format!("{skew:+.3} s from the database's");
    if skew.abs() > SKEW_MAX.as_secs_f64() {
        let advice = "Run NTP on both: AS OF reads by time use the clock of the server that published.";
        return Check::warning("clock", found, advice);
    }
    Check::ok("clock", found)
}

async fn number(connections: &Connections, sql: &str) -> Result<f64, Failure> {
    let client = connections.get().await?;
    let row = connections.bounded(client.query_one(sql, &[])).await?;
    row.try_get(0).map_err(Failure::Server)
}

async fn listen(connections: &Connections) -> Check {
    let name = "LISTEN";
    let heard = async {
        let mut alone = connections.alone().await?;
        let channel = format!("duckmesh_doctor_{}", std::process::id());
        connections.bounded(alone.client.batch_execute(&format!("LISTEN {channel}"))).await?;
        let other = connections.get().await?;
        connections.bounded(other.execute("SELECT pg_notify($1, 'x')", &[&channel])).await?;
        Ok::<_, Failure>(within(NOTIFY_LIMIT, alone.notifications.recv()).await.flatten().is_some())
    };
    match heard.await {
        Ok(true) => Check::ok(name, "notifications arrive"),
        Ok(false) => Check::warning(
            name,
            "notifications do not arrive",
            "A pooler in transaction mode is between: servers look every 50 ms instead. Connect directly, or in session mode.",
        ),
        Err(e) => Check::warning(name, e.to_string(), "Servers look every 50 ms instead."),
    }
}

async fn within<T>(limit: Duration, work: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(limit, work).await.ok()
}

async fn migrations(config: &Config) -> Check {
    let options = OpenOptions { connections: 2, migrate: false, look_only: true, ..OpenOptions::default() };
    let opened = Catalog::open_with(config.location(), Arc::new(SystemClock), options).await.map_err(|e| e.to_string());
    let opened = match (opened, &config.catalog_url) {
        (Ok(_), Some(url)) => {
            let options = PostgresBusOptions { connections: 1, migrate: false, witness: None, ..config.log_options() };
            PostgresBus::open_with(url, options).await.map(drop).map_err(|e| e.to_string())
        }
        (opened, _) => opened.map(drop),
    };
    match opened {
        Ok(()) => Check::ok("migrations", "up to date"),
        Err(e) if e.contains("duckmesh migrate") && config.migrate => {
            Check::warning("migrations", e, "duckmesh serve would do it at its start.")
        }
        Err(e) => {
            Check::failed("migrations", e, "Run duckmesh migrate, or use the version of DuckMesh that made them.")
        }
    }
}

//! Which servers a URL means, and how each is to be talked to: hosts in order, TLS, keepalive, timeouts.
//!
//! What libpq calls `sslmode`, `sslrootcert`, `sslcert` and `sslkey` is read here; the driver reads the rest.

use std::{net::IpAddr, time::Duration};

use tokio_postgres::{
    Config,
    config::{Host, SslMode, TargetSessionAttrs},
};

use super::tls::{Files, Roots, Tls, Verify};
use crate::{ErrorKind, error::Error, store::Result};

/// How long one host may take from the first packet to the first prompt, where the URL does not say.
const CONNECT_LIMIT: Duration = Duration::from_secs(3);
/// Sent bytes that nobody acknowledges end the connection after this: a cable that was pulled.
const USER_TIMEOUT: Duration = Duration::from_secs(10);
/// A silent peer is asked after this, and then so often and at this distance: 14 s until it counts as dead.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(5);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(3);
const KEEPALIVE_RETRIES: u32 = 3;

/// The servers of one URL.
#[derive(Clone, Debug)]
pub(super) struct Target {
    /// One configuration per host, in the URL's order.
    pub(super) hosts: Vec<Config>,
    pub(super) tls: Tls,
    /// For each host, from the first packet to the first prompt.
    pub(super) connect_limit: Duration,
}

impl Target {
    /// Reads a URL, or key=value. `settings` go before the URL's own options, which therefore win.
    pub(super) fn parse(url: &str, settings: &str, name: &str) -> Result<Self> {
        let (rest, own) = take_ssl(url)?;
        let mut config: Config =
            rest.parse().map_err(|e| Error::caused(ErrorKind::Invalid, "the URL of Postgres cannot be read", e))?;
        let options = match config.get_options() {
            Some(given) => format!("{settings} {given}"),
            None => settings.to_owned(),
        };
        config.options(options);
        if config.get_application_name().is_none() {
            config.application_name(name);
        }
        let hosts = hosts_of(&config);
        if hosts.is_empty() {
            return Err(invalid("names no host"));
        }
        let local = hosts.iter().all(|(host, _, _)| is_local(host));
        let (mode, tls) = own.resolve(local)?;
        let connect_limit = config.get_connect_timeout().copied().filter(|t| !t.is_zero()).unwrap_or(CONNECT_LIMIT);
        let hosts = hosts.into_iter().map(|host| one_host(&config, host, mode, connect_limit)).collect();
        Ok(Self { hosts, tls, connect_limit })
    }
}

/// The configuration of one of its hosts.
fn one_host(all: &Config, at: (Host, Option<IpAddr>, u16), mode: SslMode, connect_limit: Duration) -> Config {
    let (host, address, port) = at;
    let mut one = Config::new();
    match &host {
        Host::Tcp(name) => {
            one.host(name.as_str()).ssl_mode(mode);
        }
        // As libpq: no TLS on a socket of this machine.
        Host::Unix(path) => {
            one.host_path(path).ssl_mode(SslMode::Disable);
        }
    }
    if let Some(address) = address {
        one.hostaddr(address);
    }
    one.port(port).connect_timeout(connect_limit);
    if let Some(user) = all.get_user() {
        one.user(user);
    }
    if let Some(password) = all.get_password() {
        one.password(password);
    }
    if let Some(dbname) = all.get_dbname() {
        one.dbname(dbname);
    }
    if let Some(options) = all.get_options() {
        one.options(options);
    }
    if let Some(name) = all.get_application_name() {
        one.application_name(name);
    }
    one.ssl_negotiation(all.get_ssl_negotiation()).channel_binding(all.get_channel_binding());
    // Everything here writes: a standby is of no use, whatever the URL says.
    one.target_session_attrs(TargetSessionAttrs::ReadWrite);
    one.tcp_user_timeout(all.get_tcp_user_timeout().copied().unwrap_or(USER_TIMEOUT));
    one.keepalives(all.get_keepalives());
    // Two hours is the driver's default, and means that nobody chose.
    let idle = all.get_keepalives_idle();
    one.keepalives_idle(if idle >= Duration::from_secs(7200) { KEEPALIVE_IDLE } else { idle });
    one.keepalives_interval(all.get_keepalives_interval().unwrap_or(KEEPALIVE_INTERVAL));
    one.keepalives_retries(all.get_keepalives_retries().unwrap_or(KEEPALIVE_RETRIES));
    one
}

fn hosts_of(config: &Config) -> Vec<(Host, Option<IpAddr>, u16)> {
    let (names, addresses, ports) = (config.get_hosts(), config.get_hostaddrs(), config.get_ports());
    let count = names.len().max(addresses.len());
    (0..count)
        .filter_map(|i| {
            let address = addresses.get(i).copied();
            // The name is what a certificate is compared with; without one it is the address.
            let host = names.get(i).cloned().or_else(|| address.map(|a| Host::Tcp(a.to_string())))?;
            let port = ports.get(i).or_else(|| ports.first()).copied().unwrap_or(5432);
            Some((host, address, port))
        })
        .collect()
}

fn is_local(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback()),
    }
}

/// The TLS options of a URL, as written.
#[derive(Debug, Default, PartialEq, Eq)]
struct Ssl {
    mode: Option<String>,
    root: Option<String>,
    cert: Option<String>,
    key: Option<String>,
}

impl Ssl {
    /// Takes an option that is one of these.
    fn take(&mut self, key: &str, value: &str) -> bool {
        let place = match key {
            "sslmode" => &mut self.mode,
            "sslrootcert" => &mut self.root,
            "sslcert" => &mut self.cert,
            "sslkey" => &mut self.key,
            _ => return false,
        };
        *place = Some(value.to_owned());
        true
    }

    /// What they mean. Without a mode: TLS is tried on this machine, and required elsewhere.
    fn resolve(self, local: bool) -> Result<(SslMode, Tls)> {
        let system = self.root.as_deref() == Some("system");
        let default = match (system, local) {
            (true, _) => "verify-full",
            (false, true) => "prefer",
            (false, false) => "require",
        };
        let mode = self.mode.as_deref().unwrap_or(default);
        if system && mode != "verify-full" {
            return Err(invalid("has sslrootcert=system with a weak sslmode: it needs sslmode=verify-full"));
        }
        let roots = match self.root {
            Some(path) if path != "system" => Some(Roots::File(path.into())),
            _ => Some(Roots::System),
        };
        let (driver, verify) = match mode {
            "disable" => (SslMode::Disable, Verify::Nothing),
            "allow" | "prefer" => (SslMode::Prefer, Verify::Nothing),
            // As libpq: a root that is given is not given for nothing.
            "require" if matches!(roots, Some(Roots::File(_))) => (SslMode::Require, Verify::Chain),
            "require" => (SslMode::Require, Verify::Nothing),
            "verify-ca" => (SslMode::Require, Verify::Chain),
            "verify-full" => (SslMode::Require, Verify::ChainAndName),
            _ => {
                return Err(invalid("has an sslmode that is none of disable, prefer, require, verify-ca, verify-full"));
            }
        };
        let identity = match (self.cert, self.key) {
            (Some(cert), Some(key)) => Some((cert.into(), key.into())),
            (None, None) => None,
            _ => return Err(invalid("has one of sslcert and sslkey, and needs both or neither")),
        };
        let roots = if verify == Verify::Nothing { None } else { roots };
        Ok((driver, Tls::new(verify, &Files { roots, identity }, driver == SslMode::Disable)?))
    }
}

fn invalid(what: &str) -> Error {
    Error::new(ErrorKind::Invalid, format!("the URL of Postgres {what}"))
}

/// Divides a URL, or key=value, into what the driver reads and the TLS options.
fn take_ssl(text: &str) -> Result<(String, Ssl)> {
    let mut ssl = Ssl::default();
    if !text.starts_with("postgres://") && !text.starts_with("postgresql://") {
        let mut rest = String::new();
        for (key, value) in pairs(text)? {
            if !ssl.take(&key, &value) {
                let quoted = value.replace('\\', "\\\\").replace('\'', "\\'");
                rest.push_str(&format!("{key}='{quoted}' "));
            }
        }
        return Ok((rest, ssl));
    }
    let after_password = text.find('@').unwrap_or(0);
    let Some(at) = text.get(after_password..).and_then(|tail| tail.find('?')).map(|at| at + after_password) else {
        return Ok((text.to_owned(), ssl));
    };
    let (base, query) = (text.get(..at).unwrap_or_default(), text.get(at + 1..).unwrap_or_default());
    let kept: Vec<&str> = query
        .split('&')
        .filter(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            !pair.is_empty() && !ssl.take(key, &unescape(value))
        })
        .collect();
    let rest = if kept.is_empty() { base.to_owned() } else { format!("{base}?{}", kept.join("&")) };
    Ok((rest, ssl))
}

/// `%41` and its like.
fn unescape(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.as_bytes().iter();
    while let Some(&byte) = bytes.next() {
        let rest = bytes.as_slice();
        let hex = rest.get(..2).and_then(|two| std::str::from_utf8(two).ok()).filter(|_| byte == b'%');
        match hex.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(decoded) => {
                out.push(decoded);
                bytes.nth(1);
            }
            None => out.push(byte),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// `key = value` as libpq reads them: values may be quoted, a backslash takes the next character as it is.
fn pairs(text: &str) -> Result<Vec<(String, String)>> {
    let mut pairs = Vec::new();
    let mut chars = text.chars().peekable();
    loop {
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        if chars.peek().is_none() {
            return Ok(pairs);
        }
        let mut key = String::new();
        while let Some(c) = chars.next_if(|c| *c != '=' && !c.is_whitespace()) {
            key.push(c);
        }
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        if chars.next() != Some('=') {
            return Err(invalid("is neither postgres://… nor key=value"));
        }
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        let quoted = chars.next_if_eq(&'\'').is_some();
        let mut value = String::new();
        loop {
            match chars.peek() {
                None if quoted => return Err(invalid("has a quote that does not end")),
                Some('\'') if quoted => {
                    chars.next();
                    break;
                }
                None => break,
                Some(c) if !quoted && c.is_whitespace() => break,
                Some('\\') => {
                    chars.next();
                    value.extend(chars.next());
                }
                Some(_) => value.extend(chars.next()),
            }
        }
        pairs.push((key, value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(url: &str) -> std::result::Result<(Vec<SslMode>, Verify), String> {
        let target = Target::parse(url, "-c a=b", "duckmesh").map_err(|e| e.to_string())?;
        Ok((target.hosts.iter().map(Config::get_ssl_mode).collect(), target.tls.verify()))
    }

    #[test]
    fn ssl_modes_mean_what_libpq_means() {
        let check = |url: &str, modes: &[SslMode], verify: Verify| {
            assert_eq!(mode(url), Ok((modes.to_vec(), verify)), "{url}");
        };
        check("postgres://u@127.0.0.1/d", &[SslMode::Prefer], Verify::Nothing);
        check("postgres://u@localhost/d", &[SslMode::Prefer], Verify::Nothing);
        check("host=/run/postgresql user=u", &[SslMode::Disable], Verify::Nothing);
        // Not silently in plain text over a network.
        check("postgres://u@db.example/d", &[SslMode::Require], Verify::Nothing);
        check("postgres://u@127.0.0.1,db2/d", &[SslMode::Require; 2], Verify::Nothing);
        check("postgres://u@db/d?sslmode=disable", &[SslMode::Disable], Verify::Nothing);
        check("postgres://u@db/d?sslmode=prefer", &[SslMode::Prefer], Verify::Nothing);
        check("postgres://u:p%3F@db/d?connect_timeout=2&sslmode=require", &[SslMode::Require], Verify::Nothing);
        check("host=db user='u 1' sslmode=disable", &[SslMode::Disable], Verify::Nothing);
        for bad in [
            "postgres://u@db/d?sslmode=maybe",
            "postgres://u@db/d?sslmode=require&sslrootcert=system",
            "postgres://u@db/d?sslcert=%2Ftmp%2Fx",
            "postgres://u@db/d?sslmode=verify-full&sslrootcert=/does/not/exist",
            "postgres://u@db/d?nonsense=1",
            "host='db",
            "host",
            "user=u",
        ] {
            assert!(mode(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_host_gets_the_whole_configuration() {
        let url = "postgres://me:secret@one:6001,two:6002/db?application_name=x&options=-c%20work_mem%3D1MB&connect_timeout=7";
        let target = Target::parse(url, "-c a=b", "duckmesh").unwrap();
        assert_eq!(target.connect_limit, Duration::from_secs(7));
        let [one, two] = &target.hosts[..] else { panic!("{target:?}") };
        assert_eq!((one.get_ports(), two.get_ports()), (&[6001_u16][..], &[6002_u16][..]));
        for host in [one, two] {
            assert_eq!((host.get_user(), host.get_dbname()), (Some("me"), Some("db")));
            assert_eq!(host.get_password(), Some(&b"secret"[..]));
            assert_eq!(host.get_options(), Some("-c a=b -c work_mem=1MB"));
            assert_eq!(host.get_target_session_attrs(), TargetSessionAttrs::ReadWrite);
            assert_eq!(host.get_keepalives_idle(), KEEPALIVE_IDLE);
        }
    }

    #[test]
    fn pairs_are_read_as_libpq_reads_them() {
        let check = |text: &str, expect: &[(&str, &str)]| {
            let got = pairs(text).unwrap();
            let got: Vec<_> = got.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
            assert_eq!(got, expect, "{text}");
        };
        check("", &[]);
        check("a=b  c = d", &[("a", "b"), ("c", "d")]);
        check(r"p='it\'s \\ fine' q=x\ y r=''", &[("p", r"it's \ fine"), ("q", "x y"), ("r", "")]);
    }
}

//! What a startup packet says: version, parameters, `options`.

use std::net::SocketAddr;

use super::{PgError, PgResult, SqlState, backend::Startup, message::utf8};

const CANCEL: u32 = 80_877_102;
const SSL: u32 = 80_877_103;
const GSS_ENCRYPTION: u32 = 80_877_104;
/// Newest minor version of protocol 3 spoken here.
const NEWEST_MINOR: u16 = 2;

/// A packet before the conversation starts, without its length.
#[derive(Debug)]
pub(super) enum Opening<'a> {
    Ssl,
    GssEncryption,
    Cancel { id: i32, key: &'a [u8] },
    Startup { version: (u16, u16), parameters: &'a [u8] },
}

/// A startup packet, understood.
#[derive(Debug)]
pub(super) struct Greeting {
    pub startup: Startup,
    /// The minor version spoken from now on.
    pub minor: u16,
    /// Options of the protocol itself that we do not know, and whether the version had to be lowered.
    pub unknown_options: Vec<String>,
    pub lowered: bool,
}

impl<'a> Opening<'a> {
    pub fn read(packet: &'a [u8]) -> PgResult<Self> {
        let (code, rest) = packet.split_first_chunk::<4>().ok_or_else(bad_length)?;
        let code = u32::from_be_bytes(*code);
        match code {
            SSL if rest.is_empty() => Ok(Self::Ssl),
            GSS_ENCRYPTION if rest.is_empty() => Ok(Self::GssEncryption),
            CANCEL => {
                let (id, key) = rest.split_first_chunk::<4>().ok_or_else(bad_length)?;
                Ok(Self::Cancel { id: i32::from_be_bytes(*id), key })
            }
            _ => Ok(Self::Startup { version: ((code >> 16) as u16, code as u16), parameters: rest }),
        }
    }
}

impl Greeting {
    pub fn read(version: (u16, u16), parameters: &[u8], peer: Option<SocketAddr>) -> PgResult<Self> {
        let (major, minor) = version;
        if major != 3 {
            let message = format!("unsupported frontend protocol {major}.{minor}: server supports 3.0 to 3.0");
            return Err(PgError::fatal(SqlState::FEATURE_NOT_SUPPORTED, message));
        }
        let spoken = if minor < NEWEST_MINOR { 0 } else { NEWEST_MINOR };
        let mut greeting = Self {
            startup: Startup { peer, ..Startup::default() },
            minor: spoken,
            unknown_options: Vec::new(),
            lowered: spoken != minor,
        };
        // What stands in `options` comes first: a parameter of its own goes before it.
        let (options, others): (Vec<_>, Vec<_>) =
            pairs(parameters)?.into_iter().partition(|(name, _)| *name == "options");
        for (name, value) in options.into_iter().chain(others) {
            greeting.parameter(name, value)?;
        }
        let startup = &mut greeting.startup;
        if startup.user.is_empty() {
            let message = "no PostgreSQL user name specified in startup packet";
            return Err(PgError::fatal(SqlState::INVALID_AUTHORIZATION, message));
        }
        if startup.database.is_empty() {
            startup.database.clone_from(&startup.user);
        }
        Ok(greeting)
    }

    fn parameter(&mut self, name: &str, value: &str) -> PgResult<()> {
        let startup = &mut self.startup;
        match name {
            "user" => value.clone_into(&mut startup.user),
            "database" => value.clone_into(&mut startup.database),
            "options" => {
                for (name, value) in options(value)? {
                    self.setting(name, value);
                }
            }
            "replication" => replication(value)?,
            _ if name.starts_with("_pq_.") => self.unknown_options.push(name.to_owned()),
            _ => self.setting(name.to_owned(), value.to_owned()),
        }
        Ok(())
    }

    fn setting(&mut self, name: String, value: String) {
        self.startup.settings.push((name, value));
    }
}

/// Names and values up to the empty name that must end the packet.
fn pairs(packet: &[u8]) -> PgResult<Vec<(&str, &str)>> {
    let layout = || {
        let message = "invalid startup packet layout: expected terminator as last byte";
        PgError::fatal(SqlState::PROTOCOL_VIOLATION, message)
    };
    let mut pairs = Vec::new();
    let mut rest = packet;
    loop {
        let name;
        (name, rest) = text(rest).ok_or_else(layout)?;
        if name.is_empty() {
            return if rest.is_empty() { Ok(pairs) } else { Err(layout()) };
        }
        let value;
        (value, rest) = text(rest).ok_or_else(layout)?;
        pairs.push((utf8(name)?, utf8(value)?));
    }
}

fn text(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr::memchr(0, bytes)?;
    Some((bytes.get(..end)?, bytes.get(end + 1..)?))
}

/// Settings that have a letter: those that stand for a value, and those that one follows.
const FLAGS: [(&str, &str, &str); 14] = [
    ("-e", "DateStyle", "euro"),
    ("-O", "allow_system_table_mods", "on"),
    ("-P", "ignore_system_indexes", "on"),
    ("-F", "fsync", "off"),
    ("-s", "log_statement_stats", "on"),
    ("-fs", "enable_seqscan", "off"),
    ("-fi", "enable_indexscan", "off"),
    ("-fo", "enable_indexonlyscan", "off"),
    ("-fb", "enable_bitmapscan", "off"),
    ("-ft", "enable_tidscan", "off"),
    ("-fn", "enable_nestloop", "off"),
    ("-fm", "enable_mergejoin", "off"),
    ("-fh", "enable_hashjoin", "off"),
    ("-tpa", "log_parser_stats", "on"),
];
const VALUED: [(&str, &str); 5] = [
    ("-B", "shared_buffers"),
    ("-N", "max_connections"),
    ("-p", "port"),
    ("-S", "work_mem"),
    ("-W", "post_auth_delay"),
];

/// `-c a=b`, `-ca=b`, `--a=b`; a dash in a name after `--` stands for an underscore. `--` alone ends them.
fn options(text: &str) -> PgResult<Vec<(String, String)>> {
    let mut settings = Vec::new();
    let mut words = split_options(text).into_iter();
    while let Some(word) = words.next().filter(|word| word != "--") {
        if let Some((_, name, value)) = FLAGS.iter().find(|(flag, ..)| *flag == word) {
            settings.push(((*name).to_owned(), (*value).to_owned()));
            continue;
        }
        if let Some((flag, name)) = VALUED.iter().find(|(flag, _)| word.starts_with(flag)) {
            let joined = word.get(flag.len()..).filter(|value| !value.is_empty()).map(str::to_owned);
            if let Some(value) = joined.or_else(|| words.next()) {
                settings.push(((*name).to_owned(), value));
                continue;
            }
        }
        let assignment = match (word.strip_prefix("--"), word.strip_prefix("-c")) {
            (Some(long), _) if !long.is_empty() => Some(long.to_owned()),
            (_, Some("")) => words.next(),
            (_, Some(joined)) => Some(joined.to_owned()),
            _ => None,
        };
        let Some(assignment) = assignment else {
            let message = format!("invalid command-line argument for server process: {word}");
            return Err(PgError::fatal(SqlState::SYNTAX_ERROR, message));
        };
        let Some((name, value)) = assignment.split_once('=') else {
            let shown = if word.starts_with("--") { word } else { format!("-c {assignment}") };
            return Err(PgError::fatal(SqlState::SYNTAX_ERROR, format!("{shown} requires a value")));
        };
        settings.push((name.replace('-', "_"), value.to_owned()));
    }
    Ok(settings)
}

/// Words between blanks; a backslash takes the next character as it is.
fn split_options(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => {
                let word = word.get_or_insert_default();
                word.extend(characters.next());
            }
            blank if blank.is_ascii_whitespace() || blank == '\u{b}' => words.extend(word.take()),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    words
}

fn replication(value: &str) -> PgResult<()> {
    match value.to_ascii_lowercase().as_str() {
        "false" | "off" | "no" | "0" | "f" | "n" => Ok(()),
        "true" | "on" | "yes" | "1" | "t" | "y" | "database" => {
            Err(PgError::fatal(SqlState::FEATURE_NOT_SUPPORTED, "replication connections are not supported"))
        }
        _ => {
            let message = format!("invalid value for parameter \"replication\": \"{value}\"");
            let error = PgError::fatal(SqlState::INVALID_PARAMETER_VALUE, message);
            Err(error.hint("Valid values are: \"false\", 0, \"true\", 1, \"database\"."))
        }
    }
}

fn bad_length() -> PgError {
    PgError::fatal(SqlState::PROTOCOL_VIOLATION, "invalid length of startup packet")
}

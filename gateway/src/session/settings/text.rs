//! Settings whose text has rules of its own: DateStyle, TimeZone, client_encoding, search_path and a few more.

use duckmesh_catalog::{LakeName, Token};

use super::value::invalid;
use crate::{
    value::{DateOrder, DateStyle, TimeZone},
    wire::error::{PgError, PgResult, SqlState},
};

/// Checks a text and gives its normal form. DateStyle has [`date_style`].
pub fn check(name: &str, value: &str) -> PgResult<String> {
    match name {
        "TimeZone" | "log_timezone" => {
            let zone = TimeZone::parse(value).ok_or_else(|| invalid(name, value))?;
            // Said here: no statement could run with it.
            if zone.engine_name().is_none() {
                return Err(PgError::unsupported(format!("the time zone \"{value}\" is not supported"))
                    .hint("Offsets are whole hours from -12 to 14. Use a zone's name, such as Asia/Kolkata."));
            }
            Ok(zone.name().to_owned())
        }
        "client_encoding" => encoding(value),
        "search_path" | "temp_tablespaces" => match split_identifiers(value) {
            Some(_) => Ok(value.to_owned()),
            None => Err(invalid(name, value).detail("List syntax is invalid.")),
        },
        // What is not printable ASCII would break other programs' logs; Postgres replaces it too.
        "application_name" | "cluster_name" => {
            Ok(value.bytes().map(|b| if (32..127).contains(&b) { char::from(b) } else { '?' }).collect())
        }
        "duckmesh.min_token" => match value.split(',').map(str::trim).find(|one| !one.is_empty() && !is_token(one)) {
            None => Ok(value.to_owned()),
            Some(_) => Err(invalid(name, value).hint("A token is <database>/<number>, or the number alone.")),
        },
        "duckmesh.snapshot" if value.is_empty() || value.parse::<u64>().is_ok() => Ok(value.to_owned()),
        "duckmesh.snapshot" => Err(invalid(name, value).hint("A snapshot is a number of duckmesh.snapshots.")),
        _ => Ok(value.to_owned()),
    }
}

/// Whether a text is a token of any database; which one it is of is seen when a read uses it.
fn is_token(text: &str) -> bool {
    LakeName::parse("any").is_some_and(|any| Token::parse(text, &any).is_some())
}

/// Postgres' encodings by their letters and digits alone.
const ENCODINGS: [(&str, &str); 52] = [
    ("utf8", "UTF8"),
    ("unicode", "UTF8"),
    ("sqlascii", "SQL_ASCII"),
    ("latin1", "LATIN1"),
    ("iso88591", "LATIN1"),
    ("latin2", "LATIN2"),
    ("iso88592", "LATIN2"),
    ("latin3", "LATIN3"),
    ("iso88593", "LATIN3"),
    ("latin4", "LATIN4"),
    ("iso88594", "LATIN4"),
    ("latin5", "LATIN5"),
    ("iso88599", "LATIN5"),
    ("latin6", "LATIN6"),
    ("iso885910", "LATIN6"),
    ("latin7", "LATIN7"),
    ("iso885913", "LATIN7"),
    ("latin8", "LATIN8"),
    ("iso885914", "LATIN8"),
    ("latin9", "LATIN9"),
    ("iso885915", "LATIN9"),
    ("latin10", "LATIN10"),
    ("iso885916", "LATIN10"),
    ("iso88595", "ISO_8859_5"),
    ("iso88596", "ISO_8859_6"),
    ("iso88597", "ISO_8859_7"),
    ("iso88598", "ISO_8859_8"),
    ("win1250", "WIN1250"),
    ("windows1250", "WIN1250"),
    ("win1251", "WIN1251"),
    ("windows1251", "WIN1251"),
    ("win1252", "WIN1252"),
    ("windows1252", "WIN1252"),
    ("win1253", "WIN1253"),
    ("win1254", "WIN1254"),
    ("win1255", "WIN1255"),
    ("win1256", "WIN1256"),
    ("win1257", "WIN1257"),
    ("win1258", "WIN1258"),
    ("win866", "WIN866"),
    ("win874", "WIN874"),
    ("koi8r", "KOI8R"),
    ("koi8u", "KOI8U"),
    ("eucjp", "EUC_JP"),
    ("euccn", "EUC_CN"),
    ("euckr", "EUC_KR"),
    ("euctw", "EUC_TW"),
    ("sjis", "SJIS"),
    ("big5", "BIG5"),
    ("gbk", "GBK"),
    ("gb18030", "GB18030"),
    ("muleinternal", "MULE_INTERNAL"),
];

/// Everything is UTF-8 here; another encoding is refused as Postgres refuses one it has no conversion for.
fn encoding(value: &str) -> PgResult<String> {
    let plain: String = value.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    match ENCODINGS.iter().find(|(alias, _)| *alias == plain) {
        // Kept as it is, as Postgres does for the sake of old drivers that look for it.
        _ if value == "UNICODE" => Ok(value.to_owned()),
        Some((_, name @ ("UTF8" | "SQL_ASCII"))) => Ok((*name).to_owned()),
        Some((_, name)) => {
            Err(PgError::unsupported(format!("invalid value for parameter \"client_encoding\": \"{value}\""))
                .detail(format!("Conversion between {name} and UTF8 is not supported."))
                .hint("Use UTF8."))
        }
        None => Err(invalid("client_encoding", value)),
    }
}

/// The names in a list such as search_path's: unquoted ones folded, quoted ones as they are. None: not a list.
#[must_use]
pub fn split_identifiers(text: &str) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let mut rest = text.trim_start();
    if rest.is_empty() {
        return Some(names);
    }
    loop {
        let (name, after) = identifier(rest)?;
        names.push(name);
        rest = after.trim_start();
        match rest.strip_prefix(',') {
            Some(more) => rest = more.trim_start(),
            None => return rest.is_empty().then_some(names),
        }
    }
}

fn identifier(text: &str) -> Option<(String, &str)> {
    if let Some(mut rest) = text.strip_prefix('"') {
        let mut name = String::new();
        loop {
            let (part, after) = rest.split_once('"')?;
            name.push_str(part);
            match after.strip_prefix('"') {
                Some(more) => {
                    name.push('"');
                    rest = more;
                }
                None => return Some((name, after)),
            }
        }
    }
    let end = text.find(|c: char| c == ',' || c.is_whitespace()).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    (!name.is_empty() && !name.contains('"')).then(|| (name.to_lowercase(), rest))
}

/// The value of DateStyle after `SET DateStyle TO value`; words that are not said stay as they are in `current`.
pub fn date_style(value: &str, current: (DateStyle, DateOrder)) -> PgResult<(DateStyle, DateOrder)> {
    let error = |detail: String| invalid("DateStyle", value).detail(detail);
    let words = split_identifiers(value).ok_or_else(|| error("List syntax is invalid.".into()))?;
    let (mut style, mut order): (Option<DateStyle>, Option<DateOrder>) = (None, None);
    let mut conflict = false;
    for word in &words {
        let (s, o) = match word.as_str() {
            "iso" => (Some(DateStyle::Iso), None),
            "sql" => (Some(DateStyle::Sql), None),
            w if w.starts_with("postgres") => (Some(DateStyle::Postgres), None),
            "german" => {
                // German dates begin with the day, unless the same list says otherwise.
                conflict |= style.is_some_and(|s| s != DateStyle::German);
                style = Some(DateStyle::German);
                order = order.or(Some(DateOrder::Dmy));
                continue;
            }
            "ymd" => (None, Some(DateOrder::Ymd)),
            "dmy" => (None, Some(DateOrder::Dmy)),
            w if w.starts_with("euro") => (None, Some(DateOrder::Dmy)),
            "mdy" | "us" => (None, Some(DateOrder::Mdy)),
            w if w.starts_with("noneuro") => (None, Some(DateOrder::Mdy)),
            "default" => (Some(DateStyle::Iso), Some(DateOrder::Mdy)),
            _ => return Err(error(format!("Unrecognized key word: \"{word}\"."))),
        };
        if let Some(s) = s {
            conflict |= style.is_some_and(|old| old != s);
            style = Some(s);
        }
        if let Some(o) = o {
            conflict |= order.is_some_and(|old| old != o);
            order = Some(o);
        }
    }
    if conflict {
        return Err(error("Conflicting \"datestyle\" specifications.".into()));
    }
    Ok((style.unwrap_or(current.0), order.unwrap_or(current.1)))
}

/// DateStyle as `SHOW` writes it.
#[must_use]
pub fn show_date_style((style, order): (DateStyle, DateOrder)) -> String {
    let style = match style {
        DateStyle::Iso => "ISO",
        DateStyle::Sql => "SQL",
        DateStyle::Postgres => "Postgres",
        DateStyle::German => "German",
    };
    let order = match order {
        DateOrder::Mdy => "MDY",
        DateOrder::Dmy => "DMY",
        DateOrder::Ymd => "YMD",
    };
    format!("{style}, {order}")
}

/// Checks the name of a setting nobody knows: two or more identifiers with dots between are kept as they are.
pub fn check_placeholder(name: &str) -> PgResult<()> {
    if !name.contains('.') {
        return Err(unrecognized(name));
    }
    let invalid = |detail: String| {
        Err(PgError::new(SqlState::INVALID_NAME, format!("invalid configuration parameter name \"{name}\""))
            .detail(detail))
    };
    let simple = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || !c.is_ascii())
            && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '$' || !c.is_ascii())
    };
    if !name.split('.').all(simple) {
        return invalid("Custom parameter names must be two or more simple identifiers separated by dots.".into());
    }
    if name.to_ascii_lowercase().starts_with("duckmesh.") {
        return invalid("\"duckmesh\" is a reserved prefix.".into());
    }
    Ok(())
}

/// `unrecognized configuration parameter "x"`.
#[must_use]
pub fn unrecognized(name: &str) -> PgError {
    PgError::new(SqlState::UNDEFINED_OBJECT, format!("unrecognized configuration parameter \"{name}\""))
}

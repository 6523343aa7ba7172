//! SET, RESET, SHOW, DISCARD.

use sqlparser::tokenizer::Token;

use super::{
    plan::{Plan, SettingPlan},
    scan::{Scan, begins_with, string_of},
    transaction,
};
use crate::wire::error::{PgError, PgResult, SqlState};

/// Plans the text of one statement, before sqlparser sees it. None: not one of these commands.
///
/// Comes after [`transaction::preparse`], which takes SET TRANSACTION.
pub fn preparse(text: &str) -> PgResult<Option<Plan>> {
    if !begins_with(text, &["set", "reset", "show", "discard"]) {
        return Ok(None);
    }
    let Some(mut scan) = Scan::new(text) else {
        return Ok(None);
    };
    let plan = if scan.word(&["set"]) {
        set(&mut scan)?
    } else if scan.word(&["reset"]) {
        reset(&mut scan)?
    } else if scan.word(&["show"]) {
        show(&mut scan)?
    } else if scan.word(&["discard"]) {
        discard(&mut scan)?
    } else {
        return Ok(None);
    };
    scan.done(Some(plan))
}

fn set(scan: &mut Scan<'_>) -> PgResult<Plan> {
    if scan.sees(&["constraints"]) {
        // Constraints that could be deferred are not enforced.
        while scan.advance().is_some() {}
        return Ok(no_op("SET CONSTRAINTS"));
    }
    if scan.word(&["session", "characteristics", "as", "transaction"]) {
        return characteristics(scan);
    }
    // `SET session = 1` sets something named `session`, as in Postgres it cannot: the word is a scope.
    let local = scan.word(&["local"]);
    if !local && !is_session_authorization(scan) {
        scan.word(&["session"]);
    }
    if scan.sees(&["transaction"]) {
        return Err(scan.unexpected());
    }
    if scan.word(&["time", "zone"]) {
        return time_zone(scan).map(|value| set_one("timezone", value, local));
    }
    if scan.word(&["session", "authorization"]) {
        return identity(scan, "default").map(|value| set_one("session_authorization", value, local));
    }
    if scan.sees(&["role"]) && !scan.sees(&["role", "to"]) && !matches!(scan.ahead(1), Some(Token::Eq)) {
        scan.word(&["role"]);
        return identity(scan, "\0").map(|value| set_one("role", value, local));
    }
    if scan.word(&["names"]) {
        let value = match scan.is_done() {
            true => None,
            false => value_or_default(scan, "client_encoding")?,
        };
        return Ok(set_one("client_encoding", value, local));
    }
    if scan.word(&["schema"]) {
        let value = quoted(&scan.string()?);
        return Ok(set_one("search_path", Some(value), local));
    }
    if scan.word(&["xml", "option"]) {
        let value = scan.ident()?;
        return Ok(set_one("xmloption", Some(value), local));
    }
    if scan.sees(&["catalog"]) && scan.ahead(1).is_some_and(|t| string_of(t).is_some()) {
        scan.advance();
        return Err(PgError::unsupported("current database cannot be changed").or_position(scan.position()));
    }
    assignment(scan, local)
}

fn is_session_authorization(scan: &Scan<'_>) -> bool {
    scan.sees(&["session", "authorization"])
}

fn assignment(scan: &mut Scan<'_>, local: bool) -> PgResult<Plan> {
    let name = scan.name()?.join(".");
    if !scan.take(&Token::Eq) && !scan.word(&["to"]) {
        return Err(scan.unexpected());
    }
    let value = value_or_default(scan, &name)?;
    Ok(set_one(&name, value, local))
}

fn value_or_default(scan: &mut Scan<'_>, name: &str) -> PgResult<Option<String>> {
    if scan.word(&["default"]) {
        return Ok(None);
    }
    let zone = name.eq_ignore_ascii_case("timezone");
    if zone && scan.sees(&["interval"]) {
        return time_zone(scan);
    }
    values(scan, name).map(Some)
}

/// The values of an assignment as one text. Lists of identifiers are quoted where they must be.
fn values(scan: &mut Scan<'_>, name: &str) -> PgResult<String> {
    let lower = name.to_ascii_lowercase();
    let list_of_names = matches!(
        lower.as_str(),
        "search_path" | "temp_tablespaces" | "local_preload_libraries" | "session_preload_libraries"
    );
    let list = list_of_names || matches!(lower.as_str(), "datestyle" | "wal_consistency_checking" | "log_destination");
    let mut values = Vec::new();
    loop {
        let (value, is_number) = value(scan)?;
        values.push(if list_of_names && !is_number { quoted(&value) } else { value });
        if !scan.take(&Token::Comma) {
            break;
        }
    }
    if values.len() > 1 && !list {
        return Err(PgError::new(SqlState::INVALID_PARAMETER_VALUE, format!("SET {name} takes only one argument")));
    }
    Ok(values.join(", "))
}

/// A word, a string or a number; with whether it is a number.
fn value(scan: &mut Scan<'_>) -> PgResult<(String, bool)> {
    let sign = if scan.take(&Token::Minus) {
        "-"
    } else {
        scan.take(&Token::Plus);
        ""
    };
    if let Some(Token::Number(number, _)) = scan.peek() {
        let number = format!("{sign}{number}");
        scan.advance();
        return Ok((number, true));
    }
    if !sign.is_empty() {
        return Err(scan.unexpected());
    }
    match scan.peek().and_then(string_of) {
        Some(_) => scan.string().map(|text| (text, false)),
        None => scan.ident().map(|word| (word, false)),
    }
}

/// An identifier with quotes where Postgres' `quote_identifier` gives them.
fn quoted(name: &str) -> String {
    super::ddl::names::quote(name)
}

/// The largest offset of a zone, in either direction.
const OFFSET_SECONDS_MAX: i32 = 167 * 3600;

/// The value of SET TIME ZONE; none is the default.
fn time_zone(scan: &mut Scan<'_>) -> PgResult<Option<String>> {
    if scan.word(&["default"]) || scan.word(&["local"]) {
        return Ok(None);
    }
    if !scan.word(&["interval"]) {
        return value(scan).map(|(text, _)| Some(text));
    }
    let text = scan.string()?;
    // HOUR TO MINUTE and the like say nothing that the text does not.
    for word in ["hour", "to", "minute", "second"] {
        scan.word(&[word]);
    }
    let wrong = |detail: &str| {
        let message = format!("invalid value for parameter \"TimeZone\": \"INTERVAL '{text}'\"");
        PgError::new(SqlState::INVALID_PARAMETER_VALUE, message).detail(detail)
    };
    let ctx = crate::value::ValueContext::new(chrono::DateTime::UNIX_EPOCH);
    // A number without a unit would be seconds.
    let seconds = match offset_seconds(&text) {
        Some(seconds) => seconds,
        None => {
            let interval = crate::value::interval_constant(&text, None, &ctx)?;
            match interval {
                interval if interval.months != 0 => return Err(wrong("Cannot specify months in time zone interval.")),
                interval if interval.days != 0 => return Err(wrong("Cannot specify days in time zone interval.")),
                interval => i32::try_from(interval.micros / 1_000_000)
                    .ok()
                    .filter(|seconds| seconds.abs() <= OFFSET_SECONDS_MAX)
                    .ok_or_else(|| wrong("UTC timezone offset is out of range."))?,
            }
        }
    };
    Ok(Some(crate::value::TimeZone::fixed(seconds).name().to_owned()))
}

/// Seconds of `+02:00`, `-5`, `1:30:00`, `2 hours`.
fn offset_seconds(text: &str) -> Option<i32> {
    let text = text.trim();
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = rest.to_ascii_lowercase();
    let hours = ["hours", "hour", "h"].iter().find_map(|unit| lower.strip_suffix(unit));
    let mut seconds: i32 = 0;
    let mut unit = 3600;
    for part in hours.unwrap_or(&lower).trim().split(':') {
        if part.is_empty() || !part.bytes().all(|b| b.is_ascii_digit()) || unit == 0 {
            return None;
        }
        seconds = seconds.checked_add(part.parse::<i32>().ok()?.checked_mul(unit)?)?;
        unit /= 60;
    }
    (seconds <= OFFSET_SECONDS_MAX).then_some(sign * seconds)
}

/// A role's name, or the default.
fn identity(scan: &mut Scan<'_>, default: &str) -> PgResult<Option<String>> {
    match scan.peek().and_then(string_of) {
        Some(_) => scan.string().map(Some),
        None if scan.word(&[default]) => Ok(None),
        None => scan.ident().map(Some),
    }
}

/// SET SESSION CHARACTERISTICS sets the defaults of later transactions.
fn characteristics(scan: &mut Scan<'_>) -> PgResult<Plan> {
    if scan.is_done() {
        return Err(scan.unexpected());
    }
    let modes = transaction::modes(scan)?;
    let assignments = [
        ("default_transaction_isolation", modes.isolation),
        ("default_transaction_read_only", modes.read_only.map(on_off)),
        ("default_transaction_deferrable", modes.deferrable.map(on_off)),
    ];
    let assignments: Vec<_> =
        assignments.into_iter().filter_map(|(name, value)| value.map(|v| (name.to_owned(), v))).collect();
    Ok(Plan::Setting(SettingPlan::SetMany(assignments)))
}

fn on_off(value: bool) -> String {
    if value { "on" } else { "off" }.to_owned()
}

fn reset(scan: &mut Scan<'_>) -> PgResult<Plan> {
    Ok(Plan::Setting(if scan.word(&["all"]) { SettingPlan::ResetAll } else { SettingPlan::Reset(setting_name(scan)?) }))
}

fn show(scan: &mut Scan<'_>) -> PgResult<Plan> {
    Ok(Plan::Setting(if scan.word(&["all"]) { SettingPlan::ShowAll } else { SettingPlan::Show(setting_name(scan)?) }))
}

/// A setting's name as RESET and SHOW take it: some have names of several words.
fn setting_name(scan: &mut Scan<'_>) -> PgResult<String> {
    Ok(if scan.word(&["time", "zone"]) {
        "timezone".to_owned()
    } else if scan.word(&["transaction", "isolation", "level"]) {
        "transaction_isolation".to_owned()
    } else if scan.word(&["session", "authorization"]) {
        "session_authorization".to_owned()
    } else {
        scan.name()?.join(".")
    })
}

fn discard(scan: &mut Scan<'_>) -> PgResult<Plan> {
    let plan = if scan.word(&["all"]) {
        SettingPlan::DiscardAll
    } else if scan.word(&["plans"]) {
        SettingPlan::Discard("DISCARD PLANS")
    } else if scan.word(&["sequences"]) {
        SettingPlan::Discard("DISCARD SEQUENCES")
    } else if scan.word(&["temp"]) || scan.word(&["temporary"]) {
        SettingPlan::Discard("DISCARD TEMP")
    } else {
        return Err(scan.unexpected());
    };
    Ok(Plan::Setting(plan))
}

fn set_one(name: &str, value: Option<String>, local: bool) -> Plan {
    let name = name.to_owned();
    Plan::Setting(SettingPlan::Set { name, value, local })
}

fn no_op(tag: &str) -> Plan {
    Plan::NoOp { tag: tag.to_owned(), notice: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(text: &str) -> String {
        match preparse(text) {
            Ok(Some(Plan::Setting(SettingPlan::Set { name, value, local }))) => {
                let scope = if local { "local " } else { "" };
                format!("{scope}{name} = {}", value.as_deref().unwrap_or("DEFAULT"))
            }
            Ok(Some(Plan::Setting(plan))) => format!("{plan:?}"),
            Ok(other) => format!("{other:?}"),
            Err(error) => {
                format!("{error} @{}", error.fields().position.unwrap_or(0))
            }
        }
    }

    #[test]
    fn commands() {
        for (text, expected) in [
            ("SET statement_timeout = '9s'", "statement_timeout = 9s"),
            ("set local work_mem to 1", "local work_mem = 1"),
            ("set session search_path = a,\"B c\", 'd e',public", "search_path = a, \"B c\", \"d e\", public"),
            ("set search_path=''", "search_path = \"\""),
            ("set search_path to default", "search_path = DEFAULT"),
            ("set DateStyle = ISO, DMY", "datestyle = iso, dmy"),
            ("set work_mem=1,2", "22023: SET work_mem takes only one argument @0"),
            ("set extra_float_digits = -3", "extra_float_digits = -3"),
            ("set time zone 'UTC'", "timezone = UTC"),
            ("set time zone local", "timezone = DEFAULT"),
            ("SET TIME ZONE -5.5", "timezone = -5.5"),
            ("SET LOCAL TIMEZONE = UTC", "local timezone = utc"),
            ("set names 'utf8'", "client_encoding = utf8"),
            ("set names", "client_encoding = DEFAULT"),
            ("set schema 'x y'", "search_path = \"x y\""),
            ("set app.user to 'x y'", "app.user = x y"),
            ("set role none", "role = none"),
            ("set role = none", "role = none"),
            ("set session authorization default", "session_authorization = DEFAULT"),
            ("set x", "42601: syntax error at end of input @6"),
            ("set x =", "42601: syntax error at end of input @8"),
            ("set x = 1 2", "42601: syntax error at or near \"2\" @11"),
            ("set xml option document", "xmloption = document"),
            (
                "set session characteristics as transaction isolation level serializable, read only",
                r#"SetMany([("default_transaction_isolation", "serializable"), ("default_transaction_read_only", "on")])"#,
            ),
            ("reset all", "ResetAll"),
            ("RESET TIME ZONE", "Reset(\"timezone\")"),
            ("show transaction isolation level", "Show(\"transaction_isolation\")"),
            ("SHOW duckmesh.last_token", "Show(\"duckmesh.last_token\")"),
            ("show all", "ShowAll"),
            ("show all foo", "42601: syntax error at or near \"foo\" @10"),
            ("discard all", "DiscardAll"),
            ("discard temporary", "Discard(\"DISCARD TEMP\")"),
            ("discard foo", "42601: syntax error at or near \"foo\" @9"),
        ] {
            assert_eq!(plan(text), expected, "{text}");
        }
    }
}

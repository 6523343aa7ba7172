//! COPY's options: the list in parentheses, and the older words.

use sqlparser::tokenizer::Token;

use crate::{
    copy::{ForceColumns, RawCopyOptions},
    sql::scan::{Scan, string_of},
    wire::error::{PgError, PgResult, SqlState},
};

/// Reads options to the end of the statement, or to WHERE.
pub(super) fn read(scan: &mut Scan<'_>) -> PgResult<RawCopyOptions> {
    let mut raw = RawCopyOptions::default();
    if (scan.sees(&["using", "delimiters"]) && scan.word(&["using", "delimiters"])) || scan.word(&["delimiters"]) {
        raw.delimiter = Some(scan.string()?);
    }
    scan.word(&["with"]);
    if scan.take(&Token::LParen) {
        loop {
            generic(scan, &mut raw)?;
            if !scan.take(&Token::Comma) {
                break;
            }
        }
        scan.expect(&Token::RParen)?;
        return Ok(raw);
    }
    while !scan.is_done() && !scan.sees(&["where"]) {
        legacy(scan, &mut raw)?;
    }
    Ok(raw)
}

/// Sets an option that may be said once.
fn once<T>(slot: &mut Option<T>, value: T, at: Option<u32>) -> PgResult<()> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(PgError::new(SqlState::SYNTAX_ERROR, "conflicting or redundant options").or_position(at)),
    }
}

fn generic(scan: &mut Scan<'_>, raw: &mut RawCopyOptions) -> PgResult<()> {
    let at = scan.position();
    let name = scan.ident()?;
    let place = match name.as_str() {
        "format" => Some(&mut raw.places.format),
        "encoding" => Some(&mut raw.places.encoding),
        "on_error" => Some(&mut raw.places.on_error),
        "log_verbosity" => Some(&mut raw.places.log_verbosity),
        _ => None,
    };
    if let Some(place) = place {
        *place = at;
    }
    match name.as_str() {
        "format" => once(&mut raw.format, required(scan, "format")?, at),
        "delimiter" => once(&mut raw.delimiter, required(scan, "delimiter")?, at),
        "null" => once(&mut raw.null, required(scan, "null")?, at),
        "header" => once(&mut raw.header, value(scan)?.unwrap_or_default(), at),
        "quote" => once(&mut raw.quote, required(scan, "quote")?, at),
        "escape" => once(&mut raw.escape, required(scan, "escape")?, at),
        "encoding" => once(&mut raw.encoding, required(scan, "encoding")?, at),
        "force_quote" => once(&mut raw.force_quote, columns(scan, "force_quote", at)?, at),
        "force_not_null" => once(&mut raw.force_not_null, columns(scan, "force_not_null", at)?, at),
        "force_null" => once(&mut raw.force_null, columns(scan, "force_null", at)?, at),
        "on_error" => once(&mut raw.on_error, value(scan)?.unwrap_or_default(), at),
        "reject_limit" => once(&mut raw.reject_limit, value(scan)?.unwrap_or_default(), at),
        "log_verbosity" => once(&mut raw.log_verbosity, value(scan)?.unwrap_or_default(), at),
        "freeze" => {
            let value = value(scan)?;
            let on = boolean("freeze", value.as_deref())?;
            once(&mut raw.freeze, on, at)
        }
        _ => Err(PgError::new(SqlState::SYNTAX_ERROR, format!("option \"{name}\" not recognized")).or_position(at)),
    }
}

fn required(scan: &mut Scan<'_>, name: &str) -> PgResult<String> {
    value(scan)?.ok_or_else(|| PgError::new(SqlState::SYNTAX_ERROR, format!("{name} requires a parameter")))
}

/// A word, a string or a number; none where the option stands alone.
fn value(scan: &mut Scan<'_>) -> PgResult<Option<String>> {
    match scan.peek() {
        Some(Token::Comma | Token::RParen) => Ok(None),
        Some(Token::Number(number, _)) => {
            let number = number.clone();
            scan.advance();
            Ok(Some(number))
        }
        Some(Token::Minus) => match scan.ahead(1) {
            Some(Token::Number(number, _)) => {
                let number = format!("-{number}");
                scan.advance();
                scan.advance();
                Ok(Some(number))
            }
            _ => Err(scan.unexpected()),
        },
        Some(token) if string_of(token).is_some() => scan.string().map(Some),
        _ => scan.ident().map(Some),
    }
}

fn boolean(name: &str, value: Option<&str>) -> PgResult<bool> {
    match value.map(str::to_ascii_lowercase).as_deref() {
        None | Some("true" | "on" | "1") => Ok(true),
        Some("false" | "off" | "0") => Ok(false),
        Some(_) => Err(PgError::new(SqlState::SYNTAX_ERROR, format!("{name} requires a Boolean value"))),
    }
}

fn columns(scan: &mut Scan<'_>, name: &str, at: Option<u32>) -> PgResult<ForceColumns> {
    // Only FORCE_QUOTE may have it in PostgreSQL 15.
    if name == "force_quote" && scan.take(&Token::Mul) {
        return Ok(ForceColumns::All);
    }
    if !scan.take(&Token::LParen) {
        return Err(PgError::new(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("argument to option \"{name}\" must be a list of column names"),
        )
        .or_position(at));
    }
    super::names(scan).map(ForceColumns::Named)
}

/// The words of PostgreSQL before 9.0.
fn legacy(scan: &mut Scan<'_>, raw: &mut RawCopyOptions) -> PgResult<()> {
    let at = scan.position();
    if scan.word(&["binary"]) {
        once(&mut raw.format, "binary".into(), at)
    } else if scan.word(&["csv"]) {
        once(&mut raw.format, "csv".into(), at)
    } else if scan.word(&["freeze"]) {
        once(&mut raw.freeze, true, at)
    } else if scan.word(&["header"]) {
        once(&mut raw.header, String::new(), at)
    } else if scan.word(&["delimiter"]) {
        once(&mut raw.delimiter, text(scan)?, at)
    } else if scan.word(&["null"]) {
        once(&mut raw.null, text(scan)?, at)
    } else if scan.word(&["quote"]) {
        once(&mut raw.quote, text(scan)?, at)
    } else if scan.word(&["escape"]) {
        once(&mut raw.escape, text(scan)?, at)
    } else if scan.word(&["encoding"]) {
        once(&mut raw.encoding, scan.string()?, at)
    } else if scan.word(&["force", "quote"]) {
        let columns = match scan.take(&Token::Mul) {
            true => ForceColumns::All,
            false => bare_columns(scan)?,
        };
        once(&mut raw.force_quote, columns, at)
    } else if scan.word(&["force", "not", "null"]) {
        once(&mut raw.force_not_null, bare_columns(scan)?, at)
    } else if scan.word(&["force", "null"]) {
        once(&mut raw.force_null, bare_columns(scan)?, at)
    } else {
        Err(scan.unexpected())
    }
}

fn text(scan: &mut Scan<'_>) -> PgResult<String> {
    scan.word(&["as"]);
    scan.string()
}

fn bare_columns(scan: &mut Scan<'_>) -> PgResult<ForceColumns> {
    let mut names = vec![scan.ident()?];
    while scan.take(&Token::Comma) {
        names.push(scan.ident()?);
    }
    Ok(ForceColumns::Named(names))
}

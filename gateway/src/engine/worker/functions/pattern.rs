//! `SIMILAR TO`, `format`, and the encodings of bytes.

use std::{cell::RefCell, rc::Rc};

use regex::{Regex, RegexBuilder};
use unicode_normalization::UnicodeNormalization;

use super::{Failure, Outcome, Value, text};
use crate::value::held;

/// Bytes that a compiled expression may take.
const REGEX_BYTES_MAX: usize = 4 << 20;
/// Bytes of what `format` makes; Postgres ends at a gigabyte, which would be much of a worker's memory here.
const FORMAT_BYTES_MAX: usize = 64 << 20;

thread_local! {
    /// The last expression: rows of one column mostly have the same.
    static LAST: RefCell<Option<(String, String, Rc<Regex>)>> = const { RefCell::new(None) };
}

/// A SIMILAR pattern as a regular expression, its parts by `escape"`.
fn similar_parts(pattern: &str, escape: &str) -> Outcome<Vec<String>> {
    if escape.chars().count() > 1 {
        return Err(Failure::new("22025", "invalid escape string"));
    }
    let escape = escape.chars().next();
    let mut parts = vec![String::new()];
    let mut chars = pattern.chars();
    let mut class = false;
    while let Some(c) = chars.next() {
        let Some(out) = parts.last_mut() else { break };
        if Some(c) == escape {
            match chars.next() {
                Some('"') => parts.push(String::new()),
                Some(next) => out.push_str(&regex::escape(&next.to_string())),
                None => {}
            }
            continue;
        }
        match c {
            ']' if class => {
                class = false;
                out.push(c);
            }
            c if class => {
                if matches!(c, '\\' | '[') {
                    out.push('\\');
                }
                out.push(c);
            }
            '[' => {
                class = true;
                out.push(c);
            }
            '%' => out.push_str(".*"),
            '_' => out.push('.'),
            '(' => out.push_str("(?:"),
            '\\' | '.' | '^' | '$' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    Ok(parts)
}

/// `x SIMILAR TO pattern ESCAPE e`.
pub fn similar(args: &[Option<&str>]) -> Outcome<Value> {
    let pattern = similar_parts(text(args, 1), text(args, 2))?.concat();
    Ok(Value::Bool(compiled_plain(&pattern)?.is_match(text(args, 0))))
}

/// A whole text; nothing is translated any more.
fn compiled_plain(pattern: &str) -> Outcome<Rc<Regex>> {
    let whole = format!("\\A(?:{pattern})\\z");
    let known = LAST.with_borrow(|last| {
        last.as_ref().filter(|(p, f, _)| *p == whole && f == "similar").map(|(_, _, regex)| Rc::clone(regex))
    });
    if let Some(regex) = known {
        return Ok(regex);
    }
    let regex = RegexBuilder::new(&whole).dot_matches_new_line(true).size_limit(REGEX_BYTES_MAX).build();
    let regex = Rc::new(regex.map_err(|_| Failure::new("2201B", "invalid regular expression"))?);
    LAST.set(Some((whole, "similar".to_owned(), Rc::clone(&regex))));
    Ok(regex)
}

/// `substring(x SIMILAR pattern ESCAPE e)`.
pub fn similar_part(args: &[Option<&str>]) -> Outcome<Value> {
    let parts = similar_parts(text(args, 1), text(args, 2))?;
    let pattern = match parts.as_slice() {
        [one] => format!("({one})"),
        // What stands before takes as little as it can; nothing may be left over.
        [before, wanted] => format!("(?:(?U:{before}))({wanted})"),
        [before, wanted, after] => format!("(?:(?U:{before}))({wanted})(?:{after})"),
        _ => {
            return Err(Failure::new(
                "2200C",
                "SQL regular expression may not contain more than two escape-double-quote separators",
            ));
        }
    };
    let regex = compiled_plain(&pattern)?;
    let found = regex.captures(text(args, 0)).and_then(|c| c.get(1).map(|m| m.as_str().to_owned()));
    Ok(found.map_or(Value::Null, Value::Text))
}

/// `normalize(text, form)`.
pub fn normalized(args: &[Option<&str>]) -> Outcome<Value> {
    let text = text(args, 0);
    Ok(Value::Text(match self::text(args, 1) {
        "nfd" => text.nfd().collect(),
        "nfkc" => text.nfkc().collect(),
        "nfkd" => text.nfkd().collect(),
        _ => text.nfc().collect(),
    }))
}

/// `format(template, …)`.
pub fn format(args: &[Option<&str>]) -> Outcome<Value> {
    let Some(Some(template)) = args.first() else { return Ok(Value::Null) };
    let wrong = |message: String| Failure::new("22023", message);
    let few = || wrong("too few arguments for format()".to_owned());
    let mut out = String::new();
    let mut next = 1usize;
    let mut chars = template.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let digits = |chars: &mut std::iter::Peekable<std::str::Chars<'_>>| {
            let mut number = String::new();
            while let Some(d) = chars.next_if(char::is_ascii_digit) {
                number.push(d);
            }
            number.parse::<usize>().ok()
        };
        if chars.next_if_eq(&'%').is_some() {
            out.push('%');
            continue;
        }
        let mut width = digits(&mut chars);
        let mut position = None;
        if width.is_some() && chars.next_if_eq(&'$').is_some() {
            position = width.take();
            if position == Some(0) {
                return Err(wrong("format specifies argument 0, but arguments are numbered from 1".to_owned()));
            }
        }
        let mut left = false;
        while chars.next_if_eq(&'-').is_some() {
            left = true;
        }
        if width.is_none() {
            width = digits(&mut chars);
        }
        if chars.next_if_eq(&'*').is_some() {
            let at = match digits(&mut chars) {
                Some(0) if chars.next_if_eq(&'$').is_some() => {
                    return Err(wrong("format specifies argument 0, but arguments are numbered from 1".to_owned()));
                }
                // What follows takes the argument behind it.
                Some(at) if chars.next_if_eq(&'$').is_some() => {
                    next = at + 1;
                    at
                }
                _ => {
                    next += 1;
                    next - 1
                }
            };
            let given: i64 = args.get(at).ok_or_else(few)?.and_then(|w| w.parse().ok()).unwrap_or(0);
            left |= given < 0;
            width = usize::try_from(given.unsigned_abs()).ok();
        }
        let Some(verb) = chars.next() else {
            return Err(wrong("unterminated format() type specifier".to_owned()));
        };
        if !matches!(verb, 's' | 'I' | 'L') {
            return Err(wrong(format!("unrecognized format() type specifier \"{verb}\"")));
        }
        let at = position.unwrap_or(next);
        next = at + 1;
        let value = *args.get(at).ok_or_else(few)?;
        let shown = match (verb, value) {
            ('s', value) => value.unwrap_or_default().to_owned(),
            ('I', Some(value)) => quoted_ident(value),
            ('I', None) => {
                return Err(Failure::new("22004", "null values cannot be formatted as an SQL identifier"));
            }
            (_, Some(value)) => quoted_literal(value),
            (_, None) => "NULL".to_owned(),
        };
        let wide = width.unwrap_or(0).saturating_sub(shown.chars().count());
        if out.len().saturating_add(wide) > FORMAT_BYTES_MAX {
            return Err(Failure::new("54000", "requested length too large"));
        }
        let blanks = " ".repeat(wide);
        if left {
            out.push_str(&shown);
            out.push_str(&blanks);
        } else {
            out.push_str(&blanks);
            out.push_str(&shown);
        }
    }
    Ok(Value::Text(out))
}

fn quoted_literal(value: &str) -> String {
    let quotes = value.replace('\'', "''");
    if value.contains('\\') { format!("E'{}'", quotes.replace('\\', "\\\\")) } else { format!("'{quotes}'") }
}

/// Words that are keywords in some place: Postgres quotes them.
const KEYWORDS: &str = " all analyse analyze and any array as asc asymmetric authorization between bigint binary bit \
boolean both case cast char character check coalesce collate collation column concurrently constraint create cross \
current_catalog current_date current_role current_schema current_time current_timestamp current_user dec decimal \
default deferrable desc distinct do else end except exists extract false fetch float for foreign freeze from full \
grant greatest group grouping having ilike in initially inner inout int integer intersect interval into is isnull \
join lateral leading least left like limit localtime localtimestamp national natural nchar none normalize not notnull \
null nullif numeric offset on only or order out outer overlaps overlay placing position precision primary real \
references returning right row select session_user setof similar smallint some substring symmetric table tablesample \
then time timestamp to trailing treat trim true union unique user using values varchar variadic verbose when where \
window with xmlattributes xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot xmlserialize \
xmltable ";

fn quoted_ident(value: &str) -> String {
    let plain = value.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && value.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && !KEYWORDS.contains(&format!(" {value} "));
    if plain { value.to_owned() } else { format!("\"{}\"", value.replace('"', "\"\"")) }
}

pub fn quote_ident(args: &[Option<&str>]) -> Outcome<Value> {
    Ok(Value::Text(quoted_ident(text(args, 0))))
}

/// `pg_parse_ident(text, strict)`: the parts of a name.
pub fn parse_ident(args: &[Option<&str>]) -> Outcome<Value> {
    let (given, strict) = (text(args, 0), super::flag(args, 1));
    let wrong = || Failure::new("22023", format!("string is not a valid identifier: \"{given}\""));
    let begins = |c: char| c.is_ascii_alphabetic() || c == '_' || !c.is_ascii();
    let goes_on = |c: char| begins(c) || c.is_ascii_digit() || c == '$';
    let (mut parts, mut rest) = (Vec::new(), given.trim_start());
    loop {
        let (part, after) = match rest.strip_prefix('"') {
            Some(quoted) => {
                let (mut part, mut chars) = (String::new(), quoted.char_indices().peekable());
                let end = loop {
                    match chars.next() {
                        Some((_, '"')) if chars.next_if(|(_, c)| *c == '"').is_some() => part.push('"'),
                        Some((at, '"')) => break at + 1,
                        Some((_, c)) => part.push(c),
                        None => return Err(wrong()),
                    }
                };
                if part.is_empty() {
                    return Err(wrong());
                }
                (part, quoted.get(end..).unwrap_or_default())
            }
            None if rest.starts_with(begins) => {
                let end = rest.find(|c| !goes_on(c)).unwrap_or(rest.len());
                let (part, after) = rest.split_at(end);
                (part.to_ascii_lowercase(), after)
            }
            None => return Err(wrong()),
        };
        parts.push(Some(part));
        let after = after.trim_start();
        match after.strip_prefix('.') {
            Some(next) => rest = next.trim_start(),
            None if after.is_empty() || !strict => return Ok(Value::Texts(parts)),
            None => return Err(wrong()),
        }
    }
}

/// The text of a row: `(1,"a b",)`.
pub fn record(args: &[Option<&str>]) -> Outcome<Value> {
    Ok(Value::Text(held::record::text(args.iter().copied())))
}

/// `pg_record_field(row, n)`: the text of a field, counted from 0.
pub fn record_field(args: &[Option<&str>]) -> Outcome<Value> {
    let at = usize::try_from(super::integer(args, 1)).unwrap_or(usize::MAX);
    let field = held::record::fields(text(args, 0))
        .and_then(|mut fields| if at < fields.len() { fields.swap_remove(at) } else { None });
    Ok(field.map_or(Value::Null, Value::Text))
}

/// `pg_record_part(text, n, count)`: the same, where the text must be a row of so many fields.
pub fn record_part(args: &[Option<&str>]) -> Outcome<Value> {
    let (given, at) = (text(args, 0), usize::try_from(super::integer(args, 1)).unwrap_or(usize::MAX));
    let malformed = || Failure::new("22P02", format!("malformed record literal: \"{given}\""));
    let mut fields = held::record::fields(given).ok_or_else(malformed)?;
    if i64::try_from(fields.len()).ok() != Some(super::integer(args, 2)) {
        return Err(malformed());
    }
    let field = if at < fields.len() { fields.swap_remove(at) } else { None };
    Ok(field.map_or(Value::Null, Value::Text))
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn unrecognized<T>(format: &str) -> Outcome<T> {
    Err(Failure::new("22023", format!("unrecognized encoding: \"{format}\"")))
}

fn from_hex(hex: &str) -> Outcome<Vec<u8>> {
    let mut nibbles = Vec::new();
    for c in hex.chars().filter(|c| !c.is_ascii_whitespace()) {
        match c.to_digit(16).and_then(|d| u8::try_from(d).ok()) {
            Some(d) => nibbles.push(d),
            None => return Err(Failure::new("22023", format!("invalid hexadecimal digit: \"{c}\""))),
        }
    }
    if nibbles.len() % 2 == 1 {
        return Err(Failure::new("22023", "invalid hexadecimal data: odd number of digits"));
    }
    Ok(nibbles.chunks(2).map(|p| p.iter().fold(0, |byte, d| byte * 16 + d)).collect())
}

/// `encode(bytea, format)`; the bytes come as hexadecimal digits.
pub fn encode(args: &[Option<&str>]) -> Outcome<Value> {
    let (hex, format) = (text(args, 0), text(args, 1));
    Ok(Value::Text(match format.to_ascii_lowercase().as_str() {
        "hex" => hex.to_ascii_lowercase(),
        "base64" => {
            let bytes = from_hex(hex)?;
            let mut out = String::new();
            for (n, three) in bytes.chunks(3).enumerate() {
                // Postgres' lines have 76 characters.
                if n > 0 && n % 19 == 0 {
                    out.push('\n');
                }
                let byte = |i: usize| u32::from(three.get(i).copied().unwrap_or(0));
                let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
                for i in 0..4usize {
                    let letter = BASE64.get((bits >> (18 - 6 * i) & 63) as usize).copied().unwrap_or(b'=');
                    out.push(if i > three.len() { '=' } else { char::from(letter) });
                }
            }
            out
        }
        "escape" => from_hex(hex)?.into_iter().fold(String::new(), |mut out, byte| {
            match byte {
                0 | 0x80.. => out.push_str(&format!("\\{byte:03o}")),
                b'\\' => out.push_str("\\\\"),
                byte => out.push(char::from(byte)),
            }
            out
        }),
        _ => return unrecognized(format),
    }))
}

/// `decode(text, format)`.
pub fn decode(args: &[Option<&str>]) -> Outcome<Value> {
    let (source, format) = (text(args, 0), text(args, 1));
    Ok(Value::Bytes(match format.to_ascii_lowercase().as_str() {
        "hex" => from_hex(source)?,
        "base64" => from_base64(source)?,
        "escape" => {
            let mut out = Vec::new();
            let mut bytes = source.bytes();
            let invalid = || Failure::new("22P02", "invalid input syntax for type bytea");
            while let Some(b) = bytes.next() {
                if b != b'\\' {
                    out.push(b);
                    continue;
                }
                match bytes.next() {
                    Some(b'\\') => out.push(b'\\'),
                    Some(high @ b'0'..=b'3') => {
                        let mut octal = || bytes.next().filter(|b| (b'0'..=b'7').contains(b)).map(|b| b - b'0');
                        let (middle, low) = (octal().ok_or_else(invalid)?, octal().ok_or_else(invalid)?);
                        out.push((high - b'0') << 6 | middle << 3 | low);
                    }
                    _ => return Err(invalid()),
                }
            }
            out
        }
        _ => return unrecognized(format),
    }))
}

fn from_base64(source: &str) -> Outcome<Vec<u8>> {
    let invalid = |message: &str| Failure::new("22023", message);
    let (mut out, mut bits, mut count, mut padding) = (Vec::new(), 0u32, 0u32, 0u32);
    for c in source.bytes().filter(|c| !c.is_ascii_whitespace()) {
        let value = if c == b'=' {
            padding += 1;
            0
        } else {
            match BASE64.iter().position(|b| *b == c).and_then(|p| u32::try_from(p).ok()) {
                Some(value) if padding == 0 => value,
                _ => {
                    let shown = char::from(c);
                    return Err(invalid(&format!("invalid symbol \"{shown}\" found while decoding base64 sequence")));
                }
            }
        };
        bits = bits << 6 | value;
        count += 1;
        if count == 4 {
            let [_, a, b, c] = bits.to_be_bytes();
            let three = [a, b, c];
            let take = 3usize.saturating_sub(padding as usize);
            out.extend(three.iter().take(take));
            (bits, count) = (0, 0);
        }
    }
    if count != 0 {
        return Err(invalid("invalid base64 end sequence"));
    }
    Ok(out)
}

/// `unistr('\0064')`.
pub fn unistr(args: &[Option<&str>]) -> Outcome<Value> {
    let invalid = || Failure::new("42601", "invalid Unicode escape");
    let mut out = String::new();
    let mut chars = text(args, 0).chars().peekable();
    let mut high: Option<u32> = None;
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        let length = match chars.peek() {
            Some('\\') => {
                chars.next();
                out.push('\\');
                continue;
            }
            Some('+') => {
                chars.next();
                6
            }
            Some('u') => {
                chars.next();
                4
            }
            Some('U') => {
                chars.next();
                8
            }
            _ => 4,
        };
        let mut code = 0u32;
        for _ in 0..length {
            let digit = chars.next().and_then(|c| c.to_digit(16)).ok_or_else(invalid)?;
            code = code << 4 | digit;
        }
        match (high.take(), code) {
            (None, 0xd800..=0xdbff) => high = Some(code),
            (Some(first), 0xdc00..=0xdfff) => {
                let joined = 0x10000 + ((first - 0xd800) << 10) + (code - 0xdc00);
                out.push(char::from_u32(joined).ok_or_else(invalid)?);
            }
            (None, code) => out.push(char::from_u32(code).ok_or_else(invalid)?),
            _ => return Err(Failure::new("42601", "invalid Unicode surrogate pair")),
        }
    }
    if high.is_some() {
        return Err(Failure::new("42601", "invalid Unicode surrogate pair"));
    }
    Ok(Value::Text(out))
}

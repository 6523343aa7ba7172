//! One-dimensional arrays as text: `{1,NULL,"a,b"}`.

use bytes::{BufMut, BytesMut};

use super::error::is_space;
use crate::wire::error::{PgError, PgResult, SqlState};

/// An element of an array's text: NULL or its text without quotes and escapes.
pub(super) type Element<'a> = Option<&'a [u8]>;

#[cold]
fn malformed(text: &[u8], detail: &str) -> PgError {
    let text = String::from_utf8_lossy(text);
    PgError::new(SqlState::INVALID_TEXT_REPRESENTATION, format!("malformed array literal: \"{text}\"")).detail(detail)
}

pub(super) fn many_dimensions() -> PgError {
    PgError::unsupported("multidimensional arrays are not supported")
        .hint("A lake's list has one dimension; use jsonb for nested values.")
}

/// Calls `each` for every element of `array_in`'s text.
pub(super) fn parse(text: &[u8], mut each: impl FnMut(Element<'_>) -> PgResult<()>) -> PgResult<()> {
    let mut rest = skip_space(text);
    let mut wanted = None;
    if rest.first() == Some(&b'[') {
        (wanted, rest) = dimensions(text, rest)?;
    }
    let Some(b'{') = rest.first() else {
        let start = "Array value must start with \"{\" or dimension information.";
        return Err(malformed(text, start));
    };
    let count = check_shape(text, rest)?;
    if wanted.is_some_and(|wanted| wanted != count) {
        return Err(malformed(text, "Specified array dimensions do not match array contents."));
    }
    let mut scratch = Vec::new();
    rest = skip_space(rest.get(1..).unwrap_or_default());
    while rest.first().is_some_and(|b| *b != b'}') {
        let quoted;
        (quoted, rest) = element(rest, &mut scratch);
        let null = !quoted && scratch.eq_ignore_ascii_case(b"null");
        each(if null { None } else { Some(&scratch) })?;
        if rest.first() == Some(&b',') {
            rest = skip_space(rest.get(1..).unwrap_or_default());
        }
    }
    Ok(())
}

fn skip_space(mut text: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = text
        && is_space(*first)
    {
        text = rest;
    }
    text
}

/// `[1:3]=`: how many elements there must be. A lake's lists begin at 1.
fn dimensions<'a>(text: &[u8], start: &'a [u8]) -> PgResult<(Option<i64>, &'a [u8])> {
    let missing = || malformed(text, "Missing array dimension value.");
    let mut rest = start.get(1..).unwrap_or_default();
    let number = |rest: &mut &'a [u8]| -> PgResult<i64> {
        let len = rest
            .iter()
            .enumerate()
            .take_while(|(i, b)| b.is_ascii_digit() || *i == 0 && matches!(b, b'-' | b'+'))
            .count();
        let (digits, behind) = rest.split_at(len);
        *rest = behind;
        std::str::from_utf8(digits).ok().and_then(|d| d.parse().ok()).ok_or_else(missing)
    };
    let mut low = 1;
    if !rest.first().is_some_and(|b| b.is_ascii_digit() || matches!(b, b'-' | b'+')) {
        return Err(malformed(text, "\"[\" must introduce explicitly-specified array dimensions."));
    }
    let mut high = number(&mut rest)?;
    if let [b':', behind @ ..] = rest {
        rest = behind;
        low = high;
        high = number(&mut rest)?;
    }
    let [b']', behind @ ..] = rest else {
        return Err(malformed(text, "Missing \"]\" after array dimensions."));
    };
    rest = skip_space(behind);
    if rest.first() == Some(&b'[') {
        return Err(many_dimensions());
    }
    let [b'=', behind @ ..] = rest else {
        return Err(malformed(text, "Missing \"=\" after array dimensions."));
    };
    if high < low {
        let message = "upper bound cannot be less than lower bound";
        return Err(PgError::new(SqlState::ARRAY_SUBSCRIPT_ERROR, message));
    }
    if low != 1 {
        return Err(PgError::unsupported("arrays that do not begin at index 1 are not supported")
            .hint("A lake's list always begins at 1."));
    }
    Ok((Some(high), skip_space(behind)))
}

/// The whole text is checked before any element is taken: its errors come first, as in Postgres. Answers how many
/// elements there are.
fn check_shape(text: &[u8], body: &[u8]) -> PgResult<i64> {
    #[derive(PartialEq)]
    enum At {
        Start,
        Element,
        QuotedEnd,
        Comma,
    }
    let unexpected = |c: char| malformed(text, &format!("Unexpected \"{c}\" character."));
    let end = || malformed(text, "Unexpected end of input.");
    let mut at = At::Start;
    let mut i = 1;
    let mut commas = 0;
    loop {
        let byte = *body.get(i).ok_or_else(end)?;
        i += 1;
        match byte {
            b'"' => {
                if at == At::Element || at == At::QuotedEnd {
                    return Err(malformed(text, "Unexpected array element."));
                }
                i += quoted_len(body.get(i..).unwrap_or_default()).ok_or_else(end)?;
                at = At::QuotedEnd;
            }
            b'{' if at == At::Start || at == At::Comma => {
                let inner = body.get(i..).unwrap_or_default();
                if skip_space(inner).first() == Some(&b'}') {
                    return Err(unexpected('}'));
                }
                return Err(many_dimensions());
            }
            b'{' => return Err(unexpected('{')),
            b'}' if at == At::Comma => return Err(unexpected('}')),
            b'}' => break,
            b',' if at == At::Start || at == At::Comma => return Err(unexpected(',')),
            b',' => {
                commas += 1;
                at = At::Comma;
            }
            b if is_space(b) => {}
            _ => {
                if at == At::QuotedEnd {
                    return Err(malformed(text, "Unexpected array element."));
                }
                if byte == b'\\' {
                    body.get(i).ok_or_else(end)?;
                    i += 1;
                }
                at = At::Element;
            }
        }
    }
    if skip_space(body.get(i..).unwrap_or_default()).is_empty() {
        Ok(if at == At::Start { 0 } else { commas + 1 })
    } else {
        Err(malformed(text, "Junk after closing right brace."))
    }
}

/// Length up to and with the closing quote.
fn quoted_len(text: &[u8]) -> Option<usize> {
    let mut i = 0;
    loop {
        match text.get(i)? {
            b'"' => return Some(i + 1),
            b'\\' => i += 2,
            _ => i += 1,
        }
    }
}

/// Reads one element of a checked text into `out`; answers whether it was quoted and what follows it.
fn element<'a>(mut rest: &'a [u8], out: &mut Vec<u8>) -> (bool, &'a [u8]) {
    out.clear();
    if let [b'"', inner @ ..] = rest {
        rest = inner;
        loop {
            match rest {
                [b'\\', byte, tail @ ..] => {
                    out.push(*byte);
                    rest = tail;
                }
                [b'"', tail @ ..] => return (true, skip_space(tail)),
                [byte, tail @ ..] => {
                    out.push(*byte);
                    rest = tail;
                }
                [] => return (true, rest),
            }
        }
    }
    // Blanks at the end do not count, escaped ones do.
    let mut kept = 0;
    let mut escaped = false;
    loop {
        match rest {
            [b'\\', byte, tail @ ..] => {
                out.push(*byte);
                kept = out.len();
                escaped = true;
                rest = tail;
            }
            [b',' | b'}', ..] | [] => break,
            [byte, tail @ ..] => {
                out.push(*byte);
                if !is_space(*byte) {
                    kept = out.len();
                }
                rest = tail;
            }
        }
    }
    out.truncate(kept);
    (escaped, rest)
}

/// Whether `array_out` puts the element's text in quotes.
pub(super) fn needs_quotes(text: &[u8]) -> bool {
    let special = |b: &u8| matches!(b, b'"' | b'\\' | b'{' | b'}' | b',') || is_space(*b);
    text.is_empty() || text.iter().any(special) || text.eq_ignore_ascii_case(b"null")
}

/// Appends an element's text in quotes.
pub(super) fn write_element(text: &[u8], out: &mut BytesMut) {
    out.put_u8(b'"');
    for byte in text {
        if matches!(byte, b'"' | b'\\') {
            out.put_u8(b'\\');
        }
        out.put_u8(*byte);
    }
    out.put_u8(b'"');
}

/// The elements of a DuckDB list's text, `[1, NULL, 'a, b']`; none where it is broken.
pub(super) fn split_lake_list(text: &str) -> Option<Vec<Option<String>>> {
    let mut rest = text.strip_prefix('[')?.strip_suffix(']')?.trim_start();
    let mut elements = Vec::new();
    while !rest.is_empty() {
        let mut element = String::new();
        let quoted = rest.starts_with('\'');
        if quoted {
            let mut chars = rest.char_indices().skip(1);
            let end = loop {
                match chars.next()? {
                    (_, '\\') => element.push(chars.next()?.1),
                    (at, '\'') => break at,
                    (_, c) => element.push(c),
                }
            };
            rest = rest.get(end + 1..)?.trim_start();
        } else {
            let end = rest.find(',').unwrap_or(rest.len());
            element.push_str(rest.get(..end)?.trim_end());
            rest = rest.get(end..)?;
        }
        elements.push(if !quoted && element.eq_ignore_ascii_case("null") { None } else { Some(element) });
        if rest.is_empty() {
            break;
        }
        rest = rest.strip_prefix(',')?.trim_start();
    }
    Some(elements)
}

//! The words of a path.

use super::super::{Failure, Outcome};

#[derive(Clone, Debug, PartialEq)]
pub enum Token {
    /// A word that is not quoted: a name or a keyword.
    Word(String),
    String(String),
    /// Digits as written; the flag: whole.
    Number(String, bool),
    Variable(String),
    /// `$` alone.
    Root,
    /// Punctuation of one or two characters.
    Sign(&'static str),
    End,
}

const SIGNS: [&str; 30] = [
    "&&", "||", "<=", ">=", "==", "<>", "!=", "**", "!", "<", ">", "?", "@", "(", ")", "[", "]", ".", ",", "*", "+",
    "-", "/", "%", "{", "}", "=", "&", "|", ":",
];

/// The tokens of a path with the byte where each begins.
pub fn tokens(text: &str) -> Outcome<Vec<(Token, usize)>> {
    let mut all = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let first = rest.chars().next().unwrap_or(' ');
        if first.is_ascii_whitespace() {
            at += 1;
            continue;
        }
        if rest.starts_with("/*") {
            let end =
                rest.find("*/").ok_or_else(|| Failure::new("42601", "unexpected end of comment of jsonpath input"))?;
            at += end + 2;
            continue;
        }
        let start = at;
        let token = match first {
            '"' => {
                let (string, length) = string(rest)?;
                at += length;
                Token::String(string)
            }
            '$' => match rest.get(1..) {
                Some(after) if after.starts_with('"') => {
                    let (name, length) = string(after)?;
                    at += length + 1;
                    Token::Variable(name)
                }
                Some(after) if after.starts_with(is_word) => {
                    let (name, length) = word(after)?;
                    at += length + 1;
                    Token::Variable(name)
                }
                _ => {
                    at += 1;
                    Token::Root
                }
            },
            c if c.is_ascii_digit() || (c == '.' && rest.as_bytes().get(1).is_some_and(u8::is_ascii_digit)) => {
                let (number, length) = number(rest)?;
                at += length;
                number
            }
            c if is_word(c) => {
                let (name, length) = word(rest)?;
                at += length;
                Token::Word(name)
            }
            _ => {
                let sign = SIGNS.into_iter().find(|sign| rest.starts_with(sign)).ok_or_else(|| near(rest))?;
                at += sign.len();
                Token::Sign(sign)
            }
        };
        all.push((token, start));
    }
    all.push((Token::End, text.len()));
    Ok(all)
}

/// `syntax error at or near "x" of jsonpath input`
pub fn near(rest: &str) -> Failure {
    let end = rest.char_indices().find(|(n, c)| *n > 0 && !is_word(*c)).map_or(rest.len(), |(n, _)| n);
    let lexeme = rest.get(..end).unwrap_or(rest);
    if lexeme.is_empty() {
        return Failure::new("42601", "syntax error at end of jsonpath input");
    }
    Failure::new("42601", format!("syntax error at or near \"{lexeme}\" of jsonpath input"))
}

fn is_word(c: char) -> bool {
    !c.is_whitespace() && !"?%$.[]{}()|&!=<>@#,*:-+/\"".contains(c)
}

/// A word without quotes; escapes stand for characters.
fn word(text: &str) -> Outcome<(String, usize)> {
    let mut out = String::new();
    let mut at = 0;
    while let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()).filter(|c| is_word(*c)) {
        if c == '\\' {
            at += escape(text.get(at + 1..).unwrap_or_default(), &mut out)? + 1;
        } else {
            out.push(c);
            at += c.len_utf8();
        }
    }
    Ok((out, at))
}

/// A string that begins with a quote: its value, and the bytes it takes.
fn string(text: &str) -> Outcome<(String, usize)> {
    let mut out = String::new();
    let mut at = 1;
    while let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()) {
        match c {
            '"' => return Ok((out, at + 1)),
            '\\' => at += escape(text.get(at + 1..).unwrap_or_default(), &mut out)? + 1,
            c => {
                out.push(c);
                at += c.len_utf8();
            }
        }
    }
    Err(Failure::new("42601", "unterminated quoted string at end of jsonpath input"))
}

/// What follows a backslash: the character it stands for, and the bytes it takes.
fn escape(text: &str, out: &mut String) -> Outcome<usize> {
    let invalid = || Failure::new("42601", "invalid escape sequence of jsonpath input");
    let c = text
        .chars()
        .next()
        .ok_or_else(|| Failure::new("42601", "unexpected end after backslash at end of jsonpath input"))?;
    let simple = match c {
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\u{b}',
        'x' => {
            let code = text.get(1..3).and_then(|hex| u32::from_str_radix(hex, 16).ok()).ok_or_else(invalid)?;
            out.push(char::from_u32(code).ok_or_else(invalid)?);
            return Ok(3);
        }
        'u' => return unicode(text, out),
        other => {
            out.push(other);
            return Ok(other.len_utf8());
        }
    };
    out.push(simple);
    Ok(1)
}

/// `u1234`, `u{1F600}`, and pairs of surrogates.
fn unicode(text: &str, out: &mut String) -> Outcome<usize> {
    let invalid = || Failure::new("42601", "invalid Unicode escape sequence of jsonpath input");
    if let Some(braced) = text.strip_prefix("u{") {
        let end = braced.find('}').filter(|end| (1..=6).contains(end)).ok_or_else(invalid)?;
        let code = braced.get(..end).and_then(|hex| u32::from_str_radix(hex, 16).ok());
        out.push(code.and_then(char::from_u32).filter(|c| *c != '\0').ok_or_else(invalid)?);
        return Ok(end + 3);
    }
    let unit = |text: &str| text.get(1..5).and_then(|hex| u32::from_str_radix(hex, 16).ok());
    let high = unit(text).ok_or_else(invalid)?;
    if (0xd800..0xdc00).contains(&high) {
        let low =
            text.get(5..).and_then(|rest| rest.strip_prefix('\\')).filter(|rest| rest.starts_with('u')).and_then(unit);
        let low = low.filter(|low| (0xdc00..0xe000).contains(low)).ok_or_else(invalid)?;
        let code = 0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00);
        out.push(char::from_u32(code).ok_or_else(invalid)?);
        return Ok(11);
    }
    out.push(char::from_u32(high).filter(|c| *c != '\0').ok_or_else(invalid)?);
    Ok(5)
}

fn number(text: &str) -> Outcome<(Token, usize)> {
    let bytes = text.as_bytes();
    let digits = |mut at: usize| {
        while bytes.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        at
    };
    let mut at = digits(0);
    let mut whole = true;
    if bytes.get(at) == Some(&b'.')
        && !text.get(at + 1..).is_some_and(|rest| {
            rest.starts_with(|c: char| is_word(c) && !c.is_ascii_digit() && !matches!(c, 'e' | 'E'))
        })
    {
        whole = false;
        at = digits(at + 1);
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        let end = digits(at + 1 + sign);
        if end == at + 1 + sign {
            return Err(Failure::new(
                "42601",
                format!("invalid numeric literal at or near \"{}\" of jsonpath input", text.get(..end).unwrap_or(text)),
            ));
        }
        whole = false;
        at = end;
    }
    if text.get(at..).is_some_and(|rest| rest.starts_with(is_word)) {
        let end = text.get(at..).map_or(at, |rest| at + rest.chars().next().map_or(0, char::len_utf8));
        let lexeme = text.get(..end).unwrap_or(text);
        return Err(Failure::new(
            "42601",
            format!("trailing junk after numeric literal at or near \"{lexeme}\" of jsonpath input"),
        ));
    }
    Ok((Token::Number(text.get(..at).unwrap_or_default().to_owned(), whole), at))
}

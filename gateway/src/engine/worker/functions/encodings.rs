//! `convert_to` and `convert_from`: texts as bytes of an encoding, and back.

use super::{Failure, Outcome, Value, bytes::bytes, text};

/// Bytes of a wrong sequence that are shown.
const SHOWN_BYTES_MAX: usize = 8;

/// An encoding that is converted here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Utf8,
    Ascii,
    Latin1,
    Latin9,
    Win1252,
}

/// Encodings of Postgres that are not converted here, as they are called without marks.
const OTHERS: [&str; 38] = [
    "eucjp",
    "euccn",
    "euckr",
    "euctw",
    "eucjis2004",
    "latin2",
    "iso88592",
    "latin3",
    "iso88593",
    "latin4",
    "iso88594",
    "latin5",
    "iso88599",
    "latin6",
    "iso885910",
    "latin7",
    "iso885913",
    "latin8",
    "iso885914",
    "latin10",
    "iso885916",
    "iso88595",
    "iso88596",
    "iso88597",
    "iso88598",
    "win1250",
    "win1251",
    "win1253",
    "win1254",
    "win1255",
    "win1256",
    "win1257",
    "win1258",
    "koi8r",
    "koi8u",
    "sjis",
    "big5",
    "gbk",
];

/// Where Windows' code page has others than Latin 1: from 0x80.
const WIN1252: [u32; 32] = [
    0x20AC, 0, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0, 0x017D, 0, 0,
    0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0, 0x017E, 0x0178,
];
/// Where Latin 9 has others than Latin 1.
const LATIN9: [(u8, u32); 8] = [
    (0xA4, 0x20AC),
    (0xA6, 0x0160),
    (0xA8, 0x0161),
    (0xB4, 0x017D),
    (0xB8, 0x017E),
    (0xBC, 0x0152),
    (0xBD, 0x0153),
    (0xBE, 0x0178),
];

impl Encoding {
    fn named(name: &str, side: &str) -> Outcome<Self> {
        let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
        Ok(match plain.to_ascii_lowercase().as_str() {
            "utf8" | "unicode" => Self::Utf8,
            "sqlascii" => Self::Ascii,
            "latin1" | "iso88591" => Self::Latin1,
            "latin9" | "iso885915" => Self::Latin9,
            "win1252" | "windows1252" => Self::Win1252,
            other if OTHERS.contains(&other) => {
                return Err(Failure::new("0A000", format!("conversion of the encoding {name} is not supported")));
            }
            _ => return Err(Failure::new("22023", format!("invalid {side} encoding name \"{name}\""))),
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "UTF8",
            Self::Ascii => "SQL_ASCII",
            Self::Latin1 => "LATIN1",
            Self::Latin9 => "LATIN9",
            Self::Win1252 => "WIN1252",
        }
    }

    /// The character of a byte; none where there is none.
    fn character(self, byte: u8) -> Option<char> {
        let code = match self {
            Self::Latin9 => LATIN9.iter().find(|(at, _)| *at == byte).map_or(u32::from(byte), |(_, code)| *code),
            Self::Win1252 => match usize::from(byte).checked_sub(0x80).and_then(|at| WIN1252.get(at)) {
                Some(0) => return None,
                Some(code) => *code,
                None => u32::from(byte),
            },
            _ => u32::from(byte),
        };
        char::from_u32(code)
    }

    fn byte(self, c: char) -> Option<u8> {
        (0..=u8::MAX).find(|byte| self.character(*byte) == Some(c))
    }
}

fn shown(bytes: &[u8]) -> String {
    bytes.iter().take(SHOWN_BYTES_MAX).map(|byte| format!("0x{byte:02x}")).collect::<Vec<_>>().join(" ")
}

/// `pg_convert_to(text, encoding)`.
pub fn to(args: &[Option<&str>]) -> Outcome<Value> {
    let (source, encoding) = (text(args, 0), Encoding::named(text(args, 1), "destination")?);
    if matches!(encoding, Encoding::Utf8 | Encoding::Ascii) || source.is_ascii() {
        return Ok(Value::Bytes(source.as_bytes().to_vec()));
    }
    let mut out = Vec::with_capacity(source.len());
    for c in source.chars() {
        out.push(if c.is_ascii() { Some(c as u8) } else { encoding.byte(c) }.ok_or_else(|| {
            let (sequence, name) = (shown(c.encode_utf8(&mut [0; 4]).as_bytes()), encoding.name());
            let message = format!(
                "character with byte sequence {sequence} in encoding \"UTF8\" has no equivalent in encoding \"{name}\""
            );
            Failure::new("22P05", message)
        })?);
    }
    Ok(Value::Bytes(out))
}

/// `pg_convert_from(hex, encoding)`.
pub fn from(args: &[Option<&str>]) -> Outcome<Value> {
    let (source, encoding) = (bytes(args), Encoding::named(text(args, 1), "source")?);
    let invalid = |encoding: Encoding, wrong: &[u8]| {
        let name = encoding.name();
        Failure::new("22021", format!("invalid byte sequence for encoding \"{name}\": {}", shown(wrong)))
    };
    if source.contains(&0) {
        return Err(invalid(encoding, &[0]));
    }
    if matches!(encoding, Encoding::Utf8 | Encoding::Ascii) {
        return match String::from_utf8(source) {
            Ok(text) => Ok(Value::Text(text)),
            Err(error) => {
                let rest = error.as_bytes().get(error.utf8_error().valid_up_to()..).unwrap_or_default();
                let length = match rest.first() {
                    Some(0xC0..=0xDF) => 2,
                    Some(0xE0..=0xEF) => 3,
                    Some(0xF0..=0xF7) => 4,
                    _ => 1,
                };
                Err(invalid(Encoding::Utf8, rest.get(..length.min(rest.len())).unwrap_or_default()))
            }
        };
    }
    let mut out = String::with_capacity(source.len());
    for byte in source {
        out.push(encoding.character(byte).ok_or_else(|| {
            let (sequence, name) = (shown(&[byte]), encoding.name());
            let message = format!(
                "character with byte sequence {sequence} in encoding \"{name}\" has no equivalent in encoding \"UTF8\""
            );
            Failure::new("22P05", message)
        })?);
    }
    Ok(Value::Text(out))
}

//! `macaddr` and `macaddr8`: addresses of network cards.

use super::super::error::{invalid_syntax, is_space};
use crate::wire::error::{PgError, PgResult, SqlState};

/// The forms of `macaddr_in`: a number is as many hexadecimal digits at most, 0 any number of them.
const FORMS: [(&[usize], &str); 7] = [
    (&[0, 0, 0, 0, 0, 0], ":::::"),
    (&[0, 0, 0, 0, 0, 0], "-----"),
    (&[2, 2, 2, 2, 2, 2], "  :  "),
    (&[2, 2, 2, 2, 2, 2], "  -  "),
    (&[2, 2, 2, 2, 2, 2], " . . "),
    (&[2, 2, 2, 2, 2, 2], " - - "),
    (&[2, 2, 2, 2, 2, 2], "     "),
];

/// `macaddr_in`.
pub(crate) fn parse(text: &str) -> PgResult<[u8; 6]> {
    let octets = FORMS.iter().find_map(|(widths, marks)| scan(text, widths, marks));
    let octets = octets.ok_or_else(|| invalid_syntax("macaddr", text.as_bytes()))?;
    let mut out = [0; 6];
    for (slot, octet) in out.iter_mut().zip(octets) {
        *slot = u8::try_from(octet).map_err(|_| {
            let message = format!("invalid octet value in \"macaddr\" value: \"{text}\"");
            PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, message)
        })?;
    }
    Ok(out)
}

/// What sscanf() does with one form; nothing but white space may follow.
fn scan(text: &str, widths: &[usize], marks: &str) -> Option<Vec<u64>> {
    let mut rest = text.as_bytes();
    let mut octets = Vec::with_capacity(6);
    let mut marks = marks.bytes();
    for (n, width) in widths.iter().enumerate() {
        if n > 0 {
            let mark = marks.next()?;
            if mark != b' ' {
                let [first, tail @ ..] = rest else { return None };
                if *first != mark {
                    return None;
                }
                rest = tail;
            }
        }
        while let [first, tail @ ..] = rest
            && is_space(*first)
        {
            rest = tail;
        }
        let most = if *width == 0 { rest.len() } else { *width };
        let count = rest.iter().take(most).take_while(|b| b.is_ascii_hexdigit()).count();
        let (digits, tail) = rest.split_at(count);
        let digits = std::str::from_utf8(digits).ok()?;
        octets.push(u64::from_str_radix(digits, 16).ok()?);
        rest = tail;
    }
    rest.iter().all(|b| is_space(*b)).then_some(octets)
}

/// `macaddr8_in`: six or eight pairs of digits, with one kind of mark between them or none.
pub(crate) fn parse8(text: &str) -> PgResult<[u8; 8]> {
    pairs(text).ok_or_else(|| invalid_syntax("macaddr8", text.as_bytes()))
}

fn pairs(text: &str) -> Option<[u8; 8]> {
    let mut rest = text.as_bytes().trim_ascii_start();
    let mut octets = Vec::with_capacity(8);
    let mut mark = None;
    while let [high, low, tail @ ..] = rest {
        let digit = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok());
        octets.push(digit(*high)? << 4 | digit(*low)?);
        rest = tail;
        if octets.len() > 8 {
            return None;
        }
        if let [between @ (b':' | b'-' | b'.'), tail @ ..] = rest {
            if *mark.get_or_insert(*between) != *between {
                return None;
            }
            rest = tail;
        }
        if (octets.len() == 6 || octets.len() == 8) && rest.first().is_some_and(|b| is_space(*b)) {
            if !rest.iter().all(|b| is_space(*b)) {
                return None;
            }
            rest = &[];
        }
    }
    if !rest.is_empty() {
        return None;
    }
    match *octets.as_slice() {
        [a, b, c, d, e, f] => Some([a, b, c, 0xff, 0xfe, d, e, f]),
        [a, b, c, d, e, f, g, h] => Some([a, b, c, d, e, f, g, h]),
        _ => None,
    }
}

/// `08:00:2b:01:02:03`
pub(crate) fn text(octets: &[u8]) -> String {
    octets.iter().map(|o| format!("{o:02x}")).collect::<Vec<_>>().join(":")
}

/// The octets of a canonical text.
pub(crate) fn octets(text: &str) -> Vec<u8> {
    text.split(':').map(|o| u8::from_str_radix(o, 16).unwrap_or(0)).collect()
}

/// `macaddr` as `macaddr8`.
pub(crate) fn widened(octets: &[u8]) -> Vec<u8> {
    let (vendor, card) = octets.split_at(octets.len().min(3));
    [vendor, &[0xff, 0xfe], card].concat()
}

/// `macaddr8` as `macaddr`.
pub(crate) fn narrowed(octets: &[u8]) -> PgResult<Vec<u8>> {
    match octets {
        [a, b, c, 0xff, 0xfe, d, e, f] => Ok(vec![*a, *b, *c, *d, *e, *f]),
        _ => {
            Err(PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "macaddr8 data out of range to convert to macaddr")
                .hint(
                    "Only addresses that have FF and FE as values in the 4th and 5th bytes from the left, for example \
               xx:xx:xx:ff:fe:xx:xx:xx, are eligible to be converted from macaddr8 to macaddr.",
                ))
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn forms() {
        for input in [
            "08:00:2b:01:02:03",
            "08-00-2b-01-02-03",
            "08002b:010203",
            "08002b-010203",
            "0800.2b01.0203",
            "0800-2b01-0203",
            "08002b010203",
            " 8:0:2b:1:2:3 ",
        ] {
            assert_eq!(super::text(&super::parse(input).unwrap()), "08:00:2b:01:02:03", "{input}");
        }
        for input in ["", "08:00:2b:01:02", "08:00:2b:01:02:0g", "08:00:2b:01:02:03:04"] {
            assert!(super::parse(input).is_err(), "{input}");
        }
        assert_eq!(super::parse("100:0:0:0:0:0").unwrap_err().to_string().get(..6), Some("22003:"));
        assert_eq!(super::text(&super::parse8("08-00-2b-01-02-03").unwrap()), "08:00:2b:ff:fe:01:02:03");
        assert!(super::parse8("08:00-2b:01:02:03").is_err());
    }
}

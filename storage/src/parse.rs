//! Values in the lake's text form, read so that they can be compared. What is not understood is `None`, never a guess.

use std::cmp::Ordering;

use duckmesh_catalog::ColumnType;

use crate::text::{MICROS_PER_DAY, MICROS_PER_SECOND};

/// A value with the order of its type.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Scalar {
    Number(Number),
    Float(f64),
    /// Microseconds; infinity is the end of the numbers.
    Moment(i128),
    Bytes(Vec<u8>),
}

/// An exact decimal of any size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Number {
    negative: bool,
    /// Without zeros in front.
    whole: String,
    /// Without zeros behind.
    fraction: String,
}

impl Scalar {
    /// A value of a type; none if the type has no order here, or the text is not understood. NaN is not a value.
    pub(crate) fn parse(text: &str, ty: &ColumnType) -> Option<Self> {
        match ty {
            ColumnType::Int2 | ColumnType::Int4 | ColumnType::Int8 | ColumnType::Numeric(..) => {
                Number::parse(text).map(Self::Number)
            }
            ColumnType::Other(name) if name.starts_with("int") || name.starts_with("uint") => {
                Number::parse(text).map(Self::Number)
            }
            ColumnType::Bool => Some(Self::Bytes(vec![boolean(text)?.into()])),
            ColumnType::Float4 | ColumnType::Float8 => {
                let value: f64 = text.trim().parse().ok()?;
                (!value.is_nan()).then_some(Self::Float(value))
            }
            ColumnType::Date | ColumnType::Timestamp => moment(text, false).map(Self::Moment),
            ColumnType::Timestamptz => moment(text, true).map(Self::Moment),
            ColumnType::Time => time(text).map(i128::from).map(Self::Moment),
            ColumnType::Text | ColumnType::Varchar(_) | ColumnType::Char(_) | ColumnType::Enum(_) => {
                Some(Self::Bytes(text.as_bytes().to_vec()))
            }
            ColumnType::Uuid => {
                let uuid = uuid::Uuid::try_parse(text).ok()?;
                Some(Self::Bytes(uuid.as_bytes().to_vec()))
            }
            ColumnType::Bytea => hex(text).map(Self::Bytes),
            ColumnType::System(ty) => Self::parse(text, &ty.base()),
            ColumnType::Modified(ty, _) => Self::parse(text, ty),
            ColumnType::Money => Self::parse(text, &ColumnType::MONEY_HELD),
            // The order of their texts is not theirs.
            ColumnType::AsText(_)
            | ColumnType::Grid(_)
            | ColumnType::Record(_)
            | ColumnType::Interval
            | ColumnType::Json
            | ColumnType::Jsonb
            | ColumnType::Array(_)
            | ColumnType::Other(_) => None,
        }
    }

    /// The order of two values of one type.
    pub(crate) fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => Some(a.order(b)),
            (Self::Float(a), Self::Float(b)) => a.partial_cmp(b),
            (Self::Moment(a), Self::Moment(b)) => Some(a.cmp(b)),
            (Self::Bytes(a), Self::Bytes(b)) => Some(a.cmp(b)),
            _ => None,
        }
    }
}

impl Number {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if whole.len() + fraction.len() == 0 || !all_digits(whole) || !all_digits(fraction) {
            return None;
        }
        let whole = whole.trim_start_matches('0').to_owned();
        let fraction = fraction.trim_end_matches('0').to_owned();
        let negative = negative && whole.len() + fraction.len() > 0;
        Some(Self { negative, whole, fraction })
    }

    fn order(&self, other: &Self) -> Ordering {
        match (self.negative, other.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => self.size(other),
            (true, true) => other.size(self),
        }
    }

    fn size(&self, other: &Self) -> Ordering {
        let whole = self.whole.len().cmp(&other.whole.len());
        // Fractions have no zeros behind: a longer one with the same beginning is larger.
        whole.then_with(|| self.whole.cmp(&other.whole)).then_with(|| self.fraction.cmp(&other.fraction))
    }
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "true" => Some(true),
        "0" | "f" | "false" => Some(false),
        _ => None,
    }
}

/// Bytes from hex, with or without `\x` before.
pub(crate) fn hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("\\x").unwrap_or(text).as_bytes();
    let digit = |byte: u8| char::from(byte).to_digit(16);
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let pairs = digits.chunks_exact(2).map(|pair| match pair {
        [high, low] => u8::try_from(digit(*high)? * 16 + digit(*low)?).ok(),
        _ => None,
    });
    pairs.collect()
}

/// A date or timestamp. A zone must be there if and only if the type has one: else its meaning would hang on a session.
fn moment(text: &str, with_zone: bool) -> Option<i128> {
    match text {
        "infinity" => return Some(i128::MAX),
        "-infinity" => return Some(i128::MIN),
        _ => {}
    }
    let (date, rest) = text.split_once(' ').unwrap_or((text, ""));
    let (before_christ, rest) = match rest.strip_prefix("(BC)") {
        Some(rest) => (true, rest.trim_start()),
        None => (false, rest),
    };
    let midnight = i128::from(days(date, before_christ)?) * i128::from(MICROS_PER_DAY);
    if rest.is_empty() {
        return (!with_zone).then_some(midnight);
    }
    let (clock, zone) = match rest.find(['+', '-']) {
        Some(at) => (rest.get(..at)?, rest.get(at..)),
        None => (rest, None),
    };
    let offset = match (zone, with_zone) {
        (Some(zone), true) => offset(zone)?,
        (None, false) => 0,
        _ => return None,
    };
    Some(midnight + i128::from(time(clock)?) - i128::from(offset))
}

/// Microseconds of `03:04:05.5`.
fn time(text: &str) -> Option<i64> {
    let (clock, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut parts = clock.split(':');
    let hours = small(parts.next()?, 24)?;
    let minutes = small(parts.next()?, 59)?;
    let seconds = small(parts.next()?, 60)?;
    if parts.next().is_some() || fraction.len() > 6 {
        return None;
    }
    let micros = if fraction.is_empty() { 0 } else { small(&format!("{fraction:0<6}"), 999_999)? };
    Some(((hours * 60 + minutes) * 60 + seconds) * MICROS_PER_SECOND + micros)
}

/// Microseconds of `+00`, `-05:30`, `+01:02:03`.
fn offset(text: &str) -> Option<i64> {
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let mut seconds = 0;
    let mut unit = 3600;
    for part in text.get(1..)?.split(':') {
        seconds += small(part, 59)? * unit;
        unit /= 60;
    }
    Some(sign * seconds * MICROS_PER_SECOND)
}

/// Days since 1970 of `2024-01-02`.
fn days(text: &str, before_christ: bool) -> Option<i64> {
    let mut parts = text.split('-');
    let year = small(parts.next()?, 9_999_999)?;
    let month = small(parts.next()?, 12)?;
    let day = small(parts.next()?, 31)?;
    if parts.next().is_some() || month == 0 || day == 0 {
        return None;
    }
    let year = if before_christ { 1 - year } else { year };
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year) = (year.div_euclid(400), year.rem_euclid(400));
    let month = if month > 2 { month - 3 } else { month + 9 };
    let in_year = (153 * month + 2) / 5 + day - 1;
    Some(era * 146_097 + year * 365 + year / 4 - year / 100 + in_year - 719_468)
}

/// Digits only, up to `max`.
fn small(text: &str, max: i64) -> Option<i64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let value = digits.then(|| text.parse().ok()).flatten()?;
    (value <= max).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text;

    #[test]
    fn dates_and_timestamps_read_back() {
        for days in [0, 19_724, -735_160, 2_932_897, -719_469, 200_000_000, -900_000_000, i32::MAX, -i32::MAX] {
            let parsed = moment(&text::date(days), false);
            let expect = match days {
                i32::MAX => i128::MAX,
                -2_147_483_647 => i128::MIN,
                _ => i128::from(days) * i128::from(MICROS_PER_DAY),
            };
            assert_eq!(parsed, Some(expect), "{}", text::date(days));
        }
        for micros in [0, -1, 1, 1_704_164_645_123_400, -62_135_596_800_000_001, -99_999_999_999_999_999] {
            for zone in [false, true] {
                let text = text::timestamp(micros, zone);
                assert_eq!(moment(&text, zone), Some(i128::from(micros)), "{text}");
                assert_eq!(moment(&text, !zone), None, "{text}");
            }
        }
        assert_eq!(moment("2024-01-02 03:04:05-05:30", true), Some(1_704_184_445_000_000));
        assert_eq!(time("24:00:00"), Some(MICROS_PER_DAY));
    }

    #[test]
    fn what_is_not_understood_is_none() {
        for (text, ty) in [
            ("1e5", ColumnType::Int4),
            ("", ColumnType::Int4),
            (".", ColumnType::Numeric(5, 2)),
            ("0x10", ColumnType::Int8),
            ("yes", ColumnType::Bool),
            ("nan", ColumnType::Float8),
            ("2024-13-01", ColumnType::Date),
            ("2024-01-02 03:04", ColumnType::Timestamp),
            ("2024-01-02 03:04:05 UTC", ColumnType::Timestamptz),
            ("12:00:00.1234567", ColumnType::Time),
            ("abc", ColumnType::Bytea),
            ("{}", ColumnType::Json),
            ("1 day", ColumnType::Interval),
        ] {
            assert_eq!(Scalar::parse(text, &ty), None, "{text} {ty}");
        }
    }
}

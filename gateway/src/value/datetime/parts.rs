//! The smallest parts of dates and times: clocks, fractions of a second, offsets.

/// Why a text is no date or time; the caller knows the words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::value) enum Fault {
    Format,
    FieldOverflow,
    /// The same, with the hint about `datestyle`.
    MonthOrDayOverflow,
    ZoneOverflow,
    UnknownZone(String),
}

pub(super) type Decoded<T> = Result<T, Fault>;

/// A number that failed to parse was too long, or no number.
pub(super) fn overflow_or_format(digits: &str) -> Fault {
    if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) { Fault::FieldOverflow } else { Fault::Format }
}

/// `.123` as microseconds, rounded half to even as `rint` does.
pub(in crate::value) fn fraction(text: &str) -> Decoded<i64> {
    let digits = text.strip_prefix('.').unwrap_or_default();
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Fault::Format);
    }
    if digits.is_empty() {
        return Ok(0);
    }
    let value: f64 = text.parse().map_err(|_| Fault::Format)?;
    #[allow(clippy::cast_possible_truncation)]
    Ok((value * 1_000_000.0).round_ties_even() as i64)
}

/// `hh:mm[:ss[.ffffff]]` or `mm:ss.ffffff`; hours are not limited here.
pub(in crate::value) fn clock(field: &str) -> Decoded<(i64, i64, i64, i64)> {
    let (whole, micros) = match field.find('.') {
        Some(point) => (field.get(..point).unwrap_or_default(), fraction(field.get(point..).unwrap_or_default())?),
        None => (field, 0),
    };
    // Nothing between colons is 0, as strtol() has it.
    let part = |text: &str| match text {
        "" => Ok(0),
        _ => text.parse::<i32>().map(i64::from).map_err(|_| overflow_or_format(text)),
    };
    let mut parts = whole.split(':');
    let first = parts.next().unwrap_or_default();
    let first = first.parse::<i64>().map_err(|_| overflow_or_format(first))?;
    let second = part(parts.next().ok_or(Fault::Format)?)?;
    let (hour, minute, second) = match parts.next() {
        Some(third) => (first, second, part(third)?),
        // With a fraction, two numbers are minutes and seconds.
        None if whole.len() < field.len() => (0, first, second),
        None => (first, second, 0),
    };
    if parts.next().is_some() {
        return Err(Fault::Format);
    }
    if hour < 0 || !(0..=59).contains(&minute) || !(0..=60).contains(&second) {
        return Err(Fault::FieldOverflow);
    }
    Ok((hour, minute, second, micros))
}

/// `+hh`, `-hhmm`, `+hh:mm[:ss]`: seconds east of UTC.
pub(super) fn zone_offset(field: &str) -> Decoded<i32> {
    let (negative, digits) = match field.as_bytes().first() {
        Some(b'+') => (false, field.get(1..).unwrap_or_default()),
        Some(b'-') => (true, field.get(1..).unwrap_or_default()),
        _ => return Err(Fault::Format),
    };
    let part = |text: &str| {
        let digits = if text.is_empty() { "0" } else { text };
        digits.parse::<i32>().map_err(|_| match overflow_or_format(text) {
            Fault::FieldOverflow => Fault::ZoneOverflow,
            other => other,
        })
    };
    let mut parts = digits.split(':');
    let first = parts.next().unwrap_or_default();
    let mut hour = part(first)?;
    let (mut minute, mut second) = (0, 0);
    if let Some(text) = parts.next() {
        minute = part(text)?;
        if let Some(text) = parts.next() {
            second = part(text)?;
        }
    } else if first.len() > 2 {
        minute = hour % 100;
        hour /= 100;
    }
    if parts.next().is_some() {
        return Err(Fault::Format);
    }
    if !(0..=15).contains(&hour) || !(0..60).contains(&minute) || !(0..60).contains(&second) {
        return Err(Fault::ZoneOverflow);
    }
    let offset = (hour * 60 + minute) * 60 + second;
    Ok(if negative { -offset } else { offset })
}

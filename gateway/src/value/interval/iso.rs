//! ISO 8601 durations: `P1Y2M3DT4H5M6S`, `P0001-02-03T04:05:06`.

use super::super::datetime::{Fault, Unit};
use super::input::{Sum, parse_fraction};

/// A number with its fraction, and the text behind it.
type Number<'a> = (i64, f64, &'a str);

pub(super) fn decode(text: &str) -> Result<Sum, Fault> {
    let mut rest = text.strip_prefix('P').ok_or(Fault::Format)?;
    if rest.is_empty() {
        return Err(Fault::Format);
    }
    let mut sum = Sum::default();
    let mut in_time = false;
    let mut any = false;
    while !rest.is_empty() {
        if let Some(time) = rest.strip_prefix('T') {
            in_time = true;
            any = false;
            rest = time;
            continue;
        }
        let (value, fraction, behind) = number(rest)?;
        let mark = behind.chars().next();
        let after = behind.get(1..).unwrap_or_default();
        let unit = match (in_time, mark) {
            (false, Some('Y')) => Unit::Year,
            (false, Some('M')) => Unit::Month,
            (false, Some('W')) => Unit::Week,
            (false, Some('D')) => Unit::Day,
            (true, Some('H')) => Unit::Hour,
            (true, Some('M')) => Unit::Minute,
            (true, Some('S')) => Unit::Second,
            (false, None | Some('T' | '-')) if !any => {
                rest = alternative_date(&mut sum, (value, fraction, behind), digits(rest) == 8)?;
                continue;
            }
            (true, None | Some(':')) if !any => {
                alternative_time(&mut sum, (value, fraction, behind), digits(rest) == 6)?;
                return Ok(sum);
            }
            _ => return Err(Fault::Format),
        };
        sum.add(value, fraction, unit)?;
        any = true;
        rest = after;
    }
    Ok(sum)
}

/// `0001-02-03` or `00010203`, up to `T` or the end.
fn alternative_date<'a>(sum: &mut Sum, first: Number<'a>, is_whole: bool) -> Result<&'a str, Fault> {
    let (value, fraction, mut rest) = first;
    if !rest.starts_with('-') {
        // Without separators: year, month and day in eight digits; else days are not said: years.
        if rest.is_empty() || rest.starts_with('T') {
            if is_whole {
                sum.add(value / 10_000, 0.0, Unit::Year)?;
                sum.add(value / 100 % 100, 0.0, Unit::Month)?;
                sum.add(value % 100, 0.0, Unit::Day)?;
                sum.add(0, fraction, Unit::Day)?;
                return Ok(rest);
            }
            sum.add(value, fraction, Unit::Year)?;
        }
        return Ok(rest);
    }
    sum.add(value, fraction, Unit::Year)?;
    for unit in [Unit::Month, Unit::Day] {
        let Some(next) = rest.strip_prefix('-') else {
            break;
        };
        let (value, fraction, behind) = number(next)?;
        sum.add(value, fraction, unit)?;
        rest = behind;
    }
    if rest.is_empty() || rest.starts_with('T') { Ok(rest) } else { Err(Fault::Format) }
}

/// `04:05:06` or `040506`, to the end.
fn alternative_time(sum: &mut Sum, first: Number<'_>, is_whole: bool) -> Result<(), Fault> {
    let (value, fraction, mut rest) = first;
    if rest.is_empty() {
        if is_whole {
            sum.add(value / 10_000, 0.0, Unit::Hour)?;
            sum.add(value / 100 % 100, 0.0, Unit::Minute)?;
            return sum.add(value % 100, fraction, Unit::Second);
        }
        return sum.add(value, fraction, Unit::Hour);
    }
    sum.add(value, fraction, Unit::Hour)?;
    for unit in [Unit::Minute, Unit::Second] {
        let Some(next) = rest.strip_prefix(':') else {
            break;
        };
        let (value, fraction, behind) = number(next)?;
        sum.add(value, fraction, unit)?;
        rest = behind;
    }
    if rest.is_empty() { Ok(()) } else { Err(Fault::Format) }
}

/// How many digits a number begins with.
fn digits(text: &str) -> usize {
    text.trim_start_matches('-').bytes().take_while(u8::is_ascii_digit).count()
}

fn number(text: &str) -> Result<Number<'_>, Fault> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    let (whole, mut rest) = digits.split_at(end);
    let mut fraction = 0.0;
    if rest.starts_with('.') {
        let end = rest.get(1..).and_then(|r| r.find(|c: char| !c.is_ascii_digit())).map_or(rest.len(), |n| n + 1);
        let (shown, behind) = rest.split_at(end);
        if whole.is_empty() && shown.len() == 1 {
            return Err(Fault::Format);
        }
        fraction = parse_fraction(shown)?;
        rest = behind;
    } else if whole.is_empty() {
        return Err(Fault::Format);
    }
    let value: i64 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| Fault::FieldOverflow)? };
    Ok(if negative { (-value, -fraction, rest) } else { (value, fraction, rest) })
}

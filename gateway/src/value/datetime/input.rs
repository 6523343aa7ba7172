//! `date_in`, `time_in`, `timestamp_in`, `timestamptz_in`.

use super::civil::{DAY_MICROS, UNIX_EPOCH_JULIAN, days_from_civil, days_of_month};
use super::decode::{DATE, Decoder, Pieces, Special, Zone};
use super::fields::split;
use super::parts::Fault;
use crate::value::context::ValueContext;
use crate::value::error::text as utf8;
use crate::wire::error::{PgError, PgResult, SqlState};

/// DuckDB's `infinity` of dates; the negative is `-infinity`.
pub(in crate::value) const DATE_INFINITY: i32 = i32::MAX;
/// DuckDB's `infinity` of timestamps; the negative is `-infinity`.
pub(in crate::value) const TIMESTAMP_INFINITY: i64 = i64::MAX;
/// The last day of 5874897, where Postgres' dates end.
const DATE_MAX: i64 = 2_147_483_493 - UNIX_EPOCH_JULIAN;
/// 4714-11-24 BC, where Postgres' dates begin.
const DATE_MIN: i64 = -UNIX_EPOCH_JULIAN;
/// The lake's last timestamp: 294247-01-10, a little after Postgres' own end, is where 64 bits end.
const TIMESTAMP_MAX: i64 = TIMESTAMP_INFINITY - 1;
const TIMESTAMP_MIN: i64 = DATE_MIN * DAY_MICROS;

/// Days since 1970.
#[inline]
pub(in crate::value) fn parse_date(text: &[u8], ctx: &ValueContext) -> PgResult<i32> {
    if let Some(days) = iso_date(text) {
        return Ok(days);
    }
    let shown = utf8(text)?;
    let pieces = decode(shown, ctx, false, "date")?;
    let days = match pieces.special {
        Some(Special::Infinity) => return Ok(DATE_INFINITY),
        Some(Special::NegativeInfinity) => return Ok(-DATE_INFINITY),
        special => local_days(&pieces, special, ctx),
    };
    check_date(days).map_err(|e| e.unwrap_or_else(|| range("date", shown)))
}

/// Microseconds since midnight.
pub(in crate::value) fn parse_time(text: &[u8], ctx: &ValueContext) -> PgResult<i64> {
    let shown = utf8(text)?;
    let pieces = decode(shown, ctx, true, "time")?;
    if pieces.special == Some(Special::Now) {
        return Ok(local_now(ctx).rem_euclid(DAY_MICROS));
    }
    if let Some(Zone::Named(zone)) = &pieces.zone
        && zone.fixed_offset().is_none()
        && pieces.seen & DATE != DATE
    {
        return Err(fault(&Fault::Format, shown, "time"));
    }
    Ok(time_of_day(&pieces))
}

/// Microseconds since midnight, and the zone in seconds east.
pub(in crate::value) fn parse_timetz(text: &[u8], ctx: &ValueContext) -> PgResult<(i64, i32)> {
    let shown = utf8(text)?;
    let pieces = decode(shown, ctx, true, "time with time zone")?;
    let utc = ctx.now.timestamp_micros();
    let now = local_now(ctx);
    if pieces.special == Some(Special::Now) {
        return Ok((now.rem_euclid(DAY_MICROS), ctx.time_zone.offset_at(utc)));
    }
    let dated = pieces.seen & DATE == DATE;
    let time = time_of_day(&pieces);
    let days = if dated { local_days(&pieces, None, ctx) } else { now.div_euclid(DAY_MICROS) };
    let local = clamp(i128::from(days) * i128::from(DAY_MICROS) + i128::from(time));
    let east = match &pieces.zone {
        Some(Zone::Offset(east)) => *east,
        Some(Zone::Named(zone)) if dated => zone.offset_of_local(local),
        Some(Zone::Named(zone)) => {
            zone.fixed_offset().ok_or_else(|| fault(&Fault::Format, shown, "time with time zone"))?
        }
        None => ctx.time_zone.offset_of_local(local),
    };
    Ok((time, east))
}

/// Microseconds since 1970, local.
#[inline]
pub(in crate::value) fn parse_timestamp(text: &[u8], ctx: &ValueContext) -> PgResult<i64> {
    if let Some(micros) = iso_timestamp(text) {
        return Ok(micros);
    }
    let shown = utf8(text)?;
    let pieces = decode(shown, ctx, false, "timestamp")?;
    timestamp(&pieces, shown, ctx, |_, local| local)
}

/// Microseconds since 1970, UTC.
#[inline]
pub(in crate::value) fn parse_timestamptz(text: &[u8], ctx: &ValueContext) -> PgResult<i64> {
    if let Some(local) = iso_timestamp(text) {
        let offset = i64::from(ctx.time_zone.offset_of_local(local)) * 1_000_000;
        return Ok(local - offset);
    }
    if let Some(utc) = iso_timestamptz(text) {
        return Ok(utc);
    }
    let shown = utf8(text)?;
    let pieces = decode(shown, ctx, false, "timestamp with time zone")?;
    timestamp(&pieces, shown, ctx, |pieces, local| {
        let offset = match &pieces.zone {
            Some(Zone::Offset(east)) => *east,
            Some(Zone::Named(zone)) => zone.offset_of_local(clamp(local)),
            None => ctx.time_zone.offset_of_local(clamp(local)),
        };
        local - i128::from(offset) * 1_000_000
    })
}

fn clamp(micros: i128) -> i64 {
    i64::try_from(micros).unwrap_or(if micros < 0 { i64::MIN } else { i64::MAX })
}

fn timestamp(
    pieces: &Pieces,
    shown: &str,
    ctx: &ValueContext,
    to_utc: impl Fn(&Pieces, i128) -> i128,
) -> PgResult<i64> {
    match pieces.special {
        Some(Special::Infinity) => return Ok(TIMESTAMP_INFINITY),
        Some(Special::NegativeInfinity) => return Ok(-TIMESTAMP_INFINITY),
        Some(Special::Epoch) => return Ok(0),
        _ => {}
    }
    let (days, time) = match pieces.special {
        Some(Special::Now) => {
            let now = local_now(ctx);
            (now.div_euclid(DAY_MICROS), now.rem_euclid(DAY_MICROS))
        }
        special => (local_days(pieces, special, ctx), time_of_day(pieces)),
    };
    let local = i128::from(days) * i128::from(DAY_MICROS) + i128::from(time);
    let micros = to_utc(pieces, local);
    check_timestamp(micros).ok_or_else(|| range("timestamp", shown))
}

/// The value, if a lake and Postgres hold it.
pub(in crate::value) fn check_timestamp(micros: i128) -> Option<i64> {
    let range = i128::from(TIMESTAMP_MIN)..=i128::from(TIMESTAMP_MAX);
    range.contains(&micros).then(|| clamp(micros))
}

/// The value, if Postgres holds it; the error is the caller's.
pub(in crate::value) fn check_date(days: i64) -> Result<i32, Option<PgError>> {
    if !(DATE_MIN..=DATE_MAX).contains(&days) {
        return Err(None);
    }
    i32::try_from(days).map_err(|_| None)
}

fn local_now(ctx: &ValueContext) -> i64 {
    let utc = ctx.now.timestamp_micros();
    utc + i64::from(ctx.time_zone.offset_at(utc)) * 1_000_000
}

fn local_days(pieces: &Pieces, special: Option<Special>, ctx: &ValueContext) -> i64 {
    let today = || local_now(ctx).div_euclid(DAY_MICROS);
    match special {
        Some(Special::Now | Special::Today) => today(),
        Some(Special::Yesterday) => today() - 1,
        Some(Special::Tomorrow) => today() + 1,
        Some(Special::Epoch) => 0,
        _ => days_from_civil(pieces.year, pieces.month, pieces.day),
    }
}

fn time_of_day(p: &Pieces) -> i64 {
    ((p.hour * 60 + p.minute) * 60 + p.second) * 1_000_000 + p.micros
}

fn decode(shown: &str, ctx: &ValueContext, time_only: bool, type_name: &str) -> PgResult<Pieces> {
    let fields = split(shown).ok_or_else(|| fault(&Fault::Format, shown, type_name))?;
    let pieces = Decoder::new(&fields, ctx.date_order, time_only).decode();
    pieces.map_err(|f| fault(&f, shown, type_name))
}

fn range(what: &str, shown: &str) -> PgError {
    PgError::new(SqlState::DATETIME_FIELD_OVERFLOW, format!("{what} out of range: \"{shown}\""))
}

/// Postgres' words for a fault.
#[cold]
pub(in crate::value) fn fault(fault: &Fault, shown: &str, type_name: &str) -> PgError {
    let field =
        || PgError::new(SqlState::DATETIME_FIELD_OVERFLOW, format!("date/time field value out of range: \"{shown}\""));
    match fault {
        Fault::Format => PgError::new(
            SqlState::INVALID_DATETIME_FORMAT,
            format!("invalid input syntax for type {type_name}: \"{shown}\""),
        ),
        Fault::FieldOverflow => field(),
        Fault::MonthOrDayOverflow => field().hint("Perhaps you need a different \"datestyle\" setting."),
        Fault::ZoneOverflow => PgError::new(
            SqlState::INVALID_TIME_ZONE_DISPLACEMENT,
            format!("time zone displacement out of range: \"{shown}\""),
        ),
        Fault::UnknownZone(zone) => {
            PgError::new(SqlState::INVALID_PARAMETER_VALUE, format!("time zone \"{zone}\" not recognized"))
        }
    }
}

fn two(a: u8, b: u8) -> Option<i64> {
    let (a, b) = (a.wrapping_sub(b'0'), b.wrapping_sub(b'0'));
    (a <= 9 && b <= 9).then(|| i64::from(a) * 10 + i64::from(b))
}

/// `YYYY-MM-DD`, the form of data files; none for anything else, wrong dates too.
#[inline]
fn iso_date(text: &[u8]) -> Option<i32> {
    let &[a, b, c, d, b'-', e, f, b'-', g, h] = text else {
        return None;
    };
    let year = two(a, b)? * 100 + two(c, d)?;
    let (month, day) = (two(e, f)?, two(g, h)?);
    if year == 0 || !(1..=12).contains(&month) || day == 0 || day > days_of_month(year, month) {
        return None;
    }
    i32::try_from(days_from_civil(year, month, day)).ok()
}

/// `YYYY-MM-DD HH:MM:SS[.f{1,6}]`; none for anything else.
#[inline]
fn iso_timestamp(text: &[u8]) -> Option<i64> {
    let (date, time) = text.split_at_checked(10)?;
    let days = iso_date(date)?;
    let (&[b' ' | b'T', a, b, b':', c, d, b':', e, f], rest) = time.split_first_chunk::<9>()? else {
        return None;
    };
    let (hour, minute, second) = (two(a, b)?, two(c, d)?, two(e, f)?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let mut micros = 0;
    if let [b'.', digits @ ..] = rest {
        if digits.is_empty() || digits.len() > 6 {
            return None;
        }
        for i in 0..6 {
            let digit = digits.get(i).map_or(0, |b| b.wrapping_sub(b'0'));
            if digit > 9 {
                return None;
            }
            micros = micros * 10 + i64::from(digit);
        }
    } else if !rest.is_empty() {
        return None;
    }
    Some(i64::from(days) * DAY_MICROS + ((hour * 60 + minute) * 60 + second) * 1_000_000 + micros)
}

/// The same with `+hh`, `+hh:mm` or `Z` behind it, as Postgres itself writes it.
#[inline]
fn iso_timestamptz(text: &[u8]) -> Option<i64> {
    let (_, time) = text.split_at_checked(19)?;
    let sign = time.iter().position(|b| matches!(b, b'+' | b'-' | b'Z'))? + 19;
    let (local, zone) = text.split_at_checked(sign)?;
    let local = iso_timestamp(local)?;
    let seconds = match *zone {
        [b'Z'] => 0,
        [_, a, b] => two(a, b)? * 3600,
        [_, a, b, b':', c, d] => two(a, b)? * 3600 + two(c, d)? * 60,
        _ => return None,
    };
    // Larger ones are errors, which the general form words.
    if seconds > 15 * 3600 + 59 * 60 || matches!(zone, [_, _, _, _, b'6'..=b'9', _]) {
        return None;
    }
    Some(if zone.first() == Some(&b'-') { local + seconds * 1_000_000 } else { local - seconds * 1_000_000 })
}

//! `date_out`, `time_out`, `timestamp_out`, `timestamptz_out`, `timetz_out`.

use bytes::{BufMut, BytesMut};

use super::civil::{DAY_MICROS, civil_from_days, weekday};
use super::input::{DATE_INFINITY, TIMESTAMP_INFINITY};
use crate::value::context::{DateOrder, DateStyle, ValueContext};
use crate::value::digits::{write_fraction, write_padded, write_two};

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

/// Days since 1970.
pub(in crate::value) fn write_date(days: i32, ctx: &ValueContext, out: &mut BytesMut) {
    if infinite(i64::from(days), i64::from(DATE_INFINITY), out) {
        return;
    }
    let (year, month, day) = civil_from_days(days.into());
    match ctx.date_style {
        DateStyle::Iso => iso_date(year, month, day, out),
        style => numeric_date(style, ctx.date_order, year, month, day, out),
    }
    era(year, out);
}

/// Microseconds since midnight.
pub(in crate::value) fn write_time(micros: i64, out: &mut BytesMut) {
    let seconds = u32::try_from(micros / 1_000_000).unwrap_or(0);
    write_two(seconds / 3600, out);
    out.put_u8(b':');
    write_two(seconds / 60 % 60, out);
    out.put_u8(b':');
    write_two(seconds % 60, out);
    write_fraction(u32::try_from(micros % 1_000_000).unwrap_or(0), out);
}

/// Microseconds since midnight with an offset in seconds east.
pub(in crate::value) fn write_timetz(micros: i64, east: i32, out: &mut BytesMut) {
    write_time(micros, out);
    offset(east, out);
}

/// Microseconds since 1970.
pub(in crate::value) fn write_timestamp(micros: i64, ctx: &ValueContext, out: &mut BytesMut) {
    if !infinite(micros, TIMESTAMP_INFINITY, out) {
        date_and_time(micros, None, ctx, out);
    }
}

/// Microseconds since 1970 UTC, shown in the session's zone.
pub(in crate::value) fn write_timestamptz(micros: i64, ctx: &ValueContext, out: &mut BytesMut) {
    if !infinite(micros, TIMESTAMP_INFINITY, out) {
        let east = ctx.time_zone.offset_at(micros);
        date_and_time(micros.saturating_add(i64::from(east) * 1_000_000), Some((east, micros)), ctx, out);
    }
}

fn infinite(value: i64, infinity: i64, out: &mut BytesMut) -> bool {
    if value == infinity {
        out.put_slice(b"infinity");
    } else if value <= -infinity {
        out.put_slice(b"-infinity");
    } else {
        return false;
    }
    true
}

fn date_and_time(local: i64, zone: Option<(i32, i64)>, ctx: &ValueContext, out: &mut BytesMut) {
    let days = local.div_euclid(DAY_MICROS);
    let time = local.rem_euclid(DAY_MICROS);
    let (year, month, day) = civil_from_days(days);
    match ctx.date_style {
        DateStyle::Iso => {
            iso_date(year, month, day, out);
            out.put_u8(b' ');
            write_time(time, out);
        }
        DateStyle::Postgres => {
            let month = usize::try_from(month).ok().and_then(|m| MONTHS.get(m.wrapping_sub(1))).unwrap_or(&"");
            out.put_slice(WEEKDAYS.get(weekday(days)).unwrap_or(&"").as_bytes());
            out.put_u8(b' ');
            if ctx.date_order == DateOrder::Dmy {
                write_two(day, out);
                out.put_u8(b' ');
                out.put_slice(month.as_bytes());
            } else {
                out.put_slice(month.as_bytes());
                out.put_u8(b' ');
                write_two(day, out);
            }
            out.put_u8(b' ');
            write_time(time, out);
            out.put_u8(b' ');
            write_year(year, out);
        }
        style => {
            let order = if style == DateStyle::German { DateOrder::Dmy } else { ctx.date_order };
            let mark = if style == DateStyle::German { b'.' } else { b'/' };
            day_and_month(order, month, day, mark, out);
            write_year(year, out);
            out.put_u8(b' ');
            write_time(time, out);
        }
    }
    if let Some((east, utc)) = zone {
        if ctx.date_style == DateStyle::Iso {
            offset(east, out);
        } else {
            out.put_u8(b' ');
            out.put_slice(ctx.time_zone.abbreviation_at(utc).as_bytes());
        }
    }
    era(year, out);
}

fn iso_date(year: i64, month: u32, day: u32, out: &mut BytesMut) {
    write_year(year, out);
    out.put_u8(b'-');
    write_two(month, out);
    out.put_u8(b'-');
    write_two(day, out);
}

fn numeric_date(style: DateStyle, order: DateOrder, year: i64, month: u32, day: u32, out: &mut BytesMut) {
    let (mark, order) = match style {
        DateStyle::German => (b'.', DateOrder::Dmy),
        DateStyle::Sql => (b'/', order),
        _ => (b'-', order),
    };
    day_and_month(order, month, day, mark, out);
    write_year(year, out);
}

fn day_and_month(order: DateOrder, month: u32, day: u32, mark: u8, out: &mut BytesMut) {
    let (first, second) = if order == DateOrder::Dmy { (day, month) } else { (month, day) };
    write_two(first, out);
    out.put_u8(mark);
    write_two(second, out);
    out.put_u8(mark);
}

/// Four digits at least; years before 1 count backwards, `era` says so.
fn write_year(year: i64, out: &mut BytesMut) {
    let shown = if year > 0 { year } else { 1 - year }.unsigned_abs();
    if shown < 10_000 {
        let shown = u32::try_from(shown).unwrap_or(0);
        write_two(shown / 100, out);
        write_two(shown % 100, out);
    } else {
        write_padded(shown, 4, out);
    }
}

fn era(year: i64, out: &mut BytesMut) {
    if year <= 0 {
        out.put_slice(b" BC");
    }
}

/// `+01`, `-03:30`, `+00:09:21`.
fn offset(east: i32, out: &mut BytesMut) {
    out.put_u8(if east < 0 { b'-' } else { b'+' });
    let seconds = east.unsigned_abs();
    write_padded((seconds / 3600).into(), 2, out);
    let (minutes, seconds) = (seconds / 60 % 60, seconds % 60);
    if minutes != 0 || seconds != 0 {
        out.put_u8(b':');
        write_two(minutes, out);
    }
    if seconds != 0 {
        out.put_u8(b':');
        write_two(seconds, out);
    }
}

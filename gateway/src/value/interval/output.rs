//! `interval_out` in its four styles.

use bytes::{BufMut, BytesMut};

use super::super::context::IntervalStyle;
use super::super::digits::{write_fraction, write_integer, write_padded};
use super::Interval;

/// Years, months, days, hours, minutes, seconds and microseconds, each with its sign.
struct Parts {
    years: i64,
    months: i64,
    days: i64,
    hours: i64,
    minutes: i64,
    seconds: i64,
    micros: i64,
}

impl Parts {
    fn of(i: Interval) -> Self {
        Self {
            years: (i.months / 12).into(),
            months: (i.months % 12).into(),
            days: i.days.into(),
            hours: i.micros / 3_600_000_000,
            minutes: i.micros / 60_000_000 % 60,
            seconds: i.micros / 1_000_000 % 60,
            micros: i.micros % 1_000_000,
        }
    }

    fn has_time(&self) -> bool {
        self.hours != 0 || self.minutes != 0 || self.seconds != 0 || self.micros != 0
    }

    fn time_is_negative(&self) -> bool {
        self.hours < 0 || self.minutes < 0 || self.seconds < 0 || self.micros < 0
    }
}

/// Writes an interval.
pub(in crate::value) fn write(interval: Interval, style: IntervalStyle, out: &mut BytesMut) {
    let parts = Parts::of(interval);
    match style {
        IntervalStyle::Postgres => postgres(&parts, out),
        IntervalStyle::PostgresVerbose => verbose(&parts, out),
        IntervalStyle::SqlStandard => sql_standard(&parts, out),
        IntervalStyle::Iso8601 => iso(&parts, out),
    }
}

/// `05.5`, padded to two digits if asked.
fn seconds(seconds: i64, micros: i64, pad: bool, out: &mut BytesMut) {
    if pad {
        write_padded(seconds.unsigned_abs(), 2, out);
    } else {
        write_integer(seconds.abs(), out);
    }
    write_fraction(u32::try_from(micros.unsigned_abs()).unwrap_or(0), out);
}

fn postgres(p: &Parts, out: &mut BytesMut) {
    let mut first = true;
    let mut before_negative = false;
    for (value, unit) in [(p.years, "year"), (p.months, "mon"), (p.days, "day")] {
        if value == 0 {
            continue;
        }
        if !first {
            out.put_u8(b' ');
        }
        // A plus only tells it from a negative part before it.
        if before_negative && value > 0 {
            out.put_u8(b'+');
        }
        write_integer(value, out);
        out.put_u8(b' ');
        out.put_slice(unit.as_bytes());
        if value != 1 {
            out.put_u8(b's');
        }
        before_negative = value < 0;
        first = false;
    }
    if first || p.has_time() {
        if !first {
            out.put_u8(b' ');
        }
        if p.time_is_negative() {
            out.put_u8(b'-');
        } else if before_negative {
            out.put_u8(b'+');
        }
        write_padded(p.hours.unsigned_abs(), 2, out);
        out.put_u8(b':');
        write_padded(p.minutes.unsigned_abs(), 2, out);
        out.put_u8(b':');
        seconds(p.seconds, p.micros, true, out);
    }
}

fn verbose(p: &Parts, out: &mut BytesMut) {
    out.put_u8(b'@');
    // The first part's sign becomes `ago`, the others are turned round with it.
    let mut ago: Option<bool> = None;
    let units = [(p.years, "year"), (p.months, "mon"), (p.days, "day"), (p.hours, "hour"), (p.minutes, "min")];
    for (value, unit) in units {
        if value == 0 {
            continue;
        }
        let shown = if *ago.get_or_insert(value < 0) { -value } else { value };
        out.put_u8(b' ');
        write_integer(shown, out);
        out.put_u8(b' ');
        out.put_slice(unit.as_bytes());
        if shown != 1 {
            out.put_u8(b's');
        }
    }
    if p.seconds != 0 || p.micros != 0 {
        let below_zero = p.seconds < 0 || p.micros < 0;
        let negative = *ago.get_or_insert(below_zero);
        out.put_u8(b' ');
        if below_zero != negative {
            out.put_u8(b'-');
        }
        seconds(p.seconds, p.micros, false, out);
        let one = p.seconds.abs() == 1 && p.micros == 0;
        out.put_slice(if one { b" sec" } else { b" secs" });
    }
    match ago {
        None => out.put_slice(b" 0"),
        Some(true) => out.put_slice(b" ago"),
        Some(false) => {}
    }
}

fn sql_standard(p: &Parts, out: &mut BytesMut) {
    let all = [p.years, p.months, p.days, p.hours, p.minutes, p.seconds, p.micros];
    let negative = all.iter().any(|v| *v < 0);
    let positive = all.iter().any(|v| *v > 0);
    let has_months = p.years != 0 || p.months != 0;
    let has_day = p.days != 0;
    let has_time = p.has_time();
    let clock = |out: &mut BytesMut| {
        write_integer(p.hours.abs(), out);
        out.put_u8(b':');
        write_padded(p.minutes.unsigned_abs(), 2, out);
        out.put_u8(b':');
        seconds(p.seconds, p.micros, true, out);
    };
    if !negative && !positive {
        out.put_u8(b'0');
    } else if negative && positive || has_months && (has_day || has_time) {
        // Signs on every part, because SQL has no value like this.
        let sign = |below: bool| if below { b'-' } else { b'+' };
        out.put_u8(sign(p.years < 0 || p.months < 0));
        write_integer(p.years.abs(), out);
        out.put_u8(b'-');
        write_integer(p.months.abs(), out);
        out.put_u8(b' ');
        out.put_u8(sign(p.days < 0));
        write_integer(p.days.abs(), out);
        out.put_u8(b' ');
        out.put_u8(sign(p.time_is_negative()));
        clock(out);
    } else {
        if negative {
            out.put_u8(b'-');
        }
        if has_months {
            write_integer(p.years.abs(), out);
            out.put_u8(b'-');
            write_integer(p.months.abs(), out);
        } else {
            if has_day {
                write_integer(p.days.abs(), out);
                out.put_u8(b' ');
            }
            clock(out);
        }
    }
}

fn iso(p: &Parts, out: &mut BytesMut) {
    let part = |value: i64, unit: u8, out: &mut BytesMut| {
        if value != 0 {
            write_integer(value, out);
            out.put_u8(unit);
        }
    };
    out.put_u8(b'P');
    part(p.years, b'Y', out);
    part(p.months, b'M', out);
    part(p.days, b'D', out);
    let nothing = p.years == 0 && p.months == 0 && p.days == 0;
    if !p.has_time() {
        if nothing {
            out.put_slice(b"T0S");
        }
        return;
    }
    out.put_u8(b'T');
    part(p.hours, b'H', out);
    part(p.minutes, b'M', out);
    if p.seconds != 0 || p.micros != 0 {
        if p.seconds < 0 || p.micros < 0 {
            out.put_u8(b'-');
        }
        seconds(p.seconds, p.micros, false, out);
        out.put_u8(b'S');
    }
}

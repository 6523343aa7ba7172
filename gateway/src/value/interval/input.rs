//! `interval_in`: all forms but ISO 8601's, which has its own file.

use duckmesh_catalog::types::modifier::{IntervalRange, interval_parts};

use super::super::context::{IntervalStyle, ValueContext};
use super::super::datetime::{Fault, Field, FieldKind, Unit, clock, fault, interval_unit, split};
use super::super::error::text as utf8;
use super::super::modifier::interval as fitted;
use super::{Interval, out_of_range};
use crate::wire::error::{PgError, PgResult, SqlState};

/// An interval while it is added up.
#[derive(Default)]
pub(super) struct Sum {
    pub years: i64,
    pub months: i64,
    pub days: i64,
    pub micros: i64,
}

/// One bit per unit; a unit may come once.
type Mask = u16;

const SECONDS: Mask = 0b111;

pub(super) fn unit_micros(unit: Unit) -> i64 {
    match unit {
        Unit::Microsecond => 1,
        Unit::Millisecond => 1_000,
        Unit::Second => 1_000_000,
        Unit::Minute => 60_000_000,
        _ => 3_600_000_000,
    }
}

fn mask(unit: Unit) -> Mask {
    match unit {
        Unit::Microsecond => 1,
        Unit::Millisecond => 1 << 1,
        Unit::Second => 1 << 2,
        Unit::Minute => 1 << 3,
        Unit::Hour => 1 << 4,
        Unit::Day => 1 << 5,
        Unit::Week => 1 << 6,
        Unit::Month => 1 << 7,
        Unit::Year => 1 << 8,
        Unit::Decade => 1 << 9,
        Unit::Century => 1 << 10,
        Unit::Millennium => 1 << 11,
        Unit::Ago => 0,
    }
}

/// Reads an interval; its modifier says what numbers without a unit are.
pub(in crate::value) fn parse(text: &[u8], modifier: Option<i32>, ctx: &ValueContext) -> PgResult<Interval> {
    let range = modifier.map_or(IntervalRange::ALL, |modifier| interval_parts(modifier).0);
    let value = read(text, range, ctx)?;
    Ok(modifier.map_or(value, |modifier| fitted(value, modifier)))
}

fn read(text: &[u8], range: IntervalRange, ctx: &ValueContext) -> PgResult<Interval> {
    let shown = utf8(text)?;
    let sum = split(shown)
        .ok_or(Fault::Format)
        .and_then(|fields| decode(&fields, range, ctx.interval_style))
        .or_else(|f| if f == Fault::Format { super::iso::decode(shown.trim_end()) } else { Err(f) })
        .map_err(|f| interval_fault(&f, shown))?;
    let part = |n: i64| i32::try_from(n).map_err(|_| interval_fault(&Fault::FieldOverflow, shown));
    let (years, months, days) = (part(sum.years)?, part(sum.months)?, part(sum.days)?);
    let months = i32::try_from(i64::from(years) * 12 + i64::from(months)).map_err(|_| out_of_range())?;
    Ok(Interval { months, days, micros: sum.micros })
}

fn interval_fault(f: &Fault, shown: &str) -> PgError {
    match f {
        Fault::FieldOverflow | Fault::MonthOrDayOverflow => {
            PgError::new(SqlState::INTERVAL_FIELD_OVERFLOW, format!("interval field value out of range: \"{shown}\""))
        }
        other => fault(other, shown, "interval"),
    }
}

/// The unit of a last number that has none.
fn bare_unit(range: IntervalRange) -> Unit {
    match range.last() {
        Some(IntervalRange::YEAR) => Unit::Year,
        Some(IntervalRange::MONTH) => Unit::Month,
        Some(IntervalRange::DAY) => Unit::Day,
        Some(IntervalRange::HOUR) => Unit::Hour,
        Some(IntervalRange::MINUTE) => Unit::Minute,
        _ => Unit::Second,
    }
}

/// From the last field to the first, so that units come before their numbers.
fn decode(fields: &[Field<'_>], range: IntervalRange, style: IntervalStyle) -> Result<Sum, Fault> {
    let signed = |field: &Field<'_>| field.1.starts_with(['-', '+']);
    // In SQL's style one sign in front is the sign of all.
    let force_negative = style == IntervalStyle::SqlStandard
        && fields.first().is_some_and(|f| f.1.starts_with('-'))
        && !fields.iter().skip(1).any(signed);
    let mut sum = Sum::default();
    let mut seen: Mask = 0;
    let mut unit: Option<Unit> = None;
    let mut ago = false;
    for (kind, field) in fields.iter().rev() {
        let new = match kind {
            FieldKind::Time => {
                unit = Some(Unit::Day);
                sum.clock(field, range, force_negative)?;
                TIME
            }
            FieldKind::Zone if field.contains(':') && sum.signed_clock(field, range, force_negative).is_ok() => {
                unit = Some(Unit::Day);
                TIME
            }
            FieldKind::Zone | FieldKind::Date | FieldKind::Number => {
                let of = unit.unwrap_or_else(|| bare_unit(range));
                let (of, new) = sum.number(field, of, force_negative)?;
                // After hours, days may follow without their unit.
                unit = Some(if of == Unit::Hour { Unit::Day } else { of });
                new
            }
            FieldKind::Word | FieldKind::Special => {
                // PostgreSQL 15 takes a unit that no number uses; after `ago` a number needs one.
                let found = interval_unit(field).ok_or(Fault::Format)?;
                ago |= found == Unit::Ago;
                unit = Some(found);
                0
            }
        };
        if new & seen != 0 {
            return Err(Fault::Format);
        }
        seen |= new;
    }
    if seen == 0 {
        return Err(Fault::Format);
    }
    if ago { sum.negate() } else { Ok(sum) }
}

/// Hours, minutes and seconds, as a clock gives them.
const TIME: Mask = 1 << 2 | 1 << 3 | 1 << 4;

impl Sum {
    fn negate(self) -> Result<Self, Fault> {
        let negate = |n: i64| n.checked_neg().ok_or(Fault::FieldOverflow);
        Ok(Self {
            years: negate(self.years)?,
            months: negate(self.months)?,
            days: negate(self.days)?,
            micros: negate(self.micros)?,
        })
    }

    fn clock(&mut self, field: &str, range: IntervalRange, force_negative: bool) -> Result<(), Fault> {
        // `1:2` of minutes and seconds has no hours.
        let short = range == IntervalRange::MINUTE.and(IntervalRange::SECOND) && field.matches(':').count() == 1;
        let (hour, minute, second, micros) =
            if short && !field.contains('.') { clock(&format!("0:{field}"))? } else { clock(field)? };
        let total = hour
            .checked_mul(3_600_000_000)
            .and_then(|n| n.checked_add((minute * 60 + second) * 1_000_000 + micros))
            .ok_or(Fault::FieldOverflow)?;
        self.micros = if force_negative { -total } else { total };
        Ok(())
    }

    fn signed_clock(&mut self, field: &str, range: IntervalRange, force_negative: bool) -> Result<(), Fault> {
        self.clock(field.get(1..).unwrap_or_default(), range, force_negative)?;
        if field.starts_with('-') && self.micros > 0 {
            self.micros = -self.micros;
        }
        Ok(())
    }

    /// A number with its unit; answers the unit it was taken for and what is seen with it.
    fn number(&mut self, field: &str, unit: Unit, force_negative: bool) -> Result<(Unit, Mask), Fault> {
        let digits = field.trim_start_matches(['-', '+']);
        let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
        let (whole, rest) = digits.split_at(end);
        let negative = field.starts_with('-');
        let mut value: i64 = match whole {
            // strtol() leaves the sign where no digit follows it.
            "" if rest.starts_with('.') && digits.len() == field.len() => 0,
            "" => return Err(Fault::Format),
            _ => whole.parse().map_err(|_| Fault::FieldOverflow)?,
        };
        if negative {
            value = -value;
        }
        let mut fraction = 0.0;
        let mut unit = unit;
        match rest.as_bytes().first() {
            None => {}
            Some(b'-') => {
                // `1-2`: years and months.
                let months = rest.get(1..).unwrap_or_default();
                if months.is_empty() || !months.bytes().all(|b| b.is_ascii_digit()) {
                    return Err(Fault::Format);
                }
                let months: i64 = months.parse().ok().filter(|m| *m < 12).ok_or(Fault::FieldOverflow)?;
                let months = if negative { -months } else { months };
                value = value.checked_mul(12).and_then(|v| v.checked_add(months)).ok_or(Fault::FieldOverflow)?;
                unit = Unit::Month;
            }
            Some(b'.') => {
                fraction = parse_fraction(rest)?;
                if negative {
                    fraction = -fraction;
                }
            }
            Some(_) => return Err(Fault::Format),
        }
        if force_negative {
            value = -value.abs();
            fraction = -f64::abs(fraction);
        }
        self.add(value, fraction, unit)?;
        let seconds = unit == Unit::Second && fraction != 0.0;
        Ok((unit, if seconds { SECONDS } else { mask(unit) }))
    }

    /// Adds a number of a unit with its fraction.
    pub fn add(&mut self, value: i64, fraction: f64, unit: Unit) -> Result<(), Fault> {
        let add = |to: &mut i64, value: i64, scale: i64| {
            *to = value.checked_mul(scale).and_then(|v| to.checked_add(v)).ok_or(Fault::FieldOverflow)?;
            Ok(())
        };
        match unit {
            Unit::Microsecond | Unit::Millisecond | Unit::Second | Unit::Minute | Unit::Hour => {
                add(&mut self.micros, value, unit_micros(unit))?;
                self.add_fraction_of_micros(fraction, unit_micros(unit))
            }
            Unit::Day => {
                add(&mut self.days, value, 1)?;
                self.add_fraction_of_micros(fraction, super::super::datetime::civil::DAY_MICROS)
            }
            Unit::Week => {
                add(&mut self.days, value, 7)?;
                self.add_fraction_of_days(fraction, 7)
            }
            Unit::Month => {
                add(&mut self.months, value, 1)?;
                self.add_fraction_of_days(fraction, 30)
            }
            Unit::Year | Unit::Decade | Unit::Century | Unit::Millennium => {
                let scale = match unit {
                    Unit::Year => 1,
                    Unit::Decade => 10,
                    Unit::Century => 100,
                    _ => 1000,
                };
                add(&mut self.years, value, scale)?;
                #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)]
                let months = (fraction * (scale * 12) as f64).round_ties_even() as i64;
                add(&mut self.months, months, 1)
            }
            Unit::Ago => Err(Fault::Format),
        }
    }

    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)]
    fn add_fraction_of_micros(&mut self, fraction: f64, scale: i64) -> Result<(), Fault> {
        let exact = fraction * scale as f64;
        let whole = exact.trunc();
        let rest = exact - whole;
        let micros = whole as i64 + i64::from(rest > 0.5) - i64::from(rest < -0.5);
        self.micros = self.micros.checked_add(micros).ok_or(Fault::FieldOverflow)?;
        Ok(())
    }

    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)]
    fn add_fraction_of_days(&mut self, fraction: f64, scale: i64) -> Result<(), Fault> {
        let exact = fraction * scale as f64;
        let whole = exact.trunc();
        self.days = self.days.checked_add(whole as i64).ok_or(Fault::FieldOverflow)?;
        self.add_fraction_of_micros(exact - whole, super::super::datetime::civil::DAY_MICROS)
    }
}

/// `.5`; a point alone is 0.
pub(super) fn parse_fraction(text: &str) -> Result<f64, Fault> {
    let digits = text.strip_prefix('.').ok_or(Fault::Format)?;
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Fault::Format);
    }
    if digits.is_empty() { Ok(0.0) } else { text.parse().map_err(|_| Fault::Format) }
}

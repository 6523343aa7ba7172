//! Gives the fields of a date or time their meaning, in Postgres' order and with its rules.

use super::civil::{UNIX_EPOCH_JULIAN, civil_from_days, days_from_civil, days_of_month};
use super::fields::{Field, FieldKind};
use super::parts::{Decoded, Fault, clock, fraction, overflow_or_format, zone_offset};
use super::tokens::{self, DateUnit, Word};
use crate::value::context::DateOrder;
use crate::value::zone::TimeZone;

pub(super) const YEAR: u16 = 1;
pub(super) const MONTH: u16 = 1 << 1;
pub(super) const DAY: u16 = 1 << 2;
const HOUR: u16 = 1 << 3;
const MINUTE: u16 = 1 << 4;
const SECOND: u16 = 1 << 5;
pub(super) const ZONE: u16 = 1 << 6;
pub(super) const DAY_OF_YEAR: u16 = 1 << 7;
const AMPM: u16 = 1 << 8;
const ERA: u16 = 1 << 9;
const WEEKDAY: u16 = 1 << 10;
const DST: u16 = 1 << 11;
const RESERVED: u16 = 1 << 12;
pub(super) const DATE: u16 = YEAR | MONTH | DAY;
pub(super) const TIME: u16 = HOUR | MINUTE | SECOND;

/// Where the zone of a timestamp comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Zone {
    /// Seconds east.
    Offset(i32),
    Named(TimeZone),
}

/// The day that a word means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Special {
    Now,
    Yesterday,
    Today,
    Tomorrow,
    Epoch,
    Infinity,
    NegativeInfinity,
}

/// A date and time of day in pieces.
#[derive(Clone, Debug, Default)]
pub(super) struct Pieces {
    pub year: i64,
    pub month: i64,
    pub day: i64,
    pub hour: i64,
    pub minute: i64,
    pub second: i64,
    pub micros: i64,
    pub zone: Option<Zone>,
    pub special: Option<Special>,
    /// Which of them are known.
    pub seen: u16,
}

/// A label that the next field needs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Label {
    Julian,
    IsoTime,
    Unit(DateUnit),
}

pub(super) struct Decoder<'a> {
    pub(super) order: DateOrder,
    /// `time`: numbers are hours first, a date is only tolerated.
    time_only: bool,
    fields: &'a [Field<'a>],
    pub(super) pieces: Pieces,
    pub(super) text_month: bool,
    julian: bool,
    pub(super) two_digits: bool,
    bc: bool,
    /// `Some(true)` is PM.
    pm: Option<bool>,
    pub(super) day_of_year: i64,
    dst: i32,
    label: Option<Label>,
}

impl<'a> Decoder<'a> {
    pub fn new(fields: &'a [Field<'a>], order: DateOrder, time_only: bool) -> Self {
        Self {
            order,
            time_only,
            fields,
            pieces: Pieces::default(),
            text_month: false,
            julian: false,
            two_digits: false,
            bc: false,
            pm: None,
            day_of_year: 0,
            dst: 0,
            label: None,
        }
    }

    pub fn decode(mut self) -> Decoded<Pieces> {
        for (i, (kind, field)) in self.fields.iter().enumerate() {
            let mask = match kind {
                FieldKind::Date => self.date_field(i, field)?,
                FieldKind::Time => self.time_field(field)?,
                FieldKind::Zone => {
                    self.pieces.zone = Some(Zone::Offset(zone_offset(field)?));
                    ZONE
                }
                FieldKind::Number => self.number_field(i, field)?,
                FieldKind::Word | FieldKind::Special => match self.word_field(i, field)? {
                    Some(mask) => mask,
                    None => continue,
                },
            };
            if mask & self.pieces.seen != 0 {
                return Err(Fault::Format);
            }
            self.pieces.seen |= mask;
        }
        // PostgreSQL 15 takes a label that nothing follows.
        self.finish()
    }

    fn finish(mut self) -> Decoded<Pieces> {
        let infinite =
            matches!(self.pieces.special, Some(Special::Epoch | Special::Infinity | Special::NegativeInfinity));
        if infinite {
            return Ok(self.pieces);
        }
        if self.pieces.special.is_none() {
            self.validate_date()?;
        }
        match self.pm {
            Some(_) if self.pieces.hour > 12 => return Err(Fault::FieldOverflow),
            Some(false) if self.pieces.hour == 12 => self.pieces.hour = 0,
            Some(true) if self.pieces.hour != 12 => self.pieces.hour += 12,
            _ => {}
        }
        let wanted = if self.time_only { TIME } else { DATE };
        if self.time_only && self.time_overflows() {
            return Err(Fault::FieldOverflow);
        }
        if self.pieces.seen & wanted != wanted {
            return Err(Fault::Format);
        }
        if self.pieces.seen & DST != 0 {
            match &mut self.pieces.zone {
                Some(Zone::Offset(east)) => *east += self.dst,
                _ => return Err(Fault::Format),
            }
        }
        Ok(self.pieces)
    }

    fn date_field(&mut self, i: usize, field: &str) -> Decoded<u16> {
        let starts_with_digit = field.as_bytes().first().is_some_and(u8::is_ascii_digit);
        if self.label == Some(Label::Julian) {
            let end = field.find(|c: char| !c.is_ascii_digit()).unwrap_or(field.len());
            self.julian_day(field.get(..end).unwrap_or_default())?;
            self.pieces.zone = Some(Zone::Offset(zone_offset(field.get(end..).unwrap_or_default())?));
            self.label = None;
            return Ok(DATE | TIME | ZONE);
        }
        let date_here = if self.time_only {
            let kind = |i: usize| self.fields.get(i).map(|f| f.0);
            i == 0
                && self.fields.len() >= 2
                && (kind(self.fields.len() - 1) == Some(FieldKind::Date) || kind(1) == Some(FieldKind::Time))
        } else {
            self.label.is_none() && self.pieces.seen & (MONTH | DAY) != MONTH | DAY
        };
        if date_here {
            return self.date(field);
        }
        if starts_with_digit || self.label.is_some() {
            // A concatenated time with its zone: `040506-08`.
            if self.label.take().is_some_and(|label| label != Label::IsoTime) || self.pieces.seen & TIME == TIME {
                return Err(Fault::Format);
            }
            let cut = field.find('-').ok_or(Fault::Format)?;
            let (time, zone) = field.split_at(cut);
            self.pieces.zone = Some(Zone::Offset(zone_offset(zone)?));
            return Ok(self.run_together(time, self.pieces.seen | if self.time_only { DATE } else { 0 })? | ZONE);
        }
        self.named_zone(field)?;
        Ok(ZONE)
    }

    fn named_zone(&mut self, name: &str) -> Decoded<()> {
        let zone = TimeZone::named(name).ok_or_else(|| Fault::UnknownZone(name.to_owned()))?;
        self.pieces.zone = Some(Zone::Named(zone));
        Ok(())
    }

    fn time_field(&mut self, field: &str) -> Decoded<u16> {
        if self.label.take().is_some_and(|label| label != Label::IsoTime) {
            return Err(Fault::Format);
        }
        let (hour, minute, second, micros) = clock(field)?;
        self.pieces.hour = hour;
        self.pieces.minute = minute;
        self.pieces.second = second;
        self.pieces.micros = micros;
        if self.time_overflows() {
            return Err(Fault::FieldOverflow);
        }
        Ok(TIME)
    }

    fn time_overflows(&self) -> bool {
        let p = &self.pieces;
        !(0..=24).contains(&p.hour)
            || !(0..=59).contains(&p.minute)
            || !(0..=60).contains(&p.second)
            || ((p.hour * 60 + p.minute) * 60 + p.second) * 1_000_000 + p.micros > super::civil::DAY_MICROS
    }

    fn number_field(&mut self, i: usize, field: &str) -> Decoded<u16> {
        match self.label.take() {
            Some(Label::Julian) => {
                let (whole, fraction) = field.split_once('.').unwrap_or((field, ""));
                self.julian_day(whole)?;
                if whole.len() == field.len() {
                    return Ok(DATE);
                }
                let day: f64 = format!("0.{fraction}").parse().map_err(|_| Fault::Format)?;
                #[allow(clippy::cast_possible_truncation)]
                self.set_time((day * 86_400_000_000.0) as i64);
                return Ok(DATE | TIME);
            }
            Some(Label::IsoTime) => {
                let mask = self.run_together(field, self.pieces.seen | DATE)?;
                return if mask == TIME { Ok(mask) } else { Err(Fault::Format) };
            }
            Some(Label::Unit(unit)) => return self.labelled(unit, field),
            None => {}
        }
        let seen = self.pieces.seen;
        let point = field.find('.');
        if self.time_only {
            let last_is_date = self.fields.last().is_some_and(|f| f.0 == FieldKind::Date);
            return match point {
                Some(_) if i == 0 && self.fields.len() >= 2 && last_is_date => self.date(field),
                Some(point) if point > 2 => self.run_together(field, seen | DATE),
                Some(_) => Err(Fault::Format),
                None if field.len() > 4 => self.run_together(field, seen | DATE),
                None => self.number(field, seen | DATE),
            };
        }
        match point {
            Some(_) if seen & DATE == 0 => self.date(field),
            Some(point) if point > 2 => self.run_together(field, seen),
            _ if field.len() >= 6 && (seen & DATE == 0 || seen & TIME == 0) => self.run_together(field, seen),
            _ => self.number(field, seen),
        }
    }

    fn julian_day(&mut self, digits: &str) -> Decoded<()> {
        let day: i32 = digits.parse().map_err(|_| Fault::FieldOverflow)?;
        self.julian = true;
        self.set_date(i64::from(day) - UNIX_EPOCH_JULIAN);
        Ok(())
    }

    fn set_date(&mut self, days: i64) {
        let (year, month, day) = civil_from_days(days);
        self.pieces.year = year;
        self.pieces.month = month.into();
        self.pieces.day = day.into();
    }

    fn set_time(&mut self, micros: i64) {
        self.pieces.hour = micros / 3_600_000_000;
        self.pieces.minute = micros / 60_000_000 % 60;
        self.pieces.second = micros / 1_000_000 % 60;
        self.pieces.micros = micros % 1_000_000;
    }

    /// None: the word is filler.
    fn word_field(&mut self, i: usize, field: &str) -> Decoded<Option<u16>> {
        let Some(word) = tokens::word(field) else {
            self.pieces.zone = Some(Zone::Named(TimeZone::named(field).ok_or(Fault::Format)?));
            return Ok(Some(ZONE));
        };
        let mask = match word {
            Word::Ignore => return Ok(None),
            Word::Now if self.time_only => self.special(Special::Now, TIME),
            Word::Zulu => {
                self.set_time(0);
                self.pieces.zone = Some(Zone::Offset(0));
                TIME | ZONE
            }
            Word::Month(_)
            | Word::Yesterday
            | Word::Today
            | Word::Tomorrow
            | Word::Epoch
            | Word::Infinity
            | Word::NegativeInfinity
                if self.time_only =>
            {
                return Err(Fault::Format);
            }
            Word::Now => self.special(Special::Now, DATE | TIME | ZONE),
            Word::Yesterday => self.special(Special::Yesterday, DATE),
            Word::Today => self.special(Special::Today, DATE),
            Word::Tomorrow => self.special(Special::Tomorrow, DATE),
            Word::Epoch => self.special(Special::Epoch, RESERVED),
            Word::Infinity => self.special(Special::Infinity, RESERVED),
            Word::NegativeInfinity => self.special(Special::NegativeInfinity, RESERVED),
            Word::Month(month) => self.month_word(month),
            Word::Weekday => WEEKDAY,
            Word::Am | Word::Pm => {
                self.pm = Some(word == Word::Pm);
                AMPM
            }
            Word::Ad | Word::Bc => {
                self.bc = word == Word::Bc;
                ERA
            }
            Word::Dst => {
                self.dst = 3600;
                DST
            }
            Word::Zone(east) => {
                self.pieces.zone = Some(Zone::Offset(east));
                ZONE
            }
            Word::Julian => self.set_label(Label::Julian),
            Word::Unit(unit) => self.set_label(Label::Unit(unit)),
            Word::IsoTime => {
                let next = self.fields.get(i + 1).map(|f| f.0);
                let date_known = self.time_only || self.pieces.seen & DATE == DATE;
                let sensible = matches!(next, Some(FieldKind::Number | FieldKind::Time | FieldKind::Date));
                if !date_known || !sensible {
                    return Err(Fault::Format);
                }
                self.set_label(Label::IsoTime)
            }
        };
        Ok(Some(mask))
    }

    fn special(&mut self, special: Special, mask: u16) -> u16 {
        self.pieces.special = Some(special);
        mask
    }

    fn set_label(&mut self, label: Label) -> u16 {
        self.label = Some(label);
        0
    }

    /// A number whose unit stands before it: `y 2024 m 1 d 2`.
    fn labelled(&mut self, unit: DateUnit, field: &str) -> Decoded<u16> {
        let (whole, behind) = field.split_at(field.find('.').unwrap_or(field.len()));
        if !behind.is_empty() && unit != DateUnit::Second {
            return Err(Fault::Format);
        }
        let value: i64 = whole.parse::<i32>().map_err(|_| overflow_or_format(whole))?.into();
        let seen = self.pieces.seen;
        let p = &mut self.pieces;
        let (slot, mask) = match unit {
            DateUnit::Year => (&mut p.year, YEAR),
            // A month is known, and the hour: then minutes.
            DateUnit::Month if seen & MONTH != 0 && seen & HOUR != 0 => (&mut p.minute, MINUTE),
            DateUnit::Month => (&mut p.month, MONTH),
            DateUnit::Day => (&mut p.day, DAY),
            DateUnit::Hour => (&mut p.hour, HOUR),
            DateUnit::Minute => (&mut p.minute, MINUTE),
            DateUnit::Second => {
                if !behind.is_empty() {
                    p.micros = fraction(behind)?;
                }
                (&mut p.second, SECOND)
            }
            DateUnit::Other => return Err(Fault::Format),
        };
        *slot = value;
        Ok(mask)
    }

    fn month_word(&mut self, month: i64) -> u16 {
        let mut mask = MONTH;
        let seen = self.pieces.seen;
        // A number was taken for the month: it was the day.
        if seen & MONTH != 0 && !self.text_month && seen & DAY == 0 && (1..=31).contains(&self.pieces.month) {
            self.pieces.day = self.pieces.month;
            mask = DAY;
        }
        self.text_month = true;
        self.pieces.month = month;
        mask
    }

    fn validate_date(&mut self) -> Decoded<()> {
        let p = &mut self.pieces;
        if p.seen & YEAR != 0 && !self.julian {
            if self.bc {
                if p.year <= 0 {
                    return Err(Fault::FieldOverflow);
                }
                p.year = -(p.year - 1);
            } else if self.two_digits {
                p.year += match p.year {
                    ..70 => 2000,
                    70..100 => 1900,
                    _ => 0,
                };
            } else if p.year <= 0 {
                return Err(Fault::FieldOverflow);
            }
        }
        if p.seen & DAY_OF_YEAR != 0 {
            let (year, month, day) = civil_from_days(days_from_civil(p.year, 1, 1) + self.day_of_year - 1);
            (p.year, p.month, p.day) = (year, month.into(), day.into());
        }
        if p.seen & MONTH != 0 && !(1..=12).contains(&p.month) || p.seen & DAY != 0 && !(1..=31).contains(&p.day) {
            return Err(Fault::MonthOrDayOverflow);
        }
        if p.seen & DATE == DATE && p.day > days_of_month(p.year, p.month) {
            return Err(Fault::FieldOverflow);
        }
        Ok(())
    }
}

//! Numbers of a date: what each of them is, by its place and the session's order.

use super::decode::{DATE, DAY, DAY_OF_YEAR, Decoder, MONTH, TIME, YEAR, ZONE};
use super::parts::{Decoded, Fault, fraction, overflow_or_format};
use super::tokens::{self, Word};
use crate::value::context::DateOrder;

impl Decoder<'_> {
    /// A date in one field: `2024-01-02`, `2-jan-2024`, `1/2/2024`.
    pub(super) fn date(&mut self, field: &str) -> Decoded<u16> {
        let mut parts = [""; 25];
        let mut count = 0;
        let bytes = field.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            let skip = bytes.get(at..).unwrap_or_default().iter().take_while(|b| !b.is_ascii_alphanumeric()).count();
            at += skip;
            let digit = bytes.get(at).ok_or(Fault::Format)?.is_ascii_digit();
            let same = |b: &&u8| {
                if digit { b.is_ascii_digit() } else { b.is_ascii_alphabetic() }
            };
            let len = bytes.get(at..).unwrap_or_default().iter().take_while(same).count();
            *parts.get_mut(count).ok_or(Fault::Format)? = field.get(at..at + len).unwrap_or_default();
            count += 1;
            // The separator goes with the part before it, so that one at the end is allowed.
            at += len;
            at += usize::from(bytes.get(at).is_some_and(|b| !b.is_ascii_alphanumeric()));
        }
        let parts = parts.get(..count).unwrap_or_default();
        let before = self.pieces.seen;
        let mut text_month = false;
        let mut mask = 0;
        for part in parts.iter().filter(|p| p.as_bytes().first().is_some_and(u8::is_ascii_alphabetic)) {
            match tokens::date_word(part) {
                Some(Word::Ignore) => continue,
                Some(Word::Month(month)) => self.pieces.month = month,
                _ => return Err(Fault::Format),
            }
            if (before | mask) & MONTH != 0 {
                return Err(Fault::Format);
            }
            text_month = true;
            mask |= MONTH;
        }
        let outer = std::mem::replace(&mut self.text_month, text_month);
        for part in parts.iter().filter(|p| p.as_bytes().first().is_some_and(u8::is_ascii_digit)) {
            let known = before | mask;
            let new = self.number(part, known)?;
            if new & known != 0 {
                return Err(Fault::Format);
            }
            mask |= new;
        }
        self.text_month = outer;
        if (before | mask) & !(DAY_OF_YEAR | ZONE) != DATE {
            return Err(Fault::Format);
        }
        Ok(mask)
    }

    /// One number, by what is known already and the order of the session.
    pub(super) fn number(&mut self, field: &str, seen: u16) -> Decoded<u16> {
        let digits = field.find('.').unwrap_or(field.len());
        let whole = field.get(..digits).unwrap_or_default();
        let value: i64 = whole.parse::<i32>().map_err(|_| overflow_or_format(whole))?.into();
        if digits < field.len() {
            if digits > 2 {
                return self.run_together(field, seen | DATE);
            }
            self.pieces.micros = fraction(field.get(digits..).unwrap_or_default())?;
        }
        let len = field.len();
        if len == 3 && seen & DATE == YEAR && (1..=366).contains(&value) {
            self.day_of_year = value;
            return Ok(DAY_OF_YEAR | MONTH | DAY);
        }
        let year_first = len >= 3 || self.order == DateOrder::Ymd;
        let mask = match seen & DATE {
            0 if year_first => YEAR,
            0 if self.order == DateOrder::Dmy => DAY,
            0 => MONTH,
            YEAR | DAY => MONTH,
            MONTH if self.text_month && year_first => YEAR,
            MONTH => DAY,
            m if m == YEAR | MONTH => {
                if self.text_month && len >= 3 && self.two_digits {
                    // The first number was taken for a year of two digits: it was the day.
                    self.pieces.day = self.pieces.year;
                    self.pieces.year = value;
                    self.two_digits = false;
                    return Ok(DAY);
                }
                DAY
            }
            m if m == MONTH | DAY => YEAR,
            DATE => return self.run_together(field, seen),
            _ => return Err(Fault::Format),
        };
        match mask {
            YEAR => {
                self.pieces.year = value;
                self.two_digits = len <= 2;
            }
            MONTH => self.pieces.month = value,
            _ => self.pieces.day = value,
        }
        Ok(mask)
    }

    /// A date or time without separators: `20240102`, `040506.789`.
    pub(super) fn run_together(&mut self, field: &str, seen: u16) -> Decoded<u16> {
        let number = |from: usize, to: usize| -> Decoded<i64> {
            let piece = field.get(from..to).ok_or(Fault::Format)?;
            piece.parse::<i32>().map(i64::from).map_err(|_| overflow_or_format(piece))
        };
        let len = match field.find('.') {
            Some(point) => {
                self.pieces.micros = fraction(field.get(point..).unwrap_or_default())?;
                point
            }
            None => {
                if seen & DATE != DATE && field.len() >= 6 {
                    let len = field.len();
                    self.pieces.day = number(len - 2, len)?;
                    self.pieces.month = number(len - 4, len - 2)?;
                    self.pieces.year = number(0, len - 4)?;
                    self.two_digits = len - 4 == 2;
                    return Ok(DATE);
                }
                field.len()
            }
        };
        if seen & TIME == TIME || len != 6 && len != 4 {
            return Err(Fault::Format);
        }
        self.pieces.second = if len == 6 { number(4, 6)? } else { 0 };
        self.pieces.minute = number(2, 4)?;
        self.pieces.hour = number(0, 2)?;
        Ok(TIME)
    }
}

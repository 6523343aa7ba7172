//! `to_number`: a text read by a template, step by step as Postgres does.

use super::*;

/// Digits behind the point of a power of ten that is less than one.
const POWER_SCALE: i64 = 16;

/// `to_number(text, template)`.
pub fn parse_number(args: &[Option<&str>]) -> Outcome<Value> {
    let (source, template) = (text(args, 0), text(args, 1));
    let shape = shape(template)?;
    if shape.roman.is_some() {
        return Err(Failure::new("0A000", "\"RN\" not supported for input"));
    }
    if shape.exponent {
        return Err(Failure::new("0A000", "\"EEEE\" not supported for input"));
    }
    let mut reader = Reader {
        signed: shape.lead != Lead::None,
        shape: &shape,
        source: source.chars().collect(),
        at: 0,
        sign: None,
        digits: String::new(),
        before: 0,
        behind: 0,
        point: false,
    };
    reader.run();
    let Reader { sign, digits, behind, .. } = reader;
    if digits.is_empty() {
        return Err(Failure::new("22P02", "invalid input syntax for type numeric: \" \""));
    }
    let whole = digits.get(..digits.len() - behind).unwrap_or_default().trim_start_matches('0').len();
    if whole > shape.before + shape.shift {
        return Err(Failure::new("22003", "numeric field overflow"));
    }
    let mut value = Number::read(&digits)?;
    if let Number::Finite(d) = &mut value {
        d.scale = i64::try_from(behind + shape.shift).unwrap_or(0);
        if shape.shift > 0 {
            // What is shifted was multiplied by a power, with its digits.
            *d = d.at(d.scale.max(i64::try_from(behind).unwrap_or(0) + POWER_SCALE));
        }
        if sign == Some('-') {
            d.mantissa = -d.mantissa.clone();
        }
    }
    Ok(Value::Text(value.write()))
}

/// The state of Postgres' `NUM_processor` while it reads.
struct Reader<'a> {
    shape: &'a Shape,
    /// Whether the template has `S`.
    signed: bool,
    source: Vec<char>,
    at: usize,
    sign: Option<char>,
    digits: String,
    before: usize,
    behind: usize,
    point: bool,
}

impl Reader<'_> {
    fn run(&mut self) {
        let shape = self.shape;
        for key in &shape.keys {
            let Some(next) = self.next() else { break };
            match key {
                Key::Nine | Key::Zero | Key::Point => self.part(*key),
                Key::Comma | Key::Group if next == ',' => {}
                Key::Comma | Key::Group => continue,
                Key::Currency => {
                    self.skip_words(1);
                    continue;
                }
                Key::Ordinal(_) => {
                    self.skip_words(2);
                    continue;
                }
                Key::Minus if next == '-' => self.sign = Some('-'),
                Key::Plus if next == '+' => self.sign = Some('+'),
                Key::Sign if matches!(next, '+' | '-') => self.sign = Some(next),
                Key::Minus | Key::Plus | Key::Sign => {
                    self.skip_words(1);
                    continue;
                }
                // `SP` has no character of its own.
                Key::Text('\0') => continue,
                // One of the text for one of the template, whatever they are.
                Key::Text(_) => {}
                _ => continue,
            }
            self.at += 1;
        }
    }

    fn next(&self) -> Option<char> {
        self.source.get(self.at).copied()
    }

    /// Passes over what is no part of a number.
    fn skip_words(&mut self, count: usize) {
        for _ in 0..count {
            match self.next() {
                Some(c) if !c.is_ascii_digit() && !matches!(c, '.' | ',' | '+' | '-') => self.at += 1,
                _ => return,
            }
        }
    }

    /// A digit, the point, and the signs before and behind.
    fn part(&mut self, key: Key) {
        if self.next() == Some(' ') {
            self.at += 1;
        }
        let Some(next) = self.next() else { return };
        if self.sign.is_none() && key != Key::Point && self.before + self.behind == 0 {
            self.sign = match next {
                '-' => Some('-'),
                '<' if self.shape.angle && !(self.signed && self.shape.lead == Lead::Before) => Some('-'),
                '+' => Some('+'),
                _ => None,
            };
            // A sign that stands behind the number is not read before it.
            self.at += usize::from(self.sign.is_some());
        }
        let Some(next) = self.next() else { return };
        let mut read = false;
        if next.is_ascii_digit() {
            if self.point && self.behind == self.shape.after {
                return;
            }
            self.digits.push(next);
            match self.point {
                true => self.behind += 1,
                false => self.before += 1,
            }
            read = true;
        } else if self.shape.point && !self.point && next == '.' {
            self.point = true;
            read = true;
        }
        if self.sign.is_some() || self.before + self.behind == 0 {
            return;
        }
        if self.signed && read {
            if let Some(sign) = self.source.get(self.at + 1).copied().filter(|c| matches!(c, '+' | '-')) {
                self.at += 1;
                self.sign = Some(sign);
            }
        } else if !read && !self.signed && (self.shape.plus || self.shape.minus) && matches!(next, '+' | '-') {
            self.sign = Some(next);
        }
    }
}

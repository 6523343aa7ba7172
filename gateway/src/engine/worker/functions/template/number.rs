//! Templates of numbers, written and read.

// The arms follow Postgres' cases one by one.
#![allow(clippy::collapsible_match)]

pub mod parse;

use super::super::{
    Failure, Outcome, Value,
    number::{Decimal, Number, power_of_ten},
    text,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    Nine,
    Zero,
    Point,
    Comma,
    Group,
    Currency,
    Minus,
    Plus,
    Sign,
    LeadingSign,
    Angle,
    Roman(bool),
    Ordinal(bool),
    Shift,
    Exponent,
    Blank,
    Fill,
    Text(char),
}

/// Where the sign of `S` stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lead {
    None,
    Before,
    After,
}

/// What a template says as a whole.
struct Shape {
    keys: Vec<Key>,
    before: usize,
    after: usize,
    shift: usize,
    point: bool,
    /// Position of the first and last `0`; none where there is none.
    zero_start: Option<usize>,
    zero_end: usize,
    fill: bool,
    lead: Lead,
    before_lead: usize,
    angle: bool,
    minus: bool,
    plus: bool,
    roman: Option<bool>,
    exponent: bool,
}

fn keys(template: &str) -> Vec<Key> {
    const WORDS: [(&str, Key); 17] = [
        ("EEEE", Key::Exponent),
        ("FM", Key::Fill),
        ("MI", Key::Minus),
        ("PL", Key::Plus),
        ("PR", Key::Angle),
        ("RN", Key::Roman(true)),
        ("SG", Key::Sign),
        ("SP", Key::Text('\0')),
        ("TH", Key::Ordinal(true)),
        ("S", Key::LeadingSign),
        ("9", Key::Nine),
        ("0", Key::Zero),
        ("D", Key::Point),
        ("G", Key::Group),
        ("L", Key::Currency),
        ("V", Key::Shift),
        ("B", Key::Blank),
    ];
    let mut keys = Vec::new();
    let mut rest = template;
    while let Some(c) = rest.chars().next() {
        let upper = rest.get(..rest.len().min(4)).unwrap_or(rest).to_ascii_uppercase();
        if let Some((word, key)) = WORDS.iter().find(|(w, _)| upper.starts_with(w)) {
            let small = c.is_lowercase();
            keys.push(match key {
                Key::Roman(_) => Key::Roman(!small),
                Key::Ordinal(_) => Key::Ordinal(!small),
                other => *other,
            });
            rest = rest.get(word.len()..).unwrap_or_default();
            continue;
        }
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
        match c {
            '.' => keys.push(Key::Point),
            ',' => keys.push(Key::Comma),
            '"' => {
                let mut chars = rest.chars();
                while let Some(c) = chars.next().filter(|c| *c != '"') {
                    // A backslash quotes the next character, if there is one.
                    let c = if c == '\\' { chars.next().unwrap_or(c) } else { c };
                    keys.push(Key::Text(c));
                }
                rest = chars.as_str();
            }
            '\\' if rest.starts_with('"') => {
                keys.push(Key::Text('"'));
                rest = rest.get(1..).unwrap_or_default();
            }
            c => keys.push(Key::Text(c)),
        }
    }
    keys
}

fn shape(template: &str) -> Outcome<Shape> {
    let wrong = |message: &str| Err(Failure::new("42601", message));
    let mut s = Shape {
        keys: keys(template),
        before: 0,
        after: 0,
        shift: 0,
        point: false,
        zero_start: None,
        zero_end: 0,
        fill: false,
        lead: Lead::None,
        before_lead: 0,
        angle: false,
        minus: false,
        plus: false,
        roman: None,
        exponent: false,
    };
    let mut shifting = false;
    for key in &s.keys {
        if s.exponent {
            return wrong("\"EEEE\" must be the last pattern used");
        }
        match key {
            Key::Nine if s.angle => return wrong("\"9\" must be ahead of \"PR\""),
            Key::Nine if shifting => s.shift += 1,
            Key::Nine if s.point => s.after += 1,
            Key::Nine => s.before += 1,
            Key::Zero if s.angle => return wrong("\"0\" must be ahead of \"PR\""),
            Key::Zero => {
                if s.zero_start.is_none() && !s.point {
                    s.zero_start = Some(s.before);
                }
                if s.point {
                    s.after += 1
                } else {
                    s.before += 1
                }
                s.zero_end = s.before + s.after;
            }
            Key::Point if s.point => return wrong("multiple decimal points"),
            Key::Point if shifting => return wrong("cannot use \"V\" and decimal point together"),
            Key::Point => s.point = true,
            Key::Fill => s.fill = true,
            Key::LeadingSign => {
                if s.lead != Lead::None {
                    return wrong("cannot use \"S\" twice");
                }
                if s.plus || s.minus || s.angle {
                    return wrong("cannot use \"S\" and \"PL\"/\"MI\"/\"SG\"/\"PR\" together");
                }
                s.lead = if s.point { Lead::After } else { Lead::Before };
                s.before_lead = s.before;
            }
            Key::Minus | Key::Plus | Key::Sign if s.lead != Lead::None => {
                return wrong("cannot use \"S\" and \"PL\"/\"MI\"/\"SG\"/\"PR\" together");
            }
            Key::Minus => s.minus = true,
            Key::Plus => s.plus = true,
            Key::Sign => (s.minus, s.plus) = (true, true),
            Key::Angle => s.angle = true,
            Key::Roman(upper) => s.roman = Some(*upper),
            Key::Shift if s.point => return wrong("cannot use \"V\" and decimal point together"),
            Key::Shift => shifting = true,
            Key::Exponent => s.exponent = true,
            _ => {}
        }
    }
    Ok(s)
}

/// `to_char(number, template)`.
pub fn number(args: &[Option<&str>]) -> Outcome<Value> {
    let template = text(args, 1);
    let mut s = shape(template)?;
    // A float comes as the engine writes it: what is rounded is what it is worth, not its digits.
    let float = (!text(args, 2).is_empty()).then(|| text(args, 0).parse::<f64>().ok()).flatten();
    let value = match float {
        Some(float) if float.is_nan() => Number::NaN,
        Some(float) if float.is_infinite() => Number::read(if float > 0.0 { "Infinity" } else { "-Infinity" })?,
        Some(float) if s.roman.is_some() || s.exponent => Number::read(&float.to_string())?,
        Some(_) => Number::read("0")?,
        None => Number::read(text(args, 0))?,
    };
    if s.roman.is_some() {
        return Ok(Value::Text(roman(&value, &s)));
    }
    if s.exponent {
        return Ok(Value::Text(scientific(&value, &s)));
    }
    if let (Ok(digits), Some(float), Number::Finite(_)) = (text(args, 2).parse(), float, &value) {
        return Ok(Value::Text(of_float(float, digits, s)));
    }
    let Number::Finite(value) = value else {
        let nan = matches!(value, Number::NaN);
        let shown = if nan { "NaN" } else { "Infinity" };
        // Too long for most templates: then there are only marks.
        let negative = value.sign() < 0;
        return Ok(Value::Text(Writer::new(&mut s, negative, shown.to_owned(), shown.len()).write()));
    };
    let shifted = Decimal::new(value.mantissa * power_of_ten(i64::try_from(s.shift).unwrap_or(0)), value.scale);
    s.before += s.shift;
    let rounded = Number::Finite(shifted.at(i64::try_from(s.after).unwrap_or(0))).write();
    let (negative, digits) = match rounded.strip_prefix('-') {
        Some(digits) => (true, digits.to_owned()),
        None => (false, rounded),
    };
    let whole = digits.find('.').unwrap_or(digits.len());
    Ok(Value::Text(Writer::new(&mut s, negative, digits, whole).write()))
}

/// A finite float: it has no more digits than these, whatever the template has, and a half goes to the even digit.
fn of_float(float: f64, digits: usize, mut s: Shape) -> String {
    let shift = i32::try_from(s.shift).unwrap_or(i32::MAX);
    let float = if shift > 0 { float * 10_f64.powi(shift) } else { float };
    s.before += s.shift;
    let whole = format!("{:.0}", float.abs()).len();
    s.after = if whole >= digits { 0 } else { s.after.min(digits - whole) };
    let shown = format!("{:.*}", s.after, float.abs());
    let whole = shown.find('.').unwrap_or(shown.len());
    Writer::new(&mut s, float.is_sign_negative(), shown, whole).write()
}

/// The state of Postgres' `NUM_processor`.
struct Writer<'a> {
    s: &'a Shape,
    negative: bool,
    number: Vec<u8>,
    at: usize,
    /// The last digit behind the point that must be shown, with FM.
    relevant: Option<usize>,
    blanks: usize,
    count: usize,
    current: usize,
    sign_done: bool,
    begun: bool,
    lead: Lead,
    angle: bool,
    out: String,
}

impl<'a> Writer<'a> {
    fn new(s: &'a mut Shape, negative: bool, digits: String, whole: usize) -> Self {
        let mut number = digits.into_bytes();
        let blanks = s.before.saturating_sub(whole);
        if whole > s.before {
            number = vec![b'#'; s.before + s.after + 1];
            if let Some(point) = number.get_mut(s.before) {
                *point = b'.';
            }
        }
        let s: &'a Shape = s;
        let mut w = Self {
            s,
            negative,
            number,
            at: 0,
            relevant: None,
            blanks,
            count: (s.after + s.before).saturating_sub(1),
            current: 0,
            sign_done: false,
            begun: false,
            lead: s.lead,
            angle: s.angle,
            out: String::new(),
        };
        if s.plus || s.minus {
            w.sign_done = !s.plus || s.minus;
            // PL writes its own sign; the number's stands before it as well.
        } else {
            if !negative && s.fill {
                w.angle = false;
            }
            w.sign_done = !negative && s.fill && s.lead == Lead::None;
            if s.lead == Lead::Before && s.before == s.before_lead {
                w.lead = Lead::After;
            }
        }
        if s.fill && s.point {
            w.relevant = w.last_relevant();
            if let Some(last) = w.relevant
                && s.zero_end > w.blanks
            {
                let zero = (w.number.len() - 1).min(s.zero_end - w.blanks);
                w.relevant = Some(last.max(zero));
            }
        }
        if !w.sign_done && w.blanks == 0 {
            w.count += 1;
        }
        w
    }

    fn last_relevant(&self) -> Option<usize> {
        let point = self.number.iter().position(|b| *b == b'.')?;
        let digit = self.number.iter().rposition(|b| *b != b'0').unwrap_or(point);
        Some(digit.max(point))
    }

    fn write(mut self) -> String {
        let s = self.s;
        for key in &s.keys {
            match key {
                Key::Nine | Key::Zero | Key::Point => self.digit(*key),
                Key::Comma | Key::Group => {
                    if self.begun {
                        self.out.push(',');
                    } else if !s.fill {
                        self.out.push(' ');
                    }
                }
                Key::Currency => self.out.push(' '),
                Key::Minus if self.negative => self.out.push('-'),
                Key::Plus if !self.negative => self.out.push('+'),
                Key::Minus | Key::Plus => {
                    if !s.fill {
                        self.out.push(' ');
                    }
                }
                Key::Sign => self.out.push(if self.negative { '-' } else { '+' }),
                Key::Ordinal(upper) => {
                    if !self.negative && !s.point && self.number.first() != Some(&b'#') {
                        let ending = ordinal(&self.number);
                        self.out.push_str(&if *upper { ending.to_uppercase() } else { ending.to_owned() });
                    }
                }
                Key::Text('\0') => {}
                Key::Text(c) => self.out.push(*c),
                _ => {}
            }
        }
        self.out
    }

    /// Whether the zero before the point is left out.
    fn bare_zero(&self) -> bool {
        self.s.zero_start.is_none() && self.at == 0 && self.number.first() == Some(&b'0') && self.s.after != 0
    }

    fn point_relevant(&self) -> bool {
        self.relevant.is_some_and(|r| self.number.get(r) == Some(&b'.'))
    }

    fn sign(&mut self) {
        let s = self.s;
        let starts = self.current >= self.blanks || s.zero_start == Some(self.current);
        if self.sign_done || !starts || (self.bare_zero() && !self.point_relevant()) {
            return;
        }
        match self.lead {
            Lead::Before => {
                self.out.push(if self.negative { '-' } else { '+' });
                self.sign_done = true;
            }
            Lead::After => {}
            Lead::None if self.angle => {
                self.out.push(if self.negative { '<' } else { ' ' });
                self.sign_done = true;
            }
            Lead::None => {
                if self.negative {
                    self.out.push('-');
                } else if !s.fill {
                    self.out.push(' ');
                }
                self.sign_done = true;
            }
        }
    }

    fn digit(&mut self, key: Key) {
        let s = self.s;
        self.sign();
        let before = self.current < self.blanks;
        let zeros = s.zero_start.is_some_and(|z| z <= self.current);
        if before && !zeros {
            if !s.fill {
                self.out.push(' ');
            }
        } else if before {
            self.out.push('0');
            self.begun = true;
        } else {
            self.number_digit(key);
            if self.at < self.number.len() {
                self.at += 1;
            }
        }
        let mut end = self.count + usize::from(self.blanks > 0) + usize::from(s.point);
        if self.relevant == Some(self.at) {
            end = self.current;
        }
        if self.current + 1 == end {
            if self.sign_done && self.angle {
                self.out.push(if self.negative { '>' } else { ' ' });
            } else if self.lead == Lead::After {
                self.out.push(if self.negative { '-' } else { '+' });
            }
        }
        self.current += 1;
    }

    fn number_digit(&mut self, key: Key) {
        let s = self.s;
        match self.number.get(self.at) {
            Some(b'.') => {
                if !self.point_relevant() || s.fill {
                    self.out.push('.');
                }
            }
            _ if self.relevant.is_some_and(|r| self.at > r) && key != Key::Zero => {}
            _ if self.bare_zero() => {
                if !s.fill {
                    self.out.push(' ');
                } else if self.point_relevant() {
                    self.out.push('0');
                }
            }
            Some(digit) => {
                self.out.push(char::from(*digit));
                self.begun = true;
            }
            None => {}
        }
    }
}

fn ordinal(number: &[u8]) -> &'static str {
    let digits: Vec<u8> = number.iter().copied().filter(u8::is_ascii_digit).collect();
    if digits.iter().rev().nth(1) == Some(&b'1') {
        return "th";
    }
    match digits.last() {
        Some(b'1') => "st",
        Some(b'2') => "nd",
        Some(b'3') => "rd",
        _ => "th",
    }
}

fn roman(value: &Number, s: &Shape) -> String {
    const NUMERALS: [(i64, &str); 13] = [
        (1000, "M"),
        (900, "CM"),
        (500, "D"),
        (400, "CD"),
        (100, "C"),
        (90, "XC"),
        (50, "L"),
        (40, "XL"),
        (10, "X"),
        (9, "IX"),
        (5, "V"),
        (4, "IV"),
        (1, "I"),
    ];
    let number = match value {
        Number::Finite(d) => i64::try_from(d.at(0).mantissa).unwrap_or(0),
        _ => 0,
    };
    let mut text = String::new();
    if (1..=3999).contains(&number) {
        let mut rest = number;
        for (n, numeral) in NUMERALS {
            while rest >= n {
                text.push_str(numeral);
                rest -= n;
            }
        }
    } else {
        text = "#".repeat(15);
    }
    if s.roman == Some(false) {
        text = text.to_lowercase();
    }
    if s.fill { text } else { format!("{text:>15}") }
}

fn scientific(value: &Number, s: &Shape) -> String {
    let Number::Finite(d) = value else {
        let marks = format!(" {}.{}####", "#".repeat(s.before.max(1)), "#".repeat(s.after));
        return marks;
    };
    let after = i64::try_from(s.after).unwrap_or(0);
    let mut exponent = d.exponent();
    let mut mantissa = Decimal::new(d.mantissa.clone(), d.scale + exponent);
    if mantissa.scale < 0 {
        mantissa = Decimal::new(mantissa.mantissa * power_of_ten(-mantissa.scale), 0);
    }
    let mut shown = mantissa.at(after);
    if shown.exponent() > 0 {
        exponent += 1;
        shown = Decimal::new(shown.mantissa, shown.scale + 1).at(after);
    }
    let text = Number::Finite(shown).write();
    let sign = if text.starts_with('-') { "" } else { " " };
    let way = if exponent < 0 { '-' } else { '+' };
    format!("{sign}{text}e{way}{:02}", exponent.abs())
}

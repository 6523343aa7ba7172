//! Dates and times: EXTRACT, AT TIME ZONE, interval literals, date_trunc, to_char.

use duckmesh_catalog::{ColumnType, types::TextType};
use sqlparser::ast::{DateTimeField, Expr, Interval, IntervalFields};

use super::{Ex, Kind, NUMERIC, Rewriter, signature::shown};
use crate::{
    sql::{quote, types},
    value::TimeZone,
    wire::error::{PgError, PgResult, SqlState},
};

/// Whether a zone is what the engine knows best.
fn is_utc(text: &str) -> bool {
    ["utc", "gmt"].iter().any(|name| text.eq_ignore_ascii_case(name))
}

/// What date_trunc's unit stands for: Postgres knows several words for each, and looks at ten letters.
fn truncated_to(unit: &str) -> Option<&'static str> {
    let word: String = unit.to_lowercase().chars().take(10).collect();
    Some(match word.as_str() {
        "microsecon" | "us" | "usec" | "usecond" | "useconds" | "usecs" => "microseconds",
        "millisecon" | "ms" | "msec" | "msecond" | "mseconds" | "msecs" => "milliseconds",
        "s" | "sec" | "second" | "seconds" | "secs" => "second",
        "m" | "min" | "mins" | "minute" | "minutes" => "minute",
        "h" | "hour" | "hours" | "hr" | "hrs" => "hour",
        "d" | "day" | "days" => "day",
        "w" | "week" | "weeks" => "week",
        "mon" | "mons" | "month" | "months" => "month",
        "qtr" | "quarter" => "quarter",
        "y" | "year" | "years" | "yr" | "yrs" => "year",
        "dec" | "decs" | "decade" | "decades" => "decade",
        "c" | "cent" | "century" | "centuries" => "century",
        "mil" | "mils" | "millennia" | "millennium" => "millennium",
        _ => return None,
    })
}

/// Units that a date has none of.
const TIME_UNITS: [&str; 8] =
    ["hour", "minute", "second", "millisecond", "microsecond", "timezone", "timezone_hour", "timezone_minute"];

/// Units that a time of day has none of.
const DATE_UNITS: [&str; 14] = [
    "year",
    "month",
    "day",
    "quarter",
    "week",
    "dow",
    "isodow",
    "doy",
    "isoyear",
    "century",
    "decade",
    "millennium",
    "centurie",
    "julian",
];

impl Rewriter<'_> {
    /// `interval '1 day'`, `interval '3' month`.
    pub fn interval(&mut self, interval: &Interval) -> PgResult<Ex> {
        let at = self.at_expr(&interval.value);
        let text = match interval.value.as_ref() {
            Expr::Value(v) => super::literal::string_of(&v.value),
            _ => None,
        };
        let Some(text) = text else {
            return self.refuse("an interval that is not a constant", at);
        };
        let precision = interval.fractional_seconds_precision.or(interval.leading_precision);
        let fields = match (&interval.leading_field, &interval.last_field) {
            (None, None) => None,
            (Some(first), last) => match fields(first, last.as_ref()) {
                Some(fields) => Some(fields),
                None => return self.refuse("an interval of these fields", at),
            },
            (None, Some(_)) => return self.refuse("an interval of these fields", at),
        };
        let ty = types::interval(fields.as_ref(), precision).map_err(|e| e.or_position(at))?;
        self.constant(&text, &ty, at)
    }

    pub fn at_time_zone(&mut self, timestamp: &Expr, zone: &Expr) -> PgResult<Ex> {
        let at = self.at_expr(timestamp);
        let ex = self.expr(timestamp)?;
        let ex = self.settle(ex, &ColumnType::Timestamptz)?;
        let zone = self.expr(zone)?;
        if let Some(in_zone) = self.at_offset(&ex, &zone)? {
            return Ok(in_zone);
        }
        let zone = self.settle(zone, &ColumnType::Text)?;
        let (sql, ty) = match &ex.ty {
            Some(ColumnType::Timestamptz) => (ex.sql, Some(ColumnType::Timestamp)),
            Some(ColumnType::Timestamp) => (ex.sql, Some(ColumnType::Timestamptz)),
            Some(ColumnType::Date) => (format!("CAST({} AS TIMESTAMPTZ)", ex.sql), Some(ColumnType::Timestamp)),
            Some(ColumnType::AsText(TextType::Timetz)) => return Ok(self.timetz_in_zone(&ex.sql, &zone.sql)),
            Some(ColumnType::Time) => {
                let ex = self.cast(ex, &ColumnType::AsText(TextType::Timetz), at)?;
                return Ok(self.timetz_in_zone(&ex.sql, &zone.sql));
            }
            None => (ex.sql, None),
            Some(other) => {
                return Err(PgError::new(
                    SqlState::UNDEFINED_FUNCTION,
                    format!("function pg_catalog.timezone(unknown, {}) does not exist", shown(other)),
                )
                .hint(
                    "No function matches the given name and argument types. You might need to add explicit type casts.",
                )
                .or_position(at));
            }
        };
        Ok(Ex::plain(format!("({sql} AT TIME ZONE {})", zone.sql), ty))
    }

    /// A time in a zone that is an offset: an interval, or a text such as `+03`, which counts westwards as POSIX does.
    pub fn at_offset(&mut self, ex: &Ex, zone: &Ex) -> PgResult<Option<Ex>> {
        use ColumnType as T;
        let seconds = match (&zone.kind, &zone.ty) {
            (Kind::Str(text), _) => {
                match TimeZone::defined_offset(text).filter(|seconds| *seconds != 0 || !is_utc(text)) {
                    Some(seconds) => seconds.to_string(),
                    None => return Ok(None),
                }
            }
            (_, Some(T::Interval)) if !zone.is_unknown() => {
                let x = &zone.sql;
                let wrong = "SQLSTATE 22023: interval time zone must not include months or days";
                format!(
                    "(CASE WHEN datepart('year', {x}) <> 0 OR datepart('month', {x}) <> 0 OR datepart('day', {x}) <> 0 \
                     THEN error('{wrong}') ELSE CAST(trunc(epoch({x})) AS BIGINT) END)"
                )
            }
            _ => return Ok(None),
        };
        let sql = match &ex.ty {
            Some(T::Timestamptz) => format!("(timezone('UTC', {}) + to_seconds({seconds}))", ex.sql),
            Some(T::Timestamp) => format!("timezone('UTC', {} - to_seconds({seconds}))", ex.sql),
            Some(T::Date) => format!("(timezone('UTC', CAST({} AS TIMESTAMPTZ)) + to_seconds({seconds}))", ex.sql),
            _ if zone.ty == Some(T::Interval) => return self.refuse("a time zone as an interval", ex.position),
            _ => return Ok(None),
        };
        let ty = if ex.ty == Some(T::Timestamp) { T::Timestamptz } else { T::Timestamp };
        Ok(Some(Ex::of(sql, ty)))
    }

    /// `EXTRACT(field FROM x)`: numeric.
    pub fn extract(&mut self, field: &DateTimeField, expr: &Expr) -> PgResult<Ex> {
        let at = self.at_expr(expr);
        let name = match field {
            DateTimeField::Custom(ident) => ident.value.to_lowercase(),
            other => other.to_string().to_lowercase(),
        };
        let ex = self.expr(expr)?;
        let sql = self.field(&name, ex, at)?;
        Ok(Ex::of(sql, NUMERIC).at(at))
    }

    /// A field as an exact number.
    fn field(&mut self, name: &str, ex: Ex, at: Option<u32>) -> PgResult<String> {
        use ColumnType as T;
        let mut ex = self.settle(ex, &T::Interval)?;
        if let Some(ty @ (T::Time | T::AsText(TextType::Timetz))) = &ex.ty
            && DATE_UNITS.contains(&name.trim_end_matches('s'))
        {
            let message = format!("unit \"{name}\" not supported for type {}", shown(ty));
            return Err(PgError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
        }
        if ex.ty == Some(T::Date) && TIME_UNITS.contains(&name.trim_end_matches('s')) {
            let message = format!("unit \"{name}\" not supported for type date");
            return Err(PgError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
        }
        if ex.ty == Some(T::AsText(TextType::Timetz)) {
            if let Some(sql) = self.timetz_field(name, &ex.sql) {
                return Ok(sql);
            }
            ex = self.cast(ex, &T::Time, at)?;
        }
        match &ex.ty {
            None | Some(T::Date | T::Time | T::Timestamp | T::Timestamptz | T::Interval) => {}
            Some(other) => {
                return Err(PgError::new(
                    SqlState::UNDEFINED_FUNCTION,
                    format!("function pg_catalog.extract(unknown, {}) does not exist", shown(other)),
                )
                .hint(
                    "No function matches the given name and argument types. You might need to add explicit type casts.",
                )
                .or_position(at));
            }
        }
        let whole = |part: &str| format!("CAST(extract('{part}' FROM {}) AS DECIMAL(18,0))", ex.sql);
        let date = ex.ty == Some(T::Date);
        let us = || format!("CAST(epoch_us({}) AS DECIMAL(18,0))", ex.sql);
        let sql = match name {
            "epoch" if date => format!("CAST(epoch({}) AS DECIMAL(18,0))", ex.sql),
            // A year of an interval is 365.25 days.
            "epoch" if ex.ty == Some(T::Interval) => format!(
                "(CAST((extract('year' FROM {x}) * 31557600 + extract('month' FROM {x}) * 2592000 + extract('day' FROM {x}) * 86400 \
                 + extract('hour' FROM {x}) * 3600 + extract('minute' FROM {x}) * 60) * 1000000 \
                 + extract('microsecond' FROM {x}) AS DECIMAL(18,0)) * 0.000001)",
                x = ex.sql
            ),
            "epoch" => format!("({} * 0.000001)", us()),
            "second" | "seconds" if !date => {
                format!("(CAST(extract('microsecond' FROM {}) AS DECIMAL(18,0)) * 0.000001)", ex.sql)
            }
            "millisecond" | "milliseconds" if !date => {
                format!("(CAST(extract('microsecond' FROM {}) AS DECIMAL(18,0)) * 0.001)", ex.sql)
            }
            "microsecond" | "microseconds" if !date => whole("microsecond"),
            "year" | "month" | "day" | "quarter" | "week" | "dow" | "isodow" | "doy" | "isoyear" | "century"
            | "decade" | "millennium" | "hour" | "minute" => whole(name),
            "years" | "months" | "days" | "hours" | "minutes" | "decades" | "quarters" | "weeks" => {
                whole(name.trim_end_matches('s'))
            }
            "timezone" | "timezone_hour" | "timezone_minute" if ex.ty == Some(T::Timestamptz) => whole(name),
            "julian" if date => format!("CAST(julian({}) AS DECIMAL(18,0))", ex.sql),
            _ => {
                return Err(PgError::new(
                    SqlState::INVALID_PARAMETER_VALUE,
                    format!(
                        "unit \"{name}\" not recognized for type {}",
                        ex.ty.as_ref().map_or_else(|| "unknown".into(), shown)
                    ),
                ));
            }
        };
        Ok(sql)
    }

    /// `date_part('year', x)`: double precision.
    pub fn date_part(&mut self, values: &mut Vec<Ex>, at: Option<u32>) -> PgResult<Option<Ex>> {
        let [unit, _] = values.as_slice() else {
            return Ok(None);
        };
        let Kind::Str(unit) = unit.kind.clone() else {
            return self.refuse("date_part with a unit that is not a constant", at);
        };
        let Some(value) = values.pop() else {
            return Ok(None);
        };
        let sql = self.field(&unit.to_lowercase(), value, at)?;
        Ok(Some(Ex::of(format!("CAST({sql} AS DOUBLE)"), ColumnType::Float8)))
    }

    /// `date_trunc('day', x)`.
    pub fn date_trunc(&mut self, values: &mut Vec<Ex>, at: Option<u32>) -> PgResult<Option<Ex>> {
        use ColumnType as T;
        if values.len() != 2 && values.len() != 3 {
            return Ok(None);
        }
        let zone = if values.len() == 3 { values.pop() } else { None };
        let Some(value) = values.pop() else {
            return Ok(None);
        };
        let Some(unit) = values.pop() else {
            return Ok(None);
        };
        let mut unit = unit;
        let mut by_one = false;
        if let Kind::Str(text) = &unit.kind {
            let Some(known) = truncated_to(text) else {
                let ty = value.ty.as_ref().map_or_else(|| "timestamp with time zone".into(), shown);
                return Err(PgError::new(
                    SqlState::INVALID_PARAMETER_VALUE,
                    format!("unit \"{text}\" not recognized for type {ty}"),
                ));
            };
            // The first century began with the year 1; the engine's hundreds begin with 0.
            by_one = matches!(known, "century" | "millennium");
            unit = Ex::of(quote::literal(known)?, T::Text);
        }
        let unit = self.settle(unit, &T::Text)?;
        let value = self.settle(value, &T::Timestamptz)?;
        let (value, ty) = match value.ty.clone() {
            Some(T::Date) => (format!("CAST({} AS TIMESTAMPTZ)", value.sql), Some(T::Timestamptz)),
            Some(T::Timestamp) => (value.sql, Some(T::Timestamp)),
            Some(T::Timestamptz) => (value.sql, Some(T::Timestamptz)),
            Some(T::Interval) => (value.sql, Some(T::Interval)),
            None => (value.sql, None),
            Some(_) => return Err(self.undefined_function("date_trunc", &[unit, value], at)),
        };
        let truncated = |value: &str| match by_one && ty != Some(T::Interval) {
            true => format!("(date_trunc({}, {value} - INTERVAL '1 year') + INTERVAL '1 year')", unit.sql),
            false => format!("date_trunc({}, {value})", unit.sql),
        };
        if let Some(zone) = zone {
            let zone = self.settle(zone, &T::Text)?.sql;
            let there = truncated(&format!("({value} AT TIME ZONE {zone})"));
            return Ok(Some(Ex::of(format!("({there} AT TIME ZONE {zone})"), T::Timestamptz)));
        }
        Ok(Some(Ex::plain(truncated(&value), ty)))
    }

    /// `to_char(timestamp, 'YYYY-MM-DD')`, where strftime says exactly the same.
    pub fn char_of(&mut self, values: &mut Vec<Ex>, at: Option<u32>) -> PgResult<Option<Ex>> {
        use ColumnType as T;
        let [_, format] = values.as_slice() else {
            return Ok(None);
        };
        let Kind::Str(format) = format.kind.clone() else {
            return self.refuse("to_char with a format that is not a constant", at);
        };
        values.pop();
        let Some(value) = values.pop() else {
            return Ok(None);
        };
        let value = self.settle(value, &T::Timestamptz)?;
        let sql = match value.ty {
            Some(T::Date) => format!("CAST({} AS TIMESTAMP)", value.sql),
            Some(T::Timestamp | T::Timestamptz) => value.sql,
            _ => {
                return Err(PgError::unsupported("to_char of this type is not supported")
                    .hint("Numbers can be formatted with round(), lpad() and ||.")
                    .or_position(at));
            }
        };
        let Some(pieces) = strftime(&format, false) else {
            return Err(PgError::unsupported(format!("to_char format \"{format}\" is not supported"))
                .hint("Supported: YYYY YY MM DD DDD HH24 HH12 MI SS MS US AM Mon FMMonth Dy FMDay IYYY IW ID Q FM variants, quoted text.")
                .or_position(at));
        };
        let mut texts = Vec::new();
        for (pattern, wrap) in pieces {
            let call = format!("strftime({sql}, {})", quote::literal(&pattern)?);
            texts.push(match wrap {
                Wrap::Plain => call,
                Wrap::Upper => format!("upper({call})"),
                Wrap::Lower => format!("lower({call})"),
                Wrap::Quarter => format!("CAST(quarter({sql}) AS VARCHAR)"),
            });
        }
        if texts.is_empty() {
            texts.push("''".into());
        }
        Ok(Some(Ex::of(format!("({})", texts.join(" || ")), T::Text)))
    }

    /// `to_date(text, format)`, `to_timestamp(text, format)`.
    pub fn parse_time(&mut self, name: &str, values: &mut Vec<Ex>, at: Option<u32>) -> PgResult<Option<Ex>> {
        let [_, format] = values.as_slice() else {
            return Ok(None);
        };
        let Kind::Str(format) = format.kind.clone() else {
            return self.refuse("a format that is not a constant", at);
        };
        values.pop();
        let Some(value) = values.pop() else {
            return Ok(None);
        };
        let value = self.settle(value, &ColumnType::Text)?;
        let pieces = strftime(&format, true).filter(|p| p.iter().all(|(_, w)| *w == Wrap::Plain));
        let Some(pieces) = pieces else {
            return Err(PgError::unsupported(format!("{name} format \"{format}\" is not supported")).or_position(at));
        };
        let pattern: String = pieces.into_iter().map(|(p, _)| p).collect();
        let parsed = format!("strptime({}, {})", value.sql, quote::literal(&pattern)?);
        Ok(Some(if name == "to_date" {
            Ex::of(format!("CAST({parsed} AS DATE)"), ColumnType::Date)
        } else {
            Ex::of(format!("CAST({parsed} AS TIMESTAMPTZ)"), ColumnType::Timestamptz)
        }))
    }
}

/// The fields of `interval '1' day to hour`.
fn fields(first: &DateTimeField, last: Option<&DateTimeField>) -> Option<IntervalFields> {
    use DateTimeField as D;
    use IntervalFields as F;
    Some(match (first, last) {
        (D::Year, None) => F::Year,
        (D::Month, None) => F::Month,
        (D::Day, None) => F::Day,
        (D::Hour, None) => F::Hour,
        (D::Minute, None) => F::Minute,
        (D::Second, None) => F::Second,
        (D::Year, Some(D::Month)) => F::YearToMonth,
        (D::Day, Some(D::Hour)) => F::DayToHour,
        (D::Day, Some(D::Minute)) => F::DayToMinute,
        (D::Day, Some(D::Second)) => F::DayToSecond,
        (D::Hour, Some(D::Minute)) => F::HourToMinute,
        (D::Hour, Some(D::Second)) => F::HourToSecond,
        (D::Minute, Some(D::Second)) => F::MinuteToSecond,
        _ => return None,
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrap {
    Plain,
    Upper,
    Lower,
    Quarter,
}

/// Postgres' template as strftime patterns; none where strftime has no exact word.
pub(super) fn strftime(format: &str, reading: bool) -> Option<Vec<(String, Wrap)>> {
    // Longest first.
    const WORDS: &[(&str, &str, Wrap)] = &[
        ("FMMonth", "%B", Wrap::Plain),
        ("FMMONTH", "%B", Wrap::Upper),
        ("FMmonth", "%B", Wrap::Lower),
        ("FMDay", "%A", Wrap::Plain),
        ("FMDAY", "%A", Wrap::Upper),
        ("FMday", "%A", Wrap::Lower),
        ("FMHH24", "%-H", Wrap::Plain),
        ("FMHH12", "%-I", Wrap::Plain),
        ("FMDDD", "%-j", Wrap::Plain),
        ("FMMM", "%-m", Wrap::Plain),
        ("FMDD", "%-d", Wrap::Plain),
        ("FMMI", "%-M", Wrap::Plain),
        ("FMSS", "%-S", Wrap::Plain),
        ("YYYY", "%Y", Wrap::Plain),
        ("yyyy", "%Y", Wrap::Plain),
        ("IYYY", "%G", Wrap::Plain),
        ("HH24", "%H", Wrap::Plain),
        ("hh24", "%H", Wrap::Plain),
        ("HH12", "%I", Wrap::Plain),
        ("hh12", "%I", Wrap::Plain),
        ("DDD", "%j", Wrap::Plain),
        ("ddd", "%j", Wrap::Plain),
        ("Mon", "%b", Wrap::Plain),
        ("MON", "%b", Wrap::Upper),
        ("mon", "%b", Wrap::Lower),
        ("MM", "%m", Wrap::Plain),
        ("mm", "%m", Wrap::Plain),
        ("DD", "%d", Wrap::Plain),
        ("dd", "%d", Wrap::Plain),
        ("HH", "%I", Wrap::Plain),
        ("hh", "%I", Wrap::Plain),
        ("MI", "%M", Wrap::Plain),
        ("mi", "%M", Wrap::Plain),
        ("SS", "%S", Wrap::Plain),
        ("ss", "%S", Wrap::Plain),
        ("MS", "%g", Wrap::Plain),
        ("ms", "%g", Wrap::Plain),
        ("US", "%f", Wrap::Plain),
        ("us", "%f", Wrap::Plain),
        ("AM", "%p", Wrap::Plain),
        ("PM", "%p", Wrap::Plain),
        ("am", "%p", Wrap::Lower),
        ("pm", "%p", Wrap::Lower),
        ("Dy", "%a", Wrap::Plain),
        ("DY", "%a", Wrap::Upper),
        ("dy", "%a", Wrap::Lower),
        ("IW", "%V", Wrap::Plain),
        ("ID", "%u", Wrap::Plain),
        ("YY", "%y", Wrap::Plain),
        ("yy", "%y", Wrap::Plain),
        ("Q", "", Wrap::Quarter),
    ];
    let mut pieces: Vec<(String, Wrap)> = Vec::new();
    let mut push = |text: &str, wrap: Wrap| match pieces.last_mut() {
        Some((last, Wrap::Plain)) if wrap == Wrap::Plain => last.push_str(text),
        _ => pieces.push((text.to_owned(), wrap)),
    };
    let mut rest = format;
    while let Some(c) = rest.chars().next() {
        if let Some((word, pattern, wrap)) = WORDS.iter().find(|w| rest.starts_with(w.0)) {
            // Padded or not makes no difference when reading, but names do.
            if reading && matches!(*pattern, "%g" | "%f" | "%V" | "%G" | "%u" | "%a" | "%A") {
                return None;
            }
            push(pattern, *wrap);
            rest = rest.get(word.len()..)?;
            continue;
        }
        if c == '"' {
            let end = rest.get(1..)?.find('"')? + 1;
            push(&rest.get(1..end)?.replace('%', "%%"), Wrap::Plain);
            rest = rest.get(end + 1..)?;
            continue;
        }
        if c.is_ascii_alphabetic() && c != 'T' {
            return None;
        }
        if c == 'T' && rest.get(1..2).is_some_and(|n| !n.starts_with('H')) {
            return None;
        }
        if c == '%' {
            push("%%", Wrap::Plain);
        } else {
            push(&c.to_string(), Wrap::Plain);
        }
        rest = rest.get(c.len_utf8()..)?;
    }
    Some(pieces)
}

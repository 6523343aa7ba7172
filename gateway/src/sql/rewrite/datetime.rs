//! Dates and times: AT TIME ZONE, interval literals, to_char.

use duckmesh_catalog::{ColumnType, types::TextType};
use sqlparser::ast::{DateTimeField, Expr, Interval, IntervalFields};

use super::{Ex, Kind, Rewriter, signature::shown};
use crate::{
    sql::{quote, types},
    value::TimeZone,
    wire::error::{PgError, PgResult, SqlState},
};

/// What is longer is not written twice.
const ZONED_BYTES_MAX: usize = 1024;

/// Whether a zone is what the engine knows best.
fn is_utc(text: &str) -> bool {
    ["utc", "gmt"].iter().any(|name| text.eq_ignore_ascii_case(name))
}

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
        if let (false, Some(of)) = (matches!(zone.kind, Kind::Str(_)), &ty)
            && self.has_functions()
        {
            let sql = self.zoned(&sql, *of == ColumnType::Timestamp, &zone.sql);
            return Ok(Ex::plain(sql, ty));
        }
        Ok(Ex::plain(format!("({sql} AT TIME ZONE {})", zone.sql), ty))
    }

    /// A moment in a zone that is known when it runs: abbreviations are offsets, whatever the engine makes of them.
    pub(super) fn zoned(&mut self, moment: &str, to_local: bool, zone: &str) -> String {
        let name = format!("m_{}", self.number());
        let long = moment.len() + zone.len() > ZONED_BYTES_MAX;
        let m = if long { &name } else { moment };
        let offset = format!("to_seconds(pg_zone_offset({zone}))");
        let shifted = match to_local {
            true => format!("timezone('UTC', {m}) + {offset}"),
            false => format!("timezone('UTC', {m} - {offset})"),
        };
        let sql = format!(
            "(CASE WHEN pg_zone_offset({zone}) IS NOT NULL THEN {shifted} ELSE timezone(pg_zone_name({zone}), {m}) END)"
        );
        // Written once: zones can be inside each other.
        if long { format!("list_transform([{moment}], lambda {name}: {sql})[1]") } else { sql }
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
            Some(T::Time | T::AsText(TextType::Timetz)) if zone.ty == Some(T::Interval) && self.has_functions() => {
                // As POSIX writes it, westwards.
                let zone = format!(
                    "list_transform([{seconds}], lambda s: 'UTC' || (CASE WHEN s > 0 THEN '-' ELSE '+' END) \
                     || (abs(s) // 3600) || ':' || lpad(CAST(abs(s) // 60 % 60 AS VARCHAR), 2, '0') \
                     || ':' || lpad(CAST(abs(s) % 60 AS VARCHAR), 2, '0'))[1]"
                );
                let ex = self.cast(ex.clone(), &T::AsText(TextType::Timetz), ex.position)?;
                return Ok(Some(self.timetz_in_zone(&ex.sql, &zone)));
            }
            _ if zone.ty == Some(T::Interval) => return self.refuse("a time zone as an interval", ex.position),
            _ => return Ok(None),
        };
        let ty = if ex.ty == Some(T::Timestamp) { T::Timestamptz } else { T::Timestamp };
        Ok(Some(Ex::of(sql, ty)))
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
            Some(T::Timestamp | T::Timestamptz) => value.sql.clone(),
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
        let exact = self.has_functions();
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
        let mut text = format!("({})", texts.join(" || "));
        // Years before Christ, those of five digits and infinity are not what the engine says of them.
        if let (true, Some(other)) = (exact, self.char_of_template(&value, &format)?) {
            text = format!(
                "(CASE WHEN {sql} BETWEEN TIMESTAMP '0001-01-02 00:00:00' AND TIMESTAMP '9999-12-30 00:00:00' THEN {text} \
                 ELSE {other} END)"
            );
        }
        Ok(Some(Ex::of(text, T::Text)))
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
    // What begins as a shorter word does.
    let upper = format.to_ascii_uppercase();
    if ["SSSS", "IDDD", "TH"].iter().any(|word| upper.contains(word)) {
        return None;
    }
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

//! Fields of dates and times: EXTRACT, date_part and date_trunc.

use duckmesh_catalog::{ColumnType, types::TextType};
use sqlparser::ast::DateTimeField;

use super::{Ex, Kind, LONG, NUMERIC, Rewriter, signature::shown};
use crate::{
    sql::quote,
    wire::error::{PgError, PgResult, SqlState},
};

/// Letters of a unit that Postgres looks at.
const UNIT_LETTERS: usize = 10;

/// Units, and the words that Postgres knows for each.
const UNITS: [(&str, &[&str]); 22] = [
    ("microseconds", &["microsecon", "us", "usec", "usecond", "useconds", "usecs"]),
    ("milliseconds", &["millisecon", "ms", "msec", "msecond", "mseconds", "msecs"]),
    ("second", &["s", "sec", "second", "seconds", "secs"]),
    ("minute", &["m", "min", "mins", "minute", "minutes"]),
    ("hour", &["h", "hour", "hours", "hr", "hrs"]),
    ("day", &["d", "day", "days"]),
    ("week", &["w", "week", "weeks"]),
    ("month", &["mon", "mons", "month", "months"]),
    ("quarter", &["qtr", "quarter"]),
    ("year", &["y", "year", "years", "yr", "yrs"]),
    ("decade", &["dec", "decs", "decade", "decades"]),
    ("century", &["c", "cent", "century", "centuries"]),
    ("millennium", &["mil", "mils", "millennia", "millennium"]),
    ("dow", &["dow"]),
    ("isodow", &["isodow"]),
    ("doy", &["doy"]),
    ("isoyear", &["isoyear"]),
    ("julian", &["j", "julian"]),
    ("epoch", &["epoch"]),
    ("timezone", &["timezone"]),
    ("timezone_hour", &["timezone_h"]),
    ("timezone_minute", &["timezone_m"]),
];

/// What a unit stands for. None: no unit.
fn unit_of(word: &str) -> Option<&'static str> {
    let word: String = word.to_lowercase().chars().take(UNIT_LETTERS).collect();
    UNITS.iter().find(|(_, words)| words.contains(&word.as_str())).map(|(unit, _)| *unit)
}

/// Units that date_trunc cuts at.
fn truncated_to(unit: &str) -> Option<&'static str> {
    let rest = ["dow", "isodow", "doy", "isoyear", "julian", "epoch", "timezone", "timezone_hour", "timezone_minute"];
    unit_of(unit).filter(|unit| !rest.contains(unit))
}

/// Years that a unit spans, and the first of them: centuries begin with the year 1.
fn years_of(unit: &str) -> Option<(i32, i32)> {
    match unit {
        "decade" => Some((10, 0)),
        "century" => Some((100, 1)),
        "millennium" => Some((1000, 1)),
        _ => None,
    }
}

const CLOCK: [&str; 5] = ["microseconds", "milliseconds", "second", "minute", "hour"];
const ZONE: [&str; 3] = ["timezone", "timezone_hour", "timezone_minute"];
/// Units that grow with time: those of infinity are infinite, all others are NULL.
const GROWING: [&str; 7] = ["year", "decade", "century", "millennium", "julian", "isoyear", "epoch"];

/// Whether values of a type have a unit.
fn has_unit(ty: &ColumnType, unit: &str) -> bool {
    match ty {
        ColumnType::Date => !CLOCK.contains(&unit) && !ZONE.contains(&unit),
        ColumnType::Time => CLOCK.contains(&unit) || unit == "epoch",
        ColumnType::AsText(TextType::Timetz) => CLOCK.contains(&unit) || ZONE.contains(&unit) || unit == "epoch",
        ColumnType::Timestamp => !ZONE.contains(&unit),
        ColumnType::Interval => {
            !ZONE.contains(&unit) && !["week", "dow", "isodow", "doy", "isoyear", "julian"].contains(&unit)
        }
        _ => true,
    }
}

impl Rewriter<'_> {
    /// `EXTRACT(field FROM x)`: numeric.
    pub fn extract(&mut self, field: &DateTimeField, expr: &sqlparser::ast::Expr) -> PgResult<Ex> {
        let at = self.at_expr(expr);
        let name = match field {
            DateTimeField::Custom(ident) => ident.value.to_lowercase(),
            other => other.to_string().to_lowercase(),
        };
        let ex = self.expr(expr)?;
        let (unit, ex) = self.unit_and_value(&name, ex, at)?;
        let field = self.field(unit, &ex, at)?;
        let sql = match infinite_of(unit, &ex) {
            Some((finite, _)) => format!(
                "(CASE WHEN {finite} THEN {} ELSE error('SQLSTATE 0A000: extract() of infinity is not supported, \
                 date_part() gives it as double precision') END)",
                field.sql
            ),
            None => field.sql,
        };
        Ok(Ex { sql, ..field }.at(at))
    }

    /// The unit, and the value that it is of.
    fn unit_and_value(&mut self, name: &str, ex: Ex, at: Option<u32>) -> PgResult<(&'static str, Ex)> {
        use ColumnType as T;
        let ex = self.settle(ex, &T::Interval)?;
        let timed = [T::Date, T::Time, T::Timestamp, T::Timestamptz, T::Interval, T::AsText(TextType::Timetz)];
        if let Some(other) = ex.ty.as_ref().filter(|ty| !timed.contains(ty.bare())) {
            let message = format!("function pg_catalog.extract(unknown, {}) does not exist", shown(other));
            return Err(PgError::new(SqlState::UNDEFINED_FUNCTION, message)
                .hint(
                    "No function matches the given name and argument types. You might need to add explicit type casts.",
                )
                .or_position(at));
        }
        let of = ex.ty.as_ref().map_or_else(|| "unknown".into(), shown);
        let Some(unit) = unit_of(name) else {
            let message = format!("unit \"{name}\" not recognized for type {of}");
            return Err(PgError::new(SqlState::INVALID_PARAMETER_VALUE, message));
        };
        if ex.ty.as_ref().is_some_and(|ty| !has_unit(ty.bare(), unit)) {
            let message = format!("unit \"{name}\" not supported for type {of}");
            return Err(PgError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
        }
        Ok((unit, ex))
    }

    /// A field as an exact number; NULL of infinity.
    fn field(&mut self, unit: &'static str, ex: &Ex, at: Option<u32>) -> PgResult<Ex> {
        use ColumnType as T;
        let mut ex = ex.clone();
        if ex.ty == Some(T::AsText(TextType::Timetz)) {
            if let Some(sql) = self.timetz_field(unit, &ex.sql) {
                return Ok(Ex::of(sql, NUMERIC));
            }
            ex = self.cast(ex, &T::Time, at)?;
        }
        let date = ex.ty == Some(T::Date);
        let interval = ex.ty == Some(T::Interval);
        let instant = ex.sql.clone();
        // Years of the engine's zoned times have no sign: the calendar's fields are those of the local time.
        if ex.ty == Some(T::Timestamptz) && unit != "epoch" && !ZONE.contains(&unit) {
            ex.sql = format!("CAST({} AS TIMESTAMP)", ex.sql);
        }
        let x = &ex.sql;
        let exact = |sql: String| format!("CAST({sql} AS DECIMAL(18,0))");
        let micros = || exact(format!("extract('microsecond' FROM {x})"));
        let sql = match unit {
            "epoch" if date => exact(format!("epoch({x})")),
            // A year of an interval is 365.25 days.
            "epoch" if interval => format!(
                "(CAST(extract('year' FROM {x}) * 31557600 + extract('month' FROM {x}) * 2592000 \
                 + extract('day' FROM {x}) * 86400 + extract('hour' FROM {x}) * 3600 + extract('minute' FROM {x}) * 60 \
                 AS DECIMAL(20,0)) + {} * 0.000001)",
                micros()
            ),
            // So wide that the engine computes on with room: milliseconds are made of it by multiplication.
            "epoch" => format!("(CAST(epoch_us({instant}) AS DECIMAL(24,0)) * 0.000001)"),
            "second" => format!("({} * 0.000001)", micros()),
            "milliseconds" => format!("({} * 0.001)", micros()),
            "microseconds" => micros(),
            // Before the year 1 the engine counts 0, -1 …; Postgres says -1, -2 ….
            "year" | "isoyear" if !interval => {
                exact(format!("(CASE WHEN {unit}({x}) > 0 THEN {unit}({x}) ELSE {unit}({x}) - 1 END)"))
            }
            "decade" if !interval => exact(format!("floor(year({x}) / 10.0)")),
            "julian" if date => exact(format!("julian({x})")),
            "julian" if self.has_functions() => {
                let clock = format!("CAST(epoch_us(CAST({x} AS TIME)) AS VARCHAR)");
                let day = format!("CAST(CAST(julian(CAST({x} AS DATE)) AS BIGINT) AS VARCHAR)");
                return Ok(Ex::of(format!("pg_num_add({day}, pg_num_div({clock}, '86400000000'))"), LONG));
            }
            unit => exact(format!("extract('{unit}' FROM {x})")),
        };
        Ok(Ex::of(sql, NUMERIC))
    }

    /// `date_part('year', x)`: double precision.
    pub fn date_part(&mut self, values: &mut Vec<Ex>, at: Option<u32>) -> PgResult<Option<Ex>> {
        let [unit, _] = values.as_slice() else {
            return Ok(None);
        };
        let unit = unit.clone();
        let Some(value) = values.pop() else {
            return Ok(None);
        };
        // Of a date it is that of its midnight.
        let value =
            if value.ty == Some(ColumnType::Date) { self.cast(value, &ColumnType::Timestamp, at)? } else { value };
        let Kind::Str(unit) = &unit.kind else {
            return self.part_of_any_unit(unit, value, at).map(Some);
        };
        let (unit, ex) = self.unit_and_value(&unit.to_lowercase(), value, at)?;
        self.part(unit, &ex, at).map(Some)
    }

    /// `date_part($1, x)`: SQLAlchemy's `func.date_part` sends its unit so.
    fn part_of_any_unit(&mut self, unit: Ex, value: Ex, at: Option<u32>) -> PgResult<Ex> {
        let unit = self.settle(unit, &ColumnType::Text)?;
        // `epoch` is one that all types have.
        let (_, value) = self.unit_and_value("epoch", value, at)?;
        let ty = value.ty.clone().unwrap_or(ColumnType::Interval);
        let each = Ex::of("x", ty.clone());
        let (mut cases, mut others) = (String::new(), Vec::new());
        for (unit, words) in UNITS {
            let words = words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(", ");
            match has_unit(ty.bare(), unit) {
                true => cases.push_str(&format!(" WHEN u IN ({words}) THEN {}", self.part(unit, &each, at)?.sql)),
                false => others.push(words),
            }
        }
        let shown = shown(&ty);
        if !others.is_empty() {
            let others = others.join(", ");
            cases.push_str(&format!(
                " WHEN u IN ({others}) THEN error('SQLSTATE 0A000: unit \"' || u || '\" not supported for type {shown}')"
            ));
        }
        let of_unit = format!(
            "CASE{cases} WHEN u IS NOT NULL \
             THEN error('SQLSTATE 22023: unit \"' || u || '\" not recognized for type {shown}') END"
        );
        let word = format!("lower({})[:{UNIT_LETTERS}]", unit.sql);
        let sql =
            format!("list_transform([{word}], lambda u: list_transform([{}], lambda x: {of_unit})[1])[1]", value.sql);
        Ok(Ex::of(sql, ColumnType::Float8).at(at))
    }

    fn part(&mut self, unit: &'static str, ex: &Ex, at: Option<u32>) -> PgResult<Ex> {
        let field = self.field(unit, ex, at)?;
        let float = format!("CAST({} AS DOUBLE)", field.sql);
        let sql = match infinite_of(unit, ex) {
            Some((finite, later)) => format!(
                "(CASE WHEN {finite} THEN {float} WHEN {later} THEN CAST('Infinity' AS DOUBLE) \
                 ELSE CAST('-Infinity' AS DOUBLE) END)"
            ),
            None => float,
        };
        Ok(Ex::of(sql, ColumnType::Float8))
    }

    /// `date_trunc('day', x)`.
    pub fn date_trunc(&mut self, values: &mut Vec<Ex>, at: Option<u32>) -> PgResult<Option<Ex>> {
        use ColumnType as T;
        if values.len() != 2 && values.len() != 3 {
            return Ok(None);
        }
        let zone = if values.len() == 3 { values.pop() } else { None };
        let (Some(value), Some(unit)) = (values.pop(), values.pop()) else {
            return Ok(None);
        };
        let mut unit = unit;
        let mut known = None;
        if let Kind::Str(text) = &unit.kind {
            known = truncated_to(text);
            let Some(known) = known else {
                let ty = value.ty.as_ref().map_or_else(|| "timestamp with time zone".into(), shown);
                return Err(PgError::new(
                    SqlState::INVALID_PARAMETER_VALUE,
                    format!("unit \"{text}\" not recognized for type {ty}"),
                ));
            };
            unit = Ex::of(quote::literal(known)?, T::Text);
        }
        let unit = self.settle(unit, &T::Text)?;
        let value = self.settle(value, &T::Timestamptz)?;
        let value = if value.ty == Some(T::Time) { self.cast(value, &T::Interval, at)? } else { value };
        let (value, ty) = match value.ty.clone() {
            Some(T::Date) => (format!("CAST({} AS TIMESTAMPTZ)", value.sql), Some(T::Timestamptz)),
            Some(ty @ (T::Timestamp | T::Timestamptz | T::Interval)) => (value.sql, Some(ty)),
            None => (value.sql, None),
            Some(_) => return Err(self.undefined_function("date_trunc", &[unit, value], at)),
        };
        if ty == Some(T::Interval) && known == Some("week") {
            return Err(PgError::unsupported("unit \"week\" not supported for type interval")
                .detail("Months usually have fractional weeks."));
        }
        let point = matches!(ty, Some(T::Timestamp | T::Timestamptz));
        let functions = self.has_functions();
        // The engine counts years from 0 and towards it.
        let plain = |value: &str| match known.and_then(years_of).filter(|_| point) {
            Some((years, first)) => trunc_years(value, years, first),
            None if known.is_none() && point && functions => format!("pg_date_trunc(lower({}), {value})", unit.sql),
            None => format!("date_trunc({}, {value})", unit.sql),
        };
        // A local time may come twice: what is cut to hours or less is moved, and not looked for again.
        let moves = |whole: String, local: &str| match known {
            _ if !functions => whole,
            Some(unit) if !CLOCK.contains(&unit) => whole,
            Some(_) => format!("pg_trunc_clock({}, {value}, {local})", unit.sql),
            None => format!(
                "(CASE WHEN pg_is_clock(lower({u})) THEN pg_trunc_clock(lower({u}), {value}, {local}) ELSE {whole} END)",
                u = unit.sql
            ),
        };
        if let Some(zone) = zone {
            let instant = Ex::of(value.clone(), T::Timestamptz);
            let there = self.in_zone(&instant, &zone)?;
            let cut = self.in_zone(&Ex::of(plain(&there.sql), T::Timestamp), &zone)?;
            return Ok(Some(Ex::of(moves(cut.sql, &there.sql), T::Timestamptz)));
        }
        if ty == Some(T::Timestamptz) {
            let local = format!("CAST({value} AS TIMESTAMP)");
            // What spans years is cut in the local calendar.
            let whole = match known.is_none_or(|unit| years_of(unit).is_some()) {
                true => format!("CAST({} AS TIMESTAMPTZ)", plain(&local)),
                false => plain(&value),
            };
            return Ok(Some(Ex::of(moves(whole, &local), T::Timestamptz)));
        }
        Ok(Some(Ex::plain(plain(&value), ty)))
    }

    /// `make_timestamptz(…, zone)`: a number counts eastwards here. None: the zone is no constant.
    pub(super) fn made_in_zone(&mut self, values: &mut Vec<Ex>, at: Option<u32>) -> PgResult<Option<Ex>> {
        let Some(Kind::Str(zone)) = values.last().map(|zone| zone.kind.clone()) else { return Ok(None) };
        let Some(named) = values.pop() else { return Ok(None) };
        let local = self.by_table(super::functions::SCALARS, "make_timestamp", std::mem::take(values), at)?;
        if zone.starts_with(|c: char| c.is_ascii_digit()) {
            let message = format!("invalid input syntax for type numeric time zone: \"{zone}\"");
            return Err(PgError::new(SqlState::INVALID_PARAMETER_VALUE, message)
                .hint("Numeric time zones must have \"-\" or \"+\" as first character."));
        }
        if !zone.starts_with(['+', '-']) {
            return self.in_zone(&local, &named).map(Some);
        }
        let Some(east) = east_of(&zone) else {
            let message = format!("time zone \"{zone}\" not recognized");
            return Err(PgError::new(SqlState::INVALID_PARAMETER_VALUE, message));
        };
        let sql = format!("timezone('UTC', {} - to_seconds({east}))", local.sql);
        Ok(Some(Ex::of(sql, ColumnType::Timestamptz)))
    }

    /// A time with a zone as the local time there, or a local time there with the zone.
    pub(super) fn in_zone(&mut self, ex: &Ex, zone: &Ex) -> PgResult<Ex> {
        if let Some(there) = self.at_offset(ex, zone)? {
            return Ok(there);
        }
        let is_constant = matches!(zone.kind, Kind::Str(_));
        let zone = self.settle(zone.clone(), &ColumnType::Text)?;
        let ty = match ex.ty {
            Some(ColumnType::Timestamp) => ColumnType::Timestamptz,
            _ => ColumnType::Timestamp,
        };
        if !is_constant && self.has_functions() {
            let sql = self.zoned(&ex.sql, ty == ColumnType::Timestamp, &zone.sql);
            return Ok(Ex::of(sql, ty));
        }
        Ok(Ex::of(format!("({} AT TIME ZONE {})", ex.sql, zone.sql), ty))
    }
}

/// Where a unit of infinity is infinite: whether the value is finite, and whether infinity is the later one.
fn infinite_of(unit: &str, ex: &Ex) -> Option<(String, String)> {
    use ColumnType as T;
    let ty = ex.ty.as_ref().filter(|ty| matches!(ty, T::Date | T::Timestamp | T::Timestamptz))?;
    let x = &ex.sql;
    GROWING
        .contains(&unit)
        .then(|| (format!("isfinite({x}) OR {x} IS NULL"), format!("{x} > {}", ty.cast("DATE '2000-01-01'"))))
}

/// A local time cut at so many years, where one of them begins with the year `first`.
fn trunc_years(x: &str, years: i32, first: i32) -> String {
    let since = format!("CAST((((year({x}) - {first}) % {years}) + {years}) % {years} AS INTEGER)");
    format!(
        "(CASE WHEN isfinite({x}) THEN CAST(date_trunc('year', {x}) AS TIMESTAMP) - to_years({since}) ELSE {x} END)"
    )
}

/// Hours that a zone is away from Greenwich at most.
const ZONE_HOURS_MAX: i64 = 15;

/// Seconds east of Greenwich of `+2`, `-0330` or `+10:00:01`.
fn east_of(zone: &str) -> Option<i64> {
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let digits = zone.get(1..)?;
    let number = |part: &str| match part.is_empty() {
        true => Some(0),
        false => part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse::<i64>().ok()).flatten(),
    };
    let (hours, minutes, seconds) = match digits.split_once(':') {
        Some((hours, rest)) => {
            let (minutes, seconds) = rest.split_once(':').unwrap_or((rest, ""));
            (number(hours)?, number(minutes)?, number(seconds)?)
        }
        None if digits.len() > 2 => {
            let (hours, minutes) = digits.split_at_checked(digits.len() - 2)?;
            (number(hours)?, number(minutes)?, 0)
        }
        None => (number(digits).filter(|_| !digits.is_empty())?, 0, 0),
    };
    let fits = hours <= ZONE_HOURS_MAX && minutes < 60 && seconds < 60;
    fits.then_some(sign * (hours * 3600 + minutes * 60 + seconds))
}

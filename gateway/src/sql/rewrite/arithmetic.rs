//! Arithmetic of numbers, dates, times and intervals; bits.

use duckmesh_catalog::ColumnType;

use super::{
    Ex, Kind, NUMERIC, Rewriter,
    number::{LONG, is_long},
    operator::{common, is_int, is_number, is_time_point},
    scale,
};
use crate::wire::error::{PgError, PgResult, SqlState};

impl Rewriter<'_> {
    /// An unknown beside arithmetic takes the other side's type.
    pub fn arithmetic(&mut self, l: Ex, r: Ex, op: &str, at: Option<u32>) -> PgResult<(Ex, Ex)> {
        let bare = [l.kind == Kind::Null, r.kind == Kind::Null];
        let (l, r) = self.settled_sides(l, r, op, at)?;
        let [l, r] = [(l, bare[0]), (r, bare[1])].map(|(ex, null)| match null {
            true => super::literal::typed_null(ex),
            false => ex,
        });
        Ok((l, r))
    }

    fn settled_sides(&mut self, l: Ex, r: Ex, op: &str, at: Option<u32>) -> PgResult<(Ex, Ex)> {
        if l.is_unknown() && r.is_unknown() {
            if l.kind == Kind::Null || r.kind == Kind::Null {
                return Ok((self.settle_parameter(l)?, self.settle_parameter(r)?));
            }
            return Err(PgError::new(
                SqlState::AMBIGUOUS_FUNCTION,
                format!("operator is not unique: unknown {op} unknown"),
            )
            .hint("Could not choose a best candidate operator. You might need to add explicit type casts.")
            .or_position(at));
        }
        if l.is_unknown() {
            let ty = self.partner(r.ty.as_ref(), op);
            return Ok((self.settle(l, &ty)?, r));
        }
        if r.is_unknown() {
            let ty = self.partner(l.ty.as_ref(), op);
            let r = self.settle(r, &ty)?;
            return Ok((l, r));
        }
        Ok((l, r))
    }

    pub fn partner(&self, other: Option<&ColumnType>, op: &str) -> ColumnType {
        match other {
            Some(ColumnType::Date) if op == "-" => ColumnType::Date,
            Some(ColumnType::Date | ColumnType::Timestamp | ColumnType::Timestamptz) if op == "+" => {
                ColumnType::Interval
            }
            Some(ColumnType::Interval) if matches!(op, "*" | "/") => ColumnType::Float8,
            Some(ty) => scale::any_digits(ty),
            None => ColumnType::Int4,
        }
    }

    /// Result of `+ - * / %` over two numbers; none where it is not known.
    pub fn number_type(&self, l: &Ex, r: &Ex, op: &str, at: Option<u32>) -> PgResult<Option<ColumnType>> {
        let (Some(a), Some(b)) = (&l.ty, &r.ty) else {
            return Ok(None);
        };
        if !is_number(a) || !is_number(b) {
            return Err(self.undefined_operator(op, Some(a), Some(b), at));
        }
        Ok(match (a, b) {
            (ColumnType::Float4, ColumnType::Float4) => Some(ColumnType::Float4),
            (ColumnType::Float4, _) | (_, ColumnType::Float4) => Some(ColumnType::Float8),
            _ => match common(a, b) {
                Some(ty) if matches!(ty, ColumnType::Numeric(..)) && !is_long(&ty) => {
                    Some(scale::scale_of_operation(op, l, r).map_or(NUMERIC, scale::computed))
                }
                ty => ty,
            },
        })
    }

    /// A small literal beside int2 is int4 in Postgres; the engine would make it int2.
    pub fn widened(&self, ex: &Ex, ty: Option<&ColumnType>) -> String {
        match (&ex.ty, ty) {
            (Some(ColumnType::Int2), Some(t @ (ColumnType::Int4 | ColumnType::Int8))) => t.cast(&ex.sql),
            // Mixed with real, Postgres computes in double precision.
            (Some(ColumnType::Float4), Some(ColumnType::Float8)) => {
                format!("CAST({} AS DOUBLE)", ex.sql)
            }
            (Some(ColumnType::Numeric(..)), Some(ColumnType::Float8)) => {
                format!("CAST({} AS DOUBLE)", ex.sql)
            }
            _ => ex.sql.clone(),
        }
    }

    pub fn plain_arithmetic(&mut self, l: &Ex, op: &str, r: &Ex, ty: Option<ColumnType>) -> PgResult<Ex> {
        let decimal = matches!(ty, Some(ColumnType::Numeric(..))) && matches!(op, "+" | "-" | "*");
        self.decimals |= decimal;
        if ty.as_ref().is_some_and(is_long) || (decimal && self.ctx.exact && self.has_functions()) {
            let function = match op {
                "+" => "pg_num_add",
                "-" => "pg_num_sub",
                "*" => "pg_num_mul",
                "/" => "pg_num_div",
                _ => "pg_num_mod",
            };
            let text = self.long_call(function, vec![l.clone(), r.clone()])?;
            return Ok(self.with_parts(text, op, l, r));
        }
        let (a, b) = (self.widened(l, ty.as_ref()), self.widened(r, ty.as_ref()));
        let sql = match self.checked_operation(op, ty.as_ref()) {
            Some(function) => format!("{function}({a}, {b})"),
            None => format!("({a} {op} {b})"),
        };
        Ok(Ex::plain(sql, ty))
    }

    /// The function that computes with floats and has Postgres' errors of range, where the engine gives infinity or zero.
    fn checked_operation(&self, op: &str, ty: Option<&ColumnType>) -> Option<String> {
        let kind = match ty {
            Some(ColumnType::Float8) => "float",
            Some(ColumnType::Float4) => "real",
            _ => return None,
        };
        let name = match op {
            "+" => "plus",
            "-" => "minus",
            "*" => "times",
            "/" => "over",
            _ => return None,
        };
        self.has_functions().then(|| format!("pg_{kind}_{name}"))
    }

    /// The same for a function of the list.
    pub fn checked_function(&self, text: &'static str, name: &str) -> &'static str {
        match (text, name) {
            _ if !self.has_functions() => text,
            ("pow($1, $2)", _) => "pg_float_power($1, $2)",
            ("", "exp") => "pg_float_exp($1)",
            ("", "upper") => "pg_upper($1)",
            ("", "acosh") => "pg_acosh($1)",
            ("", "atanh") => "pg_atanh($1)",
            ("", "make_date") => "pg_make_date($*)",
            ("make_timestamp($*)", _) => "pg_make_timestamp($*)",
            ("to_timestamp($1)", _) => "pg_to_timestamp($1)",
            (text, _) => text,
        }
    }

    /// A date so many days later or earlier: the engine has more of them than Postgres.
    fn day_moved(&self, day: &str, op: &str, days: &str) -> Ex {
        let moved = format!("({day} {op} CAST({days} AS INTEGER))");
        Ex::of(if self.has_functions() { format!("pg_date_moved({moved})") } else { moved }, ColumnType::Date)
    }

    pub fn add(&mut self, l: Ex, r: Ex, at: Option<u32>) -> PgResult<Ex> {
        use ColumnType as T;
        let (l, r) = self.arithmetic(l, r, "+", at)?;
        if let Some(ex) = super::interval::sum(&l, &r, 1) {
            return Ok(ex);
        }
        let ty = match (&l.ty, &r.ty) {
            (Some(T::Date), Some(b)) if is_int(b) => {
                return Ok(self.day_moved(&l.sql, "+", &r.sql));
            }
            (Some(a), Some(T::Date)) if is_int(a) => {
                return Ok(self.day_moved(&r.sql, "+", &l.sql));
            }
            (Some(T::Date | T::Timestamp), Some(T::Interval)) | (Some(T::Interval), Some(T::Date | T::Timestamp)) => {
                Some(T::Timestamp)
            }
            (Some(T::Timestamptz), Some(T::Interval)) => return Ok(self.instant_moved(&l, &r, "+")),
            (Some(T::Interval), Some(T::Timestamptz)) => return Ok(self.instant_moved(&r, &l, "+")),
            (Some(T::Date), Some(T::Time)) | (Some(T::Time), Some(T::Date)) => Some(T::Timestamp),
            (Some(T::Time), Some(T::Interval)) | (Some(T::Interval), Some(T::Time)) => Some(T::Time),
            (Some(T::Interval), Some(T::Interval)) => Some(T::Interval),
            (Some(T::Time), Some(T::Time)) => {
                let name = super::shown(&T::Time);
                let message = format!("operator is not unique: {name} + {name}");
                return Err(PgError::new(SqlState::AMBIGUOUS_FUNCTION, message)
                    .hint("Could not choose a best candidate operator. You might need to add explicit type casts.")
                    .or_position(at));
            }
            _ => {
                let ty = self.number_type(&l, &r, "+", at)?;
                return self.plain_arithmetic(&l, "+", &r, ty);
            }
        };
        Ok(Ex::plain(format!("({} + {})", l.sql, r.sql), ty))
    }

    pub fn subtract(&mut self, l: Ex, r: Ex, at: Option<u32>) -> PgResult<Ex> {
        use ColumnType as T;
        if l.ty == Some(T::Jsonb) && !l.is_unknown() {
            if !self.has_functions() {
                return self.refuse("removing keys from jsonb", at);
            }
            return self.json_minus(&l, r, at);
        }
        let (l, r) = self.arithmetic(l, r, "-", at)?;
        if let Some(ex) = super::interval::sum(&l, &r, -1) {
            return Ok(ex);
        }
        let ty = match (&l.ty, &r.ty) {
            (Some(T::Date), Some(T::Date)) => {
                let sql = match self.has_functions() {
                    true => format!("pg_days_between({}, {})", l.sql, r.sql),
                    false => format!("CAST(({} - {}) AS INTEGER)", l.sql, r.sql),
                };
                return Ok(Ex::of(sql, T::Int4));
            }
            (Some(T::Date), Some(b)) if is_int(b) => {
                return Ok(self.day_moved(&l.sql, "-", &r.sql));
            }
            (Some(T::Date | T::Timestamp), Some(T::Interval)) => Some(T::Timestamp),
            (Some(T::Timestamptz), Some(T::Interval)) => return Ok(self.instant_moved(&l, &r, "-")),
            (Some(T::Date), Some(T::Time)) => {
                let sql = format!("(CAST({} AS TIMESTAMP) - to_microseconds(epoch_us({})))", l.sql, r.sql);
                return Ok(Ex::of(sql, T::Timestamp));
            }
            (Some(T::Time), Some(T::Interval)) => Some(T::Time),
            (Some(T::Interval), Some(T::Interval)) => Some(T::Interval),
            (Some(T::Time), Some(T::Time)) => {
                let sql = format!("to_microseconds(epoch_us({}) - epoch_us({}))", l.sql, r.sql);
                return Ok(Ex::of(sql, T::Interval));
            }
            (Some(a), Some(b)) if is_time_point(a) && is_time_point(b) => {
                let wide = common(a, b).unwrap_or(T::Timestamp);
                let cast = |e: &Ex| match e.ty == Some(wide.clone()) {
                    true => e.sql.clone(),
                    false => wide.cast(&e.sql),
                };
                let [l, r] = [cast(&l), cast(&r)].map(|side| match wide {
                    // Instants: the engine would count the days of the session's zone, some of which have 23 hours.
                    T::Timestamptz => format!("timezone('UTC', {side})"),
                    _ => side,
                });
                return Ok(Ex::of(format!("({l} - {r})"), T::Interval));
            }
            _ => {
                let ty = self.number_type(&l, &r, "-", at)?;
                return self.plain_arithmetic(&l, "-", &r, ty);
            }
        };
        Ok(Ex::plain(format!("({} - {})", l.sql, r.sql), ty))
    }

    /// An instant and an interval: months, days and the time are added one after another, where the engine begins with the
    /// time when any of them is negative.
    pub(super) fn instant_moved(&self, instant: &Ex, interval: &Ex, op: &str) -> Ex {
        let (t, x) = (&instant.sql, &interval.sql);
        let sql = match super::interval::steps(interval) {
            Some(steps) => {
                steps.iter().fold(t.clone(), |moved, (step, is_clock)| match *is_clock || !self.has_functions() {
                    true => format!("({moved} {op} {})", step.sql),
                    // Of a local time that comes twice the engine would take the first.
                    false => format!("CAST((CAST({moved} AS TIMESTAMP) {op} {}) AS TIMESTAMPTZ)", step.sql),
                })
            }
            None if !self.has_functions() => format!("({t} {op} {x})"),
            None if op == "+" => format!("pg_instant_plus({t}, {x})"),
            None => format!("pg_instant_minus({t}, {x})"),
        };
        Ex::of(sql, ColumnType::Timestamptz)
    }

    pub fn multiply(&mut self, l: Ex, r: Ex, at: Option<u32>) -> PgResult<Ex> {
        use ColumnType as T;
        let (l, r) = self.arithmetic(l, r, "*", at)?;
        match (&l.ty, &r.ty) {
            (Some(T::Interval), Some(b)) if is_number(b) => Ok(self.scaled_interval(&l, &r, "*")),
            (Some(a), Some(T::Interval)) if is_number(a) => Ok(self.scaled_interval(&r, &l, "*")),
            _ => {
                let ty = self.number_type(&l, &r, "*", at)?;
                self.plain_arithmetic(&l, "*", &r, ty)
            }
        }
    }

    /// `/` and `%`: Postgres refuses zero, the engine gives NULL or infinity.
    pub fn divide(&mut self, l: Ex, r: Ex, op: &str, at: Option<u32>) -> PgResult<Ex> {
        use ColumnType as T;
        let (l, r) = self.arithmetic(l, r, op, at)?;
        if l.ty == Some(T::Interval) && op == "/" && r.ty.as_ref().is_none_or(is_number) {
            return Ok(self.scaled_interval(&l, &r, "/"));
        }
        let ty = self.number_type(&l, &r, op, at)?;
        let exact = matches!(ty, Some(T::Numeric(..))) && self.has_functions();
        if exact && (op == "/" || ty.as_ref().is_some_and(is_long)) {
            return self.plain_arithmetic(&l, op, &r, Some(LONG));
        }
        let r =
            if ty == Some(T::Float8) && r.ty.as_ref().is_some_and(is_long) { self.cast(r, &T::Float8, at)? } else { r };
        let checked = self.checked_operation(op, ty.as_ref()).is_some();
        let whole = ty.as_ref().is_some_and(is_int);
        let guarded = match () {
            () if checked => r.sql.clone(),
            // The least number has no remainder by -1 in the engine.
            () if op == "%" && whole => self.divisor_of_rest(&r),
            () => self.not_zero(&r),
        };
        // Quotients of numerics are doubles in the engine.
        let known = ty.clone().filter(|t| op == "%" || !matches!(t, T::Numeric(..)));
        let divisor = Ex { sql: guarded, ..r.clone() };
        let mut ex = self.plain_arithmetic(&l, op, &divisor, known)?;
        if ty.as_ref().is_some_and(|t| matches!(t, T::Numeric(..))) && op == "/" {
            ex.ty = None;
        }
        Ok(ex)
    }

    /// A divisor that raises Postgres' error where it is zero.
    pub fn not_zero(&self, r: &Ex) -> String {
        match &r.kind {
            Kind::Number(n) if n.parse::<f64>().is_ok_and(|v| v != 0.0) => r.sql.clone(),
            _ => format!("(CASE WHEN {r} = 0 THEN error('SQLSTATE 22012: division by zero') ELSE {r} END)", r = r.sql),
        }
    }

    /// A divisor whose remainders are Postgres', and which raises its error where it is zero.
    pub fn divisor_of_rest(&self, r: &Ex) -> String {
        match &r.kind {
            Kind::Number(n) if n.parse::<f64>().is_ok_and(|v| v != 0.0 && v != -1.0) => r.sql.clone(),
            _ => format!(
                "(CASE WHEN {r} = 0 THEN error('SQLSTATE 22012: division by zero') WHEN {r} = -1 THEN 1 ELSE {r} END)",
                r = r.sql
            ),
        }
    }

    /// An interval times or over a number.
    pub fn scaled_interval(&self, interval: &Ex, number: &Ex, op: &str) -> Ex {
        if op == "*"
            && let Some(ex) = super::interval::times(interval, number)
        {
            return ex;
        }
        if !self.has_functions() {
            return Ex::of(format!("({} {op} {})", interval.sql, number.sql), ColumnType::Interval);
        }
        let function = if op == "*" { "pg_interval_times" } else { "pg_interval_over" };
        Ex::of(
            format!(
                "CAST({function}(pg_interval_parts({}), CAST({} AS VARCHAR)) AS INTERVAL)",
                interval.sql, number.sql
            ),
            ColumnType::Interval,
        )
    }

    pub fn as_number(&mut self, ex: Ex) -> PgResult<Ex> {
        self.settle_unknown(ex, &ColumnType::Float8)
    }

    pub fn bits(&mut self, l: Ex, r: Ex, op: &str, at: Option<u32>) -> PgResult<Ex> {
        let (l, r) = self.arithmetic(l, r, op, at)?;
        let ty = match (&l.ty, &r.ty) {
            (Some(a), Some(b)) if is_int(a) && is_int(b) => match op {
                "<<" | ">>" => Some(a.clone()),
                _ => common(a, b),
            },
            (Some(a), Some(b)) => return Err(self.undefined_operator(op, Some(a), Some(b), at)),
            _ => None,
        };
        // As processors do: of the count the low bits, and what is shifted out is gone.
        let (mask, values) = match &l.ty {
            Some(ColumnType::Int8) => (63, "18446744073709551616"),
            Some(ColumnType::Int2) => (31, "65536"),
            _ => (31, "4294967296"),
        };
        let sql = match op {
            "#" => format!("xor({}, {})", l.sql, r.sql),
            "<<" if l.ty.as_ref().is_some_and(is_int) => {
                let ty = l.ty.as_ref().map(ColumnType::duckdb).unwrap_or_default();
                format!("CAST(pg_shift_left({}, {}, {mask}, {values}) AS {ty})", l.sql, r.sql)
            }
            ">>" if l.ty.as_ref().is_some_and(is_int) => {
                let ty = l.ty.as_ref().map(ColumnType::duckdb).unwrap_or_default();
                format!("CAST({} >> ({} & {mask}) AS {ty})", l.sql, r.sql)
            }
            _ => format!("({} {op} {})", l.sql, r.sql),
        };
        Ok(Ex::plain(sql, ty))
    }
}

//! Types that are held as text, and `money`: their casts, operators, order and functions.
//!
//! What they compute is in the worker's functions (`engine/worker/functions`); a view for any DuckDB has none of them.

use duckmesh_catalog::{ColumnType, types::TextType};

use super::{
    Ex, Kind, NUMERIC, Rewriter,
    bits::{BIT, castable_bits, is_bits},
    operator::{is_int, is_number, is_text},
};
use crate::{sql::plan::SessionValue, wire::error::PgResult};

/// Whether it is one of these types.
pub(super) fn is_held(ty: &ColumnType) -> bool {
    matches!(ty, ColumnType::AsText(_) | ColumnType::Money)
}

/// Whether order and comparisons need a key: values that travel as text, and whose text orders otherwise.
pub(super) fn keyed(ty: &ColumnType) -> bool {
    match ty {
        ColumnType::AsText(held) => !held.orders_as_text(),
        ty => super::number::is_long(ty),
    }
}

/// What a text orders by.
pub(super) fn key_of(ty: TextType, sql: &str) -> String {
    format!("pg_held_key('{}',{sql})", ty.internal_name())
}

/// Whether it is an address of a network.
fn is_network(ty: &ColumnType) -> bool {
    matches!(ty, ColumnType::AsText(TextType::Inet | TextType::Cidr))
}

fn is_mac(ty: &ColumnType) -> bool {
    matches!(ty, ColumnType::AsText(TextType::Macaddr | TextType::Macaddr8))
}

const INET: ColumnType = ColumnType::AsText(TextType::Inet);
const TIMETZ: ColumnType = ColumnType::AsText(TextType::Timetz);

/// The type that holds both, where they are two.
pub(super) fn common_held(a: &ColumnType, b: &ColumnType) -> Option<ColumnType> {
    match (a, b) {
        _ if is_network(a) && is_network(b) => Some(INET),
        // Each becomes the other: the first decides.
        _ if is_bits(a) && is_bits(b) => Some(a.clone()),
        (ColumnType::Time, ty) | (ty, ColumnType::Time) if *ty == TIMETZ => Some(TIMETZ),
        _ => None,
    }
}

/// Whether an explicit cast exists between two that are not text: none where it is not of these types.
pub(super) fn castable_held(from: &ColumnType, to: &ColumnType) -> Option<bool> {
    if !is_held(from) && !is_held(to) {
        return None;
    }
    Some(assignable_held(from, to) || castable_bits(from, to))
}

/// Whether an assignment casts.
pub(super) fn assignable_held(from: &ColumnType, to: &ColumnType) -> bool {
    use ColumnType as T;
    use TextType as H;
    match (from, to) {
        (a, b) if a == b => true,
        (a, b) if is_network(a) && is_network(b) || is_mac(a) && is_mac(b) => true,
        (T::Time | T::Timestamptz, ty) if *ty == TIMETZ => true,
        (ty, T::Time) if *ty == TIMETZ => true,
        (T::Int4 | T::Int8 | T::Numeric(..), T::Money) | (T::Money, T::Numeric(..)) => true,
        (T::AsText(H::Range(a)), T::AsText(H::Multirange(b))) => a == b,
        (T::AsText(a), T::AsText(b)) => a.is_bits() && b.is_bits(),
        _ => false,
    }
}

impl Rewriter<'_> {
    /// The zone of the session, as text.
    fn zone(&mut self) -> String {
        self.session_value(SessionValue::Setting("timezone".to_owned(), false))
    }

    /// The transaction's time in microseconds, as text.
    fn now_micros(&mut self) -> String {
        let now = self.session_value(SessionValue::TransactionTime);
        format!("CAST(epoch_us({now}) AS VARCHAR)")
    }

    /// Text as one of these types.
    fn read_held(&mut self, sql: &str, ty: TextType) -> String {
        let (zone, now) = match ty {
            TextType::Timetz | TextType::Range(_) | TextType::Multirange(_) => (self.zone(), self.now_micros()),
            _ => ("''".to_owned(), "''".to_owned()),
        };
        format!("pg_held_in('{}', {sql}, {zone}, {now})", ty.internal_name())
    }

    /// `current_time`.
    pub fn current_time(&mut self) -> Ex {
        let local = self.session_value(SessionValue::LocalTime);
        let sql = self.read_held(&format!("CAST({local} AS VARCHAR)"), TextType::Timetz);
        Ex::of(sql, TIMETZ)
    }

    /// A cast from or to one of these types. None: another cast.
    pub fn cast_held(&mut self, ex: &Ex, from: &ColumnType, ty: &ColumnType) -> PgResult<Option<Ex>> {
        use ColumnType as T;
        use TextType as H;
        if from == ty || !(is_held(from) || is_held(ty)) {
            return Ok(None);
        }
        if !self.has_functions() {
            return self.refuse("this cast in a view", ex.position);
        }
        if let Some(cast) = self.cast_bits(ex, from, ty)? {
            return Ok(Some(cast));
        }
        let x = &ex.sql;
        // A cast has the mask always, the output only where it is not whole.
        if *from == INET && is_text(ty) {
            let text = Ex::of(format!("pg_inet_of('text', {x}, '')"), T::Text).at(ex.position);
            return self.cast(text, ty, ex.position).map(Some);
        }
        let sql = match (from, ty) {
            (a, T::AsText(held)) if is_text(a) => self.read_held(x, *held),
            (a, T::Money) if is_text(a) => format!("CAST(pg_money_in({x}) AS DECIMAL(19,2))"),
            (a, T::AsText(H::Inet)) if is_network(a) => format!("pg_inet_of('inet', {x}, '')"),
            (a, T::AsText(H::Cidr)) if is_network(a) => format!("pg_inet_of('cidr', {x}, '')"),
            (a, T::AsText(held)) if is_mac(a) => format!("pg_mac_of('{}', {x}, '')", held.internal_name()),
            (T::Time, T::AsText(H::Timetz)) => self.read_held(&format!("CAST({x} AS VARCHAR)"), H::Timetz),
            (T::Timestamptz, T::AsText(H::Timetz)) => {
                let zone = self.zone();
                format!("pg_timetz_of('moment', CAST(epoch_us({x}) AS VARCHAR), {zone}, '')")
            }
            (T::AsText(H::Timetz), T::Time) => format!("CAST(pg_timetz_of('time', {x}, '', '') AS TIME)"),
            (T::AsText(H::Range(of)), T::AsText(H::Multirange(_))) => {
                format!("pg_range_part('multirange', '{}', 'r', {x})", H::Range(*of).internal_name())
            }
            (T::Money, T::Numeric(0, _)) => return Ok(Some(Ex::of(x.clone(), NUMERIC).at(ex.position))),
            (T::Money, T::Numeric(..)) => format!("CAST({x} AS {})", ty.duckdb()),
            (T::Numeric(0, 1..), T::Money) => format!("CAST(pg_num_fit({x}, '19', '2') AS DECIMAL(19,2))"),
            (T::Int4 | T::Int8 | T::Numeric(..), T::Money) => format!("CAST({x} AS DECIMAL(19,2))"),
            _ => return Ok(None),
        };
        Ok(Some(Ex::of(sql, ty.clone()).at(ex.position)))
    }

    /// The text of one of these types, as its output has it.
    pub fn text_of_held(&mut self, ex: &Ex) -> Option<String> {
        let x = &ex.sql;
        Some(match ex.ty.as_ref()? {
            ColumnType::Money => format!("pg_money_text(CAST({x} AS VARCHAR))"),
            ColumnType::AsText(ty @ (TextType::Range(_) | TextType::Multirange(_))) => {
                let zone = self.zone();
                format!("pg_held_text('{}', {x}, {zone})", ty.internal_name())
            }
            ColumnType::AsText(_) => x.clone(),
            _ => return None,
        })
    }

    /// Two sides of a comparison, at least one of them of these types.
    pub fn meet_held(&mut self, l: Ex, r: Ex, op: &str) -> PgResult<(Ex, Ex)> {
        let (Some(a), Some(b)) = (l.ty.clone(), r.ty.clone()) else { return Ok((l, r)) };
        let ty = if a == b { a } else { common_held(&a, &b).unwrap_or(a) };
        let (at_l, at_r) = (l.position, r.position);
        let (l, r) = (self.cast(l, &ty, at_l)?, self.cast(r, &ty, at_r)?);
        let ColumnType::AsText(held) = ty else { return Ok((l, r)) };
        let plain = held.orders_as_text() || (held.equal_as_text() && matches!(op, "=" | "<>" | "!="));
        if plain || !self.has_functions() {
            return Ok((l, r));
        }
        // A key is no value of the type: nobody makes one of it again.
        let key = |ex: Ex| Ex { sql: key_of(held, &ex.sql), ty: None, kind: Kind::Plain, ..ex };
        Ok((key(l), key(r)))
    }

    /// A binary operator of these types. None: not one of them.
    pub fn held_operator(&mut self, op: &str, l: &Ex, r: &Ex, at: Option<u32>) -> PgResult<Option<Ex>> {
        let known = |e: &Ex| e.ty.clone().filter(|_| !e.is_unknown());
        let (a, b) = (known(l), known(r));
        let Some(held) = [&a, &b].into_iter().flatten().find(|t| is_held(t)).cloned() else { return Ok(None) };
        // `||` makes text of anything, and element operators are of arrays.
        let joins_bits = is_bits(&held) && [&a, &b].into_iter().flatten().all(is_bits);
        if (op == "||" && !joins_bits) || [&a, &b].into_iter().flatten().any(|t| matches!(t, ColumnType::Array(_))) {
            return Ok(None);
        }
        if !self.has_functions() {
            return self.refuse("this operator in a view", at);
        }
        let done = match &held {
            ty if is_network(ty) => self.network_operator(op, l, r)?,
            ty if is_mac(ty) => self.mac_operator(op, l, r, &held)?,
            ColumnType::Money => self.money_operator(op, l, r)?,
            ty if *ty == TIMETZ => self.timetz_operator(op, l, r)?,
            ty if is_bits(ty) => self.bits_operator(op, l, r)?,
            _ => self.range_operator(op, l, r, &held)?,
        };
        match done {
            Some(ex) => Ok(Some(ex.at(at))),
            None => Err(self.undefined_operator(op, a.as_ref(), b.as_ref(), at)),
        }
    }

    /// An unknown one as `ty`; a known one as it is.
    fn settled(&mut self, ex: &Ex, ty: &ColumnType) -> PgResult<Ex> {
        self.settle(ex.clone(), ty)
    }

    fn network_operator(&mut self, op: &str, l: &Ex, r: &Ex) -> PgResult<Option<Ex>> {
        let (l, r) = (self.settled(l, &INET)?, self.settled(r, &INET)?);
        let (Some(a), Some(b)) = (&l.ty, &r.ty) else { return Ok(None) };
        let both = is_network(a) && is_network(b);
        let (x, y) = (&l.sql, &r.sql);
        Ok(Some(match op {
            "<<" | "<<=" | ">>" | ">>=" | "&&" if both => {
                Ex::of(format!("pg_inet_test('{op}', {x}, {y})"), ColumnType::Bool)
            }
            "&" | "|" if both => Ex::of(format!("pg_inet_of('{op}', {x}, {y})"), INET),
            "-" if both => Ex::of(format!("pg_inet_number('-', {x}, {y})"), ColumnType::Int8),
            "+" | "-" if is_network(a) && is_int(b) => {
                Ex::of(format!("pg_inet_of('{op}', {x}, CAST({y} AS VARCHAR))"), INET)
            }
            "+" if is_int(a) => Ex::of(format!("pg_inet_of('+', {y}, CAST({x} AS VARCHAR))"), INET),
            _ => return Ok(None),
        }))
    }

    fn mac_operator(&mut self, op: &str, l: &Ex, r: &Ex, ty: &ColumnType) -> PgResult<Option<Ex>> {
        let (l, r) = (self.settled(l, ty)?, self.settled(r, ty)?);
        let fits = matches!(op, "&" | "|") && l.ty.as_ref() == Some(ty) && r.ty.as_ref() == Some(ty);
        Ok(fits.then(|| Ex::of(format!("pg_mac_of('{op}', {}, {})", l.sql, r.sql), ty.clone())))
    }

    fn money_operator(&mut self, op: &str, l: &Ex, r: &Ex) -> PgResult<Option<Ex>> {
        use ColumnType as T;
        // Beside `*` a constant is a number, else money.
        let beside = if op == "*" { T::Float8 } else { T::Money };
        let (l, r) = (self.settled(l, &beside)?, self.settled(r, &beside)?);
        let (Some(a), Some(b)) = (l.ty.clone(), r.ty.clone()) else { return Ok(None) };
        let held = T::MONEY_HELD.duckdb();
        let (x, y) = (&l.sql, &r.sql);
        let scaled = |op: &str, money: &str, by: &Ex| {
            let suffix = if by.ty.as_ref().is_some_and(is_int) { "i" } else { "" };
            let call = format!("pg_money_of('{op}{suffix}', CAST({money} AS VARCHAR), CAST({} AS VARCHAR))", by.sql);
            Ex::of(format!("CAST({call} AS {held})"), T::Money)
        };
        Ok(Some(match (op, &a, &b) {
            ("+" | "-", T::Money, T::Money) => Ex::of(format!("CAST(({x} {op} {y}) AS {held})"), T::Money),
            ("*", T::Money, n) if is_number(n) => scaled("*", x, &r),
            ("*", n, T::Money) if is_number(n) => scaled("*", y, &l),
            ("/", T::Money, n) if is_number(n) => scaled("/", x, &r),
            ("/", T::Money, T::Money) => {
                let cents = |sql: &str| format!("CAST(CAST({sql} * 100 AS BIGINT) AS DOUBLE)");
                let divisor = self.not_zero(&r);
                Ex::of(format!("({} / {})", cents(x), cents(&divisor)), T::Float8)
            }
            _ => return Ok(None),
        }))
    }

    fn timetz_operator(&mut self, op: &str, l: &Ex, r: &Ex) -> PgResult<Option<Ex>> {
        use ColumnType as T;
        let (l, r) = (self.settled(l, &T::Interval)?, self.settled(r, &T::Interval)?);
        let (Some(a), Some(b)) = (l.ty.clone(), r.ty.clone()) else { return Ok(None) };
        let shifted = |time: &str, interval: &str, sign: &str| {
            let micros = format!("string_split(pg_interval_parts({interval}), ' ')[3]");
            let micros = format!("CAST({sign}CAST({micros} AS BIGINT) AS VARCHAR)");
            Ex::of(format!("pg_timetz_of('+', {time}, {micros}, '')"), TIMETZ)
        };
        Ok(Some(match (op, &a, &b) {
            ("+", ty, T::Interval) if *ty == TIMETZ => shifted(&l.sql, &r.sql, ""),
            ("+", T::Interval, ty) if *ty == TIMETZ => shifted(&r.sql, &l.sql, ""),
            ("-", ty, T::Interval) if *ty == TIMETZ => shifted(&l.sql, &r.sql, "-"),
            ("+", T::Date, ty) if *ty == TIMETZ => at_day(&l.sql, &r.sql),
            ("+", ty, T::Date) if *ty == TIMETZ => at_day(&r.sql, &l.sql),
            _ => return Ok(None),
        }))
    }

    /// A value beside a range, as its shape and text. None: neither a range of that type nor an element.
    fn range_side(&mut self, ex: &Ex, ty: TextType) -> PgResult<Option<(char, String)>> {
        use TextType as H;
        let (H::Range(of) | H::Multirange(of)) = ty else { return Ok(None) };
        let ex = self.settled(ex, &ColumnType::AsText(ty))?;
        Ok(match &ex.ty {
            Some(ColumnType::AsText(H::Range(o))) if *o == of => Some(('r', ex.sql)),
            Some(ColumnType::AsText(H::Multirange(o))) if *o == of => Some(('m', ex.sql)),
            Some(element) if element.oid() == of.element().oid() => Some(('e', format!("CAST({} AS VARCHAR)", ex.sql))),
            _ => None,
        })
    }

    fn range_operator(&mut self, op: &str, l: &Ex, r: &Ex, ty: &ColumnType) -> PgResult<Option<Ex>> {
        let ColumnType::AsText(held) = ty else { return Ok(None) };
        let (Some((sl, x)), Some((sr, y))) = (self.range_side(l, *held)?, self.range_side(r, *held)?) else {
            return Ok(None);
        };
        let name = held.internal_name();
        let call = |function: &str| format!("{function}('{op}', '{name}', '{sl}', {x}, '{sr}', {y})");
        Ok(match op {
            "@>" if sl != 'e' => Some(Ex::of(call("pg_range_test"), ColumnType::Bool)),
            "<@" if sr != 'e' => Some(Ex::of(call("pg_range_test"), ColumnType::Bool)),
            "&&" | "<<" | ">>" | "&<" | "&>" | "-|-" if sl != 'e' && sr != 'e' => {
                Some(Ex::of(call("pg_range_test"), ColumnType::Bool))
            }
            "+" | "-" | "*" if sl == sr && sl != 'e' => Some(Ex::of(call("pg_range_of"), ty.clone())),
            _ => None,
        })
    }

    /// Functions of these types. None: not one of them.
    pub fn held_call(&mut self, name: &str, values: &mut [Ex], at: Option<u32>) -> PgResult<Option<Ex>> {
        if !self.has_functions() {
            return Ok(None);
        }
        if let Some(ty @ (TextType::Range(_) | TextType::Multirange(_))) = TextType::of_name(name) {
            return match ty {
                TextType::Range(_) => self.range_made(ty, values, at),
                _ => self.multirange_made(ty, values),
            };
        }
        if let ("timezone", [zone, time]) = (name, &*values)
            && time.ty == Some(TIMETZ)
        {
            let (zone, time) = (zone.clone(), time.sql.clone());
            let zone = self.settle(zone, &ColumnType::Text)?;
            return Ok(Some(self.timetz_in_zone(&time, &zone.sql)));
        }
        if let ("timezone", [zone, time]) = (name, &*values)
            && let Some(ex) = self.at_offset(time, zone)?
        {
            return Ok(Some(ex));
        }
        if let Some(ex) = self.bits_call(name, values)? {
            return Ok(Some(ex));
        }
        let Some(first) = values.first().cloned() else { return Ok(None) };
        let held = match first.ty.as_ref().filter(|_| !first.is_unknown()) {
            Some(ColumnType::AsText(ty @ (TextType::Range(_) | TextType::Multirange(_)))) => *ty,
            _ => return Ok(None),
        };
        let of = match held {
            TextType::Range(of) | TextType::Multirange(of) => of,
            _ => return Ok(None),
        };
        let shape = if held.range().is_some() { 'r' } else { 'm' };
        let type_name = held.internal_name();
        let call =
            |function: &str, what: &str| format!("{function}('{what}', '{type_name}', '{shape}', {})", first.sql);
        let range = ColumnType::AsText(TextType::Range(of));
        Ok(Some(match (name, values.len()) {
            ("lower" | "upper", 1) => {
                let text = call("pg_range_part", name);
                let element = of.element();
                match element {
                    ColumnType::Numeric(..) => Ex::of(text, super::LONG),
                    element => Ex::of(format!("CAST({text} AS {})", element.duckdb()), element),
                }
            }
            ("isempty" | "lower_inc" | "upper_inc" | "lower_inf" | "upper_inf", 1) => {
                Ex::of(call("pg_range_flag", name), ColumnType::Bool)
            }
            ("range_merge", 1) if shape == 'm' => Ex::of(call("pg_range_part", "merge"), range),
            ("multirange", 1) if shape == 'r' => {
                Ex::of(call("pg_range_part", "multirange"), ColumnType::AsText(TextType::Multirange(of)))
            }
            ("range_merge", 2) => {
                let Some(second) = values.get(1).cloned() else { return Ok(None) };
                match self.range_side(&second, held)? {
                    Some(('r', y)) if shape == 'r' => {
                        let sql = format!("pg_range_of('merge', '{type_name}', 'r', {}, 'r', {y})", first.sql);
                        Ex::of(sql, range)
                    }
                    _ => return Ok(None),
                }
            }
            ("unnest", 1) if shape == 'm' => {
                Ex::of(format!("unnest(pg_range_list('{type_name}', {}))", first.sql), range)
            }
            _ => return Ok(None),
        }))
    }

    /// `greatest` and `least` of values that are compared by a key, or that are equal and differ: the first of equals.
    pub fn first_extreme(&mut self, name: &str, values: &[Ex], ty: ColumnType) -> Ex {
        let texts: Vec<&str> = values.iter().map(|v| v.sql.as_str()).collect();
        let (v, w) = (format!("v_{}", self.number()), format!("w_{}", self.number()));
        let op = if name == "greatest" { ">=" } else { "<=" };
        let key = |name: &str| self.sorted(Ex::of(name, ty.clone()));
        let sql = format!(
            "list_reduce(list_filter([{}], lambda {v}: {v} IS NOT NULL) || [NULL], \
             lambda {v}, {w}: CASE WHEN {w} IS NULL OR {} {op} {} THEN {v} ELSE {w} END)",
            texts.join(", "),
            key(&v),
            key(&w),
        );
        Ex::of(sql, ty)
    }

    /// `int4range(1, 5)`, `int4range(1, 5, '[]')`.
    fn range_made(&mut self, ty: TextType, values: &mut [Ex], at: Option<u32>) -> PgResult<Option<Ex>> {
        let TextType::Range(of) = ty else { return Ok(None) };
        if !(2..=3).contains(&values.len()) {
            return Ok(None);
        }
        let element = of.element();
        let mut texts = vec![format!("'{}'", ty.internal_name())];
        for value in values.iter().take(2) {
            let ex = self.settle(value.clone(), &element)?;
            let fits = ex.ty.as_ref().is_none_or(|t| {
                t.oid() == element.oid()
                    || (is_number(t)
                        && is_number(&element)
                        && super::operator::common(t, &element).is_some_and(|c| c.oid() == element.oid()))
                    || matches!(
                        (t, &element),
                        (ColumnType::Date | ColumnType::Timestamp, ColumnType::Timestamptz)
                            | (ColumnType::Date, ColumnType::Timestamp)
                    )
            });
            if !fits {
                return Err(self.undefined_function(ty.internal_name(), values, at));
            }
            let ex = if ex.ty.as_ref().is_some_and(|t| t.oid() != element.oid()) {
                self.cast(ex, &element, at)?
            } else {
                ex
            };
            texts.push(format!("CAST({} AS VARCHAR)", ex.sql));
        }
        texts.push(match values.get(2) {
            Some(flags) => format!("CAST({} AS VARCHAR)", self.settle(flags.clone(), &ColumnType::Text)?.sql),
            None => "'[)'".to_owned(),
        });
        Ok(Some(Ex::of(format!("pg_range_make({})", texts.join(", ")), ColumnType::AsText(ty))))
    }

    /// `int4multirange()`, `int4multirange(r1, r2)`.
    fn multirange_made(&mut self, ty: TextType, values: &mut [Ex]) -> PgResult<Option<Ex>> {
        let TextType::Multirange(of) = ty else { return Ok(None) };
        let range = ColumnType::AsText(TextType::Range(of));
        let mut texts = Vec::new();
        for value in values.iter() {
            let ex = self.settle(value.clone(), &range)?;
            if ex.ty.as_ref() != Some(&range) {
                return Ok(None);
            }
            texts.push(ex.sql);
        }
        let joined = match texts.as_slice() {
            [] => "''".to_owned(),
            _ => format!("({})", texts.join(" || ';' || ")),
        };
        let sql = format!("pg_range_gather('multirange', '{}', {joined})", ty.internal_name());
        Ok(Some(Ex::of(sql, ColumnType::AsText(ty))))
    }

    /// Aggregates of these types. None: not one of them.
    pub fn held_aggregate(&mut self, name: &str, values: &[Ex], distinct: &str, tail: &str) -> Option<Ex> {
        let [ex] = values else { return None };
        let ty = ex.ty.as_ref().filter(|t| is_held(t) && !ex.is_unknown() && self.has_functions())?;
        if is_bits(ty)
            && let Some(ex) = self.bits_aggregate(name, ex, distinct, tail)
        {
            return Some(ex);
        }
        let x = &ex.sql;
        let sql = match (name, ty) {
            ("sum", ColumnType::Money) => {
                format!("CAST(sum({distinct}{x}){tail} AS {})", ColumnType::MONEY_HELD.duckdb())
            }
            ("min" | "max", ColumnType::Money) => format!("{name}({distinct}{x}){tail}"),
            ("min" | "max", ColumnType::AsText(TextType::Cidr)) => {
                let x = format!("pg_inet_of('inet', {x}, '')");
                let sql = format!("arg_{name}({x}, {}){tail}", key_of(TextType::Inet, &x));
                return Some(Ex::of(sql, INET));
            }
            ("min" | "max", ColumnType::AsText(held @ (TextType::Inet | TextType::Timetz))) => {
                format!("arg_{name}({x}, {}){tail}", key_of(*held, x))
            }
            ("range_agg", ColumnType::AsText(TextType::Range(of) | TextType::Multirange(of))) => {
                let many = TextType::Multirange(*of);
                let gathered = format!("string_agg({distinct}{x}, ';'){tail}");
                let sql = format!("pg_range_gather('multirange', '{}', {gathered})", many.internal_name());
                return Some(Ex::of(sql, ColumnType::AsText(many)));
            }
            ("range_intersect_agg", ColumnType::AsText(held @ TextType::Range(_))) => {
                let gathered = format!("string_agg({distinct}{x}, ';'){tail}");
                format!("pg_range_gather('intersect', '{}', {gathered})", held.internal_name())
            }
            _ => return None,
        };
        Some(Ex::of(sql, ty.clone()))
    }

    /// A field of a `timetz` as an exact number, in the way of those of a time. None: not a field of it.
    pub fn timetz_field(&mut self, name: &str, x: &str) -> Option<String> {
        let east = format!("pg_timetz_number('east', {x})");
        let number = |sql: &str| format!("CAST({sql} AS DECIMAL(18,0))");
        Some(match name {
            "timezone" => number(&east),
            "timezone_hour" => number(&format!("trunc({east} / 3600)")),
            "timezone_minute" => number(&format!("trunc({east} / 60) % 60")),
            "epoch" => format!("({} * 0.000001)", number(&format!("pg_timetz_number('utc', {x})"))),
            _ => return None,
        })
    }

    /// `t AT TIME ZONE 'x'` of a `timetz`.
    pub fn timetz_in_zone(&mut self, x: &str, zone: &str) -> Ex {
        let now = self.now_micros();
        Ex::of(format!("pg_timetz_of('zone', {x}, {zone}, {now})"), TIMETZ)
    }

    /// `~ x` of an address.
    pub fn held_not(&self, ex: &Ex) -> Option<Ex> {
        let ty = ex.ty.clone().filter(|_| self.has_functions())?;
        match &ty {
            t if is_network(t) => Some(Ex::of(format!("pg_inet_of('~', {}, '')", ex.sql), INET)),
            t if is_mac(t) => Some(Ex::of(format!("pg_mac_of('~', {}, '')", ex.sql), ty.clone())),
            t if is_bits(t) => Some(Ex::of(format!("pg_bits_of('~', {})", ex.sql), BIT)),
            _ => None,
        }
    }
}

/// `date + timetz`.
fn at_day(day: &str, time: &str) -> Ex {
    let sql =
        format!("((CAST({day} AS TIMESTAMP) + to_microseconds(pg_timetz_number('utc', {time}))) AT TIME ZONE 'UTC')");
    Ex::of(sql, ColumnType::Timestamptz)
}

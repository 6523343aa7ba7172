//! The functions of network addresses, `money` and `timetz` over their stored texts.

use duckmesh_catalog::types::TextType;

use super::{Failure, Outcome, Value};
use crate::value::{
    TimeZone, ValueContext,
    held::{self, hardware, money, network::Inet, timetz::Timetz},
    held_modified, type_of_oid,
};

type Args<'a> = &'a [Option<&'a str>];

fn ty(args: Args<'_>) -> Outcome<TextType> {
    TextType::of_name(super::text(args, 0)).ok_or_else(|| Failure::new("XX000", "a type without a name"))
}

/// A session's zone, and a time in microseconds that stands for now.
fn context(zone: &str, now: &str) -> ValueContext {
    let micros = now.parse().unwrap_or(0);
    let mut ctx = ValueContext::new(chrono::DateTime::from_timestamp_micros(micros).unwrap_or_default());
    ctx.time_zone = TimeZone::parse(zone).unwrap_or(TimeZone::UTC);
    ctx
}

/// `pg_held_in(type, text, zone, now)`: a cast from text.
pub fn read(args: Args<'_>) -> Outcome<Value> {
    let ctx = context(super::text(args, 2), super::text(args, 3));
    Ok(Value::Text(held::read(ty(args)?, super::text(args, 1), &ctx)?))
}

/// `pg_type_modified(oid, modifier)`: `timestamp(3) without time zone`.
pub fn type_modified(args: Args<'_>) -> Outcome<Value> {
    let (oid, modifier) = (super::text(args, 0).parse().unwrap_or(0), super::text(args, 1).parse().unwrap_or(-1));
    Ok(type_of_oid(oid, modifier).map_or(Value::Null, |ty| Value::Text(ty.to_string())))
}

/// `pg_held_fit(type, stored, modifier, explicit)`: as the type's modifier has it.
pub fn fit(args: Args<'_>) -> Outcome<Value> {
    let modifier = super::text(args, 2).parse().unwrap_or(0);
    let fitted = held_modified(ty(args)?, super::text(args, 1), modifier, super::flag(args, 3))?;
    Ok(Value::Text(fitted.into_owned()))
}

pub fn key(args: Args<'_>) -> Outcome<Value> {
    Ok(Value::Bytes(held::key(ty(args)?, super::text(args, 1))?))
}

/// `pg_held_text(type, stored, zone)`: a cast to text.
pub fn show(args: Args<'_>) -> Outcome<Value> {
    let ctx = context(super::text(args, 2), "");
    Ok(Value::Text(held::show(ty(args)?, super::text(args, 1), &ctx)?.into_owned()))
}

/// An address; a network has its mask in its text always, which `inet` reads as well.
fn inet(args: Args<'_>, at: usize) -> Outcome<Inet> {
    Ok(Inet::parse(super::text(args, at), false)?)
}

pub fn inet_test(args: Args<'_>) -> Outcome<Value> {
    let (a, b) = (inet(args, 1)?, inet(args, 2)?);
    Ok(Value::Bool(match super::text(args, 0) {
        "same_family" => a.v6 == b.v6,
        op => a.compare(op, &b),
    }))
}

/// `pg_inet_of(what, address, other)`.
pub fn inet_of(args: Args<'_>) -> Outcome<Value> {
    let a = inet(args, 1)?;
    let inet_text = |value: Inet| value.text(false);
    Ok(Value::Text(match super::text(args, 0) {
        "~" => inet_text(a.not()),
        op @ ("&" | "|") => inet_text(a.combined(&inet(args, 2)?, op == "&")?),
        "+" => inet_text(a.plus(i128::from(super::integer(args, 2)))?),
        "-" => inet_text(a.plus(-i128::from(super::integer(args, 2)))?),
        "broadcast" => inet_text(a.broadcast()),
        "netmask" => inet_text(Inet { bits: a.width(), address: a.net_mask(), ..a }),
        "hostmask" => inet_text(Inet { bits: a.width(), address: a.host_mask(), ..a }),
        "network" => a.network().text(true),
        "set_masklen" => inet_text(a.with_length(super::integer(args, 2))?),
        "set_masklen_cidr" => a.with_length(super::integer(args, 2))?.network().text(true),
        "merge" => a.merged(&inet(args, 2)?)?.text(true),
        "host" => a.host(),
        "abbrev" => inet_text(a),
        "abbrev_cidr" => a.abbreviated(),
        "text" => a.with_bits(),
        // A cast to the type of that name.
        "cidr" => a.network().text(true),
        _ => inet_text(a),
    }))
}

pub fn inet_number(args: Args<'_>) -> Outcome<Value> {
    let a = inet(args, 1)?;
    Ok(Value::Int(match super::text(args, 0) {
        "family" => {
            if a.v6 {
                6
            } else {
                4
            }
        }
        "masklen" => a.bits.into(),
        _ => a.minus(&inet(args, 2)?)?,
    }))
}

/// `pg_mac_of(what, address, other)`.
pub fn mac_of(args: Args<'_>) -> Outcome<Value> {
    let a = hardware::octets(super::text(args, 1));
    let b = hardware::octets(super::text(args, 2));
    let both = |of: fn(u8, u8) -> u8| a.iter().zip(&b).map(|(x, y)| of(*x, *y)).collect::<Vec<u8>>();
    let octets: Vec<u8> = match super::text(args, 0) {
        "~" => a.iter().map(|o| !o).collect(),
        "&" => both(|x, y| x & y),
        "|" => both(|x, y| x | y),
        "trunc" => a.iter().enumerate().map(|(n, o)| if n < 3 { *o } else { 0 }).collect(),
        "set7bit" => a.iter().enumerate().map(|(n, o)| if n == 0 { o | 2 } else { *o }).collect(),
        "macaddr8" => hardware::widened(&a),
        _ => hardware::narrowed(&a)?,
    };
    Ok(Value::Text(hardware::text(&octets)))
}

pub fn money_in(args: Args<'_>) -> Outcome<Value> {
    Ok(Value::Text(money::plain(money::parse(super::text(args, 0).as_bytes())?)))
}

pub fn money_text(args: Args<'_>) -> Outcome<Value> {
    Ok(Value::Text(money::text(money::cents(super::text(args, 0))?)))
}

/// `pg_money_of(what, money, number)`: `*` and `/` by a float, `*i` and `/i` by an integer.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)]
pub fn money_of(args: Args<'_>) -> Outcome<Value> {
    let cents = money::cents(super::text(args, 1))?;
    let (what, by) = (super::text(args, 0), super::text(args, 2));
    let rounded = |value: f64| {
        let value = value.round_ties_even();
        if value.is_nan() || !(-9.223_372_036_854_776e18..9.223_372_036_854_776e18).contains(&value) {
            return Err(Failure::from(money::range()));
        }
        Ok(value as i64)
    };
    let result = if let Some(op) = what.strip_suffix('i') {
        let by: i64 = by.parse().unwrap_or(0);
        match op {
            "*" => cents.checked_mul(by).ok_or_else(money::range)?,
            _ if by == 0 => return Err(super::number::division_by_zero()),
            _ => cents.checked_div(by).ok_or_else(money::range)?,
        }
    } else {
        let by: f64 = by.parse().unwrap_or(f64::NAN);
        match what {
            "*" => rounded(cents as f64 * by)?,
            _ if by == 0.0 => return Err(super::number::division_by_zero()),
            _ => rounded(cents as f64 / by)?,
        }
    };
    Ok(Value::Text(money::plain(result)))
}

/// `pg_timetz_of(what, value, other, now)`.
pub fn timetz_of(args: Args<'_>) -> Outcome<Value> {
    let (what, other) = (super::text(args, 0), super::text(args, 2));
    if what == "moment" {
        // A timestamptz as microseconds, in a zone.
        let micros: i64 = super::text(args, 1).parse().unwrap_or(0);
        let east = context(other, "").time_zone.offset_at(micros);
        let utc = Timetz { micros: micros.rem_euclid(DAY_MICROS), east: 0 };
        return Ok(Value::Text(utc.in_zone(east).text()));
    }
    let value = Timetz::stored(super::text(args, 1))?;
    Ok(Value::Text(match what {
        "+" => value.plus(other.parse().unwrap_or(0)).text(),
        "time" => {
            let text = value.text();
            let end = text.rfind(['+', '-']).unwrap_or(text.len());
            text.get(..end).unwrap_or_default().to_owned()
        }
        _ => {
            let zone = TimeZone::named(other)
                .or_else(|| TimeZone::parse(other))
                .ok_or_else(|| Failure::new("22023", format!("time zone \"{other}\" not recognized")))?;
            let now = super::text(args, 3).parse().unwrap_or(0);
            value.in_zone(zone.offset_at(now)).text()
        }
    }))
}

const DAY_MICROS: i64 = 86_400_000_000;

/// `pg_timetz_number(what, value)`: seconds east, or microseconds since midnight in UTC.
pub fn timetz_number(args: Args<'_>) -> Outcome<Value> {
    let value = Timetz::stored(super::text(args, 1))?;
    let east = i64::from(value.east);
    Ok(Value::Int(match super::text(args, 0) {
        "east" => east,
        _ => value.micros - east * 1_000_000,
    }))
}

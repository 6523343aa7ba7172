//! Strings of bits: their literals, operators, functions and casts to and from numbers.

use duckmesh_catalog::{ColumnType, types::TextType};

use super::{Ex, Rewriter, operator::is_int};
use crate::{sql::quote, value::held::bits, wire::error::PgResult};

pub(super) const BIT: ColumnType = ColumnType::AsText(TextType::Bit);
pub(super) const VARBIT: ColumnType = ColumnType::AsText(TextType::Varbit);

/// Whether it is a string of bits.
pub(super) fn is_bits(ty: &ColumnType) -> bool {
    matches!(ty, ColumnType::AsText(held) if held.is_bits())
}

/// Whether a cast with a name exists that no assignment makes: numbers and their bits.
pub(super) fn castable_bits(from: &ColumnType, to: &ColumnType) -> bool {
    let number = |ty: &ColumnType| matches!(ty, ColumnType::Int4 | ColumnType::Int8);
    (number(from) && *to == BIT) || (*from == BIT && number(to))
}

impl Rewriter<'_> {
    /// `B'101'`, `X'1F'`: `prefix` is the letter.
    pub fn bit_literal(&mut self, prefix: char, digits: &str, at: Option<u32>) -> PgResult<Ex> {
        let digits = bits::parse(&format!("{prefix}{digits}")).map_err(|e| e.or_position(at))?;
        Ok(Ex::of(quote::literal(&digits)?, BIT).at(at))
    }

    /// A number as so many of its last bits.
    pub fn bits_of_number(&mut self, ex: &Ex, length: i32) -> PgResult<Ex> {
        if !self.has_functions() {
            return self.refuse("this cast in a view", ex.position);
        }
        let sql = format!("pg_bits_of('number', CAST({} AS VARCHAR), '{length}')", ex.sql);
        Ok(Ex::of(sql, BIT.modified(Some(length))).at(ex.position))
    }

    /// `&`, `|`, `#`, `<<`, `>>`, `||` of bits. None: not one of these.
    pub(super) fn bits_operator(&mut self, op: &str, l: &Ex, r: &Ex) -> PgResult<Option<Ex>> {
        let shift = matches!(op, "<<" | ">>");
        let beside = if shift { ColumnType::Int4 } else { BIT };
        let (l, r) = (self.settle(l.clone(), &BIT)?, self.settle(r.clone(), &beside)?);
        let (Some(a), Some(b)) = (&l.ty, &r.ty) else { return Ok(None) };
        let (x, y) = (&l.sql, &r.sql);
        let both = is_bits(a) && is_bits(b);
        Ok(match op {
            "&" | "|" | "#" if both => Some(Ex::of(format!("pg_bits_of('{op}', {x}, {y})"), BIT)),
            "<<" | ">>" if is_bits(a) && is_int(b) => {
                Some(Ex::of(format!("pg_bits_of('{op}', {x}, CAST({y} AS VARCHAR))"), BIT))
            }
            "||" if both => Some(Ex::of(format!("({x} || {y})"), VARBIT)),
            _ => None,
        })
    }

    /// Functions of bits. None: not one of them, or not of bits.
    pub fn bits_call(&mut self, name: &str, values: &[Ex]) -> PgResult<Option<Ex>> {
        use ColumnType as T;
        let known = |ex: &Ex| !ex.is_unknown() && ex.ty.as_ref().is_some_and(is_bits);
        let asked = match name {
            "position" => values.iter().any(known),
            _ => values.first().is_some_and(known),
        };
        let is_own = matches!(
            name,
            "length"
                | "bit_length"
                | "octet_length"
                | "bit_count"
                | "get_bit"
                | "position"
                | "set_bit"
                | "substring"
                | "overlay"
        );
        if !asked || !is_own || !self.has_functions() {
            return Ok(None);
        }
        let mut texts = Vec::with_capacity(values.len());
        for (n, value) in values.iter().enumerate() {
            let of_bits = n == 0 || matches!((name, n), ("overlay" | "position", 1));
            let wanted = if of_bits { BIT } else { T::Int4 };
            let ex = self.settle(value.clone(), &wanted)?;
            if !ex.ty.as_ref().is_some_and(|ty| if of_bits { is_bits(ty) } else { is_int(ty) }) {
                return Ok(None);
            }
            texts.push(if of_bits { ex.sql } else { format!("CAST({} AS VARCHAR)", ex.sql) });
        }
        let list = texts.join(", ");
        let integer = |sql: String| Ex::of(format!("CAST({sql} AS INTEGER)"), T::Int4);
        Ok(Some(match (name, texts.as_slice()) {
            ("length" | "bit_length", [x]) => integer(format!("length({x})")),
            ("octet_length", [x]) => integer(format!("((length({x}) + 7) // 8)")),
            ("bit_count", [x]) => Ex::of(format!("CAST(length(replace({x}, '0', '')) AS BIGINT)"), T::Int8),
            ("get_bit", [_, _]) => integer(format!("pg_bits_number('get', {list})")),
            ("position", [what, x]) => integer(format!("(CASE WHEN {x} = '' THEN 0 ELSE strpos({x}, {what}) END)")),
            ("set_bit", [_, _, _]) | ("substring", [_, _] | [_, _, _]) | ("overlay", [_, _, _] | [_, _, _, _]) => {
                Ex::of(format!("pg_bits_of('{name}', {list})"), BIT)
            }
            // Functions of values of any type are others.
            _ => return Ok(None),
        }))
    }

    /// `bit_and` and its like over strings of bits. None: another aggregate.
    pub fn bits_aggregate(&self, name: &str, ex: &Ex, distinct: &str, tail: &str) -> Option<Ex> {
        let what = name.strip_prefix("bit_").filter(|what| matches!(*what, "and" | "or" | "xor"))?;
        let gathered = format!("string_agg({distinct}{}, ';'){tail}", ex.sql);
        Some(Ex::of(format!("pg_bits_of('all_{what}', {gathered})"), BIT))
    }

    /// A cast between bits and numbers. None: another cast.
    pub fn cast_bits(&mut self, ex: &Ex, from: &ColumnType, ty: &ColumnType) -> PgResult<Option<Ex>> {
        if is_bits(from) && is_bits(ty) {
            return Ok(Some(Ex::of(ex.sql.clone(), ty.clone()).at(ex.position)));
        }
        if *from == BIT && matches!(ty, ColumnType::Int4 | ColumnType::Int8) {
            let name = if *ty == ColumnType::Int4 { "integer" } else { "bigint" };
            let sql = format!("CAST(pg_bits_number('{name}', {}, '') AS {})", ex.sql, ty.duckdb());
            return Ok(Some(Ex::of(sql, ty.clone()).at(ex.position)));
        }
        if matches!(from, ColumnType::Int4 | ColumnType::Int8) && *ty == BIT {
            return self.bits_of_number(ex, 1).map(Some);
        }
        Ok(None)
    }
}

//! Functions of `bytea`, which the engine has for texts only: they run over its hexadecimal digits, or over a text with one
//! character for each byte.

use duckmesh_catalog::ColumnType as T;

use super::{Ex, Rewriter};
use crate::wire::error::PgResult;

/// The bytes that a text is read as.
pub(super) fn of_text(text: Ex) -> String {
    format!("pg_bytea({})", super::special::with_blanks(text).sql)
}

impl Rewriter<'_> {
    /// `substr(bytea, …)`, `trim(… FROM bytea)`, `sha384(bytea)` and the like. None: not of bytes.
    pub fn bytea_call(&mut self, name: &str, values: &[Ex]) -> PgResult<Option<Ex>> {
        let Some(first) = values.first() else { return Ok(None) };
        let is_bytea = |ex: &Ex| !ex.is_unknown() && ex.ty.as_ref().map(T::base) == Some(T::Bytea);
        let hash = matches!(name, "sha224" | "sha256" | "sha384" | "sha512") && values.len() == 1;
        let position = name == "position" && values.get(1).is_some_and(is_bytea);
        if !self.has_functions() || !(is_bytea(first) || position || (hash && first.is_unknown())) {
            return Ok(None);
        }
        let bytes = format!("hex({})", self.settle(first.clone(), &T::Bytea)?.sql);
        Ok(match (name, values) {
            ("substr" | "substring", [_, from]) => {
                let from = self.twice(from, 1)?;
                Some(Ex::of(format!("unhex(pg_substr({bytes}, {from}))"), T::Bytea))
            }
            ("substr" | "substring", [_, from, length]) => {
                let (from, length) = (self.twice(from, 1)?, self.twice(length, 0)?);
                Some(Ex::of(format!("unhex(pg_substring({bytes}, {from}, {length}))"), T::Bytea))
            }
            ("overlay", [_, new, from, rest @ ..]) if rest.len() < 2 => {
                let new = format!("hex({})", self.settle(new.clone(), &T::Bytea)?.sql);
                let start = self.settle(from.clone(), &T::Int4)?.sql;
                let length = match rest {
                    [length] => format!("CAST({} AS BIGINT)", self.settle(length.clone(), &T::Int4)?.sql),
                    _ => format!("length({new}) // 2"),
                };
                let head = format!("pg_substring({bytes}, 1, 2 * (CAST({start} AS BIGINT) - 1))");
                let tail = format!("pg_substr({bytes}, 2 * (CAST({start} AS BIGINT) + {length}) - 1)");
                Some(Ex::of(format!("unhex({head} || {new} || {tail})"), T::Bytea))
            }
            ("btrim" | "ltrim" | "rtrim", [_, what]) => {
                let trim = name.strip_prefix('b').unwrap_or(name);
                let what = self.byte_text(what)?;
                Some(Ex::of(format!("pg_text_bytes({trim}(pg_bytes_text({bytes}), {what}))"), T::Bytea))
            }
            ("position", [_, whole]) => {
                let whole = self.byte_text(whole)?;
                Some(Ex::of(format!("CAST(strpos({whole}, pg_bytes_text({bytes})) AS INTEGER)"), T::Int4))
            }
            ("bit_count", [_]) => Some(Ex::of(format!("pg_bytes_ones({bytes})"), T::Int8)),
            ("sha224" | "sha256" | "sha384" | "sha512", [_]) => {
                Some(Ex::of(format!("pg_bytes_hash({bytes}, '{name}')"), T::Bytea))
            }
            _ => None,
        })
    }

    /// Both sides of LIKE, where they are bytes, as texts. None: they are not.
    pub(super) fn bytes_of_like(&mut self, text: &Ex, pattern: &Ex) -> PgResult<Option<(Ex, Ex)>> {
        let fits = |ex: &Ex| ex.is_unknown() || ex.ty == Some(T::Bytea);
        let is_bytea = |ex: &Ex| !ex.is_unknown() && ex.ty == Some(T::Bytea);
        let wanted = fits(text) && fits(pattern) && (is_bytea(text) || is_bytea(pattern));
        if !wanted || !self.has_functions() {
            return Ok(None);
        }
        let (text, pattern) = (self.byte_text(text)?, self.byte_text(pattern)?);
        Ok(Some((Ex::of(text, T::Text), Ex::of(pattern, T::Text))))
    }

    /// A text with one character for each byte.
    fn byte_text(&mut self, bytes: &Ex) -> PgResult<String> {
        let bytes = self.settle(bytes.clone(), &T::Bytea)?;
        Ok(format!("pg_bytes_text(hex({}))", bytes.sql))
    }

    /// A place or a length among bytes, among their digits.
    fn twice(&mut self, number: &Ex, less: u8) -> PgResult<String> {
        let number = self.settle(number.clone(), &T::Int4)?;
        Ok(format!("(2 * CAST({} AS BIGINT) - {less})", number.sql))
    }
}

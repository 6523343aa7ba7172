//! Reads Postgres' binary forms.

use super::error::{too_long, too_short};
use crate::wire::error::PgResult;

/// A cursor over one value.
pub(super) struct WireBytes<'a>(pub &'a [u8]);

impl<'a> WireBytes<'a> {
    pub fn bytes(&mut self, n: usize) -> PgResult<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(n).ok_or_else(too_short)?;
        self.0 = tail;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> PgResult<[u8; N]> {
        let (head, tail) = self.0.split_first_chunk::<N>().ok_or_else(too_short)?;
        self.0 = tail;
        Ok(*head)
    }

    pub fn u8(&mut self) -> PgResult<u8> {
        self.array().map(u8::from_be_bytes)
    }

    pub fn i16(&mut self) -> PgResult<i16> {
        self.array().map(i16::from_be_bytes)
    }

    pub fn u16(&mut self) -> PgResult<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub fn i32(&mut self) -> PgResult<i32> {
        self.array().map(i32::from_be_bytes)
    }

    pub fn u32(&mut self) -> PgResult<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub fn i64(&mut self) -> PgResult<i64> {
        self.array().map(i64::from_be_bytes)
    }

    /// Nothing may be left.
    pub fn end(&self) -> PgResult<()> {
        if self.0.is_empty() { Ok(()) } else { Err(too_long()) }
    }
}

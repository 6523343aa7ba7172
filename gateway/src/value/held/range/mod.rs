//! Ranges and multiranges: how they are read and written. What is computed with them is in `algebra`.

mod algebra;
mod input;
mod multirange;
mod point;
mod wire;

pub(crate) use algebra::{End, Range};
pub(crate) use input::{read, stored};
pub(crate) use multirange::{Multirange, read as read_multirange, stored as stored_multirange};
pub(crate) use point::Point;
pub(super) use wire::{receive, receive_multirange, send, send_multirange};

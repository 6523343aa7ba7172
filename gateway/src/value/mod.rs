//! Values as Postgres reads and writes them, on one side; Arrow columns on the other.
//!
//! Text and binary forms, errors and their texts are PostgreSQL 15's.

mod context;
mod zone;

mod builder;
mod literal;
mod modifier;

mod encoder;
mod row_writer;

mod array_text;
pub(crate) mod bytea;
mod datetime;
mod digits;
mod error;
mod failing;
mod float_text;
pub(crate) mod hash;
pub(crate) mod held;
mod interval;
pub(crate) mod json;
pub mod nul;
mod number;
mod numeric;
mod uuid_text;
mod wire_bytes;

pub use builder::ColumnBuilder;
pub(crate) use builder::byte_char;
pub use context::{ByteaOutput, DateOrder, DateStyle, IntervalStyle, NameFinder, Names, ValueContext};
pub use encoder::{BoundEncoder, Encoder, PgType};
pub(crate) use error::invalid_utf8;
pub(crate) use failing::{failing_text, failing_value};
pub(crate) use float_text::real_text;
pub(crate) use interval::Interval;
pub use literal::{Param, lake_text, literal, literal_as, literal_cast, shown_lake_text, sql_literal, type_of_oid};
pub(crate) use literal::{interval_constant, interval_literal};
pub use modifier::fitted;
pub(crate) use modifier::{held as held_modified, interval_fields};
pub use row_writer::{DataRowWriter, Format};
pub use zone::TimeZone;

#[cfg(test)]
mod against_postgres;
#[cfg(test)]
mod hostile;

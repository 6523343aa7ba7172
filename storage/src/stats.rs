//! Statistics of a file's columns, in DuckLake's text form, from what the Parquet writer gathered while it wrote.

use std::{cmp::Ordering, mem};

use duckmesh_catalog::{ColumnType, files::ColumnStats};
use parquet::{
    column::writer::ColumnCloseResult,
    file::{
        metadata::ColumnChunkMetaData,
        statistics::{Statistics, ValueStatistics},
    },
};

use crate::{layout::Leaf, text};

/// What is known of a leaf's values so far.
#[derive(Default)]
pub(crate) struct LeafStats {
    size_bytes: u64,
    levels: u64,
    nulls: u64,
    range: Range,
    nan: bool,
}

impl LeafStats {
    /// Adds a row group's column chunk.
    pub(crate) fn add(&mut self, leaf: &Leaf, chunk: &ColumnChunkMetaData, nan: bool) {
        let unsigned = |n: i64| u64::try_from(n).unwrap_or(0);
        let levels = unsigned(chunk.num_values());
        let nulls = chunk.statistics().and_then(Statistics::null_count_opt).unwrap_or(0);
        self.size_bytes += unsigned(chunk.compressed_size());
        self.levels += levels;
        self.nulls += nulls;
        self.nan |= nan;
        if levels > nulls {
            let bounds = chunk.statistics().and_then(|s| bounds(s, &leaf.ty));
            // A row group of NaNs has no bounds, and hides none: NaN is not within them.
            if bounds.is_some() || !nan {
                self.range = mem::take(&mut self.range).with(bounds);
            }
        }
    }

    pub(crate) fn of(self, leaf: &Leaf) -> ColumnStats {
        let is_float = matches!(leaf.ty, ColumnType::Float4 | ColumnType::Float8);
        let (min, max) = match self.range {
            Range::Known(min, max) => (min.text(&leaf.ty), max.text(&leaf.ty)),
            Range::Empty | Range::Unknown => (None, None),
        };
        ColumnStats {
            column: leaf.id,
            size_bytes: self.size_bytes,
            value_count: self.levels - self.nulls,
            null_count: self.nulls,
            min,
            max,
            contains_nan: is_float.then_some(self.nan),
        }
    }
}

/// Makes the bounds of floats in the file itself such that DuckDB, which believes them, is right: none where there are
/// NaNs, which they leave out (`max(x)` was wrong, and `x > 1` skipped the row group); and 0 where Parquet's writer
/// says -0 to be safe (`min(x)` was shown as `-0`).
pub(crate) fn correct_bounds(chunk: &mut ColumnCloseResult, nan: bool) -> parquet::errors::Result<()> {
    // -0 + 0 is 0, and any other number is itself.
    let corrected = match chunk.metadata.statistics() {
        Some(Statistics::Float(v)) => {
            let bound = |bound: Option<&f32>| bound.filter(|_| !nan).map(|b| b + 0.0);
            Statistics::float(bound(v.min_opt()), bound(v.max_opt()), None, v.null_count_opt(), false)
        }
        Some(Statistics::Double(v)) => {
            let bound = |bound: Option<&f64>| bound.filter(|_| !nan).map(|b| b + 0.0);
            Statistics::double(bound(v.min_opt()), bound(v.max_opt()), None, v.null_count_opt(), false)
        }
        _ => return Ok(()),
    };
    let metadata = chunk.metadata.clone().into_builder();
    chunk.metadata = metadata.set_statistics(corrected).build()?;
    if nan {
        chunk.column_index = None;
    }
    Ok(())
}

/// What is known of the values of a column's row groups so far.
#[derive(Default)]
enum Range {
    #[default]
    Empty,
    Known(Bound, Bound),
    Unknown,
}

impl Range {
    fn with(self, next: Option<(Bound, Bound)>) -> Self {
        match (self, next) {
            (Self::Unknown, _) | (_, None) => Self::Unknown,
            (Self::Empty, Some((min, max))) => Self::Known(min, max),
            (Self::Known(min, max), Some((next_min, next_max))) => {
                Self::Known(min.outer(next_min, Ordering::Less), max.outer(next_max, Ordering::Greater))
            }
        }
    }
}

/// A smallest or largest value.
enum Bound {
    Int(i128),
    Float(f64),
    Bytes(Vec<u8>),
    /// Too long to be known exactly.
    Long,
}

impl Bound {
    /// The one of two that lies further out; not known if one is not known.
    fn outer(self, next: Self, side: Ordering) -> Self {
        match (&self, &next) {
            (Self::Long, _) | (_, Self::Long) => Self::Long,
            _ if next.order(&self) == side => next,
            _ => self,
        }
    }

    fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => a.cmp(b),
            (Self::Float(a), Self::Float(b)) => a.total_cmp(b),
            (Self::Bytes(a), Self::Bytes(b)) => a.cmp(b),
            _ => Ordering::Equal,
        }
    }

    fn text(&self, ty: &ColumnType) -> Option<String> {
        Some(match (self, ty.bare()) {
            (Self::Int(v), ColumnType::Numeric(_, scale)) => text::decimal(*v, *scale),
            (Self::Int(v), ColumnType::Money) => text::decimal(*v, 2),
            (Self::Int(v), ColumnType::Date) => text::date(i32::try_from(*v).ok()?),
            (Self::Int(v), ColumnType::Time) => text::time(i64::try_from(*v).ok()?),
            (Self::Int(v), ColumnType::Timestamp) => text::timestamp(i64::try_from(*v).ok()?, false),
            (Self::Int(v), ColumnType::Timestamptz) => text::timestamp(i64::try_from(*v).ok()?, true),
            (Self::Int(v), _) => v.to_string(),
            // It was a real before it was widened to be compared: nothing is lost on the way back.
            #[allow(clippy::cast_possible_truncation)]
            (Self::Float(v), ColumnType::Float4) => text::float4(*v as f32),
            (Self::Float(v), _) => text::float8(*v),
            (Self::Bytes(v), ColumnType::Bytea) => text::blob(v),
            (Self::Bytes(v), ColumnType::Uuid) => text::uuid(v)?,
            (Self::Bytes(v), _) => String::from_utf8(v.clone()).ok()?,
            (Self::Long, _) => return None,
        })
    }
}

/// The bounds of one row group; none if the writer gives none.
fn bounds(statistics: &Statistics, ty: &ColumnType) -> Option<(Bound, Bound)> {
    match statistics {
        Statistics::Boolean(v) => pair(v, |v| Bound::Int(i128::from(*v))),
        Statistics::Int32(v) => pair(v, |v| Bound::Int(i128::from(*v))),
        Statistics::Int64(v) => pair(v, |v| Bound::Int(i128::from(*v))),
        Statistics::Float(v) => pair(v, |v| Bound::Float(f64::from(*v) + 0.0)),
        Statistics::Double(v) => pair(v, |v| Bound::Float(*v + 0.0)),
        Statistics::ByteArray(v) => pair(v, |v| Bound::Bytes(v.data().to_vec())),
        Statistics::FixedLenByteArray(v) => match ty {
            ColumnType::Numeric(..) | ColumnType::Money => pair(v, |v| Bound::Int(big_endian(v.data()))),
            _ => pair(v, |v| Bound::Bytes(v.data().to_vec())),
        },
        Statistics::Int96(_) => None,
    }
}

fn pair<T>(statistics: &ValueStatistics<T>, bound: impl Fn(&T) -> Bound) -> Option<(Bound, Bound)> {
    let exact = |value: &T, is_exact| if is_exact { bound(value) } else { Bound::Long };
    Some((
        exact(statistics.min_opt()?, statistics.min_is_exact()),
        exact(statistics.max_opt()?, statistics.max_is_exact()),
    ))
}

/// A decimal of up to 16 bytes.
fn big_endian(bytes: &[u8]) -> i128 {
    let sign = if bytes.first().is_some_and(|b| b & 0x80 != 0) { -1 } else { 0 };
    bytes.iter().fold(sign, |value, byte| (value << 8) | i128::from(*byte))
}

//! Statistics of a file's columns, in DuckLake's text form, from what the Parquet writer gathered while it wrote.

use std::cmp::Ordering;

use duckmesh_catalog::{ColumnType, files::ColumnStats};
use parquet::file::{
    metadata::{ColumnChunkMetaData, ParquetMetaData},
    statistics::{Statistics, ValueStatistics},
};

use crate::{
    layout::{Layout, Leaf},
    text,
};

/// Statistics of every leaf; `nan` says for each whether a NaN was written.
pub(crate) fn of_file(
    layout: &Layout,
    metadata: &ParquetMetaData,
    nan: &[bool],
) -> Vec<ColumnStats> {
    let leaves = layout.leaves.iter().zip(nan).enumerate();
    leaves
        .map(|(index, (leaf, nan))| {
            let groups = metadata.row_groups().iter();
            of_leaf(
                leaf,
                *nan,
                groups.filter_map(|group| group.columns().get(index)),
            )
        })
        .collect()
}

fn of_leaf<'a>(
    leaf: &Leaf,
    nan: bool,
    chunks: impl Iterator<Item = &'a ColumnChunkMetaData>,
) -> ColumnStats {
    let mut range = Range::Empty;
    let (mut size, mut levels, mut nulls) = (0, 0, 0);
    for chunk in chunks {
        let unsigned = |n: i64| u64::try_from(n).unwrap_or(0);
        let chunk_nulls = chunk
            .statistics()
            .and_then(Statistics::null_count_opt)
            .unwrap_or(0);
        size += unsigned(chunk.compressed_size());
        levels += unsigned(chunk.num_values());
        nulls += chunk_nulls;
        if unsigned(chunk.num_values()) > chunk_nulls {
            range = range.with(chunk.statistics().and_then(|s| bounds(s, &leaf.ty)));
        }
    }
    let is_float = matches!(leaf.ty, ColumnType::Float4 | ColumnType::Float8);
    let (min, max) = match range {
        Range::Known(min, max) => (min.text(&leaf.ty), max.text(&leaf.ty)),
        Range::Empty | Range::Unknown => (None, None),
    };
    ColumnStats {
        column: leaf.id,
        size_bytes: size,
        value_count: levels - nulls,
        null_count: nulls,
        min,
        max,
        contains_nan: is_float.then_some(nan),
    }
}

/// What is known of the values of a column's row groups so far.
enum Range {
    Empty,
    Known(Bound, Bound),
    Unknown,
}

impl Range {
    fn with(self, next: Option<(Bound, Bound)>) -> Self {
        match (self, next) {
            (Self::Unknown, _) | (_, None) => Self::Unknown,
            (Self::Empty, Some((min, max))) => Self::Known(min, max),
            (Self::Known(min, max), Some((next_min, next_max))) => Self::Known(
                min.outer(next_min, Ordering::Less),
                max.outer(next_max, Ordering::Greater),
            ),
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
        Some(match (self, ty) {
            (Self::Int(v), ColumnType::Numeric(_, scale)) => text::decimal(*v, *scale),
            (Self::Int(v), ColumnType::Date) => text::date(i32::try_from(*v).ok()?),
            (Self::Int(v), ColumnType::Time) => text::time(i64::try_from(*v).ok()?),
            (Self::Int(v), ColumnType::Timestamp) => {
                text::timestamp(i64::try_from(*v).ok()?, false)
            }
            (Self::Int(v), ColumnType::Timestamptz) => {
                text::timestamp(i64::try_from(*v).ok()?, true)
            }
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
        Statistics::Float(v) => pair(v, |v| Bound::Float(f64::from(*v))),
        Statistics::Double(v) => pair(v, |v| Bound::Float(*v)),
        Statistics::ByteArray(v) => pair(v, |v| Bound::Bytes(v.data().to_vec())),
        Statistics::FixedLenByteArray(v) => match ty {
            ColumnType::Numeric(..) => pair(v, |v| Bound::Int(big_endian(v.data()))),
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
    let sign = if bytes.first().is_some_and(|b| b & 0x80 != 0) {
        -1
    } else {
        0
    };
    bytes
        .iter()
        .fold(sign, |value, byte| (value << 8) | i128::from(*byte))
}

//! Statistics of a whole table from those of its files: values are compared by their type, never as text.

use std::cmp::Ordering;

use crate::{ColumnType, files::ColumnStats};

/// What `ducklake_table_column_stats` says of a column.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TableStats {
    /// Whether there is a NULL; none is unknown.
    pub contains_null: Option<bool>,
    /// Whether there is a NaN; none where the type has none.
    pub contains_nan: Option<bool>,
    /// Smallest and largest value.
    pub range: Range,
}

/// A range of values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Range {
    /// Nothing but NULLs so far.
    Empty,
    /// The store has no statement on it.
    #[default]
    Unknown,
    /// From, to.
    Known(String, String),
}

impl TableStats {
    /// Of a column whose rows so far all show `initial_default` (it was added after them), or that has no rows yet.
    pub fn before_first_file(has_rows: bool, initial_default: Option<&str>) -> Self {
        match (has_rows, initial_default) {
            (false, _) => Self { contains_null: Some(false), contains_nan: None, range: Range::Empty },
            (true, None) => Self { contains_null: Some(true), contains_nan: None, range: Range::Empty },
            (true, Some(value)) => Self {
                contains_null: Some(false),
                contains_nan: None,
                range: Range::Known(value.to_owned(), value.to_owned()),
            },
        }
    }

    /// With the rows of one more file.
    pub fn merge(self, ty: &ColumnType, file: &ColumnStats) -> Self {
        let range = match (&file.min, &file.max) {
            _ if file.value_count == 0 && file.null_count > 0 => Range::Empty,
            (Some(min), Some(max)) => Range::Known(min.clone(), max.clone()),
            _ => Range::Unknown,
        };
        Self {
            contains_null: match (self.contains_null, file.null_count > 0) {
                (_, true) | (Some(true), _) => Some(true),
                (known, false) => known,
            },
            contains_nan: match (self.contains_nan, file.contains_nan) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (known, None) | (None, known) => known,
                (known, Some(false)) => known,
            },
            range: self.range.join(ty, range),
        }
    }

    /// The text of the smallest and largest value, where known.
    pub fn bounds(&self) -> (Option<&str>, Option<&str>) {
        match &self.range {
            Range::Known(min, max) => (Some(min), Some(max)),
            _ => (None, None),
        }
    }
}

impl Range {
    fn join(self, ty: &ColumnType, other: Self) -> Self {
        match (self, other) {
            (Self::Empty, range) | (range, Self::Empty) => range,
            (Self::Known(a_min, a_max), Self::Known(b_min, b_max)) => {
                let (Some(low), Some(high)) = (compare(ty, &a_min, &b_min), compare(ty, &a_max, &b_max)) else {
                    return Self::Unknown;
                };
                Self::Known(
                    if low == Ordering::Greater { b_min } else { a_min },
                    if high == Ordering::Less { b_max } else { a_max },
                )
            }
            _ => Self::Unknown,
        }
    }
}

/// Compares two values in the lake's text form; none where either cannot be read as its type.
pub(crate) fn compare(ty: &ColumnType, a: &str, b: &str) -> Option<Ordering> {
    match ty {
        ColumnType::Int2 | ColumnType::Int4 | ColumnType::Int8 => {
            Some(a.parse::<i128>().ok()?.cmp(&b.parse::<i128>().ok()?))
        }
        ColumnType::Float4 | ColumnType::Float8 => a.parse::<f64>().ok()?.partial_cmp(&b.parse::<f64>().ok()?),
        ColumnType::Numeric(..) | ColumnType::Money => decimal(a, b),
        ColumnType::Bool => Some(boolean(a)?.cmp(&boolean(b)?)),
        ColumnType::Date | ColumnType::Timestamp | ColumnType::Timestamptz => moment(a, b),
        ColumnType::Text
        | ColumnType::Varchar(_)
        | ColumnType::Char(_)
        | ColumnType::Enum(_)
        | ColumnType::AsText(_)
        | ColumnType::Record(_)
        | ColumnType::Json
        | ColumnType::Jsonb
        | ColumnType::Time => Some(a.cmp(b)),
        ColumnType::Bytea => Some(a.to_ascii_uppercase().cmp(&b.to_ascii_uppercase())),
        ColumnType::Uuid => Some(a.to_ascii_lowercase().cmp(&b.to_ascii_lowercase())),
        ColumnType::Array(element) => compare(element, a, b),
        ColumnType::Other(name) => match name.as_str() {
            "int8" | "uint8" | "uint16" | "uint32" | "uint64" => {
                Some(a.parse::<i128>().ok()?.cmp(&b.parse::<i128>().ok()?))
            }
            _ => None,
        },
        ColumnType::System(ty) => compare(&ty.base(), a, b),
        ColumnType::Modified(ty, _) => compare(ty, a, b),
        ColumnType::Interval | ColumnType::Grid(_) => None,
    }
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "true" | "t" => Some(true),
        "0" | "false" | "f" => Some(false),
        _ => None,
    }
}

/// Decimals of any scale: sign, then whole digits, then the fraction from its left.
fn decimal(a: &str, b: &str) -> Option<Ordering> {
    let (a_negative, a_whole, a_fraction) = digits(a)?;
    let (b_negative, b_whole, b_fraction) = digits(b)?;
    let size = (a_whole.len(), a_whole, a_fraction).cmp(&(b_whole.len(), b_whole, b_fraction));
    Some(match (a_negative, b_negative) {
        (false, false) => size,
        (true, true) => size.reverse(),
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
    })
}

fn digits(text: &str) -> Option<(bool, &str, &str)> {
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = rest.split_once('.').unwrap_or((rest, ""));
    let all = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !all(whole) || !all(fraction) {
        return None;
    }
    let whole = whole.trim_start_matches('0');
    let fraction = fraction.trim_end_matches('0');
    Some((negative && !(whole.is_empty() && fraction.is_empty()), whole, fraction))
}

/// Dates and timestamps: ISO text compares as text while years have the same number of digits. Timestamps with time zone
/// are written in UTC; a writer in another zone makes the range unknown.
fn moment(a: &str, b: &str) -> Option<Ordering> {
    let plain = |t: &str| {
        let year = t.split('-').next().unwrap_or_default();
        let zone = t.rfind('+').is_none_or(|at| t.get(at..) == Some("+00"));
        year.len() == 4
            && year.bytes().all(|b| b.is_ascii_digit())
            && !t.ends_with("BC)")
            && zone
            && t.matches('-').count() == 2
    };
    if !plain(a) || !plain(b) {
        return None;
    }
    // "…:05+00" is before "…:05.5+00", and '+' before '.' says so too; without zone the shorter is the prefix.
    Some(a.cmp(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_compare_by_their_type() {
        let check = |ty: ColumnType, a: &str, b: &str, expect: Option<Ordering>| {
            assert_eq!(compare(&ty, a, b), expect, "{ty:?} {a} {b}");
            assert_eq!(compare(&ty, b, a), expect.map(Ordering::reverse), "{ty:?} {b} {a}");
        };
        check(ColumnType::Int4, "9", "10", Some(Ordering::Less));
        check(ColumnType::Int8, "-9", "-10", Some(Ordering::Greater));
        check(ColumnType::Numeric(10, 2), "9.50", "10.00", Some(Ordering::Less));
        check(ColumnType::Numeric(10, 2), "-9.50", "-10.00", Some(Ordering::Greater));
        check(ColumnType::Numeric(10, 2), "-0.00", "0.00", Some(Ordering::Equal));
        check(ColumnType::Numeric(10, 2), "1.5", "1.50", Some(Ordering::Equal));
        check(ColumnType::Float8, "1e10", "9", Some(Ordering::Greater));
        check(ColumnType::Float8, "-inf", "0", Some(Ordering::Less));
        check(ColumnType::Bool, "true", "0", Some(Ordering::Greater));
        check(ColumnType::Date, "2024-01-02", "2024-01-10", Some(Ordering::Less));
        check(ColumnType::Date, "10000-01-02", "2024-01-10", None);
        check(ColumnType::Timestamptz, "2024-01-02 03:04:05+00", "2024-01-02 03:04:05.5+00", Some(Ordering::Less));
        check(ColumnType::Timestamptz, "2024-01-02 03:04:05+02", "2024-01-02 03:04:05+00", None);
        check(ColumnType::Text, "9", "10", Some(Ordering::Greater));
        check(ColumnType::Array(Box::new(ColumnType::Int4)), "9", "10", Some(Ordering::Less));
        check(ColumnType::Other("int128".into()), "1", "2", None);
    }

    #[test]
    fn ranges_grow_and_never_claim_what_is_not_known() {
        let file = |min: Option<&str>, max: Option<&str>, values, nulls| ColumnStats {
            column: crate::ColumnId::new(1),
            size_bytes: 0,
            value_count: values,
            null_count: nulls,
            min: min.map(str::to_owned),
            max: max.map(str::to_owned),
            contains_nan: None,
        };
        let start = TableStats::before_first_file(false, None);
        let one = start.merge(&ColumnType::Int4, &file(Some("9"), Some("10"), 2, 0));
        assert_eq!(one.bounds(), (Some("9"), Some("10")));
        assert_eq!(one.contains_null, Some(false));
        let nulls = one.merge(&ColumnType::Int4, &file(None, None, 0, 3));
        assert_eq!(nulls.bounds(), (Some("9"), Some("10")));
        assert_eq!(nulls.contains_null, Some(true));
        let unknown = nulls.merge(&ColumnType::Int4, &file(None, None, 3, 0));
        assert_eq!(unknown.bounds(), (None, None));
        let added =
            TableStats::before_first_file(true, Some("7")).merge(&ColumnType::Int4, &file(Some("8"), Some("9"), 2, 0));
        assert_eq!(added.bounds(), (Some("7"), Some("9")));
    }
}

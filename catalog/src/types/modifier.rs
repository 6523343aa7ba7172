//! Type modifiers: what `timestamp(3)`, `interval day to second` and `bit(8)` say beside their type, as Postgres numbers it.

use std::fmt;

use super::{ColumnType, TextType};

/// The fields that an interval's modifier names: all of them.
const ALL_FIELDS: i32 = 0x7fff;
/// The precision that says nothing.
const ANY_PRECISION: i32 = 0xffff;

/// Postgres' digits of seconds at most.
pub const PRECISION_MAX: i32 = 6;

/// A field of an interval, as its modifier has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IntervalRange(pub i32);

impl IntervalRange {
    /// `YEAR`
    pub const YEAR: Self = Self(1 << 2);
    /// `MONTH`
    pub const MONTH: Self = Self(1 << 1);
    /// `DAY`
    pub const DAY: Self = Self(1 << 3);
    /// `HOUR`
    pub const HOUR: Self = Self(1 << 10);
    /// `MINUTE`
    pub const MINUTE: Self = Self(1 << 11);
    /// `SECOND`
    pub const SECOND: Self = Self(1 << 12);
    /// No field was named.
    pub const ALL: Self = Self(ALL_FIELDS);

    /// Both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether it has a field.
    #[must_use]
    pub const fn has(self, field: Self) -> bool {
        self.0 & field.0 != 0
    }

    /// The last field: what a number without a unit is. None where no field was named.
    #[must_use]
    pub fn last(self) -> Option<Self> {
        if self == Self::ALL {
            return None;
        }
        [Self::SECOND, Self::MINUTE, Self::HOUR, Self::DAY, Self::MONTH, Self::YEAR].into_iter().find(|f| self.has(*f))
    }

    fn words(self) -> String {
        if self == Self::ALL {
            return String::new();
        }
        const NAMES: [(IntervalRange, &str); 6] = [
            (IntervalRange::YEAR, "year"),
            (IntervalRange::MONTH, "month"),
            (IntervalRange::DAY, "day"),
            (IntervalRange::HOUR, "hour"),
            (IntervalRange::MINUTE, "minute"),
            (IntervalRange::SECOND, "second"),
        ];
        let mut names = NAMES.into_iter().filter(|(field, _)| self.has(*field)).map(|(_, name)| name);
        match (names.next(), names.next_back()) {
            (Some(first), Some(last)) => format!(" {first} to {last}"),
            (Some(only), None) => format!(" {only}"),
            _ => String::new(),
        }
    }
}

/// An interval's modifier of its fields and its precision.
#[must_use]
pub fn interval(range: IntervalRange, precision: Option<i32>) -> i32 {
    (range.0 << 16) | precision.unwrap_or(ANY_PRECISION)
}

/// An interval's fields and its precision.
#[must_use]
pub fn interval_parts(modifier: i32) -> (IntervalRange, Option<i32>) {
    let precision = modifier & ANY_PRECISION;
    (IntervalRange((modifier >> 16) & ALL_FIELDS), (precision != ANY_PRECISION).then_some(precision))
}

impl ColumnType {
    /// The type with a modifier; of an array its elements have it.
    #[must_use]
    pub fn modified(self, modifier: Option<i32>) -> Self {
        match (self, modifier) {
            (ty, None) => ty,
            (Self::Array(element), modifier) => Self::Array(Box::new(element.modified(modifier))),
            (Self::Grid(element), modifier) => Self::Grid(Box::new(element.modified(modifier))),
            (Self::Modified(ty, _), modifier) => ty.modified(modifier),
            (ty, Some(modifier)) => Self::Modified(Box::new(ty), modifier),
        }
    }

    /// The type without its modifier, and the modifier; of an array that of its elements.
    #[must_use]
    pub fn split(self) -> (Self, Option<i32>) {
        match self {
            Self::Modified(ty, modifier) => (*ty, Some(modifier)),
            Self::Array(element) => {
                let (element, modifier) = element.split();
                (Self::Array(Box::new(element)), modifier)
            }
            Self::Grid(element) => {
                let (element, modifier) = element.split();
                (Self::Grid(Box::new(element)), modifier)
            }
            other => (other, None),
        }
    }

    /// The type without its modifier; an array as it is.
    #[must_use]
    pub fn bare(&self) -> &Self {
        match self {
            Self::Modified(ty, _) => ty,
            other => other,
        }
    }

    /// The digits of a second that values of the type have.
    #[must_use]
    pub fn second_digits(&self) -> i32 {
        match self {
            Self::Modified(ty, modifier) if **ty == Self::Interval => {
                interval_parts(*modifier).1.unwrap_or(PRECISION_MAX)
            }
            Self::Modified(_, modifier) => *modifier,
            _ => PRECISION_MAX,
        }
    }

    /// Whether values of a modified type are values of the other modifier too; none: it has none.
    pub(super) fn widens(&self, from: i32, to: Option<i32>) -> bool {
        match (self, to) {
            (Self::AsText(TextType::Bit), to) => to == Some(from),
            (_, None) => true,
            (Self::Interval, Some(to)) => {
                let ((range, precision), (wider, digits)) = (interval_parts(from), interval_parts(to));
                range == wider && digits.is_none_or(|digits| precision.is_some_and(|own| own <= digits))
            }
            (_, Some(to)) => from <= to,
        }
    }
}

/// As `format_type` has it.
pub(super) fn write(f: &mut fmt::Formatter<'_>, ty: &ColumnType, modifier: i32) -> fmt::Result {
    match ty {
        ColumnType::Interval => {
            let (range, precision) = interval_parts(modifier);
            write!(f, "interval{}", range.words())?;
            precision.map_or(Ok(()), |digits| write!(f, "({digits})"))
        }
        ty => {
            let name = ty.to_string();
            match name.split_once(' ') {
                Some((word, rest)) if rest.ends_with("time zone") => write!(f, "{word}({modifier}) {rest}"),
                _ => write!(f, "{name}({modifier})"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_format_type() {
        use IntervalRange as R;
        for (ty, modifier, expected) in [
            (ColumnType::Timestamp, 3, "timestamp(3) without time zone"),
            (ColumnType::Timestamptz, 0, "timestamp(0) with time zone"),
            (ColumnType::AsText(TextType::Timetz), 2, "time(2) with time zone"),
            (ColumnType::AsText(TextType::Bit), 8, "bit(8)"),
            (ColumnType::AsText(TextType::Varbit), 8, "bit varying(8)"),
            (ColumnType::Interval, interval(R::ALL, Some(3)), "interval(3)"),
            (ColumnType::Interval, interval(R::YEAR, None), "interval year"),
            (ColumnType::Interval, interval(R::YEAR.and(R::MONTH), None), "interval year to month"),
            (
                ColumnType::Interval,
                interval(R::DAY.and(R::HOUR).and(R::MINUTE).and(R::SECOND), Some(2)),
                "interval day to second(2)",
            ),
        ] {
            let ty = ty.modified(Some(modifier));
            assert_eq!(ty.to_string(), expected);
            assert_eq!(ty.typmod(), modifier);
        }
        assert_eq!(interval(R::ALL, Some(3)), 0x7fff_0003);
        assert_eq!(interval(R::MINUTE, None), (1 << 27) | 0xffff);
    }

    #[test]
    fn an_array_has_its_elements_modifier() {
        let list = ColumnType::Array(Box::new(ColumnType::Timestamp));
        let modified = list.clone().modified(Some(3));
        assert_eq!((modified.typmod(), modified.to_string().as_str()), (3, "timestamp(3) without time zone[]"));
        assert_eq!(modified.split(), (list, Some(3)));
    }
}

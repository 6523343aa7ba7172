//! Types of Postgres that no lake has: their values are held as text, in Postgres' own canonical form.

use serde::{Deserialize, Serialize};

/// A type that is held as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TextType {
    /// `inet`
    Inet,
    /// `cidr`
    Cidr,
    /// `macaddr`
    Macaddr,
    /// `macaddr8`
    Macaddr8,
    /// `time with time zone`: Parquet and DuckLake hold no zone of a time.
    Timetz,
    /// `bit(n)`: its digits.
    Bit,
    /// `bit varying(n)`
    Varbit,
    /// `int4range` and its like.
    Range(RangeType),
    /// `int4multirange` and its like.
    Multirange(RangeType),
}

/// What a range is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RangeType {
    /// `integer`
    Int4,
    /// `bigint`
    Int8,
    /// `numeric`
    Num,
    /// `timestamp`
    Ts,
    /// `timestamptz`
    Tstz,
    /// `date`
    Date,
}

impl RangeType {
    const ALL: [Self; 6] = [Self::Int4, Self::Int8, Self::Num, Self::Ts, Self::Tstz, Self::Date];

    /// The type of a bound.
    #[must_use]
    pub fn element(self) -> super::types::ColumnType {
        use super::types::ColumnType as T;
        match self {
            Self::Int4 => T::Int4,
            Self::Int8 => T::Int8,
            Self::Num => T::Numeric(0, 0),
            Self::Ts => T::Timestamp,
            Self::Tstz => T::Timestamptz,
            Self::Date => T::Date,
        }
    }
}

/// Names and oids: the type's, its array's.
const ROWS: [(TextType, &str, u32, u32); 19] = [
    (TextType::Inet, "inet", 869, 1041),
    (TextType::Cidr, "cidr", 650, 651),
    (TextType::Macaddr, "macaddr", 829, 1040),
    (TextType::Macaddr8, "macaddr8", 774, 775),
    (TextType::Timetz, "timetz", 1266, 1270),
    (TextType::Bit, "bit", 1560, 1561),
    (TextType::Varbit, "varbit", 1562, 1563),
    (TextType::Range(RangeType::Int4), "int4range", 3904, 3905),
    (TextType::Range(RangeType::Int8), "int8range", 3926, 3927),
    (TextType::Range(RangeType::Num), "numrange", 3906, 3907),
    (TextType::Range(RangeType::Ts), "tsrange", 3908, 3909),
    (TextType::Range(RangeType::Tstz), "tstzrange", 3910, 3911),
    (TextType::Range(RangeType::Date), "daterange", 3912, 3913),
    (TextType::Multirange(RangeType::Int4), "int4multirange", 4451, 6150),
    (TextType::Multirange(RangeType::Int8), "int8multirange", 4536, 6157),
    (TextType::Multirange(RangeType::Num), "nummultirange", 4532, 6151),
    (TextType::Multirange(RangeType::Ts), "tsmultirange", 4533, 6152),
    (TextType::Multirange(RangeType::Tstz), "tstzmultirange", 4534, 6153),
    (TextType::Multirange(RangeType::Date), "datemultirange", 4535, 6155),
];

impl TextType {
    fn row(self) -> (&'static str, u32, u32) {
        ROWS.iter().find(|row| row.0 == self).map_or(("", 0, 0), |row| (row.1, row.2, row.3))
    }

    /// Postgres' oid.
    #[must_use]
    pub fn oid(self) -> u32 {
        self.row().1
    }

    /// The oid of its array type.
    #[must_use]
    pub fn array_oid(self) -> u32 {
        self.row().2
    }

    /// The internal name: `timetz`.
    #[must_use]
    pub fn internal_name(self) -> &'static str {
        self.row().0
    }

    /// The name in SQL.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Timetz => "time with time zone",
            Self::Varbit => "bit varying",
            other => other.internal_name(),
        }
    }

    /// Postgres' `typlen`.
    #[must_use]
    pub fn typlen(self) -> i16 {
        match self {
            Self::Macaddr => 6,
            Self::Macaddr8 => 8,
            Self::Timetz => 12,
            _ => -1,
        }
    }

    /// The type of that oid.
    #[must_use]
    pub fn of_oid(oid: u32) -> Option<Self> {
        ROWS.iter().find(|row| row.2 == oid).map(|row| row.0)
    }

    /// The type whose arrays have that oid.
    #[must_use]
    pub fn of_array_oid(oid: u32) -> Option<Self> {
        ROWS.iter().find(|row| row.3 == oid).map(|row| row.0)
    }

    /// The type of that internal name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        ROWS.iter().find(|row| row.1 == name).map(|row| row.0)
    }

    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        ROWS.iter().map(|row| row.0)
    }

    /// Whether the order of values is that of their texts.
    #[must_use]
    pub fn orders_as_text(self) -> bool {
        matches!(self, Self::Macaddr | Self::Macaddr8 | Self::Bit | Self::Varbit)
    }

    /// Whether equal values have equal texts.
    #[must_use]
    pub fn equal_as_text(self) -> bool {
        !matches!(self, Self::Range(RangeType::Num) | Self::Multirange(RangeType::Num))
    }

    /// Whether it is a string of bits.
    #[must_use]
    pub fn is_bits(self) -> bool {
        matches!(self, Self::Bit | Self::Varbit)
    }

    /// Whether it is a range type.
    #[must_use]
    pub fn range(self) -> Option<RangeType> {
        match self {
            Self::Range(of) => Some(of),
            _ => None,
        }
    }

    /// The range type over bounds of that internal name, or of an element's oid.
    #[must_use]
    pub fn range_of_element(oid: u32) -> Option<RangeType> {
        RangeType::ALL.into_iter().find(|of| of.element().oid() == oid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_has_one_row() {
        for ty in TextType::all() {
            assert_eq!(TextType::of_oid(ty.oid()), Some(ty));
            assert_eq!(TextType::of_array_oid(ty.array_oid()), Some(ty));
            assert_eq!(TextType::of_name(ty.internal_name()), Some(ty));
        }
        assert_eq!(TextType::all().count(), ROWS.len());
    }
}

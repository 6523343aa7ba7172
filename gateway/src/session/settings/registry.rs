//! The settings that exist: name, type, range and default, as PostgreSQL 15 has them, and DuckMesh's own.

use std::{collections::HashMap, sync::OnceLock};

/// All of them, one a line. Data, not code: taken from `pg_settings`.
const TABLE: &str = include_str!("postgres15.tsv");

/// A setting.
#[derive(Debug)]
pub struct Definition {
    /// In its own spelling: `DateStyle`.
    pub name: &'static str,
    /// What values it takes.
    pub kind: Kind,
    /// Who may change it, and when.
    pub context: Context,
    /// Its value before anyone sets it, in the base unit.
    pub default: &'static str,
    /// Whether clients are told of each change (ParameterStatus).
    pub reported: bool,
    /// Not in `SHOW ALL` and `pg_settings`.
    pub hidden: bool,
    /// What it is for.
    pub description: &'static str,
    /// The heading under which Postgres lists it.
    pub category: &'static str,
    /// More about it, where there is more to say.
    pub more: Option<&'static str>,
    /// Its unit as `pg_settings` writes it.
    pub unit_name: Option<&'static str>,
    /// Who may change it, as `pg_settings` writes it.
    pub context_name: &'static str,
}

/// What values a setting takes.
#[derive(Debug)]
pub enum Kind {
    /// on, off and what Postgres takes for them.
    Bool,
    /// A whole number, in multiples of the unit where it has one.
    Integer {
        /// Least value.
        min: i32,
        /// Greatest value.
        max: i32,
        /// What it counts.
        unit: Unit,
    },
    /// A number.
    Real {
        /// Least value.
        min: f64,
        /// Greatest value.
        max: f64,
        /// What it counts.
        unit: Unit,
    },
    /// One of some words.
    Enum(Vec<&'static str>),
    /// Text; some have rules of their own.
    Text,
}

/// Base units of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Unit {
    None,
    Byte,
    Kilobyte,
    Block,
    Megabyte,
    Millisecond,
    Second,
    Minute,
}

/// Who may change a setting, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// Any session, any time.
    User,
    /// Nobody.
    Internal,
    /// Only at the server's start.
    Postmaster,
    /// Only in the server's configuration.
    Sighup,
    /// Only at the connection's start.
    Backend,
}

/// The setting of that name, whatever its case.
#[must_use]
pub fn find(name: &str) -> Option<&'static Definition> {
    let registry = registry();
    let lower = name.to_ascii_lowercase();
    // Names of settings that were renamed long ago, as Postgres still takes them.
    let lower = match lower.as_str() {
        "sort_mem" => "work_mem",
        "vacuum_mem" => "maintenance_work_mem",
        other => other,
    };
    registry.by_name.get(lower).and_then(|index| registry.all.get(*index))
}

/// All settings by name, as `SHOW ALL` orders them.
#[must_use]
pub fn all() -> &'static [Definition] {
    &registry().all
}

struct Registry {
    all: Vec<Definition>,
    by_name: HashMap<String, usize>,
}

fn registry() -> &'static Registry {
    static REGISTRY: OnceLock<Registry> = OnceLock::new();
    REGISTRY.get_or_init(|| {
        let all: Vec<_> = TABLE.lines().filter(|line| !line.starts_with('#')).filter_map(definition).collect();
        let by_name = all.iter().enumerate().map(|(index, d)| (d.name.to_ascii_lowercase(), index)).collect();
        Registry { all, by_name }
    })
}

fn definition(line: &'static str) -> Option<Definition> {
    let mut cells = line.split('\t');
    let mut next = || cells.next();
    let (name, kind, context_name, unit_name) = (next()?, next()?, next()?, next()?);
    let (default, min, max, values) = (next()?, next()?, next()?, next()?);
    let (flags, description, category, more) = (next()?, next()?, next()?, next()?);
    let some = |text: &'static str| Some(text).filter(|text| !text.is_empty());
    let unit = match unit_name {
        "" => Unit::None,
        "B" => Unit::Byte,
        "kB" => Unit::Kilobyte,
        "8kB" => Unit::Block,
        "MB" => Unit::Megabyte,
        "ms" => Unit::Millisecond,
        "s" => Unit::Second,
        "min" => Unit::Minute,
        _ => return None,
    };
    Some(Definition {
        name,
        kind: match kind {
            "bool" => Kind::Bool,
            "integer" => Kind::Integer { min: min.parse().ok()?, max: max.parse().ok()?, unit },
            "real" => Kind::Real {
                min: min.parse().ok()?,
                // `pg_settings` writes DBL_MAX rounded up: beyond what a double holds.
                max: max.parse().ok().filter(|m: &f64| m.is_finite()).unwrap_or(f64::MAX),
                unit,
            },
            "enum" => Kind::Enum(values.split(',').collect()),
            "string" => Kind::Text,
            _ => return None,
        },
        context: match context_name {
            // Nobody is less than a superuser until there are roles.
            "user" | "superuser" => Context::User,
            "internal" => Context::Internal,
            "postmaster" => Context::Postmaster,
            "sighup" => Context::Sighup,
            "backend" | "superuser-backend" => Context::Backend,
            _ => return None,
        },
        default,
        reported: flags.contains("report"),
        hidden: flags.contains("hidden"),
        description,
        category,
        more: some(more),
        unit_name: some(unit_name),
        context_name,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_read() {
        let lines = TABLE.lines().filter(|l| !l.starts_with('#')).count();
        assert_eq!(all().len(), lines);
        assert!(find("datestyle").is_some_and(|d| d.name == "DateStyle"));
    }
}

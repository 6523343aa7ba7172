//! Signatures of functions in one letter per type, and the choice among them.

use duckmesh_catalog::{
    ColumnType,
    types::{TextType, oid},
};

use super::{Ex, NUMERIC, operator, scale};

/// A function: name, arguments and result, DuckDB text.
///
/// Arguments are letters (`t` text, `h` int2, `i` int4, `l` int8, `d` float8, `n` numeric, `N` numeric as text, `b` bool,
/// `D` date, `T` time, `s` timestamp, `z` timestamptz, `v` interval, `u` uuid, `j` json, `y` bytea, `M` name, `o` oid,
/// `I` inet, `C` cidr, `m` macaddr, `w` macaddr8, `Z` timetz, `R` regclass, `Y` regtype, `P` regproc, `S` regnamespace, `U` regrole, `A` any array, `a` anything);
/// `*` repeats the last. After `>` the result: a letter, `1` the first argument's type, `c` the common type,
/// `e` the first argument's element, `L` an array of the first argument, `?` not known.
/// The text holds `$1` … for arguments, `$*` for all; empty: the same name.
pub(super) type Row = (&'static str, &'static str, &'static str);

/// The type of a letter.
pub(super) fn letter(c: char) -> Option<ColumnType> {
    use ColumnType as T;
    Some(match c {
        't' => T::Text,
        'h' => T::Int2,
        'i' => T::Int4,
        'l' => T::Int8,
        'd' => T::Float8,
        'r' => T::Float4,
        'n' => NUMERIC,
        'N' => super::number::LONG,
        'b' => T::Bool,
        'D' => T::Date,
        'T' => T::Time,
        's' => T::Timestamp,
        'z' => T::Timestamptz,
        'v' => T::Interval,
        'u' => T::Uuid,
        'j' => T::Json,
        'J' => T::Jsonb,
        'y' => T::Bytea,
        'M' => T::system(oid::NAME)?,
        'o' => T::system(oid::OID)?,
        'x' => T::system(oid::XID8)?,
        'R' => T::system(oid::REGCLASS)?,
        'Y' => T::system(oid::REGTYPE)?,
        'P' => T::system(oid::REGPROC)?,
        'S' => T::system(oid::REGNAMESPACE)?,
        'U' => T::system(oid::REGROLE)?,
        'I' => T::AsText(TextType::Inet),
        'C' => T::AsText(TextType::Cidr),
        'm' => T::AsText(TextType::Macaddr),
        'w' => T::AsText(TextType::Macaddr8),
        'Z' => T::AsText(TextType::Timetz),
        _ => return None,
    })
}

/// The letters of `count` arguments; none where the signature does not take so many.
pub(super) fn arguments(signature: &str, count: usize) -> Option<Vec<char>> {
    let (args, _) = signature.split_once('>')?;
    let mut letters: Vec<char> = args.chars().collect();
    if letters.last() == Some(&'*') {
        letters.pop();
        let last = *letters.last()?;
        while letters.len() < count {
            letters.push(last);
        }
    }
    (letters.len() == count).then_some(letters)
}

/// What an argument without a type is that may be anything: the elements of an array beside it, or the type of a value beside it.
pub(super) fn anything(letters: &[char], args: &[Ex]) -> ColumnType {
    let known = |letter: char| {
        let of = letters.iter().zip(args).filter(move |(l, arg)| **l == letter && !arg.is_unknown());
        of.filter_map(|(_, arg)| arg.ty.clone()).next()
    };
    match known('A') {
        Some(ColumnType::Array(element) | ColumnType::Grid(element)) => *element,
        Some(_) => ColumnType::Text,
        // The first argument's, whatever it is, where there is no other: `json_build_object` and its like take any.
        None => known('a').or_else(|| args.first().and_then(|arg| arg.ty.clone())).unwrap_or(ColumnType::Text),
    }
}

/// How well an argument fits: none not at all.
pub(super) fn fit(letter_: char, arg: &Ex) -> Option<u32> {
    use ColumnType as T;
    if letter_ == 'a' {
        return Some(1);
    }
    let Some(ty) = arg.ty.as_ref().map(T::base).filter(|_| !arg.is_unknown()) else {
        // Postgres prefers text for what has no type yet, and then the widest of a kind.
        return Some(match letter_ {
            't' => 3,
            'd' | 'z' | 'v' | 'I' => 2,
            _ => 1,
        });
    };
    if letter_ == 'A' {
        return matches!(ty, T::Array(_)).then_some(4);
    }
    if letter_ == 'R' && operator::is_text(&ty) {
        return Some(1);
    }
    let want = letter(letter_)?.base();
    let long = super::number::is_long(&ty);
    match letter_ {
        // The engine's own function, where it has one, before the slower exact one.
        'n' if long => return None,
        'N' if long => return Some(5),
        'N' if matches!(ty, T::Numeric(..)) => return Some(4),
        'N' if operator::is_int(&ty) => return Some(1),
        'N' => return None,
        _ => {}
    }
    if want.oid() == ty.oid() {
        return Some(4);
    }
    let score = match (&ty, &want) {
        (a, T::Text) if operator::is_text(a) => 4,
        (T::Other(_), _) => 1,
        (T::Int2, T::Int4 | T::Int8) | (T::Int4, T::Int8) => 3,
        (T::Int2 | T::Int4 | T::Int8, T::Numeric(..)) => 2,
        (T::Int2 | T::Int4 | T::Int8 | T::Numeric(..), T::Float8 | T::Float4) => 2,
        (T::Float4, T::Float8) => 3,
        (T::Date, T::Timestamp) => 1,
        (T::Date, T::Timestamptz) => 2,
        (T::Timestamp, T::Timestamptz) => 2,
        (T::Time, T::Interval) => 1,
        (T::Jsonb, T::Json) => 3,
        (T::AsText(TextType::Cidr), T::AsText(TextType::Inet)) => 3,
        (T::Time, T::AsText(TextType::Timetz)) => 1,
        _ => return None,
    };
    Some(score)
}

/// The result's type.
pub(super) fn result(signature: &str, args: &[Ex]) -> Option<ColumnType> {
    let (_, result) = signature.split_once('>')?;
    let c = result.chars().next()?;
    // A function's result has no modifier, but the digits of what it gives back.
    let first = || args.first().and_then(|a| a.ty.clone()).map(scale::without_modifier);
    match c {
        '?' => None,
        '1' => first(),
        '2' => args.get(1).and_then(|a| a.ty.clone()).map(scale::without_modifier),
        'c' => {
            let bare = args.iter().any(|a| a.kind == super::Kind::Null);
            let mut types = args.iter().filter(|a| a.sql != "NULL").map(|a| a.ty.clone());
            let mut ty = types.next()??;
            if bare {
                ty = scale::without_modifier(ty);
            }
            for other in types {
                ty = operator::common(&ty, &other?)?;
            }
            Some(ty)
        }
        'e' => match first()? {
            ColumnType::Array(element) => Some(*element),
            _ => None,
        },
        'L' => Some(ColumnType::Array(Box::new(first().filter(|t| !matches!(t, ColumnType::Array(_)))?))),
        'X' => Some(ColumnType::Array(Box::new(ColumnType::Text))),
        c => letter(c),
    }
}

/// A type as errors show it.
pub(in crate::sql) fn shown(ty: &ColumnType) -> String {
    match ty {
        ColumnType::Numeric(..) => "numeric".into(),
        ColumnType::Varchar(_) => "character varying".into(),
        ColumnType::Char(_) => "character".into(),
        ColumnType::Modified(ty, _) => shown(ty),
        ColumnType::Array(element) | ColumnType::Grid(element) => format!("{}[]", shown(element)),
        other => other.to_string(),
    }
}

//! `int2vector` and `oidvector`: lists for the engine, whose subscripts count from 0.

use duckmesh_catalog::{
    ColumnType as T,
    types::{SystemType, oid},
};

use super::{Ex, Kind, Rewriter, functions::SCALARS};
use crate::wire::error::PgResult;

/// Whether it is an `int2vector` or `oidvector`.
pub(super) fn is_vector(ex: &Ex) -> bool {
    matches!(&ex.ty, Some(T::Array(element)) if matches!(**element, T::System(SystemType::Element(_))))
}

/// The type of an array of what is in a vector.
fn as_array(ty: &T) -> Option<T> {
    let T::Array(element) = ty else { return None };
    let T::System(SystemType::Element(vector)) = **element else { return None };
    let element = match vector {
        oid::INT2VECTOR => T::Int2,
        _ => T::System(SystemType::Number(oid::OID)),
    };
    Some(T::Array(Box::new(element)))
}

/// A vector as the text of an array, which has its bounds.
fn bounded_text(list: &str) -> String {
    let elements = format!("array_to_string({list}, ',')");
    format!(
        "(CASE WHEN len({list}) = 0 THEN '{{}}' ELSE '[0:' || (len({list}) - 1) || ']={{' || {elements} || '}}' END)"
    )
}

/// A constant as a vector: numbers with blanks between.
pub(super) fn constant(text: &str, ty: &T) -> Option<String> {
    as_array(ty)?;
    let numbers: Vec<&str> = text.split_ascii_whitespace().collect();
    let fits = |number: &&str| match as_array(ty) {
        Some(T::Array(element)) if *element == T::Int2 => number.parse::<i16>().is_ok(),
        _ => number.parse::<u32>().is_ok(),
    };
    numbers.iter().all(fits).then(|| ty.cast(&format!("[{}]", numbers.join(", "))))
}

impl Rewriter<'_> {
    /// Functions of a vector's subscripts. None: others, or no vector.
    pub(super) fn vector_call(&mut self, name: &str, values: &[Ex], at: Option<u32>) -> PgResult<Option<Ex>> {
        let [list, rest @ ..] = values else { return Ok(None) };
        if !is_vector(list) || list.is_unknown() {
            return Ok(None);
        }
        let x = &list.sql;
        let in_first = |r: &mut Self, value: String| {
            let Some(dimension) = rest.first() else { return Ok(value) };
            let dimension = r.settle(dimension.clone(), &T::Int4)?.sql;
            PgResult::Ok(format!("(CASE WHEN {dimension} = 1 THEN {value} END)"))
        };
        let sql = match (name, rest.len()) {
            ("array_lower", 1) => in_first(self, format!("len({x}) * 0"))?,
            ("array_upper", 1) => in_first(self, format!("len({x}) - 1"))?,
            ("array_length", 1) => in_first(self, format!("len({x})"))?,
            ("array_ndims", 0) => format!("len({x}) * 0 + 1"),
            ("array_dims", 0) => return Ok(Some(Ex::of(format!("('[0:' || (len({x}) - 1) || ']')"), T::Text))),
            ("generate_subscripts", 1 | 2) => {
                let series = in_first(self, format!("range(0, len({x}))"))?;
                let series = match rest.get(1) {
                    Some(flag) => {
                        let flag = self.settle(flag.clone(), &T::Bool)?.sql;
                        format!("(CASE WHEN {flag} THEN list_reverse({series}) ELSE {series} END)")
                    }
                    None => series,
                };
                return Ok(Some(Ex::of(format!("unnest(CAST({series} AS INTEGER[]))"), T::Int4)));
            }
            ("array_position" | "array_positions", _) => {
                let mut values = values.to_vec();
                if let Some(first) = values.first_mut() {
                    first.ty = first.ty.as_ref().and_then(as_array);
                    (first.kind, first.origin) = (Kind::Plain, None);
                }
                // Where it begins is a subscript, too.
                if let Some(start) = values.get_mut(2) {
                    let settled = self.settle(start.clone(), &T::Int4)?;
                    *start = Ex::of(format!("({} + 1)", settled.sql), T::Int4);
                }
                let found = self.by_table(SCALARS, name, values, at)?;
                let sql = match name {
                    "array_position" => format!("({} - 1)", found.sql),
                    _ => format!("list_transform({}, lambda place: place - 1)", found.sql),
                };
                return Ok(Some(Ex { sql, ..found }));
            }
            _ => return Ok(None),
        };
        Ok(Some(Ex::of(format!("CAST({sql} AS INTEGER)"), T::Int4)))
    }

    /// A vector as an array, which keeps its bounds. None: another cast.
    pub(super) fn cast_vector(&mut self, ex: &Ex, ty: &T) -> PgResult<Option<Ex>> {
        let T::Array(to) = ty else { return Ok(None) };
        let plain = matches!(**to, T::Int2 | T::Int4 | T::Int8 | T::Text);
        if !is_vector(ex) || ex.is_unknown() || !plain || !self.has_functions() {
            return Ok(None);
        }
        Ok(Some(Ex::of(bounded_text(&ex.sql), T::Grid(to.clone())).at(ex.position)))
    }
}

/// `v[0:1]`: an array of its own. None: no vector.
pub(super) fn slice(ex: &Ex, low: &str, high: &str) -> Option<Ex> {
    if !is_vector(ex) {
        return None;
    }
    let place = |bound: &str, open: String| if bound.is_empty() { open } else { format!("({bound} + 1)") };
    let (low, high) = (place(low, "1".to_owned()), place(high, format!("len({})", ex.sql)));
    Some(Ex::plain(format!("({})[{low}:{high}]", ex.sql), ex.ty.as_ref().and_then(as_array)))
}

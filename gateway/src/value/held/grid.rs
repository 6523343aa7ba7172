//! Arrays of any dimensions and bounds, held as text: what a list of one dimension cannot hold.
//!
//! Elements in a held text depend on no setting, as those of the other held types.

mod reader;

use self::reader::Reader;
use arrow::array::Array as _;
use bytes::BytesMut;
use duckmesh_catalog::types::{ColumnType, DEFAULT_NUMERIC};

use super::super::ColumnBuilder;
use super::super::array_text::{needs_quotes, write_element};
use super::super::context::ValueContext;
use super::super::encoder::Encoder;
use super::super::error::{is_space, text as utf8, too_short};
use super::super::numeric::{self, Parsed};
use super::super::wire_bytes::WireBytes;
use crate::wire::error::{PgError, PgResult, SqlState};

/// Postgres' own limit of dimensions.
pub(crate) const DIMENSIONS_MAX: usize = 6;
/// Postgres' own limit of elements.
const ELEMENTS_MAX: usize = 134_217_727;

/// One dimension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dimension {
    pub low: i32,
    pub length: usize,
}

impl Dimension {
    pub fn high(self) -> i64 {
        i64::from(self.low) + i64::try_from(self.length).unwrap_or(i64::MAX) - 1
    }
}

/// An array; without dimensions it is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Grid {
    pub dimensions: Vec<Dimension>,
    /// In the order of their subscripts.
    pub elements: Vec<Option<String>>,
}

#[cold]
fn malformed(text: &str, detail: &str) -> PgError {
    let message = format!("malformed array literal: \"{text}\"");
    PgError::new(SqlState::INVALID_TEXT_REPRESENTATION, message).detail(detail)
}

fn limit(message: String) -> PgError {
    PgError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message)
}

impl Grid {
    /// `array_in`.
    pub fn parse(text: &str) -> PgResult<Self> {
        let mut reader = Reader { text, rest: text.trim_start_matches(space) };
        let given = reader.bounds()?;
        let mut grid = Self::default();
        let mut lengths = Vec::new();
        reader.level(0, &mut lengths, &mut grid.elements)?;
        if !reader.rest.trim_matches(space).is_empty() {
            return Err(malformed(text, "Junk after closing right brace."));
        }
        if grid.elements.is_empty() {
            lengths.clear();
        }
        let lengths: Vec<usize> = lengths.into_iter().flatten().collect();
        grid.dimensions = match given {
            None => lengths.into_iter().map(|length| Dimension { low: 1, length }).collect(),
            Some(given) if given.iter().map(|d| d.length).eq(lengths.iter().copied()) => given,
            Some(_) => return Err(malformed(text, "Specified array dimensions do not match array contents.")),
        };
        Ok(grid)
    }

    /// Whether a list of one dimension holds it.
    pub fn is_list(&self) -> bool {
        matches!(self.dimensions.as_slice(), [] | [Dimension { low: 1, .. }])
    }

    /// `array_out`.
    pub fn text(&self) -> String {
        let mut out = BytesMut::new();
        if self.dimensions.iter().any(|d| d.low != 1) {
            out.extend_from_slice(self.bounds_text().as_bytes());
            out.extend_from_slice(b"=");
        }
        let mut elements = self.elements.iter();
        write_level(&self.dimensions, &mut elements, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    /// `[1:2][0:3]`
    pub fn bounds_text(&self) -> String {
        self.dimensions.iter().map(|d| format!("[{}:{}]", d.low, d.high())).collect()
    }

    /// The element of these subscripts; none outside, or where their number is another.
    pub fn at(&self, subscripts: &[i64]) -> Option<&str> {
        if subscripts.len() != self.dimensions.len() || subscripts.is_empty() {
            return None;
        }
        let mut place = 0;
        for (dimension, subscript) in self.dimensions.iter().zip(subscripts) {
            let offset = usize::try_from(subscript.checked_sub(i64::from(dimension.low))?).ok()?;
            if offset >= dimension.length {
                return None;
            }
            place = place * dimension.length + offset;
        }
        self.elements.get(place)?.as_deref()
    }

    /// A part, counted from 1; the bounds are inclusive, one for each of the first dimensions.
    pub fn slice(&self, bounds: &[(Option<i64>, Option<i64>)]) -> Self {
        if bounds.len() > self.dimensions.len() {
            return Self::default();
        }
        let mut ranges = Vec::with_capacity(self.dimensions.len());
        for (n, dimension) in self.dimensions.iter().enumerate() {
            let (low, high) = (i64::from(dimension.low), dimension.high());
            let (from, to) = bounds.get(n).copied().unwrap_or((None, None));
            let (from, to) = (from.unwrap_or(low).max(low), to.unwrap_or(high).min(high));
            if from > to {
                return Self::default();
            }
            let start = usize::try_from(from - low).unwrap_or(0);
            let length = usize::try_from(to - from + 1).unwrap_or(0);
            ranges.push((start, length, dimension.length));
        }
        let mut places = vec![0];
        for (start, length, whole) in &ranges {
            places = places.iter().flat_map(|p| (*start..start + length).map(move |n| p * whole + n)).collect();
        }
        let elements = places.iter().map(|p| self.elements.get(*p).cloned().flatten()).collect();
        Self { dimensions: ranges.iter().map(|r| Dimension { low: 1, length: r.1 }).collect(), elements }
    }

    /// `ARRAY[a, b]` of arrays.
    pub fn stacked(parts: &[Self]) -> PgResult<Self> {
        let mismatch = || {
            let message = "multidimensional arrays must have array expressions with matching dimensions";
            PgError::new(SqlState::ARRAY_SUBSCRIPT_ERROR, message)
        };
        let full: Vec<&Self> = parts.iter().filter(|p| !p.dimensions.is_empty()).collect();
        let Some(first) = full.first() else { return Ok(Self::default()) };
        if full.len() != parts.len() || full.iter().any(|p| p.dimensions != first.dimensions) {
            return Err(mismatch());
        }
        if first.dimensions.len() >= DIMENSIONS_MAX {
            let count = first.dimensions.len() + 1;
            let message =
                format!("number of array dimensions ({count}) exceeds the maximum allowed ({DIMENSIONS_MAX})");
            return Err(limit(message));
        }
        let mut dimensions = vec![Dimension { low: 1, length: parts.len() }];
        dimensions.extend(&first.dimensions);
        Ok(Self { dimensions, elements: full.iter().flat_map(|p| p.elements.iter().cloned()).collect() })
    }

    /// `array_cat`.
    pub fn joined(&self, other: &Self) -> PgResult<Self> {
        let refused = |detail: String| {
            PgError::new(SqlState::ARRAY_SUBSCRIPT_ERROR, "cannot concatenate incompatible arrays").detail(detail)
        };
        let (a, b) = (self.dimensions.len(), other.dimensions.len());
        if b == 0 {
            return Ok(self.clone());
        }
        if a == 0 {
            return Ok(other.clone());
        }
        let inner = "Arrays with differing element dimensions are not compatible for concatenation.";
        let lengths = |d: &[Dimension]| d.iter().map(|d| d.length).collect::<Vec<_>>();
        let rest = |grid: &Self| lengths(grid.dimensions.get(1..).unwrap_or_default());
        let first = |grid: &Self| grid.dimensions.first().copied().unwrap_or(Dimension { low: 1, length: 0 });
        let (head, tail, added) = match a.cmp(&b) {
            std::cmp::Ordering::Equal if rest(self) == rest(other) => (self, first(self), first(other).length),
            std::cmp::Ordering::Greater if a == b + 1 && rest(self) == lengths(&other.dimensions) => {
                (self, first(self), 1)
            }
            std::cmp::Ordering::Less if b == a + 1 && rest(other) == lengths(&self.dimensions) => {
                (other, first(other), 1)
            }
            _ if a.abs_diff(b) > 1 => {
                let detail = format!("Arrays of {a} and {b} dimensions are not compatible for concatenation.");
                return Err(refused(detail));
            }
            _ => return Err(refused(inner.to_owned())),
        };
        let mut dimensions = head.dimensions.clone();
        if let Some(dimension) = dimensions.first_mut() {
            *dimension = Dimension { low: tail.low, length: tail.length + added };
        }
        Ok(Self { dimensions, elements: [self.elements.clone(), other.elements.clone()].concat() })
    }
}

fn space(c: char) -> bool {
    u8::try_from(c).is_ok_and(is_space)
}

fn write_level(dimensions: &[Dimension], elements: &mut std::slice::Iter<'_, Option<String>>, out: &mut BytesMut) {
    let Some((first, rest)) = dimensions.split_first() else {
        return out.extend_from_slice(b"{}");
    };
    out.extend_from_slice(b"{");
    for n in 0..first.length {
        if n > 0 {
            out.extend_from_slice(b",");
        }
        if !rest.is_empty() {
            write_level(rest, elements, out);
            continue;
        }
        match elements.next().and_then(Option::as_deref) {
            None => out.extend_from_slice(b"NULL"),
            Some(text) if needs_quotes(text.as_bytes()) => write_element(text.as_bytes(), out),
            Some(text) => out.extend_from_slice(text.as_bytes()),
        }
    }
    out.extend_from_slice(b"}");
}

/// Numbers are kept with the digits that they have.
fn kept(element: &ColumnType) -> bool {
    matches!(element, ColumnType::Numeric(..))
}

/// The texts of elements, read in one context and written in another.
fn rewritten(
    element: &ColumnType,
    texts: &[Option<String>],
    from: &ValueContext,
    to: &ValueContext,
) -> PgResult<Vec<Option<String>>> {
    if kept(element) {
        use crate::engine::worker::functions::number::Number;
        let number = |text: &String| Number::read(text).map(|n| n.write()).map_err(PgError::from);
        return texts.iter().map(|text| text.as_ref().map(number).transpose()).collect();
    }
    written(element, &mut read_all(element, texts, from)?, to)
}

fn read_all(ty: &ColumnType, texts: &[Option<String>], ctx: &ValueContext) -> PgResult<ColumnBuilder> {
    let mut column = ColumnBuilder::new(ty, texts.len())?;
    for text in texts {
        match text {
            Some(text) => column.append_text(text.as_bytes(), ctx)?,
            None => column.append_null(),
        }
    }
    Ok(column)
}

fn written(element: &ColumnType, column: &mut ColumnBuilder, to: &ValueContext) -> PgResult<Vec<Option<String>>> {
    let array = column.finish();
    let encoder = Encoder::new(array.data_type(), "", Some(element), &std::sync::Arc::new(to.clone()))?;
    let bound = encoder.bind(&array)?;
    let mut texts = Vec::with_capacity(array.len());
    for row in 0..array.len() {
        if array.is_null(row) {
            texts.push(None);
            continue;
        }
        let mut out = BytesMut::new();
        bound.encode_text(row, &mut out)?;
        texts.push(Some(String::from_utf8_lossy(&out).into_owned()));
    }
    Ok(texts)
}

/// The held text of a client's text; none for what a list holds.
pub(crate) fn read(element: &ColumnType, text: &[u8], ctx: &ValueContext) -> PgResult<Option<String>> {
    let trimmed = super::super::error::trim(text);
    let nested = trimmed.strip_prefix(b"{").is_some_and(|rest| rest.contains(&b'{'));
    if !nested && !trimmed.starts_with(b"[") {
        return Ok(None);
    }
    let mut grid = Grid::parse(utf8(text)?)?;
    if grid.is_list() {
        return Ok(None);
    }
    grid.elements = rewritten(element, &grid.elements, ctx, &super::utc())?;
    Ok(Some(grid.text()))
}

/// The held text of any array, for a column of such values: elements are as their type has them.
pub(crate) fn stored(element: &ColumnType, text: &[u8], ctx: &ValueContext) -> PgResult<String> {
    let mut grid = Grid::parse(utf8(text)?)?;
    grid.elements = rewritten(element, &grid.elements, ctx, &super::utc())?;
    grid.elements = fitted(element, grid.elements)?;
    Ok(grid.text())
}

/// The same of the binary form.
pub(crate) fn stored_of(element: &ColumnType, bytes: &[u8]) -> PgResult<String> {
    if let Some(text) = receive(element, bytes)? {
        let mut grid = Grid::parse(&text)?;
        grid.elements = fitted(element, grid.elements)?;
        return Ok(grid.text());
    }
    // What a list holds, and what is wrong.
    let ty = ColumnType::Array(Box::new(element.clone()));
    let mut column = ColumnBuilder::new(&ty, 1)?;
    column.append_binary(bytes, &super::utc())?;
    let texts = written(&ty, &mut column, &super::utc())?;
    Ok(texts.into_iter().flatten().next().unwrap_or_default())
}

/// Numbers with the scale that they were declared with; without one they keep their digits.
fn fitted(element: &ColumnType, texts: Vec<Option<String>>) -> PgResult<Vec<Option<String>>> {
    match element {
        ColumnType::Numeric(precision, scale) if (*precision, *scale) != DEFAULT_NUMERIC => {
            written(element, &mut read_all(element, &texts, &super::utc())?, &super::utc())
        }
        _ => Ok(texts),
    }
}

/// The held text of a client's bytes; none for what a list holds, and for what is wrong: that is the list's error.
pub(crate) fn receive(element: &ColumnType, bytes: &[u8]) -> PgResult<Option<String>> {
    let mut wire = WireBytes(bytes);
    let (Ok(count), Ok(_flags), Ok(oid)) = (wire.i32(), wire.i32(), wire.u32()) else { return Ok(None) };
    let Some(count) = usize::try_from(count).ok().filter(|n| (1..=DIMENSIONS_MAX).contains(n)) else { return Ok(None) };
    if oid != element.oid() {
        return Ok(None);
    }
    let mut dimensions = Vec::with_capacity(count);
    let mut total = 1_usize;
    for _ in 0..count {
        let length = usize::try_from(wire.i32()?).map_err(|_| too_short())?;
        let low = wire.i32()?;
        total = total.saturating_mul(length);
        dimensions.push(Dimension { low, length });
    }
    if total == 0 || matches!(dimensions.as_slice(), [Dimension { low: 1, .. }]) {
        return Ok(None);
    }
    if total > ELEMENTS_MAX || total > bytes.len() {
        return Err(too_short());
    }
    let elements = received(element, &mut wire, total)?;
    wire.end()?;
    Ok(Some(Grid { dimensions, elements }.text()))
}

/// The texts of so many elements in binary form.
fn received(element: &ColumnType, wire: &mut WireBytes<'_>, total: usize) -> PgResult<Vec<Option<String>>> {
    let mut column = ColumnBuilder::new(if kept(element) { &ColumnType::Text } else { element }, total)?;
    for _ in 0..total {
        let Ok(length) = usize::try_from(wire.i32()?) else {
            column.append_null();
            continue;
        };
        let bytes = wire.bytes(length)?;
        match (kept(element), &super::utc()) {
            (false, ctx) => column.append_binary(bytes, ctx)?,
            // With the digits that it has.
            (true, ctx) => match numeric::receive(bytes)? {
                Parsed::Finite(number) => {
                    let mut text = String::new();
                    numeric::write_decimal(&number, &mut text);
                    column.append_text(text.as_bytes(), ctx)?;
                }
                Parsed::NaN => column.append_text(b"NaN", ctx)?,
                Parsed::Infinity => column.append_text(b"Infinity", ctx)?,
            },
        }
    }
    written(if kept(element) { &ColumnType::Text } else { element }, &mut column, &super::utc())
}

/// The text for a client.
pub(crate) fn show(element: &ColumnType, stored: &str, ctx: &ValueContext) -> PgResult<String> {
    use ColumnType as T;
    let depends = matches!(
        element.bare(),
        T::Date | T::Timestamp | T::Timestamptz | T::Interval | T::Bytea | T::Float4 | T::Float8 | T::AsText(_)
    );
    if !depends {
        return Ok(stored.to_owned());
    }
    let mut grid = Grid::parse(stored)?;
    grid.elements = rewritten(element, &grid.elements, &super::utc(), ctx)?;
    Ok(grid.text())
}

/// The bytes for a client.
pub(crate) fn send(element: &ColumnType, stored: &str, out: &mut BytesMut) -> PgResult<()> {
    let grid = Grid::parse(stored)?;
    let number = |n: usize| i32::try_from(n).unwrap_or(i32::MAX).to_be_bytes();
    out.extend_from_slice(&number(grid.dimensions.len()));
    out.extend_from_slice(&i32::from(grid.elements.contains(&None)).to_be_bytes());
    out.extend_from_slice(&element.oid().to_be_bytes());
    for dimension in &grid.dimensions {
        out.extend_from_slice(&number(dimension.length));
        out.extend_from_slice(&dimension.low.to_be_bytes());
    }
    let ty = if kept(element) { &ColumnType::Text } else { element };
    let array = read_all(ty, &grid.elements, &super::utc())?.finish();
    let encoder = Encoder::new(array.data_type(), "", Some(element), &std::sync::Arc::new(super::utc()))?;
    let bound = encoder.bind(&array)?;
    for row in 0..array.len() {
        if array.is_null(row) {
            out.extend_from_slice(&(-1_i32).to_be_bytes());
            continue;
        }
        let mut bytes = BytesMut::new();
        bound.encode_binary(row, &mut bytes)?;
        out.extend_from_slice(&number(bytes.len()));
        out.extend_from_slice(&bytes);
    }
    Ok(())
}

/// What a column of a lake says of such a value.
pub(crate) fn refused() -> PgError {
    super::super::array_text::many_dimensions()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_go_both_ways() {
        for (text, expect) in [
            ("{{1,2},{3,4}}", "{{1,2},{3,4}}"),
            (" { { 1 , NULL } , { \"a b\" , \"\" } } ", "{{1,NULL},{\"a b\",\"\"}}"),
            ("[0:1][2:3]={{1,2},{3,4}}", "[0:1][2:3]={{1,2},{3,4}}"),
            ("[2:3]={1,2}", "[2:3]={1,2}"),
            ("[2]={1,2}", "{1,2}"),
            ("{}", "{}"),
            ("{{{1}}}", "{{{1}}}"),
        ] {
            assert_eq!(Grid::parse(text).unwrap().text(), expect, "{text}");
        }
        for text in ["{{1,2},{3}}", "{{1},2}", "{1,{2}}", "{{1,2}", "{{},{}}", "{{1}} x", "[1:3]={1,2}", "{{1,}}"] {
            assert!(Grid::parse(text).is_err(), "{text}");
        }
        assert!(Grid::parse("{{{{{{{1}}}}}}}").unwrap_err().to_string().starts_with("54000"));
    }

    #[test]
    fn parts() {
        let grid = Grid::parse("{{1,2,3},{4,5,6}}").unwrap();
        assert_eq!(grid.at(&[2, 3]), Some("6"));
        assert_eq!(grid.at(&[2]), None);
        assert_eq!(grid.slice(&[(Some(1), Some(2)), (Some(2), None)]).text(), "{{2,3},{5,6}}");
        assert_eq!(grid.slice(&[(Some(2), Some(2))]).text(), "{{4,5,6}}");
        let row = Grid::parse("{7,8,9}").unwrap();
        assert_eq!(grid.joined(&row).unwrap().text(), "{{1,2,3},{4,5,6},{7,8,9}}");
        assert_eq!(row.joined(&grid).unwrap().text(), "{{7,8,9},{1,2,3},{4,5,6}}");
        assert!(grid.joined(&Grid::parse("{1}").unwrap()).is_err());
    }
}

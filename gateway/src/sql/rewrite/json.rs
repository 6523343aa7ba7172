//! `json` and `jsonb`: values made in queries have Postgres' text, and operators work on it.
//!
//! The worker's functions (`engine/worker/functions/json.rs`) read and write the text; a `jsonb` is always normal.

use duckmesh_catalog::{
    ColumnType,
    types::{RecordType, oid},
};

use super::{
    Ex, Kind, Rewriter,
    number::is_long,
    operator::{is_int, is_json, is_text},
};
use crate::{
    sql::{plan::SessionValue, quote},
    wire::error::{PgError, PgResult, SqlState},
};

/// Levels of arrays whose elements are written.
const ARRAY_DEPTH_MAX: usize = 6;

/// A time as JSON writes it: `T` before the clock; an era stays at the end.
fn with_t(x: &str) -> String {
    format!("pg_text_time(replace(replace(CAST({x} AS VARCHAR), ' ', 'T'), 'T(BC)', ' (BC)'))")
}

impl Rewriter<'_> {
    /// A value as JSON text; NULL stays NULL.
    pub fn json_of(&mut self, ex: Ex) -> PgResult<String> {
        self.json_at(ex, 0)
    }

    fn json_at(&mut self, ex: Ex, depth: usize) -> PgResult<String> {
        use ColumnType as T;
        if let Some(fields) = self.row_fields(&ex)? {
            let mut parts = Vec::new();
            for (name, sql, ty) in fields {
                parts.push(quote::literal(&name)?);
                parts.push(self.json_at(Ex::plain(sql, ty), depth)?);
            }
            let made = format!("pg_json_row({})", parts.join(", "));
            return Ok(match ex.kind {
                Kind::Row(_) => made,
                _ => format!("(CASE WHEN {} IS NOT NULL THEN {made} END)", ex.sql),
            });
        }
        let ex = self.settle(ex, &T::Text)?;
        let x = ex.sql.clone();
        Ok(match &ex.ty {
            Some(T::Json | T::Jsonb) => format!("CAST({x} AS VARCHAR)"),
            Some(ty) if is_long(ty) => x,
            Some(T::Numeric(..)) => self.decimal_text(&ex),
            Some(T::Bool | T::Int2 | T::Int4 | T::Int8) => format!("CAST({x} AS VARCHAR)"),
            Some(T::Float4 | T::Float8) => {
                let text = self.text_of(ex)?.sql;
                format!("(CASE WHEN isfinite({x}) THEN {text} ELSE '\"' || {text} || '\"' END)")
            }
            Some(T::Date) => format!("('\"' || pg_text_time(CAST({x} AS VARCHAR)) || '\"')"),
            Some(T::Timestamp) => format!("('\"' || {} || '\"')", with_t(&x)),
            Some(T::Timestamptz) => {
                format!("('\"' || regexp_replace({}, '([+-][0-9][0-9])( BC)?$', '\\1:00\\2') || '\"')", with_t(&x))
            }
            Some(T::Array(element)) if depth < ARRAY_DEPTH_MAX => {
                let name = format!("e_{}", self.number());
                let inner = self.json_at(Ex::of(name.clone(), (**element).clone()), depth + 1)?;
                format!(
                    "(CASE WHEN {x} IS NOT NULL THEN '[' || COALESCE(array_to_string(list_transform({x}, \
                     lambda {name}: COALESCE({inner}, 'null')), ','), '') || ']' END)"
                )
            }
            Some(T::Grid(element)) => {
                let kind = match &**element {
                    T::Bool => "b",
                    ty if super::operator::is_number(ty) => "n",
                    _ => "t",
                };
                format!("pg_grid_json({x}, '{kind}')")
            }
            // With its blanks, as its output has it.
            Some(T::Char(_)) => format!("pg_json_quote({})", self.output(ex)?),
            Some(T::Other(_)) | None => format!("CAST(to_json({x}) AS VARCHAR)"),
            Some(_) => format!("pg_json_quote({})", self.text_of(ex)?.sql),
        })
    }

    pub(super) fn json_result(binary: bool, text: &str) -> Ex {
        if binary { Ex::of(format!("pg_jsonb({text})"), ColumnType::Jsonb) } else { Ex::of(text, ColumnType::Json) }
    }

    /// Functions of JSON. None: not one of them.
    pub fn json_call(&mut self, name: &str, values: &mut Vec<Ex>) -> PgResult<Option<Ex>> {
        use ColumnType as T;
        if !self.has_functions() {
            return Ok(None);
        }
        let binary = name.contains("jsonb");
        let plain = name.replace("jsonb", "json");
        let own = if binary { T::Jsonb } else { T::Json };
        let count = values.len();
        Ok(Some(match (plain.as_str(), count) {
            ("to_json" | "row_to_json" | "array_to_json", 1) => {
                let value = values.remove(0);
                if value.is_unknown() && !matches!(value.kind, Kind::Null) && plain == "to_json" {
                    return Err(PgError::new(
                        SqlState("42804"),
                        "could not determine polymorphic type because input has type unknown",
                    ));
                }
                let text = self.json_of(value)?;
                Self::json_result(binary, &text)
            }
            ("json_build_array", _) => {
                let mut texts = Vec::new();
                for value in values.drain(..) {
                    texts.push(self.json_of(value)?);
                }
                let text =
                    if texts.is_empty() { "'[]'".into() } else { format!("pg_json_array({})", texts.join(", ")) };
                Self::json_result(binary, &text)
            }
            ("json_build_object", _) => {
                if count % 2 == 1 {
                    return Err(PgError::new(
                        SqlState::INVALID_PARAMETER_VALUE,
                        "argument list must have even number of elements",
                    )
                    .hint(format!("The arguments of {name}() must consist of alternating keys and values.")));
                }
                let mut texts = Vec::new();
                for (n, value) in values.drain(..).enumerate() {
                    texts.push(if n % 2 == 0 {
                        is_key(&value)?;
                        let key = self.settle(value, &T::Text)?;
                        self.text_of(key)?.sql
                    } else {
                        self.json_of(value)?
                    });
                }
                let text =
                    if texts.is_empty() { "'{}'".into() } else { format!("pg_json_object({})", texts.join(", ")) };
                Self::json_result(binary, &text)
            }
            ("json_object", 2) => {
                let (names, contents) = (self.path_text(values.remove(0))?, self.path_text(values.remove(0))?);
                Self::json_result(binary, &format!("pg_json_zip({names}, {contents})"))
            }
            ("json_typeof", 1) => self.json_function("pg_json_type", values, &own, T::Text)?,
            ("json_array_length", 1) => {
                let ex = self.json_function("pg_json_length", values, &own, T::Int4)?;
                Ex { sql: format!("CAST({} AS INTEGER)", ex.sql), ..ex }
            }
            ("json_strip_nulls", 1) if binary => self.json_function("pg_jsonb_strip", values, &own, T::Jsonb)?,
            ("json_strip_nulls", 1) => self.json_function("pg_json_strip", values, &own, T::Json)?,
            ("json_pretty", 1) if binary => self.json_function("pg_jsonb_pretty", values, &own, T::Text)?,
            ("json_extract_path" | "json_extract_path_text", 1..) => {
                let mut texts = Vec::new();
                for (n, value) in values.drain(..).enumerate() {
                    texts.push(self.settle(value, if n == 0 { &own } else { &T::Text })?.sql);
                }
                let (function, ty) =
                    if plain.ends_with("text") { ("pg_json_steps_text", T::Text) } else { ("pg_json_steps", own) };
                Ex::of(format!("{function}({})", varchar(&texts)), ty)
            }
            ("json_set" | "json_insert", 3 | 4) if binary => {
                let flag = if count == 4 { values.pop() } else { None };
                let default = plain == "json_set";
                let flag = match flag {
                    Some(flag) => format!("CAST({} AS VARCHAR)", self.settle(flag, &T::Bool)?.sql),
                    None => format!("'{default}'"),
                };
                let (json, path, value) = (values.remove(0), values.remove(0), values.remove(0));
                let json = self.settle(json, &T::Jsonb)?.sql;
                let path = self.path_text(path)?;
                let value = self.settle(value, &T::Jsonb)?.sql;
                let function = if default { "pg_jsonb_set" } else { "pg_jsonb_insert" };
                Ex::of(format!("{function}({json}, {path}, {value}, {flag})"), T::Jsonb)
            }
            ("json_array_elements", 1) => self.json_rows("pg_json_elements", values, &own, own.clone())?,
            ("json_array_elements_text", 1) => self.json_rows("pg_json_elements_text", values, &own, T::Text)?,
            ("json_object_keys", 1) => self.json_rows("pg_json_keys", values, &own, T::Text)?,
            (
                "json_path_query"
                | "json_path_exists"
                | "json_path_match"
                | "json_path_query_array"
                | "json_path_query_first"
                | "json_path_query_tz"
                | "json_path_exists_tz"
                | "json_path_match_tz"
                | "json_path_query_array_tz"
                | "json_path_query_first_tz",
                2..=4,
            ) if binary => {
                let args = std::mem::take(values);
                self.json_path_call(&plain, args)?
            }
            _ => return self.json_row_call(name, values),
        }))
    }

    /// `jsonb_path_query(j, path [, vars [, silent]])` and its like.
    fn json_path_call(&mut self, name: &str, args: Vec<Ex>) -> PgResult<Ex> {
        let mut texts = Vec::new();
        for (n, arg) in args.into_iter().enumerate() {
            texts.push(match n {
                0 | 2 => self.settle(arg, &ColumnType::Jsonb)?.sql,
                1 => self.json_path_text(arg)?,
                _ => format!("left(CAST({} AS VARCHAR), 1)", self.settle(arg, &ColumnType::Bool)?.sql),
            });
        }
        let defaults = ["'{}'", "'f'"];
        texts.extend(defaults.iter().skip(texts.len() - 2).map(|text| (*text).to_owned()));
        // The session's zone, where comparisons may use it.
        let plain = name.trim_end_matches("_tz");
        if plain != name {
            texts.push(self.session_value(SessionValue::Setting("timezone".to_owned(), false)));
        }
        let list = varchar(&texts);
        Ok(match plain {
            "json_path_query" => Ex::of(format!("unnest(pg_jsonpath_query({list}))"), ColumnType::Jsonb),
            "json_path_query_array" => Ex::of(format!("pg_jsonpath_array({list})"), ColumnType::Jsonb),
            "json_path_query_first" => Ex::of(format!("pg_jsonpath_first({list})"), ColumnType::Jsonb),
            "json_path_exists" => Ex::of(format!("pg_jsonpath_exists({list})"), ColumnType::Bool),
            _ => Ex::of(format!("pg_jsonpath_match({list})"), ColumnType::Bool),
        })
    }

    /// `j @? path`, `j @@ path`: errors are NULL.
    pub fn json_path_operator(&mut self, l: Ex, op: &str, r: Ex) -> PgResult<Ex> {
        let l = self.settle(l, &ColumnType::Jsonb)?;
        if l.ty.as_ref().is_some_and(|t| *t != ColumnType::Jsonb) {
            return Err(self.undefined_operator(op, l.ty.as_ref(), r.ty.as_ref(), l.position));
        }
        let path = self.json_path_text(r)?;
        let function = if op == "@?" { "pg_jsonpath_exists" } else { "pg_jsonpath_match" };
        let args = varchar(&[l.sql, path, "'{}'".into(), "'t'".into()]);
        Ok(Ex::of(format!("{function}({args})"), ColumnType::Bool))
    }

    /// A path as text.
    fn json_path_text(&mut self, ex: Ex) -> PgResult<String> {
        let path = ColumnType::system(oid::JSONPATH).unwrap_or(ColumnType::Text);
        if let Some(ty) = &ex.ty
            && !ex.is_unknown()
            && *ty != path
        {
            return Err(self.undefined_function("jsonb path function", std::slice::from_ref(&ex), ex.position));
        }
        Ok(self.settle(ex, &path)?.sql)
    }

    fn json_function(
        &mut self,
        function: &str,
        values: &mut Vec<Ex>,
        own: &ColumnType,
        ty: ColumnType,
    ) -> PgResult<Ex> {
        let value = self.settle(values.remove(0), own)?;
        self.wants_json(&value)?;
        Ok(Ex::of(format!("{function}({})", value.sql), ty))
    }

    fn wants_json(&self, value: &Ex) -> PgResult<()> {
        match &value.ty {
            Some(ty) if !is_json(ty) && !matches!(ty, ColumnType::Other(_)) => {
                Err(self.undefined_function("json function", std::slice::from_ref(value), value.position))
            }
            _ => Ok(()),
        }
    }

    fn json_rows(&mut self, function: &str, values: &mut Vec<Ex>, own: &ColumnType, ty: ColumnType) -> PgResult<Ex> {
        let ex = self.json_function(function, values, own, ty)?;
        Ok(Ex { sql: format!("unnest({})", ex.sql), ..ex })
    }

    /// An array of texts as its text.
    pub fn path_text(&mut self, ex: Ex) -> PgResult<String> {
        if let Kind::Str(text) = &ex.kind {
            let text = text.clone();
            // Read once, for its error.
            self.constant(&text, &ColumnType::Array(Box::new(ColumnType::Text)), ex.position)?;
            return quote::literal(&text);
        }
        let ex = self.settle(ex, &ColumnType::Array(Box::new(ColumnType::Text)))?;
        match ex.ty {
            Some(_) => self.grid_text(ex),
            None => Ok(format!("pg_text_array({})", ex.sql)),
        }
    }

    /// `json_agg` and its like. None: not one of them.
    pub fn json_aggregate(
        &mut self,
        name: &str,
        values: &[Ex],
        distinct: &str,
        order: &str,
        only: Option<&str>,
        tail: &str,
    ) -> PgResult<Option<Ex>> {
        if !self.has_functions() {
            return Ok(None);
        }
        let binary = name.starts_with("jsonb");
        let text = match (name, values) {
            ("json_agg" | "jsonb_agg", [value]) => {
                let nested = matches!(value.ty, Some(ColumnType::Array(_))) || matches!(value.kind, Kind::Row(_));
                let plain = !nested && !value.is_unknown() && !self.is_keyed(value.ty.as_ref());
                let keyed = !nested && !value.is_unknown() && !plain;
                let list = match list_order(&value.sql, order).filter(|_| plain) {
                    Some(way) => Some(format!("list_sort(list(DISTINCT {}){tail}, {way})", value.sql)),
                    None if keyed && order.is_empty() => Some(self.distinct_list(value, " NULLS LAST", tail)),
                    None if keyed => Some(self.distinct_list(value, order, tail)),
                    None => None,
                };
                if let Some(list) = list.filter(|_| !distinct.is_empty()) {
                    let item = self.json_of(Ex::plain("v", value.ty.clone()))?;
                    let items = format!("list_transform({list}, lambda v: COALESCE({item}, 'null'))");
                    return Ok(Some(Self::json_result(
                        binary,
                        &format!("('[' || array_to_string({items}, ', ') || ']')"),
                    )));
                }
                let item = self.json_of(value.clone())?;
                if nested && !binary {
                    // Postgres begins a line before each that is not NULL, except the first.
                    let item = format!("COALESCE(chr(10) || ' ' || {item}, 'null')");
                    let joined = format!("string_agg({distinct}{item}, ', '{order}){tail}");
                    format!("('[' || regexp_replace({joined}, '^\\n ', '') || ']')")
                } else {
                    format!("('[' || string_agg({distinct}COALESCE({item}, 'null'), ', '{order}){tail} || ']')")
                }
            }
            ("json_object_agg" | "jsonb_object_agg", [key, value]) => {
                let key = self.settle(key.clone(), &ColumnType::Text)?;
                let key = self.text_of(key)?.sql;
                let item = self.json_of(value.clone())?;
                let pair = format!("pg_json_pair({key}, {item})");
                // A key of a row that FILTER leaves out may be NULL.
                let pair = match only {
                    Some(condition) => format!("CASE WHEN {condition} THEN {pair} END"),
                    None => pair,
                };
                format!("('{{ ' || string_agg({distinct}{pair}, ', '{order}){tail} || ' }}')")
            }
            _ => return Ok(None),
        };
        Ok(Some(Self::json_result(binary, &text)))
    }

    /// `j -> key`, `j ->> key`.
    pub fn json_member(&mut self, l: Ex, r: Ex, text: bool) -> PgResult<Ex> {
        let ending = if text { "_text" } else { "" };
        let element = if l.ty == Some(ColumnType::Jsonb) { "pg_jsonb_element" } else { "pg_json_element" };
        let call = match &r.kind {
            Kind::Number(n) => format!("{element}{ending}({}, '{}')", l.sql, n.replace('\'', "")),
            _ => {
                let r = self.settle(r, &ColumnType::Text)?;
                match &r.ty {
                    Some(ty) if is_int(ty) => {
                        format!("{element}{ending}({}, CAST({} AS VARCHAR))", l.sql, r.sql)
                    }
                    Some(ty) if !is_text(ty) => {
                        let op = if text { "->>" } else { "->" };
                        return Err(self.undefined_operator(op, l.ty.as_ref(), Some(ty), l.position));
                    }
                    _ => format!("pg_json_member{ending}({}, {})", l.sql, r.sql),
                }
            }
        };
        let ty = if text { ColumnType::Text } else { l.ty.clone().unwrap_or(ColumnType::Json) };
        Ok(Ex::of(call, ty))
    }

    /// `jsonb - x`.
    pub fn json_minus(&mut self, l: &Ex, r: Ex, at: Option<u32>) -> PgResult<Ex> {
        let call = match &r.ty {
            Some(ColumnType::Array(_)) => format!("pg_jsonb_without_all({}, {})", l.sql, self.path_text(r)?),
            Some(ty) if is_int(ty) => format!("pg_jsonb_without_at({}, CAST({} AS VARCHAR))", l.sql, r.sql),
            Some(ty) if is_text(ty) || r.is_unknown() => {
                format!("pg_jsonb_without({}, {})", l.sql, self.settle(r, &ColumnType::Text)?.sql)
            }
            None => format!("pg_jsonb_without({}, {})", l.sql, self.settle(r, &ColumnType::Text)?.sql),
            Some(_) => return Err(self.undefined_operator("-", l.ty.as_ref(), r.ty.as_ref(), at)),
        };
        Ok(Ex::of(call, ColumnType::Jsonb))
    }

    /// `jsonb || jsonb`.
    pub fn json_concat(&mut self, l: Ex, r: Ex) -> PgResult<Ex> {
        let (l, r) = (self.settle(l, &ColumnType::Jsonb)?, self.settle(r, &ColumnType::Jsonb)?);
        Ok(Ex::of(format!("pg_jsonb_concat({}, {})", l.sql, r.sql), ColumnType::Jsonb))
    }

    /// `jsonb ? key`, `?|`, `?&`.
    pub fn json_has(&mut self, l: Ex, op: &str, r: Ex) -> PgResult<Ex> {
        let l = self.settle(l, &ColumnType::Jsonb)?;
        if l.ty.as_ref().is_some_and(|t| *t != ColumnType::Jsonb) {
            return Err(self.undefined_operator(op, l.ty.as_ref(), r.ty.as_ref(), l.position));
        }
        let call = match op {
            "?" => format!("pg_jsonb_has({}, {})", l.sql, self.settle(r, &ColumnType::Text)?.sql),
            "?|" => format!("pg_jsonb_has_any({}, {})", l.sql, self.path_text(r)?),
            _ => format!("pg_jsonb_has_all({}, {})", l.sql, self.path_text(r)?),
        };
        Ok(Ex::of(call, ColumnType::Bool))
    }

    /// The text of a value inside of a row.
    pub(super) fn text_in_row(&mut self, ex: Ex) -> PgResult<String> {
        match ex.ty {
            Some(ColumnType::Bool) => Ok(format!("left(CAST({} AS VARCHAR), 1)", ex.sql)),
            // As it is shown: a cast to text would leave the blanks out.
            Some(ColumnType::Char(n)) => Ok(format!("rpad({}, {n}, ' ')", ex.sql)),
            _ => Ok(self.text_of(ex)?.sql),
        }
    }

    /// A row of named values: its text is what Postgres shows.
    pub fn record(&mut self, fields: Vec<(String, Ex)>) -> PgResult<Ex> {
        let (mut texts, mut kept) = (Vec::new(), Vec::new());
        for (name, ex) in fields {
            let ex = self.settle(ex, &ColumnType::Text)?;
            kept.push((name, ex.sql.clone(), ex.ty.clone()));
            texts.push(self.in_row(|this| this.text_in_row(ex))?);
        }
        let known = kept.iter().map(|(name, _, ty)| Some((name.clone(), ty.clone()?)));
        // A field of a type that is not known here has no form but its text.
        let ty = known.collect::<Option<Vec<_>>>().map(RecordType::anonymous);
        let ty = ty.map_or(ColumnType::Text, |row| ColumnType::Record(Box::new(row)));
        let mut ex = Ex::of(format!("pg_record({})", texts.join(", ")), ty);
        ex.kind = Kind::Row(kept);
        Ok(ex)
    }
}

/// Whether a value may be a member's name.
fn is_key(value: &Ex) -> PgResult<()> {
    use ColumnType as T;
    let is_scalar =
        value.is_unknown() || !matches!(value.ty, Some(T::Array(_) | T::Grid(_) | T::Record(_) | T::Json | T::Jsonb));
    if is_scalar {
        return Ok(());
    }
    let message = "key value must be scalar, not array, composite, or json";
    Err(PgError::new(SqlState::INVALID_PARAMETER_VALUE, message))
}

/// The engine's JSON alias does not fit a call of any number of texts.
fn varchar(texts: &[String]) -> String {
    texts.iter().map(|t| format!("CAST({t} AS VARCHAR)")).collect::<Vec<_>>().join(", ")
}

/// How a list of an aggregate's different values is sorted: as ORDER BY says, which can only be by them, or as Postgres does
/// by itself.
pub(super) fn list_order(value: &str, order: &str) -> Option<&'static str> {
    let said = match order.strip_prefix(" ORDER BY ") {
        None => return order.is_empty().then_some("'ASC', 'NULLS LAST'"),
        Some(said) => said.strip_prefix(value)?.trim(),
    };
    Some(match said {
        "NULLS LAST" | "ASC NULLS LAST" => "'ASC', 'NULLS LAST'",
        "NULLS FIRST" | "ASC NULLS FIRST" => "'ASC', 'NULLS FIRST'",
        "DESC NULLS LAST" => "'DESC', 'NULLS LAST'",
        "DESC NULLS FIRST" => "'DESC', 'NULLS FIRST'",
        _ => return None,
    })
}

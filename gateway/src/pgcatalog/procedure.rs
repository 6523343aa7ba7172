//! Postgres' functions as `pg_get_function_result` and `pg_get_function_arguments` tell them.

use super::types;

/// A row of `pg_proc`, as far as signatures need it.
pub struct Procedure {
    /// Its oid.
    pub oid: u32,
    /// Its name.
    pub name: &'static str,
    kind: &'static str,
    set: bool,
    result: u32,
    /// Type, mode and name of each argument.
    arguments: Vec<(u32, char, Option<String>)>,
}

/// Oid, number of the argument and default, one a line.
const DEFAULTS: &str = include_str!("data/procedure_defaults.tsv");

/// Columns of `pg_proc` by position.
mod at {
    pub const LANGUAGE: usize = 4;
    pub const COST: usize = 5;
    pub const ROWS: usize = 6;
    pub const SUPPORT: usize = 8;
    pub const KIND: usize = 9;
    pub const LEAKPROOF: usize = 11;
    pub const STRICT: usize = 12;
    pub const RETURNS_SET: usize = 13;
    pub const VOLATILE: usize = 14;
    pub const PARALLEL: usize = 15;
    pub const RESULT: usize = 18;
    pub const INPUT_TYPES: usize = 19;
    pub const ALL_TYPES: usize = 20;
    pub const MODES: usize = 21;
    pub const NAMES: usize = 22;
    pub const SOURCE: usize = 25;
}

impl Procedure {
    /// Reads a line of the data.
    #[must_use]
    pub fn read(line: &'static str) -> Option<Self> {
        let cells: Vec<&'static str> = line.split('\t').collect();
        let cell = |index: usize| cells.get(index).copied();
        let list = |index: usize| -> Vec<&'static str> {
            let inner = cell(index).and_then(|text| text.strip_prefix('{')?.strip_suffix('}')).unwrap_or_default();
            inner.split(',').filter(|item| !item.is_empty()).collect()
        };
        let all = list(at::ALL_TYPES);
        let types = if all.is_empty() { cell(at::INPUT_TYPES)?.split_whitespace().collect() } else { all };
        let (modes, names) = (list(at::MODES), list(at::NAMES));
        let arguments = types.iter().enumerate().map(|(index, ty)| {
            let mode = modes.get(index).and_then(|mode| mode.chars().next()).unwrap_or('i');
            let name = names.get(index).map(|name| name.trim_matches('"').to_owned()).filter(|name| !name.is_empty());
            (ty.parse().unwrap_or_default(), mode, name)
        });
        Some(Self {
            oid: cell(0)?.parse().ok()?,
            name: cell(1)?,
            kind: cell(at::KIND)?,
            set: cell(at::RETURNS_SET)? == "t",
            result: cell(at::RESULT)?.parse().ok()?,
            arguments: arguments.collect(),
        })
    }

    /// `SETOF integer`, `TABLE(a integer)`; none of a procedure.
    #[must_use]
    pub fn result(&self) -> Option<String> {
        if self.kind == "p" {
            return None;
        }
        let table: Vec<String> = self.arguments.iter().filter(|a| a.1 == 't').map(|a| self.argument(a)).collect();
        if !table.is_empty() {
            return Some(format!("TABLE({})", table.join(", ")));
        }
        Some(format!("{}{}", if self.set { "SETOF " } else { "" }, name(self.result)))
    }

    /// The type it gives, be it a set of them.
    #[must_use]
    pub fn result_type(&self) -> u32 {
        self.result
    }

    /// Type, mode and name of each parameter.
    #[must_use]
    pub fn parameters(&self) -> &[(u32, char, Option<String>)] {
        &self.arguments
    }

    /// `a integer, OUT b text`; what only comes out is not part of the identity.
    #[must_use]
    pub fn arguments(&self, all: bool) -> String {
        let numbered = self.arguments.iter().zip(1..);
        let shown = numbered.filter(|(a, _)| a.1 != 't' && (all || a.1 != 'o'));
        let text = |(argument, number)| match self.default(number).filter(|_| all) {
            Some(default) => format!("{} DEFAULT {default}", self.argument(argument)),
            None => self.argument(argument),
        };
        shown.map(text).collect::<Vec<_>>().join(", ")
    }

    /// `format(text,"any")`, as `regprocedure` shows it.
    #[must_use]
    pub fn signature(&self) -> String {
        let types = self.arguments.iter().filter(|a| !matches!(a.1, 't' | 'o')).map(|a| name(a.0));
        format!("{}({})", super::names::quoted(self.name), types.collect::<Vec<_>>().join(","))
    }

    /// The default of an argument, which are counted from one.
    #[must_use]
    pub fn default(&self, number: i32) -> Option<&'static str> {
        let of = format!("{}\t{number}\t", self.oid);
        DEFAULTS.lines().find_map(|line| line.strip_prefix(&of))
    }

    /// `pg_get_functiondef`; none of an aggregate.
    #[must_use]
    pub fn definition(&self, line: &str) -> Option<String> {
        let cells: Vec<&str> = line.split('\t').collect();
        let cell = |index: usize| cells.get(index).copied().unwrap_or_default();
        let (kind, returns) = match self.kind {
            "a" => return None,
            "p" => ("PROCEDURE", String::new()),
            _ => ("FUNCTION", format!(" RETURNS {}\n", self.result()?)),
        };
        let language = match cell(at::LANGUAGE) {
            "12" => "internal",
            "13" => "c",
            _ => "sql",
        };
        let mut words = String::new();
        let mut word = |yes: bool, word: &str| {
            if yes {
                words.push_str(word);
            }
        };
        word(self.kind == "w", " WINDOW");
        word(cell(at::VOLATILE) == "i", " IMMUTABLE");
        word(cell(at::VOLATILE) == "s", " STABLE");
        word(cell(at::PARALLEL) == "s", " PARALLEL SAFE");
        word(cell(at::PARALLEL) == "r", " PARALLEL RESTRICTED");
        word(cell(at::STRICT) == "t", " STRICT");
        word(cell(at::LEAKPROOF) == "t", " LEAKPROOF");
        let usual = if language == "sql" { "100" } else { "1" };
        word(cell(at::COST) != usual, &format!(" COST {}", cell(at::COST)));
        word(self.set && cell(at::ROWS) != "1000", &format!(" ROWS {}", cell(at::ROWS)));
        if let Some((_, support)) = super::rows::name_of_procedure(cell(at::SUPPORT)) {
            word(true, &format!(" SUPPORT {support}"));
        }
        let words = if words.is_empty() { words } else { format!("{words}\n") };
        Some(format!(
            "CREATE OR REPLACE {kind} pg_catalog.{}({})\n{returns} LANGUAGE {language}\n{words}AS $function${}$function$\n",
            super::names::quoted(self.name),
            self.arguments(true),
            super::rows::unescaped(cell(at::SOURCE)),
        ))
    }

    fn argument(&self, (ty, mode, named): &(u32, char, Option<String>)) -> String {
        let mode = match mode {
            'o' => "OUT ",
            'b' => "INOUT ",
            'v' => "VARIADIC ",
            _ => "",
        };
        let named = named.as_deref().map_or_else(String::new, |name| format!("{} ", super::names::quoted(name)));
        format!("{mode}{named}{}", name(*ty))
    }
}

/// `format_type` without a modifier.
pub fn name(oid: u32) -> String {
    match types::by_oid(oid) {
        Some(ty) if ty.name.starts_with('_') && ty.element != 0 => format!("{}[]", types::sql_name(ty.element)),
        _ => types::sql_name(oid).to_owned(),
    }
}

/// `int` as it is shown: `integer`.
#[must_use]
pub fn type_shown(ty: &str) -> String {
    let ty = ty.split_whitespace().collect::<Vec<_>>().join(" ");
    let bare = ty.trim_end_matches("[]");
    let shown = match bare.strip_prefix("pg_catalog.").unwrap_or(bare) {
        "int" | "int4" => "integer",
        "int8" => "bigint",
        "int2" => "smallint",
        "float8" | "float" => "double precision",
        "float4" => "real",
        "bool" => "boolean",
        "decimal" => "numeric",
        "varchar" => "character varying",
        "char" | "bpchar" => "character",
        "timestamptz" => "timestamp with time zone",
        "timestamp" => "timestamp without time zone",
        "timetz" => "time with time zone",
        "time" => "time without time zone",
        "varbit" => "bit varying",
        "any" => "\"any\"",
        other => other,
    };
    format!("{shown}{}", ty.get(bare.len()..).unwrap_or_default())
}

/// `abs(int)` as it is shown: `abs(integer)`.
#[must_use]
pub fn shown(name: &str, types: &str) -> String {
    let types = types.trim_end().trim_end_matches(')').trim();
    let types: Vec<String> = types.split(',').filter(|_| !types.is_empty()).map(type_shown).collect();
    format!("{}({})", name.trim(), types.join(","))
}

/// The oid of the function with this signature: `abs(int)`.
#[must_use]
pub fn by_signature(text: &str) -> Option<u32> {
    let text = text.strip_prefix("pg_catalog.").unwrap_or(text);
    let (name, types) = text.split_once('(')?;
    let signature = shown(&name.trim().to_lowercase(), &types.to_lowercase());
    let name = signature.split('(').next().unwrap_or_default();
    let lines = super::rows::of("pg_proc").unwrap_or_default().lines();
    let named = lines.filter(|line| line.split('\t').nth(1).is_some_and(|of| of == name));
    named.filter_map(Procedure::read).find(|procedure| procedure.signature() == signature).map(|found| found.oid)
}

#[cfg(test)]
mod tests {
    use super::{super::rows, *};

    #[test]
    fn signatures_as_postgres_shows_them() {
        let find = |oid: u32| {
            let mut all = rows::of("pg_proc").unwrap().lines().filter_map(Procedure::read);
            all.find(|procedure| procedure.oid == oid).unwrap()
        };
        for (oid, result, arguments, identity) in [
            (2147, "bigint", "\"any\"", "\"any\""),
            (1299, "timestamp with time zone", "", ""),
            (3058, "text", "VARIADIC \"any\"", "VARIADIC \"any\""),
            (1067, "SETOF integer", "integer, integer", "integer, integer"),
        ] {
            let procedure = find(oid);
            assert_eq!(procedure.result().as_deref(), Some(result), "{}", procedure.name);
            assert_eq!((procedure.arguments(true), procedure.arguments(false)), (arguments.into(), identity.into()));
        }
    }
}

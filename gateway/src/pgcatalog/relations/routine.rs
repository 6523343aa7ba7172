//! Routines in `information_schema`: PostgreSQL's functions, their parameters, and who may call them.

use super::Source;
use crate::pgcatalog::{
    book::{Book, Relation},
    content::{Cell, Content, row},
    procedure::{self, Procedure},
    rows, types as all_types,
};

/// The schema that all of them are in.
const SCHEMA: &str = "pg_catalog";
/// Bytes of an identifier.
const NAME_BYTES_MAX: usize = 63;
/// The owner of functions in the data.
const OWNER: &str = "postgres";

/// Columns of `pg_proc` by position.
mod at {
    pub const LANGUAGE: usize = 4;
    pub const KIND: usize = 9;
    pub const SECURITY_DEFINER: usize = 10;
    pub const STRICT: usize = 12;
    pub const VOLATILE: usize = 14;
    pub const SOURCE: usize = 25;
    pub const PRIVILEGES: usize = 29;
}

/// A function and the cells of its line.
struct Routine {
    procedure: Procedure,
    cells: Vec<&'static str>,
}

impl Routine {
    fn cell(&self, at: usize) -> &'static str {
        self.cells.get(at).copied().unwrap_or_default()
    }

    /// Its name with its oid: what tells those of one name apart.
    fn specific(&self) -> String {
        let oid = format!("_{}", self.procedure.oid);
        let room = NAME_BYTES_MAX - oid.len();
        format!("{}{oid}", self.procedure.name.get(..room).unwrap_or(self.procedure.name))
    }
}

fn all() -> impl Iterator<Item = Routine> {
    let lines = rows::of("pg_proc").unwrap_or_default().lines();
    lines.filter_map(|line| Some(Routine { procedure: Procedure::read(line)?, cells: line.split('\t').collect() }))
}

/// A type as `data_type` says it.
fn data_type(oid: u32) -> String {
    match all_types::by_oid(oid) {
        Some(ty) if ty.element != 0 && ty.len == -1 => "ARRAY".to_owned(),
        _ => procedure::name(oid),
    }
}

/// `routines`
pub fn routines<'a>(lake: &'a str) -> Content<'a> {
    let row = |routine: Routine| {
        let cell = |at| routine.cell(at);
        let procedure = cell(at::KIND) == "p";
        let kind = match cell(at::KIND) {
            "f" => Some("FUNCTION"),
            "p" => Some("PROCEDURE"),
            _ => None,
        };
        let result = Some(routine.procedure.result_type()).filter(|_| !procedure);
        let language = match cell(at::LANGUAGE) {
            "12" => "INTERNAL",
            "13" => "C",
            _ => "SQL",
        };
        let source = rows::unescaped(cell(at::SOURCE));
        let yes = |at, letter| if cell(at) == letter { "YES" } else { "NO" };
        row![
            lake,
            SCHEMA,
            routine.specific(),
            lake,
            SCHEMA,
            routine.procedure.name,
            kind,
            result.map(data_type),
            result.map(|_| lake),
            result.map(|_| SCHEMA),
            result.and_then(all_types::by_oid).map(|ty| ty.name),
            result.map(|_| "0"),
            if language == "SQL" { "SQL" } else { "EXTERNAL" },
            source.clone(),
            (language == "C").then_some(source),
            language,
            "GENERAL",
            yes(at::VOLATILE, "i"),
            "MODIFIES",
            Some(yes(at::STRICT, "t")).filter(|_| !procedure),
            "YES",
            0,
            if cell(at::SECURITY_DEFINER) == "t" { "DEFINER" } else { "INVOKER" },
            "NO",
            "NO",
        ]
    };
    Content {
        columns: &[
            "specific_catalog",
            "specific_schema",
            "specific_name",
            "routine_catalog",
            "routine_schema",
            "routine_name",
            "routine_type",
            "data_type",
            "type_udt_catalog",
            "type_udt_schema",
            "type_udt_name",
            "dtd_identifier",
            "routine_body",
            "routine_definition",
            "external_name",
            "external_language",
            "parameter_style",
            "is_deterministic",
            "sql_data_access",
            "is_null_call",
            "schema_level_routine",
            "max_dynamic_result_sets",
            "security_type",
            "as_locator",
            "is_udt_dependent",
        ],
        rows: all().map(row).collect(),
    }
}

/// `parameters`
pub fn parameters<'a>(lake: &'a str) -> Content<'a> {
    let mut rows = Vec::new();
    for routine in all() {
        for ((ty, mode, name), number) in routine.procedure.parameters().iter().zip(1_i32..) {
            let mode = match mode {
                'o' | 't' => "OUT",
                'b' => "INOUT",
                _ => "IN",
            };
            let udt = all_types::by_oid(*ty).map(|ty| ty.name);
            rows.push(row![
                lake,
                SCHEMA,
                routine.specific(),
                number,
                mode,
                "NO",
                "NO",
                name.clone(),
                data_type(*ty),
                lake,
                SCHEMA,
                udt,
                number.to_string(),
                routine.procedure.default(number),
            ]);
        }
    }
    Content {
        columns: &[
            "specific_catalog",
            "specific_schema",
            "specific_name",
            "ordinal_position",
            "parameter_mode",
            "is_result",
            "as_locator",
            "parameter_name",
            "data_type",
            "udt_catalog",
            "udt_schema",
            "udt_name",
            "dtd_identifier",
            "parameter_default",
        ],
        rows,
    }
}

/// `routine_privileges` and `role_routine_grants`
pub fn privileges<'a>(source: &'a Source<'a>) -> Content<'a> {
    let (lake, user) = (source.session.lake.info.name.as_str(), source.session.user.as_str());
    let mut rows = Vec::new();
    for routine in all() {
        // Everybody may call what nobody restricted.
        let given = match routine.cell(at::PRIVILEGES) {
            "\\N" => "{=X/postgres,postgres=X/postgres}",
            given => given,
        };
        for item in given.trim_matches(['{', '}']).split(',') {
            let Some((grantee, _)) = item.split_once('=') else { continue };
            let (grantee, grantable) = match grantee {
                "" => ("PUBLIC", "NO"),
                OWNER => (user, "YES"),
                other => (other, "NO"),
            };
            let (specific, name) = (routine.specific(), routine.procedure.name);
            rows.push(row![user, grantee, lake, SCHEMA, specific, lake, SCHEMA, name, "EXECUTE", grantable]);
        }
    }
    Content {
        columns: &[
            "grantor",
            "grantee",
            "specific_catalog",
            "specific_schema",
            "specific_name",
            "routine_catalog",
            "routine_schema",
            "routine_name",
            "privilege_type",
            "is_grantable",
        ],
        rows,
    }
}

/// Types of results and parameters: the routine, its number there (0 the result) and the type.
pub fn types() -> impl Iterator<Item = (String, usize, u32)> {
    all().flat_map(|routine| {
        let name = routine.specific();
        let types = routine.procedure.parameters().iter().map(|parameter| parameter.0);
        let all = std::iter::once(routine.procedure.result_type()).chain(types);
        let all: Vec<(String, usize, u32)> = all.enumerate().map(|(number, ty)| (name.clone(), number, ty)).collect();
        all
    })
}

/// `user_defined_types`: the composite ones.
pub fn user_types<'a>(book: &Book<'a>, lake: &'a str) -> Content<'a> {
    let row = |r: &Relation<'a>| row![lake, r.schema, r.name, "STRUCTURED", "YES"];
    Content {
        columns: &[
            "user_defined_type_catalog",
            "user_defined_type_schema",
            "user_defined_type_name",
            "user_defined_type_category",
            "is_instantiable",
        ],
        rows: book.relations.iter().filter(|r| r.kind == 'c').map(row).collect(),
    }
}

/// `collations` and `collation_character_set_applicability`
pub fn collations<'a>(lake: &'a str) -> Content<'a> {
    let rows = collation_names().map(|name| row![lake, SCHEMA, name, "NO PAD", "UTF8"]);
    Content {
        columns: &["collation_catalog", "collation_schema", "collation_name", "pad_attribute", "character_set_name"],
        rows: rows.collect(),
    }
}

/// Collations of texts in UTF-8.
pub fn collation_names() -> impl Iterator<Item = &'static str> {
    const NAME: usize = 1;
    const ENCODING: usize = 6;
    rows::of("pg_collation").unwrap_or_default().lines().filter_map(|line| {
        let cells: Vec<&'static str> = line.split('\t').collect();
        let fits = matches!(*cells.get(ENCODING)?, "-1" | "6");
        cells.get(NAME).copied().filter(|_| fits)
    })
}

/// `applicable_roles`; `administrable`: those whose membership can be given on.
pub fn applicable_roles<'a>(user: &'a str, administrable: bool) -> Content<'a> {
    let name = |oid: &str| {
        let mut lines = rows::of("pg_authid").unwrap_or_default().lines();
        lines.find_map(|line| {
            let mut cells = line.split('\t');
            (cells.next() == Some(oid)).then(|| cells.next()).flatten()
        })
    };
    let members = rows::of("pg_auth_members").unwrap_or_default().lines().filter_map(|line| {
        let cells: Vec<&'static str> = line.split('\t').collect();
        let (role, member) = (name(cells.first()?)?, name(cells.get(1)?)?);
        Some((member, role, if *cells.get(3)? == "t" { "YES" } else { "NO" }))
    });
    // Who made a database owns it.
    let all = members.chain([(user, "pg_database_owner", "NO")]).filter(|role| !administrable || role.2 == "YES");
    let rows: Vec<Vec<Cell<'a>>> = all.map(|(member, role, grantable)| row![member, role, grantable]).collect();
    Content { columns: &["grantee", "role_name", "is_grantable"], rows }
}

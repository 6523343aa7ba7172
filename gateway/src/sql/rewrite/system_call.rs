//! Functions of the system that no line of a table can say: fields of their results, and those that stand in FROM.

use duckmesh_catalog::{
    ColumnType,
    types::{SystemType, oid},
};
use sqlparser::ast::{AccessExpr, Expr};

use super::{Ex, Kind, Rewriter};
use crate::{
    pgcatalog::{INTERNAL, functions},
    sql::{
        plan::{SessionValue, SystemUse},
        quote,
    },
    wire::error::{PgError, PgResult, SqlState},
};

/// A result of a function in FROM: its text, and its columns with their types.
pub(super) type FromFunction = (String, Vec<(&'static str, Option<ColumnType>)>);

/// What begins the type of a composite value that the engine holds as a struct.
const STRUCT: &str = "STRUCT(";

impl Rewriter<'_> {
    /// `(information_schema._pg_expandarray(indkey)).n`: a field of a composite value.
    pub fn row_field(&mut self, ex: Ex, access: &AccessExpr, at: Option<u32>) -> PgResult<Ex> {
        let AccessExpr::Dot(Expr::Identifier(ident)) = access else {
            return self.refuse("a field of a composite value", at);
        };
        let name = quote::fold(ident);
        if let Some(fields) = self.row_fields(&ex)? {
            return self.named_field(&fields, ex.ty.as_ref(), &name, at);
        }
        if let Some(ty) = ex.ty.as_ref().filter(|ty| !is_struct(ty) && !ex.is_unknown()) {
            let ty = super::shown(ty);
            let message = format!("column notation .{name} applied to type {ty}, which is not a composite type");
            return Err(PgError::new(SqlState::WRONG_OBJECT_TYPE, message).or_position(at));
        }
        let Some(ColumnType::Other(shape)) = ex.ty.clone().filter(is_struct) else {
            return self.refuse("a field of a composite value", at);
        };
        let fields = shape.strip_prefix(STRUCT).and_then(|s| s.strip_suffix(')')).unwrap_or_default();
        let found = fields.split(", ").filter_map(|field| field.split_once(' ')).find(|(field, _)| *field == name);
        let Some((_, ty)) = found else {
            let message = format!("column \"{name}\" not found in data type record");
            return Err(PgError::new(SqlState::UNDEFINED_COLUMN, message).or_position(at));
        };
        let ty = match ty {
            "SMALLINT" => ColumnType::Int2,
            "BIGINT" => ColumnType::Int8,
            "INTEGER" => ColumnType::Int4,
            _ => ColumnType::Text,
        };
        Ok(Ex::of(format!("struct_extract({}, {})", ex.sql, quote::literal(&name)?), ty))
    }

    /// `information_schema._pg_expandarray(array)`: a row of value `x` and number `n` for each element.
    pub fn expand_array(&mut self, mut args: Vec<Ex>, at: Option<u32>) -> PgResult<Ex> {
        let array = match args.pop() {
            Some(array) if args.is_empty() => array,
            _ => return Err(self.undefined_function("_pg_expandarray", &args, at)),
        };
        let Some(ColumnType::Array(element)) = &array.ty else {
            return Err(self.undefined_function("_pg_expandarray", &[array], at));
        };
        let shape = format!("{STRUCT}x {}, n INTEGER)", element.duckdb());
        let list = format!(
            "list_transform(range(1, len({a}) + 1), lambda number_r: {{'x': {a}[number_r], 'n': CAST(number_r AS INTEGER)}})",
            a = array.sql
        );
        Ok(Ex::of(format!("unnest({list})"), ColumnType::Other(shape)))
    }

    /// `to_regclass('orders')` and its like: NULL where there is none.
    pub fn number_named(&mut self, name: &str, args: &[Ex], at: Option<u32>) -> PgResult<Option<Ex>> {
        let ty = match name {
            "to_regclass" => oid::REGCLASS,
            "to_regtype" => oid::REGTYPE,
            "to_regnamespace" => oid::REGNAMESPACE,
            "to_regrole" => oid::REGROLE,
            "to_regproc" => oid::REGPROC,
            "to_regprocedure" => oid::REGPROCEDURE,
            _ => return Ok(None),
        };
        let [arg] = args else { return Err(self.undefined_function(name, args, at)) };
        let shown = ColumnType::System(SystemType::Number(ty));
        if let Kind::Str(text) = &arg.kind {
            // Numbers are not names here, as in Postgres.
            let number = if text.parse::<u32>().is_ok() { None } else { self.named_constant(text, ty, None).ok() };
            let sql = number.unwrap_or_else(|| "CAST(NULL AS BIGINT)".to_owned());
            return Ok(Some(Ex::of(sql, shown)));
        }
        let arg = self.settle(arg.clone(), &ColumnType::Text)?;
        let text = self.looked_up(functions::found(ty), name, &[&arg.sql]);
        Ok(Some(Ex::of(text, shown)))
    }

    /// The view of a system relation on the engine's connection, which the query then needs.
    pub fn use_system(&mut self, schema: &str, name: &str) -> String {
        let view = functions::view_name(schema, name);
        self.uses(SystemUse { schema: schema.to_owned(), name: name.to_owned(), view: Some(view.clone()) });
        view
    }

    /// Where functions of the engine find the rows of an internal relation; the text is known when the statement runs.
    pub fn looks_up(&mut self, name: &'static str) -> String {
        self.uses(SystemUse { schema: INTERNAL.to_owned(), name: name.to_owned(), view: None });
        self.session_value(SessionValue::RowsOf(name))
    }

    fn uses(&mut self, system: SystemUse) {
        if !self.system.contains(&system) {
            self.system.push(system);
        }
    }

    /// A function of the system in FROM.
    pub fn system_function(
        &mut self,
        name: &str,
        args: &mut Vec<Ex>,
        at: Option<u32>,
    ) -> PgResult<Option<FromFunction>> {
        use ColumnType as T;
        Ok(Some(match (name, args.as_slice()) {
            ("pg_get_keywords", []) => {
                let view = self.use_system(INTERNAL, "keywords");
                let columns = [("word", T::Text), ("catcode", T::System(SystemType::Text(oid::CHAR)))];
                let rest = [("barelabel", T::Bool), ("catdesc", T::Text), ("baredesc", T::Text)];
                let columns = columns.into_iter().chain(rest).map(|(name, ty)| (name, Some(ty))).collect();
                (format!("(SELECT * FROM {})", quote::name(&view)), columns)
            }
            ("ts_token_type", [_]) => {
                let view = self.use_system(INTERNAL, "token_types");
                let columns = vec![("tokid", Some(T::Int4)), ("alias", Some(T::Text)), ("description", Some(T::Text))];
                (format!("(SELECT * FROM {})", quote::name(&view)), columns)
            }
            ("pg_partition_tree", [_]) => {
                let class = || T::system(oid::REGCLASS);
                let columns = vec![
                    ("relid", class()),
                    ("parentrelid", class()),
                    ("isleaf", Some(T::Bool)),
                    ("level", Some(T::Int4)),
                ];
                ("(SELECT CAST(0 AS BIGINT), CAST(0 AS BIGINT), TRUE, 0 WHERE FALSE)".to_owned(), columns)
            }
            ("pg_show_all_settings", []) => self.rows_of("pg_settings"),
            ("pg_timezone_names", []) => self.rows_of("pg_timezone_names"),
            ("pg_options_to_table", [options]) => {
                let sql = format!(
                    "(SELECT split_part(o, '=', 1), substr(o, strpos(o, '=') + 1) FROM (SELECT unnest({}) AS o))",
                    options.sql
                );
                (sql, vec![("option_name", Some(T::Text)), ("option_value", Some(T::Text))])
            }
            ("aclexplode", [_]) => {
                let oid = || T::system(oid::OID);
                let columns = vec![
                    ("grantor", oid()),
                    ("grantee", oid()),
                    ("privilege_type", Some(T::Text)),
                    ("is_grantable", Some(T::Bool)),
                ];
                ("(SELECT CAST(0 AS BIGINT), CAST(0 AS BIGINT), '', FALSE WHERE FALSE)".to_owned(), columns)
            }
            ("generate_subscripts", [array, _]) => {
                let from = u8::from(!super::vector::is_vector(array));
                let sql = format!("(SELECT CAST(unnest(range({from}, len({}) + {from})) AS INTEGER))", array.sql);
                (sql, vec![("", Some(T::Int4))])
            }
            ("_pg_expandarray", [_]) => {
                let element = match args.first().and_then(|a| a.ty.clone()) {
                    Some(T::Array(element)) => Some(element.base()),
                    _ => None,
                };
                let rows = self.expand_array(std::mem::take(args), at)?;
                let sql = format!("(SELECT f.x, f.n FROM (SELECT {} AS f))", rows.sql);
                (sql, vec![("x", element), ("n", Some(T::Int4))])
            }
            ("pg_listening_channels", []) => {
                let sql = format!("(SELECT unnest({}))", self.session_value(SessionValue::Channels));
                (sql, vec![("", Some(T::Text))])
            }
            ("unnest", [_, _, ..]) => {
                let mut lists = Vec::new();
                let mut columns = Vec::new();
                for arg in std::mem::take(args) {
                    let arg = self.settle_unknown(arg, &T::Array(Box::new(T::Text)))?;
                    let element = match &arg.ty {
                        Some(T::Array(element)) => Some((**element).clone()),
                        Some(_) => return Err(self.undefined_function(name, &[arg], at)),
                        None => None,
                    };
                    lists.push(format!("unnest({})", arg.sql));
                    columns.push(("", element));
                }
                (format!("(SELECT {})", lists.join(", ")), columns)
            }
            _ => return Ok(None),
        }))
    }

    /// All of a system relation.
    fn rows_of(&mut self, relation: &'static str) -> FromFunction {
        let view = self.use_system("pg_catalog", relation);
        let shape = crate::pgcatalog::shapes::find("pg_catalog", relation);
        let columns = shape.map(|shape| shape.columns.as_slice()).unwrap_or_default();
        let names: Vec<String> = columns.iter().map(|column| quote::name(column.name)).collect();
        let sql = format!("(SELECT {} FROM {})", names.join(", "), quote::name(&view));
        (sql, columns.iter().map(|column| (column.name, Some(column.ty.clone()))).collect())
    }
}

fn is_struct(ty: &ColumnType) -> bool {
    matches!(ty, ColumnType::Other(name) if name.starts_with(STRUCT))
}

/// `name[0]`: a character of a name, which is an array of them in Postgres. None: it is no name.
pub(super) fn character_of_name(ex: &Ex, index: &Ex) -> Option<Ex> {
    (ex.ty == ColumnType::system(oid::NAME)).then(|| {
        let sql = format!("(CASE WHEN {i} >= 0 THEN substr({}, {i} + 1, 1) END)", ex.sql, i = index.sql);
        Ex::plain(sql, ColumnType::system(oid::CHAR))
    })
}

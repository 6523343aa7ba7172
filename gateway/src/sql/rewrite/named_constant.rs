//! Names as numbers of what they name: `'orders'::regclass`, `'array_in'::regproc`.

use duckmesh_catalog::types::oid;
use sqlparser::{
    ast::{DataType, ObjectName},
    tokenizer::Token,
};

use super::Rewriter;
use crate::{
    pgcatalog::{self, oids},
    sql::user_type,
    wire::error::{PgError, PgResult, SqlState},
};

impl Rewriter<'_> {
    /// `'orders'::regclass`, `'16385'::regclass`: the number.
    pub fn named_constant(&mut self, text: &str, ty: u32, at: Option<u32>) -> PgResult<String> {
        if text == "-" {
            return Ok("0".to_owned());
        }
        if let Ok(number) = text.trim().parse::<u32>() {
            return Ok(number.to_string());
        }
        let number = match ty {
            oid::REGCLASS => self.regclass(text, at)?,
            oid::REGTYPE => {
                let plain = text.trim();
                let plain = plain.strip_prefix("pg_catalog.").unwrap_or(plain).trim_matches('"');
                let known = pgcatalog::types::by_name(plain).map(|ty| ty.oid);
                match known {
                    Some(number) => number,
                    None => user_type::name_to_oid(text, self.ctx).map_err(|e| e.or_position(at))?,
                }
            }
            _ => self.oid_constant(ty, text, at)?,
        };
        Ok(number.to_string())
    }

    /// `'orders'::regclass`: the number pgcatalog gives the relation.
    fn regclass(&mut self, text: &str, at: Option<u32>) -> PgResult<u32> {
        let malformed = || PgError::new(SqlState::INVALID_NAME, "invalid name syntax").or_position(at);
        let mut parser = sqlparser::parser::Parser::new(&crate::sql::dialect::Postgres {})
            .try_with_sql(text)
            .map_err(|_| malformed())?;
        let name: ObjectName = parser.parse_object_name(false).map_err(|_| malformed())?;
        let parts = crate::sql::quote::parts(&name).ok_or_else(malformed)?;
        if parser.peek_token_ref().token != Token::EOF {
            return Err(malformed());
        }
        let shown = parts.join(".");
        let missing =
            || PgError::new(SqlState::UNDEFINED_TABLE, format!("relation \"{shown}\" does not exist")).or_position(at);
        use super::relations::Target;
        if let Some(def) = user_type::definition(&DataType::Custom(name.clone(), Vec::new()), self.ctx)
            && matches!(def.spec, duckmesh_catalog::TypeSpec::Composite(_))
        {
            return Ok(def.relation_oid());
        }
        let found = match self.resolve(&name) {
            Ok(found) => found,
            // Another database, or too many names.
            Err(error) if matches!(error.code(), SqlState::FEATURE_NOT_SUPPORTED | SqlState::SYNTAX_ERROR) => {
                return Err(error.unplaced().or_position(at));
            }
            Err(_) => {
                return pgcatalog::index_named(&self.ctx.schema, &parts, &self.ctx.search_path).ok_or_else(missing);
            }
        };
        match found {
            Target::Table(table, _) => Ok(oids::table(table.id)),
            Target::View(view, _) => Ok(oids::view(view.id)),
            Target::System(shape) => Ok(shape.oid),
            Target::Sequence(sequence, _) => Ok(oids::sequence(sequence.id)),
            Target::Cte(_) | Target::Extra(_) => Err(missing()),
        }
    }

    /// `'public'::regnamespace`, `'array_in'::regproc`.
    fn oid_constant(&self, ty: u32, text: &str, at: Option<u32>) -> PgResult<u32> {
        let missing = |code: SqlState, what: &str| match ty {
            oid::REGOPER | oid::REGOPERATOR => PgError::new(code, format!("operator does not exist: {text}")),
            _ => PgError::new(code, format!("{what} \"{text}\" does not exist")),
        };
        let plain = text.trim_matches('"');
        let (found, code, what) = match ty {
            oid::REGNAMESPACE => (oids::namespace(&self.ctx.schema, plain), SqlState::INVALID_SCHEMA_NAME, "schema"),
            oid::REGOPER => {
                let found = pgcatalog::operators_named(text);
                if found.len() > 1 {
                    let message = format!("more than one operator named {text}");
                    return Err(PgError::new(SqlState::AMBIGUOUS_FUNCTION, message).or_position(at));
                }
                (found.first().copied(), SqlState::UNDEFINED_FUNCTION, "operator")
            }
            oid::REGOPERATOR => (pgcatalog::operator(text), SqlState::UNDEFINED_FUNCTION, "operator"),
            oid::REGDICTIONARY => (pgcatalog::dictionary(plain), SqlState::UNDEFINED_OBJECT, "text search dictionary"),
            oid::REGROLE => ((plain == self.ctx.user).then_some(oids::OWNER), SqlState::UNDEFINED_OBJECT, "role"),
            _ => {
                let name = text.split('(').next().unwrap_or_default();
                if ty == oid::REGPROC && pgcatalog::is_overloaded(name) {
                    let message = format!("more than one function named \"{text}\"");
                    return Err(PgError::new(SqlState::AMBIGUOUS_FUNCTION, message).or_position(at));
                }
                (pgcatalog::procedure(text), SqlState::UNDEFINED_FUNCTION, "function")
            }
        };
        found.ok_or_else(|| missing(code, what).or_position(at))
    }
}

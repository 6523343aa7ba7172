//! CREATE, ALTER and DROP SEQUENCE.

use std::sync::Arc;

use duckmesh_catalog::{ColumnType, Identity, SequenceDef, SequenceSpec, ddl::DdlOp};
use sqlparser::tokenizer::Token;
use uuid::Uuid;

use super::{
    Planner,
    lookup::{Relation, already_exists, exists_skipping, no_column, relation_in},
    names::schema_in_lake,
    preparse::object,
    temporary::Temporary,
};
use crate::{
    sql::{
        plan::{Plan, PlanContext},
        scan::Scan,
        sequence, types,
    },
    wire::error::{PgError, PgResult, SqlState},
};

/// What was said of a sequence.
#[derive(Default)]
pub(super) struct Options {
    ty: Option<ColumnType>,
    increment: Option<i64>,
    /// The inner none is NO MINVALUE.
    min: Option<Option<i64>>,
    max: Option<Option<i64>>,
    start: Option<i64>,
    /// The inner none is RESTART without a number.
    pub(super) restart: Option<Option<i64>>,
    cache: Option<i64>,
    cycle: Option<bool>,
    /// The inner none is OWNED BY NONE.
    owned: Option<Option<Vec<String>>>,
    pub(super) generated: Option<Identity>,
    /// What the sequence of an identity column is called.
    pub(super) name: Option<Vec<String>>,
    /// Where that is said.
    name_at: Option<u32>,
}

/// CREATE SEQUENCE, after these words.
pub(super) fn create(mut scan: Scan<'_>, ctx: &PlanContext, temporary: &Temporary) -> PgResult<Plan> {
    let mut planner = Planner::new(scan.text(), ctx);
    let if_not_exists = scan.word(&["if", "not", "exists"]);
    let parts = scan.name()?;
    let options = Options::read(&mut scan)?;
    scan.done(())?;
    options.check_unnamed()?;
    let (schema, name) = planner.place(&object(&parts), temporary)?;
    if planner.taken(&schema, &name)?.is_some() {
        if if_not_exists {
            planner.notices.push(exists_skipping(&name));
            return Ok(planner.finish("CREATE SEQUENCE"));
        }
        return Err(already_exists(&name));
    }
    let mut spec = options.spec(None, ColumnType::Int8)?;
    if let Some(owned) = &options.owned {
        spec.owner = planner.owner(owned.as_deref(), schema.id)?;
    }
    planner.ops.push(DdlOp::CreateSequence { uuid: Uuid::new_v4(), schema: schema.uuid, name, spec });
    Ok(planner.finish("CREATE SEQUENCE"))
}

/// ALTER SEQUENCE, after these words.
pub(super) fn alter(mut scan: Scan<'_>, ctx: &PlanContext) -> PgResult<Plan> {
    let mut planner = Planner::new(scan.text(), ctx);
    let if_exists = scan.word(&["if", "exists"]);
    let parts = scan.name()?;
    let whole: Vec<String> = parts.iter().map(|p| super::names::quote(p)).collect();
    let sequence = match sequence::resolve(&whole.join("."), &ctx.schema, &ctx.search_path) {
        Ok(sequence) => sequence,
        Err(error) if if_exists && error.code() == SqlState::UNDEFINED_TABLE => {
            planner.notices.push(PgError::notice(format!("{}, skipping", error.fields().message)));
            return Ok(planner.finish("ALTER SEQUENCE"));
        }
        Err(error) => return Err(error),
    };
    if scan.word(&["rename", "to"]) {
        let name = scan.ident()?;
        scan.done(())?;
        planner.rename_sequence(&sequence, &name)?;
        return Ok(planner.finish("ALTER SEQUENCE"));
    }
    if scan.word(&["owner", "to"]) {
        let owner = scan.ident()?;
        planner.check_owner(&sqlparser::ast::Ident::with_quote('"', owner))?;
        return scan.done(planner.finish("ALTER SEQUENCE"));
    }
    if scan.word(&["set", "logged"]) || scan.word(&["set", "unlogged"]) {
        planner.notices.push(PgError::notice("ALTER SEQUENCE … SET LOGGED has no effect"));
        return scan.done(planner.finish("ALTER SEQUENCE"));
    }
    if scan.word(&["set", "schema"]) {
        planner.set_schema(&mut scan, &Relation::Sequence(sequence.clone()))?;
        return Ok(planner.finish("ALTER SEQUENCE"));
    }
    let options = Options::read(&mut scan)?;
    scan.done(())?;
    options.check_unnamed()?;
    let mut spec = options.spec(Some(&sequence.spec), sequence.spec.ty.clone())?;
    if let Some(owned) = &options.owned {
        if spec.identity.is_some() {
            return Err(PgError::unsupported("cannot change ownership of identity sequence"));
        }
        spec.owner = planner.owner(owned.as_deref(), sequence.schema_id)?;
    }
    planner.put_sequence(&sequence, spec);
    Ok(planner.finish("ALTER SEQUENCE"))
}

/// DROP SEQUENCE.
pub(super) fn drop(mut planner: Planner<'_>, wanted: &super::drop::Wanted<'_>) -> PgResult<Plan> {
    for name in wanted.names {
        let (space, relation) = planner.split(name)?;
        let found = planner.find_sequence(space.as_deref(), &relation);
        let Some(sequence) = found else {
            if planner.find(name)?.is_some() {
                let message = format!("\"{relation}\" is not a sequence");
                return Err(
                    PgError::new(SqlState::WRONG_OBJECT_TYPE, message).hint("Use DROP TABLE to remove a table.")
                );
            }
            let message = format!("sequence \"{relation}\" does not exist");
            if !wanted.if_exists {
                return Err(PgError::new(SqlState::UNDEFINED_TABLE, message));
            }
            planner.notices.push(PgError::notice(format!("{message}, skipping")));
            continue;
        };
        planner.drop_sequence(&sequence, wanted.cascade)?;
    }
    Ok(planner.finish("DROP SEQUENCE"))
}

impl Planner<'_> {
    pub(super) fn find_sequence(&self, space: Option<&str>, name: &str) -> Option<Arc<SequenceDef>> {
        let lake = &self.ctx.schema;
        match space {
            Some(space) => lake.sequence(schema_in_lake(space)?, name).cloned(),
            None => {
                let mut path = self.ctx.search_path.iter().filter_map(|s| schema_in_lake(s));
                path.find_map(|s| lake.sequence(s, name).cloned())
            }
        }
    }

    pub(super) fn put_sequence(&mut self, sequence: &SequenceDef, spec: SequenceSpec) {
        self.ops.push(DdlOp::AlterSequence { uuid: sequence.uuid, name: sequence.name.clone(), spec });
    }

    /// Defaults name their sequence: they follow.
    pub(super) fn rename_sequence(&mut self, sequence: &SequenceDef, name: &str) -> PgResult<()> {
        let lake = self.ctx.schema.clone();
        let space = lake.schema_name(sequence.schema_id).unwrap_or_default();
        if relation_in(&lake, space, name).is_some() {
            return Err(already_exists(name));
        }
        let (old, new) = (sequence::default_text(space, &sequence.name), sequence::default_text(space, name));
        let spec = sequence.spec.clone();
        self.ops.push(DdlOp::AlterSequence { uuid: sequence.uuid, name: name.to_owned(), spec });
        for (table, column) in users(&self.ctx.schema, &old) {
            let before = lake.table_by_uuid(table).and_then(|t| t.column_by_id(column)).and_then(|c| c.default.clone());
            let Some(duckmesh_catalog::DefaultValue::Expression(text)) = before else { continue };
            let default = Some(duckmesh_catalog::DefaultValue::Expression(text.replace(&old, &new)));
            self.ops.push(DdlOp::SetDefault { table, column, default });
        }
        Ok(())
    }

    fn drop_sequence(&mut self, sequence: &SequenceDef, cascade: bool) -> PgResult<()> {
        let lake = self.ctx.schema.clone();
        let space = lake.schema_name(sequence.schema_id).unwrap_or_default();
        if let (Some(_), Some((table, column))) = (sequence.spec.identity, sequence.spec.owner) {
            let table = lake.table_by_uuid(table);
            let column = table.and_then(|t| t.column_by_id(column)).map_or("", |c| &c.name);
            let table = table.map_or("", |t| &t.name);
            let on = format!("column {column} of table {table}");
            let message = format!("cannot drop sequence {} because {on} requires it", sequence.name);
            return Err(PgError::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, message)
                .hint(format!("You can drop {on} instead.")));
        }
        let users = users(&lake, &sequence::default_text(space, &sequence.name));
        let lines: Vec<(String, String)> = users
            .iter()
            .filter_map(|(table, column)| {
                let table = lake.table_by_uuid(*table)?;
                let column = &table.column_by_id(*column)?.name;
                let what = format!("default value for column {column} of table {}", table.name);
                Some((what, format!("sequence {}", sequence.name)))
            })
            .collect();
        self.restrict_or_tell_lines(&lines, cascade, Some(format!("sequence {}", sequence.name)))?;
        for (table, column) in users {
            self.ops.push(DdlOp::SetDefault { table, column, default: None });
        }
        self.ops.push(DdlOp::DropSequence { uuid: sequence.uuid });
        Ok(())
    }

    /// `OWNED BY table.column`.
    fn owner(
        &mut self,
        parts: Option<&[String]>,
        schema: duckmesh_catalog::SchemaId,
    ) -> PgResult<Option<(Uuid, duckmesh_catalog::ColumnId)>> {
        let Some(parts) = parts else { return Ok(None) };
        let Some((column, table)) = parts.split_last().filter(|(_, table)| !table.is_empty()) else {
            return Err(PgError::new(SqlState::SYNTAX_ERROR, "invalid OWNED BY option")
                .hint("Specify OWNED BY table.column or OWNED BY NONE."));
        };
        let found = match self.find(&object(table))? {
            Some(Relation::Table(found)) => found,
            Some(other) => {
                let message = format!("sequence cannot be owned by relation \"{}\"", other.name());
                return Err(PgError::new(SqlState::WRONG_OBJECT_TYPE, message));
            }
            None => return Err(super::lookup::no_relation(&table.join("."))),
        };
        if found.schema_id != schema {
            let message = "sequence must be in same schema as table it is linked to";
            return Err(PgError::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message));
        }
        let id = found.column(column).map(|c| c.id).ok_or_else(|| no_column(column, &found.name))?;
        Ok(Some((found.uuid, id)))
    }

    /// A name for the sequence of a column that nothing has yet.
    pub(super) fn sequence_name(&self, lake_schema: &str, table: &str, column: &str) -> String {
        let made = |name: &str| {
            self.ops.iter().any(|op| matches!(op, DdlOp::CreateSequence { name: other, .. } if other == name))
        };
        let lake = &self.ctx.schema;
        let taken = |name: &str| name == table || made(name) || relation_in(lake, lake_schema, name).is_some();
        let mut name = super::names::generated(table, Some(column), "seq");
        let mut number = 0;
        while taken(&name) {
            number += 1;
            name = super::names::generated(table, Some(column), &format!("seq{number}"));
        }
        name
    }
}

/// Columns whose default has this text in it.
fn users(lake: &duckmesh_catalog::LakeSchema, text: &str) -> Vec<(Uuid, duckmesh_catalog::ColumnId)> {
    let is = |c: &&duckmesh_catalog::ColumnDef| matches!(&c.default, Some(duckmesh_catalog::DefaultValue::Expression(sql)) if sql.contains(text));
    lake.tables.values().flat_map(|t| t.columns.iter().filter(is).map(|c| (t.uuid, c.id))).collect()
}

impl Options {
    /// SEQUENCE NAME is for identity columns.
    fn check_unnamed(&self) -> PgResult<()> {
        match self.name {
            None => Ok(()),
            Some(_) => {
                Err(PgError::new(SqlState::SYNTAX_ERROR, "invalid sequence option SEQUENCE NAME")
                    .or_position(self.name_at))
            }
        }
    }

    /// `AS type` alone.
    pub(super) fn of_type(ty: ColumnType) -> Self {
        Self { ty: Some(ty), ..Self::default() }
    }

    /// Reads options up to the end, or a closing parenthesis.
    pub(super) fn read(scan: &mut Scan<'_>) -> PgResult<Self> {
        let mut all = Self::default();
        while !scan.is_done() && scan.peek() != Some(&Token::RParen) {
            let at = scan.position();
            if !all.one(scan)? {
                return Err(PgError::new(SqlState::SYNTAX_ERROR, "conflicting or redundant options").or_position(at));
            }
        }
        Ok(all)
    }

    /// One option; false where it was said before.
    pub(super) fn one(&mut self, scan: &mut Scan<'_>) -> PgResult<bool> {
        fn once<T>(slot: &mut Option<T>, value: T) -> bool {
            slot.replace(value).is_none()
        }
        if scan.word(&["as"]) {
            let name = scan.ident()?;
            return Ok(once(&mut self.ty, sequence_type(&name)?));
        }
        if scan.word(&["increment"]) {
            scan.word(&["by"]);
            return Ok(once(&mut self.increment, number(scan)?));
        }
        if scan.word(&["minvalue"]) {
            return Ok(once(&mut self.min, Some(number(scan)?)));
        }
        if scan.word(&["maxvalue"]) {
            return Ok(once(&mut self.max, Some(number(scan)?)));
        }
        if scan.word(&["start"]) {
            scan.word(&["with"]);
            return Ok(once(&mut self.start, number(scan)?));
        }
        if scan.word(&["restart"]) {
            let with = scan.word(&["with"]);
            let numeric = matches!(scan.peek(), Some(Token::Number(..) | Token::Minus | Token::Plus));
            let value = if with || numeric { Some(number(scan)?) } else { None };
            return Ok(once(&mut self.restart, value));
        }
        if scan.word(&["cache"]) {
            return Ok(once(&mut self.cache, number(scan)?));
        }
        if scan.word(&["cycle"]) {
            return Ok(once(&mut self.cycle, true));
        }
        if scan.word(&["owned", "by"]) {
            let owner = if scan.word(&["none"]) { None } else { Some(scan.name()?) };
            return Ok(once(&mut self.owned, owner));
        }
        if scan.word(&["no", "minvalue"]) {
            return Ok(once(&mut self.min, None));
        }
        if scan.word(&["no", "maxvalue"]) {
            return Ok(once(&mut self.max, None));
        }
        let at = scan.position();
        if scan.word(&["sequence", "name"]) {
            self.name_at = at;
            let name = scan.name()?;
            return Ok(once(&mut self.name, name));
        }
        if scan.word(&["no", "cycle"]) {
            return Ok(once(&mut self.cycle, false));
        }
        Err(scan.unexpected())
    }

    /// The sequence these options make, of nothing or of what it was.
    pub(super) fn spec(&self, old: Option<&SequenceSpec>, ty: ColumnType) -> PgResult<SequenceSpec> {
        let error = |text: String| PgError::new(SqlState::INVALID_PARAMETER_VALUE, text);
        let invalid = |text: String| Err(error(text));
        let ty = self.ty.clone().unwrap_or(ty);
        let increment = self.increment.or(old.map(|o| o.increment)).unwrap_or(1);
        if increment == 0 {
            return invalid("INCREMENT must not be zero".into());
        }
        let (low, high) = bounds(&ty);
        // A limit that was the old type's own follows the type.
        let old_limits = old.map(|o| (bounds(&o.ty), o));
        let max = match (self.max, old_limits) {
            (Some(Some(max)), _) => max,
            (None, Some((limits, o))) if o.max != limits.1 || o.ty == ty => o.max,
            _ => {
                if increment > 0 {
                    high
                } else {
                    -1
                }
            }
        };
        let min = match (self.min, old_limits) {
            (Some(Some(min)), _) => min,
            (None, Some((limits, o))) if o.min != limits.0 || o.ty == ty => o.min,
            _ => {
                if increment > 0 {
                    1
                } else {
                    low
                }
            }
        };
        if max < low || max > high {
            return invalid(format!("MAXVALUE ({max}) is out of range for sequence data type {ty}"));
        }
        if min < low || min > high {
            return invalid(format!("MINVALUE ({min}) is out of range for sequence data type {ty}"));
        }
        if min >= max {
            return invalid(format!("MINVALUE ({min}) must be less than MAXVALUE ({max})"));
        }
        let inside = |word: &str, n: i64| {
            if n < min {
                Err(error(format!("{word} value ({n}) cannot be less than MINVALUE ({min})")))
            } else if n > max {
                Err(error(format!("{word} value ({n}) cannot be greater than MAXVALUE ({max})")))
            } else {
                Ok(())
            }
        };
        let start = self.start.or(old.map(|o| o.start)).unwrap_or(if increment > 0 { min } else { max });
        inside("START", start)?;
        let cache = self.cache.or(old.map(|o| o.cache)).unwrap_or(1);
        if cache <= 0 {
            return invalid(format!("CACHE ({cache}) must be greater than zero"));
        }
        let (state, first) = match (self.restart, old) {
            (None, Some(old)) => (old.state, old.first),
            (restart, _) => {
                let first = restart.flatten().unwrap_or(start);
                inside("RESTART", first)?;
                (Uuid::new_v4(), first)
            }
        };
        let cycle = self.cycle.or(old.map(|o| o.cycle)).unwrap_or(false);
        let owner = old.and_then(|o| o.owner);
        let identity = self.generated.or(old.and_then(|o| o.identity));
        let comment = old.and_then(|o| o.comment.clone());
        Ok(SequenceSpec { state, ty, start, first, increment, min, max, cycle, cache, owner, identity, comment })
    }
}

/// Options as sqlparser read them.
pub(super) fn of_tree(options: Option<&Vec<sqlparser::ast::SequenceOptions>>) -> PgResult<Options> {
    let text: String = options.into_iter().flatten().map(ToString::to_string).collect();
    match Scan::new(&text) {
        Some(mut scan) => Options::read(&mut scan),
        None => Ok(Options::default()),
    }
}

fn sequence_type(name: &str) -> PgResult<ColumnType> {
    match types::name_to_type(name)? {
        ty @ (ColumnType::Int2 | ColumnType::Int4 | ColumnType::Int8) => Ok(ty),
        _ => {
            let message = "sequence type must be smallint, integer, or bigint";
            Err(PgError::new(SqlState::INVALID_PARAMETER_VALUE, message))
        }
    }
}

/// The least and the greatest number of a type.
fn bounds(ty: &ColumnType) -> (i64, i64) {
    match ty {
        ColumnType::Int2 => (i16::MIN.into(), i16::MAX.into()),
        ColumnType::Int4 => (i32::MIN.into(), i32::MAX.into()),
        _ => (i64::MIN, i64::MAX),
    }
}

fn number(scan: &mut Scan<'_>) -> PgResult<i64> {
    let sign = if scan.take(&Token::Minus) { "-" } else { "" };
    scan.take(&Token::Plus);
    match scan.peek() {
        Some(Token::Number(text, _)) => {
            let text = format!("{sign}{text}");
            let parsed = text.parse().map_err(|_| {
                let message = format!("value \"{text}\" is out of range for type bigint");
                PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, message)
            })?;
            scan.advance();
            Ok(parsed)
        }
        _ => Err(scan.unexpected()),
    }
}

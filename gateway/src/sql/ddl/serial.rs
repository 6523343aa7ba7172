//! Columns that make their own numbers: `serial`, and identity columns.

use duckmesh_catalog::{ColumnType, Identity, TableDef, ddl::DdlOp, schema::DefaultValue};
use sqlparser::{
    ast::{self, ColumnOption, DataType, GeneratedAs, ObjectNamePart, SequenceOptions},
    tokenizer::Token,
};
use uuid::Uuid;

use super::{
    Planner,
    alter::Altered,
    lookup::{Relation, already_exists, no_column, no_relation},
    preparse::object,
    sequence::{self, Options},
    temporary::Temporary,
};
use crate::{
    sql::{
        plan::{Plan, PlanContext},
        scan::{Scan, is_word},
        sequence::default_text,
    },
    wire::error::{PgError, PgResult, SqlState},
};

/// What a column's definition asks for.
pub(super) struct Asked {
    /// None: serial.
    identity: Option<Identity>,
    options: Options,
}

/// The integer type of `serial` and its kin.
pub(super) fn of_type(ty: &DataType) -> Option<ColumnType> {
    let DataType::Custom(name, arguments) = ty else { return None };
    let [ObjectNamePart::Identifier(name)] = name.0.as_slice() else { return None };
    if !arguments.is_empty() || name.quote_style.is_some() {
        return None;
    }
    Some(match name.value.to_ascii_lowercase().as_str() {
        "serial" | "serial4" => ColumnType::Int4,
        "bigserial" | "serial8" => ColumnType::Int8,
        "smallserial" | "serial2" => ColumnType::Int2,
        _ => return None,
    })
}

/// Whether a column makes its own numbers.
pub(super) fn is_numbered(column: &ast::ColumnDef) -> bool {
    let identity = |o: &ast::ColumnOptionDef| matches!(o.option, ColumnOption::Generated { generation_expr: None, .. });
    of_type(&column.data_type).is_some() || column.options.iter().any(identity)
}

/// What the options of a column ask for.
pub(super) fn asked(column: &ast::ColumnDef, serial: bool, table: &str) -> PgResult<Option<Asked>> {
    check_options(column, serial, table)?;
    for option in &column.options {
        if let ColumnOption::Generated { generated_as, sequence_options, generation_expr: None, .. } = &option.option {
            let options = sequence::of_tree(sequence_options.as_ref())?;
            return Ok(Some(Asked { identity: Some(kind(Some(generated_as))), options }));
        }
    }
    Ok(serial.then(|| Asked { identity: None, options: Options::default() }))
}

/// Whether an identity column can be of a type.
pub(super) fn check_type(ty: &ColumnType) -> PgResult<()> {
    if matches!(ty, ColumnType::Int2 | ColumnType::Int4 | ColumnType::Int8) {
        return Ok(());
    }
    let message = "identity column type must be smallint, integer, or bigint";
    Err(PgError::new(SqlState::INVALID_PARAMETER_VALUE, message))
}

/// Whether a column's options say twice what makes its values, or that a column with numbers may be NULL.
fn check_options(column: &ast::ColumnDef, serial: bool, table: &str) -> PgResult<()> {
    let count = |wanted: fn(&ColumnOption) -> bool| column.options.iter().filter(|o| wanted(&o.option)).count();
    let identities = count(|o| matches!(o, ColumnOption::Generated { generation_expr: None, .. }));
    let name = &column.name.value;
    let what = match identities {
        0 if !serial => return Ok(()),
        2.. => "multiple identity specifications for",
        1 if serial => "both default and identity specified for",
        _ if count(|o| matches!(o, ColumnOption::Null)) > 0 => "conflicting NULL/NOT NULL declarations for",
        _ => return Ok(()),
    };
    let message = format!("{what} column \"{name}\" of table \"{table}\"");
    Err(PgError::new(SqlState::SYNTAX_ERROR, message))
}

fn kind(generated: Option<&GeneratedAs>) -> Identity {
    match generated {
        Some(GeneratedAs::ByDefault) => Identity::ByDefault,
        _ => Identity::Always,
    }
}

impl Planner<'_> {
    /// Makes the sequence of a column that is the table's next one; gives the column's default.
    pub(super) fn numbered(
        &mut self,
        asked: &Asked,
        column: &str,
        ty: &ColumnType,
        table: &TableDef,
        has_default: bool,
    ) -> PgResult<Option<DefaultValue>> {
        if has_default {
            let what = match asked.identity {
                Some(_) => "both default and identity specified",
                None => "multiple default values specified",
            };
            let message = format!("{what} for column \"{column}\" of table \"{}\"", table.name);
            return Err(PgError::new(SqlState::SYNTAX_ERROR, message));
        }
        self.sequence_of(asked, column, ty, table, table.next_column_id)
    }

    fn sequence_of(
        &mut self,
        asked: &Asked,
        column: &str,
        ty: &ColumnType,
        table: &TableDef,
        id: duckmesh_catalog::ColumnId,
    ) -> PgResult<Option<DefaultValue>> {
        check_type(ty)?;
        let lake = self.ctx.schema.clone();
        let space = lake.schemas.values().find(|s| s.id == table.schema_id);
        let space = space.ok_or_else(|| PgError::internal("a table without its schema"))?;
        let name = match &asked.options.name {
            None => self.sequence_name(&space.name, &table.name, column),
            Some(parts) => {
                let (found, name) = self.place(&object(parts), &Temporary::default())?;
                if found.id != space.id {
                    let message = "sequence must be in same schema as table it is linked to";
                    return Err(PgError::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message));
                }
                if self.taken(&found, &name)?.is_some() {
                    return Err(already_exists(&name));
                }
                name
            }
        };
        let mut spec = asked.options.spec(None, ty.clone())?;
        spec.owner = Some((table.uuid, id));
        spec.identity = asked.identity;
        let default = asked.identity.is_none().then(|| DefaultValue::Expression(default_text(&space.name, &name)));
        self.ops.push(DdlOp::CreateSequence { uuid: Uuid::new_v4(), schema: space.uuid, name, spec });
        Ok(default)
    }

    /// The numbers of an identity column are of its type.
    pub(super) fn sequence_follows(
        &mut self,
        table: Uuid,
        column: duckmesh_catalog::ColumnId,
        ty: ColumnType,
    ) -> PgResult<()> {
        let Some(sequence) = self.ctx.schema.identity(table, column).cloned() else { return Ok(()) };
        let spec = Options::of_type(ty.clone()).spec(Some(&sequence.spec), ty)?;
        self.ops.push(DdlOp::AlterSequence { uuid: sequence.uuid, name: sequence.name.clone(), spec });
        Ok(())
    }

    /// ALTER COLUMN … ADD GENERATED … AS IDENTITY.
    pub(super) fn add_identity(
        &mut self,
        table: &mut Altered,
        name: &str,
        generated: Option<&GeneratedAs>,
        options: Option<&Vec<SequenceOptions>>,
    ) -> PgResult<()> {
        let asked = Asked { identity: Some(kind(generated)), options: sequence::of_tree(options)? };
        self.identity_added(&table.new, name, &asked)
    }

    fn identity_added(&mut self, table: &TableDef, name: &str, asked: &Asked) -> PgResult<()> {
        let Some(column) = table.column(name).cloned() else { return Ok(()) };
        let wrong = |what: &str| {
            let message = format!("column \"{name}\" of relation \"{}\" {what}", table.name);
            PgError::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message)
        };
        check_type(&column.ty)?;
        if column.nullable {
            return Err(wrong("must be declared NOT NULL before identity can be added"));
        }
        if self.ctx.schema.identity(table.uuid, column.id).is_some() {
            return Err(wrong("is already an identity column"));
        }
        if column.default.is_some() {
            return Err(wrong("already has a default value"));
        }
        self.sequence_of(asked, name, &column.ty, table, column.id).map(|_| ())
    }
}

/// `ALTER TABLE t ALTER COLUMN c` with what sqlparser does not read: SET GENERATED, SET INCREMENT …, RESTART, DROP IDENTITY.
/// None: something else.
pub(super) fn alter_scanned(scan: &mut Scan<'_>, table: &[String], ctx: &PlanContext) -> PgResult<Option<Plan>> {
    const OPTIONS: [&str; 8] = ["generated", "increment", "minvalue", "maxvalue", "start", "restart", "cache", "cycle"];
    if !scan.sees(&["alter"]) {
        return Ok(None);
    }
    let name_at = if scan.sees(&["alter", "column"]) { 2 } else { 1 };
    let at = |n: usize, words: &[&str]| scan.ahead(name_at + n).is_some_and(|t| words.iter().any(|w| is_word(t, w)));
    let drops = at(1, &["drop"]) && at(2, &["identity"]);
    let sets = at(1, &["set"]) && (at(2, &OPTIONS) || (at(2, &["no"]) && at(3, &OPTIONS)));
    let computes = at(1, &["drop"]) && at(2, &["expression"]);
    let adds = at(1, &["add"]) && at(2, &["generated"]);
    if !drops && !sets && !computes && !adds && !at(1, &["restart"]) {
        return Ok(None);
    }
    (0..name_at).for_each(|_| drop(scan.advance()));
    let column = scan.ident()?;
    let mut planner = Planner::new(scan.text(), ctx);
    let found = match planner.find(&object(table))? {
        Some(Relation::Table(found)) => found,
        _ => return Err(no_relation(&table.join("."))),
    };
    let id = found.column(&column).map(|c| c.id).ok_or_else(|| no_column(&column, &found.name))?;
    if computes {
        return super::generated::drop_expression(planner, scan, &found, &column).map(Some);
    }
    if adds {
        let asked = added(scan)?;
        planner.identity_added(&found, &column, &asked)?;
        return Ok(Some(planner.finish("ALTER TABLE")));
    }
    let sequence = ctx.schema.identity(found.uuid, id).cloned();
    let missing = format!("column \"{column}\" of relation \"{}\" is not an identity column", found.name);
    if drops {
        scan.word(&["drop", "identity"]);
        let if_exists = scan.word(&["if", "exists"]);
        scan.done(())?;
        match sequence {
            Some(sequence) => planner.ops.push(DdlOp::DropSequence { uuid: sequence.uuid }),
            None if if_exists => planner.notices.push(PgError::notice(format!("{missing}, skipping"))),
            None => return Err(PgError::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, missing)),
        }
        return Ok(Some(planner.finish("ALTER TABLE")));
    }
    let options = changes(scan, &column)?;
    let sequence = sequence.ok_or_else(|| PgError::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, missing))?;
    let spec = options.spec(Some(&sequence.spec), sequence.spec.ty.clone())?;
    planner.put_sequence(&sequence, spec);
    Ok(Some(planner.finish("ALTER TABLE")))
}

/// `ADD GENERATED ALWAYS AS IDENTITY (…)`.
fn added(scan: &mut Scan<'_>) -> PgResult<Asked> {
    scan.expect_word(&["add"])?;
    scan.expect_word(&["generated"])?;
    let identity = match scan.word(&["by", "default"]) {
        true => Identity::ByDefault,
        false => {
            scan.expect_word(&["always"])?;
            Identity::Always
        }
    };
    scan.expect_word(&["as"])?;
    scan.expect_word(&["identity"])?;
    let mut options = Options::default();
    if scan.take(&Token::LParen) {
        options = Options::read(scan)?;
        scan.expect(&Token::RParen)?;
    }
    scan.done(Asked { identity: Some(identity), options })
}

/// `SET GENERATED ALWAYS SET INCREMENT 2 RESTART WITH 7` …
fn changes(scan: &mut Scan<'_>, column: &str) -> PgResult<Options> {
    let mut options = Options::default();
    while !scan.is_done() {
        if scan.take(&Token::Comma) {
            let same = scan.word(&["alter"]) && {
                scan.word(&["column"]);
                scan.ident()? == column
            };
            if same && (scan.sees(&["set"]) || scan.sees(&["restart"])) {
                continue;
            }
            return Err(PgError::unsupported(
                "several actions on an identity column in one ALTER TABLE are not supported",
            )
            .hint("Use a statement for each."));
        }
        if scan.word(&["set", "generated", "always"]) {
            options.generated = Some(Identity::Always);
            continue;
        }
        if scan.word(&["set", "generated", "by", "default"]) {
            options.generated = Some(Identity::ByDefault);
            continue;
        }
        if !scan.sees(&["restart"]) {
            scan.expect_word(&["set"])?;
        }
        if !options.one(scan)? {
            return Err(PgError::new(SqlState::SYNTAX_ERROR, "conflicting or redundant options"));
        }
    }
    Ok(options)
}

//! CREATE, ALTER and DROP TYPE.

use std::sync::Arc;

use duckmesh_catalog::{
    Label, SchemaDef, TypeDef, TypeSpec,
    ddl::{
        DdlOp,
        types::{ROW_FIELDS_MAX, fields_of, is_of, needs},
    },
};
use sqlparser::{
    ast::{DataType, Ident, ObjectName},
    tokenizer::Token,
};
use uuid::Uuid;

use super::{
    Planner,
    lookup::{no_schema, relation_in},
    names::{NAME_BYTES_MAX, is_system_schema, quote, schema_in_sql},
    preparse::object,
};
use crate::{
    session::temporary::{SCHEMA_ALIAS, SCHEMA_PREFIX},
    sql::{
        plan::{Plan, PlanContext},
        quote::parts as quote_parts,
        scan::Scan,
        user_type,
    },
    wire::error::{PgError, PgResult, SqlState},
};

/// Labels of one enum: the engine holds a label as two bytes, and every cast names all of them.
const LABELS_MAX: usize = 10_000;

/// CREATE TYPE, after these words.
pub(super) fn create(mut scan: Scan<'_>, ctx: &PlanContext) -> PgResult<Plan> {
    let mut planner = Planner::new(scan.text(), ctx);
    let parts = scan.name()?;
    if !scan.word(&["as"]) {
        if scan.is_done() {
            let (schema, name) = planner.place_for_new(&object(&parts))?;
            planner.type_is_free(&schema, &name)?;
        }
        return Err(refused("CREATE TYPE of a base type"));
    }
    if scan.word(&["range"]) {
        return Err(refused("CREATE TYPE … AS RANGE"));
    }
    let spec = if scan.word(&["enum"]) {
        let labels = labels(&mut scan)?;
        scan.done(())?;
        TypeSpec::Enum(labels)
    } else {
        TypeSpec::Composite(fields(&mut scan, &mut planner)?)
    };
    let (schema, name) = planner.place_for_type(&object(&parts))?;
    planner.ops.push(DdlOp::CreateType { uuid: Uuid::new_v4(), schema: schema.uuid, name, spec });
    check_rows(&planner)?;
    Ok(planner.finish("CREATE TYPE"))
}

/// `('a', 'b')`
fn labels(scan: &mut Scan<'_>) -> PgResult<Vec<Label>> {
    let mut labels: Vec<Label> = Vec::new();
    scan.expect(&Token::LParen)?;
    if scan.take(&Token::RParen) {
        return Ok(labels);
    }
    loop {
        let label = scan.string()?;
        check_label(&label)?;
        if labels.iter().any(|known| known.name == label) {
            let message = "duplicate key value violates unique constraint \"pg_enum_typid_label_index\"";
            return Err(PgError::new(SqlState::UNIQUE_VIOLATION, message)
                .detail(format!("The label {label:?} is there twice.")));
        }
        labels.push(Label::new(&label));
        if labels.len() > LABELS_MAX {
            let message = format!("an enum can have at most {LABELS_MAX} labels");
            return Err(PgError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message));
        }
        if scan.take(&Token::RParen) {
            return Ok(labels);
        }
        scan.expect(&Token::Comma)?;
    }
}

fn check_label(label: &str) -> PgResult<()> {
    if label.len() <= NAME_BYTES_MAX {
        return Ok(());
    }
    Err(PgError::new(SqlState("42602"), format!("invalid enum label \"{label}\""))
        .detail(format!("Labels must be {NAME_BYTES_MAX} bytes or less.")))
}

/// `(a int, b text)`
fn fields(scan: &mut Scan<'_>, planner: &mut Planner<'_>) -> PgResult<Vec<(String, duckmesh_catalog::ColumnType)>> {
    let list = scan.text().get(scan.byte()..).unwrap_or_default();
    let list = list.trim_end().trim_end_matches(';');
    let sql = format!("CREATE TABLE x {list}");
    // Its grammar is that of a table's columns without constraints.
    let parsed = sqlparser::parser::Parser::parse_sql(&crate::sql::dialect::Postgres {}, &sql);
    let Ok([sqlparser::ast::Statement::CreateTable(table)]) = parsed.as_deref() else {
        return Err(scan.unexpected());
    };
    let mut fields: Vec<(String, duckmesh_catalog::ColumnType)> = Vec::new();
    let mut count = 0;
    for column in &table.columns {
        if !column.options.is_empty() || !table.constraints.is_empty() {
            return Err(PgError::new(SqlState::SYNTAX_ERROR, "fields of a composite type have no constraints"));
        }
        let name = super::names::Names::default().fold(&column.name, "")?;
        if fields.iter().any(|(known, _)| *known == name) {
            let message = format!("column \"{name}\" specified more than once");
            return Err(PgError::new(SqlState::DUPLICATE_COLUMN, message));
        }
        let ty = user_type::resolve(&column.data_type, planner.ctx)?.ty;
        // Before they are copied: each may be as large as all of them may be.
        count += fields_of(&ty);
        if count > ROW_FIELDS_MAX {
            return Err(too_many_fields());
        }
        fields.push((name, ty));
    }
    Ok(fields)
}

/// A composite type that is made or grows must leave all types that it is in small enough: told before anything is appended.
pub(super) fn check_rows(planner: &Planner<'_>) -> PgResult<()> {
    super::rename::after(planner).map(|_| ())
}

/// More fields than a row can have.
pub(super) fn too_many_fields() -> PgError {
    PgError::new(SqlState::TOO_MANY_COLUMNS, format!("composite types can have at most {ROW_FIELDS_MAX} fields"))
        .detail("Fields of the composite types inside are counted.")
}

/// ALTER TYPE, after these words.
pub(super) fn alter(mut scan: Scan<'_>, ctx: &PlanContext) -> PgResult<Plan> {
    let mut planner = Planner::new(scan.text(), ctx);
    let parts = scan.name()?;
    if let Some(relation) = planner.find(&object(&parts))? {
        let message = format!("{} is not an enum", quote(relation.name()));
        return Err(PgError::new(SqlState::WRONG_OBJECT_TYPE, message).hint("Use ALTER TABLE instead."));
    }
    let def = match planner.type_named(&parts) {
        // Fields are those of a relation.
        Err(error) if error.code() == SqlState::UNDEFINED_OBJECT && super::attribute::read(&mut scan)?.is_some() => {
            return Err(super::no_relation(&parts.join(".")));
        }
        other => other?,
    };
    if scan.word(&["add", "value"]) {
        add_value(&mut scan, &mut planner, &def)?;
    } else if scan.word(&["rename", "value"]) {
        let old = scan.string()?;
        scan.expect_word(&["to"])?;
        let new = scan.string()?;
        scan.done(())?;
        rename_value(&mut planner, &def, &old, &new)?;
    } else {
        let composite = matches!(def.spec, TypeSpec::Composite(_));
        match super::attribute::read(&mut scan)? {
            Some(actions) if composite => super::attribute::alter(&mut planner, &def, actions)?,
            Some(_) => return Err(super::no_relation(&parts.join("."))),
            None => planner.alter_any(&mut scan, &def, "ALTER TYPE")?,
        }
    }
    Ok(planner.finish("ALTER TYPE"))
}

fn enum_labels(def: &TypeDef) -> PgResult<Vec<Label>> {
    match def.labels() {
        Some(labels) => Ok(labels.to_vec()),
        None => Err(PgError::new(SqlState::WRONG_OBJECT_TYPE, format!("{} is not an enum", quote(&def.name)))),
    }
}

fn no_label(label: &str) -> PgError {
    PgError::new(SqlState::INVALID_PARAMETER_VALUE, format!("\"{label}\" is not an existing enum label"))
}

fn add_value(scan: &mut Scan<'_>, planner: &mut Planner<'_>, def: &Arc<TypeDef>) -> PgResult<()> {
    let if_not_exists = scan.word(&["if", "not", "exists"]);
    let label = scan.string()?;
    let before = if scan.word(&["before"]) {
        Some((true, scan.string()?))
    } else if scan.word(&["after"]) {
        Some((false, scan.string()?))
    } else {
        None
    };
    scan.done(())?;
    let mut labels = enum_labels(def)?;
    check_label(&label)?;
    if labels.iter().any(|known| known.name == label) {
        let message = format!("enum label \"{label}\" already exists");
        if !if_not_exists {
            return Err(PgError::new(SqlState::DUPLICATE_OBJECT, message));
        }
        planner.notices.push(PgError::notice(format!("{message}, skipping")).with_code(SqlState::DUPLICATE_OBJECT));
        return Ok(());
    }
    check_former(&labels, &label, None)?;
    if labels.len() >= LABELS_MAX {
        let message = format!("an enum can have at most {LABELS_MAX} labels");
        return Err(PgError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message));
    }
    let place = match &before {
        None => labels.len(),
        Some((before, neighbour)) => {
            let at = labels.iter().position(|l| l.name == *neighbour).ok_or_else(|| no_label(neighbour))?;
            at + usize::from(!before)
        }
    };
    labels.insert(place, Label::new(&label));
    planner.put_type(def, TypeSpec::Enum(labels));
    Ok(())
}

fn rename_value(planner: &mut Planner<'_>, def: &Arc<TypeDef>, old: &str, new: &str) -> PgResult<()> {
    let mut labels = enum_labels(def)?;
    super::attribute::not_within_rows(planner, def)?;
    check_label(new)?;
    if !labels.iter().any(|known| known.name == old) {
        return Err(no_label(old));
    }
    if labels.iter().any(|known| known.name == new) {
        let message = format!("enum label \"{new}\" already exists");
        return Err(PgError::new(SqlState::DUPLICATE_OBJECT, message));
    }
    check_former(&labels, new, Some(old))?;
    let label = labels.iter_mut().find(|l| l.name == old).ok_or_else(|| no_label(old))?;
    label.former.retain(|former| former != new);
    label.former.push(old.to_owned());
    new.clone_into(&mut label.name);
    planner.put_type(def, TypeSpec::Enum(labels));
    Ok(())
}

/// Rows keep the text that their label had when they were written: it cannot come to mean another label.
fn check_former(labels: &[Label], text: &str, of: Option<&str>) -> PgResult<()> {
    let other = labels.iter().find(|l| Some(l.name.as_str()) != of && l.former.iter().any(|former| former == text));
    match other {
        None => Ok(()),
        Some(label) => Err(PgError::unsupported(format!("\"{text}\" cannot become a label of this enum again"))
            .detail(format!("It was the name of the label \"{}\", and rows written then hold it.", label.name))
            .hint("Choose another text for the label.")),
    }
}

/// DROP TYPE and DROP DOMAIN, after these words.
pub(super) fn drop(mut scan: Scan<'_>, ctx: &PlanContext, domains: bool) -> PgResult<Plan> {
    let mut planner = Planner::new(scan.text(), ctx);
    let (what, tag) = if domains { ("domain", "DROP DOMAIN") } else { ("type", "DROP TYPE") };
    let if_exists = scan.word(&["if", "exists"]);
    let mut dropped: Vec<Arc<TypeDef>> = Vec::new();
    loop {
        let parts = scan.name()?;
        match planner.type_named(&parts) {
            Ok(def) => {
                if domains && !matches!(def.spec, TypeSpec::Domain(_)) {
                    let message = format!("\"{}\" is not a domain", def.name);
                    return Err(PgError::new(SqlState::WRONG_OBJECT_TYPE, message));
                }
                if dropped.iter().all(|d| d.uuid != def.uuid) {
                    dropped.push(def);
                }
            }
            Err(error) if if_exists && error.code() == SqlState::UNDEFINED_OBJECT => {
                let shown = parts.join(".");
                planner.notices.push(PgError::notice(format!("{what} \"{shown}\" does not exist, skipping")));
            }
            Err(error) if if_exists && error.code() == SqlState::INVALID_SCHEMA_NAME => {
                planner.notices.push(PgError::notice(format!("{}, skipping", error.fields().message)));
            }
            Err(error) => return Err(error),
        }
        if !scan.take(&Token::Comma) {
            break;
        }
    }
    let cascade = scan.word(&["cascade"]);
    if !cascade {
        scan.word(&["restrict"]);
    }
    scan.done(())?;
    planner.drop_types(&dropped, cascade, &[])?;
    Ok(planner.finish(tag))
}

/// `COMMENT ON TYPE | DOMAIN`: the type.
pub(super) fn commented(planner: &mut Planner<'_>, name: &sqlparser::ast::ObjectName, domain: bool) -> PgResult<Uuid> {
    let parts = crate::sql::quote::parts(name).unwrap_or_default();
    let def = planner.type_named(&parts)?;
    if domain && !matches!(def.spec, TypeSpec::Domain(_)) {
        let message = format!("\"{}\" is not a domain", def.name);
        return Err(PgError::new(SqlState::WRONG_OBJECT_TYPE, message));
    }
    Ok(def.uuid)
}

impl Planner<'_> {
    /// A type that a user made, by its name.
    pub(super) fn type_named(&mut self, parts: &[String]) -> PgResult<Arc<TypeDef>> {
        let shown = parts.join(".");
        if let [schema, _] = parts
            && !is_system_schema(schema)
            && self.schema(schema).is_none()
        {
            return Err(no_schema(schema));
        }
        if let Some((def, false)) = user_type::find(parts, self.ctx) {
            return Ok(def);
        }
        if let Some(relation) = self.find(&object(parts))? {
            let shown = self.describe(&relation);
            let message = format!("cannot drop type {} because {shown} requires it", quote(relation.name()));
            return Err(PgError::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, message)
                .hint(format!("You can drop {shown} instead.")));
        }
        let name = DataType::Custom(object(parts), Vec::new());
        match crate::sql::types::resolve(&name) {
            Ok(ty) => Err(PgError::new(
                SqlState::DEPENDENT_OBJECTS_STILL_EXIST,
                format!("cannot drop type {ty} because it is required by the database system"),
            )),
            Err(_) => Err(PgError::new(SqlState::UNDEFINED_OBJECT, format!("type \"{shown}\" does not exist"))),
        }
    }

    /// Fails where a type, or a relation with its row type, has the name.
    pub(super) fn type_is_free(&self, schema: &SchemaDef, name: &str) -> PgResult<()> {
        let lake = &self.ctx.schema;
        let relation = relation_in(lake, &schema.name, name).filter(|r| r.kind() != "sequence");
        if lake.user_type(&schema.name, name).is_some() || relation.is_some() {
            let message = format!("type \"{name}\" already exists");
            return Err(PgError::new(SqlState::DUPLICATE_OBJECT, message));
        }
        Ok(())
    }

    /// Where a new type goes: not among a session's own objects, which have no types.
    pub(super) fn place_for_type(&mut self, name: &ObjectName) -> PgResult<(Arc<SchemaDef>, String)> {
        let schema = quote_parts(name).and_then(|parts| (parts.len() == 2).then(|| parts.into_iter().next()).flatten());
        if schema.is_some_and(|schema| schema == SCHEMA_ALIAS || schema.starts_with(SCHEMA_PREFIX)) {
            return Err(refused("a temporary type").hint("Create the type in a schema of the database."));
        }
        let (schema, name) = self.place_for_new(name)?;
        self.type_is_free(&schema, &name)?;
        Ok((schema, name))
    }

    pub(super) fn put_type(&mut self, def: &TypeDef, spec: TypeSpec) {
        let schema = self.ctx.schema.schemas.values().find(|s| s.id == def.schema_id).map(|s| s.uuid);
        let schema = schema.unwrap_or_default();
        self.ops.push(DdlOp::AlterType { uuid: def.uuid, schema, name: def.name.clone(), spec });
    }

    /// What all types can: RENAME TO, SET SCHEMA, OWNER TO.
    pub(super) fn alter_any(&mut self, scan: &mut Scan<'_>, def: &Arc<TypeDef>, command: &str) -> PgResult<()> {
        let lake = self.ctx.schema.clone();
        let own = lake.schemas.values().find(|s| s.id == def.schema_id).cloned();
        let own = own.ok_or_else(|| PgError::internal("a type without its schema"))?;
        if scan.word(&["rename", "to"]) {
            let name = scan.ident()?;
            scan.done(())?;
            self.type_is_free(&own, &name)?;
            self.not_in_texts(def)?;
            let spec = def.spec.clone();
            self.ops.push(DdlOp::AlterType { uuid: def.uuid, schema: own.uuid, name, spec });
            return Ok(());
        }
        if scan.word(&["set", "schema"]) {
            let name = scan.ident()?;
            scan.done(())?;
            let schema = self.schema(&name).ok_or_else(|| no_schema(&name))?;
            if schema.id != own.id {
                self.type_is_free(&schema, &def.name)?;
                self.not_in_texts(def)?;
                let (name, spec) = (def.name.clone(), def.spec.clone());
                self.ops.push(DdlOp::AlterType { uuid: def.uuid, schema: schema.uuid, name, spec });
            }
            return Ok(());
        }
        if scan.word(&["owner", "to"]) {
            let owner = scan.ident()?;
            self.check_owner(&Ident::with_quote('"', owner))?;
            return scan.done(());
        }
        Err(PgError::unsupported(format!("this form of {command} is not supported")).hint(
            "ADD VALUE, RENAME VALUE, ADD, DROP, ALTER and RENAME ATTRIBUTE, RENAME TO, SET SCHEMA and OWNER TO are.",
        ))
    }

    /// Views, checks and defaults are kept as text: one that names the type would not find it any more.
    pub(super) fn not_in_texts(&self, def: &TypeDef) -> PgResult<()> {
        let lake = &self.ctx.schema;
        let says = |text: &str| named_in(text, def, lake);
        let view = lake.views.values().find(|v| v.postgres_sql.as_deref().is_some_and(says));
        let table =
            lake.tables.values().find(|t| {
                let check = t.constraints.iter().any(
                    |c| matches!(&c.kind, duckmesh_catalog::ConstraintKind::Check { expression } if says(expression)),
                );
                let default = t.columns.iter().any(
                    |c| matches!(&c.default, Some(duckmesh_catalog::DefaultValue::Expression(text)) if says(text)),
                );
                check || default
            });
        let what = match (view, table) {
            (Some(view), _) => format!("view {}", quote(&view.name)),
            (None, Some(table)) => format!("a constraint or default of table {}", quote(&table.name)),
            (None, None) => return Ok(()),
        };
        Err(PgError::unsupported(format!("cannot rename or move type {}: {what} may name it", quote(&def.name)))
            .detail("Definitions are kept as they were written.")
            .hint("Drop the dependent object, change the type, and make the object again."))
    }

    /// `gone`: relations that the statement drops anyway.
    pub(super) fn drop_types(
        &mut self,
        types: &[Arc<TypeDef>],
        cascade: bool,
        gone: &[super::lookup::Relation],
    ) -> PgResult<()> {
        let gone_too = |uuid: Uuid| gone.iter().any(|r| r.uuid() == uuid);
        let lake = self.ctx.schema.clone();
        let listed = |uuid: Uuid| types.iter().any(|d| d.uuid == uuid);
        let (mut lines, mut ops, mut more) = (Vec::new(), Vec::new(), Vec::new());
        for def in types {
            let shown = self.type_shown(def);
            for table in lake.tables.values().filter(|t| !gone_too(t.uuid)) {
                let uses = |c: &&duckmesh_catalog::ColumnDef| c.domain == Some(def.uuid) || is_of(&c.ty, def.uuid);
                if cascade && !table.columns.is_empty() && table.columns.iter().all(|c| uses(&c)) {
                    let message = format!("cannot drop the only columns of table \"{}\" with {shown}", table.name);
                    return Err(PgError::unsupported(message).hint("Drop the table first."));
                }
                for column in table.columns.iter().filter(uses) {
                    let relation = super::lookup::Relation::Table(Arc::clone(table));
                    let what = format!("column {} of {}", quote(&column.name), self.describe(&relation));
                    for view in super::depends::views_on_column(self, &relation, &column.name) {
                        let view_uuid = view.view.uuid;
                        let named = self.describe(&super::lookup::Relation::View(view.view));
                        lines.push((named, what.clone()));
                        ops.push(DdlOp::DropView { uuid: view_uuid });
                    }
                    lines.push((what, shown.clone()));
                    ops.push(DdlOp::DropColumn { table: table.uuid, column: column.id });
                }
            }
            for view in
                lake.views.values().filter(|v| !gone_too(v.uuid) && v.columns.iter().any(|(_, ty)| is_of(ty, def.uuid)))
            {
                let op = DdlOp::DropView { uuid: view.uuid };
                if !ops.contains(&op) {
                    lines.push((self.describe(&super::lookup::Relation::View(Arc::clone(view))), shown.clone()));
                    ops.push(op);
                }
            }
            for other in lake.types.values().filter(|o| !listed(o.uuid) && needs(o, def.uuid)) {
                lines.push((self.type_shown(other), shown.clone()));
                more.push(Arc::clone(other));
            }
        }
        let first = match types {
            [only] => Some(self.type_shown(only)),
            _ => None,
        };
        self.restrict_or_tell_lines(&lines, cascade, first)?;
        // What goes with a schema goes once.
        for op in ops {
            if !self.ops.contains(&op) {
                self.ops.push(op);
            }
        }
        if !more.is_empty() {
            self.drop_types(&more, true, gone)?;
        }
        // Those first that no other one needs: mostly the newest.
        let mut left = types.to_vec();
        let free = |left: &[Arc<TypeDef>]| left.iter().rposition(|def| !left.iter().any(|o| needs(o, def.uuid)));
        while let Some(at) = free(&left) {
            self.ops.push(DdlOp::DropType { uuid: left.remove(at).uuid });
        }
        Ok(())
    }

    /// `type mood`, with its schema where the name alone does not find it.
    pub(super) fn type_shown(&self, def: &TypeDef) -> String {
        let found = user_type::find(std::slice::from_ref(&def.name), self.ctx);
        let name = match found {
            Some((found, false)) if found.uuid == def.uuid => quote(&def.name),
            _ => {
                let schema = self.ctx.schema.schema_name(def.schema_id).unwrap_or_default();
                format!("{}.{}", quote(schema_in_sql(schema)), quote(&def.name))
            }
        };
        format!("type {name}")
    }
}

/// Whether a text has the name where a type can stand: after `::`, after `AS`, or before a string. With a schema it is only
/// that schema's.
fn named_in(text: &str, def: &TypeDef, lake: &duckmesh_catalog::LakeSchema) -> bool {
    let dialect = crate::sql::dialect::Postgres {};
    let Ok(mut tokens) = sqlparser::tokenizer::Tokenizer::new(&dialect, text).tokenize() else { return true };
    tokens.retain(|t| !matches!(t, Token::Whitespace(_)));
    let name_of = |token: Option<&Token>| match token {
        Some(Token::Word(w)) if w.quote_style.is_some() => Some(w.value.clone()),
        Some(Token::Word(w)) => Some(w.value.to_lowercase()),
        _ => None,
    };
    let own = schema_in_sql(lake.schema_name(def.schema_id).unwrap_or_default());
    (0..tokens.len()).any(|at| {
        if name_of(tokens.get(at)).as_ref() != Some(&def.name) {
            return false;
        }
        let before = |n: usize| at.checked_sub(n).and_then(|i| tokens.get(i));
        let (start, schema) = match before(1) {
            Some(Token::Period) => (before(3), name_of(before(2))),
            other => (other, None),
        };
        let as_type = matches!(start, Some(Token::DoubleColon)) || name_of(start).as_deref() == Some("as");
        let typed = matches!(tokens.get(at + 1), Some(Token::SingleQuotedString(_)));
        (as_type || typed) && schema.is_none_or(|schema| schema == own)
    })
}

fn refused(what: &str) -> PgError {
    PgError::unsupported(format!("{what} is not supported"))
        .hint("Enums, domains and composite types can be made; for a range use two columns.")
}

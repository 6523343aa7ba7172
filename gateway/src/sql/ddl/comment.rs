//! COMMENT ON.

use duckmesh_catalog::{
    SequenceSpec, TypeSpec,
    ddl::{CommentTarget, DdlOp},
};
use sqlparser::{
    ast::{CommentObject, ObjectName, Statement},
    keywords::Keyword,
    tokenizer::Token,
};

use super::{
    Planner,
    index::Indexed,
    lookup::{Relation, no_column, no_relation, no_schema},
    preparse::object,
};
use crate::{
    sql::{
        parse,
        plan::{DatabasePlan, Plan, PlanContext},
        scan::Scan,
        user_type,
    },
    wire::error::{PgError, PgResult, SqlState},
};

pub(super) fn plan(
    mut planner: Planner<'_>,
    object: &CommentObject,
    name: &ObjectName,
    comment: Option<String>,
) -> PgResult<Plan> {
    // An empty comment is none, as in Postgres.
    let comment = comment.filter(|c| !c.is_empty());
    if comment.as_ref().is_some_and(|c| c.contains('\0')) {
        let message = "invalid byte sequence for encoding \"UTF8\": 0x00";
        return Err(PgError::new(SqlState::CHARACTER_NOT_IN_REPERTOIRE, message));
    }
    let on = match object {
        CommentObject::Table => match planner.relation(name)? {
            Relation::Table(table) => CommentTarget::Table(table.uuid),
            other => return Err(wrong_kind(other.name(), "a table")),
        },
        CommentObject::View => match planner.relation(name)? {
            Relation::View(view) => CommentTarget::View(view.uuid),
            other => return Err(wrong_kind(other.name(), "a view")),
        },
        CommentObject::Column => match planner.column_target(name)? {
            Some(target) => target,
            None => {
                planner.notices.push(PgError::notice("comments on columns of views are not kept"));
                return Ok(planner.finish("COMMENT"));
            }
        },
        CommentObject::Type => CommentTarget::Type(super::user_type::commented(&mut planner, name, false)?),
        CommentObject::Domain => CommentTarget::Type(super::user_type::commented(&mut planner, name, true)?),
        CommentObject::Schema => {
            let name = planner.schema_name(name)?;
            let schema = planner.schema(&name).ok_or_else(|| no_schema(&name))?;
            CommentTarget::Schema(schema.uuid)
        }
        CommentObject::Database => {
            let name = super::database::single(&mut planner, name)?;
            return Ok(Plan::Database(DatabasePlan::Comment { name, comment }));
        }
        CommentObject::Index => return planner.comment_on_index(name, comment),
        CommentObject::Sequence => return planner.comment_on_sequence(name, comment),
        other => {
            return Err(PgError::unsupported(format!("COMMENT ON {other} is not supported"))
                .hint("Comments can be on schemas, tables, columns, views, indexes, sequences and constraints."));
        }
    };
    planner.ops.push(DdlOp::Comment { on, comment });
    Ok(planner.finish("COMMENT"))
}

/// What sqlparser does not read, after `COMMENT ON`: constraints.
pub(super) fn scanned(mut scan: Scan<'_>, ctx: &PlanContext) -> PgResult<Plan> {
    if !scan.word(&["constraint"]) {
        if let Some(text) = with_plain_quotes(&mut scan)
            && let Statement::Comment { object_type, object_name, comment, .. } = parse::tree(&text)?
        {
            return plan(Planner::new(&text, ctx), &object_type, &object_name, comment);
        }
        let what = scan.ident().unwrap_or_default().to_uppercase();
        return Err(PgError::unsupported(format!("COMMENT ON {what} is not supported"))
            .hint("Comments can be on schemas, tables, columns, views, indexes, sequences and constraints."));
    }
    let mut planner = Planner::new(scan.text(), ctx);
    let name = scan.ident()?;
    scan.expect_word(&["on"])?;
    if scan.sees(&["domain"]) && !matches!(scan.ahead(1), Some(Token::Word(word)) if word.keyword == Keyword::IS) {
        scan.advance();
        return planner.comment_on_check_of_domain(scan, &name);
    }
    let table = object(&scan.name()?);
    scan.expect_word(&["is"])?;
    let comment = if scan.word(&["null"]) { None } else { Some(scan.string()?) };
    scan.done(())?;
    let Relation::Table(table) = planner.relation(&table)? else {
        return Err(wrong_kind(&table.to_string(), "a table"));
    };
    if !table.constraints.iter().any(|c| c.name == name) {
        let message = format!("constraint \"{name}\" for table \"{}\" does not exist", table.name);
        return Err(PgError::new(SqlState::UNDEFINED_OBJECT, message));
    }
    let on = CommentTarget::Constraint(table.uuid, name);
    planner.ops.push(DdlOp::Comment { on, comment: comment.filter(|c| !c.is_empty()) });
    Ok(planner.finish("COMMENT"))
}

/// The statement with its comment between plain quotes, where it is between dollar signs.
fn with_plain_quotes(scan: &mut Scan<'_>) -> Option<String> {
    let mark = scan.mark();
    while scan.ahead(1).is_some() {
        scan.advance();
    }
    let text = match scan.peek() {
        Some(Token::DollarQuotedString(said)) => {
            let before = scan.text().get(..scan.byte()).unwrap_or_default();
            Some(format!("{before}'{}'", said.value.replace('\'', "''")))
        }
        _ => None,
    };
    scan.back_to(mark);
    text
}

impl Planner<'_> {
    /// Behind `COMMENT ON CONSTRAINT name ON DOMAIN`.
    fn comment_on_check_of_domain(mut self, mut scan: Scan<'_>, check: &str) -> PgResult<Plan> {
        let parts = scan.name()?;
        scan.expect_word(&["is"])?;
        if !scan.word(&["null"]) {
            scan.string()?;
        }
        scan.done(())?;
        let found = user_type::find(&parts, self.ctx).filter(|(_, is_array)| !is_array).map(|(def, _)| def);
        let Some(def) = found else {
            let message = format!("type \"{}\" does not exist", parts.join("."));
            return Err(PgError::new(SqlState::UNDEFINED_OBJECT, message));
        };
        let TypeSpec::Domain(domain) = &def.spec else {
            return Err(wrong_kind(&def.name, "a domain"));
        };
        if !domain.checks.iter().any(|known| known.name == check) {
            let message = format!("constraint \"{check}\" for domain {} does not exist", def.name);
            return Err(PgError::new(SqlState::UNDEFINED_OBJECT, message));
        }
        self.notices.push(PgError::notice("comments on constraints of domains are not kept"));
        Ok(self.finish("COMMENT"))
    }

    fn comment_on_index(mut self, name: &ObjectName, comment: Option<String>) -> PgResult<Plan> {
        match self.index(name)? {
            Some((table, Indexed::Own(mut index))) => {
                index.comment = comment;
                self.ops.push(DdlOp::AlterIndex { table: table.uuid, index });
            }
            Some((_, Indexed::Key(_))) => {
                self.notices
                    .push(PgError::notice("comments on indexes of keys are not kept: comment on the constraint"));
            }
            None => return Err(self.not_an_index(name)?),
        }
        Ok(self.finish("COMMENT"))
    }

    fn comment_on_sequence(mut self, name: &ObjectName, comment: Option<String>) -> PgResult<Plan> {
        match self.relation(name)? {
            Relation::Sequence(sequence) => {
                let spec = SequenceSpec { comment, ..sequence.spec.clone() };
                self.put_sequence(&sequence, spec);
                Ok(self.finish("COMMENT"))
            }
            other => Err(wrong_kind(other.name(), "a sequence")),
        }
    }

    fn relation(&mut self, name: &ObjectName) -> PgResult<Relation> {
        self.not_system(name)?;
        if let Some(found) = self.find(name)? {
            return Ok(found);
        }
        let (schema, name) = self.split(name)?;
        Err(match schema {
            Some(schema) if self.schema(&schema).is_none() => no_schema(&schema),
            Some(schema) => no_relation(&format!("{schema}.{name}")),
            None => no_relation(&name),
        })
    }

    /// None: a column of a view.
    fn column_target(&mut self, name: &ObjectName) -> PgResult<Option<CommentTarget>> {
        let mut relation = name.clone();
        let column = relation.0.pop().and_then(|part| part.as_ident().cloned());
        let (Some(column), false) = (column, relation.0.is_empty()) else {
            return Err(PgError::new(SqlState::SYNTAX_ERROR, "column name must be qualified"));
        };
        let column = self.fold(&column)?;
        match self.relation(&relation)? {
            Relation::Table(table) => match table.column(&column) {
                Some(found) => Ok(Some(CommentTarget::Column(table.uuid, found.id))),
                None => Err(no_column(&column, &table.name)),
            },
            Relation::View(view) if view.columns.iter().any(|(n, _)| *n == column) => Ok(None),
            other => Err(no_column(&column, other.name())),
        }
    }
}

fn wrong_kind(name: &str, kind: &str) -> PgError {
    PgError::new(SqlState::WRONG_OBJECT_TYPE, format!("\"{name}\" is not {kind}"))
}

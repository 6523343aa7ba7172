//! EXPLAIN.

use sqlparser::ast;

use super::{
    dispatch,
    plan::{ExplainPlan, Plan, PlanContext},
};
use crate::wire::error::{PgError, PgResult, SqlState};

/// Plans an EXPLAIN.
pub fn plan(statement: &ast::Statement, text: &str, ctx: &PlanContext) -> PgResult<Plan> {
    let ast::Statement::Explain {
        describe_alias: ast::DescribeAlias::Explain,
        analyze,
        verbose,
        query_plan: false,
        estimate: false,
        statement,
        format,
        options,
    } = statement
    else {
        return Err(PgError::unsupported("this form of EXPLAIN is not supported"));
    };
    let mut plan = ExplainPlan {
        analyze: *analyze,
        verbose: *verbose,
        json: match format {
            None => false,
            Some(format) => is_json(&format.to_string())?,
        },
        inner: Box::new(Plan::NoOp { tag: String::new(), notice: None }),
    };
    for option in options.iter().flatten() {
        let name = option.name.value.to_ascii_lowercase();
        let value = option.arg.as_ref().map(|a| a.to_string().trim_matches('\'').to_ascii_lowercase());
        let on = || match value.as_deref() {
            None | Some("true" | "on" | "1") => Ok(true),
            Some("false" | "off" | "0") => Ok(false),
            Some(_) => Err(PgError::new(SqlState::SYNTAX_ERROR, format!("{name} requires a Boolean value"))),
        };
        match name.as_str() {
            "analyze" => plan.analyze = on()?,
            "verbose" => plan.verbose = on()?,
            "costs" | "settings" | "buffers" | "wal" | "timing" | "summary" => {
                on()?;
            }
            "format" => plan.json = is_json(value.as_deref().unwrap_or_default())?,
            _ => {
                return Err(PgError::new(SqlState::SYNTAX_ERROR, format!("unrecognized EXPLAIN option \"{name}\"")));
            }
        }
    }
    let inner = dispatch::plan_tree(statement, text, ctx)?
        .filter(|p| matches!(p, Plan::Query(_) | Plan::Insert(_) | Plan::CreateTableAs(_)))
        .ok_or_else(|| PgError::unsupported("EXPLAIN of this statement is not supported"))?;
    plan.inner = Box::new(inner);
    Ok(Plan::Explain(plan))
}

fn is_json(format: &str) -> PgResult<bool> {
    match format.to_ascii_lowercase().as_str() {
        "text" => Ok(false),
        "json" => Ok(true),
        "xml" | "yaml" => Err(PgError::unsupported(format!("EXPLAIN format {format} is not supported"))),
        _ => Err(PgError::new(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("unrecognized value for EXPLAIN option \"format\": \"{format}\""),
        )),
    }
}

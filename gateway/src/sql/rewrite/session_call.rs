//! Calls that the gateway runs itself: sequences, `set_config`, advisory locks, `pg_sleep`, `pg_notify`.
//!
//! Each is run once for the statement, and its value stands in the engine's text. Only `nextval`, and `setval` in the
//! statement's own list, are run for each row.

use duckmesh_catalog::{
    ColumnType, SequenceDef,
    types::{SystemType, oid},
};
use sqlparser::ast::{Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Spanned, UnaryOperator, Value};

use super::{Audience, Column, Ex, Rewriter, from::Alias, scope::column_ex};
use crate::{
    sql::{
        plan::{AdvisoryCall, CallArg, RowCall, RowCallKind, SessionCall, SessionFunction, SessionValue},
        quote, sequence,
    },
    value::hash::{self, Hashed},
    wire::error::{PgError, PgResult, SqlState},
};

/// How the call begins by which the engine asks for a number: with the hole after it no text of a client is like that.
const NUMBER: &str = "pg_next_number(\0";
/// The same call where it stays: queries outside do not take it for one of theirs.
const NUMBER_HERE: &str = "\"pg_next_number\"(\0";

/// All such calls in a text: what stands in their parentheses is a hole.
fn calls_in(text: &str) -> Vec<String> {
    let end = |at: usize| text.get(at..).and_then(|rest| rest.find(')')).map(|length| at + length + 1);
    let calls = text.match_indices(NUMBER).filter_map(|(at, _)| text.get(at..end(at)?));
    calls.map(str::to_owned).collect()
}

type Signature = (SessionFunction, &'static [&'static [ColumnType]], ColumnType);

/// What calls give that give nothing: an empty text.
const VOID: ColumnType = ColumnType::System(SystemType::Text(oid::VOID));

/// The function of a name: the types of its arguments in each form, and of its result.
fn signature(name: &str) -> Option<Signature> {
    use ColumnType as T;
    use SessionFunction as F;
    const NAME: &[ColumnType] = &[ColumnType::Text];
    const NONE: &[ColumnType] = &[];
    const KEYS: &[&[ColumnType]] = &[&[ColumnType::Int8], &[ColumnType::Int4, ColumnType::Int4]];
    Some(match name {
        "nextval" => (F::NextVal, &[NAME], T::Int8),
        "currval" => (F::CurrVal, &[NAME], T::Int8),
        "lastval" => (F::LastVal, &[NONE], T::Int8),
        "setval" => (F::SetVal, &[&[T::Text, T::Int8], &[T::Text, T::Int8, T::Bool]], T::Int8),
        "set_config" => (F::SetConfig, &[&[T::Text, T::Text, T::Bool]], T::Text),
        "pg_sleep" => (F::Sleep, &[&[T::Float8]], VOID),
        "pg_sleep_for" => (F::SleepFor, &[&[T::Interval]], VOID),
        "pg_sleep_until" => (F::SleepUntil, &[&[T::Timestamptz]], VOID),
        "pg_notify" => (F::Notify, &[&[T::Text, T::Text]], VOID),
        "pg_advisory_unlock" => (F::AdvisoryUnlock { shared: false }, KEYS, T::Bool),
        "pg_advisory_unlock_shared" => (F::AdvisoryUnlock { shared: true }, KEYS, T::Bool),
        "pg_cancel_backend" => (F::Signal { ends: false }, &[&[T::Int4]], T::Bool),
        "pg_terminate_backend" => (F::Signal { ends: true }, &[&[T::Int4], &[T::Int4, T::Int8]], T::Bool),
        "pg_advisory_unlock_all" => (F::AdvisoryUnlockAll, &[NONE], VOID),
        _ => {
            let (tries, rest) = match name.strip_prefix("pg_try_advisory_") {
                Some(rest) => (true, rest),
                None => (false, name.strip_prefix("pg_advisory_")?),
            };
            let (transaction, shared) = match rest {
                "lock" => (false, false),
                "lock_shared" => (false, true),
                "xact_lock" => (true, false),
                "xact_lock_shared" => (true, true),
                _ => return None,
            };
            let result = if tries { T::Bool } else { VOID };
            (F::AdvisoryLock(AdvisoryCall { tries, transaction, shared }), KEYS, result)
        }
    })
}

/// The function that a call names, `pg_catalog` or nothing before it.
fn named(function: &Function) -> Option<String> {
    let parts = quote::parts(&function.name)?;
    match parts.as_slice() {
        [name] => Some(name.clone()),
        [schema, name] if schema == "pg_catalog" => Some(name.clone()),
        _ => None,
    }
}

/// Arguments of a plain call.
fn arguments(function: &Function) -> Option<Vec<&Expr>> {
    let plain = function.over.is_none() && function.filter.is_none() && function.within_group.is_empty();
    let list = match &function.args {
        FunctionArguments::List(list) if plain && list.clauses.is_empty() => list,
        _ => return None,
    };
    let value = |arg| match arg {
        &FunctionArg::Unnamed(FunctionArgExpr::Expr(ref expr)) => Some(expr),
        _ => None,
    };
    list.args.iter().map(value).collect()
}

impl Rewriter<'_> {
    /// A call that the gateway runs; none: another function.
    pub fn gateway_call(&mut self, function: &Function) -> PgResult<Option<Ex>> {
        if named(function).as_deref() == Some("pg_get_serial_sequence") {
            return self.serial_call(function);
        }
        let Some((name, (call, forms, result))) = named(function).and_then(|n| Some((n.clone(), signature(&n)?)))
        else {
            return Ok(None);
        };
        let at = self.at(function.name.span());
        let Some(args) = arguments(function) else { return self.refuse("this form of a call", at) };
        let Some(types) = forms.iter().find(|form| form.len() == args.len()) else {
            let mut values = Vec::new();
            for arg in args {
                values.push(self.expr(arg)?);
            }
            return Err(self.undefined_function(&name, &values, at));
        };
        self.bounded("session functions")?;
        if self.audience == Audience::Lake || self.in_view() {
            return self.refuse(&format!("{name} in a view"), at);
        }
        let mut known = Vec::with_capacity(args.len());
        for (arg, ty) in args.iter().zip(*types) {
            let Some(arg) = self.call_arg(arg, ty)? else {
                let message = format!("{name} takes constants and parameters only");
                return Err(PgError::unsupported(message)
                    .hint("Compute the value in a statement before, and pass it.")
                    .or_position(at));
            };
            known.push(arg);
        }
        let name_at = args.first().and_then(|arg| self.at_expr(arg));
        self.check_sequence(call, &known).map_err(|e| match e.code() {
            SqlState::UNDEFINED_TABLE => e.or_position(name_at),
            _ => e,
        })?;
        if call == SessionFunction::NextVal && self.scopes.last().is_some_and(|s| !s.relations.is_empty()) {
            return Ok(Some(self.numbered(known).at(at)));
        }
        Ok(Some(self.called(call, known, result).at(at)))
    }

    /// `nextval` over rows: the engine asks for a number for each.
    fn numbered(&mut self, args: Vec<CallArg>) -> Ex {
        let Some(name) = args.into_iter().next() else { return Ex::of("CAST(NULL AS BIGINT)", ColumnType::Int8) };
        self.numbers.push(name);
        let hole = self.session_value(SessionValue::Number(self.numbers.len() - 1));
        Ex::of(format!("pg_next_number({hole})"), ColumnType::Int8)
    }

    /// The rows of FROM with the numbers that a list asks for as columns: macros write their arguments several times, and each
    /// would ask for a number of its own. Relations are rows there, so that their columns are still found. None: the list asks
    /// for none.
    pub(super) fn with_numbers(&mut self, texts: &mut [&mut String], from: &str, selection: &str) -> Option<String> {
        if !texts.iter().any(|text| text.contains(NUMBER)) {
            return None;
        }
        let relations = &self.scopes.last()?.relations;
        if relations.is_empty() || relations.iter().any(|r| !r.known) {
            return None;
        }
        let row = |r: &super::Relation| {
            let field = |c: &Column| {
                let name = quote::literal(&c.engine).ok()?;
                Some(format!("{name}: {}", column_ex(r, c).sql))
            };
            let fields: Vec<String> = r.columns.iter().map(field).collect::<Option<_>>()?;
            let row = if fields.is_empty() { "TRUE".to_owned() } else { format!("{{{}}}", fields.join(", ")) };
            Some(format!("{row} AS {}", quote::name(&r.engine)))
        };
        let mut list: Vec<String> = relations.iter().map(row).collect::<Option<_>>()?;
        let mut names = Vec::new();
        for text in texts.iter() {
            for call in calls_in(text) {
                if !names.contains(&call) {
                    names.push(call);
                }
            }
        }
        let alias = format!("numbers_{}", self.number());
        for (n, call) in names.iter().enumerate() {
            let column = format!("\"{alias}_{n}\"");
            texts.iter_mut().for_each(|text| **text = text.replace(call, &column));
            list.push(format!("{call} AS {column}"));
        }
        Some(format!("(SELECT {} FROM {from}{selection}) AS \"{alias}\"", list.join(", ")))
    }

    /// A SELECT's text that is done: the numbers in it are its own.
    pub(super) fn numbers_stay(sql: String) -> String {
        if sql.contains(NUMBER) { sql.replace(NUMBER, NUMBER_HERE) } else { sql }
    }

    /// A call's hole.
    fn called(&mut self, function: SessionFunction, args: Vec<CallArg>, result: ColumnType) -> Ex {
        self.calls += 1;
        let call = SessionCall { function, args, number: self.calls };
        Ex::of(self.session_value(SessionValue::Call(call)), result)
    }

    /// A sequence that is not there is told before anything runs.
    fn check_sequence(&self, call: SessionFunction, args: &[CallArg]) -> PgResult<()> {
        let takes = matches!(call, SessionFunction::NextVal | SessionFunction::CurrVal | SessionFunction::SetVal);
        if let (true, Some(CallArg::Text(name))) = (takes, args.first()) {
            sequence::resolve(name, &self.ctx.schema, &self.ctx.search_path)?;
        }
        Ok(())
    }

    /// An argument that is known when the statement begins; none for one that must be computed.
    fn call_arg(&mut self, expr: &Expr, ty: &ColumnType) -> PgResult<Option<CallArg>> {
        Ok(match expr {
            Expr::Nested(inner) | Expr::Cast { expr: inner, .. } => self.call_arg(inner, ty)?,
            Expr::UnaryOp { op: UnaryOperator::Minus, expr } => match self.call_arg(expr, ty)? {
                Some(CallArg::Text(text)) if matches!(expr.as_ref(), Expr::Value(v) if matches!(v.value, Value::Number(..))) => {
                    Some(CallArg::Text(format!("-{text}")))
                }
                _ => None,
            },
            Expr::Value(value) => match &value.value {
                Value::Null => Some(CallArg::Null),
                Value::Number(text, _) => Some(CallArg::Text(text.clone())),
                Value::Boolean(value) => Some(CallArg::Text(value.to_string())),
                Value::Placeholder(name) => {
                    let at = self.at(value.span);
                    self.param(name, at)?;
                    let index = name.strip_prefix('$').and_then(|n| n.parse::<usize>().ok()).unwrap_or(1) - 1;
                    if self.params.get(index).is_some_and(Option::is_none) {
                        self.param_is(index, ty, at)?;
                    }
                    Some(CallArg::Param(index))
                }
                other => super::string_of(other).map(CallArg::Text),
            },
            Expr::TypedString(typed) => super::string_of(&typed.value.value).map(CallArg::Text),
            Expr::Interval(interval) => match interval.value.as_ref() {
                Expr::Value(value) => super::string_of(&value.value).map(CallArg::Text),
                _ => None,
            },
            Expr::Function(function) if named(function).as_deref() == Some("pg_get_serial_sequence") => {
                self.serial_of(function)?
            }
            Expr::Function(function) => self.hash_of(function)?,
            _ => None,
        })
    }

    /// `hashtext('name')`, also of a parameter.
    fn hash_of(&mut self, function: &Function) -> PgResult<Option<CallArg>> {
        let name = named(function).unwrap_or_default();
        let seeded = name.strip_suffix("extended").map(|plain| plain.trim_end_matches('_'));
        let Some(kind) = hash::hashed_by(seeded.unwrap_or(&name)) else { return Ok(None) };
        let args = arguments(function).unwrap_or_default();
        let (value, seed) = match (args.as_slice(), seeded) {
            ([value], None) => (*value, None),
            ([value, seed], Some(_)) => match self.call_arg(seed, &ColumnType::Int8)? {
                Some(CallArg::Text(seed)) => match seed.parse() {
                    Ok(seed) => (*value, Some(seed)),
                    Err(_) => return Ok(None),
                },
                _ => return Ok(None),
            },
            _ => return Ok(None),
        };
        let ty = match kind {
            Hashed::Text | Hashed::Padded => ColumnType::Text,
            Hashed::Int4 => ColumnType::Int4,
            Hashed::Int8 | Hashed::Oid => ColumnType::Int8,
            Hashed::Float8 => ColumnType::Float8,
            Hashed::Uuid => ColumnType::Uuid,
        };
        Ok(self.call_arg(value, &ty)?.map(|value| CallArg::Hash(Box::new(value), kind, seed)))
    }

    /// `pg_get_serial_sequence('t', 'c')` of constants.
    fn serial_of(&mut self, function: &Function) -> PgResult<Option<CallArg>> {
        let constant = |expr: &&Expr| match expr {
            Expr::Value(value) => super::string_of(&value.value),
            _ => None,
        };
        let args = arguments(function).unwrap_or_default();
        let texts: Vec<String> = args.iter().filter_map(constant).collect();
        let [table, column] = texts.as_slice() else { return Ok(None) };
        let found = sequence::serial(table, column, &self.ctx.schema, &self.ctx.search_path)?;
        Ok(Some(found.map_or(CallArg::Null, CallArg::Text)))
    }

    /// `pg_get_serial_sequence` of constants or parameters; none where its arguments are columns.
    fn serial_call(&mut self, function: &Function) -> PgResult<Option<Ex>> {
        if let Some(found) = self.serial_of(function)? {
            let sql = match found {
                CallArg::Text(name) => quote::literal(&name)?,
                _ => "CAST(NULL AS VARCHAR)".to_owned(),
            };
            return Ok(Some(Ex::of(sql, ColumnType::Text)));
        }
        let simple = |expr: &&Expr| match expr {
            Expr::Value(_) => true,
            Expr::Cast { expr, .. } => matches!(expr.as_ref(), Expr::Value(_)),
            _ => false,
        };
        let args = arguments(function).unwrap_or_default();
        if args.len() != 2 || !args.iter().all(simple) || self.audience == Audience::Lake || self.in_view() {
            return Ok(None);
        }
        let mut known = Vec::with_capacity(args.len());
        for arg in args {
            known.extend(self.call_arg(arg, &ColumnType::Text)?);
        }
        Ok(Some(self.called(SessionFunction::SerialSequence, known, ColumnType::Text)))
    }

    /// `nextval`, `setval` and `pg_cancel_backend` as a column of the statement itself: a value for each row. None: something
    /// else.
    pub fn row_call(&mut self, expr: &Expr, column: usize) -> PgResult<Option<(String, ColumnType)>> {
        let Expr::Function(function) = expr else { return Ok(None) };
        let Some(name) = named(function) else { return Ok(None) };
        let Some(args) = arguments(function) else { return Ok(None) };
        if self.audience == Audience::Lake || self.in_view() || self.bounds.is_some() {
            return Ok(None);
        }
        let rows = self.scopes.last().is_some_and(|s| !s.relations.is_empty());
        match (name.as_str(), args.as_slice()) {
            ("nextval", [sequence]) if rows => {
                let Some(sequence) = self.call_arg(sequence, &ColumnType::Text)? else { return Ok(None) };
                self.check_sequence(SessionFunction::NextVal, std::slice::from_ref(&sequence))?;
                self.row_calls.push(RowCall { column, kind: RowCallKind::Sequence { name: sequence, sets: false } });
                Ok(Some(("CAST(0 AS BIGINT)".into(), ColumnType::Int8)))
            }
            ("setval", [sequence, value, rest @ ..]) if rest.len() < 2 => {
                let constant = |e: &Expr| matches!(e, Expr::Value(_) | Expr::Cast { .. } | Expr::UnaryOp { .. });
                if !rows && constant(value) && rest.iter().all(|e| constant(e)) {
                    return Ok(None);
                }
                let Some(sequence) = self.call_arg(sequence, &ColumnType::Text)? else { return Ok(None) };
                self.check_sequence(SessionFunction::SetVal, std::slice::from_ref(&sequence))?;
                let value = self.expr(value)?;
                let value = self.settle(value, &ColumnType::Int8)?.sql;
                let called = match rest.first() {
                    None => "TRUE".to_owned(),
                    Some(called) => {
                        let called = self.expr(called)?;
                        self.settle(called, &ColumnType::Bool)?.sql
                    }
                };
                self.row_calls.push(RowCall { column, kind: RowCallKind::Sequence { name: sequence, sets: true } });
                let sql = format!("(CAST({value} AS BIGINT) * 2 + CAST(CAST({called} AS BOOLEAN) AS BIGINT))");
                Ok(Some((sql, ColumnType::Int8)))
            }
            ("pg_cancel_backend" | "pg_terminate_backend", [number, rest @ ..]) if rest.len() < 2 => {
                if matches!(number, Expr::Value(_)) {
                    return Ok(None);
                }
                let number = self.expr(number)?;
                let number = self.settle(number, &ColumnType::Int4)?.sql;
                let ends = name == "pg_terminate_backend";
                self.row_calls.push(RowCall { column, kind: RowCallKind::Signal { ends } });
                Ok(Some((format!("CAST({number} AS BIGINT)"), ColumnType::Bool)))
            }
            _ => Ok(None),
        }
    }

    /// A sequence in FROM: one row that says how far it is.
    pub(super) fn sequence_relation(&mut self, sequence: &SequenceDef, schema: &str, alias: Alias) -> PgResult<String> {
        self.bounded("subquery")?;
        if self.audience == Audience::Lake || self.in_view() {
            return self.refuse("a view over a sequence", alias.at);
        }
        let whole = sequence::default_text(schema, &sequence.name);
        let name = whole.strip_prefix("nextval('").and_then(|t| t.strip_suffix("'::regclass)")).unwrap_or_default();
        let name = CallArg::Text(name.replace("''", "'"));
        let last = self.called(SessionFunction::SequenceLast, vec![name.clone()], ColumnType::Int8);
        let called = self.called(SessionFunction::SequenceCalled, vec![name], ColumnType::Bool);
        let body = format!(
            "(SELECT {} AS \"last_value\", CAST(0 AS BIGINT) AS \"log_cnt\", {} AS \"is_called\")",
            last.sql, called.sql
        );
        let columns =
            [("last_value", ColumnType::Int8), ("log_cnt", ColumnType::Int8), ("is_called", ColumnType::Bool)];
        let columns =
            columns.map(|(name, ty)| Column { name: name.into(), engine: name.into(), ty: Some(ty), origin: None });
        self.place(body, alias, (&sequence.name, Some(schema.to_owned())), columns.into(), true, None)
    }
}

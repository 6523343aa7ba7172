//! Calls: the functions whose arguments and results are known here, and those in SQL's own syntax.

use sqlparser::ast::{
    CeilFloorKind, Expr, ExtractSyntax, Function, FunctionArg, FunctionArgExpr, FunctionArguments, TrimWhereField,
};

use super::{
    node::{Class, Node, Typed},
    resolve::{Resolver, common, settled, to},
};
use crate::sql::quote;

/// Functions with arguments of fixed types.
const FIXED: &[(&str, &[Class], Class)] = {
    use Class as C;
    &[
        ("lower", &[C::Text], C::Text),
        ("upper", &[C::Text], C::Text),
        ("initcap", &[C::Text], C::Text),
        ("reverse", &[C::Text], C::Text),
        ("md5", &[C::Text], C::Text),
        ("btrim", &[C::Text, C::Text], C::Text),
        ("ltrim", &[C::Text, C::Text], C::Text),
        ("rtrim", &[C::Text, C::Text], C::Text),
        ("length", &[C::Text], C::Int4),
        ("char_length", &[C::Text], C::Int4),
        ("character_length", &[C::Text], C::Int4),
        ("octet_length", &[C::Text], C::Int4),
        ("left", &[C::Text, C::Int4], C::Text),
        ("right", &[C::Text, C::Int4], C::Text),
        ("repeat", &[C::Text, C::Int4], C::Text),
        ("substr", &[C::Text, C::Int4], C::Text),
        ("substr", &[C::Text, C::Int4, C::Int4], C::Text),
        ("replace", &[C::Text, C::Text, C::Text], C::Text),
        ("split_part", &[C::Text, C::Text, C::Int4], C::Text),
        ("strpos", &[C::Text, C::Text], C::Int4),
        ("starts_with", &[C::Text, C::Text], C::Bool),
        ("round", &[C::Numeric, C::Int4], C::Numeric),
        ("date_trunc", &[C::Text, C::Timestamptz], C::Timestamptz),
        ("date_trunc", &[C::Text, C::Timestamp], C::Timestamp),
        ("date_part", &[C::Text, C::Timestamptz], C::Float8),
        ("date_part", &[C::Text, C::Timestamp], C::Float8),
        ("to_char", &[C::Timestamptz, C::Text], C::Text),
        ("to_char", &[C::Timestamp, C::Text], C::Text),
        ("now", &[], C::Timestamptz),
        ("transaction_timestamp", &[], C::Timestamptz),
        ("statement_timestamp", &[], C::Timestamptz),
        ("clock_timestamp", &[], C::Timestamptz),
        ("random", &[], C::Float8),
        ("gen_random_uuid", &[], C::Uuid),
        ("row_number", &[], C::Int8),
    ]
};

/// None: not known here.
pub fn resolve(resolver: &Resolver<'_>, expr: &Expr) -> Option<Typed> {
    match expr {
        Expr::Function(function) => call(resolver, function),
        Expr::Extract { field, syntax: ExtractSyntax::From, expr } => {
            let value = resolver.expr(expr)?;
            let class = value.class.filter(|class| class.is_day() || matches!(class, Class::Time | Class::Interval))?;
            let words = vec![format!("EXTRACT({} FROM ", field.to_string().to_lowercase()), ")".to_owned()];
            Some(Typed::new(Node::Words(words, vec![to(value, class)?.node]), Class::Numeric))
        }
        Expr::Substring { expr, substring_from: Some(from), substring_for, .. } => {
            let mut words = vec!["SUBSTRING(".to_owned(), " FROM ".to_owned()];
            let mut args = vec![text(resolver, expr)?, typed(resolver, from, Class::Int4)?];
            if let Some(length) = substring_for {
                words.push(" FOR ".to_owned());
                args.push(typed(resolver, length, Class::Int4)?);
            }
            words.push(")".to_owned());
            Some(Typed::new(Node::Words(words, args), Class::Text))
        }
        Expr::Trim { trim_where, trim_what, expr, trim_characters: None } => {
            let side = match trim_where {
                None | Some(TrimWhereField::Both) => "BOTH",
                Some(TrimWhereField::Leading) => "LEADING",
                Some(TrimWhereField::Trailing) => "TRAILING",
            };
            let value = text(resolver, expr)?;
            let (words, args) = match trim_what {
                None => (vec![format!("TRIM({side} FROM "), ")".to_owned()], vec![value]),
                Some(what) => {
                    let words = vec![format!("TRIM({side} "), " FROM ".to_owned(), ")".to_owned()];
                    (words, vec![text(resolver, what)?, value])
                }
            };
            Some(Typed::new(Node::Words(words, args), Class::Text))
        }
        Expr::Position { expr, r#in } => {
            let words = vec!["POSITION((".to_owned(), ") IN (".to_owned(), "))".to_owned()];
            let args = vec![text(resolver, expr)?, text(resolver, r#in)?];
            Some(Typed::new(Node::Words(words, args), Class::Int4))
        }
        Expr::Ceil { expr, field: CeilFloorKind::DateTimeField(sqlparser::ast::DateTimeField::NoDateTime) } => {
            same(resolver, "ceil", expr)
        }
        Expr::Floor { expr, field: CeilFloorKind::DateTimeField(sqlparser::ast::DateTimeField::NoDateTime) } => {
            same(resolver, "floor", expr)
        }
        _ => None,
    }
}

/// A word that is a call.
pub fn word(word: &str) -> Option<Typed> {
    let (word, class) = match word {
        "current_date" => ("CURRENT_DATE", Class::Date),
        "current_timestamp" => ("CURRENT_TIMESTAMP", Class::Timestamptz),
        "localtimestamp" => ("LOCALTIMESTAMP", Class::Timestamp),
        "localtime" => ("LOCALTIME", Class::Time),
        "current_user" => ("CURRENT_USER", Class::Text),
        "session_user" => ("SESSION_USER", Class::Text),
        "user" => ("USER", Class::Text),
        "current_role" => ("CURRENT_ROLE", Class::Text),
        "current_catalog" => ("CURRENT_CATALOG", Class::Text),
        "current_schema" => ("CURRENT_SCHEMA", Class::Text),
        _ => return None,
    };
    Some(Typed::new(Node::Word(word), class))
}

fn text(resolver: &Resolver<'_>, expr: &Expr) -> Option<Node> {
    typed(resolver, expr, Class::Text)
}

fn typed(resolver: &Resolver<'_>, expr: &Expr, class: Class) -> Option<Node> {
    let value = resolver.expr(expr)?;
    // What is not given so is converted by nobody: there may be another function.
    let near = value.class.is_none_or(|own| own == class || own == Class::Varchar && class == Class::Text);
    near.then(|| to(value, class))?.map(|value| value.node)
}

/// A numeric function that is there for doubles and numerics.
fn same(resolver: &Resolver<'_>, name: &str, expr: &Expr) -> Option<Typed> {
    let value = resolver.expr(expr)?;
    let class = value.class.filter(|class| class.is_number())?;
    let class = if class == Class::Numeric { Class::Numeric } else { Class::Float8 };
    Some(Typed::new(Node::Call(name.to_owned(), vec![to(value, class)?.node]), class))
}

fn call(resolver: &Resolver<'_>, function: &Function) -> Option<Typed> {
    let plain = function.over.is_none() && function.filter.is_none() && function.within_group.is_empty();
    let name = match quote::parts(&function.name)?.as_slice() {
        [name] => name.clone(),
        [schema, name] if schema == "pg_catalog" => name.clone(),
        _ => return None,
    };
    let list = match &function.args {
        FunctionArguments::None => return word(&name),
        FunctionArguments::List(list) if plain && list.clauses.is_empty() => list,
        _ => return None,
    };
    let distinct = list.duplicate_treatment.is_some();
    if let [FunctionArg::Unnamed(FunctionArgExpr::Wildcard)] = list.args.as_slice() {
        return (name == "count" && !distinct)
            .then(|| Typed::new(Node::Words(vec!["count(*)".to_owned()], Vec::new()), Class::Int8));
    }
    let mut args = Vec::with_capacity(list.args.len());
    for arg in &list.args {
        match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => args.push(resolver.expr(expr)?),
            _ => return None,
        }
    }
    if let Some(found) = aggregate(&name, distinct, &args) {
        return found;
    }
    if distinct {
        return None;
    }
    match name.as_str() {
        "coalesce" => choice("COALESCE", args),
        "greatest" => choice("GREATEST", args),
        "least" => choice("LEAST", args),
        "abs" => {
            let arg = args.into_iter().next()?;
            let class = arg.class.filter(|class| class.is_number())?;
            Some(Typed::new(Node::Call(name, vec![arg.node]), class))
        }
        _ => fixed(name, &args),
    }
}

fn fixed(name: String, args: &[Typed]) -> Option<Typed> {
    let fits = |own: Option<Class>, wanted: Class| {
        own.is_none_or(|own| own == wanted || own == Class::Varchar && wanted == Class::Text)
    };
    let takes = |wanted: &[Class]| {
        wanted.len() == args.len() && args.iter().zip(wanted).all(|(arg, class)| fits(arg.class, *class))
    };
    let mut found = FIXED.iter().filter(|(known, wanted, _)| *known == name && takes(wanted));
    let (_, wanted, result) = found.next()?;
    // A text that two of them would take.
    if found.next().is_some() {
        return None;
    }
    let args = args.iter().zip(*wanted).map(|(arg, class)| Some(to(arg.clone(), *class)?.node));
    Some(Typed::new(Node::Call(name, args.collect::<Option<Vec<_>>>()?), *result))
}

fn choice(name: &'static str, args: Vec<Typed>) -> Option<Typed> {
    let mut class: Option<Class> = None;
    for own in args.iter().filter_map(|arg| arg.class) {
        class = Some(class.map_or(Some(own), |known| common(known, own))?);
    }
    let class = class.unwrap_or(Class::Text);
    let args = args.into_iter().map(|arg| Some(to(arg, class)?.node)).collect::<Option<Vec<_>>>()?;
    Some(Typed::new(Node::Choice(name, args), class))
}

/// The outer none: no aggregate.
fn aggregate(name: &str, distinct: bool, args: &[Typed]) -> Option<Option<Typed>> {
    use Class as C;
    let [arg] = args else { return None };
    let result = |own: C| {
        Some(match (name, own) {
            ("count", _) => C::Int8,
            ("sum", C::Int2 | C::Int4) => C::Int8,
            ("sum", C::Int8 | C::Numeric) => C::Numeric,
            ("sum", C::Float4 | C::Float8 | C::Interval) => own,
            ("avg", C::Float4 | C::Float8) => C::Float8,
            ("avg", own) if own.is_number() => C::Numeric,
            ("min" | "max", C::Varchar) => C::Text,
            ("min" | "max", own) if own != C::Bool && own != C::Uuid && own != C::Bytea => own,
            ("bool_and" | "bool_or" | "every", C::Bool) => C::Bool,
            _ => return None,
        })
    };
    if !["count", "sum", "avg", "min", "max", "bool_and", "bool_or", "every"].contains(&name) {
        return None;
    }
    Some((|| {
        let arg = settled(arg.clone())?;
        let class = result(arg.class?)?;
        let arg = if arg.class == Some(C::Varchar) && name != "count" { to(arg, C::Text)? } else { arg };
        let words = vec![format!("{name}({}", if distinct { "DISTINCT " } else { "" }), ")".to_owned()];
        Some(Typed::new(
            if distinct { Node::Words(words, vec![arg.node]) } else { Node::Call(name.into(), vec![arg.node]) },
            class,
        ))
    })())
}

//! Commands about the conversation's own things: prepared statements and cursors. They are read from their text.

use std::sync::Arc;

use sqlparser::tokenizer::Token;

use super::{
    backward,
    parse::parse_here,
    plan::Plan,
    scan::{Scan, begins_with, is_word, string_of},
    statement::Statement,
};
use crate::wire::{
    backend::{Command, CursorOptions, Direction, Given, GivenValue, TypeName, Written},
    error::{PgError, PgResult},
};

const VERBS: [&str; 9] = ["prepare", "execute", "deallocate", "declare", "fetch", "move", "close", "explain", "create"];

/// Plans such a command; none for others. Must be on a thread with a large stack.
pub fn preparse(text: &str) -> PgResult<Option<Plan>> {
    if !begins_with(text, &VERBS) {
        return Ok(None);
    }
    let Some(mut scan) = Scan::new(text) else { return Ok(None) };
    let command = if scan.word(&["prepare"]) {
        prepare(&mut scan)?
    } else if scan.word(&["execute"]) {
        let name = scan.ident()?;
        Command::Execute { name, given: given(&mut scan)?, explain: None }
    } else if scan.word(&["deallocate"]) {
        // `PREPARE` is a noise word here, but a statement may also have that name.
        if scan.ahead(1).is_some() {
            scan.word(&["prepare"]);
        }
        let all = scan.word(&["all"]);
        let name = if all { None } else { Some(scan.ident()?) };
        scan.done(Command::Deallocate(name))?
    } else if scan.word(&["declare"]) {
        declare(&mut scan)?
    } else if scan.word(&["fetch"]) {
        fetch(&mut scan, false)?
    } else if scan.word(&["move"]) {
        fetch(&mut scan, true)?
    } else if scan.word(&["close"]) {
        let all = scan.word(&["all"]);
        let name = if all { None } else { Some(scan.ident()?) };
        scan.done(Command::Close(name))?
    } else if scan.word(&["create"]) {
        match create_as(&mut scan)? {
            Some(command) => command,
            None => return Ok(None),
        }
    } else {
        match explain(&mut scan)? {
            Some(command) => command,
            None => return Ok(None),
        }
    };
    Ok(Some(Plan::Command(Box::new(command))))
}

/// Whether a text is `EXPLAIN … EXECUTE name`.
pub(super) fn explains_execute(text: &str) -> bool {
    if !begins_with(text, &["explain"]) {
        return false;
    }
    let Some(scan) = Scan::new(text) else { return false };
    let mut at = 1;
    let mut depth = 0_usize;
    while let Some(token) = scan.ahead(at) {
        match token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.saturating_sub(1),
            other if depth == 0 => {
                if is_word(other, "analyze") || is_word(other, "analyse") || is_word(other, "verbose") {
                    at += 1;
                    continue;
                }
                return is_word(other, "execute");
            }
            _ => {}
        }
        at += 1;
    }
    false
}

fn explain(scan: &mut Scan<'_>) -> PgResult<Option<Command<Statement>>> {
    if !explains_execute(scan.text()) {
        return Ok(None);
    }
    let mut depth = 0_usize;
    while let Some(token) = scan.peek() {
        match token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.saturating_sub(1),
            other if depth == 0 && is_word(other, "execute") => break,
            _ => {}
        }
        scan.advance();
    }
    let prefix = scan.text().get(..scan.byte()).unwrap_or_default().to_owned();
    scan.expect_word(&["execute"])?;
    let name = scan.ident()?;
    Ok(Some(Command::Execute { name, given: given(scan)?, explain: Some(prefix) }))
}

fn prepare(scan: &mut Scan<'_>) -> PgResult<Command<Statement>> {
    let name = scan.ident()?;
    let mut param_types = Vec::new();
    if scan.take(&Token::LParen) {
        let mut depth = 0_usize;
        let (mut from, mut at) = (scan.mark(), scan.position());
        loop {
            match scan.peek() {
                Some(Token::LParen) => depth += 1,
                Some(Token::RParen) if depth > 0 => depth -= 1,
                Some(end @ (Token::Comma | Token::RParen)) if depth == 0 => {
                    let last = *end == Token::RParen;
                    let ty = scan.source(from, scan.mark());
                    param_types.push(TypeName { name: ty.trim().to_owned(), position: at });
                    scan.advance();
                    (from, at) = (scan.mark(), scan.position());
                    if last {
                        break;
                    }
                    continue;
                }
                Some(_) => {}
                None => return Err(scan.unexpected()),
            }
            scan.advance();
        }
    }
    scan.expect_word(&["as"])?;
    const PREPARABLE: [&str; 9] =
        ["select", "insert", "update", "delete", "merge", "values", "with", "table", "create"];
    let starts = PREPARABLE.iter().any(|word| scan.sees(&[word])) || scan.peek() == Some(&Token::LParen);
    if !starts {
        return Err(scan.unexpected());
    }
    let statement = rest(scan)?;
    Ok(Command::Prepare { name, statement, param_types, text: scan.text().to_owned() })
}

/// The statement that the rest of the text is.
fn rest(scan: &Scan<'_>) -> PgResult<Statement> {
    let (before, text) = scan.text().split_at_checked(scan.byte()).unwrap_or_default();
    let text = text.trim_end().trim_end_matches(';');
    // Positions of errors count from the command's start.
    let text = format!("{}{text}", " ".repeat(before.chars().count()));
    let mut statements = parse_here(&Arc::from(text.as_str()))?;
    match (statements.pop(), statements.is_empty()) {
        (Some(statement), true) => Ok(statement),
        _ => Err(scan.unexpected()),
    }
}

/// `(1, 'x', now())`
fn given(scan: &mut Scan<'_>) -> PgResult<Given> {
    if scan.is_done() {
        return Ok(Given::default());
    }
    scan.expect(&Token::LParen)?;
    let before = scan.text().get(..scan.byte()).unwrap_or_default().chars().count();
    let from = scan.mark();
    let mut values = Vec::new();
    let mut depth = 0_usize;
    let (mut value, mut position) = (scan.mark(), scan.position());
    loop {
        match scan.peek() {
            Some(Token::LParen) if ["select", "with"].iter().any(|word| is_next(scan, word)) => {
                let message = "cannot use subquery in EXECUTE parameter";
                return Err(PgError::unsupported(message).or_position(scan.position()));
            }
            Some(Token::LParen | Token::LBracket) => depth += 1,
            Some(Token::RBracket) => depth = depth.saturating_sub(1),
            Some(Token::RParen) if depth > 0 => depth -= 1,
            Some(end @ (Token::Comma | Token::RParen)) if depth == 0 => {
                let last = *end == Token::RParen;
                let to = scan.mark();
                if value == to {
                    return Err(scan.unexpected());
                }
                let source = scan.source(value, to).to_owned();
                values.push(GivenValue { written: constant(&source), source, position });
                scan.advance();
                (value, position) = (scan.mark(), scan.position());
                if last {
                    let list = scan.source(from, to).to_owned();
                    return scan.done(Given { values, list, before });
                }
                continue;
            }
            Some(_) => {}
            None => return Err(scan.unexpected()),
        }
        scan.advance();
    }
}

/// Whether the token behind the one at hand is this word.
fn is_next(scan: &Scan<'_>, word: &str) -> bool {
    scan.ahead(1).is_some_and(|token| is_word(token, word))
}

/// A constant as it is written; none: something else.
fn constant(source: &str) -> Option<Written> {
    let mut scan = Scan::new(source)?;
    let sign = if scan.take(&Token::Minus) { "-" } else { "" };
    let value = match scan.advance()? {
        Token::Number(text, _) => Written::Number(format!("{sign}{text}")),
        token if sign.is_empty() => match string_of(&token) {
            Some(text) => Written::Text(Some(text)),
            None if is_word(&token, "null") => Written::Text(None),
            None => return None,
        },
        _ => return None,
    };
    scan.is_done().then_some(value)
}

/// `CREATE … TABLE … AS EXECUTE name (…)`, with what stands around the EXECUTE.
fn create_as(scan: &mut Scan<'_>) -> PgResult<Option<Command<Statement>>> {
    let mut depth = 0_usize;
    while !(depth == 0 && scan.sees(&["as", "execute"])) {
        match scan.peek() {
            None => return Ok(None),
            Some(Token::LParen) => depth += 1,
            Some(Token::RParen) => depth = depth.saturating_sub(1),
            Some(_) => {}
        }
        scan.advance();
    }
    scan.expect_word(&["as"])?;
    let before = scan.text().get(..scan.byte()).unwrap_or_default().to_owned();
    scan.expect_word(&["execute"])?;
    let name = scan.ident()?;
    let end = scan.text().trim_end().trim_end_matches(';').len();
    let with = [["with", "no", "data"].as_slice(), &["with", "data"]];
    if scan.is_done() {
        let given = Given::default();
        return Ok(Some(Command::CreateAs { name, given, before, after: String::new() }));
    }
    // Values of an EXECUTE are in parentheses: what follows them is the table's.
    let mut rest = Scan::new(scan.text().get(scan.byte()..end).unwrap_or_default()).ok_or_else(|| scan.unexpected())?;
    let mut depth = 0_usize;
    while let Some(token) = rest.peek().filter(|_| depth > 0 || !with.iter().any(|words| rest.sees(words))) {
        match token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.saturating_sub(1),
            _ => {}
        }
        rest.advance();
    }
    let (values, after) = rest.text().split_at_checked(rest.byte()).unwrap_or_default();
    let given = match Scan::new(values) {
        Some(mut values) => given(&mut values)?,
        None => Given::default(),
    };
    Ok(Some(Command::CreateAs { name, given, before, after: format!(" {after}") }))
}

fn declare(scan: &mut Scan<'_>) -> PgResult<Command<Statement>> {
    let name = scan.ident()?;
    let mut options = CursorOptions::default();
    loop {
        if scan.word(&["binary"]) {
            options.binary = true;
        } else if scan.word(&["insensitive"]) || scan.word(&["asensitive"]) {
            // Every cursor is: its snapshot is fixed.
        } else if scan.word(&["no", "scroll"]) {
            options.scroll = Some(false);
        } else if scan.word(&["scroll"]) {
            options.scroll = Some(true);
        } else {
            break;
        }
    }
    scan.expect_word(&["cursor"])?;
    options.hold = scan.word(&["with", "hold"]);
    if !options.hold {
        scan.word(&["without", "hold"]);
    }
    scan.expect_word(&["for"])?;
    let query = ["select", "values", "with", "table"].iter().any(|word| scan.sees(&[word]));
    if !query && scan.peek() != Some(&Token::LParen) {
        return Err(scan.unexpected());
    }
    let statement = rest(scan)?;
    options.backward = backward::scans(statement.text());
    Ok(Command::Declare { name, statement, options, text: scan.text().to_owned() })
}

fn fetch(scan: &mut Scan<'_>, moves: bool) -> PgResult<Command<Statement>> {
    const ALL: i64 = i64::MAX;
    // A word may also be the cursor's name: then nothing follows it.
    let more = scan.ahead(1).is_some();
    let direction = match scan.peek() {
        Some(t) if more && is_word(t, "next") => step(scan, Direction::Forward(1)),
        Some(t) if more && is_word(t, "prior") => step(scan, Direction::Backward(1)),
        Some(t) if more && is_word(t, "first") => step(scan, Direction::Absolute(1)),
        Some(t) if more && is_word(t, "last") => step(scan, Direction::Absolute(-1)),
        Some(t) if more && is_word(t, "all") => step(scan, Direction::Forward(ALL)),
        Some(t) if more && is_word(t, "absolute") => {
            scan.advance();
            Direction::Absolute(number(scan)?)
        }
        Some(t) if more && is_word(t, "relative") => {
            scan.advance();
            Direction::Relative(number(scan)?)
        }
        Some(t) if more && (is_word(t, "forward") || is_word(t, "backward")) => {
            let forward = is_word(t, "forward");
            scan.advance();
            let count = match scan.peek() {
                Some(t) if is_word(t, "all") => {
                    scan.advance();
                    ALL
                }
                Some(Token::Number(..) | Token::Minus | Token::Plus) => number(scan)?,
                _ => 1,
            };
            if forward { signed(count) } else { signed(count.saturating_neg()).or_backward(count) }
        }
        Some(Token::Number(..) | Token::Minus | Token::Plus) => signed(number(scan)?),
        _ => Direction::Forward(1),
    };
    if !scan.word(&["from"]) {
        scan.word(&["in"]);
    }
    let name = scan.ident()?;
    scan.done(Command::Fetch { name, direction, moves })
}

fn step(scan: &mut Scan<'_>, direction: Direction) -> Direction {
    scan.advance();
    direction
}

/// Forward by a number that may be negative.
fn signed(count: i64) -> Direction {
    if count < 0 { Direction::Backward(count.saturating_neg()) } else { Direction::Forward(count) }
}

impl Direction {
    /// `BACKWARD 0` is the row where the cursor stands, as `FORWARD 0` is.
    fn or_backward(self, count: i64) -> Self {
        if count == 0 { Self::Relative(0) } else { self }
    }
}

fn number(scan: &mut Scan<'_>) -> PgResult<i64> {
    let sign = if scan.take(&Token::Minus) { "-" } else { "" };
    scan.take(&Token::Plus);
    match scan.peek() {
        Some(Token::Number(text, _)) => {
            let value = format!("{sign}{text}").parse().map_err(|_| scan.unexpected())?;
            scan.advance();
            Ok(value)
        }
        _ => Err(scan.unexpected()),
    }
}

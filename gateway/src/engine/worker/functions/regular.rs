//! Regular expressions: `regexp_*` and what `~` cannot ask of the engine.
//!
//! Most run in linear time. Back references and lookaround do not, and have a bound of steps.

use std::{cell::RefCell, ops::Range, rc::Rc};

use regex::Regex;

use super::{
    Failure, Outcome, Value,
    reach::{Marks, Reach},
    text,
};

/// Bytes that a compiled expression may take.
pub(super) const REGEX_BYTES_MAX: usize = 4 << 20;
/// Steps back that an expression with back references may take for one match.
const STEPS_MAX: usize = 1_000_000;

/// Groups of one match, joined: the query splits them again. NULL is the lower of the two.
const SEPARATOR: char = '\u{1f}';
const NOTHING: &str = "\u{1e}";

/// A compiled expression.
enum Pattern {
    /// With what says how long its matches are, where that is not sure.
    Linear(Regex, Option<Box<Reach>>),
    Stepping(Box<fancy_regex::Regex>),
}

/// Where the whole and each group of a match are.
pub(super) type Found = Vec<Option<Range<usize>>>;

thread_local! {
    /// The last expression: rows of one column mostly have the same.
    static LAST: RefCell<Option<(String, String, Rc<Pattern>)>> = const { RefCell::new(None) };
}

fn compiled(pattern: &str, flags: &str) -> Outcome<Rc<Pattern>> {
    let known = LAST.with_borrow(|last| {
        last.as_ref().filter(|(p, f, _)| p == pattern && f == flags).map(|(_, _, regex)| Rc::clone(regex))
    });
    if let Some(regex) = known {
        return Ok(regex);
    }
    let regex = Rc::new(compile(pattern, flags)?);
    LAST.set(Some((pattern.to_owned(), flags.to_owned(), Rc::clone(&regex))));
    Ok(regex)
}

fn compile(pattern: &str, flags: &str) -> Outcome<Pattern> {
    let (mut lines, mut ignore, mut spaced, mut literal) = (false, false, false, false);
    for flag in flags.chars() {
        match flag {
            'i' => ignore = true,
            'c' => ignore = false,
            'n' | 'm' => lines = true,
            's' | 'g' | 't' | 'e' => {}
            'x' => spaced = true,
            'q' => literal = true,
            other => {
                return Err(Failure::new("22023", format!("invalid regular expression option: \"{other}\"")));
            }
        }
    }
    let translated = if literal { regex::escape(pattern) } else { translate(pattern) };
    if !literal && steps_back(&translated) {
        let mark = |on: bool, letter: &str| if on { letter.to_owned() } else { String::new() };
        let marks = format!("{}{}{}{}", mark(ignore, "i"), mark(!lines, "s"), mark(lines, "m"), mark(spaced, "x"));
        let translated = translated.replace("\\b{start}", "\\b(?=\\w)").replace("\\b{end}", "\\b(?<=\\w)");
        return fancy_regex::RegexBuilder::new(&format!("(?{marks})(?:{translated})"))
            .backtrack_limit(STEPS_MAX)
            .delegate_size_limit(REGEX_BYTES_MAX)
            .build()
            .map(|regex| Pattern::Stepping(Box::new(regex)))
            .map_err(|e| invalid(&e.to_string()));
    }
    let marks = Marks { ignore, lines, spaced };
    marks
        .regex(&translated)
        .map(|regex| Pattern::Linear(regex, Reach::of(&translated, marks).filter(|_| !literal).map(Box::new)))
        .map_err(|e| match e {
            regex::Error::CompiledTooBig(_) => {
                Failure::new("2201B", "invalid regular expression: regular expression is too complex")
            }
            other => invalid(other.to_string().lines().last().unwrap_or_default()),
        })
}

/// Postgres' words for what is wrong.
pub(super) fn invalid(reason: &str) -> Failure {
    const WORDS: [(&str, &str); 12] = [
        ("unclosed group", "parentheses () not balanced"),
        ("unopened group", "parentheses () not balanced"),
        ("unclosed character class", "brackets [] not balanced"),
        ("parenthes", "parentheses () not balanced"),
        ("repetition operator missing", "quantifier operand invalid"),
        ("invalid character class range", "invalid character range"),
        ("repetition count range", "invalid repetition count(s)"),
        ("repetition quantifier expects", "invalid repetition count(s)"),
        ("escape sequence", "invalid escape \\ sequence"),
        ("back reference", "invalid backreference number"),
        ("backref", "invalid backreference number"),
        ("ASCII class", "invalid character class"),
    ];
    let reason = reason.trim_start_matches("error: ");
    let found = WORDS.iter().find(|(theirs, _)| reason.to_lowercase().contains(&theirs.to_lowercase()));
    Failure::new("2201B", format!("invalid regular expression: {}", found.map_or(reason, |w| w.1)))
}

/// Whether it has a back reference or looks around.
fn steps_back(pattern: &str) -> bool {
    let mut bytes = pattern.bytes().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' if bytes.next().is_some_and(|b| (b'1'..=b'9').contains(&b)) => return true,
            b'(' if bytes.next_if_eq(&b'?').is_some() => match bytes.next() {
                Some(b'=' | b'!') => return true,
                Some(b'<') if bytes.peek().is_some_and(|b| matches!(b, b'=' | b'!')) => return true,
                _ => {}
            },
            _ => {}
        }
    }
    false
}

/// What Postgres' classes of characters are, beyond ASCII too, in this library's words; they stand within other classes as
/// well.
const CLASSES: [(&str, &str); 9] = [
    ("alpha", r"\p{Alphabetic}[\p{Nd}--[0-9]]"),
    ("alnum", r"\p{Alphabetic}\p{Nd}"),
    ("word", r"\p{Alphabetic}\p{Nd}_"),
    ("upper", r"\p{Uppercase}\p{Lt}"),
    ("lower", r"\p{Lowercase}\p{Lt}"),
    ("space", r"[\s--[\x{a0}\x{2007}\x{202f}]]"),
    ("punct", r"\p{P}\p{S}\p{No}\x{a0}\x{2007}\x{202f}[\p{M}--\p{Alphabetic}]"),
    ("graph", r"\p{L}\p{M}\p{N}\p{P}\p{S}\x{a0}\x{2007}\x{202f}"),
    ("print", r"\p{L}\p{M}\p{N}\p{P}\p{S}\p{Zs}"),
];

fn class(name: &str) -> Option<&'static str> {
    CLASSES.iter().find(|(known, _)| *known == name).map(|(_, written)| *written)
}

/// The class that an escape stands for.
fn shorthand(letter: char) -> Option<String> {
    let name = match letter.to_ascii_lowercase() {
        'w' => "word",
        's' => "space",
        'd' => return Some(if letter == 'd' { "[0-9]" } else { "[^0-9]" }.to_owned()),
        _ => return None,
    };
    let not = if letter.is_ascii_uppercase() { "^" } else { "" };
    Some(format!("[{not}{}]", class(name)?))
}

/// Postgres' own escapes and classes in this library's words.
pub(super) fn translate(pattern: &str) -> String {
    // Where words begin and end, in the older way of writing it.
    let pattern = pattern.replace("[[:<:]]", "\\m").replace("[[:>:]]", "\\M");
    let mut out = String::with_capacity(pattern.len());
    let mut rest = pattern.as_str();
    let mut within = false;
    while let Some(c) = rest.chars().next() {
        let after = rest.get(c.len_utf8()..).unwrap_or_default();
        rest = match c {
            '\\' => escape(after, &mut out),
            '[' if !within => {
                within = true;
                out.push(c);
                first_of_class(after, &mut out)
            }
            ']' if within => {
                within = false;
                out.push(c);
                after
            }
            '[' => bracket(after, &mut out),
            // Of these the library makes sets of sets.
            '&' | '~' if within => {
                out.extend(['\\', c]);
                after
            }
            _ => {
                out.push(c);
                after
            }
        };
    }
    out
}

/// What follows a backslash; gives what is left behind it.
fn escape<'p>(rest: &'p str, out: &mut String) -> &'p str {
    let mut chars = rest.chars();
    match chars.next() {
        Some('m') => out.push_str("\\b{start}"),
        Some('M') => out.push_str("\\b{end}"),
        Some('y') => out.push_str("\\b"),
        Some('Y') => out.push_str("\\B"),
        Some('Z') => out.push_str("\\z"),
        Some('e') => out.push_str("\\x1b"),
        Some('b') => out.push_str("\\x08"),
        Some('B') => out.push_str("\\\\"),
        Some(other) => match shorthand(other) {
            Some(class) => out.push_str(&class),
            None if other.is_ascii_punctuation() || other.is_ascii_alphanumeric() => out.extend(['\\', other]),
            None => out.push(other),
        },
        None => out.push('\\'),
    }
    chars.as_str()
}

/// A bracket that comes first is one of the class.
fn first_of_class<'p>(rest: &'p str, out: &mut String) -> &'p str {
    let mut rest = rest;
    if let Some(after) = rest.strip_prefix('^') {
        out.push('^');
        rest = after;
    }
    match rest.strip_prefix(']') {
        Some(after) => {
            out.push_str("\\]");
            after
        }
        None => rest,
    }
}

/// A bracket within a class: `[:alpha:]`, or itself.
fn bracket<'p>(rest: &'p str, out: &mut String) -> &'p str {
    let named = rest.strip_prefix(':').and_then(|rest| rest.split_once(":]"));
    match named {
        Some((name, after)) if name.bytes().all(|b| b.is_ascii_lowercase()) => {
            match class(name) {
                Some(written) => out.push_str(written),
                None => out.push_str(&format!("[:{name}:]")),
            }
            after
        }
        _ => {
            out.push_str("\\[");
            rest
        }
    }
}

fn too_complex<E>(_: E) -> Failure {
    Failure::new("54001", "the regular expression takes too many steps")
}

impl Pattern {
    fn is_match(&self, subject: &str) -> Outcome<bool> {
        match self {
            Self::Linear(regex, _) => Ok(regex.is_match(subject)),
            Self::Stepping(regex) => regex.is_match(subject).map_err(too_complex),
        }
    }

    /// At most `count` matches from a place on.
    fn find(&self, subject: &str, from: usize, count: usize) -> Outcome<Vec<Found>> {
        let mut all = Vec::new();
        let mut at = from;
        while all.len() < count && at <= subject.len() {
            let found: Option<Found> = match self {
                Self::Linear(regex, reach) => {
                    let found = regex.captures_at(subject, at);
                    let found = found.map(|c| c.iter().map(|m| m.map(|m| m.range())).collect::<Found>());
                    match reach {
                        Some(reach) => found.map(|found| reach.extended(subject, found)),
                        None => found,
                    }
                }
                Self::Stepping(regex) => regex
                    .captures_from_pos(subject, at)
                    .map_err(too_complex)?
                    .map(|c| c.iter().map(|m| m.map(|m| m.range())).collect()),
            };
            let Some(found) = found else { break };
            let Some(whole) = found.first().cloned().flatten() else { break };
            at = whole.end;
            // As in Postgres an empty match may stand right behind another that is not.
            if whole.is_empty() {
                at += subject.get(whole.end..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8);
            }
            all.push(found);
        }
        Ok(all)
    }
}

fn piece(subject: &str, range: Option<&Range<usize>>) -> Option<String> {
    subject.get(range?.clone()).map(str::to_owned)
}

/// The groups of a match, or the whole where there are none.
fn groups(subject: &str, found: &Found) -> Vec<Option<String>> {
    let skipped = usize::from(found.len() > 1);
    found.iter().skip(skipped).map(|range| piece(subject, range.as_ref())).collect()
}

/// `x ~ pattern`.
pub fn like(args: &[Option<&str>]) -> Outcome<Value> {
    let regex = compiled(text(args, 1), without_g(text(args, 2), "regexp_like")?)?;
    Ok(Value::Bool(regex.is_match(text(args, 0))?))
}

/// `regexp_match`.
pub fn captures(args: &[Option<&str>]) -> Outcome<Value> {
    let (subject, flags) = (text(args, 0), text(args, 2));
    if flags.contains('g') {
        return Err(Failure::new("22023", "regexp_match() does not support the \"global\" option"));
    }
    let found = compiled(text(args, 1), flags)?.find(subject, 0, 1)?;
    Ok(found.first().map_or(Value::Null, |found| Value::Texts(groups(subject, found))))
}

/// `regexp_matches`: one text for each match.
pub fn all_captures(args: &[Option<&str>]) -> Outcome<Value> {
    let (subject, flags) = (text(args, 0), text(args, 2));
    let count = if flags.contains('g') { usize::MAX } else { 1 };
    let join = |found: Found| {
        let parts: Vec<String> =
            groups(subject, &found).into_iter().map(|g| g.unwrap_or_else(|| NOTHING.to_owned())).collect();
        Some(parts.join(&SEPARATOR.to_string()))
    };
    Ok(Value::Texts(compiled(text(args, 1), flags)?.find(subject, 0, count)?.into_iter().map(join).collect()))
}

/// `regexp_split_to_array`: empty matches at the ends and beside other matches do not split.
pub fn split(args: &[Option<&str>]) -> Outcome<Value> {
    let subject = text(args, 0);
    let (mut parts, mut from) = (Vec::new(), 0);
    let flags = without_g(text(args, 2), "regexp_split_to_array")?;
    for found in compiled(text(args, 1), flags)?.find(subject, 0, usize::MAX)? {
        let Some(found) = found.first().cloned().flatten() else { continue };
        if found.end == 0 || (found.is_empty() && (found.start >= subject.len() || found.start == from)) {
            continue;
        }
        parts.push(subject.get(from..found.start).map(str::to_owned));
        from = found.end;
    }
    parts.push(subject.get(from..).map(str::to_owned));
    Ok(Value::Texts(parts))
}

/// A template of `regexp_replace` filled with a match.
fn fill(template: &str, subject: &str, found: &Found, out: &mut String) {
    let mut chars = template.chars();
    let put = |at: usize, out: &mut String| {
        if let Some(piece) = found.get(at).and_then(|range| piece(subject, range.as_ref())) {
            out.push_str(&piece);
        }
    };
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('&') => put(0, out),
            Some(d @ '1'..='9') => put(d.to_digit(10).unwrap_or(0) as usize, out),
            Some('\\') | None => out.push('\\'),
            Some(other) => {
                out.push('\\');
                out.push(other);
            }
        }
    }
}

fn replaced(subject: &str, template: &str, found: &[Found]) -> String {
    let (mut out, mut from) = (String::with_capacity(subject.len()), 0);
    for one in found {
        let Some(whole) = one.first().cloned().flatten() else { continue };
        out.push_str(subject.get(from..whole.start).unwrap_or_default());
        fill(template, subject, one, &mut out);
        from = whole.end;
    }
    out.push_str(subject.get(from..).unwrap_or_default());
    out
}

/// `regexp_replace(x, pattern, template, flags)`.
pub fn replace(args: &[Option<&str>]) -> Outcome<Value> {
    let (subject, flags) = (text(args, 0), text(args, 3));
    let count = if flags.contains('g') { usize::MAX } else { 1 };
    let found = compiled(text(args, 1), flags)?.find(subject, 0, count)?;
    Ok(Value::Text(replaced(subject, text(args, 2), &found)))
}

/// A whole number that may not be below `least`.
fn number(args: &[Option<&str>], at: usize, name: &str, least: i64) -> Outcome<usize> {
    let value = super::integer(args, at);
    let wrong = || Failure::new("22023", format!("invalid value for parameter \"{name}\": {value}"));
    if value < least { Err(wrong()) } else { usize::try_from(value).map_err(|_| wrong()) }
}

/// Where the character of that number begins, counted from 1.
fn place(subject: &str, start: usize) -> usize {
    // Behind the last character is a place too, where `$` is.
    let places = subject.char_indices().map(|(at, _)| at).chain([subject.len()]);
    places.into_iter().nth(start.saturating_sub(1)).unwrap_or(subject.len() + 1)
}

fn without_g<'a>(flags: &'a str, name: &str) -> Outcome<&'a str> {
    if flags.contains('g') {
        return Err(Failure::new("22023", format!("{name}() does not support the \"global\" option")));
    }
    Ok(flags)
}

/// `regexp_replace(x, pattern, template, start, n, flags)`.
pub fn replace_from(args: &[Option<&str>]) -> Outcome<Value> {
    let (subject, flags) = (text(args, 0), text(args, 5));
    let start = number(args, 3, "start", 1)?;
    let n = number(args, 4, "n", 0)?;
    let from = place(subject, start);
    let wanted = if n == 0 { usize::MAX } else { n };
    let mut found = compiled(text(args, 1), flags)?.find(subject, from, wanted)?;
    if n > 0 {
        found = found.into_iter().skip(n - 1).collect();
    }
    Ok(Value::Text(replaced(subject, text(args, 2), &found)))
}

/// `regexp_count(x, pattern, start, flags)`.
pub fn count(args: &[Option<&str>]) -> Outcome<Value> {
    let subject = text(args, 0);
    let from = place(subject, number(args, 2, "start", 1)?);
    let flags = without_g(text(args, 3), "regexp_count")?;
    let found = compiled(text(args, 1), flags)?.find(subject, from, usize::MAX)?;
    Ok(Value::Int(i64::try_from(found.len()).unwrap_or(i64::MAX)))
}

/// `regexp_instr(x, pattern, start, n, endoption, flags, subexpr)`.
pub fn position(args: &[Option<&str>]) -> Outcome<Value> {
    let subject = text(args, 0);
    let start = number(args, 2, "start", 1)?;
    let n = number(args, 3, "n", 1)?;
    let end = number(args, 4, "endoption", 0)?;
    if end > 1 {
        return Err(Failure::new("22023", format!("invalid value for parameter \"endoption\": {end}")));
    }
    let flags = without_g(text(args, 5), "regexp_instr")?;
    let group = number(args, 6, "subexpr", 0)?;
    let found = compiled(text(args, 1), flags)?.find(subject, place(subject, start), n)?;
    let range = found.get(n - 1).and_then(|f| f.get(group).cloned().flatten());
    let at = |byte: usize| subject.get(..byte).map_or(0, |head| head.chars().count() + 1);
    Ok(Value::Int(range.map_or(0, |r| i64::try_from(at(if end == 1 { r.end } else { r.start })).unwrap_or(0))))
}

/// `regexp_substr(x, pattern, start, n, flags, subexpr)`.
pub fn part(args: &[Option<&str>]) -> Outcome<Value> {
    let subject = text(args, 0);
    let start = number(args, 2, "start", 1)?;
    let n = number(args, 3, "n", 1)?;
    let flags = without_g(text(args, 4), "regexp_substr")?;
    let group = number(args, 5, "subexpr", 0)?;
    let found = compiled(text(args, 1), flags)?.find(subject, place(subject, start), n)?;
    let text = found.get(n - 1).and_then(|f| piece(subject, f.get(group)?.as_ref()));
    Ok(text.map_or(Value::Null, Value::Text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matched(pattern: &str, subject: &str) -> Vec<String> {
        let found = compile(pattern, "").unwrap().find(subject, 0, usize::MAX).unwrap();
        found.iter().filter_map(|f| piece(subject, f.first()?.as_ref())).collect()
    }

    #[test]
    fn what_linear_expressions_lack() {
        assert_eq!(matched("(a)\\1", "aab aa"), ["aa", "aa"]);
        assert_eq!(matched("foo(?=bar)", "foobar foobaz"), ["foo"]);
        assert_eq!(matched("(?<!x)b", "xb b"), ["b"]);
        assert_eq!(matched("a*", "baac"), ["", "aa", "", ""]);
        assert_eq!(matched("\\mb(?=a)", "bar ba xba"), ["b", "b"]);
        assert!(!steps_back("(?:a)\\\\1[(]"));
        // Too many steps are an error, not a hang.
        let slow = compile("(a*)*\\1b", "").unwrap();
        assert!(slow.is_match(&"a".repeat(5000)).is_err());
    }

    #[test]
    fn errors_are_postgres_own() {
        for (pattern, expect) in [
            ("(", "parentheses () not balanced"),
            ("a)", "parentheses () not balanced"),
            ("[a", "brackets [] not balanced"),
            ("*", "quantifier operand invalid"),
            ("[z-a]", "invalid character range"),
            ("a{2,1}", "invalid repetition count(s)"),
        ] {
            let error = compile(pattern, "").err().unwrap().raised();
            assert_eq!(error, format!("SQLSTATE 2201B: invalid regular expression: {expect}"), "{pattern}");
        }
    }
}

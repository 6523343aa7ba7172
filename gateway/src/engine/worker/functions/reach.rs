//! How far a match of a regular expression reaches: as far as it can, or as near, as Postgres has it. The library takes the first
//! alternative that fits.

use std::{cell::RefCell, iter::Peekable, str::Chars};

use regex::{Regex, RegexBuilder};
use regex_automata::{
    Anchored, Input, MatchKind,
    hybrid::dfa::{Cache, DFA},
    nfa::thompson,
    util::syntax,
};

use super::regular::{Found, REGEX_BYTES_MAX};

/// Bytes that an automaton may keep between two looks at a text.
const CACHE_BYTES: usize = 1 << 20;

/// How an expression is to be read.
#[derive(Clone, Copy)]
pub struct Marks {
    pub ignore: bool,
    pub lines: bool,
    pub spaced: bool,
}

impl Marks {
    pub fn regex(self, pattern: &str) -> Result<Regex, regex::Error> {
        RegexBuilder::new(pattern)
            .case_insensitive(self.ignore)
            .dot_matches_new_line(!self.lines)
            .multi_line(self.lines)
            .ignore_whitespace(self.spaced)
            .size_limit(REGEX_BYTES_MAX)
            .build()
    }

    fn automaton(self, pattern: &str) -> Option<DFA> {
        let config = DFA::config()
            .match_kind(MatchKind::All)
            .unicode_word_boundary(true)
            .skip_cache_capacity_check(true)
            .cache_capacity(CACHE_BYTES);
        let syntax = syntax::Config::new()
            .case_insensitive(self.ignore)
            .dot_matches_new_line(!self.lines)
            .multi_line(self.lines)
            .ignore_whitespace(self.spaced);
        let nfa = thompson::Config::new().nfa_size_limit(Some(REGEX_BYTES_MAX));
        DFA::builder().configure(config).syntax(syntax).thompson(nfa).build(pattern).ok()
    }
}

/// What finds the end of a match whose beginning is known.
pub struct Reach {
    automaton: DFA,
    cache: RefCell<Cache>,
    /// Whether the nearest end is wanted.
    nearest: bool,
    /// The expression up to the end of the text, for its groups.
    whole: Regex,
}

impl Reach {
    /// None: there is nothing to choose, or the automaton would be too large.
    pub fn of(pattern: &str, marks: Marks) -> Option<Self> {
        let nearest = prefers_nearest(pattern)?;
        let automaton = marks.automaton(pattern)?;
        let cache = RefCell::new(automaton.create_cache());
        let line = if marks.spaced { "\n" } else { "" };
        let whole = marks.regex(&format!("(?:{pattern}{line})\\z")).ok()?;
        Some(Self { automaton, cache, nearest, whole })
    }

    /// A match with the end that Postgres gives it.
    pub fn extended(&self, subject: &str, found: Found) -> Found {
        let Some(first) = found.first().cloned().flatten() else { return found };
        let input = Input::new(subject).range(first.start..).anchored(Anchored::Yes).earliest(self.nearest);
        let end = self.automaton.try_search_fwd(&mut self.cache.borrow_mut(), &input);
        // Words of other letters than ASCII's have ends that it does not see.
        let Ok(Some(end)) = end.map(|end| end.map(|end| end.offset())) else { return found };
        if end == first.end {
            return found;
        }
        if found.len() == 1 {
            return vec![Some(first.start..end)];
        }
        let captures = subject.get(..end).and_then(|text| self.whole.captures_at(text, first.start));
        match captures {
            Some(groups) if groups.get(0).is_some_and(|m| m.start() == first.start) => {
                groups.iter().map(|group| group.map(|group| group.range())).collect()
            }
            _ => found,
        }
    }
}

/// Whether an expression takes as little as it can: as its first part with a preference does. None: it has none.
fn prefers_nearest(pattern: &str) -> Option<bool> {
    preference(&mut pattern.chars().peekable(), 0)
}

/// Parentheses inside of each other, of which the outer ones are looked at.
const DEPTH_MAX: usize = 100;

/// The preference of what stands up to the end of a group. Of several branches the longest is always taken.
fn preference(chars: &mut Peekable<Chars<'_>>, depth: usize) -> Option<bool> {
    let (mut first, mut branches) = (None, 1);
    while let Some(c) = chars.next() {
        let own = match c {
            ')' => break,
            '|' => {
                branches += 1;
                continue;
            }
            '\\' => {
                let letter = chars.next();
                // `\p{…}`, `\x{…}` and `\b{…}` have no bounds there.
                if matches!(letter, Some('p' | 'P' | 'x' | 'b')) && chars.next_if_eq(&'{').is_some() {
                    chars.find(|c| *c == '}');
                }
                None
            }
            '[' => {
                skip_class(chars);
                None
            }
            '(' => {
                if chars.next_if_eq(&'?').is_some() {
                    // What says how a group is meant.
                    while chars.next_if(|c| *c != ':' && *c != ')').is_some() {}
                    chars.next_if_eq(&':');
                }
                if depth < DEPTH_MAX { preference(chars, depth + 1) } else { None }
            }
            _ => None,
        };
        let own = quantified(chars).or(own);
        if branches == 1 {
            first = first.or(own);
        }
    }
    if branches > 1 { Some(false) } else { first }
}

/// The preference of a quantifier, if one comes. One that is fixed has none.
fn quantified(chars: &mut Peekable<Chars<'_>>) -> Option<bool> {
    let c = chars.next_if(|c| matches!(c, '*' | '+' | '?' | '{'))?;
    let mut fixed = false;
    if c == '{' {
        let bounds: String = std::iter::from_fn(|| chars.next_if(|c| *c != '}')).collect();
        chars.next();
        fixed = !bounds.contains(',');
    }
    let lazy = chars.next_if_eq(&'?').is_some();
    (!fixed).then_some(lazy)
}

/// Up to the end of a class, whose beginning is read.
fn skip_class(chars: &mut Peekable<Chars<'_>>) {
    let mut open = 1_usize;
    // A bracket that comes first is one of the class.
    chars.next_if_eq(&'^');
    chars.next_if_eq(&']');
    while open > 0 {
        match chars.next() {
            Some('\\') => drop(chars.next()),
            Some('[') => {
                open += 1;
                chars.next_if_eq(&'^');
                chars.next_if_eq(&']');
            }
            Some(']') => open -= 1,
            Some(_) => {}
            None => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_reach_as_far_as_postgres_has_them() {
        let marks = Marks { ignore: false, lines: false, spaced: false };
        for (pattern, subject, expect) in [
            ("foo|foobar", "xfoobarbaz", "1..7"),
            ("a?(ab)?", "ab", "0..2 0..2"),
            ("(a|ab)(c|bcd)", "abcd", "0..4 0..1 1..4"),
            ("Y*?([0-9]{1,3})", "XY1234Z", "1..3 2..3"),
            ("Y*([0-9]{1,3})", "XY1234Z", "1..5 2..5"),
            (r"\w+|\w+ö", "aö", "0..3"),
            ("[a|b]x", "bx", "0..2"),
            ("a{2}b+?", "aabbb", "0..3"),
            ("(?:a|b)+?", "ababc", "0..1"),
            ("(a|b)+?", "ababc", "0..1 0..1"),
            ("(a+)??", "aab", "0..0 None"),
            (r"\p{L}*?b", "aabb", "0..3"),
        ] {
            let regex = marks.regex(pattern).unwrap();
            let found: Found = regex.captures(subject).unwrap().iter().map(|m| m.map(|m| m.range())).collect();
            let found = Reach::of(pattern, marks).map_or(found.clone(), |reach| reach.extended(subject, found));
            let shown: Vec<String> =
                found.iter().map(|r| r.as_ref().map_or("None".to_owned(), |r| format!("{r:?}"))).collect();
            assert_eq!(shown.join(" "), expect, "{pattern}");
        }
    }
}

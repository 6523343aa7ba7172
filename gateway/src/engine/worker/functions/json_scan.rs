//! Looks into JSON text without building a tree: parts are slices of the text, which is what `json` shows of itself.
//!
//! The text is JSON already. Of text that is none, it finds nothing, and never fails or panics.

/// The members or elements of a text, one after the other.
pub struct Parts<'a> {
    text: &'a str,
    at: usize,
    object: bool,
}

/// A member or element: the name as written (with quotes), none in an array, and the value.
pub type Part<'a> = (Option<&'a str>, &'a str);

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Object,
    Array,
    String,
    Number,
    Boolean,
    Null,
}

pub fn shape(text: &str) -> Shape {
    match text.trim_start().as_bytes().first() {
        Some(b'{') => Shape::Object,
        Some(b'[') => Shape::Array,
        Some(b'"') => Shape::String,
        Some(b't' | b'f') => Shape::Boolean,
        Some(b'n') => Shape::Null,
        _ => Shape::Number,
    }
}

/// The parts of an object or array; none of anything else.
pub fn parts(text: &str) -> Parts<'_> {
    let trimmed = text.trim();
    let at = if matches!(shape(trimmed), Shape::Object | Shape::Array) { 1 } else { trimmed.len() };
    Parts { text: trimmed, at, object: trimmed.starts_with('{') }
}

impl<'a> Iterator for Parts<'a> {
    type Item = Part<'a>;

    fn next(&mut self) -> Option<Part<'a>> {
        self.at = skip(self.text, self.at, |b| b.is_ascii_whitespace() || b == b',');
        if matches!(self.text.as_bytes().get(self.at), None | Some(b'}' | b']')) {
            self.at = self.text.len();
            return None;
        }
        let mut name = None;
        if self.object {
            let end = value_end(self.text, self.at);
            name = self.text.get(self.at..end);
            self.at = skip(self.text, end, |b| b.is_ascii_whitespace() || b == b':');
        }
        let end = value_end(self.text, self.at);
        let value = self.text.get(self.at..end)?;
        // A text that is no JSON must not hold us here.
        self.at = end.max(self.at + 1);
        Some((name, value))
    }
}

fn skip(text: &str, mut at: usize, blank: impl Fn(u8) -> bool) -> usize {
    while text.as_bytes().get(at).copied().is_some_and(&blank) {
        at += 1;
    }
    at
}

/// Where the value that begins at `at` ends.
fn value_end(text: &str, at: usize) -> usize {
    let bytes = text.as_bytes();
    let mut depth = 0usize;
    let mut i = at;
    while let Some(b) = bytes.get(i) {
        match b {
            b'"' => {
                i = string_end(bytes, i);
                if depth == 0 {
                    return i;
                }
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                if depth <= 1 {
                    // The end of a scalar, or of this value.
                    return if depth == 0 { i } else { i + 1 };
                }
                depth -= 1;
            }
            b',' | b':' if depth == 0 => return i,
            b if depth == 0 && b.is_ascii_whitespace() => return i,
            _ => {}
        }
        i += 1;
    }
    bytes.len()
}

fn string_end(bytes: &[u8], at: usize) -> usize {
    let mut i = at + 1;
    while let Some(b) = bytes.get(i) {
        match b {
            b'\\' => i += 2,
            b'"' => return i + 1,
            _ => i += 1,
        }
    }
    bytes.len()
}

/// A string without its quotes and escapes.
pub fn unquoted(text: &str) -> String {
    let inner = text.trim().strip_prefix('"').and_then(|t| t.strip_suffix('"')).unwrap_or(text);
    if !inner.contains('\\') {
        return inner.to_owned();
    }
    let mut out = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('b') => out.push('\u{8}'),
            Some('f') => out.push('\u{c}'),
            Some('u') => {
                let high = unit(&mut chars);
                let code = if (0xd800..0xdc00).contains(&high) {
                    // The second half follows as \uxxxx: the lexer has seen to it.
                    chars.next();
                    chars.next();
                    0x10000 + ((high - 0xd800) << 10) + unit(&mut chars).saturating_sub(0xdc00)
                } else {
                    high
                };
                out.push(char::from_u32(code).unwrap_or('\u{fffd}'));
            }
            Some(other) => out.push(other),
            None => {}
        }
    }
    out
}

fn unit(chars: &mut std::str::Chars<'_>) -> u32 {
    let digits: String = chars.by_ref().take(4).collect();
    u32::from_str_radix(&digits, 16).unwrap_or(0xfffd)
}

/// The last member of a name.
pub fn member<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    if shape(text) != Shape::Object {
        return None;
    }
    let mut found = None;
    for (key, value) in parts(text) {
        let key = key.unwrap_or_default();
        let same = if key.contains('\\') {
            unquoted(key) == name
        } else {
            key.len() == name.len() + 2 && key.get(1..key.len() - 1) == Some(name)
        };
        if same {
            found = Some(value);
        }
    }
    found
}

/// An element by index; negative ones count from the end.
pub fn element(text: &str, index: i64) -> Option<&str> {
    if shape(text) != Shape::Array {
        return None;
    }
    let index = if index < 0 {
        let count = i64::try_from(parts(text).count()).unwrap_or(0);
        count + index
    } else {
        index
    };
    parts(text).nth(usize::try_from(index).ok()?).map(|(_, value)| value)
}

/// What a path of names and indexes leads to.
pub fn follow<'a>(text: &'a str, path: &[Option<String>]) -> Option<&'a str> {
    let mut now = text.trim();
    for step in path {
        let step = step.as_deref()?;
        now = match shape(now) {
            Shape::Object => member(now, step)?,
            Shape::Array => element(now, step.trim().parse().ok()?)?,
            _ => return None,
        };
    }
    Some(now)
}

/// As `->>` gives it: a string without quotes, nothing for null.
pub fn as_text(value: &str) -> Option<String> {
    match shape(value) {
        Shape::Null => None,
        Shape::String => Some(unquoted(value)),
        _ => Some(value.trim().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_slices() {
        let text = r#" {"a": [1, {"x":"]"}], "b\u0041" : "q\"", "c":null} "#;
        let found: Vec<_> = parts(text).collect();
        assert_eq!(found.len(), 3);
        assert_eq!(member(text, "a"), Some(r#"[1, {"x":"]"}]"#));
        assert_eq!(member(text, "bA").and_then(as_text).as_deref(), Some("q\""));
        assert_eq!(as_text(member(text, "c").unwrap()), None);
        assert_eq!(element("[1,2,3]", -1), Some("3"));
        assert_eq!(element("[]", 0), None);
        assert_eq!(parts("nonsense]").count(), 0);
    }
}

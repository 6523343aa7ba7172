//! Visibility tokens: `<lake>/<offset>`, opaque to clients.

use std::fmt;

use crate::ids::{LakeName, Offset};

/// The promise a write got: a barrier on it returns only when the write is visible.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Token {
    /// The lake the write went to.
    pub lake: LakeName,
    /// The offset of its frame.
    pub offset: Offset,
}

impl Token {
    /// Parses `<lake>/<offset>`, or a bare offset for `current`. `None` if it is neither.
    /// The lake's name may itself contain a slash, so the last one divides.
    #[must_use]
    pub fn parse(text: &str, current: &LakeName) -> Option<Self> {
        let text = text.trim();
        let (lake, digits) = match text.rsplit_once('/') {
            Some((lake, digits)) => (LakeName::parse(lake)?, digits),
            None => (current.clone(), text),
        };
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        Some(Self { lake, offset: Offset::new(digits.parse().ok()?) })
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.lake, self.offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_parse_as_documented() {
        let here = LakeName::parse("sales").unwrap();
        let check = |text: &str, expect: Option<(&str, i64)>| {
            let got = Token::parse(text, &here).map(|t| (t.lake.as_str().to_owned(), t.offset.get()));
            assert_eq!(got, expect.map(|(l, o)| (l.to_owned(), o)), "{text:?}");
        };
        check("sales/42", Some(("sales", 42)));
        check(" 42 ", Some(("sales", 42)));
        check("a/b/7", Some(("a/b", 7)));
        check("other/0", Some(("other", 0)));
        check("/42", None);
        check("sales/", None);
        check("sales/-1", None);
        check("sales/+1", None);
        check("sales/99999999999999999999", None);
        check("", None);
    }
}

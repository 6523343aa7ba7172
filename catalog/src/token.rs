//! Visibility tokens: `<lake>/<offset>`, opaque to clients; after a loss `<lake>/<incarnation>.<offset>`.

use std::fmt;

use crate::ids::{LakeName, Offset};

/// The promise a write got: a barrier on it returns only when the write is visible.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Token {
    /// The lake the write went to.
    pub lake: LakeName,
    /// Which history of the lake's log that is an offset of; 1 is the first, and is not written.
    pub incarnation: i64,
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
        let number = |digits: &str| digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?;
        let (incarnation, offset) = match digits.split_once('.') {
            Some((incarnation, offset)) => (number(incarnation).filter(|n| *n > 1)?, offset),
            None => (1, digits),
        };
        Some(Self { lake, incarnation, offset: Offset::new(number(offset)?) })
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.incarnation {
            ..=1 => write!(f, "{}/{}", self.lake, self.offset),
            n => write!(f, "{}/{n}.{}", self.lake, self.offset),
        }
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
        check("sales/1.42", None);
        check("sales/.42", None);
        check("sales/2.", None);
        check("sales/2.4.2", None);
        check("sales/2.42", Some(("sales", 42)));
        let token = Token::parse("sales/2.42", &here).unwrap();
        assert_eq!((token.incarnation, token.to_string().as_str()), (2, "sales/2.42"));
        assert_eq!(Token::parse("42", &here).unwrap().to_string(), "sales/42");
    }
}

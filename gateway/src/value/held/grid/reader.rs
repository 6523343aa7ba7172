//! The text of an array, as Postgres reads it.

use super::*;

pub(super) struct Reader<'a> {
    pub(super) text: &'a str,
    pub(super) rest: &'a str,
}

impl Reader<'_> {
    pub(super) fn skip(&mut self) {
        self.rest = self.rest.trim_start_matches(space);
    }

    pub(super) fn take(&mut self, c: char) -> bool {
        match self.rest.strip_prefix(c) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// `[1:2][0:3]=`
    pub(super) fn bounds(&mut self) -> PgResult<Option<Vec<Dimension>>> {
        let mut given = Vec::new();
        while self.take('[') {
            if given.len() >= DIMENSIONS_MAX {
                let count = given.len() + 1;
                return Err(limit(format!(
                    "number of array dimensions ({count}) exceeds the maximum allowed ({DIMENSIONS_MAX})"
                )));
            }
            let mut low = 1;
            let mut high = self.bound()?;
            if self.take(':') {
                low = high;
                high = self.bound()?;
            }
            if !self.take(']') {
                return Err(malformed(self.text, "Missing \"]\" after array dimensions."));
            }
            if high < low {
                let message = "upper bound cannot be less than lower bound";
                return Err(PgError::new(SqlState::ARRAY_SUBSCRIPT_ERROR, message));
            }
            let length = usize::try_from(i64::from(high) - i64::from(low) + 1).unwrap_or(usize::MAX);
            if length > ELEMENTS_MAX {
                return Err(limit(format!("array size exceeds the maximum allowed ({ELEMENTS_MAX})")));
            }
            given.push(Dimension { low, length });
            self.skip();
        }
        if !given.is_empty() {
            if !self.take('=') {
                return Err(malformed(self.text, "Missing \"=\" after array dimensions."));
            }
            self.skip();
        }
        if !self.rest.starts_with('{') {
            let detail = if given.is_empty() {
                "Array value must start with \"{\" or dimension information."
            } else {
                "Array contents must start with \"{\"."
            };
            return Err(malformed(self.text, detail));
        }
        Ok((!given.is_empty()).then_some(given))
    }

    fn bound(&mut self) -> PgResult<i32> {
        let end = self
            .rest
            .char_indices()
            .find(|(at, c)| !(c.is_ascii_digit() || *at == 0 && matches!(c, '-' | '+')))
            .map_or(self.rest.len(), |(at, _)| at);
        let (digits, rest) = self.rest.split_at(end);
        self.rest = rest;
        digits.parse().map_err(|_| malformed(self.text, "Missing array dimension value."))
    }

    fn unexpected(&self, c: char) -> PgError {
        malformed(self.text, &format!("Unexpected \"{c}\" character."))
    }

    /// One level of braces; `lengths` has what the levels before it had.
    pub(super) fn level(
        &mut self,
        depth: usize,
        lengths: &mut Vec<Option<usize>>,
        elements: &mut Vec<Option<String>>,
    ) -> PgResult<()> {
        if depth >= DIMENSIONS_MAX {
            let count = depth + 1;
            return Err(limit(format!(
                "number of array dimensions ({count}) exceeds the maximum allowed ({DIMENSIONS_MAX})"
            )));
        }
        if lengths.len() <= depth {
            lengths.push(None);
        }
        self.take('{');
        self.skip();
        let uneven = || malformed(self.text, "Multidimensional arrays must have sub-arrays with matching dimensions.");
        let uneven = uneven();
        let mut count = 0;
        if self.rest.starts_with('}') && depth > 0 {
            return Err(self.unexpected('}'));
        }
        while !self.take('}') {
            if count > 0 {
                if !self.take(',') {
                    return Err(match self.rest.chars().next() {
                        None => malformed(self.text, "Unexpected end of input."),
                        Some(c @ '{') => self.unexpected(c),
                        Some(_) => malformed(self.text, "Unexpected array element."),
                    });
                }
                self.skip();
            }
            match self.rest.chars().next() {
                None => return Err(malformed(self.text, "Unexpected end of input.")),
                Some(c @ (',' | '}')) => return Err(self.unexpected(c)),
                Some('{') => {
                    // What had elements here has no arrays.
                    if lengths.len() == depth + 1 && !elements.is_empty() {
                        return Err(uneven);
                    }
                    self.level(depth + 1, lengths, elements)?;
                }
                Some(_) => {
                    if lengths.len() > depth + 1 {
                        return Err(uneven);
                    }
                    let element = self.element()?;
                    elements.push(element);
                    if elements.len() > ELEMENTS_MAX {
                        return Err(limit(format!("array size exceeds the maximum allowed ({ELEMENTS_MAX})")));
                    }
                }
            }
            self.skip();
            count += 1;
        }
        match lengths.get_mut(depth) {
            Some(Some(known)) if *known != count => return Err(uneven),
            Some(slot) => *slot = Some(count),
            None => {}
        }
        Ok(())
    }

    fn element(&mut self) -> PgResult<Option<String>> {
        let end = || malformed(self.text, "Unexpected end of input.");
        let mut out = String::new();
        let mut chars = self.rest.char_indices();
        if self.rest.starts_with('"') {
            chars.next();
            loop {
                match chars.next().ok_or_else(end)?.1 {
                    '"' => break,
                    '\\' => out.push(chars.next().ok_or_else(end)?.1),
                    c => out.push(c),
                }
            }
            self.rest = chars.as_str();
            return Ok(Some(out));
        }
        let (mut kept, mut escaped) = (0, false);
        let at = loop {
            match chars.next().ok_or_else(end)? {
                (at, ',' | '}' | '{' | '"') => break at,
                (_, '\\') => {
                    out.push(chars.next().ok_or_else(end)?.1);
                    (kept, escaped) = (out.len(), true);
                }
                (_, c) => {
                    out.push(c);
                    if !space(c) {
                        kept = out.len();
                    }
                }
            }
        };
        out.truncate(kept);
        self.rest = self.rest.get(at..).unwrap_or_default();
        Ok((escaped || !out.eq_ignore_ascii_case("null")).then_some(out))
    }
}

//! What goes wrong, when, and what was asked.

use std::time::Duration;

/// The kinds of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// PUT of an object.
    Put,
    /// GET of an object.
    Get,
    /// HEAD of an object.
    Head,
    /// DELETE of an object.
    Delete,
    /// A page of a list.
    List,
    /// POST that begins an upload.
    Begin,
    /// PUT of a part.
    Part,
    /// POST that ends an upload.
    Complete,
    /// DELETE of an upload.
    Abort,
    /// The list of uploads.
    Uploads,
}

/// Which requests.
#[derive(Clone, Debug, Default)]
pub struct Where {
    verb: Option<Verb>,
    key: String,
    /// Those before it are left alone.
    from: usize,
    /// So many of them; none is all.
    times: Option<usize>,
}

impl Where {
    /// All requests.
    #[must_use]
    pub fn any() -> Self {
        Self::default()
    }

    /// Requests of that kind.
    #[must_use]
    pub fn verb(verb: Verb) -> Self {
        Self { verb: Some(verb), ..Self::default() }
    }

    /// Those whose key has this in it.
    #[must_use]
    pub fn key(mut self, part: &str) -> Self {
        self.key = part.to_owned();
        self
    }

    /// Only the n-th of them, from 1.
    #[must_use]
    pub fn nth(mut self, n: usize) -> Self {
        (self.from, self.times) = (n - 1, Some(1));
        self
    }

    /// Only the first so many.
    #[must_use]
    pub fn times(mut self, times: usize) -> Self {
        self.times = Some(times);
        self
    }
}

/// What goes wrong.
#[derive(Clone, Debug)]
pub enum Fault {
    /// This status, and nothing is done.
    Status(u16),
    /// The answer comes later.
    Delay(Duration),
    /// The body comes in pieces of so many bytes, with pauses.
    Slow(usize, Duration),
    /// The body stops after so many bytes, and the connection stays open.
    Stall(usize),
    /// The body ends after so many bytes, and its length is said to be that.
    Truncate(usize),
    /// The connection ends after so many bytes of the body.
    Cut(usize),
    /// One bit of the body is another.
    Corrupt,
    /// It is done, and the connection is closed without an answer.
    DropReply,
    /// The connection is closed, and nothing is done.
    DropRequest,
    /// 200 with an error as the body, and nothing is done.
    ErrorIn200,
}

/// A request that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its kind.
    pub verb: Verb,
    /// Its key; of a list the prefix.
    pub key: String,
    /// Its range, as it was asked for.
    pub range: Option<String>,
    /// What went wrong with it.
    pub fault: Option<String>,
}

/// All that is to go wrong.
#[derive(Default)]
pub(super) struct Script(Vec<Line>);

struct Line {
    at: Where,
    fault: Fault,
    seen: usize,
}

impl Script {
    pub(super) fn add(&mut self, at: Where, fault: Fault) {
        self.0.push(Line { at, fault, seen: 0 });
    }

    /// What goes wrong with this request. Every line counts the requests that it is about.
    pub(super) fn fault(&mut self, verb: Verb, key: &str) -> Option<Fault> {
        let mut found = None;
        for line in &mut self.0 {
            if line.at.verb.is_some_and(|of| of != verb) || !key.contains(&line.at.key) {
                continue;
            }
            line.seen += 1;
            let is_in = line.seen > line.at.from && line.at.times.is_none_or(|times| line.seen <= line.at.from + times);
            if is_in && found.is_none() {
                found = Some(line.fault.clone());
            }
        }
        found
    }

    pub(super) fn has_left(&self) -> bool {
        self.0.iter().any(|line| line.at.times.is_some_and(|times| line.seen < line.at.from + times))
    }
}

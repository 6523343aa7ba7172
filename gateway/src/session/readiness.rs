//! Whether new clients are welcome, and why not: what `/ready` says. It decides nothing.

use std::sync::{Mutex, PoisonError};

/// Set by those who know; asked by anybody.
#[derive(Debug)]
pub struct Readiness(Mutex<State>);

#[derive(Debug)]
struct State {
    /// What the start waits for; none: it is done.
    starting: Option<String>,
    is_stopping: bool,
    catalog_answers: bool,
    /// Lakes whose publications hang for good.
    stuck: Vec<String>,
}

impl Default for Readiness {
    fn default() -> Self {
        let starting = Some("nothing is opened yet".to_owned());
        Self(Mutex::new(State { starting, is_stopping: false, catalog_answers: true, stuck: Vec::new() }))
    }
}

impl Readiness {
    /// The start waits for this.
    pub fn waits_for(&self, what: impl Into<String>) {
        self.with(|state| state.starting = Some(what.into()));
    }

    /// The start is done.
    pub fn started(&self) {
        self.with(|state| state.starting = None);
    }

    /// No new clients from now on.
    pub fn stopping(&self) {
        self.with(|state| state.is_stopping = true);
    }

    /// Whether the catalog answers, from now on; gives whether it did before.
    pub fn catalog_answers(&self, answers: bool) -> bool {
        self.with(|state| std::mem::replace(&mut state.catalog_answers, answers))
    }

    /// Lakes whose publications hang here, and do not end.
    pub fn stuck(&self, lakes: Vec<String>) {
        self.with(|state| state.stuck = lakes);
    }

    /// Why new clients are not welcome; none if they are.
    #[must_use]
    pub fn why_not(&self) -> Option<String> {
        self.with(|state| match state {
            State { is_stopping: true, .. } => Some("stopping".to_owned()),
            State { starting: Some(what), .. } => Some(format!("starting: {what}")),
            State { catalog_answers: false, .. } => Some("the catalog does not answer".to_owned()),
            State { stuck, .. } if !stuck.is_empty() => {
                Some(format!("publications hang, restart this server: {}", stuck.join(", ")))
            }
            State { .. } => None,
        })
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_reason_counts() {
        let readiness = Readiness::default();
        readiness.waits_for("the store");
        assert_eq!(readiness.why_not().as_deref(), Some("starting: the store"));
        readiness.started();
        assert_eq!(readiness.why_not(), None);
        assert!(readiness.catalog_answers(false));
        assert_eq!(readiness.why_not().as_deref(), Some("the catalog does not answer"));
        assert!(!readiness.catalog_answers(true));
        readiness.stuck(vec!["a".into(), "b".into()]);
        assert!(readiness.why_not().is_some_and(|why| why.ends_with("a, b")));
        readiness.stopping();
        assert_eq!(readiness.why_not().as_deref(), Some("stopping"));
    }
}

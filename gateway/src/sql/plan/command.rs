//! Plans of transaction commands and of SET and its like.

use crate::sql::transaction::Modes;

/// Transaction commands.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum TransactionPlan {
    /// `tag` is `BEGIN` or `START TRANSACTION`.
    Begin {
        tag: &'static str,
        modes: Modes,
    },
    Commit {
        and_chain: bool,
    },
    Rollback {
        and_chain: bool,
    },
    Savepoint(String),
    Release(String),
    RollbackTo(String),
    /// SET TRANSACTION.
    Set {
        modes: Modes,
    },
}

/// SET, RESET, SHOW, DISCARD.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum SettingPlan {
    /// Value none: TO DEFAULT.
    Set {
        name: String,
        value: Option<String>,
        local: bool,
    },
    /// SET SESSION CHARACTERISTICS: several at once, none of them local.
    SetMany(Vec<(String, String)>),
    Reset(String),
    ResetAll,
    Show(String),
    ShowAll,
    DiscardAll,
    /// DISCARD PLANS | SEQUENCES | TEMP: the tag.
    Discard(&'static str),
}

//! What else is known of a database beside its history.

use serde::{Deserialize, Serialize};

use crate::value::Value;

/// Something that a history does not show and that is taken for granted, since it is known of
/// the database. What follows is told as [`super::Analysis::assumptions`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Assumption {
    /// A version that a transaction wrote comes after the one of the same object that it had
    /// read.
    WritesFollowReads,
    /// Each object by itself is sequentially consistent: a session meets its versions in their
    /// order.
    SequentialKeys,
    /// Each object by itself is linearizable: its versions are in the order of real time.
    LinearizableKeys,
}

impl Assumption {
    /// All.
    pub const ALL: [Assumption; 3] = [
        Assumption::WritesFollowReads,
        Assumption::SequentialKeys,
        Assumption::LinearizableKeys,
    ];

    /// The name: `writes-follow-reads`, `sequential-keys`, `linearizable-keys`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Assumption::WritesFollowReads => "writes-follow-reads",
            Assumption::SequentialKeys => "sequential-keys",
            Assumption::LinearizableKeys => "linearizable-keys",
        }
    }

    /// The assumption of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Assumption> {
        Assumption::ALL.into_iter().find(|one| one.name() == name)
    }
}

/// How a history is to be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// What every object holds in the beginning; null for nothing.
    pub initial: Value,
    /// What is taken for granted.
    pub assumptions: Vec<Assumption>,
}

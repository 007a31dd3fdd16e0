//! What a transaction can ask for.

use std::fmt;
use std::str::FromStr;

/// How far a transaction is kept apart from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Isolation {
    /// Each read sees what is committed at the time. It is refused only when it read a change of
    /// its own, and somebody has changed that key since.
    ReadCommitted,
    /// All reads see what was committed when it began. It is refused when a key that it changes
    /// was changed since.
    Snapshot,
    /// The same, and it is refused, too, when it changes anything and a key that it read was
    /// changed since. Serializable in real time.
    Serializable,
}

impl Isolation {
    /// All, the weakest first.
    pub const ALL: [Isolation; 3] = [
        Isolation::ReadCommitted,
        Isolation::Snapshot,
        Isolation::Serializable,
    ];

    /// The name: `read-committed`, `snapshot`, `serializable`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Isolation::ReadCommitted => "read-committed",
            Isolation::Snapshot => "snapshot",
            Isolation::Serializable => "serializable",
        }
    }
}

impl fmt::Display for Isolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Isolation {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Isolation::ALL
            .into_iter()
            .find(|level| level.name() == text);
        known.ok_or_else(|| format!("{text} is none of read-committed, snapshot, serializable"))
    }
}

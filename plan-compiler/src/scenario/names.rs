//! Look-ups of names, and how they go wrong.

use serde::{Deserialize, Serialize};

use super::Span;

/// How look-ups of names go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "names")]
pub enum NameFault {
    /// No name server answers: they fail after a while.
    Silent,
    /// No name is known (`NXDOMAIN`).
    Unknown,
    /// Answers are late.
    Slow {
        /// By how many nanoseconds, drawn by seed when the ends differ.
        by_ns: Span,
    },
    /// Every name leads to one of the nodes, drawn by seed.
    Elsewhere,
    /// Names lead to where hosts were before they moved.
    Stale,
}

//! What the transactions of a generic workload are like. Plain data.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A kind of transaction, each good at showing what another is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TxnKind {
    /// Reads of lists, and appends to them: a read tells all that came before.
    ListAppend,
    /// Reads and writes of registers.
    Registers,
    /// Reads a register and writes it: lost updates.
    ReadModifyWrite,
    /// Reads both lists of a pair and adds to one of them: write skew.
    WriteSkew,
    /// Writes one register, or reads several: long forks.
    LongFork,
    /// Moves money between accounts, or reads all of them.
    Bank,
}

impl TxnKind {
    /// All.
    pub const ALL: [TxnKind; 6] = [
        TxnKind::ListAppend,
        TxnKind::Registers,
        TxnKind::ReadModifyWrite,
        TxnKind::WriteSkew,
        TxnKind::LongFork,
        TxnKind::Bank,
    ];

    /// The name, as plans have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            TxnKind::ListAppend => "list-append transaction",
            TxnKind::Registers => "register transaction",
            TxnKind::ReadModifyWrite => "read-modify-write transaction",
            TxnKind::WriteSkew => "write-skew transaction",
            TxnKind::LongFork => "long-fork transaction",
            TxnKind::Bank => "bank transaction",
        }
    }
}

impl fmt::Display for TxnKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// How large transactions are, and how long objects are in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transactions {
    /// Steps of a list-append or register transaction, and registers of a long fork's read, at
    /// most.
    pub steps_max: u32,
    /// Another object takes the place of each after so much virtual time; never, if none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_lifetime_ns: Option<u64>,
}

impl Default for Transactions {
    /// Up to four steps; objects stay.
    fn default() -> Self {
        Self {
            steps_max: 4,
            key_lifetime_ns: None,
        }
    }
}

impl Transactions {
    /// Whether it is what holds where a plan says nothing.
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

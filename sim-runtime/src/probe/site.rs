//! Sites: where the macros are used, known from the moment of linking.

use serde::{Deserialize, Serialize};

/// What a site says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SiteKind {
    /// Holds whenever it is reached.
    Always,
    /// Holds in some seed.
    Sometimes,
    /// Is reached in some seed.
    Reachable,
    /// Is never reached.
    Unreachable,
    /// Makes a fault of its own.
    Buggify,
    /// Draws a number.
    Knob,
}

impl SiteKind {
    /// As reports print it: the macro's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Sometimes => "sometimes",
            Self::Reachable => "reachable",
            Self::Unreachable => "unreachable",
            Self::Buggify => "buggify",
            Self::Knob => "knob",
        }
    }
}

/// One use of a macro.
#[derive(Debug)]
pub struct Site {
    /// What it says.
    pub kind: SiteKind,
    /// Its name; draws go by it, so it may move in the source.
    pub name: &'static str,
    /// The module it is in.
    pub module: &'static str,
    /// The file it is in.
    pub file: &'static str,
    /// The line it is on.
    pub line: u32,
}

/// Every site of this executable, in no particular order.
#[linkme::distributed_slice]
pub static SITES: [Site];

impl Site {
    /// Its place among [`SITES`].
    pub(super) fn index(&self) -> usize {
        let first = SITES.as_ptr().addr();
        (std::ptr::from_ref(self).addr() - first) / size_of::<Self>()
    }
}

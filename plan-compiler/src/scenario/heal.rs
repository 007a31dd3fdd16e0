//! What is left of a cluster after the faults.

use serde::{Deserialize, Serialize};

/// Which servers come back once the faults are over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Heal {
    /// All of them.
    #[default]
    All,
    /// In half of the seeds a majority, drawn; the others are lost for good.
    Majority,
}

impl Heal {
    /// Whether it says nothing out of the ordinary.
    #[must_use]
    pub fn is_all(&self) -> bool {
        *self == Self::All
    }
}

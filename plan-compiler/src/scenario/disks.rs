//! What a power loss may leave of what was not synced.

use serde::{Deserialize, Serialize};

/// The disks of a scenario's servers, all alike, where no fault lies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disks {
    /// In which order un-synced operations may reach the media.
    #[serde(default)]
    pub order: DiskOrder,
    /// What a device writes all or nothing of.
    #[serde(default)]
    pub tear: DiskTear,
}

impl Disks {
    /// Whether they are as they are where a plan says nothing.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// In which order un-synced operations may reach the media.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DiskOrder {
    /// What POSIX promises and no more: data, sizes and names in any order.
    #[default]
    PosixWeak,
    /// As ext4 with `data=ordered`: metadata in the order of the calls, data before the size that
    /// reveals it, the name of a new file with its sync.
    Ext4Ordered,
    /// In the order of the calls: a power loss keeps a prefix.
    Sequential,
}

/// What a device writes all or nothing of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DiskTear {
    /// Sectors of 512 bytes.
    #[default]
    #[serde(rename = "atomic-512")]
    Atomic512,
    /// Pages of 4096 bytes.
    #[serde(rename = "atomic-4096")]
    Atomic4096,
    /// Nothing: a write may be cut at any byte.
    None,
}

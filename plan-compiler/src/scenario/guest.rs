//! What is done to a system through its own hooks, and events that faults wait for.

use serde::{Deserialize, Serialize};

/// What its operators do to a system; it takes part, by hooks of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GuestAct {
    /// The target is stopped and started again as version B, which it stays.
    Upgrade,
    /// The same, and as version A again at the end.
    MixedVersions,
    /// The target has another setting than the others, until the end.
    Configure,
    /// The target changes to new credentials, which it keeps.
    RotateCredentials,
    /// The same; the others follow at the end.
    DivergeCredentials,
    /// The target compacts what it has stored.
    Compact,
    /// The target moves data, or load, to others.
    Rebalance,
    /// The target is backed up.
    BackUp,
    /// The target is backed up, and the backup restored at the end.
    BackUpAndRestore,
    /// The target hands its leadership on.
    StepDown,
    /// The target leaves the cluster, and joins it again at the end.
    ChangeMembers,
}

impl GuestAct {
    /// All of them.
    pub const ALL: [GuestAct; 11] = [
        Self::Upgrade,
        Self::MixedVersions,
        Self::Configure,
        Self::RotateCredentials,
        Self::DivergeCredentials,
        Self::Compact,
        Self::Rebalance,
        Self::BackUp,
        Self::BackUpAndRestore,
        Self::StepDown,
        Self::ChangeMembers,
    ];

    /// Whether nodes are stopped and started for it.
    #[must_use]
    pub const fn restarts(self) -> bool {
        matches!(self, Self::Upgrade | Self::MixedVersions)
    }

    /// The counter of the ledger that says how often it was done.
    #[must_use]
    pub const fn counter(self) -> &'static str {
        match self {
            Self::Upgrade | Self::MixedVersions => "nodes-upgraded",
            Self::Configure => "config-changes",
            Self::RotateCredentials | Self::DivergeCredentials => "credentials-rotated",
            Self::Compact => "compactions",
            Self::Rebalance => "rebalances",
            Self::BackUp | Self::BackUpAndRestore => "backups",
            Self::StepDown => "step-downs",
            Self::ChangeMembers => "membership-changes",
        }
    }
}

/// What a fault's windows wait for; their times count from then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "after")]
pub enum After {
    /// The first window of another fault of the scenario closed.
    Fault {
        /// Its id.
        id: String,
    },
    /// Somebody said that it leads, later than the workload began.
    LeaderChange,
    /// A line of a guest's log contains this text, later than the workload began.
    Log {
        /// Compared without regard to case.
        contains: String,
    },
    /// Clients were acknowledged so many operations.
    Acknowledged {
        /// All clients together.
        count: u64,
    },
}

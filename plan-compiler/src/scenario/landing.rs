//! What must have been seen for faults to count as landed.

use serde::{Deserialize, Serialize};

/// A condition on the evidence; every one must hold for a seed's faults to count as landed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Landing {
    /// What must be seen.
    pub what: Evidence,
    /// How soon after the injection, when the plan says so.
    pub within_ns: Option<u64>,
    /// The faults it is about, by id: each must have its part in it. Empty: any fault will do.
    pub faults: Vec<String>,
    /// The plan's own words.
    pub text: String,
}

/// What a landing condition looks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "evidence")]
pub enum Evidence {
    /// A counter of the scenario's faults in the ledger is at least `min`.
    Counter {
        /// `packets-dropped`, `packets-delayed`, `packets-held`, `packets-rejected`,
        /// `packets-duplicated`, `packets-reordered`, `packets-corrupted`, `bytes-dropped` and
        /// so on, `connections-reset`, `writes-lost`, `writes-torn`, `processes-killed`,
        /// `power-losses`, `disk-errors`, `graceful-stops`, `restarts`, `compactions`; or
        /// `writes-lost-or-torn`, the sum of those two, and `losses-met`, those that a guest met.
        counter: String,
        /// At least.
        min: u64,
    },
    /// A node other than the one hit says that it leads.
    LeaderReelected,
    /// A line of the guest's log contains this text, on any node.
    GuestLog {
        /// Compared without regard to case.
        contains: String,
    },
    /// A probe (`sometimes!`, `reachable!`, ...) in the system's code held so often.
    Probe {
        /// Its name.
        name: String,
        /// At least.
        min: u64,
    },
    /// A metric that a guest tells as an event of `tracing` came to so much: a counter all nodes
    /// together, a gauge or a value of a histogram anywhere.
    Metric {
        /// Its name.
        name: String,
        /// At least.
        min: u64,
    },
    /// The guest noticed at least one of the scenario's faults.
    Observed,
}

//! How much is run, and what is made of outcomes that are not known.

use serde::{Deserialize, Serialize};

/// How outcomes that are not known are treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ambiguity {
    /// An operation that timed out may have taken effect, at any later time or never.
    pub timeouts_may_succeed: bool,
    /// Retries are rows of their own.
    pub retries_separate: bool,
}

/// How much is run in each tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budgets {
    /// What `cargo test` runs.
    pub smoke: Budget,
    /// What PASS-hardening asks for.
    pub hardening: Budget,
    /// What is run before a release; a passing one is PASS-hardening, too.
    pub release: Budget,
}

/// One tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// How many seeds.
    pub seeds: u32,
    /// Virtual duration of the workload in each seed; overrides the workload's own.
    pub duration_ns: Option<u64>,
    /// How many windows of faults all seeds that prove something must have had together.
    #[serde(default)]
    pub faults: Option<u64>,
}

impl Budget {
    /// So many seeds, of the workload's own length.
    #[must_use]
    pub const fn of_seeds(seeds: u32) -> Self {
        Self {
            seeds,
            duration_ns: None,
            faults: None,
        }
    }
}

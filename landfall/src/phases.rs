//! The phases of a run: when each began, and whether the system came back after the faults.

use std::fmt;

use plan_compiler::scenario::{FaultKind, Scenario};
use serde::{Deserialize, Serialize};
use sim_runtime::{LedgerRow, SimInstant};

/// A part of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Servers start and find a leader, if they have one.
    WarmUp,
    /// Clients work, and faults come and go.
    Chaos,
    /// Every fault is over; the chosen servers run, and the others are gone for good. Clients end
    /// what they began, and one waits until it is served again.
    Converge,
    /// That one reads everything.
    Verify,
}

/// A phase and when it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    /// Which.
    pub phase: Phase,
    /// When.
    pub at: SimInstant,
}

/// Whether the system served anybody again once the faults were over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Convergence {
    /// It did, so many nanoseconds after the heal.
    Reached {
        /// How long it took.
        after_ns: u64,
    },
    /// It did not, though a majority of its servers could run.
    NoLiveness {
        /// What was seen.
        why: String,
    },
    /// It did not, and nothing could be asked of it: too many servers were lost to the faults.
    Hopeless {
        /// What was lost.
        why: String,
    },
}

impl fmt::Display for Convergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reached { after_ns } => {
                write!(f, "served again {} ms after the heal", after_ns / 1_000_000)
            }
            Self::NoLiveness { why } => write!(f, "no liveness: {why}"),
            Self::Hopeless { why } => write!(f, "hopeless world: {why}"),
        }
    }
}

/// What became of the servers by the end of a run in which nobody was served after the heal.
pub(crate) struct Left<'a> {
    /// How many there are.
    pub(crate) servers: usize,
    /// How many of them run.
    pub(crate) running: usize,
    /// What the first of those that ended by themselves said.
    pub(crate) exit: Option<&'a str>,
    pub(crate) ledger: &'a [LedgerRow],
}

impl Left<'_> {
    /// Whether more could have been asked of them.
    pub(crate) fn judge(&self, scenario: &Scenario) -> Convergence {
        let (running, servers) = (self.running, self.servers);
        let why = format!("{running} of {servers} servers run, and no write was acknowledged");
        let landed = |is: fn(&FaultKind) -> bool| {
            let faults = scenario.faults.iter().filter(|fault| is(&fault.kind));
            let mut rows = faults.flat_map(|fault| {
                let rows = self.ledger.iter();
                rows.filter(|row| row.name == fault.id && row.is_injected())
            });
            rows.next()
        };
        let beyond = |kind: &FaultKind| {
            matches!(
                kind,
                FaultKind::Storage {
                    beyond_budget: true,
                    ..
                }
            )
        };
        if let Some(row) = landed(beyond) {
            let lost = format!("{} damaged more disks than a minority", row.name);
            return Convergence::Hopeless {
                why: format!("{why}; {lost}"),
            };
        }
        let is_disk = |kind: &FaultKind| {
            matches!(
                kind,
                FaultKind::DiskError | FaultKind::DiskFull | FaultKind::Storage { .. }
            )
        };
        let lacks_majority = running <= servers / 2;
        match (landed(is_disk), self.exit) {
            (Some(row), Some(exit)) if lacks_majority => Convergence::Hopeless {
                why: format!("{why}; {} broke disks, and {exit}", row.name),
            },
            _ => Convergence::NoLiveness { why },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use plan_compiler::scenario::StorageFault;
    use sim_runtime::FaultId;

    use super::*;

    fn judged(kind: FaultKind, running: usize, exit: Option<&str>) -> &'static str {
        let plan = include_str!("../tests/it/plans/one_fault.md");
        let mut scenario = plan_compiler::compile(plan).scenarios.remove(0);
        scenario.faults[0].kind = kind;
        let row = LedgerRow {
            id: FaultId(1),
            name: scenario.faults[0].id.clone(),
            kind: String::new(),
            target: String::new(),
            armed: Vec::new(),
            healed: Vec::new(),
            injected: BTreeMap::from([("hits".to_owned(), 1)]),
            observed: BTreeMap::new(),
            injected_evidence: Vec::new(),
            observed_evidence: Vec::new(),
        };
        let left = Left {
            servers: 3,
            running,
            exit,
            ledger: &[row],
        };
        match left.judge(&scenario) {
            Convergence::Reached { .. } => "reached",
            Convergence::NoLiveness { .. } => "no liveness",
            Convergence::Hopeless { .. } => "hopeless",
        }
    }

    #[test]
    fn a_world_is_hopeless_when_faults_of_disks_took_the_majority_and_not_before() {
        let exit = Some("n1 ended with: no space left");
        assert_eq!(judged(FaultKind::DiskFull, 1, exit), "hopeless");
        assert_eq!(judged(FaultKind::DiskFull, 2, exit), "no liveness");
        assert_eq!(judged(FaultKind::DiskFull, 1, None), "no liveness");
        assert_eq!(judged(FaultKind::Kill, 1, exit), "no liveness");
        let beyond = |beyond_budget| FaultKind::Storage {
            how: StorageFault::Wipe,
            beyond_budget,
        };
        assert_eq!(judged(beyond(true), 3, None), "hopeless");
        assert_eq!(judged(beyond(false), 3, None), "no liveness");
    }
}

//! What came of one seed: plain data, sent from the child that ran it.

use checkers::{CheckReport, Outcome};
use serde::{Deserialize, Serialize};
use sim_runtime::probe::{Seen, Violation};
use sim_runtime::{Checkpoint, Digest, LedgerRow, Policy, Stop, TraceEvent};

pub use crate::death::{Cause, Death};
pub use crate::disks::{DiskLint, DiskReport, DiskTally, LintTally};
pub use crate::log::{Directives, LogLine};
use crate::phases::{Begun, Convergence};
use crate::script::Recording;
use crate::swarm::Swarm;

/// Everything a seed's run is judged by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeedReport {
    /// The seed.
    pub seed: u64,
    /// The hash of everything that happened.
    pub digest: Digest,
    /// How many events it covers.
    pub events: u64,
    /// How its tasks were scheduled.
    pub policy: Policy,
    /// What else the seed drew for the whole run; none for a simulation written by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub swarm: Option<Swarm>,
    /// Polls of tasks.
    pub polls: u64,
    /// Virtual time that passed.
    pub virtual_ns: u64,
    /// The digest along the way.
    pub checkpoints: Vec<Checkpoint>,
    /// Events that were asked for.
    pub trace: Vec<TraceEvent>,
    /// One row a fault.
    pub ledger: Vec<LedgerRow>,
    /// One row a landing condition of the plan.
    pub landing: Vec<LandingResult>,
    /// One report a checker.
    pub checks: Vec<CheckReport>,
    /// The phases of the run; none of a simulation written by hand.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub phases: Vec<Begun>,
    /// Whether the system came back after the faults, where the run went so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub convergence: Option<Convergence>,
    /// Client operations by how they ended.
    pub operations: OperationCounts,
    /// Panics nobody joined, in words.
    pub panics: Vec<String>,
    /// Every site of the probe macros, and what it did.
    pub probes: Vec<Seen>,
    /// What should always have held and did not.
    pub violations: Vec<Violation>,
    /// What the disks did by themselves, and what guests did with them that asks for trouble.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disks: Option<DiskReport>,
    /// Nodes whose main future ended by itself, and what it said.
    pub exits: Vec<String>,
    /// What the scenario needs and the system does not offer, if there is such: then nothing was
    /// tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
    /// Why the run ended early, if it did.
    pub stop: Option<Stop>,
    /// Layers of the determinism floor that were missing.
    pub floor_missing: Vec<String>,
    /// The lines of the guests' logs that were asked for, or the last ones of a seed that failed.
    pub log_tail: Vec<LogLine>,
    /// The digest of the run that the log is of, where that is another run: what this guest does
    /// to log acts on what happens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logged_as: Option<Digest>,
    /// The history as JSON Lines; only when asked for.
    pub history: Option<String>,
    /// What the run did, as a script has it; only when asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recording: Option<Recording>,
}

/// Client operations by how they ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationCounts {
    /// Acknowledged.
    pub ok: u64,
    /// Without effect.
    pub failed: u64,
    /// Unknown.
    pub unknown: u64,
}

/// What became of a landing condition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LandingResult {
    /// The plan's words.
    pub text: String,
    /// Whether it held, or is about what the seed goes without.
    pub held: bool,
    /// Whether it is about what the seed goes without: then nothing was to be seen.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub waived: bool,
    /// What was seen.
    pub seen: String,
}

impl SeedReport {
    /// Why this seed failed, most telling first; empty when it did not.
    #[must_use]
    pub fn failures(&self) -> Vec<String> {
        let violated = |check: &&CheckReport| matches!(check.outcome, Outcome::Violation);
        let mut failures: Vec<String> = self
            .checks
            .iter()
            .filter(violated)
            .flat_map(|check| {
                check
                    .findings
                    .iter()
                    .map(|finding| format!("{}: {finding}", check.checker))
            })
            .collect();
        failures.extend(self.violations.iter().map(violated_in_words));
        failures.extend(self.panics.iter().map(|panic| format!("panic: {panic}")));
        failures.extend(self.stop.iter().map(ToString::to_string));
        failures
    }

    /// Whether anything failed.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.stop.is_some()
            || !self.panics.is_empty()
            || !self.violations.is_empty()
            || self
                .checks
                .iter()
                .any(|check| matches!(check.outcome, Outcome::Violation))
    }

    /// Whether the seed goes without this fault of its scenario.
    #[must_use]
    pub fn goes_without(&self, fault: &str) -> bool {
        let swarm = self.swarm.as_ref();
        swarm.is_some_and(|swarm| swarm.without.iter().any(|name| name == fault))
    }

    /// What a row of the ledger comes to, in a word or two.
    #[must_use]
    pub fn standing(&self, row: &LedgerRow) -> &'static str {
        if self.goes_without(&row.name) {
            "left out"
        } else {
            row.standing()
        }
    }

    /// Whether every fault that the seed has was injected and observed, and every landing
    /// condition on them held. Without faults there is nothing to land.
    #[must_use]
    pub fn landed(&self) -> bool {
        let mut had = self
            .ledger
            .iter()
            .filter(|row| !self.goes_without(&row.name));
        had.all(LedgerRow::has_landed) && self.landing.iter().all(|landing| landing.held)
    }

    /// Whether the history had what every checker needs to judge it.
    #[must_use]
    pub fn told(&self) -> bool {
        let mut checks = self.checks.iter();
        !checks.any(|check| matches!(check.outcome, Outcome::Weak { .. }))
    }

    /// What kind of failure this is: two failures of one kind have one signature.
    #[must_use]
    pub fn signature(&self) -> Option<String> {
        let violated = self
            .checks
            .iter()
            .find(|c| matches!(c.outcome, Outcome::Violation));
        if let Some(check) = violated {
            let anomaly = check
                .findings
                .first()
                .map_or("", |finding| &finding.anomaly);
            return Some(format!("{}/{anomaly}", check.checker));
        }
        if let Some(violation) = self.violations.first() {
            return Some(format!("always/{}", violation.name));
        }
        if let Some(panic) = self.panics.first() {
            return Some(format!("panic/{panic}"));
        }
        self.stop.as_ref().map(|stop| match stop {
            Stop::Deadlock { .. } => "deadlock".to_owned(),
            Stop::Livelock { .. } => "livelock".to_owned(),
            Stop::Budget { what } => format!("budget/{what}"),
            Stop::Failed { message } => format!("panic/{message}"),
        })
    }
}

fn violated_in_words(violation: &Violation) -> String {
    let Violation {
        name,
        place,
        node,
        at,
        message,
        times,
    } = violation;
    format!("violated: {name:?} ({place}) on {node} at {at}, {times} times: {message}")
}

/// A seed's run, or what became of its process instead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SeedOutcome {
    /// It ran to its end.
    Ran(Box<SeedReport>),
    /// Its process died: by a signal, an exit, or a limit.
    Crashed(Box<Death>),
}

impl SeedOutcome {
    /// The seed.
    #[must_use]
    pub const fn seed(&self) -> u64 {
        match self {
            Self::Ran(report) => report.seed,
            Self::Crashed(death) => death.seed,
        }
    }

    /// Whether it failed.
    #[must_use]
    pub fn failed(&self) -> bool {
        match self {
            Self::Ran(report) => report.failed(),
            Self::Crashed(_) => true,
        }
    }

    /// Why it failed, most telling first; empty when it did not.
    #[must_use]
    pub fn failures(&self) -> Vec<String> {
        match self {
            Self::Ran(report) => report.failures(),
            Self::Crashed(death) => vec![death.to_string()],
        }
    }

    /// The report, when there is one.
    #[must_use]
    pub const fn report(&self) -> Option<&SeedReport> {
        match self {
            Self::Ran(report) => Some(report),
            Self::Crashed(_) => None,
        }
    }

    /// What kind of failure this is.
    #[must_use]
    pub fn signature(&self) -> Option<String> {
        match self {
            Self::Ran(report) => report.signature(),
            Self::Crashed(death) => Some(death.signature()),
        }
    }

    /// What became of its process, when it died.
    #[must_use]
    pub fn death(&self) -> Option<&Death> {
        match self {
            Self::Ran(_) => None,
            Self::Crashed(death) => Some(death),
        }
    }

    /// The digest, when there is one.
    #[must_use]
    pub fn digest(&self) -> Option<Digest> {
        self.report().map(|report| report.digest)
    }
}

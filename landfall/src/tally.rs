//! What a scenario's seeds add up to. Bounded: a passing seed leaves numbers, a failing one is
//! kept whole while there are few.

use std::collections::{BTreeMap, BTreeSet};

use checkers::Outcome;
use serde::{Deserialize, Serialize};
use sim_runtime::probe::{Seen, SiteKind};
use sim_runtime::{LedgerRow, Sighting};

use crate::novelty::Novelty;
use crate::phases::Convergence;
use crate::report::{DiskTally, OperationCounts, SeedOutcome, SeedReport};
use crate::swarm::SwarmTally;

/// How many failing seeds are kept whole.
const FAILURES_KEPT: usize = 8;

/// What a scenario's seeds add up to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Seeds that were run.
    pub seeds: u64,
    /// Seeds in which every fault that they have landed.
    pub landed: u64,
    /// Of them, those whose history had what every checker needs: the others prove nothing.
    #[serde(default)]
    pub proven: u64,
    /// Windows of faults that they had.
    #[serde(default)]
    pub windows: u64,
    /// Seeds that failed.
    pub failed: u64,
    /// The first of them by number, whole.
    pub failures: Vec<SeedOutcome>,
    /// Failing seeds by signature.
    pub signatures: BTreeMap<String, u64>,
    /// What the seeds drew, held against what failed.
    #[serde(default)]
    pub swarm: SwarmTally,
    /// Whether they still met something new.
    #[serde(default)]
    pub novelty: Novelty,
    /// By checker.
    pub checks: BTreeMap<String, CheckTally>,
    /// By fault, in the order of the plan.
    pub faults: Vec<FaultTally>,
    /// By landing condition, in the order of the plan.
    pub landing: Vec<LandingTally>,
    /// How the seeds came back after the faults.
    #[serde(default)]
    pub convergence: ConvergenceTally,
    /// Client operations.
    pub operations: OperationCounts,
    /// The disks.
    #[serde(default)]
    pub disks: DiskTally,
    /// How often a node's main future ended by itself.
    pub exits: u64,
    /// What one of them said.
    pub exit: Option<String>,
    /// Virtual time, all seeds together.
    pub virtual_ns: u64,
    /// Events, all seeds together.
    pub events: u64,
    /// Seeds that were run twice, in different workers, and compared.
    pub compared: u64,
    /// Of them, those whose two runs differ.
    pub differing: u64,
    /// By site of the probe macros, `name (place)`.
    pub probes: BTreeMap<String, ProbeTally>,
    /// What the scenario needs and the system does not offer.
    #[serde(default)]
    pub missing: Option<String>,
    /// Layers of the determinism floor that were missing in some seed.
    pub floor_missing: BTreeSet<String>,
}

/// How seeds came back after the faults.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConvergenceTally {
    /// Seeds that served again.
    pub reached: u64,
    /// How long the slowest of them took, in nanoseconds after the heal.
    pub slowest_ns: u64,
    /// Seeds that did not, though they could have.
    pub no_liveness: u64,
    /// Seeds in which the faults had left too few servers.
    pub hopeless: u64,
    /// What was seen in one that did not.
    pub example: Option<String>,
}

impl ConvergenceTally {
    fn add(&mut self, convergence: &Convergence) {
        match convergence {
            Convergence::Reached { after_ns } => {
                self.reached += 1;
                self.slowest_ns = self.slowest_ns.max(*after_ns);
                return;
            }
            Convergence::NoLiveness { .. } => self.no_liveness += 1,
            Convergence::Hopeless { .. } => self.hopeless += 1,
        }
        self.example.get_or_insert_with(|| convergence.to_string());
    }
}

/// What a checker did over the seeds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckTally {
    /// Seeds it judged.
    pub seeds: u64,
    /// Seeds it found a violation in.
    pub violations: u64,
    /// Operations it consumed, in the seeds whose history had what it needs.
    pub consumed: u64,
    /// Operations that it should have.
    pub total: u64,
    /// Seeds whose history lacked what it needs.
    #[serde(default)]
    pub weak_seeds: u64,
    /// What it could not do without, the first time that it was missing.
    pub weak: Option<String>,
    /// Why it did not decide, the first time.
    pub unknown: Option<String>,
    /// What it cannot see.
    pub scope: String,
}

/// What a site of the probe macros did over the seeds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeTally {
    /// What it says.
    pub kind: SiteKind,
    /// Seeds that reached it.
    pub reached: u64,
    /// Seeds in which it held, or fired, at least once.
    pub held: u64,
    /// Of a comparison: how near it came to the contrary. Of a knob: the least drawn.
    pub number: Option<i128>,
}

impl ProbeTally {
    pub(crate) const fn of(kind: SiteKind) -> Self {
        Self {
            kind,
            reached: 0,
            held: 0,
            number: None,
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.reached += other.reached;
        self.held += other.held;
        self.number = self.number.into_iter().chain(other.number).min();
    }

    fn add(&mut self, seen: &Seen) {
        self.reached += u64::from(seen.reached > 0);
        self.held += u64::from(seen.held > 0);
        let numbers = self.number.into_iter().chain(seen.number);
        self.number = numbers.min();
    }

    /// What a sweep should have shown and did not, in words.
    #[must_use]
    pub const fn unmet(&self) -> Option<&'static str> {
        match self.kind {
            SiteKind::Always | SiteKind::Reachable if self.reached == 0 => Some("never reached"),
            SiteKind::Sometimes if self.reached == 0 => Some("never reached"),
            SiteKind::Sometimes if self.held == 0 => Some("reached and never held"),
            SiteKind::Buggify if self.reached == 0 => Some("never reached"),
            _ => None,
        }
    }
}

/// What became of a fault over the seeds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultTally {
    /// Its name in the scenario.
    pub name: String,
    /// What it is.
    pub kind: String,
    /// Seeds in which it armed.
    pub armed: u64,
    /// Seeds in which it was injected.
    pub injected: u64,
    /// Seeds in which it was injected and observed.
    pub landed: u64,
    /// Seeds that go without it.
    #[serde(default)]
    pub left_out: u64,
    /// Its counters, both sides, all seeds together.
    pub counters: BTreeMap<String, u64>,
    /// An injection, in words.
    pub injection: Option<Sighting>,
    /// An observation, in words.
    pub observation: Option<Sighting>,
}

/// What became of a landing condition over the seeds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LandingTally {
    /// The plan's words.
    pub text: String,
    /// Seeds in which it held.
    pub held: u64,
    /// Seeds that go without what it is about.
    #[serde(default)]
    pub waived: u64,
    /// What was seen once when it held.
    pub seen: Option<String>,
    /// What was seen once when it did not.
    pub missed: Option<String>,
}

impl Tally {
    /// Counts a seed.
    pub fn add(&mut self, outcome: SeedOutcome) {
        self.seeds += 1;
        self.novelty.add(&outcome);
        if let Some(report) = outcome.report() {
            self.add_report(report);
            self.swarm.add(report, outcome.signature().as_deref());
        }
        if let Some(signature) = outcome.signature() {
            self.failed += 1;
            *self.signatures.entry(signature).or_insert(0) += 1;
            // Seeds come in as they end; which are kept must not depend on that.
            let seed = outcome.seed();
            let place = self.failures.partition_point(|kept| kept.seed() < seed);
            self.failures.insert(place, outcome);
            self.failures.truncate(FAILURES_KEPT);
        }
    }

    fn add_report(&mut self, report: &SeedReport) {
        self.landed += u64::from(report.landed());
        if report.landed() && report.told() {
            self.proven += 1;
            let windows = report.ledger.iter().map(|row| row.armed.len() as u64);
            self.windows += windows.sum::<u64>();
        }
        self.virtual_ns += report.virtual_ns;
        self.events += report.events;
        self.exits += report.exits.len() as u64;
        if self.exit.is_none() {
            self.exit = report.exits.first().cloned();
        }
        report
            .convergence
            .iter()
            .for_each(|how| self.convergence.add(how));
        if let Some(disks) = &report.disks {
            self.disks.add(report.seed, disks);
        }
        self.operations.ok += report.operations.ok;
        self.operations.failed += report.operations.failed;
        self.operations.unknown += report.operations.unknown;
        if self.missing.is_none() {
            self.missing.clone_from(&report.missing);
        }
        self.floor_missing
            .extend(report.floor_missing.iter().cloned());
        for check in &report.checks {
            let tally = self.checks.entry(check.checker.clone()).or_default();
            tally.seeds += 1;
            if !matches!(check.outcome, Outcome::Weak { .. }) {
                tally.consumed += check.consumed;
                tally.total += check.total;
            }
            check.scope.clone_into(&mut tally.scope);
            match &check.outcome {
                Outcome::Ok => {}
                Outcome::Violation => tally.violations += 1,
                Outcome::Unknown { why } => {
                    tally.unknown.get_or_insert_with(|| why.clone());
                }
                Outcome::Weak { field } => {
                    tally.weak_seeds += 1;
                    tally.weak.get_or_insert_with(|| field.clone());
                }
            }
        }
        for seen in &report.probes {
            let name = format!("{} ({})", seen.name, seen.place);
            let tally = self.probes.entry(name);
            tally.or_insert_with(|| ProbeTally::of(seen.kind)).add(seen);
        }
        // A run that stopped before its nemesis began has no rows, and takes none away.
        let faults = self.faults.len().max(report.ledger.len());
        self.faults.resize_with(faults, FaultTally::default);
        for (tally, row) in self.faults.iter_mut().zip(&report.ledger) {
            tally.add(row, report.goes_without(&row.name));
        }
        let conditions = self.landing.len().max(report.landing.len());
        self.landing.resize_with(conditions, LandingTally::default);
        for (tally, result) in self.landing.iter_mut().zip(&report.landing) {
            tally.text.clone_from(&result.text);
            if result.waived {
                tally.waived += 1;
                continue;
            }
            tally.held += u64::from(result.held);
            let example = if result.held {
                &mut tally.seen
            } else {
                &mut tally.missed
            };
            example.get_or_insert_with(|| result.seen.clone());
        }
    }
}

impl FaultTally {
    fn add(&mut self, row: &LedgerRow, left_out: bool) {
        self.left_out += u64::from(left_out);
        row.name.clone_into(&mut self.name);
        row.kind.clone_into(&mut self.kind);
        self.armed += u64::from(row.is_armed());
        self.injected += u64::from(row.is_injected());
        self.landed += u64::from(row.has_landed());
        for (counter, n) in row.injected.iter().chain(&row.observed) {
            *self.counters.entry(counter.clone()).or_insert(0) += n;
        }
        if self.injection.is_none() {
            self.injection = row.injected_evidence.first().cloned();
        }
        if self.observation.is_none() {
            self.observation = row.observed_evidence.first().cloned();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Cause, Death};

    fn crashed(seed: u64) -> SeedOutcome {
        SeedOutcome::Crashed(Box::new(Death {
            seed,
            cause: Cause::Signal(6 + seed as i32 % 2),
            last_words: None,
            output: String::new(),
        }))
    }

    #[test]
    fn the_failures_kept_do_not_depend_on_the_order_they_come_in() {
        let seeds = [13, 2, 11, 5, 3, 17, 19, 7, 23, 29];
        let mut forth = Tally::default();
        seeds.iter().for_each(|seed| forth.add(crashed(*seed)));
        let mut back = Tally::default();
        seeds.iter().rev().for_each(|seed| back.add(crashed(*seed)));
        assert_eq!(forth.failures, back.failures);
        assert_eq!(forth.signatures, back.signatures);
        let kept: Vec<_> = forth.failures.iter().map(SeedOutcome::seed).collect();
        assert_eq!(kept, [2, 3, 5, 7, 11, 13, 17, 19]);
        assert_eq!((forth.seeds, forth.failed, forth.landed), (10, 10, 0));
        let signatures: Vec<_> = forth.signatures.into_iter().collect();
        let named = |signal, count| (format!("crash/{signal}"), count);
        assert_eq!(signatures, [named("SIGABRT", 1), named("SIGBUS", 9)]);
    }

    fn ran(ledger: Vec<LedgerRow>) -> SeedOutcome {
        let report = SeedReport {
            seed: 1,
            digest: sim_runtime::Digest::default(),
            events: 10,
            policy: sim_runtime::Policy::Random,
            swarm: None,
            polls: 5,
            virtual_ns: 100,
            checkpoints: Vec::new(),
            trace: Vec::new(),
            ledger,
            landing: Vec::new(),
            phases: Vec::new(),
            convergence: None,
            checks: Vec::new(),
            operations: OperationCounts::default(),
            panics: Vec::new(),
            probes: Vec::new(),
            violations: Vec::new(),
            disks: None,
            exits: Vec::new(),
            stop: None,
            missing: None,
            floor_missing: Vec::new(),
            log_tail: Vec::new(),
            logged_as: None,
            history: None,
            recording: None,
        };
        SeedOutcome::Ran(Box::new(report))
    }

    #[test]
    fn a_run_that_stopped_before_its_faults_takes_none_away() {
        let count = |n| BTreeMap::from([("processes-killed".to_owned(), n)]);
        let row = LedgerRow {
            id: sim_runtime::FaultId(1),
            name: "S1.f1".to_owned(),
            kind: "kill".to_owned(),
            target: "n1".to_owned(),
            armed: vec![sim_runtime::SimInstant(5)],
            healed: Vec::new(),
            injected: count(2),
            observed: BTreeMap::new(),
            injected_evidence: Vec::new(),
            observed_evidence: Vec::new(),
        };
        let mut tally = Tally::default();
        for outcome in [ran(vec![row.clone()]), ran(Vec::new()), ran(vec![row])] {
            tally.add(outcome);
        }
        let [fault] = &tally.faults[..] else {
            panic!("{:?}", tally.faults);
        };
        assert_eq!((fault.armed, fault.injected, fault.landed), (2, 2, 0));
        assert_eq!(fault.counters, count(4));
        assert_eq!((tally.events, tally.virtual_ns), (30, 300));
    }
}

//! The verdict: what may be believed of a scenario after its seeds.

use std::fmt;

use plan_compiler::scenario::{FaultKind, Scenario};
use serde::{Deserialize, Serialize};

use crate::coordinate::Tier;
use crate::render::counted;
use crate::tally::{FaultTally, Tally};

pub mod arms;
pub mod audit;
pub mod session;

/// The ten states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Verdict {
    /// The claims held; faults landed or none was planned; the hardening budget was not met.
    #[serde(rename = "PASS-smoke")]
    PassSmoke,
    /// The claims held under faults that landed in as many seeds as the plan asks for.
    #[serde(rename = "PASS-hardening")]
    PassHardening,
    /// A claim failed, and fails again with the same digest.
    #[serde(rename = "FAIL-reproducible")]
    FailReproducible,
    /// A claim failed and does not fail again, or two runs of a seed differ.
    #[serde(rename = "FAIL-nondeterministic")]
    FailNondeterministic,
    /// Something that the scenario needs is missing here.
    #[serde(rename = "INCONCLUSIVE-env")]
    InconclusiveEnv,
    /// The history does not say what the checker needs to know.
    #[serde(rename = "INCONCLUSIVE-oracle-too-weak")]
    InconclusiveOracleTooWeak,
    /// A planned fault did not land.
    #[serde(rename = "INCONCLUSIVE-fault-not-proven")]
    InconclusiveFaultNotProven,
    /// A declared checker did not run.
    #[serde(rename = "PARTIAL-surface")]
    PartialSurface,
    /// A checker did not cover every operation, or there were fewer than three seeds.
    #[serde(rename = "PARTIAL-model")]
    PartialModel,
    /// It was not attempted.
    #[serde(rename = "NOT-RUN")]
    NotRun,
}

impl Verdict {
    /// Every one.
    pub const ALL: [Verdict; 10] = [
        Self::PassSmoke,
        Self::PassHardening,
        Self::FailReproducible,
        Self::FailNondeterministic,
        Self::InconclusiveEnv,
        Self::InconclusiveOracleTooWeak,
        Self::InconclusiveFaultNotProven,
        Self::PartialSurface,
        Self::PartialModel,
        Self::NotRun,
    ];

    /// As plans and reports write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PassSmoke => "PASS-smoke",
            Self::PassHardening => "PASS-hardening",
            Self::FailReproducible => "FAIL-reproducible",
            Self::FailNondeterministic => "FAIL-nondeterministic",
            Self::InconclusiveEnv => "INCONCLUSIVE-env",
            Self::InconclusiveOracleTooWeak => "INCONCLUSIVE-oracle-too-weak",
            Self::InconclusiveFaultNotProven => "INCONCLUSIVE-fault-not-proven",
            Self::PartialSurface => "PARTIAL-surface",
            Self::PartialModel => "PARTIAL-model",
            Self::NotRun => "NOT-RUN",
        }
    }

    /// Whether it is one of the two passes.
    #[must_use]
    pub const fn is_pass(self) -> bool {
        matches!(self, Self::PassSmoke | Self::PassHardening)
    }

    /// Whether a claim failed.
    #[must_use]
    pub const fn is_fail(self) -> bool {
        matches!(self, Self::FailReproducible | Self::FailNondeterministic)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A verdict and the sentence that justifies it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judgement {
    /// The state.
    pub verdict: Verdict,
    /// Why.
    pub reason: String,
}

/// What is known beside the tally.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Circumstances {
    /// What was missing before the start.
    pub missing: Option<String>,
    /// Whether the first failing seed failed again with the same digest.
    pub failure_reproduced: Option<bool>,
    /// A seed whose two runs differ.
    pub diverged: Option<u64>,
    /// Which budget's duration was run.
    pub tier: Option<Tier>,
}

/// Fewer seeds than this say something about a model, not about a claim.
pub const SEEDS_MIN: u64 = 3;

/// With fewer operations acknowledged than one in this many, the system was as good as dead, and
/// an oracle that is content with the rest has seen next to nothing.
const ACKNOWLEDGED_ONE_IN: u64 = 10;

/// Goes down the tree of the ten verdicts. `scenario` is none for a simulation written by hand,
/// which declares neither faults nor checkers.
#[must_use]
pub fn judge(scenario: Option<&Scenario>, tally: &Tally, known: &Circumstances) -> Judgement {
    let say = |verdict, reason: String| Judgement { verdict, reason };
    if let Some(missing) = known.missing.as_ref().or(tally.missing.as_ref()) {
        return say(Verdict::InconclusiveEnv, format!("missing: {missing}"));
    }
    if tally.seeds == 0 {
        return say(Verdict::NotRun, "no seed was run".to_owned());
    }
    if let Some(failure) = tally.failures.first() {
        let (failed, seeds, seed) = (tally.failed, tally.seeds, failure.seed());
        let count = format!(
            "{failed} of {} failed, first seed {seed}",
            counted(seeds, "seed")
        );
        return if known.failure_reproduced == Some(true) {
            say(
                Verdict::FailReproducible,
                format!("{count}; it fails again, same digest"),
            )
        } else {
            say(
                Verdict::FailNondeterministic,
                format!("{count}; it did not fail the same again"),
            )
        };
    }
    if let Some(seed) = known.diverged {
        let reason = format!("two runs of seed {seed} differ");
        return say(Verdict::FailNondeterministic, reason);
    }
    if let Some(judgement) = scenario.and_then(|scenario| short_of_a_pass(scenario, tally)) {
        return judgement;
    }
    if tally.seeds < SEEDS_MIN {
        let reason = format!("{} of at least {SEEDS_MIN} seeds", tally.seeds);
        return say(Verdict::PartialModel, reason);
    }
    passed(scenario, tally, known)
}

/// What keeps a scenario without a failure from passing.
fn short_of_a_pass(scenario: &Scenario, tally: &Tally) -> Option<Judgement> {
    let say = |verdict, reason: String| Some(Judgement { verdict, reason });
    if !scenario.faults.is_empty() {
        let wanted = u64::from(scenario.landed_seeds_min).min(tally.seeds);
        let each = tally.faults.iter();
        let too_rare = each
            .clone()
            .any(|fault| fault.landed < wanted_of(fault, tally, wanted));
        if tally.landed < wanted || too_rare {
            return say(
                Verdict::InconclusiveFaultNotProven,
                not_landed(tally, wanted),
            );
        }
    }
    // A process that gives up is an answer to a broken disk, and to nothing else that is injected.
    let is_disk = |kind| {
        matches!(
            kind,
            FaultKind::DiskError | FaultKind::DiskFull | FaultKind::Storage { .. }
        )
    };
    if let Some(exit) = &tally.exit
        && !scenario.faults.iter().any(|fault| is_disk(fault.kind))
    {
        let reason = format!("nodes ended by themselves {} times: {exit}", tally.exits);
        return say(Verdict::PartialSurface, reason);
    }
    let declared: Vec<&str> = scenario.checkers.iter().map(checkers::name_of).collect();
    for name in &declared {
        // Two checkers may share a name, such as two deadlines: each judges every seed.
        let times = declared.iter().filter(|other| *other == name).count() as u64;
        match tally.checks.get(*name) {
            Some(check) if check.seeds == tally.seeds * times => {}
            _ => {
                return say(
                    Verdict::PartialSurface,
                    format!("{name} did not judge every seed"),
                );
            }
        }
    }
    let operations = tally.operations;
    let issued = operations.ok + operations.failed + operations.unknown;
    if operations.ok == 0 || operations.ok * ACKNOWLEDGED_ONE_IN < issued {
        let reason = format!("{} of {issued} operations were acknowledged", operations.ok);
        return say(Verdict::InconclusiveOracleTooWeak, reason);
    }
    if let Some(percent) = scenario.exit.acknowledged_percent_min
        && u128::from(operations.ok) * 100 < u128::from(issued) * u128::from(percent)
    {
        let ok = operations.ok;
        let reason = format!("{ok} of {issued} operations were acknowledged, not {percent} %");
        return say(Verdict::InconclusiveOracleTooWeak, reason);
    }
    if let Some(reason) = told_too_little(scenario, tally) {
        return say(Verdict::InconclusiveOracleTooWeak, reason);
    }
    let back = &tally.convergence;
    if back.no_liveness + back.hopeless > 0 {
        let (seeds, of) = (back.no_liveness + back.hopeless, tally.seeds);
        let example = back.example.as_deref().unwrap_or_default();
        let reason = format!(
            "in {seeds} of {} the last state was not read: {example}",
            counted(of, "seed")
        );
        return say(Verdict::PartialModel, reason);
    }
    for (name, check) in &tally.checks {
        if let Some(why) = &check.unknown {
            return say(
                Verdict::PartialModel,
                format!("{name} did not decide: {why}"),
            );
        }
        if check.consumed < check.total {
            let (consumed, total) = (check.consumed, check.total);
            let reason = format!("{name} consumed {consumed} of {total} operations");
            return say(Verdict::PartialModel, reason);
        }
    }
    None
}

/// A seed whose history lacks what a checker needs proves nothing, like one whose faults did not
/// land; as many others must remain as faults must land in.
fn told_too_little(scenario: &Scenario, tally: &Tally) -> Option<String> {
    let wanted = u64::from(scenario.landed_seeds_min).max(SEEDS_MIN);
    if tally.proven >= wanted.min(tally.seeds) {
        return None;
    }
    let weak = tally.checks.iter();
    let (name, check) = weak.max_by_key(|(_, check)| check.weak_seeds)?;
    let field = check.weak.as_ref()?;
    let (seeds, of) = (check.weak_seeds, tally.seeds);
    Some(format!(
        "{name}: in {seeds} of {of} seeds the history lacks {field}"
    ))
}

/// In how many seeds a fault must have landed: of those that have it, but in one at the least.
fn wanted_of(fault: &FaultTally, tally: &Tally, wanted: u64) -> u64 {
    wanted.min((tally.seeds - fault.left_out).max(1))
}

fn not_landed(tally: &Tally, wanted: u64) -> String {
    let mut reason = format!(
        "every fault landed in {} of {}, not in {wanted}",
        tally.landed,
        counted(tally.seeds, "seed")
    );
    let each = tally.faults.iter();
    for fault in each.filter(|fault| fault.landed < wanted_of(fault, tally, wanted)) {
        let standing = match (fault.armed, fault.injected) {
            _ if fault.left_out == tally.seeds => "left out by every seed: run more",
            (0, _) => "never armed",
            (_, 0) => "vacuous: armed, never injected",
            _ if fault.landed == 0 => "masked: injected, never observed",
            _ => "landed too rarely",
        };
        reason.push_str(&format!("; {} ({}) {standing}", fault.name, fault.kind));
    }
    for landing in tally.landing.iter().filter(|landing| {
        // Waived in every seed, it was never asked for.
        landing.held < wanted.min(tally.seeds - landing.waived)
    }) {
        let (text, held) = (&landing.text, landing.held);
        let missed = landing.missed.as_deref().unwrap_or("nothing");
        reason.push_str(&format!(
            "; \"{text}\" held in {} (seen: {missed})",
            counted(held, "seed")
        ));
    }
    reason
}

fn passed(scenario: Option<&Scenario>, tally: &Tally, known: &Circumstances) -> Judgement {
    let say = |verdict, reason: String| Judgement { verdict, reason };
    let Some(scenario) = scenario else {
        return say(Verdict::PassSmoke, counted(tally.seeds, "seed"));
    };
    if scenario.faults.is_empty() {
        return say(
            Verdict::PassSmoke,
            format!("{}, no fault planned", counted(tally.seeds, "seed")),
        );
    }
    let budget = scenario.budgets.hardening;
    let (proven, wanted) = (tally.proven, u64::from(budget.seeds));
    let criteria = audit::criteria(scenario, tally);
    let unmet = criteria.iter().find(|q| q.answer == audit::Answer::No);
    let full_length = known.tier == Some(Tier::Harden);
    let seeds = counted(tally.seeds, "seed");
    let mut landed = format!("landed in {} of {seeds}", tally.landed);
    if proven < tally.landed {
        let silent = tally.landed - proven;
        landed.push_str(&format!(", {silent} of which told the checkers too little"));
    }
    let faults = budget.faults.unwrap_or_default();
    let enough = proven >= wanted && tally.windows >= faults;
    if enough && full_length && unmet.is_none() {
        return say(Verdict::PassHardening, landed);
    }
    let why = if let (Some(unmet), true) = (unmet, enough && full_length) {
        format!("{} {}", unmet.asked, unmet.evidence)
    } else if full_length && proven >= wanted {
        let windows = tally.windows;
        format!("{windows} fault windows, hardening asks for {faults}")
    } else if full_length {
        format!("hardening asks for {wanted}")
    } else {
        "the smoke budget was run".to_owned()
    };
    say(Verdict::PassSmoke, format!("{landed}; {why}"))
}

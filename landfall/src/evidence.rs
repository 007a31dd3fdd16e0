//! What a report says of a test beside its verdict: a run to look at, what each fault changed in
//! it, how strong the oracle is, and of a failure whose fault it is and what decided it.

use checkers::{Budget, History, MutationScore};
use plan_compiler::scenario::Scenario;
use serde::{Deserialize, Serialize};

use crate::blame::{Blame, Class, blame, classify};
use crate::coordinate::{CoordinateError, Pool, RunRequest};
use crate::explain::{self, Explanation};
use crate::reduce::ReduceError;
use crate::render::counted;
use crate::report::{SeedOutcome, SeedReport};
use crate::script::Script;
use crate::sweep::TestResult;

/// How many seeds are looked at for one that passes.
const PASSING_TRIES: usize = 4;

/// What a check of one mutant may spend: enough for histories of a scenario's length.
const STRENGTH_BUDGET: Budget = Budget {
    steps_max: 2_000_000,
    memory_bytes_max: 128 << 20,
};

/// What is known of a test beside its verdict.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// The run that is shown: the first that failed, else the first of all.
    pub witness: Option<SeedReport>,
    /// The same run without each of the faults that opened in it.
    pub without: Vec<Without>,
    /// How many mutants of a passing history each checker catches.
    pub strength: Vec<Strength>,
    /// Of a failure.
    pub failure: Option<Failure>,
}

/// A seed without one of its faults.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Without {
    /// The fault's name in the scenario.
    pub fault: String,
    /// What it is.
    pub kind: String,
    /// Whether it landed in the run that has it.
    pub landed: bool,
    /// Whether the run's outcome, passed or failed and how, is another without it.
    pub decisive: bool,
    /// How the run without it fails; none when it passes.
    pub fails: Option<String>,
    /// What else is other without it, each `what: with -> without`.
    pub changed: Vec<String>,
    /// The first operation that goes another way.
    pub parting: Option<String>,
}

/// How strong a checker is on this scenario's histories.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Strength {
    /// So many mutants, so many caught.
    Scored(MutationScore),
    /// Not known, and why.
    NotScored {
        /// The checker.
        checker: String,
        /// Why.
        why: String,
    },
}

impl Strength {
    /// The checker.
    #[must_use]
    pub fn checker(&self) -> &str {
        match self {
            Self::Scored(score) => &score.checker,
            Self::NotScored { checker, .. } => checker,
        }
    }
}

/// What is known of a failure.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// What kind of failure it is.
    pub signature: String,
    /// It in words.
    pub words: Vec<String>,
    /// Whose fault it is.
    pub blame: Blame,
    /// What it is called; none where it is not the system's, or not a plan's.
    pub class: Option<Class>,
    /// When it was decided; none where its process died, or time was over.
    pub explanation: Option<Explanation>,
}

/// What the gathering may use.
pub struct Effort<'a> {
    /// Runs for each moment of the curve of a failure; 0: there is none.
    pub runs_a_point: u32,
    /// Asked between runs: whether the time is over.
    pub is_over: &'a dyn Fn() -> bool,
    /// Told after some of the runs: how many there were.
    pub progress: &'a mut dyn FnMut(u64),
}

/// Gathers what there is to say of a test whose seeds have been run; nothing where none were.
///
/// Cost: a run for each fault, up to four for the oracle's strength, five for blame, and those of
/// [`explain`](crate::explain::explain).
///
/// # Errors
/// The workers broke.
pub fn gather(
    pool: &mut Pool,
    result: &TestResult,
    seeds: &[u64],
    effort: &mut Effort<'_>,
) -> Result<Evidence, CoordinateError> {
    let mut evidence = Evidence::default();
    let failing = result.tally.failures.first().map(SeedOutcome::seed);
    let divergent = result.divergence.as_ref().map(|found| found.seed);
    let Some(seed) = failing.or(divergent).or(seeds.first().copied()) else {
        return Ok(evidence);
    };
    if result.tally.seeds == 0 {
        return Ok(evidence);
    }
    let base = RunRequest::new(&result.test.test, seed, result.tier);
    let shown = base.clone().with_history().with_recording().with_log(true);
    let outcome = pool.run_one(shown)?;
    if let Some(report) = outcome.report() {
        evidence.without = without_each(pool, &base, report)?;
    }
    if let Some(scenario) = &result.test.scenario {
        let failed: Vec<u64> = result
            .tally
            .failures
            .iter()
            .map(SeedOutcome::seed)
            .collect();
        let passing = seeds.iter().filter(|seed| !failed.contains(seed));
        let passing: Vec<u64> = passing.copied().take(PASSING_TRIES).collect();
        evidence.strength = strength(pool, result, scenario, &passing)?;
    }
    let first = result.tally.failures.first();
    if let Some(first) = first {
        let seen = (first, &outcome, evidence.without.as_slice());
        evidence.failure = Some(failure(pool, result, &base, seen, effort)?);
    }
    evidence.witness = match outcome {
        SeedOutcome::Ran(report) => Some(*report),
        SeedOutcome::Crashed(_) => None,
    };
    Ok(evidence)
}

fn failure(
    pool: &mut Pool,
    result: &TestResult,
    base: &RunRequest,
    (first, shown, without): (&SeedOutcome, &SeedOutcome, &[Without]),
    effort: &mut Effort<'_>,
) -> Result<Failure, CoordinateError> {
    // The run with its history where it is the same run; else what the sweep saw.
    let seen = if shown.signature() == first.signature() {
        shown
    } else {
        first
    };
    let script = Script::default();
    let blame = blame(pool, base, &script, seen)?;
    let signature = seen.signature().unwrap_or_default();
    let explanation = if effort.runs_a_point == 0 || (effort.is_over)() {
        None
    } else {
        let mut search = explain::Effort {
            runs_a_point: effort.runs_a_point,
            is_over: effort.is_over,
            progress: &mut *effort.progress,
        };
        match explain::explain(pool, base, &script, &mut search) {
            Ok(explanation) => Some(explanation),
            Err(ReduceError::Coordinate(error)) => return Err(error),
            Err(_) => None,
        }
    };
    let checker = signature.split('/').next().unwrap_or_default();
    let decisive = without.iter().filter(|one| one.decisive);
    let decisive: Vec<&str> = decisive.map(|one| one.fault.as_str()).collect();
    let class = result.test.scenario.as_ref();
    let class = class.map(|scenario| classify(scenario, checker, &decisive));
    Ok(Failure {
        seed: seen.seed(),
        words: seen.failures(),
        class,
        blame,
        explanation,
        signature,
    })
}

/// The run that `with` is, without each of the faults whose windows opened in it.
fn without_each(
    pool: &mut Pool,
    base: &RunRequest,
    with: &SeedReport,
) -> Result<Vec<Without>, CoordinateError> {
    let mut all = Vec::new();
    for row in with.ledger.iter().filter(|row| row.is_armed()) {
        let script = Script {
            without: vec![row.name.clone()],
            ..Script::default()
        };
        let outcome = pool.run_one(base.clone().with_script(&script).with_history())?;
        let fails = outcome.signature();
        all.push(Without {
            fault: row.name.clone(),
            kind: row.kind.clone(),
            landed: row.has_landed(),
            decisive: fails != with.signature(),
            fails,
            changed: outcome
                .report()
                .map_or_else(Vec::new, |other| changed(with, other)),
            parting: outcome
                .report()
                .and_then(|other| explain::parting(with, other))
                .map(|parting| parting.to_string()),
        });
    }
    Ok(all)
}

/// What is other in a run without a fault, in words.
fn changed(with: &SeedReport, without: &SeedReport) -> Vec<String> {
    let leads = |report: &SeedReport| {
        let history = history(report);
        let all = history.iter().flat_map(|history| &history.ops);
        all.filter(|op| !op.is_client()).count() as u64
    };
    let numbers = [
        (
            "operations acknowledged",
            with.operations.ok,
            without.operations.ok,
        ),
        (
            "operations refused",
            with.operations.failed,
            without.operations.failed,
        ),
        (
            "operations unknown",
            with.operations.unknown,
            without.operations.unknown,
        ),
        ("leaders reported", leads(with), leads(without)),
        (
            "nodes that gave up",
            with.exits.len() as u64,
            without.exits.len() as u64,
        ),
        ("events", with.events, without.events),
    ];
    let mut changed: Vec<String> = numbers
        .into_iter()
        .filter(|(_, with, without)| with != without)
        .map(|(what, with, without)| format!("{what}: {with} -> {without}"))
        .collect();
    for (row, other) in with.ledger.iter().zip(&without.ledger) {
        let (here, there) = (with.standing(row), without.standing(other));
        if here != there && other.is_armed() {
            changed.push(format!("{}: {here} -> {there}", row.name));
        }
    }
    changed
}

fn history(report: &SeedReport) -> Option<History> {
    checkers::jsonl::read(report.history.as_ref()?.as_bytes()).ok()
}

/// Breaks the history of the first of these seeds that each checker passes.
fn strength(
    pool: &mut Pool,
    result: &TestResult,
    scenario: &Scenario,
    seeds: &[u64],
) -> Result<Vec<Strength>, CoordinateError> {
    let mut left: Vec<_> = scenario.checkers.iter().collect();
    let mut found = Vec::new();
    for seed in seeds {
        if left.is_empty() {
            break;
        }
        let request = RunRequest::new(&result.test.test, *seed, result.tier).with_history();
        let outcome = pool.run_one(request)?;
        let Some(history) = outcome.report().and_then(history) else {
            continue;
        };
        left.retain(|spec| {
            let model = scenario.model;
            match checkers::mutation_score(&history, spec, model, &STRENGTH_BUDGET, *seed) {
                Ok(score) => found.push(Strength::Scored(score)),
                Err(_) => return true,
            }
            false
        });
    }
    found.extend(left.into_iter().map(|spec| Strength::NotScored {
        checker: checkers::name_of(spec).to_owned(),
        why: format!(
            "none of {} has a history that it passes",
            counted(seeds.len() as u64, "seed")
        ),
    }));
    Ok(found)
}

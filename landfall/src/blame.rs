//! Whose fault a failure is, by control experiments, each of which is cited.
//!
//! - *environment*: another run of the seed differs, or the machine ended it;
//! - *checker*: a perfect object under the same workload is found guilty as well, or a second
//!   opinion finds an order for the history;
//! - *harness*: the failure stays when [`System::reference`](crate::System::reference) takes the
//!   system's place under the same clients and faults, or there is another that a perfect object
//!   cannot have;
//! - *SUT*: none of these. Where an experiment that could say otherwise was not possible, it is
//!   *unknown*, and said what was tried.
//!
//! - `second`: the second opinion; `classify`: what a failure is called.

mod classify;
mod second;

use std::fmt;

use checkers::{Finding, History, Outcome};
use serde::{Deserialize, Serialize};

pub use self::classify::{Class, classify};
use crate::coordinate::{CoordinateError, Pool, RunRequest};
use crate::report::{SeedOutcome, SeedReport};
use crate::script::Script;
use crate::stand_in::{MISSING, StandIn};

/// How often the seed is run again.
const AGAIN: u32 = 2;

/// Whose fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Culprit {
    /// The system under test.
    Sut,
    /// What drives it: the test's client, or the workload.
    Harness,
    /// What judges it: the checker, or the model that the plan names.
    Checker,
    /// The machine, or what leaks of it into a run.
    Environment,
    /// Not decided.
    Unknown,
}

impl fmt::Display for Culprit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Sut => "SUT",
            Self::Harness => "harness",
            Self::Checker => "checker",
            Self::Environment => "environment",
            Self::Unknown => "unknown",
        })
    }
}

/// One control experiment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Control {
    /// What was done.
    pub experiment: String,
    /// What came of it.
    pub result: String,
    /// Whom that accuses.
    pub accuses: Option<Culprit>,
    /// Whether it could be done.
    pub done: bool,
}

impl Control {
    fn new(experiment: &str, result: String, accuses: Option<Culprit>) -> Self {
        Self {
            experiment: experiment.to_owned(),
            result,
            accuses,
            done: true,
        }
    }

    fn not_done(experiment: &str, why: &str) -> Self {
        Self {
            experiment: experiment.to_owned(),
            result: why.to_owned(),
            accuses: None,
            done: false,
        }
    }
}

/// Whose fault a failure is, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blame {
    /// Whose.
    pub culprit: Culprit,
    /// Why.
    pub reason: String,
    /// What was tried, in order.
    pub controls: Vec<Control>,
}

/// Tries whose fault `failing` is: a run of `base` under `script` that failed, with its history
/// where its process lived.
///
/// Cost: five runs of the seed, and a search of the history of one key.
///
/// # Errors
/// The workers broke.
pub fn blame(
    pool: &mut Pool,
    base: &RunRequest,
    script: &Script,
    failing: &SeedOutcome,
) -> Result<Blame, CoordinateError> {
    let mut controls = vec![again(pool, base, script, failing)?];
    if let Some(death) = failing.death() {
        let from_outside = death.cause.is_from_outside();
        let result = format!("it ended so: {}", death.cause);
        let accuses = from_outside.then_some(Culprit::Environment);
        let asked = "look at how the seed's process ended";
        controls.push(Control::new(asked, result, accuses));
    }
    controls.push(known_good(pool, base, script, failing)?);
    if let Some(report) = failing.report() {
        controls.push(second_opinion(report));
    }
    controls.push(match violated(failing) {
        Some(checker) if OF_NODES.contains(&checker) => Control::new(
            SAID_BY,
            "its own nodes, each by itself: clients and workload have no part in it".to_owned(),
            None,
        ),
        _ => stand_in(pool, base, script, failing)?,
    });
    controls.push(fault_free(pool, base, script, failing)?);
    Ok(decide(controls))
}

/// The first experiment that accuses somebody decides.
fn decide(controls: Vec<Control>) -> Blame {
    if let Some(found) = controls.iter().find(|control| control.accuses.is_some()) {
        return Blame {
            culprit: found.accuses.unwrap_or(Culprit::Unknown),
            reason: format!("{}: {}", found.experiment, found.result),
            controls,
        };
    }
    let open = controls
        .iter()
        .find(|control| !control.done && control.experiment == STAND_IN);
    let (culprit, reason) = match open {
        Some(open) => (
            Culprit::Unknown,
            format!("the harness is not excluded: {}", open.result),
        ),
        None if controls.iter().any(|one| one.experiment == SAID_BY) => (
            Culprit::Sut,
            "it is repeatable, and what is judged is said by the system's own nodes".into(),
        ),
        None => (
            Culprit::Sut,
            "it is repeatable, and is gone when a perfect object takes the system's place".into(),
        ),
    };
    Blame {
        culprit,
        reason,
        controls,
    }
}

/// Checkers of what faults may keep any system from.
const WAITED_FOR: [&str; 2] = ["progress", ELECTION];

/// Checkers of what the system's nodes say, which no client has a part in.
const OF_NODES: [&str; 2] = ["single-leader", ELECTION];

const SAID_BY: &str = "look at who says what is judged";

const STAND_IN: &str = "put a perfect object behind the same clients and faults";

fn again(
    pool: &mut Pool,
    base: &RunRequest,
    script: &Script,
    failing: &SeedOutcome,
) -> Result<Control, CoordinateError> {
    let experiment = "run the same seed again";
    for _ in 0..AGAIN {
        let other = pool.run_one(base.clone().with_script(script))?;
        // Of a process that was ended from outside there is no digest.
        if other.digest() != failing.digest() || other.signature() != failing.signature() {
            let how = other.signature().unwrap_or_else(|| "no failure".to_owned());
            let digest = |outcome: &SeedOutcome| {
                let digest = outcome.digest();
                digest.map_or_else(|| "none".to_owned(), |digest| digest.to_string())
            };
            let result = format!(
                "it differs: digest {} became {}, {how}",
                digest(failing),
                digest(&other)
            );
            let accuses = Some(Culprit::Environment);
            return Ok(Control::new(experiment, result, accuses));
        }
    }
    let result = format!("{AGAIN} further runs fail alike, event for event");
    Ok(Control::new(experiment, result, None))
}

fn standing(
    pool: &mut Pool,
    base: &RunRequest,
    script: &Script,
    what: StandIn,
) -> Result<SeedOutcome, CoordinateError> {
    let mut script = script.clone();
    script.stand_in = Some(what);
    // A schedule written down for another program means nothing here.
    script.deviations = None;
    pool.run_one(base.clone().with_script(&script))
}

/// Whether a run fails by the same checker, or otherwise in the same way.
fn alike(a: &SeedOutcome, b: &SeedOutcome) -> bool {
    let group = |outcome: &SeedOutcome| {
        let signature = outcome.signature()?;
        Some(signature.split('/').next().unwrap_or_default().to_owned())
    };
    group(a).is_some() && group(a) == group(b)
}

/// The checker of how soon somebody leads, which the perfect object has no part in.
const ELECTION: &str = "election";

fn known_good(
    pool: &mut Pool,
    base: &RunRequest,
    script: &Script,
    failing: &SeedOutcome,
) -> Result<Control, CoordinateError> {
    let experiment = "judge a history that is good by construction";
    if violated(failing) == Some(ELECTION) {
        let why = "when somebody leads is the system's own, and the object has no part in it";
        return Ok(Control::not_done(experiment, why));
    }
    let outcome = standing(pool, base, script, StandIn::Object)?;
    let judged = violated(failing).and_then(|name| {
        let report = outcome.report()?;
        report.checks.iter().find(|check| check.checker == name)
    });
    Ok(match judged {
        Some(check) if check.outcome == Outcome::Violation => {
            let finding = check.findings.first();
            let what = finding.map_or_else(String::new, |finding| finding.message.clone());
            let result = format!("{} calls it broken: {what}", check.checker);
            Control::new(experiment, result, Some(Culprit::Checker))
        }
        Some(check) => {
            let result = format!(
                "{} says: {}, of {} operations on a perfect object",
                check.checker, check.outcome, check.consumed
            );
            Control::new(experiment, result, None)
        }
        None => Control::not_done(experiment, "no checker of histories found the failure"),
    })
}

/// The checker that found the failure.
fn violated(failing: &SeedOutcome) -> Option<&str> {
    let checks = &failing.report()?.checks;
    let found = checks
        .iter()
        .find(|check| check.outcome == Outcome::Violation);
    found.map(|check| check.checker.as_str())
}

fn second_opinion(report: &SeedReport) -> Control {
    let experiment = "ask a second, independent checker about the history";
    let found = report
        .checks
        .iter()
        .find(|check| check.outcome == Outcome::Violation);
    let history = report.history.as_deref();
    let history = history.and_then(|text| checkers::jsonl::read(text.as_bytes()).ok());
    let (Some(check), Some(history)) = (found, history) else {
        return Control::not_done(experiment, "no checker of histories found the failure");
    };
    let finding = check.findings.first();
    match check.checker.as_str() {
        "linearizability" => {
            let key = finding.and_then(|finding| finding.key.as_ref());
            match second::is_explained(&history, key) {
                Some(true) => {
                    let result = "it finds an order that explains every answer".to_owned();
                    Control::new(experiment, result, Some(Culprit::Checker))
                }
                Some(false) => {
                    let result = "it finds no order either".to_owned();
                    Control::new(experiment, result, None)
                }
                None => Control::not_done(experiment, "it did not decide"),
            }
        }
        "no-lost-ack" => match finding {
            Some(finding) if is_lost(&history, finding) == Some(false) => {
                let result = "the last reads have what is called lost".to_owned();
                Control::new(experiment, result, Some(Culprit::Checker))
            }
            Some(finding) if is_lost(&history, finding) == Some(true) => {
                let result = "the last reads lack it".to_owned();
                Control::new(experiment, result, None)
            }
            _ => Control::not_done(experiment, "it did not decide"),
        },
        other => Control::not_done(experiment, &format!("there is none for {other}")),
    }
}

/// Whether the last read of the object lacks what the finding's first row wrote; for lists only.
fn is_lost(history: &History, finding: &Finding) -> Option<bool> {
    let written = finding
        .rows
        .iter()
        .find(|op| op.op_type == checkers::OpType::Append)?;
    let mut last = history.ops.iter().filter(|op| {
        op.op_type == checkers::OpType::FinalRead && op.is_acknowledged() && op.key == written.key
    });
    let read = last.next_back()?;
    match read.observed().as_list() {
        Some(elements) => Some(!elements.contains(&written.input)),
        None => Some(true),
    }
}

fn stand_in(
    pool: &mut Pool,
    base: &RunRequest,
    script: &Script,
    failing: &SeedOutcome,
) -> Result<Control, CoordinateError> {
    let outcome = standing(pool, base, script, StandIn::Servers)?;
    if let Some(report) = outcome.report()
        && report.exits.iter().any(|exit| exit.contains(MISSING))
    {
        let why = "the system offers no `System::reference`";
        return Ok(Control::not_done(STAND_IN, why));
    }
    let failed = outcome.failures();
    Ok(if alike(&outcome, failing) {
        let what = failed
            .first()
            .map_or("", |line| line.lines().next().unwrap_or(""));
        let result = format!("it still fails: {what}");
        Control::new(STAND_IN, result, Some(Culprit::Harness))
    } else {
        // What a perfect object is said to have done wrong, whoever says so made up; that nobody is
        // served may be the faults' doing.
        let is_false = violated(&outcome).is_some_and(|checker| !WAITED_FOR.contains(&checker));
        let result = match failed.first() {
            None => "the failure is gone".to_owned(),
            Some(line) => format!(
                "that failure is gone, though there is another: {}",
                line.lines().next().unwrap_or_default()
            ),
        };
        Control::new(STAND_IN, result, is_false.then_some(Culprit::Harness))
    })
}

fn fault_free(
    pool: &mut Pool,
    base: &RunRequest,
    script: &Script,
    failing: &SeedOutcome,
) -> Result<Control, CoordinateError> {
    let experiment = "run the seed without any fault";
    let Some(report) = failing.report() else {
        return Ok(Control::not_done(experiment, "its process died"));
    };
    let mut script = script.clone();
    script.windows = None;
    script.without = report.ledger.iter().map(|row| row.name.clone()).collect();
    let outcome = pool.run_one(base.clone().with_script(&script))?;
    let result = match outcome.signature() {
        None => "it passes: faults have their part in it".to_owned(),
        Some(how) => format!("it fails, by {how}: faults are not needed"),
    };
    Ok(Control::new(experiment, result, None))
}

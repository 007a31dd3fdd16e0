//! How strong an oracle is: a passing history, broken in the ways that its claim forbids, and how
//! many of these mutants the checker catches.
//!
//! A checker that passes a history says little when it would have passed a broken one too: because
//! the history has nothing for it to see, or because the checker is blind. Each *way* plants one
//! anomaly so that the claim is broken for certain; a way that finds no place in a history makes no
//! mutant, and is named.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::check::{check, name_of};
use crate::history::History;
use crate::report::{Budget, Outcome};
use crate::spec::{CheckerSpec, ModelKind};

mod plant;
mod ways;

use plant::Draw;

/// What became of the mutants of a history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MutationScore {
    /// The checker.
    pub checker: String,
    /// How many mutants there were.
    pub mutants: u64,
    /// How many of them were called a violation.
    pub caught: u64,
    /// What was planted in those that were not, and what the checker said.
    pub missed: Vec<Missed>,
    /// Ways for which the history has no place.
    pub unused: Vec<String>,
}

/// One line: how many of how many, what was missed, and the ways without a place.
impl fmt::Display for MutationScore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (caught, mutants) = (self.caught, self.mutants);
        write!(f, "{}: {caught} of {mutants} mutants caught", self.checker)?;
        for missed in &self.missed {
            let (way, id) = (&missed.way, missed.op_id);
            write!(f, "\n  missed: {way} at #{id} ({})", missed.outcome)?;
        }
        if !self.unused.is_empty() {
            write!(f, "\n  no place for: {}", self.unused.join(", "))?;
        }
        Ok(())
    }
}

/// A mutant that was not caught.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missed {
    /// The way.
    pub way: String,
    /// The row that was changed, added or taken away.
    pub op_id: u64,
    /// What the checker said.
    pub outcome: Outcome,
}

/// Mutants of each way, at most.
const MUTANTS_A_WAY: usize = 8;

/// Breaks a history that passes, in up to eight places for each way that the checker's claim
/// forbids, and counts what the checker catches. Deterministic in the seed.
///
/// Cost: a check and a copy of the history for each mutant, and for each way up to 256 looks
/// through the history for a place.
///
/// # Errors
/// What the checker says of the history itself, when that is not *ok*.
pub fn mutation_score(
    history: &History,
    spec: &CheckerSpec,
    model: ModelKind,
    budget: &Budget,
    seed: u64,
) -> Result<MutationScore, Outcome> {
    let report = check(history, spec, model, budget);
    if report.outcome != Outcome::Ok {
        return Err(report.outcome);
    }
    let mut score = MutationScore {
        checker: name_of(spec).to_owned(),
        mutants: 0,
        caught: 0,
        missed: Vec::new(),
        unused: Vec::new(),
    };
    for (number, way) in (0_u64..).zip(ways::of(spec, model)) {
        let mut draw = Draw::new(seed, number);
        let places = way.places(history, &mut draw, MUTANTS_A_WAY);
        if places.is_empty() {
            score.unused.push(way.name.to_owned());
        }
        for place in places {
            let mut mutant = history.clone();
            let op_id = history.ops[place].op_id;
            way.plant(&mut mutant, place);
            let outcome = check(&mutant, spec, model, budget).outcome;
            score.mutants += 1;
            if outcome == Outcome::Violation {
                score.caught += 1;
            } else {
                score.missed.push(Missed {
                    way: way.name.to_owned(),
                    op_id,
                    outcome,
                });
            }
        }
    }
    Ok(score)
}

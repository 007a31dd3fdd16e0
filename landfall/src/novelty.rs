//! Whether a sweep still meets what it had not met: what each seed's run did, as a set of
//! behaviours, and when the last one was new.

use std::collections::BTreeSet;
use std::fmt;

use checkers::Outcome;
use serde::{Deserialize, Serialize};

use crate::report::SeedOutcome;

/// The behaviours of a sweep's seeds so far.
///
/// A behaviour is a site of the probe macros that was reached or held, or a counter of a fault's
/// ledger row, each with the magnitude of its count (a power of two); an answer of a checker; a
/// landing condition that held or did not; the end of a node; a kind of failure. Cost: a set of
/// eight bytes for each behaviour.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Novelty {
    /// How many behaviours there are.
    pub behaviours: u64,
    /// After how many seeds the last one was new.
    pub last_new: u64,
    /// Seeds that were counted.
    pub seeds: u64,
    #[serde(skip)]
    known: BTreeSet<u64>,
}

impl Novelty {
    /// Counts a seed.
    pub fn add(&mut self, outcome: &SeedOutcome) {
        self.seeds += 1;
        let before = self.known.len();
        behaviours(outcome, &mut |name| {
            self.known.insert(hash(name));
        });
        if self.known.len() > before {
            self.behaviours = self.known.len() as u64;
            self.last_new = self.seeds;
        }
    }

    /// For how many seeds nothing has been new.
    #[must_use]
    pub const fn flat_for(&self) -> u64 {
        self.seeds - self.last_new
    }
}

/// `213 behaviours, none new in the last 40 of 100 seeds`.
impl fmt::Display for Novelty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (behaviours, seeds, flat) = (self.behaviours, self.seeds, self.flat_for());
        // Half of a sweep without anything new is a plateau; less may be luck.
        let shape = if flat * 2 >= seeds {
            "flat"
        } else {
            "still climbing"
        };
        let last = self.last_new;
        write!(
            f,
            "{behaviours} behaviours, the last new one in seed {last} of {seeds}: {shape}"
        )
    }
}

fn behaviours(outcome: &SeedOutcome, each: &mut dyn FnMut(&str)) {
    if let Some(signature) = outcome.signature() {
        each(&format!("failure/{signature}"));
    }
    let Some(report) = outcome.report() else {
        return;
    };
    for site in &report.probes {
        let (name, place) = (&site.name, &site.place);
        let (reached, held) = (magnitude(site.reached), magnitude(site.held));
        each(&format!("reached/{name}/{place}/{reached}"));
        each(&format!("held/{name}/{place}/{held}"));
    }
    for row in &report.ledger {
        for (counter, n) in row.injected.iter().chain(&row.observed) {
            each(&format!("fault/{}/{counter}/{}", row.name, magnitude(*n)));
        }
    }
    for check in &report.checks {
        let answer = match &check.outcome {
            Outcome::Ok => "ok",
            Outcome::Violation => "violation",
            Outcome::Unknown { .. } => "unknown",
            Outcome::Weak { .. } => "weak",
        };
        each(&format!("check/{}/{answer}", check.checker));
    }
    for landing in &report.landing {
        each(&format!("landing/{}/{}", landing.text, landing.held));
    }
    each(&format!("exits/{}", magnitude(report.exits.len() as u64)));
}

/// 0, or the power of two at or below.
fn magnitude(n: u64) -> u64 {
    n.checked_ilog2().map_or(0, |log| 1 << log)
}

/// FNV-1a: two of thousands of names meet once in a million sweeps, and cost a behaviour.
fn hash(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Cause, Death};

    fn died(of: i32) -> SeedOutcome {
        SeedOutcome::Crashed(Box::new(Death {
            seed: 1,
            cause: Cause::Signal(of),
            last_words: None,
            output: String::new(),
        }))
    }

    #[test]
    fn what_was_met_before_is_not_new() {
        let mut novelty = Novelty::default();
        for of in [6, 6, 11, 6, 11, 6] {
            novelty.add(&died(of));
        }
        let counts = (novelty.behaviours, novelty.last_new, novelty.flat_for());
        assert_eq!(counts, (2, 3, 3));
        let said = "2 behaviours, the last new one in seed 3 of 6: flat";
        assert_eq!(novelty.to_string(), said);
        novelty.add(&died(7));
        assert!(novelty.to_string().ends_with("seed 7 of 7: still climbing"));
    }

    #[test]
    fn counts_of_one_magnitude_are_alike() {
        let magnitudes = [0, 1, 2, 3, 4, 1_000].map(magnitude);
        assert_eq!(magnitudes, [0, 1, 2, 2, 4, 512]);
    }
}

//! The policies by name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ids::Seed;
use crate::stream::Stream;

/// How the next task is picked. Written `random`, `fifo`, `pct(3)`, `pct(3,k=10000)` or `urw`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Policy {
    /// Any node that has a ready task, then any of its tasks, by seed.
    #[default]
    Random,
    /// In the order they became ready.
    Fifo,
    /// Strictly by random priorities, which fall at `depth - 1` steps of the run (probabilistic
    /// concurrency testing, Burckhardt et al., ASPLOS 2010). Finds bugs that need a few orderings
    /// to hold at once, however long the run.
    Pct {
        /// How many orderings a bug may need; at least 1.
        depth: u32,
        /// How many polls a run is estimated to take; at least 1.
        steps: u64,
    },
    /// Weighted by the polls that each task is estimated to have left, so that interleavings are
    /// alike likely (uniform random walk, Zhao et al., ASPLOS 2025).
    Urw,
}

impl Policy {
    /// What `pct(d)` takes for the polls of a run when it is not told.
    pub const STEPS: u64 = 100_000;

    /// The policy that a sweep runs a seed under, drawn from a stream of its own: of 100 seeds, 70
    /// are `random`, 15 `pct` of depth 2 to 5 over 10^3 to 10^6 steps, 10 `urw` and 5 `fifo`.
    #[must_use]
    pub fn drawn(seed: Seed) -> Self {
        let mut stream = Stream::of(seed, "sched.policy", 0);
        match stream.below(100) {
            0..70 => Self::Random,
            70..85 => Self::Pct {
                depth: 2 + u32::try_from(stream.below(4)).expect("below 4"),
                steps: *stream.pick(&[1_000, 10_000, 100_000, 1_000_000]),
            },
            85..95 => Self::Urw,
            _ => Self::Fifo,
        }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Random => f.write_str("random"),
            Self::Fifo => f.write_str("fifo"),
            Self::Pct { depth, steps } if *steps == Self::STEPS => write!(f, "pct({depth})"),
            Self::Pct { depth, steps } => write!(f, "pct({depth},k={steps})"),
            Self::Urw => f.write_str("urw"),
        }
    }
}

impl From<Policy> for String {
    fn from(policy: Policy) -> Self {
        policy.to_string()
    }
}

/// A text that names no policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadPolicy(String);

impl fmt::Display for BadPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "there is no scheduling policy {:?}; there are random, fifo, pct(3), pct(3,k=10000) \
             and urw",
            self.0
        )
    }
}

impl std::error::Error for BadPolicy {}

impl FromStr for Policy {
    type Err = BadPolicy;

    fn from_str(text: &str) -> Result<Self, BadPolicy> {
        match text {
            "random" => Some(Self::Random),
            "fifo" => Some(Self::Fifo),
            "urw" => Some(Self::Urw),
            _ => pct(text),
        }
        .ok_or_else(|| BadPolicy(text.to_owned()))
    }
}

impl TryFrom<String> for Policy {
    type Error = BadPolicy;

    fn try_from(text: String) -> Result<Self, BadPolicy> {
        text.parse()
    }
}

fn pct(text: &str) -> Option<Policy> {
    let inside = text.strip_prefix("pct(")?.strip_suffix(')')?;
    let (depth, steps) = match inside.split_once(',') {
        Some((depth, steps)) => (depth, steps.trim().strip_prefix("k=")?.parse().ok()?),
        None => (inside, Policy::STEPS),
    };
    let depth = depth.trim().parse().ok()?;
    (depth > 0 && steps > 0).then_some(Policy::Pct { depth, steps })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_read_back() {
        for text in [
            "random",
            "fifo",
            "urw",
            "pct(1)",
            "pct(3)",
            "pct(3,k=10000)",
        ] {
            let policy: Policy = text.parse().unwrap();
            assert_eq!(policy.to_string(), text);
        }
        let spaced: Policy = "pct(3, k=10000)".parse().unwrap();
        assert_eq!(spaced.to_string(), "pct(3,k=10000)");
    }

    #[test]
    fn what_is_no_policy_is_refused_by_name() {
        for text in [
            "",
            "Random",
            "pct",
            "pct()",
            "pct(0)",
            "pct(2,k=0)",
            "pct(2,3)",
        ] {
            let error = text.parse::<Policy>().unwrap_err().to_string();
            assert!(error.contains(&format!("{text:?}")), "{error}");
        }
    }

    #[test]
    fn a_sweep_draws_every_policy_with_its_weight() {
        let mut counts = [0_u32; 4];
        for seed in 0..10_000 {
            let policy = Policy::drawn(Seed(seed));
            assert_eq!(policy, Policy::drawn(Seed(seed)));
            counts[match policy {
                Policy::Random => 0,
                Policy::Fifo => 1,
                Policy::Pct { .. } => 2,
                Policy::Urw => 3,
            }] += 1;
        }
        let [random, fifo, pct, urw] = counts;
        assert!((6_800..7_200).contains(&random), "{counts:?}");
        assert!((400..600).contains(&fifo), "{counts:?}");
        assert!((1_350..1_650).contains(&pct), "{counts:?}");
        assert!((850..1_150).contains(&urw), "{counts:?}");
    }
}

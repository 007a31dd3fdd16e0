//! What is planted, and what must be found.

use crate::notes::{Bug, Notes};

/// What a sweep of a case must come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// A pass, and no seed that differs when it is run twice.
    Pass,
    /// A failure whose signature begins like this.
    Failure(&'static str),
    /// Two runs of a seed that differ.
    Difference,
}

/// A test of this crate, and what must come of it.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// The claim family that it is of, or what else it shows.
    pub family: &'static str,
    /// What is planted.
    pub planted: &'static str,
    /// The test's name.
    pub test: &'static str,
    /// How many seeds it must be found in.
    pub seeds: u64,
    /// What must be found.
    pub expected: Expected,
}

/// Every case.
pub const CASES: [Case; 15] = [
    clean("no bug", "cases::clean::s1_registers"),
    clean("no bug", "cases::clean::s2_power"),
    clean("no bug", "cases::clean::s3_restart"),
    clean("no bug", "cases::clean::s4_logs"),
    clean("no bug", "cases::clean::s5_leaders"),
    clean("no bug", "cases::clean::s6_transfers"),
    planted(
        "safety",
        "reads are answered from a cache that is late",
        "cases::stale::s1_registers",
        "linearizability/",
    ),
    planted(
        "durability",
        "appends are acknowledged before they are synced",
        "cases::unsynced::s2_power",
        "no-lost-ack/",
    ),
    planted(
        "liveness",
        "nobody is served after a restart",
        "cases::stuck::s3_restart",
        "progress/",
    ),
    planted(
        "idempotency",
        "an append that is tried again is applied again",
        "cases::twice::s4_logs",
        "linearizability/",
    ),
    planted(
        "ordering",
        "a reader sees the last two appends in another order",
        "cases::swapped::s4_logs",
        "linearizability/",
    ),
    planted(
        "membership",
        "two nodes lead in one term",
        "cases::two_leaders::s5_leaders",
        "single-leader/",
    ),
    planted(
        "isolation",
        "a transfer can be seen half done",
        "cases::torn::s6_transfers",
        "bank/",
    ),
    planted(
        "canary",
        "the first client panics",
        "cases::canary::s1_registers",
        "panic/",
    ),
    Case {
        family: "determinism",
        planted: "writes depend on the machine's clock",
        test: "cases::dice::s1_registers",
        seeds: 3,
        expected: Expected::Difference,
    },
];

const fn clean(family: &'static str, test: &'static str) -> Case {
    Case {
        family,
        planted: "",
        test,
        seeds: 5,
        expected: Expected::Pass,
    }
}

const fn planted(
    family: &'static str,
    planted: &'static str,
    test: &'static str,
    signature: &'static str,
) -> Case {
    Case {
        family,
        planted,
        test,
        seeds: 20,
        expected: Expected::Failure(signature),
    }
}

/// The plan's scenarios against the system with a bug.
macro_rules! with_bug {
    ($($module:ident $bug:ident),* $(,)?) => {
        $(
            mod $module {
                use super::{Bug, Notes};
                landfall::plan!("plans/notes.md", system = Notes(Bug::$bug), test = false);
            }
        )*
    };
}

with_bug! {
    clean None,
    stale Stale,
    unsynced Unsynced,
    stuck Stuck,
    twice Twice,
    swapped Swapped,
    two_leaders TwoLeaders,
    torn Torn,
    canary Canary,
    dice Dice,
}

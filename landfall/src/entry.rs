//! The entries of a test binary: what the macros registered, and a seed on its way through one.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::OnceLock;

use plan_compiler::Compiled;
use plan_compiler::scenario::Scenario;
use sim_runtime::Seed;
use sim_runtime::process::WORKER_PREPARATIONS;

use crate::log::Directives;
use crate::report::SeedReport;
use crate::script::Script;

/// Everything that `plan!` and `#[landfall::test]` registered in this executable.
#[linkme::distributed_slice]
pub static ENTRIES: [Entry];

/// One test.
#[derive(Debug)]
pub struct Entry {
    /// The test function's name.
    pub name: &'static str,
    /// Its module path, with the crate.
    pub module: &'static str,
    /// Source file or plan that it stands in.
    pub file: &'static str,
    /// Line there.
    pub line: u32,
    /// What it runs.
    pub kind: EntryKind,
}

/// What an entry runs.
#[derive(Debug)]
pub enum EntryKind {
    /// A scenario of a plan.
    Plan {
        /// The plan's path, from the package.
        path: &'static str,
        /// The plan.
        text: &'static str,
        /// The scenario's id.
        scenario: &'static str,
        /// Runs one seed.
        run: fn(&mut SeedContext),
    },
    /// A simulation written by hand.
    Hand {
        /// How many seeds `cargo test` runs.
        seeds: Option<u32>,
        /// Runs one seed.
        run: fn(&mut SeedContext),
    },
}

impl Entry {
    /// The name libtest knows it by: the module path without the crate, and the function.
    #[must_use]
    pub fn test_name(&self) -> String {
        match self.module.split_once("::") {
            Some((_, rest)) => format!("{rest}::{}", self.name),
            None => self.name.to_owned(),
        }
    }

    /// The plan, compiled; none for a simulation written by hand.
    pub(crate) fn compiled(&self) -> Option<&'static Compiled> {
        let EntryKind::Plan { path, .. } = self.kind else {
            return None;
        };
        plans().get(path)
    }

    /// The path of its plan, from the package.
    pub(crate) const fn plan(&self) -> Option<&'static str> {
        match self.kind {
            EntryKind::Plan { path, .. } => Some(path),
            EntryKind::Hand { .. } => None,
        }
    }

    /// The scenario; none when it cannot run, or was written by hand.
    pub(crate) fn scenario(&self) -> Option<&'static Scenario> {
        let EntryKind::Plan { scenario: id, .. } = self.kind else {
            return None;
        };
        let mut all = self.compiled()?.scenarios.iter();
        all.find(|scenario| scenario.id == id)
    }

    pub(crate) const fn run(&self) -> fn(&mut SeedContext) {
        match self.kind {
            EntryKind::Plan { run, .. } | EntryKind::Hand { run, .. } => run,
        }
    }
}

/// Every plan of this executable by its path, each compiled once: in a worker before its first
/// child, which is 6 ms that no seed spends.
fn plans() -> &'static BTreeMap<&'static str, Compiled> {
    static PLANS: OnceLock<BTreeMap<&'static str, Compiled>> = OnceLock::new();
    PLANS.get_or_init(|| {
        let mut plans = BTreeMap::new();
        for entry in ENTRIES {
            if let EntryKind::Plan { path, text, .. } = entry.kind {
                plans
                    .entry(path)
                    .or_insert_with(|| plan_compiler::compile(text));
            }
        }
        plans
    })
}

#[linkme::distributed_slice(WORKER_PREPARATIONS)]
static COMPILE: fn() = || {
    let _compiled = plans();
};

/// The entry with this test name.
pub(crate) fn find(test_name: &str) -> Option<&'static Entry> {
    ENTRIES.iter().find(|entry| entry.test_name() == test_name)
}

/// How much of the guests' log is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogWanted {
    /// None.
    No,
    /// Its end, if the seed fails.
    Tail,
    /// All.
    All,
}

/// A seed on its way through an entry.
#[derive(Debug)]
pub struct SeedContext {
    pub(crate) seed: Seed,
    pub(crate) scenario: Option<Scenario>,
    pub(crate) trace: Range<u64>,
    pub(crate) wants_history: bool,
    pub(crate) log: LogWanted,
    pub(crate) directives: Directives,
    pub(crate) script: Script,
    /// Whether what the run does is written down.
    pub(crate) records: bool,
    pub(crate) report: Option<SeedReport>,
}

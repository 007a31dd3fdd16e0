//! Trying scripts: which of some candidates fail in the way that is looked for.

use std::collections::BTreeMap;

use crate::coordinate::{CoordinateError, Flow, Pool, RunRequest};
use crate::report::{SeedOutcome, SeedReport};
use crate::script::Script;

/// How many other kinds of failure are kept that are met on the way.
const OTHERS_MAX: usize = 16;

/// What a reduction may use.
pub struct Effort<'a> {
    /// How many runs at most.
    pub runs_max: u64,
    /// Asked between runs: whether the time is over, or somebody wants what there is.
    pub is_over: &'a dyn Fn() -> bool,
    /// Told after each run.
    pub progress: &'a mut dyn FnMut(&Progress),
}

/// How far a reduction is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is being made smaller.
    pub stage: &'static str,
    /// Runs so far.
    pub runs: u64,
    /// Fault windows of the smallest failing run so far.
    pub windows: usize,
    /// Client operations of it.
    pub operations: usize,
}

/// Runs scripts of one seed.
pub(crate) struct Trials<'a, 'b> {
    pub(crate) pool: &'a mut Pool,
    pub(crate) base: RunRequest,
    pub(crate) signature: String,
    /// How many servers there are where no script says otherwise.
    pub(crate) nodes: u32,
    pub(crate) effort: &'a mut Effort<'b>,
    pub(crate) progress: Progress,
    /// Other kinds of failure that were met, with the first script that showed each.
    pub(crate) others: BTreeMap<String, Script>,
    pub(crate) broken: Option<CoordinateError>,
}

impl Trials<'_, '_> {
    /// Whether no more may be tried.
    pub(crate) fn is_over(&self) -> bool {
        self.broken.is_some()
            || self.progress.runs >= self.effort.runs_max
            || (self.effort.is_over)()
    }

    /// The earliest of the candidates that fails as it should, twice. As many are tried at once as
    /// there are workers; which one is found does not depend on that.
    pub(crate) fn first(&mut self, candidates: &[Script]) -> Option<usize> {
        let at_once = self.pool.jobs().max(1);
        for (chunk, scripts) in candidates.chunks(at_once).enumerate() {
            if self.is_over() {
                return None;
            }
            for (place, fails) in self.run(scripts).into_iter().enumerate() {
                if fails && self.fails_again(&scripts[place]) {
                    return Some(chunk * at_once + place);
                }
            }
        }
        None
    }

    /// Whether one script fails as it should, twice.
    pub(crate) fn fails(&mut self, script: &Script) -> bool {
        self.first(std::slice::from_ref(script)).is_some()
    }

    fn fails_again(&mut self, script: &Script) -> bool {
        self.run(std::slice::from_ref(script)) == [true]
    }

    /// Which of them fail as they should.
    fn run(&mut self, scripts: &[Script]) -> Vec<bool> {
        let requests: Vec<_> = scripts
            .iter()
            .map(|script| self.base.clone().with_script(script))
            .collect();
        let mut fails = vec![false; scripts.len()];
        let mut met = Vec::new();
        let ran = self
            .pool
            .run(requests.iter().cloned(), &mut |request, outcome| {
                let signature = outcome.signature();
                for (place, other) in requests.iter().enumerate() {
                    if other == request {
                        fails[place] = signature.as_ref() == Some(&self.signature);
                    }
                }
                if let Some(signature) = signature.filter(|other| *other != self.signature) {
                    met.push((signature, request.script().cloned().unwrap_or_default()));
                }
                Flow::Continue
            });
        if let Err(error) = ran {
            self.broken = Some(error);
            return vec![false; scripts.len()];
        }
        for (signature, script) in met {
            if self.others.len() < OTHERS_MAX {
                self.others.entry(signature).or_insert(script);
            }
        }
        self.progress.runs += scripts.len() as u64;
        (self.effort.progress)(&self.progress);
        fails
    }

    /// Runs a script and gives back everything that it did.
    pub(crate) fn record(&mut self, script: &Script) -> Result<SeedOutcome, CoordinateError> {
        self.progress.runs += 1;
        let request = self.base.clone().with_script(script);
        self.pool
            .run_one(request.with_recording().with_history().with_log(false))
    }
}

/// The report, if the run fails as it should.
pub(super) fn failing<'a>(outcome: &'a SeedOutcome, signature: &str) -> Option<&'a SeedReport> {
    let is_same = outcome.signature().as_deref() == Some(signature);
    outcome.report().filter(|_| is_same)
}

//! What is tried, in order: each stage makes one thing of a failing script smaller.

use std::collections::BTreeMap;

use plan_compiler::scenario::{FaultKind, NetEffect, Span, Weather};
use sim_runtime::Deviation;

use super::ddmin::ddmin;
use super::luck::{DRAWS, DRAWS_AT_LAST};
use super::trial::{Trials, failing};
use crate::script::{PinnedOperation, PinnedWindow, Script};

/// How often each window and each magnitude is halved at most.
const HALVINGS_MAX: u32 = 6;

/// Schedules with more deviations than this are not taken apart pick by pick.
const DEVIATIONS_MAX: usize = 20_000;

impl Trials<'_, '_> {
    /// Everything, until nothing gets smaller.
    pub(super) fn reduce(&mut self, mut best: Script) -> Script {
        if best.windows.is_none() && best.operations.is_none() {
            return self.reduce_whole(best);
        }
        best = self.settle(best);
        loop {
            let before = best.clone();
            best = self.cut(best);
            best = self.drop_windows(best);
            best = self.drop_operations(best);
            best = self.redraw(best, DRAWS);
            best = self.weaken_windows(best);
            best = self.merge_keys(best);
            best = self.fewer_hosts(best);
            best = self.calm(best);
            if best == before {
                best = self.redraw(best, DRAWS_AT_LAST);
            }
            if best == before || self.is_over() {
                return self.schedule(best);
            }
        }
    }

    /// A run that leaves no record, since its process dies: knobs and the schedule.
    fn reduce_whole(&mut self, mut best: Script) -> Script {
        best = self.calm(best);
        self.schedule(best)
    }

    pub(super) fn stage(&mut self, stage: &'static str, best: &Script) {
        self.progress.stage = stage;
        self.progress.windows = best.windows.as_ref().map_or(0, Vec::len);
        self.progress.operations = best.operations.as_ref().map_or(0, Vec::len);
    }

    /// Ends the workload as early as it still fails.
    fn cut(&mut self, best: Script) -> Script {
        self.stage("cut after the failure", &best);
        let operations = best.operations.iter().flatten().map(|one| one.at_ns);
        let windows = best.windows.iter().flatten().map(|one| one.open_ns);
        let mut ends: Vec<u64> = operations.chain(windows).map(|at| at + 1).collect();
        ends.sort_unstable();
        ends.dedup();
        let at = |end: u64| {
            let mut script = best.clone();
            script.workload_ns = Some(end);
            script
                .operations
                .iter_mut()
                .for_each(|all| all.retain(|one| one.at_ns < end));
            script.windows.iter_mut().for_each(|all| {
                all.retain(|one| one.open_ns < end);
                all.iter_mut()
                    .for_each(|one| one.close_ns = one.close_ns.min(end));
            });
            script
        };
        // Failing need not be monotone in time: a bisection finds an end, not always the first.
        let (mut low, mut high) = (0, ends.len());
        while low < high && !self.is_over() {
            let middle = usize::midpoint(low, high);
            if self.fails(&at(ends[middle])) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        match ends.get(high) {
            Some(end) if self.fails(&at(*end)) => at(*end),
            _ => best,
        }
    }

    pub(super) fn drop_windows(&mut self, best: Script) -> Script {
        self.stage("drop fault windows", &best);
        let Some(windows) = best.windows.clone() else {
            return best;
        };
        let with = |windows: Vec<PinnedWindow>| Script {
            windows: Some(windows),
            ..best.clone()
        };
        let kept = ddmin(windows, &mut |candidates| {
            let scripts: Vec<_> = candidates.into_iter().map(with).collect();
            self.first(&scripts)
        });
        with(kept)
    }

    pub(super) fn drop_operations(&mut self, best: Script) -> Script {
        self.stage("drop operations", &best);
        let Some(operations) = best.operations.clone() else {
            return best;
        };
        let with = |operations: Vec<PinnedOperation>| Script {
            operations: Some(operations),
            ..best.clone()
        };
        let kept = ddmin(operations, &mut |candidates| {
            let scripts: Vec<_> = candidates.into_iter().map(with).collect();
            self.first(&scripts)
        });
        with(kept)
    }

    /// Fewer targets, smaller magnitudes, shorter windows.
    fn weaken_windows(&mut self, mut best: Script) -> Script {
        self.stage("weaken fault windows", &best);
        let count = best.windows.as_ref().map_or(0, Vec::len);
        for place in 0..count {
            for weaker in [fewer_targets, smaller, shorter] {
                for _ in 0..HALVINGS_MAX {
                    let mut script = best.clone();
                    let window = &mut script.windows.as_mut().expect("there are some")[place];
                    if !weaker(window) || self.is_over() || !self.fails(&script) {
                        break;
                    }
                    best = script;
                }
            }
        }
        best
    }

    /// All operations on one key, then on fewer.
    fn merge_keys(&mut self, best: Script) -> Script {
        self.stage("merge keys", &best);
        let Some(operations) = &best.operations else {
            return best;
        };
        let mut keys: Vec<String> = operations
            .iter()
            .flat_map(|one| one.call.keys().into_iter().cloned())
            .collect();
        keys.sort_unstable();
        keys.dedup();
        let renamed = |names: &BTreeMap<String, String>| {
            let mut script = best.clone();
            for one in script.operations.iter_mut().flatten() {
                for key in one.call.keys_mut() {
                    if let Some(name) = names.get(key) {
                        key.clone_from(name);
                    }
                }
            }
            script
        };
        // k0 is the key that the last reads begin with.
        let all_one = keys
            .iter()
            .map(|key| (key.clone(), "k0".to_owned()))
            .collect();
        let in_order = (0..)
            .zip(&keys)
            .map(|(n, key)| (key.clone(), format!("k{n}")))
            .collect();
        for names in [all_one, in_order] {
            let script = renamed(&names);
            if script != best && self.fails(&script) {
                return script;
            }
        }
        best
    }

    /// Clients that do nothing are not needed; servers may not be.
    fn fewer_hosts(&mut self, mut best: Script) -> Script {
        self.stage("fewer clients and servers", &best);
        if let Some(operations) = &best.operations {
            let last = operations.iter().map(|one| one.client).max().unwrap_or(1);
            let mut numbers: Vec<u32> = operations.iter().map(|one| one.client).collect();
            numbers.sort_unstable();
            numbers.dedup();
            let mut renumbered = best.clone();
            for one in renumbered.operations.iter_mut().flatten() {
                let place = numbers
                    .binary_search(&one.client)
                    .expect("it is one of them");
                one.client = u32::try_from(place).expect("a handful of clients") + 1;
            }
            renumbered.clients = Some(u32::try_from(numbers.len()).expect("a handful").max(1));
            let cut = Script {
                clients: Some(last),
                ..best.clone()
            };
            if let Some(place) = self.first(&[renumbered.clone(), cut.clone()]) {
                best = if place == 0 { renumbered } else { cut };
            }
        }
        let mut nodes = best.nodes.unwrap_or(self.nodes);
        while nodes > 1 && !self.is_over() {
            let script = Script {
                nodes: Some(nodes - 1),
                ..best.clone()
            };
            if !self.fails(&script) {
                break;
            }
            best = script;
            nodes -= 1;
        }
        best
    }

    /// Without `buggify!` and drawn knobs; on a network and disks that draw nothing.
    fn calm(&mut self, mut best: Script) -> Script {
        self.stage("knobs back to defaults", &best);
        let calmer: [fn(&mut Script); 5] = [
            |script| script.quiet = true,
            |script| script.core = Some(Vec::new()),
            |script| script.disk_percent = Some(100),
            |script| script.network = script.network.or(Some(Weather::Usual)),
            |script| script.network = Some(Weather::Calm),
        ];
        for change in calmer {
            let mut script = best.clone();
            change(&mut script);
            if script != best && self.fails(&script) {
                best = script;
            }
        }
        best
    }

    /// First in, first out, but for the picks that are needed.
    fn schedule(&mut self, best: Script) -> Script {
        self.stage("schedule back to fifo", &best);
        if best == best.fifo_but(Vec::new()) {
            return best;
        }
        let recorded = self.record(&best).ok();
        let report = recorded
            .as_ref()
            .and_then(|outcome| failing(outcome, &self.signature));
        let recording = report.and_then(|report| report.recording.clone());
        let deviations = recording.unwrap_or_default().deviations;
        match self.least_deviations(&best, deviations) {
            Some(kept) => best.fifo_but(kept),
            None => best,
        }
    }

    /// The fewest of these picks with which the failure of a script is still there; none where
    /// there are too many, or it is not there with all of them.
    pub(crate) fn least_deviations(
        &mut self,
        script: &Script,
        deviations: Vec<Deviation>,
    ) -> Option<Vec<Deviation>> {
        if self.fails(&script.fifo_but(Vec::new())) {
            return Some(Vec::new());
        }
        if deviations.len() > DEVIATIONS_MAX || !self.fails(&script.fifo_but(deviations.clone())) {
            return None;
        }
        Some(ddmin(deviations, &mut |candidates| {
            let scripts = candidates.into_iter().map(|kept| script.fifo_but(kept));
            self.first(&scripts.collect::<Vec<_>>())
        }))
    }
}

fn fewer_targets(window: &mut PinnedWindow) -> bool {
    window.targets.len() > 1 && window.targets.pop().is_some()
}

fn shorter(window: &mut PinnedWindow) -> bool {
    let half = (window.close_ns - window.open_ns) / 2;
    window.close_ns = window.open_ns + half;
    half > 0
}

/// Halves how much a fault does, where it has a size.
fn smaller(window: &mut PinnedWindow) -> bool {
    size_of(&mut window.kind).is_some_and(halve)
}

const fn size_of(kind: &mut FaultKind) -> Option<&mut Span> {
    match kind {
        FaultKind::ClockStep { by_ns: span, .. }
        | FaultKind::Starve { ppm: span }
        | FaultKind::ClockDrift { ppm: span, .. }
        | FaultKind::Network {
            effect:
                NetEffect::Loss { ppm: span }
                | NetEffect::Latency { by_ns: span, .. }
                | NetEffect::Duplicate { ppm: span }
                | NetEffect::Reorder { ppm: span }
                | NetEffect::Corrupt { ppm: span },
            ..
        } => Some(span),
        _ => None,
    }
}

fn halve(span: &mut Span) -> bool {
    if span.max <= 1 {
        return false;
    }
    *span = Span {
        min: span.min / 2,
        max: span.max / 2,
    };
    true
}

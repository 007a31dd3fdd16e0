//! When each fault opens and closes: drawn from the fault's own stream before the run starts.

use plan_compiler::scenario::{After, FaultKind, FaultSpec, Span};
use sim_runtime::{Seed, SimInstant, Stream};

use crate::script::Script;

/// One window of one fault, in nanoseconds from the start of the workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    /// Place of the fault in the scenario.
    pub(crate) fault: usize,
    /// How many windows of the fault came before.
    pub(crate) repetition: u32,
    pub(crate) open_ns: u64,
    pub(crate) close_ns: u64,
    /// What it does, if not what the scenario says.
    pub(crate) kind: Option<FaultKind>,
    /// The hosts it is on, by name, if they are not found out when it opens.
    pub(crate) targets: Option<Vec<String>>,
    /// What it waits for: its times count from then.
    pub(crate) after: Option<After>,
}

impl Window {
    /// The same, so much later; nothing where it does not open before the end.
    pub(crate) fn later(&self, by_ns: u64, end_ns: u64) -> Option<Self> {
        let open_ns = self.open_ns.saturating_add(by_ns);
        (open_ns < end_ns).then(|| Self {
            open_ns,
            close_ns: self.close_ns.saturating_add(by_ns).min(end_ns),
            ..self.clone()
        })
    }
}

/// The windows as the script has them, else as drawn. Where the script draws anew from some moment
/// on, those that would open after it are drawn anew, too. `start` is when the workload begins.
pub(crate) fn scripted(
    seed: Seed,
    faults: &[FaultSpec],
    end_ns: u64,
    script: &Script,
    start: SimInstant,
) -> Vec<Window> {
    let place = |name: &str| faults.iter().position(|fault| fault.id == name);
    let mut all = match &script.windows {
        Some(pinned) => {
            let each = pinned.iter().filter_map(|window| {
                Some(Window {
                    fault: place(&window.fault)?,
                    repetition: window.repetition,
                    open_ns: window.open_ns,
                    close_ns: window.close_ns.min(end_ns),
                    kind: Some(window.kind),
                    targets: Some(window.targets.clone()),
                    after: None,
                })
            });
            let mut all: Vec<_> = each.filter(|window| window.open_ns < end_ns).collect();
            all.sort_by_key(|window| (window.open_ns, window.fault));
            all
        }
        None => {
            let mut all = windows(seed, faults, end_ns);
            for reseed in &script.reseed {
                let from_ns = reseed.at.0.saturating_sub(start.0);
                let anew = windows(Seed(seed.0 ^ reseed.seed.0.rotate_left(32)), faults, end_ns);
                redraw(&mut all, anew, from_ns);
            }
            all
        }
    };
    all.retain(|window| !script.without.contains(&faults[window.fault].id));
    all
}

/// Puts other windows in the place of those that open from a moment on, as soon as the ones of the
/// same fault that are open then have closed.
fn redraw(all: &mut Vec<Window>, anew: Vec<Window>, from_ns: u64) {
    all.retain(|window| window.open_ns < from_ns);
    let opens_later = |window: &Window| {
        let open = all.iter().filter(|old| old.fault == window.fault);
        let free_ns = open.map(|old| old.close_ns + 1).max().unwrap_or(0);
        window.open_ns >= from_ns.max(free_ns)
    };
    let anew: Vec<_> = anew.into_iter().filter(opens_later).collect();
    all.extend(anew);
}

/// Every window that opens before `end_ns`. A fault's draws are addressed by its name, so the
/// windows of one fault do not depend on the others.
pub(crate) fn windows(seed: Seed, faults: &[FaultSpec], end_ns: u64) -> Vec<Window> {
    let mut windows: Vec<Window> = Vec::new();
    for (place, fault) in faults.iter().enumerate() {
        let own = windows_of(seed, place, fault, end_ns);
        let Some(After::Fault { id }) = &fault.after else {
            windows.extend(own);
            continue;
        };
        // A fault follows one that stands before it; where that one waits, it waits along.
        let of = faults.iter().position(|fault| fault.id == *id);
        let first = windows.iter().find(|window| Some(window.fault) == of);
        if let Some((close_ns, after)) = first.map(|first| (first.close_ns, first.after.clone())) {
            let behind = own
                .iter()
                .filter_map(|window| window.later(close_ns, end_ns));
            let waiting: Vec<Window> = behind
                .map(|window| Window {
                    after: after.clone(),
                    ..window
                })
                .collect();
            windows.extend(waiting);
        }
    }
    windows.sort_by_key(|window| (window.open_ns, window.fault));
    windows
}

fn windows_of(seed: Seed, place: usize, fault: &FaultSpec, end_ns: u64) -> Vec<Window> {
    let mut stream = Stream::of(seed, "nemesis.when", fault.id.as_str());
    let mut draw = |span: Span| stream.range(span.min, span.max.max(span.min));
    let mut open_ns = draw(fault.when.start_ns);
    let mut windows = Vec::new();
    let times = match fault.when.repeat {
        None => 1,
        Some(repeat) => repeat.times.unwrap_or(u32::MAX),
    };
    for repetition in 0..times {
        if open_ns >= end_ns {
            break;
        }
        let close_ns = open_ns
            .saturating_add(draw(fault.when.duration_ns))
            .min(end_ns);
        windows.push(Window {
            fault: place,
            repetition,
            open_ns,
            close_ns,
            kind: None,
            targets: None,
            after: fault.after.clone(),
        });
        let Some(repeat) = fault.when.repeat else {
            break;
        };
        // A window never opens before the last one of the same fault has closed.
        let every_ns = draw(repeat.every_ns).max(1);
        open_ns = open_ns.saturating_add(every_ns).max(close_ns + 1);
    }
    windows
}

#[cfg(test)]
mod tests {
    use plan_compiler::scenario::{FaultKind, Repeat, Target, When};

    use super::*;

    fn fault(id: &str, start: (u64, u64), every: Option<(u64, u64)>) -> FaultSpec {
        let span = |(min, max)| Span { min, max };
        FaultSpec {
            id: id.to_owned(),
            kind: FaultKind::Kill,
            target: Target::Leader,
            frames: None,
            role: None,
            setting: None,
            after: None,
            when: When {
                start_ns: span(start),
                duration_ns: span((5, 9)),
                repeat: every.map(|every| Repeat {
                    every_ns: span(every),
                    times: None,
                }),
            },
            line: 1,
        }
    }

    #[test]
    fn windows_stay_in_order_apart_and_before_the_end() {
        for seed in 0..200 {
            let windows = windows(Seed(seed), &[fault("a", (0, 50), Some((1, 30)))], 1_000);
            assert!(windows.len() > 20);
            for pair in windows.windows(2) {
                assert!(pair[0].close_ns < pair[1].open_ns, "{pair:?}");
            }
            assert!(windows.iter().all(|window| window.close_ns <= 1_000));
        }
    }

    #[test]
    fn a_fault_more_changes_no_other_fault() {
        let [a, b] = [
            fault("a", (0, 500), Some((1, 90))),
            fault("b", (0, 500), None),
        ];
        let alone = windows(Seed(1), std::slice::from_ref(&a), 1_000);
        let both = windows(Seed(1), &[a, b], 1_000);
        let first: Vec<_> = both
            .into_iter()
            .filter(|window| window.fault == 0)
            .collect();
        assert_eq!(alone, first);
    }

    #[test]
    fn a_fault_follows_the_end_of_another_and_waits_with_it() {
        let then = |id: &str| FaultSpec {
            after: Some(After::Fault { id: id.to_owned() }),
            ..fault("b", (3, 3), Some((20, 20)))
        };
        let first = fault("a", (100, 200), None);
        let waiting = FaultSpec {
            after: Some(After::LeaderChange),
            ..first.clone()
        };
        for seed in 0..50 {
            let both = windows(Seed(seed), &[first.clone(), then("a")], 1_000);
            let (a, b): (Vec<Window>, Vec<Window>) = both.into_iter().partition(|w| w.fault == 0);
            assert_eq!(b[0].open_ns, a[0].close_ns + 3);
            assert!(b.len() > 30 && b.iter().all(|window| window.close_ns <= 1_000));
            assert!(b.iter().all(|window| window.after.is_none()));
            let both = windows(Seed(seed), &[waiting.clone(), then("a")], 1_000);
            let waits = |window: &Window| window.after == Some(After::LeaderChange);
            assert!(both.len() > 30 && both.iter().all(waits));
        }
        assert_eq!(windows(Seed(1), &[then("a")], 1_000), []);
    }

    #[test]
    fn a_fault_that_starts_after_the_end_has_no_window() {
        assert_eq!(
            windows(Seed(1), &[fault("a", (1_000, 1_000), None)], 1_000),
            []
        );
    }
}

//! Landing conditions: what the plan wants to have been seen, held against what was.

mod told;

use std::collections::BTreeMap;

use plan_compiler::scenario::{Evidence, Landing};
use sim_runtime::{LedgerRow, NodeId, Sighting, SimInstant, World};

use crate::log::LogLine;
use crate::nemesis::{Opened, injected};
use crate::report::LandingResult;

/// What a run left behind that conditions are judged by.
pub(crate) struct Seen<'a> {
    pub(crate) ledger: &'a [LedgerRow],
    pub(crate) windows: &'a [Opened],
    pub(crate) elections: &'a [Election],
    pub(crate) log: &'a [LogLine],
    /// By name, when the probes held that conditions are about.
    pub(crate) probes: &'a BTreeMap<String, Vec<SimInstant>>,
}

/// A node said that it leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Election {
    pub(crate) at: SimInstant,
    pub(crate) term: u64,
    pub(crate) node: NodeId,
}

/// Judges each condition, of a run that goes without some of its scenario's faults. What is about
/// these alone, or about all faults together, is waived then: nothing was to be seen.
pub(crate) fn judge(
    conditions: &[Landing],
    seen: &Seen<'_>,
    without: &[String],
) -> Vec<LandingResult> {
    let each = conditions.iter().map(|condition| {
        let left: Vec<String> = condition
            .faults
            .iter()
            .filter(|fault| !without.contains(fault))
            .cloned()
            .collect();
        let (held, what) = if left.is_empty() && !without.is_empty() {
            (None, "the seed goes without it".to_owned())
        } else {
            let what = match &condition.what {
                // The plan's count is of all its faults: of fewer, each must have its part.
                Evidence::Counter { counter, min } if left.len() < condition.faults.len() => {
                    Evidence::Counter {
                        counter: counter.clone(),
                        min: (*min).min(1),
                    }
                }
                what => what.clone(),
            };
            let left = Landing {
                what,
                faults: left,
                ..condition.clone()
            };
            let (held, what) = hold(&left, seen);
            (Some(held), what)
        };
        LandingResult {
            text: condition.text.clone(),
            held: held.unwrap_or(true),
            waived: held.is_none(),
            seen: what,
        }
    });
    each.collect()
}

fn probes_of(conditions: &[Landing]) -> impl Iterator<Item = &str> {
    conditions
        .iter()
        .filter_map(|condition| match &condition.what {
            Evidence::Probe { name, .. } => Some(name.as_str()),
            _ => None,
        })
}

/// Has the moments kept that conditions on probes are judged by.
pub(crate) fn watch_probes(conditions: &[Landing], world: &World) {
    for name in probes_of(conditions) {
        // A name that no site has is said when the condition is judged.
        world.watch_probe(name);
    }
}

/// The moments that were kept, by the probe's name.
pub(crate) fn times_of_probes(
    conditions: &[Landing],
    world: &World,
) -> BTreeMap<String, Vec<SimInstant>> {
    let times = |name: &str| Some((name.to_owned(), world.probe_times(name)?));
    probes_of(conditions).filter_map(times).collect()
}

/// Whether a condition is about a fault of this name.
fn is_about(condition: &Landing, fault: &str) -> bool {
    condition.faults.is_empty() || condition.faults.iter().any(|name| name == fault)
}

fn hold(condition: &Landing, seen: &Seen<'_>) -> (bool, String) {
    match &condition.what {
        Evidence::Counter { counter, min } => counted(condition, counter, *min, seen),
        Evidence::LeaderReelected => each(condition, seen, |windows| {
            reelected(condition, windows, seen)
        }),
        Evidence::GuestLog { contains } => each(condition, seen, |windows| {
            logged(contains, condition.within_ns, windows, seen)
        }),
        Evidence::Probe { name, min } => each(condition, seen, |windows| {
            let Some(times) = seen.probes.get(name) else {
                return (false, format!("the binary has no probe {name:?}"));
            };
            told::held(times, *min, (windows, condition.within_ns), name)
        }),
        Evidence::Metric { name, min } => each(condition, seen, |windows| {
            told::metric(seen.log, *min, (windows, condition.within_ns), name)
        }),
        Evidence::Observed => noticed(condition, seen),
    }
}

/// The sum over the faults that the condition is about reaches its minimum, and each of them has
/// its part in it: what one fault does is no evidence for another.
fn counted(condition: &Landing, counter: &str, min: u64, seen: &Seen<'_>) -> (bool, String) {
    let rows = seen
        .ledger
        .iter()
        .filter(|row| is_about(condition, &row.name));
    let counts: Vec<(&str, u64)> = rows
        .map(|row| (row.name.as_str(), injected(row, counter)))
        .collect();
    let sum: u64 = counts.iter().map(|(_, n)| n).sum();
    let idle = counts.iter().find(|(_, n)| *n == 0);
    match idle.filter(|_| !condition.faults.is_empty() && min > 0) {
        Some((name, _)) => (false, format!("{counter}: {sum}, none of them by {name}")),
        None => (sum >= min, format!("{counter}: {sum}")),
    }
}

/// A guest noticed each of the faults that the condition is about; any, when it is about none in
/// particular. Each has receipts of its own.
fn noticed(condition: &Landing, seen: &Seen<'_>) -> (bool, String) {
    let first = |name: Option<&String>| {
        let rows = seen.ledger.iter();
        let mut rows = rows.filter(|row| name.is_none_or(|name| row.name == *name));
        rows.find_map(|row| row.observed_evidence.first())
    };
    let told = |sighting: &Sighting| format!("{} {}", sighting.at, sighting.what);
    let mut last = None;
    for fault in &condition.faults {
        last = first(Some(fault));
        if last.is_none() {
            return (false, format!("the guest noticed nothing of {fault}"));
        }
    }
    match last.or_else(|| first(None)) {
        Some(sighting) => (true, told(sighting)),
        None => (false, "the guest noticed nothing".to_owned()),
    }
}

/// Judges the windows of each fault that the condition is about by themselves; those of any fault
/// when it is about none in particular.
fn each(
    condition: &Landing,
    seen: &Seen<'_>,
    judge: impl Fn(&[&Opened]) -> (bool, String),
) -> (bool, String) {
    let mut last = None;
    for fault in &condition.faults {
        let windows = seen.windows.iter().filter(|window| window.fault == *fault);
        let (held, what) = judge(&windows.collect::<Vec<_>>());
        if !held {
            return (false, format!("{fault}: {what}"));
        }
        last = Some(what);
    }
    match last {
        Some(what) => (true, what),
        None => judge(&seen.windows.iter().collect::<Vec<_>>()),
    }
}

/// Some window that did not spare everybody was followed, soon enough, by an election elsewhere.
fn reelected(condition: &Landing, windows: &[&Opened], seen: &Seen<'_>) -> (bool, String) {
    // A window that found nobody to hit deposed nobody.
    for window in windows.iter().filter(|window| !window.targets.is_empty()) {
        let elected = seen.elections.iter().find(|election| {
            is_within(election.at, window.at, condition.within_ns)
                && !window.targets.contains(&election.node)
        });
        if let Some(Election { at, term, node }) = elected {
            let after = at.since(window.at);
            return (
                true,
                format!("{node} leads in term {term}, {after:?} after the fault"),
            );
        }
    }
    (false, "no other node became leader in time".to_owned())
}

fn logged(
    contains: &str,
    within_ns: Option<u64>,
    windows: &[&Opened],
    seen: &Seen<'_>,
) -> (bool, String) {
    let wanted = contains.to_lowercase();
    for window in windows {
        let line = seen.log.iter().find(|line| {
            is_within(SimInstant(line.at), window.at, within_ns)
                && line.text.to_lowercase().contains(&wanted)
        });
        if let Some(line) = line {
            let at = SimInstant(line.at);
            return (true, format!("{at} {} {}", line.node, line.text));
        }
    }
    (false, format!("no guest logged {contains:?} in time"))
}

pub(super) fn is_within(at: SimInstant, start: SimInstant, within_ns: Option<u64>) -> bool {
    at >= start && within_ns.is_none_or(|within| at.as_nanos() - start.as_nanos() <= within)
}

#[cfg(test)]
mod tests {
    use sim_runtime::FaultId;

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    /// What a run with one window, on node 1 from second 10, left behind.
    #[derive(Default)]
    struct Left {
        ledger: Vec<LedgerRow>,
        elections: Vec<Election>,
        log: Vec<LogLine>,
        probes: BTreeMap<String, Vec<SimInstant>>,
        no_window: bool,
        about: Vec<&'static str>,
    }

    impl Left {
        fn holds(&self, what: Evidence, within_ns: Option<u64>) -> (bool, String) {
            let window = Opened {
                fault: "S1.f1".to_owned(),
                at: SimInstant(10 * SECOND),
                targets: vec![NodeId(1)],
            };
            let windows = if self.no_window { vec![] } else { vec![window] };
            let seen = Seen {
                ledger: &self.ledger,
                windows: &windows,
                elections: &self.elections,
                log: &self.log,
                probes: &self.probes,
            };
            let text = "as the plan says".to_owned();
            let condition = Landing {
                what,
                within_ns,
                faults: self.about.iter().map(|name| (*name).to_owned()).collect(),
                text: text.clone(),
            };
            let mut results = judge(&[condition], &seen, &[]);
            assert_eq!(results.len(), 1);
            let result = results.remove(0);
            assert_eq!(result.text, text);
            (result.held, result.seen)
        }

        fn elected(at: u64, node: u32) -> Self {
            let election = Election {
                at: SimInstant(at),
                term: 7,
                node: NodeId(node),
            };
            Self {
                elections: vec![election],
                ..Self::default()
            }
        }

        fn logged(at: u64, text: &str) -> Self {
            let line = LogLine {
                task: 0,
                at,
                node: "n2".to_owned(),
                level: "INFO".to_owned(),
                text: text.to_owned(),
            };
            Self {
                log: vec![line],
                ..Self::default()
            }
        }
    }

    fn row(injected: &[(&str, u64)], observed: Option<&str>) -> LedgerRow {
        let counters = |all: &[(&str, u64)]| {
            all.iter()
                .map(|(counter, n)| ((*counter).to_owned(), *n))
                .collect::<BTreeMap<_, _>>()
        };
        let sighting = |what: &str| Sighting {
            at: SimInstant(11 * SECOND),
            what: what.to_owned(),
        };
        LedgerRow {
            id: FaultId(1),
            name: "S1.f1".to_owned(),
            kind: "partition".to_owned(),
            target: "n1".to_owned(),
            armed: Vec::new(),
            healed: Vec::new(),
            injected: counters(injected),
            observed: observed
                .map(|_| counters(&[("io-errors", 1)]))
                .unwrap_or_default(),
            injected_evidence: Vec::new(),
            observed_evidence: observed.map(sighting).into_iter().collect(),
        }
    }

    #[test]
    fn a_counter_is_the_sum_over_faults_and_reaches_its_minimum() {
        let counter = |min| Evidence::Counter {
            counter: "packets-dropped".to_owned(),
            min,
        };
        let left = Left {
            ledger: vec![
                row(&[("packets-dropped", 3), ("bytes-dropped", 90)], None),
                row(&[("packets-dropped", 4)], None),
            ],
            ..Left::default()
        };
        assert_eq!(
            left.holds(counter(7), None),
            (true, "packets-dropped: 7".to_owned())
        );
        assert!(!left.holds(counter(8), None).0);
        let nothing = Left::default();
        assert_eq!(
            nothing.holds(counter(1), None),
            (false, "packets-dropped: 0".to_owned())
        );
    }

    #[test]
    fn what_one_fault_does_is_no_evidence_for_another() {
        let counter = |min| Evidence::Counter {
            counter: "packets-dropped".to_owned(),
            min,
        };
        let mut other = row(&[], None);
        other.name = "S1.f2".to_owned();
        let mut left = Left {
            ledger: vec![row(&[("packets-dropped", 9)], None), other],
            about: vec!["S1.f1", "S1.f2"],
            ..Left::default()
        };
        let (held, seen) = left.holds(counter(1), None);
        assert_eq!(seen, "packets-dropped: 9, none of them by S1.f2");
        assert!(!held);
        left.about = vec!["S1.f1"];
        assert!(left.holds(counter(9), None).0);
        assert!(!left.holds(counter(10), None).0);
        left.ledger[1] = row(&[("packets-dropped", 1)], None);
        left.ledger[1].name = "S1.f2".to_owned();
        left.about = vec!["S1.f1", "S1.f2"];
        assert!(left.holds(counter(10), None).0);
        assert!(!left.holds(counter(11), None).0);
    }

    #[test]
    fn an_election_after_one_fault_is_none_after_another() {
        let mut left = Left::elected(11 * SECOND, 2);
        left.about = vec!["S1.f1"];
        assert!(left.holds(Evidence::LeaderReelected, None).0);
        left.about = vec!["S1.f1", "S1.f2"];
        let (held, seen) = left.holds(Evidence::LeaderReelected, None);
        assert_eq!(seen, "S1.f2: no other node became leader in time");
        assert!(!held);
    }

    #[test]
    fn observed_counters_do_not_count_as_injected() {
        let left = Left {
            ledger: vec![row(&[], Some("read failed"))],
            ..Left::default()
        };
        let counter = Evidence::Counter {
            counter: "io-errors".to_owned(),
            min: 1,
        };
        assert!(!left.holds(counter, None).0);
    }

    #[test]
    fn lost_and_torn_writes_add_up() {
        let either = |min| Evidence::Counter {
            counter: "writes-lost-or-torn".to_owned(),
            min,
        };
        let left = Left {
            ledger: vec![
                row(&[("writes-lost", 2)], None),
                row(&[("writes-torn", 1)], None),
            ],
            ..Left::default()
        };
        assert!(left.holds(either(3), None).0);
        assert!(!left.holds(either(4), None).0);
        assert!(!Left::default().holds(either(1), None).0);
    }

    #[test]
    fn losses_are_met_by_those_whose_fault_took_them() {
        let met = |name: &str, count| {
            let mut row = row(&[("writes-lost", 2)], None);
            name.clone_into(&mut row.name);
            row.observed.insert("crash-state-read".to_owned(), count);
            row
        };
        let some = Evidence::Counter {
            counter: "losses-met".to_owned(),
            min: 1,
        };
        for (by_this, by_another, holds) in [(1, 0, true), (0, 1, false), (0, 0, false)] {
            let left = Left {
                ledger: vec![met("S1.f1", by_this), met("S1.f2", by_another)],
                about: vec!["S1.f1"],
                ..Left::default()
            };
            assert_eq!(left.holds(some.clone(), None).0, holds);
        }
    }

    #[test]
    fn within_includes_its_end_and_nothing_before_the_window_counts() {
        let within = Some(2 * SECOND);
        for (at, limit, held) in [
            (10 * SECOND - 1, None, false),
            (10 * SECOND, within, true),
            (12 * SECOND, within, true),
            (12 * SECOND + 1, within, false),
            (900 * SECOND, None, true),
        ] {
            let elected = Left::elected(at, 2).holds(Evidence::LeaderReelected, limit);
            assert_eq!(elected.0, held, "election at {at}");
            let contains = "leader-lost".to_owned();
            let logged = Left::logged(at, "raft: Leader-Lost; starting election");
            let logged = logged.holds(Evidence::GuestLog { contains }, limit);
            assert_eq!(logged.0, held, "log at {at}");
        }
    }

    #[test]
    fn the_node_that_was_hit_does_not_count_as_reelected() {
        let again = Left::elected(11 * SECOND, 1);
        let (held, seen) = again.holds(Evidence::LeaderReelected, None);
        assert!(!held);
        assert_eq!(seen, "no other node became leader in time");
        let other = Left::elected(11 * SECOND, 2);
        let (held, seen) = other.holds(Evidence::LeaderReelected, None);
        assert!(held);
        assert!(
            seen.ends_with("leads in term 7, 1s after the fault"),
            "{seen}"
        );
    }

    #[test]
    fn without_a_window_nothing_follows_it() {
        let mut left = Left::elected(11 * SECOND, 2);
        left.log = Left::logged(11 * SECOND, "leader-lost").log;
        left.no_window = true;
        assert!(!left.holds(Evidence::LeaderReelected, None).0);
        let contains = "leader-lost".to_owned();
        assert!(!left.holds(Evidence::GuestLog { contains }, None).0);
    }

    #[test]
    fn a_line_that_says_something_else_does_not_count() {
        let left = Left::logged(11 * SECOND, "all is well");
        let contains = "leader-lost".to_owned();
        let (held, seen) = left.holds(Evidence::GuestLog { contains }, None);
        assert!(!held);
        assert_eq!(seen, "no guest logged \"leader-lost\" in time");
    }

    #[test]
    fn observed_is_what_a_guest_noticed() {
        let noticed = Left {
            ledger: vec![
                row(&[("packets-dropped", 1)], None),
                row(&[], Some("read failed")),
            ],
            ..Left::default()
        };
        let (held, seen) = noticed.holds(Evidence::Observed, None);
        assert!(held && seen.ends_with("read failed"), "{seen}");
        let masked = Left {
            ledger: vec![row(&[("packets-dropped", 1)], None)],
            ..Left::default()
        };
        assert!(!masked.holds(Evidence::Observed, None).0);
    }

    #[test]
    fn what_a_guest_noticed_of_one_fault_it_did_not_of_another() {
        let mut left = Left {
            ledger: vec![row(&[], Some("read failed"))],
            about: vec!["S1.f1"],
            ..Left::default()
        };
        assert!(left.holds(Evidence::Observed, None).0);
        left.about = vec!["S1.f1", "S1.f2"];
        let (held, seen) = left.holds(Evidence::Observed, None);
        assert_eq!(seen, "the guest noticed nothing of S1.f2");
        assert!(!held);
    }

    #[test]
    fn a_condition_on_what_a_seed_goes_without_is_waived_and_of_less_less_is_asked() {
        let row_of = |name: &str, n| LedgerRow {
            name: name.to_owned(),
            ..row(&[("processes-killed", n)], None)
        };
        let judged = |about: &[&str], without: &[&str]| {
            let condition = Landing {
                what: Evidence::Counter {
                    counter: "processes-killed".to_owned(),
                    min: 4,
                },
                within_ns: None,
                faults: about.iter().map(|name| (*name).to_owned()).collect(),
                text: String::new(),
            };
            let seen = Seen {
                ledger: &[row_of("S1.f1", 2), row_of("S1.f2", 0)],
                windows: &[],
                elections: &[],
                log: &[],
                probes: &BTreeMap::new(),
            };
            let without: Vec<_> = without.iter().map(|name| (*name).to_owned()).collect();
            let result = judge(&[condition], &seen, &without).remove(0);
            (result.held, result.waived)
        };
        assert_eq!(judged(&["S1.f2"], &["S1.f2"]), (true, true));
        assert_eq!(judged(&[], &["S1.f2"]), (true, true));
        assert_eq!(judged(&["S1.f1", "S1.f2"], &["S1.f2"]), (true, false));
        assert_eq!(judged(&["S1.f1"], &["S1.f2"]), (false, false));
        assert_eq!(judged(&["S1.f1", "S1.f2"], &[]), (false, false));
    }
}

//! Landing conditions: what the plan wants to have been seen, held against what was.

use plan_compiler::scenario::{Evidence, Landing};
use sim_runtime::{LedgerRow, NodeId, SimInstant};

use crate::log::LogLine;
use crate::nemesis::{Opened, counters};
use crate::report::LandingResult;

/// What a run left behind that conditions are judged by.
pub(crate) struct Seen<'a> {
    pub(crate) ledger: &'a [LedgerRow],
    pub(crate) windows: &'a [Opened],
    pub(crate) elections: &'a [Election],
    pub(crate) log: &'a [LogLine],
}

/// A node said that it leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Election {
    pub(crate) at: SimInstant,
    pub(crate) term: u64,
    pub(crate) node: NodeId,
}

/// Judges each condition.
pub(crate) fn judge(conditions: &[Landing], seen: &Seen<'_>) -> Vec<LandingResult> {
    conditions
        .iter()
        .map(|condition| {
            let (held, what) = hold(condition, seen);
            LandingResult {
                text: condition.text.clone(),
                held,
                seen: what,
            }
        })
        .collect()
}

fn hold(condition: &Landing, seen: &Seen<'_>) -> (bool, String) {
    match &condition.what {
        Evidence::Counter { counter, min } => {
            let count = counters(seen.ledger).get(counter).copied().unwrap_or(0);
            (count >= *min, format!("{counter}: {count}"))
        }
        Evidence::LeaderReelected => reelected(condition.within_ns, seen),
        Evidence::GuestLog { contains } => logged(contains, condition.within_ns, seen),
        Evidence::Observed => {
            let noticed = seen
                .ledger
                .iter()
                .find_map(|row| row.observed_evidence.first());
            match noticed {
                Some(sighting) => (true, format!("{} {}", sighting.at, sighting.what)),
                None => (false, "the guest noticed nothing".to_owned()),
            }
        }
    }
}

/// Some window that did not spare everybody was followed, soon enough, by an election elsewhere.
fn reelected(within_ns: Option<u64>, seen: &Seen<'_>) -> (bool, String) {
    for window in seen.windows {
        let elected = seen.elections.iter().find(|election| {
            is_within(election.at, window.at, within_ns) && !window.targets.contains(&election.node)
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

fn logged(contains: &str, within_ns: Option<u64>, seen: &Seen<'_>) -> (bool, String) {
    let wanted = contains.to_lowercase();
    for window in seen.windows {
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

fn is_within(at: SimInstant, start: SimInstant, within_ns: Option<u64>) -> bool {
    at >= start && within_ns.is_none_or(|within| at.as_nanos() - start.as_nanos() <= within)
}

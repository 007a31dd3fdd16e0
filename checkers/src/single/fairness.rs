//! Leaders that are elected in time, and groups that are served alike.

use std::collections::BTreeMap;
use std::fmt;

use super::{Group, Judged};
use crate::history::{Millis, OpType, Operation};
use crate::value::Value;

pub(super) fn election(judged: &mut Judged<'_>, within_ns: u64) {
    let history = judged.history;
    let heals = history.heals();
    if heals.is_empty() {
        judged.lacks(|| "fault windows with an end".to_owned());
    }
    let mut leads: Vec<&Operation> = history
        .ops
        .iter()
        .filter(|op| op.op_type == OpType::Lead && op.is_acknowledged())
        .collect();
    if leads.is_empty() {
        judged.lacks(|| "rows of type `lead`".to_owned());
        return;
    }
    judged.consume(leads.len());
    leads.sort_by_key(|op| op.invoke_ts);
    let end_ts = history.end_ts();
    let (mut served, mut shadowed) = (0, 0);
    for heal_ts in heals {
        let until_ts = heal_ts.saturating_add(within_ns);
        let open =
            |from: u64, end: Option<u64>| from <= until_ts && end.is_none_or(|end| end > heal_ts);
        if history
            .windows
            .iter()
            .any(|window| open(window.start_ts, window.end_ts))
        {
            shadowed += 1;
            continue;
        }
        let next = leads.partition_point(|op| op.invoke_ts < heal_ts);
        let lead = leads.get(next).filter(|op| op.invoke_ts <= until_ts);
        if lead.is_some() {
            served += 1;
        } else if end_ts < until_ts {
            judged.lacks(|| {
                format!(
                    "the time after {} ms, when the history ends",
                    Millis(end_ts)
                )
            });
        } else {
            let around = [next.checked_sub(1), Some(next)];
            let around = around.into_iter().flatten().filter_map(|at| leads.get(at));
            let rows: Vec<&Operation> = around.copied().collect();
            judged.find("no-leader", None, &rows, || {
                let (within, heal) = (Millis(within_ns), Millis(heal_ts));
                format!("no leader was observed within {within} ms of the heal at {heal} ms")
            });
        }
    }
    judged.note_count(served, "heals were followed by a leader in time");
    judged.note_count(shadowed, "heals lie under another fault and are not judged");
    if served == 0 && !judged.is_broken() {
        judged.lacks(|| "a heal with no other fault open after it".to_owned());
    }
}

/// Whose operations they are.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Of<'a> {
    Key(&'a Value),
    Process(u64),
    Node(&'a str),
}

impl fmt::Display for Of<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Of::Key(key) => write!(f, "key {key}"),
            Of::Process(process) => write!(f, "process {process}"),
            Of::Node(node) => write!(f, "node {node}"),
        }
    }
}

/// What a group was given.
#[derive(Default)]
struct Served<'a> {
    asked: u64,
    /// How long what succeeded took, with its row.
    times: Vec<(u64, &'a Operation)>,
    missed: Option<&'a Operation>,
}

/// Groups of fewer operations are not judged by their percentile and their errors.
const GROUP_MIN: usize = 20;

pub(super) fn check(judged: &mut Judged<'_>, by: Group, percent_max: u64) {
    let mut groups: BTreeMap<Of<'_>, Served<'_>> = BTreeMap::new();
    for (_, op) in judged.rows() {
        if !op.is_client() {
            continue;
        }
        let of = match by {
            Group::Key => op.key.as_ref().map(Of::Key),
            Group::Process => Some(Of::Process(op.process_id)),
            Group::Node => op.node_seen.as_deref().map(Of::Node),
        };
        let Some(of) = of else {
            let field = if by == Group::Key { "key" } else { "node_seen" };
            judged.lacks(|| format!("{field} of #{}", op.op_id));
            continue;
        };
        judged.consume(1);
        let group = groups.entry(of).or_default();
        group.asked += 1;
        match op.complete_ts.filter(|_| op.is_acknowledged()) {
            Some(end) => group.times.push((end - op.invoke_ts, op)),
            None => group.missed = Some(op),
        }
    }
    if groups.len() < 2 {
        judged.lacks(|| format!("operations of two groups, by {by}"));
        return;
    }
    let mut all: Vec<u64> = Vec::new();
    for group in groups.values_mut() {
        group.times.sort_by_key(|(time, op)| (*time, op.op_id));
        all.extend(group.times.iter().map(|(time, _)| *time));
    }
    all.sort_unstable();
    let whole_ns = all.get(percentile(all.len())).copied().unwrap_or(0);
    let asked: u64 = groups.values().map(|group| group.asked).sum();
    let missed = asked - all.len() as u64;
    let mean = all.len() as u64 / groups.len() as u64;
    let wide = |number: u64| u128::from(number);
    let mut small = 0;
    for (of, group) in &groups {
        let done = group.times.len();
        if done == 0 {
            let rows: Vec<&Operation> = group.missed.into_iter().collect();
            judged.find("starved", None, &rows, || {
                format!("none of the {} operations of {of} succeeded", group.asked)
            });
            continue;
        }
        if wide(done as u64) * wide(percent_max) < wide(mean) * 100 {
            judged.find("low-throughput", None, &[group.times[0].1], || {
                format!("{done} operations of {of} succeeded, {mean} of a group on average")
            });
        }
        if (group.asked as usize) < GROUP_MIN {
            small += 1;
            continue;
        }
        let (own_ns, op) = group.times[percentile(done)];
        if wide(own_ns) * 100 > wide(whole_ns) * wide(percent_max) {
            judged.find("slow-group", None, &[op], || {
                let (own, whole) = (Millis(own_ns), Millis(whole_ns));
                format!("the 99th percentile of {of} is {own} ms, that of all {whole} ms")
            });
        }
        let own_missed = group.asked - done as u64;
        let share = wide(own_missed) * wide(asked) * 100;
        if share > wide(missed) * wide(group.asked) * wide(percent_max)
            && let Some(op) = group.missed
        {
            judged.find("more-errors", None, &[op], || {
                let of_own = group.asked;
                format!(
                    "{own_missed} of {of_own} operations of {of} did not succeed, and {missed} of \
                     {asked} of all"
                )
            });
        }
    }
    judged.note_count(small, "groups are too small for a percentile");
}

/// The place of the 99th percentile among so many.
fn percentile(count: usize) -> usize {
    (count * 99).div_ceil(100).saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::percentile;

    #[test]
    fn percentiles_by_nearest_rank() {
        for (count, place) in [(0, 0), (1, 0), (2, 1), (100, 98), (101, 99), (1000, 989)] {
            assert_eq!(percentile(count), place, "of {count}");
        }
    }
}

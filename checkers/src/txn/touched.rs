//! At which steps a transaction touched what, looked up.

use super::facts::{Facts, Touch};
use super::graph::{Edge, FOLLOWS, Graph, PRW, PWR, WR, WW};
use super::polygraph::{missed_at, missed_key};

/// The touches of a transaction, sorted.
#[derive(Debug)]
pub(super) struct Touched {
    /// By version and step: reads, what predicates selected, writes.
    reads: Vec<Touch>,
    selected: Vec<Touch>,
    writes: Vec<Touch>,
}

impl Touched {
    /// Those of a transaction. The versions of an object are numbered in a row, so that they are
    /// sorted by object, too.
    pub(super) fn of(facts: &Facts<'_>, txn: u32) -> Self {
        let sorted = |touches: &[Touch]| {
            let mut sorted = touches.to_vec();
            sorted.sort_unstable_by_key(|touch| (touch.version, touch.step));
            sorted
        };
        Self {
            reads: sorted(facts.reads.of(txn)),
            selected: sorted(facts.selected.of(txn)),
            writes: sorted(facts.writes.of(txn)),
        }
    }

    /// At which step, counted from one, a dependency enters the transaction; zero for its begin.
    pub(super) fn step_into(&self, last: Edge) -> u32 {
        let touches = match last.kind {
            WR => &self.reads,
            WW | FOLLOWS => &self.writes,
            PWR => &self.selected,
            _ => return 0,
        };
        let first = touches.partition_point(|touch| touch.version < last.why);
        let found = touches.get(first).filter(|touch| touch.version == last.why);
        found.map_or(0, |touch| touch.step + 1)
    }

    /// At which step, counted from one, it read what an anti-dependency says that it missed: the
    /// last of them.
    pub(super) fn missed_at(
        &self,
        facts: &Facts<'_>,
        graph: &Graph,
        link: Edge,
        txn_of: impl Fn(u32) -> u32 + Copy,
    ) -> Option<u32> {
        let reads = if link.kind == PRW {
            &self.selected
        } else {
            &self.reads
        };
        let of = match missed_key(facts, graph, link, txn_of) {
            Some(key) => {
                let (first, end) = (facts.first[key as usize], facts.first[key as usize + 1]);
                let from = reads.partition_point(|touch| touch.version < first);
                let to = reads.partition_point(|touch| touch.version < end);
                &reads[from..to]
            }
            None => &reads[..],
        };
        missed_at(facts, graph, link, of, txn_of)
    }
}

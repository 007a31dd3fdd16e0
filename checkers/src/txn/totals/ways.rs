//! Is there a way of counting that satisfies a level? Each change is before a read, or after it.

use super::super::decide::kinds_of;
use super::super::edges;
use super::super::graph::{Graph, Kinds, PASS};
use super::super::hidden::Chosen;
use super::super::levels::{Base, Level};
use super::super::options::Options;
use super::super::polygraph::{Reached, Solver, Sum, Topology};
use super::super::transactions::{NONE, Status, Transactions};
use super::super::{register, visible};
use super::counted::{Counted, Seen};

/// What was found.
pub(super) enum Made {
    Counted(Seen),
    /// There is none.
    Never,
    /// The steps did not suffice.
    Unknown,
}

/// More pairs of a read and a change than these are not looked at.
const PAIRS_MAX: usize = 2_000_000;
/// The most memory of who reaches whom, words.
const WORDS_MAX: usize = 32 << 20;

pub(super) struct Ways<'c, 'h> {
    counted: &'c Counted<'h>,
    /// Sessions and real time.
    graph: Graph,
    /// By transaction, when it was invoked and when it ended, for a first guess.
    times: Vec<(u64, u64)>,
    /// By read and change that it may count: the transactions of both.
    pairs: Vec<(u32, u32)>,
    sums: Vec<Sum>,
}

impl<'c, 'h> Ways<'c, 'h> {
    /// # Errors
    /// The field that a row lacks; none does that could be read so far.
    pub(super) fn of(counted: &'c Counted<'h>) -> Result<Self, String> {
        let nothing = vec![Vec::new(); counted.reads.len()];
        let history = counted.registers(&nothing);
        let all = Transactions::of(&history)?;
        let options = Options::default();
        let mut facts = register::facts(&all, &options.initial, &Chosen::new())?;
        for txn in 0..all.len() {
            facts.takes_part[txn as usize] = all.status(txn) != Status::Aborted;
        }
        facts.reads = super::super::facts::Touches::default();
        let graph = edges::graph(&all, &facts);
        let time = |txn: u32| {
            let op = all.op(txn);
            (op.invoke_ts, op.complete_ts.unwrap_or(u64::MAX))
        };
        let times = (0..all.len()).map(time).collect();
        // Rows of transactions are in the order of transactions.
        let rows: Vec<usize> = counted.rows().collect();
        let txn = |row: usize| rows.binary_search(&row).map_or(NONE, |at| at as u32);
        let (mut pairs, mut sums) = (Vec::new(), Vec::new());
        for read in &counted.reads {
            let first = pairs.len();
            let changes = read
                .of
                .iter()
                .map(|change| &counted.changes[*change as usize]);
            pairs.extend(
                changes
                    .clone()
                    .map(|change| (txn(read.row), txn(change.row))),
            );
            let amounts = changes.map(|change| change.amount).collect();
            sums.push(Sum::new(first, amounts, read.rest));
        }
        Ok(Self {
            counted,
            graph,
            times,
            pairs,
            sums,
        })
    }

    /// Looks for a way that satisfies a level.
    pub(super) fn make(&self, level: Level, steps: u64) -> Made {
        if self.pairs.len() > PAIRS_MAX {
            return Made::Unknown;
        }
        let kinds = kinds_of(level.order) | PASS;
        let nodes = self.graph.nodes();
        let moments = level.base == Base::SnapshotIsolation;
        let graph = match moments {
            true => visible::moments(&self.graph, kinds, false),
            false => {
                let edges: Vec<_> = self.graph.edges(kinds).collect();
                Graph::new(nodes, self.graph.txns, &edges)
            }
        };
        let commit = |txn: u32| if moments { nodes + txn } else { txn };
        let time = |node: u32| match node {
            node if node < self.graph.txns && moments => self.times[node as usize].0,
            node if node < self.graph.txns => self.times[node as usize].1,
            node if node >= nodes => self.times[(node - nodes) as usize].1,
            _ => 0,
        };
        let Some(sorted) = graph.topological(Kinds::MAX, time) else {
            return Made::Never;
        };
        let (pairs, misses) = (&self.pairs, level.base != Base::ReadCommitted);
        // Whoever must only not miss what leads to it closes no circle with others.
        let alone = level.base == Base::ConsistentView;
        let ways = |literal: u32, into: &mut Vec<(u32, u32)>| {
            let (read, change) = pairs[literal as usize / 2];
            match literal % 2 {
                0 => into.push((commit(change), read)),
                _ if misses => into.push((read, commit(change))),
                _ => {}
            }
            if alone && !literal.is_multiple_of(2) {
                0
            } else {
                1
            }
        };
        let topology = Topology::new(&graph, &sorted);
        let mut solver = Solver::new(topology, pairs.len(), &ways, (alone, &[]), steps);
        solver.add_up(self.sums.clone());
        if !self.force(&graph, &sorted, commit, misses, &mut solver) {
            return Made::Never;
        }
        let ends = |choice: usize| {
            let (read, change) = pairs[choice];
            (commit(change), read)
        };
        match solver.solve(ends) {
            None => Made::Unknown,
            Some(false) => Made::Never,
            Some(true) => {
                let mut taken = 0..;
                let seen = self.counted.reads.iter().map(|read| {
                    let of = read.of.iter().zip(&mut taken);
                    let of = of.filter(|(_, choice)| solver.first_way(*choice));
                    of.map(|(change, _)| *change).collect()
                });
                Made::Counted(seen.collect())
            }
        }
    }

    /// Takes what sessions and real time leave no choice of; false when they leave none.
    fn force(
        &self,
        graph: &Graph,
        sorted: &[u32],
        commit: impl Fn(u32) -> u32,
        misses: bool,
        solver: &mut Solver<'_>,
    ) -> bool {
        let mut column = vec![NONE; graph.nodes() as usize];
        let mut columns = 0;
        for (read, change) in &self.pairs {
            for node in [*read, commit(*change)] {
                if column[node as usize] == NONE {
                    column[node as usize] = columns;
                    columns += 1;
                }
            }
        }
        let words = (columns as usize).div_ceil(64);
        if column.len().saturating_mul(words) > WORDS_MAX {
            return true;
        }
        let reached = Reached::of(graph, sorted, &column, words);
        for (choice, (read, change)) in (0..).zip(&self.pairs) {
            let change = commit(*change);
            let sees = !reached.leads(*read, change);
            let skips = !misses || !reached.leads(change, *read);
            match (sees, skips) {
                (true, true) => {}
                (false, false) => return false,
                (true, false) => solver.fix(2 * choice),
                (false, true) => solver.fix(2 * choice + 1),
            }
        }
        true
    }
}

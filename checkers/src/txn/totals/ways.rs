//! Is there a way of counting that satisfies a level? Each change is before a read, or after it.

use super::super::edges;
use super::super::graph::{Graph, Kinds};
use super::super::hidden::Chosen;
use super::super::levels::{Level, Order};
use super::super::options::Options;
use super::super::polygraph::{Reached, Solver, Sum, Topology};
use super::super::register;
use super::super::transactions::{NONE, Status, Transactions};
use super::counted::{Counted, Seen};
use super::shaped::{Shaped, Way};

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
    pub(super) counted: &'c Counted<'h>,
    /// Sessions and real time.
    pub(super) graph: Graph,
    /// By transaction, when it was invoked and when it ended, for a first guess.
    pub(super) times: Vec<(u64, u64)>,
    processes: Vec<u64>,
    /// By read and change that it may count: the transactions of both.
    pub(super) pairs: Vec<(u32, u32)>,
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
        let processes = (0..all.len()).map(|txn| all.op(txn).process_id);
        let processes = processes.collect();
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
            processes,
            pairs,
            sums,
        })
    }

    /// Looks for a way that satisfies a level.
    pub(super) fn make(&self, level: Level, steps: u64) -> Made {
        if self.pairs.len() > PAIRS_MAX {
            return Made::Unknown;
        }
        let shaped = Shaped::of(self, level);
        let Some(sorted) = shaped
            .graph
            .topological(Kinds::MAX, |node| shaped.time(self, node))
        else {
            return Made::Never;
        };
        let ways = |literal: u32, into: &mut Vec<(u32, u32)>| {
            let way = &shaped.ways[literal as usize];
            into.extend(way.edges());
            way.strict
        };
        let topology = Topology::new(&shaped.graph, &sorted);
        let none = (shaped.alone, &[][..]);
        let mut solver = Solver::new(topology, self.pairs.len(), &ways, none, steps);
        solver.add_up(self.sums.clone());
        if !force(&shaped, &sorted, &mut solver) {
            return Made::Never;
        }
        match solver.solve(|choice| (self.pairs[choice].1, self.pairs[choice].0)) {
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

    /// Whether a transaction comes before another by sessions or by real time.
    pub(super) fn precedes(&self, order: Order, first: u32, second: u32) -> bool {
        let [(_, to), (next, _)] = [first, second].map(|txn| self.times[txn as usize]);
        let [one, other] = [first, second].map(|txn| self.processes[txn as usize]);
        let session = one == other && first < second && to < u64::MAX;
        match order {
            Order::None => false,
            Order::Process => session,
            Order::Realtime => session || to < next,
        }
    }
}

/// Takes what sessions and real time leave no choice of; false when they leave none.
fn force(shaped: &Shaped, sorted: &[u32], solver: &mut Solver<'_>) -> bool {
    let mut column = vec![NONE; shaped.graph.nodes() as usize];
    let mut columns = 0;
    for (from, to) in shaped.ways.iter().flat_map(Way::edges) {
        for node in [from, to] {
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
    let reached = Reached::of(&shaped.graph, sorted, &column, words);
    for (choice, ways) in (0..).zip(shaped.ways.chunks(2)) {
        let open = |way: &Way| way.edges().all(|(from, to)| !reached.leads(to, from));
        match (open(&ways[0]), open(&ways[1])) {
            (true, true) => {}
            (false, false) => return false,
            (true, false) => solver.fix(2 * choice),
            (false, true) => solver.fix(2 * choice + 1),
        }
    }
    true
}

//! Who reaches whom, for many questions: a bit for each of some nodes; or, where nodes come in
//! chains that are in order, how far along each chain.

use super::super::graph::Graph;
use super::super::transactions::NONE;

/// A row for each node, of so many words: what it has itself, and all that leads to it has. Of a
/// graph whose edges go forward in an order. Cost: the words, once an edge.
fn forward<Word: Copy + Default>(
    graph: &Graph,
    sorted: &[u32],
    words: usize,
    own: impl Fn(u32, &mut [Word]),
    join: impl Fn(&mut Word, Word),
) -> Vec<Word> {
    let mut rows = vec![Word::default(); graph.nodes() as usize * words];
    let mut row = vec![Word::default(); words];
    for node in sorted {
        let from = *node as usize * words;
        own(*node, &mut rows[from..from + words]);
        row.copy_from_slice(&rows[from..from + words]);
        for arc in graph.out(*node) {
            let to = arc.to as usize * words;
            for (into, word) in rows[to..to + words].iter_mut().zip(&row) {
                join(into, *word);
            }
        }
    }
    rows
}

/// Which nodes lead to which, for nodes that have a column.
pub(in crate::txn) struct Reached<'c> {
    column: &'c [u32],
    words: usize,
    rows: Vec<u64>,
}

impl<'c> Reached<'c> {
    /// Of a graph whose edges go forward in an order.
    pub(in crate::txn) fn of(
        graph: &Graph,
        sorted: &[u32],
        column: &'c [u32],
        words: usize,
    ) -> Self {
        let own = |node: u32, row: &mut [u64]| {
            let place = column[node as usize];
            if place != NONE {
                row[place as usize / 64] |= 1 << (place % 64);
            }
        };
        let rows = forward(graph, sorted, words, own, |into, word| *into |= word);
        Self {
            column,
            words,
            rows,
        }
    }

    /// Whether the first node, which has a column, is the second or leads to it.
    pub(in crate::txn) fn leads(&self, first: u32, second: u32) -> bool {
        let place = self.column[first as usize] as usize;
        let word = self.rows[second as usize * self.words + place / 64];
        word >> (place % 64) & 1 == 1
    }
}

/// Which nodes of chains lead to which.
pub(super) struct Clocks<'c> {
    chains: &'c [(u32, u32)],
    width: usize,
    rows: Vec<u32>,
}

impl<'c> Clocks<'c> {
    /// Of a graph whose edges go forward in an order; by node, its chain and its place in that.
    pub(super) fn of(
        graph: &Graph,
        sorted: &[u32],
        chains: &'c [(u32, u32)],
        width: usize,
    ) -> Self {
        let own = |node: u32, row: &mut [u32]| {
            let (chain, place) = chains[node as usize];
            if chain != NONE {
                row[chain as usize] = place + 1;
            }
        };
        let rows = forward(graph, sorted, width, own, |into, far| {
            *into = (*into).max(far)
        });
        Self {
            chains,
            width,
            rows,
        }
    }

    pub(super) fn leads(&self, first: u32, second: u32) -> bool {
        let (chain, place) = self.chains[first as usize];
        chain != NONE && self.rows[second as usize * self.width + chain as usize] > place
    }
}

//! Who reaches whom, for many questions: a bit for each of some nodes; or, where nodes come in
//! chains that are in order, how far along each chain.

use super::super::graph::Graph;
use super::super::transactions::NONE;

/// Either of both.
pub(super) enum Table<'c> {
    Bits(Reached<'c>),
    Clocks(Clocks<'c>),
}

impl Table<'_> {
    /// Whether the first node, of which that is kept, is the second or leads to it.
    pub(super) fn leads(&self, first: u32, second: u32) -> bool {
        match self {
            Table::Bits(bits) => bits.leads(first, second),
            Table::Clocks(clocks) => clocks.leads(first, second),
        }
    }

    /// Whether the first node is known to lead to the second.
    pub(super) fn is_known(&self, first: u32, second: u32) -> bool {
        match self {
            Table::Bits(bits) => bits.column[first as usize] != NONE && bits.leads(first, second),
            Table::Clocks(clocks) => clocks.leads(first, second),
        }
    }
}

/// Which nodes lead to which, for nodes that have a column.
pub(in crate::txn) struct Reached<'c> {
    column: &'c [u32],
    words: usize,
    rows: Vec<u64>,
}

impl<'c> Reached<'c> {
    /// Of a graph whose edges go forward in an order. Cost: the words, once an edge.
    pub(in crate::txn) fn of(
        graph: &Graph,
        sorted: &[u32],
        column: &'c [u32],
        words: usize,
    ) -> Self {
        let mut rows = vec![0_u64; column.len() * words];
        let mut own = vec![0_u64; words];
        for node in sorted {
            let from = *node as usize * words;
            let place = column[*node as usize];
            if place != NONE {
                rows[from + place as usize / 64] |= 1 << (place % 64);
            }
            own.copy_from_slice(&rows[from..from + words]);
            for arc in graph.out(*node) {
                let to = arc.to as usize * words;
                for (into, word) in rows[to..to + words].iter_mut().zip(&own) {
                    *into |= word;
                }
            }
        }
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
        let mut rows = vec![0_u32; chains.len() * width];
        let mut own = vec![0_u32; width];
        for node in sorted {
            let from = *node as usize * width;
            let (chain, place) = chains[*node as usize];
            if chain != NONE {
                rows[from + chain as usize] = place + 1;
            }
            own.copy_from_slice(&rows[from..from + width]);
            for arc in graph.out(*node) {
                let to = arc.to as usize * width;
                for (into, far) in rows[to..to + width].iter_mut().zip(&own) {
                    *into = (*into).max(*far);
                }
            }
        }
        Self {
            chains,
            width,
            rows,
        }
    }

    fn leads(&self, first: u32, second: u32) -> bool {
        let (chain, place) = self.chains[first as usize];
        chain != NONE && self.rows[second as usize * self.width + chain as usize] > place
    }
}

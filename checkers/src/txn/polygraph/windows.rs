//! Which ways of pairs close a circle, some blocks at a time: who leads to whom between the places
//! of an order where those can be that are asked for.

use super::super::graph::Graph;
use super::super::transactions::NONE;
use super::{Polygraph, Told, WORDS_MAX};

/// How many nodes are followed at once, in words.
const COLUMNS_MAX: usize = 64 * 8;

/// A block, and the places between which all is that is asked of it.
struct Span {
    first: u32,
    last: u32,
    block: u32,
}

/// Which nodes that have a column lead to which, between two places of an order.
struct Window<'w> {
    place: &'w [u32],
    column: &'w [u32],
    first: u32,
    last: u32,
    words: usize,
    rows: &'w [u64],
}

impl Window<'_> {
    /// Whether the first node, which has a column, is the second or leads to it.
    fn leads(&self, first: u32, second: u32) -> bool {
        let at = self.place[second as usize];
        if !(self.first..=self.last).contains(&at) {
            return false;
        }
        let place = self.column[first as usize] as usize;
        let word = self.rows[(at - self.first) as usize * self.words + place / 64];
        word >> (place % 64) & 1 == 1
    }
}

impl Polygraph<'_, '_> {
    /// What each open pair's ways come to. None when the steps do not suffice, or the places that
    /// one object spans are too many for the memory.
    pub(super) fn windows(&mut self, graph: &Graph, sorted: &[u32]) -> Option<Vec<Told>> {
        let mut place = vec![0_u32; graph.nodes() as usize];
        for (at, node) in (0..).zip(sorted) {
            place[*node as usize] = at;
        }
        let mut pairs: Vec<(u32, u32)> = Vec::with_capacity(2 * self.open.len());
        for (at, (a, b)) in (0..).zip(&self.open) {
            pairs.extend([(*a, at), (*b, at)]);
        }
        pairs.sort_unstable();
        let spans = self.spans(&pairs, &place);
        let mut told = vec![Told::default(); self.open.len()];
        let mut column = vec![NONE; graph.nodes() as usize];
        let (mut rows, mut rest) = (Vec::new(), &spans[..]);
        while let Some(Span { first, .. }) = rest.first() {
            let (first, mut last, mut columns, mut taken) = (*first, 0, 0_u32, 0);
            for span in rest {
                let end = last.max(span.last);
                let words = (columns as usize + 2).div_ceil(64);
                let size = (end - first + 1) as usize * words;
                if columns as usize + 2 > COLUMNS_MAX || taken > 0 && size > WORDS_MAX {
                    break;
                }
                if size > WORDS_MAX {
                    return None;
                }
                let block = &self.blocks[span.block as usize];
                for node in [self.commit(block.txn), block.enter] {
                    if column[node as usize] == NONE {
                        column[node as usize] = columns;
                        columns += 1;
                    }
                }
                (last, taken) = (end, taken + 1);
            }
            let batch;
            (batch, rest) = rest.split_at(taken);
            let words = (columns as usize).div_ceil(64);
            let window = &sorted[first as usize..=last as usize];
            self.fill(graph, window, (&place, &column, first, words), &mut rows)?;
            let window = Window {
                place: &place,
                column: &column,
                first,
                last,
                words,
                rows: &rows,
            };
            self.ask(batch, &pairs, &window, &mut told)?;
            for span in batch {
                let block = &self.blocks[span.block as usize];
                column[self.commit(block.txn) as usize] = NONE;
                column[block.enter as usize] = NONE;
            }
        }
        Some(told)
    }

    /// The blocks of open pairs, by the first place from which anything is asked of them.
    fn spans(&self, pairs: &[(u32, u32)], place: &[u32]) -> Vec<Span> {
        let at = |node: u32| place[node as usize];
        let mut spans: Vec<Span> = Vec::new();
        let mut of_key = 0;
        for (block, _) in pairs.chunk_by(|a, b| a.0 == b.0).map(|of| of[0]) {
            let of = &self.blocks[block as usize];
            let readers = &self.readers[of.readers.0 as usize..of.readers.1 as usize];
            let commit = at(self.commit(of.txn));
            let last = readers
                .iter()
                .map(|(_, node)| at(*node))
                .fold(commit, u32::max);
            let key = |block: u32| self.facts.key[self.blocks[block as usize].version as usize];
            if spans
                .last()
                .is_none_or(|last| key(last.block) != key(block))
            {
                of_key = spans.len();
            }
            spans.push(Span {
                first: commit.min(at(of.enter)),
                last,
                block,
            });
            // Whoever is asked for is of a block of the same object.
            let last = spans[of_key].last.max(last);
            spans[of_key].last = last;
        }
        let mut end = (NONE, 0);
        for span in &mut spans {
            let key = self.facts.key[self.blocks[span.block as usize].version as usize];
            if end.0 != key {
                end = (key, span.last);
            }
            span.last = end.1.max(span.first);
        }
        spans.sort_unstable_by_key(|span| (span.first, span.block));
        spans
    }

    /// Who leads to whom in a window: a row for each of its nodes.
    fn fill(
        &mut self,
        graph: &Graph,
        window: &[u32],
        (place, column, first, words): (&[u32], &[u32], u32, usize),
        rows: &mut Vec<u64>,
    ) -> Option<()> {
        rows.clear();
        rows.resize(window.len() * words, 0);
        let (mut row, mut edges) = (vec![0_u64; words], 0);
        for (at, node) in window.iter().enumerate() {
            let own = column[*node as usize];
            if own != NONE {
                rows[at * words + own as usize / 64] |= 1 << (own % 64);
            }
            row.copy_from_slice(&rows[at * words..(at + 1) * words]);
            if row.iter().all(|word| *word == 0) {
                continue;
            }
            edges += graph.out(*node).len();
            for arc in graph.out(*node) {
                let to = (place[arc.to as usize] - first) as usize;
                if to < window.len() {
                    let to = &mut rows[to * words..(to + 1) * words];
                    to.iter_mut().zip(&row).for_each(|(to, word)| *to |= *word);
                }
            }
        }
        let spent = (edges * (words + 4) + window.len()) / 64;
        self.steps = self.steps.checked_sub(spent as u64)?;
        Some(())
    }

    /// Asks of each block what comes of others coming before it.
    fn ask(
        &mut self,
        batch: &[Span],
        pairs: &[(u32, u32)],
        window: &Window<'_>,
        told: &mut [Told],
    ) -> Option<()> {
        let (mut ways, mut asked) = (Vec::new(), 0);
        for Span { block, .. } in batch {
            let from = pairs.partition_point(|(of, _)| of < block);
            for (_, at) in pairs[from..].iter().take_while(|(of, _)| of == block) {
                let (a, b) = self.open[*at as usize];
                let (way, other) = if *block == b { (0, a) } else { (1, b) };
                let told = &mut told[*at as usize];
                ways.clear();
                self.ways(other, *block, &mut ways);
                asked += ways.len();
                told.closes[way] = ways.iter().any(|(u, v)| window.leads(*v, *u));
                let (own, other) = (&self.blocks[*block as usize], &self.blocks[other as usize]);
                told.known[1 - way] = window.leads(self.commit(own.txn), other.enter);
            }
        }
        self.steps = self.steps.checked_sub(asked as u64 / 8)?;
        Some(())
    }
}

//! Who of those that wrote an object leads to whom that read or wrote it: a bit for each of some
//! writers, kept for the nodes alone that lie, in one order of all, between these and the last who
//! met their object. Memory: 256 MiB at most.

use std::ops::Range;

use super::super::facts::Touch;
use super::super::graph::{Graph, Kinds};
use super::super::paths::Steps;
use super::super::transactions::NONE;
use super::{Pairs, Saturation};

/// How many writers are followed at once, and the most memory of their bits, words.
const COLUMNS_MAX: usize = 512;
const WORDS_MAX: usize = 32 << 20;

/// Who wrote an object, or met it: the object, its place in the order, and the version.
type Met = (u32, u32, u32);

/// Some writers of an object, where they stand in a row of all, and the places of the first of
/// them and of the last who met the object.
struct Span {
    first: u32,
    last: u32,
    writers: (u32, u32),
}

impl Span {
    fn writers(&self) -> Range<usize> {
        self.writers.0 as usize..self.writers.1 as usize
    }

    /// How many nodes there are between its ends, and writers.
    fn size(&self) -> (usize, usize) {
        let nodes = self.last - self.first + 1;
        (nodes as usize, self.writers().len())
    }
}

/// The bits of some writers, for a stretch of the order.
struct Window<'w> {
    place: &'w [u32],
    first: u32,
    last: u32,
    words: usize,
    rows: Vec<u64>,
}

impl Window<'_> {
    fn row(&self, place: u32) -> &[u64] {
        let from = (place - self.first) as usize * self.words;
        &self.rows[from..from + self.words]
    }
}

impl<'h> Saturation<'_, 'h> {
    /// Who leads to a transaction by edges of the given kinds is seen by it. Of those that wrote
    /// an object the last ones are said: they see the others.
    pub(super) fn led(&self, kinds: Kinds, pairs: &mut Pairs<'_, 'h>, steps: &mut Steps) -> bool {
        let Some(sorted) = self.graph.topological(kinds, |node| self.rank(node)) else {
            return false;
        };
        let mut place = vec![0_u32; self.graph.nodes() as usize];
        for (at, node) in (0..).zip(&sorted) {
            place[*node as usize] = at;
        }
        let facts = self.facts;
        let wrote = facts.writes.all();
        let writers = self.met(&place, &[wrote]);
        let met = self.met(&place, &[wrote, facts.reads.all(), facts.selected.all()]);
        let spans = spans(&writers, &met);
        let mut window = Window {
            place: &place,
            first: 0,
            last: 0,
            words: 0,
            rows: Vec::new(),
        };
        let mut rest = &spans[..];
        while let Some(first) = rest.first() {
            if words(first.size()) > WORDS_MAX {
                return false;
            }
            let batch;
            (batch, rest) = rest.split_at(together(rest));
            let filled = fill(self.graph, kinds, &sorted, (batch, &writers), &mut window);
            if !steps.take(filled) || !ask((batch, &writers, &met), &window, pairs, steps) {
                return false;
            }
        }
        true
    }

    /// By object and place, who touched which version.
    fn met(&self, place: &[u32], touches: &[&[Touch]]) -> Vec<Met> {
        let met = touches.iter().flat_map(|touches| touches.iter());
        let met = met.map(|touch| {
            let key = self.facts.key[touch.version as usize];
            (key, place[touch.txn as usize], touch.version)
        });
        let mut met: Vec<Met> = met.collect();
        met.sort_unstable();
        met.dedup();
        met
    }
}

/// How many words so many nodes take with so many writers.
fn words((nodes, writers): (usize, usize)) -> usize {
    nodes * writers.div_ceil(64)
}

/// The writers of each object, so many at a time, by the first place.
fn spans(writers: &[Met], met: &[Met]) -> Vec<Span> {
    let mut spans = Vec::new();
    let (mut begin, mut end) = (0, 0);
    for of_key in writers.chunk_by(|a, b| a.0 == b.0) {
        let key = of_key[0].0;
        end += met[end..].partition_point(|met| met.0 <= key);
        // Who wrote it met it.
        let last = met[end - 1].1;
        for of in of_key.chunks(COLUMNS_MAX) {
            let writers = (begin, begin + of.len() as u32);
            begin = writers.1;
            let first = of[0].1;
            if first < last {
                spans.push(Span {
                    first,
                    last,
                    writers,
                });
            }
        }
    }
    spans.sort_unstable_by_key(|span| (span.first, span.writers));
    spans
}

/// How many of the first spans are best followed together.
fn together(spans: &[Span]) -> usize {
    let (first, mut last, mut columns) = (spans[0].first, spans[0].last, spans[0].size().1);
    for (taken, span) in spans.iter().enumerate().skip(1) {
        let nodes = |last: u32| (last - first + 1) as usize;
        let (end, of_both) = (last.max(span.last), columns + span.size().1);
        let both = words((nodes(end), of_both));
        let apart = words((nodes(last), columns)) + words(span.size());
        if of_both > COLUMNS_MAX || both > WORDS_MAX || both > apart {
            return taken;
        }
        (last, columns) = (end, of_both);
    }
    spans.len()
}

/// Makes the rows of a batch; gives what that comes to in steps.
fn fill(
    graph: &Graph,
    kinds: Kinds,
    sorted: &[u32],
    (batch, writers): (&[Span], &[Met]),
    window: &mut Window<'_>,
) -> u64 {
    let columns = batch.iter().flat_map(|span| &writers[span.writers()]);
    let columns = columns.zip(0_usize..).map(|(met, column)| (met.1, column));
    let mut columns: Vec<(u32, usize)> = columns.collect();
    columns.sort_unstable();
    window.first = batch[0].first;
    window.last = batch.iter().fold(0, |last, span| last.max(span.last));
    window.words = columns.len().div_ceil(64);
    let (words, count) = (window.words, (window.last - window.first + 1) as usize);
    window.rows.clear();
    window.rows.resize(count * words, 0);
    let (mut row, mut edges, mut columns) = (vec![0_u64; words], 0, columns.iter().peekable());
    for at in window.first..=window.last {
        let from = (at - window.first) as usize * words;
        while let Some((_, column)) = columns.next_if(|(of, _)| *of == at) {
            window.rows[from + column / 64] |= 1 << (column % 64);
        }
        row.copy_from_slice(&window.rows[from..from + words]);
        if row.iter().all(|word| *word == 0) {
            continue;
        }
        let arcs = graph.out(sorted[at as usize]);
        edges += arcs.len();
        for arc in arcs.iter().filter(|arc| arc.kind & kinds != 0) {
            let to = window.place[arc.to as usize];
            if to <= window.last {
                let to = (to - window.first) as usize * words;
                let to = &mut window.rows[to..to + words];
                to.iter_mut().zip(&row).for_each(|(to, word)| *to |= word);
            }
        }
    }
    ((edges * (words + 4) + count) / 64 + 1) as u64
}

/// Says of each who met an object what led to it; false when the steps do not suffice.
fn ask(
    (batch, writers, met): (&[Span], &[Met], &[Met]),
    window: &Window<'_>,
    pairs: &mut Pairs<'_, '_>,
    steps: &mut Steps,
) -> bool {
    let (mut end, mut mask) = (0, Vec::new());
    for span in batch {
        let of = &writers[span.writers()];
        let (key, columns) = (of[0].0, end..end + of.len());
        end = columns.end;
        let (word, bit) = (columns.start / 64, columns.start % 64);
        let begin = met.partition_point(|(of, at, _)| (*of, *at) <= (key, span.first));
        for (_, at, version) in met[begin..].iter().take_while(|met| met.0 == key) {
            cut(window.row(*at), &columns, &mut mask);
            if !steps.take(mask.len() as u64 / 8) {
                return false;
            }
            while let Some(last) = highest(&mask) {
                mask[last / 64] &= !(1 << (last % 64));
                let (_, by, other) = of[last - bit];
                if by == *at {
                    continue;
                }
                if !steps.take(1) {
                    return false;
                }
                pairs.add(other, *version, NONE);
                // It sees these itself.
                let seen = &window.row(by)[word..];
                mask.iter_mut()
                    .zip(seen)
                    .for_each(|(left, seen)| *left &= !seen);
            }
        }
    }
    true
}

/// The bits of some columns, from the word on in which they begin.
fn cut(row: &[u64], columns: &Range<usize>, into: &mut Vec<u64>) {
    into.clear();
    into.extend(&row[columns.start / 64..columns.end.div_ceil(64)]);
    into[0] &= u64::MAX << (columns.start % 64);
    if let (end @ 1.., Some(last)) = (columns.end % 64, into.last_mut()) {
        *last &= (1 << end) - 1;
    }
}

/// The last bit that is set.
fn highest(mask: &[u64]) -> Option<usize> {
    let word = mask.iter().rposition(|word| *word != 0)?;
    Some(word * 64 + mask[word].ilog2() as usize)
}

#[cfg(test)]
mod tests {
    use super::super::super::analysis::{Workload, facts_of};
    use super::super::super::decide::kinds_of;
    use super::super::super::edges;
    use super::super::super::graph::{PASS, PWR, WR};
    use super::super::super::hidden::Chosen;
    use super::super::super::levels::{Base, Order};
    use super::super::super::options::Options;
    use super::super::super::transactions::Transactions;
    use super::super::Saturated;
    use super::*;
    use crate::{History, jsonl};

    /// So many transactions, one after the other, that read and write a register or two; some read
    /// what was written before the last write.
    fn history(count: u64, stale: u64, seed: u64) -> History {
        let (mut state, mut lines) = (0x9e37 + seed, String::new());
        let mut below = |bound: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) % bound
        };
        let mut written: [Vec<u64>; 2] = [Vec::new(), Vec::new()];
        for number in 0..count {
            let key = below(2) as usize;
            let old = if below(count) < stale { below(8) } else { 0 };
            let at = written[key].len().checked_sub(1 + old as usize);
            let read = at.map_or("null".to_owned(), |at| written[key][at].to_string());
            let mut steps = format!(r#"["r",{key},{read}]"#);
            if below(2) == 0 {
                let other = below(2) as usize;
                written[other].push(number);
                steps += &format!(r#",["w",{other},{number}]"#);
            }
            let process = below(6);
            for kind in ["invoke", "ok"] {
                lines += &format!(
                    r#"{{"process":{process},"type":"{kind}","f":"txn","value":[{steps}]}}"#
                );
                lines.push('\n');
            }
        }
        jsonl::read(lines.as_bytes()).expect("a history")
    }

    #[test]
    fn bits_say_what_clocks_say() {
        let mut held = [0; 2];
        for seed in 0..24 {
            let count = [40, 300, 3_000][seed as usize % 3];
            let history = history(count, seed / 3 % 4, seed);
            let all = Transactions::of(&history).expect("transactions");
            let options = Options::default();
            let facts = facts_of(&all, Workload::RwRegister, &options, &Chosen::new());
            let facts = facts.expect("facts");
            let graph = edges::graph(&all, &facts);
            let saturation = Saturation::new(&all, &facts, &graph);
            for order in [Order::Process, Order::Realtime] {
                let kinds = WR | PWR | kinds_of(order) | PASS;
                let told = [false, true].map(|bits| {
                    let (mut pairs, mut steps) = (Pairs::of(&facts), Steps(u64::MAX));
                    let done = match bits {
                        true => saturation.led(kinds, &mut pairs, &mut steps),
                        false => saturation.clocks(kinds, &mut pairs, &mut steps),
                    };
                    assert!(done, "there are steps enough");
                    let settled = saturation.settle(Base::Causal, order, pairs);
                    matches!(settled, Saturated::Holds(_))
                });
                assert_eq!(told[0], told[1], "{seed} {order:?}");
                held[usize::from(told[0])] += 1;
            }
        }
        assert!(held[0] > 4 && held[1] > 4, "{held:?}");
    }
}

//! Who of those that wrote an object leads to whom that read or wrote it: a bit for each of some
//! writers, kept for the nodes alone that lie, in one order of all, between these and the last who
//! met their object. Whoever is led to by a later writer of the object, to which these led, tells
//! no more than that writer does: a second bit says so, and where that is so of all that may still
//! come, the rest of the order is not looked at. So an object that is in use for the whole of a
//! long history costs what its writers cost that are not yet forgotten. Memory: 256 MiB at most.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
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

/// The bits of some writers, for a stretch of the order: by place, those that lead there, then
/// those of them that lead to a later writer of their object that leads there.
struct Window<'w> {
    place: &'w [u32],
    first: u32,
    last: u32,
    words: usize,
    rows: Vec<u64>,
}

impl Window<'_> {
    /// Where the row of a place begins, which is there from then on; false where that is too much.
    fn open(&mut self, place: u32) -> bool {
        let end = 2 * self.words * (place - self.first + 1) as usize;
        if end > WORDS_MAX {
            return false;
        }
        if end > self.rows.len() {
            self.rows.resize(end, 0);
        }
        true
    }

    fn range(&self, place: u32) -> Range<usize> {
        let from = 2 * self.words * (place - self.first) as usize;
        from..from + 2 * self.words
    }

    fn row(&self, place: u32) -> (&[u64], &[u64]) {
        self.rows[self.range(place)].split_at(self.words)
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
            let batch;
            (batch, rest) = rest.split_at(together(rest));
            window.first = first.first;
            let filled = fill((self.graph, kinds), &sorted, (batch, &writers), &mut window);
            let filled = filled.is_some_and(|filled| steps.take(filled));
            if !filled || !ask((batch, &writers, &met), &window, pairs, steps) {
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
    2 * nodes * writers.div_ceil(64)
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

/// The writers of a batch and all later ones of their objects, by place.
struct Writing<'b> {
    batch: &'b [Span],
    writers: &'b [Met],
    /// By span, its first column, and the next of its writers.
    next: Vec<(usize, usize)>,
    ready: BinaryHeap<Reverse<(u32, usize)>>,
}

impl<'b> Writing<'b> {
    fn of(batch: &'b [Span], writers: &'b [Met]) -> Self {
        let (mut next, mut end) = (Vec::with_capacity(batch.len()), 0);
        for span in batch {
            next.push((end, span.writers().start));
            end += span.writers().len();
        }
        let ready = (0..).zip(batch).map(|(at, span)| Reverse((span.first, at)));
        Self {
            batch,
            writers,
            next,
            ready: ready.collect(),
        }
    }

    /// How many columns there are.
    fn columns(&self) -> usize {
        self.batch.iter().map(|span| span.writers().len()).sum()
    }

    /// A writer at a place: the columns of its object, and its own, if it has one.
    fn at(&mut self, place: u32) -> Option<(Range<usize>, Option<usize>)> {
        let Reverse((_, of)) = *self.ready.peek().filter(|ready| ready.0.0 == place)?;
        self.ready.pop();
        let (columns, number) = &mut self.next[of];
        let (range, now) = (self.batch[of].writers(), *number);
        *number += 1;
        let key = self.writers[now].0;
        let later = self.writers.get(*number).filter(|met| met.0 == key);
        self.ready.extend(later.map(|met| Reverse((met.1, of))));
        let own = range.contains(&now).then(|| *columns + now - range.start);
        Some((*columns..*columns + range.len(), own))
    }
}

/// Makes the rows of a batch; gives what that comes to in steps, nothing if that is too much.
fn fill(
    (graph, kinds): (&Graph, Kinds),
    sorted: &[u32],
    (batch, writers): (&[Span], &[Met]),
    window: &mut Window<'_>,
) -> Option<u64> {
    let mut writing = Writing::of(batch, writers);
    let words = writing.columns().div_ceil(64);
    let end = batch.iter().fold(0, |last, span| last.max(span.last));
    window.words = words;
    window.rows.clear();
    let last_column = batch.iter().map(|span| writers[span.writers().end - 1].1);
    // As far as there is something that no later writer tells.
    let mut reach = last_column.max().unwrap_or(0).min(end);
    let [mut leads, mut told, mut before] = [(); 3].map(|()| vec![0_u64; words]);
    let (mut edges, mut at) = (0, window.first);
    while at <= reach {
        window.open(at).then_some(())?;
        let range = window.range(at);
        leads.copy_from_slice(&window.rows[range.start..range.start + words]);
        told.copy_from_slice(&window.rows[range.start + words..range.end]);
        before.copy_from_slice(&leads);
        while let Some((columns, own)) = writing.at(at) {
            for word in columns.start / 64..columns.end.div_ceil(64) {
                told[word] |= before[word] & part(word, &columns);
            }
            if let Some(own) = own {
                leads[own / 64] |= 1 << (own % 64);
            }
        }
        window.rows[range.start..range.start + words].copy_from_slice(&leads);
        if leads.iter().any(|word| *word != 0) {
            let open = leads
                .iter()
                .zip(&told)
                .any(|(leads, told)| leads & !told != 0);
            let arcs = graph.out(sorted[at as usize]).iter();
            for arc in arcs.filter(|arc| arc.kind & kinds != 0) {
                edges += 1;
                let to = window.place[arc.to as usize];
                if to > end || to > reach && !open {
                    continue;
                }
                reach = reach.max(to);
                window.open(to).then_some(())?;
                let range = window.range(to);
                let row = window.rows[range].iter_mut().zip(leads.iter().chain(&told));
                row.for_each(|(to, word)| *to |= word);
            }
        }
        at += 1;
    }
    window.last = at - 1;
    let count = (at - window.first) as usize;
    Some(((edges * (2 * words + 4) + count) / 64 + 1) as u64)
}

/// The bits of a word that are of some columns.
fn part(word: usize, columns: &Range<usize>) -> u64 {
    let (first, end) = (64 * word, 64 * word + 64);
    let mut bits = u64::MAX;
    if columns.start > first {
        bits &= u64::MAX << (columns.start - first);
    }
    if columns.end < end {
        bits &= u64::MAX >> (end - columns.end);
    }
    bits
}

/// Says of each who met an object what led to it, but what later writers tell; false when the
/// steps do not suffice.
fn ask(
    (batch, writers, met): (&[Span], &[Met], &[Met]),
    window: &Window<'_>,
    pairs: &mut Pairs<'_, '_>,
    steps: &mut Steps,
) -> bool {
    let mut end = 0;
    for span in batch {
        let of = &writers[span.writers()];
        let (key, columns) = (of[0].0, end..end + of.len());
        end = columns.end;
        let begin = met.partition_point(|(of, at, _)| (*of, *at) <= (key, span.first));
        let later = met[begin..].iter();
        for (_, at, version) in later.take_while(|met| met.0 == key && met.1 <= window.last) {
            let (leads, told) = window.row(*at);
            let words = columns.start / 64..columns.end.div_ceil(64);
            if !steps.take(words.len() as u64 / 8) {
                return false;
            }
            for word in words {
                let mut left = leads[word] & !told[word] & part(word, &columns);
                while left != 0 {
                    let column = 64 * word + left.trailing_zeros() as usize;
                    left &= left - 1;
                    let (_, by, other) = of[column - columns.start];
                    if by == *at {
                        continue;
                    }
                    if !steps.take(1) {
                        return false;
                    }
                    pairs.add(other, *version, NONE);
                }
            }
        }
    }
    true
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

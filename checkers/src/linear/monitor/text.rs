//! Texts and lists that are appended to, when every piece is put there once.
//!
//! A read says which pieces there are and in which order. So every state that is read is known,
//! an append that is read goes from one of these states to another, and one that is not comes
//! between what the others read: it is a register with compare-and-set whose values are the states.

use rustc_hash::{FxHashMap, FxHashSet};

use super::register::{self, Does};
use super::{NEVER, Verdict};
use crate::history::OpType;
use crate::linear::partition::Partition;
use crate::value::Value;

/// Pieces of more lengths than this are not looked for in texts.
const LENGTHS_MAX: usize = 64;

/// The pieces of a history, by number: 0 is nothing, the others are members plus one.
pub(in crate::linear) struct Pieces<'a> {
    texts: FxHashMap<&'a [u8], u32>,
    lengths: Vec<usize>,
    elements: FxHashMap<&'a Value, u32>,
    /// Whether some piece is put there twice.
    repeats: bool,
}

/// What a read returned.
pub(in crate::linear) enum Parsed {
    /// These pieces.
    Pieces(Vec<u32>),
    /// No pieces make this up.
    Phantom,
    /// Several may.
    Ambiguous,
}

impl<'a> Pieces<'a> {
    /// None when a piece is empty, or an append was told its place.
    pub(in crate::linear) fn of(partition: &Partition<'a>) -> Option<Self> {
        let mut pieces = Self {
            texts: FxHashMap::default(),
            lengths: Vec::new(),
            elements: FxHashMap::default(),
            repeats: false,
        };
        let members = partition.members.iter().zip(1_u32..);
        for (member, number) in members.filter(|(member, _)| !member.op.op_type.is_read()) {
            let input = &member.op.input;
            if member.op.is_acknowledged() && *member.op.observed() != Value::Null {
                return None;
            }
            if *pieces.elements.entry(input).or_insert(number) != number {
                pieces.repeats = true;
                continue;
            }
            if let Some(text) = input.as_text() {
                pieces.texts.insert(text.as_bytes(), number);
                pieces.lengths.push(text.len());
            }
        }
        pieces.lengths.sort_unstable();
        pieces.lengths.dedup();
        let fits = pieces.lengths.len() <= LENGTHS_MAX && pieces.lengths.first() != Some(&0);
        fits.then_some(pieces)
    }

    /// The number of the first member that puts the same piece there.
    pub(in crate::linear) fn number(&self, piece: &Value) -> Option<u32> {
        self.elements.get(piece).copied()
    }

    pub(in crate::linear) fn parse(&self, told: &Value) -> Parsed {
        match told {
            Value::Null => Parsed::Pieces(Vec::new()),
            Value::Text(text) => self.parse_text(text.as_bytes()),
            Value::List(elements) => {
                let known = elements.iter().map(|element| self.elements.get(element));
                let known: Option<Vec<u32>> = known.map(|number| number.copied()).collect();
                known.map_or(Parsed::Phantom, Parsed::Pieces)
            }
            _ => Parsed::Phantom,
        }
    }

    fn parse_text(&self, mut text: &[u8]) -> Parsed {
        let mut pieces = Vec::new();
        while !text.is_empty() {
            let lengths = self.lengths.iter();
            let heads = lengths.filter_map(|length| text.get(..*length));
            let mut fitting = heads.filter_map(|head| Some((head, *self.texts.get(head)?)));
            let Some((head, number)) = fitting.next() else {
                return Parsed::Phantom;
            };
            if fitting.next().is_some() {
                return Parsed::Ambiguous;
            }
            pieces.push(number);
            text = &text[head.len()..];
        }
        Parsed::Pieces(pieces)
    }
}

/// What the reads say of the order of pieces.
struct Order {
    /// By piece, the one before it and the read that says so.
    before: Vec<Option<(u32, u32)>>,
    /// By piece, the one after it.
    after: Vec<u32>,
}

pub(super) fn judge(partition: &Partition<'_>) -> Verdict {
    let Some(pieces) = Pieces::of(partition).filter(|pieces| !pieces.repeats) else {
        return Verdict::Unsure;
    };
    let members = &partition.members;
    let mut order = Order {
        before: vec![None; members.len() + 1],
        after: vec![NEVER; members.len() + 1],
    };
    // By member, the last piece that it read.
    let mut states = vec![0; members.len()];
    for (read, member) in members.iter().enumerate() {
        if !member.op.op_type.is_read() {
            continue;
        }
        let list = match pieces.parse(member.op.observed()) {
            Parsed::Pieces(list) => list,
            Parsed::Phantom => return Verdict::Illegal(vec![read as u32]),
            Parsed::Ambiguous => return Verdict::Unsure,
        };
        let starts = |number: &u32| members[*number as usize - 1].op.op_type != OpType::Append;
        if list.iter().skip(1).any(starts) {
            return Verdict::Illegal(with_pieces(&list, &[], read as u32));
        }
        states[read] = list.last().copied().unwrap_or(0);
        if let Some(witness) = order.note(read as u32, &list, partition, &pieces) {
            return Verdict::Illegal(witness);
        }
    }
    let (does, setter) = numbered(partition, &order, &states);
    match register::judge_numbered(partition, does, setter) {
        Verdict::Illegal(witness) => Verdict::Illegal(order.shown(witness)),
        other => other,
    }
}

impl Order {
    /// Takes note of what a read says, unless another read says otherwise: then what both name.
    fn note(
        &mut self,
        read: u32,
        list: &[u32],
        partition: &Partition<'_>,
        pieces: &Pieces<'_>,
    ) -> Option<Vec<u32>> {
        let mut last = 0;
        for (place, number) in list.iter().enumerate() {
            let begins = partition.members[*number as usize - 1].op.op_type != OpType::Append;
            let before = if begins && place == 0 { NEVER } else { last };
            let known = self.before[*number as usize];
            let next = self.after.get(before as usize).copied();
            let other = match (known, next) {
                (Some((known, other)), _) if known != before => Some(other),
                (None, Some(next)) if next != NEVER => {
                    self.before[next as usize].map(|(_, other)| other)
                }
                _ => None,
            };
            if let Some(other) = other {
                let told = partition.members[other as usize].op.observed();
                let theirs = match pieces.parse(told) {
                    Parsed::Pieces(theirs) => theirs,
                    _ => Vec::new(),
                };
                let mut witness = with_pieces(list, &theirs, read);
                witness.push(other);
                return Some(witness);
            }
            self.before[*number as usize].get_or_insert((before, read));
            if let Some(next) = self.after.get_mut(before as usize) {
                *next = *number;
            }
            last = *number;
        }
        None
    }

    /// A witness, with the reads that say how its pieces follow each other, and these pieces.
    fn shown(&self, witness: Vec<u32>) -> Vec<u32> {
        let mut shown: FxHashSet<u32> = witness.iter().copied().collect();
        let mut rest = witness;
        while let Some(member) = rest.pop() {
            if let Some((before, read)) = self.before[member as usize + 1] {
                let piece = before.checked_sub(1).filter(|_| before != NEVER);
                let new = piece.into_iter().chain([read]);
                rest.extend(new.filter(|member| shown.insert(*member)));
            }
        }
        shown.into_iter().collect()
    }
}

/// The members that put the pieces of two lists there, and a read.
fn with_pieces(one: &[u32], other: &[u32], read: u32) -> Vec<u32> {
    let pieces = one.iter().chain(other).map(|number| number - 1);
    pieces.chain([read]).collect()
}

/// The operations on a register whose values are the states, each named by its last piece.
fn numbered(partition: &Partition<'_>, order: &Order, states: &[u32]) -> (Vec<Does>, Vec<u32>) {
    let mut setter = vec![NEVER; partition.members.len() + 1];
    let mut does = Vec::with_capacity(partition.members.len());
    for (member, number) in partition.members.iter().zip(1_u32..) {
        let index = number - 1;
        if member.op.op_type.is_read() {
            does.push(Does::Read(states[index as usize]));
            continue;
        }
        setter[number as usize] = index;
        does.push(match order.before[number as usize] {
            Some((before, _)) if before != NEVER => Does::Cas(before, number),
            _ => Does::Write(number),
        });
    }
    (does, setter)
}

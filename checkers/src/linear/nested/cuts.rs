//! Sets of operations that are closed under what has returned before: how far an order has come.

use std::rc::Rc;

use rustc_hash::FxHashMap;

use crate::linear::memory::{of_list, of_map, of_piece};

/// An operation that is in every order, by the ranks of its call and its return.
#[derive(Clone, Copy)]
pub(super) struct One {
    pub(super) call: u32,
    pub(super) ret: u32,
    pub(super) member: u32,
    pub(super) what: What,
}

/// What an operation does to a stack; values are numbers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Push(u32),
    Pop(u32),
    /// It found nothing.
    Nothing,
}

/// The sets that were met, each once. A set is a key: the first operation that is missing, how
/// many of each class of spare operations are used, and the bits from that operation on.
pub(super) struct Cuts {
    /// The operations by their calls.
    pub(super) ops: Vec<One>,
    /// Words of counts in a key.
    used_words: usize,
    keys: Vec<Rc<[u64]>>,
    ids: FxHashMap<Rc<[u64]>, u32>,
    key: Vec<u64>,
    /// What the keys take.
    bytes: u64,
}

/// Counts in a word.
const COUNTS: usize = 4;
const COUNT_BITS: usize = 16;

/// What a key has beside its words: how often it stands somewhere.
const KEY_BYTES: usize = 16;

impl Cuts {
    /// `classes` of spare operations.
    pub(super) fn new(mut ops: Vec<One>, classes: usize) -> Self {
        ops.sort_unstable_by_key(|one| one.call);
        let mut cuts = Self {
            ops,
            used_words: classes.div_ceil(COUNTS),
            keys: Vec::new(),
            ids: FxHashMap::default(),
            key: Vec::new(),
            bytes: 0,
        };
        cuts.key = vec![0; 1 + cuts.used_words];
        cuts.intern();
        cuts
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes + of_list(&self.keys) + of_map(&self.ids)
    }

    /// How many operations are in a set.
    pub(super) fn size(&self, cut: u32) -> u32 {
        let key = &self.keys[cut as usize];
        let bits = key[1 + self.used_words..].iter();
        key[0] as u32 + bits.map(|word| word.count_ones()).sum::<u32>()
    }

    /// How many spare operations of a class are used.
    pub(super) fn used(&self, cut: u32, class: usize) -> usize {
        let word = self.keys[cut as usize][1 + class / COUNTS];
        (word >> (class % COUNTS * COUNT_BITS)) as usize & ((1 << COUNT_BITS) - 1)
    }

    /// The missing operations that can come next, by their calls, and the first return of those
    /// that are missing.
    pub(super) fn open(&self, cut: u32, open: &mut Vec<u32>) -> u32 {
        open.clear();
        let key = &self.keys[cut as usize];
        let (first, bits) = (key[0] as usize, &key[1 + self.used_words..]);
        let mut horizon = u32::MAX;
        for (at, one) in self.ops[first..].iter().enumerate() {
            if one.call > horizon {
                break;
            }
            let word = bits.get(at / 64).copied().unwrap_or(0);
            if word >> (at % 64) & 1 == 0 {
                horizon = horizon.min(one.ret);
                open.push((first + at) as u32);
            }
        }
        open.retain(|at| self.ops[*at as usize].call < horizon);
        horizon
    }

    /// The set with one more operation, and one more of a class used.
    pub(super) fn with(&mut self, cut: u32, at: Option<u32>, class: Option<usize>) -> u32 {
        self.key.clear();
        self.key.extend_from_slice(&self.keys[cut as usize]);
        if let Some(class) = class {
            self.key[1 + class / COUNTS] += 1 << (class % COUNTS * COUNT_BITS);
        }
        if let Some(at) = at {
            self.put(at as usize);
        }
        self.intern()
    }

    fn put(&mut self, at: usize) {
        let place = at - self.key[0] as usize;
        let from = 1 + self.used_words;
        let word = from + place / 64;
        if self.key.len() <= word {
            self.key.resize(word + 1, 0);
        }
        self.key[word] |= 1 << (place % 64);
        // Equal sets have equal keys: the first bit is of an operation that is missing.
        while self.key.get(from).is_some_and(|word| word & 1 == 1) {
            let ones = self.key[from].trailing_ones();
            self.key[0] += u64::from(ones);
            for word in from..self.key.len() {
                let next = self.key.get(word + 1).copied().unwrap_or(0);
                let low = self.key[word].checked_shr(ones).unwrap_or(0);
                self.key[word] = low | next.checked_shl(64 - ones).unwrap_or(0);
            }
        }
        while self.key.len() > from && self.key.last() == Some(&0) {
            self.key.pop();
        }
    }

    fn intern(&mut self) -> u32 {
        if let Some(known) = self.ids.get(self.key.as_slice()) {
            return *known;
        }
        let next = self.keys.len() as u32;
        let key: Rc<[u64]> = self.key.as_slice().into();
        self.bytes += of_piece(KEY_BYTES + size_of_val(&*key));
        self.ids.insert(key.clone(), next);
        self.keys.push(key);
        next
    }
}

//! The certain operations of one kind, of which some are placed.

use crate::linear::line::Line;

/// An operation by the ranks of its call and its return.
#[derive(Clone, Copy)]
pub(super) struct One {
    pub(super) call: u32,
    pub(super) ret: u32,
    pub(super) member: u32,
    /// The number of its value.
    pub(super) value: u32,
}

/// Operations by their calls. What is called after the return of one that is not placed is not
/// placed either, so that only the marks from the first such one on have to be kept.
pub(super) struct Side {
    all: Vec<One>,
    placed: Vec<u64>,
    /// No operation before it is left.
    first: usize,
    /// By operation, how many are called before it returns.
    called: Vec<u32>,
    /// All by their returns, and the place of each there.
    line: Line,
    places: Vec<u32>,
}

impl Side {
    pub(super) fn new(mut all: Vec<One>) -> Self {
        all.sort_unstable_by_key(|one| one.call);
        let before = |rank: u32| all.partition_point(|one| one.call < rank) as u32;
        let called = all.iter().map(|one| before(one.ret)).collect();
        let mut by_ret: Vec<u32> = (0..all.len() as u32).collect();
        by_ret.sort_unstable_by_key(|at| all[*at as usize].ret);
        let mut places = vec![0; all.len()];
        for (place, at) in (0..).zip(&by_ret) {
            places[*at as usize] = place;
        }
        let rets = by_ret.iter().map(|at| u64::from(all[*at as usize].ret));
        Self {
            placed: vec![0; all.len().div_ceil(64)],
            first: 0,
            called,
            line: Line::of(rets.collect()),
            places,
            all,
        }
    }

    pub(super) fn get(&self, at: u32) -> One {
        self.all[at as usize]
    }

    pub(super) fn is_done(&self) -> bool {
        self.first == self.all.len()
    }

    /// The first return of those that are left.
    pub(super) fn due(&self) -> u64 {
        self.line.next(None).unwrap_or(u64::MAX)
    }

    fn is_placed(&self, at: usize) -> bool {
        self.placed[at / 64] >> (at % 64) & 1 == 1
    }

    pub(super) fn put(&mut self, at: u32) {
        self.line.put(self.places[at as usize]);
        self.placed[at as usize / 64] ^= 1 << (at % 64);
        while self.first < self.all.len() && self.is_placed(self.first) {
            self.first += 1;
        }
    }

    pub(super) fn take_back(&mut self, at: u32) {
        self.line.take(self.places[at as usize]);
        self.placed[at as usize / 64] ^= 1 << (at % 64);
        self.first = self.first.min(at as usize);
    }

    /// Those that are left and called before a rank, in the order of their calls.
    pub(super) fn open(&self, horizon: u64) -> impl Iterator<Item = u32> {
        let rest = self.first..self.all.len();
        let called = move |at: &usize| u64::from(self.all[*at].call) < horizon;
        let open = rest.take_while(called).filter(|at| !self.is_placed(*at));
        open.map(|at| at as u32)
    }

    /// What is left.
    pub(super) fn left(&self) -> impl Iterator<Item = One> {
        self.open(u64::MAX).map(|at| self.all[at as usize])
    }

    /// Appends which operations are placed, so that equal sets look equal.
    pub(super) fn key(&self, key: &mut Vec<u64>) {
        key.push(self.first as u64);
        let end = self.called.get(self.first).map_or(0, |end| *end as usize);
        let (word, shift) = (self.first / 64, self.first % 64);
        let mut left = end.saturating_sub(self.first);
        for at in word.. {
            if left == 0 {
                break;
            }
            let low = self.placed[at] >> shift;
            let next = self.placed.get(at + 1).copied().unwrap_or(0);
            let high = if shift == 0 { 0 } else { next << (64 - shift) };
            key.push(low | high);
            left = left.saturating_sub(64);
        }
    }
}

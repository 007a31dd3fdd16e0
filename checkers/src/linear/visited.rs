//! The configurations that the search has been in: which members are linearized, in which state.

use rustc_hash::FxHashSet;

use super::partition::Partition;

/// Exact, not hashed down: two configurations are one only if they are equal.
///
/// Since every member before the first missing one is linearized, and none called after that one's
/// return is, only the bits between have to be kept.
pub(super) struct Visited {
    /// By member, whether it is linearized.
    done: Vec<u64>,
    /// By certain member, how many members were called before its return.
    called: Vec<u32>,
    /// Members that are not certain: bits that are in every key.
    possible: Vec<u32>,
    seen: FxHashSet<Box<[u64]>>,
    key: Vec<u64>,
    bytes: u64,
}

impl Visited {
    pub(super) fn new(partition: &Partition<'_>) -> Self {
        let members = &partition.members;
        let called = members.iter().map(|member| match member.op.complete_ts {
            Some(complete_ts) if member.certain => {
                members.partition_point(|other| other.op.invoke_ts <= complete_ts) as u32
            }
            _ => 0,
        });
        Self {
            done: vec![0; members.len().div_ceil(64)],
            called: called.collect(),
            possible: (0..members.len() as u32)
                .filter(|member| !members[*member as usize].certain)
                .collect(),
            seen: FxHashSet::default(),
            key: Vec::new(),
            bytes: 0,
        }
    }

    pub(super) fn is_done(&self, member: u32) -> bool {
        self.done[member as usize / 64] >> (member % 64) & 1 == 1
    }

    pub(super) fn flip(&mut self, member: u32) {
        self.done[member as usize / 64] ^= 1 << (member % 64);
    }

    /// Notes a configuration; false when it was there before. `first` is the first certain member
    /// that is not linearized.
    pub(super) fn insert(&mut self, first: u32, state: u32) -> bool {
        self.key.clear();
        self.key.push(u64::from(first) << 32 | u64::from(state));
        let last = self.called[first as usize].max(first + 1) as usize;
        let window = first as usize / 64..last.div_ceil(64);
        self.key.extend_from_slice(&self.done[window.clone()]);
        let outside = |member: &&u32| !window.contains(&(**member as usize / 64));
        let mut packed = 0_u64;
        let mut bits = 0;
        for member in self.possible.iter().filter(outside) {
            packed = packed << 1 | u64::from(self.is_done(*member));
            bits += 1;
            if bits % 64 == 0 {
                self.key.push(packed);
                packed = 0;
            }
        }
        self.key.push(packed);
        if self.seen.contains(self.key.as_slice()) {
            return false;
        }
        self.seen.insert(self.key.as_slice().into());
        // The words, their box and its slot, at the load factor of the table.
        self.bytes += self.key.len() as u64 * 8 + 48;
        true
    }

    /// Roughly what the configurations occupy.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }
}

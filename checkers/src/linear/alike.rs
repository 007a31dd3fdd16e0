//! Which operations do the same, and which of them are due first.

use std::hash::Hash;

use rustc_hash::FxHashMap;

use super::defect::{Defect, planted};
use super::machine::Machine;
use super::partition::Partition;

/// What members do, by number, and who returns before whom.
pub(super) struct Alike {
    /// By member, what it does; [`Alike::NONE`] when no certain one does the same.
    numbers: Vec<u32>,
    /// By member, where its peers end; they begin where those of the one before end.
    ends: Vec<u32>,
    peers: Vec<u32>,
}

impl Alike {
    /// Does what no other does.
    pub(super) const NONE: u32 = u32::MAX;

    /// Cost: the operations, times those that overlap and do the same.
    pub(super) fn of<M: Machine>(partition: &Partition<'_>, machine: &mut M) -> Self {
        let members = &partition.members;
        let mut numbers = vec![Self::NONE; members.len()];
        // What certain members do, and the first that does it, until there is another.
        let mut known: FxHashMap<u32, u32> = FxHashMap::default();
        let (certain, spare): (Vec<u32>, Vec<u32>) =
            (0..members.len() as u32).partition(|at| members[*at as usize].certain);
        for at in certain.into_iter().chain(spare) {
            let Some(number) = machine.alike(at) else {
                continue;
            };
            match known.get_mut(&number) {
                Some(first) => {
                    numbers[at as usize] = number;
                    if *first != Self::NONE {
                        numbers[*first as usize] = number;
                        *first = Self::NONE;
                    }
                }
                None if members[at as usize].certain => {
                    known.insert(number, at);
                }
                None => {}
            }
        }
        let mut pairs = pairs(partition, &numbers);
        pairs.sort_unstable();
        let mut ends = Vec::new();
        if !pairs.is_empty() {
            ends.resize(members.len(), 0);
            pairs
                .iter()
                .for_each(|(later, _)| ends[*later as usize] += 1);
            let mut end = 0;
            for count in &mut ends {
                end += *count;
                *count = end;
            }
        }
        Self {
            numbers,
            ends,
            peers: pairs.into_iter().map(|(_, first)| first).collect(),
        }
    }

    /// What a member does.
    pub(super) fn number(&self, member: u32) -> u32 {
        self.numbers[member as usize]
    }

    /// Certain members that do the same as this certain one, overlap with it, and return before.
    pub(super) fn before(&self, member: u32) -> &[u32] {
        let Some(end) = self.ends.get(member as usize) else {
            return &[];
        };
        let from = match member {
            0 => 0,
            _ => self.ends[member as usize - 1],
        };
        &self.peers[from as usize..*end as usize]
    }
}

/// Numbers for what operations do, from 0 in the order in which they are asked for.
pub(super) struct Numbers<T>(FxHashMap<T, u32>);

impl<T> Default for Numbers<T> {
    fn default() -> Self {
        Self(FxHashMap::default())
    }
}

impl<T: Eq + Hash> Numbers<T> {
    pub(super) fn of(&mut self, what: T) -> u32 {
        let next = self.0.len() as u32;
        *self.0.entry(what).or_insert(next)
    }
}

/// Of more that are open at once and do the same, some are not looked at.
const OPEN_MAX: usize = 64;

/// Certain members that do the same and overlap: the one that returns later, and the other.
fn pairs(partition: &Partition<'_>, numbers: &[u32]) -> Vec<(u32, u32)> {
    let (mut pairs, mut open) = (Vec::new(), FxHashMap::<u32, Vec<(u64, u32)>>::default());
    for (at, member) in (0_u32..).zip(&partition.members) {
        let (number, end) = (numbers[at as usize], member.op.complete_ts);
        let (true, Some(end)) = (member.certain && number != Alike::NONE, end) else {
            continue;
        };
        let open = open.entry(number).or_default();
        open.retain(|(other, _)| *other >= member.op.invoke_ts);
        for (other, peer) in open.iter() {
            let order = match planted(Defect::SearchTakesTheLastFirst) {
                true => end.cmp(other),
                false => other.cmp(&end),
            };
            match order {
                std::cmp::Ordering::Less => pairs.push((at, *peer)),
                std::cmp::Ordering::Greater => pairs.push((*peer, at)),
                std::cmp::Ordering::Equal => {}
            }
        }
        if open.len() < OPEN_MAX {
            open.push((end, at));
        }
    }
    pairs
}

//! The events of a partition as two linked lists, from which linearized operations are lifted.
//!
//! The certain operations have a call and a return each, in one list. The others have only a
//! call, in a list of their own, since they never have to be linearized.

use super::partition::Partition;

/// The end of a list.
const END: u32 = u32::MAX;

/// One event.
#[derive(Clone, Copy)]
pub(super) struct Entry {
    pub(super) member: u32,
    pub(super) is_return: bool,
    previous: u32,
    next: u32,
}

/// Where the events of a member are.
#[derive(Clone, Copy)]
struct Place {
    call: u32,
    /// `END` for a member that is not certain.
    returns: u32,
}

/// Both lists, by real time. Entries 0 and 1 are the heads.
pub(super) struct Entries {
    entries: Vec<Entry>,
    places: Vec<Place>,
}

/// Which list.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Certain = 0,
    Possible = 1,
}

impl Entries {
    /// Lays the events out; at equal instants calls go first, so that the operations overlap.
    pub(super) fn new(partition: &Partition<'_>) -> Self {
        let mut moments: Vec<(u64, bool, u32)> = Vec::with_capacity(partition.members.len() * 2);
        for (index, member) in partition.members.iter().enumerate() {
            moments.push((member.op.invoke_ts, false, index as u32));
            if let (true, Some(complete_ts)) = (member.certain, member.op.complete_ts) {
                moments.push((complete_ts, true, index as u32));
            }
        }
        moments.sort_unstable();
        let head = Entry {
            member: END,
            is_return: false,
            previous: END,
            next: END,
        };
        let mut entries = vec![head; 2];
        let mut places = vec![
            Place {
                call: END,
                returns: END
            };
            partition.members.len()
        ];
        let mut tails = [0, 1];
        for (_, is_return, member) in moments {
            let at = entries.len() as u32;
            let side = usize::from(!partition.members[member as usize].certain);
            entries.push(Entry {
                member,
                is_return,
                previous: tails[side],
                next: END,
            });
            entries[tails[side] as usize].next = at;
            tails[side] = at;
            let place = &mut places[member as usize];
            *(if is_return {
                &mut place.returns
            } else {
                &mut place.call
            }) = at;
        }
        Self { entries, places }
    }

    /// The first entry of a list.
    pub(super) fn first(&self, side: Side) -> Option<u32> {
        self.following(side as u32)
    }

    /// The entry after `at` in its list.
    pub(super) fn following(&self, at: u32) -> Option<u32> {
        Some(self.entries[at as usize].next).filter(|next| *next != END)
    }

    pub(super) fn get(&self, at: u32) -> Entry {
        self.entries[at as usize]
    }

    pub(super) fn call_of(&self, member: u32) -> u32 {
        self.places[member as usize].call
    }

    /// Takes the events of a member out.
    pub(super) fn lift(&mut self, member: u32) {
        let place = self.places[member as usize];
        self.unlink(place.call);
        if place.returns != END {
            self.unlink(place.returns);
        }
    }

    /// Puts the events of the member that was lifted last back.
    pub(super) fn unlift(&mut self, member: u32) {
        let place = self.places[member as usize];
        if place.returns != END {
            self.relink(place.returns);
        }
        self.relink(place.call);
    }

    fn unlink(&mut self, at: u32) {
        let Entry { previous, next, .. } = self.entries[at as usize];
        self.entries[previous as usize].next = next;
        if next != END {
            self.entries[next as usize].previous = previous;
        }
    }

    fn relink(&mut self, at: u32) {
        let Entry { previous, next, .. } = self.entries[at as usize];
        self.entries[previous as usize].next = at;
        if next != END {
            self.entries[next as usize].previous = at;
        }
    }
}

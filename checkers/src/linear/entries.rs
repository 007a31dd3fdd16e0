//! The events of the certain operations as a linked list, from which linearized ones are lifted.

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
    returns: u32,
}

/// The list, by real time. Entry 0 is the head.
pub(super) struct Entries {
    entries: Vec<Entry>,
    places: Vec<Place>,
}

impl Entries {
    /// Lays the events out; at equal instants calls go first, so that the operations overlap.
    pub(super) fn new(partition: &Partition<'_>) -> Self {
        let mut moments: Vec<(u64, bool, u32)> = Vec::with_capacity(partition.members.len() * 2);
        for (index, member) in partition.members.iter().enumerate() {
            if let (true, Some(complete_ts)) = (member.certain, member.op.complete_ts) {
                moments.push((member.op.invoke_ts, false, index as u32));
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
        let mut entries = Vec::with_capacity(moments.len() + 1);
        entries.push(head);
        let mut places = vec![
            Place {
                call: END,
                returns: END
            };
            partition.members.len()
        ];
        let mut tail = 0;
        for (_, is_return, member) in moments {
            let at = entries.len() as u32;
            entries.push(Entry {
                member,
                is_return,
                previous: tail,
                next: END,
            });
            entries[tail as usize].next = at;
            tail = at;
            let place = &mut places[member as usize];
            *(if is_return {
                &mut place.returns
            } else {
                &mut place.call
            }) = at;
        }
        Self { entries, places }
    }

    /// The first entry.
    pub(super) fn first(&self) -> Option<u32> {
        self.following(0)
    }

    /// The entry after `at`.
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
        self.unlink(place.returns);
    }

    /// Puts the events of the member that was lifted last back.
    pub(super) fn unlift(&mut self, member: u32) {
        let place = self.places[member as usize];
        self.relink(place.returns);
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

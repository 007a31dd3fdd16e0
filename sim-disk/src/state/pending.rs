//! The pending operations of a volume in the order of the calls: places in a slab, with a list
//! through them, so that one comes and goes in a few instructions, however many there are.

use std::iter::successors;
use std::ops::Index;

use super::inode::InodeId;
use super::op::{Change, Op};
use super::pages::Payload;

/// An operation: where it is in the order of the volume, and where it is kept.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct OpId {
    number: u64,
    place: u32,
}

/// A write that was pending.
pub(crate) struct Written {
    pub(crate) inode: InodeId,
    pub(crate) offset: u64,
    pub(crate) bytes: Payload,
    pub(crate) time_ns: u64,
}

/// No place.
const NONE: u32 = u32::MAX;

#[derive(Clone, Debug)]
struct Node {
    id: OpId,
    op: Op,
    before: u32,
    after: u32,
}

/// Operations by id, and in order.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    places: Vec<Option<Node>>,
    free: Vec<u32>,
    first: u32,
    last: u32,
    count: usize,
    next: u64,
}

impl Default for Pending {
    fn default() -> Pending {
        Pending {
            places: Vec::new(),
            free: Vec::new(),
            first: NONE,
            last: NONE,
            count: 0,
            next: 0,
        }
    }
}

impl Pending {
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(crate) fn get(&self, id: &OpId) -> Option<&Op> {
        let node = self.places.get(id.place as usize)?.as_ref()?;
        (node.id == *id).then_some(&node.op)
    }

    /// What the next operation will be called.
    pub(crate) fn next_id(&self) -> OpId {
        let place = match self.free.last() {
            Some(&place) => place,
            None => u32::try_from(self.places.len()).expect("fewer than 2^32 operations wait"),
        };
        OpId {
            number: self.next,
            place,
        }
    }

    /// Puts an operation behind all others.
    pub(crate) fn push(&mut self, op: Op) -> OpId {
        let id = self.next_id();
        let node = Node {
            id,
            op,
            before: self.last,
            after: NONE,
        };
        match self.free.pop() {
            Some(place) => self.places[place as usize] = Some(node),
            None => self.places.push(Some(node)),
        }
        *self.after(self.last) = id.place;
        self.last = id.place;
        self.count += 1;
        self.next += 1;
        id
    }

    pub(crate) fn remove(&mut self, id: &OpId) -> Option<Op> {
        let place = self.places.get_mut(id.place as usize)?;
        let node = place.take_if(|node| node.id == *id)?;
        self.unlink(id.place, (node.before, node.after));
        Some(node.op)
    }

    /// As [`remove`](Self::remove), of a write alone, whose parts need not be moved together.
    pub(crate) fn remove_write(&mut self, id: &OpId) -> Option<Written> {
        let place = self.places.get_mut(id.place as usize)?;
        let node = place.as_mut().filter(|node| node.id == *id)?;
        let Change::Write {
            inode,
            offset,
            bytes,
        } = &mut node.op.change
        else {
            return None;
        };
        let written = Written {
            inode: *inode,
            offset: *offset,
            bytes: std::mem::replace(bytes, Payload::Hole),
            time_ns: node.op.time_ns,
        };
        let around = (node.before, node.after);
        *place = None;
        self.unlink(id.place, around);
        Some(written)
    }

    fn unlink(&mut self, place: u32, (before, after): (u32, u32)) {
        *self.after(before) = after;
        match after {
            NONE => self.last = before,
            after => self.node(after).before = before,
        }
        self.free.push(place);
        self.count -= 1;
    }

    /// Where it is said what comes behind a place.
    fn after(&mut self, place: u32) -> &mut u32 {
        match place {
            NONE => &mut self.first,
            place => &mut self.node(place).after,
        }
    }

    fn node(&mut self, place: u32) -> &mut Node {
        let node = self.places[place as usize].as_mut();
        node.expect("the list leads through places that are taken")
    }

    /// All, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (OpId, &Op)> {
        let at = |place: u32| self.places.get(place as usize)?.as_ref();
        let nodes = successors(at(self.first), move |node| at(node.after));
        nodes.map(|node| (node.id, &node.op))
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = OpId> {
        self.iter().map(|(id, _)| id)
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &Op> {
        self.iter().map(|(_, op)| op)
    }
}

impl Index<&OpId> for Pending {
    type Output = Op;

    fn index(&self, id: &OpId) -> &Op {
        self.get(id).expect("the operation is pending")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::Pending;
    use crate::hash::scatter;
    use crate::state::inode::InodeId;
    use crate::state::op::{Change, Op};

    fn op(number: u64) -> Op {
        Op {
            time_ns: number,
            change: Change::Resize {
                inode: InodeId(1),
                from: 0,
                size: number,
            },
        }
    }

    #[test]
    fn it_is_a_map_in_the_order_of_the_calls() {
        let (mut pending, mut model) = (Pending::default(), BTreeMap::new());
        for step in 0..2_000 {
            let number = scatter(step);
            if number % 5 < 3 {
                let id = pending.next_id();
                assert_eq!(pending.push(op(step)), id);
                assert!(model.insert(id, step).is_none());
            } else if !model.is_empty() {
                let at = (number >> 8) as usize % model.len();
                let id = *model.keys().nth(at).expect("it is one of them");
                assert!(pending.remove_write(&id).is_none(), "it is none");
                let removed = pending.remove(&id).map(|op| op.time_ns);
                assert_eq!(removed, model.remove(&id));
                assert!(pending.get(&id).is_none() && pending.remove(&id).is_none());
            }
            assert_eq!(pending.len(), model.len());
            if step.is_multiple_of(50) {
                let told = pending.iter().map(|(id, op)| (id, op.time_ns));
                assert!(told.eq(model.iter().map(|(id, step)| (*id, *step))));
                assert!(model.keys().all(|id| pending[id].time_ns == model[id]));
            }
        }
        assert!(pending.places.len() < 1_000, "places are used again");
    }
}

//! First in, first out.
//!
//! Two elements are in the wrong order when one was enqueued before the other and is dequeued
//! after it, or never (Henzinger, Sezgin, Vafeiadis: *Aspect-oriented linearizability proofs*,
//! 2013); a dequeue that found nothing needs an instant at which no element is there for certain.
//! Otherwise an order is built: the next element is one whose enqueue may precede those of all
//! that are left, and whose dequeue may too.

use super::items::{Discipline, Item, Items, Soonest};
use super::{NEVER, Verdict};

pub(super) struct Queue;

/// An element, or an instant at which the queue is empty, in half ranks.
#[derive(Clone, Copy)]
struct Node {
    put: (u32, u32),
    take: (u32, u32),
}

impl Discipline for Queue {
    fn judge(&self, items: &Items<'_>) -> Verdict {
        if let Some(members) = swapped(&items.items) {
            return Verdict::Illegal(members);
        }
        let points = match items.empty_points() {
            Ok(points) => points,
            Err(verdict) => return verdict,
        };
        // Ranks are below 2^30.
        let half = |rank: u32| if rank == NEVER { NEVER } else { rank * 2 };
        let mut nodes: Vec<Node> = Vec::with_capacity(items.items.len() + points.len());
        nodes.extend(items.items.iter().map(|item| Node {
            put: (half(item.put_call), half(put_by(item))),
            take: (half(take_from(item)), half(item.take_ret)),
        }));
        nodes.extend(points.iter().map(|point| {
            let point = *point as u32;
            Node {
                put: (point, point),
                take: (point, point),
            }
        }));
        let Some(sequence) = sequence(&nodes) else {
            return Verdict::Unsure;
        };
        let due = due(items, &nodes, &sequence);
        drop(nodes);
        Verdict::Legal(interleave(items, due, &sequence))
    }

    fn deadlines(&self, items: &Items<'_>) -> Vec<(u32, usize)> {
        let taken = items.items.iter().filter(|item| !item.stays());
        let later = Soonest::of(taken.map(|item| (item.put_call, item.take_ret)));
        let empty = items.empty_deadlines();
        let by = |item: &Item<'_>| {
            let by = later.after(item.put_ret).into_iter();
            by.chain(empty.after(item.put_ret)).min()
        };
        let staying = items.staying();
        staying
            .filter_map(|(place, item)| Some((by(item)?, place)))
            .collect()
    }
}

/// The rank by which an element is there: at the latest when it is gone.
fn put_by(item: &Item<'_>) -> u32 {
    item.put_ret.min(item.take_ret)
}

/// The rank from which it can go: at the earliest when it can have come.
fn take_from(item: &Item<'_>) -> u32 {
    item.take_call.max(item.put_call)
}

/// The members of two elements that are in the wrong order, if there are any.
fn swapped(items: &[Item<'_>]) -> Option<Vec<u32>> {
    let mut by_call: Vec<u32> = (0..items.len() as u32).collect();
    by_call.sort_unstable_by_key(|place| items[*place as usize].put_call);
    let mut by_ret: Vec<u32> = (0..items.len() as u32).collect();
    by_ret.sort_unstable_by_key(|place| put_by(&items[*place as usize]));
    // Of what was enqueued before, what is dequeued last.
    let mut last: Option<&Item<'_>> = None;
    let mut before = by_ret
        .iter()
        .map(|place| &items[*place as usize])
        .peekable();
    for place in by_call {
        let item = &items[place as usize];
        while let Some(other) = before.next_if(|other| put_by(other) < item.put_call) {
            if last.is_none_or(|last| take_from(last) < take_from(other)) {
                last = Some(other);
            }
        }
        if let Some(other) = last.filter(|other| take_from(other) > item.take_ret) {
            let mut members = vec![other.put, item.put, item.take];
            members.extend((!other.stays()).then_some(other.take));
            return Some(members);
        }
    }
    None
}

/// The nodes in an order that contradicts no return before a call.
fn sequence(nodes: &[Node]) -> Option<Vec<u32>> {
    let sorted = |key: fn(&Node) -> u32| {
        let mut places: Vec<u32> = (0..nodes.len() as u32).collect();
        places.sort_by_key(|place| key(&nodes[*place as usize]));
        places
    };
    let calls = [sorted(|node| node.put.0), sorted(|node| node.take.0)];
    let rets = [sorted(|node| node.put.1), sorted(|node| node.take.1)];
    let (mut called, mut returned) = ([0, 0], [0, 0]);
    let mut met = vec![0_u8; nodes.len()];
    let mut gone = vec![false; nodes.len()];
    let (mut ready, mut order) = (Vec::new(), Vec::with_capacity(nodes.len()));
    while order.len() < nodes.len() {
        for side in 0..2 {
            while gone[rets[side][returned[side]] as usize] {
                returned[side] += 1;
            }
            let of = |node: &Node| if side == 0 { node.put } else { node.take };
            let horizon = of(&nodes[rets[side][returned[side]] as usize]).1;
            while let Some(place) = calls[side].get(called[side]) {
                if of(&nodes[*place as usize]).0 > horizon {
                    break;
                }
                called[side] += 1;
                met[*place as usize] += 1;
                if met[*place as usize] == 2 {
                    ready.push(*place);
                }
            }
        }
        let place = ready.pop()?;
        gone[place as usize] = true;
        order.push(place);
    }
    Some(order)
}

/// By what, in half ranks, enqueues (0), dequeues (1) and empty takes (2) fall due, with their
/// places in the sequence.
fn due(items: &Items<'_>, nodes: &[Node], sequence: &[u32]) -> Vec<(u32, u8, u32)> {
    let count = items.items.len();
    let mut due: Vec<(u32, u8, u32)> = Vec::with_capacity(count * 2 + items.empties.len());
    for (at, place) in sequence.iter().enumerate() {
        let (at, node) = (at as u32, nodes[*place as usize]);
        if *place as usize >= count {
            due.push((node.put.0, 2, at));
            continue;
        }
        due.push((node.put.1, 0, at));
        if !items.items[*place as usize].stays() {
            due.push((node.take.1, 1, at));
        }
    }
    due.sort_unstable();
    due
}

/// The members, each as late as its return and what it has to precede allow.
fn interleave(items: &Items<'_>, due: Vec<(u32, u8, u32)>, sequence: &[u32]) -> Vec<u32> {
    let count = items.items.len();
    let mut order = Vec::with_capacity(due.len());
    let (mut puts, mut takes) = (0, 0);
    for (_, what, at) in due {
        let at = at as usize;
        let element = |place: usize| items.items.get(sequence[place] as usize);
        // A put is due when its turn comes; a take, after all puts up to it.
        let until = at + usize::from(what != 2);
        while puts < until {
            order.extend(element(puts).map(|item| item.put));
            puts += 1;
        }
        if what == 0 {
            continue;
        }
        while takes < until {
            match element(takes) {
                Some(item) if !item.stays() => order.push(item.take),
                Some(_) => {}
                None => {
                    let empty = sequence[takes] as usize - count;
                    order.push(items.empties[empty].0);
                }
            }
            takes += 1;
        }
        if what == 2 && takes == at {
            order.push(items.empties[sequence[at] as usize - count].0);
            (puts, takes) = (puts.max(at + 1), at + 1);
        }
    }
    order
}

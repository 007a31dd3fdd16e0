//! Last in, first out.
//!
//! An element whose push and pop overlap can come and go at once, whatever else is there. Of the
//! others each is there from the return of its push to the call of its pop at least. Where these
//! times leave a gap, what lies before it and what lies after it are judged apart. Where they
//! leave none the stack is never empty in between, so that one element lies at the bottom all the
//! time: its push may precede everything and its pop follow everything. Any that qualifies will
//! do, since the others are legal if the whole is; without it, the rest is judged the same way.

use super::items::{Discipline, Item, Items, Over};
use super::{NEVER, Verdict};

mod tree;

use tree::Cover;
pub(super) use tree::Extremes;

pub(super) struct Stack;

impl Discipline for Stack {
    fn judge(&self, items: &Items<'_>) -> Verdict {
        let points = match items.empty_points() {
            Ok(points) => points,
            Err(verdict) => return verdict,
        };
        let mut seen: Vec<&Item<'_>> = items.items.iter().filter(|item| item.is_seen()).collect();
        seen.sort_unstable_by_key(|item| item.put_ret);
        let nested = match nest(&seen, items, &points) {
            Ok(nested) => nested,
            Err(members) => return Verdict::Illegal(members),
        };
        Verdict::Legal(with_brief(items, nested))
    }

    fn deadlines(&self, items: &Items<'_>) -> Vec<(u32, usize)> {
        // What lies over something that was pushed before and is popped after it came.
        let below = items.items.iter().filter(|item| !item.stays());
        let below = below.map(|item| (item.put_ret, item.take_call, item.take_ret));
        let over = items.staying().map(|(place, item)| Over {
            from: item.put_call,
            above: item.put_ret,
            place,
        });
        items.deadlines_over(below.collect(), over.collect())
    }
}

/// What is still to be done: a range of the elements by the return of their push, outermost or
/// not, or an element that closes.
enum Task {
    Range(u32, u32, bool),
    Close(u32),
}

/// A member with its call.
type Placed = (u32, u32);

/// What the nesting looks things up in, by element in the order of the returns of pushes.
struct Search<'a, 'b> {
    seen: &'b [&'b Item<'a>],
    cover: Cover,
    /// The call of the push: what may be at the bottom was called before any push returned.
    first: Extremes,
    /// The return of the pop, backwards: it returns after any pop was called.
    last: Extremes,
    /// Zero for what was found by both.
    ready: Extremes,
    /// The call of the pop, backwards, of what is left.
    left: Extremes,
    marks: Vec<u8>,
}

const MOST: u64 = NEVER as u64;

impl<'a, 'b> Search<'a, 'b> {
    fn new(seen: &'b [&'b Item<'a>], last_rank: u32) -> Self {
        // A pop that never returns may as well not happen.
        let backwards = |item: &&Item<'_>| MOST - u64::from(item.take_ret);
        Self {
            seen,
            cover: Cover::new(seen, last_rank),
            first: Extremes::new(seen.iter().map(|item| u64::from(item.put_call))),
            last: Extremes::new(seen.iter().map(backwards)),
            ready: Extremes::new(seen.iter().map(|_| u64::MAX)),
            left: Extremes::new(seen.iter().map(|item| MOST - u64::from(item.take_call))),
            marks: vec![0; seen.len()],
        }
    }

    /// Takes the bottom of a component out; without one, the rank to which it stretches.
    fn bottom(&mut self, from: u32, to: u32) -> Result<u32, u32> {
        let start = u64::from(self.seen[from as usize].put_ret);
        let stop = self.left.minimum(from, to);
        for (extremes, bound) in [(&mut self.first, start), (&mut self.last, stop.max(1))] {
            while let Some(place) = extremes.first_below(from, to, bound) {
                extremes.set(place, u64::MAX);
                self.marks[place as usize] += 1;
                if self.marks[place as usize] == 2 {
                    self.ready.set(place, 0);
                }
            }
        }
        let Some(bottom) = self.ready.first_below(from, to, 1) else {
            return Err((MOST - stop) as u32);
        };
        self.ready.set(bottom, u64::MAX);
        self.left.set(bottom, u64::MAX);
        self.cover.remove(self.seen[bottom as usize]);
        Ok(bottom)
    }
}

/// An order of the elements that are seen, and of the takes that found nothing.
fn nest(seen: &[&Item<'_>], items: &Items<'_>, points: &[u64]) -> Result<Vec<Placed>, Vec<u32>> {
    let empties = points.iter().zip(&items.empties);
    let mut empties: Vec<(u64, Placed)> = empties
        .map(|(point, (take, call, _))| (*point, (*take, *call)))
        .collect();
    empties.sort_unstable();
    let mut empties = empties.into_iter().peekable();
    let mut search = Search::new(seen, items.last);
    let mut order = Vec::with_capacity(seen.len() * 2 + items.empties.len());
    let mut tasks = vec![Task::Range(0, seen.len() as u32, true)];
    while let Some(task) = tasks.pop() {
        let (from, to, outermost) = match task {
            Task::Close(place) => {
                let item = seen[place as usize];
                order.extend((!item.stays()).then_some((item.take, item.take_call)));
                continue;
            }
            Task::Range(from, to, outermost) => (from, to, outermost),
        };
        // The component that begins with the first push that returned.
        let Some(begin) = search.left.first_below(from, to, u64::MAX) else {
            continue;
        };
        let start = seen[begin as usize].put_ret;
        let end = search.cover.free_from(start);
        let after = seen.partition_point(|item| item.put_ret < end) as u32;
        let after = after.min(to);
        let before = |(point, _): &(u64, Placed)| outermost && *point < u64::from(start) * 2;
        while let Some((_, empty)) = empties.next_if(before) {
            order.push(empty);
        }
        let bottom = match search.bottom(begin, after) {
            Ok(bottom) => bottom,
            Err(stop) => {
                // These leave no gap, and none of them can be at the bottom.
                let rest: Vec<Item<'_>> = (begin..after)
                    .filter(|place| search.left.get(*place) != u64::MAX)
                    .map(|place| *seen[place as usize])
                    .collect();
                return Err(witness(rest, start, stop, items.last));
            }
        };
        let item = seen[bottom as usize];
        order.push((item.put, item.put_call));
        tasks.push(Task::Range(after, to, outermost));
        tasks.push(Task::Close(bottom));
        tasks.push(Task::Range(begin, after, false));
    }
    order.extend(empties.map(|(_, empty)| empty));
    Ok(order)
}

/// Few elements of a component without a bottom that have none either.
fn witness(rest: Vec<Item<'_>>, start: u32, stop: u32, last: u32) -> Vec<u32> {
    let ends = rest.iter().find(|item| item.take_call == stop).copied();
    let component = Items {
        items: rest,
        empties: Vec::new(),
        last,
    };
    let mut members = component.cover(start, stop.min(last));
    members.extend(ends.map(|item| item.put));
    members.extend(ends.filter(|item| !item.stays()).map(|item| item.take));
    members.sort_unstable();
    members.dedup();
    members
}

/// Adds the elements that come and go at once.
fn with_brief(items: &Items<'_>, nested: Vec<Placed>) -> Vec<u32> {
    let mut order: Vec<(u32, u32)> =
        Vec::with_capacity(items.items.len() * 2 + items.empties.len());
    let mut time = 0;
    for (member, call) in nested {
        time = time.max(call);
        order.push((time, member));
    }
    for item in items.items.iter().filter(|item| !item.is_seen()) {
        let time = item.put_call.max(item.take_call);
        order.extend([(time, item.put), (time, item.take)]);
    }
    order.sort_by_key(|(time, _)| *time);
    order.into_iter().map(|(_, member)| member).collect()
}

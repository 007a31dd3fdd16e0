//! Smallest first.
//!
//! The smallest element is there at least from the return of its insertion to the call of its
//! removal, and nothing keeps it longer. While it is there, nothing else can be removed; what is
//! second is there at least until the first instant at which its removal is called and the
//! smallest is not there; and so on. Inserting as late and removing as early as possible is best
//! for all that follow.

use super::items::{Discipline, Item, Items, Over};
use super::{NEVER, Verdict};

pub(super) struct Priority;

/// Gaps between ranks, of which some are taken.
struct Gaps {
    /// By gap, one that is not before the first free gap from it on.
    next: Vec<u32>,
}

impl Gaps {
    fn free_from(&mut self, gap: u32) -> u32 {
        let mut root = gap;
        while self.next[root as usize] != root {
            root = self.next[root as usize];
        }
        let mut at = gap;
        while at != root {
            at = std::mem::replace(&mut self.next[at as usize], root);
        }
        root
    }

    fn take(&mut self, from: u32, to: u32) {
        let mut gap = self.free_from(from);
        while gap < to {
            self.next[gap as usize] = gap + 1;
            gap = self.free_from(gap);
        }
    }
}

/// What is there between two ranks, and what kept that from being gone before.
fn in_the_way(items: &[&Item<'_>], from: u32, to: u32) -> Vec<u32> {
    let mut from = from;
    loop {
        let near = items
            .iter()
            .filter(|item| item.put_ret < to && item.take_ret > from);
        let first = near.clone().map(|item| item.take_call).min();
        if first.is_none_or(|first| first >= from) {
            let members = near.flat_map(|item| [item.put, item.take]);
            return members.filter(|member| *member != NEVER).collect();
        }
        from = first.unwrap_or(from);
    }
}

impl Discipline for Priority {
    fn judge(&self, items: &Items<'_>) -> Verdict {
        let end = items.last + 1;
        let mut gaps = Gaps {
            next: (0..=end).collect(),
        };
        let mut sorted: Vec<u32> = (0..items.items.len() as u32).collect();
        sorted.sort_by_key(|place| items.items[*place as usize].value);
        // In a gap: removals of what came before, what comes and goes, insertions.
        let mut order: Vec<(u32, u8, u32)> = Vec::with_capacity(sorted.len() * 2);
        for (rank, place) in sorted.iter().enumerate() {
            let item = &items.items[*place as usize];
            let gap = match item.stays() {
                true => end,
                false => gaps.free_from(item.take_call.max(item.put_call)),
            };
            if gap >= end && item.take_ret == NEVER {
                gaps.take(item.put_ret, end);
                order.push((item.put_ret - 1, 4, item.put));
                continue;
            }
            if gap >= item.take_ret {
                let better = sorted[..rank].iter();
                let better: Vec<&Item<'_>> =
                    better.map(|place| &items.items[*place as usize]).collect();
                let from = item.take_call.max(item.put_call);
                let mut members = in_the_way(&better, from, item.take_ret);
                members.extend([item.put, item.take]);
                return Verdict::Illegal(members);
            }
            if gap < item.put_ret {
                order.extend([(gap, 2, item.put), (gap, 2, item.take)]);
            } else {
                gaps.take(item.put_ret, gap);
                order.extend([(item.put_ret - 1, 4, item.put), (gap, 0, item.take)]);
            }
        }
        for (take, call, ret) in &items.empties {
            let gap = gaps.free_from(*call);
            if gap >= *ret {
                let all: Vec<&Item<'_>> = items.items.iter().collect();
                let mut members = in_the_way(&all, *call, *ret);
                members.push(*take);
                return Verdict::Illegal(members);
            }
            order.push((gap, 1, *take));
        }
        // Stable: what is removed in one gap goes in the order of its priority.
        order.sort_by_key(|(gap, what, _)| (*gap, *what));
        Verdict::Legal(order.into_iter().map(|(_, _, member)| member).collect())
    }

    fn deadlines(&self, items: &Items<'_>) -> Vec<(u32, usize)> {
        // What is removed while something better is there.
        let mut sorted: Vec<u32> = (0..items.items.len() as u32).collect();
        sorted.sort_by_key(|place| std::cmp::Reverse(items.items[*place as usize].value));
        let (mut worse, mut better) = (Vec::new(), Vec::new());
        for (rank, place) in (0..).zip(sorted) {
            let item = &items.items[place as usize];
            match item.stays() {
                true => better.push(Over {
                    from: rank,
                    above: item.put_ret,
                    place: place as usize,
                }),
                false => worse.push((rank, item.take_call, item.take_ret)),
            }
        }
        items.deadlines_over(worse, better)
    }
}

//! Collections whose elements are put once and taken at most once.

use rustc_hash::FxHashMap;

use super::stack::Extremes;
use super::{NEVER, Spans, Verdict};
use crate::linear::partition::Partition;
use crate::models;
use crate::value::Value;

mod takers;

/// An element, by the calls and returns of what put it and what took it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item<'a> {
    pub(super) value: &'a Value,
    pub(super) put: u32,
    /// `NEVER` when it stays.
    pub(super) take: u32,
    pub(super) put_call: u32,
    pub(super) put_ret: u32,
    /// `NEVER` when it stays.
    pub(super) take_call: u32,
    pub(super) take_ret: u32,
}

impl Item<'_> {
    /// Whether it is there at some time for certain; otherwise it can be put and taken at once.
    pub(super) fn is_seen(&self) -> bool {
        self.put_ret < self.take_call
    }

    pub(super) fn stays(&self) -> bool {
        self.take == NEVER
    }
}

/// What a collection's monitor gets.
pub(super) struct Items<'a> {
    pub(super) items: Vec<Item<'a>>,
    /// Takes that found nothing: member, call, return.
    pub(super) empties: Vec<(u32, u32, u32)>,
    /// The highest rank.
    pub(super) last: u32,
}

/// The rule by which a collection gives its elements out.
pub(super) trait Discipline {
    /// Decides; every item was put before it was taken. A take that never returns may as well not
    /// happen: its item does all that one can do which stays.
    fn judge(&self, items: &Items<'_>) -> Verdict;

    /// By which rank items that stay have to be gone, where something proves that they are. What
    /// it misses costs time alone.
    fn deadlines(&self, items: &Items<'_>) -> Vec<(u32, usize)>;
}

/// Judges, with the takes whose outcome is not known as takers of what must have gone.
pub(super) fn judge(partition: &Partition<'_>, discipline: &impl Discipline) -> Verdict {
    // What is not needed any more is let go: there may be millions.
    let gathered = {
        let spans = Spans::new(partition);
        gather(partition, &spans)
    };
    match gathered {
        Ok((mut items, unknown)) => takers::judge(&mut items, unknown, discipline),
        Err(verdict) => verdict,
    }
}

type Gathered<'a> = (Items<'a>, Vec<(u32, u32)>);

/// Pairs puts and takes. Takes of unknown outcome come apart, with their calls.
fn gather<'a>(partition: &Partition<'a>, spans: &Spans) -> Result<Gathered<'a>, Verdict> {
    let members = &partition.members;
    let mut places: FxHashMap<&'a Value, u32> = FxHashMap::default();
    let puts = members
        .iter()
        .filter(|member| !models::is_taking(member.op));
    let mut items: Vec<Item<'a>> = Vec::with_capacity(puts.count());
    for (index, member) in members.iter().enumerate() {
        if models::is_taking(member.op) {
            continue;
        }
        let value = &member.op.input;
        // A null that is taken looks like nothing at all.
        let again = places.insert(value, items.len() as u32).is_some();
        if again || *value == Value::Null {
            return Err(Verdict::Unsure);
        }
        items.push(Item {
            value,
            put: index as u32,
            take: NEVER,
            put_call: spans.call[index],
            put_ret: spans.ret[index],
            take_call: NEVER,
            take_ret: NEVER,
        });
    }
    let (mut empties, mut unknown) = (Vec::new(), Vec::new());
    for (index, member) in members.iter().enumerate() {
        if !models::is_taking(member.op) {
            continue;
        }
        let (take, call) = (index as u32, spans.call[index]);
        if !member.certain {
            unknown.push((call, take));
            continue;
        }
        let value = member.op.observed();
        if *value == Value::Null {
            empties.push((take, call, spans.ret[index]));
            continue;
        }
        let Some(place) = places.get(value) else {
            return Err(Verdict::Illegal(vec![take]));
        };
        let item = &mut items[*place as usize];
        if !item.stays() {
            return Err(Verdict::Illegal(vec![item.put, item.take, take]));
        }
        (item.take, item.take_call, item.take_ret) = (take, call, spans.ret[index]);
        if item.take_ret < item.put_call {
            return Err(Verdict::Illegal(vec![item.put, take]));
        }
    }
    drop(places);
    // What may never have been put, and was not taken, was not.
    items.retain(|item| !(item.stays() && item.put_ret == NEVER));
    let last = spans.last;
    let items = Items {
        items,
        empties,
        last,
    };
    Ok((items, unknown))
}

impl Items<'_> {
    /// By rank, the first gap from there on during which no item is there for certain. A gap is
    /// named by the rank before it.
    pub(super) fn free_gaps(&self) -> Vec<u32> {
        let mut change = vec![0_i32; self.last as usize + 2];
        for item in self.items.iter().filter(|item| item.is_seen()) {
            change[item.put_ret as usize] += 1;
            change[item.take_call.min(self.last + 1) as usize] -= 1;
        }
        let mut there = 0;
        for rank in &mut change {
            there += *rank;
            *rank = there;
        }
        let mut next = NEVER;
        let mut free = vec![NEVER; self.last as usize + 2];
        for rank in (0..free.len()).rev() {
            if change[rank] == 0 {
                next = rank as u32;
            }
            free[rank] = next;
        }
        free
    }

    /// For each take that found nothing a gap in which there is nothing, as half ranks.
    pub(super) fn empty_points(&self) -> Result<Vec<u64>, Verdict> {
        if self.empties.is_empty() {
            return Ok(Vec::new());
        }
        let free = self.free_gaps();
        let mut points = Vec::with_capacity(self.empties.len());
        for (take, call, ret) in &self.empties {
            let gap = free[*call as usize];
            if gap >= *ret {
                let mut members = self.cover(*call, *ret);
                members.push(*take);
                return Err(Verdict::Illegal(members));
            }
            points.push(u64::from(gap) * 2 + 1);
        }
        Ok(points)
    }

    /// Few items that are there, one after another, from one rank to another: their members.
    pub(super) fn cover(&self, from: u32, to: u32) -> Vec<u32> {
        let mut seen: Vec<&Item<'_>> = self.items.iter().filter(|item| item.is_seen()).collect();
        seen.sort_unstable_by_key(|item| item.put_ret);
        let (mut members, mut at, mut place) = (Vec::new(), from, 0);
        let mut best: Option<&Item<'_>> = None;
        while at < to {
            while let Some(item) = seen.get(place).filter(|item| item.put_ret <= at) {
                if best.is_none_or(|best| best.take_call < item.take_call) {
                    best = Some(item);
                }
                place += 1;
            }
            let Some(item) = best.filter(|item| item.take_call > at) else {
                break;
            };
            members.push(item.put);
            if !item.stays() {
                members.push(item.take);
            }
            at = item.take_call;
        }
        members
    }

    /// What was put in and is never taken out, by place.
    pub(super) fn staying(&self) -> impl Iterator<Item = (usize, &Item<'_>)> {
        let each = self.items.iter().enumerate();
        each.filter(|(_, item)| item.stays())
    }

    /// By when what stays has to be gone for a take that found nothing.
    pub(super) fn empty_deadlines(&self) -> Soonest {
        Soonest::of(self.empties.iter().map(|(_, call, ret)| (*call, *ret)))
    }

    /// By when what stays has to be gone for takes that found nothing, or of what it is in the way
    /// of: given as where it begins, its call and its return.
    pub(super) fn deadlines_over(
        &self,
        mut under: Vec<(u32, u32, u32)>,
        mut over: Vec<Over>,
    ) -> Vec<(u32, usize)> {
        under.sort_unstable();
        over.sort_unstable_by_key(|over| over.from);
        let ranks = self.last as usize + 1;
        let mut rets = Extremes::new((0..ranks).map(|_| u64::MAX));
        let mut under = under.into_iter().peekable();
        let empty = self.empty_deadlines();
        let mut deadlines = Vec::new();
        for over in over {
            while let Some((_, call, ret)) = under.next_if(|under| under.0 < over.from) {
                rets.set(call, u64::from(ret).min(rets.get(call)));
            }
            let ret = rets.minimum(over.above + 1, ranks as u32);
            let ret = u32::try_from(ret).ok().filter(|ret| *ret != NEVER);
            let empty = empty.after(self.items[over.place].put_ret);
            let by = ret.into_iter().chain(empty).min();
            deadlines.extend(by.map(|by| (by, over.place)));
        }
        deadlines
    }
}

/// An item that stays, and what it may be in the way of: what begins before `from` and is called
/// after `above`.
pub(super) struct Over {
    pub(super) from: u32,
    pub(super) above: u32,
    pub(super) place: usize,
}

/// Spans by their begins, each with the least end from there on.
pub(super) struct Soonest(Vec<(u32, u32)>);

impl Soonest {
    pub(super) fn of(spans: impl Iterator<Item = (u32, u32)>) -> Self {
        let mut spans: Vec<(u32, u32)> = spans.collect();
        spans.sort_unstable();
        let mut least = NEVER;
        for (_, end) in spans.iter_mut().rev() {
            least = least.min(*end);
            *end = least;
        }
        Self(spans)
    }

    /// The least end of what begins after a rank.
    pub(super) fn after(&self, rank: u32) -> Option<u32> {
        let next = self.0.partition_point(|(begin, _)| *begin <= rank);
        self.0.get(next).map(|(_, end)| *end)
    }
}

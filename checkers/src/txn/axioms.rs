//! Whether an order of transactions shows a level, by the level's definition: the check of a
//! certificate. It shares nothing with the search but the reading of transactions: who wrote and
//! read what is worked out from the rows again, and each axiom is looked up edge by edge.
//!
//! Every object's versions come in the order of the transactions that wrote them. So every
//! dependency goes forward, and who leads to whom is found by walking backwards no further than
//! where the one that is looked for stands.

use std::collections::{BTreeMap, BTreeSet};

mod registers;
mod written;

use super::analysis::Workload;
use super::hidden::Place;
use super::levels::{Base, Level, Order};
use super::transactions::{Access, Status, Transactions};
use crate::value::Value;

/// By place, the transaction whose version was read where that is not told, none for the initial
/// version.
pub(super) type Selected = BTreeMap<Place, Option<u32>>;

/// A read of what another transaction wrote, or of what there was in the beginning.
struct Read {
    step: usize,
    key: u32,
    /// Where the version stands that it depends on among those of its object; zero for the
    /// initial one.
    version: usize,
    /// Where those begin that it misses.
    later: usize,
    /// Whether it is by a predicate, of an object that it does not show.
    predicate: bool,
}

/// A transaction at its place in the order.
struct Member {
    txn: u32,
    reads: Vec<Read>,
    /// By object, the places of its first and its last write among its steps.
    writes: BTreeMap<u32, (usize, usize)>,
    /// Who leads to it by reads, by writes; and, by sessions and real time, the last who do.
    read_from: BTreeSet<usize>,
    wrote_after: BTreeSet<usize>,
    after: Vec<usize>,
}

/// What an order comes to.
struct Model<'h> {
    all: &'h Transactions<'h>,
    /// Whether objects are lists.
    lists: bool,
    /// What every object begins with.
    initial: &'h Value,
    selected: &'h Selected,
    /// What else orders members.
    order: Order,
    members: Vec<Member>,
    /// By object, who wrote each version, from the first that was written on.
    writers: BTreeMap<u32, Vec<usize>>,
}

/// Checks that a history satisfies a level, with transactions in an order, each object beginning
/// with `initial`.
///
/// # Errors
/// What contradicts it.
pub(super) fn check<'h>(
    all: &'h Transactions<'h>,
    (workload, initial): (Workload, &'h Value),
    level: Level,
    (order, selected): (&[u32], &'h Selected),
) -> Result<(), String> {
    let mut model = Model {
        all,
        lists: workload == Workload::ListAppend,
        initial,
        selected,
        order: level.order,
        members: Vec::new(),
        writers: BTreeMap::new(),
    };
    model.fill(order)?;
    match (level.base, model.lists) {
        (Base::ReadUncommitted, _) => model.written()?,
        (_, true) => model.read_lists()?,
        (_, false) => model.read_registers()?,
    }
    model.link();
    model.forward(level)?;
    model.axiom(level)
}

impl<'h> Model<'h> {
    /// Every transaction that was acknowledged is there once, none that aborted.
    fn fill(&mut self, order: &[u32]) -> Result<(), String> {
        let mut there = vec![false; self.all.txns.len()];
        for (place, txn) in order.iter().enumerate() {
            let id = self.all.op(*txn).op_id;
            if std::mem::replace(&mut there[*txn as usize], true) {
                return Err(format!("#{id} is there twice"));
            }
            let mut writes: BTreeMap<u32, (usize, usize)> = BTreeMap::new();
            for (at, step) in self.all.steps(*txn).iter().enumerate() {
                match step.access {
                    Access::Append | Access::Write | Access::Delete => {
                        writes.entry(step.key).or_insert((at, at)).1 = at;
                    }
                    Access::Read | Access::Predicate => {}
                }
            }
            for key in writes.keys() {
                self.writers.entry(*key).or_default().push(place);
            }
            self.members.push(Member {
                txn: *txn,
                reads: Vec::new(),
                writes,
                read_from: BTreeSet::new(),
                wrote_after: BTreeSet::new(),
                after: Vec::new(),
            });
        }
        for txn in 0..self.all.len() {
            if self.all.status(txn) == Status::Committed && !there[txn as usize] {
                return Err(format!("#{} is missing", self.all.op(txn).op_id));
            }
        }
        Ok(())
    }

    /// Finds which version every read of a list saw.
    fn read_lists(&mut self) -> Result<(), String> {
        let begin = super::append::elements(self.initial).unwrap_or(&[]);
        // By object, what is in it after each version.
        let mut states: BTreeMap<u32, Vec<Value>> = BTreeMap::new();
        let mut ends: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for member in &self.members {
            for key in member.writes.keys() {
                let elements = states.entry(*key).or_insert_with(|| begin.to_vec());
                let steps = self.all.steps(member.txn).iter();
                let own = steps.filter(|step| step.key == *key && step.access != Access::Read);
                elements.extend(own.map(|step| step.value.clone()));
                ends.entry(*key).or_default().push(elements.len());
            }
        }
        for place in 0..self.members.len() {
            let member = &self.members[place];
            if self.all.status(member.txn) != Status::Committed {
                continue;
            }
            let id = self.all.op(member.txn).op_id;
            let mut reads = Vec::new();
            let mut own: BTreeSet<(u32, &Value)> = BTreeSet::new();
            for (at, step) in self.all.steps(member.txn).iter().enumerate() {
                if step.access != Access::Read {
                    own.insert((step.key, step.value));
                    continue;
                }
                let elements = states.get(&step.key).map_or(begin, |all| all);
                let ends = ends.get(&step.key).map_or(&[][..], |ends| ends);
                let wrong = || format!("#{id} can not have read {}", step.value);
                let list = super::append::elements(step.value).ok_or_else(wrong)?;
                if !elements.starts_with(list) || list.len() < begin.len() {
                    return Err(wrong());
                }
                let version = match list.last() {
                    Some(last) if own.contains(&(step.key, last)) => continue,
                    _ if list.len() == begin.len() => 0,
                    _ => 1 + ends.binary_search(&list.len()).map_err(|_| wrong())?,
                };
                let writer = version.checked_sub(1).map(|v| self.writers[&step.key][v]);
                if writer != Some(place) {
                    reads.push(Read {
                        step: at,
                        key: step.key,
                        version,
                        later: version,
                        predicate: false,
                    });
                } else if member.writes[&step.key].0 > at {
                    return Err(format!("#{id} read what it wrote later"));
                }
            }
            self.members[place].reads = reads;
        }
        Ok(())
    }

    /// Links the members.
    fn link(&mut self) {
        for place in 0..self.members.len() {
            let reads = self.members[place].reads.iter();
            let from =
                reads.filter_map(|read| Some(self.wrote(read.key)[read.version.checked_sub(1)?]));
            self.members[place].read_from = from.collect();
        }
        for writers in self.writers.values() {
            for pair in writers.windows(2) {
                self.members[pair[1]].wrote_after.insert(pair[0]);
            }
        }
        let after = self.follow(|_| true);
        for (member, after) in self.members.iter_mut().zip(after) {
            member.after = after;
        }
    }

    /// Who wrote each version of an object.
    fn wrote(&self, key: u32) -> &[usize] {
        self.writers.get(&key).map_or(&[], |all| all)
    }

    /// By place, the last of the members that are kept and come before it by sessions and real
    /// time: all others come before one of these.
    fn follow(&self, keeps: impl Fn(usize) -> bool) -> Vec<Vec<usize>> {
        let mut after = vec![Vec::new(); self.members.len()];
        if self.order == Order::None {
            return after;
        }
        let op = |place: &usize| self.all.op(self.members[*place].txn);
        let known = |place: &usize| {
            let txn = self.members[*place].txn;
            self.all.status(txn) == Status::Committed
        };
        let mut kept: Vec<usize> = (0..self.members.len()).filter(|at| keeps(*at)).collect();
        kept.sort_unstable_by_key(|place| self.members[*place].txn);
        let mut sessions: BTreeMap<u64, usize> = BTreeMap::new();
        for place in &kept {
            let process = op(place).process_id;
            after[*place].extend(sessions.get(&process));
            if known(place) {
                sessions.insert(process, *place);
            }
        }
        if self.order != Order::Realtime {
            return after;
        }
        let ended = kept.iter().filter(|place| known(place));
        let ended = ended.filter_map(|at| Some((op(at).complete_ts?, op(at).invoke_ts, *at)));
        let mut ended: Vec<(u64, u64, usize)> = ended.collect();
        ended.sort_unstable();
        // The latest begin so far: who ended before it comes before who began then.
        let mut latest = 0;
        for (_, from_ts, _) in &mut ended {
            latest = latest.max(*from_ts);
            *from_ts = latest;
        }
        for place in &kept {
            let from_ts = op(place).invoke_ts;
            let over = &ended[..ended.partition_point(|(to_ts, ..)| *to_ts < from_ts)];
            let latest = over.last().map_or(0, |(_, latest, _)| *latest);
            let last = over.iter().rev();
            let last = last.take_while(|(to_ts, ..)| *to_ts >= latest);
            after[*place].extend(last.map(|(_, _, at)| *at));
        }
        after
    }

    /// Who wrote something later than what a member read, in order.
    fn missed(&self, place: usize, read: &Read) -> impl Iterator<Item = usize> {
        let later = self.wrote(read.key)[read.later..].iter().copied();
        later.filter(move |by| *by != place)
    }

    /// By read, those of them who come before the member.
    fn missed_before(&self, place: usize) -> impl Iterator<Item = (&Read, usize)> {
        let reads = self.members[place].reads.iter();
        reads.flat_map(move |read| {
            let before = self.missed(place, read).take_while(move |by| *by < place);
            before.map(move |by| (read, by))
        })
    }

    fn id(&self, place: usize) -> u64 {
        self.all.op(self.members[place].txn).op_id
    }

    /// What leads to a transaction comes before it.
    fn forward(&self, level: Level) -> Result<(), String> {
        let reads = level.base != Base::ReadUncommitted;
        for (place, member) in self.members.iter().enumerate() {
            let of = member.after.iter().chain(&member.wrote_after);
            let from = member.read_from.iter().filter(|_| reads);
            if let Some(late) = of.chain(from).find(|other| **other >= place) {
                let (id, late) = (self.id(place), self.id(*late));
                return Err(format!("#{late} leads to #{id}, which comes before it"));
            }
        }
        Ok(())
    }

    /// Who a member sees at once: those it read from, and those before it by sessions and time.
    fn visible(&self, place: usize) -> Vec<usize> {
        let member = &self.members[place];
        member
            .read_from
            .iter()
            .chain(&member.after)
            .copied()
            .collect()
    }

    /// Those, and who wrote right before it what it wrote, too.
    fn depends(&self, place: usize) -> Vec<usize> {
        let mut all = self.visible(place);
        all.extend(&self.members[place].wrote_after);
        all
    }

    /// Whether one member leads to another by what is given of each.
    fn leads(&self, (from, to): (usize, usize), into: impl Fn(usize) -> Vec<usize>) -> bool {
        let (mut seen, mut rest) = (BTreeSet::from([to]), vec![to]);
        while let Some(at) = rest.pop() {
            for before in into(at) {
                if before == from {
                    return true;
                }
                // Everything goes forward.
                if before > from && seen.insert(before) {
                    rest.push(before);
                }
            }
        }
        false
    }

    /// Whether one member comes before another by sessions and real time.
    fn precedes(&self, from: usize, to: usize) -> bool {
        self.leads((from, to), |place| self.members[place].after.clone())
    }

    /// Nobody misses what leads to it.
    fn sees(&self, into: impl Fn(usize) -> Vec<usize>) -> Result<(), String> {
        self.sees_all(|by, place| self.leads((by, place), &into))
    }

    /// Nobody misses what it read from or comes after, nor whatever else it sees at once.
    fn sees_at_once(&self, else_sees: impl Fn(usize, usize) -> bool) -> Result<(), String> {
        self.sees_all(|by, place| {
            let read = self.members[place].read_from.contains(&by);
            read || else_sees(by, place) || self.precedes(by, place)
        })
    }

    /// Nobody misses what is so.
    fn sees_all(&self, is_seen: impl Fn(usize, usize) -> bool) -> Result<(), String> {
        for place in 0..self.members.len() {
            let missed: BTreeSet<usize> = self.missed_before(place).map(|(_, by)| by).collect();
            if let Some(by) = missed.into_iter().find(|by| is_seen(*by, place)) {
                let (id, by) = (self.id(place), self.id(by));
                return Err(format!("#{id} missed what #{by} wrote, which led to it"));
            }
        }
        Ok(())
    }

    fn axiom(&self, level: Level) -> Result<(), String> {
        match level.base {
            Base::ReadUncommitted | Base::ReadCommitted => Ok(()),
            Base::ReadAtomic => self.agree()?.sees_at_once(|_, _| false),
            Base::UpdateAtomic => self.agree()?.sees_at_once(|by, place| {
                let theirs = &self.members[by].writes;
                let mut ours = self.members[place].writes.keys();
                ours.any(|key| theirs.contains_key(key))
            }),
            Base::Causal => self.agree()?.sees(|place| self.visible(place)),
            Base::ParallelSnapshotIsolation => self.agree()?.sees(|place| self.depends(place)),
            Base::ConsistentView | Base::ForwardConsistentView => {
                self.sees(|place| self.depends(place))
            }
            Base::CursorStability => self.cursors(),
            Base::MonotonicAtomicView => self.monotonic(false),
            Base::MonotonicView | Base::MonotonicSnapshotRead => self.monotonic(true),
            Base::RepeatableRead => {
                self.monotonic(false)?;
                self.acyclic(true, |_| true)
            }
            Base::UpdateSerializable => {
                let updates = |place: usize| !self.members[place].writes.is_empty();
                self.sees(|place| self.depends(place))?;
                self.acyclic(false, updates)?;
                let mut readers = (0..self.members.len()).filter(|place| !updates(*place));
                readers.try_for_each(|alone| self.acyclic(false, |at| at == alone || updates(at)))
            }
            Base::Prefix => self.agree()?.prefixes(),
            Base::SnapshotIsolation | Base::Serializable => {
                Err(format!("an order of transactions does not show {level}"))
            }
        }
    }

    /// Everybody can have read what the first so many had committed.
    fn prefixes(&self) -> Result<(), String> {
        for (place, member) in self.members.iter().enumerate() {
            let least = self.visible(place).into_iter().map(|by| by + 1).max();
            let first = |read| self.missed(place, read).next();
            let most = member.reads.iter().filter_map(first).min();
            if least.unwrap_or(0) > most.unwrap_or(place) {
                return Err(format!("#{} read no prefix", self.id(place)));
            }
        }
        Ok(())
    }

    /// Every transaction agrees with its own earlier steps.
    fn agree(&self) -> Result<&Self, String> {
        for member in &self.members {
            let committed = self.all.status(member.txn) == Status::Committed;
            let agrees = match self.lists {
                true => self.lists_agree(member.txn),
                false => self.registers_agree(member.txn),
            };
            if committed && !agrees {
                let id = self.all.op(member.txn).op_id;
                return Err(format!("#{id} contradicts itself"));
            }
        }
        Ok(self)
    }

    fn lists_agree(&self, txn: u32) -> bool {
        let steps = self.all.steps(txn);
        let reads = steps.iter().enumerate();
        let mut reads = reads.filter(|(_, step)| step.access == Access::Read);
        reads.all(|(at, step)| {
            let earlier = steps[..at].iter().rev();
            let mut expected = step.value.as_list().unwrap_or(&[]);
            for other in earlier.filter(|other| other.key == step.key) {
                match (other.access, expected.split_last()) {
                    (Access::Append, Some((last, rest))) if last == other.value => expected = rest,
                    (Access::Append, _) => return false,
                    _ => return other.value.as_list().unwrap_or(&[]) == expected,
                }
            }
            true
        })
    }

    /// Nobody writes an object that another wrote since it was read.
    fn cursors(&self) -> Result<(), String> {
        for (place, member) in self.members.iter().enumerate() {
            for (read, by) in self.missed_before(place) {
                let wrote = member.writes.get(&read.key).filter(|_| !read.predicate);
                if wrote.is_some_and(|(_, last)| *last > read.step) {
                    let (id, by) = (self.id(place), self.id(by));
                    return Err(format!("#{id} lost the update of #{by}"));
                }
            }
        }
        Ok(())
    }

    /// No read misses what an earlier step depended on, at once or by others.
    fn monotonic(&self, transitive: bool) -> Result<(), String> {
        for (place, member) in self.members.iter().enumerate() {
            for (Read { step, .. }, by) in self.missed_before(place) {
                let step = *step;
                let mut entered = member.after.clone();
                for read in member.reads.iter().filter(|read| read.step < step) {
                    let source = read.version.checked_sub(1);
                    entered.extend(source.map(|version| self.writers[&read.key][version]));
                }
                if transitive {
                    // What a transaction overwrote of a register itself is no version.
                    let wrote = member.writes.iter().filter(|(_, (first, last))| {
                        let at = if self.lists { first } else { last };
                        *at < step
                    });
                    let before = wrote.flat_map(|(key, _)| &self.writers[key]);
                    entered.extend(before.filter(|other| **other < place));
                }
                let depends = |at: usize| self.depends(at);
                let leads =
                    |to: usize| by == to || transitive && by < to && self.leads((by, to), depends);
                if entered.into_iter().any(leads) || self.precedes(by, place) {
                    let (id, by) = (self.id(place), self.id(by));
                    return Err(format!(
                        "#{id} missed what #{by} wrote, of which it had read"
                    ));
                }
            }
        }
        Ok(())
    }

    /// Some members have a serial order; whether or not predicates miss anything, if `items`.
    fn acyclic(&self, items: bool, keeps: impl Fn(usize) -> bool) -> Result<(), String> {
        let mut missing = vec![0_usize; self.members.len()];
        let mut next: Vec<Vec<usize>> = vec![Vec::new(); self.members.len()];
        let after = self.follow(&keeps);
        for (place, member) in self.members.iter().enumerate().filter(|(at, _)| keeps(*at)) {
            let from = member.read_from.iter().chain(&member.wrote_after);
            for from in from.chain(&after[place]).filter(|at| keeps(**at)) {
                next[*from].push(place);
                missing[place] += 1;
            }
            // Who wrote first after what it read leads to who wrote next.
            let reads = member.reads.iter();
            let reads = reads.filter(|read| !items || !read.predicate);
            for to in reads.filter_map(|read| self.missed(place, read).next()) {
                next[place].push(to);
                missing[to] += 1;
            }
        }
        let mut ready: Vec<usize> = (0..missing.len()).filter(|at| missing[*at] == 0).collect();
        let mut done = 0;
        while let Some(place) = ready.pop() {
            done += 1;
            for to in &next[place] {
                missing[*to] -= 1;
                if missing[*to] == 0 {
                    ready.push(*to);
                }
            }
        }
        match done == missing.len() {
            true => Ok(()),
            false => Err("the transactions have no serial order".to_owned()),
        }
    }
}

//! Cycles: whether a level forbids one, and whether each of its links stands.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::super::analysis::Link;
use super::super::levels::{Base, Level, Order};
use super::super::transactions::{Access, Status};
use super::Replay;
use super::assumed::Assumed;
use crate::history::precedes;
use crate::value::Value;

/// What is known of the order of versions beside what reads of lists and orders that are given
/// tell: by object and transaction, those whose versions of the object come later.
pub(super) type Later = BTreeMap<(u32, u32), Vec<u32>>;

/// Who wrote what.
pub(super) struct Index<'h> {
    /// By object and value, the transactions that can have written it, each as often as it did.
    writers: FxHashMap<(u32, &'h Value), Vec<u32>>,
    /// Of registers: who made its version of another's, wherever nothing is read that is not
    /// committed.
    pub(super) made_of: Later,
    /// What is taken for granted.
    pub(super) assumed: Assumed,
    /// By object, whether any transaction that was not aborted deletes it.
    pub(super) deleted: Vec<bool>,
    /// By transaction, whether it took part.
    pub(super) takes_part: Vec<bool>,
}

/// What links of cycles may rest on.
#[derive(Clone, Copy)]
pub(super) struct Known<'k, 'h> {
    pub(super) index: &'k Index<'h>,
    /// Which versions of registers are made of which, where that tells; what is supposed; and what
    /// is taken for granted.
    pub(super) later: [&'k Later; 3],
    /// Whether the order of a list's elements is that of its longest read alone.
    longest: bool,
    /// Whether reads by predicates miss nothing but what matches.
    changes: bool,
}

/// Whether a level forbids a cycle, whatever its transactions did beside; where that tells.
fn kinds_forbid(links: &[Link], base: Base) -> bool {
    let count = |kinds: &[&str]| {
        let of = links.iter().filter(|link| kinds.contains(&&*link.kind));
        of.count()
    };
    let follows = || links.iter().zip(links.iter().cycle().skip(1));
    let after = |kinds: &[&str]| {
        let mut pairs = follows();
        pairs.any(|(link, next)| kinds.contains(&&*link.kind) && misses(next))
    };
    let orders = count(&["process", "realtime"]);
    let missed = count(&["rw", "prw"]);
    match base {
        Base::ReadUncommitted => count(&["ww"]) + orders == links.len(),
        Base::ReadCommitted => missed == 0,
        Base::ReadAtomic => {
            let direct = links.len() == 2 || orders + 1 == links.len();
            missed == 1 && count(&["ww"]) == 0 && direct
        }
        Base::MonotonicAtomicView => missed == 1 && orders + 1 == links.len(),
        Base::UpdateAtomic => missed == 1 && count(&["ww"]) == 1 && links.len() == 2,
        Base::Causal => missed == 1 && count(&["ww"]) == 0,
        Base::ParallelSnapshotIsolation | Base::ConsistentView | Base::ForwardConsistentView => {
            missed == 1
        }
        // Whoever misses something had, right before, nothing but read of what led to it.
        Base::Prefix => missed > 0 && !after(&["rw", "prw", "ww"]),
        Base::SnapshotIsolation => missed > 0 && !after(&["rw", "prw"]),
        Base::RepeatableRead => count(&["prw"]) == 0,
        Base::Serializable => true,
        Base::CursorStability
        | Base::MonotonicView
        | Base::MonotonicSnapshotRead
        | Base::UpdateSerializable => false,
    }
}

fn misses(link: &Link) -> bool {
    link.kind == "rw" || link.kind == "prw"
}

impl<'h> Replay<'h> {
    /// The index of the transactions.
    pub(super) fn index(&self) -> Index<'h> {
        let all = &self.all;
        let mut index = Index {
            writers: FxHashMap::default(),
            made_of: Later::new(),
            assumed: Assumed::default(),
            deleted: vec![false; all.keys.len()],
            takes_part: vec![false; all.txns.len()],
        };
        for txn in (0..all.len()).filter(|txn| all.status(*txn) != Status::Aborted) {
            index.takes_part[txn as usize] = all.status(txn) == Status::Committed;
            for step in all.steps(txn) {
                if step.access == Access::Delete {
                    index.deleted[step.key as usize] = true;
                }
                if matches!(step.access, Access::Write | Access::Append) {
                    let writers = index.writers.entry((step.key, step.value)).or_default();
                    if self.claims(step.key).lists || writers.last() != Some(&txn) {
                        writers.push(txn);
                    }
                }
            }
        }
        let lists = self.claims(0).lists;
        for (key, given) in &all.given {
            for value in *given {
                index.sees(*key, value);
            }
        }
        for txn in (0..all.len()).filter(|txn| all.status(*txn) == Status::Committed) {
            let steps = all.steps(txn);
            for (at, step) in steps.iter().enumerate() {
                let shown = match step.access {
                    Access::Read => vec![(step.key, step.value)],
                    Access::Predicate => all.found[step.key as usize].clone(),
                    _ => continue,
                };
                for (key, value) in shown {
                    if lists {
                        for element in value.as_list().unwrap_or(&[]) {
                            index.sees(key, element);
                        }
                        continue;
                    }
                    index.sees(key, value);
                    let claims = self.claims(key);
                    let writes = steps[at..].iter().any(|step| claims.changes(step));
                    let by = index.writer(key, value).filter(|by| *by != txn && writes);
                    let by = by.filter(|by| self.leaves(*by, key) == Some(value));
                    if let Some(by) = by {
                        index.made_of.entry((key, by)).or_default().push(txn);
                    }
                }
            }
        }
        for by in self.selected.values().flatten() {
            index.takes_part[*by as usize] = true;
        }
        index.assumed = self.assumed(&index);
        index
    }

    /// What a transaction leaves a register at.
    pub(super) fn leaves(&self, txn: u32, key: u32) -> Option<&'h Value> {
        let claims = self.claims(key);
        let mut steps = self.all.steps(txn).iter();
        let last = steps.rfind(|step| claims.changes(step));
        last.map(|step| step.value)
    }

    /// The number of an object.
    pub(super) fn key(&self, key: &Value) -> Result<u32, String> {
        let key = self.all.keys.iter().position(|known| *known == key);
        Ok(key.ok_or("an object that is not there")? as u32)
    }

    /// Each link of a cycle stands in the history, given what is known of the order of versions;
    /// and the level forbids it.
    pub(super) fn cycle(
        &self,
        level: Level,
        links: &[Link],
        (index, supposed): (&Index<'h>, &Later),
    ) -> Result<(), String> {
        if links.len() < 2 {
            return Err("a cycle has two links at least".to_owned());
        }
        // Where what is not committed may be read, reads tell nothing of other versions.
        let (dirty, none) = (level.base == Base::ReadUncommitted, Later::new());
        let made_of = if dirty { &none } else { &index.made_of };
        let known = Known {
            index,
            later: [made_of, supposed, &index.assumed.later],
            longest: dirty,
            changes: level.base == Base::UpdateSerializable,
        };
        let mut missed = Vec::new();
        for (link, next) in links.iter().zip(links.iter().cycle().skip(1)) {
            if link.to != next.from {
                return Err(format!("the links break at #{}", link.to));
            }
            let at = self.link(link, known)?;
            let Some(at) = at else {
                let Link { from, to, kind, .. } = link;
                return Err(format!("the history has no {kind} from #{from} to #{to}"));
            };
            missed.push(at);
        }
        let any = |kind: &str| links.iter().any(|link| link.kind == kind);
        let order = match (any("realtime"), any("process")) {
            (true, _) => Order::Realtime,
            (false, true) => Order::Process,
            (false, false) => Order::None,
        };
        let below = Base::ALL.into_iter();
        let mut below = below.filter(|base| level.implies(Level { base: *base, order }));
        let forbids = |base| kinds_forbid(links, base) || self.steps_forbid(links, base, &missed);
        match below.any(forbids) {
            true => Ok(()),
            false => Err(format!("{level} does not forbid such a cycle")),
        }
    }

    /// Whether a level forbids a cycle since of the order of its transactions' steps, or of what
    /// they did beside. Of each link, `missed` has the steps at which its first transaction read
    /// what it says.
    fn steps_forbid(&self, links: &[Link], base: Base, missed: &[Vec<usize>]) -> bool {
        let of = links.iter().filter(|link| misses(link)).count();
        let Some(at) = links.iter().position(misses).filter(|_| of == 1) else {
            return base == Base::UpdateSerializable && self.readers(links) < 2;
        };
        let (link, last) = (&links[at], &links[(at + links.len() - 1) % links.len()]);
        let latest = missed[at].iter().max().copied().unwrap_or(0);
        match base {
            Base::MonotonicAtomicView => {
                let two = links.len() == 2 && matches!(&*last.kind, "wr" | "pwr");
                two && self.enters(last).is_some_and(|step| step < latest)
            }
            Base::MonotonicView | Base::MonotonicSnapshotRead => match &*last.kind {
                "process" | "realtime" => true,
                _ => self.enters(last).is_some_and(|step| step < latest),
            },
            Base::CursorStability => {
                let two = links.len() == 2 && last.kind == "ww" && link.kind == "rw";
                let earliest = missed[at].iter().min();
                let txn = self.numbers.get(&last.to);
                let (Some(earliest), Some(txn)) = (earliest, txn.filter(|_| two)) else {
                    return false;
                };
                let Some(Ok(key)) = link.key.as_ref().map(|key| self.key(key)) else {
                    return false;
                };
                let claims = self.claims(key);
                let writes = self.all.steps(*txn)[*earliest..].iter();
                let same = last.key == link.key;
                same && writes.clone().any(|step| claims.changes(step))
            }
            Base::UpdateSerializable => self.readers(links) < 2,
            _ => false,
        }
    }

    /// How many of a cycle's transactions wrote nothing.
    fn readers(&self, links: &[Link]) -> usize {
        let writes = |link: &&Link| {
            let txn = self.numbers.get(&link.from);
            txn.is_none_or(|txn| {
                let mut steps = self.all.steps(*txn).iter();
                steps.all(|step| matches!(step.access, Access::Read | Access::Predicate))
            })
        };
        links.iter().filter(writes).count()
    }

    /// The first step of a link's last transaction that makes it.
    fn enters(&self, link: &Link) -> Option<usize> {
        let txn = *self.numbers.get(&link.to)?;
        let key = self.key(link.key.as_ref()?).ok()?;
        let value = link.value.as_ref()?;
        let claims = self.claims(key);
        let steps = self.all.steps(txn);
        match &*link.kind {
            "ww" => steps
                .iter()
                .position(|step| claims.changes(step) && step.value == value),
            "wr" => {
                let mut read = claims.read(txn).into_iter();
                let shows = |seen: &Value| match seen.as_list().filter(|_| claims.lists) {
                    Some(list) => list.last() == Some(value),
                    None => seen == value,
                };
                read.find(|(_, seen)| shows(seen)).map(|(at, _)| at)
            }
            _ => {
                let by = self.numbers.get(&link.from).copied();
                let mut hid = claims.hid(txn).into_iter();
                hid.find(|(_, from)| *from == by).map(|(at, _)| at)
            }
        }
    }

    /// Whether a link stands: none if it does not, else the steps at which its first transaction
    /// read what the link says that it missed.
    fn link(&self, link: &Link, known: Known<'_, 'h>) -> Result<Option<Vec<usize>>, String> {
        let (from, to) = (self.txn(link.from)?, self.txn(link.to)?);
        let row = |txn: u32| (self.all.txns[txn as usize].row as usize, self.all.op(txn));
        let ((at, first), (then, second)) = (row(from), row(to));
        let committed = self.all.status(from) == Status::Committed;
        let is = |stands: bool| stands.then(Vec::new);
        match &*link.kind {
            "process" => {
                let same = first.process_id == second.process_id && at < then;
                return Ok(is(committed && same));
            }
            "realtime" => return Ok(is(committed && precedes((at, first), (then, second)))),
            _ => {}
        }
        let (Some(key), Some(value)) = (&link.key, &link.value) else {
            return Err("a dependency has no object or no value".to_owned());
        };
        let key = self.key(key)?;
        let claims = self.claims(key);
        let wrote = |txn: u32| {
            let mut steps = self.all.steps(txn).iter();
            steps.any(|s| claims.changes(s) && s.value == value)
        };
        Ok(match &*link.kind {
            "pwr" => {
                let mut hid = claims.hid(to).into_iter();
                is(wrote(from) && hid.any(|(_, by)| by == Some(from)))
            }
            "prw" => {
                let hid = claims.hid(from).into_iter();
                let hides = |at: usize| claims.hides((from, at as u32, key)).contains(&Some(to));
                let missed = hid.filter(|(at, by)| {
                    let changes = !known.changes || !hides(*at);
                    changes && self.comes_before(key, *by, to, known)
                });
                let missed: Vec<usize> = missed.map(|(at, _)| at).collect();
                (wrote(to) && !missed.is_empty()).then_some(missed)
            }
            "wr" if *value == Value::Null && !claims.lists => {
                is(wrote(from) && claims.saw_nothing(to).contains(&Some(from)))
            }
            "wr" => {
                let mut read = claims.read(to).into_iter();
                let shows = |seen: &Value| match seen.as_list().filter(|_| claims.lists) {
                    // What nobody is known to have added comes of nobody.
                    Some(list) => {
                        let mut rest = list.iter().rev();
                        let nobody =
                            |v: &&Value| *v != value && known.index.writer(key, v).is_none();
                        rest.by_ref().find(|v| !nobody(v)) == Some(value)
                    }
                    None => seen == value,
                };
                is(wrote(from) && read.any(|(_, seen)| shows(seen)))
            }
            "rw" => {
                let missed = |seen: &Value| self.missed(key, (from, seen), (to, value), known);
                let read = claims.read(from).into_iter();
                let read = read.filter(|(_, seen)| wrote(to) && missed(seen));
                let read: Vec<usize> = read.map(|(at, _)| at).collect();
                (!read.is_empty()).then_some(read)
            }
            _ => {
                let mut steps = self.all.steps(from).iter();
                let earlier = match claims.lists {
                    false => {
                        let any = steps.any(|step| claims.changes(step));
                        any && self.comes_before(key, Some(from), to, known)
                    }
                    true => {
                        let told = |s: &super::super::transactions::Step<'_>| {
                            claims.changes(s) && self.precede(key, (s.value, value), known.longest)
                        };
                        steps.any(told) || self.unread_before(key, from, (to, value), known)
                    }
                };
                is(wrote(to) && earlier)
            }
        })
    }

    /// Whether a read by a transaction misses what another wrote.
    fn missed(
        &self,
        key: u32,
        (from, seen): (u32, &Value),
        (to, value): (u32, &Value),
        known: Known<'_, 'h>,
    ) -> bool {
        let claims = self.claims(key);
        if claims.lists {
            return !seen.as_list().is_some_and(|list| list.contains(value));
        }
        if *seen == Value::Null {
            let mut by = claims.saw_nothing(from).into_iter();
            return by.any(|by| self.comes_before(key, by, to, known));
        }
        match known.index.writer(key, seen) {
            Some(by) => {
                let last = self.leaves(by, key) == Some(seen);
                last && self.comes_before(key, Some(by), to, known)
            }
            None => seen == self.initial && self.comes_before(key, None, to, known),
        }
    }

    /// Whether what a transaction left of a register, or how it begins, comes before what another
    /// left.
    fn comes_before(
        &self,
        key: u32,
        first: Option<u32>,
        second: u32,
        known: Known<'_, 'h>,
    ) -> bool {
        let Some(first) = first.filter(|first| self.all.universe != Some(*first)) else {
            return first != Some(second);
        };
        if first == second {
            return false;
        }
        if let Some(given) = self.all.given.get(&key) {
            let place = |txn: u32| {
                let left = self.leaves(txn, key)?;
                given.iter().position(|value| value == left)
            };
            return match (place(first), place(second)) {
                (Some(first), Some(second)) => first < second,
                _ => false,
            };
        }
        leads(&known.later, key, first, second)
    }

    /// Whether what a transaction added to a list and nobody read comes before what another did.
    fn unread_before(
        &self,
        key: u32,
        first: u32,
        (second, value): (u32, &Value),
        known: Known<'_, 'h>,
    ) -> bool {
        let claims = self.claims(key);
        let unread = |value: &Value| {
            let mut txns = 0..self.all.len();
            let given = self.all.given.get(&key);
            given.is_none_or(|given| !given.contains(value))
                && txns.all(|txn| {
                    let mut read = claims.read(txn).into_iter();
                    read.all(|(_, list)| !list.as_list().is_some_and(|list| list.contains(value)))
                })
        };
        let mut steps = self.all.steps(first).iter();
        first != second
            && known.index.writer(key, value) == Some(second)
            && leads(&known.later, key, first, second)
            && unread(value)
            && steps.any(|step| claims.changes(step) && unread(step.value))
    }

    /// Whether some read of a list, or the longest, has one element before another, or without it.
    fn precede(&self, key: u32, (first, second): (&Value, &Value), longest: bool) -> bool {
        let txns = (0..self.all.len()).filter(|txn| self.all.status(*txn) == Status::Committed);
        let read = txns.flat_map(|txn| self.all.steps(txn)).filter_map(|step| {
            let read = step.key == key && step.access == Access::Read;
            step.value.as_list().filter(|_| read)
        });
        let before = |list: &[Value]| {
            let place = |of: &Value| list.iter().position(|element| element == of);
            match (place(first), place(second)) {
                (Some(first), Some(second)) => first < second,
                (Some(_), None) => true,
                _ => false,
            }
        };
        let given = self.all.given.get(&key).copied();
        match longest {
            true => {
                let most =
                    read.reduce(|most, list| if list.len() > most.len() { list } else { most });
                let all = given.filter(|given| most.is_none_or(|most| given.starts_with(most)));
                all.or(most).is_some_and(before)
            }
            false => read.chain(given).any(before),
        }
    }
}

impl<'h> Index<'h> {
    /// The one transaction that can have written a value.
    pub(super) fn writer(&self, key: u32, value: &Value) -> Option<u32> {
        match self.writers.get(&(key, value)).map(Vec::as_slice) {
            Some([one]) => Some(*one),
            _ => None,
        }
    }

    /// A value was read: whoever wrote it took part.
    fn sees(&mut self, key: u32, value: &Value) {
        if let Some(writer) = self.writer(key, value) {
            self.takes_part[writer as usize] = true;
        }
    }
}

/// Whether one transaction leads to another by what comes later, of an object.
pub(super) fn leads(later: &[&Later], key: u32, first: u32, second: u32) -> bool {
    let mut seen = std::collections::BTreeSet::from([first]);
    let mut rest = vec![first];
    while let Some(at) = rest.pop() {
        for next in later.iter().filter_map(|of| of.get(&(key, at))).flatten() {
            if *next == second {
                return true;
            }
            if seen.insert(*next) {
                rest.push(*next);
            }
        }
    }
    false
}

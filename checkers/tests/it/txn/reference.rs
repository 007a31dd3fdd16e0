//! Every level by its definition, tried on every order, for a handful of transactions.
//!
//! Nothing here is shared with the checker: relations are matrices, serializability is decided by
//! running the transactions one after the other in every order, snapshot isolation and prefix
//! consistency by every order of commits, the others by their axioms over every order of versions.

use std::collections::BTreeMap;

use checkers::txn::{Base, Level, Order};

use super::notation::{End, Step, Tx};

mod finds;

/// A relation: by transaction, the set of those it leads to.
type Relation = [u8; 8];

fn with(one: &Relation, other: &Relation) -> Relation {
    std::array::from_fn(|at| one[at] | other[at])
}

fn closed(relation: &Relation) -> Relation {
    let mut all = *relation;
    for via in 0..8 {
        for from in 0..8 {
            if all[from] >> via & 1 == 1 {
                all[from] |= all[via];
            }
        }
    }
    all
}

fn acyclic(relation: &Relation) -> bool {
    let all = closed(relation);
    (0..8).all(|at| all[at] >> at & 1 == 0)
}

fn has(relation: &Relation, from: usize, to: usize) -> bool {
    relation[from] >> to & 1 == 1
}

/// A version: by whom, at which step; none for the initial one.
type Version = Option<(usize, usize)>;

/// A read of a version from outside: who, at which step, of which object.
type Read = (usize, usize, char, Version);

/// What is known of a history.
pub(crate) struct Known<'t> {
    txs: &'t [Tx],
    part: Vec<bool>,
    reads: Vec<Read>,
    /// What reads by predicates selected and do not show, with what they ask for.
    finds: Vec<(Read, (i64, i64))>,
    /// By object, the last write of each transaction that took part.
    writes: BTreeMap<char, Vec<(usize, usize)>>,
    /// Which levels fail for what is no cycle.
    read_committed: bool,
    read_atomic: bool,
}

impl<'t> Known<'t> {
    pub(crate) fn of(txs: &'t [Tx]) -> Self {
        let seen = |value: &dyn Fn(&Step) -> bool| {
            let committed = txs.iter().filter(|tx| tx.end == End::Ok);
            committed.flat_map(|tx| &tx.steps).any(value)
        };
        let part = txs.iter().map(|tx| {
            match tx.end {
            End::Ok => true,
            End::Fail => false,
            End::Info => tx.steps.iter().any(|step| match step {
                Step::Append(key, value) => seen(&|other| {
                    matches!(other, Step::List(of, list) if of == key && list.contains(value))
                }),
                Step::Write(key, value) => {
                    seen(&|other| {
                        matches!(other, Step::Read(of, Some(v)) if (of, v) == (key, value))
                            || matches!(other, Step::Find(_, f) if f.contains(&(*key, *value)))
                    })
                }
                _ => false,
            }),
        }
        });
        Self::with(txs, part.collect())
    }

    /// What is known if just these took part.
    fn with(txs: &'t [Tx], part: Vec<bool>) -> Self {
        let mut known = Self {
            txs,
            part,
            reads: Vec::new(),
            finds: Vec::new(),
            writes: BTreeMap::new(),
            read_committed: true,
            read_atomic: true,
        };
        for at in 0..txs.len() {
            if known.part[at] {
                known.transaction(at);
            }
        }
        known
    }

    fn transaction(&mut self, at: usize) {
        let tx = &self.txs[at];
        let mut lists: BTreeMap<char, (Option<Vec<i64>>, Vec<i64>)> = BTreeMap::new();
        let mut values: BTreeMap<char, Option<i64>> = BTreeMap::new();
        for (step, what) in tx.steps.iter().enumerate() {
            match what {
                Step::Append(key, value) => {
                    lists.entry(*key).or_default().1.push(*value);
                    self.wrote(*key, at, step);
                }
                Step::Write(key, value) => {
                    values.insert(*key, Some(*value));
                    self.wrote(*key, at, step);
                }
                _ if tx.end != End::Ok => {}
                Step::List(key, list) => {
                    let (base, own) = lists.entry(*key).or_default();
                    let fits = list.ends_with(own)
                        && base
                            .as_ref()
                            .is_none_or(|base| *list == [&base[..], own].concat());
                    self.read_atomic &= fits;
                    (*base, *own) = (Some(list.clone()), Vec::new());
                    let sources: Vec<_> = list.iter().map(|v| self.writer(*key, *v)).collect();
                    let aborted = |(tx, _): &(usize, usize)| self.txs[*tx].end == End::Fail;
                    self.read_committed &= !sources.iter().any(aborted);
                    self.read_committed &= self.in_turn(*key, list, &sources);
                    // Its own later append is a cycle of one.
                    self.read_committed &= !sources.iter().any(|s| s.0 == at && s.1 > step);
                    self.read(at, step, *key, sources.last().copied());
                }
                Step::Read(key, value) => {
                    let before = values.insert(*key, *value);
                    self.read_atomic &= before.is_none_or(|before| before == *value);
                    let source = value.map(|value| self.writer(*key, value));
                    self.read_committed &=
                        source.is_none_or(|(by, _)| self.txs[by].end != End::Fail);
                    self.read(at, step, *key, source);
                }
                Step::Find((divisor, rest), found) => {
                    for (key, known) in &values {
                        let there = known.filter(|value| value.rem_euclid(*divisor) == *rest);
                        let shown = found.iter().find(|(of, _)| of == key);
                        // Its own writes may not be seen by it yet.
                        let hidden = shown.is_none() && finds::own(tx, step, *key);
                        self.read_atomic &= hidden || shown.map(|(_, value)| *value) == there;
                    }
                    for (key, value) in found {
                        values.insert(*key, Some(*value));
                        let (by, write) = self.writer(*key, *value);
                        self.read_committed &= self.txs[by].end != End::Fail;
                        self.read(at, step, *key, Some((by, write)));
                    }
                }
            }
        }
    }

    /// Whether what a transaction added earlier comes before what it added later.
    fn in_turn(&self, key: char, list: &[i64], sources: &[(usize, usize)]) -> bool {
        sources.iter().enumerate().all(|(place, (by, step))| {
            let tx = &self.txs[*by];
            let earlier = tx.steps[..*step].iter().all(|step| match step {
                Step::Append(of, value) if *of == key => list[..place].contains(value),
                _ => true,
            });
            tx.end == End::Fail || earlier
        })
    }

    fn wrote(&mut self, key: char, at: usize, step: usize) {
        let writes = self.writes.entry(key).or_default();
        writes.retain(|(by, _)| *by != at);
        writes.push((at, step));
    }

    fn writer(&self, key: char, value: i64) -> (usize, usize) {
        let of = |(at, tx): (usize, &Tx)| {
            let step = tx.steps.iter().position(|step| {
                matches!(step, Step::Append(k, v) | Step::Write(k, v) if (*k, *v) == (key, value))
            });
            step.map(|step| (at, step))
        };
        let mut all = self.txs.iter().enumerate();
        all.find_map(of).expect("somebody wrote every value")
    }

    fn read(&mut self, at: usize, step: usize, key: char, source: Version) {
        if let Some((by, write)) = source {
            if by == at {
                // Its own later write is a cycle of one.
                self.read_committed &= write < step;
                return;
            }
            let later = |(place, what): (usize, &Step)| {
                place > write && matches!(what, Step::Append(k, _) | Step::Write(k, _) if *k == key)
            };
            let overwritten = self.txs[by].steps.iter().enumerate().any(later);
            self.read_committed &= !overwritten;
        }
        self.reads.push((at, step, key, source));
    }

    /// Whether every read of lists fits an order of versions: what was read comes first.
    fn orders(&self, key: char) -> Vec<Vec<usize>> {
        let writers: Vec<usize> = self.writes[&key].iter().map(|(by, _)| *by).collect();
        let lists = self
            .txs
            .iter()
            .filter(|tx| tx.end == End::Ok)
            .flat_map(|tx| &tx.steps);
        let lists = lists.filter_map(|step| match step {
            Step::List(of, list) if *of == key => Some(list),
            _ => None,
        });
        // The places of versions in lists, those of the last write of each transaction.
        let longest = lists.max_by_key(|list| list.len());
        let place = |by: usize| {
            let (_, step) = self.writes[&key].iter().find(|(other, _)| *other == by)?;
            let Step::Append(_, value) = self.txs[by].steps[*step] else {
                return None;
            };
            longest?.iter().position(|other| *other == value)
        };
        let mut all = permutations(&writers);
        all.retain(|order| {
            order
                .windows(2)
                .all(|pair| match (place(pair[0]), place(pair[1])) {
                    (Some(first), Some(second)) => first < second,
                    (None, Some(_)) => false,
                    _ => true,
                })
        });
        all
    }

    /// Whether the history satisfies a level.
    pub(crate) fn satisfies(&self, level: Level) -> bool {
        let needs = |base: Base| Level {
            base,
            order: Order::None,
        };
        if level.implies(needs(Base::ReadCommitted)) && !self.read_committed
            || level.implies(needs(Base::ReadAtomic)) && !self.read_atomic
        {
            return false;
        }
        if level.base == Base::Serializable {
            return self.serializable(level.order);
        }
        let keys: Vec<char> = self.writes.keys().copied().collect();
        let orders: Vec<Vec<Vec<usize>>> = keys.iter().map(|key| self.orders(*key)).collect();
        let mut chosen = vec![0; keys.len()];
        loop {
            let picked = keys.iter().zip(&orders).zip(&chosen);
            let picked = picked.map(|((key, orders), at)| (*key, &orders[*at][..]));
            if self.axioms(level, &picked.collect()) {
                return true;
            }
            let Some(next) = (0..keys.len()).find(|at| chosen[*at] + 1 < orders[*at].len()) else {
                return false;
            };
            chosen[..next].fill(0);
            chosen[next] += 1;
        }
    }

    /// What sessions or real time order.
    fn order(&self, order: Order) -> Relation {
        let mut all = [0; 8];
        for (at, tx) in self.txs.iter().enumerate().filter(|(at, _)| self.part[*at]) {
            for (next, other) in self.txs.iter().enumerate().filter(|(at, _)| self.part[*at]) {
                let session = tx.process == other.process && at < next;
                let before = match order {
                    Order::None => false,
                    Order::Process => session,
                    Order::Realtime => tx.to < other.from || session,
                };
                if before && tx.end == End::Ok {
                    all[at] |= 1 << next;
                }
            }
        }
        closed(&all)
    }

    /// Whether running the transactions in some order gives every response.
    fn serializable(&self, order: Order) -> bool {
        let before = self.order(order);
        let txs: Vec<usize> = (0..self.txs.len()).filter(|at| self.part[*at]).collect();
        permutations(&txs).iter().any(|run| {
            let ordered = run
                .iter()
                .enumerate()
                .all(|(place, at)| run[place..].iter().all(|later| !has(&before, *later, *at)));
            ordered && self.runs(run)
        })
    }

    fn runs(&self, run: &[usize]) -> bool {
        let mut lists: BTreeMap<char, Vec<i64>> = BTreeMap::new();
        let mut values: BTreeMap<char, i64> = BTreeMap::new();
        run.iter().all(|at| {
            let tx = &self.txs[*at];
            tx.steps.iter().enumerate().all(|(place, step)| match step {
                Step::Append(key, value) => {
                    lists.entry(*key).or_default().push(*value);
                    true
                }
                Step::Write(key, value) => {
                    values.insert(*key, *value);
                    true
                }
                _ if tx.end != End::Ok => true,
                Step::List(key, list) => lists.get(key).map_or(&[][..], |l| l) == *list,
                Step::Read(key, value) => values.get(key) == value.as_ref(),
                Step::Find((divisor, rest), found) => {
                    let all = values.iter().map(|(key, value)| (*key, *value));
                    let all = all.filter(|(_, value)| value.rem_euclid(*divisor) == *rest);
                    let all = all.filter(|(key, value)| {
                        found.contains(&(*key, *value)) || !finds::own(tx, place, *key)
                    });
                    let mut found = found.clone();
                    found.sort_unstable();
                    all.eq(found)
                }
            })
        })
    }

    /// Whether the axioms of a level hold with an order of the versions of each object.
    fn axioms(&self, level: Level, orders: &BTreeMap<char, &[usize]>) -> bool {
        let extra = self.order(level.order);
        let mut ww = [0; 8];
        for order in orders.values() {
            for (place, by) in order.iter().enumerate() {
                for later in &order[place + 1..] {
                    ww[*by] |= 1 << later;
                }
            }
        }
        ww = with(&ww, &self.mixed());
        let (mut wr, mut rw, mut items) = ([0; 8], [0; 8], [0; 8]);
        for (at, _, source, missed, predicate) in self.seen(orders) {
            if let Some(by) = source {
                wr[by] |= 1 << at;
            }
            for by in missed {
                rw[at] |= 1 << by;
                items[at] |= u8::from(!predicate) << by;
            }
        }
        let depends = with(&with(&ww, &wr), &extra);
        if level.base == Base::ReadUncommitted {
            return acyclic(&with(&ww, &extra));
        }
        if !acyclic(&depends) {
            return false;
        }
        let sees = |visible: &Relation| {
            (0..8).all(|at| (0..8).all(|by| !(has(visible, by, at) && has(&rw, at, by))))
        };
        match level.base {
            Base::ReadUncommitted | Base::ReadCommitted | Base::Serializable => true,
            Base::ReadAtomic => sees(&with(&wr, &extra)),
            Base::UpdateAtomic => sees(&depends),
            Base::Causal => sees(&closed(&with(&wr, &extra))),
            Base::ParallelSnapshotIsolation
            | Base::ConsistentView
            | Base::ForwardConsistentView => sees(&closed(&depends)),
            // As the usual map of levels has it, monotonic atomic view is asked for, too, which
            // cycles of predicates break.
            Base::RepeatableRead => {
                let direct = with(&wr, &extra);
                acyclic(&with(&depends, &items)) && self.monotonic(orders, &direct, &extra, false)
            }
            Base::CursorStability => self.no_lost_update(orders),
            Base::MonotonicAtomicView => {
                let direct = with(&wr, &extra);
                self.monotonic(orders, &direct, &extra, false)
            }
            Base::MonotonicView | Base::MonotonicSnapshotRead => {
                self.monotonic(orders, &depends, &extra, true)
            }
            Base::UpdateSerializable => {
                let all = with(&depends, &rw);
                let updates = (0..self.txs.len()).filter(|at| self.writes_any(*at));
                let updates = updates.fold(0_u8, |set, at| set | 1 << at);
                let single = sees(&closed(&depends));
                single
                    && (0..self.txs.len()).all(|alone| {
                        let set = updates | 1 << alone;
                        let keeps = |at: usize| if set >> at & 1 == 1 { all[at] & set } else { 0 };
                        acyclic(&std::array::from_fn(keeps))
                    })
            }
            Base::SnapshotIsolation => self.snapshots(&ww, &depends, &rw),
            Base::Prefix => self.snapshots(&ww, &with(&wr, &extra), &rw),
        }
    }

    /// Lists tell the order of every element: one that was added in the midst of another
    /// transaction's comes both after and before it.
    fn mixed(&self) -> Relation {
        let mut all = [0; 8];
        for tx in self.txs.iter().filter(|tx| tx.end == End::Ok) {
            for step in &tx.steps {
                let Step::List(key, list) = step else {
                    continue;
                };
                let writers: Vec<usize> = list.iter().map(|v| self.writer(*key, *v).0).collect();
                for (place, by) in writers.iter().enumerate().filter(|(_, by)| self.part[**by]) {
                    for later in writers[place + 1..].iter().filter(|by| self.part[**by]) {
                        if by != later {
                            all[*by] |= 1 << later;
                        }
                    }
                }
                // What was not read comes after all that was.
                for (by, other) in self.txs.iter().enumerate().filter(|(by, _)| self.part[*by]) {
                    let unread = other.steps.iter().any(
                        |step| matches!(step, Step::Append(k, v) if k == key && !list.contains(v)),
                    );
                    if unread && self.is_longest(*key, list) {
                        for first in writers.iter().filter(|first| self.part[**first]) {
                            if *first != by {
                                all[*first] |= 1 << by;
                            }
                        }
                    }
                }
            }
        }
        all
    }

    fn is_longest(&self, key: char, list: &[i64]) -> bool {
        let committed = self.txs.iter().filter(|tx| tx.end == End::Ok);
        committed.flat_map(|tx| &tx.steps).all(
            |step| !matches!(step, Step::List(of, other) if *of == key && other.len() > list.len()),
        )
    }

    fn writes_any(&self, at: usize) -> bool {
        self.writes.values().flatten().any(|(by, _)| *by == at)
    }

    /// Who wrote versions after the one that was read.
    fn missed(&self, read: &Read, orders: &BTreeMap<char, &[usize]>) -> Vec<usize> {
        let (at, _, key, source) = read;
        let Some(order) = orders.get(key) else {
            return Vec::new();
        };
        let mut list_tells: Vec<usize> = Vec::new();
        let from = match source {
            None => 0,
            Some((by, write)) => {
                // Of an intermediate version, the transaction's own last one is missed.
                let place = order.iter().position(|other| other == by);
                let last = self.writes[key]
                    .iter()
                    .any(|(other, step)| (other, step) == (by, write));
                match place {
                    Some(place) if last => place + 1,
                    Some(place) => place,
                    None => {
                        list_tells.extend(order.iter().copied());
                        order.len()
                    }
                }
            }
        };
        list_tells.extend(order[from..].iter().copied());
        list_tells.retain(|by| by != at);
        list_tells
    }

    /// Whether a transaction added to a list, or set a register for good, before a step of it.
    fn appends(&self, at: usize, key: char, step: usize) -> bool {
        let last = self.writes[&key]
            .iter()
            .any(|(by, write)| *by == at && *write < step);
        let mut steps = self.txs[at].steps[..step].iter();
        last || steps.any(|step| matches!(step, Step::Append(of, _) if *of == key))
    }

    fn no_lost_update(&self, orders: &BTreeMap<char, &[usize]>) -> bool {
        self.reads.iter().all(|read| {
            let (at, step, key, _) = read;
            let writes = self.writes.get(key);
            let own = writes.and_then(|w| w.iter().find(|(by, write)| by == at && write > step));
            let Some(order) = orders.get(key).filter(|_| own.is_some()) else {
                return true;
            };
            let place = |by: &usize| order.iter().position(|other| other == by);
            self.missed(read, orders)
                .iter()
                .all(|by| place(by) > place(at))
        })
    }

    /// No read misses what an earlier step of its transaction depended on.
    fn monotonic(
        &self,
        orders: &BTreeMap<char, &[usize]>,
        depends: &Relation,
        extra: &Relation,
        transitive: bool,
    ) -> bool {
        let closure = if transitive { closed(depends) } else { [0; 8] };
        let seen = self.seen(orders);
        seen.iter().all(|(at, step, _, missed, _)| {
            let (at, step) = (*at, *step);
            let mut entered: Vec<usize> = (0..8).filter(|by| has(extra, *by, at)).collect();
            let earlier = seen.iter().filter(|other| other.0 == at && other.1 < step);
            entered.extend(earlier.filter_map(|other| other.2));
            if transitive {
                for (key, writes) in &self.writes {
                    let own =
                        writes.iter().any(|(by, _)| *by == at) && self.appends(at, *key, step);
                    let order = orders[key];
                    let place = order.iter().position(|by| *by == at);
                    if let Some(place) = place.filter(|_| own) {
                        entered.extend(&order[..place]);
                    }
                }
            }
            entered.iter().all(|by| {
                missed
                    .iter()
                    .all(|missed| missed != by && !has(&closure, *missed, *by))
            })
        })
    }

    /// Whether in some order of commits every transaction can have read a prefix that has all it
    /// must see, and nothing that it missed.
    fn snapshots(&self, ww: &Relation, must: &Relation, rw: &Relation) -> bool {
        let txs: Vec<usize> = (0..self.txs.len()).filter(|at| self.part[*at]).collect();
        permutations(&txs).iter().any(|run| {
            let place = |at: usize| run.iter().position(|other| *other == at).expect("all run");
            txs.iter().all(|at| {
                let own = place(*at);
                let least = txs.iter().filter(|by| has(must, **by, *at));
                let least = least.map(|by| place(*by) + 1).max().unwrap_or(0);
                let most = txs.iter().filter(|by| has(rw, *at, **by));
                let most = most.map(|by| place(*by)).min().unwrap_or(own).min(own);
                let ordered = txs.iter().all(|by| !has(ww, *by, *at) || place(*by) < own);
                least <= most && ordered
            })
        })
    }
}

/// Every order.
pub(super) fn permutations(all: &[usize]) -> Vec<Vec<usize>> {
    let mut found = vec![Vec::new()];
    for one in all {
        let insert = |order: &Vec<usize>| {
            let places = 0..=order.len();
            let at = |place: usize| {
                let mut longer = order.clone();
                longer.insert(place, *one);
                longer
            };
            places.map(at).collect::<Vec<_>>()
        };
        found = found.iter().flat_map(insert).collect();
    }
    found
}

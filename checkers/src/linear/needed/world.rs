//! From what has happened by one return to what may have happened by the next.

use rustc_hash::FxHashMap;

use super::demand::Demand;
use super::points::{self, Point, Points, Spares};
use crate::linear::machine::Machine;
use crate::linear::memory::{of_list, of_map};
use crate::linear::partition::Partition;
use crate::spec::ModelKind;

mod needs;

pub(super) use needs::Needs;

/// Of members that do not return, and of places where there is none.
pub(super) const NEVER: u32 = u32::MAX;

/// Operations that may be open at once.
const OPEN_MAX: usize = 64;

/// From here on a class is a member alone: one that follows an operation that is open.
const BOUND: u32 = 1 << 31;

/// The operations of a partition from return to return. Those that are not `kept` may take effect
/// or not.
pub(super) struct World<'p, 'a, M> {
    pub(super) partition: &'p Partition<'a>,
    /// Of every member, and of every member as one of unknown outcome.
    machine: M,
    /// The members that return, in that order.
    pub(super) ends: Vec<u32>,
    /// By member, its return, and the first return that it can come before.
    pub(super) due: Vec<u32>,
    pub(super) first: Vec<u32>,
    pub(super) kept: Vec<bool>,
    /// By return, the members that are called since the one before, and those that are open.
    called: Vec<Vec<u32>>,
    open: Vec<Vec<u32>>,
    /// Of those that are open, the ones that only observe.
    observers: Vec<Vec<u32>>,
    slot: Vec<u8>,
    /// By member, what it does, and what it does if its outcome is unknown.
    does: Vec<u32>,
    may_do: Vec<u32>,
    /// By what one of unknown outcome does, a member that does it.
    examples: Vec<u32>,
    /// By member, whether it is of no use if its outcome is unknown.
    vain: Vec<bool>,
    /// Whether some operation follows another at the same instant.
    touches: bool,
    pub(super) spares: Spares,
    pub(super) demand: Demand,
    /// Returns of members that will not be kept again lead to the next one.
    skip: Vec<u32>,
    /// What is spare before a return, by what it was, and by the first that was called since.
    arrived: FxHashMap<(u32, u32, u32), u32>,
    nodes: Vec<Node>,
    /// By point that followed, the node that it came from.
    heads: Vec<u32>,
    known: Points,
    /// What was done so far: steps of the model.
    pub(super) work: u64,
    /// What is kept outside of the world takes so many bytes.
    pub(super) held: u64,
    limits: Limits,
    /// Whether one of them was reached.
    is_over: bool,
}

/// How much work there may be, and how many bytes.
pub(super) struct Limits {
    pub(super) work_max: u64,
    pub(super) bytes_max: u64,
}

/// Points between two looks at the limits.
const POINTS_A_LOOK: usize = 16;

/// A point on the way to a return.
struct Node {
    point: Point,
    /// The one before it, and the member that took effect since.
    from: Option<(u32, u32)>,
    /// Whether that made others legal that only observe.
    observed: bool,
}

impl<'p, 'a, M: Machine> World<'p, 'a, M> {
    /// A world in which all that return are kept; none if too many are open at once. `machine` is
    /// of [`Partition::twice`].
    pub(super) fn new(
        partition: &'p Partition<'a>,
        mut machine: M,
        observes: impl Fn(u32) -> bool,
        vain: Vec<bool>,
        limits: Limits,
    ) -> Option<Self> {
        let (ends, count) = (&partition.ends(), partition.members.len());
        let mut due = vec![NEVER; count];
        (0..)
            .zip(ends)
            .for_each(|(at, end)| due[*end as usize] = at);
        let end = |at: &u32| partition.members[*at as usize].op.complete_ts;
        let first = |at: usize| {
            let begin = partition.members[at].op.invoke_ts;
            ends.partition_point(|other| end(other) < Some(begin)) as u32
        };
        let first: Vec<u32> = (0..count).map(first).collect();
        let mut called = vec![Vec::new(); ends.len() + 1];
        (0..)
            .zip(&first)
            .for_each(|(at, first)| called[*first as usize].push(at));
        let does = (0..count as u32).map(|at| machine.class(at)).collect();
        let all = count as u32..2 * count as u32;
        let may_do: Vec<u32> = all.map(|at| machine.class(at)).collect();
        let most = may_do.iter().max().map_or(0, |most| *most as usize + 1);
        let mut examples = vec![NEVER; most];
        (0..)
            .zip(&may_do)
            .for_each(|(at, class)| examples[*class as usize] = at);
        let slots = slots(ends, &due, &called)?;
        let mut open = vec![Vec::new(); ends.len()];
        for member in ends {
            let (from, to) = (first[*member as usize], due[*member as usize]);
            (from..=to).for_each(|at| open[at as usize].push(*member));
        }
        let observers = |open: &Vec<u32>| open.iter().copied().filter(|at| observes(*at)).collect();
        let observers = open.iter().map(observers).collect();
        let mut kept = vec![false; count];
        ends.iter().for_each(|end| kept[*end as usize] = true);
        Some(Self {
            touches: partition.members.iter().any(|one| one.after().is_some()),
            demand: Demand::of(partition, &due, NEVER),
            skip: (0..=ends.len() as u32).collect(),
            ends: ends.to_vec(),
            slot: slots,
            spares: Spares::new(),
            arrived: FxHashMap::default(),
            nodes: Vec::new(),
            heads: Vec::new(),
            known: Points::default(),
            work: 0,
            held: 0,
            limits,
            is_over: false,
            partition,
            machine,
            due,
            first,
            kept,
            called,
            open,
            observers,
            does,
            may_do,
            examples,
            vain,
        })
    }

    /// Whether a limit was reached; once it was, it stays so.
    pub(super) fn is_spent(&mut self) -> bool {
        let points = of_list(&self.nodes) + self.known.bytes() + self.held;
        let bytes = points + self.machine.bytes() + self.spares.bytes() + of_map(&self.arrived);
        self.is_over |= self.work > self.limits.work_max || bytes > self.limits.bytes_max;
        self.is_over
    }

    fn bit(&self, member: u32) -> u64 {
        1 << self.slot[member as usize]
    }

    /// The member that is kept and that this one follows at one instant.
    fn after(&self, member: u32) -> Option<u32> {
        let mut before = self.partition.members[member as usize].after();
        while let Some(at) = before
            && !self.kept[at as usize]
        {
            before = self.partition.members[at as usize].after();
        }
        before
    }

    /// Whether what a member follows has taken effect before a return.
    fn is_free(&self, member: u32, done: u64, at: u32) -> bool {
        if !self.touches {
            return true;
        }
        let before = self.after(member);
        before.is_none_or(|one| self.due[one as usize] < at || done & self.bit(one) != 0)
    }

    /// The first return of a kept member from one on; the number of returns if there is none.
    pub(super) fn next(&mut self, mut at: u32) -> u32 {
        loop {
            while self.skip[at as usize] != at {
                let next = self.skip[at as usize];
                self.skip[at as usize] = self.skip[next as usize];
                at = next;
            }
            match self.ends.get(at as usize) {
                Some(end) if !self.kept[*end as usize] => at += 1,
                _ => return at,
            }
        }
    }

    /// A member will not be kept again.
    pub(super) fn drop(&mut self, member: u32) {
        let (due, op) = (
            self.due[member as usize],
            self.partition.members[member as usize].op,
        );
        self.kept[member as usize] = false;
        self.demand.drop(op, self.partition.kind, due);
        self.skip[due as usize] = due + 1;
    }

    /// What one of unknown outcome does.
    fn class(&self, member: u32) -> u32 {
        match self.partition.members[member as usize].after() {
            Some(_) => BOUND | member,
            None => self.may_do[member as usize],
        }
    }

    fn example(&self, class: u32) -> u32 {
        match class & BOUND {
            0 => self.examples[class as usize],
            _ => class & !BOUND,
        }
    }

    /// A point of the world in which all that return are kept, before a return since which
    /// nothing was forgotten but what is called right before it.
    pub(super) fn without(&mut self, mut point: Point, at: u32) -> Point {
        let mut classes = Vec::new();
        for member in &self.called[at as usize] {
            if !self.kept[*member as usize] && self.due[*member as usize] != NEVER {
                point.done &= !self.bit(*member);
                classes.extend((!self.vain[*member as usize]).then(|| self.class(*member)));
            }
        }
        point.spare = self.spares.with(point.spare, &classes, |_| {});
        point
    }

    /// A point as it is before a return that follows others, the last of them `from`; with none,
    /// before the first.
    pub(super) fn arrive(&mut self, mut point: Point, from: Option<u32>, at: u32) -> Point {
        let levels = from.map_or(0, |from| from + 1)..at + 1;
        let key = (point.spare, levels.start, at);
        point.spare = match self.arrived.get(&key) {
            Some(known) => *known,
            None => {
                let called = &self.called[levels.start as usize..levels.end as usize];
                let is_spare =
                    |one: &&u32| !self.kept[**one as usize] && !self.vain[**one as usize];
                let called = called.iter().flatten().filter(is_spare);
                let classes: Vec<u32> = called.map(|one| self.class(*one)).collect();
                let spare = self.useful(point.spare, &classes, at);
                self.arrived.insert(key, spare);
                spare
            }
        };
        self.observe(&mut point, at);
        point
    }

    /// A point without what is of no use any more, and with all that can be observed.
    pub(super) fn settle(&mut self, mut point: Point, at: u32) -> Point {
        point.spare = self.useful(point.spare, &[], at);
        self.observe(&mut point, at);
        point
    }

    /// What is spare, with one more of each of `classes`, without what is of no use from a return
    /// on. Of what followed operations that have returned, the one is as good as the other.
    fn useful(&mut self, spare: u32, classes: &[u32], at: u32) -> u32 {
        let mut spares = std::mem::replace(&mut self.spares, Spares::new());
        let spare = spares.with(spare, classes, |counts| {
            while self.touches
                && let Some(place) = counts.iter().position(|(class, _)| {
                    class & BOUND != 0 && self.is_free(class & !BOUND, 0, at)
                })
            {
                let (class, _) = counts.remove(place);
                points::add(counts, self.may_do[(class & !BOUND) as usize]);
            }
            for (class, count) in counts.iter_mut() {
                *count = (*count).min(self.demand.most(self.example(*class), at));
            }
            counts.retain(|(_, count)| *count > 0);
        });
        self.spares = spares;
        spare
    }

    /// Whether there are few states, however much is spare.
    fn is_finite(&self) -> bool {
        matches!(
            self.partition.kind,
            Some(
                ModelKind::Register
                    | ModelKind::CasRegister
                    | ModelKind::Map
                    | ModelKind::Mutex
                    | ModelKind::OwnedMutex
                    | ModelKind::Semaphore { .. }
                    | ModelKind::Bag
            )
        )
    }

    /// Counts all that is spare, or not: see [`Spares::count_all`]. Where there may be ever more
    /// states, or what is spare may have to wait, it is counted always.
    pub(super) fn count_all(&mut self, all: bool) {
        self.spares
            .count_all(all || self.touches || !self.is_finite());
        self.arrived.clear();
    }

    /// Other operations are kept than before.
    pub(super) fn change(&mut self) {
        self.arrived.clear();
    }

    /// Linearizes what is open and only observes, where that is legal; whether there was any.
    fn observe(&mut self, point: &mut Point, at: u32) -> bool {
        let before = point.done;
        let Some(observers) = self.observers.get(at as usize) else {
            return false;
        };
        loop {
            let last = point.done;
            for member in observers {
                let bit = 1_u64 << self.slot[*member as usize];
                if point.done & bit != 0 || !self.kept[*member as usize] {
                    continue;
                }
                self.work += 1;
                let same = self.machine.step(point.state, *member) == Some(point.state);
                if same && self.is_free(*member, point.done, at) {
                    point.done |= bit;
                }
            }
            if point.done == last || !self.touches {
                return point.done != before;
            }
        }
    }

    /// Every point, before the return `to` or at the end, that follows a point before the return
    /// `at`. No operation is linearized before that return that may as well come after it. Not all
    /// of them once a limit was reached.
    pub(super) fn following(
        &mut self,
        point: Point,
        at: u32,
        to: u32,
        all: &mut Vec<(u32, Point)>,
    ) {
        let returns = self.bit(self.ends[at as usize]);
        self.nodes.clear();
        self.known.clear();
        self.known.put(&point);
        self.nodes.push(Node {
            point,
            from: None,
            observed: false,
        });
        self.heads.clear();
        let open = std::mem::take(&mut self.open[at as usize]);
        let undone = |one: &&u32| self.kept[**one as usize] && point.done & self.bit(**one) == 0;
        let undone: Vec<u32> = open.iter().filter(undone).copied().collect();
        let wanted = self.demand.wanted(undone.iter());
        self.machine.look(&undone, 0);
        let mut head = 0;
        while head < self.nodes.len() {
            if head.is_multiple_of(POINTS_A_LOOK) && self.is_spent() {
                break;
            }
            let point = self.nodes[head].point;
            let state = match point.done & returns != 0 {
                true => Some(point.state),
                false => {
                    self.certain(head, at, &open);
                    self.uncertain(head, at, wanted.as_deref());
                    self.returned(head, at)
                }
            };
            if let Some(state) = state {
                let done = point.done & !returns;
                let next = Point {
                    state,
                    done,
                    ..point
                };
                all.push((to, self.arrive(next, Some(at), to)));
                self.heads.push(head as u32);
            }
            head += 1;
        }
        self.open[at as usize] = open;
    }

    fn step(&mut self, state: u32, member: u32) -> Option<u32> {
        self.work += 1;
        self.machine.step(state, member)
    }

    /// The state after the return's own operation, if it is legal now and what came right before
    /// could not have come right after it.
    fn returned(&mut self, head: usize, at: u32) -> Option<u32> {
        let Node { point, from, .. } = &self.nodes[head];
        let from = from.filter(|_| !self.nodes[head].observed);
        let (point, returns) = (*point, self.ends[at as usize]);
        if !self.is_free(returns, point.done, at) {
            return None;
        }
        let state = self.step(point.state, returns)?;
        let Some((parent, last)) = from else {
            return Some(state);
        };
        let parent = self.nodes[parent as usize].point;
        if !self.is_free(returns, parent.done, at) {
            return Some(state);
        }
        let other = self.step(parent.state, returns);
        let other = other.and_then(|other| self.step(other, last));
        (other != Some(state)).then_some(state)
    }

    /// Linearizes one more certain member. Of those that do the same, the one that is due first.
    fn certain(&mut self, head: usize, at: u32, open: &[u32]) {
        let (point, returns) = (self.nodes[head].point, self.ends[at as usize]);
        for (place, member) in open.iter().enumerate() {
            let is_open = |world: &Self, member: u32| {
                let free = || world.is_free(member, point.done, at);
                world.kept[member as usize] && point.done & world.bit(member) == 0 && free()
            };
            if *member == returns || !is_open(self, *member) {
                continue;
            }
            let end = |member: u32| self.partition.members[member as usize].op.complete_ts;
            let behind = open[..place].iter().any(|other| {
                let same = self.does[*other as usize] == self.does[*member as usize];
                same && end(*other) < end(*member) && is_open(self, *other)
            });
            if behind {
                continue;
            }
            if let Some(state) = self.step(point.state, *member) {
                let done = point.done | self.bit(*member);
                self.push(
                    head,
                    *member,
                    Point {
                        state,
                        done,
                        ..point
                    },
                    at,
                );
            }
        }
    }

    /// Linearizes one more of unknown outcome, if that changes anything.
    fn uncertain(&mut self, head: usize, at: u32, wanted: Option<&[u32]>) {
        let point = self.nodes[head].point;
        for place in 0..self.spares.get(point.spare).len() {
            let (class, _) = self.spares.get(point.spare)[place];
            let member = self.example(class);
            let bound = class & BOUND != 0 && !self.is_free(member, point.done, at);
            if bound || !self.demand.is_wanted(member, wanted) {
                continue;
            }
            let unknown = member + self.partition.members.len() as u32;
            if !self.machine.wants(point.state, unknown) {
                continue;
            }
            match self.step(point.state, unknown) {
                Some(state) if state != point.state => {
                    let spare = self.spares.without(point.spare, class);
                    self.push(
                        head,
                        unknown,
                        Point {
                            state,
                            spare,
                            ..point
                        },
                        at,
                    );
                }
                _ => {}
            }
        }
    }

    fn push(&mut self, head: usize, last: u32, mut point: Point, at: u32) {
        let observed = self.observe(&mut point, at);
        let spares = &self.spares;
        if self
            .known
            .any(&point, |spare| spares.covers(spare, point.spare))
        {
            return;
        }
        self.known.put(&point);
        let from = Some((head as u32, last));
        self.nodes.push(Node {
            point,
            from,
            observed,
        });
    }
}

/// A slot for each member while it is open; none if there are too many.
fn slots(ends: &[u32], due: &[u32], called: &[Vec<u32>]) -> Option<Vec<u8>> {
    let mut slots = vec![0; due.len()];
    let mut free: Vec<u8> = (0..OPEN_MAX as u8).rev().collect();
    for (called, end) in called.iter().zip(ends) {
        for member in called.iter().filter(|at| due[**at as usize] != NEVER) {
            slots[*member as usize] = free.pop()?;
        }
        free.push(slots[*end as usize]);
    }
    Some(slots)
}

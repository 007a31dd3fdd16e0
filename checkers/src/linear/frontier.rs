//! Every configuration that a history can be in, event by event, and nothing of what is past.
//!
//! Lowe: *Testing for linearizability* (2017), just-in-time linearization. An operation is
//! linearized no earlier than some return requires it, so that a configuration is a state, the
//! open operations that took effect, and how many of those that may never return did. When
//! nothing is open, what is left is the set of states that the object can be in: that is all of
//! the past that is remembered, however long it was. It gives no order.

use std::borrow::Borrow;

use rustc_hash::FxHashMap;

use super::Ending;
use super::defect::{Defect, planted};
use super::memory::of_piece;
use super::partition::Partition;
use super::search::looking_over;
use crate::history::{OpType, Operation};
use crate::models::{Looks, Model};
use crate::report::Budget;
use crate::spec::ModelKind;
use crate::value::Value;

mod configurations;

use configurations::{Configuration, Configurations};

/// What a search of the frontier found.
pub(super) struct Swept {
    pub(super) ending: Ending,
    pub(super) steps: u64,
}

/// Judges a partition whose members are at hand.
pub(super) fn sweep<M: Model>(partition: &Partition<'_>, model: &M, budget: &Budget) -> Swept {
    let mut frontier: Frontier<&Operation, &M> = Frontier::new(model, partition.kind, *budget);
    let ends = partition.ends();
    let end = |at: u32| partition.members[at as usize].op.complete_ts;
    let mut slots: Vec<Option<u32>> = vec![None; partition.members.len()];
    let mut returned = 0;
    let mut ending = None;
    for (at, member) in partition.members.iter().enumerate() {
        while returned < ends.len() && end(ends[returned]) < Some(member.op.invoke_ts) {
            // What has returned is followed by everything anyhow.
            let slot = slots[ends[returned] as usize].take();
            let slot = slot.expect("it was called before it returned");
            ending = ending.or(frontier.returned(slot));
            returned += 1;
        }
        if ending.is_some() {
            break;
        }
        let after = member.after().and_then(|before| slots[before as usize]);
        slots[at] = frontier.called(member.op, member.certain, after);
    }
    for at in &ends[returned..] {
        if ending.is_none() {
            let slot = slots[*at as usize].take().expect("all were called");
            ending = frontier.returned(slot);
        }
    }
    Swept {
        ending: ending.unwrap_or(Ending::Legal),
        steps: frontier.steps,
    }
}

/// An open operation that is in every linearization.
struct Open<O> {
    op: O,
    /// The slot of what it follows in its process, while that is open.
    after: Option<u32>,
}

/// Operations that may never take effect and do the same, by call.
struct Class<O> {
    example: O,
    /// How many there are.
    called: u32,
    after: Option<u32>,
}

/// The configurations that are possible now.
pub(super) struct Frontier<O, M: Model> {
    model: M,
    kind: Option<ModelKind>,
    budget: Budget,
    slots: Vec<Option<Open<O>>>,
    free: Vec<u32>,
    /// The slots in use, and those of what changes nothing.
    open: Vec<u32>,
    observers: Vec<u32>,
    classes: Vec<Class<O>>,
    /// Classes that follow an open operation.
    bound: Vec<u32>,
    /// Classes by a hash of what they do, and by the value that they leave a register with.
    alike: FxHashMap<u64, Vec<u32>>,
    setters: FxHashMap<Value, Vec<u32>>,
    now: Configurations<M::State>,
    /// What the largest state takes, of those that were looked at.
    state_bytes: u64,
    /// Steps so far, which the budget bounds.
    pub(super) steps: u64,
    /// The most configurations there were at once.
    pub(super) widest: usize,
}

impl<O: Borrow<Operation>, M: Model> Frontier<O, M> {
    pub(super) fn new(model: M, kind: Option<ModelKind>, budget: Budget) -> Self {
        let mut now = Configurations::default();
        now.insert(Configuration::of(model.initial()), 0);
        Self {
            model,
            kind,
            budget,
            slots: Vec::new(),
            free: Vec::new(),
            open: Vec::new(),
            observers: Vec::new(),
            classes: Vec::new(),
            bound: Vec::new(),
            alike: FxHashMap::default(),
            setters: FxHashMap::default(),
            now,
            state_bytes: 0,
            steps: 0,
            widest: 1,
        }
    }

    /// Whether no operation that will return is open.
    pub(super) fn is_quiet(&self) -> bool {
        self.open.is_empty()
    }

    /// What is open at a slot.
    pub(super) fn at(&self, slot: u32) -> Option<&Operation> {
        let open = self.slots.get(slot as usize)?.as_ref()?;
        Some(open.op.borrow())
    }

    /// What is open.
    fn open(&self) -> impl Iterator<Item = &Operation> {
        self.open.iter().filter_map(|slot| self.at(*slot))
    }

    /// An operation is called; its slot, if it will return. `after` is the slot of what it
    /// follows in its process at the same instant.
    pub(super) fn called(&mut self, op: O, certain: bool, after: Option<u32>) -> Option<u32> {
        if !certain {
            self.class(op, after);
            return None;
        }
        let observes = self.model.observes(op.borrow());
        let open = Some(Open { op, after });
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = open;
                slot
            }
            None => {
                self.slots.push(open);
                self.slots.len() as u32 - 1
            }
        };
        self.open.push(slot);
        self.observers.extend(observes.then_some(slot));
        if observes && self.steps <= self.budget.steps_max {
            // The keys change, and all of them in the same way or not at all.
            let all = std::mem::take(&mut self.now);
            for mut one in all.list {
                self.count(self.observe(&mut one));
                self.now.insert(one, 0);
            }
        }
        Some(slot)
    }

    fn class(&mut self, op: O, after: Option<u32>) {
        let asked = op.borrow();
        let hash = configurations::hash_of(&(&asked.op_type, &asked.input));
        let looks = self.model.looks();
        let same = |class: &u32| {
            let class = &self.classes[*class as usize];
            let other = class.example.borrow();
            class.after.is_none()
                && after.is_none()
                && looks != Looks::Row
                && (looks != Looks::Process || other.process_id == asked.process_id)
                && (&other.op_type, &other.input) == (&asked.op_type, &asked.input)
                && (other.completion(), &other.output) == (asked.completion(), &asked.output)
        };
        let known = self
            .alike
            .get(&hash)
            .into_iter()
            .flatten()
            .find(|at| same(at));
        if let Some(known) = known {
            self.classes[*known as usize].called += 1;
            return;
        }
        let class = self.classes.len() as u32;
        self.alike.entry(hash).or_default().push(class);
        if let Some(value) = sets(asked) {
            self.setters.entry(value.clone()).or_default().push(class);
        }
        self.bound.extend(after.map(|_| class));
        self.classes.push(Class {
            example: op,
            called: 1,
            after,
        });
    }

    /// An operation returns: it took effect by now. Says how the search ended, if it did.
    pub(super) fn returned(&mut self, slot: u32) -> Option<Ending> {
        let candidates = self.candidates();
        let mut kept = Configurations::default();
        let mut work = Configurations::default();
        for mut one in std::mem::take(&mut self.now).list {
            if one.done.take(slot) || planted(Defect::FrontierForgetsReturns) {
                kept.insert(one, 0);
            } else {
                work.insert(one, 0);
            }
        }
        let mut head = 0;
        loop {
            if let Some(spent) = self.spent(&kept, &work) {
                return Some(spent);
            }
            let Some(one) = work.list.get(head).cloned() else {
                break;
            };
            let shown = of_piece(self.model.show(&one.state).size() as usize);
            self.state_bytes = self.state_bytes.max(shown);
            head += 1;
            self.steps = self.expand(&one, &candidates, |mut next, steps| {
                if next.done.take(slot) {
                    kept.insert(next, 0);
                } else {
                    work.insert(next, head);
                }
                self.spent_by(steps, &kept, &work).is_none()
            });
        }
        self.widest = self.widest.max(kept.list.len() + work.list.len());
        self.now = kept;
        self.close(slot);
        if self.now.list.is_empty() {
            return Some(Ending::Illegal);
        }
        // They are moved when the next operation is called or returns.
        self.spent(&self.now, &self.now)
    }

    fn close(&mut self, slot: u32) {
        self.count(self.looking());
        self.slots[slot as usize] = None;
        self.free.push(slot);
        self.open.retain(|open| *open != slot);
        self.observers.retain(|open| *open != slot);
        for open in &self.open {
            if let Some(open) = &mut self.slots[*open as usize] {
                open.after = open.after.filter(|after| *after != slot);
            }
        }
        let classes = &mut self.classes;
        self.bound.retain(|class| {
            let after = &mut classes[*class as usize].after;
            *after = after.filter(|after| *after != slot);
            after.is_some()
        });
    }

    /// What looking over all that is open costs.
    fn looking(&self) -> u64 {
        looking_over(self.open.len())
    }

    fn count(&mut self, steps: u64) {
        self.steps += steps;
    }

    fn spent(
        &self,
        kept: &Configurations<M::State>,
        work: &Configurations<M::State>,
    ) -> Option<Ending> {
        self.spent_by(self.steps, kept, work)
    }

    /// The same, after so many steps.
    fn spent_by(
        &self,
        steps: u64,
        kept: &Configurations<M::State>,
        work: &Configurations<M::State>,
    ) -> Option<Ending> {
        if steps > self.budget.steps_max {
            return Some(Ending::OutOfSteps);
        }
        let states = (kept.list.len() + work.list.len()) as u64 * self.state_bytes;
        (states + kept.bytes() + work.bytes() > self.budget.memory_bytes_max)
            .then_some(Ending::OutOfMemory)
    }

    /// Every configuration that one more operation leads to, until `give` refuses one; how many
    /// steps there were in all, as it is told.
    fn expand(
        &self,
        one: &Configuration<M::State>,
        candidates: &[u32],
        mut give: impl FnMut(Configuration<M::State>, u64) -> bool,
    ) -> u64 {
        let (mut states, mut steps) = (Vec::new(), self.steps + self.looking());
        for slot in &self.open {
            let Some(open) = self.slots[*slot as usize].as_ref() else {
                continue;
            };
            if one.done.has(*slot) || open.after.is_some_and(|after| !one.done.has(after)) {
                continue;
            }
            steps += 1;
            self.model.step(&one.state, open.op.borrow(), &mut states);
            for state in states.drain(..) {
                let mut next = one.with(state);
                next.done.put(*slot);
                steps += self.observe(&mut next);
                if !give(next, steps) {
                    return steps;
                }
            }
        }
        for class in candidates {
            let known = &self.classes[*class as usize];
            let blocked = known.after.is_some_and(|after| !one.done.has(after));
            let used_up = planted(Defect::FrontierTakesNothingOptional);
            if used_up || blocked || one.used_of(*class) >= known.called {
                continue;
            }
            steps += 1;
            let op = known.example.borrow();
            self.model.step(&one.state, op, &mut states);
            for state in states.drain(..) {
                // What changes nothing may as well never take effect.
                if state != one.state {
                    let mut next = one.with(state);
                    next.uses(*class);
                    steps += self.observe(&mut next);
                    if !give(next, steps) {
                        return steps;
                    }
                }
            }
        }
        steps
    }

    /// Linearizes what is open and only observes, where that is legal: no order is lost by it.
    /// Says how many steps that took.
    fn observe(&self, one: &mut Configuration<M::State>) -> u64 {
        let (mut states, mut steps) = (Vec::new(), 0);
        let mut again = true;
        while again {
            again = false;
            steps += looking_over(self.observers.len());
            for slot in &self.observers {
                let Some(open) = self.slots[*slot as usize].as_ref() else {
                    continue;
                };
                let op = open.op.borrow();
                let free = open.after.is_none_or(|after| one.done.has(after));
                if one.done.has(*slot) || !free {
                    continue;
                }
                steps += 1;
                self.model.step(&one.state, op, &mut states);
                // Of a model with choices it may rule some out, which is no reason to wait.
                let legal = states.drain(..).any(|state| state == one.state);
                if legal || planted(Defect::FrontierBelievesReads) {
                    one.done.put(*slot);
                    // Another may follow it at the same instant.
                    again = true;
                }
            }
        }
        steps
    }

    /// The classes worth a try. Of a register, what sets a value that nothing open asks for can
    /// wait until something does.
    fn candidates(&self) -> Vec<u32> {
        let all = || (0..self.classes.len() as u32).collect();
        let register = matches!(
            self.kind,
            Some(ModelKind::Register | ModelKind::CasRegister | ModelKind::Map)
        );
        if !register {
            return all();
        }
        let mut wanted: Vec<&Value> = Vec::new();
        for op in self.open() {
            match (&op.op_type, op.observed().as_bool()) {
                // It needs any other value than the one that is there.
                (OpType::Cas, Some(false)) => return all(),
                (OpType::Cas, _) => wanted.extend(op.input.as_pair().map(|(from, _)| from)),
                (read, _) if read.is_read() => wanted.push(op.observed()),
                _ => {}
            }
        }
        let mut candidates: Vec<u32> = Vec::new();
        while let Some(value) = wanted.pop() {
            for class in self.setters.get(value).into_iter().flatten() {
                if !candidates.contains(class) {
                    candidates.push(*class);
                    let op = self.classes[*class as usize].example.borrow();
                    let from = op.input.as_pair().filter(|_| op.op_type == OpType::Cas);
                    let chained = from.filter(|_| !planted(Defect::FrontierForgetsChains));
                    wanted.extend(chained.map(|(from, _)| from));
                }
            }
        }
        candidates.sort_unstable();
        candidates
    }
}

/// The value that a register has after the operation took effect.
fn sets(op: &Operation) -> Option<&Value> {
    match &op.op_type {
        OpType::Cas => op.input.as_pair().map(|(_, to)| to),
        write if write.is_write() => Some(&op.input),
        _ => None,
    }
}

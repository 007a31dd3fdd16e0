//! A register with compare-and-set, whose states are the values that the history names.

use rustc_hash::FxHashMap;

use super::defect::{Defect, planted};
use super::line::Line;
use super::machine::Machine;
use super::partition::{Member, Partition};
use crate::history::OpType;
use crate::value::Value;

mod spares;

use spares::Spares;

/// What an operation does to a register.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Step {
    Read(u32),
    Write(u32),
    Cas { from: u32, to: u32 },
    Refused { from: u32 },
}

/// The one that is due sooner, by instant and member.
fn sooner(found: Option<(u64, u32)>, one: (u64, u32)) -> Option<(u64, u32)> {
    Some(found.map_or(one, |two| one.min(two)))
}

/// A register with compare-and-set. A state is the number of a value.
pub(super) struct Register<'a> {
    values: Vec<&'a Value>,
    steps: Vec<Step>,
    /// By value: operations that are certain to observe it, by their ends.
    observers: Vec<Line>,
    /// By value: operations not yet linearized that may observe it, those included.
    watchers: Vec<u32>,
    /// By value: operations that may set it, by their calls.
    setters: Vec<Line>,
    /// By member, its places in these two lines, if it stands there.
    places: Vec<(Option<u32>, Option<u32>)>,
    /// Whether some cas was refused, which observes what the value is not.
    refuses: bool,
    classes: FxHashMap<Step, u32>,
    spares: Spares,
}

impl<'a> Register<'a> {
    pub(super) fn new(partition: &Partition<'a>) -> Self {
        let mut ids: FxHashMap<&'a Value, u32> = FxHashMap::default();
        let mut values: Vec<&'a Value> = Vec::new();
        let mut id_of = |value: &'a Value| {
            *ids.entry(value).or_insert_with(|| {
                values.push(value);
                values.len() as u32 - 1
            })
        };
        id_of(&Value::Null);
        let mut steps = Vec::with_capacity(partition.members.len());
        for Member { op, .. } in &partition.members {
            steps.push(match &op.op_type {
                write if write.is_write() => Step::Write(id_of(&op.input)),
                OpType::Cas => {
                    let (from, to) = op.input.as_pair().expect("a cas was found to have a pair");
                    let (from, to) = (id_of(from), id_of(to));
                    if op.is_acknowledged() && op.observed().as_bool() == Some(false) {
                        Step::Refused { from }
                    } else {
                        Step::Cas { from, to }
                    }
                }
                _ => Step::Read(id_of(op.observed())),
            });
        }
        let refuses = steps
            .iter()
            .any(|step| matches!(step, Step::Refused { .. }));
        let line = || {
            std::iter::repeat_with(Line::default)
                .take(values.len())
                .collect()
        };
        let (observers, setters, watchers) = (line(), line(), vec![0; values.len()]);
        let places = vec![(None, None); steps.len()];
        let spares = Spares::of(partition, &steps, values.len());
        let mut register = Self {
            values,
            steps,
            observers,
            watchers,
            setters,
            places,
            refuses,
            classes: FxHashMap::default(),
            spares,
        };
        register.line_up(partition);
        register
    }

    /// Puts the operations into the lines of the values that they observe and set.
    fn line_up(&mut self, partition: &Partition<'_>) {
        let end = |member: &Member<'_>| member.op.complete_ts.unwrap_or(u64::MAX);
        let mut by_end: Vec<u32> = (0..partition.members.len() as u32).collect();
        by_end.sort_by_key(|at| end(&partition.members[*at as usize]));
        for at in by_end {
            let member = &partition.members[at as usize];
            let Some(value) = self.observed(at) else {
                continue;
            };
            self.watchers[value as usize] += 1;
            if member.certain {
                let line = &mut self.observers[value as usize];
                self.places[at as usize].0 = Some(line.push(end(member)));
            }
        }
        for (at, member) in partition.members.iter().enumerate() {
            if let Some(value) = self.set(at as u32) {
                let line = &mut self.setters[value as usize];
                self.places[at].1 = Some(line.push(member.op.invoke_ts));
            }
        }
    }

    fn observed(&self, member: u32) -> Option<u32> {
        match self.steps[member as usize] {
            Step::Read(value) | Step::Cas { from: value, .. } => Some(value),
            Step::Write(_) | Step::Refused { .. } => None,
        }
    }

    fn set(&self, member: u32) -> Option<u32> {
        match self.steps[member as usize] {
            Step::Write(value) | Step::Cas { to: value, .. } => Some(value),
            Step::Read(_) | Step::Refused { .. } => None,
        }
    }

    /// Whether the operation's response fits a value.
    fn fits(&self, member: u32, state: u32) -> bool {
        match self.steps[member as usize] {
            Step::Read(value) | Step::Cas { from: value, .. } => value == state,
            Step::Refused { from } => from != state,
            Step::Write(_) => false,
        }
    }
}

impl Machine for Register<'_> {
    fn step(&mut self, state: u32, member: u32) -> Option<u32> {
        match self.steps[member as usize] {
            Step::Read(value) => (value == state).then_some(state),
            Step::Write(value) => Some(value),
            Step::Cas { from, to } => (from == state).then_some(to),
            Step::Refused { from } => (from != state).then_some(state),
        }
    }

    /// What only observes can be moved to the front. A write of the value that is there already
    /// can not: later it may be needed to restore it. A write that nobody observes can, when
    /// nobody observes the value that it replaces either.
    fn may_come_next(&self, state: u32, member: u32, _: u32) -> bool {
        match self.steps[member as usize] {
            Step::Read(_) | Step::Refused { .. } => true,
            Step::Cas { from, to } => from == to,
            Step::Write(value) => {
                !self.refuses
                    && self.watchers[value as usize] == 0
                    && self.watchers[state as usize] == 0
            }
        }
    }

    fn class(&mut self, member: u32) -> u32 {
        let next = self.classes.len() as u32;
        *self
            .classes
            .entry(self.steps[member as usize])
            .or_insert(next)
    }

    /// What may never have taken effect is only of use if what it leaves the register with is
    /// observed next: else it can be left out. Where there are writes enough of each value that
    /// will be observed, a write does for any chain.
    fn look(&mut self, open: &[u32], now: u64) {
        let refused = |at: &u32| matches!(self.steps[*at as usize], Step::Refused { .. });
        if open.iter().any(refused) && !planted(Defect::SearchWantsTooLittle) {
            self.spares.want_all();
            return;
        }
        self.spares.want(&self.steps, open, now, self.refuses);
    }

    fn wants(&self, _: u32, member: u32) -> bool {
        let chained = matches!(self.steps[member as usize], Step::Cas { .. });
        let value = self.set(member);
        value.is_some_and(|value| self.spares.wants(value, chained))
    }

    fn linearized(&mut self, member: u32) {
        self.spares.note(member, self.steps[member as usize], true);
        let (observer, setter) = self.places[member as usize];
        if let Some(value) = self.observed(member) {
            self.watchers[value as usize] -= 1;
            let line = &mut self.observers[value as usize];
            observer.into_iter().for_each(|place| line.put(place));
        }
        if let (Some(value), Some(place)) = (self.set(member), setter) {
            self.setters[value as usize].put(place);
        }
    }

    fn undone(&mut self, member: u32) {
        self.spares.note(member, self.steps[member as usize], false);
        let (observer, setter) = self.places[member as usize];
        if let Some(value) = self.observed(member) {
            self.watchers[value as usize] += 1;
            let line = &mut self.observers[value as usize];
            observer.into_iter().for_each(|place| line.take(place));
        }
        if let (Some(value), Some(place)) = (self.set(member), setter) {
            self.setters[value as usize].take(place);
        }
    }

    /// Who has to observe the value that is left must return after it can be set again.
    fn doomed(&self, state: u32, member: u32) -> bool {
        let observes = self.observed(member) == Some(state);
        let own = self.places[member as usize].0.filter(|_| observes);
        let due = self.observers[state as usize].next(own);
        let again = || self.setters[state as usize].next(None);
        due.is_some_and(|due| again().is_none_or(|again| again > due))
    }

    fn value(&self, state: u32) -> Value {
        self.values[state as usize].clone()
    }

    fn bytes(&self) -> u64 {
        0
    }

    const GUESSES: bool = true;

    /// A cas that the value fits, since it may not come back; else the write that helps what has
    /// to return first, be it itself.
    fn guess(&self, state: u32, open: &[(u32, u64)]) -> Option<u32> {
        let (mut cas, mut write) = (None, None);
        for (member, ends) in open {
            match self.steps[*member as usize] {
                Step::Cas { from, to } if from == state && to != state => {
                    cas = sooner(cas, (*ends, *member));
                }
                Step::Write(value) if cas.is_none() => {
                    let helped = open.iter().filter(|(other, _)| self.fits(*other, value));
                    let first = helped.map(|(_, ends)| *ends).min();
                    let first = first.map_or(*ends, |first| first.min(*ends));
                    write = sooner(write, (first, *member));
                }
                _ => {}
            }
        }
        cas.or(write).map(|(_, member)| member)
    }
}

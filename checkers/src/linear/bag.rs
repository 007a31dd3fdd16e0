//! A bag whose elements do not say which addition they come from: a state is how many there are
//! of each value.
//!
//! What a removal of unknown outcome took matters only to one that found nothing later on, so
//! that it can wait until such a one comes next, and take whatever is left. An addition of unknown
//! outcome can wait until a removal comes next that does not find its value. With none left that
//! found nothing, what is added may as well be added at once.

use rustc_hash::FxHashMap;

use super::alike::Numbers;
use super::defect::{Defect, planted};
use super::machine::Machine;
use super::memory::{of_list, of_map, of_piece};
use super::partition::Partition;
use crate::models;
use crate::value::Value;

/// What an operation does to a bag.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Step {
    Add(u32),
    Take(u32),
    /// It found nothing.
    Nothing,
    /// It may have taken anything.
    Wild,
}

/// A bag. A state is the number of the counts of its values.
pub(super) struct Bag<'a> {
    values: Vec<&'a Value>,
    steps: Vec<Step>,
    states: Vec<Box<[u32]>>,
    ids: FxHashMap<Box<[u32]>, u32>,
    numbers: Numbers<Step>,
    /// By value, whether what can come next would take it.
    asked: Vec<bool>,
    /// Whether one that found nothing can come next.
    empties: bool,
    /// How many that found nothing are left.
    empties_left: usize,
    /// What the states take.
    bytes: u64,
}

impl<'a> Bag<'a> {
    pub(super) fn new(partition: &Partition<'a>) -> Self {
        let mut known: FxHashMap<&'a Value, u32> = FxHashMap::default();
        let mut values: Vec<&'a Value> = Vec::new();
        let mut number = |value: &'a Value| {
            *known.entry(value).or_insert_with(|| {
                values.push(value);
                values.len() as u32 - 1
            })
        };
        let members = partition.members.iter();
        let steps = members.map(
            |member| match (models::is_taking(member.op), member.certain) {
                (false, _) => Step::Add(number(&member.op.input)),
                (true, false) => Step::Wild,
                (true, true) if *member.op.observed() == Value::Null => Step::Nothing,
                (true, true) => Step::Take(number(member.op.observed())),
            },
        );
        let steps: Vec<Step> = steps.collect();
        let empty: Box<[u32]> = vec![0; values.len()].into();
        let nothing = steps.iter().filter(|step| **step == Step::Nothing);
        Self {
            empties_left: nothing.count(),
            asked: vec![false; values.len()],
            values,
            steps,
            ids: FxHashMap::from_iter([(empty.clone(), 0)]),
            states: vec![empty],
            numbers: Numbers::default(),
            empties: false,
            bytes: 0,
        }
    }

    /// The state in which there is one more or one less of a value.
    fn with(&mut self, state: u32, value: u32, more: bool) -> u32 {
        let mut counts = self.states[state as usize].clone();
        let count = &mut counts[value as usize];
        *count = if more { *count + 1 } else { *count - 1 };
        if let Some(known) = self.ids.get(&counts) {
            return *known;
        }
        let next = self.states.len() as u32;
        // Kept twice: by number, and by content.
        self.bytes += 2 * of_piece(size_of_val(&*counts));
        self.ids.insert(counts.clone(), next);
        self.states.push(counts);
        next
    }

    fn count(&self, state: u32, value: u32) -> u32 {
        self.states[state as usize][value as usize]
    }
}

impl Machine for Bag<'_> {
    fn step(&mut self, state: u32, member: u32) -> Option<u32> {
        match self.steps[member as usize] {
            Step::Add(value) => Some(self.with(state, value, true)),
            Step::Take(value) if self.count(state, value) == 0 => None,
            Step::Take(value) => Some(self.with(state, value, false)),
            Step::Nothing => (state == 0).then_some(state),
            Step::Wild => {
                let counts = &self.states[state as usize];
                let first = counts.iter().position(|count| *count > 0);
                let taken = first.map(|value| self.with(state, value as u32, false));
                Some(taken.unwrap_or(state))
            }
        }
    }

    fn may_come_next(&self, _: u32, member: u32, _: u32) -> bool {
        match self.steps[member as usize] {
            Step::Nothing => true,
            Step::Add(_) => self.empties_left == 0,
            Step::Take(_) | Step::Wild => false,
        }
    }

    fn class(&mut self, member: u32) -> u32 {
        self.numbers.of(self.steps[member as usize])
    }

    fn look(&mut self, open: &[u32], _: u64) {
        self.asked.fill(false);
        self.empties = false;
        for at in open {
            match self.steps[*at as usize] {
                Step::Take(value) => self.asked[value as usize] = true,
                Step::Nothing => self.empties = !planted(Defect::SearchWantsTooLittle),
                Step::Add(_) | Step::Wild => {}
            }
        }
    }

    fn wants(&self, state: u32, member: u32) -> bool {
        match self.steps[member as usize] {
            Step::Add(value) => self.asked[value as usize] && self.count(state, value) == 0,
            _ => self.empties,
        }
    }

    fn linearized(&mut self, member: u32) {
        self.empties_left -= usize::from(self.steps[member as usize] == Step::Nothing);
    }

    fn undone(&mut self, member: u32) {
        self.empties_left += usize::from(self.steps[member as usize] == Step::Nothing);
    }

    fn value(&self, state: u32) -> Value {
        let counts = self.states[state as usize].iter().zip(&self.values);
        let each = counts.flat_map(|(count, value)| (0..*count).map(|_| (*value).clone()));
        let mut all: Vec<Value> = each.collect();
        all.sort_unstable();
        Value::List(all)
    }

    fn bytes(&self) -> u64 {
        self.bytes + of_list(&self.states) + of_map(&self.ids)
    }

    const GUESSES: bool = true;

    /// Of the removals that find their value the one that is due first; else the addition that
    /// helps what is due first, be it itself.
    fn guess(&self, state: u32, open: &[(u32, u64)]) -> Option<u32> {
        let taking = open
            .iter()
            .filter(|(member, _)| match self.steps[*member as usize] {
                Step::Take(value) => self.count(state, value) > 0,
                _ => false,
            });
        let soonest = taking.min_by_key(|(member, ends)| (*ends, *member));
        if let Some((member, _)) = soonest {
            return Some(*member);
        }
        let (due, _) = open.iter().min_by_key(|(member, ends)| (*ends, *member))?;
        let helps = match self.steps[*due as usize] {
            Step::Take(value) => Step::Add(value),
            step => step,
        };
        let helping = open
            .iter()
            .filter(|(at, _)| self.steps[*at as usize] == helps);
        let first = helping.min_by_key(|(member, ends)| (*ends, *member));
        first.map(|(member, _)| *member)
    }
}

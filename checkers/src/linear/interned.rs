//! Any model, with its states as numbers and each step taken once.

use std::collections::BTreeSet;
use std::rc::Rc;

use rustc_hash::FxHashMap;

use super::machine::Machine;
use super::memory::{of_list, of_map, of_piece};
use super::partition::Partition;
use crate::history::{Completion, OpType, Operation};
use crate::models::{Looks, Model};
use crate::value::Value;

/// What a model may look at of an operation.
#[derive(PartialEq, Eq, Hash)]
struct Content<'a> {
    op_type: &'a OpType,
    input: &'a Value,
    /// None when it is not known.
    output: Option<&'a Value>,
    process_id: Option<u64>,
    row: Option<u64>,
}

/// A state is the set of all states of the model that are possible, so that a model with choices
/// is searched as one without.
pub(super) struct Interned<'a, M: Model> {
    model: &'a M,
    classes: Vec<u32>,
    /// By class, an operation of it.
    examples: Vec<&'a Operation>,
    observes: Vec<bool>,
    states: Vec<Rc<[M::State]>>,
    ids: FxHashMap<Rc<[M::State]>, u32>,
    /// By state and class, the next state; `NONE` when the operation is illegal.
    steps: Steps,
    /// What the states take.
    bytes: u64,
}

const NONE: u32 = u32::MAX;
/// A step that was not taken yet.
const UNTRIED: u32 = u32::MAX - 1;

/// Of so many classes each state has a row of all steps.
const CLASSES_MAX: usize = 64;

/// The steps that were taken.
enum Steps {
    /// A row of all classes for each state.
    Rows(usize, Vec<u32>),
    Map(FxHashMap<(u32, u32), u32>),
}

impl Steps {
    fn of(classes: usize) -> Self {
        match classes <= CLASSES_MAX {
            true => Steps::Rows(classes, Vec::new()),
            false => Steps::Map(FxHashMap::default()),
        }
    }

    fn get(&self, state: u32, class: u32) -> Option<u32> {
        match self {
            Steps::Rows(classes, rows) => {
                let place = state as usize * classes + class as usize;
                rows.get(place).copied().filter(|next| *next != UNTRIED)
            }
            Steps::Map(map) => map.get(&(state, class)).copied(),
        }
    }

    /// Notes a step.
    fn put(&mut self, state: u32, class: u32, next: u32) {
        match self {
            Steps::Rows(classes, rows) => {
                let end = (state as usize + 1) * *classes;
                if rows.len() < end {
                    rows.resize(end, UNTRIED);
                }
                rows[state as usize * *classes + class as usize] = next;
            }
            Steps::Map(map) => {
                map.insert((state, class), next);
            }
        }
    }

    fn bytes(&self) -> u64 {
        match self {
            Steps::Rows(_, rows) => of_list(rows),
            Steps::Map(map) => of_map(map),
        }
    }
}

impl<'a, M: Model> Interned<'a, M> {
    pub(super) fn new(partition: &Partition<'a>, model: &'a M) -> Self {
        let mut known: FxHashMap<Content<'a>, u32> = FxHashMap::default();
        let mut examples = Vec::new();
        let mut observes = Vec::new();
        let looks = model.looks();
        let mut classes = Vec::with_capacity(partition.members.len());
        for member in &partition.members {
            let op = member.op;
            let told = op.completion() == Completion::Acknowledged;
            let content = Content {
                op_type: &op.op_type,
                input: &op.input,
                output: told.then(|| op.observed()),
                process_id: (looks != Looks::Content).then_some(op.process_id),
                row: (looks == Looks::Row).then_some(op.op_id),
            };
            let next = examples.len() as u32;
            let class = *known.entry(content).or_insert(next);
            if class == next {
                examples.push(op);
                observes.push(told && model.observes(op));
            }
            classes.push(class);
        }
        let count = examples.len();
        let initial: Rc<[M::State]> = Rc::new([model.initial()]);
        Self {
            model,
            classes,
            examples,
            observes,
            ids: FxHashMap::from_iter([(initial.clone(), 0)]),
            states: vec![initial],
            steps: Steps::of(count),
            bytes: 0,
        }
    }

    fn take(&mut self, state: u32, class: u32) -> u32 {
        let mut all = Vec::new();
        for state in &*self.states[state as usize] {
            self.model
                .step(state, self.examples[class as usize], &mut all);
        }
        if all.is_empty() {
            return NONE;
        }
        if all.len() > 1 {
            all = BTreeSet::from_iter(all).into_iter().collect();
        }
        if let Some(known) = self.ids.get(all.as_slice()) {
            return *known;
        }
        let next = self.states.len() as u32;
        let shown = of_piece(self.model.show(&all[0]).size() as usize);
        self.bytes += all.len() as u64 * shown + of_piece(size_of_val(all.as_slice()));
        let all: Rc<[M::State]> = all.into();
        self.ids.insert(all.clone(), next);
        self.states.push(all);
        next
    }
}

impl<M: Model> Machine for Interned<'_, M> {
    fn step(&mut self, state: u32, member: u32) -> Option<u32> {
        let class = self.classes[member as usize];
        let next = match self.steps.get(state, class) {
            Some(next) => next,
            None => {
                let next = self.take(state, class);
                self.steps.put(state, class, next);
                next
            }
        };
        (next != NONE).then_some(next)
    }

    /// What observes, and rules out none of the states that are possible.
    fn may_come_next(&self, state: u32, member: u32, next: u32) -> bool {
        let class = self.classes[member as usize];
        next == state && self.observes[class as usize]
    }

    fn class(&mut self, member: u32) -> u32 {
        self.classes[member as usize]
    }

    fn value(&self, state: u32) -> Value {
        match &*self.states[state as usize] {
            [one] => self.model.show(one),
            many => Value::List(many.iter().map(|state| self.model.show(state)).collect()),
        }
    }

    fn bytes(&self) -> u64 {
        self.bytes + of_list(&self.states) + of_map(&self.ids) + self.steps.bytes()
    }
}

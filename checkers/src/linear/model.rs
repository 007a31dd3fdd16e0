//! Sequential objects as the search sees them: operations and states are numbers.

use rustc_hash::FxHashMap;

use super::partition::{Member, Partition};
use crate::history::{OpType, Operation};
use crate::value::Value;

/// A sequential object over the operations of one partition. State 0 is the initial one.
///
/// `member` is the place of the operation in the partition.
pub(super) trait Model {
    /// The state after the operation, or none when its response is illegal in `state`.
    fn step(&mut self, state: u32, member: u32) -> Option<u32>;

    /// Whether the operation, which is legal in `state`, may as well come next: whether any
    /// linearization of what remains can be reordered to one that begins with it.
    fn may_come_next(&self, state: u32, member: u32) -> bool;

    /// Takes note that the operation was linearized.
    fn linearized(&mut self, member: u32);

    /// Takes back [`Model::linearized`].
    fn undone(&mut self, member: u32);

    /// Whether linearizing `member`, which goes from `state` to another, can not be part of any
    /// whole linearization, because what remains needs `state` and can not get it again.
    fn doomed(&self, state: u32, member: u32) -> bool;

    /// The state as a value, for the reader.
    fn value(&self, state: u32) -> Value;

    /// Roughly what the states that the search came to occupy, bytes.
    fn bytes(&self) -> u64;
}

/// What an operation does to a register.
#[derive(Clone, Copy)]
enum Step {
    Read(u32),
    Write(u32),
    Cas { from: u32, to: u32 },
    Refused { from: u32 },
}

/// A register with compare-and-set. A state is the number of a value.
pub(super) struct Register<'a> {
    values: Vec<&'a Value>,
    steps: Vec<Step>,
    /// Whether the operation is certain to be in the linearization.
    certain: Vec<bool>,
    /// By value: operations not yet linearized that are certain to observe it.
    observers: Vec<u32>,
    /// By value: operations not yet linearized that may observe it, those included.
    watchers: Vec<u32>,
    /// By value: operations not yet linearized that may set it.
    setters: Vec<u32>,
    /// Whether some cas was refused, which observes what the value is not.
    refuses: bool,
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
            steps.push(match op.op_type {
                OpType::Write => Step::Write(id_of(&op.input)),
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
        let certain = partition
            .members
            .iter()
            .map(|member| member.certain)
            .collect();
        let refuses = steps
            .iter()
            .any(|step| matches!(step, Step::Refused { .. }));
        let none = vec![0; values.len()];
        let (observers, watchers, setters) = (none.clone(), none.clone(), none);
        let mut register = Self {
            values,
            steps,
            certain,
            observers,
            watchers,
            setters,
            refuses,
        };
        (0..register.steps.len()).for_each(|member| register.undone(member as u32));
        register
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
}

impl Model for Register<'_> {
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
    fn may_come_next(&self, state: u32, member: u32) -> bool {
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

    fn linearized(&mut self, member: u32) {
        if let Some(value) = self.observed(member) {
            self.watchers[value as usize] -= 1;
            self.observers[value as usize] -= u32::from(self.certain[member as usize]);
        }
        if let Some(value) = self.set(member) {
            self.setters[value as usize] -= 1;
        }
    }

    fn undone(&mut self, member: u32) {
        if let Some(value) = self.observed(member) {
            self.watchers[value as usize] += 1;
            self.observers[value as usize] += u32::from(self.certain[member as usize]);
        }
        if let Some(value) = self.set(member) {
            self.setters[value as usize] += 1;
        }
    }

    fn doomed(&self, state: u32, member: u32) -> bool {
        let own = self.certain[member as usize] && self.observed(member) == Some(state);
        let own = u32::from(own);
        self.setters[state as usize] == 0 && self.observers[state as usize] > own
    }

    fn value(&self, state: u32) -> Value {
        self.values[state as usize].clone()
    }

    fn bytes(&self) -> u64 {
        0
    }
}

/// What an operation does to a log.
#[derive(Clone, Copy)]
enum LogStep {
    /// A read of the list that is this state.
    Read(u32),
    /// An append of this element, at this index if the response says so.
    Append { element: u32, index: Option<u32> },
}

/// An append-only list. A state is a node of a trie: its parent with one more element.
pub(super) struct Log<'a> {
    elements: Vec<&'a Value>,
    steps: Vec<LogStep>,
    /// By state: parent, last element, length.
    nodes: Vec<(u32, u32, u32)>,
    children: FxHashMap<(u32, u32), u32>,
    /// The states that the reads of the history name.
    given: usize,
    /// By length: reads of a list of that length that are not yet linearized.
    reads: Vec<u32>,
    /// All of these together.
    pending: u32,
    /// Whether some append was acknowledged with its index.
    indexed: bool,
    /// The longest list read, on which every state must lie until it is read.
    spine: Vec<u32>,
}

impl<'a> Log<'a> {
    pub(super) fn new(partition: &Partition<'a>) -> Self {
        let mut ids: FxHashMap<&'a Value, u32> = FxHashMap::default();
        let mut log = Self {
            elements: Vec::new(),
            steps: Vec::with_capacity(partition.members.len()),
            nodes: vec![(0, 0, 0)],
            children: FxHashMap::default(),
            given: 0,
            reads: vec![0],
            pending: 0,
            indexed: false,
            spine: Vec::new(),
        };
        for Member { op, .. } in &partition.members {
            let step = log.step_of(op, &mut ids);
            log.steps.push(step);
        }
        (0..log.steps.len()).for_each(|member| log.undone(member as u32));
        log.given = log.nodes.len();
        log
    }

    fn step_of(&mut self, op: &'a Operation, ids: &mut FxHashMap<&'a Value, u32>) -> LogStep {
        let elements = &mut self.elements;
        let mut id_of = |value: &'a Value| {
            *ids.entry(value).or_insert_with(|| {
                elements.push(value);
                elements.len() as u32 - 1
            })
        };
        if op.op_type == OpType::Append {
            let index = op.output.as_ref().filter(|_| op.is_acknowledged());
            // An index that no list can have is one that no state satisfies.
            let index = index
                .and_then(Value::as_int)
                .map(|index| u32::try_from(index).unwrap_or(u32::MAX));
            self.indexed |= index.is_some();
            return LogStep::Append {
                element: id_of(&op.input),
                index,
            };
        }
        let list: Vec<u32> = op
            .observed()
            .as_list()
            .unwrap_or(&[])
            .iter()
            .map(&mut id_of)
            .collect();
        let node = list
            .iter()
            .fold(0, |node, element| self.child(node, *element));
        if list.len() > self.spine.len() {
            self.reads.resize(list.len() + 1, 0);
            self.spine = list;
        }
        LogStep::Read(node)
    }

    fn child(&mut self, node: u32, element: u32) -> u32 {
        let next = self.nodes.len() as u32;
        let child = *self.children.entry((node, element)).or_insert(next);
        if child == next {
            let length = self.nodes[node as usize].2 + 1;
            self.nodes.push((node, element, length));
        }
        child
    }

    fn length(&self, node: u32) -> usize {
        self.nodes[node as usize].2 as usize
    }
}

impl Model for Log<'_> {
    fn step(&mut self, state: u32, member: u32) -> Option<u32> {
        match self.steps[member as usize] {
            LogStep::Read(node) => (node == state).then_some(state),
            LogStep::Append { element, index } => {
                let legal = index.is_none_or(|index| index as usize == self.length(state));
                legal.then(|| self.child(state, element))
            }
        }
    }

    /// A legal read can be moved to the front, and so can any append once nobody reads.
    fn may_come_next(&self, _: u32, member: u32) -> bool {
        let unobserved = self.pending == 0 && !self.indexed;
        unobserved || matches!(self.steps[member as usize], LogStep::Read(_))
    }

    fn linearized(&mut self, member: u32) {
        if let LogStep::Read(node) = self.steps[member as usize] {
            let length = self.length(node);
            self.reads[length] -= 1;
            self.pending -= 1;
        }
    }

    fn undone(&mut self, member: u32) {
        if let LogStep::Read(node) = self.steps[member as usize] {
            let length = self.length(node);
            self.reads[length] += 1;
            self.pending += 1;
        }
    }

    fn doomed(&self, state: u32, member: u32) -> bool {
        let LogStep::Append { element, .. } = self.steps[member as usize] else {
            return false;
        };
        let length = self.length(state);
        let unread = self.reads.get(length).is_some_and(|reads| *reads > 0);
        unread || self.spine.get(length).is_some_and(|next| *next != element)
    }

    fn value(&self, state: u32) -> Value {
        let mut list = Vec::new();
        let mut node = state;
        while node != 0 {
            let (parent, element, _) = self.nodes[node as usize];
            list.push(self.elements[element as usize].clone());
            node = parent;
        }
        list.reverse();
        Value::List(list)
    }

    fn bytes(&self) -> u64 {
        // A node, and an entry of the map of children at its load factor.
        (self.nodes.len() - self.given) as u64 * 40
    }
}

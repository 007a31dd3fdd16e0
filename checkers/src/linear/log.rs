//! An append-only list, or a text of known pieces, whose states are nodes of a trie.

use rustc_hash::FxHashMap;

use super::machine::Machine;
use super::memory::{of_list, of_map};
use super::monitor::text::{Parsed, Pieces};
use super::partition::{Member, Partition};
use crate::history::{OpType, Operation};
use crate::value::Value;

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
    /// What the states take that the reads of the history name.
    given: u64,
    /// By length: reads of a list of that length that are not yet linearized.
    reads: Vec<u32>,
    /// All of these together.
    pending: u32,
    /// Whether some append was acknowledged with its index.
    indexed: bool,
    /// The longest list read, on which every state must lie until it is read.
    spine: Vec<u32>,
    /// Whether the list is told as a text.
    is_text: bool,
}

impl<'a> Log<'a> {
    pub(super) fn new(partition: &Partition<'a>) -> Self {
        let mut ids: FxHashMap<&'a Value, u32> = FxHashMap::default();
        let mut log = Self::empty(false);
        for Member { op, .. } in &partition.members {
            let step = log.step_of(op, &mut ids);
            log.steps.push(step);
        }
        log.begun()
    }

    /// A text that is appended to and read, if what was read can be cut into what was appended in
    /// one way only.
    pub(super) fn of_text(partition: &Partition<'a>) -> Option<Self> {
        let reads = |op: &Operation| op.op_type.is_read();
        let members = &partition.members;
        if !members
            .iter()
            .all(|one| reads(one.op) || one.op.op_type == OpType::Append)
        {
            return None;
        }
        let pieces = Pieces::of(partition)?;
        let mut log = Self::empty(true);
        // An element that nobody appends.
        log.elements.push(&Value::Null);
        log.elements
            .extend(members.iter().map(|member| &member.op.input));
        for Member { op, .. } in members {
            let step = match reads(op) {
                false => LogStep::Append {
                    element: pieces.number(&op.input)?,
                    index: None,
                },
                true => match pieces.parse(op.observed()) {
                    Parsed::Pieces(list) => log.read_of(list),
                    Parsed::Phantom => log.read_of(vec![0]),
                    Parsed::Ambiguous => return None,
                },
            };
            log.steps.push(step);
        }
        Some(log.begun())
    }

    fn empty(is_text: bool) -> Self {
        Self {
            elements: Vec::new(),
            steps: Vec::new(),
            nodes: vec![(0, 0, 0)],
            children: FxHashMap::default(),
            given: 0,
            reads: vec![0],
            pending: 0,
            indexed: false,
            spine: Vec::new(),
            is_text,
        }
    }

    /// All operations are known, and none is linearized.
    fn begun(mut self) -> Self {
        (0..self.steps.len()).for_each(|member| self.undone(member as u32));
        self.given = of_list(&self.nodes) + of_map(&self.children);
        self
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
        self.read_of(list)
    }

    fn read_of(&mut self, list: Vec<u32>) -> LogStep {
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

impl Machine for Log<'_> {
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
    fn may_come_next(&self, _: u32, member: u32, _: u32) -> bool {
        let unobserved = self.pending == 0 && !self.indexed;
        unobserved || matches!(self.steps[member as usize], LogStep::Read(_))
    }

    /// By element; an append that is not certain has no index.
    fn class(&mut self, member: u32) -> u32 {
        match self.steps[member as usize] {
            LogStep::Append { element, .. } => element,
            LogStep::Read(_) => u32::MAX,
        }
    }

    fn alike(&mut self, member: u32) -> Option<u32> {
        match self.steps[member as usize] {
            LogStep::Append { element, index } => index.is_none().then_some(element),
            LogStep::Read(_) => None,
        }
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
        match self.is_text {
            true => Value::from(list.iter().filter_map(Value::as_text).collect::<String>()),
            false => Value::List(list),
        }
    }

    fn bytes(&self) -> u64 {
        (of_list(&self.nodes) + of_map(&self.children)).saturating_sub(self.given)
    }
}

//! Which nodes stand still, and the turns of their tasks that came meanwhile.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use crate::ids::NodeId;
use crate::policy::Ready;

/// A node that stands still.
struct Pause<T> {
    /// By how many faults.
    count: u32,
    /// In the order in which their turns came.
    held: Vec<T>,
}

/// Of every node that stands still.
pub(crate) struct Pauses<T> {
    any: Cell<bool>,
    nodes: RefCell<BTreeMap<NodeId, Pause<T>>>,
}

impl<T> Default for Pauses<T> {
    fn default() -> Self {
        Self {
            any: Cell::new(false),
            nodes: RefCell::default(),
        }
    }
}

impl<T: Ready> Pauses<T> {
    #[inline]
    pub(crate) const fn are_none(&self) -> bool {
        !self.any.get()
    }

    pub(crate) fn is_on(&self, node: NodeId) -> bool {
        self.nodes.borrow().contains_key(&node)
    }

    pub(crate) fn begin(&self, node: NodeId) {
        let mut nodes = self.nodes.borrow_mut();
        let none = || Pause {
            count: 0,
            held: Vec::new(),
        };
        nodes.entry(node).or_insert_with(none).count += 1;
        self.any.set(true);
    }

    /// Holds a task whose node stands still; gives back one whose node does not.
    pub(crate) fn pass(&self, task: T) -> Option<T> {
        match self.nodes.borrow_mut().get_mut(&task.node()) {
            Some(pause) => {
                pause.held.push(task);
                None
            }
            None => Some(task),
        }
    }

    /// Ends one of a node's pauses; gives back what was held, if it was the last.
    pub(crate) fn end(&self, node: NodeId) -> Vec<T> {
        let mut nodes = self.nodes.borrow_mut();
        match nodes.get_mut(&node) {
            Some(pause) if pause.count > 1 => {
                pause.count -= 1;
                Vec::new()
            }
            _ => self.take(&mut nodes, node),
        }
    }

    pub(crate) fn end_all(&self, node: NodeId) -> Vec<T> {
        self.take(&mut self.nodes.borrow_mut(), node)
    }

    fn take(&self, nodes: &mut BTreeMap<NodeId, Pause<T>>, node: NodeId) -> Vec<T> {
        let pause = nodes.remove(&node);
        self.any.set(!nodes.is_empty());
        pause.map_or_else(Vec::new, |pause| pause.held)
    }

    /// Ends every pause there is.
    pub(crate) fn end_each(&self) -> Vec<T> {
        self.any.set(false);
        let nodes = self.nodes.take();
        nodes.into_values().flat_map(|pause| pause.held).collect()
    }
}

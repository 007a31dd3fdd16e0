//! The clocks of every node, and who saw that they are wrong.

use std::cell::{Cell, RefCell};

use super::GuestClock;
use super::course::Effect;
use super::node::NodeClock;
use crate::ids::{FaultId, NodeId};
use crate::world::World;

/// How many reads, or timers, are told to the ledger at a time, after the first.
const REPORTED_AT_ONCE: u64 = 256;

const READS: &str = "clock-reads-skewed";
const TIMERS: &str = "timers-shifted";

/// By node. Empty until a clock is first touched.
#[derive(Default)]
pub(crate) struct Clocks {
    nodes: RefCell<Vec<NodeClock>>,
    skewed: Cell<bool>,
}

/// What the ledger is to be told of a fault: a counter, how many more, and whether it is news.
type News = (FaultId, u64, bool);

impl Clocks {
    /// Whether every node's clocks show virtual time.
    #[inline]
    pub(crate) const fn are_right(&self) -> bool {
        !self.skewed.get()
    }

    pub(crate) fn ahead(&self, node: NodeId, clock: GuestClock, now: u64) -> i64 {
        let Ok(nodes) = self.nodes.try_borrow() else {
            return 0;
        };
        let node = nodes.get(node.0 as usize);
        node.map_or(0, |node| node.ahead(clock, now))
    }

    pub(super) fn virtual_at(&self, node: NodeId, shown: u64) -> u64 {
        let nodes = self.nodes.borrow();
        let node = nodes.get(node.0 as usize);
        node.map_or(shown, |node| node.virtual_at(shown))
    }

    /// Changes a node's clocks; gives back what they were and what they are, unless nothing was
    /// ever wrong with them.
    pub(super) fn change(
        &self,
        node: NodeId,
        now: u64,
        change: impl FnOnce(&mut NodeClock),
    ) -> Option<(NodeClock, NodeClock)> {
        let mut nodes = self.nodes.borrow_mut();
        let index = node.0 as usize;
        if nodes.len() <= index {
            nodes.resize_with(index + 1, NodeClock::default);
        }
        let mut before = nodes[index].clone();
        before.settle(now);
        change(&mut nodes[index]);
        let after = nodes[index].clone();
        self.skewed.set(!nodes.iter().all(NodeClock::is_right));
        (!before.is_right() || !after.is_right()).then_some((before, after))
    }

    /// The nodes whose clocks are wrong.
    pub(super) fn changed(&self) -> Vec<NodeId> {
        let nodes = self.nodes.borrow();
        let wrong = nodes
            .iter()
            .enumerate()
            .filter(|(_, node)| !node.is_right());
        wrong.map(|(index, _)| NodeId(index as u32)).collect()
    }

    /// How far ahead the running node's clock is, now that the guest reads it.
    #[cold]
    pub(crate) fn read(&self, world: &World, clock: GuestClock) -> i64 {
        let now = world.now().as_nanos();
        let node = world.current_node();
        let mut news: Vec<News> = Vec::new();
        let ahead = {
            // A hook may be called in the middle of anything.
            let Ok(mut nodes) = self.nodes.try_borrow_mut() else {
                return 0;
            };
            let Some(node) = nodes.get_mut(node.0 as usize) else {
                return 0;
            };
            let mut is_last = false;
            for effect in node.seen(clock, now) {
                effect.reads += 1;
                is_last |= effect.is_over;
                let is_first = !std::mem::replace(&mut effect.is_read, true);
                if is_first || effect.is_over || effect.reads >= REPORTED_AT_ONCE {
                    news.push((effect.fault, std::mem::take(&mut effect.reads), is_first));
                }
            }
            let ahead = node.ahead(clock, now);
            if is_last {
                node.forget();
            }
            ahead
        };
        let say = || {
            format!(
                "{} read a clock that was {ahead} ns ahead",
                world.node(node).name
            )
        };
        tell(world, READS, &news, say);
        ahead
    }

    /// Timers of a node were moved by what is wrong with its clocks.
    pub(super) fn count_timers(&self, world: &World, node: NodeId, n: u64) {
        let mut news: Vec<News> = Vec::new();
        if n == 0 {
            return;
        }
        if let Some(clock) = self.nodes.borrow_mut().get_mut(node.0 as usize) {
            for effect in clock.moving() {
                effect.timers += n;
                let is_first = !std::mem::replace(&mut effect.is_timed, true);
                if is_first || effect.timers >= REPORTED_AT_ONCE {
                    news.push((effect.fault, std::mem::take(&mut effect.timers), is_first));
                }
            }
        }
        tell(world, TIMERS, &news, || world.at_node(node));
    }

    /// What the ledger does not know yet, by counter.
    pub(super) fn unreported(&self, node: NodeId, fault: FaultId) -> Vec<(&'static str, u64)> {
        let mut found = Vec::new();
        let mut nodes = self.nodes.borrow_mut();
        let node = nodes.get_mut(node.0 as usize);
        let take = |effect: &mut Effect| {
            [
                (READS, std::mem::take(&mut effect.reads)),
                (TIMERS, std::mem::take(&mut effect.timers)),
            ]
        };
        if let Some(node) = node {
            found.extend(node.effects_of(fault).flat_map(take));
        }
        found.retain(|(_, n)| *n > 0);
        found
    }
}

/// Enters into the ledger what was seen.
fn tell(world: &World, counter: &str, news: &[News], say: impl Fn() -> String) {
    for (fault, n, is_first) in news {
        world.ledger().inject(*fault, counter, *n, &say);
        if *is_first {
            world.ledger().observe(*fault, counter, &say);
        }
    }
}

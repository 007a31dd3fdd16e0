//! The search for a linearization: Wing and Gong's, with Lowe's memory of configurations.
//!
//! Wing, Gong: *Testing and verifying concurrent objects* (1993); Lowe: *Testing for
//! linearizability* (2017). Depth first over "which operation took effect next", on an explicit
//! stack. Three things keep it near linear on histories with unique values:
//!
//! - An operation that may as well come next, such as a legal read, is taken at once, and alone.
//! - Operations that may never have taken effect are tried last.
//! - A choice after which some remaining operation can no longer be explained is not made.

use super::entries::{Entries, Side};
use super::model::Model;
use super::partition::Partition;
use super::visited::Visited;
use crate::report::Budget;

/// How a search ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// There is a linearization.
    Legal,
    /// There is none.
    Illegal,
    /// The steps were spent.
    OutOfSteps,
    /// The memory was spent.
    OutOfMemory,
}

/// What a search found.
pub(super) struct Found {
    pub(super) ending: Ending,
    pub(super) steps: u64,
    /// The linearization, in members, if there is one.
    pub(super) order: Vec<u32>,
    /// The state after it.
    pub(super) state: u32,
}

/// One operation on the stack.
#[derive(Clone, Copy)]
struct Frame {
    member: u32,
    /// The state before it.
    state: u32,
    side: Side,
    /// Whether there was nothing else to try.
    forced: bool,
}

/// Where to look for the next operation.
#[derive(Clone, Copy)]
enum Cursor {
    /// A configuration that was not looked at yet.
    Fresh,
    /// At this entry of the list, if any is left.
    At(Side, Option<u32>),
}

struct Search<'a, M> {
    partition: &'a Partition<'a>,
    model: &'a mut M,
    entries: Entries,
    visited: Visited,
    stack: Vec<Frame>,
    state: u32,
    /// Certain members still to be linearized.
    missing: usize,
    steps: u64,
}

/// Searches one partition.
pub(super) fn search<M: Model>(partition: &Partition<'_>, model: &mut M, budget: &Budget) -> Found {
    let missing = partition
        .members
        .iter()
        .filter(|member| member.certain)
        .count();
    let mut search = Search {
        partition,
        model,
        entries: Entries::new(partition),
        visited: Visited::new(partition),
        stack: Vec::new(),
        state: 0,
        missing,
        steps: 0,
    };
    let ending = search.run(budget);
    let Search {
        steps,
        stack,
        state,
        ..
    } = search;
    Found {
        ending,
        steps,
        order: stack.iter().map(|frame| frame.member).collect(),
        state,
    }
}

impl<M: Model> Search<'_, M> {
    fn run(&mut self, budget: &Budget) -> Ending {
        let mut cursor = Cursor::Fresh;
        while self.missing > 0 {
            if self.steps > budget.steps_max {
                return Ending::OutOfSteps;
            }
            if self.visited.bytes() + self.model.bytes() > budget.memory_bytes_max {
                return Ending::OutOfMemory;
            }
            if self.advance(cursor) {
                cursor = Cursor::Fresh;
                continue;
            }
            cursor = loop {
                let Some(frame) = self.stack.pop() else {
                    return Ending::Illegal;
                };
                self.undo(frame);
                if !frame.forced {
                    let at = self.entries.call_of(frame.member);
                    break Cursor::At(frame.side, self.entries.following(at));
                }
            };
        }
        Ending::Legal
    }

    /// Linearizes one more operation, the first that can be from `cursor` on.
    fn advance(&mut self, cursor: Cursor) -> bool {
        let (side, mut at) = match cursor {
            Cursor::Fresh => {
                if self.advance_at_once() {
                    return true;
                }
                (Side::Certain, self.entries.first(Side::Certain))
            }
            Cursor::At(side, at) => (side, at),
        };
        if side == Side::Certain {
            while let Some(entry_at) = at {
                let entry = self.entries.get(entry_at);
                if entry.is_return {
                    break;
                }
                if self.try_member(entry.member, Side::Certain) {
                    return true;
                }
                at = self.entries.following(entry_at);
            }
            at = self.entries.first(Side::Possible);
        }
        let horizon = self.horizon();
        while let Some(entry_at) = at {
            if entry_at > horizon {
                break;
            }
            if self.try_member(self.entries.get(entry_at).member, Side::Possible) {
                return true;
            }
            at = self.entries.following(entry_at);
        }
        false
    }

    /// The entry of the first return: what is called after it can not come next.
    fn horizon(&mut self) -> u32 {
        let mut at = self.entries.first(Side::Certain);
        while let Some(entry_at) = at {
            if self.entries.get(entry_at).is_return {
                return entry_at;
            }
            at = self.entries.following(entry_at);
        }
        u32::MAX
    }

    /// Linearizes an operation that is legal and may as well come next, if there is one.
    fn advance_at_once(&mut self) -> bool {
        let mut at = self.entries.first(Side::Certain);
        while let Some(entry_at) = at {
            let entry = self.entries.get(entry_at);
            if entry.is_return {
                return false;
            }
            self.steps += 1;
            if self.model.may_come_next(self.state, entry.member)
                && self.is_free(entry.member)
                && let Some(next) = self.model.step(self.state, entry.member)
            {
                self.visited.flip(entry.member);
                self.push(entry.member, next, Side::Certain, true);
                return true;
            }
            at = self.entries.following(entry_at);
        }
        false
    }

    /// Linearizes a member if that is legal and leads somewhere new.
    fn try_member(&mut self, member: u32, side: Side) -> bool {
        self.steps += 1;
        if !self.is_free(member) {
            return false;
        }
        let Some(next) = self.model.step(self.state, member) else {
            return false;
        };
        if next == self.state {
            // It may as well take effect later, or never.
            if side == Side::Possible {
                return false;
            }
        } else if self.model.doomed(self.state, member) {
            return false;
        }
        self.visited.flip(member);
        if self.missing > 1 || side == Side::Possible {
            let first = self.first_missing(member);
            if !self.visited.insert(first, next) {
                self.visited.flip(member);
                return false;
            }
        }
        self.push(member, next, side, false);
        true
    }

    /// The first certain member that is missing once `but` is linearized.
    fn first_missing(&self, but: u32) -> u32 {
        let mut at = self.entries.first(Side::Certain);
        loop {
            let entry_at = at.expect("a certain member is missing");
            let entry = self.entries.get(entry_at);
            if !entry.is_return && entry.member != but {
                return entry.member;
            }
            at = self.entries.following(entry_at);
        }
    }

    /// Whether program order lets the member come next.
    fn is_free(&self, member: u32) -> bool {
        let after = self.partition.members[member as usize].after;
        after.is_none_or(|before| self.visited.is_done(before))
    }

    fn push(&mut self, member: u32, next: u32, side: Side, forced: bool) {
        self.entries.lift(member);
        self.model.linearized(member);
        self.missing -= usize::from(side == Side::Certain);
        self.stack.push(Frame {
            member,
            state: self.state,
            side,
            forced,
        });
        self.state = next;
    }

    fn undo(&mut self, frame: Frame) {
        self.state = frame.state;
        self.missing += usize::from(frame.side == Side::Certain);
        self.model.undone(frame.member);
        self.entries.unlift(frame.member);
        self.visited.flip(frame.member);
    }
}

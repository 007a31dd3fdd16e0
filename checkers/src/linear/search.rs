//! The search for a linearization: Wing and Gong's, with Lowe's memory of configurations.
//!
//! Wing, Gong: *Testing and verifying concurrent objects* (1993); Lowe: *Testing for
//! linearizability* (2017). Depth first over "which operation took effect next", on an explicit
//! stack. Three things keep it near linear on histories with unique values:
//!
//! - An operation that is legal and can only observe is taken at once, and alone: in any
//!   linearization it could be moved to here. (A write of the value that is there already is
//!   another matter: later it may be needed to restore it.)
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
    /// The longest linearization, in members.
    pub(super) prefix: Vec<u32>,
    /// The state after it.
    pub(super) state: u32,
    /// Certain members that could have come next by real time, of which none could.
    pub(super) blocked: Vec<u32>,
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
    /// Whether to refuse doomed choices. The verdict is the same; without it the longest prefix
    /// runs into the contradiction instead of stopping where it becomes inevitable.
    prune: bool,
    entries: Entries,
    visited: Visited,
    stack: Vec<Frame>,
    state: u32,
    /// Certain members still to be linearized.
    missing: usize,
    steps: u64,
    best: Best,
}

/// The longest linearization so far.
struct Best {
    missing: usize,
    prefix: Vec<u32>,
    state: u32,
    /// How much of `prefix` is still what the stack holds.
    shared: usize,
}

/// Searches one partition.
pub(super) fn search<M: Model>(
    partition: &Partition<'_>,
    model: &mut M,
    prune: bool,
    budget: &Budget,
) -> Found {
    let missing = partition
        .members
        .iter()
        .filter(|member| member.is_certain())
        .count();
    let mut search = Search {
        partition,
        model,
        prune,
        entries: Entries::new(partition),
        visited: Visited::new(partition),
        stack: Vec::new(),
        state: 0,
        missing,
        steps: 0,
        best: Best {
            missing: usize::MAX,
            prefix: Vec::new(),
            state: 0,
            shared: 0,
        },
    };
    let ending = search.run(budget);
    search.keep_best();
    search.found(ending)
}

impl<M: Model> Search<'_, M> {
    fn run(&mut self, budget: &Budget) -> Ending {
        let mut cursor = Cursor::Fresh;
        while self.missing > 0 {
            if self.steps > budget.steps_max {
                return Ending::OutOfSteps;
            }
            if self.visited.bytes() > budget.memory_bytes_max {
                return Ending::OutOfMemory;
            }
            if self.advance(cursor) {
                cursor = Cursor::Fresh;
                continue;
            }
            self.keep_best();
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

    /// Linearizes an operation that is legal and can only observe, if there is one.
    fn advance_at_once(&mut self) -> bool {
        let mut at = self.entries.first(Side::Certain);
        while let Some(entry_at) = at {
            let entry = self.entries.get(entry_at);
            if entry.is_return {
                return false;
            }
            self.steps += 1;
            if self.model.only_observes(entry.member)
                && self.is_free(entry.member)
                && self.model.step(self.state, entry.member).is_some()
            {
                self.visited.flip(entry.member);
                self.push(entry.member, self.state, Side::Certain, true);
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
        } else if self.prune && self.model.doomed(self.state, member) {
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
        self.best.shared = self.best.shared.min(self.stack.len());
        self.state = frame.state;
        self.missing += usize::from(frame.side == Side::Certain);
        self.model.undone(frame.member);
        self.entries.unlift(frame.member);
        self.visited.flip(frame.member);
    }

    /// Keeps what the stack holds if it is the longest so far.
    fn keep_best(&mut self) {
        if self.missing >= self.best.missing {
            return;
        }
        let best = &mut self.best;
        best.prefix.truncate(best.shared);
        best.prefix
            .extend(self.stack[best.shared..].iter().map(|frame| frame.member));
        best.shared = best.prefix.len();
        best.missing = self.missing;
        best.state = self.state;
    }

    fn found(self, ending: Ending) -> Found {
        let Best { prefix, state, .. } = self.best;
        let mut blocked = Vec::new();
        if ending == Ending::Illegal {
            let mut done = vec![false; self.partition.members.len()];
            prefix
                .iter()
                .for_each(|member| done[*member as usize] = true);
            let missing = |(index, _): &(usize, &super::partition::Member<'_>)| !done[*index];
            let certain = || {
                let members = self.partition.members.iter().enumerate().filter(missing);
                members.filter(|(_, member)| member.is_certain())
            };
            let first_return = certain()
                .filter_map(|(_, member)| member.op.complete_ts)
                .min();
            blocked = certain()
                .filter(|(_, member)| Some(member.op.invoke_ts) <= first_return)
                .filter(|(_, member)| member.after.is_none_or(|before| done[before as usize]))
                .map(|(index, _)| index as u32)
                .collect();
        }
        Found {
            ending,
            steps: self.steps,
            prefix,
            state,
            blocked,
        }
    }
}

//! The search for a linearization: Wing and Gong's, with Lowe's memory of configurations.
//!
//! Wing, Gong: *Testing and verifying concurrent objects* (1993); Lowe: *Testing for
//! linearizability* (2017). Depth first over "which operation took effect next", on an explicit
//! stack. What keeps it small:
//!
//! - An operation that may as well come next, such as a legal read, is taken at once, and alone.
//! - Operations that may never have taken effect are tried last; of those that do the same, the
//!   first called is taken first, and of two configurations the one that has used fewer is kept.
//! - Of operations that do the same, the one that is due first goes first.
//! - What nobody would observe of what may never have taken effect is left out.
//! - A choice after which some remaining operation can no longer be explained is not made.
//! - What the object's own guess says is tried first, while that has not led astray for long.

use super::alike::Alike;
use super::defect::{Defect, planted};
use super::entries::Entries;
use super::machine::Machine;
use super::memory::MORE;
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

impl Ending {
    /// What of a budget was spent, if that ended it.
    pub(super) fn spent(self, budget: &Budget) -> Option<String> {
        match self {
            Ending::Legal | Ending::Illegal => None,
            Ending::OutOfSteps => Some(format!("{} steps", budget.steps_max)),
            Ending::OutOfMemory => Some(format!("{} bytes of memory", budget.memory_bytes_max)),
        }
    }
}

/// What a search found.
pub(super) struct Found {
    pub(super) ending: Ending,
    pub(super) steps: u64,
    /// The linearization, in members; without one, the longest that was tried.
    pub(super) order: Vec<u32>,
    /// The state after the linearization.
    pub(super) state: u32,
}

/// One operation on the stack.
#[derive(Clone, Copy)]
struct Frame {
    member: u32,
    /// The state before it.
    state: u32,
    /// Its class, when it is not certain.
    class: Option<u32>,
    choice: Choice,
}

/// Why an operation was taken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Choice {
    /// There was nothing else to try.
    Forced,
    /// It was guessed, out of turn.
    Guess,
    /// It was its turn.
    Turn,
}

/// Where to look for the next operation.
#[derive(Clone, Copy)]
enum Cursor {
    /// A configuration that was not looked at yet.
    Fresh,
    /// At this entry of the list of the certain ones, if any is left.
    Certain(Option<u32>),
    /// At this class of the others.
    Class(u32),
}

/// Operations that may never have taken effect and do the same, by call.
struct Class {
    members: Vec<u32>,
    /// Certain members of this number do the same.
    alike: u32,
}

struct Search<'a, M> {
    partition: &'a Partition<'a>,
    machine: &'a mut M,
    entries: Entries,
    visited: Visited,
    classes: Vec<Class>,
    alike: Alike,
    stack: Vec<Frame>,
    /// The longest stack so far, and how much of it the stack still shares.
    deepest: Vec<u32>,
    shared: usize,
    state: u32,
    /// Certain members still to be linearized.
    missing: usize,
    steps: u64,
    /// The members that can come next, with the instants at which they return.
    open: Vec<(u32, u64)>,
    /// What the certain members that can come next do, by number.
    doing: Vec<u32>,
    /// These members.
    callable: Vec<u32>,
    bytes_max: u64,
    /// Whether what is kept took more than that.
    is_full: bool,
}

/// Steps within which guesses are made. A history that took so many has no order, or hides it
/// where guesses do not look: there, they only cost.
const GUESS_STEPS: u64 = 1 << 16;
const GUESS_STEPS_A_MEMBER: u64 = 128;

/// Of more operations that can come next none is guessed: to gather them costs more than it helps.
const GUESS_OPEN_MAX: usize = 1 << 12;

/// Steps between two looks at the budget in bytes, within one at what is open.
const STEPS_A_LOOK: u64 = MORE as u64 / 2;

/// The steps that looking over so many operations costs. Fewer than 64 are at hand, and cost
/// nothing; of more, each eight.
pub(super) const fn looking_over(count: usize) -> u64 {
    (count / 64 * 8) as u64
}

/// Searches one partition.
pub(super) fn search<M: Machine>(
    partition: &Partition<'_>,
    machine: &mut M,
    budget: &Budget,
) -> Found {
    let certain = partition.members.iter().filter(|member| member.certain);
    let missing = certain.count();
    let alike = Alike::of(partition, machine);
    let classes = classes_of(partition, machine, &alike);
    let mut search = Search {
        partition,
        entries: Entries::new(partition),
        visited: Visited::new(partition, classes.len()),
        classes,
        alike,
        machine,
        stack: Vec::new(),
        deepest: Vec::new(),
        shared: 0,
        state: 0,
        missing,
        steps: 0,
        open: Vec::new(),
        doing: Vec::new(),
        callable: Vec::new(),
        bytes_max: budget.memory_bytes_max,
        is_full: false,
    };
    let ending = search.run(budget);
    search.note_depth();
    let order = match ending {
        Ending::Legal => search.stack.iter().map(|frame| frame.member).collect(),
        _ => search.deepest,
    };
    Found {
        ending,
        steps: search.steps,
        order,
        state: search.state,
    }
}

/// The members that are not certain, by what they do. One that program order binds to another
/// stands alone.
fn classes_of<M: Machine>(partition: &Partition<'_>, machine: &mut M, alike: &Alike) -> Vec<Class> {
    let mut places = std::collections::BTreeMap::new();
    let mut classes: Vec<Class> = Vec::new();
    for (index, member) in partition.members.iter().enumerate() {
        if member.certain {
            continue;
        }
        let index = index as u32;
        let bound = member.after().map(|_| index);
        let key = (machine.class(index), bound);
        let next = classes.len();
        let place = *places.entry(key).or_insert(next);
        let full = |class: &Class| class.members.len() == usize::from(u16::MAX);
        if place == next || full(&classes[place]) {
            places.insert(key, next);
            classes.push(Class {
                members: vec![index],
                alike: alike.number(index),
            });
        } else {
            classes[place].members.push(index);
        }
    }
    classes
}

impl<M: Machine> Search<'_, M> {
    fn run(&mut self, budget: &Budget) -> Ending {
        let mut cursor = Cursor::Fresh;
        while self.missing > 0 {
            if self.steps > budget.steps_max {
                return Ending::OutOfSteps;
            }
            if !self.has_room() {
                return Ending::OutOfMemory;
            }
            if self.advance(cursor) {
                cursor = Cursor::Fresh;
                continue;
            }
            self.note_depth();
            if self.is_full {
                return Ending::OutOfMemory;
            }
            cursor = loop {
                let Some(frame) = self.stack.pop() else {
                    return Ending::Illegal;
                };
                self.undo(frame);
                match (frame.choice, frame.class) {
                    (Choice::Forced, _) => {}
                    (Choice::Guess, _) => break Cursor::Certain(self.entries.first()),
                    (Choice::Turn, None) => {
                        let at = self.entries.call_of(frame.member);
                        break Cursor::Certain(self.entries.following(at));
                    }
                    (Choice::Turn, Some(class)) => break Cursor::Class(class + 1),
                }
            };
        }
        Ending::Legal
    }

    /// Whether the budget lets in something more; once not, never again.
    fn has_room(&mut self) -> bool {
        self.is_full |= self.visited.bytes() + self.machine.bytes() > self.bytes_max;
        !self.is_full
    }

    /// The same, now and then: one look at what is open may come to many states.
    fn may_look(&mut self) -> bool {
        !self.is_full && (!self.steps.is_multiple_of(STEPS_A_LOOK) || self.has_room())
    }

    /// Remembers the stack if it is the deepest so far.
    fn note_depth(&mut self) {
        if self.stack.len() > self.deepest.len() {
            self.deepest.truncate(self.shared);
            let rest = self.stack[self.shared..].iter();
            self.deepest.extend(rest.map(|frame| frame.member));
            self.shared = self.stack.len();
        }
    }

    /// Linearizes one more operation, the first that can be from `cursor` on.
    fn advance(&mut self, cursor: Cursor) -> bool {
        let class = match cursor {
            Cursor::Fresh => {
                if self.advance_at_once() || self.advance_guess() {
                    return true;
                }
                if self.advance_certain(self.entries.first()) {
                    return true;
                }
                0
            }
            Cursor::Certain(at) => {
                if self.advance_certain(at) {
                    return true;
                }
                0
            }
            Cursor::Class(class) => class,
        };
        if class as usize >= self.classes.len() {
            return false;
        }
        let horizon = self.horizon();
        self.note_doing(horizon);
        let mut classes = class..self.classes.len() as u32;
        classes.any(|class| self.may_look() && self.try_class(class, horizon))
    }

    /// Takes note of what the certain members that can come next do.
    fn note_doing(&mut self, horizon: u64) {
        let mut callable = std::mem::take(&mut self.callable);
        callable.clear();
        callable.extend(self.callable());
        self.steps += looking_over(callable.len());
        let numbers = callable.iter().map(|member| self.alike.number(*member));
        self.doing.clear();
        self.doing
            .extend(numbers.filter(|number| *number != Alike::NONE));
        self.machine.look(&callable, horizon);
        self.callable = callable;
    }

    /// The certain members that can come next, by their calls.
    fn callable(&self) -> impl Iterator<Item = u32> {
        let following = |at: &u32| self.entries.following(*at);
        let entries = std::iter::successors(self.entries.first(), following);
        let entries = entries.map(|at| self.entries.get(at));
        let calls = entries.take_while(|entry| !entry.is_return);
        let members = calls.map(|entry| entry.member);
        members.filter(|member| self.is_free(*member))
    }

    /// Whether one that does the same and returns before it can come next as well. In any order
    /// that begins with this one the two can change places.
    fn is_behind(&mut self, member: u32, horizon: &mut Option<u64>) -> bool {
        let peers = self.alike.before(member);
        let ahead = peers.iter().position(|peer| {
            // Members are in the order of their calls.
            let mut called = || {
                let horizon = *horizon.get_or_insert_with(|| self.horizon());
                self.partition.members[*peer as usize].op.invoke_ts <= horizon
            };
            !self.visited.is_done(*peer) && self.is_free(*peer) && (*peer < member || called())
        });
        self.steps += looking_over(ahead.unwrap_or(peers.len()));
        ahead.is_some()
    }

    fn advance_certain(&mut self, mut at: Option<u32>) -> bool {
        let mut horizon = None;
        while let Some(entry_at) = at {
            let entry = self.entries.get(entry_at);
            if entry.is_return && !planted(Defect::SearchLooksPastReturns) {
                break;
            }
            if !self.may_look() {
                break;
            }
            let tried = !entry.is_return && !self.is_behind(entry.member, &mut horizon);
            if tried && self.try_certain(entry.member, Choice::Turn) {
                return true;
            }
            at = self.entries.following(entry_at);
        }
        false
    }

    /// Linearizes what the machine would try first.
    fn advance_guess(&mut self) -> bool {
        let enough = GUESS_STEPS + GUESS_STEPS_A_MEMBER * self.partition.members.len() as u64;
        if !M::GUESSES || self.steps > enough {
            return false;
        }
        let mut open = std::mem::take(&mut self.open);
        open.clear();
        open.extend(self.callable().take(GUESS_OPEN_MAX + 1).map(|member| {
            let op = self.partition.members[member as usize].op;
            (member, op.complete_ts.unwrap_or(u64::MAX))
        }));
        self.steps += 1 + looking_over(open.len());
        let guess = match open.len() > GUESS_OPEN_MAX {
            true => None,
            false => self.machine.guess(self.state, &open),
        };
        self.open = open;
        guess.is_some_and(|member| self.try_certain(member, Choice::Guess))
    }

    /// The instant of the first return: what is called after it can not come next.
    fn horizon(&self) -> u64 {
        let mut at = self.entries.first();
        while let Some(entry_at) = at {
            let entry = self.entries.get(entry_at);
            if entry.is_return {
                let op = self.partition.members[entry.member as usize].op;
                return op.complete_ts.unwrap_or(u64::MAX);
            }
            at = self.entries.following(entry_at);
        }
        u64::MAX
    }

    /// Linearizes an operation that is legal and may as well come next, if there is one.
    fn advance_at_once(&mut self) -> bool {
        let mut at = self.entries.first();
        while let Some(entry_at) = at {
            let entry = self.entries.get(entry_at);
            if entry.is_return {
                return false;
            }
            self.steps += 1;
            if !self.may_look() {
                return false;
            }
            if self.is_free(entry.member)
                && let Some(next) = self.machine.step(self.state, entry.member)
                && (self.machine.may_come_next(self.state, entry.member, next)
                    || planted(Defect::SearchTakesAllAtOnce))
            {
                self.visited.flip(entry.member);
                self.push(entry.member, next, None, Choice::Forced);
                return true;
            }
            at = self.entries.following(entry_at);
        }
        false
    }

    /// Linearizes a certain member if that is legal and leads somewhere new.
    fn try_certain(&mut self, member: u32, choice: Choice) -> bool {
        self.steps += 1;
        if !self.is_free(member) {
            return false;
        }
        let Some(next) = self.machine.step(self.state, member) else {
            return false;
        };
        if next != self.state && self.machine.doomed(self.state, member) {
            return false;
        }
        self.visited.flip(member);
        if self.missing > 1 {
            let first = self.first_missing(member);
            if !self.visited.insert(first, next) {
                self.visited.flip(member);
                return false;
            }
        }
        self.push(member, next, None, choice);
        true
    }

    /// Linearizes the next member of a class if it was called before the horizon, is legal and
    /// leads somewhere new.
    fn try_class(&mut self, class: u32, horizon: u64) -> bool {
        if planted(Defect::SearchTakesNothingOptional) {
            return false;
        }
        let used = self.visited.used(class as usize);
        let Some(member) = self.classes[class as usize].members.get(used).copied() else {
            return false;
        };
        let called = self.partition.members[member as usize].op.invoke_ts;
        let same = self.classes[class as usize].alike;
        if same != Alike::NONE && self.doing.contains(&same) {
            // One that has to take effect anyhow does as well.
            return false;
        }
        let early = called > horizon && !planted(Defect::SearchTakesOptionalEarly);
        if early || !self.is_free(member) {
            return false;
        }
        self.steps += 1;
        if !self.machine.wants(self.state, member) {
            return false;
        }
        let Some(next) = self.machine.step(self.state, member) else {
            return false;
        };
        // What changes nothing may as well never take effect.
        if next == self.state || self.machine.doomed(self.state, member) {
            return false;
        }
        self.visited.take(class as usize);
        let first = self.first_missing(member);
        if !self.visited.insert(first, next) {
            self.visited.give_back(class as usize);
            return false;
        }
        self.push(member, next, Some(class), Choice::Turn);
        true
    }

    /// The first certain member that is missing once `but` is linearized.
    fn first_missing(&self, but: u32) -> u32 {
        let mut at = self.entries.first();
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
        let after = self.partition.members[member as usize].after();
        after.is_none_or(|before| self.visited.is_done(before))
    }

    fn push(&mut self, member: u32, next: u32, class: Option<u32>, choice: Choice) {
        if class.is_none() {
            self.entries.lift(member);
            self.missing -= 1;
        }
        self.machine.linearized(member);
        self.stack.push(Frame {
            member,
            state: self.state,
            class,
            choice,
        });
        self.state = next;
    }

    fn undo(&mut self, frame: Frame) {
        self.shared = self.shared.min(self.stack.len());
        self.state = frame.state;
        self.machine.undone(frame.member);
        match frame.class {
            None => {
                self.missing += 1;
                self.entries.unlift(frame.member);
                self.visited.flip(frame.member);
            }
            Some(class) => self.visited.give_back(class as usize),
        }
    }
}

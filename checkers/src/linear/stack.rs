//! A stack whose elements do not say which push they come from.
//!
//! Of pushes with no pop between them it is not said which came first, unless one had returned
//! before the other was called: they lie in one block, and a pop takes any that nothing has to lie
//! above. So an order is chosen when a pop can tell, and not before. Of those of one value that it
//! can take it takes the one called last, since that leaves what is bound the least.
//!
//! A push of unknown outcome can wait until a pop comes next that takes its element. A pop of
//! unknown outcome may take any of a block; only one is tried, so that with such pops a search
//! that finds no order proves nothing.

use rustc_hash::FxHashMap;

use super::alike::Numbers;
use super::defect::{Defect, planted};
use super::machine::Machine;
use super::memory::{of_list, of_map, of_piece};
use super::partition::Partition;
use crate::models;
use crate::value::Value;

/// What an operation does to a stack.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Step {
    Push(u32),
    Pop(u32),
    /// It found nothing.
    Nothing,
    /// It may have taken anything.
    Wild,
}

/// Between two blocks.
const BLOCK: u32 = u32::MAX;
/// Behind a block that takes no more pushes.
const CLOSED: u32 = u32::MAX - 1;
/// With a number, that of a value rather than of a push.
const VALUE: u32 = 1 << 31;

/// Blocks from the bottom up, of pushes by their calls. Where a block has one element alone, and
/// takes no more, only its value is left.
type State = Box<[u32]>;

/// A stack. A state is the number of its blocks.
pub(super) struct Stack<'p, 'a> {
    partition: &'p Partition<'a>,
    steps: Vec<Step>,
    states: Vec<State>,
    ids: FxHashMap<State, u32>,
    numbers: Numbers<Step>,
    /// What the pops that can come next ask for.
    asked: Vec<u32>,
    empties: bool,
    /// Whether the order among pushes is kept for [`Stack::order`].
    is_exact: bool,
    /// What the states take.
    bytes: u64,
}

impl<'p, 'a> Stack<'p, 'a> {
    /// None when an element looks like nothing.
    pub(super) fn new(partition: &'p Partition<'a>) -> Option<Self> {
        let mut known: FxHashMap<&'a Value, u32> = FxHashMap::default();
        let mut steps = Vec::with_capacity(partition.members.len());
        for member in &partition.members {
            let takes = models::is_taking(member.op);
            let value = match takes {
                true => member.op.observed(),
                false => &member.op.input,
            };
            let next = known.len() as u32;
            steps.push(match (takes, member.certain, *value == Value::Null) {
                (true, false, _) => Step::Wild,
                (true, true, true) => Step::Nothing,
                (true, true, false) => Step::Pop(*known.entry(value).or_insert(next)),
                (false, _, true) => return None,
                (false, _, false) => Step::Push(*known.entry(value).or_insert(next)),
            });
        }
        let empty: State = Box::new([]);
        let fits = steps.len() < VALUE as usize;
        fits.then(|| Self {
            partition,
            steps,
            ids: FxHashMap::from_iter([(empty.clone(), 0)]),
            states: vec![empty],
            numbers: Numbers::default(),
            asked: Vec::new(),
            empties: false,
            is_exact: false,
            bytes: 0,
        })
    }

    /// Whether some pop may have taken anything.
    pub(super) fn is_wild(&self) -> bool {
        self.steps.contains(&Step::Wild)
    }

    /// The operations in an order that says which push came first.
    pub(super) fn order(mut self, mut found: Vec<u32>) -> Vec<u32> {
        self.is_exact = true;
        // By push, when its element was taken; what stays lies lowest.
        let mut taken = vec![u32::MAX; self.steps.len()];
        let mut state: Vec<u32> = Vec::new();
        for (at, member) in (0..).zip(&found) {
            match self.steps[*member as usize] {
                Step::Push(_) => self.push(&mut state, *member),
                Step::Pop(value) => {
                    let place = self.top(&state, Some(value)).map(|(place, _)| place);
                    taken_at(&mut taken, &mut state, place, at);
                    self.close(&mut state);
                }
                Step::Wild => {
                    let place = self.top(&state, None).map(|(place, _)| place);
                    taken_at(&mut taken, &mut state, place, at);
                    self.close(&mut state);
                }
                Step::Nothing => {}
            }
        }
        let pushes = |member: &u32| matches!(self.steps[*member as usize], Step::Push(_));
        for run in found.chunk_by_mut(|one, other| pushes(one) && pushes(other)) {
            run.sort_by_key(|member| (std::cmp::Reverse(taken[*member as usize]), *member));
        }
        found
    }

    fn value_of(&self, token: u32) -> u32 {
        match token & VALUE {
            0 => match self.steps[token as usize] {
                Step::Push(value) => value,
                _ => unreachable!("only pushes are on a stack"),
            },
            _ => token & !VALUE,
        }
    }

    /// Whether a push returned before another was called.
    fn precedes(&self, one: u32, other: u32) -> bool {
        let members = &self.partition.members;
        let (one_, other_) = (&members[one as usize], &members[other as usize]);
        let end = one_.op.complete_ts.filter(|_| one_.certain);
        end.is_some_and(|end| end < other_.op.invoke_ts) || other_.after() == Some(one)
    }

    fn push(&self, state: &mut Vec<u32>, member: u32) {
        if state.is_empty() {
            state.push(member);
            return;
        }
        let closed = state.last() == Some(&CLOSED);
        if closed {
            state.pop();
        }
        let from = block_of(state);
        let above = state[from..]
            .iter()
            .all(|one| one & VALUE == 0 && self.precedes(*one, member));
        if closed || above {
            self.shorten(state, from);
            state.extend([BLOCK, member]);
            return;
        }
        let place = from + state[from..].partition_point(|one| *one < member);
        state.insert(place, member);
    }

    /// Leaves of an element that is alone in the last block only its value.
    fn shorten(&self, state: &mut [u32], from: usize) {
        if let ([one], false) = (&mut state[from..], self.is_exact) {
            *one = VALUE | self.value_of(*one);
        }
    }

    /// The place of what a pop takes: of a value, or of any.
    fn top(&self, state: &[u32], wanted: Option<u32>) -> Option<(usize, u32)> {
        let state = state.strip_suffix(&[CLOSED]).unwrap_or(state);
        let from = block_of(state);
        let block = &state[from..];
        let places = block.iter().enumerate().rev();
        let mut fits = places.filter(|(_, one)| {
            let alone = block.len() == 1;
            let fits = wanted.is_none_or(|wanted| self.value_of(**one) == wanted);
            fits && (alone || !block.iter().any(|other| self.precedes(**one, *other)))
        });
        fits.next().map(|(place, one)| (from + place, *one))
    }

    /// After a pop: what is pushed now lies above all that is there.
    fn close(&self, state: &mut Vec<u32>) {
        if state.last() == Some(&CLOSED) {
            state.pop();
        }
        if state.last() == Some(&BLOCK) {
            state.pop();
        }
        if !state.is_empty() {
            let from = block_of(state);
            self.shorten(state, from);
            state.push(CLOSED);
        }
    }

    fn with(&mut self, state: Vec<u32>) -> u32 {
        if let Some(known) = self.ids.get(state.as_slice()) {
            return *known;
        }
        let next = self.states.len() as u32;
        let state = state.into_boxed_slice();
        // Kept twice: by number, and by content.
        self.bytes += 2 * of_piece(size_of_val(&*state));
        self.ids.insert(state.clone(), next);
        self.states.push(state);
        next
    }

    fn popped(&mut self, state: u32, wanted: Option<u32>) -> Option<u32> {
        let (place, _) = self.top(&self.states[state as usize], wanted)?;
        let mut next = self.states[state as usize].to_vec();
        next.remove(place);
        self.close(&mut next);
        Some(self.with(next))
    }
}

/// Where the last block of a state begins.
fn block_of(state: &[u32]) -> usize {
    let last = state.iter().rposition(|token| *token == BLOCK);
    last.map_or(0, |last| last + 1)
}

fn taken_at(taken: &mut [u32], state: &mut Vec<u32>, place: Option<usize>, at: u32) {
    if let Some(place) = place {
        let member = state.remove(place);
        taken[member as usize] = at;
    }
}

impl Machine for Stack<'_, '_> {
    fn step(&mut self, state: u32, member: u32) -> Option<u32> {
        match self.steps[member as usize] {
            Step::Push(_) => {
                let mut next = self.states[state as usize].to_vec();
                self.push(&mut next, member);
                Some(self.with(next))
            }
            Step::Pop(value) => self.popped(state, Some(value)),
            Step::Nothing => (state == 0).then_some(state),
            Step::Wild => Some(self.popped(state, None).unwrap_or(state)),
        }
    }

    fn may_come_next(&self, _: u32, member: u32, _: u32) -> bool {
        self.steps[member as usize] == Step::Nothing
    }

    fn class(&mut self, member: u32) -> u32 {
        self.numbers.of(self.steps[member as usize])
    }

    fn look(&mut self, open: &[u32], _: u64) {
        self.asked.clear();
        self.empties = false;
        for at in open {
            match self.steps[*at as usize] {
                Step::Pop(value) => self.asked.push(value),
                Step::Nothing => self.empties = true,
                Step::Push(_) | Step::Wild => {}
            }
        }
    }

    fn wants(&self, state: u32, member: u32) -> bool {
        let stack = &self.states[state as usize];
        let lacks = |value: &u32| self.top(stack, Some(*value)).is_none();
        match self.steps[member as usize] {
            Step::Push(_) if planted(Defect::SearchWantsTooLittle) => false,
            Step::Push(value) => self.asked.contains(&value) && lacks(&value),
            _ => self.empties || self.asked.iter().any(lacks),
        }
    }

    /// The verifier says what a stack holds.
    fn value(&self, _: u32) -> Value {
        Value::Null
    }

    fn bytes(&self) -> u64 {
        self.bytes + of_list(&self.states) + of_map(&self.ids)
    }

    const GUESSES: bool = true;

    /// Of the pops that find their value the one that is due first; else the push that helps what
    /// is due first, be it itself.
    fn guess(&self, state: u32, open: &[(u32, u64)]) -> Option<u32> {
        let stack = &self.states[state as usize];
        let finds = |(member, _): &&(u32, u64)| match self.steps[*member as usize] {
            Step::Pop(value) => self.top(stack, Some(value)).is_some(),
            _ => false,
        };
        let soonest = |(member, ends): &&(u32, u64)| (*ends, *member);
        if let Some((member, _)) = open.iter().filter(finds).min_by_key(soonest) {
            return Some(*member);
        }
        let (due, _) = open.iter().min_by_key(soonest)?;
        let helps = match self.steps[*due as usize] {
            Step::Pop(value) => Step::Push(value),
            step => step,
        };
        let helping = open
            .iter()
            .filter(|(at, _)| self.steps[*at as usize] == helps);
        helping.min_by_key(soonest).map(|(member, _)| *member)
    }
}

//! Why there is no linearization: the first response that fits no order, and the fewest
//! operations that can not be explained together.

use std::ops::Range;

use super::defect::{Defect, planted};
use super::partition::{Forgotten, Member, Partition};
use super::search::Ending;
use super::{Decide, Decision, Needed, Sweep, name_of, sentences};
use crate::history::Operation;
use crate::report::{Budget, Finding};
use crate::spec::ModelKind;
use crate::value::Value;

/// Finds the first response that makes the history illegal, and a linearization of what ended
/// before it.
///
/// What was known at an earlier time is legal if what was known later is, so that the first
/// illegal end can be found by halving: as many searches as the logarithm of the operations. Often
/// two will do, since it is where the search came to, or the witness ends. If one of them goes
/// beyond the budget, the counterexample is of a later response than the first.
/// `found` is the decision that there is no order.
pub(super) fn explain<'a>(
    partition: &Partition<'a>,
    found: &Decision,
    decide: Decide<'_>,
    sweep: Sweep<'_>,
    needed: Needed<'_>,
    left: &mut Budget,
) -> Finding {
    let witness = &found.witness;
    let ends = partition.ends();
    let mut prefix: Vec<&Operation> = Vec::new();
    let mut state = decide(&partition.until(&[]), left).state;
    let (mut legal, mut illegal) = (0, ends.len());
    if let Some(last) = ends.iter().rposition(|end| witness.contains(end)) {
        illegal = last + 1;
    }
    let mut nearer = nearer(partition, found, &ends, illegal);
    let enough = found.steps.saturating_mul(STEPS_OF_FOUND).max(STEPS_FIRST);
    while illegal - legal > 1 {
        let middle = nearer
            .next()
            .filter(|end| (legal + 1..illegal).contains(end));
        let middle = middle.unwrap_or(legal + (illegal - legal) / 2);
        let known = partition.until(&ends[..middle]);
        let mut own = Budget {
            steps_max: enough.min(left.steps_max),
            ..*left
        };
        let before = own.steps_max;
        let found = decide(&known, &mut own);
        left.steps_max -= before - own.steps_max;
        match found.ending {
            Ending::Illegal => illegal = middle,
            Ending::Legal => {
                legal = middle;
                let placed = found.order.iter();
                prefix = placed.map(|at| known.members[*at as usize].op).collect();
                state = found.state;
            }
            Ending::OutOfSteps | Ending::OutOfMemory => break,
        }
    }
    let blocked: Vec<&Operation> = ends[legal..illegal]
        .iter()
        .map(|at| partition.members[*at as usize].op)
        .collect();
    let mut finding = finding_of(partition, &prefix, state, &blocked);
    let certain = |at: &u32| partition.members[*at as usize].certain;
    let witness: Vec<u32> = witness.iter().copied().filter(certain).collect();
    let deciders = Deciders {
        decide,
        sweep,
        needed,
    };
    let (minimal, proven) = fewest(partition, witness, &ends[..illegal], deciders, left);
    let minimal = minimal
        .into_iter()
        .map(|at| partition.members[at as usize].op);
    let minimal: Vec<&Operation> = minimal.collect();
    finding.minimal_proven = proven;
    finding.minimal = minimal.iter().map(|op| op.op_id).collect();
    if finding.minimal_proven {
        finding.explanation = sentences::explain(&minimal, blocked.first().copied());
    }
    let rows = minimal.iter().take(Finding::ROWS_MAX);
    finding.minimal_rows = rows.map(|op| (*op).clone()).collect();
    finding
}

/// Who tells what is needed.
struct Deciders<'d> {
    decide: Decide<'d>,
    sweep: Sweep<'d>,
    needed: Needed<'d>,
}

/// The fewest members that have no order, of a witness or of all that ended, and whether small
/// searches tell that all of them are needed.
fn fewest(
    partition: &Partition<'_>,
    witness: Vec<u32>,
    ended: &[u32],
    deciders: Deciders<'_>,
    left: &Budget,
) -> (Vec<u32>, bool) {
    let Deciders {
        decide,
        sweep,
        needed,
    } = deciders;
    if !witness.is_empty() {
        // What nobody of the witness can have seen is of no use to it.
        let mut kept = vec![false; partition.members.len()];
        witness.iter().for_each(|at| kept[*at as usize] = true);
        let known = partition.known(&kept);
        let part = partition.only(&known);
        let places = witness.iter().map(|at| known.binary_search(at));
        let places: Vec<u32> = places.flatten().map(|place| place as u32).collect();
        let mut minimal = Minimal::new(&part, decide, sweep, left);
        if minimal.alone(&places) == Some(true) {
            let (found, proven) = match minimal.shrink(places.clone()) {
                Some(found) => (found, true),
                None => {
                    let minimal = Minimal::new(&part, decide, sweep, left);
                    (minimal.fewer(&places), false)
                }
            };
            return (
                found.into_iter().map(|at| known[at as usize]).collect(),
                proven,
            );
        }
    }
    let minimal = Minimal::new(partition, decide, sweep, left);
    match minimal.find(ended, needed) {
        Some(found) => (found, true),
        None => {
            let minimal = Minimal::new(partition, decide, sweep, left);
            (minimal.fewer(ended), false)
        }
    }
}

/// Where the first illegal end may be: the first that the search did not come to, or the last of
/// the witness.
fn nearer(
    partition: &Partition<'_>,
    found: &Decision,
    ends: &[u32],
    illegal: usize,
) -> impl Iterator<Item = usize> + use<> {
    let mut placed = vec![false; partition.members.len()];
    found
        .order
        .iter()
        .for_each(|at| placed[*at as usize] = true);
    let tried = ends.iter().take_while(|end| placed[**end as usize]).count();
    let guesses = match (found.witness.is_empty(), found.order.is_empty()) {
        (false, _) => [illegal.saturating_sub(1), 0],
        (true, false) => [tried, tried + 1],
        (true, true) => [0, 0],
    };
    guesses.into_iter()
}

/// What a search for the first illegal end may take, as often as the search that found none, and
/// at least.
const STEPS_OF_FOUND: u64 = 2;
const STEPS_FIRST: u64 = 1 << 16;

/// Steps for one of the searches that make a finding minimal, and what all of them may take: a
/// step, or the look at some members.
const STEPS_EACH: u64 = 50_000;
const WORK_MAX: u64 = 1_000_000;
const MEMBERS_A_STEP: u64 = 2;

/// How many of the last that ended are looked at first, and up to how many before all are.
const LAST_MIN: usize = 8;
const LAST_FEW: usize = 32;

/// What the searches may take that make smaller what can not be made minimal, and how few members
/// they leave out at once.
const FEWER_WORK: u64 = 100_000;
const FEWER_SIZE: usize = 8;

/// Of few members the frontier looks too, which what is forgotten costs less: after so many steps
/// of a search, and so many more for each member; with steps of its own.
const FEW_MEMBERS: usize = 256;
const STEPS_FEW: u64 = 2_000;
const STEPS_A_MEMBER: u64 = 8;
const STEPS_SWEEP: u64 = 200_000;

/// Finds members whose responses can not be explained together, while those of all but any one
/// of them can, as far as small searches tell. Knowing less can not make a history illegal, so
/// that what can be forgotten once can be forgotten for good.
struct Minimal<'p, 'a, 'd> {
    partition: &'p Partition<'a>,
    decide: Decide<'d>,
    sweep: Sweep<'d>,
    budget: Budget,
    kept: Vec<bool>,
    forgotten: Forgotten,
    work: u64,
}

fn is_decided(ending: Ending) -> bool {
    matches!(ending, Ending::Legal | Ending::Illegal)
}

impl<'p, 'a, 'd> Minimal<'p, 'a, 'd> {
    fn new(
        partition: &'p Partition<'a>,
        decide: Decide<'d>,
        sweep: Sweep<'d>,
        left: &Budget,
    ) -> Self {
        let budget = Budget {
            steps_max: STEPS_EACH.min(left.steps_max),
            ..*left
        };
        let count = partition.members.len();
        Self {
            partition,
            decide,
            sweep,
            budget,
            kept: vec![false; count],
            forgotten: Forgotten::of(count),
            work: 0,
        }
    }

    /// Whether what is kept has no order; none when that would be too much work.
    fn illegal(&mut self) -> Option<bool> {
        if self.work > WORK_MAX {
            return None;
        }
        self.work += self.partition.members.len() as u64 / MEMBERS_A_STEP + 1;
        let known = self.partition.knowing(&self.kept, &self.forgotten);
        let (count, mut budget) = (self.partition.members.len(), self.budget);
        let few = STEPS_FEW + count as u64 * STEPS_A_MEMBER;
        let mut ending = Ending::OutOfSteps;
        if count <= FEW_MEMBERS && few < budget.steps_max {
            budget.steps_max = few;
            let found = (self.decide)(&known, &mut budget);
            (ending, self.work) = (found.ending, self.work + found.steps);
            if !is_decided(ending) {
                budget.steps_max = STEPS_SWEEP;
                let swept = (self.sweep)(&known, &budget);
                (ending, self.work) = (swept.ending, self.work + swept.steps);
            }
        }
        if !is_decided(ending) {
            let found = (self.decide)(&known, &mut self.budget.clone());
            (ending, self.work) = (found.ending, self.work + found.steps);
        }
        // What can not be told is no proof: the operations are kept.
        Some(ending == Ending::Illegal)
    }

    fn keep(&mut self, members: &[u32], kept: bool) {
        members.iter().for_each(|at| self.kept[*at as usize] = kept);
    }

    /// Whether these alone have no order.
    fn alone(&mut self, members: &[u32]) -> Option<bool> {
        self.kept.fill(false);
        self.keep(members, true);
        self.illegal()
    }

    fn find(mut self, ended: &[u32], needed: Needed<'_>) -> Option<Vec<u32>> {
        // What is wrong is most often wrong soon: the last that ended are enough, or a few more.
        // One pass tells of all of them, but for lists, of which there are too many.
        let lists = matches!(self.partition.kind, Some(ModelKind::Log | ModelKind::Text));
        let few = if lists { ended.len() } else { LAST_FEW };
        if let Some(last) = self.last(ended, LAST_MIN..few)? {
            return self.shrink(last);
        }
        if let Some(needed) = needed(self.partition) {
            // Where one operation of a process ends as the next begins, the pass may find orders
            // that there are not: what it keeps is looked at again.
            let touches = |one: &Member<'_>| one.after().is_some();
            return match self.partition.members.iter().any(touches) {
                true => self.shrink(needed),
                false => Some(needed),
            };
        }
        if let Some(last) = self.last(ended, few..ended.len())? {
            return self.shrink(last);
        }
        if self.alone(ended)? {
            return self.shrink(ended.to_vec());
        }
        // But for what other responses rule out.
        let all = 0..self.partition.members.len() as u32;
        let all = all.filter(|at| self.partition.members[*at as usize].certain);
        let all: Vec<u32> = all.collect();
        match self.alone(&all)? {
            true => self.shrink(all),
            false => None,
        }
    }

    /// The last that ended, if some of so many have no order alone.
    fn last(&mut self, ended: &[u32], sizes: Range<usize>) -> Option<Option<Vec<u32>>> {
        let mut size = sizes.start;
        while size < sizes.end.min(ended.len()) {
            let last = &ended[ended.len() - size..];
            if self.alone(last)? {
                return Some(Some(last.to_vec()));
            }
            size *= 2;
        }
        Some(None)
    }

    /// All that ended, without what is found not to be needed by a few searches: what they can not
    /// tell is kept.
    fn fewer(mut self, ended: &[u32]) -> Vec<u32> {
        let mut needed = ended.to_vec();
        needed.sort_unstable();
        self.keep(&needed, true);
        let mut size = needed.len().div_ceil(2);
        while size > FEWER_SIZE && self.work < FEWER_WORK {
            let mut rest = Vec::with_capacity(needed.len());
            for chunk in needed.chunks(size) {
                self.keep(chunk, false);
                if self.work > FEWER_WORK || !self.illegal().unwrap_or(false) {
                    self.keep(chunk, true);
                    rest.extend_from_slice(chunk);
                }
            }
            needed = rest;
            size = size.div_ceil(2);
        }
        needed
    }

    /// Leaves members out, many at once and then one by one.
    fn shrink(&mut self, mut needed: Vec<u32>) -> Option<Vec<u32>> {
        needed.sort_unstable();
        let mut size = needed.len().div_ceil(2).max(1);
        loop {
            let mut rest = Vec::with_capacity(needed.len());
            for chunk in needed.chunks(size) {
                self.keep(chunk, false);
                let legal = !self.illegal()?;
                if legal && !planted(Defect::ShrinkerGoesTooFar) {
                    self.keep(chunk, true);
                    rest.extend_from_slice(chunk);
                }
            }
            needed = rest;
            if size == 1 || planted(Defect::ShrinkerStopsEarly) {
                return Some(needed);
            }
            size = size.div_ceil(2);
        }
    }
}

fn finding_of(
    partition: &Partition<'_>,
    prefix: &[&Operation],
    state: Value,
    blocked: &[&Operation],
) -> Finding {
    let what = match blocked {
        [op] => format!("no order explains the response of #{}", op.op_id),
        _ => format!(
            "no order explains the responses of {} operations",
            blocked.len()
        ),
    };
    let (name, placed, all) = (name_of(partition), prefix.len(), partition.members.len());
    let message = format!("{name}: {what} ({placed} of {all} placed)");
    let rows_max = Finding::ROWS_MAX;
    let tail = prefix.len().saturating_sub(rows_max);
    Finding {
        anomaly: "not-linearizable".to_owned(),
        message,
        ops: blocked.iter().map(|op| op.op_id).collect(),
        legal_prefix: prefix.iter().map(|op| op.op_id).collect(),
        key: partition.key.cloned(),
        state: Some(state),
        rows: blocked
            .iter()
            .take(rows_max)
            .map(|op| (*op).clone())
            .collect(),
        prefix_tail: prefix[tail..].iter().map(|op| (*op).clone()).collect(),
        minimal: Vec::new(),
        minimal_proven: false,
        minimal_rows: Vec::new(),
        explanation: Vec::new(),
    }
}

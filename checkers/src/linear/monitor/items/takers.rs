//! Which elements the takes of unknown outcome took.
//!
//! To have taken an element by a take that was called sooner leaves no fewer orders: it never
//! returns, so that it may have taken effect late, or never. So of elements that have to be gone
//! by some rank, the one that is due first gets the take that was called first. What a discipline
//! can not explain with that, it can only explain with some element of its witness gone sooner:
//! each is tried in turn.

use super::{Discipline, Items};
use crate::linear::defect::{Defect, planted};
use crate::linear::monitor::{NEVER, Verdict};

/// How many items are judged before it is given up, all rounds together; with some rounds for
/// each history.
const ITEMS_MAX: usize = 1 << 20;
const ROUNDS_MIN: usize = 16;

/// By which rank the items that stay have to be gone, by the places of the items.
type Due = Vec<(u32, usize)>;

/// What failed, and what is left to try: an item, and a rank by which it is gone.
struct Choice {
    due: Due,
    left: Due,
}

/// Judges; `unknown` are the takes, with their calls.
pub(super) fn judge(
    items: &mut Items<'_>,
    mut unknown: Vec<(u32, u32)>,
    discipline: &impl Discipline,
) -> Verdict {
    if unknown.is_empty() {
        return discipline.judge(items);
    }
    unknown.sort_unstable();
    let staying: Vec<usize> = items.staying().map(|(place, _)| place).collect();
    let mut due = discipline.deadlines(items);
    let mut choices: Vec<Choice> = Vec::new();
    let rounds = ROUNDS_MIN.max(ITEMS_MAX / (items.items.len() + 1));
    for _ in 0..rounds {
        if assign(items, &staying, &unknown, &mut due) {
            let witness = match discipline.judge(items) {
                Verdict::Illegal(witness) => witness,
                decided => return decided,
            };
            let left = sooner(items, &staying, &witness);
            if left.is_empty() {
                return Verdict::Illegal(witness);
            }
            choices.push(Choice { due, left });
        }
        due = match next(&mut choices) {
            Some(due) => due,
            None => return Verdict::Illegal(everything(items, &staying, &unknown)),
        };
    }
    Verdict::Unsure
}

/// Gives takes to what is due; whether there are enough of them.
fn assign(items: &mut Items<'_>, staying: &[usize], unknown: &[(u32, u32)], due: &mut Due) -> bool {
    for place in staying {
        let item = &mut items.items[*place];
        (item.take, item.take_call) = (NEVER, NEVER);
    }
    due.sort_unstable();
    due.iter().enumerate().all(|(nth, (by, place))| {
        let take = match planted(Defect::TakersComeLast) {
            true => unknown.iter().nth_back(nth),
            false => unknown.get(nth),
        };
        let take = take.filter(|(call, _)| call < by);
        let item = &mut items.items[*place];
        take.is_some_and(|(call, take)| {
            (item.take, item.take_call) = (*take, *call);
            true
        })
    })
}

/// The items of a witness that might be gone sooner than they are now, the last one first to try.
fn sooner(items: &Items<'_>, staying: &[usize], witness: &[u32]) -> Due {
    // Items are in the order of what put them.
    let place = |member: &u32| {
        let found = staying.binary_search_by_key(member, |place| items.items[*place].put);
        found.ok().map(|at| staying[at])
    };
    let places = witness.iter().filter_map(place);
    let mut left: Due = places
        .map(|place| (items.items[place].take_call, place))
        .collect();
    left.sort_unstable();
    left
}

/// What is due next, of the last choice that has something left.
fn next(choices: &mut Vec<Choice>) -> Option<Due> {
    loop {
        let choice = choices.last_mut()?;
        if let Some((by, place)) = choice.left.pop() {
            let others = choice.due.iter().filter(|(_, other)| *other != place);
            let mut due: Due = others.copied().collect();
            due.push((by, place));
            return Some(due);
        }
        choices.pop();
    }
}

/// Every member.
fn everything(items: &Items<'_>, staying: &[usize], unknown: &[(u32, u32)]) -> Vec<u32> {
    let mut members: Vec<u32> = unknown.iter().map(|(_, take)| *take).collect();
    members.extend(items.empties.iter().map(|(take, ..)| *take));
    members.extend(items.items.iter().map(|item| item.put));
    let taken = (0..items.items.len()).filter(|place| staying.binary_search(place).is_err());
    members.extend(taken.map(|place| items.items[place].take));
    members
}

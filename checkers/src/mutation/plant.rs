//! What can be planted: each finds the rows at which it breaks the claim, and breaks one.

use crate::history::{History, OpType, Operation};
use crate::value::Value;

/// Numbers by seed and way.
pub(super) struct Draw(u64);

impl Draw {
    pub(super) fn new(seed: u64, way: u64) -> Self {
        Self(seed ^ way.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Takes one of them.
    pub(super) fn take(&mut self, places: &mut Vec<usize>) -> Option<usize> {
        if places.is_empty() {
            return None;
        }
        let at = self.next() % places.len() as u64;
        Some(places.swap_remove(at as usize))
    }
}

/// Whether something holds of a row.
type Test = dyn Fn(&History, usize) -> bool;
/// What is done to a row.
type Change = dyn Fn(&mut History, usize);

/// A way to break a history.
pub(super) struct Way {
    pub(super) name: &'static str,
    /// The types of the rows that it can be planted at.
    names: &'static [&'static str],
    /// Whether it breaks the claim at a row of such a type.
    fits: Box<Test>,
    change: Box<Change>,
}

/// So many rows are looked at for a place, and no more.
const TRIES_MAX: usize = 256;

impl Way {
    pub(super) fn new(
        name: &'static str,
        names: &'static [&'static str],
        fits: impl Fn(&History, usize) -> bool + 'static,
        change: impl Fn(&mut History, usize) + 'static,
    ) -> Self {
        Self {
            name,
            names,
            fits: Box::new(fits),
            change: Box::new(change),
        }
    }

    /// Up to so many rows at which it breaks the claim.
    pub(super) fn places(&self, history: &History, draw: &mut Draw, count: usize) -> Vec<usize> {
        let all = 0..history.ops.len();
        let named = |place: &usize| self.names.contains(&history.ops[*place].op_type.name());
        let mut left: Vec<usize> = all.filter(named).collect();
        let (mut places, mut tries) = (Vec::new(), 0);
        while places.len() < count && tries < TRIES_MAX {
            let Some(place) = draw.take(&mut left) else {
                break;
            };
            tries += 1;
            if (self.fits)(history, place) {
                places.push(place);
            }
        }
        places
    }

    pub(super) fn plant(&self, history: &mut History, place: usize) {
        (self.change)(history, place);
    }
}

/// An acknowledged row of one of these types.
pub(super) fn told(op: &Operation, names: &[&str]) -> bool {
    op.is_acknowledged() && names.contains(&op.op_type.name())
}

/// A value that no history has.
pub(super) fn fresh() -> Value {
    Value::Int(-7_777_777_777_777_777)
}

/// Whether the row is the last acknowledged read of its key that returned a list with something
/// in it.
pub(super) fn is_last_list(history: &History, place: usize) -> bool {
    let op = &history.ops[place];
    let reads = |op: &Operation| op.op_type.is_read() && op.is_acknowledged();
    let rank = |op: &Operation| (op.op_type == OpType::FinalRead, op.invoke_ts, op.op_id);
    let full = op.observed().as_list().is_some_and(|list| !list.is_empty());
    let mut others = history
        .ops
        .iter()
        .filter(|other| reads(other) && other.key == op.key);
    reads(op) && full && others.all(|other| rank(other) <= rank(op))
}

/// The list that a row returned.
pub(super) fn list(history: &mut History, place: usize) -> &mut Vec<Value> {
    let output = &mut history.ops[place].output;
    if !matches!(output, Some(Value::List(_))) {
        *output = Some(Value::List(Vec::new()));
    }
    match output {
        Some(Value::List(list)) => list,
        _ => unreachable!("it was just made a list"),
    }
}

/// An element of the list that a row returned, whose addition had been acknowledged before.
pub(super) fn sure_element(history: &History, place: usize) -> Option<usize> {
    let read = &history.ops[place];
    let sure = |element: &Value| {
        history.ops.iter().any(|op| {
            let adds = told(op, &["add", "append"]);
            adds && op.key == read.key
                && op.input == *element
                && op.complete_ts < Some(read.invoke_ts)
        })
    };
    read.observed().as_list()?.iter().rposition(sure)
}

/// Adds a row like another, with an id of its own, right after it in time.
pub(super) fn repeat(history: &mut History, place: usize, change: impl FnOnce(&mut Operation)) {
    let mut copy = history.ops[place].clone();
    copy.op_id = history.ops.iter().map(|op| op.op_id).max().unwrap_or(0) + 1;
    change(&mut copy);
    history.ops.insert(place + 1, copy);
}

/// A process that the history does not know.
pub(super) fn stranger(history: &History) -> u64 {
    history
        .ops
        .iter()
        .map(|op| op.process_id)
        .max()
        .unwrap_or(0)
        + 1
}

/// An earlier acknowledged row of the same types and key that ended before this one began.
pub(super) fn before<'a>(
    history: &'a History,
    place: usize,
    names: &[&str],
) -> Option<&'a Operation> {
    let op = &history.ops[place];
    let mut rows = history.ops.iter();
    rows.find(|early| {
        told(early, names) && early.key == op.key && early.complete_ts < Some(op.invoke_ts)
    })
}

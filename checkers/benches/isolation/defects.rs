//! Defects that a database has once, at a known place: transactions on two objects of those that
//! are in use, whose answers are those of the database but for what is wrong with them.

use checkers::txn::{Base, Level, Order, Workload};
use checkers::{Operation, Value};

use super::{Store, operation};

/// What goes wrong: its name in an analysis, the weakest level that forbids it, the transactions
/// (`fail:` what aborts, `late:` what begins when the others have ended), which of their elements
/// stay in each object, and whether it needs lists to be seen.
///
/// `wx1` adds element 1 to x, or sets it; `rx` reads it as it was before all of them, `rx1,2` with
/// these elements.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Defect {
    pub(crate) name: &'static str,
    pub(crate) forbidden_by: Level,
    pub(crate) lines: &'static [&'static str],
    pub(super) stay: [&'static [i64]; 2],
    pub(crate) lists: bool,
}

const fn defect(
    name: &'static str,
    base: Base,
    lines: &'static [&'static str],
    stay: [&'static [i64]; 2],
) -> Defect {
    let order = Order::None;
    Defect {
        name,
        forbidden_by: Level { base, order },
        lines,
        stay,
        lists: false,
    }
}

/// Those that are injected.
pub(crate) const DEFECTS: [Defect; 13] = [
    defect(
        "lost-update",
        Base::CursorStability,
        &["rx wx1", "rx wx2"],
        [&[1, 2], &[]],
    ),
    defect(
        "write-skew",
        Base::Serializable,
        &["rx ry wx1", "rx ry wy2"],
        [&[1], &[2]],
    ),
    defect(
        "fractured-read",
        Base::ReadAtomic,
        &["rx ry wx1 wy2", "rx1 ry"],
        [&[1], &[2]],
    ),
    defect(
        "G-single",
        Base::ConsistentView,
        &["rx wx1", "rx1 ry wy2", "rx ry2"],
        [&[1], &[2]],
    ),
    defect(
        "long-fork",
        Base::SnapshotIsolation,
        &["rx wx1", "ry wy2", "rx1 ry", "rx ry2"],
        [&[1], &[2]],
    ),
    defect(
        "G1a",
        Base::ReadCommitted,
        &["fail: rx wx1", "rx1"],
        [&[], &[]],
    ),
    defect(
        "G1b",
        Base::ReadCommitted,
        &["rx wx1 wx2", "rx1"],
        [&[1, 2], &[]],
    ),
    defect(
        "G1c",
        Base::ReadCommitted,
        &["rx wx1 ry2", "ry wy2 rx1"],
        [&[1], &[2]],
    ),
    defect("internal", Base::ReadAtomic, &["rx wx1 rx"], [&[1], &[]]),
    defect("garbage-read", Base::ReadUncommitted, &["rx9"], [&[], &[]]),
    Defect {
        forbidden_by: Level {
            base: Base::ConsistentView,
            order: Order::Realtime,
        },
        ..defect(
            "G-single-realtime",
            Base::ConsistentView,
            &["rx wx1", "late: rx"],
            [&[1], &[]],
        )
    },
    Defect {
        lists: true,
        ..defect(
            "G0",
            Base::ReadUncommitted,
            &["wx1 wy2", "wx3 wy4", "rx1,3 ry4,2"],
            [&[1, 3], &[4, 2]],
        )
    },
    Defect {
        lists: true,
        ..defect(
            "dirty-update",
            Base::ReadCommitted,
            &["fail: wx1", "rx1 wx2", "rx1,2"],
            [&[1, 2], &[]],
        )
    },
];

/// Processes that do nothing else have these numbers and those after.
const PROCESS_FIRST: usize = 1_000;

impl Defect {
    /// Adds its transactions to a history: on these objects, with elements from this one on, from
    /// this time on; gives when they are over.
    pub(super) fn inject(
        &self,
        store: &mut Store,
        (keys, first): ([i64; 2], i64),
        clock: u64,
        ops: &mut Vec<Operation>,
    ) -> u64 {
        let before = keys.map(|key| store.at(key, store.commits));
        let with = |store: &Store, place: usize, elements: &[i64]| {
            let mut value = before[place].clone();
            for element in elements {
                store.apply(&mut value, first + element);
            }
            value
        };
        for (number, line) in self.lines.iter().enumerate() {
            let (head, body) = line.split_once(": ").unwrap_or(("", line));
            let (mut steps, mut asked, mut values) = (Vec::new(), Vec::new(), Vec::new());
            for word in body.split(' ') {
                let place = usize::from(&word[1..2] == "y");
                let numbers = word[2..].split(',').filter(|number| !number.is_empty());
                let elements = numbers.map(|number| number.parse().expect("a number"));
                let elements: Vec<i64> = elements.collect();
                let writes = word.starts_with('w');
                steps.push((writes, keys[place]));
                let value = match writes {
                    true => Value::Int(first + elements[0]),
                    false => with(store, place, &elements),
                };
                asked.push(if writes { value.clone() } else { Value::Null });
                values.push(value);
            }
            let late = if head == "late" { 4 } else { 0 };
            let (row, client) = (ops.len(), PROCESS_FIRST + number);
            let mut op = operation(store.workload, row, client, clock + late, &steps, &asked);
            op.complete_ts = Some(clock + late + 2);
            op.timeout_marker = false;
            match head {
                "fail" => op.error = Some("aborted".to_owned()),
                _ => op.output = Some(super::micro(store.workload, &steps, &values)),
            }
            ops.push(op);
        }
        for (place, elements) in self.stay.into_iter().enumerate() {
            if !elements.is_empty() {
                let value = with(store, place, elements);
                store.commits += 1;
                let version = (store.commits, value);
                store.versions.entry(keys[place]).or_default().push(version);
            }
        }
        clock + 8
    }

    /// Whether histories of a kind show it.
    pub(crate) fn is_seen(&self, workload: Workload) -> bool {
        !self.lists || workload == Workload::ListAppend
    }
}

//! Random histories: the outcome of a random legal execution, then perhaps spoilt.

use std::collections::BTreeMap;

use checkers::spec::ModelKind;
use checkers::{OpType, Operation, Value};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// How an operation ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Acknowledged,
    Failed,
    /// Ambiguous; it took effect, in its interval or after it, or did not.
    Unknown {
        effect: bool,
    },
}

/// The choices for one operation.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    process: u64,
    /// Instants between the process's last operation and this one.
    gap: u64,
    /// How long it takes.
    length: u64,
    /// Where in its interval it takes effect.
    point: u64,
    kind: u8,
    key: i64,
    values: (i64, i64),
    end: End,
    /// A response that replaces the true one.
    spoil: Option<i64>,
}

/// Up to `ops_max` drafts over few processes, keys and values.
pub(crate) fn drafts(ops_max: usize) -> impl Strategy<Value = Vec<Draft>> {
    let end = prop_oneof![
        8 => Just(End::Acknowledged),
        1 => Just(End::Failed),
        3 => any::<bool>().prop_map(|effect| End::Unknown { effect }),
    ];
    let times = (0_u64..4, 0_u64..3, 0_u64..5, 0_u64..8);
    let what = (0_u8..4, 0_i64..2, (0_i64..4, 0_i64..4));
    let draft = (
        times,
        what,
        end,
        proptest::option::weighted(0.35, -1_i64..4),
    );
    let draft = draft.prop_map(
        |((process, gap, length, point), (kind, key, values), end, spoil)| Draft {
            process,
            gap,
            length,
            point,
            kind,
            key,
            values,
            end,
            spoil,
        },
    );
    vec(draft, 0..=ops_max)
}

/// A runner that tries the same cases every time.
pub(crate) fn runner(cases: u32) -> TestRunner {
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

/// The history of an execution in which each operation takes effect at its point.
pub(crate) fn execute(drafts: &[Draft], model: ModelKind) -> Vec<Operation> {
    let mut clocks: BTreeMap<u64, u64> = BTreeMap::new();
    let mut ops: Vec<Operation> = Vec::new();
    let mut effects: Vec<(u64, usize)> = Vec::new();
    for (row, draft) in drafts.iter().enumerate() {
        let clock = clocks.entry(draft.process).or_default();
        let invoke_ts = *clock + draft.gap;
        let complete_ts = invoke_ts + draft.length;
        *clock = complete_ts;
        let unknown = matches!(draft.end, End::Unknown { .. });
        let (op_type, input) = asked(draft, model);
        ops.push(Operation {
            op_id: row as u64,
            process_id: draft.process,
            invoke_ts,
            complete_ts: (!unknown || draft.key == 0).then_some(complete_ts),
            op_type,
            key: Some(Value::Int(draft.key)),
            input,
            output: None,
            error: (draft.end == End::Failed).then(|| "refused".to_owned()),
            timeout_marker: unknown,
            node_seen: None,
            fault_epoch: Vec::new(),
        });
        match draft.end {
            End::Acknowledged => effects.push((invoke_ts + draft.point % (draft.length + 1), row)),
            End::Unknown { effect: true } => effects.push((invoke_ts + draft.point, row)),
            End::Failed | End::Unknown { effect: false } => {}
        }
    }
    effects.sort_unstable();
    let mut state = BTreeMap::new();
    for (_, row) in effects {
        let output = apply(&mut state, &ops[row]);
        if drafts[row].end == End::Acknowledged {
            ops[row].output = drafts[row]
                .spoil
                .map_or(output, |spoil| spoilt(&ops[row], spoil));
        }
    }
    ops
}

fn asked(draft: &Draft, model: ModelKind) -> (OpType, Value) {
    let (first, second) = (Value::Int(draft.values.0), Value::Int(draft.values.1));
    match (draft.kind, model) {
        (0, _) => (OpType::Read, Value::Null),
        (1, ModelKind::CasRegister | ModelKind::Map) => {
            (OpType::Cas, Value::List(vec![first, second]))
        }
        (1, _) => (OpType::FinalRead, Value::Null),
        (_, ModelKind::Log) => (OpType::Append, first),
        (_, _) => (OpType::Write, first),
    }
}

/// Takes an operation's effect and gives its response.
pub(crate) fn apply(state: &mut BTreeMap<Value, Value>, op: &Operation) -> Option<Value> {
    let key = op.key.clone().expect("random operations have keys");
    let object = state.entry(key).or_default();
    match op.op_type {
        OpType::Write => {
            *object = op.input.clone();
            None
        }
        OpType::Cas => {
            let (from, to) = op.input.as_pair().expect("a pair");
            let done = object == from;
            if done {
                *object = to.clone();
            }
            Some(Value::Bool(done))
        }
        OpType::Append => {
            let mut list = object.as_list().unwrap_or(&[]).to_vec();
            list.push(op.input.clone());
            // Half of the elements are acknowledged with their index.
            let index = op.input.as_int().is_some_and(|element| element % 2 == 0);
            let index = index.then(|| Value::Int(list.len() as i64 - 1));
            *object = Value::List(list);
            index
        }
        _ => Some(object.clone()),
    }
}

fn spoilt(op: &Operation, spoil: i64) -> Option<Value> {
    let value = if spoil < 0 {
        Value::Null
    } else {
        Value::Int(spoil)
    };
    match op.op_type {
        OpType::Write => None,
        OpType::Cas => Some(Value::Bool(spoil % 2 == 0)),
        OpType::Append => (spoil >= 0).then_some(value),
        _ if spoil < 0 => None,
        _ => Some(value),
    }
}

/// A legal history of some length with unique values, from a seed: `processes` clients of one
/// object, one in `unknown_in` operations ambiguous.
pub(crate) fn long(
    ops: usize,
    processes: u64,
    unknown_in: u64,
    model: ModelKind,
) -> Vec<Operation> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) % below
    };
    let mut drafts: Vec<Draft> = Vec::with_capacity(ops);
    for row in 0..ops {
        let unknown = unknown_in > 0 && next(unknown_in) == 0;
        let end = if unknown {
            End::Unknown {
                effect: next(2) == 0,
            }
        } else {
            End::Acknowledged
        };
        drafts.push(Draft {
            process: next(processes),
            gap: 1 + next(3),
            length: 1 + next(40),
            point: next(41),
            kind: next(4) as u8,
            key: 0,
            values: (row as i64 * 2 + 1, row as i64 * 2 + 1),
            end,
            spoil: None,
        });
    }
    let mut ops = execute(&drafts, model);
    ops.retain(|op| op.op_type != OpType::FinalRead);
    ops
}

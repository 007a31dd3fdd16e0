//! The ways of locks, protocols and resilience patterns.

use std::collections::BTreeSet;

use super::{READS, Way, always, answer, fail, fresh, invent, repeat, stranger, told};
use crate::history::{Completion, History, OpType, Operation};
use crate::single::{Group, Single};
use crate::value::Value;

pub(super) fn of(single: Single) -> Vec<Way> {
    match single {
        Single::ReplayEquivalence => vec![answer(
            "replay to another state",
            &["replay"],
            always,
            |_| fresh(),
        )],
        Single::Election { .. } => vec![no_election()],
        Single::Fairness { by, .. } => vec![starve(by)],
        Single::Boundary => boundary(),
        Single::Refinement => vec![invent("answer as the model does not", READS)],
        Single::Trace => vec![answer("step out of line", &["step"], always, |_| fresh())],
        Single::Retry { .. } => vec![Way::new(
            "go on after success",
            &["attempt"],
            |history, place| history.ops[place].is_acknowledged(),
            |history, place| repeat(history, place, |_| {}),
        )],
        Single::Amplification { percent_max, .. } => vec![amplify(percent_max)],
        Single::CircuitBreaker { .. } => vec![answer(
            "close without a trial",
            &["breaker"],
            |history, place| history.ops[place].observed().as_text() == Some("half-open"),
            |_| Value::from("closed"),
        )],
        Single::Bulkhead { limit } | Single::Stampede { limit } => vec![crowd(limit)],
        Single::Saga => saga(),
        Single::TimeoutCleanup { within_ns } => vec![leak(within_ns)],
        Single::Staleness { bound_ns } => vec![
            invent("return what nobody wrote", READS),
            too_stale(bound_ns),
        ],
        Single::Exhaustion { limit } => {
            vec![answer("exceed the limit", &["gauge"], always, move |_| {
                Value::Int(limit.saturating_add(1))
            })]
        }
        Single::LamportClock => vec![answer("set the clock back", CLOCKS, has_past, |_| {
            Value::Int(i64::MIN)
        })],
        Single::VectorClock => vec![answer("forget all causes", CLOCKS, has_past, |_| {
            Value::List(Vec::new())
        })],
        Single::HybridClock { .. } => vec![
            answer("set the clock back", CLOCKS, has_past, |_| {
                Value::List(vec![Value::Int(i64::MIN), Value::Int(0)])
            }),
            answer("run ahead", CLOCKS, always, |_| {
                Value::List(vec![Value::Int(i64::MAX), Value::Int(0)])
            }),
        ],
        _ => Vec::new(),
    }
}

const CLOCKS: &[&str] = &["local", "send", "recv"];

/// Whether the process had an event before.
fn has_past(history: &History, place: usize) -> bool {
    let op = &history.ops[place];
    history.ops.iter().any(|early| {
        told(early, CLOCKS)
            && early.process_id == op.process_id
            && early.complete_ts < Some(op.invoke_ts)
    })
}

/// Somebody else is granted what is held.
pub(super) fn intrude(single: Single) -> Way {
    let held = move |history: &History, place: usize| {
        let grant = &history.ops[place];
        let Some(from) = grant.complete_ts else {
            return false;
        };
        let lasts = match single {
            Single::Leases { ttl_ns, skew_ns } => {
                grant
                    .invoke_ts
                    .saturating_add(ttl_ns.saturating_sub(skew_ns))
                    > from
            }
            _ => true,
        };
        let given_back = history.ops.iter().any(|op| {
            op.op_type == OpType::Release
                && op.key == grant.key
                && (op.process_id, &op.input) == (grant.process_id, &grant.input)
                && op.invoke_ts == from
        });
        let granted = told(grant, &["acquire"]) && *grant.observed() != Value::Bool(false);
        granted && lasts && !given_back
    };
    Way::new("let a stranger in", &["acquire"], held, |history, place| {
        let process = stranger(history);
        repeat(history, place, |op| {
            op.process_id = process;
            op.invoke_ts = op.complete_ts.unwrap_or(op.invoke_ts);
            if op.input != Value::Null {
                op.input = fresh();
            }
        });
    })
}

fn no_election() -> Way {
    let healed = |history: &History| history.windows.iter().filter_map(|w| w.end_ts).min();
    let fits = move |history: &History, place: usize| {
        let first = healed(history);
        let leads = || history.ops.iter().filter(|op| told(op, &["lead"]));
        let early = leads().any(|op| Some(op.invoke_ts) < first);
        let last = leads().map(|op| op.invoke_ts).max();
        // What is no longer there must not be what the history ends with.
        early && Some(history.ops[place].invoke_ts) >= first && Some(history.end_ts()) > last
    };
    Way::new("elect nobody", &["lead"], fits, move |history, _| {
        let first = healed(history);
        for op in &mut history.ops {
            if op.op_type == OpType::Lead && Some(op.invoke_ts) >= first {
                op.op_type = OpType::Other("note".to_owned());
            }
        }
    })
}

fn starve(by: Group) -> Way {
    let of = move |op: &Operation| match by {
        Group::Key => op.key.clone(),
        Group::Process => Some(Value::from(op.process_id.to_string())),
        Group::Node => op.node_seen.as_deref().map(Value::from),
    };
    let names = &[
        "read", "write", "append", "cas", "put", "get", "enqueue", "dequeue",
    ];
    Way::new(
        "serve one group nothing",
        names,
        |history, place| history.ops[place].is_acknowledged(),
        move |history, place| {
            let group = of(&history.ops[place]);
            let same = history.ops.iter_mut().filter(|op| of(op) == group);
            same.for_each(fail);
        },
    )
}

fn boundary() -> Vec<Way> {
    let foreign = |op: &Operation| match op.key.as_ref().and_then(Value::as_list) {
        Some([actor, owner, _]) => actor != owner,
        _ => false,
    };
    vec![
        Way::new(
            "serve what is another's",
            READS,
            move |history, place| foreign(&history.ops[place]),
            |history, place| {
                let op = &mut history.ops[place];
                (op.error, op.timeout_marker) = (None, false);
                op.complete_ts = op.complete_ts.or(Some(op.invoke_ts));
                op.output = Some(fresh());
            },
        ),
        Way::new(
            "change what is another's",
            &["write"],
            move |history, place| foreign(&history.ops[place]),
            |history, place| {
                let op = &mut history.ops[place];
                (op.error, op.timeout_marker, op.output) = (None, false, None);
                op.complete_ts = op.complete_ts.or(Some(op.invoke_ts));
            },
        ),
    ]
}

fn amplify(percent_max: u64) -> Way {
    Way::new(
        "retry without end",
        &["attempt"],
        always,
        move |history, place| {
            let attempts = history
                .ops
                .iter()
                .filter(|op| op.op_type.name() == "attempt");
            let keys: BTreeSet<&Option<Value>> = attempts.map(|op| &op.key).collect();
            let copies = (keys.len() as u64).saturating_mul(percent_max) / 100 + 1;
            for _ in 0..copies.min(100_000) {
                repeat(history, place, |_| {});
            }
        },
    )
}

/// So many more run at the same time.
fn crowd(limit: u64) -> Way {
    Way::new(
        "run too many at a time",
        &["call", "load"],
        |history, place| {
            let op = &history.ops[place];
            op.is_acknowledged() && op.complete_ts > Some(op.invoke_ts)
        },
        move |history, place| {
            for _ in 0..limit.min(100_000) {
                repeat(history, place, |_| {});
            }
        },
    )
}

fn saga() -> Vec<Way> {
    let of = |op: &Operation| Some(op.key.as_ref()?.as_pair()?.0.clone());
    let half = move |history: &History, place: usize| {
        let step = &history.ops[place];
        let own = || history.ops.iter().filter(|op| of(op) == of(step));
        let undone = own().any(|op| op.op_type.name() == "compensate");
        let steps = || own().filter(|op| op.op_type.name() == "step");
        let again = steps().any(|op| {
            op.key == step.key && op.op_id != step.op_id && op.completion() != Completion::Failed
        });
        let other = steps().any(|op| op.key != step.key && op.is_acknowledged());
        step.is_acknowledged() && !undone && !again && other
    };
    vec![
        Way::new("do half of it", &["step"], half, |history, place| {
            fail(&mut history.ops[place]);
        }),
        Way::new(
            "undo it twice",
            &["compensate"],
            |history, place| history.ops[place].is_acknowledged(),
            |history, place| repeat(history, place, |_| {}),
        ),
    ]
}

fn leak(within_ns: u64) -> Way {
    let fits = move |history: &History, place: usize| {
        let free = &history.ops[place];
        let given_up = history.ops.iter().filter(|op| {
            op.completion() == Completion::Ambiguous && op.key.as_ref() == Some(&free.input)
        });
        let given_up = given_up.filter_map(|op| op.complete_ts).min();
        let takes = history.ops.iter();
        let takes = takes.filter(|op| told(op, &["take"]) && op.input == free.input);
        let taken = takes.filter_map(|op| op.complete_ts).max();
        let until = given_up.max(taken).map(|ts| ts.saturating_add(within_ns));
        let same = history
            .ops
            .iter()
            .filter(|op| told(op, &["free"]) && op.key == free.key && op.input == free.input);
        let once = same.count() == 1;
        given_up.is_some() && once && until.is_some_and(|ts| ts <= history.end_ts())
    };
    Way::new("keep what was taken", &["free"], fits, |history, place| {
        history.ops[place].op_type = OpType::Other("note".to_owned());
    })
}

fn too_stale(bound_ns: u64) -> Way {
    let old = move |history: &History, place: usize| {
        let read = &history.ops[place];
        let writes = || {
            let writes = history.ops.iter();
            writes.filter(|op| op.op_type == OpType::Write && op.key == read.key)
        };
        let once = |value: &Value| writes().filter(|op| op.input == *value).count() == 1;
        let newer = |old: &Operation| {
            writes().any(|op| {
                op.is_acknowledged()
                    && old.complete_ts < Some(op.invoke_ts)
                    && op
                        .complete_ts
                        .is_some_and(|end| end.saturating_add(bound_ns) < read.invoke_ts)
            })
        };
        let mut writes = writes().filter(|op| op.is_acknowledged());
        writes
            .find(|op| once(&op.input) && newer(op))
            .map(|op| op.input.clone())
    };
    Way::new(
        "return what is too old",
        READS,
        move |history, place| history.ops[place].is_acknowledged() && old(history, place).is_some(),
        move |history, place| {
            if let Some(value) = old(history, place) {
                history.ops[place].output = Some(value);
            }
        },
    )
}

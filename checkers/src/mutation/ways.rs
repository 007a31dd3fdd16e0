//! The ways that each checker's claim forbids.

use super::plant::{Way, before, fresh, is_last_list, list, repeat, stranger, sure_element, told};
use crate::history::{Completion, History, OpType, Operation};
use crate::single::Single;
use crate::spec::{CheckerSpec, ModelKind};
use crate::value::Value;
use crate::weak::Weak;

mod patterns;

const READS: &[&str] = &["read", "final-read"];

/// The ways to break what a checker passed.
pub(super) fn of(spec: &CheckerSpec, model: ModelKind) -> Vec<Way> {
    match *spec {
        CheckerSpec::Linearizability => of_model(model),
        CheckerSpec::NoLostAck => match model {
            ModelKind::Log => vec![lose_element(), repeat_element(), invent_element()],
            _ => vec![invent("read what nobody wrote", &["final-read"])],
        },
        CheckerSpec::SingleLeader => vec![Way::new(
            "elect two leaders",
            &["lead"],
            |history, place| history.ops[place].is_acknowledged(),
            |history, place| repeat(history, place, |op| op.output = Some(fresh())),
        )],
        CheckerSpec::Progress { .. } => vec![no_progress()],
        CheckerSpec::Isolation { .. } => vec![invent_in_transaction()],
        CheckerSpec::Single(single) => of_single(single),
        CheckerSpec::Weak(weak) => of_weak(weak),
    }
}

fn of_model(model: ModelKind) -> Vec<Way> {
    match model {
        ModelKind::Log | ModelKind::Set => {
            vec![lose_element(), repeat_element(), invent_element()]
        }
        ModelKind::Queue | ModelKind::Bag => vec![
            invent("take what was never put", &["dequeue", "remove"]),
            take_twice(),
        ],
        ModelKind::Stack => vec![invent("take what was never put", &["pop"])],
        ModelKind::PriorityQueue => {
            vec![invent(
                "take what was never put",
                &["delete-min", "delete-max"],
            )]
        }
        ModelKind::Counter => vec![wrong_sum()],
        _ => vec![invent("read what nobody wrote", READS)],
    }
}

fn of_weak(weak: Weak) -> Vec<Way> {
    if weak == Weak::Convergence {
        return vec![invent("end with what nobody wrote", &["final-read"])];
    }
    let mut ways = vec![invent("read what nobody wrote", READS)];
    if !matches!(
        weak,
        Weak::ReadYourWrites | Weak::ReadCommitted | Weak::ReadAtomic
    ) {
        ways.push(forget("forget what was read", READS));
    }
    let own = matches!(
        weak,
        Weak::ReadYourWrites
            | Weak::ReadAtomic
            | Weak::Pram
            | Weak::Causal
            | Weak::CausalConvergence
            | Weak::Sequential
    );
    if own {
        ways.push(forget("forget one's own write", &["write"]));
    }
    ways
}

/// A read of nothing after the session had seen, or written, something of the key.
fn forget(name: &'static str, seen: &'static [&'static str]) -> Way {
    let knew = move |history: &History, place: usize| {
        let read = &history.ops[place];
        let same = |op: &&Operation| {
            told(op, seen)
                && op.process_id == read.process_id
                && op.key == read.key
                && op.complete_ts < Some(read.invoke_ts)
        };
        let mut earlier = history.ops.iter().filter(same);
        read.is_acknowledged()
            && earlier.any(|op| op.op_type == OpType::Write || *op.observed() != Value::Null)
    };
    Way::new(name, READS, knew, |history, place| {
        history.ops[place].output = None;
    })
}

/// An answer that nobody can have given.
fn invent(name: &'static str, names: &'static [&'static str]) -> Way {
    Way::new(
        name,
        names,
        |history, place| {
            let op = &history.ops[place];
            op.is_acknowledged() && *op.observed() != Value::Null
        },
        |history, place| {
            let output = &mut history.ops[place].output;
            *output = Some(match output {
                Some(Value::List(_)) => Value::List(vec![fresh()]),
                _ => fresh(),
            });
        },
    )
}

fn lose_element() -> Way {
    Way::new(
        "lose what was acknowledged",
        READS,
        |history, place| is_last_list(history, place) && sure_element(history, place).is_some(),
        |history, place| {
            if let Some(at) = sure_element(history, place) {
                list(history, place).remove(at);
            }
        },
    )
}

fn repeat_element() -> Way {
    Way::new(
        "repeat an element",
        READS,
        is_last_list,
        |history, place| {
            let list = list(history, place);
            list.push(list[0].clone());
        },
    )
}

fn invent_element() -> Way {
    Way::new(
        "invent an element",
        READS,
        is_last_list,
        |history, place| {
            list(history, place).push(fresh());
        },
    )
}

fn swap_entries() -> Way {
    Way::new(
        "swap two entries",
        READS,
        |history, place| {
            let Some([first, second, ..]) = history.ops[place].observed().as_list() else {
                return false;
            };
            let append = |value: &Value| {
                let mut appends = history.ops.iter();
                appends.find(|op| {
                    told(op, &["append"]) && op.key == history.ops[place].key && op.input == *value
                })
            };
            let (first, second) = (append(first), append(second));
            let in_time = first.zip(second);
            is_last_list(history, place)
                && in_time.is_some_and(|(one, two)| one.complete_ts < Some(two.invoke_ts))
        },
        |history, place| list(history, place).swap(0, 1),
    )
}

fn take_twice() -> Way {
    Way::new(
        "take an element twice",
        &["dequeue"],
        |history, place| {
            let take = &history.ops[place];
            let value = take.observed();
            let same = |op: &&Operation| op.key == take.key;
            let puts = history.ops.iter().filter(same).filter(|op| {
                op.op_type == OpType::Enqueue
                    && op.input == *value
                    && op.completion() != Completion::Failed
            });
            let takes = history.ops.iter().filter(same);
            let takes = takes.filter(|op| told(op, &["dequeue"]) && op.observed() == value);
            take.is_acknowledged() && *value != Value::Null && puts.count() <= takes.count()
        },
        |history, place| repeat(history, place, |_| {}),
    )
}

fn wrong_sum() -> Way {
    Way::new(
        "read a sum that nobody added",
        READS,
        |history, place| history.ops[place].is_acknowledged(),
        |history, place| history.ops[place].output = Some(fresh()),
    )
}

fn no_progress() -> Way {
    Way::new(
        "fail everything after the heal",
        &[
            "read", "write", "append", "cas", "put", "get", "enqueue", "dequeue",
        ],
        |history, place| {
            let healed = history
                .windows
                .iter()
                .filter_map(|window| window.end_ts)
                .max();
            history.ops[place].is_acknowledged() && Some(history.ops[place].invoke_ts) >= healed
        },
        |history, _| {
            let ends: Vec<u64> = history.windows.iter().filter_map(|w| w.end_ts).collect();
            let healed = ends.into_iter().max().unwrap_or(0);
            let after = history.ops.iter_mut().filter(|op| op.invoke_ts >= healed);
            after.for_each(fail);
        },
    )
}

fn invent_in_transaction() -> Way {
    fn read(step: &Value) -> bool {
        let name = step.as_list().and_then(|step| step.first()?.as_text());
        matches!(name, Some("r" | ":r"))
    }
    Way::new(
        "read what nobody wrote",
        &["txn"],
        |history, place| {
            let op = &history.ops[place];
            op.is_acknowledged() && op.observed().as_list().is_some_and(|l| l.iter().any(read))
        },
        |history, place| {
            let steps = list(history, place).iter_mut().find(|step| read(step));
            if let Some(Value::List(step)) = steps
                && let Some(value) = step.get_mut(2)
            {
                match value {
                    Value::List(elements) => elements.push(fresh()),
                    value => *value = fresh(),
                }
            }
        },
    )
}

/// Makes a row one that had no effect.
fn fail(op: &mut Operation) {
    op.output = None;
    op.timeout_marker = false;
    op.error = Some("planted".to_owned());
    op.complete_ts = op.complete_ts.or(Some(op.invoke_ts));
}

/// Another answer than the one that was given.
fn answer(
    name: &'static str,
    names: &'static [&'static str],
    fits: impl Fn(&History, usize) -> bool + 'static,
    output: impl Fn(&Operation) -> Value + 'static,
) -> Way {
    let told = move |history: &History, place: usize| {
        history.ops[place].is_acknowledged() && fits(history, place)
    };
    Way::new(name, names, told, move |history, place| {
        let op = &mut history.ops[place];
        op.output = Some(output(op));
    })
}

fn always(_: &History, _: usize) -> bool {
    true
}

fn of_single(single: Single) -> Vec<Way> {
    match single {
        Single::UniqueIds => vec![Way::new(
            "give an identifier twice",
            &["generate", "unique-id"],
            |history, place| history.ops[place].is_acknowledged(),
            |history, place| repeat(history, place, |_| {}),
        )],
        Single::Counter { .. } => vec![wrong_sum()],
        Single::Monotonic => vec![go_back(READS)],
        Single::Set | Single::SetFull { .. } | Single::Reconciliation => {
            vec![lose_element(), repeat_element(), invent_element()]
        }
        Single::LogPrefix => {
            vec![
                lose_element(),
                repeat_element(),
                invent_element(),
                swap_entries(),
            ]
        }
        Single::TotalQueue => vec![
            take_twice(),
            invent("take what was never put", &["dequeue"]),
        ],
        Single::ExactlyOnce => exactly_once(),
        Single::Bank { .. } => vec![
            shift("make money", 0, always),
            shift("move money unseen", 1, |history, place| {
                let first = history.ops.iter().find(|op| told(op, READS));
                let pairs = history.ops[place]
                    .observed()
                    .as_list()
                    .map_or(0, <[Value]>::len);
                pairs > 1 && first.is_some_and(|op| op.op_id != history.ops[place].op_id)
            }),
        ],
        Single::Ledger => vec![shift("make money", 0, |history, place| {
            history.ops[place].op_type == OpType::FinalRead
        })],
        Single::Kafka => kafka(),
        Single::MutualExclusion | Single::Leases { .. } => vec![patterns::intrude(single)],
        Single::Fencing => vec![
            Way::new(
                "give a token twice",
                &["acquire"],
                |history, place| {
                    let op = &history.ops[place];
                    told(op, &["acquire"]) && op.observed().as_int().is_some()
                },
                |history, place| repeat(history, place, |_| {}),
            ),
            go_back(&["acquire"]),
        ],
        _ => patterns::of(single),
    }
}

/// Less than was observed before.
fn go_back(names: &'static [&'static str]) -> Way {
    let less = move |history: &History, place: usize| {
        before(history, place, names)?
            .observed()
            .as_int()?
            .checked_sub(1)
    };
    Way::new(
        "go back",
        names,
        move |history, place| {
            history.ops[place].is_acknowledged() && less(history, place).is_some()
        },
        move |history, place| {
            if let Some(less) = less(history, place) {
                history.ops[place].output = Some(Value::Int(less));
            }
        },
    )
}

/// Adds to one balance of a read and, with `back`, takes it from another.
fn shift(name: &'static str, back: usize, fits: impl Fn(&History, usize) -> bool + 'static) -> Way {
    let listed = move |history: &History, place: usize| {
        let op = &history.ops[place];
        let list = op.observed().as_list();
        op.is_acknowledged() && list.is_some_and(|l| !l.is_empty()) && fits(history, place)
    };
    Way::new(name, READS, listed, move |history, place| {
        let pairs = list(history, place).iter_mut();
        for (pair, change) in pairs.zip([1_000_000_007, -1_000_000_007]).take(back + 1) {
            if let Value::List(pair) = pair
                && let Some(Value::Int(balance)) = pair.get_mut(1)
            {
                *balance = balance.saturating_add(change);
            }
        }
    })
}

fn exactly_once() -> Vec<Way> {
    vec![
        Way::new(
            "apply it twice",
            &["apply"],
            |history, place| history.ops[place].is_acknowledged(),
            |history, place| repeat(history, place, |_| {}),
        ),
        Way::new(
            "apply what nobody asked for",
            &["apply"],
            |history, place| history.ops[place].is_acknowledged(),
            |history, place| repeat(history, place, |op| op.key = Some(fresh())),
        ),
        Way::new(
            "lose an effect",
            &["apply"],
            |history, place| {
                let effects = history.ops.iter().filter(|op| told(op, &["apply"]));
                let due = history
                    .ops
                    .iter()
                    .any(|op| told(op, &["request"]) && op.key == history.ops[place].key);
                due && effects.count() > 1
            },
            |history, place| {
                history.ops.remove(place);
            },
        ),
    ]
}

fn kafka() -> Vec<Way> {
    let plain = |history: &History, place: usize, least: usize| {
        let op = &history.ops[place];
        let list = op.observed().as_list();
        op.is_acknowledged() && op.key.is_some() && list.is_some_and(|list| list.len() >= least)
    };
    vec![
        Way::new(
            "give an entry twice",
            &["poll"],
            move |history, place| plain(history, place, 1),
            |history, place| {
                let list = list(history, place);
                list.extend(list.last().cloned());
            },
        ),
        Way::new(
            "give what nobody sent",
            &["poll"],
            move |history, place| plain(history, place, 1),
            |history, place| {
                let entry = vec![Value::Int(i64::MAX), fresh()];
                list(history, place).push(Value::List(entry));
            },
        ),
        Way::new(
            "give entries in another order",
            &["poll"],
            move |history, place| plain(history, place, 2),
            |history, place| list(history, place).swap(0, 1),
        ),
    ]
}

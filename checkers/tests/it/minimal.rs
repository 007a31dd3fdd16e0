//! The fewest operations that have no order, against an engine that shares nothing with what finds
//! them.

use checkers::single::Single;
use checkers::spec::{CheckerSpec, ModelKind};
use checkers::{Budget, History, OpType, Operation, Outcome, Value, check, refute};

use super::performance::families::{Family, generate};
use super::single::Expected;

/// Judges histories of a model with one response spoilt: how many of them have no order. Each has
/// a minimal set: the frontier finds no order of it, and one without any one of its operations.
fn spoilt(model: ModelKind, ops: usize, domain: u64) -> u64 {
    let mut illegal = 0;
    for (clients, unknown, seed) in [(3, 0, 1), (5, 0, 2), (5, 10, 3), (8, 0, 4), (8, 10, 5)] {
        let family = Family {
            broken: true,
            seed,
            ..Family::of(model, ops, clients, unknown, domain)
        };
        let (ops, windows) = (generate(&family), Vec::new());
        let history = History { ops, windows };
        let (spec, budget) = (CheckerSpec::Linearizability, Budget::default());
        let report = check(&history, &spec, model, &budget);
        for finding in &report.findings {
            illegal += 1;
            assert!(!finding.minimal.is_empty(), "{}", family.name());
            assert!(finding.minimal_proven, "{}", family.name());
            let holds = refute(&history, model, finding, &budget);
            assert_eq!(holds, Ok(()), "{}", family.name());
        }
        let found = report.outcome == Outcome::Violation;
        assert_eq!(found, !report.findings.is_empty(), "{}", family.name());
    }
    illegal
}

#[test]
fn every_operation_of_a_minimal_set_is_needed() {
    for (model, ops) in [
        (ModelKind::Register, 100),
        (ModelKind::CasRegister, 60),
        (ModelKind::Mutex, 120),
        (ModelKind::OwnedMutex, 120),
        (ModelKind::Semaphore { permits: 3 }, 120),
        (ModelKind::Counter, 60),
        (ModelKind::Set, 60),
        (ModelKind::PriorityQueue, 60),
        (ModelKind::Queue, 30),
        (ModelKind::Stack, 30),
        (ModelKind::Bag, 30),
    ] {
        let illegal = spoilt(model, ops, 0) + spoilt(model, ops, 5);
        assert!(illegal > 0, "{model:?}");
    }
}

/// Of a thousand operations on a register of five values hundreds are needed.
#[test]
fn a_long_history_of_few_values_has_a_minimal_set() {
    let family = Family {
        broken: true,
        ..Family::of(ModelKind::CasRegister, 1_000, 5, 0, 5)
    };
    let (ops, windows) = (generate(&family), Vec::new());
    let history = History { ops, windows };
    let (spec, budget) = (CheckerSpec::Linearizability, Budget::default());
    let report = check(&history, &spec, family.model, &budget);
    let [finding] = &report.findings[..] else {
        panic!("one finding: {report}");
    };
    assert!(finding.minimal_proven, "{report}");
    assert_eq!(finding.minimal.len(), 312);
}

/// What takes too long to be made minimal is given as it is: it has no order, and does not say that
/// each is needed.
#[test]
fn what_is_not_minimal_does_not_say_so() {
    let family = Family {
        broken: true,
        seed: 2,
        ..Family::of(ModelKind::Stack, 150, 5, 0, 5)
    };
    let (ops, windows) = (generate(&family), Vec::new());
    let history = History { ops, windows };
    let (spec, budget) = (CheckerSpec::Linearizability, Budget::default());
    let report = check(&history, &spec, ModelKind::Stack, &budget);
    let [finding] = &report.findings[..] else {
        panic!("one finding: {report}");
    };
    assert!(!finding.minimal_proven && finding.minimal.len() > 100);
    assert!(report.to_string().contains("though not all may be needed"));
    let holds = refute(&history, ModelKind::Stack, finding, &budget);
    assert_eq!(holds, Ok(()));
    let mut boasting = finding.clone();
    boasting.minimal_proven = true;
    assert!(refute(&history, ModelKind::Stack, &boasting, &budget).is_err());
}

/// Three leaders of a term: any two of them prove it, and the two that were seen first are named.
#[test]
fn of_three_leaders_the_first_two_are_named() {
    let lead = |id: u64, node: &str| {
        let line = format!("{id} {id} {id} lead 7 - => \"{node}\"");
        super::single::row(&line, id)
    };
    let ops = vec![lead(0, "n3"), lead(1, "n1"), lead(2, "n2"), lead(3, "n3")];
    let judge = |ops: Vec<Operation>| {
        let windows = Vec::new();
        let history = History { ops, windows };
        let (spec, budget) = (CheckerSpec::SingleLeader, Budget::default());
        check(&history, &spec, ModelKind::Register, &budget)
    };
    let report = judge(ops.clone());
    let named: Vec<&[u64]> = report.findings.iter().map(|one| &one.ops[..]).collect();
    assert_eq!(named, [[0, 1]], "{report}");
    assert!(report.findings[0].message.contains("3 leaders"), "{report}");
    assert_eq!(judge(ops[..2].to_vec()).outcome, Outcome::Violation);
    for alone in &ops[..2] {
        assert_eq!(judge(vec![alone.clone()]).outcome, Outcome::Ok);
    }
}

/// The minimal rows of each finding are refused for the same, and without any one of them are not.
fn hold(history: &History, spec: CheckerSpec, model: ModelKind) {
    let judge = |history: &History| check(history, &spec, model, &Budget::default());
    let report = judge(history);
    for finding in &report.findings {
        let refused = |left_out: Option<u64>| {
            let known = |op: &&Operation| finding.minimal.contains(&op.op_id);
            let rows = history.ops.iter().filter(known);
            let rows = rows.filter(|op| Some(op.op_id) != left_out).cloned();
            let (ops, windows) = (rows.collect(), history.windows.clone());
            let alone = judge(&History { ops, windows });
            let mut same = alone.findings.iter();
            same.any(|one| one.anomaly == finding.anomaly && one.key == finding.key)
        };
        assert!(finding.minimal_proven && refused(None), "{report}");
        for id in &finding.minimal {
            assert!(!refused(Some(*id)), "needs no #{id}: {report}");
        }
    }
}

/// Rows of a case with outputs, keys or times of others, left out or twice, by seed.
fn spoilt_case(history: &History, seed: u64) -> History {
    let mut mixed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut below = |bound: usize| {
        mixed ^= mixed >> 29;
        mixed = mixed.wrapping_mul(0xbf58_476d_1ce4_e5b9).wrapping_add(1);
        (mixed >> 33) as usize % bound.max(1)
    };
    let mut spoilt = history.clone();
    for _ in 0..1 + seed % 3 {
        let count = spoilt.ops.len();
        if count < 2 {
            break;
        }
        let (one, other) = (below(count), below(count));
        let lent = spoilt.ops[other].clone();
        match below(5) {
            0 => spoilt.ops[one].output = lent.output,
            1 => spoilt.ops[one].key = lent.key,
            2 => spoilt.ops[one].input = lent.input,
            3 => drop(spoilt.ops.remove(one)),
            _ => {
                let next = spoilt.ops.iter().map(|op| op.op_id).max();
                let op_id = next.map_or(0, |last| last + 1);
                spoilt.ops.push(Operation { op_id, ..lent });
            }
        }
    }
    spoilt
}

/// Rows that say nothing hide no minimal set, however many there are.
#[test]
fn minimal_rows_are_found_among_many_others() {
    for single in Single::ALL {
        let cases = super::single::cases(single).into_iter();
        let is_broken = |expected: &Expected| matches!(expected, Expected::Violation(_));
        let Some(case) = cases.into_iter().find(|case| is_broken(&case.expected)) else {
            panic!("{}: no case", single.name());
        };
        let mut history = case.history;
        let judge = |history: &History| {
            let spec = CheckerSpec::Single(case.single);
            check(history, &spec, ModelKind::Register, &Budget::default())
        };
        let counts = |history: &History| {
            let findings = judge(history).findings.into_iter();
            let minimal = findings.map(|one| (one.anomaly, one.minimal.len()));
            minimal.collect::<Vec<(String, usize)>>()
        };
        let before = counts(&history);
        let (first, next) = (history.ops[0].clone(), history.ops.len() as u64);
        for more in 0..400 {
            history.ops.push(Operation {
                op_id: next + more,
                process_id: 1_000,
                op_type: OpType::Other("noise".to_owned()),
                key: None,
                input: Value::Null,
                output: Some(Value::Null),
                error: None,
                timeout_marker: false,
                ..first.clone()
            });
        }
        // Who has no share of the noise is treated unfairly.
        if !matches!(case.single, Single::Fairness { .. } | Single::Refinement) {
            assert_eq!(counts(&history), before, "{}", single.name());
        }
    }
}

#[test]
fn every_row_of_a_finding_s_minimal_set_is_needed() {
    let hold_spoilt = |history: &History, spec: CheckerSpec, model: ModelKind| {
        hold(history, spec, model);
        for seed in 1..=20 {
            hold(&spoilt_case(history, seed), spec, model);
        }
    };
    for single in Single::ALL {
        for case in super::single::cases(single) {
            let spec = CheckerSpec::Single(case.single);
            hold_spoilt(&case.history, spec, ModelKind::Register);
        }
    }
    let within_ns = 10_000_000;
    for (name, spec) in [
        ("log-lost-ack", CheckerSpec::NoLostAck),
        ("log-duplicate-effect", CheckerSpec::NoLostAck),
        ("leaders-two-in-a-term", CheckerSpec::SingleLeader),
        (
            "progress-none-after-heal",
            CheckerSpec::Progress { within_ns },
        ),
    ] {
        hold_spoilt(&super::verdicts::history(name), spec, ModelKind::Log);
    }
}

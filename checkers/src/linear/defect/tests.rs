//! Each engine with each of its defects: the tests of the engine find it.

use std::cell::Cell;

use super::Defect;
use crate::history::{History, Operation};
use crate::linear::frontier::sweep;
use crate::linear::monitor::{self, Verdict};
use crate::linear::partition::{Partition, partitions_of};
use crate::linear::search::Ending;
use crate::linear::{Certificate, by_search_of, certify, check, nested, refute, verify};
use crate::models::{Builtin, Model as _};
use crate::reference::{alphabet, distinct, each, linearizes, numbers, random, row};
use crate::report::{Budget, Outcome};
use crate::spec::ModelKind;
use crate::value::Value;

mod models;

thread_local! {
    static PLANTED: Cell<Option<Defect>> = const { Cell::new(None) };
}

pub(crate) fn planted(defect: Defect) -> bool {
    PLANTED.get() == Some(defect)
}

/// What comes of something with a defect planted.
fn with<T>(defect: Option<Defect>, work: impl FnOnce() -> T) -> T {
    PLANTED.set(defect);
    let result = work();
    PLANTED.set(None);
    result
}

pub(in crate::linear) fn any() -> bool {
    PLANTED.get().is_some()
}

/// What a monitor says, with its defect.
pub(in crate::linear) fn spoil(_: &str, verdict: Verdict, partition: &Partition<'_>) -> Verdict {
    let all = || (0..partition.members.len() as u32).collect::<Vec<u32>>();
    match (PLANTED.get(), verdict) {
        (Some(Defect::MonitorIsCredulous), Verdict::Illegal(_)) => Verdict::Legal(all()),
        (Some(Defect::MonitorAccuses), Verdict::Legal(_)) => Verdict::Illegal(all()),
        (Some(Defect::MonitorTurnsItsOrder), Verdict::Legal(mut order)) => {
            order.reverse();
            Verdict::Legal(order)
        }
        (Some(Defect::MonitorLosesAWitness), Verdict::Illegal(mut witness)) => {
            witness.pop();
            Verdict::Illegal(witness)
        }
        (_, verdict) => verdict,
    }
}

/// What a history shows to be wrong, by the name of the engine; of one alone, if it is given.
fn wrong(kind: ModelKind, ops: &[Operation], only: Option<&str>) -> Vec<&'static str> {
    let asks = |names: &[&str]| only.is_none_or(|only| names.contains(&only));
    let model = Builtin(kind);
    let rows: Vec<(usize, &Operation)> = ops.iter().enumerate().collect();
    let expected = linearizes(&model, &model.initial(), &rows);
    let (ops, windows) = (ops.to_vec(), Vec::new());
    let history = History { ops, windows };
    let budget = Budget::default();
    let mut wrong = Vec::new();
    let partitions = partitions_of(&history, Some(kind), 1, |op| model.part(op));
    let partitions = partitions.expect("the model knows them");
    let [partition] = &partitions[..] else {
        panic!("one object");
    };
    let searched = || by_search_of(partition, kind, &mut budget.clone()).ending;
    if asks(&["search"]) && (searched() == Ending::Legal) != expected {
        wrong.push("search");
    }
    if asks(&["nesting"]) && kind == ModelKind::Stack {
        wrong.extend(wrong_nesting(partition, expected));
    }
    let swept = || sweep(partition, &model, &budget).ending;
    if asks(&["frontier"]) && (swept() == Ending::Legal) != expected {
        wrong.push("frontier");
    }
    let monitored = asks(&["monitor"]).then(|| monitor::ask(partition, kind));
    match monitored.flatten() {
        Some((_, Verdict::Legal(order))) => {
            let played = verify::play(partition, kind, &order);
            // Of orders of what touches, the verifier refuses some, and the search decides.
            let touches = partition.members.iter().any(|one| one.after().is_some());
            let left_to_search = played.is_err() && touches;
            if !left_to_search && (!expected || played.is_err()) {
                wrong.push("monitor");
            }
        }
        Some((_, Verdict::Illegal(mut witness))) => {
            witness.sort_unstable();
            witness.dedup();
            let part = partition.only(&witness);
            if expected || sweep(&part, &model, &budget).ending == Ending::Legal {
                wrong.push("monitor");
            }
        }
        _ => {}
    }
    if asks(&["check", "finding", "refuter"]) {
        wrong.extend(wrong_report(&history, kind, expected));
    }
    if asks(&["verifier"]) {
        wrong.extend(wrong_proof(&history, kind));
    }
    wrong
}

/// What is wrong with how the operations of a stack are said to nest.
fn wrong_nesting(partition: &Partition<'_>, expected: bool) -> Option<&'static str> {
    let found = nested::search(partition, &Budget::default())?;
    // Of orders of what touches, the verifier refuses some, and the search decides.
    let touches = partition.members.iter().any(|one| one.after().is_some());
    let right = match found.ending {
        Ending::Legal => {
            let played = verify::play(partition, ModelKind::Stack, &found.order);
            touches && played.is_err() || expected && played.is_ok()
        }
        _ => !expected,
    };
    (!right).then_some("nesting")
}

/// What is wrong with the report and its findings.
fn wrong_report(history: &History, kind: ModelKind, expected: bool) -> Vec<&'static str> {
    let (budget, mut wrong) = (Budget::default(), Vec::new());
    let report = check(history, kind, &budget, 1);
    let ok = matches!(report.outcome, Outcome::Ok | Outcome::Weak { .. });
    if ok != expected {
        wrong.push("check");
    }
    for finding in &report.findings {
        if refute(history, kind, finding, &budget).is_err() {
            wrong.push("finding");
        }
        for place in 0..finding.minimal.len() {
            let mut less = finding.clone();
            less.minimal.remove(place);
            less.minimal_rows.remove(place);
            if refute(history, kind, &less, &budget).is_ok() {
                wrong.push("refuter");
            }
        }
        let others = history.ops.iter().filter(|op| op.is_acknowledged());
        for op in others.filter(|op| !finding.minimal.contains(&op.op_id)) {
            let mut more = finding.clone();
            more.minimal.push(op.op_id);
            more.minimal_rows.push(op.clone());
            if refute(history, kind, &more, &budget).is_ok() {
                wrong.push("refuter");
            }
        }
    }
    wrong
}

/// What is wrong with proofs that it is legal, and with who verifies them.
fn wrong_proof(history: &History, kind: ModelKind) -> Vec<&'static str> {
    let (budget, mut wrong) = (Budget::default(), Vec::new());
    if let Some(proof) = certify(history, kind, &budget)
        && let Some(row) = history
            .ops
            .iter()
            .position(|op| op.observed().as_int().is_some())
    {
        let mut other = history.clone();
        other.ops[row].output = Some(Value::Int(77));
        if verify(&other, kind, &proof).is_ok() {
            wrong.push("verifier");
        }
    }
    if let Some([good]) = certify(history, kind, &budget).as_deref()
        && spoilt(history, good).any(|bad| verify(history, kind, &[bad]).is_ok())
    {
        wrong.push("verifier");
    }
    wrong
}

/// Proofs of which a part is missing, is twice, or comes too early.
fn spoilt(history: &History, good: &Certificate) -> impl Iterator<Item = Certificate> {
    let certain = |id: &u64| history.ops[*id as usize].is_acknowledged();
    let mut all = Vec::new();
    for (place, id) in good.order.iter().enumerate() {
        let mut twice = good.order.clone();
        twice.insert(place, *id);
        all.push(twice);
        let mut without = good.order.clone();
        without.remove(place);
        all.extend(certain(id).then_some(without));
        let ended = |before: &u64| {
            let before = &history.ops[*before as usize];
            let after = &history.ops[*id as usize];
            before.is_acknowledged() && before.complete_ts < Some(after.invoke_ts)
        };
        if let Some(to) = good.order[..place].iter().position(ended) {
            let mut early = good.order.clone();
            early.remove(place);
            early.insert(to, *id);
            all.push(early);
        }
    }
    let key = good.key.clone();
    all.into_iter().map(move |order| Certificate {
        key: key.clone(),
        order,
    })
}

/// Small histories of a model, one by one.
fn small(kind: ModelKind, cases: usize) -> impl Iterator<Item = Vec<Operation>> {
    let mut all = Vec::new();
    if kind == ModelKind::Register {
        each(kind, 2, &mut |ops| all.push(ops));
    }
    let (letters, mut next) = (alphabet(kind), numbers(41));
    let collection = matches!(
        kind,
        ModelKind::Bag | ModelKind::Queue | ModelKind::Stack | ModelKind::PriorityQueue
    );
    let random = (0..cases).map(move |case| match collection && case % 2 == 1 {
        true => distinct(&letters, 4 + case % 3, &mut next),
        false => random(&letters, 4 + case % 3, &mut next),
    });
    // Those that are random find most.
    random.chain(all)
}

/// Whether small histories of a model show something to be wrong with an engine.
fn is_found(kind: ModelKind, defect: Defect, engine: &str, cases: usize) -> bool {
    small(kind, cases).any(|ops| {
        let names = with(Some(defect), || wrong(kind, &ops, Some(engine)));
        names.contains(&engine)
    })
}

/// Without a defect, nothing is.
fn is_sound(kind: ModelKind, cases: usize) {
    for ops in small(kind, cases) {
        let names = wrong(kind, &ops, None);
        let told: String = ops.iter().map(|op| format!("{op}\n")).collect();
        assert!(names.is_empty(), "{kind:?}: {names:?}\n{told}");
    }
}

const MONITORED: [ModelKind; 9] = [
    ModelKind::Register,
    ModelKind::Queue,
    ModelKind::Stack,
    ModelKind::Bag,
    ModelKind::PriorityQueue,
    ModelKind::Counter,
    ModelKind::Set,
    ModelKind::Text,
    ModelKind::Log,
];

#[test]
fn a_defect_in_a_monitor_is_found() {
    for kind in MONITORED {
        is_sound(kind, 80);
        for defect in [
            Defect::MonitorIsCredulous,
            Defect::MonitorAccuses,
            Defect::MonitorTurnsItsOrder,
            Defect::MonitorLosesAWitness,
        ] {
            let found = is_found(kind, defect, "monitor", 5_000);
            assert!(found, "{kind:?} {defect:?}");
        }
    }
}

#[test]
fn a_defect_in_what_is_said_of_values_that_come_again_is_found() {
    for (kind, defect) in [
        (ModelKind::Bag, Defect::CountsForgetWhatIsPut),
        (ModelKind::Queue, Defect::CountsForgetWhatIsPut),
        (ModelKind::CasRegister, Defect::OverwrittenForgetsTheUnknown),
    ] {
        is_sound(kind, 200);
        let found = is_found(kind, defect, "monitor", 5_000);
        assert!(found, "{kind:?} {defect:?}");
    }
}

#[test]
fn a_defect_in_the_search_the_frontier_or_the_reader_is_found() {
    for (defect, engine) in [
        (Defect::SearchLooksPastReturns, "search"),
        (Defect::SearchTakesNothingOptional, "search"),
        (Defect::SearchTakesAllAtOnce, "search"),
        (Defect::SearchTakesOptionalEarly, "search"),
        (Defect::SearchForgetsStates, "search"),
        (Defect::SearchWantsTooLittle, "search"),
        (Defect::FrontierForgetsReturns, "frontier"),
        (Defect::FrontierBelievesReads, "frontier"),
        (Defect::FrontierForgetsChains, "frontier"),
        (Defect::FrontierTakesNothingOptional, "frontier"),
        (Defect::ReaderForgetsAmbiguous, "check"),
        (Defect::ReaderForgetsProgramOrder, "check"),
    ] {
        let found = is_found(ModelKind::CasRegister, defect, engine, 2_000);
        assert!(found, "{defect:?}");
    }
}

#[test]
fn of_two_that_do_the_same_the_first_due_goes_first() {
    // The long insertion has to wait until there was nothing.
    let insert = ("insert", Value::Int(1), None);
    let delete = |told| ("delete-min", Value::Null, told);
    let ops = [
        row(0, &insert, (0, 10), false),
        row(1, &insert, (1, 2), false),
        row(3, &delete(Some(Value::Int(1))), (3, 4), false),
        row(5, &delete(None), (5, 6), false),
        row(7, &delete(Some(Value::Int(1))), (7, 8), false),
    ];
    let kind = ModelKind::PriorityQueue;
    let names = |defect| with(defect, || wrong(kind, &ops, Some("search")));
    assert!(names(None).is_empty());
    assert!(!names(Some(Defect::SearchTakesTheLastFirst)).is_empty());
    // The long enqueue has to wait until 2 was put there.
    let put = |value| ("enqueue", Value::Int(value), None);
    let take = |value| ("dequeue", Value::Null, Some(Value::Int(value)));
    let ops = [
        row(0, &put(1), (0, 10), false),
        row(1, &put(1), (1, 2), false),
        row(3, &put(2), (3, 4), false),
        row(5, &take(1), (5, 6), false),
        row(7, &take(2), (7, 8), false),
        row(9, &take(1), (11, 12), false),
    ];
    let names = |defect| with(defect, || wrong(ModelKind::Queue, &ops, Some("search")));
    assert!(names(None).is_empty());
    assert!(!names(Some(Defect::ItemsTakeTheLastFirst)).is_empty());
}

/// The first element went to the dequeue of unknown outcome, before nothing was found: the dequeue
/// that is due first was called too late for it.
#[test]
fn a_dequeue_that_was_called_sooner_may_go_first() {
    let put = |value| ("enqueue", Value::Int(value), None);
    let take = |told: Option<i64>| ("dequeue", Value::Null, told.map(Value::Int));
    let ops = [
        row(0, &take(None), (0, 1), true),
        row(1, &put(1), (1, 1), false),
        row(2, &put(1), (4, 4), true),
        row(3, &take(None), (4, 10), false),
        row(4, &put(3), (6, 6), false),
        row(5, &put(2), (7, 7), false),
        row(6, &take(Some(1)), (8, 12), false),
    ];
    let names = |defect| with(defect, || wrong(ModelKind::Queue, &ops, Some("search")));
    assert!(names(None).is_empty());
    assert!(!names(Some(Defect::ItemsForgetWhoCameSooner)).is_empty());
}

#[test]
fn a_take_of_unknown_outcome_that_was_called_first_takes_first() {
    for (kind, put, take) in [
        (ModelKind::Queue, "enqueue", "dequeue"),
        (ModelKind::Stack, "push", "pop"),
        (ModelKind::Bag, "add", "remove"),
        (ModelKind::PriorityQueue, "insert", "delete-min"),
    ] {
        let take = (take, Value::Null, None);
        let ops = [
            row(0, &(put, Value::Int(1), None), (0, 1), false),
            row(1, &take, (2, 3), true),
            row(2, &take, (4, 5), false),
            row(3, &take, (6, 7), true),
        ];
        let names = |defect| with(defect, || wrong(kind, &ops, Some("monitor")));
        assert!(names(None).is_empty(), "{kind:?}");
        assert!(!names(Some(Defect::TakersComeLast)).is_empty(), "{kind:?}");
    }
}

#[test]
fn a_defect_in_the_search_of_a_queue_a_stack_or_a_bag_is_found() {
    for (kind, defect) in [
        (ModelKind::Queue, Defect::ItemsTakeNothingOptional),
        (ModelKind::Queue, Defect::ItemsForgetStates),
        (ModelKind::Stack, Defect::SearchWantsTooLittle),
        (ModelKind::Bag, Defect::SearchWantsTooLittle),
    ] {
        let found = is_found(kind, defect, "search", 2_000);
        assert!(found, "{kind:?} {defect:?}");
    }
}

#[test]
fn a_defect_in_how_a_stack_is_said_to_nest_is_found() {
    for ops in small(ModelKind::Stack, 1_500) {
        let names = wrong(ModelKind::Stack, &ops, Some("nesting"));
        let told: String = ops.iter().map(|op| format!("{op}\n")).collect();
        assert!(names.is_empty(), "{told}");
    }
    for defect in [Defect::NestsForgetValues, Defect::NestsTakeNothingOptional] {
        let found = is_found(ModelKind::Stack, defect, "nesting", 2_000);
        assert!(found, "{defect:?}");
    }
}

#[test]
fn a_defect_in_proofs_or_their_verifiers_is_found() {
    for (defect, engine) in [
        (Defect::VerifierSeesNoneMissing, "verifier"),
        (Defect::VerifierHasNoTime, "verifier"),
        (Defect::VerifierHearsNothing, "verifier"),
        (Defect::VerifierTakesOneTwice, "verifier"),
        (Defect::RefuterTakesMore, "refuter"),
        (Defect::RefuterTakesLess, "refuter"),
        (Defect::ShrinkerStopsEarly, "finding"),
        (Defect::ShrinkerGoesTooFar, "finding"),
    ] {
        let kinds: &[ModelKind] = match defect {
            Defect::VerifierHearsNothing => &[ModelKind::Queue],
            // What a monitor names is made smaller in one way, the rest in another.
            Defect::ShrinkerStopsEarly | Defect::ShrinkerGoesTooFar => {
                &[ModelKind::Register, ModelKind::Mutex]
            }
            _ => &[ModelKind::Register],
        };
        for kind in kinds {
            let found = is_found(*kind, defect, engine, 300);
            assert!(found, "{kind:?} {defect:?}");
        }
    }
}

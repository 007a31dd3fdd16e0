//! Each engine with each of its defects: the tests of the engine find it.

use std::cell::Cell;
use std::collections::BTreeMap;

use super::Defect;
use crate::history::{History, Operation};
use crate::linear::frontier::sweep;
use crate::linear::monitor::{self, Verdict};
use crate::linear::partition::{Partition, partitions_of};
use crate::linear::search::Ending;
use crate::linear::{Certificate, by_search_of, certify, check, refute, verify};
use crate::models::{Builtin, Model as _};
use crate::reference::{alphabet, each, linearizes, numbers, random};
use crate::report::{Budget, Outcome};
use crate::spec::ModelKind;
use crate::value::Value;

thread_local! {
    static PLANTED: Cell<Option<Defect>> = const { Cell::new(None) };
}

pub(in crate::linear) fn planted(defect: Defect) -> bool {
    PLANTED.get() == Some(defect)
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

/// What a history shows to be wrong with an engine, by its name.
fn wrong(kind: ModelKind, ops: &[Operation]) -> Vec<&'static str> {
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
    let said = by_search_of(partition, kind, &mut budget.clone()).ending == Ending::Legal;
    if said != expected {
        wrong.push("search");
    }
    let swept = sweep(partition, &model, &budget).ending == Ending::Legal;
    if swept != expected {
        wrong.push("frontier");
    }
    match monitor::ask(partition, kind) {
        Some((_, Verdict::Legal(order))) => {
            let played = crate::linear::verify::play(partition, kind, &order);
            // Of orders of what touches, the verifier refuses some, and the search decides.
            let touches = partition.members.iter().any(|one| one.after().is_some());
            if !expected || (played.is_err() && !touches) {
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
    let report = check(&history, kind, &budget, 1);
    let ok = matches!(report.outcome, Outcome::Ok | Outcome::Weak { .. });
    if ok != expected {
        wrong.push("check");
    }
    for finding in &report.findings {
        if refute(&history, kind, finding, &budget).is_err() {
            wrong.push("finding");
        }
        for place in 0..finding.minimal.len() {
            let mut less = finding.clone();
            less.minimal.remove(place);
            less.minimal_rows.remove(place);
            if refute(&history, kind, &less, &budget).is_ok() {
                wrong.push("refuter");
            }
        }
        let others = history.ops.iter().filter(|op| op.is_acknowledged());
        for op in others.filter(|op| !finding.minimal.contains(&op.op_id)) {
            let mut more = finding.clone();
            more.minimal.push(op.op_id);
            more.minimal_rows.push(op.clone());
            if refute(&history, kind, &more, &budget).is_ok() {
                wrong.push("refuter");
            }
        }
    }
    if let Some(proof) = certify(&history, kind, &budget)
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
    if let Some([good]) = certify(&history, kind, &budget).as_deref()
        && spoilt(&history, good).any(|bad| verify(&history, kind, &[bad]).is_ok())
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

/// By what is wrong, how often, on small histories of a model.
fn found(kind: ModelKind, defect: Option<Defect>, cases: u64) -> BTreeMap<&'static str, u64> {
    let mut all = BTreeMap::new();
    let mut look = |ops: Vec<Operation>| {
        PLANTED.set(defect);
        let names = wrong(kind, &ops);
        PLANTED.set(None);
        if defect.is_none() && !names.is_empty() {
            let told: String = ops.iter().map(|op| format!("{op}\n")).collect();
            panic!("{kind:?}: {names:?}\n{told}");
        }
        names
            .into_iter()
            .for_each(|name| *all.entry(name).or_default() += 1);
    };
    if kind == ModelKind::Register {
        each(kind, 2, &mut look);
    }
    let (letters, mut next) = (alphabet(kind), numbers(41));
    for case in 0..cases {
        look(random(&letters, 4 + case as usize % 3, &mut next));
    }
    all
}

const MONITORED: [ModelKind; 6] = [
    ModelKind::Register,
    ModelKind::Queue,
    ModelKind::Stack,
    ModelKind::Bag,
    ModelKind::PriorityQueue,
    ModelKind::Counter,
];

#[test]
fn a_defect_in_a_monitor_is_found() {
    for kind in MONITORED {
        assert_eq!(
            found(kind, None, 80),
            BTreeMap::new(),
            "{kind:?} without a defect"
        );
        for defect in [
            Defect::MonitorIsCredulous,
            Defect::MonitorAccuses,
            Defect::MonitorTurnsItsOrder,
            Defect::MonitorLosesAWitness,
        ] {
            let found = found(kind, Some(defect), 300);
            assert!(
                found.contains_key("monitor"),
                "{kind:?} {defect:?}: {found:?}"
            );
        }
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
        (Defect::FrontierForgetsReturns, "frontier"),
        (Defect::FrontierBelievesReads, "frontier"),
        (Defect::FrontierForgetsChains, "frontier"),
        (Defect::FrontierTakesNothingOptional, "frontier"),
        (Defect::ReaderForgetsAmbiguous, "check"),
        (Defect::ReaderForgetsProgramOrder, "check"),
    ] {
        let found = found(ModelKind::CasRegister, Some(defect), 700);
        assert!(found.contains_key(engine), "{defect:?}: {found:?}");
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
        let kind = match defect {
            Defect::VerifierHearsNothing => ModelKind::Queue,
            _ => ModelKind::Register,
        };
        let found = found(kind, Some(defect), 300);
        assert!(found.contains_key(engine), "{defect:?}: {found:?}");
    }
}

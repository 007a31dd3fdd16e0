//! Certificates of anomalies that are no cycles: those that are given stand, and no other does.

use std::collections::BTreeSet;

use checkers::txn::{Base, Certificate, Level, Order, Workload, verify};

use super::notation::{Step, Tx, history};
use super::reference::Known;
use super::small::{Numbers, lists, registers};

const NAMES: [&str; 10] = [
    "garbage-read",
    "duplicate-elements",
    "cyclic-versions",
    "G1a",
    "dirty-update",
    "incompatible-order",
    "G1b",
    "future-read",
    "internal",
    "lost-update",
];

/// Of so many ids, every one, two and three.
fn tuples(count: u64) -> Vec<Vec<u64>> {
    let ids = || 0..count;
    let one = ids().map(|a| vec![a]);
    let two = ids().flat_map(|a| ids().map(move |b| vec![a, b]));
    let three = ids().flat_map(|a| ids().flat_map(move |b| ids().map(move |c| vec![a, b, c])));
    one.chain(two).chain(three).collect()
}

/// The weakest level that forbids an anomaly.
fn forbids(name: &str) -> Level {
    let base = match name {
        "garbage-read" | "duplicate-elements" => Base::ReadUncommitted,
        "internal" => Base::ReadAtomic,
        "lost-update" => Base::CursorStability,
        _ => Base::ReadCommitted,
    };
    let order = Order::None;
    Level { base, order }
}

/// The claims about a history that are found to be true.
fn stand(txs: &[Tx], workload: Workload) -> BTreeSet<&'static str> {
    let history = history(txs);
    let mut keys: Vec<char> = txs
        .iter()
        .flat_map(|tx| &tx.steps)
        .map(|step| match step {
            Step::Append(key, _) | Step::Write(key, _) => *key,
            Step::List(key, _) | Step::Read(key, _) => *key,
            Step::Find(..) => unreachable!("no predicates here"),
        })
        .collect();
    keys.sort_unstable();
    keys.dedup();
    let mut found = BTreeSet::new();
    for name in NAMES {
        for key in &keys {
            for ops in tuples(txs.len() as u64) {
                let claim = Certificate::Anomaly {
                    name: name.to_owned(),
                    key: key.to_string().into(),
                    ops,
                };
                if verify(&history, workload, forbids(name), &claim).is_ok() {
                    found.insert(name);
                    let weaker = Level::all().find(|level| !level.implies(forbids(name)));
                    let weaker = weaker.filter(|_| forbids(name).base != Base::ReadUncommitted);
                    let told = weaker.map(|level| verify(&history, workload, level, &claim));
                    assert!(told.is_none_or(|told| told.is_err()), "{name}");
                }
            }
        }
    }
    found
}

#[test]
fn no_claim_stands_of_what_holds() {
    let mut numbers = Numbers(0xc1a1);
    let mut stood: BTreeSet<&'static str> = BTreeSet::new();
    for round in 0..50 {
        let workload = Workload::ALL[round % 2];
        let txs = match workload {
            Workload::ListAppend => lists(&mut numbers, 4),
            _ => registers(&mut numbers, 4),
        };
        let known = Known::of(&txs);
        for name in stand(&txs, workload) {
            stood.insert(name);
            assert!(!known.satisfies(forbids(name)), "{name}: {txs:#?}");
        }
    }
    assert!(stood.len() >= 5, "{stood:?}");
}

//! Simulated databases, whose isolation is known.

#[path = "../../../benches/isolation/databases.rs"]
pub(crate) mod databases;

use checkers::txn::{Analysis, Base, Level, Order, Verdict, Workload, analyze, certify, verify};
use checkers::{Budget, History, Value};
use databases::{DEFECTS, Database, Isolation, run, run_with};

use super::notation::{End, Step, Tx};
use super::small::{agree, consistent};

pub(crate) const ISOLATIONS: [Isolation; 4] = [
    Isolation::Strict,
    Isolation::Stale,
    Isolation::Snapshot,
    Isolation::Committed,
];

fn analyzed(history: &History, workload: Workload) -> Analysis {
    analyze(history, workload, &Budget::default()).expect("transactions")
}

/// What such a database keeps.
pub(crate) fn kept(isolation: Isolation) -> Level {
    let (base, order) = match isolation {
        Isolation::Strict => (Base::Serializable, Order::Realtime),
        Isolation::Stale => (Base::Serializable, Order::None),
        Isolation::Snapshot => (Base::SnapshotIsolation, Order::Realtime),
        Isolation::Committed => (Base::ReadCommitted, Order::None),
    };
    Level { base, order }
}

/// A history as the reference reads it.
fn transactions(history: &History) -> Vec<Tx> {
    let letter = |key: &Value| {
        let number = key.as_int().and_then(|key| u8::try_from(key).ok());
        char::from(b'a' + number.expect("a small key"))
    };
    let int = |value: &Value| value.as_int();
    let step = |workload: Workload, step: &Value| {
        let [name, key, value] = step.as_list().expect("a step") else {
            panic!("{step}")
        };
        let key = letter(key);
        match (name.as_text().expect("a name"), workload) {
            ("append", _) => Step::Append(key, int(value).expect("a number")),
            ("w", _) => Step::Write(key, int(value).expect("a number")),
            (_, Workload::ListAppend) => {
                let list = value.as_list().unwrap_or(&[]);
                Step::List(key, list.iter().filter_map(int).collect())
            }
            _ => Step::Read(key, int(value)),
        }
    };
    let lists = history.ops.iter().any(|op| {
        let steps = op.input.as_list().into_iter().flatten();
        let mut names = steps.filter_map(|step| step.as_list()?[0].as_text());
        names.any(|name| name == "append")
    });
    let workload = match lists {
        true => Workload::ListAppend,
        false => Workload::RwRegister,
    };
    let tx = |op: &checkers::Operation| {
        let told = op.output.as_ref().unwrap_or(&op.input);
        let steps = told.as_list().expect("steps").iter();
        Tx {
            steps: steps.map(|one| step(workload, one)).collect(),
            end: if op.output.is_some() {
                End::Ok
            } else {
                End::Fail
            },
            process: op.process_id,
            from: op.invoke_ts,
            to: op.complete_ts.expect("it ended"),
        }
    };
    history.ops.iter().map(tx).collect()
}

/// The history of a database with lists.
pub(crate) fn database(isolation: Isolation, transactions: usize) -> History {
    run(&Database {
        workload: Workload::ListAppend,
        isolation,
        transactions,
        seed: 7,
        clients: 5,
        keys: 4,
        writes: 12,
    })
}

#[test]
fn small_databases_agree_with_the_reference() {
    for seed in 0..400 {
        let workload = Workload::ALL[seed as usize % 2];
        let history = run(&Database {
            workload,
            isolation: ISOLATIONS[seed as usize / 2 % 4],
            transactions: 3 + seed as usize / 8 % 4,
            seed,
            clients: 3,
            keys: 1 + seed / 3 % 3,
            writes: 8,
        });
        let txs = transactions(&history);
        let lists = txs.iter().flat_map(|tx| &tx.steps);
        let empty = lists
            .clone()
            .all(|step| matches!(step, Step::Read(..) | Step::List(..)));
        if !empty {
            agree(&txs, workload, seed % 16 == 0);
        }
    }
}

/// Registers tell less than lists: what holds of a database with lists holds of the same one with
/// registers. Every level is decided, and what holds has a proof that stands.
#[test]
fn databases_of_registers_are_decided() {
    let (mut refuted, mut unknown) = (0, Vec::new());
    for (number, isolation) in (0..).zip(ISOLATIONS) {
        for (seed, transactions, keys) in [(1, 300, 3), (2, 1_000, 10), (3, 1_000, 4)] {
            let database = |workload| Database {
                workload,
                isolation,
                transactions,
                seed: seed + 10 * number,
                clients: 10,
                keys,
                writes: 32,
            };
            let lists = run(&database(Workload::ListAppend));
            let lists = analyzed(&lists, Workload::ListAppend);
            let history = run(&database(Workload::RwRegister));
            let registers = analyzed(&history, Workload::RwRegister);
            consistent(&lists);
            consistent(&registers);
            for (level, verdict) in &registers.levels {
                let told = || format!("{isolation:?} {seed} {level}: {verdict:?}");
                match verdict {
                    Verdict::Fails { .. } => {
                        refuted += 1;
                        assert_ne!(*lists.verdict(*level), Verdict::Holds, "{}", told());
                        assert!(!kept(isolation).implies(*level), "{}", told());
                    }
                    Verdict::Holds => {}
                    Verdict::Unknown { .. } => unknown.push(told()),
                }
            }
            let level = kept(isolation);
            let proof = certify(&history, Workload::RwRegister, level, &Budget::default());
            let proof = proof.expect("transactions").expect("a proof");
            assert_eq!(
                verify(&history, Workload::RwRegister, level, &proof),
                Ok(())
            );
        }
    }
    assert!(refuted > 100, "{refuted}");
    assert!(unknown.is_empty(), "{}", unknown.join("\n"));
}

/// Names of anomalies and, for each, whether the level forbids it.
fn forbidden(analysis: &Analysis, level: Level) -> Vec<String> {
    let fails = matches!(analysis.verdict(level), Verdict::Fails { .. });
    let names = analysis.counts.keys().filter(|_| fails);
    names.cloned().collect()
}

/// A database keeps what it promises, but for one defect: that is told by its name and its place,
/// and nothing is told of the same database without it.
#[test]
fn each_defect_is_told_by_name_and_none_where_there_is_none() {
    let mut told = 0;
    for workload in [Workload::ListAppend, Workload::RwRegister] {
        for (seed, isolation) in (0..).zip(ISOLATIONS) {
            let database = Database {
                workload,
                isolation,
                transactions: 200,
                seed,
                clients: 5,
                keys: 4,
                writes: 12,
            };
            let kept = kept(isolation);
            let clean = analyzed(&run(&database), workload);
            assert_eq!(*clean.verdict(kept), Verdict::Holds, "{isolation:?}");
            assert_eq!(forbidden(&clean, kept), Vec::<String>::new());
            for defect in DEFECTS.iter().filter(|defect| defect.is_seen(workload)) {
                if !kept.implies(defect.forbidden_by) {
                    continue;
                }
                let (history, rows) = run_with(&database, Some((defect, 100)));
                let analysis = analyzed(&history, workload);
                let context = || format!("{workload:?} {isolation:?} {}", defect.name);
                for level in [kept, defect.forbidden_by] {
                    let verdict = analysis.verdict(level);
                    let fails = matches!(verdict, Verdict::Fails { .. });
                    assert!(fails, "{} {level}: {verdict:?}", context());
                }
                let anomalies = analysis.anomalies.iter();
                let mut named = anomalies.filter(|anomaly| anomaly.name == defect.name);
                let inside = |id: &u64| rows.contains(&(*id as usize));
                // A later read may be what shows it.
                let there = named.any(|anomaly| {
                    let within = anomaly.ops.iter().filter(|id| inside(id)).count();
                    within >= anomaly.ops.len().min(2)
                });
                assert!(there, "{}: {:?}", context(), analysis.counts);
                // Of a database that is strict, nothing else is.
                let other = |anomaly: &&checkers::txn::Anomaly| !anomaly.ops.iter().any(inside);
                let elsewhere = analysis.anomalies.iter().find(other);
                if isolation == Isolation::Strict {
                    assert_eq!(elsewhere, None, "{}", context());
                }
                told += 1;
            }
        }
    }
    assert!(told >= 60, "{told}");
}

#[test]
fn small_databases_with_a_defect_agree_with_the_reference() {
    let mut held = [0_u32; 2];
    for seed in 0..1_040 {
        let defect = &DEFECTS[seed as usize % DEFECTS.len()];
        let workload = Workload::ALL[seed as usize / DEFECTS.len() % 2];
        // The reference knows no values that nobody wrote.
        if !defect.is_seen(workload) || defect.name == "garbage-read" {
            continue;
        }
        let database = Database {
            workload,
            isolation: ISOLATIONS[seed as usize / 3 % 4],
            transactions: 5,
            seed,
            clients: 3,
            keys: 2,
            writes: 8,
        };
        let at = 1 + seed as usize / 7 % 3;
        let (history, _) = run_with(&database, Some((defect, at)));
        agree(&transactions(&history), workload, seed % 32 == 0);
        held[seed as usize % 2] += 1;
    }
    assert!(held[0] > 300 && held[1] > 300, "{held:?}");
}

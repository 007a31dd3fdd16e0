//! Reads by predicates: what they must have selected, and what follows from it.

use std::collections::BTreeMap;

use checkers::txn::{
    Analysis, Level, Options, Verdict, Workload, analyze, certify, refutation, refute, verify,
};
use checkers::{Budget, History, jsonl};

use super::notation::{End, Step, Tx};
use super::reference::Known;
use super::small::{Numbers, sequential};

/// A history of transactions that overlap, but for the first, which is over before the others.
fn history(txns: &[&str]) -> History {
    let mut lines = Vec::new();
    let row = |process: usize, kind: &str, value: &str| {
        let name = if value.starts_with("[[\"") {
            "txn"
        } else {
            "init"
        };
        format!(r#"{{"process":{process},"type":"{kind}","f":"{name}","value":{value}}}"#)
    };
    let first = usize::from(txns[0].starts_with("[[0") || txns[0].starts_with("[[1"));
    for (process, value) in txns.iter().enumerate().take(first) {
        lines.push(row(process, "invoke", value));
        lines.push(row(process, "ok", value));
    }
    for kind in ["invoke", "ok"] {
        for (process, value) in txns.iter().enumerate().skip(first) {
            lines.push(row(process, kind, value));
        }
    }
    jsonl::read(lines.join("\n").as_bytes()).expect("a history")
}

fn judged(txns: &[&str]) -> Analysis {
    analyze(&history(txns), Workload::RwRegister, &Budget::default()).expect("transactions")
}

/// The anomalies, and the weakest levels that fail.
fn check(txns: &[&str], anomalies: &str, fails: &str) {
    let told = judged(txns);
    let names: Vec<&str> = told.counts.keys().map(String::as_str).collect();
    let levels: Vec<String> = told.fails.iter().map(ToString::to_string).collect();
    assert_eq!(
        (names.join(" "), levels.join(" ")),
        (anomalies.to_owned(), fails.to_owned())
    );
    for (level, verdict) in &told.levels {
        let expected = told.fails.iter().any(|fails| level.implies(*fails));
        assert_eq!(
            matches!(verdict, Verdict::Fails { .. }),
            expected,
            "{level}"
        );
        assert!(!matches!(verdict, Verdict::Unknown { .. }), "{level}");
    }
}

#[test]
fn what_is_absent_is_found_by_nobody() {
    let txns = [r#"[["w",0,1]]"#, r#"[["rp","true",[[1,null]]]]"#];
    check(&txns, "internal", "read-atomic");
    let told = judged(&txns);
    for (level, verdict) in &told.levels {
        if matches!(verdict, Verdict::Fails { .. }) {
            let proof = refutation(&told, *level).expect("a proof");
            let stands = verify(&history(&txns), Workload::RwRegister, *level, &proof);
            stands.expect("it stands");
        }
    }
}

#[test]
fn each_finds_what_the_other_writes() {
    let txns = [
        r#"[["w",0,1],["rp","true",[[1,2]]]]"#,
        r#"[["w",1,2],["rp","true",[[0,1]]]]"#,
    ];
    check(&txns, "G1c", "read-committed");
}

#[test]
fn neither_finds_what_the_other_writes() {
    // What was not found was not there yet: both are phantoms to each other.
    let txns = [
        r#"[["w",0,1],["rp","true",[]]]"#,
        r#"[["w",1,2],["rp","true",[]]]"#,
    ];
    check(&txns, "G-update G2 write-skew", "update-serializable");
    let serial = [
        r#"[["w",0,1],["rp","true",[]]]"#,
        r#"[["w",1,2],["rp","true",[[0,1]]]]"#,
    ];
    check(&serial, "", "");
}

#[test]
fn what_is_not_found_was_deleted() {
    let txns = [
        "[[0,0],[1,0]]",
        r#"[["delete",0],["rp","true",[]]]"#,
        r#"[["delete",1],["rp","true",[]]]"#,
    ];
    check(&txns, "G1c", "read-committed");
    let serial = [
        "[[0,0],[1,0]]",
        r#"[["delete",0],["rp","true",[[1,0]]]]"#,
        r#"[["delete",1],["rp","true",[]]]"#,
    ];
    check(&serial, "", "");
}

#[test]
fn what_is_not_found_has_another_value() {
    let both = [
        "[[0,0],[1,0]]",
        r#"[["rp",["=",0],[[0,0]]],["w",0,1]]"#,
        r#"[["rp",["=",0],[[1,0]]],["w",1,1]]"#,
    ];
    check(&both, "G1c", "read-committed");
    let neither = [
        "[[0,0],[1,0]]",
        r#"[["rp",["=",1],[]],["w",0,1]]"#,
        r#"[["rp",["=",1],[]],["w",1,1]]"#,
    ];
    check(&neither, "G-update G2 write-skew", "update-serializable");
}

#[test]
fn a_deletion_is_read_as_nothing() {
    let txns = [
        "[[0,0],[2,0]]",
        r#"[["r",2,3],["delete",0]]"#,
        r#"[["r",0,null],["insert",1,2]]"#,
        r#"[["r",1,2],["w",2,3]]"#,
    ];
    check(&txns, "G1c", "read-committed");
}

#[test]
fn what_is_deleted_and_made_again_is_read_as_nothing_between() {
    let txns = [
        r#"[["r",0,null],["w",0,1]]"#,
        r#"[["r",0,1],["delete",0],["r",0,null],["w",0,2]]"#,
        r#"[["r",0,2]]"#,
    ];
    check(&txns, "", "");
    let other = [r#"[["w",0,1],["delete",0],["r",0,1]]"#, r#"[["r",0,null]]"#];
    check(&other, "internal", "read-atomic");
}

#[test]
fn an_object_that_was_there_is_missed() {
    let missed = ["[[5,3]]", r#"[["rp",["mod",2,1],[]],["rp",["=",3],[]]]"#];
    check(&missed, "predicate-read-miss", "serializable");
    let shown = [
        "[[5,3]]",
        r#"[["rp",["mod",2,1],[[5,3]]],["rp",["=",4],[]]]"#,
    ];
    check(&shown, "", "");
}

#[test]
fn what_is_found_is_what_was_looked_for() {
    let txns = [r#"[["w",0,1]]"#, r#"[["rp",["=",2],[[0,1]]]]"#];
    check(&txns, "internal", "read-atomic");
    let history = history(&txns);
    let told = judged(&txns);
    let level = Level::named("read-atomic").expect("a level");
    let proof = refutation(&told, level).expect("a proof");
    let stands = verify(&history, Workload::RwRegister, level, &proof);
    assert_eq!(stands, Ok(()));
}

#[test]
fn several_versions_are_held_against_nobody() {
    let txns = [
        "[[0,0]]",
        r#"[["w",0,1]]"#,
        r#"[["w",0,3]]"#,
        r#"[["rp",["=",0],[]]]"#,
    ];
    let told = judged(&txns);
    assert_eq!(told.holds, [Level::STRICT_SERIALIZABLE]);
    assert!(told.assumptions.is_empty(), "{:?}", told.assumptions);
}

#[test]
fn transactions_of_unknown_outcome_may_have_hidden_it() {
    let lines = r#"{"process":0,"type":"invoke","f":"init","value":[[0,0]]}
{"process":0,"type":"ok","f":"init","value":[[0,0]]}
{"process":1,"type":"invoke","f":"txn","value":[["delete",0]]}
{"process":1,"type":"info","f":"txn","value":[["delete",0]]}
{"process":2,"type":"invoke","f":"txn","value":[["rp","true",[]]]}
{"process":2,"type":"ok","f":"txn","value":[["rp","true",[]]]}"#;
    let history = jsonl::read(lines.as_bytes()).expect("a history");
    let told = analyze(&history, Workload::RwRegister, &Budget::default()).expect("transactions");
    assert_eq!(told.holds, [Level::STRICT_SERIALIZABLE]);
}

#[test]
fn a_dirty_predicate_read_is_one() {
    let lines = r#"{"process":0,"type":"invoke","f":"txn","value":[["w",0,1]]}
{"process":1,"type":"invoke","f":"txn","value":[["rp","true",null]]}
{"process":1,"type":"ok","f":"txn","value":[["rp","true",[[0,1]]]]}
{"process":0,"type":"fail","f":"txn","value":[["w",0,1]]}"#;
    let history = jsonl::read(lines.as_bytes()).expect("a history");
    let told = analyze(&history, Workload::RwRegister, &Budget::default()).expect("transactions");
    assert_eq!(told.counts.keys().collect::<Vec<_>>(), ["G1a"]);
}

/// Elle's own cases: the rest of its suite of closed predicates.
#[test]
fn elles_cycles_through_the_beginning_are_found() {
    let cases: [&[&str]; 2] = [
        // T1 deletes x and inserts y; T2 sees y, and not z, which was there in the beginning.
        &[
            "[[0,0],[2,0]]",
            r#"[["delete",0],["insert",1,1]]"#,
            r#"[["r",1,1],["r",2,null]]"#,
        ],
        // What the predicate read must have seen is missed by the read after it.
        &["[[7,1]]", r#"[["rp",["mod",2,0],[]],["r",7,null]]"#],
    ];
    for txns in cases {
        let told = judged(txns);
        assert!(told.counts.contains_key("G-single"), "{:?}", told.counts);
        for name in ["consistent-view", "snapshot-isolation", "serializable"] {
            let level = Level::named(name).expect("a level");
            let verdict = told.verdict(level);
            assert!(
                matches!(verdict, Verdict::Fails { .. }),
                "{name} {verdict:?}"
            );
        }
        let level = Level::named("read-committed").expect("a level");
        assert_eq!(*told.verdict(level), Verdict::Holds);
    }
}

/// The histories of Adya and of Hermitage that need a predicate.
#[test]
fn phantoms_of_the_literature_are_judged() {
    let fails = |told: &Analysis, name: &str| {
        let level = Level::named(name).expect("a level");
        matches!(told.verdict(level), Verdict::Fails { .. })
    };
    // Adya's Hphantom: the sum that T1 reads counts what its predicate did not find.
    let phantom = [
        "[[0,10],[1,10],[9,20]]",
        r#"[["rp",["=",10],[[0,10],[1,10]]],["r",9,30]]"#,
        r#"[["r",9,20],["w",2,10],["w",9,30]]"#,
    ];
    let told = judged(&phantom);
    assert!(fails(&told, "serializable") && fails(&told, "consistent-view"));
    assert!(!fails(&told, "repeatable-read"), "{:?}", told.fails);
    // Hermitage's PMP: nothing is 30, and then something is a multiple of three.
    let pmp = [
        "[[1,10],[2,20]]",
        r#"[["rp",["=",30],[]],["rp",["mod",3,0],[[3,30]]]]"#,
        r#"[["insert",3,30]]"#,
    ];
    let told = judged(&pmp);
    assert!(fails(&told, "consistent-view") && !fails(&told, "read-committed"));
    let prevented = [
        "[[1,10],[2,20]]",
        r#"[["rp",["=",30],[]],["rp",["mod",3,0],[]]]"#,
        r#"[["insert",3,30]]"#,
    ];
    assert_eq!(judged(&prevented).holds, [Level::STRICT_SERIALIZABLE]);
    // Hermitage's G2: both look for multiples of three, and both insert one.
    let both = [
        "[[1,10],[2,20]]",
        r#"[["rp",["mod",3,0],[]],["insert",3,30]]"#,
        r#"[["rp",["mod",3,0],[]],["insert",4,42]]"#,
    ];
    let told = judged(&both);
    assert!(told.counts.contains_key("G2"), "{:?}", told.counts);
    assert!(fails(&told, "serializable") && !fails(&told, "snapshot-isolation"));
}

#[test]
fn sessions_and_real_time_make_predicates_cycles_too() {
    let row = |process: u32, kind: &str, value: &str| {
        format!(r#"{{"process":{process},"type":"{kind}","f":"txn","value":{value}}}"#)
    };
    let (write, miss) = (r#"[["w",0,1]]"#, r#"[["rp","true",[]]]"#);
    let (skew, other) = (r#"[["rp","true",[]],["w",1,2]]"#, r#"[["r",1,null]]"#);
    // Who looks after the write ended finds nothing; in a session, and in real time alone.
    let stale = |second: u32| {
        [
            row(0, "invoke", write),
            row(0, "ok", write),
            row(second, "invoke", miss),
            row(second, "ok", miss),
        ]
    };
    // T2 looks for what T1 writes and finds nothing; T3 begins after T1, and misses T2's write.
    let late = |third: u32| {
        [
            row(1, "invoke", skew),
            row(0, "invoke", write),
            row(0, "ok", write),
            row(third, "invoke", other),
            row(third, "ok", other),
            row(1, "ok", skew),
        ]
    };
    let names = |lines: &[String]| {
        let history = jsonl::read(lines.join("\n").as_bytes()).expect("a history");
        let told = analyze(&history, Workload::RwRegister, &Budget::default());
        told.expect("transactions").counts
    };
    for (lines, name, not) in [
        (stale(0).to_vec(), "G-single-process", "G2-process"),
        (stale(1).to_vec(), "G-single-realtime", "G-single-process"),
        (late(0).to_vec(), "G2-process", "G-single-process"),
        (late(2).to_vec(), "G2-realtime", "G2-process"),
    ] {
        let counts = names(&lines);
        assert!(counts.contains_key(name), "{name}: {counts:?}");
        assert!(!counts.contains_key(not), "{not}: {counts:?}");
    }
}

/// Transactions on two registers, whose reads by predicates mostly show what some run had left.
pub(crate) fn finding(numbers: &mut Numbers, count: u64) -> Vec<Tx> {
    let keys = ['x', 'y'];
    let (mut next, mut clock) = (0, 0);
    let mut now: BTreeMap<char, i64> = BTreeMap::new();
    let mut txs: Vec<Tx> = Vec::new();
    for _ in 0..count {
        let (mut steps, before) = (Vec::new(), now.clone());
        let stale = numbers.below(4) == 0;
        for _ in 0..1 + numbers.below(3) {
            let key = keys[numbers.below(2) as usize];
            let view = if stale { &before } else { &now };
            match numbers.below(4) {
                0 | 1 => {
                    next += 1;
                    steps.push(Step::Write(key, next));
                    now.insert(key, next);
                }
                2 => steps.push(Step::Read(key, view.get(&key).copied())),
                _ => {
                    let divisor = 1 + numbers.below(2) as i64;
                    let rest = numbers.below(divisor as u64) as i64;
                    let all = view.iter().map(|(key, value)| (*key, *value));
                    let found = all.filter(|(_, value)| value.rem_euclid(divisor) == rest);
                    let found = found.filter(|_| numbers.below(8) > 0);
                    steps.push(Step::Find((divisor, rest), found.collect()));
                }
            }
        }
        let end = [
            End::Ok,
            End::Ok,
            End::Ok,
            End::Ok,
            End::Ok,
            End::Info,
            End::Fail,
        ];
        let end = end[numbers.below(7) as usize];
        if end == End::Fail || numbers.below(6) == 0 {
            now = before;
        }
        clock += numbers.below(3);
        txs.push(Tx {
            steps,
            end,
            process: numbers.below(3),
            from: clock,
            to: clock + 1 + numbers.below(4),
        });
    }
    sequential(&mut txs);
    txs
}

/// Transactions that all overlap, each of a process of its own.
fn all_at_once<'s>(steps: impl IntoIterator<Item = &'s Vec<Step>>) -> Vec<Tx> {
    let txs = steps.into_iter().zip(0..).map(|(steps, process)| Tx {
        steps: steps.clone(),
        end: End::Ok,
        process,
        from: 0,
        to: 9,
    });
    txs.collect()
}

/// Every level is what the reference says over all sets of versions.
fn agrees(txs: &[Tx]) {
    let history = super::notation::history(txs);
    let told = analyze(&history, Workload::RwRegister, &Budget::default()).expect("transactions");
    let all = Known::all(txs);
    for level in Level::all() {
        let expected = all.iter().any(|known| known.satisfies(level));
        let right = match told.verdict(level) {
            Verdict::Holds => expected,
            Verdict::Fails { .. } => !expected,
            Verdict::Unknown { .. } => false,
        };
        let verdict = told.verdict(level);
        assert!(
            right,
            "{level}: {verdict:?}, but {expected}\n{txs:#?}\n{told:#?}"
        );
    }
    for level in Level::all() {
        if let Some(proof) = refutation(&told, level) {
            let stands = verify(&history, Workload::RwRegister, level, &proof);
            assert_eq!(stands, Ok(()), "{level}: {proof:?}\n{txs:#?}");
        }
    }
}

#[test]
fn random_predicates_agree_with_every_set_of_versions() {
    let mut numbers = Numbers(0xf1d);
    for _ in 0..1_500 {
        let count = 2 + numbers.below(3);
        agrees(&finding(&mut numbers, count));
    }
}

/// Whoever looks for what is odd, finds nothing and then writes what is even saw what came before
/// its own write, not what another wrote over that: of these, no serial order gives the answers.
#[test]
fn what_is_hidden_comes_before_what_its_reader_writes_later() {
    let (read, write) = (|key, value| Step::Read(key, value), Step::Write);
    let looks = |first: Option<Step>| {
        let look = [Step::Find((2, 1), Vec::new()), write('y', 4)];
        first.into_iter().chain(look).collect::<Vec<_>>()
    };
    let other = vec![write('y', 2), write('x', 3)];
    let internal = vec![write('y', 1), read('y', None)];
    let led = vec![write('y', 1), write('z', 6)];
    let cases = [
        (
            [internal, other.clone(), looks(None)],
            "consistent-view",
            "cursor-stability",
        ),
        (
            [led, other, looks(Some(read('z', Some(6))))],
            "serializable",
            "read-committed",
        ),
    ];
    for (steps, fails, holds) in cases {
        let txs = all_at_once(&steps);
        agrees(&txs);
        let history = super::notation::history(&txs);
        let told = analyze(&history, Workload::RwRegister, &Budget::default());
        let told = told.expect("transactions");
        let verdict = |name: &str| told.verdict(Level::named(name).expect("a level"));
        assert!(matches!(verdict(fails), Verdict::Fails { .. }), "{fails}");
        assert_eq!(*verdict(holds), Verdict::Holds, "{holds}");
    }
}

/// What is hidden from a predicate by one version is read at another, of which something else was
/// seen before: each of the two comes before the other.
#[test]
fn what_is_hidden_and_then_read_is_of_two_versions() {
    let write = |key, value| Step::Write(key, value);
    let found = |pairs: &[(char, i64)]| Step::Find((2, 1), pairs.to_vec());
    let looks = [
        found(&[('y', 1)]),
        Step::Read('x', Some(3)),
        found(&[('x', 3), ('y', 1)]),
    ];
    let tx = |steps: Vec<Step>, process, from, to| Tx {
        steps,
        end: End::Ok,
        process,
        from,
        to,
    };
    let txs = [
        tx(vec![write('y', 1), write('x', 2), write('x', 3)], 2, 2, 6),
        tx(looks.to_vec(), 0, 2, 5),
        tx(vec![write('x', 4)], 1, 4, 8),
    ];
    agrees(&txs);
}

/// Who looks for what is odd and finds nothing misses what makes it odd, not one even version
/// after another: then those who only read may each have an order of updates of their own.
#[test]
fn what_does_not_change_the_matches_is_not_missed() {
    let (read, write) = (|key, value| Step::Read(key, value), Step::Write);
    let updates = [
        vec![write('x', 2)],
        vec![read('x', Some(2)), write('x', 4)],
        vec![Step::Find((2, 1), Vec::new()), write('y', 6)],
    ];
    let apart = [
        vec![read('y', Some(6)), read('x', Some(2))],
        vec![read('x', Some(4)), read('y', None)],
    ];
    let odd = [
        vec![read('x', Some(4)), write('x', 3)],
        vec![read('x', Some(3)), read('y', None)],
    ];
    let level = Level::named("update-serializable").expect("a level");
    for (others, holds) in [(apart, true), (odd, false)] {
        let txs = all_at_once(updates.iter().chain(&others));
        agrees(&txs);
        let history = super::notation::history(&txs);
        let (of, budget) = (Workload::RwRegister, Budget::default());
        let proofs = [
            certify(&history, of, level, &budget),
            refute(&history, of, level, &Options::default(), &budget),
        ];
        let proofs = proofs.map(|proof| proof.expect("transactions"));
        assert_eq!(proofs.each_ref().map(Option::is_some), [holds, !holds]);
        for proof in proofs.iter().flatten() {
            assert_eq!(verify(&history, of, level, proof), Ok(()));
        }
    }
}

/// Two transactions, and a third that looks: everything that the looks can show.
#[test]
fn all_small_predicates_agree_with_every_set_of_versions() {
    let looks = [(2, 0), (2, 1), (1, 0)];
    let writes: [&[(char, i64)]; 4] = [&[('x', 1)], &[('x', 2)], &[('x', 1), ('y', 2)], &[]];
    let end = [End::Ok, End::Info, End::Fail];
    let mut count = 0;
    for (one, other) in (0..4).flat_map(|one| (0..4).map(move |other| (one, other))) {
        for (first, second, late) in (0..27).map(|n| (looks[n % 3], end[n / 3 % 3], n / 9)) {
            let other: Vec<(char, i64)> = writes[other]
                .iter()
                .map(|(key, value)| (*key, value + 2))
                .collect();
            let all: Vec<(char, i64)> = writes[one].iter().chain(&other).copied().collect();
            let of = |key: char| {
                let of = all
                    .iter()
                    .filter(move |(k, v)| *k == key && v % first.0 == first.1);
                std::iter::once(None)
                    .chain(of.map(|pair| Some(*pair)))
                    .collect::<Vec<_>>()
            };
            for shown in of('x')
                .iter()
                .flat_map(|x| of('y').into_iter().map(move |y| [*x, y]))
            {
                let write = |pairs: &[(char, i64)]| {
                    pairs
                        .iter()
                        .map(|(key, value)| Step::Write(*key, *value))
                        .collect()
                };
                let found = shown.into_iter().flatten().collect();
                let tx = |steps, end, process, from: u64, to| Tx {
                    steps,
                    end,
                    process,
                    from,
                    to,
                };
                let look: Vec<Step> = vec![Step::Find(first, found)];
                let two = [write(&other), look.clone()].concat();
                let txs = match late {
                    0 => vec![
                        tx(write(writes[one]), second, 0, 0, 9),
                        tx(write(&other), End::Ok, 1, 0, 9),
                        tx(look, End::Ok, 2, 0, 9),
                    ],
                    1 => vec![
                        tx(write(writes[one]), second, 0, 0, 1),
                        tx(write(&other), End::Ok, 1, 0, 1),
                        tx(look, End::Ok, 0, 2, 3),
                    ],
                    _ => vec![
                        tx(write(writes[one]), second, 0, 0, 1),
                        tx(two, End::Ok, 1, 0, 3),
                    ],
                };
                agrees(&txs);
                count += 1;
            }
        }
    }
    assert!(count > 1_000, "{count}");
}

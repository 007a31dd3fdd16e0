//! The checker against the reference, on small histories.

use checkers::txn::{Analysis, Base, Certificate, Level, Link, Order, Verdict, Workload};
use checkers::txn::{Options, analyze, certify, refute, verify};
use checkers::{Budget, History, Value};

use super::notation::{End, Step, Tx, history, parse};
use super::reference::Known;
use super::simulated::databases::truth::forbids;

/// A sequence of numbers that is the same every time.
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    /// Below a bound.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }
}

/// Transactions on lists, whose reads are any beginnings of the lists that came to be.
pub(crate) fn lists(numbers: &mut Numbers, count: u64) -> Vec<Tx> {
    let keys = ['x', 'y', 'z'];
    let keys = &keys[..1 + numbers.below(3) as usize];
    let mut next = 0;
    let mut clock = 0;
    let mut txs: Vec<Tx> = Vec::new();
    for _ in 0..count {
        let mut steps = Vec::new();
        for _ in 0..1 + numbers.below(3) {
            let key = keys[numbers.below(keys.len() as u64) as usize];
            if numbers.below(2) == 0 {
                next += 1;
                steps.push(Step::Append(key, next));
            } else {
                steps.push(Step::List(key, Vec::new()));
            }
        }
        let end = match numbers.below(20) {
            0 => End::Fail,
            1 | 2 => End::Info,
            _ => End::Ok,
        };
        clock += numbers.below(3);
        let from = clock;
        txs.push(Tx {
            steps,
            end,
            process: numbers.below(3),
            from,
            to: from + 1 + numbers.below(4),
        });
    }
    sequential(&mut txs);
    let serial = numbers.below(3) == 0;
    for key in keys {
        fill(&mut txs, *key, numbers, serial);
    }
    txs
}

/// A process does one thing after the other.
pub(crate) fn sequential(txs: &mut [Tx]) {
    for at in 1..txs.len() {
        let (before, rest) = txs.split_at_mut(at);
        let tx = &mut rest[0];
        let last = before.iter().rfind(|other| other.process == tx.process);
        if let Some(last) = last {
            let length = tx.to - tx.from;
            tx.from = tx.from.max(last.to);
            tx.to = tx.from + length;
        }
    }
}

/// Gives every read of a list what it returned.
fn fill(txs: &mut [Tx], key: char, numbers: &mut Numbers, serial: bool) {
    let mut list: Vec<i64> = Vec::new();
    let dirty = numbers.below(6) == 0;
    for tx in txs.iter() {
        let skips = tx.end == End::Fail && !dirty || tx.end == End::Info && numbers.below(2) == 0;
        let own: Vec<i64> = tx
            .steps
            .iter()
            .filter_map(|step| match step {
                Step::Append(of, value) if *of == key && !skips => Some(*value),
                _ => None,
            })
            .collect();
        // Where it goes: at the end, as a whole, or each anywhere; now and then from the last on,
        // or without the first.
        match numbers.below(10) {
            9 if !serial => list.extend(own.into_iter().rev()),
            8 if !serial => list.extend(own.into_iter().skip(1)),
            0 if !serial => {
                let mut from = 0;
                for value in own {
                    let room = list.len() - from;
                    from += numbers.below(room as u64 + 1) as usize;
                    list.insert(from, value);
                    from += 1;
                }
            }
            1 if !serial => {
                let place = numbers.below(list.len() as u64 + 1) as usize;
                list.splice(place..place, own);
            }
            _ => list.extend(own),
        }
    }
    let hidden = numbers.below(3).min(list.len() as u64) as usize;
    let visible = list.len() - if serial { 0 } else { hidden };
    for tx in txs.iter_mut() {
        let mut base: Option<usize> = None;
        for at in 0..tx.steps.len() {
            let own: Vec<i64> = tx.steps[..at]
                .iter()
                .filter_map(|step| match step {
                    Step::Append(of, value) if *of == key => Some(*value),
                    _ => None,
                })
                .collect();
            let Step::List(of, read) = &mut tx.steps[at] else {
                continue;
            };
            if *of != key {
                continue;
            }
            // Mostly what a transaction that knows itself would read.
            let last = own
                .last()
                .and_then(|own| list.iter().position(|value| value == own));
            let length = match (last, base) {
                (Some(last), _) if numbers.below(10) > 0 => last + 1,
                (None, Some(base)) if numbers.below(4) > 0 => base,
                _ => numbers.below(visible as u64 + 1) as usize,
            };
            base = Some(length);
            *read = list[..length].to_vec();
        }
    }
}

/// Every level is what the reference says, with proofs if they are asked for; gives how many
/// hold.
pub(crate) fn agree(txs: &[Tx], workload: Workload, proofs: bool) -> usize {
    let history = history(txs);
    let analysis = analyze(&history, workload, &Budget::default()).expect("transactions");
    let known = Known::of(txs);
    let mut held = 0;
    for level in Level::all() {
        let expected = known.satisfies(level);
        held += usize::from(expected);
        let told = analysis.verdict(level);
        let agrees = match told {
            Verdict::Holds => expected,
            Verdict::Fails { .. } => !expected,
            Verdict::Unknown { .. } => false,
        };
        assert!(
            agrees,
            "{level}: {told:?}, but {expected}\n{}\n{:#?}",
            show(txs),
            analysis.anomalies
        );
    }
    consistent(&analysis);
    for level in Level::all().filter(|_| proofs) {
        proven(&history, workload, level, &analysis);
    }
    held
}

/// No anomaly is named that a level which holds forbids.
pub(crate) fn consistent(analysis: &Analysis) {
    for name in analysis.counts.keys() {
        let level = forbids(name);
        let told = analysis.verdict(level);
        assert_ne!(*told, Verdict::Holds, "{name}, but {level} holds");
    }
}

/// What holds has a certificate, and so has what fails; both stand.
fn proven(history: &History, workload: Workload, level: Level, analysis: &Analysis) {
    let (options, budget) = (Options::default(), Budget::default());
    let certificate = match *analysis.verdict(level) {
        Verdict::Holds => certify(history, workload, level, &budget),
        _ => refute(history, workload, level, &options, &budget),
    };
    let certificate = certificate.expect("transactions");
    let told = || format!("{level}: {certificate:?}\n{history:?}");
    let certificate = certificate.as_ref().unwrap_or_else(|| panic!("{}", told()));
    let verified = verify(history, workload, level, certificate);
    assert_eq!(verified, Ok(()), "{}", told());
}

fn show(txs: &[Tx]) -> String {
    let lines = txs.iter().map(|tx| format!("{tx:?}"));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn random_lists_agree() {
    let mut numbers = Numbers(0x1db7);
    let mut seen = [0_u32; 52];
    for round in 0..600 {
        let count = 2 + numbers.below(4);
        let txs = lists(&mut numbers, count);
        seen[agree(&txs, Workload::ListAppend, round % 6 == 0)] += 1;
    }
    assert!(seen[51] > 40, "{seen:?}");
    assert!(
        seen[..51].iter().filter(|count| **count > 0).count() > 20,
        "{seen:?}"
    );
}

/// Transactions on registers, whose reads return what was written last in some run, or anything.
pub(crate) fn registers(numbers: &mut Numbers, count: u64) -> Vec<Tx> {
    let keys = ['x', 'y', 'z'];
    let keys = &keys[..1 + numbers.below(3) as usize];
    let (mut next, mut clock) = (0, 0);
    let mut txs: Vec<Tx> = Vec::new();
    for _ in 0..count {
        let mut steps = Vec::new();
        for _ in 0..1 + numbers.below(3) {
            let key = keys[numbers.below(keys.len() as u64) as usize];
            if numbers.below(2) == 0 {
                next += 1;
                steps.push(Step::Write(key, next));
            } else {
                steps.push(Step::Read(key, None));
            }
        }
        let end = match numbers.below(20) {
            0 => End::Fail,
            1 | 2 => End::Info,
            _ => End::Ok,
        };
        clock += numbers.below(3);
        let (from, process) = (clock, numbers.below(3));
        let to = from + 1 + numbers.below(4);
        txs.push(Tx {
            steps,
            end,
            process,
            from,
            to,
        });
    }
    sequential(&mut txs);
    let wild = numbers.below(3);
    let mut last: [Option<i64>; 3] = [None; 3];
    let written = |txs: &[Tx], key: char| -> Vec<i64> {
        let steps = txs.iter().flat_map(|tx| &tx.steps);
        let values = steps.filter_map(|step| match step {
            Step::Write(of, value) if *of == key => Some(*value),
            _ => None,
        });
        values.collect()
    };
    let all: Vec<Vec<i64>> = keys.iter().map(|key| written(&txs, *key)).collect();
    for tx in &mut txs {
        let before = last;
        for step in &mut tx.steps {
            match step {
                Step::Write(key, value) => {
                    last[keys.iter().position(|k| k == key).expect("a key")] = Some(*value);
                }
                Step::Read(key, value) => {
                    let at = keys.iter().position(|k| k == key).expect("a key");
                    *value = match numbers.below(8) {
                        0 if wild > 0 && !all[at].is_empty() => {
                            Some(all[at][numbers.below(all[at].len() as u64) as usize])
                        }
                        1 if wild > 0 => None,
                        2 if wild > 1 => before[at],
                        _ => last[at],
                    };
                }
                _ => {}
            }
        }
        if tx.end != End::Ok && numbers.below(2) == 0 {
            last = before;
        }
    }
    txs
}

#[test]
fn random_registers_agree() {
    let mut numbers = Numbers(0x51ab);
    let mut seen = [0_u32; 52];
    for round in 0..600 {
        let count = 2 + numbers.below(4);
        let txs = registers(&mut numbers, count);
        seen[agree(&txs, Workload::RwRegister, round % 6 == 0)] += 1;
    }
    assert!(seen[51] > 40, "{seen:?}");
    assert!(
        seen[..51].iter().filter(|count| **count > 0).count() > 15,
        "{seen:?}"
    );
}

#[test]
fn false_certificates_are_refused() {
    let lines = [
        "p0 0-1: ax1",
        "p1 2-3: rx1 ay1",
        "p2 4-5: ry1 ax2",
        "p3 6-7: rx1,2",
    ];
    let txs: Vec<Tx> = lines
        .iter()
        .zip(0..)
        .map(|(line, at)| parse(line, at))
        .collect();
    let history = history(&txs);
    let lists = Workload::ListAppend;
    let strict = Level::STRICT_SERIALIZABLE;
    let right = Certificate::Serial(vec![0, 1, 2, 3]);
    assert_eq!(verify(&history, lists, strict, &right), Ok(()));
    for wrong in [
        vec![1, 0, 2, 3],
        vec![0, 1, 2],
        vec![0, 1, 2, 3, 3],
        vec![0, 1, 3, 2],
        vec![],
    ] {
        let wrong = Certificate::Serial(wrong);
        assert!(
            verify(&history, lists, strict, &wrong).is_err(),
            "{wrong:?}"
        );
    }
    let link = |from, to, kind: &str, value| Link {
        from,
        to,
        kind: kind.to_owned(),
        key: Some("x".into()),
        value: Some(Value::Int(value)),
        because: String::new(),
    };
    // Each of these has a link that the history does not have.
    for links in [
        vec![link(0, 1, "wr", 1), link(1, 0, "wr", 1)],
        vec![link(0, 2, "ww", 2), link(2, 0, "ww", 1)],
        vec![link(1, 2, "rw", 2), link(2, 1, "rw", 1)],
        vec![link(0, 3, "realtime", 0), link(3, 0, "realtime", 0)],
        vec![link(0, 1, "wr", 1), link(2, 0, "wr", 1)],
    ] {
        let wrong = Certificate::Cycle(links);
        assert!(
            verify(&history, lists, strict, &wrong).is_err(),
            "{wrong:?}"
        );
    }
}

#[test]
fn seven_transactions_agree() {
    let mut numbers = Numbers(0x7777);
    for count in [6, 7, 6, 7, 6] {
        let txs = lists(&mut numbers, count);
        agree(&txs, Workload::ListAppend, true);
        let txs = registers(&mut numbers, count);
        agree(&txs, Workload::RwRegister, true);
    }
}

/// Of a level that fails, no order of any transactions is a proof; of one that holds, what is
/// left out, twice there or not there at all spoils it.
#[test]
fn no_certificate_shows_what_does_not_hold() {
    let mut numbers = Numbers(0xbad);
    let (mut failing, mut spoilt) = (0, 0);
    for round in 0..60 {
        let workload = Workload::ALL[round % 2];
        let txs = match workload {
            Workload::ListAppend => lists(&mut numbers, 4),
            _ => registers(&mut numbers, 4),
        };
        let history = history(&txs);
        let known = Known::of(&txs);
        let ids = (0..4).filter(|at| txs[*at].end == End::Ok);
        let orders = super::reference::permutations(&ids.collect::<Vec<_>>());
        for level in Level::all().filter(|level| !known.satisfies(*level)) {
            failing += 1;
            for order in &orders {
                let ids: Vec<u64> = order.iter().map(|at| *at as u64).collect();
                for wrong in [Certificate::Order(ids.clone()), Certificate::Serial(ids)] {
                    let told = verify(&history, workload, level, &wrong);
                    assert!(told.is_err(), "{level}: {wrong:?}\n{}", show(&txs));
                }
            }
        }
        for level in Level::all() {
            let budget = Budget::default();
            let proof = certify(&history, workload, level, &budget).expect("read");
            let Some(Certificate::Order(order)) = proof else {
                continue;
            };
            let committed = order.iter().position(|id| txs[*id as usize].end == End::Ok);
            let without = committed.map(|at| [&order[..at], &order[at + 1..]].concat());
            let twice = [&order[..], &order[..1]].concat();
            let strange = [&order[..], &[99]].concat();
            for wrong in without.into_iter().chain([twice, strange]) {
                spoilt += 1;
                let wrong = Certificate::Order(wrong);
                assert!(
                    verify(&history, workload, level, &wrong).is_err(),
                    "{wrong:?}"
                );
            }
        }
    }
    assert!(failing > 200 && spoilt > 100, "{failing} {spoilt}");
}

/// Every history of three transactions of two steps on two registers, but for the order of the
/// transactions, with every value that a read can return.
#[test]
fn all_of_three_registers_agree() {
    const SHAPES: [&str; 5] = ["rx wx", "rx wy", "ry wx", "wx wy", "rx ry"];
    let mut count = 0;
    for (at, first) in SHAPES.iter().enumerate() {
        for (then, second) in SHAPES.iter().enumerate().skip(at) {
            for third in &SHAPES[then..] {
                count += shaped([first, second, third]);
            }
        }
    }
    assert!(count > 200, "{count}");
}

/// Judges every history of a shape; gives how many there are.
fn shaped(shapes: [&str; 3]) -> usize {
    let mut txs: Vec<Tx> = Vec::new();
    for (at, shape) in shapes.iter().enumerate() {
        let word = |(place, word): (usize, &str)| match word.strip_prefix('w') {
            Some(key) => format!("w{key}{}", at * 2 + place + 1),
            None => format!("{word}="),
        };
        let words: Vec<String> = shape.split(' ').enumerate().map(word).collect();
        // The second begins when the first has ended, and the third overlaps both.
        let head = ["p0 0-2", "p0 3-5", "p1 1-4"][at];
        txs.push(parse(&format!("{head}: {}", words.join(" ")), 0));
    }
    let mut reads: Vec<(usize, usize, Vec<Option<i64>>)> = Vec::new();
    for (at, tx) in txs.iter().enumerate() {
        for (place, step) in tx.steps.iter().enumerate() {
            let Step::Read(key, _) = step else { continue };
            let others = txs.iter().enumerate().filter(|(other, _)| *other != at);
            let written = others
                .flat_map(|(_, tx)| &tx.steps)
                .filter_map(|step| match step {
                    Step::Write(of, value) if of == key => Some(Some(*value)),
                    _ => None,
                });
            reads.push((at, place, std::iter::once(None).chain(written).collect()));
        }
    }
    let total: usize = reads.iter().map(|(.., values)| values.len()).product();
    for mut number in 0..total {
        for (at, place, values) in &reads {
            let value = values[number % values.len()];
            number /= values.len();
            if let Step::Read(_, slot) = &mut txs[*at].steps[*place] {
                *slot = value;
            }
        }
        agree(&txs, Workload::RwRegister, false);
    }
    total
}

/// A session does two reads and then an update: what the first has seen is before the update, too,
/// though the second is between.
#[test]
fn sessions_lead_through_those_that_only_read() {
    let lines = [
        "p0 0-9: wz1",
        "p1 0-9: rz= wy1",
        "p2 0-1: rz=1",
        "p2 2-3: rw=",
        "p2 4-9: ry= wx1",
    ];
    let txs = lines.iter().zip(0..).map(|(line, at)| parse(line, at));
    let txs: Vec<Tx> = txs.collect();
    agree(&txs, Workload::RwRegister, true);
    let (base, order) = (Base::UpdateSerializable, Order::Process);
    assert!(!Known::of(&txs).satisfies(Level { base, order }));
}

/// Two that each read and write many objects, the same ones: nothing looks through all steps once a
/// step.
#[test]
fn two_long_transactions_lose_an_update() {
    let objects: i64 = 5_000;
    let op = |op_id: i64| {
        let step = |name: &str, key: i64, value: Value| {
            Value::List(vec![name.into(), Value::Int(key), value])
        };
        let steps = (0..objects).flat_map(|key| {
            let written = Value::Int(2 * key + op_id + 1);
            [step("r", key, Value::Null), step("w", key, written)]
        });
        let steps = Value::List(steps.collect());
        let tx = parse("0-9: wx1", op_id as u64);
        super::notation::row_of(op_id as u64, &tx, |_| steps.clone())
    };
    let history = History {
        ops: vec![op(0), op(1)],
        windows: Vec::new(),
    };
    let told = analyze(&history, Workload::RwRegister, &Budget::default()).expect("transactions");
    assert_eq!(told.counts["lost-update"], objects as u64);
    consistent(&told);
}

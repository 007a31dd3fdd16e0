//! Certificates of every workload: what holds has one, what stands is true, of the history that it
//! is of and of others.

use checkers::txn::{
    Base, Certificate, Level, Options, Order, Verdict, Workload, analyze_with, certify_with,
    refute, verify_with,
};
use checkers::{Budget, History, Value};

use super::counters::{self, Counts, Txn};
use super::notation::{Step, Tx, history};
use super::predicates::finding;
use super::reference::Known;
use super::small::{Numbers, lists, registers};

/// Whether a certificate is of what holds.
fn shows_that_it_holds(certificate: &Certificate) -> bool {
    match certificate {
        Certificate::Serial(_) | Certificate::Snapshots(_) | Certificate::Order(_) => true,
        Certificate::Selected { .. } => true,
        Certificate::Counted { proof, .. } => shows_that_it_holds(proof),
        _ => false,
    }
}

/// What was found about histories of a kind.
#[derive(Debug, Default)]
struct Tally {
    proofs: u32,
    refutations: u32,
    failures: u32,
    /// Certificates of one history that stand of another, and those that do not.
    stand: u32,
    refused: u32,
}

/// What holds has a proof that stands, and so has what fails; of another history, none stands that
/// says what is not true.
fn proven(
    workload: Workload,
    [one, other]: [&History; 2],
    options: &Options,
    true_of: &dyn Fn(usize, Level) -> bool,
    tally: &mut Tally,
) {
    let budget = Budget::default();
    for level in Level::all() {
        let holds = true_of(0, level);
        let given = match holds {
            true => certify_with(one, workload, level, options, &budget),
            false => refute(one, workload, level, options, &budget),
        };
        let certificate = given.expect("transactions");
        tally.failures += u32::from(!holds);
        let Some(certificate) = certificate else {
            // Of updates alone, what reads do not show may leave it open.
            let open = level.base == Base::UpdateSerializable;
            assert!(!holds && open, "{level}\n{one:?}");
            continue;
        };
        assert_eq!(holds, shows_that_it_holds(&certificate), "{certificate:?}");
        let stands = verify_with(one, workload, level, options, &certificate);
        assert_eq!(stands, Ok(()), "{level}: {certificate:?}\n{one:?}");
        match holds {
            true => tally.proofs += 1,
            false => tally.refutations += 1,
        }
        if verify_with(other, workload, level, options, &certificate).is_ok() {
            tally.stand += 1;
            assert_eq!(
                holds,
                true_of(1, level),
                "{level}: {certificate:?}\n{other:?}"
            );
        } else {
            tally.refused += 1;
        }
    }
}

/// The same transactions, of which one read shows something else.
pub(crate) fn spoilt(txs: &[Tx], numbers: &mut Numbers) -> Vec<Tx> {
    let mut txs = txs.to_vec();
    let values: Vec<(char, i64)> = txs
        .iter()
        .flat_map(|tx| &tx.steps)
        .filter_map(|step| match step {
            Step::Write(key, value) => Some((*key, *value)),
            _ => None,
        })
        .collect();
    let reads = txs.iter_mut().flat_map(|tx| &mut tx.steps);
    let mut reads: Vec<&mut Step> = reads
        .filter(|step| matches!(step, Step::Read(..) | Step::Find(..)))
        .collect();
    if reads.is_empty() {
        return txs;
    }
    let at = numbers.below(reads.len() as u64) as usize;
    match &mut *reads[at] {
        Step::Read(key, value) => {
            let of = values.iter().filter(|(of, _)| of == key);
            let of: Vec<i64> = of.map(|(_, value)| *value).collect();
            let pick = numbers.below(of.len() as u64 + 1) as usize;
            *value = of.get(pick).copied();
        }
        Step::Find((divisor, rest), found) => {
            let matching = |pair: &&(char, i64)| pair.1.rem_euclid(*divisor) == *rest;
            let more = values.iter().filter(matching).take(1);
            let none = found.pop().is_none();
            found.extend(more.filter(|_| none));
        }
        _ => {}
    }
    txs
}

#[test]
fn predicates_have_proofs() {
    let mut numbers = Numbers(0x9f0f);
    let mut tally = Tally::default();
    for _ in 0..60 {
        let count = 2 + numbers.below(3);
        let one = finding(&mut numbers, count);
        let other = spoilt(&one, &mut numbers);
        let known = [Known::all(&one), Known::all(&other)];
        let true_of = |at: usize, level| known[at].iter().any(|known| known.satisfies(level));
        let histories = [&history(&one), &history(&other)];
        let options = Options::default();
        proven(
            Workload::RwRegister,
            histories,
            &options,
            &true_of,
            &mut tally,
        );
    }
    let most = tally.refutations * 100 > tally.failures * 95;
    assert!(
        tally.proofs > 800 && tally.refused > 300 && most,
        "{tally:?}"
    );
    assert!(tally.refutations > 100, "{tally:?}");
}

#[test]
fn counters_have_proofs() {
    let mut numbers = Numbers(0xc057);
    let mut tally = Tally::default();
    for _ in 0..60 {
        let count = 2 + numbers.below(3) as usize;
        let one = counters::counters(&mut numbers, count);
        let mut other = one.clone();
        let reads = other.iter_mut().flat_map(|(steps, _)| steps);
        let mut reads: Vec<&mut i64> = reads
            .filter_map(|step| match step {
                Counts::Read(_, total) => Some(total),
                Counts::Add(..) => None,
            })
            .collect();
        if !reads.is_empty() {
            let at = numbers.below(reads.len() as u64) as usize;
            *reads[at] += 1;
        }
        let all = [&one, &other].map(|txns: &Vec<Txn>| counters::ways(txns));
        let known = all.each_ref().map(|ways| {
            let known = ways.iter().map(|txs| Known::of(txs));
            known.collect::<Vec<_>>()
        });
        let true_of = |at: usize, level: Level| {
            let any = known[at].iter().any(|known| known.satisfies(level));
            let impossible = known[at].is_empty() && level.base == Base::ReadUncommitted;
            any || impossible && unread(&[&one, &other][at][..], level)
        };
        let histories = [&counters::history(&one), &counters::history(&other)];
        let options = Options::default();
        proven(
            Workload::Counters,
            histories,
            &options,
            &true_of,
            &mut tally,
        );
    }
    assert!(tally.proofs > 800 && tally.refused > 300, "{tally:?}");
    assert!(tally.refutations > 200, "{tally:?}");
}

/// What is said of read uncommitted where no changes come to a total.
fn unread(txns: &[Txn], level: Level) -> bool {
    let told = analyze_with(
        &counters::history(txns),
        Workload::Counters,
        &Options::default(),
        &Budget::default(),
    );
    *told.expect("transactions").verdict(level) == Verdict::Holds
}

/// Histories in which every object begins with something, against the same ones in which it was
/// read as nothing.
#[test]
fn what_objects_begin_with_is_proven_too() {
    let mut numbers = Numbers(0x1b1);
    let mut tally = Tally::default();
    for round in 0..40 {
        let workload = Workload::ALL[round % 2];
        let count = 2 + numbers.below(3);
        let plain = match workload {
            Workload::ListAppend => lists(&mut numbers, count),
            _ => registers(&mut numbers, count),
        };
        let mut begun = plain.clone();
        for step in begun.iter_mut().flat_map(|tx| &mut tx.steps) {
            match step {
                Step::List(_, list) => list.insert(0, 77),
                Step::Read(_, value) => *value = value.or(Some(77)),
                _ => {}
            }
        }
        let initial = match workload {
            Workload::ListAppend => Value::List(vec![Value::Int(77)]),
            _ => Value::Int(77),
        };
        let options = Options {
            initial,
            ..Options::default()
        };
        let known = Known::of(&plain);
        let true_of = |_: usize, level| known.satisfies(level);
        let one = history(&begun);
        proven(workload, [&one, &one], &options, &true_of, &mut tally);
        // Without being told, a proof of reads of it does not stand.
        let (base, order) = (Base::ReadCommitted, Order::None);
        let level = Level { base, order };
        let read = begun.iter().zip(&plain).any(|(a, b)| {
            let committed = a.end == super::notation::End::Ok;
            committed && a.steps != b.steps
        });
        let proof = certify_with(&one, workload, level, &options, &Budget::default());
        if let (true, Some(proof)) = (read, proof.expect("transactions")) {
            let told = verify_with(&one, workload, level, &Options::default(), &proof);
            assert!(told.is_err(), "{proof:?}\n{one:?}");
        }
    }
    assert!(tally.proofs > 500 && tally.refutations > 100, "{tally:?}");
}

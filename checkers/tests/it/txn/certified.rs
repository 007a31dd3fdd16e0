//! Every answer has a certificate, which stands; and stands of no history of which it is not true.

use std::path::Path;

use checkers::txn::{
    Analysis, Assumption, Certificate, Level, Options, Verdict, Workload, analyze_with,
    certify_with, refute, verify_with,
};
use checkers::{Budget, History};

use super::counters;
use super::notation::{Step, Tx, history, parse};
use super::predicates::finding;
use super::proofs::spoilt;
use super::reference::Known;
use super::simulated::databases::{DEFECTS, Database, Isolation, run, run_with};
use super::simulated::{ISOLATIONS, kept};
use super::small::{Numbers, lists, registers};
use super::textbook::cases;

/// How many answers there were, and how many are shown by a cycle for each order of versions.
#[derive(Debug, Default)]
struct Tally {
    answers: u32,
    by_cases: u32,
}

fn analyzed(history: &History, workload: Workload, options: &Options) -> Analysis {
    let told = analyze_with(history, workload, options, &Budget::default());
    told.expect("transactions")
}

/// The certificate of what is said of a level.
fn certificate(
    (history, workload, options): (&History, Workload, &Options),
    (level, verdict): (Level, &Verdict),
) -> Option<Certificate> {
    let budget = Budget::default();
    let given = match verdict {
        Verdict::Holds => certify_with(history, workload, level, options, &budget),
        Verdict::Fails { .. } => refute(history, workload, level, options, &budget),
        Verdict::Unknown { .. } => return None,
    };
    given.expect("transactions")
}

/// What is said of some levels is certified; gives the certificates.
fn certified(
    name: &str,
    (history, workload): (&History, Workload),
    asked: &dyn Fn(Level) -> bool,
    tally: &mut Tally,
) -> Vec<(Level, bool, Certificate)> {
    let options = Options::default();
    certified_with(name, (history, workload, &options), asked, tally)
}

/// As [`certified`], with what is taken for granted.
fn certified_with(
    name: &str,
    (history, workload, options): (&History, Workload, &Options),
    asked: &dyn Fn(Level) -> bool,
    tally: &mut Tally,
) -> Vec<(Level, bool, Certificate)> {
    let told = analyzed(history, workload, options);
    let mut all = Vec::new();
    for (level, verdict) in told.levels.iter().filter(|(level, _)| asked(*level)) {
        // What is told of the updates alone is not always decided where reads do not show what
        // they saw.
        if matches!(verdict, Verdict::Unknown { .. }) && !told.counts.is_empty() {
            assert!(
                level.to_string().ends_with("update-serializable"),
                "{name}: {level}"
            );
            continue;
        }
        let few = history.ops.len() < 20;
        let shown = || {
            if few {
                format!("{history:?}")
            } else {
                String::new()
            }
        };
        let context = || format!("{name}: {level} {verdict:?} {options:?}\n{}", shown());
        let given = certificate((history, workload, options), (*level, verdict));
        let Some(given) = given else {
            panic!("no certificate of {}", context());
        };
        let stands = verify_with(history, workload, *level, options, &given);
        assert_eq!(stands, Ok(()), "{given:?} of {}", context());
        tally.answers += 1;
        tally.by_cases += u32::from(matches!(given, Certificate::Cases { .. }));
        all.push((*level, *verdict == Verdict::Holds, given));
    }
    all
}

fn every(_: Level) -> bool {
    true
}

#[test]
fn every_answer_about_random_histories_is_certified() {
    let (mut numbers, mut tally) = (Numbers(0xce47), Tally::default());
    let lists_of = Workload::ListAppend;
    for round in 0..160 {
        let count = 2 + numbers.below(5);
        let txs = history(&lists(&mut numbers, count));
        certified("lists", (&txs, lists_of), &every, &mut tally);
        let txs = history(&registers(&mut numbers, count));
        certified(
            "registers",
            (&txs, Workload::RwRegister),
            &every,
            &mut tally,
        );
        if round % 4 == 0 {
            let count = 2 + numbers.below(3);
            let txs = history(&finding(&mut numbers, count));
            certified(
                "predicates",
                (&txs, Workload::RwRegister),
                &every,
                &mut tally,
            );
            let txs = counters::history(&counters::counters(&mut numbers, count as usize));
            certified("counters", (&txs, Workload::Counters), &every, &mut tally);
        }
    }
    assert!(tally.answers > 10_000 && tally.by_cases > 20, "{tally:?}");
}

#[test]
fn every_answer_about_the_literature_is_certified() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/txn");
    let mut tally = Tally::default();
    for (name, workload) in [
        ("lists.txt", Workload::ListAppend),
        ("registers.txt", Workload::RwRegister),
    ] {
        let text = std::fs::read_to_string(folder.join(name)).expect("the cases");
        for case in cases(&text, name, workload) {
            certified(&case.name, (&case.history(), workload), &every, &mut tally);
        }
    }
    assert!(tally.answers > 2_000, "{tally:?}");
}

/// Databases that keep what they promise, but for one defect or none: of the levels that they
/// promise, that the defect breaks, and that hold or fail the furthest.
#[test]
fn every_answer_about_databases_is_certified() {
    let mut tally = Tally::default();
    for workload in [Workload::ListAppend, Workload::RwRegister] {
        for (seed, isolation) in (0..).zip(ISOLATIONS) {
            let database = Database {
                workload,
                isolation,
                transactions: 120,
                seed,
                clients: 5,
                keys: 4,
                writes: 12,
            };
            let whole = (&run(&database), workload);
            certified("no defect", whole, &every, &mut tally);
            for defect in DEFECTS.iter().filter(|defect| defect.is_seen(workload)) {
                let (history, _) = run_with(&database, Some((defect, 60)));
                let told = analyzed(&history, workload, &Options::default());
                let asked = |level: Level| {
                    let edge = told.holds.contains(&level) || told.fails.contains(&level);
                    edge || level == kept(isolation) || level == defect.forbidden_by
                };
                certified(defect.name, (&history, workload), &asked, &mut tally);
            }
        }
    }
    assert!(tally.answers > 800 && tally.by_cases > 5, "{tally:?}");
}

/// An element that what aborted had added twice is in a list twice: that it aborted is what is
/// wrong, and not that the element is there twice.
#[test]
fn what_aborted_twice_is_there_twice() {
    let lines = ["p0 0-1 fail: ax1 ax1", "p1 2-3: rx1,1", "p2 4-5: ax2"];
    let txs = lines.iter().zip(0..).map(|(line, at)| parse(line, at));
    let history = history(&txs.collect::<Vec<_>>());
    let told = analyzed(&history, Workload::ListAppend, &Options::default());
    assert_eq!(told.counts.keys().collect::<Vec<_>>(), ["G1a"]);
    assert_eq!(told.holds.len(), 1, "{:?}", told.holds);
    let mut tally = Tally::default();
    let whole = (&history, Workload::ListAppend);
    certified("aborted", whole, &every, &mut tally);
    assert_eq!(tally.answers, 51);
}

/// Of what aborted had added twice, a list that has it once was read midway; where two that
/// aborted added it, that is not told.
#[test]
fn what_aborted_is_read_midway_or_not() {
    let midway = ["p0 0-1 fail: ax1 ax1", "p1 2-3: rx1"];
    let either = ["p0 0-1 fail: ax1 ax2", "p1 2-3: rx1", "p2 0-1 fail: ax1"];
    for (lines, names) in [(&midway[..], &["G1a", "G1b"][..]), (&either, &["G1a"])] {
        let txs = lines.iter().zip(0..).map(|(line, at)| parse(line, at));
        let history = history(&txs.collect::<Vec<_>>());
        let told = analyzed(&history, Workload::ListAppend, &Options::default());
        assert_eq!(told.counts.keys().collect::<Vec<_>>(), names);
    }
}

/// Of a thousand transactions, what no cycle that is certain shows.
#[test]
fn failures_of_many_transactions_are_certified() {
    let mut tally = Tally::default();
    for seed in 0..12 {
        let database = Database {
            workload: Workload::RwRegister,
            isolation: [Isolation::Stale, Isolation::Committed][seed as usize % 2],
            transactions: 1_000,
            seed,
            clients: 8,
            keys: 6,
            writes: 24,
        };
        let history = run(&database);
        let told = analyzed(&history, Workload::RwRegister, &Options::default());
        let asked = |level: Level| match told.verdict(level) {
            Verdict::Fails { anomaly } => told.anomalies[*anomaly].guessed,
            _ => false,
        };
        let whole = (&history, Workload::RwRegister);
        certified("many", whole, &asked, &mut tally);
    }
    assert!(tally.by_cases > 4, "{tally:?}");
}

#[test]
fn what_is_taken_for_granted_is_certified() {
    let (mut numbers, mut tally) = (Numbers(0xa55e7), Tally::default());
    let (mut held, mut differ) = (0, 0);
    for round in 0..240 {
        let count = 2 + numbers.below(5);
        let workload = [Workload::RwRegister, Workload::ListAppend][usize::from(round % 4 == 0)];
        let txs = match workload {
            Workload::ListAppend => lists(&mut numbers, count),
            _ => registers(&mut numbers, count),
        };
        let history = history(&txs);
        let plain = analyzed(&history, workload, &Options::default());
        let assumption = Assumption::ALL[round % 3];
        let options = Options {
            assumptions: vec![assumption],
            ..Options::default()
        };
        let whole = (&history, workload, &options);
        let all = certified_with("assumed", whole, &every, &mut tally);
        for (level, holds, given) in all {
            held += u32::from(holds);
            // What holds with more holds with less; what fails by more need not stand alone.
            let stands = verify_with(&history, workload, level, &Options::default(), &given);
            let holds_alone = *plain.verdict(level) == Verdict::Holds;
            assert!(
                !holds || stands.is_ok() && holds_alone,
                "{level}: {given:?}"
            );
            if !holds && holds_alone {
                assert!(stands.is_err(), "{level}: {given:?}\n{txs:#?}");
                differ += 1;
            }
        }
    }
    assert!(held > 1_000 && differ > 100, "{held} {differ} {tally:?}");
}

/// A certificate that is checked against another history stands only if it is true of that.
#[test]
fn no_certificate_stands_of_what_is_not_so() {
    let (mut numbers, mut tally) = (Numbers(0xfa15e), Tally::default());
    let (mut stand, mut refused, mut cases) = (0, 0, 0);
    for round in 0..200 {
        let workload = [Workload::RwRegister, Workload::ListAppend][usize::from(round % 4 == 0)];
        let count = 3 + numbers.below(3);
        let one = match workload {
            Workload::ListAppend => lists(&mut numbers, count),
            _ => registers(&mut numbers, count),
        };
        let others: Vec<Vec<Tx>> = (0..4).map(|_| otherwise(&one, &mut numbers)).collect();
        let known: Vec<Known<'_>> = others.iter().map(|txs| Known::of(txs)).collect();
        let of = (&history(&one), workload);
        for (level, holds, given) in certified("one", of, &every, &mut tally) {
            for (other, known) in others.iter().zip(&known) {
                let options = Options::default();
                let told = verify_with(&history(other), workload, level, &options, &given);
                if told.is_err() {
                    refused += 1;
                    continue;
                }
                stand += 1;
                cases += u32::from(matches!(given, Certificate::Cases { .. }));
                let right = known.satisfies(level);
                assert_eq!(holds, right, "{level}: {given:?}\n{other:#?}");
            }
        }
    }
    assert!(
        stand > 5_000 && refused > 5_000 && cases > 10,
        "{stand} {refused} {cases}"
    );
}

/// The same transactions, of which a read shows something else, or that are of other processes and
/// other times.
fn otherwise(txs: &[Tx], numbers: &mut Numbers) -> Vec<Tx> {
    let mut txs = spoilt(txs, numbers);
    for tx in &mut txs {
        let reads = tx.steps.iter_mut();
        for step in reads {
            if let Step::List(_, list) = step
                && numbers.below(4) == 0
            {
                list.pop();
            }
        }
        if numbers.below(6) == 0 {
            (tx.from, tx.to) = (0, 1_000);
            tx.process = 90 + numbers.below(1_000);
        }
    }
    txs
}

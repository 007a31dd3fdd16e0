//! Single-purpose checkers: each on small histories in `testdata/single`, both ways, for each of
//! its anomalies; and checkers with a planted defect, which the same histories must catch.

use checkers::single::Single;
use checkers::spec::{CheckerSpec, ModelKind};
use checkers::{
    Budget, CheckReport, FaultWindow, History, OpType, Operation, Outcome, Value, check,
    mutation_score,
};

/// What a case expects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    Ok,
    /// These anomalies and no others, sorted.
    Violation(Vec<String>),
    /// A part of the missing field's name.
    Weak(String),
    /// A part of the reason.
    Unknown(String),
}

/// One small history.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) single: Single,
    pub(crate) history: History,
    pub(crate) expected: Expected,
}

/// `-` is nothing.
fn value(text: &str) -> Option<Value> {
    (text != "-").then(|| serde_json::from_str(text).unwrap_or_else(|_| panic!("{text}")))
}

/// Times are in milliseconds.
fn time(text: &str) -> u64 {
    text.parse::<u64>().unwrap_or_else(|_| panic!("{text}")) * 1_000_000
}

/// `process start end type key input [=> output | => !error] [@node]`; an `end` of `?` or `9?`
/// is a time-out.
pub(crate) fn row(line: &str, op_id: u64) -> Operation {
    let (line, node_seen) = match line.rsplit_once(" @") {
        Some((line, node)) => (line, Some(node.to_owned())),
        None => (line, None),
    };
    let (asked, told) = match line.split_once(" => ") {
        Some((asked, told)) => (asked, Some(told)),
        None => (line, None),
    };
    let words: Vec<&str> = asked.split(' ').collect();
    let [process, start, end, name, key, input] = words[..] else {
        panic!("not a row: {line}");
    };
    let error = told
        .and_then(|told| told.strip_prefix('!'))
        .map(str::to_owned);
    let output = if error.is_none() {
        told.and_then(value)
    } else {
        None
    };
    let end_ts = end.trim_end_matches('?');
    Operation {
        op_id,
        process_id: process.parse().expect("a process"),
        invoke_ts: time(start),
        complete_ts: (!end_ts.is_empty()).then(|| time(end_ts)),
        op_type: OpType::try_from(name.to_owned()).expect("a type"),
        key: value(key),
        input: value(input).unwrap_or_default(),
        output,
        error,
        timeout_marker: end.ends_with('?'),
        node_seen,
        fault_epoch: Vec::new(),
    }
}

fn window(line: &str) -> Option<FaultWindow> {
    let words: Vec<&str> = line.strip_prefix("window ")?.split(' ').collect();
    Some(FaultWindow {
        fault: words[0].to_owned(),
        start_ts: time(words[1]),
        end_ts: Some(time(words[2])),
    })
}

pub(crate) fn parse(text: &str, plain: Single) -> Vec<Case> {
    let mut cases = Vec::new();
    let (mut name, mut single, mut history) = (String::new(), plain, History::default());
    for line in text.lines() {
        if let Some(title) = line.strip_prefix("# ") {
            let (title, spec) = title.split_once(" | ").unwrap_or((title, ""));
            name = title.to_owned();
            single = match Single::parse(spec) {
                Some(single) => single.expect(spec),
                None => plain,
            };
        } else if let Some(expected) = line.strip_prefix("= ") {
            let expected = match expected.split_once(": ") {
                Some(("weak", field)) => Expected::Weak(field.to_owned()),
                Some(("unknown", why)) => Expected::Unknown(why.to_owned()),
                _ if expected == "ok" => Expected::Ok,
                _ => {
                    let mut all: Vec<String> = expected.split(", ").map(str::to_owned).collect();
                    all.sort();
                    Expected::Violation(all)
                }
            };
            cases.push(Case {
                name: name.clone(),
                single,
                history: std::mem::take(&mut history),
                expected,
            });
        } else if let Some(window) = window(line) {
            history.windows.push(window);
        } else {
            let op_id = history.ops.len() as u64;
            history.ops.push(row(line, op_id));
        }
    }
    cases
}

/// The cases of a checker.
pub(crate) fn cases(single: Single) -> Vec<Case> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/testdata/single");
    let path = format!("{folder}/{}.txt", single.name());
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    parse(&text, single)
}

pub(crate) fn judge(history: &History, single: Single) -> CheckReport {
    let spec = CheckerSpec::Single(single);
    check(history, &spec, ModelKind::Register, &Budget::default())
}

/// The kinds of anomaly found, sorted.
pub(crate) fn anomalies(report: &CheckReport) -> Vec<String> {
    let mut all: Vec<String> = report
        .findings
        .iter()
        .map(|found| found.anomaly.clone())
        .collect();
    all.sort();
    all.dedup();
    all
}

/// Whether a report is what the case expects.
fn meets(report: &CheckReport, expected: &Expected) -> bool {
    match (&report.outcome, expected) {
        (Outcome::Ok, Expected::Ok) => true,
        (Outcome::Violation, Expected::Violation(kinds)) => anomalies(report) == *kinds,
        (Outcome::Weak { field }, Expected::Weak(part)) => field.contains(part),
        (Outcome::Unknown { why }, Expected::Unknown(part)) => why.contains(part),
        _ => false,
    }
}

#[test]
fn every_case_is_judged_as_it_says() {
    let mut wrong = Vec::new();
    for single in Single::ALL {
        for case in cases(single) {
            let report = judge(&case.history, case.single);
            if !meets(&report, &case.expected) {
                let name = single.name();
                wrong.push(format!(
                    "{name}, {}: {:?}\n{report}",
                    case.name, case.expected
                ));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n\n")
    );
}

#[test]
fn every_anomaly_is_found_alone_in_some_case() {
    let mut missing = Vec::new();
    for single in Single::ALL {
        let cases = cases(single);
        let has =
            |wanted: &dyn Fn(&Expected) -> bool| cases.iter().any(|case| wanted(&case.expected));
        if !has(&|expected| *expected == Expected::Ok) {
            missing.push(format!("{}: ok", single.name()));
        }
        if !has(&|expected| matches!(expected, Expected::Weak(_))) {
            missing.push(format!("{}: weak", single.name()));
        }
        for anomaly in single.row().anomalies {
            let alone = Expected::Violation(vec![(*anomaly).to_owned()]);
            if !has(&|expected| *expected == alone) {
                missing.push(format!("{}: {anomaly}", single.name()));
            }
        }
        for case in &cases {
            for found in anomalies(&judge(&case.history, case.single)) {
                let known = single.row().anomalies.contains(&found.as_str());
                assert!(
                    known,
                    "{} does not say that it reports {found}",
                    single.name()
                );
            }
        }
    }
    assert!(missing.is_empty(), "no case for {}", missing.join(", "));
}

#[test]
fn findings_name_rows_and_answers_their_scope() {
    for single in Single::ALL {
        for case in cases(single) {
            let report = judge(&case.history, case.single);
            assert_eq!(report.consumed, report.total);
            assert!(
                report.consumed <= case.history.ops.len() as u64,
                "{}",
                case.name
            );
            assert!(report.scope.contains("cannot see"), "{}", report.scope);
            for found in &report.findings {
                assert!(!found.message.is_empty());
                let known = |id: &u64| case.history.ops.iter().any(|op| op.op_id == *id);
                assert!(found.ops.iter().all(known), "{}: {found}", case.name);
            }
        }
    }
}

/// What a checker with a defect takes rows for.
pub(crate) fn defective(history: &History, defect: usize) -> History {
    let mut history = history.clone();
    for op in &mut history.ops {
        match defect {
            // Time-outs are taken for successes.
            0 if op.timeout_marker => {
                op.timeout_marker = false;
                op.complete_ts = op.complete_ts.or(Some(op.invoke_ts));
            }
            // Time-outs are taken for failures.
            1 if op.timeout_marker => {
                op.timeout_marker = false;
                op.complete_ts = op.complete_ts.or(Some(op.invoke_ts));
                op.error = Some("timeout".to_owned());
            }
            // Failures are taken for successes.
            2 if op.error.is_some() => op.error = None,
            // Failures are taken for time-outs.
            3 if op.error.is_some() => op.timeout_marker = true,
            _ => {}
        }
    }
    history
}

#[test]
fn a_checker_that_forgets_a_rule_is_caught() {
    for single in Single::ALL {
        let cases = cases(single);
        for forgotten in single.row().anomalies {
            let caught = cases.iter().any(|case| {
                let mut report = judge(&case.history, case.single);
                report.findings.retain(|found| found.anomaly != *forgotten);
                if report.findings.is_empty() && report.outcome == Outcome::Violation {
                    report.outcome = Outcome::Ok;
                }
                !meets(&report, &case.expected)
            });
            assert!(
                caught,
                "{} without {forgotten} passes every case",
                single.name()
            );
        }
    }
}

/// Checkers to which time-outs are as good as failures, since neither shows anything.
const BLIND_TO_TIMEOUTS: [&str; 14] = [
    "fairness",
    "unique-ids",
    "monotonic",
    "fencing",
    "replay-equivalence",
    "election",
    "boundary",
    "trace",
    "circuit-breaker",
    "exhaustion",
    "lamport-clock",
    "vector-clock",
    "hybrid-clock",
    "retry",
];

/// Checkers that look at when something ran, and not at how it ended.
const BLIND_TO_OUTCOMES: [&str; 3] = ["amplification", "bulkhead", "stampede"];

#[test]
fn a_checker_that_confuses_outcomes_is_caught() {
    let mut missed = Vec::new();
    for single in Single::ALL {
        let name = single.name();
        if BLIND_TO_OUTCOMES.contains(&name) {
            continue;
        }
        for defect in 0..3 {
            if defect == 1 && BLIND_TO_TIMEOUTS.contains(&name) {
                continue;
            }
            let caught = cases(single).iter().any(|case| {
                let report = judge(&defective(&case.history, defect), case.single);
                !meets(&report, &case.expected)
            });
            if !caught {
                missed.push(format!("{name} {defect}"));
            }
        }
    }
    assert_eq!(missed, [""; 0]);
}

#[test]
fn every_mutant_of_a_passing_history_is_caught() {
    let mut silent = Vec::new();
    for single in Single::ALL {
        let mut mutants = 0;
        for case in cases(single) {
            if case.expected != Expected::Ok {
                continue;
            }
            let (spec, model) = (CheckerSpec::Single(case.single), ModelKind::Register);
            let budget = Budget::default();
            let score = mutation_score(&case.history, &spec, model, &budget, 1);
            let score = score.expect("it passes");
            mutants += score.mutants;
            assert_eq!(score.caught, score.mutants, "{}: {score:?}", case.name);
            let again = mutation_score(&case.history, &spec, model, &budget, 1);
            assert_eq!(again, Ok(score));
        }
        if mutants == 0 {
            silent.push(single.name());
        }
    }
    assert_eq!(silent, [""; 0]);
}

#[test]
fn a_history_with_nothing_to_see_has_no_mutants() {
    let reads = "1 0 1 read \"x\" -\n= ok";
    let history = &parse(reads, Single::Monotonic)[0].history;
    let spec = CheckerSpec::Single(Single::Monotonic);
    let score = mutation_score(history, &spec, ModelKind::Register, &Budget::default(), 1);
    let score = score.expect("it passes");
    assert_eq!(
        (score.mutants, score.unused),
        (0, vec!["go back".to_owned()])
    );
    let lines = "1 0 1 generate - - => 1\n1 2 3 generate - - => 1\n= duplicate-id";
    let history = &parse(lines, Single::UniqueIds)[0].history;
    let spec = CheckerSpec::Single(Single::UniqueIds);
    let score = mutation_score(history, &spec, ModelKind::Register, &Budget::default(), 1);
    assert_eq!(score, Err(Outcome::Violation));
}

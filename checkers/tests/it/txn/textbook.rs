//! `testdata/txn/*.txt`: histories of the literature, and what each level says of them.

use std::collections::BTreeSet;
use std::path::Path;

use checkers::Budget;
use checkers::txn::{Level, Verdict, Workload, analyze};

use super::notation::{history, parse};

/// One history: its name, its transactions, what is expected.
struct Case {
    name: String,
    workload: Workload,
    lines: Vec<String>,
    anomalies: Vec<String>,
    fails: Vec<Level>,
    holds: Vec<Level>,
}

fn levels(words: &str) -> Vec<Level> {
    let level = |word: &str| Level::named(word).unwrap_or_else(|| panic!("no level {word}"));
    words.split_whitespace().map(level).collect()
}

fn cases(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_prefix("= ") {
            cases.push(Case {
                name: name.to_owned(),
                workload: Workload::ListAppend,
                lines: Vec::new(),
                anomalies: Vec::new(),
                fails: Vec::new(),
                holds: Vec::new(),
            });
            continue;
        }
        let case = cases.last_mut().expect("a name first");
        match line.split_once('>') {
            Some(("anomalies", names)) => {
                case.anomalies = names.split_whitespace().map(str::to_owned).collect();
            }
            Some(("fails", names)) => case.fails = levels(names),
            Some(("holds", names)) => case.holds = levels(names),
            _ => case.lines.push(line.to_owned()),
        }
    }
    cases
}

fn judge(case: &Case) -> Vec<String> {
    let lines = case.lines.iter().zip(0..);
    let txs: Vec<_> = lines.map(|(line, place)| parse(line, place)).collect();
    let history = history(&txs);
    let analysis = analyze(&history, case.workload, &Budget::default()).expect("transactions");
    let mut wrong = Vec::new();
    let told: BTreeSet<&str> = analysis.counts.keys().map(String::as_str).collect();
    let expected: BTreeSet<&str> = case.anomalies.iter().map(String::as_str).collect();
    if told != expected {
        wrong.push(format!("{}: anomalies {told:?}", case.name));
    }
    for level in Level::all() {
        let fails = case.fails.iter().any(|fails| level.implies(*fails));
        let holds = case.holds.iter().any(|holds| holds.implies(level));
        assert_ne!(
            fails, holds,
            "{}: {level} is said twice or not at all",
            case.name
        );
        let agrees = match analysis.verdict(level) {
            Verdict::Holds => holds,
            Verdict::Fails { .. } => fails,
            Verdict::Unknown { .. } => false,
        };
        if !agrees {
            wrong.push(format!(
                "{}: {level} {:?}",
                case.name,
                analysis.verdict(level)
            ));
        }
    }
    wrong
}

#[test]
fn the_literature_is_judged_as_it_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/txn");
    let (mut wrong, mut count) = (Vec::new(), 0);
    for name in ["lists.txt"] {
        let text = std::fs::read_to_string(folder.join(name)).expect("the cases");
        for case in cases(&text) {
            count += 1;
            wrong.extend(judge(&case));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count >= 2, "{count}");
}

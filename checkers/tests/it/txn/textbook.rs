//! `testdata/txn/*.txt`: histories of the literature, and what each level says of them.

use std::path::Path;

use checkers::Budget;
use checkers::txn::{Level, Verdict, Workload, analyze};

use super::notation::{history, parse};

/// One history: its name, its transactions, what is expected.
struct Case {
    name: String,
    workload: Workload,
    lines: Vec<String>,
    anomalies: String,
    fails: Vec<Level>,
    holds: Vec<Level>,
}

fn levels(words: &str) -> Vec<Level> {
    let level = |word: &str| Level::named(word).unwrap_or_else(|| panic!("no level {word}"));
    words.split_whitespace().map(level).collect()
}

fn cases(text: &str, file: &str, workload: Workload) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_prefix("= ") {
            cases.push(Case {
                name: format!("{}: {name}", file.trim_end_matches(".txt")),
                workload,
                lines: Vec::new(),
                anomalies: String::new(),
                fails: Vec::new(),
                holds: Vec::new(),
            });
            continue;
        }
        let case = cases.last_mut().expect("a name first");
        match line.split_once('>') {
            Some(("anomalies", names)) => {
                names.trim().clone_into(&mut case.anomalies);
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
    let told = analysis
        .counts
        .keys()
        .cloned()
        .collect::<Vec<_>>()
        .join(" ");
    let mut wrong = Vec::new();
    if told != case.anomalies {
        wrong.push(format!("{}\nanomalies> {told}", case.name));
    }
    let names = |levels: &[Level]| {
        let names: Vec<String> = levels.iter().map(ToString::to_string).collect();
        names.join(" ")
    };
    if analysis.fails != case.fails || analysis.holds != case.holds {
        let (fails, holds) = (names(&analysis.fails), names(&analysis.holds));
        wrong.push(format!("{}\nfails> {fails}\nholds> {holds}", case.name));
    }
    for level in Level::all() {
        let fails = case.fails.iter().any(|fails| level.implies(*fails));
        let agrees = match analysis.verdict(level) {
            Verdict::Holds => !fails,
            Verdict::Fails { .. } => fails,
            Verdict::Unknown { .. } => false,
        };
        if !agrees {
            let verdict = analysis.verdict(level);
            wrong.push(format!("{}: {level} {verdict:?}", case.name));
        }
    }
    wrong
}

#[test]
fn the_literature_is_judged_as_it_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/txn");
    let (mut wrong, mut count) = (Vec::new(), 0);
    let files = [
        ("lists.txt", Workload::ListAppend),
        ("registers.txt", Workload::RwRegister),
    ];
    for (name, workload) in files {
        let text = std::fs::read_to_string(folder.join(name)).expect("the cases");
        for case in cases(&text, name, workload) {
            count += 1;
            wrong.extend(judge(&case));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count >= 40, "{count}");
}

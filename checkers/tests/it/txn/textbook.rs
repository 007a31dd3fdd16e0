//! `testdata/txn/*.txt`: histories of the literature, and what each level says of them.

use std::path::Path;

use checkers::txn::{Level, Verdict, Workload, analyze};
use checkers::{Budget, History};

use super::levels;
use super::notation::{history, parse};

/// One history: its name, its transactions, what is expected.
pub(crate) struct Case {
    pub(crate) name: String,
    workload: Workload,
    lines: Vec<String>,
    anomalies: String,
    fails: Vec<Level>,
    holds: Vec<Level>,
}

impl Case {
    pub(crate) fn history(&self) -> History {
        let lines = self.lines.iter().zip(0..);
        let txs: Vec<_> = lines.map(|(line, place)| parse(line, place)).collect();
        history(&txs)
    }
}

pub(crate) fn cases(text: &str, file: &str, workload: Workload) -> Vec<Case> {
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
    let analysis =
        analyze(&case.history(), case.workload, &Budget::default()).expect("transactions");
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

/// What a case shows by name; `G2` and `predicate-read-miss` are shown in `predicates.rs`, other
/// variants in `variants.txt`.
const SHOWN: [&str; 44] = [
    "G0",
    "G0-process",
    "G0-realtime",
    "G1a",
    "G1b",
    "G1c",
    "G1c-process",
    "G1c-realtime",
    "G-single",
    "G-single-process",
    "G-single-realtime",
    "G-nonadjacent",
    "G-nonadjacent-process",
    "G-nonadjacent-realtime",
    "G2-item",
    "G2-item-process",
    "G2-item-realtime",
    "G-SIa",
    "G-SIb",
    "G-cursor",
    "G-monotonic",
    "G-monotonic-process",
    "G-monotonic-realtime",
    "G-MSR",
    "G-MSR-process",
    "G-MSR-realtime",
    "G-update",
    "G-update-process",
    "G-update-realtime",
    "lost-update",
    "write-skew",
    "write-skew-process",
    "write-skew-realtime",
    "fractured-read",
    "long-fork",
    "long-fork-process",
    "long-fork-realtime",
    "internal",
    "future-read",
    "dirty-update",
    "duplicate-elements",
    "incompatible-order",
    "garbage-read",
    "cyclic-versions",
];

#[test]
fn every_anomaly_is_shown_by_a_case() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/txn");
    let text = |name: &str| std::fs::read_to_string(folder.join(name)).expect("the cases");
    let all = cases(&text("lists.txt"), "lists", Workload::ListAppend);
    let registers = cases(&text("registers.txt"), "registers", Workload::RwRegister);
    let all: Vec<Case> = all.into_iter().chain(registers).collect();
    for name in SHOWN {
        let has = |case: &&Case| case.anomalies.split(' ').any(|told| told == name);
        let with = all.iter().filter(has).count();
        assert!(with > 0 && with < all.len(), "{name}: {with}");
    }
    for name in all.iter().flat_map(|case| case.anomalies.split(' ')) {
        assert!(
            name.is_empty() || SHOWN.contains(&name),
            "{name} is not in the table"
        );
    }
}

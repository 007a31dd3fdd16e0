//! `testdata/*.jsonl` against `testdata/verdicts.tsv`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use checkers::spec::{CheckerSpec, ModelKind};
use checkers::{Budget, CheckReport, History, Outcome, check, jsonl};

use super::single::defective;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata")
}

/// A history of `testdata`, by name.
pub(crate) fn history(name: &str) -> History {
    let path = folder().join(format!("{name}.jsonl"));
    let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    jsonl::read(bytes.as_slice()).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// One line of `verdicts.tsv`.
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) model: ModelKind,
    pub(crate) spec: CheckerSpec,
    outcome: String,
    what: String,
}

/// The lines of `verdicts.tsv`.
pub(crate) fn rows() -> Vec<Row> {
    let table = fs::read_to_string(folder().join("verdicts.tsv")).expect("the table of verdicts");
    table
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(row)
        .collect()
}

fn row(line: &str) -> Row {
    let fields: Vec<&str> = line.split('\t').collect();
    let [name, model, checker, outcome, what] = fields[..] else {
        panic!("five fields, not {line:?}");
    };
    let model = match model {
        "register" => ModelKind::Register,
        "cas-register" => ModelKind::CasRegister,
        "map" => ModelKind::Map,
        "log" => ModelKind::Log,
        _ => panic!("no model {model}"),
    };
    let spec = match checker {
        "linearizability" => CheckerSpec::Linearizability,
        "no-lost-ack" => CheckerSpec::NoLostAck,
        "single-leader" => CheckerSpec::SingleLeader,
        _ => {
            let within = checker.strip_prefix("progress:").expect("a checker");
            CheckerSpec::Progress {
                within_ns: within.parse().expect("nanoseconds"),
            }
        }
    };
    let (name, outcome, what) = (name.to_owned(), outcome.to_owned(), what.to_owned());
    Row {
        name,
        model,
        spec,
        outcome,
        what,
    }
}

/// The report in the words of the table, with what the row wants to be said, if it is.
fn told(report: &CheckReport, what: &str) -> (&'static str, String) {
    match &report.outcome {
        Outcome::Ok => ("ok", format!("{}/{}", report.consumed, report.total)),
        Outcome::Violation => {
            assert!(!report.findings.is_empty(), "a violation without a finding");
            let names = report.findings.iter().map(|finding| match &finding.key {
                Some(key) if what.contains(' ') => format!("{} {key}", finding.anomaly),
                _ => finding.anomaly.clone(),
            });
            ("violation", names.collect::<Vec<_>>().join(", "))
        }
        Outcome::Weak { field } if field.contains(what) => ("weak", what.to_owned()),
        Outcome::Weak { field } => ("weak", field.clone()),
        Outcome::Unknown { why } => ("unknown", why.clone()),
    }
}

#[test]
fn every_history_has_its_verdict() {
    let mut wrong = Vec::new();
    for row in rows() {
        let report = check(
            &history(&row.name),
            &row.spec,
            row.model,
            &Budget::default(),
        );
        let told = told(&report, &row.what);
        if told != (row.outcome.as_str(), row.what.clone()) {
            wrong.push(format!(
                "{} by {:?}: {told:?}\n{report}",
                row.name, row.spec
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn a_checker_that_says_one_thing_is_caught() {
    let name = |row: &Row| checkers::name_of(&row.spec);
    for checker in [
        "linearizability",
        "no-lost-ack",
        "single-leader",
        "progress",
    ] {
        let rows = || rows().into_iter().filter(|row| name(row) == checker);
        for always in ["ok", "violation"] {
            let caught = rows().any(|row| row.outcome != always);
            assert!(caught, "{checker} that says {always} passes");
        }
        // What confuses the ways in which operations end.
        for defect in 0..3 {
            if matches!((checker, defect), ("single-leader", _) | ("progress", 1)) {
                continue;
            }
            let caught = rows().any(|row| {
                let history = defective(&history(&row.name), defect);
                let report = check(&history, &row.spec, row.model, &Budget::default());
                told(&report, &row.what) != (row.outcome.as_str(), row.what.clone())
            });
            assert!(caught, "{checker} with defect {defect} passes");
        }
    }
}

#[test]
fn every_history_is_in_the_table() {
    let files: BTreeSet<String> = fs::read_dir(folder())
        .expect("testdata")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "jsonl")
        })
        .map(|path| {
            path.file_stem()
                .expect("a name")
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    let named: BTreeSet<String> = rows().into_iter().map(|row| row.name).collect();
    assert_eq!(files, named);
    assert!(files.len() >= 25);
}

/// What a checker says must not depend on the shape or format that the history came in.
#[test]
fn verdicts_survive_every_format() {
    for row in rows() {
        let history = history(&row.name);
        let judge = |history: &History| {
            let report = check(history, &row.spec, row.model, &Budget::default());
            (report.outcome, report.findings.len(), report.consumed)
        };
        let verdict = judge(&history);
        let mut lines = Vec::new();
        jsonl::write(&history, &mut lines).expect("a vector takes it");
        let again = jsonl::read(lines.as_slice()).expect("what was written");
        assert_eq!(judge(&again), verdict, "{}", row.name);
        let frame = checkers::codec::encode(&history).expect("a small history");
        let again = checkers::codec::decode(&frame).expect("what was encoded");
        assert_eq!(judge(&again), verdict, "{}", row.name);
        // Events know neither windows nor two operations of a process that touch.
        if history.windows.is_empty()
            && !matches!(
                row.name.as_str(),
                "touching-same-process" | "zero-length-operations"
            )
        {
            let mut lines = Vec::new();
            jsonl::write_events(&history, &mut lines).expect("a vector takes it");
            let again = jsonl::read(lines.as_slice()).expect("what was written");
            assert_eq!(judge(&again), verdict, "{}", row.name);
        }
    }
}

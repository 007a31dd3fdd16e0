//! The recorded logs of others, judged.

use checkers::edn::{self, Fails};
use checkers::spec::{CheckerSpec, ModelKind};
use checkers::{Budget, CheckReport, History, Outcome, check};

use super::{cpu_ms, etcd, kv};

/// A line for each log: its operations, how many of them have no known end, the verdict that was
/// published, ours, the steps that suffice for it, how long that took, and the fewest operations
/// that have no order.
pub(crate) fn print() {
    println!(
        "| log | operations | pending | published | ours | steps | ms cpu | engine | minimal |"
    );
    println!("|---|--:|--:|---|---|--:|--:|---|--:|");
    for (name, legal, text) in etcd::logs() {
        let history = edn::read_log(text.as_bytes(), Fails::Refused).expect(name);
        row(name, legal, &history, ModelKind::CasRegister);
    }
    for (name, legal, text) in kv::logs() {
        let history = edn::read(text.as_bytes(), Fails::DidNotHappen).expect(name);
        row(name, legal, &history, ModelKind::Text);
    }
    for (head, marks) in etcd::cases(KNOSSOS) {
        let log = etcd::log_of(marks);
        let history = edn::read_log(log.as_bytes(), Fails::DidNotHappen).expect(head[0]);
        row(
            head[0],
            head[1] == "legal",
            &history,
            ModelKind::CasRegister,
        );
    }
}

const KNOSSOS: &str = include_str!("../../testdata/recorded/knossos.txt");

fn row(name: &str, legal: bool, history: &History, model: ModelKind) {
    let pending = history.ops.iter().filter(|op| op.timeout_marker).count();
    let begun = cpu_ms();
    let report = judge(history, model, Budget::default().steps_max);
    let ms = cpu_ms() - begun;
    let minimal = report.findings.first().map_or(0, |one| one.minimal.len());
    println!(
        "| {name} | {} | {pending} | {} | {} | {} | {ms:.1} | {} | {minimal} |",
        history.ops.len(),
        if legal { "legal" } else { "illegal" },
        match report.outcome {
            Outcome::Ok => "legal".to_owned(),
            Outcome::Violation => "illegal".to_owned(),
            other => other.to_string(),
        },
        steps(history, model),
        report.engine,
    );
}

fn judge(history: &History, model: ModelKind, steps_max: u64) -> CheckReport {
    let budget = Budget {
        steps_max,
        ..Budget::default()
    };
    check(history, &CheckerSpec::Linearizability, model, &budget)
}

/// The fewest steps with which there is an answer, to one in sixteen.
pub(crate) fn steps(history: &History, model: ModelKind) -> u64 {
    let decided = |steps: &u64| {
        let report = judge(history, model, *steps);
        !matches!(report.outcome, Outcome::Unknown { .. })
    };
    let mut sizes = (4..40).flat_map(|power| (16..32).map(move |part| (part << power) >> 4));
    sizes.find(decided).unwrap_or(u64::MAX)
}

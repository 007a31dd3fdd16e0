//! Histories that others recorded or made up, with the verdicts that they published.
//!
//! `testdata/recorded/` holds what happened in them in notations of its own; they are put back
//! into the form in which they were published and read as such.

use checkers::edn::{self, Fails};
use checkers::spec::{CheckerSpec, ModelKind};
use checkers::{
    Budget, CheckReport, History, Outcome, Value, beginning_with, certify, check, refute, verify,
};

use super::models::streamed;

mod etcd;
mod kv;

use etcd::{cases, log_of, logs};

const KNOSSOS: &str = include_str!("../../testdata/recorded/knossos.txt");
const CASES: &str = include_str!("../../testdata/recorded/cases.txt");

fn linearizable(history: &History, kind: ModelKind) -> CheckReport {
    let spec = CheckerSpec::Linearizability;
    check(history, &spec, kind, &Budget::default())
}

/// Judges a history by all engines, with the proof of either answer.
fn judged(name: &str, history: &History, kind: ModelKind, legal: bool) {
    let report = linearizable(history, kind);
    let stream = streamed(kind, &history.ops);
    let weak = |report: &CheckReport| matches!(report.outcome, Outcome::Weak { .. });
    for report in [&report, &stream] {
        let said = report.outcome == Outcome::Ok || weak(report);
        let decided = said || report.outcome == Outcome::Violation;
        assert!(decided && said == legal, "{name}: {report}");
    }
    let budget = Budget::default();
    if legal {
        let proof = certify(history, kind, &budget).expect("a proof");
        verify(history, kind, &proof).expect("a proof that holds");
    }
    for finding in &report.findings {
        refute(history, kind, finding, &budget).expect("a refutation that holds");
    }
}

#[test]
fn logs_of_etcd_are_judged_as_published() {
    let logs = logs();
    for (name, legal, text) in &logs {
        let history = edn::read_log(text.as_bytes(), Fails::Refused).expect(name);
        assert!(history.ops.len() > 70, "{name}: {}", history.ops.len());
        judged(name, &history, ModelKind::CasRegister, *legal);
    }
    // All that are published as legal, and some that are not.
    let legal = logs.iter().filter(|(_, legal, _)| *legal).count();
    assert_eq!((logs.len(), legal), (36, 23));
    // Bytes of some of the published files: what is put back here is what they say.
    for (name, bytes) in [
        ("etcd_004", 6_597),
        ("etcd_006", 6_493),
        ("etcd_008", 6_492),
        ("etcd_009", 6_523),
        ("etcd_011", 6_423),
        ("etcd_070", 6_882),
    ] {
        let log = logs.iter().find(|(known, ..)| *known == name);
        assert_eq!(log.map(|(.., text)| text.len()), Some(bytes), "{name}");
    }
}

#[test]
fn logs_of_a_key_value_store_are_judged_as_published() {
    // Bytes of the published files: what is put back here is what they say.
    let bytes = [("c10-ok", 48_767), ("c01-ok", 7_434), ("c01-bad", 4_804)];
    for ((name, legal, text), (known, bytes)) in kv::logs().into_iter().zip(bytes) {
        assert_eq!((name, text.len()), (known, bytes));
        let history = edn::read(text.as_bytes(), Fails::DidNotHappen).expect(name);
        judged(name, &history, ModelKind::Text, legal);
        let report = linearizable(&history, ModelKind::Map);
        assert_eq!(report.outcome == Outcome::Ok, legal, "{name}: {report}");
    }
}

#[test]
fn registers_of_knossos_are_judged_as_published() {
    for (head, marks) in cases(KNOSSOS) {
        let log = log_of(marks);
        let history = edn::read_log(log.as_bytes(), Fails::DidNotHappen).expect(head[0]);
        assert!(history.ops.len() >= 250, "{head:?}: {}", history.ops.len());
        judged(
            head[0],
            &history,
            ModelKind::CasRegister,
            head[1] == "legal",
        );
    }
}

#[test]
fn a_cas_that_timed_out_was_not_refused() {
    let log = log_of("0w1 0+ 1c12") + "INFO  jepsen.util - 1\t:fail\t:cas\t:timed-out\n";
    let history = edn::read_log(log.as_bytes(), Fails::Refused).expect("a log");
    judged("timed out", &history, ModelKind::CasRegister, true);
    assert_eq!(history.ops[1].error.as_deref(), Some("fail"));
}

#[test]
fn small_cases_of_others_are_judged_as_published() {
    let mut count = 0;
    for (head, lines) in cases(CASES) {
        let (name, said) = head.split_first().expect("a name");
        let [by, verdict, rest @ ..] = said else {
            panic!("{head:?}");
        };
        let read = edn::read(lines.as_bytes(), Fails::DidNotHappen);
        let mut history = read.unwrap_or_else(|error| panic!("{name}: {error}"));
        count += 1;
        if let Ok(kind) = ModelKind::parse(by) {
            if let Some(first) = rest.first().and_then(|first| first.strip_prefix("from=")) {
                let first = Value::Int(first.parse().expect("a number"));
                history = beginning_with(history, kind, &first).expect("a beginning");
            }
            judged(name, &history, kind, *verdict == "legal");
            continue;
        }
        let spec = CheckerSpec::parse(by).expect("a checker");
        let report = check(&history, &spec, ModelKind::Register, &Budget::default());
        let said = match report.outcome {
            Outcome::Ok => "legal",
            Outcome::Violation => "illegal",
            Outcome::Weak { .. } => "unknown",
            Outcome::Unknown { .. } => "spent",
        };
        assert_eq!(said, *verdict, "{name}: {report}");
        for kind in rest {
            let known = report
                .findings
                .iter()
                .any(|finding| finding.anomaly == *kind);
            assert!(known, "{name} has no {kind}: {report}");
        }
    }
    assert!(count > 40, "{count} cases");
}

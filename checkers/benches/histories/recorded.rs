//! The recorded logs of others, judged.

use checkers::edn::{self, Fails};
use checkers::spec::{CheckerSpec, ModelKind};
use checkers::{Budget, check};

use super::{cpu_ms, etcd};

/// A line for each log: its operations, how many of them have no known end, the verdict that was
/// published, ours, how long that took, and the fewest operations that have no order.
pub(crate) fn print() {
    println!("| log | operations | pending | published | ours | ms cpu | engine | minimal |");
    println!("|---|--:|--:|---|---|--:|---|--:|");
    for (name, legal, text) in etcd::logs() {
        let history = edn::read_log(text.as_bytes(), Fails::Refused).expect(name);
        let pending = history.ops.iter().filter(|op| op.timeout_marker).count();
        let (begun, spec) = (cpu_ms(), CheckerSpec::Linearizability);
        let report = check(&history, &spec, ModelKind::CasRegister, &Budget::default());
        let ms = cpu_ms() - begun;
        let minimal = report.findings.first().map_or(0, |one| one.minimal.len());
        println!(
            "| {name} | {} | {pending} | {} | {} | {ms:.1} | {} | {minimal} |",
            history.ops.len(),
            if legal { "legal" } else { "illegal" },
            report.outcome,
            report.engine,
        );
    }
}

//! Plans put together by chance: whatever the parts, the compiler answers, and every scenario
//! either runs or is refused with a reason.

use plan_compiler::{Compiled, compile, compile_bytes, render};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// Lines that plans consist of, right, wrong and half.
const LINES: [&str; 40] = [
    "# Test Plan: fuzz",
    "## 1b. Claims under test",
    "| ID | Claim | Category |",
    "|---|---|---|",
    "| C1 | it works | safety |",
    "| C1 | it works twice | safety |",
    "| C2 |",
    "| | it has no id | liveness | and | more | cells |",
    "## 4 Failure-mode hypotheses",
    "- H1: it breaks. Could falsify: C1, C9",
    "## 5 Coverage matrix",
    "| Claim | H1 |",
    "| C1 | S1, S9 |",
    "## 7. Scenarios",
    "### Scenario S1: one",
    "### Scenario S1: again",
    "### S2",
    "### Scenario",
    "- Falsifies if it FAILs: C1, C2",
    "- Workload: 3 clients, 50% read / 50% write, 30s",
    "- Workload: as S2",
    "- Workload: as S1",
    "- Faults: as S1",
    "- Faults: kill -9 the leader at T+5s, then partition isolating a minority for 2s",
    "- Faults: rolling upgrade every 2s once a new leader is elected; starve node 2 of CPU",
    "- Faults: {n1, n2} | {n3} at T+5s; {n1} | ; tc qdisc add dev eth0 root netem delay 1ms loss",
    "- Faults: 1. iptables -A INPUT -s n1 -j DROP on 2. all nodes but all nodes but n1, n2 and n9",
    "- Faults: kill -9 n1 and slow n2's clock at 0:30 for a minute, and partition during the kill",
    "- Workload: idle for 5s, 7 operations each, 4 writers",
    "- Exit criteria: no lost acked writes, recovered within 5s",
    "- Oracle: Elle (list-append: serializable, at least 99.9% of operations succeed",
    "- Oracle: linearizability",
    "- 7.M Model: map; history: default schema; checker: linearizability",
    "- 7.M.S: S1/api: one; S1/api: two; S1/",
    "- Landing evidence: processes killed >= 1",
    "- Target test file: tests/a.rs",
    "```rust",
    "```",
    "\u{0}",
    "",
];

fn sound(text: &str, compiled: &Compiled) {
    for found in &compiled.diagnostics {
        assert!(text.get(found.span.clone()).is_some(), "{found:?}");
        assert!(render(found, "plan.md", text).contains(found.code.number()));
    }
    for row in &compiled.explain {
        assert!(text.get(row.span.clone()).is_some(), "{row:?}");
    }
    for scenario in &compiled.not_runnable {
        assert!(!scenario.codes.is_empty(), "{scenario:?}");
    }
    let written = compiled.plan.scenarios.iter();
    let arms: usize = written.map(|scenario| scenario.arms.len().max(1)).sum();
    let judged = compiled.scenarios.len() + compiled.not_runnable.len();
    assert_eq!(judged, arms, "a scenario is lost");
    // What author mode makes of it, and finds in it, is sound as well.
    for file in plan_compiler::author::target_files(text, compiled) {
        let package = plan_compiler::author::Package {
            plan: "plan.md",
            system: Some("System"),
            has_sim: false,
            format: &|rust| rust,
        };
        let made = plan_compiler::author::generate(text, compiled, &file, &package);
        let made = made.expect("the system is named");
        let read = |_: &str| Some(made.clone());
        let drift = plan_compiler::author::review(text, compiled, "plan.md", &read);
        assert_eq!(drift, [], "what was just written has drifted");
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(200)
    })]

    #[test]
    fn lines_in_any_order_are_sound(lines in vec(select(LINES.to_vec()), 0..40)) {
        let text = lines.join("\n");
        sound(&text, &compile(&text));
    }

    #[test]
    fn any_bytes_are_sound(
        lines in vec(select(LINES.to_vec()), 0..20),
        noise in vec((any::<usize>(), any::<u8>()), 0..20),
    ) {
        let mut bytes = lines.join("\n").into_bytes();
        for (place, byte) in noise {
            let place = place % (bytes.len() + 1);
            bytes.insert(place, byte);
        }
        let (text, compiled) = compile_bytes(&bytes);
        sound(&text, &compiled);
        prop_assert_eq!(std::str::from_utf8(&bytes).is_err(), compiled.diagnostics.iter().any(
            |found| found.code == plan_compiler::Code::NotUtf8
        ));
    }

    #[test]
    fn any_text_is_sound(text in "\\PC{0,400}") {
        sound(&text, &compile(&text));
    }
}

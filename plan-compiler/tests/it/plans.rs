//! Whole plans: what they compile to, and what their authors are told.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use expect_test::expect_file;
use plan_compiler::{compile, render};

/// Everything about a plan, as text that a person can review.
fn report(name: &str, text: &str) -> String {
    let compiled = compile(text);
    let mut out = String::new();
    for scenario in &compiled.scenarios {
        writeln!(out, "{scenario:#?}\n").expect("a String takes all");
    }
    for scenario in &compiled.not_runnable {
        let codes: Vec<String> = scenario.codes.iter().map(ToString::to_string).collect();
        let (id, line) = (&scenario.id, scenario.line);
        writeln!(
            out,
            "not runnable: {id}, line {line}: {}\n",
            codes.join(" ")
        )
        .expect("a String takes all");
    }
    for row in &compiled.explain {
        let text = if row.default {
            "(left open)"
        } else {
            &row.text
        };
        writeln!(
            out,
            "{}:{} [{}] {text} => {}",
            row.line,
            row.scenario,
            row.field.label(),
            row.compiled
        )
        .expect("a String takes all");
    }
    for diagnostic in &compiled.diagnostics {
        out.push('\n');
        out.push_str(&render(diagnostic, name, text));
    }
    out
}

fn check(name: &str) {
    check_at(&folder().join(name), name);
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata")
}

/// Holds the plan at `path` against what is expected of `name`.
fn check_at(path: &Path, name: &str) {
    let text = std::fs::read_to_string(path).expect("testdata is readable");
    let expected = folder().join(name).with_extension("expected.txt");
    expect_file![expected].assert_eq(&report(name, &text));
}

#[test]
fn the_excerpt_and_its_verbatim_formal_list() {
    check("s3-verbatim.md");
}

#[test]
fn a_key_value_plan() {
    check("key-value.md");
}

#[test]
fn a_plan_with_one_of_each_mistake() {
    check("broken.md");
}

/// Twelve more products, in both plan modes, as as many authors would write them; the last as it
/// was first written, with what its author is told.
#[test]
fn whole_plans_of_the_corpus() {
    let names = [
        "queue",
        "lock-service",
        "ledger",
        "object-store",
        "multi-tenant-api",
        "cache",
        "workflow-engine",
        "scheduler",
        "crdt-store",
        "upgrade",
        "session-store",
        "orders-ledger",
    ];
    for name in names {
        check(&format!("plans/{name}.md"));
    }
}

#[test]
fn the_document_is_read_into_the_plan() {
    let text = include_str!("../../testdata/key-value.md");
    let plan = compile(text).plan;
    assert_eq!(
        plan.slug.map(|slug| slug.text).as_deref(),
        Some("key-value")
    );
    let labels: Vec<&str> = plan
        .header
        .iter()
        .map(|field| field.label.as_str())
        .collect();
    assert_eq!(labels, ["Date", "Plan mode", "SUT"]);
    let falsify = |row: &plan_compiler::plan::Hypothesis| -> Vec<String> {
        row.could_falsify.iter().map(|id| id.text.clone()).collect()
    };
    let falsify: Vec<Vec<String>> = plan.hypotheses.iter().map(falsify).collect();
    assert_eq!(falsify, [vec!["C1"], vec!["C2", "C3"]]);
    assert_eq!(plan.claims.len(), 5);
    assert_eq!(plan.claims[3].inferred, Some(true));
    assert_eq!(&text[plan.claims[3].id.span.clone()], "C4");
    assert_eq!(plan.scenarios.len(), 5);
}

/// Those that have a system in the examples, and are swept with it.
#[test]
fn the_plans_of_the_examples() {
    for name in ["raft-kv", "txn-kv", "order-service"] {
        let path = folder().join(format!("../../examples/{name}/plan.md"));
        check_at(&path, &format!("plans/{name}.md"));
    }
}

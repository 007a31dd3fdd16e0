//! `plan check` and `plan explain`.

use std::fs;

use crate::{answer, command, landfall, root};

/// A plan that is known to compile.
const GOOD: &str = "examples/raft-kv/plan.md";

/// The same with a clause that means nothing.
fn broken() -> String {
    let text = fs::read_to_string(root().join(GOOD)).expect("the example has a plan");
    let broken = text.replacen("partition isolating", "partitoin isolating", 1);
    assert_ne!(text, broken, "the plan has a partition to misspell");
    broken
}

#[test]
fn a_good_plan_passes() {
    let answer = landfall(&["plan", "check", GOOD]);
    assert_eq!(answer.code, 0, "{}{}", answer.stdout, answer.stderr);
    assert!(
        answer.stdout.contains("plan.md: 0 errors"),
        "{}",
        answer.stdout
    );
}

#[test]
fn a_broken_clause_is_shown_with_its_line() {
    let text = broken();
    let at = text
        .lines()
        .position(|line| line.contains("partitoin"))
        .expect("it is there")
        + 1;
    let answer = answer(command(&["plan", "check", "-"]), &text);
    assert_eq!(answer.code, 3, "{}", answer.stderr);
    assert!(
        answer.stdout.contains(&format!("--> -:{at}:")),
        "{}",
        answer.stdout
    );
    assert!(
        answer.stdout.contains("did you mean `partition`?"),
        "{}",
        answer.stdout
    );
}

#[test]
fn one_broken_plan_among_good_ones_decides() {
    let answer = answer(
        command(&["plan", "check", GOOD, "-"]),
        "# Test Plan: empty\n",
    );
    assert_eq!(answer.code, 3, "{}", answer.stderr);
    assert!(
        answer.stdout.contains("plan.md: 0 errors"),
        "{}",
        answer.stdout
    );
    assert!(
        answer.stdout.contains("the plan has no scenario"),
        "{}",
        answer.stdout
    );
}

#[test]
fn json_carries_the_diagnostics() {
    let answer = answer(
        command(&["plan", "check", "-", "--format", "json"]),
        &broken(),
    );
    assert_eq!(answer.code, 3);
    let json = answer.json();
    assert_eq!(json["exit_code"], 3);
    let found = &json["files"][0]["diagnostics"][0];
    assert_eq!(found["severity"], "error");
    assert_eq!(found["code"], "P0001");
    assert_eq!(json["files"][0]["not_runnable"][0], "S1");
}

#[test]
fn a_missing_plan_is_one_clear_message() {
    let answer = landfall(&["plan", "check", GOOD, "no/such.md"]);
    assert_eq!(answer.code, 2);
    assert_eq!(answer.stderr.lines().count(), 1, "{}", answer.stderr);
    assert!(
        answer
            .stderr
            .starts_with("error: the plan no/such.md cannot be read: ")
    );
    assert_eq!(answer.stdout, "");
}

#[test]
fn explain_says_what_each_clause_became() {
    let answer = landfall(&["plan", "explain", GOOD]);
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    let explained =
        "partition isolating current leader every 4-6s for 2s\n       -> S1.partition-leader: ";
    assert!(answer.stdout.contains(explained), "{}", answer.stdout);
    let broken = crate::answer(command(&["plan", "explain", "-"]), &broken());
    assert_eq!(broken.code, 3);
    assert!(
        broken.stdout.contains("(cannot run, see below)"),
        "{}",
        broken.stdout
    );
}

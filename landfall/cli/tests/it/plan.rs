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

#[test]
fn github_marks_the_lines_of_the_plan() {
    let answer = answer(
        command(&["plan", "check", "-", "--format", "github"]),
        &broken(),
    );
    assert_eq!(answer.code, 3);
    let first = answer.stdout.lines().next().unwrap_or_default();
    assert!(first.starts_with("::error file=-,line="), "{first}");
    assert!(first.contains(",title=P0001::`partitoin`"), "{first}");
    assert!(first.contains("%0A"), "{first}");
}

#[test]
fn a_code_is_explained_and_an_unknown_one_refused() {
    let answer = landfall(&["plan", "explain-code", "p0005"]);
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    assert!(answer.stdout.starts_with("# P0005: "), "{}", answer.stdout);
    let all = landfall(&["plan", "explain-code"]);
    assert_eq!(all.stdout.lines().count(), plan_compiler::Code::ALL.len());
    let bad = landfall(&["plan", "explain-code", "P9999"]);
    assert_eq!(bad.code, 2);
    assert!(
        bad.stderr.contains("no code `P9999`: they go from P0001"),
        "{}",
        bad.stderr
    );
}

#[test]
fn a_new_plan_has_nothing_wrong_with_it_and_overwrites_nothing() {
    for mode in ["change-scoped", "project-wide"] {
        let new = landfall(&["plan", "new", "cart", "--mode", mode, "-o", "-"]);
        assert_eq!(new.code, 0, "{}", new.stderr);
        let checked = answer(command(&["plan", "check", "-"]), &new.stdout);
        let expected = "-: 0 errors, 0 warnings; 1 of 1 scenario can run\n";
        assert_eq!(checked.stdout, expected);
    }
    let taken = landfall(&["plan", "new", "cart", "-o", GOOD]);
    assert_eq!(taken.code, 2);
    assert!(taken.stderr.contains("is left alone"), "{}", taken.stderr);
}

#[test]
fn bytes_that_are_no_text_are_a_diagnostic() {
    let file = std::env::temp_dir().join(format!("landfall-plan-{}.md", std::process::id()));
    fs::write(&file, b"# Test Plan: caf\xe9\n\x00\n").expect("it can be written");
    let path = file.to_str().expect("a path in UTF-8");
    let answer = landfall(&["plan", "check", path]);
    fs::remove_file(&file).expect("it was there");
    assert_eq!(answer.code, 3, "{}", answer.stderr);
    for code in ["error[P0053]: byte 17", "error[P0054]", "error[P0019]"] {
        assert!(answer.stdout.contains(code), "{code}: {}", answer.stdout);
    }
}

//! The worker's commands: what cannot be served is refused, and said so.

use std::time::Duration;

use landfall::coordinate::{CoordinateError, Flow, RunRequest, Tier};
use landfall::runtime::process::{ChildExit, ChildStatus, Worker, WorkerCommand};
use serde_json::{Value, json};

use crate::sweeps::{pool, test_named};

fn ask(command: &[u8]) -> ChildExit {
    let worker = WorkerCommand {
        exe: std::env::current_exe().expect("an executable knows where it is"),
        cwd: std::env::current_dir().expect("cargo runs tests in a directory"),
        extra_env: Vec::new(),
    };
    let mut worker = Worker::spawn(&worker).expect("this executable is a worker");
    let limit = Duration::from_secs(60);
    worker
        .run(command, limit, &mut |_| {})
        .expect("the worker holds")
}

fn refusal(command: &[u8]) -> String {
    let exit = ask(command);
    assert_eq!(exit.status, ChildStatus::Code(0), "{exit:?}");
    let answer: Value = serde_json::from_slice(&exit.result.expect("an answer")).expect("JSON");
    answer["Refused"].as_str().expect("a refusal").to_owned()
}

#[test]
fn another_version_is_refused_with_what_to_do() {
    let command = json!({ "List": { "version": 99 } });
    let why = refusal(command.to_string().as_bytes());
    assert!(
        why.contains("version 99") && why.contains("version 4"),
        "{why}"
    );
    assert!(why.contains("build both from the same release"), "{why}");
}

#[test]
fn garbage_is_refused() {
    for garbage in [&b"\xff\x00"[..], b"", b"{}", b"{\"Stop\":{}}", b"[1"] {
        let why = refusal(garbage);
        assert!(why.starts_with("bad command: "), "{why}");
    }
}

#[test]
fn a_command_without_its_request_is_refused() {
    let why = refusal(json!({ "Run": { "version": 2 } }).to_string().as_bytes());
    assert!(why.contains("request"), "{why}");
}

#[test]
fn a_seed_that_is_no_number_is_refused() {
    let request = RunRequest::new("hand::tasks_share_the_world", 1, Tier::Smoke);
    let mut request = serde_json::to_value(&request).expect("plain data");
    request["seed"] = json!("zzz");
    let command = json!({ "Run": { "version": 2, "request": request } });
    let why = refusal(command.to_string().as_bytes());
    assert!(why.contains("zzz"), "{why}");
}

#[test]
fn an_unknown_test_is_an_error_and_no_failing_seed() {
    let request = RunRequest::new("hand::no_such_test", 1, Tier::Smoke);
    let error = pool(1)
        .run([request], &mut |_, _| Flow::Continue)
        .expect_err("there is none");
    let CoordinateError::Answer(why) = &error else {
        panic!("{error}");
    };
    assert_eq!(
        why,
        "there is no test named hand::no_such_test in this binary"
    );
}

#[test]
fn a_listing_names_tests_plans_and_their_problems() {
    let mut pool = pool(1);
    let hand = test_named(&mut pool, "hand::tasks_share_the_world");
    assert_eq!(
        (hand.seeds, hand.plan, hand.scenario),
        (Some(5), None, None)
    );
    let planned = test_named(&mut pool, "determinism::one::s1_short");
    assert_eq!(planned.plan.as_deref(), Some("tests/it/plans/one_fault.md"));
    assert_eq!(planned.id.as_deref(), Some("S1"));
    assert_eq!(planned.scenario.expect("it can run").name, "short");
    let listing = pool.list().expect("a worker lists its tests");
    let plans = listing.plans.iter();
    let one: Vec<_> = plans
        .filter(|plan| plan.path.ends_with("one_fault.md"))
        .collect();
    assert_eq!(
        one.len(),
        1,
        "a plan that several systems share is listed once"
    );
    assert!(one[0].errors.is_empty(), "{:?}", one[0].errors);
}

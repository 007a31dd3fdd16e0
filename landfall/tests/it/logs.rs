//! The guests' log: nothing on a sweep, the end of a failure's, all of a replay's.

use std::fmt;
use std::time::Duration;

use landfall::coordinate::{RunRequest, Tier};
use landfall::render;
use landfall::report::{LogLine, SeedReport};
use landfall::runtime::{EventKind, spawn, time, with};
use tracing::{Instrument as _, debug, info, info_span, warn};

use crate::sweeps::{pool, sweep_all};

const NAME: &str = "logs::it_says_what_it_does";

/// Fails in seed 0. What it does depends on where its memory is.
#[landfall::test(test = false)]
async fn it_says_what_it_does() {
    info!(step = 1, "first");
    time::sleep(Duration::from_millis(1_500)).await;
    let task = spawn(async {
        let kept: Vec<String> = (0..100).map(|n| format!("line {n}")).collect();
        for line in &kept {
            debug!("{line}");
        }
        kept
    });
    let kept = task.await.expect("it does not panic");
    let place = kept[99].as_ptr().addr() as u64;
    with(|world| world.event(EventKind::User, place, 0));
    warn!(target: "other::module", "last of {:?}", kept.len());
    let seed = with(|world| world.seed()).0;
    assert_ne!(seed, 0, "a seed that fails");
}

fn report(seed: u64, log: &str, all: Option<bool>) -> SeedReport {
    let mut pool = pool(1);
    log.clone_into(&mut pool.log);
    let request = RunRequest::new(NAME, seed, Tier::Smoke);
    let request = match all {
        Some(all) => request.with_log(all),
        None => request,
    };
    let outcome = pool.run_one(request).expect("the worker holds");
    outcome.report().expect("it runs to its end").clone()
}

fn texts(lines: &[LogLine]) -> Vec<String> {
    lines.iter().map(ToString::to_string).collect()
}

#[test]
fn a_sweep_has_none_a_failure_its_end_and_a_replay_all() {
    assert!(report(0, "debug", None).log_tail.is_empty());
    assert!(report(1, "debug", Some(false)).log_tail.is_empty());
    let end = report(0, "debug", Some(false)).log_tail;
    assert_eq!(end.len(), 50);
    let all = texts(&report(1, "debug", Some(true)).log_tail);
    assert_eq!(all.len(), 102);
    assert_eq!(all[0], "0.000000s harness task 1 INFO first step=1");
    assert!(all[1].starts_with("1.50000"), "{}", all[1]);
    assert!(
        all[1].ends_with("s harness task 2 DEBUG line 0"),
        "{}",
        all[1]
    );
    assert!(
        all[101].ends_with("task 1 WARN last of 100"),
        "{}",
        all[101]
    );
}

#[test]
fn directives_choose_targets_and_levels() {
    let count = |log: &str| report(1, log, Some(true)).log_tail.len();
    assert_eq!((count("info"), count("off"), count("warn")), (2, 0, 1));
    assert_eq!(count("it=debug"), 101);
    assert_eq!(count("off,other=warn"), 1);
    assert_eq!(count("debug,other::module=off"), 101);
}

#[test]
fn a_run_is_the_same_with_and_without() {
    let without = report(1, "debug", None);
    let with = report(1, "debug", Some(true));
    assert_eq!(without.digest, with.digest);
    assert_eq!(without.events, with.events);
}

/// Requests that are worked on by turns, each in a span of its own.
#[landfall::test(test = false)]
async fn requests_have_ids() {
    let request = |id: u64| {
        let work = async move {
            for step in 0..3 {
                info!(step, "working");
                time::sleep(Duration::from_millis(1)).await;
            }
        };
        work.instrument(info_span!("request", request_id = id))
    };
    let tasks: Vec<_> = (1..4).map(|id| spawn(request(id))).collect();
    for task in tasks {
        task.await.expect("it does not panic");
    }
    info!("outside");
}

#[test]
fn lines_carry_what_the_spans_around_them_say() {
    let mut pool = pool(1);
    let request = RunRequest::new("logs::requests_have_ids", 1, Tier::Smoke).with_log(true);
    let outcome = pool.run_one(request).expect("the worker holds");
    let lines = &outcome.report().expect("it runs to its end").log_tail;
    for id in 1..4 {
        let its = |line: &&LogLine| line.text.ends_with(&format!(" request_id={id}"));
        let texts: Vec<&str> = lines
            .iter()
            .filter(its)
            .map(|line| line.text.as_str())
            .collect();
        assert_eq!(texts.len(), 3, "{lines:?}");
        assert!(texts[2].starts_with("working step=2"), "{texts:?}");
    }
    assert_eq!(lines.last().expect("there are lines").text, "outside");
}

#[test]
fn a_failure_shows_the_end_of_its_log() {
    let result = sweep_all(&mut pool(1), NAME, 1);
    let text = render::failure(&result, &|seed| format!("again with {seed}"));
    assert!(text.contains("it fails again, same digest"), "{text}");
    assert!(
        text.contains(" harness task 1 INFO first step=1\n"),
        "{text}"
    );
    assert!(!text.contains("DEBUG"), "{text}");
}

#[expect(
    clippy::disallowed_types,
    reason = "a guest reads the clock as it likes"
)]
fn guests_clock() -> impl fmt::Debug {
    std::time::Instant::now()
}

/// Shows when it is shown.
struct Now;

impl fmt::Display for Now {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", guests_clock())
    }
}

/// A log whose lines read the clock while they are written.
#[landfall::test(test = false)]
async fn lines_read_the_clock() {
    for _ in 0..20 {
        let span = info_span!("at", now = %Now);
        span.in_scope(|| info!("it is {Now}"));
        span.record("now", tracing::field::display(Now));
        time::sleep(Duration::from_millis(1)).await;
    }
    let now = with(|world| world.now().as_nanos());
    with(|world| world.event(EventKind::User, now, 0));
}

#[test]
fn writing_a_line_takes_no_time() {
    let run = |log| {
        let mut pool = pool(1);
        let request = RunRequest::new("logs::lines_read_the_clock", 1, Tier::Smoke);
        let outcome = pool.run_one(request.with_log(log));
        let outcome = outcome.expect("the worker holds");
        outcome.report().expect("it runs to its end").clone()
    };
    let (without, with) = (run(false), run(true));
    assert!(without.log_tail.is_empty());
    assert_eq!(with.log_tail.len(), 20);
    assert_eq!(without.digest, with.digest);
}

/// A log that is worked out by a read of the clock before it is handed over; it fails.
#[landfall::test(test = false)]
async fn logging_is_a_part_of_it() {
    for _ in 0..20 {
        info!(spent = ?guests_clock(), "so far");
    }
    let now = with(|world| world.now().as_nanos());
    with(|world| world.event(EventKind::User, now, 0));
    panic!("as it must");
}

#[test]
fn a_guest_that_acts_in_order_to_log_fails_as_it_did_without() {
    let result = sweep_all(&mut pool(1), "logs::logging_is_a_part_of_it", 1);
    let text = render::failure(&result, &|seed| format!("again with {seed}"));
    assert!(text.contains("it fails again, same digest"), "{text}");
    assert!(
        text.contains("in a run that logs, which is another"),
        "{text}"
    );
    assert!(text.contains(" INFO so far spent=Instant"), "{text}");
}

//! One seed is one run: in any process, whatever else is planned, and if not, it is found.

use std::time::Duration;

use landfall::coordinate::Tier;
use landfall::judge::Verdict;
use landfall::render;
use landfall::report::{SeedOutcome, SeedReport};
use landfall::runtime::{EventKind, NodeId, interpose, spawn, spawn_on, time, with};
use landfall::sweep::{Order, sweep};
use serde_json::Value;

use crate::sweeps::{outcomes, pool, reports, sweep_all, test_named};
use crate::toy::{Quirk, Toy};

mod one {
    use super::{Quirk, Toy};
    landfall::plan!(
        "tests/it/plans/one_fault.md",
        system = Toy(Quirk::None),
        test = false
    );
}

mod unused {
    use super::{Quirk, Toy};
    landfall::plan!(
        "tests/it/plans/unused_fault.md",
        system = Toy(Quirk::None),
        test = false
    );
}

mod two {
    use super::{Quirk, Toy};
    landfall::plan!(
        "tests/it/plans/two_faults.md",
        system = Toy(Quirk::None),
        test = false
    );
}

mod dice {
    use super::{Quirk, Toy};
    landfall::plan!(
        "tests/it/plans/one_fault.md",
        system = Toy(Quirk::Dice),
        test = false
    );
}

const ONE: &str = "determinism::one::s1_short";

#[test]
fn two_hundred_seeds_are_the_same_in_two_processes() {
    let first = outcomes(&mut pool(1), ONE, 200);
    // Other workers, in another order.
    let second = outcomes(&mut pool(3), ONE, 200);
    assert_eq!((first.len(), second.len()), (200, 200));
    for (first, second) in first.iter().zip(&second) {
        assert!(first.digest().is_some(), "{first:?}");
        assert_eq!(first, second, "seed {}", first.seed());
    }
    let digest = |outcome: &SeedOutcome| outcome.digest().map(|digest| digest.to_string());
    let mut digests: Vec<_> = first.iter().map(digest).collect();
    digests.sort_unstable();
    digests.dedup();
    assert_eq!(digests.len(), 200, "no two seeds are the same run");
}

#[test]
fn a_fault_that_never_arms_changes_no_event() {
    let mut pool = pool(1);
    let without = reports(&mut pool, ONE, 10);
    let with = reports(&mut pool, "determinism::unused::s1_short", 10);
    for (without, with) in without.iter().zip(&with) {
        assert_eq!(without.digest, with.digest, "seed {}", with.seed);
        assert_eq!(without.events, with.events);
        assert_eq!(without.history, with.history);
        let [first, unused] = &with.ledger[..] else {
            panic!("two faults are planned: {:?}", with.ledger);
        };
        assert_eq!(&without.ledger[0], first);
        assert_eq!(unused.standing(), "planned");
        assert!(!with.landed(), "what never armed has not landed");
    }
}

/// The rows of a report's history.
fn rows(report: &SeedReport) -> Vec<Value> {
    let history = report.history.as_ref().expect("it was asked for");
    let row = |line| serde_json::from_str(line).expect("a row is JSON");
    history.lines().map(row).collect()
}

/// What a client invoked: type, key and value, in order.
fn invoked(report: &SeedReport, client: u64) -> Vec<String> {
    let rows = rows(report).into_iter();
    let own = rows.filter(|row| row["process_id"] == client && row["op_type"] != "lead");
    own.map(|row| format!("{} {} {}", row["op_type"], row["key"], row["input"]))
        .collect()
}

#[test]
fn a_fault_less_leaves_the_others_windows_and_the_workload() {
    let mut pool = pool(1);
    let one = reports(&mut pool, ONE, 10);
    let two = reports(&mut pool, "determinism::two::s1_short", 10);
    let mut differ = 0;
    for (one, two) in one.iter().zip(&two) {
        let (alone, [first, second]) = (&one.ledger[0], &two.ledger[..]) else {
            panic!("two faults are planned: {:?}", two.ledger);
        };
        assert_eq!(alone.armed, first.armed, "seed {}", one.seed);
        assert_eq!(alone.healed, first.healed, "seed {}", one.seed);
        assert_eq!(alone.target, first.target, "seed {}", one.seed);
        assert_eq!(second.armed.len(), 1);
        for client in [1, 2] {
            let (a, b) = (invoked(one, client), invoked(two, client));
            let both = a.len().min(b.len());
            assert!(both >= 15, "{both} operations of client {client}");
            assert_eq!(a[..both], b[..both], "client {client} of seed {}", one.seed);
        }
        differ += u32::from(one.digest != two.digest);
    }
    assert_eq!(differ, 10, "the second fault is no mere name");
}

#[test]
fn what_differs_from_run_to_run_is_found_and_placed() {
    let name = "determinism::dice::s1_short";
    let result = sweep_all(&mut pool(1), name, 3);
    let judgement = &result.judgement;
    assert_eq!(
        judgement.verdict,
        Verdict::FailNondeterministic,
        "{judgement:?}"
    );
    let divergence = result.divergence.as_ref().expect("it is located");
    assert_eq!(divergence.seed, 0);
    let (a, b) = divergence.first.as_ref().expect("its first event is found");
    let (a, b) = (
        a.as_ref().expect("of one run"),
        b.as_ref().expect("and the other"),
    );
    assert_ne!(a, b);
    assert_eq!((a.number, b.number), (divergence.same_until + 1, a.number));
    let last = divergence
        .last_same
        .as_ref()
        .expect("something came before");
    for event in [a, b, last] {
        assert_eq!(event.node, 1, "{event:?}");
        assert!(event.task.contains("toy.rs"), "{event:?}");
    }
    let text = render::failure(&result, &|seed| format!("again with {seed}"));
    assert!(
        text.contains("two runs of seed 0 agree up to event"),
        "{text}"
    );
    assert!(
        text.contains("node 1, task ") && text.contains("toy.rs"),
        "{text}"
    );
    assert!(text.ends_with("\nreplay: again with 0"), "{text}");
}

const LATE: u64 = 5_000;

/// Runs differ in one event, after many that do not.
#[expect(clippy::disallowed_types, reason = "what must be found")]
#[landfall::test(test = false)]
async fn the_real_clock_after_many_events() {
    let event = |argument| with(|world| world.event(EventKind::User, argument, 0));
    (0..LATE).for_each(event);
    let real = interpose::outside(std::time::SystemTime::now);
    let since = real.duration_since(std::time::UNIX_EPOCH);
    event(u64::from(since.expect("after 1970").subsec_nanos()));
    (0..LATE).for_each(event);
}

#[test]
fn a_late_difference_is_found_among_many_events() {
    let name = "determinism::the_real_clock_after_many_events";
    let result = sweep_all(&mut pool(1), name, 3);
    assert_eq!(result.judgement.verdict, Verdict::FailNondeterministic);
    let divergence = result.divergence.expect("it is located");
    assert!(
        (LATE..LATE + 10).contains(&divergence.same_until),
        "{divergence:?}"
    );
    let (a, b) = divergence.first.expect("its first event is found");
    let (a, b) = (a.expect("of one run"), b.expect("and the other"));
    assert_eq!((a.kind, b.kind), (EventKind::User, EventKind::User));
    assert_ne!(a.arguments, b.arguments);
    let last = divergence.last_same.expect("something came before");
    assert_eq!(last.arguments, (LATE - 1, 0));
}

/// Spawns what differs among others that do not, and waits for it.
async fn among_others(culprit: impl Future<Output = ()> + 'static) {
    for step in 1..=3 {
        drop(spawn(async move {
            loop {
                time::sleep(Duration::from_millis(step)).await;
            }
        }));
    }
    time::sleep(Duration::from_secs(1)).await;
    let culprit = spawn_on(NodeId::HARNESS, "culprit", culprit);
    culprit.await.expect("it does not panic");
}

/// A sleep of as many microseconds, at least 1 and at most 65,536.
async fn sleep_by(number: u64) {
    let us = (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48) + 1;
    time::sleep(Duration::from_micros(us)).await;
}

/// What no two processes have in common.
fn real_noise() -> u64 {
    let text = interpose::outside(|| std::fs::read("/proc/sys/kernel/random/uuid"));
    let text = text.expect("Linux has one");
    text.iter()
        .fold(0, |hash, byte| hash * 31 % 65_521 + u64::from(*byte))
}

/// An address moves with what was allocated before, here by chance.
#[landfall::test(test = false)]
async fn a_hashed_pointer() {
    among_others(async {
        // Both on the heap, whose blocks lie one behind the other.
        let before = vec![0_u8; (1 << 20) + 64 * real_noise() as usize];
        let after = vec![0_u8; 1 << 20];
        sleep_by(after.as_ptr().addr() as u64).await;
        assert!(before.len() > after.len());
    })
    .await;
}

/// `/proc` tells the real process id.
#[landfall::test(test = false)]
async fn a_file_that_is_not_simulated() {
    among_others(async {
        let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux has one");
        let id = stat.split(' ').next().expect("a number");
        sleep_by(id.parse().expect("a number")).await;
    })
    .await;
}

#[expect(clippy::disallowed_types, reason = "what must be found")]
#[landfall::test(test = false)]
async fn real_time_through_the_hatch() {
    among_others(async {
        let real = interpose::outside(std::time::SystemTime::now);
        let since = real.duration_since(std::time::UNIX_EPOCH);
        sleep_by(u64::from(since.expect("after 1970").subsec_nanos())).await;
    })
    .await;
}

#[test]
fn what_leaks_in_is_traced_to_the_task_it_leaked_into() {
    for name in [
        "a_hashed_pointer",
        "a_file_that_is_not_simulated",
        "real_time_through_the_hatch",
    ] {
        let result = sweep_all(&mut pool(2), &format!("determinism::{name}"), 3);
        let judgement = &result.judgement;
        assert_eq!(
            judgement.verdict,
            Verdict::FailNondeterministic,
            "{name}: {judgement:?}"
        );
        assert_eq!((result.tally.compared, result.tally.differing), (1, 1));
        let divergence = result.divergence.as_ref().expect("it is located");
        let (a, b) = divergence.first.as_ref().expect("its first event is found");
        for event in [a, b] {
            let event = event.as_ref().expect("no run has ended");
            assert_eq!(event.kind, EventKind::Arm, "{name}: {event:?}");
            let place = "culprit (landfall/tests/it/determinism.rs:";
            assert!(event.task.starts_with(place), "{name}: {event:?}");
        }
        assert_ne!(a, b, "{name}");
        let text = render::failure(&result, &|seed| format!("again with {seed}"));
        for run in ["  both runs:  ", "  first run: ", "  second run: "] {
            let line = text.lines().find(|line| line.starts_with(run));
            let line = line.unwrap_or_else(|| panic!("{text}"));
            assert!(
                line.contains("node 0, task culprit (landfall/tests/"),
                "{text}"
            );
        }
    }
}

#[test]
fn every_seed_is_compared_when_all_are_asked_for() {
    let mut pool = pool(2);
    let test = test_named(&mut pool, ONE);
    let order = Order {
        double_percent: 100,
        ..Order::new((0..20).collect(), Tier::Smoke)
    };
    let result = sweep(&mut pool, &test, &order, &mut |_| {}).expect("the workers hold");
    assert_eq!((result.tally.compared, result.tally.differing), (20, 0));
    let table = render::table(&[result]);
    assert!(
        table.contains("    twice   20 seeds run again in another worker, 0 differ\n"),
        "{table}"
    );
}

#[test]
fn a_sweep_that_meets_nothing_new_stops_at_the_same_seed_however_fast_it_is() {
    let order = Order {
        flat_after: Some(3),
        ..Order::new((0..60).collect(), Tier::Smoke)
    };
    let [one, two] = [1, 2].map(|jobs| {
        let mut pool = pool(jobs);
        let test = test_named(&mut pool, ONE);
        sweep(&mut pool, &test, &order, &mut |_| {}).expect("the workers hold")
    });
    assert_eq!(one, two);
    let novelty = &one.tally.novelty;
    assert_eq!(novelty.flat_for(), 3, "{novelty}");
    assert!(
        one.tally.seeds < 60 && one.tally.seeds == novelty.seeds,
        "{novelty}"
    );
    let table = render::table(&[one]);
    assert!(table.contains("    new     "), "{table}");
}

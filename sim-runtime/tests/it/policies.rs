//! Scheduling policies: which orders they find, and how often.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use sim_runtime::{
    Config, Deviation, Policy, Reseed, Schedule, Seed, SimInstant, spawn, time, with,
};

use crate::support::{run_with, yield_now};

const PCT3: Policy = Policy::Pct {
    depth: 3,
    steps: 200,
};

fn config(seed: u64, policy: Policy) -> Config {
    Config {
        policy,
        ..Config::new(Seed(seed))
    }
}

/// Each of some tasks, woken at one instant, writes its number down.
async fn woken_together(tasks: u32) -> Vec<u32> {
    let order = Rc::new(RefCell::new(Vec::new()));
    let at = time::now() + Duration::from_millis(1);
    let handles: Vec<_> = (0..tasks)
        .map(|task| {
            let order = Rc::clone(&order);
            spawn(async move {
                time::sleep_until(at).await;
                order.borrow_mut().push(task);
            })
        })
        .collect();
    for handle in handles {
        handle.await.unwrap();
    }
    order.take()
}

fn orders(policy: Policy, seeds: u64) -> BTreeMap<Vec<u32>, u32> {
    let mut counts = BTreeMap::new();
    for seed in 0..seeds {
        let (order, _) = run_with(config(seed, policy), || woken_together(4));
        *counts.entry(order).or_default() += 1;
    }
    counts
}

#[test]
fn random_runs_tasks_woken_together_in_every_order_alike() {
    let counts = orders(Policy::Random, 2_400);
    assert_eq!(counts.len(), 24, "{counts:?}");
    // 100 of each on average; five standard deviations are 49.
    assert!(counts.values().all(|n| (51..150).contains(n)), "{counts:?}");
}

#[test]
fn every_drawing_policy_breaks_the_ties_of_timers_and_fifo_never_does() {
    for policy in [PCT3, Policy::Urw] {
        assert_eq!(orders(policy, 1_000).len(), 24, "{policy}");
    }
    let fifo = orders(Policy::Fifo, 20);
    assert_eq!(fifo.into_keys().collect::<Vec<_>>(), [[0, 1, 2, 3]]);
}

/// Steps of the two long tasks below.
const STEPS: u32 = 40;

/// A bug of depth 3: the one must begin its window before the other reads, which must itself be
/// through before the window ends, and then be late to the end of all. Each task takes many steps,
/// so a walk that flips a coin at each hardly ever lets one run far ahead twice.
async fn depth_three() -> bool {
    #[derive(Default)]
    struct Shared {
        first_done: u32,
        second_done: u32,
        second_at_first_half: Option<u32>,
        first_at_second_end: Option<u32>,
    }
    let shared = Rc::new(RefCell::new(Shared::default()));
    let one = Rc::clone(&shared);
    let first = spawn(async move {
        for step in 0..STEPS {
            if step == STEPS / 2 {
                let mut shared = one.borrow_mut();
                shared.second_at_first_half = Some(shared.second_done);
            }
            one.borrow_mut().first_done += 1;
            yield_now().await;
        }
    });
    let two = Rc::clone(&shared);
    let second = spawn(async move {
        for _ in 0..STEPS {
            two.borrow_mut().second_done += 1;
            yield_now().await;
        }
        let mut shared = two.borrow_mut();
        shared.first_at_second_end = Some(shared.first_done);
    });
    first.await.unwrap();
    second.await.unwrap();
    let shared = shared.borrow();
    // The second has not begun when the first is half through, and ends before the first goes on.
    shared.second_at_first_half == Some(0)
        && shared
            .first_at_second_end
            .is_some_and(|steps| steps < STEPS)
}

fn hits(policy: Policy, seeds: u64) -> usize {
    (0..seeds)
        .filter(|seed| run_with(config(*seed, policy), depth_three).0)
        .count()
}

#[test]
fn pct_finds_a_bug_of_depth_three_far_more_often_than_random() {
    let (pct, random) = (hits(PCT3, 1_000), hits(Policy::Random, 1_000));
    assert!(pct >= 50, "pct: {pct} of 1,000 seeds");
    assert!(random * 25 <= pct, "random: {random}, pct: {pct}");
}

/// One short and one long task, as a word of their steps.
async fn interleaving() -> String {
    fn task(
        letter: char,
        steps: u32,
        word: &Rc<RefCell<String>>,
    ) -> impl Future<Output = ()> + use<> {
        let word = Rc::clone(word);
        async move {
            for step in 0..steps {
                if step > 0 {
                    yield_now().await;
                }
                word.borrow_mut().push(letter);
            }
        }
    }
    let word = Rc::new(RefCell::new(String::new()));
    for round in 0..2 {
        // Of these, the policy learns how long each takes.
        word.borrow_mut().clear();
        let short = |word: &_| spawn(task('a', 2, word));
        let long = |word: &_| spawn(task('b', 4, word));
        if round == 0 {
            short(&word).await.unwrap();
            long(&word).await.unwrap();
        } else {
            let (short, long) = (short(&word), long(&word));
            short.await.unwrap();
            long.await.unwrap();
        }
    }
    word.take()
}

fn interleavings(policy: Policy) -> BTreeMap<String, u32> {
    let mut counts = BTreeMap::new();
    for seed in 0..1_500 {
        let (word, _) = run_with(config(seed, policy), interleaving);
        *counts.entry(word).or_default() += 1;
    }
    counts
}

#[test]
fn urw_is_uniform_over_interleavings_where_random_is_not() {
    let urw = interleavings(Policy::Urw);
    assert_eq!(urw.len(), 15, "{urw:?}");
    // 100 of each on average; five standard deviations are 48.
    assert!(urw.values().all(|n| (52..149).contains(n)), "{urw:?}");
    let random = interleavings(Policy::Random);
    assert!(random["aabbbb"] > 300, "a quarter: {random:?}");
    assert!(random.get("bbbbaa").is_none_or(|n| *n < 149), "{random:?}");
}

/// A task that spins until another has run.
#[test]
fn no_policy_lets_a_spinning_task_starve_the_one_it_waits_for() {
    for policy in [Policy::Random, Policy::Fifo, PCT3, Policy::Urw] {
        for seed in 0..20 {
            let (polls, summary) = run_with(config(seed, policy), || async {
                let done = Rc::new(RefCell::new(false));
                let flag = Rc::clone(&done);
                let spinner = spawn(async move {
                    let mut polls = 0;
                    while !*flag.borrow() {
                        polls += 1;
                        yield_now().await;
                    }
                    polls
                });
                let setter = spawn(async move { *done.borrow_mut() = true });
                setter.await.unwrap();
                spinner.await.unwrap()
            });
            assert!(polls <= 1_001, "{policy}: {polls}");
            assert_eq!(summary.policy, policy);
        }
    }
}

#[test]
fn one_seed_and_one_policy_are_one_run() {
    for policy in [Policy::Random, Policy::Fifo, PCT3, Policy::Urw] {
        let digest = || run_with(config(9, policy), || woken_together(20)).1.digest;
        assert_eq!(digest(), digest(), "{policy}");
    }
}

/// Four tasks, woken together three times.
async fn thrice() -> Vec<Vec<u32>> {
    let mut orders = Vec::new();
    for _ in 0..3 {
        orders.push(woken_together(4).await);
    }
    orders
}

#[test]
fn a_recorded_schedule_changes_nothing_and_plays_back_without_its_policy() {
    for policy in [Policy::Random, PCT3, Policy::Urw, Policy::Fifo] {
        for seed in 0..20 {
            let drawn = run_with(config(seed, policy), thrice);
            let recorded = Config {
                schedule: Schedule::Recorded,
                ..config(seed, policy)
            };
            let recorded = run_with(recorded, thrice);
            assert_eq!(recorded.1.digest, drawn.1.digest, "{policy} {seed}");
            let deviations = recorded.1.deviations;
            assert_eq!(deviations.is_empty(), policy == Policy::Fifo, "{policy}");
            let scripted = Config {
                schedule: Schedule::Scripted(deviations),
                ..config(seed, Policy::Fifo)
            };
            let scripted = run_with(scripted, thrice);
            assert_eq!(scripted.0, drawn.0, "{policy} {seed}");
            assert_eq!(scripted.1.digest, drawn.1.digest, "{policy} {seed}");
        }
    }
}

#[test]
fn deviations_that_cannot_be_made_are_not() {
    let scripted = |over: u32| {
        // Two of one pick: the second is one that cannot be made, and hides none after it.
        let all = (0..9).flat_map(|pick| [over, 1_000].map(|over| Deviation { pick, over }));
        Config {
            schedule: Schedule::Scripted(all.collect()),
            ..config(1, Policy::Fifo)
        }
    };
    let fifo = run_with(config(1, Policy::Fifo), thrice).0;
    assert_eq!(run_with(scripted(1_000), thrice).0, fifo);
    assert_ne!(run_with(scripted(1), thrice).0, fifo);
}

/// Draws each millisecond, from one stream made at the start and one made right then.
async fn draws() -> Vec<(u64, u64)> {
    let mut old = with(|world| world.stream("test.old", 0));
    let mut all = Vec::new();
    for step in 0..10 {
        let mut new = with(|world| world.stream("test.new", step));
        all.push((old.next_u64(), new.next_u64()));
        time::sleep(Duration::from_millis(1)).await;
    }
    all
}

#[test]
fn reseeding_leaves_what_was_and_changes_every_draw_after() {
    let at = |at_ms: u64, seed| Reseed {
        at: SimInstant(at_ms * 1_000_000),
        seed: Seed(seed),
    };
    let with = |reseeds| Config {
        reseeds,
        ..config(7, Policy::Random)
    };
    let reseeded = |at_ms: u64, seed| with(vec![at(at_ms, seed)]);
    let (plain, _) = run_with(config(7, Policy::Random), draws);
    let (one, _) = run_with(reseeded(5, 1), draws);
    let (two, _) = run_with(reseeded(5, 2), draws);
    assert_eq!(one[..5], plain[..5]);
    assert_eq!(two[..5], plain[..5]);
    for step in 5..10 {
        let all = [plain[step], one[step], two[step]];
        for (place, a) in all.iter().enumerate() {
            for b in &all[..place] {
                assert!(a.0 != b.0 && a.1 != b.1, "{all:?}");
            }
        }
    }
    assert_eq!(run_with(reseeded(5, 1), draws).0, one);
    let (both, _) = run_with(with(vec![at(5, 1), at(8, 2)]), draws);
    assert_eq!(both[..8], one[..8]);
    assert!(both[8..].iter().zip(&one[8..]).all(|(a, b)| a != b));
}

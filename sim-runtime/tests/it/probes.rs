//! What a guest says of itself.

use sim_runtime::probe::{Seen, Violation};
use sim_runtime::{Config, Seed, Simulation};

/// Runs `guest` in a simulation; what its sites did, and what was violated.
fn run(config: Config, guest: fn()) -> (Vec<Seen>, Vec<Violation>, String) {
    let simulation = Simulation::new(config);
    simulation
        .block_on(async move { guest() })
        .expect("it ends");
    let summary = simulation.finish();
    (
        summary.probes,
        summary.violations,
        summary.digest.to_string(),
    )
}

fn of(seen: &[Seen], name: &str) -> (u64, u64, Option<i128>) {
    let found = seen.iter().find(|seen| seen.name == name);
    let found = found.unwrap_or_else(|| panic!("{name} is registered"));
    (found.reached, found.held, found.number)
}

fn guest() {
    for n in 0..10 {
        sim_runtime::always!(n < 10, "below ten");
        sim_runtime::always!(n != 7, "not seven", "it is {n}");
        sim_runtime::sometimes!(n > 8, "large");
        sim_runtime::sometimes!(n > 80, "huge");
        sim_runtime::always_le!(n, 12, "far from twelve");
        sim_runtime::sometimes_ge!(n, 100, "a hundred");
        if n > 100 {
            sim_runtime::reachable!("beyond a hundred");
        }
        if n == 3 {
            sim_runtime::reachable!("three");
            sim_runtime::unreachable!("never three", "three it is");
        }
    }
}

#[test]
fn sites_are_counted_also_those_that_are_never_reached() {
    let (seen, violations, _) = run(Config::new(Seed(1)), guest);
    assert_eq!(of(&seen, "below ten"), (10, 10, None));
    assert_eq!(of(&seen, "not seven"), (10, 9, None));
    assert_eq!(of(&seen, "large"), (10, 1, None));
    assert_eq!(of(&seen, "huge"), (10, 0, None));
    assert_eq!(of(&seen, "far from twelve"), (10, 10, Some(3)));
    assert_eq!(of(&seen, "a hundred"), (10, 0, Some(91)));
    assert_eq!(of(&seen, "beyond a hundred"), (0, 0, None));
    assert_eq!(of(&seen, "three"), (1, 1, None));
    let told: Vec<_> = violations
        .iter()
        .map(|v| (v.name.as_str(), v.message.as_str()))
        .collect();
    assert_eq!(
        told,
        [("never three", "three it is"), ("not seven", "it is 7")]
    );
    assert!(
        violations
            .iter()
            .all(|v| v.times == 1 && v.place.contains("probes.rs:"))
    );
}

fn fires() -> Vec<bool> {
    (0..40)
        .map(|_| sim_runtime::buggify!("a short read", 1 in 2))
        .collect()
}

/// What the buggify site above did in a seed.
fn fired(seed: u64, other_first: bool) -> Vec<bool> {
    let simulation = Simulation::new(Config::new(Seed(seed)));
    let fired = simulation.block_on(async move {
        if other_first {
            let _another_site = sim_runtime::buggify!("a full queue");
        }
        fires()
    });
    fired.expect("it ends")
}

#[test]
fn a_buggify_site_is_armed_in_a_quarter_of_the_seeds_and_draws_by_itself() {
    let runs: Vec<_> = (0..400).map(|seed| fired(seed, false)).collect();
    let armed: Vec<_> = runs.iter().filter(|run| run.contains(&true)).collect();
    assert!((70..130).contains(&armed.len()), "{}", armed.len());
    let total: usize = armed
        .iter()
        .map(|run| run.iter().filter(|fired| **fired).count())
        .sum();
    let half = armed.len() * 20;
    assert!(total.abs_diff(half) < half / 5, "{total} of {half}");
    for (seed, run) in (0..400).zip(&runs) {
        assert_eq!(
            *run,
            fired(seed, true),
            "seed {seed}: another site moved no draw"
        );
    }
}

#[test]
fn switched_off_nothing_fires_and_knobs_stay() {
    let off = |seed| Config {
        buggify: false,
        ..Config::new(Seed(seed))
    };
    for seed in 0..50 {
        let (seen, _, digest) = run(off(seed), || assert!(!fires().contains(&true)));
        assert_eq!(of(&seen, "a short read"), (40, 0, None));
        assert_eq!(
            digest,
            run(off(seed), || assert!(!fires().contains(&true))).2
        );
        run(off(seed), || assert_eq!(knobs(), (64, "always")));
    }
    assert!(!fires().contains(&true), "nor outside a simulation");
    assert_eq!(knobs(), (64, "always"));
}

fn knobs() -> (usize, &'static str) {
    let batch = sim_runtime::knob!("batch", 64, 1..=8);
    (
        batch,
        sim_runtime::knob!("fsync", "always", ["always", "every second"]),
    )
}

#[test]
fn knobs_are_drawn_once_a_seed_over_all_they_can_be() {
    let drawn: std::collections::BTreeSet<_> = (0..100)
        .map(|seed| {
            let simulation = Simulation::new(Config::new(Seed(seed)));
            let drawn = simulation.block_on(async { (knobs(), knobs()) });
            let (first, again) = drawn.expect("it ends");
            assert_eq!(first, again);
            first
        })
        .collect();
    assert_eq!(drawn.len(), 16);
    assert!(drawn.iter().all(|(batch, _)| (1..=8).contains(batch)));
}

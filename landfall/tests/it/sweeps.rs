//! How tests here reach the scenarios of this executable: as a sweep does.

use landfall::coordinate::{Flow, Pool, RunRequest, TestBinary, TestInfo, Tier};
use landfall::report::{SeedOutcome, SeedReport};
use landfall::sweep::{Order, TestResult, sweep};

/// A pool of workers of this executable.
pub(crate) fn pool(jobs: usize) -> Pool {
    let exe = std::env::current_exe().expect("an executable knows where it is");
    let cwd = std::env::current_dir().expect("cargo runs tests in a directory");
    Pool::start(&TestBinary { exe, cwd }, jobs).expect("this executable is a worker")
}

/// The test of this name.
pub(crate) fn test_named(pool: &mut Pool, name: &str) -> TestInfo {
    let listing = pool.list().expect("a worker lists its tests");
    let mut tests = listing.tests.into_iter();
    let found = tests.find(|test| test.test == name);
    found.unwrap_or_else(|| panic!("{name} is not listed"))
}

/// Sweeps the first seeds of a test, each to its end, at the smoke budget's length.
pub(crate) fn sweep_all(pool: &mut Pool, name: &str, seeds: u64) -> TestResult {
    sweep_tier(pool, name, seeds, Tier::Smoke)
}

/// The same at the length of a budget.
pub(crate) fn sweep_tier(pool: &mut Pool, name: &str, seeds: u64, tier: Tier) -> TestResult {
    let test = test_named(pool, name);
    let order = Order::new((0..seeds).collect(), tier);
    sweep(pool, &test, &order, &mut |_| {}).expect("the workers hold")
}

/// What came of each request, in order of seeds.
fn run_all(pool: &mut Pool, requests: impl Iterator<Item = RunRequest>) -> Vec<SeedOutcome> {
    let mut outcomes = Vec::new();
    pool.run(requests, &mut |_, outcome| {
        outcomes.push(outcome);
        Flow::Continue
    })
    .expect("the workers hold");
    outcomes.sort_by_key(SeedOutcome::seed);
    outcomes
}

/// What came of each seed, in order.
pub(crate) fn outcomes(pool: &mut Pool, name: &str, seeds: u64) -> Vec<SeedOutcome> {
    let request = |seed| RunRequest::new(name, seed, Tier::Smoke);
    run_all(pool, (0..seeds).map(request))
}

/// What seeds that run to their end report, with their histories.
pub(crate) fn reports(pool: &mut Pool, name: &str, seeds: u64) -> Vec<SeedReport> {
    let request = |seed| RunRequest::new(name, seed, Tier::Smoke).with_history();
    let all = run_all(pool, (0..seeds).map(request)).into_iter();
    all.map(|outcome| match outcome {
        SeedOutcome::Ran(report) => *report,
        SeedOutcome::Crashed(death) => panic!("{name} crashed: {death}"),
    })
    .collect()
}

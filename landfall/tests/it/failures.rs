//! A failure says what it is: the claim, the operations, the fault that landed, one replay line.

use std::process::Command;
use std::time::Duration;

use landfall::coordinate::{RunRequest, Tier};
use landfall::judge::Verdict;
use landfall::render;
use landfall::runtime::{time, with};

use crate::sweeps::{pool, sweep_all};
use crate::toy::{Quirk, Toy};

mod synced {
    use super::{Quirk, Toy};
    landfall::plan!("tests/it/plans/power_loss.md", system = Toy(Quirk::None));
}

mod unsynced {
    use super::{Quirk, Toy};
    landfall::plan!(
        "tests/it/plans/power_loss.md",
        system = Toy(Quirk::Unsynced),
        test = false
    );
}

mod broken {
    use super::{Quirk, Toy};
    landfall::plan!(
        "tests/it/plans/broken.md",
        system = Toy(Quirk::None),
        test = false
    );
}

#[test]
fn a_scenario_that_cannot_run_is_not_run_and_its_plan_says_why() {
    let mut pool = pool(1);
    let result = sweep_all(&mut pool, "failures::broken::s1_set_on_fire", 3);
    assert_eq!(result.judgement.verdict, Verdict::NotRun);
    assert_eq!((result.tally.seeds, result.test.scenario), (0, None));
    let listing = pool.list().expect("a worker lists its tests");
    let mut plans = listing.plans.iter();
    let plan = plans.find(|plan| plan.path.ends_with("broken.md"));
    let errors = plan.expect("the plan is listed").errors.join("\n");
    assert!(
        errors.contains("fire") && errors.contains("broken.md:15"),
        "{errors}"
    );
    let request = RunRequest::new("failures::broken::s1_set_on_fire", 0, Tier::Smoke);
    let error = pool.run_one(request).expect_err("it cannot run");
    assert_eq!(error.to_string(), "scenario S1 cannot run");
}

#[test]
fn a_violated_claim_is_told_whole() {
    let mut pool = pool(2);
    let name = "failures::unsynced::s1_acknowledged_writes_survive";
    let result = sweep_all(&mut pool, name, 10);
    let judgement = &result.judgement;
    assert_eq!(
        judgement.verdict,
        Verdict::FailReproducible,
        "{judgement:?}"
    );
    let seed = result.tally.failures[0].seed();
    let text = render::failure(&result, &|seed| format!("SEED={seed} cargo test"));
    for expected in [
        "FAIL-reproducible: S1 acknowledged_writes_survive\n",
        "claim violated: C2 An acknowledged write survives the loss of power \
         (tests/it/plans/power_loss.md:8)",
        "fault S1.power-loss-n1 (power loss of n1): landed",
        "injected ",
        "observed ",
        "the guests' last words:",
    ] {
        assert!(text.contains(expected), "{expected} is not in\n{text}");
    }
    let report = result.tally.failures[0]
        .report()
        .expect("it ran to its end");
    let mut findings = report.checks.iter().flat_map(|check| &check.findings);
    let row = &findings.next().expect("the failure has a proof").rows[0];
    assert!(text.contains(&row.to_string()), "{row} is not in\n{text}");

    let replays: Vec<_> = text
        .lines()
        .filter(|line| line.starts_with("replay: "))
        .collect();
    assert_eq!(replays, [format!("replay: SEED={seed} cargo test")]);
    assert_eq!(text.lines().last(), Some(replays[0]));

    // The seed alone, in another process, is the same failure.
    let again = sweep_all(&mut pool, name, seed + 1);
    assert_eq!(again.tally.failures[0], result.tally.failures[0]);
}

/// Fails in one seed of those that `cargo test` runs.
#[landfall::test]
#[should_panic(expected = "1 of 8 seeds failed, first seed 7")]
async fn the_eighth_seed_fails() {
    time::sleep(Duration::from_secs(1)).await;
    let seed = with(|world| world.seed());
    assert_ne!(seed.0, 7, "it is the eighth");
}

/// What this executable prints of one test, with variables set.
fn printed(test: &str, variables: &[(&str, &str)]) -> String {
    let exe = std::env::current_exe().expect("an executable knows where it is");
    let mut command = Command::new(exe);
    command.args(["--exact", test, "--nocapture"]);
    for (name, _) in landfall::variables::ALL {
        command.env_remove(name);
    }
    command.envs(variables.iter().copied());
    let output = command.output().expect("it starts");
    let (out, err) = (output.stdout, output.stderr);
    String::from_utf8_lossy(&out).into_owned() + &String::from_utf8_lossy(&err)
}

#[test]
fn the_replay_line_shows_the_same_failure_in_every_process() {
    let name = "failures::the_eighth_seed_fails";
    let line_of = |text: &str, start: &str| {
        let mut lines = text.lines().filter(|line| line.starts_with(start));
        let line = lines
            .next()
            .unwrap_or_else(|| panic!("no {start} in\n{text}"));
        assert_eq!(lines.next(), None, "{text}");
        line.to_owned()
    };
    let swept = printed(name, &[]);
    let failing = line_of(&swept, "seed 7, digest ");
    let replay = line_of(&swept, "replay: ");
    assert!(
        replay.contains("LANDFALL_SEED=7 ") && replay.contains(name),
        "{replay}"
    );
    for _ in 0..2 {
        let replayed = printed(name, &[("LANDFALL_SEED", "7")]);
        assert!(replayed.contains("1 of 1 seed failed"), "{replayed}");
        assert_eq!(line_of(&replayed, "seed 7, digest "), failing);
        assert_eq!(line_of(&replayed, "replay: "), replay);
    }
    // What decides on the run beside the seed is in the line, too.
    let hardening = ("LANDFALL_BUDGET", "hardening");
    let hardened = printed(name, &[("LANDFALL_SEED", "7"), hardening]);
    let replay = line_of(&hardened, "replay: ");
    assert!(
        replay.contains("LANDFALL_BUDGET=hardening LANDFALL_SEED=7 "),
        "{replay}"
    );
    let another = printed(name, &[("LANDFALL_SEED", "8")]);
    assert!(
        another.contains("PARTIAL-model  failures::the_eighth_seed_fails"),
        "{another}"
    );
}

#[test]
fn variables_are_heeded_or_refused() {
    let name = "failures::the_eighth_seed_fails";
    let fewer = printed(name, &[("LANDFALL_SEEDS", "7")]);
    assert!(
        fewer.contains("PASS-smoke  failures::the_eighth_seed_fails  7 seeds"),
        "{fewer}"
    );
    let bad = printed(name, &[("LANDFALL_SEEDS", "many")]);
    assert!(
        bad.contains("LANDFALL_SEEDS=many cannot be used: it takes "),
        "{bad}"
    );
}

/// What libtest shows of a test that fails: `should_panic` reads the same message.
mod by_libtest {
    use std::num::ParseIntError;

    #[landfall::test(seeds = 4)]
    #[should_panic(
        expected = "FAIL-reproducible: failures::by_libtest::an_error_fails\n  \
        1 of 1 seed failed, first seed 0; it fails again, same digest"
    )]
    async fn an_error_fails() -> Result<(), ParseIntError> {
        let _number: u8 = "seven".parse()?;
        Ok(())
    }

    #[landfall::test]
    #[should_panic(expected = "stopped: panicked: ParseIntError { kind: InvalidDigit }")]
    async fn an_error_is_shown() -> Result<(), ParseIntError> {
        "seven".parse::<u8>().map(drop)
    }

    #[landfall::test]
    #[should_panic(expected = "stopped: panicked: the sum is wrong")]
    async fn a_panic_is_shown() {
        panic!("the sum is wrong");
    }

    #[landfall::test(seeds = 2)]
    #[should_panic(
        expected = "PARTIAL-model: failures::by_libtest::two_seeds_say_little\n  \
        2 of at least 3 seeds"
    )]
    async fn two_seeds_say_little() {}

    #[landfall::test]
    #[should_panic(expected = "--exact failures::by_libtest::a_failure_can_be_replayed")]
    async fn a_failure_can_be_replayed() {
        panic!();
    }
}

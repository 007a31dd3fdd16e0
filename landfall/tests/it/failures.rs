//! A failure says what it is: the claim, the operations, the fault that landed, one replay line.

use landfall::judge::Verdict;
use landfall::render;

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
        "fault S1.f1 (power loss of n1): landed",
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

/// What libtest shows of a test that fails: `should_panic` reads the same message.
mod by_libtest {
    use std::num::ParseIntError;

    #[landfall::test(seeds = 4)]
    #[should_panic(
        expected = "FAIL-reproducible: failures::by_libtest::an_error_fails\n  \
        1 of 1 seeds failed, first seed 0; it fails again, same digest"
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

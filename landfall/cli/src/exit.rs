//! How the command ends: every exit code, and why which.

use landfall::judge::Verdict;
use landfall::sweep::TestResult;

/// Every way in which `cargo landfall` ends. The numbers are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// 0: everything that was asked for passed, or is allowed by its plan.
    Pass,
    /// 1: landfall itself broke.
    Internal,
    /// 2: the command line, a variable or a file that it names cannot be used.
    Usage,
    /// 3: a plan has errors.
    PlanError,
    /// 4: nothing matches the selection.
    NothingSelected,
    /// 100: a claim failed.
    ClaimFailed,
    /// 101: the build failed.
    Build,
    /// 110: a planned fault is not proven to have landed, or had no effect.
    FaultNotProven,
    /// 111: two runs of a seed differ; for `floor`, a source does from process to process.
    Nondeterministic,
    /// 112: inconclusive otherwise, partial, or not run.
    Inconclusive,
}

impl Exit {
    /// Every one, with what `--help` says of it.
    pub(crate) const ALL: [(Exit, &'static str); 10] = [
        (Exit::Pass, "pass"),
        (Exit::Internal, "internal error"),
        (Exit::Usage, "usage"),
        (Exit::PlanError, "plan error"),
        (Exit::NothingSelected, "nothing selected"),
        (Exit::ClaimFailed, "a claim failed"),
        (Exit::Build, "the build failed"),
        (Exit::FaultNotProven, "fault not proven or vacuous"),
        (Exit::Nondeterministic, "nondeterministic"),
        (Exit::Inconclusive, "inconclusive, partial or not run"),
    ];

    /// The number.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Exit::Pass => 0,
            Exit::Internal => 1,
            Exit::Usage => 2,
            Exit::PlanError => 3,
            Exit::NothingSelected => 4,
            Exit::ClaimFailed => 100,
            Exit::Build => 101,
            Exit::FaultNotProven => 110,
            Exit::Nondeterministic => 111,
            Exit::Inconclusive => 112,
        }
    }

    /// What one test's result comes to. A failed claim is 100 whether or not it fails again; a
    /// difference between two runs alone is 111.
    pub(crate) fn of(result: &TestResult) -> Exit {
        if is_allowed(result) {
            return Exit::Pass;
        }
        match result.judgement.verdict {
            Verdict::PassSmoke | Verdict::PassHardening => Exit::Pass,
            Verdict::FailReproducible => Exit::ClaimFailed,
            Verdict::FailNondeterministic if result.tally.failed > 0 => Exit::ClaimFailed,
            Verdict::FailNondeterministic => Exit::Nondeterministic,
            Verdict::InconclusiveFaultNotProven => Exit::FaultNotProven,
            Verdict::InconclusiveEnv
            | Verdict::InconclusiveOracleTooWeak
            | Verdict::PartialSurface
            | Verdict::PartialModel
            | Verdict::NotRun => Exit::Inconclusive,
        }
    }

    /// What all of them come to: the first of 100, 111, 110, 112 that applies.
    pub(crate) fn of_all<'a>(results: impl IntoIterator<Item = &'a TestResult>) -> Exit {
        let order = [
            Exit::ClaimFailed,
            Exit::Nondeterministic,
            Exit::FaultNotProven,
            Exit::Inconclusive,
        ];
        let found: Vec<Exit> = results.into_iter().map(Exit::of).collect();
        order
            .into_iter()
            .find(|exit| found.contains(exit))
            .unwrap_or(Exit::Pass)
    }
}

/// Whether the plan accepts this verdict although it is not a pass.
pub(crate) fn is_allowed(result: &TestResult) -> bool {
    let name = result.judgement.verdict.name();
    let allow = result
        .test
        .scenario
        .as_ref()
        .map(|scenario| &scenario.allow);
    !result.judgement.verdict.is_pass()
        && allow.is_some_and(|allow| allow.iter().any(|a| a == name))
}

/// What keeps the command from doing what it was asked, as opposed to what it finds out.
#[derive(Debug)]
pub(crate) struct Error {
    /// Which class of failure.
    pub(crate) exit: Exit,
    /// What to tell the user, in full.
    pub(crate) message: String,
}

impl Error {
    /// The command line, a variable or a file that it names cannot be used.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self {
            exit: Exit::Usage,
            message: message.into(),
        }
    }

    /// Landfall itself broke.
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self {
            exit: Exit::Internal,
            message: message.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use landfall::coordinate::{TestInfo, Tier};
    use landfall::judge::Judgement;
    use landfall::tally::Tally;

    use super::*;

    fn result(verdict: Verdict, failed: u64) -> TestResult {
        let test = TestInfo {
            test: "it".to_owned(),
            plan: None,
            plan_hash: None,
            id: None,
            scenario: None,
            seeds: None,
        };
        let tally = Tally {
            failed,
            ..Tally::default()
        };
        let judgement = Judgement {
            verdict,
            reason: String::new(),
        };
        TestResult {
            test,
            tier: Tier::Harden,
            tally,
            divergence: None,
            judgement,
        }
    }

    #[test]
    fn codes_are_the_documented_ones_and_differ() {
        let codes: Vec<u8> = Exit::ALL.iter().map(|(exit, _)| exit.code()).collect();
        assert_eq!(codes, [0, 1, 2, 3, 4, 100, 101, 110, 111, 112]);
    }

    #[test]
    fn a_failing_claim_is_told_apart_from_a_difference() {
        assert_eq!(
            Exit::of(&result(Verdict::FailNondeterministic, 1)),
            Exit::ClaimFailed
        );
        assert_eq!(
            Exit::of(&result(Verdict::FailNondeterministic, 0)),
            Exit::Nondeterministic
        );
    }

    #[test]
    fn the_first_of_the_order_wins() {
        let pass = result(Verdict::PassHardening, 0);
        let partial = result(Verdict::PartialModel, 0);
        let vacuous = result(Verdict::InconclusiveFaultNotProven, 0);
        let differs = result(Verdict::FailNondeterministic, 0);
        let fails = result(Verdict::FailReproducible, 2);
        let mut all = vec![pass];
        for (next, expected) in [
            (None, Exit::Pass),
            (Some(partial), Exit::Inconclusive),
            (Some(vacuous), Exit::FaultNotProven),
            (Some(differs), Exit::Nondeterministic),
            (Some(fails), Exit::ClaimFailed),
        ] {
            all.extend(next);
            assert_eq!(Exit::of_all(&all), expected);
            let backwards: Vec<TestResult> = all.iter().rev().cloned().collect();
            assert_eq!(Exit::of_all(&backwards), expected);
        }
    }
}

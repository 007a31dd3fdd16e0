//! `selftest`: whether this installation finds what it must: bugs planted in a small system that
//! the command carries with it, one for each family of claims, and nothing where none is.

use std::fmt::Write as _;

use landfall::coordinate::{Pool, TestBinary, Tier};
use landfall::judge::Verdict;
use landfall::sweep::{Order, TestResult, sweep};
use landfall_selftest::{CASES, Case, Expected};
use serde::Serialize;

use crate::args::{Format, SelftestArgs};
use crate::exit::{Error, Exit};
use crate::output;
use crate::sweep::broken;

/// A case and what came of it.
#[derive(Debug, Serialize)]
struct Row {
    family: &'static str,
    planted: &'static str,
    test: &'static str,
    /// What was found, in words.
    found: String,
    /// The first seed that showed it.
    seed: Option<u64>,
    /// What to do, where it is not what must be found.
    remedy: Option<String>,
}

/// Sweeps every case. A case that is not as it must be is an installation that cannot be trusted.
pub(crate) fn run(args: &SelftestArgs) -> Result<Exit, Error> {
    let here = || {
        let exe = std::env::current_exe()?;
        Ok::<_, std::io::Error>(TestBinary {
            exe,
            cwd: std::env::current_dir()?,
        })
    };
    let binary = here()
        .map_err(|error| Error::internal(format!("the command cannot find itself: {error}")))?;
    let jobs = args.jobs.map_or(1, |jobs| usize::from(jobs.get()));
    let mut pool = Pool::start(&binary, jobs).map_err(|error| broken(&error))?;
    let listing = pool.list().map_err(|error| broken(&error))?;
    let mut rows = Vec::new();
    for case in &CASES {
        let info = listing.tests.iter().find(|info| info.test == case.test);
        let info = info.ok_or_else(|| Error::internal(format!("{} is not linked", case.test)))?;
        let is_difference = case.expected == Expected::Difference;
        let is_clean = case.expected == Expected::Pass;
        let order = Order {
            double_percent: if is_difference || is_clean { 100 } else { 0 },
            stop_at_failure: !is_clean,
            ..Order::new((0..case.seeds).collect(), Tier::Smoke)
        };
        let result = sweep(&mut pool, info, &order, &mut |_| {}).map_err(|error| broken(&error))?;
        let row = judge(case, &result);
        output::say(&line(&row));
        rows.push(row);
    }
    let exit = match rows.iter().all(|row| row.remedy.is_none()) {
        true => Exit::Pass,
        false => Exit::Internal,
    };
    match args.output.format {
        Format::Human => output::print(&conclusion(&rows)),
        Format::Json | Format::Jsonl => output::print_json(&serde_json::json!({
            "command": "selftest",
            "cases": rows,
            "exit_code": exit.code(),
        })),
    }
    Ok(exit)
}

fn judge(case: &Case, result: &TestResult) -> Row {
    let first = result.tally.failures.first();
    let signature = first.and_then(landfall::report::SeedOutcome::signature);
    let divergence = result.divergence.as_ref();
    let (is_right, found, seed) = match case.expected {
        Expected::Pass => {
            let judgement = &result.judgement;
            let found = match judgement.verdict.is_pass() {
                true => format!("{} seeds pass, twice", result.tally.seeds),
                false => {
                    let failures = first.map(landfall::report::SeedOutcome::failures);
                    let words = failures.unwrap_or_default().join("; ");
                    format!("{}: {} {words}", judgement.verdict, judgement.reason)
                }
            };
            (judgement.verdict.is_pass(), found, None)
        }
        Expected::Failure(begins) => {
            let is_right = signature
                .as_ref()
                .is_some_and(|one| one.starts_with(begins))
                && result.judgement.verdict == Verdict::FailReproducible;
            let found = signature.unwrap_or_else(|| "nothing".to_owned());
            (
                is_right,
                found,
                first.map(landfall::report::SeedOutcome::seed),
            )
        }
        Expected::Difference => {
            let found = match divergence {
                Some(divergence) => {
                    format!("two runs differ after event {}", divergence.same_until)
                }
                None => "no difference".to_owned(),
            };
            (divergence.is_some(), found, divergence.map(|one| one.seed))
        }
    };
    Row {
        family: case.family,
        planted: case.planted,
        test: case.test,
        found,
        seed,
        remedy: (!is_right).then(|| remedy(case)),
    }
}

fn remedy(case: &Case) -> String {
    match case.expected {
        Expected::Pass => "a system without a bug does not pass: see what `cargo landfall floor` \
                           says of this machine, and install landfall anew"
            .to_owned(),
        Expected::Failure(begins) => format!(
            "{begins}... is not found within {} seeds: verdicts of {} claims mean nothing here; \
             install landfall anew",
            case.seeds, case.family
        ),
        Expected::Difference => "runs that differ are taken for equal: do not trust replays here; \
                                 install landfall anew"
            .to_owned(),
    }
}

fn line(row: &Row) -> String {
    let mark = if row.remedy.is_none() { "ok" } else { "WRONG" };
    let seed = row
        .seed
        .map_or_else(String::new, |seed| format!(", seed {seed}"));
    let planted = match row.planted {
        "" => row.test,
        planted => planted,
    };
    format!(
        "{mark:<5} {:<12} {planted}: {}{seed}",
        row.family, row.found
    )
}

fn conclusion(rows: &[Row]) -> String {
    let wrong: Vec<&Row> = rows.iter().filter(|row| row.remedy.is_some()).collect();
    let mut text = String::new();
    for row in &wrong {
        let remedy = row.remedy.as_deref().unwrap_or_default();
        let _ = writeln!(text, "{}: {remedy}", row.family);
    }
    let right = rows.len() - wrong.len();
    let _ = writeln!(text, "{right} of {} cases as they must be", rows.len());
    text
}

#[cfg(test)]
mod tests {
    use landfall::coordinate::TestInfo;
    use landfall::sweep::{Reruns, conclude};
    use landfall::tally::Tally;

    use super::*;

    /// What a sweep that finds nothing comes to.
    fn blind() -> TestResult {
        let info = TestInfo {
            test: "it".to_owned(),
            plan: None,
            plan_hash: None,
            id: None,
            scenario: None,
            seeds: None,
        };
        let tally = Tally {
            seeds: 20,
            ..Tally::default()
        };
        conclude(&info, Tier::Smoke, tally, Reruns::default())
    }

    #[test]
    fn an_installation_that_finds_nothing_says_so_of_everything_planted() {
        for case in &CASES {
            let row = judge(case, &blind());
            let is_clean = case.expected == Expected::Pass;
            assert_eq!(row.remedy.is_none(), is_clean, "{row:?}");
            assert_eq!(line(&row).starts_with("ok "), is_clean, "{row:?}");
        }
        let rows: Vec<Row> = CASES.iter().map(|case| judge(case, &blind())).collect();
        let said = conclusion(&rows);
        assert!(
            said.contains("durability: no-lost-ack/... is not found within 20 seeds"),
            "{said}"
        );
        assert!(said.ends_with("6 of 15 cases as they must be\n"), "{said}");
    }

    #[test]
    fn an_installation_that_fails_what_has_no_bug_says_so() {
        let mut result = blind();
        result.judgement.verdict = Verdict::FailReproducible;
        let row = judge(&CASES[0], &result);
        assert!(
            row.remedy
                .is_some_and(|remedy| remedy.starts_with("a system without a bug"))
        );
    }
}

//! `replay`: one seed of one scenario, run again and compared.

use std::fs;

use landfall::coordinate::{Pool, RunRequest, Tier};
use landfall::judge::Verdict;
use landfall::render;
use landfall::report::{SeedOutcome, SeedReport};
use landfall::sweep::{Order, TestResult, sweep};
use landfall::variables::Variables;

use crate::args::{Format, HowArgs, ReplayArgs};
use crate::cargo;
use crate::exit::{Error, Exit};
use crate::line::replay_line;
use crate::output::{self, Report, Row};
use crate::scenarios::{self, Found};
use crate::sweep::{broken, pool, seed_to_replay, tier, variables};

/// Runs the seed in two child processes at least and says what came of it.
pub(crate) fn run(args: &ReplayArgs) -> Result<Exit, Error> {
    let variables = variables()?;
    let tier = tier(&args.how, &variables, Tier::Harden);
    let Some(seed) = args.seed.or(variables.seed) else {
        return Err(Error::usage("replay needs --seed"));
    };
    if args.select.scenarios.is_empty() && args.select.tests.is_empty() {
        return Err(Error::usage("replay needs --scenario or --test"));
    }
    let (found, errors) = scenarios::list(&cargo::build(&args.cargo)?)?;
    let selected = scenarios::select(&found, &args.select)?;
    scenarios::refuse_broken(&errors, &args.select, &selected)?;
    let [one] = selected.as_slice() else {
        let names: Vec<_> = selected
            .iter()
            .map(|one| format!("\n  -p {} --test {}", one.built.package, one.info.test))
            .collect();
        let names = names.concat();
        return Err(Error::usage(format!(
            "replay takes one test; selected are{names}"
        )));
    };
    let (result, first) = run_twice(one, tier, seed, &args.how, &variables)?;
    if let Some(path) = &args.history {
        let history = history(one, tier, seed, &result)?;
        fs::write(path, history).map_err(|error| {
            Error::usage(format!(
                "the history cannot be written to {}: {error}",
                path.display()
            ))
        })?;
    }
    let exit = exit_of(&result);
    let line = |seed| replay_line(one, &found, &args.cargo, &args.how, tier, seed);
    match args.output.format {
        Format::Human if exit == Exit::Pass => output::print(&passed(&result, &first)),
        Format::Human => output::print(&render::failure(&result, &line)),
        Format::Json => {
            let replay = seed_to_replay(&result).map(line);
            let results = vec![Row::new(&one.built.package, &result, replay)];
            let report = Report {
                command: "replay",
                results,
                exit_code: exit.code(),
            };
            output::print_json(&report);
        }
    }
    Ok(exit)
}

/// The result of the seed and what its first run gave.
fn run_twice(
    one: &Found,
    tier: Tier,
    seed: u64,
    how: &HowArgs,
    variables: &Variables,
) -> Result<(TestResult, SeedOutcome), Error> {
    let order = Order {
        seeds: vec![seed],
        tier,
        double_percent: 100,
        whole_log: variables.log.is_some(),
        stop_at_failure: false,
    };
    let mut pool = pool(one, 1, how, variables)?;
    let mut first = None;
    let result = sweep(&mut pool, &one.info, &order, &mut |outcome| {
        first = Some(outcome.clone())
    });
    let result = result.map_err(|error| broken(&error))?;
    let first = first.ok_or_else(|| Error::internal(result.judgement.reason.clone()))?;
    Ok((result, first))
}

/// One seed proves nothing by not failing: what is left is whether it failed or differed.
fn exit_of(result: &TestResult) -> Exit {
    if result.tally.failed > 0 {
        Exit::ClaimFailed
    } else if result.divergence.is_some() {
        Exit::Nondeterministic
    } else {
        Exit::Pass
    }
}

fn passed(result: &TestResult, first: &SeedOutcome) -> String {
    let title = result.test.id.as_ref().unwrap_or(&result.test.test);
    let seed = first.seed();
    let Some(report) = first.report() else {
        return String::new();
    };
    let (digest, events) = (report.digest, render::grouped(report.events));
    let mut out = format!("seed {seed} of {title} does not fail\n");
    out.push_str(&format!(
        "digest {digest} ({events} events) in two processes\n"
    ));
    for line in &report.log_tail {
        out.push_str(&format!("    {line}\n"));
    }
    // That one seed is too few for a verdict is known to who asked for one.
    if !matches!(result.judgement.verdict, Verdict::PartialModel) {
        let (verdict, reason) = (result.judgement.verdict, &result.judgement.reason);
        out.push_str(&format!("as a verdict it would be {verdict}: {reason}\n"));
    }
    out
}

/// The run's history: that of the failure where there is one, else of one more run.
fn history(one: &Found, tier: Tier, seed: u64, result: &TestResult) -> Result<String, Error> {
    let of = |report: &SeedReport| report.history.clone();
    let kept = result
        .tally
        .failures
        .first()
        .and_then(SeedOutcome::report)
        .and_then(of);
    if let Some(history) = kept {
        return Ok(history);
    }
    let mut pool = Pool::start(&one.built.binary, 1).map_err(|error| broken(&error))?;
    let request = RunRequest::new(&one.info.test, seed, tier).with_history();
    let outcome = pool.run_one(request).map_err(|error| broken(&error))?;
    outcome
        .report()
        .and_then(of)
        .ok_or_else(|| Error::usage(format!("{} records no history", one.info.test)))
}

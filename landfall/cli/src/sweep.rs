//! `run` and `sweep`: many seeds of every selected scenario, and the verdict table.

use std::thread;

use landfall::coordinate::{CoordinateError, Pool, TestInfo, Tier};
use landfall::judge::{Circumstances, judge};
use landfall::render;
use landfall::sweep::{HAND_SEEDS, Order, SHARE_PERCENT, TestResult, sweep};
use landfall::tally::Tally;
use landfall::variables::Variables;

use crate::args::{Format, HowArgs, Seeds, SweepArgs};
use crate::cargo;
use crate::exit::{self, Error, Exit};
use crate::line::replay_line;
use crate::output::{self, Report, Row};
use crate::progress::Progress;
use crate::scenarios::{self, Found};

/// Which of the two commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `run`.
    Run,
    /// `sweep`.
    Sweep,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Kind::Run => "run",
            Kind::Sweep => "sweep",
        }
    }

    const fn tier(self) -> Tier {
        match self {
            Kind::Run => Tier::Smoke,
            Kind::Sweep => Tier::Harden,
        }
    }
}

/// Builds, selects, runs, shows.
pub(crate) fn run(args: &SweepArgs, kind: Kind) -> Result<Exit, Error> {
    let variables = variables()?;
    let tier = tier(&args.how, &variables, kind.tier());
    if let (Some(Seeds::Range(_)), Some(_)) = (&args.seeds, args.from_seed) {
        return Err(Error::usage(
            "--seeds with a range says where it begins: no --from-seed",
        ));
    }
    let (found, errors) = scenarios::list(&cargo::build(&args.cargo)?)?;
    let selected = scenarios::select(&found, &args.select)?;
    scenarios::refuse_broken(&errors, &args.select, &selected)?;
    let mut results = Vec::new();
    for one in &selected {
        let is_over = args.fail_fast && results.iter().any(has_failed);
        let result = if is_over {
            not_run(&one.info, tier)
        } else {
            let order = Order {
                seeds: seeds(args, &variables, &one.info, tier)?,
                tier,
                double_percent: args
                    .check_determinism
                    .or(variables.check_determinism)
                    .unwrap_or(SHARE_PERCENT),
                whole_log: false,
                stop_at_failure: args.fail_fast,
            };
            sweep_one(one, &order, &args.how, &variables)?
        };
        output::say(&render::summary(&result));
        results.push(result);
    }
    let exit = Exit::of_all(&results);
    let line = |place: usize, seed: u64| {
        replay_line(&selected[place], &found, &args.cargo, &args.how, tier, seed)
    };
    match args.output.format {
        Format::Human => output::print(&shown(&results, &line, exit)),
        Format::Json => {
            let rows = results.iter().enumerate().map(|(place, result)| {
                let replay = seed_to_replay(result).map(|seed| line(place, seed));
                Row::new(&selected[place].built.package, result, replay)
            });
            let results = rows.collect();
            let report = Report {
                command: kind.name(),
                results,
                exit_code: exit.code(),
            };
            output::print_json(&report);
        }
    }
    Ok(exit)
}

/// The environment's wishes.
pub(crate) fn variables() -> Result<Variables, Error> {
    Variables::read().map_err(|bad| Error::usage(bad.to_string()))
}

/// The flag, else the environment, else what the command is for.
pub(crate) fn tier(how: &HowArgs, variables: &Variables, otherwise: Tier) -> Tier {
    match (how.budget, variables.hardening) {
        (Some(budget), _) => budget.tier(),
        (None, Some(true)) => Tier::Harden,
        (None, Some(false)) => Tier::Smoke,
        (None, None) => otherwise,
    }
}

/// The flag, else the environment, else one a core.
pub(crate) fn jobs(how: &HowArgs, variables: &Variables) -> usize {
    how.jobs
        .map(usize::from)
        .or(variables.jobs)
        .unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from))
}

/// Our own word for a worker that breaks.
pub(crate) fn broken(error: &CoordinateError) -> Error {
    Error::internal(format!("the seeds could not be run: {error}"))
}

fn seeds(
    args: &SweepArgs,
    variables: &Variables,
    info: &TestInfo,
    tier: Tier,
) -> Result<Vec<u64>, Error> {
    let planned = match (&info.scenario, tier) {
        (Some(scenario), Tier::Smoke) => scenario.budgets.smoke.seeds,
        (Some(scenario), Tier::Harden) => scenario.budgets.hardening.seeds,
        (None, _) => info.seeds.unwrap_or(HAND_SEEDS),
    };
    let named = args.seeds.is_some() || args.from_seed.is_some();
    let count = match (&args.seeds, variables.seed) {
        (Some(Seeds::Range(range)), _) => return Ok(range.clone().collect()),
        (None, Some(seed)) if !named => return Ok(vec![seed]),
        (Some(Seeds::Count(count)), _) => *count,
        (None, _) => u64::from(variables.seeds.unwrap_or(planned)),
    };
    let from = args.from_seed.unwrap_or(0);
    match from.checked_add(count) {
        Some(until) => Ok((from..until).collect()),
        None => Err(Error::usage(format!(
            "there are no {count} seeds from {from} on"
        ))),
    }
}

/// Workers for a test, with the limits that the flags, else the environment ask for.
pub(crate) fn pool(
    one: &Found,
    jobs: usize,
    how: &HowArgs,
    variables: &Variables,
) -> Result<Pool, Error> {
    let mut pool = Pool::start(&one.built.binary, jobs).map_err(|error| broken(&error))?;
    if let Some(limit) = how.memory_mb.or(variables.memory_mib) {
        pool.limits.memory_mib = limit;
    }
    if let Some(log) = &variables.log {
        pool.log.clone_from(log);
    }
    Ok(pool)
}

fn sweep_one(
    one: &Found,
    order: &Order,
    how: &HowArgs,
    variables: &Variables,
) -> Result<TestResult, Error> {
    let title = one.info.id.as_ref().unwrap_or(&one.info.test);
    let mut progress = Progress::new(title, order.seeds.len() as u64);
    let jobs = jobs(how, variables).min(order.seeds.len());
    let mut pool = pool(one, jobs, how, variables)?;
    let result = sweep(&mut pool, &one.info, order, &mut |outcome| {
        progress.seed(outcome)
    });
    progress.finish();
    result.map_err(|error| broken(&error))
}

fn has_failed(result: &TestResult) -> bool {
    result.judgement.verdict.is_fail() && !exit::is_allowed(result)
}

fn not_run(info: &TestInfo, tier: Tier) -> TestResult {
    let tally = Tally::default();
    let judgement = judge(info.scenario.as_ref(), &tally, &Circumstances::default());
    TestResult {
        test: info.clone(),
        tier,
        tally,
        divergence: None,
        judgement,
    }
}

/// The seed that shows best why this is not a pass, if one does.
pub(crate) fn seed_to_replay(result: &TestResult) -> Option<u64> {
    let failing = result
        .tally
        .failures
        .first()
        .map(landfall::report::SeedOutcome::seed);
    failing.or(result.divergence.as_ref().map(|divergence| divergence.seed))
}

/// Everything that did not pass in full, then the table of all.
fn shown(results: &[TestResult], line: &dyn Fn(usize, u64) -> String, exit: Exit) -> String {
    let mut out = String::new();
    for (place, result) in results.iter().enumerate() {
        // Without a seed to show there is nothing that the table does not say.
        if Exit::of(result) != Exit::Pass && seed_to_replay(result).is_some() {
            out.push_str(&render::failure(result, &|seed| line(place, seed)));
            out.push_str("\n\n");
        }
    }
    out.push_str(&render::table(results));
    for result in results.iter().filter(|result| exit::is_allowed(result)) {
        let id = result.test.id.as_ref().unwrap_or(&result.test.test);
        out.push_str(&format!(
            "\nallowed by the plan: {} of {id}",
            result.judgement.verdict
        ));
    }
    let passed = results
        .iter()
        .filter(|result| Exit::of(result) == Exit::Pass)
        .count();
    out.push_str(&format!(
        "\n{passed} of {} passed, exit code {}\n",
        results.len(),
        exit.code()
    ));
    out
}

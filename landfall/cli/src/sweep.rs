//! `run` and `sweep`: many seeds of every selected scenario, and the verdict table.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use landfall::capsule;
use landfall::coordinate::{CoordinateError, Flow, Pool, RunRequest, Tier};
use landfall::evidence::Strength;
use landfall::judge::session::{PlanSession, Told, sessions};
use landfall::render;
use landfall::report::SeedOutcome;
use landfall::script::Script;
use landfall::sweep::{
    HAND_SEEDS, Order, Reruns, SHARE_PERCENT, Shard, TestResult, conclude, gather,
};
use landfall::tally::Tally;
use landfall::variables::Variables;
use serde::{Deserialize, Serialize};

use crate::account::Account;
use crate::args::{Format, FromSeed, HowArgs, OutputArgs, Seeds, ShownArgs, SweepArgs};
use crate::cargo;
use crate::engine;
use crate::exit::{self, Error, Exit};
use crate::failure;
use crate::junit;
use crate::line::replay_line;
use crate::output::{self, Report, Row};
use crate::patience::Patience;
use crate::progress::Progress;
use crate::scenarios::{self, Found};
use crate::shard;
use crate::store::{Beginning, Store};

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

/// What came of a test, and how to speak of it.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) place: Place,
    pub(crate) result: TestResult,
    /// How strong its oracles are, where a session looked into that.
    pub(crate) strength: Vec<Strength>,
}

/// Where a test is, for whoever reads of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    /// The package's name.
    pub(crate) package: String,
    /// Its directory, from where the command was given.
    pub(crate) directory: String,
    /// The line that runs a seed again, but for the seed.
    pub(crate) replay: String,
}

/// Builds, selects, runs, shows.
pub(crate) fn run(args: &SweepArgs, kind: Kind) -> Result<Exit, Error> {
    if let Some(kind) = args.engine.engine {
        return engine::run(args, kind);
    }
    if args.keep.resume && args.keep.db.is_none() {
        return Err(Error::usage(
            "--resume goes on with a sweep in a database: name it by --db FILE",
        ));
    }
    let variables = variables()?;
    let tier = tier(&args.how, &variables, kind.tier());
    if let (Some(Seeds::Range(_)), Some(_)) = (&args.seeds, &args.from_seed) {
        return Err(Error::usage(
            "--seeds with a range says where it begins: no --from-seed",
        ));
    }
    let shard = shard::of(args.keep.shard.as_deref())?;
    let (found, errors) = scenarios::list(&cargo::build(&args.cargo)?)?;
    let selected = scenarios::select(&found, &args.select)?;
    scenarios::refuse_broken(&errors, &args.select, &selected)?;
    let patience = Patience::new(args.keep.seconds.map(Duration::from_secs))?;
    let mut store = store(args, kind, shard)?;
    let mut account = args.keep.out.as_deref().map(Account::new);
    let mut finished: Vec<Finished> = Vec::new();
    for one in &selected {
        let is_over = args.fail_fast && finished.iter().any(|one| has_failed(&one.result));
        let place = place(one, &found, args, tier);
        let order = Order {
            shard,
            double_percent: args
                .check_determinism
                .or(variables.check_determinism)
                .unwrap_or(SHARE_PERCENT),
            stop_at_failure: args.fail_fast,
            flat_after: args.keep.until_flat,
            ..Order::new(seeds(args, &variables, one, tier)?, tier)
        };
        let result = if is_over || patience.is_over() {
            conclude(&one.info, tier, Tally::default(), Reruns::default())
        } else {
            sweep_one(
                one,
                &place,
                &order,
                (args, &variables),
                &patience,
                store.as_mut(),
            )?
        };
        output::say(&render::summary(&result));
        let strength = match &mut account {
            Some(account) => {
                let jobs = jobs(&args.how, &variables);
                let mut pool = pool(one, jobs, &args.how, &variables)?;
                account.tell(one, &place, &result, (&mut pool, &order), &patience)?
            }
            None => Vec::new(),
        };
        finished.push(Finished {
            place,
            result,
            strength,
        });
    }
    if let Some(account) = &account {
        account.end();
    }
    if args.keep.save {
        save(&selected, &finished, args, &variables)?;
    }
    wind_up(args, &patience, store.as_mut())?;
    let exit = report(&finished, &args.shown, &args.output, kind.name())?;
    match (exit, patience.was_interrupted()) {
        // What was not run has not passed.
        (Exit::Pass, true) => Ok(Exit::Inconclusive),
        (exit, _) => Ok(exit),
    }
}

/// Says how an interrupted sweep is gone on with; else ends it, and says what is new in it.
fn wind_up(args: &SweepArgs, patience: &Patience, store: Option<&mut Store>) -> Result<(), Error> {
    if patience.was_interrupted() {
        let how = match &args.keep.db {
            Some(path) => format!("go on with --db {} --resume", path.display()),
            None => "with --db FILE it could be gone on with".to_owned(),
        };
        output::say(&format!("interrupted: not every seed was run; {how}"));
    } else if let Some(store) = store
        && let Some(against) = store.end()?
    {
        output::say(&against.to_string());
    }
    Ok(())
}

/// Shows results in every form that was asked for.
pub(crate) fn report(
    finished: &[Finished],
    shown: &ShownArgs,
    output: &OutputArgs,
    command: &str,
) -> Result<Exit, Error> {
    let exit = Exit::of_all(finished.iter().map(|one| &one.result));
    let write = |path: &Path, text: &str| {
        fs::write(path, text)
            .map_err(|error| Error::usage(format!("{} cannot be written: {error}", path.display())))
    };
    if let Some(path) = &shown.junit {
        write(path, &junit::xml(finished))?;
    }
    if let Some(path) = &shown.summary {
        write(path, &junit::summary(finished))?;
    }
    if shown.github {
        output::say(junit::annotations(finished).trim_end());
    }
    match output.format {
        Format::Human => output::print(&text(finished, exit)),
        Format::Json => {
            let results = finished.iter().map(row).collect();
            output::print_json(&Report {
                sessions: sessions_of(finished),
                command,
                results,
                exit_code: exit.code(),
            });
        }
        Format::Jsonl => finished
            .iter()
            .for_each(|one| output::print_line(&row(one))),
    }
    Ok(exit)
}

fn row(one: &Finished) -> Row {
    let replay = seed_to_replay(&one.result).map(|seed| format!("{}{seed}", one.place.replay));
    Row::new(&one.place.package, &one.result, replay)
}

fn place(one: &Found, found: &[Found], args: &SweepArgs, tier: Tier) -> Place {
    let line = replay_line(one, found, &args.cargo, &args.how, tier, 0);
    let directory = &one.built.binary.cwd;
    let here = std::env::current_dir().ok();
    let directory = here
        .as_deref()
        .and_then(|here| directory.strip_prefix(here).ok())
        .unwrap_or(directory);
    Place {
        package: one.built.package.clone(),
        directory: directory.display().to_string(),
        replay: line.strip_suffix('0').unwrap_or(&line).to_owned(),
    }
}

/// The database that was asked for.
fn store(args: &SweepArgs, kind: Kind, shard: Shard) -> Result<Option<Store>, Error> {
    let Some(path) = &args.keep.db else {
        return Ok(None);
    };
    let here = Path::new(".");
    let revision = failure::revision(here);
    let beginning = Beginning {
        command: kind.name(),
        revision: revision.as_deref(),
        shard,
        resume: args.keep.resume,
    };
    Store::begin(path, &beginning).map(Some)
}

/// Writes a capsule for the first and the fastest failing seed of each kind.
fn save(
    selected: &[Found],
    finished: &[Finished],
    args: &SweepArgs,
    variables: &Variables,
) -> Result<(), Error> {
    for (one, done) in selected.iter().zip(finished) {
        let mut kinds: BTreeMap<String, Vec<&SeedOutcome>> = BTreeMap::new();
        for outcome in &done.result.tally.failures {
            let signature = outcome.signature().unwrap_or_default();
            kinds.entry(signature).or_default().push(outcome);
        }
        if kinds.is_empty() {
            continue;
        }
        let mut pool = pool(one, 1, &args.how, variables)?;
        for outcomes in kinds.values() {
            let events = |outcome: &&&SeedOutcome| outcome.report().map(|report| report.events);
            let fastest = outcomes.iter().min_by_key(events);
            let mut seeds: Vec<u64> = outcomes
                .first()
                .into_iter()
                .chain(fastest)
                .map(|o| o.seed())
                .collect();
            seeds.dedup();
            for seed in seeds {
                let tier = done.result.tier;
                let request = RunRequest::new(&one.info.test, seed, tier).with_recording();
                let outcome = pool.run_one(request).map_err(|error| broken(&error))?;
                let script = Script::default();
                let capsule = failure::capsule(one, &args.cargo, tier, &script, &outcome);
                let directory = one.built.binary.cwd.join(capsule::DIRECTORY);
                let path = failure::write(&capsule, &directory)?;
                output::say(&format!("saved {}", path.display()));
            }
        }
    }
    Ok(())
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
    one: &Found,
    tier: Tier,
) -> Result<Vec<u64>, Error> {
    let info = &one.info;
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
    let from = match &args.from_seed {
        None => 0,
        Some(FromSeed::Seed(seed)) => *seed,
        Some(FromSeed::Commit(revision)) => failure::seed_of_commit(revision)?,
    };
    let Some(until) = from.checked_add(count) else {
        return Err(Error::usage(format!(
            "there are no {count} seeds from {from} on"
        )));
    };
    let directory = one.built.binary.cwd.join(capsule::DIRECTORY);
    let mut seeds = capsule::regressions(&directory, &info.test)
        .map_err(|bad| Error::usage(format!("{}: {bad}", directory.display())))?;
    let failed_once: BTreeSet<u64> = seeds.iter().copied().collect();
    seeds.extend((from..until).filter(|seed| !failed_once.contains(seed)));
    Ok(seeds)
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
    place: &Place,
    order: &Order,
    (args, variables): (&SweepArgs, &Variables),
    patience: &Patience,
    mut store: Option<&mut Store>,
) -> Result<TestResult, Error> {
    let title = one.info.id.as_ref().unwrap_or(&one.info.test);
    let (test, known) = match &mut store {
        Some(store) => store.test(place, &one.info, order)?,
        None => (0, BTreeMap::new()),
    };
    let here = order.seeds_here().count();
    let mut progress = Progress::new(title, here as u64);
    known.values().for_each(|outcome| progress.seed(outcome));
    let jobs = jobs(&args.how, variables).min(here.max(1));
    let mut pool = pool(one, jobs, &args.how, variables)?;
    let mut trouble = None;
    let gathered = gather(&mut pool, &one.info, order, known, &mut |outcome| {
        progress.seed(outcome);
        if let Some(store) = &mut store
            && let Err(error) = store.seed(test, outcome)
        {
            trouble = Some(error);
        }
        match trouble.is_some() || patience.is_over() {
            true => Flow::Stop,
            false => Flow::Continue,
        }
    });
    progress.finish();
    if let Some(error) = trouble {
        return Err(error);
    }
    let (tally, reruns) = gathered.map_err(|error| broken(&error))?;
    let result = conclude(&one.info, order.tier, tally, reruns.clone());
    if let Some(store) = store
        && !patience.was_interrupted()
    {
        store.conclude(test, &result, &reruns)?;
    }
    Ok(result)
}

fn has_failed(result: &TestResult) -> bool {
    result.judgement.verdict.is_fail() && !exit::is_allowed(result)
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

/// What each plan of each package comes to.
fn sessions_of(finished: &[Finished]) -> Vec<PlanSession> {
    let mut packages: Vec<&str> = finished
        .iter()
        .map(|one| one.place.package.as_str())
        .collect();
    packages.dedup();
    let of = |package: &str| {
        let mine = finished.iter().filter(|one| one.place.package == package);
        let told: Vec<Told<'_>> = mine
            .map(|one| Told {
                result: &one.result,
                strength: &one.strength,
            })
            .collect();
        sessions(&told)
    };
    packages.into_iter().flat_map(of).collect()
}

/// Everything that did not pass in full, then the table of all.
fn text(finished: &[Finished], exit: Exit) -> String {
    let mut out = String::new();
    for one in finished {
        let result = &one.result;
        // Without a seed to show there is nothing that the table does not say.
        if Exit::of(result) != Exit::Pass && seed_to_replay(result).is_some() {
            let line = |seed: u64| format!("{}{seed}", one.place.replay);
            out.push_str(&render::failure(result, &line));
            out.push_str("\n\n");
        }
    }
    out.push_str(&render::table(finished.iter().map(|one| &one.result)));
    for one in finished.iter().filter(|one| exit::is_allowed(&one.result)) {
        let result = &one.result;
        let id = result.test.id.as_ref().unwrap_or(&result.test.test);
        out.push_str(&format!(
            "\nallowed by the plan: {} of {id}",
            result.judgement.verdict
        ));
    }
    for session in sessions_of(finished) {
        out.push_str(&format!(
            "\nsession of {}: {}, {}",
            session.plan, session.session, session.reason
        ));
    }
    let passed = finished
        .iter()
        .filter(|one| Exit::of(&one.result) == Exit::Pass)
        .count();
    out.push_str(&format!(
        "\n{passed} of {} passed, exit code {}\n",
        finished.len(),
        exit.code()
    ));
    out
}

//! A test as libtest runs it: its seeds in worker processes of its own binary.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;

use plan_compiler::scenario::Scenario;
use sim_runtime::process::WorkerError;

use crate::capsule::{self, Capsule};
use crate::coordinate::{CoordinateError, Pool, TestBinary, TestInfo, Tier};
use crate::entry::{Entry, EntryKind};
use crate::render;
use crate::report::SeedOutcome;
use crate::sweep::{HAND_SEEDS, Order, SHARE_PERCENT, TestResult, sweep};
use crate::variables::{self, Variables};
use crate::worker;

/// The `#[test]` of a plan's scenario.
///
/// # Panics
/// On every verdict but the two passes and those that the plan allows, saying why.
#[track_caller]
pub fn run_plan_test(entry: &'static Entry) {
    let EntryKind::Plan {
        path,
        text,
        scenario: id,
        ..
    } = &entry.kind
    else {
        unreachable!("plan! registers plans");
    };
    let Some(scenario) = entry.scenario() else {
        let errors = entry
            .compiled()
            .expect("a plan's entry has its plan")
            .diagnostics
            .iter()
            .filter(|diagnostic| diagnostic.severity == plan_compiler::Severity::Error);
        let mut message = format!("scenario {id} of {path} cannot run\n");
        for diagnostic in errors {
            let _ = writeln!(message, "{}", plan_compiler::render(diagnostic, path, text));
        }
        panic!("{message}");
    };
    run_test(entry, Some(scenario));
}

/// The `#[test]` of a simulation written by hand.
///
/// # Panics
/// When a seed fails, saying which and why.
#[track_caller]
pub fn run_hand_test(entry: &'static Entry) {
    run_test(entry, None);
}

/// Runs the capsule at `path`, from the package, and passes once its failure is gone: what the
/// test that `cargo landfall reduce` writes calls. Its test must be in this test binary.
///
/// # Panics
/// The failure is still there, or there is another; or the capsule cannot be used.
#[track_caller]
pub fn replay_capsule(path: &str) {
    let text = std::fs::read_to_string(this_directory().join(path));
    let text = text.unwrap_or_else(|error| panic!("{path} cannot be read: {error}"));
    let capsule = Capsule::read(&text).unwrap_or_else(|bad| panic!("{path}: {bad}"));
    let test = &capsule.test;
    let info = worker::list()
        .tests
        .into_iter()
        .find(|info| info.test == *test);
    let info = info.unwrap_or_else(|| {
        panic!("{path} is of the test {test}, which is not in this test binary: include it there")
    });
    let variables = Variables::read().unwrap_or_else(|bad| panic!("{bad}"));
    let scripts = [capsule.script.clone(), capsule.pinned_script()];
    for script in scripts {
        let order = Order {
            script,
            double_percent: 0,
            stop_at_failure: true,
            ..Order::new(vec![capsule.seed], capsule.tier)
        };
        let result = run_all(&info, &order, &variables);
        if result.tally.failed > 0 {
            let line = format!("cargo landfall replay {path}");
            panic!("{}", render::failure(&result, &|_| line.clone()));
        }
    }
}

#[track_caller]
fn run_test(entry: &'static Entry, scenario: Option<&Scenario>) {
    let variables = Variables::read().unwrap_or_else(|bad| panic!("{bad}"));
    let tier = match variables.hardening {
        Some(true) => Tier::Harden,
        _ => Tier::Smoke,
    };
    let info = worker::list()
        .tests
        .into_iter()
        .find(|info| info.test == entry.test_name())
        .expect("an entry that runs is listed");
    let order = order(&variables, tier, scenario, &info);
    let one_seed = variables.seed.is_some();
    let result = run_all(&info, &order, &variables);
    let allowed = scenario.is_some_and(|scenario| {
        scenario
            .allow
            .iter()
            .any(|name| name == result.judgement.verdict.name())
    });
    // One seed that was asked for by number is a replay: it cannot pass by itself, only not fail.
    let replayed_well = one_seed && result.tally.failed == 0 && result.divergence.is_none();
    #[expect(
        clippy::print_stdout,
        reason = "libtest shows it with --nocapture or on a failure"
    )]
    if result.judgement.verdict.is_pass() || allowed || replayed_well {
        println!("{}", render::summary(&result));
    } else {
        panic!(
            "{}",
            render::failure(&result, &|seed| replay_line(&info, tier, seed))
        );
    }
}

fn order(variables: &Variables, tier: Tier, scenario: Option<&Scenario>, info: &TestInfo) -> Order {
    let planned = match (scenario, tier) {
        (Some(scenario), Tier::Smoke) => scenario.budgets.smoke.seeds,
        (Some(scenario), Tier::Harden) => scenario.budgets.hardening.seeds,
        (None, _) => info.seeds.unwrap_or(HAND_SEEDS),
    };
    let seeds = match variables.seed {
        Some(seed) => vec![seed],
        None => {
            let mut seeds = regressions(info);
            let fresh = 0..u64::from(variables.seeds.unwrap_or(planned));
            let failed_once: BTreeSet<u64> = seeds.iter().copied().collect();
            seeds.extend(fresh.filter(|seed| !failed_once.contains(seed)));
            seeds
        }
    };
    let double_percent = match variables.seed {
        Some(_) => 100,
        None => variables.check_determinism.unwrap_or(SHARE_PERCENT),
    };
    Order {
        double_percent,
        whole_log: variables.seed.is_some() && variables.log.is_some(),
        stop_at_failure: true,
        ..Order::new(seeds, tier)
    }
}

/// The seeds that failed in this test before, as far as capsules of them were kept.
fn regressions(info: &TestInfo) -> Vec<u64> {
    let directory = this_directory().join(capsule::DIRECTORY);
    capsule::regressions(&directory, &info.test)
        .unwrap_or_else(|bad| panic!("{}: {bad}", directory.display()))
}

fn run_all(info: &TestInfo, order: &Order, variables: &Variables) -> TestResult {
    let binary = TestBinary {
        exe: this_binary(),
        cwd: this_directory(),
    };
    let jobs = variables.jobs.unwrap_or(1);
    let pool = if variables.in_process {
        Ok(Pool::in_process(&binary))
    } else {
        match Pool::start(&binary, jobs) {
            // Better than nothing, and the table says what the floor lacks.
            Err(CoordinateError::Worker(WorkerError::Unsupported)) => Ok(Pool::in_process(&binary)),
            started => started,
        }
    };
    pool.and_then(|mut pool| {
        if let Some(log) = &variables.log {
            pool.log.clone_from(log);
        }
        pool.limits.memory_mib = variables.memory_mib.unwrap_or(pool.limits.memory_mib);
        sweep(&mut pool, info, order, &mut show_log)
    })
    .unwrap_or_else(|error| panic!("the seeds could not be run: {error}"))
}

/// What a run that did not fail logged, if all of it was asked for; a failure shows its own.
#[expect(
    clippy::print_stdout,
    reason = "libtest shows it with --nocapture or on a failure"
)]
fn show_log(outcome: &SeedOutcome) {
    let report = outcome.report().filter(|_| !outcome.failed());
    for line in report.iter().flat_map(|report| &report.log_tail) {
        println!("    {line}");
    }
}

fn this_binary() -> PathBuf {
    std::env::current_exe().expect("the test binary knows where it is")
}

fn this_directory() -> PathBuf {
    std::env::current_dir().expect("cargo runs tests in the package's directory")
}

/// The command that ran this test, with the seed: what cargo was asked, this test alone.
fn replay_line(info: &TestInfo, tier: Tier, seed: u64) -> String {
    let budget = match tier {
        Tier::Smoke => String::new(),
        Tier::Harden => format!("{}=hardening ", variables::BUDGET),
    };
    let policy = Variables::read()
        .ok()
        .and_then(|variables| variables.policy);
    let policy = policy.map_or_else(String::new, |policy| {
        format!("{}={} ", variables::POLICY, quoted(&policy.to_string()))
    });
    let variables = format!("{budget}{policy}{}={seed}", variables::SEED);
    match cargo_command() {
        Some(command) => format!("{variables} {command} -- --exact {}", info.test),
        None => {
            let exe = this_binary();
            let cwd = this_directory();
            let (cwd, exe) = (cwd.display(), exe.display());
            format!("(cd {cwd} && {variables} {exe} --exact {})", info.test)
        }
    }
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_=+./,:@".contains(c);
    if word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// The words of the cargo that started this process, without what follows `--` and the filter.
fn cargo_command() -> Option<String> {
    let parent = std::os::unix::process::parent_id();
    let words = std::fs::read(format!("/proc/{parent}/cmdline")).ok()?;
    let words = words.split(|byte| *byte == 0).map(String::from_utf8_lossy);
    let mut words = words
        .take_while(|word| word != "--")
        .filter(|word| !word.is_empty());
    let program = words.next()?;
    let name = program.rsplit('/').next()?;
    let rest: Vec<_> = words.collect();
    let is_test = rest
        .first()
        .is_some_and(|word| word == "test" || word == "t");
    if name != "cargo" || !is_test {
        return None;
    }
    // A filter given without `--` would select beside the exact name.
    let takes_value = |word: &str| {
        [
            "-p",
            "--package",
            "--features",
            "-F",
            "--test",
            "--manifest-path",
            "--profile",
        ]
        .contains(&word)
            || ["--target", "--target-dir", "-j", "--jobs", "--config", "-Z"].contains(&word)
    };
    let mut kept = vec!["cargo".to_owned(), "test".to_owned()];
    let mut expects_value = false;
    for word in &rest[1..] {
        if word.starts_with('-') || expects_value {
            kept.push(quoted(word));
        }
        expects_value = !expects_value && takes_value(word);
    }
    Some(kept.join(" "))
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn words_with_spaces_and_quotes_are_quoted() {
        assert_eq!(quoted("--features=sim,bug-a"), "--features=sim,bug-a");
        assert_eq!(quoted("sim bug-a"), "'sim bug-a'");
        assert_eq!(quoted("it's"), "'it'\\''s'");
    }
}

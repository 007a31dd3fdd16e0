//! `replay`: one seed of one scenario, or a capsule, run again and compared.

use std::fmt::Write as _;
use std::fs;

use landfall::capsule::Capsule;
use landfall::coordinate::Pool;
use landfall::judge::Verdict;
use landfall::render;
use landfall::report::{SeedOutcome, SeedReport};
use landfall::script::Script;
use landfall::sweep::{Order, TestResult, sweep};

use crate::args::{FailureArgs, Format, ReplayArgs};
use crate::exit::{Error, Exit};
use crate::failure::Subject;
use crate::line::replay_line;
use crate::output::{self, Report, Row};
use crate::sweep::{broken, pool, seed_to_replay};

/// Runs the seed in two child processes at least and says what came of it.
pub(crate) fn run(args: &ReplayArgs) -> Result<Exit, Error> {
    let subject = Subject::find(&args.failure, "replay")?;
    let (result, first, script) = as_the_capsule_says(&subject, &args.failure)?;
    if let Some(path) = &args.history {
        let history = history(&subject, &script, &result)?;
        fs::write(path, history).map_err(|error| {
            Error::usage(format!(
                "the history cannot be written to {}: {error}",
                path.display()
            ))
        })?;
    }
    let exit = exit_of(&result);
    let one = &subject.one;
    let line = |seed| match &args.failure.capsule {
        Some(path) => format!("cargo landfall replay {}", path.display()),
        None => replay_line(
            one,
            &subject.found,
            &subject.cargo,
            &args.failure.how,
            subject.tier,
            seed,
        ),
    };
    match args.failure.output.format {
        Format::Human if exit == Exit::Pass => output::print(&passed(&result, &first)),
        Format::Human => output::print(&render::failure(&result, &line)),
        Format::Json | Format::Jsonl => {
            let replay = seed_to_replay(&result).map(line);
            let results = vec![Row::new(&one.built.package, &result, replay)];
            let report = Report {
                sessions: Vec::new(),
                command: "replay",
                results,
                exit_code: exit.code(),
            };
            output::print_json(&report);
        }
    }
    Ok(exit)
}

/// The result, what its first run gave, and the script that it followed. A capsule whose events
/// are no longer what they were is followed by its windows and operations instead.
pub(crate) fn as_the_capsule_says(
    subject: &Subject,
    args: &FailureArgs,
) -> Result<(TestResult, SeedOutcome, Script), Error> {
    let (result, first) = run_twice(subject, args, &subject.script)?;
    let Some(capsule) = &subject.capsule else {
        return Ok((result, first, subject.script.clone()));
    };
    match changed(capsule, &first) {
        None => {
            output::say(&format!(
                "the run is the capsule's, event by event: {}",
                kind(capsule, &first)
            ));
            Ok((result, first, subject.script.clone()))
        }
        Some(why) => {
            output::say(&format!(
                "{why}; faults and operations are pinned from here on"
            ));
            let script = capsule.pinned_script();
            let (result, first) = run_twice(subject, args, &script)?;
            output::say(&kind(capsule, &first));
            Ok((result, first, script))
        }
    }
}

/// Whether the failure is the one that the capsule was written for.
fn kind(capsule: &Capsule, first: &SeedOutcome) -> String {
    match first.signature() {
        Some(signature) if signature == capsule.signature => {
            format!("fails with {signature}, as then")
        }
        Some(signature) => format!("fails with {signature}, and not with {}", capsule.signature),
        None => format!("does not fail with {} any more", capsule.signature),
    }
}

/// Where the run is another than the capsule's, in words; none when it is the same.
fn changed(capsule: &Capsule, first: &SeedOutcome) -> Option<String> {
    let Some((digest, events)) = capsule.digest else {
        // Nothing but how the process died is known.
        let is_same = first.signature().as_ref() == Some(&capsule.signature);
        return (!is_same).then(|| "the code has changed".to_owned());
    };
    let Some(report) = first.report() else {
        return Some("the code has changed: the run's process dies".to_owned());
    };
    if (report.digest, report.events) == (digest, events) {
        return None;
    }
    let same = capsule
        .checkpoints
        .iter()
        .take_while(|point| report.checkpoints.contains(point))
        .last();
    let next = capsule
        .checkpoints
        .iter()
        .find(|point| !report.checkpoints.contains(point))
        .map_or(events, |point| point.events);
    let mut why = "the code has changed: the run is another ".to_owned();
    let _ = match same {
        Some(point) => write!(why, "between events {} and {next}", point.events),
        None => write!(why, "before event {next}"),
    };
    if let Some(place) = &capsule.scenario {
        let _ = write!(why, " (plan {} was {})", place.plan, place.hash);
    }
    Some(why)
}

/// The result of the run and what its first time gave.
fn run_twice(
    subject: &Subject,
    args: &FailureArgs,
    script: &Script,
) -> Result<(TestResult, SeedOutcome), Error> {
    let order = Order {
        script: script.clone(),
        double_percent: 100,
        whole_log: subject.variables.log.is_some(),
        ..Order::new(vec![subject.seed], subject.tier)
    };
    let mut pool = pool(&subject.one, 1, &args.how, &subject.variables)?;
    let mut first = None;
    let result = sweep(&mut pool, &subject.one.info, &order, &mut |outcome| {
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
fn history(subject: &Subject, script: &Script, result: &TestResult) -> Result<String, Error> {
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
    let mut pool = Pool::start(&subject.one.built.binary, 1).map_err(|error| broken(&error))?;
    let request = subject.request().with_script(script).with_history();
    let outcome = pool.run_one(request).map_err(|error| broken(&error))?;
    let test = &subject.one.info.test;
    outcome
        .report()
        .and_then(of)
        .ok_or_else(|| Error::usage(format!("{test} records no history")))
}

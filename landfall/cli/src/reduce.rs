//! `reduce`: a failing seed becomes the least that fails alike, as a capsule and a test.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use landfall::capsule::Capsule;
use landfall::reduce::{Effort, Progress, ReduceError, Reduced, reduce};
use serde::Serialize;

use crate::args::{Format, ReduceArgs};
use crate::exit::{Error, Exit};
use crate::failure::{self, Subject};
use crate::output;
use crate::patience::Patience;
use crate::progress::Line;

/// The answer as JSON.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    command: &'static str,
    test: &'a str,
    seed: u64,
    signature: &'a str,
    complete: bool,
    runs: u64,
    before: Counts,
    after: Counts,
    capsule: String,
    regression_test: String,
    others: Vec<&'a String>,
    exit_code: u8,
}

#[derive(Debug, Serialize)]
struct Counts {
    events: u64,
    windows: usize,
    operations: usize,
    deviations: usize,
}

impl From<landfall::reduce::Sizes> for Counts {
    fn from(sizes: landfall::reduce::Sizes) -> Self {
        let landfall::reduce::Sizes {
            events,
            windows,
            operations,
            deviations,
        } = sizes;
        Self {
            events,
            windows,
            operations,
            deviations,
        }
    }
}

/// Reduces, writes, says.
pub(crate) fn run(args: &ReduceArgs) -> Result<Exit, Error> {
    let subject = Subject::find(&args.failure, "reduce")?;
    let patience = Patience::new(Some(Duration::from_secs(args.seconds)))?;
    let mut pool = subject.pool(&args.failure)?;
    let mut line = Line::new();
    let mut effort = Effort {
        runs_max: args.runs,
        is_over: &|| patience.is_over(),
        progress: &mut |progress| line.show(|| shown(progress)),
    };
    let reduced = reduce(
        &mut pool,
        subject.request(),
        &subject.script,
        subject.nodes(),
        &mut effort,
    );
    line.finish();
    let reduced = reduced.map_err(|error| refused(&error))?;
    let capsule = subject.capsule_of(&reduced.script, &reduced.outcome);
    let default = subject
        .one
        .built
        .binary
        .cwd
        .join(landfall::capsule::DIRECTORY);
    let directory = args.out.as_deref().unwrap_or(&default);
    let path = failure::write(&capsule, directory)?;
    let test = path.with_extension("rs");
    fs::write(
        &test,
        regression_test(&capsule, &path, &subject.one.built.binary.cwd),
    )
    .map_err(|error| Error::usage(format!("{} cannot be written: {error}", test.display())))?;
    let exit = Exit::ClaimFailed;
    match args.failure.output.format {
        Format::Human => output::print(&text(&reduced, &capsule, &path, &test)),
        Format::Json | Format::Jsonl => output::print_json(&Answer {
            command: "reduce",
            test: &capsule.test,
            seed: capsule.seed,
            signature: &reduced.signature,
            complete: reduced.is_complete,
            runs: reduced.runs,
            before: reduced.sizes.0.into(),
            after: reduced.sizes.1.into(),
            capsule: path.display().to_string(),
            regression_test: test.display().to_string(),
            others: reduced.others.keys().collect(),
            exit_code: exit.code(),
        }),
    }
    Ok(exit)
}

/// What keeps a failure from being looked at.
pub(crate) fn refused(error: &ReduceError) -> Error {
    match error {
        ReduceError::Coordinate(error) => crate::sweep::broken(error),
        ReduceError::Passes | ReduceError::Died(_) => Error::usage(error.to_string()),
        ReduceError::Differs(..) => Error {
            exit: Exit::Nondeterministic,
            message: error.to_string(),
        },
    }
}

fn shown(progress: &Progress) -> String {
    let Progress {
        stage,
        runs,
        windows,
        operations,
    } = progress;
    format!("{stage}: {windows} windows, {operations} operations, {runs} runs")
}

fn text(reduced: &Reduced, capsule: &Capsule, path: &Path, test: &Path) -> String {
    let (before, after) = reduced.sizes;
    let mut out = format!("{} of seed {}\n", reduced.signature, capsule.seed);
    let _ = writeln!(
        out,
        "  from {before}\n  to   {after}\n  in {} runs",
        reduced.runs
    );
    if !reduced.is_complete {
        out.push_str("  stopped early: it may get smaller still\n");
    }
    out.push('\n');
    for failure in &capsule.failure {
        let _ = writeln!(out, "  {failure}");
    }
    out.push_str("\nwhat it takes:\n");
    for window in &capsule.pinned.windows {
        let _ = writeln!(
            out,
            "  {} .. {}  {} on {}",
            seconds(window.open_ns),
            seconds(window.close_ns),
            window.fault,
            window.targets.join(", ")
        );
    }
    for operation in &capsule.pinned.operations {
        let at = seconds(operation.at_ns);
        let _ = writeln!(
            out,
            "  {at}  client {}: {}",
            operation.client, operation.call
        );
    }
    match &reduced.script.deviations {
        Some(deviations) if deviations.is_empty() => {
            out.push_str("  tasks run first in, first out\n");
        }
        Some(_) => {
            out.push_str("  tasks run first in, first out, but that\n");
            let report = reduced.outcome.report();
            let recording = report.and_then(|report| report.recording.as_ref());
            for pair in recording
                .iter()
                .flat_map(|recording| &recording.preemptions)
            {
                let _ = writeln!(out, "    {pair}");
            }
        }
        None => {
            let _ = writeln!(out, "  tasks run {}", capsule.drawn.policy);
        }
    }
    for other in reduced.others.keys() {
        let _ = writeln!(out, "\nanother failure was met on the way: {other}");
    }
    let (path, test) = (path.display(), test.display());
    let _ = write!(
        out,
        "\ncapsule: {path}\ntest:    {test}\nreplay:  cargo landfall replay {path}"
    );
    out
}

fn seconds(ns: u64) -> String {
    format!("{}.{:06}s", ns / 1_000_000_000, ns / 1_000 % 1_000_000)
}

/// A test that fails as long as the capsule does.
fn regression_test(capsule: &Capsule, path: &Path, package: &Path) -> String {
    let name: String = capsule
        .file_name()
        .trim_end_matches(".capsule")
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    let path = path.strip_prefix(package).unwrap_or(path).display();
    format!(
        "// {signature}. Belongs into the test crate that has {test}:\n\
         // include!(concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/{source}\"));\n\
         #[test]\n\
         fn regression_{name}() {{\n    landfall::replay_capsule(\"{path}\");\n}}\n",
        signature = capsule.signature,
        test = capsule.test,
        source = Path::new(&path.to_string()).with_extension("rs").display(),
    )
}

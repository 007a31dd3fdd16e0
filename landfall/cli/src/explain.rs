//! `explain`: when a failure became inevitable, which faults it takes, and where a run that passes
//! parts from it.

use std::fmt::Write as _;
use std::time::Duration;

use landfall::explain::{Effort, Explanation, Point, ScheduleNeeds, explain};
use landfall::runtime::SimInstant;
use serde::Serialize;

use crate::args::{ExplainArgs, Format};
use crate::exit::{Error, Exit};
use crate::failure::Subject;
use crate::output;
use crate::patience::Patience;
use crate::progress::Line;
use crate::reduce::refused;

/// How wide the plot's bars are.
const BAR_WIDTH: u32 = 40;

/// The answer as JSON.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    command: &'static str,
    test: &'a str,
    seed: u64,
    signature: &'a str,
    curve: Vec<PointRow>,
    decided: String,
    jump_ns: Option<(u64, u64)>,
    events: &'a [String],
    faults: Vec<FaultRow<'a>>,
    nearest_pass: Option<NearestRow>,
    schedule: Option<&'a ScheduleNeeds>,
    runs: u64,
    exit_code: u8,
}

#[derive(Debug, Serialize)]
struct PointRow {
    at_ns: u64,
    runs: u32,
    failed: u32,
    permille: u32,
    band_permille: (u32, u32),
}

#[derive(Debug, Serialize)]
struct FaultRow<'a> {
    fault: &'a str,
    kind: &'a str,
    landed: bool,
    decisive: bool,
    without_it: Option<&'a str>,
    first_difference: Option<String>,
}

#[derive(Debug, Serialize)]
struct NearestRow {
    same_until_ns: u64,
    first_difference: Option<String>,
}

/// Explains and says.
pub(crate) fn run(args: &ExplainArgs) -> Result<Exit, Error> {
    let subject = Subject::find(&args.failure, "explain")?;
    let patience = Patience::new(Some(Duration::from_secs(args.seconds)))?;
    let mut pool = subject.pool(&args.failure)?;
    let mut line = Line::new();
    let mut effort = Effort {
        runs_a_point: args.runs,
        is_over: &|| patience.is_over(),
        progress: &mut |runs| line.show(|| format!("{runs} runs")),
    };
    let explained = explain(&mut pool, &subject.request(), &subject.script, &mut effort);
    line.finish();
    let explained = explained.map_err(|error| refused(&error))?;
    let exit = Exit::ClaimFailed;
    match args.failure.output.format {
        Format::Human => output::print(&text(&explained, subject.seed)),
        Format::Json | Format::Jsonl => output::print_json(&answer(&explained, &subject, exit)),
    }
    Ok(exit)
}

fn answer<'a>(explained: &'a Explanation, subject: &'a Subject, exit: Exit) -> Answer<'a> {
    let curve = explained.curve.points().iter().map(|point| PointRow {
        at_ns: point.at_ns,
        runs: point.runs,
        failed: point.failed,
        permille: point.permille(),
        band_permille: point.band(),
    });
    let faults = explained.without.iter().map(|one| FaultRow {
        fault: &one.fault,
        kind: &one.kind,
        landed: one.landed,
        decisive: one.is_decisive(&explained.signature),
        without_it: one.fails.as_deref(),
        first_difference: one.parting.as_ref().map(ToString::to_string),
    });
    Answer {
        command: "explain",
        test: &subject.one.info.test,
        seed: subject.seed,
        signature: &explained.signature,
        curve: curve.collect(),
        decided: explained.decided().to_string(),
        jump_ns: explained.curve.jump().map(|jump| jump.span_ns()),
        events: &explained.events,
        faults: faults.collect(),
        nearest_pass: explained.nearest.as_ref().map(|nearest| NearestRow {
            same_until_ns: nearest.same_until.0,
            first_difference: nearest.parting.as_ref().map(ToString::to_string),
        }),
        schedule: explained.schedule.as_ref(),
        runs: explained.runs,
        exit_code: exit.code(),
    }
}

fn text(explained: &Explanation, seed: u64) -> String {
    let signature = &explained.signature;
    let mut out = format!("{signature} of seed {seed}, in {} runs\n", explained.runs);
    for failure in explained.outcome.failures() {
        let _ = writeln!(out, "  {failure}");
    }
    out.push_str("\nhow likely it is, if all is drawn anew from then on (- is the 95 % band):\n");
    for point in explained.curve.points() {
        let _ = writeln!(out, "{}", bar(point));
    }
    let _ = writeln!(out, "\n{}", explained.decided());
    for event in &explained.events {
        let _ = writeln!(out, "  {event}");
    }
    if !explained.without.is_empty() {
        out.push_str("\nthe same seed without one fault:\n");
    }
    for one in &explained.without {
        let landed = if one.landed { "landed" } else { "did not land" };
        let _ = write!(out, "  {} ({}, {landed}): ", one.fault, one.kind);
        let _ = match &one.fails {
            None => writeln!(out, "passes: decisive"),
            Some(other) if other == signature => writeln!(out, "fails alike: not decisive"),
            Some(other) => writeln!(out, "fails with {other} instead: decisive"),
        };
        if let Some(parting) = &one.parting {
            let _ = writeln!(out, "    first operation that differs: {parting}");
        }
    }
    if let Some(nearest) = &explained.nearest {
        let _ = writeln!(
            out,
            "\nnearest run that passes: the same until {}",
            nearest.same_until
        );
        if let Some(parting) = &nearest.parting {
            let _ = writeln!(out, "  first operation that differs: {parting}");
        }
    }
    if let Some(needs) = &explained.schedule {
        let _ = writeln!(out, "\n{needs}");
    }
    out
}

/// One line of the plot.
fn bar(point: &Point) -> String {
    let place = |permille: u32| permille * BAR_WIDTH / 1_000;
    let (low, high) = point.band();
    let share = place(point.permille());
    let cells = (0..=BAR_WIDTH).map(|cell| {
        if cell == share {
            '#'
        } else if (place(low)..=place(high)).contains(&cell) {
            '-'
        } else if cell < share {
            '='
        } else {
            ' '
        }
    });
    let cells: String = cells.collect();
    let (at, failed, runs) = (SimInstant(point.at_ns), point.failed, point.runs);
    format!("  {at:>12} |{cells}| {failed:>3}/{runs}")
}

//! Results as text: the verdict table, a failure, a summary line.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use checkers::CheckReport;
use plan_compiler::scenario::Scenario;

use crate::report::SeedOutcome;
use crate::sweep::{Divergence, TestResult};
use crate::tally::{FaultTally, ProbeTally, Tally};
use crate::words;

/// How many of a check's findings a failure shows.
const FINDINGS_SHOWN: usize = 2;

/// How many features that failures share are shown.
const SHARED_SHOWN: usize = 4;

/// One line: verdict, test, reason.
#[must_use]
pub fn summary(result: &TestResult) -> String {
    let judgement = &result.judgement;
    format!(
        "{}  {}  {}",
        judgement.verdict,
        title(result),
        judgement.reason
    )
}

fn title(result: &TestResult) -> String {
    match &result.test.scenario {
        Some(scenario) => format!("{} {}", scenario.id, scenario.name),
        None => match &result.test.id {
            Some(id) => format!("{id} ({})", result.test.test),
            None => result.test.test.clone(),
        },
    }
}

/// The verdict table: one block a test, with what the verdict rests on.
#[must_use]
pub fn table<'a>(results: impl IntoIterator<Item = &'a TestResult> + Clone) -> String {
    let mut out = String::new();
    for result in results.clone() {
        let _ = writeln!(out, "{:<30} {}", result.judgement.verdict, title(result));
        let _ = writeln!(out, "    why     {}", result.judgement.reason);
        if let Some(scenario) = &result.test.scenario {
            let claims: Vec<_> = scenario
                .falsifies
                .iter()
                .map(|c| format!("{} {}", c.id, c.text))
                .collect();
            let _ = writeln!(out, "    claims  {}", claims.join("; "));
        }
        evidence(&mut out, &result.tally);
    }
    let tallies = results.clone().into_iter().map(|result| &result.tally);
    let missing: BTreeSet<_> = tallies.flat_map(|tally| &tally.floor_missing).collect();
    if !missing.is_empty() {
        let _ = writeln!(out, "determinism floor, what no layer covered here:");
        for layer in missing {
            let _ = writeln!(out, "    {layer}");
        }
    }
    probes(&mut out, results.into_iter().map(|result| &result.tally));
    out
}

/// The sites of the probe macros that no seed of any test satisfied, and how many others there
/// are.
fn probes<'a>(out: &mut String, tallies: impl Iterator<Item = &'a Tally>) {
    let mut all: BTreeMap<&String, ProbeTally> = BTreeMap::new();
    for (name, probe) in tallies.flat_map(|tally| &tally.probes) {
        let sum = all
            .entry(name)
            .or_insert_with(|| ProbeTally::of(probe.kind));
        sum.merge(probe);
    }
    if all.is_empty() {
        return;
    }
    let unmet = |(name, probe): (&&String, &ProbeTally)| {
        Some(((*name).clone(), probe.kind, probe.unmet()?))
    };
    let unmet: Vec<_> = all.iter().filter_map(unmet).collect();
    let met = all.len() - unmet.len();
    let _ = writeln!(
        out,
        "probes: {met} of {} sites as they should be",
        all.len()
    );
    for (name, kind, what) in unmet {
        let _ = writeln!(out, "    {} {name}: {what}", kind.as_str());
    }
}

fn evidence(out: &mut String, tally: &Tally) {
    for (name, check) in &tally.checks {
        let (consumed, total) = (grouped(check.consumed), grouped(check.total));
        let _ = writeln!(
            out,
            "    oracle  {name}: {consumed} of {total} operations consumed"
        );
    }
    for fault in &tally.faults {
        let had = tally.seeds - fault.left_out;
        let _ = writeln!(out, "    fault   {}", fault_line(fault, had));
        if let Some(sighting) = &fault.injection {
            let _ = writeln!(
                out,
                "            injected {} {}",
                sighting.at, sighting.what
            );
        }
        if let Some(sighting) = &fault.observation {
            let _ = writeln!(
                out,
                "            observed {} {}",
                sighting.at, sighting.what
            );
        }
    }
    for landing in &tally.landing {
        let seen = landing.seen.as_ref().or(landing.missed.as_ref());
        let (held, seeds) = (landing.held, tally.seeds - landing.waived);
        let seen = seen.map(String::as_str).unwrap_or_default();
        let _ = writeln!(
            out,
            "    landing \"{}\" held in {held}/{seeds}: {seen}",
            landing.text
        );
    }
    out.push_str(&tally.disks.text(tally.seeds));
    if let Some(exit) = &tally.exit {
        let exits = grouped(tally.exits);
        let _ = writeln!(
            out,
            "    exits   nodes ended by themselves {exits} times: {exit}"
        );
    }
    let operations = tally.operations;
    if tally.seeds > 0 {
        let _ = writeln!(
            out,
            "    ran     {}, {} simulated s, {} operations ok, {} refused, {} unknown",
            counted(tally.seeds, "seed"),
            grouped(tally.virtual_ns / 1_000_000_000),
            grouped(operations.ok),
            grouped(operations.failed),
            grouped(operations.unknown),
        );
    }
    let back = &tally.convergence;
    if back.no_liveness + back.hopeless > 0 {
        let (no_liveness, hopeless) = (grouped(back.no_liveness), grouped(back.hopeless));
        let example = back.example.as_deref().unwrap_or_default();
        let _ = writeln!(
            out,
            "    after   {} served again after the faults; {no_liveness} did not, and in \
             {hopeless} more they could not: {example}",
            counted(back.reached, "seed")
        );
    }
    if tally.seeds > 1 {
        let _ = writeln!(out, "    new     {}", tally.novelty);
    }
    if tally.compared > 0 {
        let (compared, differing) = (counted(tally.compared, "seed"), grouped(tally.differing));
        let _ = writeln!(
            out,
            "    twice   {compared} run again in another worker, {differing} differ"
        );
    }
}

fn fault_line(fault: &FaultTally, seeds: u64) -> String {
    let counters: Vec<_> = fault
        .counters
        .iter()
        .map(|(name, n)| format!("{name} {}", grouped(*n)))
        .collect();
    let counters = counters.join(", ");
    format!(
        "{} {}: landed in {}/{seeds}; {counters}",
        fault.name, fault.kind, fault.landed
    )
}

/// A verdict that is not a pass, whole, ending in the line that replays it.
#[must_use]
pub fn failure(result: &TestResult, replay_line: &dyn Fn(u64) -> String) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{}: {}", result.judgement.verdict, title(result));
    let _ = writeln!(out, "  {}", result.judgement.reason);
    if let Some(scenario) = &result.test.scenario {
        claims(&mut out, scenario, result);
    }
    if let Some(divergence) = &result.divergence {
        out.push_str(&divergence_text(divergence));
    }
    match result.tally.failures.first() {
        Some(outcome) => {
            swarm(&mut out, &result.tally);
            failing_seed(&mut out, outcome);
            let _ = write!(out, "\nreplay: {}", replay_line(outcome.seed()));
        }
        None => {
            evidence(&mut out, &result.tally);
            if let Some(divergence) = &result.divergence {
                let _ = write!(out, "\nreplay: {}", replay_line(divergence.seed));
            }
        }
    }
    out
}

/// What the failures of each kind have in common that the seeds have not.
fn swarm(out: &mut String, tally: &Tally) {
    for (signature, failures) in &tally.signatures {
        let shared = tally.swarm.shared(signature, *failures);
        if shared.is_empty() {
            continue;
        }
        let percent = |seeds: u64| seeds * 100 / tally.swarm.seeds.max(1);
        let each: Vec<String> = shared
            .iter()
            .take(SHARED_SHOWN)
            .map(|one| format!("{} ({} % of all)", one.feature, percent(one.seeds)))
            .collect();
        let _ = writeln!(
            out,
            "  {signature} fails only with {}: all {failures} seeds",
            each.join(" and ")
        );
    }
}

fn claims(out: &mut String, scenario: &Scenario, result: &TestResult) {
    let plan = result.test.plan.as_deref().unwrap_or("the plan");
    let violated = result.judgement.verdict.is_fail();
    let word = if violated { "violated" } else { "not shown" };
    for claim in &scenario.falsifies {
        let (id, text, line) = (&claim.id, &claim.text, claim.line);
        let _ = writeln!(out, "  claim {word}: {id} {text} ({plan}:{line})");
    }
}

fn failing_seed(out: &mut String, outcome: &SeedOutcome) {
    let report = match outcome {
        SeedOutcome::Crashed(death) => {
            let _ = writeln!(out, "\n{death}");
            return;
        }
        SeedOutcome::Ran(report) => report,
    };
    let (seconds, policy) = (report.virtual_ns / 1_000_000_000, report.policy);
    let (seed, digest, events) = (report.seed, report.digest, grouped(report.events));
    let _ = writeln!(
        out,
        "\nseed {seed}, digest {digest} ({events} events, {seconds} simulated s, policy {policy})"
    );
    for check in &report.checks {
        check_text(out, check);
    }
    for violation in report
        .failures()
        .iter()
        .filter(|line| line.starts_with("violated: "))
    {
        let _ = writeln!(out, "  {violation}");
    }
    for panic in &report.panics {
        let _ = writeln!(out, "  panic nobody joined: {panic}");
    }
    for exit in &report.exits {
        let _ = writeln!(out, "  a node ended: {exit}");
    }
    if let Some(stop) = &report.stop {
        let _ = writeln!(out, "  stopped: {stop}");
    }
    for row in &report.ledger {
        let (name, kind, target) = (&row.name, &row.kind, &row.target);
        let _ = writeln!(
            out,
            "  fault {name} ({kind} of {target}): {}",
            report.standing(row)
        );
        for sighting in row.injected_evidence.iter().take(2) {
            let _ = writeln!(out, "    injected {} {}", sighting.at, sighting.what);
        }
        for sighting in row.observed_evidence.iter().take(2) {
            let _ = writeln!(out, "    observed {} {}", sighting.at, sighting.what);
        }
    }
    if let Some(disks) = &report.disks {
        out.push_str(&disks.text());
    }
    if !report.log_tail.is_empty() {
        let _ = match report.logged_as {
            None => writeln!(out, "  the guests' last words:"),
            Some(digest) => writeln!(
                out,
                "  the guests' last words in a run that logs, which is another, digest {digest} \
                 (what is done to log acts on the run):"
            ),
        };
        for line in &report.log_tail {
            let _ = writeln!(out, "    {line}");
        }
    }
}

fn check_text(out: &mut String, check: &CheckReport) {
    let (name, consumed, total) = (&check.checker, check.consumed, check.total);
    let _ = writeln!(
        out,
        "  {name}: {} ({consumed} of {total} operations)",
        check.outcome
    );
    for finding in check.findings.iter().take(FINDINGS_SHOWN) {
        for line in finding.to_string().lines() {
            let _ = writeln!(out, "    {line}");
        }
    }
    if check.findings.len() > FINDINGS_SHOWN {
        let more = check.findings.len() - FINDINGS_SHOWN;
        let _ = writeln!(out, "    and {more} findings more");
    }
}

fn divergence_text(divergence: &Divergence) -> String {
    let mut out = String::new();
    let (seed, same_until) = (divergence.seed, divergence.same_until);
    let _ = writeln!(
        out,
        "\ntwo runs of seed {seed} agree up to event {same_until}, and differ after it"
    );
    let (first, second) = &divergence.ends;
    let Some((a, b)) = &divergence.first else {
        let _ = writeln!(out, "  further runs did not show which event differs first");
        let _ = writeln!(out, "  first run:  {first}\n  second run: {second}");
        return out;
    };
    if let Some(event) = &divergence.last_same {
        let _ = writeln!(out, "  both runs:  {}", words::traced(event));
    }
    let (then_a, then_b) = &divergence.then;
    for (name, event, then) in [("first", a, then_a), ("second", b, then_b)] {
        let text = event
            .as_ref()
            .map_or_else(|| "had ended".to_owned(), words::traced);
        let _ = writeln!(out, "  {name} run: {text}");
        for event in then {
            let _ = writeln!(out, "    then {}", words::traced(event));
        }
    }
    out
}

/// So many of something, by the plural where there is not one: `1 seed`, `2,000 seeds`.
#[must_use]
pub fn counted(number: u64, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {what}{plural}", grouped(number))
}

/// A number with separators: `14,712`.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn thousands_are_grouped() {
        assert_eq!(grouped(7), "7");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(14_712), "14,712");
        assert_eq!(grouped(1_000_000), "1,000,000");
    }
}

//! The scenarios of a report: what each verdict rests on.

use landfall::evidence::{Strength, Without};
use landfall::render::{counted, grouped};
use landfall::tally::{FaultTally, Tally};

use super::Told;
use super::doc::{Block, Inline, Row, code, link, para, row, state, text};

/// A scenario, whole.
pub(super) fn scenario(told: &Told, place: usize) -> Vec<Block> {
    let result = &told.result;
    let mut blocks = vec![
        Block::Heading(3, anchor(told), told.title()),
        Block::Para(vec![
            state(result.judgement.verdict.name()),
            text(format!(": {}.", result.judgement.reason)),
        ]),
        Block::List(facts(told)),
    ];
    oracles(&mut blocks, told);
    faults(&mut blocks, told);
    if !result.tally.landing.is_empty() {
        blocks.push(landing(&result.tally));
    }
    observability(&mut blocks, told);
    if told.evidence.witness.is_some() {
        blocks.push(Block::Figure("timeline", place));
        blocks.push(Block::Figure("space", place));
    }
    blocks
}

/// The name that links to a test go to.
pub(super) fn anchor(told: &Told) -> String {
    format!("scenario-{}", told.name().replace('/', "-"))
}

fn facts(told: &Told) -> Vec<Vec<Inline>> {
    let (result, tally) = (&told.result, &told.result.tally);
    let mut facts = Vec::new();
    if let Some(scenario) = &result.test.scenario {
        let line = format!("plan-{}", scenario.line);
        let plan = result.test.plan.as_deref().unwrap_or_default();
        let mut words = vec![link(format!("{plan}:{}", scenario.line), line)];
        for claim in &scenario.falsifies {
            words.push(text(", would falsify "));
            words.push(link(claim.id.clone(), format!("claim-{}", claim.id)));
        }
        facts.push(words);
    }
    let operations = tally.operations;
    facts.push(vec![text(format!(
        "{}, {} failed, {} s simulated, {} events; operations: {} acknowledged, {} without \
         effect, {} unknown",
        counted(tally.seeds, "seed"),
        grouped(tally.failed),
        grouped(tally.virtual_ns / 1_000_000_000),
        grouped(tally.events),
        grouped(operations.ok),
        grouped(operations.failed),
        grouped(operations.unknown),
    ))]);
    facts.push(vec![text(format!(
        "run a second time in another process: {}, {} differ",
        counted(tally.compared, "seed"),
        grouped(tally.differing)
    ))]);
    if let Some(report) = &told.evidence.witness {
        facts.push(vec![
            text(format!("shown: seed {}, ", report.seed)),
            code(format!("{}{}", told.place.replay, report.seed)),
        ]);
    }
    facts
}

fn oracles(blocks: &mut Vec<Block>, told: &Told) {
    let mut rows = Vec::new();
    for (name, check) in &told.result.tally.checks {
        let strength = told
            .evidence
            .strength
            .iter()
            .find(|one| one.checker() == name);
        rows.push(row(vec![
            vec![code(name.clone())],
            vec![text(format!(
                "{} of {}",
                grouped(check.consumed),
                grouped(check.total)
            ))],
            vec![text(format!("{} of {}", check.violations, check.seeds))],
            vec![text(
                strength.map_or_else(|| "not asked".to_owned(), caught),
            )],
            vec![text(check.scope.clone())],
        ]));
    }
    if !rows.is_empty() {
        let head = vec![
            "Oracle",
            "Operations consumed",
            "Seeds with a violation",
            "Mutants caught",
            "Scope",
        ];
        blocks.push(Block::Table(head, rows));
    }
}

/// How strong an oracle is, in words.
pub(super) fn caught(strength: &Strength) -> String {
    match strength {
        Strength::Scored(score) => {
            let mut words = format!("{} of {}", score.caught, score.mutants);
            if let Some(missed) = score.missed.first() {
                words.push_str(&format!("; missed: {}", missed.way));
            }
            if !score.unused.is_empty() {
                words.push_str(&format!("; no place for: {}", score.unused.join(", ")));
            }
            words
        }
        Strength::NotScored { why, .. } => why.clone(),
    }
}

fn faults(blocks: &mut Vec<Block>, told: &Told) {
    let tally = &told.result.tally;
    if tally.faults.is_empty() {
        blocks.push(para("No fault was planned, or none came to be armed."));
        return;
    }
    let rows = tally.faults.iter().map(|fault| fault_row(told, fault));
    let head = vec!["Fault", "Kind", "Landed in", "Counted", "Decisive"];
    blocks.push(Block::Table(head, rows.collect()));
    let details = tally
        .faults
        .iter()
        .flat_map(|fault| fault_details(told, fault));
    blocks.push(Block::List(details.collect()));
}

/// What was seen of a fault, and what the shown seed is without it: too long for a table.
fn fault_details(told: &Told, fault: &FaultTally) -> Vec<Vec<Inline>> {
    let seen = |what: &str, seen: &Option<landfall::runtime::Sighting>| {
        let said = seen.as_ref().map_or_else(
            || format!(" {what}: nothing"),
            |seen| format!(" {what}, such as: {} {}", seen.at, seen.what),
        );
        vec![code(fault.name.clone()), text(said)]
    };
    let mut details = vec![
        seen("injected", &fault.injection),
        seen("observed", &fault.observation),
    ];
    if let Some(without) = without(told, fault) {
        let mut words = vec![
            code(fault.name.clone()),
            text(" left out of the shown seed: "),
        ];
        words.extend(counterfactual(without));
        details.push(words);
    }
    details
}

fn without<'t>(told: &'t Told, fault: &FaultTally) -> Option<&'t Without> {
    let all = &told.evidence.without;
    all.iter().find(|one| one.fault == fault.name)
}

fn fault_row(told: &Told, fault: &FaultTally) -> Row {
    let had = told.result.tally.seeds - fault.left_out;
    let counted: Vec<String> = fault
        .counters
        .iter()
        .map(|(name, n)| format!("{name} {}", grouped(*n)))
        .collect();
    let line = told
        .result
        .test
        .scenario
        .iter()
        .flat_map(|scenario| &scenario.faults)
        .find(|spec| spec.id == fault.name)
        .map(|spec| spec.line);
    let name = match line {
        Some(line) => link(fault.name.clone(), format!("plan-{line}")),
        None => code(fault.name.clone()),
    };
    row(vec![
        vec![name],
        vec![text(fault.kind.clone())],
        vec![text(format!("{} of {had}", fault.landed))],
        vec![text(counted.join(", "))],
        vec![text(match without(told, fault) {
            Some(without) if without.decisive => "yes",
            Some(_) => "no",
            None => "not open in the shown seed",
        })],
    ])
}

/// What a run is without a fault, in words.
fn counterfactual(without: &Without) -> Vec<Inline> {
    let how = match (&without.fails, without.decisive) {
        (None, true) => "decisive: it passes without".to_owned(),
        (None, false) => "not decisive: it passes without as well".to_owned(),
        (Some(how), true) => format!("decisive: it fails otherwise, by {how}"),
        (Some(_), false) => "not decisive: it fails alike without".to_owned(),
    };
    let mut words = vec![text(how)];
    if without.changed.is_empty() {
        words.push(text("; nothing that is counted is other"));
    } else {
        words.push(text(format!("; {}", without.changed.join(", "))));
    }
    if let Some(parting) = &without.parting {
        words.push(text(format!("; first operation that is other: {parting}")));
    }
    words
}

fn landing(tally: &Tally) -> Block {
    let rows = tally.landing.iter().map(|one| {
        let asked = tally.seeds - one.waived;
        let seen = one.seen.as_ref().or(one.missed.as_ref());
        row(vec![
            vec![text(one.text.clone())],
            vec![text(format!("{} of {asked}", one.held))],
            vec![text(seen.cloned().unwrap_or_default())],
        ])
    });
    Block::Table(
        vec!["Landing evidence", "Held in", "Seen, such as"],
        rows.collect(),
    )
}

/// What the plan requires to be observable, and what the shown run has of it.
fn observability(blocks: &mut Vec<Block>, told: &Told) {
    let Some(scenario) = &told.result.test.scenario else {
        return;
    };
    let (Some(report), false) = (&told.evidence.witness, scenario.observability.is_empty()) else {
        return;
    };
    let required = landfall::observability::judge(scenario, report);
    let rows = required.into_iter().map(|one| {
        let is_there = match one.is_there {
            Some(true) => "yes",
            Some(false) => "no",
            None => "not judged",
        };
        row(vec![
            vec![text(one.text)],
            vec![text(is_there.to_owned())],
            vec![text(one.seen)],
        ])
    });
    blocks.push(Block::Table(
        vec!["Observability required", "There", "In the shown run"],
        rows.collect(),
    ));
}

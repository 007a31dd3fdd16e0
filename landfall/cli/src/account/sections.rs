//! The sections of a report, in the order of the plan format.

use std::collections::BTreeMap;

use landfall::judge::Verdict;
use landfall::judge::audit::{Answer, audit_with};
use landfall::judge::session;
use landfall::render::{counted, grouped};
use plan_compiler::Compiled;
use plan_compiler::plan::{Item, SectionKind};

use super::doc::{Block, Inline, Row, code, link, para, row, state, text};
use super::results::anchor;
use super::{Session, Told, findings, results};

/// The whole report.
pub(super) fn report(session: &Session) -> Vec<Block> {
    let mut blocks = vec![Block::Heading(
        1,
        "top".to_owned(),
        format!("Findings: {}", session.slug),
    )];
    summary(&mut blocks, session);
    blocks.push(h2("results", "Scenario results"));
    for (place, told) in session.told.iter().enumerate() {
        blocks.extend(results::scenario(told, place));
    }
    blocks.push(h2("findings", "Findings"));
    let found: Vec<Block> = session
        .told
        .iter()
        .enumerate()
        .flat_map(|(place, told)| findings::finding(told, place))
        .collect();
    if found.is_empty() {
        blocks.push(para("No seed failed."));
    }
    blocks.extend(found);
    if let Some(plan) = &session.plan {
        coverage(&mut blocks, session, &plan.compiled);
        adequacy(&mut blocks, session, &plan.compiled);
        confidence(&mut blocks, session, &plan.compiled, &plan.text);
    }
    audits(&mut blocks, session);
    surfaces(&mut blocks, session);
    budgets(&mut blocks, session);
    if let Some(plan) = &session.plan {
        for (kind, id, title) in [
            (
                SectionKind::Residual,
                "residual",
                "Residual uncertainty, as planned",
            ),
            (
                SectionKind::NotCovered,
                "not-covered",
                "What the plan does not cover",
            ),
        ] {
            blocks.push(h2(id, title));
            quoted(&mut blocks, &plan.compiled, kind);
        }
    }
    blocks
}

fn h2(id: &str, title: &str) -> Block {
    Block::Heading(2, id.to_owned(), title.to_owned())
}

fn summary(blocks: &mut Vec<Block>, session: &Session) {
    blocks.push(h2("summary", "Summary"));
    let all: Vec<session::Told<'_>> = session
        .told
        .iter()
        .map(|told| session::Told {
            result: &told.result,
            strength: &told.evidence.strength,
        })
        .collect();
    for found in session::sessions(&all) {
        blocks.push(Block::Para(vec![
            text("Session: "),
            state(found.session.to_string()),
            text(format!(". {}.", found.reason)),
        ]));
    }
    blocks.push(para(format!(
        "{} ran from {}, revision {}, landfall {}.",
        session.slug,
        session.started,
        session.revision.as_deref().unwrap_or("unknown"),
        env!("CARGO_PKG_VERSION"),
    )));
    if let Some(plan) = &session.plan {
        let rows = plan.compiled.plan.claims.iter().map(|claim| {
            let (standing, words) = standing(session, &claim.id.text);
            let mut cells = vec![
                vec![link(claim.id.text.clone(), format!("plan-{}", claim.line))],
                vec![text(claim.text.text.clone())],
                vec![state(standing)],
                words,
            ];
            let exercised: u64 = tried(session, &claim.id.text)
                .map(|told| told.result.tally.operations.ok)
                .sum();
            cells.push(vec![text(grouped(exercised))]);
            Row {
                id: format!("claim-{}", claim.id.text),
                cells,
            }
        });
        let head = vec![
            "Claim",
            "Promise",
            "Standing",
            "Scenarios",
            "Operations acknowledged",
        ];
        blocks.push(Block::Table(head, rows.collect()));
        for broken in &plan.compiled.not_runnable {
            blocks.push(Block::Para(vec![
                state("NOT-RUN"),
                text(format!(
                    " {} {}: {}",
                    broken.id,
                    broken.name,
                    broken.reasons.join("; ")
                )),
            ]));
        }
    } else {
        let rows = session.told.iter().map(|told| {
            row(vec![
                vec![link(told.title(), anchor(told))],
                vec![state(told.result.judgement.verdict.name())],
                vec![text(told.result.judgement.reason.clone())],
            ])
        });
        blocks.push(Block::Table(vec!["Test", "Verdict", "Why"], rows.collect()));
    }
}

/// The tests that could falsify a claim.
fn tried<'a>(session: &'a Session, claim: &'a str) -> impl Iterator<Item = &'a Told> {
    session.told.iter().filter(move |told| {
        let scenario = told.result.test.scenario.as_ref();
        scenario.is_some_and(|scenario| scenario.falsifies.iter().any(|c| c.id == claim))
    })
}

/// Where a claim stands after the run, and the verdicts that say so.
fn standing(session: &Session, claim: &str) -> (&'static str, Vec<Inline>) {
    let verdicts: Vec<(&Told, Verdict)> = tried(session, claim)
        .map(|told| (told, told.result.judgement.verdict))
        .collect();
    let mut words = Vec::new();
    for (told, verdict) in &verdicts {
        if !words.is_empty() {
            words.push(text(", "));
        }
        words.push(link(told.name(), anchor(told)));
        words.push(text(" "));
        words.push(state(verdict.name()));
    }
    let standing = if verdicts.is_empty() {
        "not tried"
    } else if verdicts.iter().any(|(_, verdict)| verdict.is_fail()) {
        "violated"
    } else if verdicts.iter().all(|(_, verdict)| verdict.is_pass()) {
        "held"
    } else {
        "not shown"
    };
    (standing, words)
}

fn named<'a>(session: &'a Session, id: &'a str) -> impl Iterator<Item = &'a Told> {
    session.told.iter().filter(move |told| {
        let name = told.result.test.id.as_deref().unwrap_or_default();
        name == id || name.split('/').next() == Some(id)
    })
}

/// A list of scenarios with their verdicts.
fn verdicts_of<'a>(session: &Session, ids: impl Iterator<Item = &'a str>) -> Vec<Inline> {
    let mut words = Vec::new();
    for id in ids {
        if !words.is_empty() {
            words.push(text(", "));
        }
        let mut found = false;
        for told in named(session, id) {
            if found {
                words.push(text(", "));
            }
            found = true;
            words.push(link(told.name(), anchor(told)));
            words.push(text(" "));
            words.push(state(told.result.judgement.verdict.name()));
        }
        if !found {
            words.push(text(format!("{id} ")));
            words.push(state("NOT-RUN"));
        }
    }
    words
}

fn coverage(blocks: &mut Vec<Block>, session: &Session, compiled: &Compiled) {
    blocks.push(h2("coverage", "Coverage"));
    let rows = compiled.plan.hypotheses.iter().map(|hypothesis| {
        let id = hypothesis.id.text.as_str();
        let closing = session.told.iter().filter(|told| {
            let scenario = told.result.test.scenario.as_ref();
            scenario.is_some_and(|scenario| scenario.closes.iter().any(|one| one == id))
        });
        let ids: Vec<String> = closing.map(Told::name).collect();
        let words = if ids.is_empty() {
            vec![text("no scenario that was run")]
        } else {
            verdicts_of(session, ids.iter().map(String::as_str))
        };
        row(vec![
            vec![text(id)],
            vec![text(hypothesis.text.text.clone())],
            words,
        ])
    });
    let head = vec!["Hypothesis", "How it may break", "Tried by"];
    blocks.push(Block::Table(head, rows.collect()));
}

fn adequacy(blocks: &mut Vec<Block>, session: &Session, compiled: &Compiled) {
    blocks.push(h2("adequacy", "Adequacy against 7b"));
    let rows = compiled.plan.adequacy.iter().map(|argued| {
        let ids = || argued.scenarios.iter().map(|node| node.text.as_str());
        let passed = ids().all(|id| {
            let mut all = named(session, id).peekable();
            all.peek().is_some() && all.all(|told| told.result.judgement.verdict.is_pass())
        });
        let threats: Vec<&str> = argued
            .threats
            .iter()
            .map(|node| node.text.as_str())
            .collect();
        let hardened = ids().all(|id| {
            named(session, id).all(|told| told.result.judgement.verdict == Verdict::PassHardening)
        });
        let holds = if passed && hardened {
            "held: every scenario that it names passed with its hardening budget"
        } else if passed {
            "held so far: every scenario that it names passed, not all with the hardening budget"
        } else {
            "not shown: the argument rests on a scenario that did not pass"
        };
        row(vec![
            vec![link(
                argued.claim.text.clone(),
                format!("claim-{}", argued.claim.text),
            )],
            vec![text(threats.join(", "))],
            verdicts_of(session, ids()),
            vec![text(
                argued.why.as_ref().map_or("", |why| why.text.as_str()),
            )],
            vec![state(holds)],
        ])
    });
    let rows: Vec<Row> = rows.collect();
    if rows.is_empty() {
        blocks.push(para("The plan argues for no claim in 7b."));
    } else {
        let head = vec![
            "Claim",
            "Threats",
            "Scenarios",
            "As argued",
            "After the run",
        ];
        blocks.push(Block::Table(head, rows));
    }
}

fn confidence(blocks: &mut Vec<Block>, session: &Session, compiled: &Compiled, plan: &str) {
    blocks.push(h2("confidence", "Confidence delta against 7d"));
    blocks.push(para("The plan says:"));
    quoted(blocks, compiled, SectionKind::Confidence);
    let mut by_standing: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for claim in &compiled.plan.claims {
        let (standing, _) = standing(session, &claim.id.text);
        by_standing
            .entry(standing)
            .or_default()
            .push(&claim.id.text);
    }
    let ids = |standing: &str| by_standing.get(standing).map(|ids| ids.join(", "));
    let seeds: u64 = session
        .told
        .iter()
        .map(|told| told.result.tally.seeds)
        .sum();
    let mut items = Vec::new();
    if let Some(ids) = ids("violated") {
        items.push(format!(
            "Lowered for {ids}: a run falsifies it, and the statement cannot stand as written."
        ));
    }
    if let Some(ids) = ids("held") {
        items.push(format!(
            "For {ids} nothing was found in {} of all scenarios together. That speaks for \
             what was run there, under the faults that landed, and for nothing else.",
            counted(seeds, "seed")
        ));
    }
    for standing in ["not shown", "not tried"] {
        if let Some(ids) = ids(standing) {
            items.push(format!("Unchanged for {ids}: {standing} by this run."));
        }
    }
    let smoke = session
        .told
        .iter()
        .filter(|told| told.result.judgement.verdict == Verdict::PassSmoke);
    let smoke: Vec<String> = smoke.map(Told::name).collect();
    if !smoke.is_empty() {
        items.push(format!(
            "{} passed at the smoke budget or without faults that landed often enough: less than \
             the plan asks for.",
            smoke.join(", ")
        ));
    }
    blocks.push(Block::List(
        items.into_iter().map(|item| vec![text(item)]).collect(),
    ));
    let hash = landfall::capsule::checksum(plan);
    let built = session
        .told
        .iter()
        .filter_map(|told| told.result.test.plan_hash.as_ref());
    if built.into_iter().any(|other| *other != hash) {
        blocks.push(para(
            "The plan's file has changed since the tests were built: lines may be off.",
        ));
    }
}

/// A section of the plan in its own words.
fn quoted(blocks: &mut Vec<Block>, compiled: &Compiled, kind: SectionKind) {
    let sections = compiled.plan.sections.iter();
    let mut said = false;
    for item in sections
        .filter(|one| one.kind == Some(kind))
        .flat_map(|one| &one.items)
    {
        if let Item::Text(node) = item {
            blocks.push(Block::List(vec![vec![text(node.text.clone())]]));
            said = true;
        }
    }
    if !said {
        blocks.push(para("Nothing."));
    }
}

fn audits(blocks: &mut Vec<Block>, session: &Session) {
    blocks.push(h2("audit", "Green-but-broken audit"));
    let mut rows = Vec::new();
    for told in &session.told {
        let Some(scenario) = &told.result.test.scenario else {
            continue;
        };
        for question in audit_with(scenario, &told.result.tally, &told.evidence.strength) {
            let answer = match question.answer {
                Answer::Yes => "yes",
                Answer::No => "no",
                Answer::NotAsked => "-",
            };
            rows.push(row(vec![
                vec![link(told.name(), anchor(told))],
                vec![text(question.asked)],
                vec![state(answer)],
                vec![text(question.evidence)],
            ]));
        }
    }
    let head = vec!["Scenario", "Question", "Answer", "Evidence"];
    blocks.push(Block::Table(head, rows));
}

fn surfaces(blocks: &mut Vec<Block>, session: &Session) {
    blocks.push(h2("surfaces", "Surface coverage"));
    let mut rows = Vec::new();
    for told in &session.told {
        let arm = told
            .result
            .test
            .scenario
            .as_ref()
            .and_then(|s| s.arm.as_ref());
        if let Some(arm) = arm {
            rows.push(row(vec![
                vec![link(told.name(), anchor(told))],
                vec![text(arm.surface.clone())],
                vec![state(told.result.judgement.verdict.name())],
            ]));
        }
    }
    if rows.is_empty() {
        blocks.push(para(
            "No scenario has arms: each was run on the one surface it names.",
        ));
    } else {
        blocks.push(Block::Table(vec!["Arm", "Surface", "Verdict"], rows));
    }
    let mut unmet = Vec::new();
    for told in &session.told {
        for (name, probe) in &told.result.tally.probes {
            if let Some(what) = probe.unmet() {
                unmet.push(vec![
                    link(told.name(), anchor(told)),
                    text(format!(": {} ", probe.kind.as_str())),
                    code(name.clone()),
                    text(format!(" {what}")),
                ]);
            }
        }
    }
    if !unmet.is_empty() {
        blocks.push(para("Probes that no seed satisfied:"));
        blocks.push(Block::List(unmet));
    }
    let missing = session
        .told
        .iter()
        .flat_map(|told| &told.result.tally.floor_missing);
    let missing: std::collections::BTreeSet<&String> = missing.collect();
    if !missing.is_empty() {
        blocks.push(para("Layers of the determinism floor that were missing:"));
        blocks.push(Block::List(
            missing
                .into_iter()
                .map(|one| vec![text(one.clone())])
                .collect(),
        ));
    }
}

fn budgets(blocks: &mut Vec<Block>, session: &Session) {
    blocks.push(h2("budgets", "Budgets"));
    let rows = session.told.iter().filter_map(|told| {
        let budgets = told.result.test.scenario.as_ref()?.budgets;
        let tally = &told.result.tally;
        Some(row(vec![
            vec![link(told.name(), anchor(told))],
            vec![text(budgets.smoke.seeds.to_string())],
            vec![text(budgets.hardening.seeds.to_string())],
            vec![text(budgets.release.seeds.to_string())],
            vec![text(grouped(tally.seeds))],
            vec![text(grouped(tally.landed))],
            vec![text(format!(
                "{} s",
                grouped(tally.virtual_ns / 1_000_000_000)
            ))],
        ]))
    });
    let head = vec![
        "Scenario",
        "Smoke",
        "Hardening",
        "Release",
        "Seeds run",
        "Of them with every fault landed",
        "Simulated",
    ];
    blocks.push(Block::Table(head, rows.collect()));
}

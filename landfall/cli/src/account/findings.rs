//! The findings of a report: each failure, whose it is, and how it is seen again.

use checkers::{Finding, Operation};
use landfall::evidence::Failure;
use landfall::explain::Decided;

use super::Told;
use super::doc::{Block, Inline, code, link, para, row, state, text};
use super::results::anchor;

/// A finding, whole; nothing where nothing failed.
pub(super) fn finding(told: &Told, place: usize) -> Vec<Block> {
    let Some(failure) = &told.evidence.failure else {
        return Vec::new();
    };
    let id = format!("finding-{}", told.name().replace('/', "-"));
    let title = format!(
        "{}: {} of seed {}",
        told.name(),
        failure.signature,
        failure.seed
    );
    let mut blocks = vec![
        Block::Heading(3, id, title),
        Block::List(head(told, failure)),
    ];
    for words in failure.words.iter().take(2) {
        blocks.push(Block::Code(words.clone()));
    }
    minimal(&mut blocks, told, place);
    blocks.push(Block::Para(vec![
        text("Blame: "),
        state(failure.blame.culprit.to_string()),
        text(format!(". {}.", failure.blame.reason)),
    ]));
    let rows = failure.blame.controls.iter().map(|control| {
        let accuses = match (&control.accuses, control.done) {
            (Some(culprit), _) => culprit.to_string(),
            (None, true) => "nobody".to_owned(),
            (None, false) => "not done".to_owned(),
        };
        row(vec![
            vec![text(control.experiment.clone())],
            vec![text(control.result.clone())],
            vec![text(accuses)],
        ])
    });
    let head = vec!["Control experiment", "Result", "Accuses"];
    blocks.push(Block::Table(head, rows.collect()));
    explanation(&mut blocks, failure, place);
    blocks
}

fn head(told: &Told, failure: &Failure) -> Vec<Vec<Inline>> {
    let result = &told.result;
    let mut facts: Vec<Vec<Inline>> = Vec::new();
    if let Some(scenario) = &result.test.scenario {
        for claim in &scenario.falsifies {
            let plan = result.test.plan.as_deref().unwrap_or_default();
            let place = format!("{plan}:{}", claim.line);
            facts.push(vec![
                text("claim "),
                link(claim.id.clone(), format!("claim-{}", claim.id)),
                text(format!(" may be false: {} (", claim.text)),
                link(place, format!("plan-{}", claim.line)),
                text(")"),
            ]);
        }
    }
    facts.push(vec![
        text("seen again by "),
        code(format!("{}{}", told.place.replay, failure.seed)),
        text("; made small by the same line with "),
        code("reduce"),
        text(" in place of "),
        code("replay"),
    ]);
    if let Some(class) = &failure.class {
        facts.push(vec![text(format!(
            "type {}: {}",
            class.kind, class.kind_reason
        ))]);
        facts.push(vec![text(format!("tags: {}", class.tags.join(", ")))]);
        facts.push(vec![
            text("severity "),
            state(class.severity.clone()),
            text(format!(", proposed: {}", class.severity_reason)),
        ]);
    }
    let decisive = decisive(told);
    facts.push(vec![text(if decisive.is_empty() {
        "no single fault is decisive".to_owned()
    } else {
        format!("decisive: {}", decisive.join(", "))
    })]);
    facts.push(vec![
        text("the scenario: "),
        link(told.title(), anchor(told)),
    ]);
    facts
}

/// The faults without any one of which the seed does not fail so.
fn decisive(told: &Told) -> Vec<String> {
    let each = told.evidence.without.iter().filter(|one| one.decisive);
    each.map(|one| format!("{} ({})", one.fault, one.kind))
        .collect()
}

/// The operations that prove it, each a link to where it is drawn.
fn minimal(blocks: &mut Vec<Block>, told: &Told, place: usize) {
    let checks = told
        .evidence
        .witness
        .iter()
        .flat_map(|report| &report.checks);
    let Some(finding) = checks.flat_map(|check| &check.findings).next() else {
        return;
    };
    let rows: &[Operation] = match finding {
        Finding { minimal_rows, .. } if !minimal_rows.is_empty() => minimal_rows,
        Finding { rows, .. } => rows,
    };
    let told = match finding.minimal_rows.is_empty() {
        true => "The operations that prove it:".to_owned(),
        false => format!("These operations alone {}:", finding.minimal_words()),
    };
    blocks.push(para(told));
    let items = rows.iter().map(|op| {
        vec![
            link(
                format!("operation {}", op.op_id),
                format!("op-{place}-{}", op.op_id),
            ),
            text(" "),
            code(op.to_string()),
        ]
    });
    blocks.push(Block::List(items.collect()));
    for sentence in &finding.explanation {
        blocks.push(para(sentence.clone()));
    }
}

fn explanation(blocks: &mut Vec<Block>, failure: &Failure, place: usize) {
    let Some(found) = &failure.explanation else {
        return;
    };
    let decided = found.decided();
    let more = match decided {
        Decided::NotKnown { .. } => {
            " `explain` in place of `replay` in the line above takes longer."
        }
        _ => "",
    };
    let words = format!("{decided} It took {} runs.{more}", found.runs);
    blocks.push(para(words));
    blocks.push(Block::Figure("curve", place));
    if !found.events.is_empty() {
        blocks.push(Block::Code(found.events.join("\n")));
    }
    if let Some(needs) = &found.schedule {
        // It begins with "the" or "it", and may go on in lines of its own.
        let words = needs.to_string();
        let (first, rest) = words.split_once('\n').unwrap_or((&words, ""));
        blocks.push(para(format!("Of its schedule: {first}")));
        if !rest.is_empty() {
            blocks.push(Block::Code(rest.to_owned()));
        }
    }
    if let Some(nearest) = &found.nearest {
        let parting = nearest.parting.as_ref();
        let parting = parting.map_or_else(|| "no operation".to_owned(), ToString::to_string);
        blocks.push(para(format!(
            "The nearest run that passes is the same until {}; the first operation that is other: \
             {parting}.",
            nearest.same_until
        )));
    }
}

//! What is compiled in place of a written scenario: itself, or each of its arms; with the fields
//! that it takes over from another scenario (`Workload: as S1`).

use std::collections::BTreeSet;
use std::ops::Range;

use crate::cursor::Cursor;
use crate::diagnostic::Code;
use crate::plan::{Field, FieldKind, Node, Plan, PlanScenario};
use crate::read::claims::same_id;
use crate::scenario::Arm;
use crate::sink::Sink;
use crate::tokens::Kind;

/// A written scenario, or one arm of it, ready to be compiled.
pub(crate) struct Written {
    pub(crate) scenario: PlanScenario,
    pub(crate) arm: Option<Arm>,
}

/// The scenario's arms, or itself when it has none.
pub(crate) fn expand(written: &PlanScenario) -> Vec<Written> {
    if written.arms.is_empty() {
        return vec![Written {
            scenario: written.clone(),
            arm: None,
        }];
    }
    let each = written.arms.iter().map(|arm| {
        let mut scenario = written.clone();
        let overridden = |kind: FieldKind| arm.fields.iter().any(|field| field.kind == kind);
        scenario.fields.retain(|field| !overridden(field.kind));
        scenario.fields.extend(arm.fields.iter().cloned());
        scenario.id = format!("{}/{}", written.id, arm.name.text);
        scenario.heading = arm.name.span.clone();
        Written {
            scenario,
            arm: Some(Arm {
                scenario: written.id.clone(),
                name: arm.name.text.clone(),
                surface: arm.surface.text.clone(),
            }),
        }
    });
    each.collect()
}

/// Arms of one scenario with one name: the bytes of the later ones.
pub(crate) fn duplicates(written: &PlanScenario) -> Vec<&Node> {
    let mut seen = BTreeSet::new();
    let names = written.arms.iter().map(|arm| &arm.name);
    names
        .filter(|name| !seen.insert(name.text.to_lowercase()))
        .collect()
}

/// Fields that say `as S1` get what that scenario says, however often passed on.
pub(crate) fn resolve(plan: &Plan, written: &mut PlanScenario, sink: &mut Sink<'_>) {
    let own: Vec<&str> = written.id.split('/').take(1).collect();
    let own = own.first().copied().unwrap_or_default().to_owned();
    let mut resolved = Vec::with_capacity(written.fields.len());
    for field in std::mem::take(&mut written.fields) {
        match follow(plan, &own, &field, sink) {
            Some(parts) => resolved.push(Field { parts, ..field }),
            None => resolved.push(field),
        }
    }
    written.fields = resolved;
}

/// The parts that a field takes over; none where it says its own.
fn follow(
    plan: &Plan,
    own: &str,
    field: &Field,
    sink: &mut Sink<'_>,
) -> Option<Vec<Vec<Range<usize>>>> {
    if matches!(field.kind, FieldKind::Note | FieldKind::Skeleton) {
        return None;
    }
    let mut named = refers(plan, own, field, sink)?;
    let mut seen: Vec<String> = vec![own.to_owned()];
    loop {
        let label = field.kind.label();
        if seen.iter().any(|id| same_id(id, &named)) {
            let message = format!("{label} is taken over in a circle: {}", seen.join(", "));
            let help = Some("let one of them say it in its own words".to_owned());
            let span = field.span();
            sink.error(Code::CyclicReference, &span, message, "a circle", help);
            return Some(Vec::new());
        }
        let Some(other) = plan.scenarios.iter().find(|s| same_id(&s.id, &named)) else {
            let message = format!("there is no scenario {named} to take {label} from");
            let ids: Vec<&str> = plan.scenarios.iter().map(|s| s.id.as_str()).collect();
            let help = Some(format!("scenarios: {}", ids.join(", ")));
            let span = field.span();
            sink.error(
                Code::UndeclaredScenario,
                &span,
                message,
                "no such scenario",
                help,
            );
            return Some(Vec::new());
        };
        let Some(source) = other.fields.iter().find(|f| f.kind == field.kind) else {
            let message = format!("scenario {named} says nothing of {label}");
            let help = Some("say it here".to_owned());
            let span = field.span();
            sink.error(
                Code::UndeclaredScenario,
                &span,
                message,
                "nothing to take over",
                help,
            );
            return Some(Vec::new());
        };
        seen.push(other.id.clone());
        match refers(plan, &other.id, source, sink) {
            Some(next) => named = next,
            None => {
                let said = format!("as {} says: {}", other.id, source.text(sink.text));
                sink.explain(field.kind, &field.span(), said);
                return Some(source.parts.clone());
            }
        }
    }
}

/// The scenario that a field takes its value from, when that is all it says.
fn refers(plan: &Plan, own: &str, field: &Field, sink: &Sink<'_>) -> Option<String> {
    if field.parts.len() != 1 {
        return None;
    }
    let tokens = sink.tokens(field);
    if tokens.len() > 12 {
        return None;
    }
    let mut cursor = Cursor::new(&tokens);
    let lead = [
        "same as in|for?",
        "identical to",
        "as in|for?",
        "as|like with|for?",
        "see",
        "reuse|reuses",
        "ditto",
        "unchanged from",
    ];
    cursor.eat_any(&lead).then_some(())?;
    cursor.eat("that|those of|in|from?");
    cursor.eat("the?");
    cursor.eat("scenario");
    let named = if cursor.eat_any(&["above", "previous|preceding scenario?", "before"]) {
        let at = plan.scenarios.iter().position(|s| same_id(&s.id, own))?;
        plan.scenarios.get(at.checked_sub(1)?)?.id.clone()
    } else {
        let Kind::Word(word) = &cursor.peek()?.kind else {
            return None;
        };
        let is_id = word.starts_with('s') && word[1..].parse::<u32>().is_ok();
        cursor.at += 1;
        is_id.then(|| word.to_uppercase())?
    };
    cursor.eat("s");
    cursor.eat("above");
    while cursor.eat_any(&[
        ".", "(", ")", "faults", "workload", "oracle", "budgets", "model",
    ]) {}
    tokens[cursor.at..]
        .iter()
        .all(|token| token.kind == Kind::Break)
        .then_some(named)
}

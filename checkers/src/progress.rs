//! Bounded progress after heal: some client operation succeeds soon after each fault is gone.

use crate::history::{FaultWindow, History, Millis, Operation};
use crate::report::{CheckReport, Finding, Outcome};

/// What one heal shows.
enum Heal<'a> {
    /// Another window was open in the span, so that nothing can be claimed.
    Shadowed,
    /// Nothing was asked, or the history ends before the span does.
    Unobserved(String),
    /// An operation succeeded in time.
    Progress,
    /// Operations were asked and none succeeded in time.
    Stuck(Vec<&'a Operation>),
}

/// Judges each heal: an operation invoked at or after it completes within `within_ns` of it.
pub(crate) fn check(history: &History, within_ns: u64) -> CheckReport {
    let heals = history.heals();
    let mut report = CheckReport::new("progress", Outcome::Ok, 0, 0);
    let (mut judged, mut shadowed, mut consumed) = (0, 0, vec![false; history.ops.len()]);
    let mut missing = None;
    for &heal_ts in &heals {
        let end_ts = heal_ts.saturating_add(within_ns);
        match judge(history, heal_ts, end_ts) {
            Heal::Shadowed => {
                shadowed += 1;
                continue;
            }
            Heal::Unobserved(field) => {
                missing = missing.or(Some(field));
                continue;
            }
            Heal::Progress => {}
            Heal::Stuck(tried) => report.findings.push(stuck(heal_ts, within_ns, &tried)),
        }
        judged += 1;
        for (op, consumed) in history.ops.iter().zip(&mut consumed) {
            *consumed |= op.is_client() && (heal_ts..=end_ts).contains(&op.invoke_ts);
        }
    }
    report.consumed = consumed.iter().filter(|flag| **flag).count() as u64;
    // What was invoked outside the spans says nothing about them and is not asked of it.
    report.total = report.consumed;
    report.scope = format!(
        "{judged} of {} heals judged, by what was invoked within {} ms; {shadowed} under another \
         fault",
        heals.len(),
        Millis(within_ns)
    );
    report.outcome = if !report.findings.is_empty() {
        Outcome::Violation
    } else if heals.is_empty() {
        Outcome::Weak {
            field: "fault windows with an end".to_owned(),
        }
    } else if let Some(field) = missing {
        Outcome::Weak { field }
    } else if judged == 0 {
        Outcome::Weak {
            field: "a heal with no other fault open after it".to_owned(),
        }
    } else {
        Outcome::Ok
    };
    report.cap_findings();
    report
}

fn judge(history: &History, heal_ts: u64, end_ts: u64) -> Heal<'_> {
    let open = |window: &FaultWindow| {
        window.start_ts <= end_ts && window.end_ts.is_none_or(|window_end| window_end > heal_ts)
    };
    if history.windows.iter().any(open) {
        return Heal::Shadowed;
    }
    let invoked = |op: &&Operation| op.is_client() && (heal_ts..=end_ts).contains(&op.invoke_ts);
    let tried: Vec<&Operation> = history.ops.iter().filter(invoked).collect();
    let in_time = |op: &&Operation| {
        op.is_acknowledged()
            && op
                .complete_ts
                .is_some_and(|complete_ts| complete_ts <= end_ts)
    };
    if tried.iter().any(in_time) {
        Heal::Progress
    } else if tried.is_empty() {
        Heal::Unobserved(format!(
            "client operations after the heal at {} ms",
            Millis(heal_ts)
        ))
    } else if history.end_ts() < end_ts {
        Heal::Unobserved(format!(
            "the time after {} ms: the span of the heal at {} ms ends at {} ms",
            Millis(history.end_ts()),
            Millis(heal_ts),
            Millis(end_ts)
        ))
    } else {
        Heal::Stuck(tried)
    }
}

fn stuck(heal_ts: u64, within_ns: u64, tried: &[&Operation]) -> Finding {
    let message = format!(
        "nothing succeeded within {} ms of the heal at {} ms; {} tried",
        Millis(within_ns),
        Millis(heal_ts),
        tried.len()
    );
    Finding::of_rows("no-progress", message, None, tried)
}

//! A session: what may be believed of a plan after all of its scenarios.

use std::collections::BTreeMap;
use std::fmt;

use plan_compiler::scenario::Scenario;
use serde::{Deserialize, Serialize};

use super::audit::{Answer, audit_with};
use super::{Judgement, Verdict, arms};
use crate::evidence::Strength;
use crate::sweep::TestResult;

/// What a whole run of a plan comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Session {
    /// A claim failed.
    Fail,
    /// Every scenario passed, and nothing about how it passed is of concern.
    Done,
    /// Every claim was tried by a scenario that passed; some scenario did not, or is of concern.
    DoneWithConcerns,
    /// Some claim was not tried by any scenario that passed.
    Inconclusive,
    /// Nothing could be run.
    Blocked,
}

impl fmt::Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Session::Fail => "FAIL",
            Session::Done => "DONE",
            Session::DoneWithConcerns => "DONE_WITH_CONCERNS",
            Session::Inconclusive => "INCONCLUSIVE",
            Session::Blocked => "BLOCKED",
        })
    }
}

/// A scenario as a session sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing<'a> {
    /// Its id.
    pub id: &'a str,
    /// The claims it could falsify.
    pub claims: Vec<&'a str>,
    /// What it came to, its arms together.
    pub verdict: Verdict,
    /// Whether the plan accepts that.
    pub allowed: bool,
    /// Answers of the audit that are of concern.
    pub concerns: usize,
}

/// The session's verdict and why, from its scenarios in any order.
#[must_use]
pub fn session(scenarios: &[Standing<'_>]) -> (Session, String) {
    let ids = |wanted: &dyn Fn(&Standing<'_>) -> bool| -> Vec<&str> {
        let mut ids: Vec<&str> = scenarios
            .iter()
            .filter(|s| wanted(s))
            .map(|s| s.id)
            .collect();
        ids.sort_unstable();
        ids
    };
    let failed = ids(&|s| s.verdict.is_fail());
    if !failed.is_empty() {
        return (Session::Fail, format!("failed: {}", failed.join(", ")));
    }
    let stuck = [Verdict::NotRun, Verdict::InconclusiveEnv];
    if scenarios.iter().all(|s| stuck.contains(&s.verdict)) {
        return (Session::Blocked, "no scenario could be run".to_owned());
    }
    let mut tried: BTreeMap<&str, bool> = BTreeMap::new();
    for scenario in scenarios {
        for claim in &scenario.claims {
            *tried.entry(claim).or_default() |= scenario.verdict.is_pass() || scenario.allowed;
        }
    }
    let open: Vec<&str> = tried
        .iter()
        .filter(|(_, shown)| !**shown)
        .map(|(claim, _)| *claim)
        .collect();
    let passed = scenarios.iter().any(|s| s.verdict.is_pass());
    if !open.is_empty() || !passed {
        let open = if open.is_empty() {
            "no scenario passed".to_owned()
        } else {
            format!("not shown: {}", open.join(", "))
        };
        return (Session::Inconclusive, open);
    }
    let short = ids(&|s| !s.verdict.is_pass());
    let concerned = ids(&|s| s.verdict.is_pass() && s.concerns > 0);
    if short.is_empty() && concerned.is_empty() {
        return (
            Session::Done,
            format!("{} scenarios passed", scenarios.len()),
        );
    }
    let mut why = Vec::new();
    if !short.is_empty() {
        why.push(format!("did not pass: {}", short.join(", ")));
    }
    if !concerned.is_empty() {
        why.push(format!("passed with concerns: {}", concerned.join(", ")));
    }
    (Session::DoneWithConcerns, why.join("; "))
}

/// A plan after a run: its session, and its scenarios with their arms together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlanSession {
    /// The plan's path, from its package.
    pub plan: String,
    /// What the run comes to.
    pub session: Session,
    /// Why.
    pub reason: String,
    /// Scenario by scenario, in the order of the results: id, verdict, reason.
    pub scenarios: Vec<ScenarioVerdict>,
}

/// A scenario after a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ScenarioVerdict {
    /// `S5`.
    pub id: String,
    /// Its verdict, that of its arms together.
    pub verdict: Verdict,
    /// Why.
    pub reason: String,
    /// Questions of the audit answered with no.
    pub concerns: Vec<String>,
}

/// A test's result, and how strong its oracles are, where that was found out.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    /// The result.
    pub result: &'a TestResult,
    /// Of each checker whose strength is known.
    pub strength: &'a [Strength],
}

/// The sessions of the plans that results belong to, in the order in which they first occur.
#[must_use]
pub fn sessions(results: &[Told<'_>]) -> Vec<PlanSession> {
    let mut plans: Vec<&str> = Vec::new();
    for plan in results
        .iter()
        .filter_map(|told| told.result.test.plan.as_deref())
    {
        if !plans.contains(&plan) {
            plans.push(plan);
        }
    }
    plans
        .into_iter()
        .map(|plan| of_plan(plan, results))
        .collect()
}

fn of_plan(plan: &str, results: &[Told<'_>]) -> PlanSession {
    let mine = results
        .iter()
        .filter(|told| told.result.test.plan.as_deref() == Some(plan));
    // By scenario: its arms, or itself.
    let mut groups: Vec<(&str, Vec<Told<'_>>)> = Vec::new();
    for told in mine {
        let id = told.result.test.id.as_deref().unwrap_or_default();
        let whole = id.split('/').next().unwrap_or(id);
        match groups.iter_mut().find(|(known, _)| *known == whole) {
            Some((_, group)) => group.push(*told),
            None => groups.push((whole, vec![*told])),
        }
    }
    let mut scenarios = Vec::new();
    let mut standings = Vec::new();
    for (id, group) in &groups {
        let arms: Vec<(&str, Judgement)> = group
            .iter()
            .map(|told| {
                let name = told.result.test.id.as_deref().unwrap_or_default();
                (name, told.result.judgement.clone())
            })
            .collect();
        let judged = match arms.as_slice() {
            [(name, judgement)] if name == id => judgement.clone(),
            arms => arms::together(arms),
        };
        let compiled = || {
            group
                .iter()
                .filter_map(|told| told.result.test.scenario.as_ref())
        };
        let mut claims: Vec<&str> = compiled()
            .flat_map(|scenario| scenario.falsifies.iter().map(|claim| claim.id.as_str()))
            .collect();
        claims.sort_unstable();
        claims.dedup();
        let allow = |scenario: &Scenario| {
            let name = judged.verdict.name();
            scenario.allow.iter().any(|allowed| allowed == name)
        };
        let concerns: Vec<String> = group.iter().flat_map(concerns_of).collect();
        standings.push(Standing {
            id,
            claims,
            verdict: judged.verdict,
            allowed: compiled().any(allow),
            concerns: concerns.len(),
        });
        scenarios.push(ScenarioVerdict {
            id: (*id).to_owned(),
            verdict: judged.verdict,
            reason: judged.reason,
            concerns,
        });
    }
    let (session, reason) = session(&standings);
    PlanSession {
        plan: plan.to_owned(),
        session,
        reason,
        scenarios,
    }
}

/// What is of concern about a test that passed.
fn concerns_of(told: &Told<'_>) -> Vec<String> {
    let result = told.result;
    let Some(scenario) = &result.test.scenario else {
        return Vec::new();
    };
    if !result.judgement.verdict.is_pass() {
        return Vec::new();
    }
    let questions = audit_with(scenario, &result.tally, told.strength).into_iter();
    questions
        .filter(|question| question.answer == Answer::No)
        .map(|question| format!("{} {}", question.asked, question.evidence))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(claims: Vec<&str>, verdict: Verdict, concerns: usize) -> Standing<'_> {
        Standing {
            id: "S1",
            claims,
            verdict,
            allowed: false,
            concerns,
        }
    }

    /// Every pair of verdicts, about one claim and about two, with and without a concern.
    #[test]
    fn every_pair_is_what_the_rule_says() {
        let stuck = |v| matches!(v, Verdict::NotRun | Verdict::InconclusiveEnv);
        for a in Verdict::ALL {
            for b in Verdict::ALL {
                for (same, concerns) in [(true, 0), (true, 1), (false, 0), (false, 1)] {
                    let other = if same { vec!["C1"] } else { vec!["C2"] };
                    let scenarios = [standing(vec!["C1"], a, concerns), standing(other, b, 0)];
                    let passes = usize::from(a.is_pass()) + usize::from(b.is_pass());
                    let expected = if a.is_fail() || b.is_fail() {
                        Session::Fail
                    } else if stuck(a) && stuck(b) {
                        Session::Blocked
                    } else if passes == 0 || passes == 1 && !same {
                        Session::Inconclusive
                    } else if passes == 2 && concerns == 0 {
                        Session::Done
                    } else {
                        Session::DoneWithConcerns
                    };
                    let (found, why) = session(&scenarios);
                    // A concern about a scenario that did not pass adds nothing.
                    assert_eq!(found, expected, "{a}, {b}, {same}, {concerns}: {why}");
                    let mut back = scenarios.to_vec();
                    back.reverse();
                    assert_eq!(session(&back), (found, why));
                }
            }
        }
        assert_eq!(session(&[]).0, Session::Blocked);
    }

    #[test]
    fn what_the_plan_accepts_shows_its_claim() {
        let mut partial = standing(vec!["C2"], Verdict::PartialModel, 0);
        let pass = standing(vec!["C1"], Verdict::PassHardening, 0);
        assert_eq!(
            session(&[pass.clone(), partial.clone()]).0,
            Session::Inconclusive
        );
        partial.allowed = true;
        assert_eq!(session(&[pass, partial]).0, Session::DoneWithConcerns);
    }
}

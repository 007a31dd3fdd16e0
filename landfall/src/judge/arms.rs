//! The arms of a scenario, together: what may be believed of it on all of its surfaces.

use super::{Judgement, Verdict};

/// Goes down the tree for a scenario whose arms were judged, each by itself.
///
/// A failing arm fails the scenario. An arm that was not run, or is partial or inconclusive, leaves
/// a surface unshown: beside arms that passed the scenario is PARTIAL-surface; where none passed,
/// it is what the arms are, first to last. No arm at all is NOT-RUN.
#[must_use]
pub fn together(arms: &[(&str, Judgement)]) -> Judgement {
    let say = |verdict, reason: String| Judgement { verdict, reason };
    let named = |wanted: &dyn Fn(Verdict) -> bool| -> Vec<String> {
        let found = arms.iter().filter(|(_, judged)| wanted(judged.verdict));
        found
            .map(|(name, judged)| format!("{name} {}", judged.verdict))
            .collect()
    };
    for verdict in [Verdict::FailReproducible, Verdict::FailNondeterministic] {
        if let Some((name, judged)) = arms.iter().find(|(_, judged)| judged.verdict == verdict) {
            return say(verdict, format!("arm {name}: {}", judged.reason));
        }
    }
    let short = named(&|verdict| !verdict.is_pass());
    let passed = arms.len() - short.len();
    if passed == 0 {
        return match arms.first() {
            None => say(Verdict::NotRun, "no arm was run".to_owned()),
            Some((name, judged)) => say(judged.verdict, format!("arm {name}: {}", judged.reason)),
        };
    }
    if !short.is_empty() {
        let all = arms.len();
        let reason = format!("{passed} of {all} arms passed; {}", short.join(", "));
        return say(Verdict::PartialSurface, reason);
    }
    let smoke = named(&|verdict| verdict == Verdict::PassSmoke);
    match smoke.is_empty() {
        true => say(Verdict::PassHardening, format!("all {passed} arms")),
        false => say(
            Verdict::PassSmoke,
            format!("all {passed} arms; {}", smoke.join(", ")),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(verdicts: &[Verdict]) -> Verdict {
        let reason = || "because".to_owned();
        let arms: Vec<(&str, Judgement)> = verdicts
            .iter()
            .map(|verdict| {
                let judgement = Judgement {
                    verdict: *verdict,
                    reason: reason(),
                };
                ("api", judgement)
            })
            .collect();
        together(&arms).verdict
    }

    /// Every pair of verdicts, in both orders.
    #[test]
    fn every_pair_is_what_the_rule_says() {
        for a in Verdict::ALL {
            assert_eq!(judged(&[a]), a, "an arm alone is the scenario");
            for b in Verdict::ALL {
                let expected = match (a, b) {
                    _ if a == Verdict::FailReproducible || b == Verdict::FailReproducible => {
                        Verdict::FailReproducible
                    }
                    _ if a.is_fail() || b.is_fail() => Verdict::FailNondeterministic,
                    _ if a.is_pass() && b.is_pass() => a.min(b),
                    _ if a.is_pass() || b.is_pass() => Verdict::PartialSurface,
                    _ => a,
                };
                assert_eq!(judged(&[a, b]), expected, "{a} and {b}");
            }
        }
        assert_eq!(judged(&[]), Verdict::NotRun);
    }
}

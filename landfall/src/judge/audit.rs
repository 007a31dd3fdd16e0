//! The green-but-broken audit: questions that a passing scenario must be able to answer, answered
//! from what was counted.

use plan_compiler::scenario::{Direction, FaultKind, RATE_DEFAULT, Scenario};
use serde::{Deserialize, Serialize};

use crate::evidence::Strength;
use crate::render::counted;
use crate::tally::Tally;

/// One question of the audit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// What is asked.
    pub asked: String,
    /// The answer.
    pub answer: Answer,
    /// What it rests on.
    pub evidence: String,
}

/// An answer of the audit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// It is as it should be.
    Yes,
    /// It is not: the pass is of concern.
    No,
    /// The question does not arise here.
    NotAsked,
}

/// Answers every question about a scenario's seeds.
#[must_use]
pub fn audit(scenario: &Scenario, tally: &Tally) -> Vec<Question> {
    let mut questions = vec![
        load(scenario, tally),
        length(scenario, tally),
        oracles(scenario, tally),
        faults(scenario, tally),
        quiet(tally),
        recovery(scenario, tally),
        seeds(tally),
        topologies(scenario),
        asymmetric(scenario),
        repeatable(tally),
        clock(),
        baseline(scenario),
    ];
    questions.extend(criteria(scenario, tally));
    questions
}

/// The same, and whether the oracles are strong: of the mutants of a passing history that each
/// of them saw, how many it caught.
#[must_use]
pub fn audit_with(scenario: &Scenario, tally: &Tally, strength: &[Strength]) -> Vec<Question> {
    let mut questions = audit(scenario, tally);
    questions.extend(strength.iter().map(oracle));
    questions
}

/// The least share of mutants that an oracle must catch.
pub const CAUGHT_PERCENT_MIN: u64 = 80;

fn oracle(strength: &Strength) -> Question {
    let asked = format!(
        "Does {} catch {CAUGHT_PERCENT_MIN} % of what is planted in a good history?",
        strength.checker()
    );
    match strength {
        Strength::Scored(score) if score.mutants == 0 => {
            let why = format!("no place for any mutant: {}", score.unused.join(", "));
            question(&asked, false, why)
        }
        Strength::Scored(score) => {
            let good = score.caught * 100 >= score.mutants * CAUGHT_PERCENT_MIN;
            let evidence = format!("{} of {} mutants", score.caught, score.mutants);
            question(&asked, good, evidence)
        }
        Strength::NotScored { why, .. } => not_asked(&asked, why),
    }
}

/// How many answers are of concern.
#[must_use]
pub fn concerns(questions: &[Question]) -> usize {
    let is_no = |question: &&Question| question.answer == Answer::No;
    questions.iter().filter(is_no).count()
}

fn question(asked: &str, good: bool, evidence: String) -> Question {
    let answer = if good { Answer::Yes } else { Answer::No };
    Question {
        asked: asked.to_owned(),
        answer,
        evidence,
    }
}

fn not_asked(asked: &str, why: &str) -> Question {
    Question {
        asked: asked.to_owned(),
        answer: Answer::NotAsked,
        evidence: why.to_owned(),
    }
}

fn issued(tally: &Tally) -> u64 {
    tally.operations.ok + tally.operations.failed + tally.operations.unknown
}

/// Half of the operations that the rate comes to: clients wait for answers, and faults delay them.
fn load(scenario: &Scenario, tally: &Tally) -> Question {
    let workload = &scenario.workload;
    let rate = u128::from(workload.rate_per_client.unwrap_or(RATE_DEFAULT));
    let clients = u128::from(scenario.topology.clients);
    let timed = rate * u128::from(workload.duration_ns) / 1_000_000_000;
    let asked = workload.operations_per_client.map_or(timed, u128::from);
    let each = timed.min(asked) * clients;
    let meant = each * u128::from(tally.seeds);
    let issued = issued(tally);
    let good = u128::from(issued) * 2 >= meant;
    let evidence = format!("{issued} operations were issued, the rate comes to {meant}");
    question("Did the load that was meant run?", good, evidence)
}

fn length(scenario: &Scenario, tally: &Tally) -> Question {
    let meant = u128::from(scenario.workload.duration_ns) * u128::from(tally.seeds);
    let ran = u128::from(tally.virtual_ns);
    let seconds = |ns: u128| ns / 1_000_000_000;
    let evidence = format!(
        "{} s of virtual time, {} s of load",
        seconds(ran),
        seconds(meant)
    );
    question("Did every seed run to its end?", ran >= meant, evidence)
}

fn oracles(scenario: &Scenario, tally: &Tally) -> Question {
    let asked = "Did each oracle consume every operation of every seed that counts?";
    let mut said = Vec::new();
    let mut good = !scenario.checkers.is_empty();
    for spec in &scenario.checkers {
        let name = checkers::name_of(spec);
        match tally.checks.get(name) {
            Some(check) => {
                good &= check.consumed >= check.total && check.total > 0;
                said.push(format!("{name} {} of {}", check.consumed, check.total));
                if let (seeds @ 1.., Some(field)) = (check.weak_seeds, &check.weak) {
                    said.push(format!("nothing of {seeds} that lack {field}"));
                }
                // A bank's checker has nothing to do with what was refused, say.
                let beside = issued(tally).saturating_sub(check.total);
                if beside > 0 {
                    said.push(format!(
                        "to which {beside} others that were issued are nothing"
                    ));
                }
            }
            None => {
                good = false;
                said.push(format!("{name} did not run"));
            }
        }
    }
    question(asked, good, said.join(", "))
}

fn faults(scenario: &Scenario, tally: &Tally) -> Question {
    let asked = "Did each fault land?";
    if scenario.faults.is_empty() {
        return not_asked(asked, "no fault is planned");
    }
    let each = tally.faults.iter();
    let said: Vec<String> = each
        .map(|fault| format!("{} in {}", fault.name, fault.landed))
        .collect();
    let good = tally.faults.len() == scenario.faults.len()
        && tally.faults.iter().all(|fault| fault.landed > 0);
    let seeds = tally.seeds;
    let evidence = format!("{} of {}", said.join(", "), counted(seeds, "seed"));
    question(asked, good, evidence)
}

fn quiet(tally: &Tally) -> Question {
    let asked = "Did no node give up by itself?";
    let evidence = match &tally.exit {
        Some(exit) => format!("{} times, such as: {exit}", tally.exits),
        None => "none did, and no panic went unnoticed".to_owned(),
    };
    question(asked, tally.exits == 0, evidence)
}

fn recovery(scenario: &Scenario, tally: &Tally) -> Question {
    let asked = "Was service restored after the last fault?";
    if scenario.faults.is_empty() {
        return not_asked(asked, "no fault is planned");
    }
    let progress = tally.checks.get("progress");
    match progress {
        Some(check) if check.violations == 0 => question(
            asked,
            true,
            format!("progress held in {}", counted(check.seeds, "seed")),
        ),
        Some(check) => {
            let evidence = format!(
                "progress was missed in {}",
                counted(check.violations, "seed")
            );
            question(asked, false, evidence)
        }
        // The run ends with a read of every key by a client of its own.
        None => {
            let ok = tally.operations.ok;
            let evidence = format!("{ok} operations were acknowledged, the last reads among them");
            question(asked, ok >= tally.seeds, evidence)
        }
    }
}

fn seeds(tally: &Tally) -> Question {
    let good = tally.seeds >= super::SEEDS_MIN;
    question(
        "Were there three seeds at least?",
        good,
        tally.seeds.to_string(),
    )
}

/// Words by which a claim is about systems of more than one size.
const ANY_SIZE: [&str; 6] = [
    "any number of",
    "any cluster",
    "any size",
    "every size",
    "however many",
    "any topology",
];

fn topologies(scenario: &Scenario) -> Question {
    let asked = "Were there two topologies at least, where a claim is about any?";
    let topology = &scenario.topology;
    let range = |least: u32, most: Option<u32>| match most {
        Some(most) => format!("{least} to {most}"),
        None => least.to_string(),
    };
    let ran = format!(
        "{} servers, {} clients",
        range(topology.nodes, topology.nodes_max),
        range(topology.clients, topology.clients_max)
    );
    let is_of_any = scenario.falsifies.iter().any(|claim| {
        let text = claim.text.to_lowercase();
        ANY_SIZE.iter().any(|words| text.contains(words))
    });
    let several = topology.nodes_max.is_some() || topology.clients_max.is_some();
    match is_of_any || several {
        true => question(asked, several, ran),
        false => not_asked(asked, &format!("no claim is about any size; {ran}")),
    }
}

fn clock() -> Question {
    let asked = "Are times those of a clock that only goes forward?";
    let evidence = "virtual time, which no fault of a node's clocks moves";
    question(asked, true, evidence.to_owned())
}

fn baseline(scenario: &Scenario) -> Question {
    let asked = "Is the baseline that a claim compares with a fair one?";
    let compares = |claim: &plan_compiler::scenario::Claim| {
        let text = claim.text.to_lowercase();
        [
            "baseline",
            "compared with",
            "compared to",
            "than before",
            "regress",
        ]
        .iter()
        .any(|word| text.contains(word))
    };
    match scenario.falsifies.iter().any(compares) {
        true => question(
            asked,
            false,
            "no run of what is compared with is made".to_owned(),
        ),
        false => not_asked(
            asked,
            "no claim compares; each fault is held against the same seed without it",
        ),
    }
}

fn asymmetric(scenario: &Scenario) -> Question {
    let asked = "Is a partition that cuts one way among the partitions?";
    let cuts = scenario.faults.iter().filter_map(|fault| match fault.kind {
        FaultKind::Partition { direction, .. } => Some(direction != Direction::Both),
        FaultKind::Split { one_way, .. } => Some(one_way),
        _ => None,
    });
    let cuts: Vec<bool> = cuts.collect();
    if cuts.is_empty() {
        return not_asked(asked, "no partition is planned");
    }
    let one_way = cuts.iter().filter(|one_way| **one_way).count();
    let evidence = format!("{one_way} of {} partitions", cuts.len());
    question(asked, one_way > 0, evidence)
}

fn repeatable(tally: &Tally) -> Question {
    let asked = "Are two runs of a seed one run?";
    if tally.compared == 0 {
        return not_asked(asked, "no seed was run twice");
    }
    let (differing, compared, all) = (tally.differing, tally.compared, tally.seeds);
    let evidence =
        format!("{differing} differ, of {compared} that were run twice, of {all} in all");
    question(asked, tally.differing == 0, evidence)
}

/// What the plan's exit criteria ask for, and what was reached.
#[must_use]
pub fn criteria(scenario: &Scenario, tally: &Tally) -> Vec<Question> {
    let exit = &scenario.exit;
    let mut found = Vec::new();
    let ok = tally.operations.ok;
    if let Some(least) = exit.acknowledged_min {
        let asked = format!("Were {least} operations acknowledged, as the exit criteria ask?");
        found.push(question(&asked, ok >= least, ok.to_string()));
    }
    if let Some(least) = exit.virtual_ns_min {
        let asked = format!("Was there {} s of virtual time?", least / 1_000_000_000);
        let ran = format!("{} s", tally.virtual_ns / 1_000_000_000);
        found.push(question(&asked, tally.virtual_ns >= least, ran));
    }
    if let Some(least) = exit.acknowledged_percent_min {
        let asked = format!("Were {least} % of operations acknowledged?");
        let issued = issued(tally);
        let good = u128::from(ok) * 100 >= u128::from(issued) * u128::from(least);
        found.push(question(&asked, good, format!("{ok} of {issued}")));
    }
    found
}

//! What was judged, as it is told: anomalies by name, with sentences.

use std::collections::BTreeMap;

use super::analysis::{Analysis, Anomaly, Link, Verdict, extremes};
use super::anomaly::Name;
use super::cycles;
use super::decide::Cycle;
use super::explain::because;
use super::facts::Facts;
use super::graph::{Edge, FOLLOWS, Kinds, PROCESS, PRW, PWR, REALTIME, RW, WR, WW};
use super::judged::{Judged, Known};
use super::levels::{Level, Order};
use super::transactions::Transactions;

/// How many anomalies of a name are told.
const TOLD_MAX: u64 = 4;

/// The name of a kind of edge.
fn kind_name(kind: Kinds) -> &'static str {
    match kind {
        WW | FOLLOWS => "ww",
        WR => "wr",
        RW => "rw",
        PWR => "pwr",
        PRW => "prw",
        PROCESS => "process",
        REALTIME => "realtime",
        _ => "other",
    }
}

impl Judged {
    pub(super) fn told(&self, all: &Transactions<'_>, facts: &Facts<'_>) -> Analysis {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for (kind, count) in &facts.plain.counts {
            *counts.entry(kind.name().to_owned()).or_insert(0) += *count;
        }
        // What proves each: a cycle, or what is none.
        let mut proofs: Vec<(Name, Known)> = Vec::new();
        for (place, plain) in facts.plain.told.iter().enumerate() {
            let (order, kind) = (Order::None, plain.kind);
            proofs.push((Name { order, kind }, Known::Plain(place)));
        }
        let mut named: BTreeMap<Name, Vec<usize>> = BTreeMap::new();
        let of_cycles = self.cycles.iter().enumerate();
        let of_cycles = of_cycles.filter(|(place, _)| !self.guessed.contains_key(place));
        let of_cycles = of_cycles.flat_map(|(place, cycle)| {
            cycles::names(cycle, facts)
                .into_iter()
                .map(move |name| (name, place))
        });
        let guessed = self.guessed.iter().map(|(place, name)| (*name, *place));
        for (name, place) in self.named.iter().copied().chain(guessed).chain(of_cycles) {
            let places = named.entry(name).or_default();
            if !places.contains(&place) {
                places.push(place);
            }
        }
        let needed = |place: usize| self.levels.iter().any(|(_, k)| *k == Known::Cycle(place));
        for (name, mut places) in named {
            counts.insert(name.to_string(), places.len() as u64);
            places.sort_by_key(|place| (self.cycles[*place].len(), *place));
            for (at, place) in (0..).zip(places) {
                if at < TOLD_MAX || needed(place) {
                    proofs.push((name, Known::Cycle(place)));
                }
            }
        }
        proofs.sort_by_key(|(name, _)| *name);
        // Of the names that a cycle has, the one that says most.
        let place_of = |known: &Known| {
            let of = proofs.iter().enumerate();
            let of = of.filter(|(_, (_, proof))| proof == known);
            of.min_by_key(|(place, (name, _))| (name.kind.vagueness(), *place))
                .map(|(place, _)| place)
        };
        let levels = self.levels.iter().map(|(level, known)| {
            let verdict = match known {
                Known::Holds if facts.untold > 0 => Verdict::Unknown {
                    why: format!(
                        "{} writes are of values that others wrote as well",
                        facts.untold
                    ),
                },
                Known::Holds => Verdict::Holds,
                Known::Plain(_) | Known::Cycle(_) => Verdict::Fails {
                    anomaly: place_of(known).unwrap_or(0),
                },
                Known::Skipped => Verdict::Unknown {
                    why: "it was not asked for".to_owned(),
                },
                Known::Open | Known::Unknown => Verdict::Unknown {
                    why: "the steps of the budget did not suffice".to_owned(),
                },
            };
            (*level, verdict)
        });
        let levels: Vec<(Level, Verdict)> = levels.collect();
        let (holds, fails) = extremes(&levels);
        let taking_part = facts.takes_part.iter().filter(|part| **part).count();
        Analysis {
            anomalies: proofs
                .iter()
                .map(|(name, proof)| self.anomaly(all, facts, *name, proof))
                .collect(),
            counts,
            holds,
            fails,
            levels,
            transactions: taking_part as u64,
            assumptions: facts.assumptions.clone(),
        }
    }

    fn anomaly(
        &self,
        all: &Transactions<'_>,
        facts: &Facts<'_>,
        name: Name,
        proof: &Known,
    ) -> Anomaly {
        let id = |txn: u32| all.op(txn).op_id;
        match proof {
            Known::Plain(place) => {
                let plain = &facts.plain.told[*place];
                let ops = plain.txns.iter().filter(|txn| **txn < all.len());
                Anomaly {
                    name: name.to_string(),
                    message: plain.message.clone(),
                    key: plain.key.cloned(),
                    ops: ops.map(|txn| id(*txn)).collect(),
                    cycle: Vec::new(),
                    guessed: false,
                }
            }
            Known::Cycle(place) => {
                let cycle = &self.cycles[*place];
                let links = links(all, facts, cycle);
                Anomaly {
                    name: name.to_string(),
                    message: match self.guessed.contains_key(place) {
                        true => format!(
                            "every order of the versions that were not read has a cycle; in one \
                             of them, {}",
                            sentence(&links)
                        ),
                        false => sentence(&links),
                    },
                    key: None,
                    ops: cycle.iter().map(|edge| id(edge.from)).collect(),
                    cycle: links,
                    guessed: self.guessed.contains_key(place),
                }
            }
            _ => unreachable!("only failures have proofs"),
        }
    }
}

/// A cycle as it is told.
pub(super) fn links(all: &Transactions<'_>, facts: &Facts<'_>, cycle: &Cycle) -> Vec<Link> {
    let count = cycle.len();
    let named = |at: usize| format!("T{}", at % count + 1);
    let link = |(at, edge): (usize, &Edge)| {
        let (from, to) = (named(at), named(at + 1));
        let version = facts.key.get(edge.why as usize).map(|key| (*key, edge.why));
        Link {
            from: all.op(edge.from).op_id,
            to: all.op(edge.to).op_id,
            kind: kind_name(edge.kind).to_owned(),
            key: version.map(|(key, _)| all.keys[key as usize].clone()),
            value: version.map(|(_, version)| facts.value[version as usize].clone()),
            because: because(all, facts, edge, (&from, &to)),
        }
    };
    cycle.iter().enumerate().map(link).collect()
}

/// A cycle as sentences.
fn sentence(links: &[Link]) -> String {
    use std::fmt::Write as _;
    let mut text = String::from("let");
    for (at, link) in links.iter().enumerate() {
        let comma = if at > 0 { "," } else { "" };
        let _ = write!(text, "{comma} T{} = #{}", at + 1, link.from);
    }
    for (at, link) in links.iter().enumerate() {
        let last = at + 1 == links.len();
        let next = if last { 1 } else { at + 2 };
        let however = if last { "; however, " } else { "; " };
        let _ = write!(
            text,
            "{however}T{} < T{next}, because {}",
            at + 1,
            link.because
        );
    }
    text.push_str(": a contradiction");
    text
}

//! Sentences: why one transaction comes before another.

use super::facts::Facts;
use super::graph::{Edge, PROCESS, PRW, PWR, REALTIME, RW, WR};
use super::transactions::{Access, NONE, Transactions};
use crate::history::Millis;
use crate::value::Brief;

/// Why the second transaction of an edge comes after the first.
pub(super) fn because(
    all: &Transactions<'_>,
    facts: &Facts<'_>,
    edge: &Edge,
    names: (&str, &str),
) -> String {
    let (from, to) = names;
    match edge.kind {
        PROCESS => {
            let process = all.op(edge.from).process_id;
            format!("process {process} did {from} before {to}")
        }
        REALTIME => {
            let (first, second) = (all.op(edge.from), all.op(edge.to));
            let ended = Millis(first.complete_ts.unwrap_or(first.invoke_ts));
            let began = Millis(second.invoke_ts);
            format!("{from} ended at {ended} ms, before {to} began at {began} ms")
        }
        _ if edge.why == NONE => format!("{from} missed what {to} wrote"),
        kind => {
            let key = facts.key[edge.why as usize];
            let name = all.keys[key as usize];
            let value = Brief(facts.value[edge.why as usize]);
            let (verb, did) = match access_of(all, facts, edge.why) {
                Access::Append => ("append of", "added"),
                _ => ("write of", "wrote"),
            };
            let dead = facts.is_dead(edge.why);
            match kind {
                PWR if dead => format!("{from} deleted {name}, so that {to} did not find it"),
                PWR => format!("{from} {did} {value} in {name}, so that {to} did not find it"),
                PRW if dead => {
                    format!("{from} looked for what {name} was not, before {to} deleted it")
                }
                PRW => format!(
                    "{from} looked for what {name} became when {to} {did} {value}, and did not \
                     find it"
                ),
                WR => format!("{from} {did} {value} in {name}, which {to} read"),
                RW => {
                    let read = seen(facts, edge);
                    let read = read.map_or_else(
                        || "an older version".to_owned(),
                        |version| match facts.first[key as usize] == version {
                            true => "the initial version".to_owned(),
                            false => {
                                format!("the version of {}", Brief(facts.value[version as usize]))
                            }
                        },
                    );
                    format!("{from} read {name} at {read}, before the {verb} {value} by {to}")
                }
                _ => match previous(facts, edge) {
                    Some(version) => {
                        let old = Brief(facts.value[version as usize]);
                        format!("{from} {did} {old} in {name}, and {to} {did} {value} after it")
                    }
                    None => format!("{to} {did} {value} in {name} after {from} had written there"),
                },
            }
        }
    }
}

/// The version that an anti-dependency's transaction read.
fn seen(facts: &Facts<'_>, edge: &Edge) -> Option<u32> {
    let mut reads = facts.reads.of(edge.from).iter().rev();
    let read = reads.find(|read| facts.precedes(read.version, edge.why));
    read.map(|read| read.version)
}

/// The version that a write dependency's first transaction wrote.
fn previous(facts: &Facts<'_>, edge: &Edge) -> Option<u32> {
    let mut writes = facts.writes.of(edge.from).iter().rev();
    let write = writes.find(|write| facts.precedes(write.version, edge.why));
    write.map(|write| write.version)
}

/// How a version was made.
fn access_of(all: &Transactions<'_>, facts: &Facts<'_>, version: u32) -> Access {
    let writer = facts.writer[version as usize];
    if writer == NONE {
        return Access::Write;
    }
    let writes = facts.writes.of(writer).iter();
    let mut of = writes.filter(|write| write.version == version);
    let step = of.next().map(|write| write.step as usize);
    step.map_or(Access::Write, |step| all.steps(writer)[step].access)
}

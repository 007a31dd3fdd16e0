//! Orders of versions that follow from what is taken for granted, not from the history alone.

use std::collections::BTreeMap;

use super::anomaly::{Kind, Plains};
use super::facts::Facts;
use super::graph::{Edge, Graph, WW};
use super::options::Assumption;
use super::saturate::Pair;
use super::transactions::{NONE, Status, Transactions};
use crate::value::Brief;

/// How a transaction meets an object: by which version first, and which one it leaves.
#[derive(Clone, Copy)]
struct Met {
    txn: u32,
    key: u32,
    first: u32,
    last: u32,
}

/// Adds what follows from the assumptions to what is certain; complains of versions that would
/// come before themselves. Cost: n log n in reads and writes.
pub(super) fn apply<'h>(
    all: &Transactions<'h>,
    facts: &mut Facts<'h>,
    assumptions: &[Assumption],
    plain: &mut Plains<'h>,
) {
    if assumptions.is_empty() {
        return;
    }
    let met = met(all, facts);
    let mut pairs: Vec<Pair> = Vec::new();
    for assumption in assumptions {
        let before = pairs.len();
        match assumption {
            Assumption::WritesFollowReads => follow(facts, &mut pairs),
            Assumption::SequentialKeys => sequential(all, &met, &mut pairs),
            Assumption::LinearizableKeys => linearizable(all, &met, facts, &mut pairs),
        }
        let count = pairs.len() - before;
        facts
            .assumptions
            .push(format!("{}: {count} pairs of versions", assumption.name()));
    }
    pairs.sort_unstable();
    pairs.dedup();
    facts
        .follows
        .retain(|pair| pairs.binary_search(pair).is_err());
    pairs.retain(|(first, second)| first != second && !facts.precedes(*first, *second));
    let circles = circles(facts, &pairs);
    for circle in &circles {
        let version = circle[0];
        let name = all.keys[facts.key[version as usize] as usize];
        let txns = circle.iter().map(|version| facts.writer[*version as usize]);
        let txns: Vec<u32> = txns.filter(|txn| *txn != NONE).collect();
        plain.add(Kind::AssumedVersions, Some(name), &txns, || {
            let value = Brief(facts.value[version as usize]);
            format!("by what is assumed, the version of {value} in {name} comes before itself")
        });
    }
    let mut place = vec![NONE; facts.key.len()];
    for (number, circle) in (0..).zip(&circles) {
        for version in circle {
            place[*version as usize] = number;
        }
    }
    pairs.retain(|(first, second)| {
        let of = place[*first as usize];
        (of == NONE || of != place[*second as usize]) && !facts.precedes(*second, *first)
    });
    facts.before.extend(pairs);
    facts.before.sort_unstable();
    facts.before.dedup();
}

/// The sets of versions of an object that come before each other.
fn circles(facts: &Facts<'_>, pairs: &[Pair]) -> Vec<Vec<u32>> {
    let edge = |(from, to): (u32, u32)| Edge {
        from,
        to,
        kind: WW,
        why: NONE,
    };
    let mut edges: Vec<Edge> = pairs
        .iter()
        .chain(&facts.before)
        .copied()
        .map(edge)
        .collect();
    for key in 0..facts.ordered.len() as u32 {
        let chain = facts.chain(key);
        let loose = facts.loose(key);
        let last = chain.end - 1;
        edges.extend(
            chain
                .clone()
                .skip(1)
                .map(|version| edge((version - 1, version))),
        );
        edges.extend(loose.map(|version| edge((last, version))));
    }
    let nodes = facts.key.len() as u32;
    Graph::new(nodes, nodes, &edges).components(WW)
}

/// By transaction and object, what it met, in the order of transactions.
fn met(all: &Transactions<'_>, facts: &Facts<'_>) -> Vec<Met> {
    let midway = overwritten(facts);
    let mut met = Vec::new();
    for txn in (0..all.len()).filter(|txn| facts.takes_part[*txn as usize]) {
        let start = met.len();
        let reads = facts.reads.of(txn).iter();
        let reads = reads.filter(|read| !midway[read.version as usize]);
        let reads = reads.map(|touch| (touch, false));
        let writes = facts.writes.of(txn).iter().map(|touch| (touch, true));
        let mut touches: Vec<_> = reads.chain(writes).collect();
        touches.sort_by_key(|(touch, _)| touch.step);
        for (touch, writes) in touches {
            let (key, version) = (facts.key[touch.version as usize], touch.version);
            let slot = met[start..]
                .iter_mut()
                .find(|met: &&mut Met| met.key == key);
            match slot {
                None => met.push(Met {
                    txn,
                    key,
                    first: version,
                    last: version,
                }),
                Some(slot) if writes => slot.last = version,
                Some(_) => {}
            }
        }
    }
    met
}

/// By version, whether its own transaction overwrote it: who reads it has an intermediate read, and
/// nothing is taken for granted of these.
fn overwritten(facts: &Facts<'_>) -> Vec<bool> {
    let mut midway = vec![false; facts.key.len()];
    let mut last: Vec<u32> = vec![NONE; facts.ordered.len()];
    for write in facts.writes.all() {
        let before = &mut last[facts.key[write.version as usize] as usize];
        if *before != NONE && facts.writer[*before as usize] == write.txn {
            midway[*before as usize] = true;
        }
        *before = write.version;
    }
    midway
}

/// What a transaction wrote comes after what it had read.
fn follow(facts: &Facts<'_>, pairs: &mut Vec<Pair>) {
    let midway = overwritten(facts);
    for read in facts
        .reads
        .all()
        .iter()
        .filter(|read| !midway[read.version as usize])
    {
        let key = facts.key[read.version as usize];
        let writes = facts.writes.of(read.txn).iter();
        let after = writes.filter(|write| write.step > read.step);
        let of = after.filter(|write| facts.key[write.version as usize] == key);
        pairs.extend(of.map(|write| (read.version, write.version)));
    }
}

/// What a session meets later comes later.
fn sequential(all: &Transactions<'_>, met: &[Met], pairs: &mut Vec<Pair>) {
    let mut left: BTreeMap<(u64, u32), u32> = BTreeMap::new();
    for met in met {
        let place = (all.op(met.txn).process_id, met.key);
        if let Some(before) = left.get(&place) {
            pairs.push((*before, met.first));
        }
        if all.status(met.txn) == Status::Committed {
            left.insert(place, met.last);
        }
    }
}

/// What is met after another transaction ended comes after what that one left.
fn linearizable(all: &Transactions<'_>, met: &[Met], facts: &Facts<'_>, pairs: &mut Vec<Pair>) {
    let mut ended: Vec<Vec<(u64, u64, u32)>> = vec![Vec::new(); facts.ordered.len()];
    for met in met {
        let op = all.op(met.txn);
        let committed = all.status(met.txn) == Status::Committed;
        if let Some(to_ts) = op.complete_ts.filter(|_| committed) {
            ended[met.key as usize].push((to_ts, op.invoke_ts, met.last));
        }
    }
    for ended in &mut ended {
        ended.sort_unstable();
        let mut latest = 0;
        for (_, from_ts, _) in ended {
            latest = latest.max(*from_ts);
            *from_ts = latest;
        }
    }
    for met in met {
        let ended = &ended[met.key as usize];
        let from_ts = all.op(met.txn).invoke_ts;
        let ended = &ended[..ended.partition_point(|(to_ts, ..)| *to_ts < from_ts)];
        let latest = ended.last().map_or(0, |(_, from_ts, _)| *from_ts);
        // None of these ended before another of them began.
        let last = ended
            .iter()
            .rev()
            .take_while(|(to_ts, ..)| *to_ts >= latest);
        pairs.extend(last.map(|(_, _, before)| (*before, met.first)));
    }
}

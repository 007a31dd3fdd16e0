//! What updates say whatever the order of versions: which are lost, and which go in circles.

use rustc_hash::FxHashMap;

use super::anomaly::{Kind, Plains};
use super::facts::{Facts, Own};
use super::transactions::{NONE, Transactions};
use crate::value::Brief;

/// Complains of versions that two transactions read and both replaced. Cost: linear.
pub(super) fn lost<'h>(all: &Transactions<'h>, facts: &Facts<'h>, plain: &mut Plains<'h>) {
    let mut replaced: FxHashMap<u32, u32> = FxHashMap::default();
    let (mut last, mut own) = (None, Own::new());
    for read in facts.reads.all() {
        let key = facts.key[read.version as usize];
        let after = own.after(facts, (read.txn, read.step), key);
        if after.is_empty() || last == Some((read.txn, read.version)) {
            continue;
        }
        last = Some((read.txn, read.version));
        let first = *replaced.entry(read.version).or_insert(read.txn);
        if first != read.txn {
            let name = all.keys[key as usize];
            plain.add(Kind::LostUpdate, Some(name), &[first, read.txn], || {
                let value = match facts.first[key as usize] == read.version {
                    true => "the initial version".to_owned(),
                    false => format!(
                        "the version of {}",
                        Brief(facts.value[read.version as usize])
                    ),
                };
                format!("both read {name} at {value} and wrote it: one update is lost")
            });
        }
    }
}

/// Complains of versions each of which was made of the one before it, in a circle. Cost: linear.
pub(super) fn circles<'h>(all: &Transactions<'h>, facts: &Facts<'h>, plain: &mut Plains<'h>) {
    // By version, the one of which its transaction made it.
    let mut made_of = vec![NONE; facts.key.len()];
    let mut own = Own::new();
    for read in facts.reads.all() {
        let key = facts.key[read.version as usize];
        let after = own.after(facts, (read.txn, read.step), key);
        if let Some((_, write)) = after.first() {
            made_of[write.version as usize] = read.version;
        }
    }
    // On which walk each version was met.
    let mut met = vec![NONE; facts.key.len()];
    for start in 0..facts.key.len() as u32 {
        let mut version = start;
        while version != NONE && met[version as usize] == NONE {
            met[version as usize] = start;
            version = made_of[version as usize];
        }
        if version == NONE || met[version as usize] != start {
            continue;
        }
        let (mut txns, first) = (Vec::new(), version);
        loop {
            txns.push(facts.writer[version as usize]);
            version = made_of[version as usize];
            if version == first {
                break;
            }
        }
        let name = all.keys[facts.key[first as usize] as usize];
        plain.add(Kind::CyclicVersions, Some(name), &txns, || {
            let value = Brief(facts.value[first as usize]);
            format!("the version of {value} in {name} was made of what was made of it")
        });
    }
}

/// Says which versions follow others since their transactions had read those: a fact wherever
/// nothing is read that is not committed, since the other way round there would be a cycle of a
/// read and a write. Cost: linear.
pub(super) fn follow(facts: &mut Facts<'_>) {
    let mut pairs: Vec<(u32, u32)> = Vec::new();
    let mut own = Own::new();
    for read in facts.reads.all() {
        let key = facts.key[read.version as usize];
        for (_, write) in own.after(facts, (read.txn, read.step), key) {
            let pair = (read.version, write.version);
            let loose = !facts.chain(key).contains(&write.version);
            if loose && read.version != write.version && !facts.precedes(pair.0, pair.1) {
                pairs.push(pair);
            }
        }
    }
    pairs.sort_unstable();
    pairs.dedup();
    facts.before.extend(&pairs);
    facts.before.sort_unstable();
    facts.before.dedup();
    facts.follows = pairs;
}

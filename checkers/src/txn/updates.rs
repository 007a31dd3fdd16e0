//! Updates that are lost whatever the order of versions.

use rustc_hash::FxHashMap;

use super::anomaly::{Kind, Plains};
use super::facts::Facts;
use super::transactions::Transactions;
use crate::value::Brief;

/// Complains of versions that two transactions read and both replaced. Cost: linear.
pub(super) fn lost<'h>(all: &Transactions<'h>, facts: &Facts<'h>, plain: &mut Plains<'h>) {
    let mut replaced: FxHashMap<u32, u32> = FxHashMap::default();
    let mut last = None;
    for read in facts.reads.all() {
        let key = facts.key[read.version as usize];
        let writes = facts.writes.of(read.txn).iter();
        let mut after = writes
            .filter(|write| write.step > read.step && facts.key[write.version as usize] == key);
        if after.next().is_none() || last == Some((read.txn, read.version)) {
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

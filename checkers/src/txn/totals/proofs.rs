//! Proofs about totals, and their check.

use std::collections::{BTreeMap, BTreeSet};

use super::super::analysis::Workload;
use super::super::certificate::{self, Certificate};
use super::super::levels::{Base, Level, Order};
use super::super::options::Options;
use super::super::proofs;
use super::counted::{Counted, Read, Seen};
use super::ways::{Made, Ways};
use super::{ASKED, WAYS_MAX};
use crate::history::History;
use crate::report::Budget;
use crate::value::Value;

/// In how many ways totals can have counted that are all refuted one by one.
const EACH_MAX: u64 = 200;

/// A proof that a level holds.
///
/// # Errors
/// The field that a row lacks.
pub(in crate::txn) fn certify(
    history: &History,
    level: Level,
    initial: &Value,
    budget: &Budget,
) -> Result<Option<Certificate>, String> {
    let counted = Counted::of(history, initial)?;
    if let Some(anomaly) = counted.impossible() {
        let holds = !level.implies(forbidden_by(&anomaly.name));
        return Ok(holds.then(|| Certificate::Order(counted.in_time())));
    }
    let one = |seen: &Seen| -> Result<Option<Certificate>, String> {
        let registers = counted.registers(seen);
        let proof = proofs::certify(&registers, Workload::RwRegister, level, budget)?;
        Ok(proof.map(|proof| counted.proof(seen, proof)))
    };
    let ways = Ways::of(&counted)?;
    let orders = Order::ALL.into_iter().rev();
    let asked = orders.flat_map(|order| ASKED.map(|base| Level { base, order }));
    // What satisfies another level may satisfy this one.
    let mut asked: Vec<Level> = asked.collect();
    asked.sort_by_key(|asked| (!asked.implies(level), asked.order != level.order));
    for asked in asked {
        if let Made::Counted(seen) = ways.make(asked, budget.steps_max)
            && let Some(proof) = one(&seen)?
        {
            return Ok(Some(proof));
        }
    }
    for seen in counted.ways(WAYS_MAX).iter().flatten() {
        if let Some(proof) = one(seen)? {
            return Ok(Some(proof));
        }
    }
    Ok(None)
}

/// A proof that a level fails: that no changes come to a total, or one for each way of counting.
///
/// # Errors
/// The field that a row lacks.
pub(in crate::txn) fn refute(
    history: &History,
    level: Level,
    initial: &Value,
    budget: &Budget,
) -> Result<Option<Certificate>, String> {
    let counted = Counted::of(history, initial)?;
    if let Some(anomaly) = counted.impossible() {
        let (name, ops) = (anomaly.name, anomaly.ops);
        let key = anomaly.key.unwrap_or_default();
        let forbids = level.implies(forbidden_by(&name));
        return Ok(forbids.then_some(Certificate::Anomaly { name, key, ops }));
    }
    let Some(ways) = counted.ways(EACH_MAX) else {
        return Ok(None);
    };
    let mut each = Vec::new();
    for seen in &ways {
        let (registers, options) = (counted.registers(seen), Options::default());
        let proof = proofs::refute(&registers, Workload::RwRegister, level, &options, budget)?;
        let Some(proof) = proof else {
            return Ok(None);
        };
        each.push(counted.proof(seen, proof));
    }
    Ok(match each.len() {
        1 => each.pop(),
        _ => Some(Certificate::Each(each)),
    })
}

/// The weakest level that forbids a total that no changes come to.
fn forbidden_by(name: &str) -> Level {
    let base = match name {
        "garbage-read" => Base::ReadUncommitted,
        _ => Base::ReadCommitted,
    };
    let order = Order::None;
    Level { base, order }
}

/// Checks a proof.
///
/// # Errors
/// The first thing that is wrong.
pub(in crate::txn) fn verify(
    history: &History,
    level: Level,
    initial: &Value,
    certificate: &Certificate,
) -> Result<(), String> {
    let counted = Counted::of(history, initial)?;
    match certificate {
        Certificate::Counted { seen, proof } => {
            let seen = counted.seen(seen)?;
            if refutes(proof) && !counted.is_only_way() {
                return Err("totals can have counted otherwise".to_owned());
            }
            let registers = counted.registers(&seen);
            certificate::verify(&registers, Workload::RwRegister, level, proof)
        }
        Certificate::Each(each) => {
            let mut rest: BTreeSet<Seen> = match counted.ways(EACH_MAX) {
                Some(ways) => ways.into_iter().collect(),
                None => return Err("totals can have counted in too many ways".to_owned()),
            };
            for one in each {
                let Certificate::Counted { seen, proof } = one else {
                    return Err("a proof is of no way of counting".to_owned());
                };
                let seen = counted.seen(seen)?;
                if !refutes(proof) {
                    return Err("a proof is of no failure".to_owned());
                }
                let registers = counted.registers(&seen);
                certificate::verify(&registers, Workload::RwRegister, level, proof)?;
                rest.remove(&seen);
            }
            match rest.is_empty() {
                true => Ok(()),
                false => Err(format!("{} ways of counting have no proof", rest.len())),
            }
        }
        Certificate::Anomaly { name, key, ops } => {
            let known = ["garbage-read", "G1a"].contains(&&**name);
            if !known || !level.implies(forbidden_by(name)) {
                return Err(format!("{level} does not forbid {name} of totals"));
            }
            match ops[..] {
                [id] if counted.is_wrong(id, key, name == "garbage-read") => Ok(()),
                _ => Err(format!("{ops:?} show no {name} of {key}")),
            }
        }
        // Where what did not take effect may be counted, every total is of something.
        Certificate::Order(order) if level.base == Base::ReadUncommitted => {
            let mut reads = counted.reads.iter();
            let garbage = |read: &Read<'_>| sets(&counted.parts(read), read.rest) == Some(0);
            match !reads.any(garbage) && counted.is_in_time(order, level.order) {
                true => Ok(()),
                false => Err("a total is of nothing, or the order is another".to_owned()),
            }
        }
        _ => Err("what totals counted is not said".to_owned()),
    }
}

/// Whether a proof is of a failure.
fn refutes(proof: &Certificate) -> bool {
    matches!(
        proof,
        Certificate::Cycle(_) | Certificate::Cases { .. } | Certificate::Anomaly { .. }
    )
}

impl Counted<'_> {
    /// A proof about registers, with what totals counted.
    fn proof(&self, seen: &Seen, proof: Certificate) -> Certificate {
        let ids = |set: &Vec<u32>| set.iter().map(|change| self.by(*change)).collect();
        Certificate::Counted {
            seen: seen.iter().map(ids).collect(),
            proof: Box::new(proof),
        }
    }

    /// What totals are said to have counted, if it comes to them.
    fn seen(&self, said: &[Vec<u64>]) -> Result<Seen, String> {
        if said.len() != self.reads.len() {
            return Err(format!(
                "{} reads of totals are not {}",
                self.reads.len(),
                said.len()
            ));
        }
        let one = |(read, ids): (&Read<'_>, &Vec<u64>)| {
            let of = read
                .of
                .iter()
                .filter(|change| ids.contains(&self.by(**change)));
            let of: Vec<u32> = of.copied().collect();
            let changes = of.iter().map(|change| &self.changes[*change as usize]);
            let total: i128 = changes.map(|change| change.amount).sum();
            match total == read.rest && of.len() == ids.len() {
                true => Ok(of),
                false => Err(format!("what read {} counts does not come to it", read.row)),
            }
        };
        self.reads.iter().zip(said).map(one).collect()
    }

    /// Whether each total counts one set of changes and no other.
    fn is_only_way(&self) -> bool {
        self.reads.iter().all(|read| self.sets_of(read) == Some(1))
    }

    /// Whether a read of an object that a row made shows what no changes come to, whether or not
    /// they took effect if that is asked.
    fn is_wrong(&self, id: u64, key: &Value, at_all: bool) -> bool {
        let mut reads = self.reads.iter().filter(|read| self.is_of(read, id, key));
        reads.any(|read| match at_all {
            true => sets(&self.parts(read), read.rest) == Some(0),
            false => self.sets_of(read) == Some(0),
        })
    }

    /// In how many ways changes come to a total, where there are not too many sums.
    fn sets_of(&self, read: &Read<'_>) -> Option<u64> {
        let of = read
            .of
            .iter()
            .map(|change| self.changes[*change as usize].amount);
        sets(&of.collect::<Vec<_>>(), read.rest)
    }
}

/// In how many ways amounts come to a total, where there are not too many sums.
fn sets(amounts: &[i128], total: i128) -> Option<u64> {
    let mut ways: BTreeMap<i128, u64> = BTreeMap::from([(0, 1)]);
    for amount in amounts {
        for (sum, count) in ways.clone() {
            let more = ways.entry(sum + amount).or_default();
            *more = more.saturating_add(count);
        }
        if ways.len() > 100_000 {
            return None;
        }
    }
    Some(ways.get(&total).copied().unwrap_or(0))
}

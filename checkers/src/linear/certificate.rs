//! Proofs of linearizability, and their check.

use std::collections::BTreeMap;

use super::partition::partitions_of;
use super::search::Ending;
use super::{by_monitor, by_search_of, name_of, settled, verify as playback};
use crate::history::History;
use crate::models::{Builtin, Model as _};
use crate::report::Budget;
use crate::spec::ModelKind;
use crate::value::Value;

/// A proof that the operations on one object are linearizable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The object.
    pub key: Option<Value>,
    /// Ids of the operations that took effect, in an order in which they can have.
    pub order: Vec<u64>,
}

/// A linearization of each object, by key; none when there is none or the budget does not reach.
///
/// [`verify`] checks what it gives. Cost: that of [`crate::check()`].
#[must_use]
pub fn certify(history: &History, kind: ModelKind, budget: &Budget) -> Option<Vec<Certificate>> {
    history.validate().ok()?;
    let kind = settled(history, kind);
    let model = Builtin(kind);
    let partitions = partitions_of(history, Some(kind), 1, |op| model.part(op)).ok()?;
    let mut left = *budget;
    let mut certificates = Vec::with_capacity(partitions.len());
    for partition in &partitions {
        let decision = by_monitor(partition, kind, &mut left)
            .unwrap_or_else(|| by_search_of(partition, kind, &mut left));
        if decision.ending != Ending::Legal {
            return None;
        }
        let order = decision.order.iter();
        let order = order.map(|at| partition.members[*at as usize].op.op_id);
        certificates.push(Certificate {
            key: partition.key.cloned(),
            order: order.collect(),
        });
    }
    Some(certificates)
}

/// Checks certificates: each object has one, which holds every acknowledged operation, none
/// twice, none before one that ended before it began, and plays back with the responses that the
/// history has.
///
/// It shares nothing with the engines but the reading of the history. Cost: n log n for registers
/// and collections; the model's own for others.
///
/// # Errors
/// The first thing that is wrong.
pub fn verify(
    history: &History,
    kind: ModelKind,
    certificates: &[Certificate],
) -> Result<(), String> {
    history.validate()?;
    let kind = settled(history, kind);
    let model = Builtin(kind);
    let partitions = partitions_of(history, Some(kind), 1, |op| model.part(op))?;
    if partitions.len() != certificates.len() {
        return Err("there is not one certificate for each object".to_owned());
    }
    for (partition, certificate) in partitions.iter().zip(certificates) {
        if partition.key != certificate.key.as_ref() {
            return Err(format!("{} has no certificate", name_of(partition)));
        }
        let members = partition.members.iter().zip(0_u32..);
        let places = members.map(|(member, at)| (member.op.op_id, at));
        let places: BTreeMap<u64, u32> = places.collect();
        let order = certificate.order.iter().map(|id| places.get(id).copied());
        let order: Option<Vec<u32>> = order.collect();
        let order = order.ok_or("a certificate names an operation that can not be there")?;
        playback::play(partition, kind, &order)?;
    }
    Ok(())
}

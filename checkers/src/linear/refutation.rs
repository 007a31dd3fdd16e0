//! Proofs that there is no linearization, and their check.

use std::collections::BTreeMap;

use super::defect::{Defect, planted};
use super::frontier::sweep;
use super::partition::{Forgotten, Partition, partitions_of};
use super::search::Ending;
use super::{settled, verify as playback};
use crate::history::{History, Operation};
use crate::models::{Builtin, Model as _};
use crate::report::{Budget, Finding};
use crate::spec::ModelKind;

/// Checks what a violation of linearizability says: that the operations of `minimal` have no
/// order, whatever becomes of the others; that without any one of them there is one, if it is
/// `minimal_proven`; that
/// `legal_prefix` is a linearization, which ends in `state`, of all that ended before the
/// operation of `ops` did; that with it there is none; that the rows are those of the history.
///
/// What has no order is judged by the frontier, which shares no method with the search and the
/// monitors that give findings. The sentences are not looked at. Cost: a judgement of the object
/// for each operation of `minimal`, each within the budget.
///
/// # Errors
/// The first thing that is wrong, or what could not be decided.
pub fn refute(
    history: &History,
    kind: ModelKind,
    finding: &Finding,
    budget: &Budget,
) -> Result<(), String> {
    history.validate()?;
    if finding.anomaly != "not-linearizable" {
        return Err(format!("{} is not about an order", finding.anomaly));
    }
    let kind = settled(history, kind);
    let model = Builtin(kind);
    let partitions = partitions_of(history, Some(kind), 1, |op| model.part(op))?;
    let of = |part: &&Partition<'_>| part.key == finding.key.as_ref();
    let partition = partitions.iter().find(of).ok_or("no such object")?;
    let proof = Proof {
        partition,
        model,
        budget,
        places: (0..)
            .zip(&partition.members)
            .map(|(at, one)| (one.op.op_id, at))
            .collect(),
    };
    proof.rows(finding)?;
    proof.minimal(finding)?;
    proof.prefix(finding)
}

/// A finding's object.
struct Proof<'p, 'a> {
    partition: &'p Partition<'a>,
    model: Builtin,
    budget: &'p Budget,
    places: BTreeMap<u64, u32>,
}

impl Proof<'_, '_> {
    /// The places of operations that took effect for certain.
    fn certain(&self, ids: &[u64]) -> Result<Vec<u32>, String> {
        let place = |id: &u64| {
            let at = self.places.get(id).copied();
            let at = at.filter(|at| self.partition.members[*at as usize].certain);
            at.ok_or_else(|| format!("#{id} did not take effect for certain on this object"))
        };
        ids.iter().map(place).collect()
    }

    fn has_order(&self, partition: &Partition<'_>) -> Result<bool, String> {
        match sweep(partition, &self.model, self.budget).ending {
            Ending::Legal => Ok(true),
            Ending::Illegal => Ok(false),
            _ => Err("it needs more than the budget".to_owned()),
        }
    }

    fn minimal(&self, finding: &Finding) -> Result<(), String> {
        let minimal = &finding.minimal;
        let count = self.partition.members.len();
        let places = self.certain(minimal)?;
        let forgotten = Forgotten::of(count);
        let mut kept = vec![false; count];
        for (at, id) in places.iter().zip(minimal) {
            if std::mem::replace(&mut kept[*at as usize], true) {
                return Err(format!("#{id} is in the minimal set twice"));
            }
        }
        let legal = self.has_order(&self.partition.knowing(&kept, &forgotten))?;
        if legal && !planted(Defect::RefuterTakesLess) {
            return Err("the minimal set has an order".to_owned());
        }
        // Of fewer it is not said that each is needed.
        let each = places
            .iter()
            .zip(minimal)
            .filter(|_| finding.minimal_proven);
        for (at, id) in each {
            kept[*at as usize] = false;
            let needed = self.has_order(&self.partition.knowing(&kept, &forgotten))?;
            if !needed && !planted(Defect::RefuterTakesMore) {
                return Err(format!("the minimal set needs no #{id}"));
            }
            kept[*at as usize] = true;
        }
        Ok(())
    }

    fn prefix(&self, finding: &Finding) -> Result<(), String> {
        let blocked = self.certain(&finding.ops)?;
        let ends = self.partition.ends();
        let place = |at: &u32| ends.iter().position(|end| end == at);
        let first = blocked
            .iter()
            .filter_map(place)
            .min()
            .ok_or("no operation is blocked")?;
        let last = blocked.iter().filter_map(place).max().unwrap_or(first);
        // What was found to have no order has none among what is known then.
        let known = |id: &u64| {
            let place = self.places.get(id).and_then(place);
            place.is_some_and(|place| place <= last)
        };
        let proven = !finding.minimal.is_empty() && finding.minimal.iter().all(known);
        if !proven && self.has_order(&self.partition.until(&ends[..=last]))? {
            return Err("what is blocked has an order".to_owned());
        }
        let known = self.partition.until(&ends[..first]);
        let at = |id: &u64| {
            let members = known.members.iter();
            let at = members.zip(0..).find(|(member, _)| member.op.op_id == *id);
            let unknown = || format!("#{id} can not be in the legal prefix");
            at.map(|(_, at)| at).ok_or_else(unknown)
        };
        let order: Vec<u32> = finding
            .legal_prefix
            .iter()
            .map(at)
            .collect::<Result<_, _>>()?;
        let state = playback::play(&known, self.model.0, &order)?;
        match finding.state.as_ref() == Some(&state) {
            true => Ok(()),
            false => Err(format!("the state after the legal prefix is {state}")),
        }
    }

    fn rows(&self, finding: &Finding) -> Result<(), String> {
        let rows_of = |ids: &[u64]| -> Vec<Operation> {
            let place = |id: &u64| Some(*self.places.get(id)? as usize);
            let places = ids.iter().filter_map(place);
            places
                .map(|at| self.partition.members[at].op.clone())
                .collect()
        };
        let max = Finding::ROWS_MAX;
        let head = |ids: &[u64]| rows_of(&ids[..ids.len().min(max)]);
        let tail = &finding.legal_prefix;
        let tail = rows_of(&tail[tail.len().saturating_sub(max)..]);
        for (name, rows, expected) in [
            ("rows", &finding.rows, head(&finding.ops)),
            (
                "minimal_rows",
                &finding.minimal_rows,
                head(&finding.minimal),
            ),
            ("prefix_tail", &finding.prefix_tail, tail),
        ] {
            if *rows != expected {
                return Err(format!("{name} are not the rows of the history"));
            }
        }
        Ok(())
    }
}

//! Cycles that each suppose an order of some versions: whether every order has one of them.

use std::collections::BTreeSet;

use super::super::levels::{Base, Level};
use super::super::transactions::Access;
use super::cycles::{Index, Later, leads};
use super::{Case, Precedence, Replay};

/// Of an object, by transactions: the first one's version comes before the second's.
type Pair = (u32, u32, u32);

impl<'h> Replay<'h> {
    /// Every order of versions has one of the cycles, each of which the level forbids.
    pub(super) fn cases(
        &self,
        level: Level,
        cases: &[Case],
        excluded: &[Vec<Precedence>],
    ) -> Result<(), String> {
        let index = self.index();
        // Where what is not committed may be read, reads tell nothing of other versions.
        let none = Later::new();
        let made_of = match level.base {
            Base::ReadUncommitted => &none,
            _ => &index.made_of,
        };
        let known_of = [made_of, &index.assumed.later];
        let mut known: Vec<Vec<Pair>> = Vec::new();
        for Case { supposed, cycle } in cases {
            let supposed = self.pairs(supposed, &index)?;
            let mut later = Later::new();
            for (key, first, second) in &supposed {
                later.entry((*key, *first)).or_default().push(*second);
            }
            self.cycle(level, cycle, (&index, &later))?;
            known.push(supposed);
        }
        for (at, set) in excluded.iter().enumerate() {
            let set = self.pairs(set, &index)?;
            if !is_impossible(&set, &known, known_of) {
                return Err(format!("excluded set {at} does not follow"));
            }
            known.push(set);
        }
        match is_impossible(&[], &known, known_of) {
            true => Ok(()),
            false => Err("some order of versions may have none of the cycles".to_owned()),
        }
    }

    /// What is said of versions, if there are such.
    fn pairs(&self, said: &[Precedence], index: &Index<'h>) -> Result<Vec<Pair>, String> {
        let one = |said: &Precedence| {
            let key = self.key(&said.key)?;
            let (first, second) = (self.txn(said.first)?, self.txn(said.second)?);
            for txn in [first, second] {
                let claims = self.claims(key);
                let mut steps = self.all.steps(txn).iter();
                let wrote = steps.any(|step| step.access != Access::Read && claims.changes(step));
                if !wrote || !index.takes_part[txn as usize] {
                    let id = self.all.op(txn).op_id;
                    return Err(format!("#{id} need not have a version of {}", said.key));
                }
            }
            match first == second {
                true => Err("a version comes before itself".to_owned()),
                false => Ok((key, first, second)),
            }
        };
        said.iter().map(one).collect()
    }
}

/// Whether some pairs can not be so together, given sets of which none is: what else follows from
/// sets of which one pair is left is taken to be so, until nothing does.
fn is_impossible(set: &[Pair], known: &[Vec<Pair>], [made_of, assumed]: [&Later; 2]) -> bool {
    let mut later = Later::new();
    let mut taken: BTreeSet<Pair> = BTreeSet::new();
    let mut rest: Vec<Pair> = set.to_vec();
    loop {
        for pair in rest.drain(..) {
            let (key, first, second) = pair;
            if leads(&[made_of, assumed, &later], key, second, first) {
                return true;
            }
            if taken.insert(pair) {
                later.entry((key, first)).or_default().push(second);
            }
        }
        let orders = [made_of, assumed, &later];
        let is_so = |(key, first, second): &Pair| leads(&orders, *key, *first, *second);
        for set in known {
            let mut open = set.iter().filter(|pair| !is_so(pair));
            match (open.next(), open.next()) {
                (None, _) => return true,
                (Some((key, first, second)), None) => {
                    let turned = (*key, *second, *first);
                    if !is_so(&turned) {
                        rest.push(turned);
                    }
                }
                _ => {}
            }
        }
        if rest.is_empty() {
            return false;
        }
    }
}

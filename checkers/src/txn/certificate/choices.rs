//! Proofs for each way in which reads can have seen what they do not show.

use super::super::axioms::Selected;
use super::super::hidden::Place;
use super::super::levels::{Base, Level};
use super::super::predicate::Predicate;
use super::super::transactions::{Access, Status};
use super::cycles::Later;
use super::{Certificate, Replay};
use crate::value::Value;

/// How many ways there may be.
const WAYS_MAX: usize = 2_000;

/// Where something was read that is not told, and whose it can be, none for how it began.
type Open = (Place, Vec<Option<u32>>);

impl Replay<'_> {
    /// A proof that a level fails.
    pub(super) fn fails(&mut self, level: Level, proof: &Certificate) -> Result<(), String> {
        match proof {
            Certificate::Cycle(links) => {
                let nothing = Later::new();
                self.cycle(level, links, (&self.index(), &nothing))
            }
            Certificate::Cases { cases, excluded } => self.cases(level, cases, excluded),
            Certificate::Anomaly { name, key, ops } => self.anomaly(level, name, key, ops),
            Certificate::Each(each) => {
                // Of updates alone, a read by a predicate misses less than at the levels below.
                let below = Base::ALL.into_iter().map(|base| Level { base, ..level });
                let mut below = below.filter(|below| *below != level && level.implies(*below));
                let alone = level.base != Base::UpdateSerializable;
                match !alone && below.any(|below| self.each(below, each).is_ok()) {
                    true => Ok(()),
                    false => self.each(level, each),
                }
            }
            _ => Err("the proof is of no failure".to_owned()),
        }
    }

    /// Whatever reads saw that they do not show, one of the proofs is of it.
    fn each(&mut self, level: Level, each: &[Certificate]) -> Result<(), String> {
        let open = self.open();
        let mut chosen: Vec<Selected> = Vec::new();
        for one in each {
            let Certificate::Chosen { selected, proof } = one else {
                return Err("a proof is of no choice".to_owned());
            };
            let selected = self.selected(selected)?;
            let can = |(place, by): (&Place, &Option<u32>)| {
                let mut of = open.iter().filter(|(other, _)| other == place);
                of.any(|(_, can)| can.contains(by))
            };
            if !selected.iter().all(can) || matches!(**proof, Certificate::Each(_)) {
                return Err("a choice is of what was not read so".to_owned());
            }
            self.selected = selected;
            let stands = self.fails(level, proof);
            chosen.push(std::mem::take(&mut self.selected));
            stands?;
        }
        let mut at = vec![0; open.len()];
        for _ in 0..WAYS_MAX {
            let picked = |place: &Place| {
                let number = open.iter().position(|(of, _)| of == place)?;
                open[number].1.get(at[number])
            };
            let covers = |of: &Selected| of.iter().all(|(place, by)| picked(place) == Some(by));
            if !chosen.iter().any(covers) {
                return Err("a choice of what reads saw has no proof".to_owned());
            }
            let Some(next) = (0..open.len()).find(|n| at[*n] + 1 < open[*n].1.len()) else {
                return Ok(());
            };
            at[..next].fill(0);
            at[next] += 1;
        }
        Err("reads can have seen too many things".to_owned())
    }

    /// What reads saw that is not told.
    fn open(&self) -> Vec<Open> {
        let mut open = Vec::new();
        let keys = 0..self.all.keys.len() as u32;
        for txn in 0..self.all.len() {
            if self.all.status(txn) != Status::Committed {
                continue;
            }
            let steps = self.all.steps(txn);
            for (at, step) in steps.iter().enumerate() {
                let asks = match step.access {
                    Access::Read if *step.value == Value::Null => None,
                    Access::Predicate => Predicate::parse(step.value),
                    _ => continue,
                };
                for key in keys.clone() {
                    let (claims, place) = (self.claims(key), (txn, at as u32, key));
                    let shown = || {
                        let mut found = self.all.found[step.key as usize].iter();
                        found.any(|(of, _)| *of == key)
                    };
                    let own = steps[..at].iter().any(|step| claims.changes(step));
                    let asked = match asks {
                        None => step.access == Access::Read && step.key == key,
                        Some(_) => !own && !shown(),
                    };
                    let by = if asked {
                        claims.hides(place)
                    } else {
                        Vec::new()
                    };
                    if by.len() > 1 {
                        open.push((place, by));
                    }
                }
            }
        }
        open
    }
}

//! A choice in which a level holds, by way of choices in which it fails: what shows that it fails
//! says which read should have seen something earlier or later.

use std::collections::BTreeSet;

use super::super::analysis::{Anomaly, Verdict};
use super::super::edges;
use super::super::graph::{DEPENDS, PROCESS, REALTIME};
use super::super::judged::Judged;
use super::super::levels::Level;
use super::super::search::Search;
use super::super::transactions::NONE;
use super::views::Views;
use super::{Chosen, Hidden, Open};

/// How many choices are tried of few transactions; where they would be fewer than so many, since
/// there are many transactions, none is.
const TRIES_MAX: usize = 200;
const TRIES_MIN: usize = 20;
/// How many transactions are judged for one level, once a choice.
const JUDGED_MAX: usize = 10_000;

impl Hidden<'_, '_> {
    /// A choice in which a level holds, if one is found.
    ///
    /// # Errors
    /// The field that a row lacks; none does that could be read so far.
    pub(in crate::txn) fn repaired(&self, level: Level) -> Result<Option<Chosen>, String> {
        let graph = edges::graph(self.all, self.facts);
        let mut search = Search::new(self.all, self.facts, &graph, self.budget.steps_max);
        let tries = (JUDGED_MAX / self.all.txns.len().max(1)).min(TRIES_MAX);
        if tries < TRIES_MIN {
            return Ok(None);
        }
        for kinds in [DEPENDS | PROCESS | REALTIME, DEPENDS] {
            if !search.rank(&graph, kinds) {
                continue;
            }
            let views = Views::of((self.all, self.facts), search.ranks(), level.order, true);
            let Some(mut chosen) = views.choose() else {
                continue;
            };
            let mut seen: BTreeSet<Chosen> = BTreeSet::new();
            while seen.len() < tries {
                let facts = self.facts(&chosen)?;
                let told = Judged::of(self.all, &facts, &[level], self.budget);
                let told = told.told(self.all, &facts);
                let Verdict::Fails { anomaly } = told.verdict(level) else {
                    let holds = *told.verdict(level) == Verdict::Holds && facts.open.is_empty();
                    return Ok(holds.then_some(chosen));
                };
                seen.insert(chosen.clone());
                let first = &told.anomalies[*anomaly];
                let all = std::iter::once(first).chain(&told.anomalies);
                let mut next = all.flat_map(|anomaly| self.others(&chosen, anomaly, &search));
                match next.find(|next| !seen.contains(next)) {
                    Some(next) => chosen = next,
                    None => break,
                }
            }
        }
        Ok(None)
    }

    /// Choices that differ where an anomaly says: what was missed is seen, or who was seen is not.
    fn others(&self, chosen: &Chosen, anomaly: &Anomaly, search: &Search<'_, '_>) -> Vec<Chosen> {
        let place = |by: u32| match by {
            NONE => 0,
            by => u64::from(search.ranks()[by as usize]) + 1,
        };
        let mut others = Vec::new();
        for link in &anomaly.cycle {
            let (reader, later) = match &*link.kind {
                "prw" | "rw" => (link.from, true),
                "pwr" | "wr" => (link.to, false),
                _ => continue,
            };
            let is_of = |open: &&Open| {
                let (txn, _, key) = open.place;
                let of = self.all.op(txn).op_id == reader;
                of && Some(self.all.keys[key as usize]) == link.key.as_ref()
            };
            for open in self.facts.open.iter().filter(is_of) {
                let now = place(chosen[&open.place]);
                let mut all: Vec<u32> = open.by.clone();
                all.sort_unstable_by_key(|by| place(*by));
                let next = match later {
                    true => all.iter().find(|by| place(**by) > now),
                    false => all.iter().rfind(|by| place(**by) < now),
                };
                if let Some(by) = next {
                    let mut other = chosen.clone();
                    other.insert(open.place, *by);
                    others.push(other);
                }
            }
        }
        others
    }
}

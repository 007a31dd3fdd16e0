//! The fault ledger: one row a fault, from its plan to its heal, with evidence.
//!
//! A fault is known here as a name, a kind and its evidence; what it does is the devices' matter.

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::digest::EventKind;
use crate::ids::{FaultId, SimInstant};
use crate::{stream, world};

/// How many sightings of each sort a row keeps in words.
const EVIDENCE_MAX: usize = 4;

/// Something that was seen, in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting {
    /// When.
    pub at: SimInstant,
    /// What.
    pub what: String,
}

/// The life of one fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerRow {
    /// Its number in this run.
    pub id: FaultId,
    /// Its name in the scenario, such as `S3.partition-leader`.
    pub name: String,
    /// What it is, in the plan's words.
    pub kind: String,
    /// Whom it hit; empty until it armed.
    pub target: String,
    /// When its window opened, each time.
    pub armed: Vec<SimInstant>,
    /// When its window closed, each time.
    pub healed: Vec<SimInstant>,
    /// How often state changed because of it, by counter.
    pub injected: BTreeMap<String, u64>,
    /// How often the guest noticed, by counter.
    pub observed: BTreeMap<String, u64>,
    /// The first injections, in words.
    pub injected_evidence: Vec<Sighting>,
    /// The first observations, in words.
    pub observed_evidence: Vec<Sighting>,
}

impl LedgerRow {
    /// Its window opened at least once.
    #[must_use]
    pub fn is_armed(&self) -> bool {
        !self.armed.is_empty()
    }

    /// State changed because of it.
    #[must_use]
    pub fn is_injected(&self) -> bool {
        !self.injected.is_empty()
    }

    /// The guest noticed.
    #[must_use]
    pub fn is_observed(&self) -> bool {
        !self.observed.is_empty()
    }

    /// Injected and observed.
    #[must_use]
    pub fn has_landed(&self) -> bool {
        self.is_injected() && self.is_observed()
    }

    /// How far up the ladder it came: `planned`, `vacuous` (armed, never injected), `masked`
    /// (injected, never observed) or `landed`.
    #[must_use]
    pub fn standing(&self) -> &'static str {
        match (self.is_armed(), self.is_injected(), self.is_observed()) {
            (false, ..) => "planned",
            (true, false, _) => "vacuous",
            (true, true, false) => "masked",
            (true, true, true) => "landed",
        }
    }
}

/// The rows of a run.
pub struct Ledger {
    rows: RefCell<Vec<LedgerRow>>,
}

impl Ledger {
    pub(crate) const fn new() -> Self {
        Self {
            rows: RefCell::new(Vec::new()),
        }
    }

    /// Enters a fault of the schedule. Nothing happens yet, and nothing enters the digest.
    pub fn plan(&self, name: &str, kind: &str) -> FaultId {
        let mut rows = self.rows.borrow_mut();
        let id = FaultId(u32::try_from(rows.len() + 1).expect("fewer than 2^32 faults"));
        rows.push(LedgerRow {
            id,
            name: name.to_owned(),
            kind: kind.to_owned(),
            target: String::new(),
            armed: Vec::new(),
            healed: Vec::new(),
            injected: BTreeMap::new(),
            observed: BTreeMap::new(),
            injected_evidence: Vec::new(),
            observed_evidence: Vec::new(),
        });
        id
    }

    /// The window opens, on `target`.
    pub fn arm(&self, id: FaultId, target: &str) {
        self.change(id, 1, 0, |row, at| {
            target.clone_into(&mut row.target);
            row.armed.push(at);
        });
    }

    /// State changed because of the fault: `n` more of `counter`.
    pub fn inject(&self, id: FaultId, counter: &str, n: u64, what: impl FnOnce() -> String) {
        self.change(id, 2, n, |row, at| {
            count(&mut row.injected, counter, n);
            if row.injected_evidence.len() < EVIDENCE_MAX {
                row.injected_evidence.push(Sighting { at, what: what() });
            }
        });
    }

    /// More of the injection whose evidence was entered just now: `n` of another counter.
    pub fn inject_more(&self, id: FaultId, counter: &str, n: u64) {
        self.change(id, 2, n, |row, _| count(&mut row.injected, counter, n));
    }

    /// The guest noticed.
    pub fn observe(&self, id: FaultId, counter: &str, what: impl FnOnce() -> String) {
        self.change(id, 3, 1, |row, at| {
            count(&mut row.observed, counter, 1);
            if row.observed_evidence.len() < EVIDENCE_MAX {
                row.observed_evidence.push(Sighting { at, what: what() });
            }
        });
    }

    /// The window closes.
    pub fn heal(&self, id: FaultId) {
        self.change(id, 4, 0, |row, at| row.healed.push(at));
    }

    /// Whether the window is open now.
    #[must_use]
    pub fn is_open(&self, id: FaultId) -> bool {
        self.row(id, |row| row.armed.len() > row.healed.len())
            .unwrap_or(false)
    }

    /// A copy of every row, in the order of the plan.
    #[must_use]
    pub fn rows(&self) -> Vec<LedgerRow> {
        self.rows.borrow().clone()
    }

    /// Reads one row.
    pub fn row<R>(&self, id: FaultId, read: impl FnOnce(&LedgerRow) -> R) -> Option<R> {
        let index = (id.0 as usize).checked_sub(1)?;
        self.rows.borrow().get(index).map(read)
    }

    /// The rows are numbered as planned, and a row's number would make one fault's absence
    /// change the others' events: the digest sees its name instead.
    fn change(&self, id: FaultId, step: u64, n: u64, f: impl FnOnce(&mut LedgerRow, SimInstant)) {
        let index = (id.0 as usize).checked_sub(1);
        let name = index
            .and_then(|index| {
                self.rows
                    .borrow()
                    .get(index)
                    .map(|row| stream::hash(row.name.as_bytes()))
            })
            .expect("a fault is planned before anything happens to it");
        let at = world::try_with(|world| {
            world.event(EventKind::Fault, (step << 56) ^ name, n);
            world.now()
        });
        f(
            &mut self.rows.borrow_mut()[id.0 as usize - 1],
            at.unwrap_or_default(),
        );
    }
}

fn count(counters: &mut BTreeMap<String, u64>, counter: &str, n: u64) {
    match counters.get_mut(counter) {
        Some(value) => *value += n,
        None => {
            counters.insert(counter.to_owned(), n);
        }
    }
}

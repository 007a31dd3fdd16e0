//! A history judged at every level.

use std::collections::BTreeMap;

use serde::Serialize;

use super::anomaly::Kind;
use super::facts::Facts;
use super::hidden::{Chosen, Hidden};
use super::judged::Judged;
use super::levels::{Level, strongest, weakest};
use super::options::Options;
use super::sets;
use super::transactions::Transactions;
use crate::history::History;
use crate::report::Budget;
use crate::value::Value;

/// What transactions do.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Workload {
    /// They read lists and add distinct elements to them.
    ListAppend,
    /// They read registers and set them to distinct values.
    RwRegister,
    /// They read sets and add distinct elements to them.
    Sets,
    /// They add to counters, or move money between accounts, and read totals.
    Counters,
}

impl Workload {
    /// All.
    pub const ALL: [Workload; 4] = [
        Workload::ListAppend,
        Workload::RwRegister,
        Workload::Sets,
        Workload::Counters,
    ];

    /// The name: `list-append`, `rw-register`, `txn-sets`, `txn-counters`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Workload::ListAppend => "list-append",
            Workload::RwRegister => "rw-register",
            Workload::Sets => "txn-sets",
            Workload::Counters => "txn-counters",
        }
    }
}

/// What is said of a level.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The history satisfies it.
    Holds,
    /// It does not.
    Fails {
        /// Which of the anomalies shows it.
        anomaly: usize,
    },
    /// It was not decided.
    Unknown {
        /// What stopped it.
        why: String,
    },
}

/// Of what is said of levels, the strongest that hold and the weakest that fail.
pub(super) fn extremes(levels: &[(Level, Verdict)]) -> (Vec<Level>, Vec<Level>) {
    let (mut holds, mut fails) = (Vec::new(), Vec::new());
    for (level, verdict) in levels {
        match verdict {
            Verdict::Holds => holds.push(*level),
            Verdict::Fails { .. } => fails.push(*level),
            Verdict::Unknown { .. } => {}
        }
    }
    (strongest(&holds), weakest(&fails))
}

/// One transaction comes before another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Link {
    /// The `op_id` of the first.
    pub from: u64,
    /// The `op_id` of the second.
    pub to: u64,
    /// `ww`, `wr`, `rw`, `process`, `realtime`; with a `p` before it, of a predicate.
    pub kind: String,
    /// The object, unless an order is what links them.
    pub key: Option<Value>,
    /// Of `wr` the value that was read, of `ww` and `rw` the later one.
    pub value: Option<Value>,
    /// Why, as a sentence.
    pub because: String,
}

/// An anomaly, with what proves it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Anomaly {
    /// `G0`, `G-single-realtime`, `lost-update`, ...
    pub name: String,
    /// What is wrong, as sentences.
    pub message: String,
    /// The object, of one that is no cycle.
    pub key: Option<Value>,
    /// Ids of the operations that prove it, of a cycle in its order.
    pub ops: Vec<u64>,
    /// The cycle; empty for what is none.
    pub cycle: Vec<Link>,
    /// Whether it is a cycle of one order of versions, where every order has one.
    pub guessed: bool,
}

/// What a history comes to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Analysis {
    /// The gravest first, with the weaker order before the stronger.
    pub anomalies: Vec<Anomaly>,
    /// How many of each name were found; of those that are no cycles, how many there are.
    pub counts: BTreeMap<String, u64>,
    /// Every level.
    pub levels: Vec<(Level, Verdict)>,
    /// The strongest levels that hold.
    pub holds: Vec<Level>,
    /// The weakest that do not.
    pub fails: Vec<Level>,
    /// Transactions that took part.
    pub transactions: u64,
    /// What was taken for granted beside the history, if anything.
    pub assumptions: Vec<String>,
}

impl Analysis {
    /// What is said of a level.
    #[must_use]
    pub fn verdict(&self, level: Level) -> &Verdict {
        let mut levels = self.levels.iter();
        let found = levels.find(|(of, _)| *of == level);
        &found.expect("every level has a verdict").1
    }
}

/// Judges a history at every level.
///
/// Deterministic. Cost: n log n in the transactions and their steps when it is serializable in
/// real time; else what the budget's steps allow beyond that, past which levels are
/// [`Verdict::Unknown`]. Memory: some 200 bytes a transaction and 30 a dependency.
///
/// # Errors
/// The field that the history lacks.
pub fn analyze(history: &History, workload: Workload, budget: &Budget) -> Result<Analysis, String> {
    analyze_with(history, workload, &Options::default(), budget)
}

/// As [`analyze`], of objects that begin with a value (a list, or what registers are read as
/// before they are written), and with what is taken for granted.
///
/// # Errors
/// The field that the history lacks; or that lists begin with what is no list, or sets with
/// anything.
pub fn analyze_with(
    history: &History,
    workload: Workload,
    options: &Options,
    budget: &Budget,
) -> Result<Analysis, String> {
    analyze_levels(history, workload, options, &[], budget)
}

/// As [`analyze_with`], of some levels and those that they imply; of all, if none is named. Others
/// are *unknown*, and the anomalies are those that show that one of these fails.
///
/// Cost: near-linear for the levels that causal consistency implies, with sessions and real time
/// or without. Counters are judged at every level.
///
/// # Errors
/// As [`analyze_with`].
pub fn analyze_levels(
    history: &History,
    workload: Workload,
    options: &Options,
    levels: &[Level],
    budget: &Budget,
) -> Result<Analysis, String> {
    if workload == Workload::Counters {
        return super::totals::analyze(history, options, budget);
    }
    if workload == Workload::Sets && options.initial != Value::Null {
        return Err("an initial value of nothing, of sets".to_owned());
    }
    let (history, workload) = sets::as_registers(history, workload)?;
    let all = Transactions::of(&history)?;
    let facts = facts_of(&all, workload, options, &Chosen::new())?;
    let told = Judged::of(&all, &facts, levels, budget).told(&all, &facts);
    match facts.open.is_empty() {
        true => Ok(told),
        false => Hidden::of(&all, &facts, (workload, options), budget).judge(told),
    }
}

/// What is certain; and what reads by predicates selected, where that is chosen.
///
/// # Errors
/// The field that a row lacks.
pub(super) fn facts_of<'h>(
    all: &Transactions<'h>,
    workload: Workload,
    options: &'h Options,
    chosen: &Chosen,
) -> Result<Facts<'h>, String> {
    let mut facts = match workload {
        Workload::ListAppend => super::append::facts(all, &options.initial)?,
        _ => super::register::facts(all, &options.initial, chosen)?,
    };
    let mut plain = std::mem::take(&mut facts.plain);
    super::updates::lost(all, &facts, &mut plain);
    super::updates::circles(all, &facts, &mut plain);
    if !plain.counts.contains_key(&Kind::CyclicVersions) {
        super::updates::follow(&mut facts);
    }
    super::assume::apply(all, &mut facts, &options.assumptions, &mut plain);
    facts.plain = plain;
    facts.index();
    Ok(facts)
}

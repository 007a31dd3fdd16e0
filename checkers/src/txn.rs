//! Transactional isolation: which levels a history of transactions satisfies, and what shows that
//! it does not satisfy the others.
//!
//! A transaction is a row whose argument and response are lists of steps: `["append", key,
//! element]`, `["w", key, value]`, `["r", key, what was read]`. From them come facts (which
//! versions there were, who wrote and who read each, which came before which), from these a graph
//! of dependencies, each with what justifies it, and from that the anomalies and levels.
//!
//! Modules in reading order: `transactions`, the steps, with `sets`; `facts`, what is certain,
//! with `writes`, `append`, `register` and `predicate`, which make them, `internal`, `updates`,
//! `options` and `assume`; `edges` and `graph`; [`levels`] and `anomaly`, the names; `decide` and
//! `visible`, a level by what it forbids, with `touched`; `cycles`, anomalies by class; `paths`;
//! `saturate`, levels that need no order of versions; `polygraph` and `search`, orders of versions;
//! `judged`, `explain`, `told` and `picture`; `hidden`, what reads did not show; `totals`, counters
//! and accounts; `analysis` and `judge`, the doors; `proofs` and their check, `certificate`, with
//! `axioms` and `claims`: every level that holds or fails has one, as far as the budget of the
//! search for it goes.

mod analysis;
mod anomaly;
mod append;
mod assume;
mod axioms;
mod certificate;
mod claims;
mod cycles;
mod decide;
mod edges;
mod explain;
mod facts;
mod graph;
mod hidden;
mod internal;
mod judge;
mod judged;
pub mod levels;
mod options;
mod paths;
mod picture;
mod polygraph;
mod predicate;
mod proofs;
mod register;
mod saturate;
mod search;
mod sets;
mod told;
mod totals;
mod touched;
mod transactions;
mod updates;
mod visible;
mod writes;

pub use analysis::{Analysis, Anomaly, Link, Verdict, Workload};
pub use analysis::{analyze, analyze_levels, analyze_with};
pub use anomaly::{Kind, Name};
pub use certificate::{Case, Certificate, Moment, Precedence, Selection};
pub use certificate::{refutation, verify, verify_with};
pub use judge::{judge, judge_with};
pub use levels::{Base, Level, Order};
pub use options::{Assumption, Options};
pub use picture::pictures;
pub use proofs::{certify, certify_with, refute};

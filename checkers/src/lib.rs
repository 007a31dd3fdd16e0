//! Histories and their judgement: rows of operations in, findings with proofs out.
//!
//! Takes a [`History`] (built by a recorder, or read by [`jsonl`] or [`codec`]), a
//! [`spec::CheckerSpec`], a [`spec::ModelKind`] and a [`Budget`]; gives a [`CheckReport`].
//!
//! *Invariants.* This crate knows no simulator and no async, opens no file and reads no clock. It
//! has no thread but those of `parallel`, which only [`check_on`] starts. It holds no randomness
//! and no float: the same input gives the same report. No checker recurses over the length of a
//! history, exceeds its budget silently, or answers *ok* about something that it did not consume.
//!
//! Modules in reading order: [`value`] and [`history`], the data; [`spec`], what can be asked;
//! [`check`](crate::check()), the door; [`report`], the answer; [`models`], sequential objects;
//! `initial`, objects that do not begin empty; `linear` (monitors for unambiguous histories, else
//! Wing and Gong's search as Lowe improved it), `lost`, `leader`, `progress`, the checkers;
//! [`weak`], models weaker than linearizability; [`single`], checkers of one claim each;
//! [`txn`], isolation levels; `minimal`, the fewest rows of what they find;
//! `mutation`, how strong they are; [`jsonl`], [`edn`] and [`codec`], the formats.

pub mod codec;
pub mod edn;
pub mod history;
pub mod jsonl;
pub mod report;
pub mod spec;
pub mod value;

pub mod models;
pub mod single;
pub mod txn;
pub mod weak;

mod check;
mod initial;
mod leader;
mod linear;
mod lost;
mod minimal;
mod mutation;
mod parallel;
mod picture;
mod preflight;
mod progress;

#[cfg(test)]
extern crate self as checkers;
#[cfg(test)]
#[path = "../tests/it/reference.rs"]
mod reference;

pub use check::{check, check_on, name_of};
pub use history::{Completion, FaultWindow, History, OpType, Operation};
pub use initial::beginning_with;
pub use linear::{Certificate, Stream, certify, linearize_with, refute, verify};
pub use models::{Builtin, Looks, Model};
pub use mutation::{Missed, MutationScore, mutation_score};
pub use picture::picture;
pub use preflight::{Note, preflight};
pub use report::{Budget, CheckReport, Finding, Outcome};
pub use value::Value;

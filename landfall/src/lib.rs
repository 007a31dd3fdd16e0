//! What users depend on: hand over a system, get verdicts.
//!
//! Takes a [`System`] (how to start a node, how to make a client) and scenarios compiled from a
//! Markdown plan; gives a [`Verdict`](judge::Verdict) for each, with the evidence that it rests
//! on, and a line that replays whatever failed.
//!
//! # Invariants, as absences
//! - No verdict is silent: a PASS cites what the oracle consumed and how the faults landed.
//! - No seed's outcome depends on another's: each has a process of its own.
//! - Nothing is judged that was not recorded, and nothing recorded is left out of the judgement.
//! - Nothing here knows a particular system under test.
//!
//! # Modules, in reading order
//! [`system`] with [`hooks`] (what users implement), `run` with `recorder`, `workload` with
//! `acts`, `nemesis`, `guest`, `log`, `landing` (one seed of one scenario), [`report`] (what came
//! of it) and `death` (or of its process), `twice` (whether it is one run), [`judge`] (what to
//! believe of many), [`observability`] (what the plan wants to see), [`evidence`] with [`blame`]
//! and [`stand_in`] (what a report rests on, and whose fault a failure is), `entry` and `worker`
//! (how a seed is reached), [`coordinate`] (many seeds over many processes), [`floor`] (what the
//! machine would leak), `harness` (as a `#[test]`), `hosts` (for those written by hand),
//! [`render`] and `words` (as text), [`variables`] (the environment).

#![cfg(feature = "sim")]

mod acts;
pub mod blame;
pub mod capsule;
pub mod coordinate;
mod death;
mod disks;
mod entry;
pub mod evidence;
pub mod explain;
pub mod floor;
mod guest;
mod harness;
pub mod hooks;
mod hosts;
pub mod judge;
mod landing;
mod log;
mod metrics;
mod nemesis;
mod network;
pub mod novelty;
mod objects;
pub mod observability;
pub mod phases;
mod recorder;
pub mod reduce;
pub mod render;
pub mod report;
mod run;
mod scarcity;
mod schedule;
pub mod script;
pub mod stand_in;
mod standstill;
mod storage;
pub mod swarm;
pub mod sweep;
pub mod system;
pub mod tally;
pub mod transactions;
mod twice;
pub mod variables;
mod words;
mod worker;
mod workload;

pub use checkers::{self, Value};
pub use harness::replay_capsule;
pub use hooks::{HookFuture, Hooks};
pub use hosts::{host, kill, lose_power, on, restart};
pub use landfall_macros::{plan, test};
pub use sim_runtime::{
    Heap, always, always_ge, always_gt, always_le, always_lt, buggify, knob, reachable, sometimes,
    sometimes_ge, sometimes_gt, sometimes_le, sometimes_lt, unreachable,
};
pub use system::{
    Call, Client, ClientContext, NodeContext, NodeFuture, Peer, Reference, Reply, System, TxnStep,
};
pub use {sim_disk as disk, sim_net as net, sim_runtime as runtime};

/// What the macros' output names. Not for use by hand.
#[doc(hidden)]
pub mod __private {
    pub use crate::entry::{ENTRIES, Entry, EntryKind, SeedContext};
    pub use crate::harness::{run_hand_test, run_plan_test};
    pub use crate::run::{run_hand, run_scenario};
    pub use linkme;
}

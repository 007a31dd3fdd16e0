//! A small transactional store: several versions of each key, snapshots, and at commit a check for
//! conflicts that depends on the isolation that the transaction asked for.
//!
//! A server takes a listener and a folder ([`serve`]); a [`Client`] runs transactions step by step.
//!
//! # Invariants
//!
//! - Nobody sees a change before its transaction's record is synced to the journal.
//! - All changes of a transaction become visible at one moment.
//! - A transaction whose connection ends before its commit was asked for never commits.
//! - No version is dropped that an open snapshot can read.
//!
//! # Module map, in reading order
//!
//! `isolation` the levels · `store` versions, snapshots, conflicts · `journal` what survives ·
//! `protocol` lines on the wire · `server` · `client`.

mod client;
mod isolation;
mod journal;
mod protocol;
mod server;
mod store;

pub use client::{Client, Error, Step};
pub use isolation::Isolation;
pub use server::serve;
pub use store::Value;

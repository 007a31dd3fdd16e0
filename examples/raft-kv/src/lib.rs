//! A replicated key-value store on Raft: elections with pre-vote, a checksummed write-ahead log,
//! linearizable reads by ReadIndex, and client sessions that make a retried request apply once.
//!
//! It takes a [`Config`] and serves until stopped ([`serve`]); a [`Client`] talks to the cluster.
//!
//! # Invariants
//!
//! - No message that promises anything leaves a node before what it promises is on the disk.
//! - The protocol core (`raft`, `election`, `replication`, `log`) does no I/O and reads no clock.
//! - A leader answers no read before a quorum confirmed it after the read arrived.
//! - No write error is survived: a node whose disk failed stops, and recovers from what is there.
//! - Nothing is dropped from the end of the log but by the leader of a newer term.
//!
//! # Module map, in reading order
//!
//! `message` what is said · `log` the log in memory · `raft` state and step function · `election` ·
//! `replication` · `wal` what survives · `store` the state machine · `node` the loop that ties
//! them · `frame`, `peer`, `server` the wire · `client` · `config` · `checksum` · `alone` no
//! cluster.

mod alone;
mod checksum;
mod client;
mod config;
mod election;
mod frame;
mod log;
mod message;
mod node;
mod peer;
#[cfg(test)]
mod protocol_tests;
mod raft;
mod replication;
mod server;
mod store;
mod wal;

pub use alone::answer_clients;
pub use client::{Client, ClientError, Options};
pub use config::{Config, Elected, Role, Status};
pub use message::{Op, Outcome, Value};
pub use server::serve;

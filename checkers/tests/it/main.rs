//! The behaviour of the crate from outside, a module a behaviour.

mod catalogue;
mod codec;
mod counterexample;
mod crowds;
mod edn;
mod jsonl;
mod minimal;
mod models;
mod mutation;
mod oracle;
mod performance;
mod picture;
mod proofs;
mod random;
mod recorded;
mod reference;
mod single;
mod streams;
mod txn;
mod verdicts;
mod weak;

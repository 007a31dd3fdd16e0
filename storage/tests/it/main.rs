//! Storage crates of others, each with a table of numbers that is changed a transaction at a time
//! while the power goes: what was committed stays, whole.

#![cfg(feature = "sim")]

mod findings;
mod fjall_;
mod redb_;
mod served;
mod sqlite;
mod storm;

//! Storage crates of others, each with a table of numbers that is changed a transaction at a time
//! while the power goes: what was committed stays, whole.

#![cfg(feature = "sim")]

mod fjall_;
mod redb_;
mod sqlite;
mod storm;

//! Histories and their judgement.

pub mod spec;

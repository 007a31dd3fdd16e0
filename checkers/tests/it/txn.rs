//! Transactional isolation.

use checkers::txn::Level;

mod certified;
mod claims;
mod counters;
mod elle;
mod notation;
mod predicates;
mod proofs;
mod reference;
mod simulated;
mod small;
mod textbook;
mod wide;

/// Levels by their names.
fn levels(words: &str) -> Vec<Level> {
    let level = |word: &str| Level::named(word).unwrap_or_else(|| panic!("no level {word}"));
    words.split_whitespace().map(level).collect()
}

//! What a guest says of itself: places that must be reached, conditions that must hold or hold at
//! times, faults of its own making, and numbers that may differ from seed to seed.
//!
//! Each use of a macro is a *site*, registered when it is linked: one that no seed ever reached is
//! known, and reported. Without the feature `sim` the macros expand to constants: their arguments
//! are type-checked and never evaluated.
//!
//! | macro | says |
//! |---|---|
//! | [`always!`](crate::always), `always_le!`, ... | holds when it is reached, or the seed fails |
//! | [`sometimes!`](crate::sometimes) and `sometimes_ge!`, ... | holds in some seed of a sweep |
//! | [`reachable!`](crate::reachable) | is reached in some seed |
//! | [`unreachable!`](crate::unreachable) | is never reached; reaching it fails the seed |
//! | [`buggify!`](crate::buggify) | a rare event that the guest brings about itself |
//! | [`knob!`](crate::knob) | a number that is drawn once a seed |
//!
//! # Invariants, as absences
//! - No site's draws depend on another site, or on how often another is reached.
//! - No violation stops the guest: it is noted, and fails the seed.
//! - Nothing is counted, drawn or violated outside a simulation.

mod counts;
mod macros;
mod site;

pub(crate) use counts::Probes;
pub use counts::{KnobInteger, Relation, Seen, Violation};
pub use site::{SITES, Site, SiteKind};

#[doc(hidden)]
pub use counts::{always, buggify, compare, knob, knob_in, reach, sometimes};

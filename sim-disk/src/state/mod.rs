//! The pure state of a volume: no clock, no runtime, no randomness of its own.
//!
//! Reading order: `chunks`, `pages`, `inode`, `op`, `pending`, `volume`, `space`, `sync`, `walk`,
//! `names`, `order`, `select`, `crash`, `scars`, `media`, `compare`, `explore`.

pub(crate) mod chunks;
pub(crate) mod compare;
pub(crate) mod crash;
pub(crate) mod explore;
pub(crate) mod inode;
pub(crate) mod media;
pub(crate) mod names;
pub(crate) mod op;
pub(crate) mod order;
pub(crate) mod pages;
pub(crate) mod pending;
pub(crate) mod scars;
pub(crate) mod select;
pub(crate) mod space;
pub(crate) mod sync;
pub(crate) mod volume;
pub(crate) mod walk;

#[cfg(test)]
mod alone;
#[cfg(test)]
mod tests;

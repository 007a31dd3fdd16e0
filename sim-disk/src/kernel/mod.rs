//! The disk in the world: a device, its descriptors, its calls, its faults.
//!
//! Reading order: `op_kind`, `hash`, `device`, `open_file`, `file` (calls on descriptors),
//! `path` (calls on names), `trees` (calls made of other calls), `metadata`, `faults`, `report`.

pub(crate) mod device;
pub(crate) mod faults;
pub(crate) mod file;
mod hash;
pub(crate) mod metadata;
pub(crate) mod op_kind;
pub(crate) mod open_file;
mod path;
pub(crate) mod report;
mod trees;

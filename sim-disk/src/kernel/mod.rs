//! The disk in the world: a device, its descriptors, its calls, its faults.
//!
//! Reading order: `op_kind`, `hash`, `metadata`, `device`, `namespace` (mounts, where paths
//! start), `open_file`, `file` and `content` (calls on descriptors), `path` (calls on names),
//! `locks`, `trees` (calls made of other calls), `calls` (of std and C), `faults`, `report`.

mod calls;
mod content;
pub(crate) mod device;
pub(crate) mod faults;
pub(crate) mod file;
mod hash;
pub(crate) mod locks;
pub(crate) mod metadata;
pub(crate) mod namespace;
pub(crate) mod op_kind;
pub(crate) mod open_file;
mod path;
pub(crate) mod report;
mod trees;

//! The disk in the world: a device, its descriptors, its calls, its faults.
//!
//! Reading order: `op_kind`, `metadata`, `device`, `namespace` (mounts, where paths
//! start), `open_file`, `file` and `content` (calls on descriptors), `path` (calls on names),
//! `locks`, `trees` (calls made of other calls), `calls` (of std and C), `faults`, `strikes`,
//! `replace`, `explore`, `lints`, `report`.

mod calls;
mod content;
pub(crate) mod device;
pub(crate) mod explore;
pub(crate) mod faults;
pub(crate) mod file;
pub(crate) mod lints;
pub(crate) mod locks;
pub(crate) mod metadata;
pub(crate) mod namespace;
pub(crate) mod op_kind;
pub(crate) mod open_file;
mod path;
pub(crate) mod replace;
pub(crate) mod report;
pub(crate) mod strikes;
mod trees;

//! The controlled English of each field.

mod act_words;
pub(crate) mod budgets;
mod checker_words;
mod clauses;
pub(crate) mod disk_words;
mod events;
pub(crate) mod evidence;
pub(crate) mod fault_words;
pub(crate) mod faults;
pub(crate) mod formal;
mod frames;
mod guest_words;
pub(crate) mod landing;
mod magnitude;
mod names;
mod network_words;
pub(crate) mod oracle;
pub(crate) mod references;
pub(crate) mod schedule;
mod sizes;
mod storage_words;
pub(crate) mod workload;

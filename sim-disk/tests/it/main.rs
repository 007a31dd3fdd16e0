//! The disk, seen from outside.

mod c_calls;
mod c_files;
mod c_streams;
mod cases;
mod conformance;
mod costs;
mod crash_table;
mod crashes;
mod determinism;
mod errors;
mod evidence;
mod exhaustive;
mod fs;
mod harness;
mod kernel;
mod lints;
mod places;
mod receipts;
mod rules;
mod rules_table;
mod std_files;
mod std_oddities;
mod std_surface;

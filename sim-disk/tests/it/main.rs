//! The disk, seen from outside.

mod c_files;
mod cases;
mod conformance;
mod costs;
mod crash_table;
mod crashes;
mod determinism;
mod errors;
mod evidence;
mod fs;
mod harness;
mod kernel;
mod rules;
mod std_files;

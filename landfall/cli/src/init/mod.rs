//! `init`: puts a workspace's whole dependency graph on landfall's tokio, and takes it back.
//!
//! Takes a cargo workspace; gives two generated packages (`tokio-real`, the locked tokio under
//! another name, and `tokio`, the drop-in that stands in its place), the patch that applies them,
//! a feature `sim` in each member that uses tokio, and an example test.
//!
//! # Invariants, as absences
//! - No file is written before everything is known to be possible, and none is left written when
//!   cargo does not accept the result.
//! - Nothing is changed that `--undo` does not put back, byte for byte where nobody edited it
//!   since.
//! - Nothing of tokio's comes from anywhere but cargo's own download.
//!
//! # Modules, in reading order
//! `graph` (what cargo knows), `origin` (where landfall is), `manifest` (the user's), `facade`
//! and `real` (the generated packages), `change` (files to be), `record` (what was done), `run`,
//! `undo`.

mod change;
mod facade;
mod graph;
mod manifest;
mod origin;
mod real;
mod record;
mod run;
mod undo;

pub(crate) use run::run;

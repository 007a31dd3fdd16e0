//! `init`: puts a workspace under simulation, and takes it out again.
//!
//! *Takes* a cargo workspace as it is. *Gives* a facade of the tokio that it has locked, patched in
//! for everybody, the feature `sim`, and an example test; every file that it wrote, or would write.
//!
//! # Invariants, as absences
//! - Nothing is written before everything is known to be writable: a refusal leaves no trace.
//! - No file that somebody else has changed since is taken back or overwritten.
//! - No text of tokio's comes from anywhere but cargo's own download.
//!
//! # Modules
//! `workspace` (what cargo says), `facade` and `real` (the two packages), `manifests` (what is
//! edited), `files` (changes, and their undoing), `run` (the command).

mod facade;
mod files;
mod manifests;
mod real;
mod run;
mod workspace;

pub(crate) use run::run;

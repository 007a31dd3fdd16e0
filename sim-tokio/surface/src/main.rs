//! Holds the public surface of sim-tokio against tokio's, item by item, by what rustdoc knows of
//! both, and writes the table `sim-tokio/src/SURFACE.md`.
//!
//! `cargo run -p sim-tokio-surface` writes it; with `--check` it is compared instead, and
//! anything that is missing, or differs without a word why, is an error.
//!
//! # Invariants, as absences
//! - Nothing of tokio's is kept but names, and whether a signature is the same.
//!
//! # Modules, in reading order
//! `document` (rustdoc's JSON, read loosely), `walk` (every public item of a crate), `signature`
//! (comparable text of one), `notes` (what a person says of an item), `table`.

mod document;
mod notes;
mod signature;
mod table;
mod walk;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use document::Documents;

/// What rustdoc is to know: tokio as sim-tokio is built with it, and what is re-exported.
const CRATES: [&str; 3] = ["tokio", "sim-tokio", "sim-runtime"];

fn main() -> ExitCode {
    let check = std::env::args().any(|arg| arg == "--check");
    match run(check) {
        Ok(()) => ExitCode::SUCCESS,
        Err(complaint) => {
            eprintln!("{complaint}");
            ExitCode::FAILURE
        }
    }
}

fn run(check: bool) -> Result<(), String> {
    let house = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = house.join("../..");
    let documents = document(&root)?;
    let theirs = walk::surface(&documents, "tokio");
    let ours = walk::surface(&documents, "sim_tokio");
    let notes = notes::parse(include_str!("../notes.txt"))?;
    let table = table::compare(&theirs, &ours, &notes, documents.version("tokio"));
    if !table.complaints.is_empty() {
        eprintln!("{}", table.complaints.join("\n"));
    }
    let file = house.join("../src/SURFACE.md");
    if !check {
        std::fs::write(&file, &table.markdown).map_err(|error| error.to_string())?;
        println!("wrote {}", file.display());
        return Ok(());
    }
    let committed = std::fs::read_to_string(&file).map_err(|error| error.to_string())?;
    if committed != table.markdown {
        return Err("sim-tokio/src/SURFACE.md is not what the crates are: generate it".into());
    }
    if table.complaints.is_empty() {
        return Ok(());
    }
    Err(format!("{} complaints", table.complaints.len()))
}

/// Has rustdoc describe the crates. Its JSON is no stable interface: what is read of it is little.
fn document(root: &Path) -> Result<Documents, String> {
    let target = root.join(target_folder()).join("surface");
    let mut cargo = Command::new("cargo");
    cargo.current_dir(root).args(["doc", "-q", "--no-deps"]);
    for name in CRATES {
        cargo.args(["-p", name]);
    }
    cargo
        .args(["--features", "sim-runtime/sim", "--target-dir"])
        .arg(&target)
        .env("RUSTC_BOOTSTRAP", "1")
        .env(
            "RUSTDOCFLAGS",
            "-Z unstable-options --output-format json --cap-lints allow",
        );
    let status = cargo.status().map_err(|error| error.to_string())?;
    if !status.success() {
        return Err("rustdoc failed".to_owned());
    }
    Documents::read(&target.join("doc"), &CRATES)
}

#[expect(
    clippy::disallowed_methods,
    reason = "where cargo builds is said by its variable"
)]
fn target_folder() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from)
}

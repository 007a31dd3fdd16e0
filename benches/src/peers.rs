//! The program of the peers: madsim and turmoil doing what we do, in a workspace of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Builds it beside the program that runs, and says where it is. Some minutes the first time.
///
/// # Errors
/// It cannot be built.
pub fn build() -> Result<PathBuf, String> {
    let broken = |what: String| format!("the peers cannot be built: {what}");
    let this = std::env::current_exe().map_err(|error| broken(error.to_string()))?;
    // `target/release/PROGRAM`.
    let target = this.parent().and_then(Path::parent);
    let target = target.ok_or_else(|| broken("this program is in no folder".to_owned()))?;
    let target = target.join("peers");
    let status = Command::new("cargo")
        .args(["build", "--release", "--locked", "--target-dir"])
        .arg(&target)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("peers"))
        // It would go before the flag that the folder's configuration sets.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .status()
        .map_err(|error| broken(error.to_string()))?;
    match status.success() {
        true => Ok(target.join("release").join("peers")),
        false => Err(broken(status.to_string())),
    }
}

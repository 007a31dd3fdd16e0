//! Dependencies point one way: the table of ARCHITECTURE.md, held against the manifests.

use crate::{assert_tidy, read};

/// Each package of the house with the packages of the house that it may depend on.
const ALLOWED: [(&str, &[&str]); 11] = [
    ("checkers", &[]),
    ("sim-runtime", &["checkers"]),
    ("sim-net", &["sim-runtime"]),
    ("sim-disk", &["sim-runtime"]),
    ("sim-tokio", &["sim-runtime", "sim-net", "sim-disk"]),
    ("plan-compiler", &["checkers"]),
    ("landfall/macros", &["plan-compiler"]),
    (
        "landfall",
        &[
            "checkers",
            "plan-compiler",
            "sim-runtime",
            "sim-net",
            "sim-disk",
            "landfall-macros",
        ],
    ),
    ("landfall/floor", &["sim-runtime", "sim-tokio"]),
    ("landfall/selftest", &["landfall", "sim-tokio"]),
    (
        "landfall/cli",
        &[
            "checkers",
            "plan-compiler",
            "landfall",
            "landfall-floor",
            "landfall-selftest",
        ],
    ),
];

const HOUSE: [&str; 11] = [
    "checkers",
    "sim-runtime",
    "sim-net",
    "sim-disk",
    "sim-tokio",
    "plan-compiler",
    "landfall-macros",
    "landfall",
    "landfall-floor",
    "landfall-selftest",
    "cargo-landfall",
];

/// What a manifest's `[dependencies]` name that they may not. Tests and benches may use more.
fn forbidden(folder: &str, manifest: &str, allowed: &[&str]) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut section = "";
    for line in manifest.lines() {
        if line.starts_with('[') {
            section = line;
        }
        let name = line.split(['.', ' ', '=']).next().unwrap_or_default();
        let is_ours = HOUSE.contains(&name);
        if section == "[dependencies]" && is_ours && !allowed.contains(&name) {
            complaints.push(format!("{folder} may not depend on {name}"));
        }
    }
    complaints
}

#[test]
fn dependencies_point_one_way() {
    let complaints: Vec<_> = ALLOWED
        .iter()
        .flat_map(|(folder, allowed)| {
            forbidden(folder, &read(&format!("{folder}/Cargo.toml")), allowed)
        })
        .collect();
    assert_tidy(&complaints);
}

#[test]
fn a_dependency_that_points_back_is_caught() {
    let manifest = "[dependencies]\nsim-net.workspace = true\nserde = \"1\"\n";
    assert_eq!(
        forbidden("checkers", manifest, &[]),
        ["checkers may not depend on sim-net"]
    );
    let manifest = "[dev-dependencies]\nsim-net.workspace = true\n";
    assert_eq!(forbidden("checkers", manifest, &[]), [""; 0]);
}

#[test]
fn devices_are_not_named_by_the_runtime() {
    for device in ["sim-net", "sim-disk"] {
        let manifest = read("sim-runtime/Cargo.toml");
        assert!(!manifest.contains(device), "sim-runtime names {device}");
    }
}

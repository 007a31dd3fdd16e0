//! The profile that scenarios are built with: optimised, with every check of the code under test
//! left on. The simulator has none: a seed would pay for them at every event.
//!
//! A workspace may define its own `sim`. Cargo has no stable way to ask whether it does, so the
//! files are looked through, for no more than the key.

use std::fs;
use std::path::{Path, PathBuf};

use crate::args::CargoArgs;

/// The profile's name.
pub(crate) const SIM: &str = "sim";

/// What `sim` is where nobody defines it, as `--config` values.
const DEFINITION: [&str; 4] = [
    "profile.sim.inherits=\"release\"",
    "profile.sim.debug-assertions=true",
    "profile.sim.overflow-checks=true",
    "profile.sim.incremental=true",
];

/// What no scenario tests: the simulator, and what it stands on. Built as for a release.
const UNDER_US: [&str; 9] = [
    "async-task",
    "landfall",
    "landfall-checkers",
    "plan-compiler",
    "sim-disk",
    "sim-net",
    "sim-runtime",
    "sim-tokio",
    "tokio",
];

/// The arguments that have cargo build with the profile that is asked for. `workspace` is the
/// directory of the workspace's manifest, `cwd` where cargo is started.
pub(crate) fn arguments(args: &CargoArgs, workspace: &Path, cwd: &Path) -> Vec<String> {
    let name = match &args.profile {
        Some(name) => name.as_str(),
        None if args.release => "release",
        None if args.debug => "dev",
        None => SIM,
    };
    let mut words = vec!["--profile".to_owned(), name.to_owned()];
    if name == SIM
        && !files(workspace, cwd)
            .iter()
            .any(|file| defines_sim_in(file))
    {
        for value in DEFINITION
            .iter()
            .map(|value| (*value).to_owned())
            .chain(release())
        {
            words.extend(["--config".to_owned(), value]);
        }
    }
    words
}

/// That [`UNDER_US`] has no checks.
fn release() -> impl Iterator<Item = String> {
    UNDER_US.iter().flat_map(|package| {
        ["debug-assertions", "overflow-checks"]
            .map(|check| format!("profile.sim.package.{package}.{check}=false"))
    })
}

/// Where a profile can be defined: the workspace's manifest and cargo's configuration.
#[expect(
    clippy::disallowed_methods,
    reason = "cargo's own variable, where cargo looks"
)]
fn files(workspace: &Path, cwd: &Path) -> Vec<PathBuf> {
    let mut files = vec![workspace.join("Cargo.toml")];
    for directory in cwd.ancestors() {
        files.push(directory.join(".cargo/config.toml"));
        files.push(directory.join(".cargo/config"));
    }
    if let Some(home) = std::env::var_os("CARGO_HOME") {
        files.push(Path::new(&home).join("config.toml"));
    }
    files
}

fn defines_sim_in(file: &Path) -> bool {
    // A file that is not there, or cannot be read, defines nothing that cargo would use.
    fs::read_to_string(file).is_ok_and(|text| defines_sim(&text))
}

/// Whether this TOML has a table `profile.sim`, in any of the ways to write one.
fn defines_sim(text: &str) -> bool {
    let mut table = String::new();
    text.lines().any(|line| {
        let bare = |c: &char| !c.is_whitespace() && !matches!(c, '"' | '\'');
        let line: String = line
            .split('#')
            .next()
            .unwrap_or_default()
            .chars()
            .filter(bare)
            .collect();
        if let Some(header) = line.strip_prefix('[') {
            table = header.split(']').next().unwrap_or_default().to_owned();
            return table == "profile.sim" || table.starts_with("profile.sim.");
        }
        let key = line.split('=').next().unwrap_or_default();
        let key = if table.is_empty() {
            key.to_owned()
        } else {
            format!("{table}.{key}")
        };
        line.contains('=') && (key == "profile.sim" || key.starts_with("profile.sim."))
    })
}

#[cfg(test)]
mod tests {
    use super::{UNDER_US, defines_sim};

    #[test]
    fn this_workspace_builds_the_same_packages_without_checks() {
        let ours = include_str!("../../../Cargo.toml");
        for package in UNDER_US {
            let header = format!("[profile.sim.package.{package}]");
            let (_, table) = ours.split_once(&header).expect(&header);
            let table = table.split("[profile").next().expect("a first part");
            for check in ["debug-assertions = false", "overflow-checks = false"] {
                assert!(table.contains(check), "{package}: {check}");
            }
        }
        let tables = ours.matches("[profile.sim.package.").count();
        assert_eq!(tables, UNDER_US.len());
    }

    #[test]
    fn every_way_to_write_the_table_is_seen() {
        for text in [
            "[profile.sim]\ninherits = \"release\"",
            "[ profile . \"sim\" ] # ours",
            "[profile.sim.package.foo]",
            "[profile]\nsim = { inherits = \"release\" }",
            "[profile]\nsim.inherits = 'release'",
            "profile.sim.inherits = 'release'",
        ] {
            assert!(defines_sim(text), "{text}");
        }
        for text in [
            "",
            "[profile.simple]",
            "# [profile.sim]",
            "[features]\nsim = []",
            "[profile.release]\nlto = true",
            "[package]\nname = \"profile.sim\"",
        ] {
            assert!(!defines_sim(text), "{text}");
        }
    }
}

//! Asking cargo: which packages there are, and their test binaries.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use landfall::coordinate::TestBinary;
use serde::Deserialize;

use crate::args::CargoArgs;
use crate::exit::{Error, Exit};
use crate::profile;

/// The feature that puts a package under simulation.
const SIM_FEATURE: &str = "sim";

/// `cargo metadata`, as much of it as is used.
#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_default_members: Vec<String>,
    workspace_root: PathBuf,
}

/// A package of the workspace.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Package {
    /// Its name.
    pub(crate) name: String,
    version: String,
    id: String,
    manifest_path: PathBuf,
    features: BTreeMap<String, Vec<String>>,
    dependencies: Vec<Dependency>,
}

#[derive(Clone, Debug, Deserialize)]
struct Dependency {
    name: String,
}

impl Package {
    fn uses_landfall(&self) -> bool {
        self.name == "landfall" || self.dependencies.iter().any(|d| d.name == "landfall")
    }

    fn has_sim(&self) -> bool {
        self.features.contains_key(SIM_FEATURE)
    }
}

/// A test executable and the package that it tests.
#[derive(Clone, Debug)]
pub(crate) struct Built {
    /// The package's name.
    pub(crate) package: String,
    /// The name of the target.
    pub(crate) target: String,
    /// The executable and where it runs.
    pub(crate) binary: TestBinary,
}

/// Builds the test binaries of the selected packages.
///
/// # Errors
/// Usage when nothing that uses landfall is selected or cargo cannot read the workspace; build
/// when cargo does not build it (what it says has gone to the standard error).
pub(crate) fn build(args: &CargoArgs) -> Result<Vec<Built>, Error> {
    let metadata = metadata(args)?;
    let packages = select(args, &metadata)?;
    let cwd = std::env::current_dir()
        .map_err(|error| Error::usage(format!("there is no current directory: {error}")))?;
    let mut command = cargo();
    command.args([
        "test",
        "--no-run",
        "--tests",
        "--message-format=json-render-diagnostics",
    ]);
    for package in &packages {
        command.args(["-p", &format!("{}@{}", package.name, package.version)]);
    }
    command.args(features(args, &packages));
    command.args(profile::arguments(args, &metadata.workspace_root, &cwd));
    if let Some(directory) = &args.target_dir {
        command.arg("--target-dir").arg(directory);
    }
    if let Some(jobs) = args.build_jobs {
        command.args(["-j", &jobs.to_string()]);
    }
    command.args(common(args));
    run_build(command, &packages)
}

fn run_build(mut command: Command, packages: &[Package]) -> Result<Vec<Built>, Error> {
    let failed = |message: String| Error {
        exit: Exit::Build,
        message,
    };
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command
        .spawn()
        .map_err(|error| failed(format!("cargo cannot be started: {error}")))?;
    let stdout = child.stdout.take().expect("the pipe was asked for");
    let mut built = Vec::new();
    for line in BufReader::new(stdout).lines() {
        let line = line.map_err(|error| failed(format!("cargo cannot be read: {error}")))?;
        built.extend(test_binary(&line, packages));
    }
    let status = child
        .wait()
        .map_err(|error| failed(format!("cargo cannot be waited for: {error}")))?;
    if !status.success() {
        let names: Vec<_> = packages
            .iter()
            .map(|package| package.name.as_str())
            .collect();
        return Err(failed(format!(
            "{} could not be built ({status})",
            names.join(", ")
        )));
    }
    // Cargo reports as it builds, which is not the same order each time.
    built.sort_by(|a, b| (&a.package, &a.target).cmp(&(&b.package, &b.target)));
    Ok(built)
}

/// A line of cargo's messages.
#[derive(Debug, Deserialize)]
struct Message {
    reason: String,
    manifest_path: Option<PathBuf>,
    target: Option<Target>,
    profile: Option<Profile>,
    executable: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Profile {
    test: bool,
}

/// The test executable that a message announces, if it does. Proc-macros' tests are left out:
/// they cannot be simulated.
fn test_binary(line: &str, packages: &[Package]) -> Option<Built> {
    let message: Message = serde_json::from_str(line).ok()?;
    let (target, manifest) = (message.target?, message.manifest_path?);
    let is_test = message.reason == "compiler-artifact" && message.profile?.test;
    if !is_test || target.kind.iter().any(|kind| kind == "proc-macro") {
        return None;
    }
    let package = packages
        .iter()
        .find(|package| package.manifest_path == manifest)?;
    let cwd = manifest.parent()?.to_owned();
    let binary = TestBinary {
        exe: message.executable?,
        cwd,
    };
    let target = format!("{} {}", target.kind.join(","), target.name);
    Some(Built {
        package: package.name.clone(),
        target,
        binary,
    })
}

/// Cargo, as the user's shell would start it.
#[expect(clippy::disallowed_methods, reason = "cargo says which cargo it is")]
pub(crate) fn cargo() -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(program);
    // `cargo run` describes this command's own package to it; cargo gets what the user's shell
    // would have given it.
    for (name, _) in std::env::vars_os() {
        let own = name.to_str().is_some_and(|name| {
            name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
        });
        if own {
            command.env_remove(name);
        }
    }
    command
}

/// The arguments that every cargo command takes.
fn common(args: &CargoArgs) -> Vec<OsString> {
    let mut words: Vec<OsString> = Vec::new();
    if let Some(path) = &args.manifest_path {
        words.push("--manifest-path".into());
        words.push(path.into());
    }
    for (given, word) in [
        (args.offline, "--offline"),
        (args.locked, "--locked"),
        (args.frozen, "--frozen"),
    ] {
        if given {
            words.push(word.into());
        }
    }
    words
}

fn metadata(args: &CargoArgs) -> Result<Metadata, Error> {
    let mut command = cargo();
    command
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .args(common(args));
    let text = answer(command, "cargo cannot read the workspace")?;
    serde_json::from_str(&text)
        .map_err(|error| Error::internal(format!("cargo metadata is not understood: {error}")))
}

/// What a command prints.
///
/// # Errors
/// Usage, with what it said, when it does not start or fails.
pub(crate) fn answer(mut command: Command, failure: &str) -> Result<String, Error> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| Error::usage(format!("cargo cannot be started: {error}")))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(Error::usage(format!("{failure}\n{said}")));
    }
    String::from_utf8(output.stdout).map_err(|_| Error::internal("cargo's answer is not UTF-8"))
}

/// The packages that the arguments select, as cargo would, less those that landfall has no
/// business with.
fn select(args: &CargoArgs, metadata: &Metadata) -> Result<Vec<Package>, Error> {
    if !args.packages.is_empty() {
        return args
            .packages
            .iter()
            .map(|spec| named(spec, &metadata.packages))
            .collect();
    }
    let candidates: Vec<&Package> = if args.workspace {
        metadata.packages.iter().collect()
    } else {
        let ids = default_members(args, metadata)?;
        metadata
            .packages
            .iter()
            .filter(|package| ids.contains(&package.id))
            .collect()
    };
    let using: Vec<Package> = candidates
        .iter()
        .filter(|package| package.uses_landfall())
        .copied()
        .cloned()
        .collect();
    if using.is_empty() {
        let names: Vec<_> = candidates
            .iter()
            .map(|package| package.name.as_str())
            .collect();
        let message = format!(
            "no selected package depends on landfall: {}",
            names.join(", ")
        );
        return Err(Error::usage(message));
    }
    Ok(using)
}

/// What cargo selects without being told: the package one stands in, or the default members.
fn default_members(args: &CargoArgs, metadata: &Metadata) -> Result<Vec<String>, Error> {
    let mut command = cargo();
    command.args(["locate-project", "--message-format", "plain"]);
    if let Some(path) = &args.manifest_path {
        command.arg("--manifest-path").arg(path);
    }
    let here = answer(command, "cargo finds no package here")?;
    let here = Path::new(here.trim());
    let member = metadata
        .packages
        .iter()
        .find(|package| package.manifest_path == here);
    Ok(match member {
        Some(package) if here.parent() != Some(&metadata.workspace_root) => {
            vec![package.id.clone()]
        }
        _ => metadata.workspace_default_members.clone(),
    })
}

fn named(spec: &str, packages: &[Package]) -> Result<Package, Error> {
    let fits = |package: &&Package| {
        spec == package.name
            || spec == package.id
            || spec.split_once('@') == Some((package.name.as_str(), package.version.as_str()))
    };
    let Some(package) = packages.iter().find(fits) else {
        let mut names: Vec<_> = packages
            .iter()
            .map(|package| package.name.as_str())
            .collect();
        names.sort_unstable();
        let names = names.join(", ");
        return Err(Error::usage(format!(
            "the workspace has no package {spec}; it has {names}"
        )));
    };
    if !package.uses_landfall() && !package.has_sim() {
        let name = &package.name;
        return Err(Error::usage(format!(
            "{name} neither depends on landfall nor has a feature `{SIM_FEATURE}`: \
             there is nothing to simulate in it"
        )));
    }
    Ok(package.clone())
}

fn features(args: &CargoArgs, packages: &[Package]) -> Vec<String> {
    let mut words = Vec::new();
    for given in &args.features {
        words.extend(["--features".to_owned(), given.clone()]);
    }
    if args.all_features {
        words.push("--all-features".to_owned());
    } else {
        for package in packages.iter().filter(|package| package.has_sim()) {
            let feature = format!("{}/{SIM_FEATURE}", package.name);
            words.extend(["--features".to_owned(), feature]);
        }
    }
    if args.no_default_features {
        words.push("--no-default-features".to_owned());
    }
    words
}

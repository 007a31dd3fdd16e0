//! The workspace as cargo knows it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde::Deserialize;

use crate::cargo::cargo;
use crate::exit::Error;

/// `cargo metadata`, as much of it as is used.
#[derive(Debug, Deserialize)]
pub(super) struct Workspace {
    packages: Vec<Package>,
    workspace_members: Vec<String>,
    /// Where its manifest is.
    pub(super) workspace_root: PathBuf,
    resolve: Resolve,
}

/// A package of the graph.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Package {
    id: String,
    pub(super) name: String,
    pub(super) version: String,
    source: Option<String>,
    pub(super) manifest_path: PathBuf,
    pub(super) features: BTreeMap<String, Vec<String>>,
    pub(super) dependencies: Vec<Dependency>,
}

/// A dependency as its manifest declares it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Dependency {
    pub(super) name: String,
    pub(super) rename: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Debug, Deserialize)]
struct Node {
    id: String,
    dependencies: Vec<String>,
}

impl Package {
    /// The folder of its manifest.
    pub(super) fn folder(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(Path::new("."))
    }

    /// Whether it is a copy from a registry.
    pub(super) fn is_from_registry(&self) -> bool {
        let source = self.source.as_deref().unwrap_or_default();
        source.starts_with("registry+") || source.starts_with("sparse+")
    }

    /// Where it comes from, for readers.
    pub(super) fn origin(&self) -> String {
        match &self.source {
            Some(source) => source.clone(),
            None => self.folder().display().to_string(),
        }
    }

    /// Whether it names tokio as a dependency of its own.
    pub(super) fn uses_tokio_itself(&self) -> bool {
        let named = |d: &Dependency| d.name == "tokio" && d.rename.is_none();
        self.dependencies.iter().any(named)
    }
}

/// The folder of the workspace's manifest. Unlike [`read`] this never writes a lock.
///
/// # Errors
/// What cargo says, where there is no manifest.
pub(super) fn root(manifest: Option<&Path>) -> Result<PathBuf, Error> {
    let mut command = cargo();
    command.args(["locate-project", "--workspace", "--message-format", "plain"]);
    if let Some(manifest) = manifest {
        command.arg("--manifest-path").arg(manifest);
    }
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| Error::usage(format!("cargo cannot be started: {error}")))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(Error::usage(said.trim_end().trim_start_matches("error: ")));
    }
    let manifest = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    let root = manifest.parent().map(Path::to_owned);
    root.ok_or_else(|| Error::internal("cargo names no manifest"))
}

/// Asks cargo; without the network first.
///
/// # Errors
/// What cargo says, when neither works.
pub(super) fn read(manifest: Option<&Path>, offline: bool) -> Result<Workspace, Error> {
    let ask = |offline: bool| {
        let mut command = cargo();
        command.args(["metadata", "--format-version", "1"]);
        if offline {
            command.arg("--offline");
        }
        if let Some(manifest) = manifest {
            command.arg("--manifest-path").arg(manifest);
        }
        command.stdin(Stdio::null()).output()
    };
    let cannot = |error| Error::usage(format!("cargo cannot be started: {error}"));
    let mut output = ask(true).map_err(cannot)?;
    if !output.status.success() && !offline {
        output = ask(false).map_err(cannot)?;
    }
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let remedy = match offline {
            true => "\nhelp: `cargo fetch` downloads what is missing; or leave out --offline",
            false => "",
        };
        let message = format!(
            "cargo cannot resolve this workspace:\n{}{remedy}",
            said.trim_end()
        );
        return Err(Error::usage(message));
    }
    serde_json::from_slice(&output.stdout)
        .map_err(|error| Error::internal(format!("cargo metadata cannot be read: {error}")))
}

impl Workspace {
    /// The manifest of the root.
    pub(super) fn manifest(&self) -> PathBuf {
        self.workspace_root.join("Cargo.toml")
    }

    /// Every tokio of the graph.
    pub(super) fn tokios(&self) -> impl Iterator<Item = &Package> {
        self.packages
            .iter()
            .filter(|package| package.name == "tokio")
    }

    /// A package by name.
    pub(super) fn package(&self, name: &str) -> Option<&Package> {
        self.packages.iter().find(|package| package.name == name)
    }

    /// The members from which `package` can be reached, in order of their manifests.
    pub(super) fn members_over(&self, package: &Package) -> Vec<&Package> {
        let nodes = self.resolve.nodes.iter();
        let edges: BTreeMap<&str, &[String]> = nodes
            .map(|node| (node.id.as_str(), &node.dependencies[..]))
            .collect();
        let reaches = |member: &Package| {
            let mut seen: BTreeSet<&str> = BTreeSet::new();
            let mut open = vec![member.id.as_str()];
            while let Some(id) = open.pop() {
                if id == package.id {
                    return true;
                }
                if seen.insert(id) {
                    let next = edges.get(id).copied().unwrap_or_default();
                    open.extend(next.iter().map(String::as_str));
                }
            }
            false
        };
        let is_member = |package: &&Package| self.workspace_members.contains(&package.id);
        let mut members: Vec<_> = self.packages.iter().filter(is_member).collect();
        members.retain(|member| reaches(member));
        members.sort_by(|a, b| a.manifest_path.cmp(&b.manifest_path));
        members
    }
}

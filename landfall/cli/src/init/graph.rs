//! What cargo knows of the workspace.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::args::InitArgs;
use crate::cargo::{answer, cargo};
use crate::exit::{Error, Exit};

/// `cargo metadata`, as much of it as is used.
#[derive(Debug, Deserialize)]
pub(super) struct Graph {
    /// Every package that is locked.
    pub(super) packages: Vec<Package>,
    workspace_members: Vec<String>,
    resolve: Resolve,
}

#[derive(Debug, Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

/// A package with what it depends on, by id.
#[derive(Debug, Deserialize)]
struct Node {
    id: String,
    dependencies: Vec<String>,
}

/// A package of the graph.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Package {
    pub(super) name: String,
    pub(super) version: String,
    id: String,
    /// None for a path.
    pub(super) source: Option<String>,
    pub(super) manifest_path: PathBuf,
    pub(super) features: BTreeMap<String, Vec<String>>,
    pub(super) dependencies: Vec<Dependency>,
}

/// A dependency as a manifest declares it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Dependency {
    pub(super) name: String,
    pub(super) rename: Option<String>,
}

impl Package {
    /// The folder of its manifest.
    pub(super) fn folder(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(Path::new("/"))
    }

    /// Whether it depends on tokio itself.
    pub(super) fn names_tokio(&self) -> bool {
        self.dependencies.iter().any(|d| d.name == "tokio")
    }

    /// Whether it depends on landfall already.
    pub(super) fn has_landfall(&self) -> bool {
        self.dependencies
            .iter()
            .any(|d| d.name == "landfall" && d.rename.is_none())
    }
}

impl Graph {
    /// Asks cargo. It looks on the disk first and asks a registry only where that does not do.
    ///
    /// # Errors
    /// Usage, with cargo's words, when it cannot read or resolve the workspace.
    pub(super) fn read(args: &InitArgs) -> Result<Self, Error> {
        let ask = |offline: bool| {
            let mut command = cargo();
            command.args(["metadata", "--format-version", "1", "--quiet"]);
            if let Some(path) = &args.manifest_path {
                command.arg("--manifest-path").arg(path);
            }
            if offline {
                command.arg("--offline");
            }
            answer(command, "cargo cannot resolve the workspace")
        };
        let text = match ask(true) {
            Err(_) if !args.offline => ask(false)?,
            answer => answer?,
        };
        serde_json::from_str(&text)
            .map_err(|error| Error::internal(format!("cargo metadata is not understood: {error}")))
    }

    /// The members of the workspace, by name.
    pub(super) fn members(&self) -> Vec<&Package> {
        let is_member = |package: &&Package| self.workspace_members.contains(&package.id);
        let mut members: Vec<_> = self.packages.iter().filter(is_member).collect();
        members.sort_by(|a, b| a.name.cmp(&b.name));
        members
    }

    /// The members from which a package can be reached, by name.
    pub(super) fn members_over(&self, package: &Package) -> Vec<&Package> {
        let nodes = self.resolve.nodes.iter();
        let edges: BTreeMap<_, _> = nodes.map(|node| (&node.id, &node.dependencies)).collect();
        let reaches = |member: &&Package| {
            let mut seen = BTreeSet::new();
            let mut open = vec![&member.id];
            while let Some(id) = open.pop() {
                if seen.insert(id) {
                    open.extend(edges.get(id).into_iter().copied().flatten());
                }
            }
            seen.contains(&package.id)
        };
        let mut members = self.members();
        members.retain(reaches);
        members
    }

    /// The tokio 1 of the graph.
    ///
    /// # Errors
    /// Nothing selected when there is none.
    pub(super) fn tokio(&self) -> Result<&Package, Error> {
        let all: Vec<_> = self.packages.iter().filter(|p| p.name == "tokio").collect();
        if let Some(one) = all.iter().find(|p| p.version.starts_with("1.")) {
            return Ok(one);
        }
        let message = match all.first() {
            None => "no package of this workspace depends on tokio, so there is nothing to \
                     simulate; add tokio, or a crate that uses it, and run this again"
                .to_owned(),
            Some(old) => format!(
                "tokio {} is locked; landfall simulates tokio 1 only: upgrade to it first",
                old.version
            ),
        };
        Err(Error {
            exit: Exit::NothingSelected,
            message,
        })
    }

    /// Versions of tokio in the graph that stay as they are.
    pub(super) fn other_tokios(&self) -> Vec<&str> {
        let others = self.packages.iter().filter(|p| p.name == "tokio");
        others
            .map(|p| p.version.as_str())
            .filter(|version| !version.starts_with("1."))
            .collect()
    }
}

/// The root manifest of the workspace.
///
/// # Errors
/// Usage when cargo finds none.
pub(super) fn root_manifest(args: &InitArgs) -> Result<PathBuf, Error> {
    let mut command = cargo();
    command.args(["locate-project", "--workspace", "--message-format", "plain"]);
    if let Some(path) = &args.manifest_path {
        command.arg("--manifest-path").arg(path);
    }
    let path = answer(command, "cargo finds no workspace here")?;
    let path = PathBuf::from(path.trim());
    path.canonicalize()
        .map_err(|error| Error::usage(format!("{}: {error}", path.display())))
}

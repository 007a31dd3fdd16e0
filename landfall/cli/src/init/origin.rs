//! Where landfall itself comes from, and how a manifest says so.

use std::path::{Component, Path, PathBuf};

use toml_edit::{InlineTable, Value};

use super::graph::Graph;
use crate::exit::Error;

/// Landfall's sources.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    /// The root of its workspace.
    pub(super) root: PathBuf,
    /// Where dependencies point: at this folder, or at a repository.
    kind: Kind,
    /// How it was found, in words.
    pub(super) how: &'static str,
}

#[derive(Clone, Debug)]
enum Kind {
    Path,
    Git {
        url: String,
        at: Option<(String, String)>,
    },
}

impl Origin {
    /// The folder that was asked for, else what the workspace depends on, else where this command
    /// was built.
    ///
    /// # Errors
    /// Usage when no sources of the drop-in are there.
    pub(super) fn find(asked: Option<&Path>, graph: &Graph) -> Result<Self, Error> {
        if let Some(path) = asked {
            return Self::at(path, Kind::Path, "given by --landfall");
        }
        if let Some(package) = graph.packages.iter().find(|p| p.name == "landfall") {
            let root = package.folder().parent().unwrap_or(Path::new("/"));
            let kind = match &package.source {
                None => Kind::Path,
                Some(source) => git(source).ok_or_else(|| no_drop_in(root))?,
            };
            return Self::at(root, kind, "the workspace's dependency");
        }
        let built = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
        Self::at(
            Path::new(built),
            Kind::Path,
            "the checkout that this command was built from",
        )
    }

    fn at(root: &Path, kind: Kind, how: &'static str) -> Result<Self, Error> {
        let found = root.canonicalize().map_err(|_| no_drop_in(root))?;
        match found.join("sim-tokio/src/lib.rs").is_file() {
            true => Ok(Self {
                root: found,
                kind,
                how,
            }),
            false => Err(no_drop_in(root)),
        }
    }

    /// The dependency on one of landfall's packages, for a manifest in the folder `from`.
    pub(super) fn dependency(&self, package: &str, folder: &str, from: &Path) -> InlineTable {
        let mut table = InlineTable::new();
        match &self.kind {
            Kind::Path => {
                let path = relative(from, &self.root.join(folder));
                table.insert("path", Value::from(path));
            }
            Kind::Git { url, at } => {
                table.insert("git", Value::from(url.as_str()));
                if let Some((key, value)) = at {
                    table.insert(key, Value::from(value.as_str()));
                }
            }
        }
        if Path::new(folder)
            .file_name()
            .is_some_and(|name| name != package)
        {
            table.insert("package", Value::from(package));
        }
        table
    }

    /// Where it is, for a message.
    pub(super) fn place(&self) -> String {
        match &self.kind {
            Kind::Path => self.root.display().to_string(),
            Kind::Git { url, .. } => url.clone(),
        }
    }
}

fn no_drop_in(root: &Path) -> Error {
    Error::usage(format!(
        "{} is no checkout of landfall with its drop-in (sim-tokio/src/lib.rs); \
         name one: cargo landfall init --landfall PATH",
        root.display()
    ))
}

/// `git+https://host/name?rev=abc#commit` as a manifest says it.
fn git(source: &str) -> Option<Kind> {
    let source = source.strip_prefix("git+")?;
    let (source, _) = source.split_once('#').unwrap_or((source, ""));
    let (url, query) = source.split_once('?').unwrap_or((source, ""));
    let at = query
        .split_once('=')
        .map(|(key, value)| (key.to_owned(), value.to_owned()));
    Some(Kind::Git {
        url: url.to_owned(),
        at,
    })
}

/// A path from a folder to another; absolute where they share nothing. Both are absolute.
pub(super) fn relative(from: &Path, to: &Path) -> String {
    let same = from
        .components()
        .zip(to.components())
        .take_while(|(a, b)| a == b)
        .count();
    let named = |path: &Path| {
        path.components()
            .take(same)
            .any(|c| matches!(c, Component::Normal(_)))
    };
    if !named(to) {
        return to.display().to_string();
    }
    let mut path = PathBuf::new();
    for _ in from.components().skip(same) {
        path.push("..");
    }
    path.extend(to.components().skip(same));
    if path.as_os_str().is_empty() {
        path.push(".");
    }
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_relative_where_something_is_shared() {
        let check = |from, to, expected| {
            assert_eq!(relative(Path::new(from), Path::new(to)), expected);
        };
        check(
            "/home/u/shop",
            "/home/u/landfall/sim-net",
            "../landfall/sim-net",
        );
        check("/home/u/shop/landfall/tokio", "/home/u/lf", "../../../lf");
        check("/srv/shop", "/home/lf", "/home/lf");
        check("/srv/shop", "/srv/shop", ".");
    }

    #[test]
    fn a_repository_keeps_what_was_asked_of_it() {
        let Some(Kind::Git { url, at }) = git("git+https://host/lf?branch=main#abc") else {
            panic!("it is one");
        };
        assert_eq!(url, "https://host/lf");
        assert_eq!(at, Some(("branch".to_owned(), "main".to_owned())));
        assert!(git("registry+https://host/index").is_none());
    }
}

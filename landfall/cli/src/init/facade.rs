//! The package `tokio` that everybody gets: simulated inside a simulation, else the real one.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Component, Path, PathBuf};

use super::files::Change;
use crate::exit::Error;

/// Where it goes, from the root.
pub(super) const FOLDER: &str = "landfall/tokio";

/// The files of the facade of a tokio of this version and these features.
///
/// # Errors
/// When landfall's own sources cannot be read.
pub(super) fn make(
    root: &Path,
    landfall: &Path,
    version: &str,
    features: &BTreeMap<String, Vec<String>>,
) -> Result<Vec<Change>, Error> {
    let folder = Path::new(FOLDER);
    let mut changes = vec![Change {
        path: folder.join("Cargo.toml"),
        content: manifest(root, landfall, version, features).into_bytes(),
        why: String::new(),
    }];
    let source = landfall.join("sim-tokio/src");
    let mut open = vec![PathBuf::new()];
    while let Some(part) = open.pop() {
        let here = source.join(&part);
        let cannot = |error| Error::usage(format!("{} cannot be read: {error}", here.display()));
        let entries = std::fs::read_dir(&here)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(cannot)?;
        let mut names: Vec<_> = entries.iter().map(std::fs::DirEntry::file_name).collect();
        names.sort();
        for name in names {
            let path = part.join(&name);
            let full = source.join(&path);
            if full.is_dir() {
                open.push(path);
            } else {
                changes.push(Change {
                    content: std::fs::read(&full).map_err(cannot)?,
                    path: folder.join("src").join(path),
                    why: String::new(),
                });
            }
        }
    }
    Ok(changes)
}

fn manifest(
    root: &Path,
    landfall: &Path,
    version: &str,
    features: &BTreeMap<String, Vec<String>>,
) -> String {
    let mut text = format!(
        "# Made by `cargo landfall init`, which writes it again.\n\
         # Without landfall's feature `sim` this is tokio {version}, re-exported.\n\
         [package]\n\
         name = \"tokio\"\n\
         version = \"{version}\"\n\
         edition = \"2024\"\n\
         publish = false\n\
         \n\
         [features]\n"
    );
    let _ = writeln!(text, "default = []");
    for name in features.keys().filter(|name| *name != "default") {
        let _ = writeln!(text, "{name:?} = [\"tokio-real/{name}\"]");
    }
    text.push_str("\n[dependencies]\nbytes = \"1\"\nlibc = \"0.2\"\npin-project-lite = \"0.2\"\n");
    for name in ["sim-disk", "sim-net", "sim-runtime"] {
        let path = between(&root.join(FOLDER), &landfall.join(name));
        let _ = writeln!(
            text,
            "{name} = {{ path = {:?} }}",
            path.display().to_string()
        );
    }
    text.push_str(
        "# What is simulated is made of all of it.\n\
         tokio-real = { path = \"../tokio-real\", features = [\"full\", \"test-util\"] }\n\
         \n\
         [workspace]\n",
    );
    text
}

/// The way from one folder to another, both absolute.
pub(super) fn between(from: &Path, to: &Path) -> PathBuf {
    let (from, to): (Vec<_>, Vec<_>) = (from.components().collect(), to.components().collect());
    let shared = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    // Nothing shared but the root: the way would only be longer.
    if shared <= 1 {
        return to.iter().collect();
    }
    let ups = from[shared..].iter().map(|_| Component::ParentDir);
    let way: PathBuf = ups.chain(to[shared..].iter().copied()).collect();
    match way.as_os_str().is_empty() {
        true => PathBuf::from("."),
        false => way,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_feature_is_forwarded() {
        let features = ["default", "rt", "io-util"].map(|name| (name.to_owned(), vec![]));
        let text = manifest(
            Path::new("/a/b"),
            Path::new("/a/landfall"),
            "1.2.3",
            &features.into(),
        );
        assert!(text.contains("\n\"rt\" = [\"tokio-real/rt\"]\n"), "{text}");
        assert!(
            text.contains("\n\"io-util\" = [\"tokio-real/io-util\"]\n"),
            "{text}"
        );
        assert!(
            text.contains("sim-net = { path = \"../../../landfall/sim-net\" }"),
            "{text}"
        );
        assert!(text.contains("version = \"1.2.3\""), "{text}");
    }

    #[test]
    fn ways_between_folders_go_up_and_down() {
        let way = |from: &str, to: &str| between(Path::new(from), Path::new(to));
        assert_eq!(way("/a/b", "/a/c/d"), Path::new("../c/d"));
        assert_eq!(way("/a/b", "/a/b/c"), Path::new("c"));
        assert_eq!(way("/a/b", "/a/b"), Path::new("."));
        assert_eq!(way("/a/b", "/x/y"), Path::new("/x/y"));
    }
}

//! `tokio-real`: the locked tokio, from cargo's own download, under another name.

use std::fs;
use std::path::{Path, PathBuf};

use toml_edit::{DocumentMut, Item, Table, TableLike, value};

use super::change::{Files, read};
use crate::exit::Error;

/// What of the download is of no use to who depends on it.
const LEFT_OUT: [&str; 7] = [
    "tests",
    "benches",
    "examples",
    "Cargo.lock",
    "Cargo.toml",
    "Cargo.toml.orig",
    "target",
];

/// Sections of its manifest that go with them.
const SECTIONS_LEFT_OUT: [&str; 6] = [
    "dev-dependencies",
    "test",
    "bench",
    "example",
    "bin",
    "badges",
];

/// The package's files, to be in `folder`.
///
/// # Errors
/// Usage when the download cannot be read.
pub(super) fn files(download: &Path, folder: &Path) -> Result<Files, Error> {
    let mut files = Files::new();
    collect(download, Path::new(""), folder, &mut files)?;
    let text = read(&download.join("Cargo.toml"))?;
    files.insert(folder.join("Cargo.toml"), manifest(&text)?.into_bytes());
    Ok(files)
}

fn collect(root: &Path, below: &Path, folder: &Path, files: &mut Files) -> Result<(), Error> {
    let here = root.join(below);
    let failed = |error| Error::usage(format!("tokio's download: {}: {error}", here.display()));
    for entry in fs::read_dir(&here).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let is_top = below.as_os_str().is_empty();
        let plain = name.to_string_lossy();
        if is_top && (plain.starts_with('.') || LEFT_OUT.contains(&plain.as_ref())) {
            continue;
        }
        let path: PathBuf = below.join(&name);
        if root.join(&path).is_dir() {
            collect(root, &path, folder, files)?;
        } else {
            let bytes = fs::read(root.join(&path)).map_err(failed)?;
            files.insert(folder.join(&path), bytes);
        }
    }
    Ok(())
}

fn manifest(text: &str) -> Result<String, Error> {
    let mut doc: DocumentMut = text
        .parse()
        .map_err(|error| Error::internal(format!("tokio's manifest is not understood: {error}")))?;
    doc["package"]["name"] = value("tokio-real");
    doc["package"]["publish"] = value(false);
    doc["lib"]["name"] = value("tokio_real");
    if doc["lib"].get("path").is_none() {
        doc["lib"]["path"] = value("src/lib.rs");
    }
    strip(doc.as_table_mut());
    if let Some(targets) = doc
        .get_mut("target")
        .and_then(|item| item.as_table_like_mut())
    {
        for (_, target) in targets.iter_mut() {
            if let Some(target) = target.as_table_like_mut() {
                strip(target);
            }
        }
    }
    // A package of its own, whatever workspace it lies in.
    doc["workspace"] = Item::Table(Table::new());
    Ok(format!(
        "# tokio as cargo downloaded it, under another name. Made by `cargo landfall init`.\n{doc}"
    ))
}

fn strip(table: &mut dyn TableLike) {
    for section in SECTIONS_LEFT_OUT {
        table.remove(section);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_changes_its_name_and_keeps_what_builds() {
        let text = "[package]\nname = \"tokio\"\nversion = \"1.54.1\"\n\n[features]\n\
                    rt = []\n\n[lib]\nname = \"tokio\"\n\n[[test]]\nname = \"t\"\n\n\
                    [dependencies.libc]\nversion = \"0.2\"\n\n[dev-dependencies.loom]\n\
                    version = \"1\"\n\n[target.'cfg(unix)'.dev-dependencies.nix]\n\
                    version = \"1\"\n\n[target.'cfg(unix)'.dependencies.mio]\nversion = \"1\"\n";
        let doc: DocumentMut = manifest(text)
            .expect("it is one")
            .parse()
            .expect("it is TOML");
        assert_eq!(doc["package"]["name"].as_str(), Some("tokio-real"));
        assert_eq!(doc["lib"]["name"].as_str(), Some("tokio_real"));
        assert!(doc.get("dev-dependencies").is_none() && doc.get("test").is_none());
        assert!(doc["features"].get("rt").is_some() && doc["dependencies"].get("libc").is_some());
        let unix = &doc["target"]["cfg(unix)"];
        assert!(unix.get("dependencies").is_some() && unix.get("dev-dependencies").is_none());
    }
}
